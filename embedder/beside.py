# Runs a model in Python's onnxruntime for `annbench embed --bench`, which starts it with the model, the
# name, type and shape of its input, and the name of its output: says "ready", then for every line with a number
# runs so many batches and answers with the seconds that they took.
import sys
import time

try:
    import numpy
    import onnxruntime
except ImportError as e:
    print(e, flush=True)
    sys.exit(0)

model, name, kind, shape, output = sys.argv[1:]
session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
pixels = numpy.random.default_rng(1).integers(0, 256, [int(d) for d in shape.split(",")])
pixels = pixels.astype(numpy.uint8) if kind == "uint8" else (pixels / 255).astype(numpy.float32)
print(f"ready Python onnxruntime {onnxruntime.__version__}", flush=True)
for line in sys.stdin:
    began = time.perf_counter()
    for _ in range(int(line)):
        session.run([output], {name: pixels})
    print(time.perf_counter() - began, flush=True)
