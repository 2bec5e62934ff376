#!/bin/sh
# Fetches hnswlib's headers, which are in its package's archive, and compiles the family.
set -e
"$PYTHON" -m pip download --quiet --disable-pip-version-check --no-deps --no-binary=hnswlib --require-hashes -r sources.txt -d "$OUT"
tar -xzf "$OUT/hnswlib-0.8.0.tar.gz" -C "$OUT"
c++ -std=c++17 -O3 -march=native -pthread -I "$SDK" -I "$OUT/hnswlib-0.8.0" family.cpp -o "$OUT/family"
