"""Runs the same folders of ann-benchmarks under its own run.py --local and under annbench, and compares them.

usage: compare.py --checkout ANN-BENCHMARKS --annbench ANNBENCH --out FOLDER [--dataset NAME] [--prefix "taskset -c 1"] FOLDER_NAME...

Run it with the python of an environment that has the libraries and what run.py imports (numpy, h5py, PyYAML, psutil,
ansicolors, docker, scikit-learn). Both harnesses use that python. --dataset is one of ann-benchmarks' data sets of metric
euclidean; it draws or fetches it. Only definitions that are not disabled are run, with all of their settings, k = 10.

FOLDER gets settings.csv, one line a setting: recall by ann-benchmarks' rule (answers no farther than the k-th true neighbour
+ 0.001) of both, queries a second of both (ann-benchmarks: its best of five runs; annbench: the median of its repetitions,
with the lowest and the highest) and their ratio; sweep.yaml; annbench's records; and the logs. Wall times and a summary
go to standard output.
"""
import argparse
import csv
import glob
import json
import os
import re
import shlex
import statistics
import subprocess
import sys
import time

import h5py
import numpy as np
import yaml

K = 10


def definitions(checkout, folder):
    with open(os.path.join(checkout, "ann_benchmarks/algorithms", folder, "config.yml")) as f:
        floats = yaml.safe_load(f)["float"]
    return [d for key in ("any", "euclidean") for d in floats.get(key, []) if not d["disabled"]]


def timed(command, cwd, log, env=None):
    start = time.monotonic()
    with open(log, "a") as f:
        done = subprocess.run(command, cwd=cwd, stdout=f, stderr=subprocess.STDOUT, env={**os.environ, **(env or {})})
    if done.returncode:
        sys.exit("%s ended with %d: see %s" % (shlex.join(command), done.returncode, log))
    return time.monotonic() - start


def key(arguments):
    """How ann-benchmarks calls the file of a result."""
    return re.sub(r"\W+", "_", json.dumps(arguments, sort_keys=True)).strip("_")


def recall(true, found):
    return float(np.mean(np.sum(found[:, :K] <= true[:, K - 1 : K] + 1e-3, axis=1)) / K)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--checkout", required=True)
    p.add_argument("--annbench", required=True)
    p.add_argument("--out", required=True)
    p.add_argument("--dataset", default="random-xs-20-euclidean")
    p.add_argument("--prefix", default="", help="goes before both commands, such as taskset -c 1")
    p.add_argument("--repetitions", type=int, default=3)
    p.add_argument("--measure", default="50ms")
    p.add_argument("folders", nargs="+")
    a = p.parse_args()
    checkout, out = os.path.abspath(a.checkout), os.path.abspath(a.out)
    os.makedirs(out)
    prefix = shlex.split(a.prefix)
    algorithms = {d["name"].strip(): (f, d) for f in a.folders for d in definitions(checkout, f)}

    # The data set is made before either clock starts.
    subprocess.run([sys.executable, "-c", "from ann_benchmarks.datasets import get_dataset; get_dataset(%r)" % a.dataset], cwd=checkout, check=True)
    data = os.path.join(checkout, "data", a.dataset + ".hdf5")
    theirs = 0.0
    for f in a.folders:
        for d in definitions(checkout, f):
            command = prefix + [sys.executable, "run.py", "--local", "--force", "--dataset", a.dataset, "--algorithm", d["name"], "--count", str(K)]
            theirs += timed(command, checkout, os.path.join(out, "ann-benchmarks.log"))

    sweep = {
        "data": {"vectors": data}, "metric": "l2", "k": K, "repetitions": a.repetitions, "measure": a.measure, "answers": True, "gallery": -1,
        "families": [{"family": "ann-benchmarks:" + os.path.join(checkout, "ann_benchmarks/algorithms", f)} for f in a.folders],
    }
    with open(os.path.join(out, "sweep.yaml"), "w") as f:
        yaml.safe_dump(sweep, f, sort_keys=False)
    ours = timed(prefix + [a.annbench, "run", "sweep.yaml"], out, os.path.join(out, "annbench.log"), {"ANNBENCH_PYTHON": sys.executable})
    timed([a.annbench, "export", "results/sweep", "--out", "exported"], out, os.path.join(out, "annbench.log"))

    with h5py.File(data) as f:
        true = f["distances"][:]
    speeds = {}
    with open(os.path.join(out, "results/sweep/records.jsonl")) as f:
        for line in f:
            r = json.loads(line)
            if r["status"] == "ok":
                speeds.setdefault("%s (%s %s)" % (r["cell"]["family"], r["cell"]["build"], r["cell"]["search"]), []).append(r["values"]["qps"])
    rows = []
    for path in glob.glob(os.path.join(out, "exported/**/*.hdf5"), recursive=True):
        with h5py.File(path) as f:
            name, distances = f.attrs["name"], f["distances"][:]
        name = name.decode() if isinstance(name, bytes) else name
        label, args, query = re.fullmatch(r"\S+ \(args=(.*?):(\[.*\]) query_args=(\[.*\])\)", name).groups()
        folder, d = next(v for n, v in algorithms.items() if n.replace(" ", "-") == label)
        base = ["euclidean" if x == "@metric" else x for x in (d["base_args"] or [])]
        file = key(base + json.loads(args) + json.loads(query)) + ".hdf5"
        with h5py.File(os.path.join(checkout, "results", a.dataset, str(K), d["name"], file)) as f:
            mine = speeds[name]
            row = {
                "folder": folder, "definition": label, "args": args, "query_args": query,
                "recall_annbenchmarks": recall(true, f["distances"][:]), "recall_annbench": recall(true, distances),
                "qps_annbenchmarks": 1 / f.attrs["best_search_time"], "qps_annbench": statistics.median(mine), "qps_lowest": min(mine), "qps_highest": max(mine),
            }
        row["qps_ratio"] = row["qps_annbench"] / row["qps_annbenchmarks"]
        rows.append(row)
    if not rows:
        sys.exit("no setting was measured by both: see the logs in " + out)
    rows.sort(key=lambda r: (r["folder"], r["definition"], r["args"], json.loads(r["query_args"])))
    with open(os.path.join(out, "settings.csv"), "w", newline="") as f:
        w = csv.DictWriter(f, rows[0])
        w.writeheader()
        for r in rows:
            w.writerow({k: "%.7g" % v if isinstance(v, float) else v for k, v in r.items()})
    print("wall time: ann-benchmarks %.0f s, annbench %.0f s (%d repetitions), %.2f times" % (theirs, ours, a.repetitions, ours / theirs))
    for f in a.folders:
        own = [r for r in rows if r["folder"] == f]
        if not own:
            print("%s: no setting was measured by both" % f)
            continue
        apart = [abs(r["recall_annbench"] - r["recall_annbenchmarks"]) for r in own]
        ratios = sorted(r["qps_ratio"] for r in own)
        print("%s: %d settings; recall within 1e-6 at %d, at most %.4f apart; QPS ratio %.2f in the median, %.2f to %.2f"
              % (f, len(own), sum(x <= 1e-6 for x in apart), max(apart), statistics.median(ratios), ratios[0], ratios[-1]))


main()
