#!/usr/bin/env bash
# deps.sh fetches and builds the native parts into .deps/: Faiss with its C API, and ONNX Runtime. It
# has the system install what they need, and libturbojpeg, which is used if it is installed.
#
#   scripts/deps.sh        whatever is not there yet
#   scripts/deps.sh env    the same, then the exports that go needs, on standard output
#
# A part is made under .deps/tmp and renamed into place with its marker (.ready) inside, so what
# stands in .deps/PART is whole. The marker holds the recipe: another recipe makes the part again.
# DEPS_DIR names another folder than .deps, below this one, for a Faiss beside the usual one (scripts/dist.sh).
# FAISS_PREFIX and ONNXRUNTIME_LIB name libraries that are there already; nothing is made for them.
#
# Faiss is 1.12.0, whose sources, with the C API, are in the crate faiss-sys 0.7.0: cargo fetches it, and
# nothing of it is built as Rust. Where cargo is not to be had, Debian's 1.7.3 is built in its place, which
# lacks the families that came later. FAISS_FROM=crate or FAISS_FROM=debian asks for one of them and takes
# no other. FAISS_OPT_LEVEL is the instruction set (generic, avx2 or avx512): by default the best that this
# processor has.
# Everything meant for people goes to standard error.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
top=$PWD
deps=${DEPS_DIR:-.deps}
system=$(uname -s)
machine=$(uname -m)

faiss_prefix=${FAISS_PREFIX:-}
onnx_lib=${ONNXRUNTIME_LIB:-}
onnx_version=1.27.0
crate_version=0.7.0 faiss_version=1.12.0
crate_sha=c4a8fa67f7070bb81f41dc71c98813b3e40a66bedab12d6c2ac2af50f0837a7e
debian_version=1.7.3 # that of Debian 12 and Ubuntu 24.04, which annbench is tested with

say() { printf 'deps: %s\n' "$*" >&2; }
fail() { say "$@"; exit 1; }

# ---- steps: one command each, with a log, progress, and a way on when it fails

child=
stop_child() {
  [ -z "$child" ] || kill -TERM -- "-$child" 2>/dev/null || true
  rm -rf "$deps/tmp"
}
interrupted() {
  trap - INT TERM HUP
  [ ! -t 2 ] || printf '\r\033[K' >&2
  stop_child
  say "interrupted; \`make deps\` begins that part anew"
  exit 130
}

# progress LOG: how far the build in LOG has come, as cmake counts it ("43%, "), or nothing.
progress() { sed -n 's/^\[ *\([0-9]*%\)\].*/\1, /p' "$1" | sort -n | tail -n 1; }

# step PART DOING COMMAND...: COMMAND in a process group of its own, its output at the end of PART's log.
# Its failure ends this script, or is returned where optional=1.
step() {
  local part=$1 doing=$2 log=$deps/log/$1.log begun=$SECONDS told=$SECONDS status=0
  shift 2
  printf '== %s\n' "$doing" >>"$log"
  [ -t 2 ] || say "$part: $doing (log: $log)"
  set -m
  "$@" >>"$log" 2>&1 </dev/null 9>&- &
  child=$!
  set +m
  while kill -0 "$child" 2>/dev/null; do
    sleep 0.2
    if [ -t 2 ]; then
      printf '\r\033[Kdeps: %s: %s, %s%d s (log: %s)' "$part" "$doing" "$(progress "$log")" $((SECONDS - begun)) "$log" >&2
    elif [ $((SECONDS - told)) -ge 15 ]; then
      told=$SECONDS
      say "$part: still $doing, $(progress "$log")$((SECONDS - begun)) s"
    fi
  done
  wait "$child" 2>/dev/null || status=$?
  child=
  [ ! -t 2 ] || printf '\r\033[K' >&2
  if [ "$status" != 0 ]; then
    say "$part: $doing failed (exit status $status). $log ends:"
    awk '/^== / { n = 0; next } { line[n++] = $0 } END { for (i = n > 15 ? n - 15 : 0; i < n; i++) print "  | " line[i] }' "$log" >&2
    [ -z "${optional:-}" ] || return "$status"
    say "Nothing half-made was kept. Mend what the log names, then run \`make deps\` again."
    case $part in
      system) say "Or install the packages yourself, by these names or your system's own." ;;
      faiss) say "Or set FAISS_PREFIX to a Faiss that you have: a folder with include/faiss/c_api and lib/libfaiss_c.so." ;;
      onnxruntime) say "Or set ONNXRUNTIME_LIB to a libonnxruntime.so $onnx_version that you have." ;;
    esac
    exit 1
  fi
  say "$part: done $doing, $((SECONDS - begun)) s"
}

# ready PART RECIPE: whether PART stands, made by RECIPE.
ready() { [ -f "$deps/$1/.ready" ] && [ "$(head -n 1 "$deps/$1/.ready")" = "$2" ]; }

# publish PART STAGE RECIPE VERSION: the marker, then one rename.
publish() {
  printf '%s\n%s\n' "$3" "$4" >"$2/.ready"
  sync "$2/.ready" 2>/dev/null || true
  rm -rf "${deps:?}/$1"
  mv "$2" "$deps/$1"
}

# ---- what was asked for

command -v go >/dev/null || fail "no \`go\` in PATH: install Go 1.26 or newer, then run \`make deps\` again."
case $top in *[\'\"\$\`\\]*) fail "the path of this folder holds a quote, a dollar or a backslash, which C compilers' flags cannot carry: move it." ;; esac

case $system in
  Darwin) library=dylib ;;
  *) library=so ;;
esac
# Our own file, set by `eval "$(make -s env)"`, is not somebody else's.
[ "$onnx_lib" != "$top/$deps/onnxruntime/lib/libonnxruntime.$library" ] || onnx_lib=

if [ -n "$faiss_prefix" ]; then
  [ -f "$faiss_prefix/include/faiss/c_api/Index_c.h" ] ||
    fail "FAISS_PREFIX=$faiss_prefix has no include/faiss/c_api/Index_c.h. It must name the folder that Faiss was installed to with FAISS_ENABLE_C_API=ON; leave it empty to have Faiss built here."
  faiss_prefix=$(cd "$faiss_prefix" && pwd)
  faiss_lib=
  for dir in lib lib64 "lib/$machine-linux-gnu"; do
    [ ! -f "$faiss_prefix/$dir/libfaiss_c.$library" ] || { faiss_lib=$faiss_prefix/$dir; break; }
  done
  [ -n "$faiss_lib" ] ||
    fail "FAISS_PREFIX=$faiss_prefix has no lib/libfaiss_c.$library. Build Faiss with FAISS_ENABLE_C_API=ON and BUILD_SHARED_LIBS=ON; or leave FAISS_PREFIX empty to have Faiss built here."
  faiss_include=$faiss_prefix/include
else
  faiss_include=$top/$deps/faiss/include
  faiss_lib=$top/$deps/faiss/lib
  [ "$system" != Darwin ] ||
    fail "Faiss is built here on Debian and its relatives only. On macOS: \`brew install faiss node\`, then \`make FAISS_PREFIX=\"\$(brew --prefix faiss)\" TARGET\`."
fi

if [ -n "$onnx_lib" ]; then
  [ ! -d "$onnx_lib" ] || fail "ONNXRUNTIME_LIB=$onnx_lib is a folder: name the library file in it (libonnxruntime.$library)."
  [ -f "$onnx_lib" ] || fail "ONNXRUNTIME_LIB=$onnx_lib does not exist: name a libonnxruntime.$library, or leave it empty to have ONNX Runtime fetched."
  case $(od -An -tx1 -N4 "$onnx_lib" | tr -d ' \n') in
    7f454c46 | cffaedfe | cafebabe) ;;
    *) fail "ONNXRUNTIME_LIB=$onnx_lib is not a shared library: name a libonnxruntime.$library, or leave it empty to have ONNX Runtime fetched." ;;
  esac
  onnx_lib=$(cd "$(dirname "$onnx_lib")" && pwd)/$(basename "$onnx_lib")
  onnx_from=$onnx_lib
else
  # The file inside the npm package, and its SHA-256.
  case $system-$machine in
    Linux-x86_64) onnx_file=linux/x64/libonnxruntime.so.1 onnx_sha=d8aff4aa8abee8fb2abb2f2f2459ffc94461e781e41b9f7c072829dd0d470221 ;;
    Linux-aarch64) onnx_file=linux/arm64/libonnxruntime.so.1 onnx_sha=c36bc200e7e6c093b8abb0b34590fbdd8c52fd3fb5e33795b9523ffdde2fce0f ;;
    Darwin-arm64) onnx_file=darwin/arm64/libonnxruntime.$onnx_version.dylib onnx_sha=89f692a3a1a224e4ad0b796b0e7c0bd81113b0741bfe84211eceef14d05a9e59 ;;
    *) fail "there is no ONNX Runtime to fetch for $system on $machine: set ONNXRUNTIME_LIB to a libonnxruntime.$library $onnx_version." ;;
  esac
  onnx_lib=$top/$deps/onnxruntime/lib/libonnxruntime.$library
  onnx_from="ONNX Runtime $onnx_version"
fi

# has FLAG...: whether this processor has all of them.
has() {
  local flags flag
  flags=" $(sed -n 's/^flags[^:]*: *//p' /proc/cpuinfo 2>/dev/null | head -n 1) "
  for flag; do case $flags in *" $flag "*) ;; *) return 1 ;; esac; done
}

# The instruction set that Faiss is compiled for: one, the best that is here, by the names and flags of
# Faiss's own build. Without AVX2 Flat search is 3.9 times slower.
best=generic
if [ "$machine" = x86_64 ] && has avx2 fma f16c popcnt; then
  best=avx2
  if has avx512f avx512cd avx512vl avx512dq avx512bw; then best=avx512; fi
fi
faiss_level=${FAISS_OPT_LEVEL:-$best}
case $faiss_level in
  generic) faiss_flags= ;;
  avx2) faiss_flags="-mavx2 -mfma -mf16c -mpopcnt" ;;
  avx512) faiss_flags="-mavx2 -mfma -mf16c -mpopcnt -mavx512f -mavx512cd -mavx512vl -mavx512dq -mavx512bw" ;;
  *) fail "FAISS_OPT_LEVEL=$faiss_level is not one of generic, avx2 and avx512; leave it empty for the best that this processor has, $best." ;;
esac
case $faiss_level/$best in
  "$best/$best" | generic/* | avx2/avx512) ;;
  *) fail "FAISS_OPT_LEVEL=$faiss_level: this processor has no more than $best." ;;
esac
case ${FAISS_FROM:-} in
  '' | crate | debian) ;;
  *) fail "FAISS_FROM=$FAISS_FROM is neither crate (Faiss $faiss_version) nor debian ($debian_version); leave it empty for the crate, or Debian's where there is no cargo." ;;
esac
crate_recipe="faiss $faiss_version 1 $machine $faiss_level"
debian_recipe="faiss debian 3 $machine $faiss_level"

# old_cargo VERSION: whether that cargo is older than 1.70, the first that needs no git to read the index of
# crates. Debian counts the versions below 1 as 0.66 and so on.
old_cargo() {
  local major minor
  IFS=. read -r major minor _ <<<"$1"
  [ "${major:-0}" -lt 1 ] || { [ "$major" = 1 ] && [ "${minor:-0}" -lt 70 ]; }
}

# find_cargo sets cargo to "here", to the package that has it, or to nothing, with the reason in no_cargo.
find_cargo() {
  local package version
  cargo= no_cargo=
  if command -v cargo >/dev/null; then
    version=$(cd / && cargo --version 2>/dev/null | awk '{ print $2 }') || true # a rustup without a toolchain fails
    if [ -z "$version" ]; then
      no_cargo="the cargo that is installed does not run: see cargo --version"
    elif old_cargo "$version"; then
      no_cargo="the cargo that is installed ($version) is older than 1.70"
    else
      cargo=here
    fi
    return
  fi
  for package in cargo-web cargo; do
    version=$(LC_ALL=C apt-cache policy "$package" 2>/dev/null | sed -n 's/^ *Candidate: *\([0-9]*:\)\{0,1\}//p')
    case $version in '' | '(none)') continue ;; esac
    old_cargo "$version" || { cargo=$package; return; }
  done
  no_cargo="this system has no package of cargo 1.70 or newer"
}
onnx_recipe="onnxruntime $onnx_version $system $machine"

make_faiss= make_onnx=
want_faiss() {
  [ -z "$faiss_prefix" ] || return 1
  case ${FAISS_FROM:-} in
    debian) ! ready faiss "$debian_recipe" ;;
    crate) ! ready faiss "$crate_recipe" ;;
    *) ! ready faiss "$crate_recipe" && ! { ready faiss "$debian_recipe" && find_cargo && [ -z "$cargo" ]; } ;;
  esac
}
! want_faiss || make_faiss=1
[ "$onnx_lib" != "$top/$deps/onnxruntime/lib/libonnxruntime.$library" ] || ready onnxruntime "$onnx_recipe" || make_onnx=1

mkdir -p "$deps/log"
if command -v flock >/dev/null; then
  exec 9>"$deps/lock"
  flock -n 9 || { say "another \`make deps\` is at work here; waiting for it"; flock 9; }
  # The other one may have made what was missing.
  want_faiss || make_faiss=
  [ -z "$make_onnx" ] || ! ready onnxruntime "$onnx_recipe" || make_onnx=
fi
# From here on .deps/tmp is this run's own. The folder in it has a new name each time, for the
# compiler of a run that was killed may still be writing to the old one.
trap interrupted INT TERM HUP
trap 'rm -rf "$deps/tmp"' EXIT
rm -rf "$deps/tmp" || rm -rf "$deps/tmp"
mkdir -p "$deps/tmp"
tmp=$(mktemp -d "$deps/tmp/XXXXXX")

# ---- system packages

missing=()
want_command() { command -v "$1" >/dev/null || missing+=("$2"); }
want_package() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ] || missing+=("$1"); }

# become_root sets sudo to what runs a command as root, or ends with what to do by hand.
become_root() {
  sudo=
  [ "$(id -u)" != 0 ] || return 0
  local by_hand="these packages are missing: ${missing[*]}. As root: \`apt-get install --no-install-recommends ${missing[*]}\`; then run \`make deps\` again."
  command -v sudo >/dev/null || fail "$by_hand"
  sudo -n true 2>/dev/null || { [ -t 0 ] && say "sudo asks for your password, to install: ${missing[*]}" && sudo -v; } || fail "$by_hand"
  sudo="sudo -n"
}

listed=
update_lists() {
  # A stale or foreign source list may fail to update without harm; the install then says what is wrong.
  $sudo apt-get -o DPkg::Lock::Timeout=300 update || echo "apt-get update failed; trying with the lists that are here"
}
install_packages() {
  [ -n "$listed" ] || update_lists
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "${missing[@]}"
}
# install_missing installs what the want_ functions found missing.
install_missing() {
  [ ${#missing[@]} -gt 0 ] || return 0
  command -v apt-get >/dev/null ||
    fail "these are missing: ${missing[*]} (Debian's names). Install them, then run \`make deps\` again."
  become_root
  step system "installing ${missing[*]}" install_packages
  listed=1 missing=()
}

: >"$deps/log/system.log"
want_command g++ g++
[ -n "$faiss_prefix" ] || ! command -v dpkg-query >/dev/null || want_package libopenblas-dev
if [ -n "$make_faiss" ]; then
  command -v apt-get >/dev/null || command -v cargo >/dev/null ||
    fail "Faiss is built from a crate, and there is neither cargo nor apt-get here. Install cargo; or Faiss with its C API (cmake -DFAISS_ENABLE_C_API=ON -DBUILD_SHARED_LIBS=ON), then run \`make FAISS_PREFIX=/where/it/is TARGET\`."
  want_command cmake cmake
  if [ "${FAISS_FROM:-}" = debian ]; then
    cargo=
  else
    if ! command -v cargo >/dev/null && [ -z "$(apt-cache policy cargo 2>/dev/null)" ]; then
      missing+=(cargo) # for the message of become_root
      become_root
      unset 'missing[-1]'
      step system "reading the lists of packages" update_lists
      listed=1
    fi
    find_cargo
    case $cargo in
      here) ;;
      '') [ -z "${FAISS_FROM:-}" ] || fail "FAISS_FROM=crate: $no_cargo. Install cargo 1.70 or newer, or leave FAISS_FROM empty." ;;
      *) missing+=("$cargo" ca-certificates) ;;
    esac
  fi
  [ -n "$cargo" ] || want_command dpkg-source dpkg-dev
fi
[ -z "$make_onnx" ] || want_command npm npm

# Nobody is asked for a password for libturbojpeg's sake.
if command -v apt-get >/dev/null && { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }; then
  want_package libturbojpeg0-dev
fi
install_missing

# ---- Faiss

# source_lists DIR: the machine's own package sources, as lists of source packages, in DIR.
source_lists() {
  local list
  for list in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [ -f "$list" ] || continue
    sed -n -e 's/^[[:space:]]*deb[[:space:]]/deb-src /p' "$list" >"$1/$(basename "$list" .list).list"
  done
  for list in /etc/apt/sources.list.d/*.sources; do
    [ -f "$list" ] || continue
    sed -e 's/^Types:.*/Types: deb-src/' "$list" >"$1/$(basename "$list")"
  done
}

fetch_faiss() {
  local dir=$top/$tmp/faiss
  mkdir -p "$dir/apt/sources" "$dir/apt/lists/partial" "$dir/apt/cache/archives/partial"
  source_lists "$dir/apt/sources"
  # The sandbox user may not enter this folder; what is fetched is checked by signature all the same.
  local options=(
    -o Dir::Etc::SourceList=/dev/null -o "Dir::Etc::SourceParts=$dir/apt/sources"
    -o "Dir::State::Lists=$dir/apt/lists" -o "Dir::Cache=$dir/apt/cache"
    -o APT::Sandbox::User=root
  )
  cd "$dir"
  # One source of several may be out of reach without harm.
  apt-get "${options[@]}" update || echo "apt-get update failed for some source"
  compgen -G 'apt/lists/*_Sources*' >/dev/null || { echo "none of this system's package sources could be read for source packages; the lines above say why"; return 1; }
  apt-get "${options[@]}" source --only-source faiss
  mv faiss-*/ source
}

# fetch_crate has cargo bring the crate by the machine's own settings of registries, but into a home of its
# own, and checks it.
fetch_crate() {
  local dir=$top/$tmp/faiss home=${CARGO_HOME:-$HOME/.cargo} file got
  mkdir -p "$dir/crate" "$dir/cargo"
  for file in config config.toml; do
    [ ! -f "$home/$file" ] || cp "$home/$file" "$dir/cargo/"
  done
  cd "$dir/crate"
  cat >Cargo.toml <<TOML
[package]
name = "annbench-deps"
version = "0.0.0"
edition = "2021"
[lib]
path = "lib.rs"
[dependencies]
faiss-sys = "=$crate_version"
TOML
  : >lib.rs
  CARGO_HOME=$dir/cargo cargo fetch || return 1
  file=$(find "$dir/cargo/registry/cache" -name "faiss-sys-$crate_version.crate" | head -n 1)
  got=$(sha256sum "${file:-nothing}")
  got=${got%% *}
  [ "$got" = "$crate_sha" ] || { echo "faiss-sys-$crate_version.crate has SHA-256 $got, not $crate_sha: not the file that was published"; return 1; }
  # Unpacked here once more: the checksum is that of the archive, not of cargo's folder.
  tar -xzf "$file" -C "$dir"
  mv "$dir/faiss-sys-$crate_version/faiss" "$dir/source"
}

configure_faiss() {
  if [ -n "$cargo" ]; then
    cmake -S scripts/faiss -B "$tmp/faiss/build" "-DSOURCE=$top/$tmp/faiss/source" "-DSIMD_FLAGS=$faiss_flags"
    return
  fi
  cmake -S "$tmp/faiss/source" -B "$tmp/faiss/build" \
    -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=ON -DBUILD_TESTING=OFF \
    -DFAISS_ENABLE_C_API=ON -DFAISS_ENABLE_GPU=OFF -DFAISS_ENABLE_PYTHON=OFF \
    -DBLA_VENDOR=OpenBLAS -DCMAKE_DISABLE_FIND_PACKAGE_MKL=ON \
    -DCMAKE_BUILD_WITH_INSTALL_RPATH=ON '-DCMAKE_INSTALL_RPATH=$ORIGIN' \
    "-DCMAKE_CXX_FLAGS=$faiss_flags"
}

# A unit takes up to 1 GB to compile, so memory bounds the jobs too.
compile_faiss() {
  local jobs=${JOBS:-} memory
  if [ -z "$jobs" ]; then
    jobs=$(nproc)
    memory=$(awk '/^MemAvailable:/ { print int($2 / 1048576) }' /proc/meminfo)
    [ "$jobs" -le "$memory" ] || jobs=$((memory > 0 ? memory : 1))
  fi
  cmake --build "$tmp/faiss/build" --target faiss faiss_c --parallel "$jobs"
}

# Lays the libraries and the headers out, and searches an index through the C API: a library that
# cannot be loaded must not be called ready.
install_faiss() {
  local dir=$tmp/faiss stage=$tmp/faiss/stage
  mkdir -p "$stage/lib" "$stage/include"
  find "$dir/build" -name 'libfaiss*.so' -exec cp {} "$stage/lib/" \;
  # The headers of C++ too, for annbench's shim, and for the version, which stands there only.
  cp -R "$dir/source/faiss" "$stage/include/faiss"
  cp -R "$dir/source/c_api" "$stage/include/faiss/c_api"
  rm -rf "$stage/include/faiss/gpu" "$stage/include/faiss/python" "$stage/include/faiss/cppcontrib" "$stage/include/faiss/c_api/gpu"
  find "$stage/include" -type f ! -name '*.h' -delete
  find "$stage/include" -type d -empty -delete
  cp "$dir/source/LICENSE" "$stage/"
  cat >"$dir/check.c" <<'C'
#include <faiss/c_api/Index_c.h>
#include <faiss/c_api/index_factory_c.h>
#include <stdio.h>
int main(void) {
  float x[8] = {0, 0, 1, 1, 2, 2, 3, 3}, d;
  idx_t id;
  FaissIndex *index;
  if (faiss_index_factory(&index, 2, "Flat", METRIC_L2)) return 1;
  if (faiss_Index_add(index, 4, x)) return 2;
  if (faiss_Index_search(index, 1, x + 4, 1, &d, &id)) return 3;
  printf("nearest to vector 2: %d at distance %g\n", (int)id, d);
  return id == 2 && d == 0 ? 0 : 4;
}
C
  gcc -I"$stage/include" "$dir/check.c" -o "$dir/check" -L"$stage/lib" -lfaiss_c -Wl,-rpath,"$top/$stage/lib"
  "$dir/check"
}

if [ -n "$make_faiss" ]; then
  : >"$deps/log/faiss.log"
  faiss_recipe=$crate_recipe version=$faiss_version
  if [ -n "$cargo" ] && ! optional=$([ "${FAISS_FROM:-}" = crate ] || echo 1) step faiss "fetching the crate faiss-sys $crate_version" fetch_crate; then
    cargo= no_cargo="the crate could not be fetched"
  fi
  if [ -z "$cargo" ]; then
    faiss_recipe=$debian_recipe
    [ "${FAISS_FROM:-}" = debian ] ||
      say "note: $no_cargo, so Faiss $faiss_version cannot be built; taking Debian's $debian_version, which lacks the families ivfrabitq-faiss and others that came later"
  fi
  if [ -z "$cargo" ] && ready faiss "$debian_recipe"; then
    say "Faiss: the one of Debian is here already"
  else
    if [ -z "$cargo" ]; then
      want_command dpkg-source dpkg-dev
      install_missing
      say "Faiss: about two minutes on two cores, once"
      step faiss "fetching Debian's source package" fetch_faiss
      version=$(sed -n 's/^Version: *//p' "$tmp"/faiss/faiss_*.dsc | head -n 1)
      case $version in
        "$debian_version"*) ;;
        *) say "note: this system's Faiss is $version; annbench is tested with $debian_version and $faiss_version" ;;
      esac
    else
      say "Faiss $faiss_version: about two and a half minutes on two cores, once"
    fi
    step faiss "configuring" configure_faiss
    step faiss "compiling $version ($faiss_level)" compile_faiss
    step faiss "trying it" install_faiss
    publish faiss "$tmp/faiss/stage" "$faiss_recipe" "$version"
  fi
fi

# ---- ONNX Runtime

fetch_onnx() {
  mkdir -p "$tmp/onnxruntime"
  cd "$tmp/onnxruntime"
  npm pack "onnxruntime-node@$onnx_version" --cache "$PWD/cache" --logs-max=0 --no-update-notifier \
    --fetch-retry-mintimeout=1000 --fetch-retry-maxtimeout=5000
}

install_onnx() {
  local dir=$tmp/onnxruntime stage=$tmp/onnxruntime/stage file got
  mkdir -p "$stage/lib"
  file=$stage/lib/libonnxruntime.$library
  tar -xzOf "$dir/onnxruntime-node-$onnx_version.tgz" "package/bin/napi-v6/$onnx_file" >"$file"
  if command -v sha256sum >/dev/null; then got=$(sha256sum "$file"); else got=$(shasum -a 256 "$file"); fi
  got=${got%% *}
  [ "$got" = "$onnx_sha" ] || { echo "$onnx_file has SHA-256 $got, not $onnx_sha: not the file that was published"; return 1; }
}

if [ -n "$make_onnx" ]; then
  : >"$deps/log/onnxruntime.log"
  step onnxruntime "fetching $onnx_version (101 MB)" fetch_onnx
  step onnxruntime "unpacking" install_onnx
  publish onnxruntime "$tmp/onnxruntime/stage" "$onnx_recipe" "$onnx_version"
fi

# ---- what go needs

tags="faiss" jpeg="Go's standard library (libturbojpeg, with its headers, would be three times as fast)"
if printf '#include <stdio.h>\n#include <turbojpeg.h>\nint main(void) { return tjInitDecompress() == 0; }\n' |
  "${CC:-cc}" -x c - -lturbojpeg -o "$tmp/turbojpeg" 2>/dev/null && "$tmp/turbojpeg"; then
  tags="faiss turbojpeg" jpeg=libturbojpeg
fi

field() { case $1 in *' '*) printf '"%s"' "$1" ;; *) printf '%s' "$1" ;; esac; }

write_env() {
  local link
  link="$(field "-L$faiss_lib") $(field "-Wl,-rpath,$faiss_lib")"
  # A Faiss from elsewhere may not know where its own libfaiss is: the old kind of rpath holds for it too.
  if [ -n "$faiss_prefix" ] && [ "$system" = Linux ]; then link="$link -Wl,--disable-new-dtags"; fi
  echo "export CGO_ENABLED=1"
  echo "export CGO_CPPFLAGS='$(field "-I$faiss_include")'"
  echo "export CGO_LDFLAGS='-O2 -g $link'"
  echo "export ONNXRUNTIME_LIB='$onnx_lib'"
  echo "export TAGS='$tags'"
}
write_env >"$tmp/env.sh"
cmp -s "$tmp/env.sh" "$deps/env.sh" || mv "$tmp/env.sh" "$deps/env.sh"

if [ -n "$faiss_prefix" ]; then
  faiss_from="Faiss from $faiss_prefix"
else
  faiss_from="Faiss $(sed -n 2p "$deps/faiss/.ready") ($faiss_level)"
fi
say "ready: $faiss_from, $onnx_from, JPEG by $jpeg"
[ "${1:-}" != env ] || cat "$deps/env.sh"
