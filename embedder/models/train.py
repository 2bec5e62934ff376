#!/usr/bin/env python3
"""Train the image embedder that annbench ships, and export it.

Folders of labelled pictures in; NAME.onnx, its card NAME.json and history.csv out:

    python3 embedder/models/train.py --data photographs=PHOTOS --data boards=BOARDS --out OUT

Every --data NAME=DIR is a collection with categories of its own. DIR holds train/, validation/ and, where
there is one, test/. Each of these holds either CATEGORY/*.jpg|png, or boards: folders with a .tsv of boxes, as
`annbench catalog render` writes it, and the pictures named in its first column. The network is one ResNet18
with one column of logits for every category of every collection; a picture is judged, in training and in the
figures, among the columns of its own collection alone. An epoch takes every picture of the first collection
once, and as many of each other, drawn anew every time.

The exported epoch is the one with the best mean of the collections' top-1 on validation, so the validation
figures are selected, and flattering by that much. The test split chooses nothing: it is looked at once, after
the export. The card holds a digest of the files of every split.

Contract of the exported graph: `images` uint8 [batch, SIZE, SIZE, 3] RGB in; `embedding` float32
[batch, 512] (the mean over the last feature map, not normalised) and `logits` float32 [batch, classes]
out. Casting, normalising and transposing happen in the graph. Weights are stored as float16 behind
Cast nodes, which halves the file; arithmetic is float32. ONNX Runtime 1.27 runs the graph on its CPU
provider, and on its WebGPU provider without leaving a node to the CPU.

Wants torch (written for 1.13, Debian 12's python3-torch; newer ones are untried), numpy and Pillow. Trains on
CUDA where torch finds it (untried), else on the CPU.
"""

import argparse
import base64
import copy
import csv
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
from multiprocessing.pool import ThreadPool
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import nn
from torch.nn.utils import parametrize
from torch.nn.utils.fusion import fuse_conv_bn_eval

SIZE = 96  # pixels a side of the model's input
STORED = 128  # pixels a side at which training images stay in memory: 4/3 of SIZE, so most crops still shrink
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, the custom of the field
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
    """One split of a collection, decoded once: images uint8 [n, size, size, 3], labels int64 [n]."""

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
            image = open_image(path)
            parts = [(crop(image, box), column[label]) for box, label in boxes]
            parts = [(shrink(part, size), label) for part, label in parts if part is not None]
            return hashlib.sha256(path.read_bytes()).hexdigest(), parts

        with ThreadPool(threads) as pool:
            done = pool.map(read, listed, chunksize=16)
        self.files = {digest: entry[0] for (digest, _), entry in zip(done, listed)}
        parts = [part for _, of_file in done for part in of_file]
        self.images = torch.from_numpy(np.stack([image for image, _ in parts]))
        self.labels = torch.tensor([label for _, label in parts])

    def __len__(self):
        return len(self.labels)

    def digest(self):
        """Of the set of files: SHA-256 over their SHA-256 in hexadecimal digits, sorted, a line each."""
        return hashlib.sha256("".join(f"{d}\n" for d in sorted(self.files)).encode()).hexdigest()


class Collection:
    """What one --data names: its splits by name, and the columns of the logits that are its own."""

    def __init__(self, name, root, threads, first):
        self.name, self.splits = name, {}
        classes = None
        for split in SPLITS:
            folder = Path(root) / split
            if folder.is_dir():
                self.splits[split] = Split(folder, STORED if split == "train" else SIZE, threads, classes)
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
    """The ResNet18 of He et al., with torchvision's names of parameters."""

    def __init__(self, classes):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        self.layer1 = nn.Sequential(Block(64, 64, 1), Block(64, 64, 1))
        self.layer2 = nn.Sequential(Block(64, 128, 2), Block(128, 128, 1))
        self.layer3 = nn.Sequential(Block(128, 256, 2), Block(256, 256, 1))
        self.layer4 = nn.Sequential(Block(256, 512, 2), Block(512, 512, 1))
        self.fc = nn.Linear(512, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        embedding = torch.flatten(F.adaptive_avg_pool2d(x, 1), 1)
        return embedding, self.fc(embedding)

    def folds(self):
        """[(owner, name of the convolution, name of the norm after it)], in the order of the computation."""
        found = [(self, "conv1", "bn1")]
        for block in (b for layer in (self.layer1, self.layer2, self.layer3, self.layer4) for b in layer):
            found += [(block, "conv1", "bn1"), (block, "conv2", "bn2")]
            if block.downsample is not None:
                found.append((block.downsample, "0", "1"))
        return found


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
    """ResNet18 with two outputs. forward takes what the exported graph takes; pixels() is its inside."""

    def __init__(self, classes):
        super().__init__()
        self.body = ResNet18(classes)
        self.register_buffer("mean", 255 * torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("scale", 1 / (255 * torch.tensor(STD)).view(1, 3, 1, 1), persistent=False)

    def forward(self, images):
        return self.pixels(Widen.apply(images).permute(0, 3, 1, 2))

    def pixels(self, x):
        """float [n, 3, h, w], 0..255 -> embedding [n, 512], logits [n, classes]."""
        return self.body((x - self.mean) * self.scale)


class HalfStored(nn.Module):
    """Parametrisation of a weight that is kept as float16 and used as float32."""

    def forward(self, stored):
        return stored.float()


def deployable(model):
    """A copy of model for export: batch norms folded into their convolutions, weights as float16."""
    folded = copy.deepcopy(model).cpu().eval()
    for owner, conv, norm in folded.body.folds():
        setattr(owner, conv, fuse_conv_bn_eval(getattr(owner, conv), getattr(owner, norm)))
        setattr(owner, norm, nn.Identity())
    for module in folded.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            module.weight = nn.Parameter(module.weight.half(), requires_grad=False)
            parametrize.register_parametrization(module, "weight", HalfStored(), unsafe=True)  # changes the type
    return folded.requires_grad_(False)


def export(model, path):
    """Write model as ONNX to path (a whole file or none) and return the file's SHA-256."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # torch 1.13 announces a successor of graph.op
        torch.onnx.export(
            model,
            torch.zeros(2, SIZE, SIZE, 3, dtype=torch.uint8),
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


def start_from(model, path, classes, images, device):
    """Give model the weights of an exported one; categories of the same name keep their column.

    In the file, the norms are part of the convolutions. They come back as norms by the statistics of
    images: then the network computes what the file does, and can be trained on.
    """
    card = Path(path).with_suffix(".json")
    try:
        weights, known = onnx_weights(path), json.loads(card.read_text())["classes"]
        with torch.no_grad():
            for i, name in enumerate(classes):
                if name in known:
                    model.body.fc.weight[i] = weights["body.fc.weight"][known.index(name)]
                    model.body.fc.bias[i] = weights["body.fc.bias"][known.index(name)]
            hooks = []
            names = {module: name for name, module in model.named_modules()}
            for owner, conv, norm in model.body.folds():
                conv, norm = getattr(owner, conv), getattr(owner, norm)
                conv.weight.copy_(weights[names[conv] + ".weight"])
                bias = weights[names[conv] + ".bias"].to(device)

                def restore(norm, inputs, bias=bias):
                    variance, mean = torch.var_mean(inputs[0], (0, 2, 3), unbiased=False)
                    norm.running_mean.copy_(mean)
                    norm.running_var.copy_(variance)
                    norm.weight.copy_((variance + norm.eps).sqrt())
                    norm.bias.copy_(bias + mean)

                hooks.append(norm.register_forward_pre_hook(restore))
            model.eval()
            model(images.to(device))
            for hook in hooks:
                hook.remove()
    except (OSError, KeyError, ValueError, RuntimeError, StopIteration) as error:
        raise SystemExit(f"starting from {path}: it and {card} must be what this recipe wrote: {error!r}")


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


def score(model, split, columns, pool, batch=64):
    """Loss, top-1 and top-5 of a split among the columns of its collection."""
    device = next(model.buffers()).device
    model.eval()

    def answer(images):
        with torch.no_grad():
            return model(images.to(device))[1].float().cpu()

    logits = torch.cat(pool.map(answer, split.images.split(batch), chunksize=1))[:, columns]
    order = torch.argsort(logits, dim=1, descending=True, stable=True)
    hit = order == split.labels[:, None]
    return {
        "images": len(split),
        "loss": round(F.cross_entropy(logits, split.labels).item(), 4),
        "top1": round(hit[:, 0].float().mean().item(), 4),
        "top5": round(hit[:, :5].any(1).float().mean().item(), 4),
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


def epoch_size(epoch, epochs, small):
    """Side of the training crops: small first, SIZE for the last half, so that early epochs are cheap."""
    steps = ((small, 0.25), ((small + SIZE) // 2, 0.5))
    return next((side for side, until in steps if epoch < until * epochs), SIZE)


def scaled(images, side):
    """uint8 [n, h, w, 3] -> uint8 [n, side, side, 3]."""
    x = F.interpolate(images.permute(0, 3, 1, 2).float(), (side, side), mode="bilinear", antialias=True)
    return x.round().clamp(0, 255).byte().permute(0, 2, 3, 1).contiguous()


class Store:
    """The training pictures of all collections, at 4/3 of the size of the crops that are cut from them."""

    def __init__(self, collections):
        self.full = torch.cat([c.splits["train"].images for c in collections])
        self.labels = torch.cat([c.splits["train"].labels + c.columns.start for c in collections])
        self.lengths = [len(c.splits["train"]) for c in collections]
        for c in collections:
            del c.splits["train"].images
        self.images = self.full

    def resize(self, size):
        side = STORED * size // SIZE
        if side == self.images.shape[1]:
            return
        if side == STORED:
            self.images = self.full
            return
        self.images = torch.cat([scaled(part, side) for part in self.full.split(256)])

    def epoch(self):
        """Positions of an epoch's pictures, shuffled: all of the first collection, as many of each other."""
        picked, first = [], 0
        for length in self.lengths:
            wanted = self.lengths[0]
            turns = [torch.randperm(length) for _ in range(-(-wanted // length))]
            picked.append(first + torch.cat(turns)[:wanted])
            first += length
        picked = torch.cat(picked)
        return picked[torch.randperm(len(picked))]


class Replicas:
    """The network once for every thread, over the same weights: each takes its share of a batch.

    One thread for each convolution beats several for each: oneDNN's threads wait for each other spinning,
    which takes five times as long where other programs have work for the same cores. The norms' statistics
    are those of a share, and are averaged over replicas (ghost batches: Hoffer et al., NeurIPS 2017).
    """

    def __init__(self, model, count):
        self.model, self.parameters = model, list(model.parameters())
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


def train(args):
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    collections, classes = [], []
    for given in args.data:
        name, _, root = given.partition("=")
        if not root or not re.fullmatch(r"[a-z][a-z0-9-]*", name) or name in [c.name for c in collections]:
            raise SystemExit(f"--data {given}: want NAME=DIR, the names different, of small letters and digits")
        collections.append(Collection(name, root, args.threads, len(classes)))
        classes += collections[-1].classes
    for c in collections:
        counts = ", ".join(f"{name} {len(split)}" for name, split in c.splits.items())
        print(f"{c.name}: {counts} images of {len(c.classes)} categories", flush=True)
    store = Store(collections)
    steps = len(store.epoch()) // args.batch
    if not steps:
        raise SystemExit(f"training: an epoch has {len(store.epoch())} images, a batch {args.batch}; take a smaller --batch")
    print(f"read in {time.monotonic() - began:.0f} s; on {device}, {torch.get_num_threads()} threads", flush=True)

    if args.init and not Path(args.init).is_file():
        raise SystemExit(f"starting from {args.init}: no such file")
    torch.manual_seed(args.seed)
    model = Embedder(len(classes)).to(device, memory_format=torch.channels_last)
    if args.init:
        sample = torch.randperm(len(store.full))[:256]
        start_from(model, args.init, classes, scaled(store.full[sample], SIZE), device)
    mean_model = copy.deepcopy(model)  # the running mean of the weights, which is what is measured and exported
    decay = [p for p in model.parameters() if p.ndim > 1]
    plain = [p for p in model.parameters() if p.ndim == 1]  # biases and norms are not decayed
    optimizer = torch.optim.AdamW(
        [{"params": decay, "weight_decay": args.weight_decay}, {"params": plain, "weight_decay": 0}], lr=args.lr
    )
    wanted, mask = (t.to(device) for t in targets(collections))
    replicas = Replicas(model, min(args.threads, args.batch // 8) if device.type == "cpu" else 1)

    def loss_of(replica, x, label, other, share):
        with torch.autocast(device.type, torch.bfloat16, enabled=args.precision == "bf16"):
            logits = replica.pixels(x)[1].float()
        first, second = (-(wanted[y] * F.log_softmax(logits + mask[y], 1)).sum(1) for y in (label, other))
        return (share * first + (1 - share) * second).mean()

    history, best, first, seconds_before = [], -1.0, 0, 0.0

    last, chosen = out / "last.pt", out / "best.pt"
    settings = {k: getattr(args, k) for k in ("batch", "lr", "weight_decay", "mean", "seed", "small", "precision", "threads")}
    settings["init"] = hashlib.sha256(Path(args.init).read_bytes()).hexdigest() if args.init else None
    settings["splits"] = {c.name: {name: split.digest() for name, split in c.splits.items()} for c in collections}
    if args.resume and last.exists():
        state = torch.load(last, map_location=device)
        if differing := [k for k in settings if state["settings"].get(k) != settings[k]]:
            raise SystemExit(f"resuming from {last}: it was made with other {', '.join(differing)}")
        model.load_state_dict(state["model"])
        mean_model.load_state_dict(state["mean_model"])
        optimizer.load_state_dict(state["optimizer"])
        history, best, first = state["history"], state["best"], state["epoch"] + 1
        seconds_before = state["seconds"]
        print(f"resuming after epoch {first} of {args.epochs}", flush=True)

    for epoch in range(first, args.epochs):
        epoch_began = time.monotonic()
        torch.manual_seed(args.seed + 1000 * (epoch + 1))  # an epoch's draws do not depend on where the run was cut
        size = epoch_size(epoch, args.epochs, args.small)
        store.resize(size)
        replicas.begin()
        total, order = 0.0, store.epoch()
        for step in range(steps):
            now = rate((epoch + step / steps) / args.epochs, args.lr)
            for group in optimizer.param_groups:
                group["lr"] = now
            pick = order[step * args.batch : (step + 1) * args.batch]
            x, y = augment(store.images[pick].to(device), size), store.labels[pick].to(device)
            share = 1.0
            if torch.rand(()) < 0.5:
                x, share = cutmix(x)
            x = x.contiguous(memory_format=torch.channels_last)
            total += replicas.step(loss_of, x, y, y.roll(1, 0), torch.full(y.shape, share, device=device))
            optimizer.step()
            keep = min(args.mean, (1 + epoch * steps + step) / (10 + epoch * steps + step))
            with torch.no_grad():
                for a, b in zip(mean_model.state_dict().values(), model.state_dict().values()):
                    a.lerp_(b, 1 - keep) if a.is_floating_point() else a.copy_(b)

        scores = {c.name: score(mean_model, c.splits["validation"], c.columns, replicas.pool) for c in collections}
        over = lambda key: round(sum(s[key] for s in scores.values()) / len(scores), 4)
        row = {"epoch": epoch + 1, "train_loss": round(total / steps, 4), "val_loss": over("loss")}
        row |= {"top1": over("top1"), "top5": over("top5")}
        for name, s in scores.items():
            row |= {f"{name}_{key}": s[key] for key in ("loss", "top1", "top5")}
        row |= {"size": size, "lr": float(f"{now:.4g}"), "seconds": round(time.monotonic() - epoch_began, 1)}
        history.append(row)
        print(json.dumps(row), flush=True)
        if row["top1"] >= best:  # of equals the later, which has the lower learning rate
            best = row["top1"]
            save_checkpoint(chosen, {"model": mean_model.state_dict(), "classes": classes, "epoch": epoch})
        state = {"model": model.state_dict(), "mean_model": mean_model.state_dict(), "optimizer": optimizer.state_dict()}
        state |= {"settings": settings, "history": history, "best": best, "epoch": epoch}
        state["seconds"] = seconds_before + time.monotonic() - began
        save_checkpoint(last, state)
        write_history(out / "history.csv", history)

    seconds = seconds_before + time.monotonic() - began
    state = torch.load(chosen, map_location="cpu")
    model = Embedder(len(classes))
    model.load_state_dict(state["model"])
    small = deployable(model)
    path = out / f"{args.name}.onnx"
    digest = export(small, path)
    scores = {
        c.name: {s: score(small, c.splits[s], c.columns, replicas.pool) for s in SPLITS[1:] if s in c.splits} for c in collections
    }
    card = {
        "name": args.name,
        "file": path.name,
        "sha256": digest,
        "doc": args.doc,
        "licence": args.licence,
        "input": {
            "name": "images",
            "layout": "NHWC",
            "type": "uint8",
            "height": SIZE,
            "width": SIZE,
            "channels": "RGB",
            "fit": "stretch",
            "resample": "bilinear-antialias",
        },
        "embedding": {"output": "embedding", "dim": model.body.fc.in_features, "normalized": False},
        "logits": {"output": "logits"},
        "classes": classes,
        "label_sets": [{"name": c.name, "first": c.columns.start, "classes": len(c.classes)} for c in collections],
        "training": {
            "recipe": "embedder/models/train.py",
            "data": args.source,
            "splits": {
                c.name: {
                    name: {"images": len(split), "files": len(split.files), "sha256": split.digest()}
                    for name, split in c.splits.items()
                }
                for c in collections
            },
            "init": args.init_name or args.init,
            "epochs": args.epochs,
            "chosen_epoch": state["epoch"] + 1,
            "seconds": round(seconds),
            "seed": args.seed,
            "torch": torch.__version__,
            "device": str(device),
            "command": "python3 " + shlex.join(a for a in sys.argv if a != "--resume"),
        },
        "accuracy": scores,
    }
    write_whole(out / f"{args.name}.json", (json.dumps(card, indent=2, ensure_ascii=False) + "\n").encode())
    if args.probe:
        write_probe(args.probe, small, collections[0].splits["validation"].images[:8])
    print(f"wrote {path} (epoch {state['epoch'] + 1} of {args.epochs}): {json.dumps(scores)}", flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--data", metavar="NAME=DIR", action="append", required=True, help="a collection; the first one's length is an epoch's")
    p.add_argument("--out", metavar="DIR", default="out", help="folder for the model, card, history and checkpoints (%(default)s)")
    p.add_argument("--name", default="fashion-resnet18", help="name of the model and its files (%(default)s)")
    p.add_argument("--doc", default="ResNet18 of categories of clothing.", help="the card's description")
    p.add_argument("--source", default="the folders of --data", help="what the card says about the training data")
    p.add_argument("--licence", default="Apache-2.0", help="what the card says about the licence (%(default)s)")
    p.add_argument("--init", metavar="FILE.onnx", help="start from this model of the recipe's, not from random weights")
    p.add_argument("--init-name", metavar="TEXT", help="what the card calls it (the path)")
    p.add_argument("--epochs", type=int, default=60, help="length of the schedule (%(default)s); may change on --resume")
    p.add_argument("--batch", type=int, default=64, help="images a step (%(default)s)")
    p.add_argument("--lr", type=float, help="peak learning rate (2e-3, or from a model 5e-4)")
    p.add_argument("--weight-decay", type=float, default=0.05, help="AdamW's, on weights of layers (%(default)s)")
    p.add_argument("--mean", type=float, default=0.996, help="decay of the running mean of the weights, a step (%(default)s)")
    p.add_argument("--small", type=int, default=64, help="side of the crops in the first quarter of the epochs (%(default)s)")
    p.add_argument("--precision", choices=["fp32", "bf16"], default="bf16", help="arithmetic of training (%(default)s)")
    p.add_argument("--seed", type=int, default=1, help="of all chance (%(default)s)")
    p.add_argument("--threads", type=int, default=os.cpu_count(), help="CPU threads (%(default)s)")
    p.add_argument("--resume", action="store_true", help="go on from OUT/last.pt if it is there")
    p.add_argument("--probe", metavar="FILE.json", help="write a few pictures and the model's answers there")
    args = p.parse_args()
    if args.epochs < 1 or args.batch < 2 or args.threads < 1:
        p.error("--epochs and --threads must be at least 1, --batch at least 2")
    # A model is changed less than random weights are: it has more to lose than it can learn from few pictures.
    args.lr = args.lr or (5e-4 if args.init else 2e-3)
    torch.set_num_threads(args.threads)  # some builds of torch take one thread by themselves
    train(args)


if __name__ == "__main__":
    main()
