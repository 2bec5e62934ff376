#!/usr/bin/env bash
# The conformance test of the family weaviate: against the server at ANNBENCH_TEST_WEAVIATE (an address as
# `annbench engines up weaviate` prints it), or against one node that is started here and ended here.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if [ -z "${ANNBENCH_TEST_WEAVIATE:-}" ]; then
  # A cache of its own: an engine that was started for other work is left alone.
  ANNBENCH_CACHE=$(mktemp -d)
  export ANNBENCH_CACHE
  trap 'bin/annbench engines down weaviate; rm -rf "$ANNBENCH_CACHE"' EXIT
  ANNBENCH_TEST_WEAVIATE=$(bin/annbench engines up weaviate)
  export ANNBENCH_TEST_WEAVIATE
fi
export ANNBENCH_ENGINES=required
CGO_ENABLED=0 go test -count=1 -timeout 20m -run 'TestConformance/weaviate$' ./indexes
