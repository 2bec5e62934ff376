#!/usr/bin/env bash
# dist.sh makes one archive, dist/annbench-COMMIT-linux-MACHINE.tar.gz, that runs without a compiler, Go or network.
#
# It holds the program (models, configurations and families are inside it, and lie beside it to read), Faiss, OpenBLAS,
# libgfortran, libquadmath, libgomp, libturbojpeg if it was compiled in, ONNX Runtime, the documentation and the licences.
# glibc and libstdc++ are the system's own: what is older than this machine's may still be new enough. The versions that
# the libraries really ask for are read from them and written into the launcher (scripts/dist/annbench), which refuses
# an older system.
#
# Faiss is compiled for AVX2 on x86_64, in .deps/dist, and for nothing in particular elsewhere. If the Faiss that
# `make deps` made here is one for AVX-512, it goes along; the loader takes it on processors that have it (glibc-hwcaps).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
top=$PWD
machine=$(uname -m)

say() { printf 'dist: %s\n' "$*" >&2; }
fail() { say "$@"; exit 1; }

[ "$(uname -s)" = Linux ] || fail "archives are made on Linux only."
for tool in objdump readelf dpkg-query; do
  command -v "$tool" >/dev/null || fail "there is no \`$tool\` in PATH: the archive is made on Debian or a relative, with binutils."
done

commit=$(git rev-parse --short=12 HEAD)
[ -z "$(git status --porcelain)" ] || commit=$commit-changed
name=annbench-$commit-linux-$machine

# ---- the native parts

case $machine in
  x86_64) level=avx2 flags="avx2 fma f16c popcnt" ;;
  *) level=generic flags= ;;
esac
# The libraries that `make deps` gave for this machine: ONNX Runtime, and maybe Faiss for AVX-512.
scripts/deps.sh
here_faiss=${FAISS_PREFIX:-$top/.deps/faiss}
onnx=$(. ./.deps/env.sh && printf '%s' "$ONNXRUNTIME_LIB")
FAISS_PREFIX='' FAISS_FROM=crate FAISS_OPT_LEVEL=$level ONNXRUNTIME_LIB=$onnx DEPS_DIR=.deps/dist scripts/deps.sh
faiss=$top/.deps/dist/faiss
TAGS=$(. ./.deps/dist/env.sh && printf '%s' "$TAGS")

mkdir -p dist
work=$(mktemp -d dist/.work.XXXXXX)
trap 'rm -rf "$top/$work"' EXIT
stage=$work/$name
lib=$stage/lib/annbench
mkdir -p "$lib" "$stage/licences"

# Subtle: libfaiss looks for its libraries in its own folder alone, which is another one where it is that for AVX-512.
# The program asks for them too, so they are loaded before it.
say "compiling annbench ($TAGS)"
CGO_ENABLED=1 CGO_CPPFLAGS="-I$faiss/include" \
  CGO_LDFLAGS="-O2 -L$faiss/lib -Wl,--no-as-needed -lopenblas -lgomp -Wl,--as-needed -Wl,-rpath,\$ORIGIN -Wl,--disable-new-dtags -Wl,-rpath-link,$faiss/lib" \
  go build -trimpath -buildvcs=false -ldflags "-s -w" -tags "$TAGS" -o "$lib/annbench" ./cmd/annbench

cp "$faiss/lib/libfaiss.so" "$faiss/lib/libfaiss_c.so" "$lib/"
cp "$onnx" "$lib/libonnxruntime.so"
levels=$level
if [ "$machine" = x86_64 ] && [ "$(head -n 1 "$here_faiss/.ready" 2>/dev/null || true)" = "$(head -n 1 "$faiss/.ready" | sed 's/avx2$/avx512/')" ]; then
  mkdir -p "$lib/glibc-hwcaps/x86-64-v4"
  cp "$here_faiss/lib/libfaiss.so" "$lib/glibc-hwcaps/x86-64-v4/"
  levels="$level and avx512"
fi

# ---- libraries of the system: whatever the program loads from it, but for what every system has of its own

packages=()
while read -r soname file; do
  case $soname in
    libc.so.* | libm.so.* | libdl.so.* | libpthread.so.* | librt.so.* | ld-linux* | libstdc++.so.* | libgcc_s.so.*) continue ;;
  esac
  [ ! -e "$lib/$soname" ] || continue
  case $soname in
    libopenblas.so.* | libgfortran.so.* | libquadmath.so.* | libgomp.so.* | libturbojpeg.so.*) ;;
    *) fail "the program loads $soname ($file), whose licence nobody has looked at: name it in NOTICE and in scripts/dist.sh, or do without it." ;;
  esac
  file=$(readlink -f "$file")
  # Packages name files by /lib or by /usr/lib, which are one folder.
  owner=$(dpkg-query -S "$file" 2>/dev/null || dpkg-query -S "${file#/usr}" 2>/dev/null) || fail "$file ($soname) is of no package: its licence and its source cannot be named."
  owner=${owner%%: *}
  cp "$file" "$lib/$soname"
  packages+=("$soname ${owner%%,*}")
done < <(LD_LIBRARY_PATH=$lib ldd "$lib/annbench" | awk '$2 == "=>" && $3 ~ /^\// { print $1, $3 }')

chmod 755 "$lib"/*.so*
# Nothing may lead back to this machine.
for file in "$lib"/annbench "$lib"/*.so*; do
  path=$(readelf -d "$file" | sed -n 's/.*R\(UN\)\{0,1\}PATH).*\[\(.*\)\]/\2/p')
  case $path in '' | '$ORIGIN') ;; *) fail "${file##*/} looks for libraries in $path, which is a folder of this machine." ;; esac
done

# newest SYMBOLS: the newest version of them, such as GLIBC, that any file here asks for.
newest() {
  find "$lib" -type f -exec objdump -T {} + 2>/dev/null | grep -F '*UND*' |
    sed -n "s/.*[( ]$1_\([0-9][0-9.]*\)).*/\1/p" | sort -Vu | tail -n 1
}
glibc=$(newest GLIBC) glibcxx=$(newest GLIBCXX)
[ -n "$glibc" ] && [ -n "$glibcxx" ] || fail "objdump names no versions of glibc and libstdc++: it is not the one that this script was written for."
sed -e "s/@MACHINE@/$machine/g" -e "s/@FLAGS@/$flags/g" -e "s/@GLIBC@/$glibc/g" -e "s/@GLIBCXX@/$glibcxx/g" scripts/dist/annbench >"$stage/annbench"
chmod 755 "$stage/annbench"

# ---- what is there to read, and the licences

cp LICENSE NOTICE README.md CHANGELOG.md "$stage/"
git archive HEAD configs families docs | tar -x -C "$stage"

go run ./scripts/notice -texts "$stage/licences/go"
mkdir "$stage/licences/faiss"
cp "$faiss/LICENSE" "$stage/licences/faiss/"
cp -R scripts/dist/licences/onnxruntime "$stage/licences/onnxruntime"
{
  echo "The libraries in lib/annbench that are packages of the system that made this archive: file, package, version,"
  echo "source package, version. The source is in that system's archive of sources (apt-get source SOURCE=VERSION)."
  echo
} >"$stage/licences/SOURCES"
for line in "${packages[@]}"; do
  package=${line#* } soname=${line%% *}
  # shellcheck disable=SC2016 # dpkg-query's own variables
  dpkg-query -W -f "$soname \${Package} \${Version} \${source:Package} \${source:Version}\n" "$package" >>"$stage/licences/SOURCES"
  bare=${package%%:*}
  [ -f "/usr/share/doc/$bare/copyright" ] || fail "/usr/share/doc/$bare/copyright is missing: the licence of $soname has to be in the archive. Some container images leave it out; install the package again with it."
  mkdir -p "$stage/licences/$bare"
  cp -L "/usr/share/doc/$bare/copyright" "$stage/licences/$bare/"
done
# What those files refer to.
mkdir "$stage/licences/common"
for text in GPL-3 LGPL-2.1 LGPL-3 GPL-2 Apache-2.0; do
  [ ! -f "/usr/share/common-licenses/$text" ] || cp -L "/usr/share/common-licenses/$text" "$stage/licences/common/"
done

# ---- one file, the same for the same commit and libraries

epoch=$(git log -1 --format=%ct)
tar -C "$work" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$epoch" -cf - "$name" | gzip -n >"$work/archive"
mv "$work/archive" "dist/$name.tar.gz"
say "dist/$name.tar.gz: $(du -h "dist/$name.tar.gz" | cut -f 1); Faiss for $levels; needs glibc $glibc and GLIBCXX_$glibcxx (GCC 12's libstdc++ has 3.4.30)"
