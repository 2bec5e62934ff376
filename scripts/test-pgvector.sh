#!/usr/bin/env bash
# The tests of the families in PostgreSQL: against the server at ANNBENCH_TEST_PGVECTOR (host:port/database;
# the user and the password from PGUSER and PGPASSWORD), or against PGlite, which npm brings, started here
# and ended here.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if [ -z "${ANNBENCH_TEST_PGVECTOR:-}" ]; then
  command -v npm >/dev/null || { echo "test-pgvector: npm is missing: install it (Debian: nodejs npm), or set ANNBENCH_TEST_PGVECTOR to the address of a PostgreSQL with pgvector" >&2; exit 1; }
  npm ci --prefix tools/pglite --silent
  # The server ends when its standard input does: with this script, however that ends.
  coproc PGLITE { exec node tools/pglite/server.mjs; }
  read -r -t 120 line <&"${PGLITE[0]}" || { echo "test-pgvector: PGlite did not start" >&2; exit 1; }
  port=$(sed -n 's/.*"port":\([0-9]*\).*/\1/p' <<<"$line")
  export ANNBENCH_TEST_PGVECTOR=127.0.0.1:$port/postgres PGUSER=postgres PGSSLMODE=disable
  echo "== PGlite at $ANNBENCH_TEST_PGVECTOR"
fi
export ANNBENCH_ENGINES=required
CGO_ENABLED=0 go test -count=1 -timeout 20m ./indexes/pgvector
CGO_ENABLED=0 go test -count=1 -timeout 20m -run 'TestConformance/.*-pgvector' ./indexes
