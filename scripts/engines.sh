#!/usr/bin/env bash
# engines.sh builds the Weaviate server into .deps/weaviate/, out of a module of its own (tools/weaviate), so
# that the main module has none of what it takes. Needs Go alone: no C compiler.
#
# The server is built under another name and renamed into place with its marker (.ready), which holds the
# recipe: another version is built anew. Some ten minutes on two cores, once.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
say() { printf 'engines: %s\n' "$*" >&2; }
command -v go >/dev/null || { say "no \`go\` in PATH: install Go 1.26 or newer"; exit 1; }

version=$(sed -n 's|^\tgithub.com/weaviate/weaviate \(v[^ ]*\).*|\1|p' tools/weaviate/go.mod)
recipe="weaviate $version $(go env GOVERSION GOOS GOARCH | tr '\n' ' ')"
to=.deps/weaviate
[ "$(cat "$to/.ready" 2>/dev/null || true)" != "$recipe" ] || { say "ready: Weaviate $version"; exit 0; }

mkdir -p .deps/log
stage=$(mktemp -d .deps/weaviate.XXXXXX)
chmod 755 "$stage"
trap 'rm -rf "$stage"' EXIT
trap 'exit 130' INT TERM
log=.deps/log/weaviate.log
say "building Weaviate $version: some ten minutes on two cores, once (log: $log)"
CGO_ENABLED=0 GOFLAGS=-buildvcs=false go -C tools/weaviate build -trimpath -ldflags='-s -w' \
  -o "$PWD/$stage/bin/weaviate-server" github.com/weaviate/weaviate/cmd/weaviate-server >"$log" 2>&1 ||
  { say "the build failed; $log ends:"; tail -n 15 "$log" >&2; exit 1; }
printf '%s\n' "$recipe" >"$stage/.ready"
rm -rf "$to"
mv "$stage" "$to"
say "ready: Weaviate $version"
