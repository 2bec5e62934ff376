#!/usr/bin/env python3
"""Write the models that the tests of package embedder run, with their cards: tiny, fixed, net.onnx.

    python3 embedder/testdata/tiny.py    # needs the packages onnx and numpy

The first two answer with means of pixels, which a test works out by itself. tiny.onnx is also what
`annbench devices` asks devices with.

tiny:  uint8 NHWC [batch, 8, 8, 3] -> embedding [batch, 4] = means of red, green, blue (0..255), and
       their sum; logits [batch, 3] = the three means.
fixed: float32 NCHW [2, 3, 4, 6], BGR -> embedding [2, 3] = means of the three channels as they come.
net:   uint8 NHWC [batch, 16, 16, 3] -> embedding [batch, 24]: a network of random weights with the
       operators of the model that ships, which works at any size.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = Path(__file__).parent


def constant(name, value):
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(np.asarray(value)))


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

random = np.random.default_rng(1)


def weights(*shape):
    return np.float32(random.normal(size=shape) / np.sqrt(np.prod(shape[1:])))


write(
    "net",
    [
        constant("one", np.float32(1)),
        helper.make_node("DequantizeLinear", ["images", "one"], ["floats"]),
        helper.make_node("Transpose", ["floats"], ["planes"], perm=[0, 3, 1, 2]),
        constant("mean", np.float32([120, 115, 110]).reshape(1, 3, 1, 1)),
        helper.make_node("Sub", ["planes", "mean"], ["centred"]),
        constant("scale", np.float32([1 / 60, 1 / 58, 1 / 57]).reshape(1, 3, 1, 1)),
        helper.make_node("Mul", ["centred", "scale"], ["scaled"]),
        helper.make_node("Conv", ["scaled", "w1", "b1"], ["c1"], kernel_shape=[7, 7], pads=[3] * 4, strides=[2, 2]),
        helper.make_node("Relu", ["c1"], ["r1"]),
        helper.make_node("MaxPool", ["r1"], ["p1"], kernel_shape=[3, 3], pads=[1] * 4, strides=[2, 2]),
        helper.make_node("Conv", ["p1", "w2"], ["c2"], kernel_shape=[3, 3], pads=[1] * 4, group=2),
        helper.make_node("Add", ["c2", "p1"], ["a2"]),
        helper.make_node("Relu", ["a2"], ["r2"]),
        helper.make_node("GlobalAveragePool", ["r2"], ["mean2"]),
        helper.make_node("Flatten", ["mean2"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w3", "b3"], ["embedding"], transB=1),
        helper.make_node("MatMul", ["embedding", "w4"], ["logits"]),
    ],
    value("images", TensorProto.UINT8, ["batch", 16, 16, 3]),
    [value("embedding", TensorProto.FLOAT, ["batch", 24]), value("logits", TensorProto.FLOAT, ["batch", 2])],
    {"w1": weights(16, 3, 7, 7), "b1": weights(16), "w2": weights(16, 8, 3, 3), "w3": weights(24, 16), "b3": weights(24), "w4": weights(24, 2)},
    {
        "doc": "A convolutional network of random weights.",
        "licence": "Apache-2.0",
        "input": {
            "name": "images",
            "layout": "NHWC",
            "type": "uint8",
            "height": 16,
            "width": 16,
            "channels": "RGB",
            "fit": "stretch",
            "resample": "bilinear-antialias",
        },
        "embedding": {"output": "embedding", "dim": 24, "normalized": False},
        "logits": {"output": "logits"},
        "classes": ["left", "right"],
    },
)
