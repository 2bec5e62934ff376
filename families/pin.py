"""Writes FAMILY/requirements.txt: every package that FAMILY/requirements.in leads to, pinned, with the hashes
of its files for the Pythons below on Linux x86-64 and arm64. Lines that begin with "source:" are packages
without wheels: they go to FAMILY/sources.txt, with the hash of their archive.

usage: python families/pin.py FAMILY ...          (pip 23 or later; it downloads metadata, not packages)
"""
import collections, json, pathlib, subprocess, sys, tempfile

PYTHONS = ["3.10", "3.11", "3.12", "3.13"]
PLATFORMS = {"x86_64": ["manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux_2_26_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64"],
             "aarch64": ["manylinux_2_28_aarch64", "manylinux_2_27_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64"]}


def resolve(args):
    """The packages that pip would install: (name, version) -> hash."""
    with tempfile.TemporaryDirectory() as target:
        out = subprocess.run([sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet", "--report", "-", "--target", target, *args], capture_output=True, text=True)
    if out.returncode:
        return None, out.stderr.strip().splitlines()[:1]
    found = {}
    for item in json.loads(out.stdout)["install"]:
        m = item["metadata"]
        found[m["name"].lower().replace("_", "-"), m["version"]] = item["download_info"]["archive_info"]["hashes"]["sha256"]
    return found, None


def pin(folder):
    lines = [l.split("#")[0].strip() for l in (folder / "requirements.in").read_text().splitlines()]
    wheels = [l for l in lines if l and not l.startswith("source:")]
    sources = [l.removeprefix("source:").strip() for l in lines if l.startswith("source:")]
    hashes, pythons, got = collections.defaultdict(set), collections.defaultdict(set), []
    for arch, platforms in PLATFORMS.items():
        for version in PYTHONS:
            where = [a for p in platforms for a in ("--platform", p)]
            found, why = resolve(["--only-binary=:all:", "--python-version", version, *where, *wheels])
            if found is None:
                print(f"{folder.name}: none for Python {version} on {arch}: {' '.join(why)}", file=sys.stderr)
                continue
            got.append(f"{version} {arch}")
            for package, digest in found.items():
                hashes[package].add(digest)
                pythons[package].add(version)
    names = collections.Counter(name for name, _ in hashes)
    markers = {p: " ; " + " or ".join(f'python_version == "{v}"' for v in sorted(pythons[p])) for p in hashes if names[p[0]] > 1}
    write(folder / "requirements.txt", "; for Python " + ", ".join(got), hashes, markers)
    if sources:
        archives = {}
        for line in sources:
            found, why = resolve(["--no-binary=" + line.split("==")[0], "--no-deps", line])
            if found is None:
                sys.exit(f"{folder.name}: {line}: {why}")
            archives.update({package: {digest} for package, digest in found.items()})
        write(folder / "sources.txt", "", archives, {})


def write(path, note, hashes, markers):
    text = f"# Made by families/pin.py from requirements.in{note}.\n"
    for (name, version), digests in sorted(hashes.items()):
        text += f"{name}=={version}{markers.get((name, version), '')}" + "".join(f" \\\n    --hash=sha256:{d}" for d in sorted(digests)) + "\n"
    path.write_text(text)


for name in sys.argv[1:]:
    pin(pathlib.Path(__file__).parent / name)
