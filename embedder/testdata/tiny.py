#!/usr/bin/env python3
"""Write the models that the tests of package embedder run, with their cards: tiny.onnx, fixed.onnx.

    python3 embedder/testdata/tiny.py    # needs the packages onnx and numpy

Both answer with means of pixels, which a test works out by itself.

tiny:  uint8 NHWC [batch, 8, 8, 3] -> embedding [batch, 4] = means of red, green, blue (0..255), and
       their sum; logits [batch, 3] = the three means.
fixed: float32 NCHW [2, 3, 4, 6], BGR -> embedding [2, 3] = means of the three channels as they come.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = Path(__file__).parent


def write(name, nodes, image, outputs, constants, card):
    graph = helper.make_graph(nodes, name, [image], outputs, [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    data = model.SerializeToString()
    (HERE / f"{name}.onnx").write_bytes(data)
    card = {"name": name, "file": f"{name}.onnx", "sha256": hashlib.sha256(data).hexdigest()} | card
    (HERE / f"{name}.json").write_text(json.dumps(card, indent=2) + "\n")


value = helper.make_tensor_value_info
write(
    "tiny",
    [
        # not Cast: ONNX Runtime's WebGPU provider has none of uint8, and the model would be refused
        helper.make_node("DequantizeLinear", ["images", "one"], ["floats"]),
        helper.make_node("Transpose", ["floats"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("ReduceMean", ["planes"], ["logits"], axes=[2, 3], keepdims=0),
        helper.make_node("MatMul", ["logits", "sum"], ["embedding"]),
    ],
    value("images", TensorProto.UINT8, ["batch", 8, 8, 3]),
    [value("embedding", TensorProto.FLOAT, ["batch", 4]), value("logits", TensorProto.FLOAT, ["batch", 3])],
    {"one": np.float32(1), "sum": np.float32([[1, 0, 0, 1], [0, 1, 0, 1], [0, 0, 1, 1]])},
    {
        "doc": "Means of red, green and blue, and their sum.",
        "licence": "Apache-2.0",
        "input": {
            "name": "images",
            "layout": "NHWC",
            "type": "uint8",
            "height": 8,
            "width": 8,
            "channels": "RGB",
            "fit": "stretch",
            "resample": "bilinear-antialias",
        },
        "embedding": {"output": "embedding", "dim": 4, "normalized": False},
        "logits": {"output": "logits"},
        "classes": ["red", "green", "blue"],
        "accuracy": {"test": {"images": 0}},
    },
)
write(
    "fixed",
    [helper.make_node("ReduceMean", ["pixels"], ["vectors"], axes=[2, 3], keepdims=0)],
    value("pixels", TensorProto.FLOAT, [2, 3, 4, 6]),
    [value("vectors", TensorProto.FLOAT, [2, 3])],
    {},
    {
        "doc": "Means of the three channels; takes two pictures at a time.",
        "licence": "Apache-2.0",
        "input": {
            "name": "pixels",
            "layout": "NCHW",
            "type": "float32",
            "height": 4,
            "width": 6,
            "channels": "BGR",
            "fit": "cover",
            "resample": "bicubic-antialias",
            "mean": [0.5, 0.25, 0.125],
            "std": [0.5, 0.25, 2],
        },
        "embedding": {"output": "vectors", "dim": 3, "normalized": False},
    },
)
