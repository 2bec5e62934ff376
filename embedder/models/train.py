#!/usr/bin/env python3
"""Train the image embedder that annbench ships, export it, and measure the exported file.

Training: folders of CATEGORY/*.jpg|png in; NAME.onnx, its card NAME.json and history.csv out.

    python3 embedder/models/train.py --train DATA/train --val DATA/validation --test DATA/test --out OUT

Measuring an ONNX file (any model with a card of this schema beside it), with ONNX Runtime:

    python3 embedder/models/train.py --evaluate OUT/NAME.onnx --val DATA/validation --test DATA/test

The network is torchvision's resnet18 with random initial weights. The epoch with the best top-1 on the
validation split is exported, so the validation figures are selected, and flattering by that much. The
test split chooses nothing: it is looked at once, after the export.

Contract of the exported graph: `images` uint8 [batch, SIZE, SIZE, 3] RGB in; `embedding` float32
[batch, 512] (the mean over the last feature map, not normalised) and `logits` float32 [batch, classes]
out. Casting, normalising and transposing happen in the graph. Weights are stored as float16 behind
Cast nodes, which halves the file; arithmetic is float32. ONNX Runtime 1.27 runs the graph on its CPU
provider, and on its WebGPU provider without leaving a node to the CPU.

Written for torch 1.13 and torchvision 0.14 (newer ones are untried), Pillow and numpy; onnxruntime too
for --evaluate.
"""

import argparse
import csv
import hashlib
import io
import json
import math
import os
import shlex
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
import torchvision
import torchvision.transforms.functional as TF
from PIL import Image, UnidentifiedImageError
from torch import nn
from torch.nn.utils import parametrize
from torch.nn.utils.fusion import fuse_conv_bn_eval

SIZE = 96  # pixels a side of the model's input
STORED = 144  # pixels a side at which training images stay in memory: 1.5 * SIZE, so most crops still shrink
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, the custom of the field
SUFFIXES = {".jpg", ".jpeg", ".png"}


# ---- Images -----------------------------------------------------------------------------------------


def load_image(path, size):
    """One image as uint8 [size, size, 3]: alpha over white, the whole image stretched to a square.

    Pillow's BILINEAR is a triangle filter that widens when it shrinks, i.e. it is antialiased; Go's
    x/image/draw.BiLinear does the same. Orientation tags are not applied, as Go's decoder does not.
    """
    try:
        with Image.open(path) as image:
            if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
                image = image.convert("RGBA")
                image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
            image = image.convert("RGB").resize((size, size), Image.BILINEAR)
    except (OSError, UnidentifiedImageError) as error:
        sys.exit(f"reading image {path}: {error}")
    return np.asarray(image)


class Split:
    """A folder CATEGORY/*.jpg|png, decoded once: images uint8 [n, size, size, 3], labels int64 [n]."""

    def __init__(self, root, size, classes=None):
        root = Path(root)
        if not root.is_dir():
            sys.exit(f"reading split {root}: no such folder")
        found = sorted(d.name for d in root.iterdir() if d.is_dir())
        self.classes = classes or found
        if unknown := sorted(set(found) - set(self.classes)):
            sys.exit(f"reading split {root}: categories that the training split lacks: {', '.join(unknown)}")
        self.paths, labels = [], []
        for label, name in enumerate(self.classes):
            for path in sorted((root / name).glob("*")):
                if path.suffix.lower() in SUFFIXES:
                    self.paths.append(path)
                    labels.append(label)
        if not self.paths:
            sys.exit(f"reading split {root}: no images; it wants {root}/CATEGORY/*.jpg or *.png")
        self.labels = torch.tensor(labels)
        self.images = torch.from_numpy(np.stack([load_image(p, size) for p in self.paths]))

    def __len__(self):
        return len(self.paths)


def warn_shared_files(splits):
    """Warn where one file's bytes stand in two splits: its score would be memory, not judgement."""
    seen = {}
    for name, split in splits.items():
        for path in split.paths:
            digest = hashlib.sha256(path.read_bytes()).digest()
            other, first = seen.setdefault(digest, (name, path))
            if other != name:
                print(f"warning: {path} is byte for byte {first}", file=sys.stderr)


def augment(images, size):
    """Training batch: uint8 [n, STORED, STORED, 3] -> float [n, 3, size, size], still 0..255.

    Random resized crop, horizontal flip, and colour jitter (brightness, contrast, saturation, and a
    little white balance), each image by its own draw from torch's generator.
    """
    crops = []
    for image in images.permute(0, 3, 1, 2):
        box = torchvision.transforms.RandomResizedCrop.get_params(image, scale=(0.35, 1), ratio=(3 / 4, 4 / 3))
        crops.append(TF.resized_crop(image, *box, [size, size], antialias=True))
    x = torch.stack(crops).float()
    n = len(x)
    factor = lambda spread, channels=1: 1 + spread * (2 * torch.rand(n, channels, 1, 1, device=x.device) - 1)
    flip = torch.rand(n, 1, 1, 1, device=x.device) < 0.5
    x = torch.where(flip, x.flip(3), x)
    x = x * factor(0.3) * factor(0.1, 3)
    mean = x.mean((1, 2, 3), keepdim=True)
    x = mean + (x - mean) * factor(0.3)
    grey = x.mean(1, keepdim=True)
    x = grey + (x - grey) * factor(0.4)
    return x.clamp(0, 255)


def cutmix(x, y):
    """Paste a box of each image's neighbour in the (shuffled) batch over it (Yun et al., ICCV 2019).

    Returns the images, the second labels and the share of the first ones.
    """
    height, width = x.shape[2:]
    share = torch.rand(()).item()  # Beta(1, 1)
    h, w = int(height * math.sqrt(1 - share)), int(width * math.sqrt(1 - share))
    top = torch.randint(height - h + 1, ()).item()
    left = torch.randint(width - w + 1, ()).item()
    x = x.clone()
    x[:, :, top : top + h, left : left + w] = x.roll(1, 0)[:, :, top : top + h, left : left + w]
    return x, y.roll(1, 0), 1 - h * w / (height * width)


# ---- The network ------------------------------------------------------------------------------------


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
        self.body = torchvision.models.resnet18(weights=None, num_classes=classes)
        self.register_buffer("mean", 255 * torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("scale", 1 / (255 * torch.tensor(STD)).view(1, 3, 1, 1), persistent=False)

    def forward(self, images):
        return self.pixels(Widen.apply(images).permute(0, 3, 1, 2))

    def pixels(self, x):
        """float [n, 3, h, w], 0..255 -> embedding [n, 512], logits [n, classes]."""
        b = self.body
        x = (x - self.mean) * self.scale
        x = b.maxpool(b.relu(b.bn1(b.conv1(x))))
        x = b.layer4(b.layer3(b.layer2(b.layer1(x))))
        embedding = torch.flatten(b.avgpool(x), 1)
        return embedding, b.fc(embedding)


class HalfStored(nn.Module):
    """Parametrisation of a weight that is kept as float16 and used as float32."""

    def forward(self, stored):
        return stored.float()


def deployable(model):
    """A copy of model for export: batch norms folded into their convolutions, weights as float16."""
    copy = Embedder(model.body.fc.out_features)
    copy.load_state_dict(model.state_dict())
    copy.eval()
    body = copy.body
    body.conv1, body.bn1 = fuse_conv_bn_eval(body.conv1, body.bn1), nn.Identity()
    for block in (b for layer in (body.layer1, body.layer2, body.layer3, body.layer4) for b in layer):
        block.conv1, block.bn1 = fuse_conv_bn_eval(block.conv1, block.bn1), nn.Identity()
        block.conv2, block.bn2 = fuse_conv_bn_eval(block.conv2, block.bn2), nn.Identity()
        if block.downsample is not None:
            block.downsample = fuse_conv_bn_eval(*block.downsample)
    for module in copy.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            module.weight = nn.Parameter(module.weight.half(), requires_grad=False)
            parametrize.register_parametrization(module, "weight", HalfStored(), unsafe=True)  # changes the type
    return copy.requires_grad_(False)


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


# ---- Measuring --------------------------------------------------------------------------------------


def predict(model, split, batch=64):
    """(embeddings [n, 512], logits [n, classes]) of a split at SIZE, as float32 arrays, by a torch model."""
    device = next(model.buffers()).device
    model.eval()
    with torch.no_grad():
        parts = [model(split.images[i : i + batch].to(device)) for i in range(0, len(split), batch)]
    return tuple(torch.cat(p).float().cpu().numpy() for p in zip(*parts))


def predict_onnx(path, split, threads, batch=64):
    """The same by ONNX Runtime, on the CPU."""
    try:
        import onnxruntime
    except ImportError:
        sys.exit("measuring an ONNX file: python package onnxruntime is missing; pip install onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    images = split.images.numpy()
    parts = [
        session.run(["embedding", "logits"], {"images": images[i : i + batch]}) for i in range(0, len(split), batch)
    ]
    return tuple(np.concatenate(p) for p in zip(*parts))


def accuracy(logits, labels):
    """Share of images whose label is the highest logit, and among the five highest."""
    order = np.argsort(-logits, axis=1, kind="stable")
    hit = order == np.asarray(labels)[:, None]
    return {
        "images": len(labels),
        "top1": round(float(hit[:, 0].mean()), 4),
        "top5": round(float(hit[:, :5].any(1).mean()), 4),
    }


def retrieval(vectors, labels, k=10):
    """mAP@k and precision@k of exact cosine search, each vector against all the others; relevant = same label.

    AP@k = sum over ranks i <= k of precision@i * relevant_i, over min(k, R), R the relevant others.
    Ties in order of position. A vector with no relevant other is left out.
    """
    labels = np.asarray(labels)
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    similarity = unit @ unit.T
    np.fill_diagonal(similarity, -np.inf)
    nearest = np.argsort(-similarity, axis=1, kind="stable")[:, :k]
    relevant = labels[nearest] == labels[:, None]
    total = (labels[:, None] == labels[None, :]).sum(1) - 1
    precision = relevant.cumsum(1) / np.arange(1, relevant.shape[1] + 1)
    keep = total > 0
    ap = (precision * relevant).sum(1)[keep] / np.minimum(k, total[keep])
    return float(ap.mean()), float(relevant[keep].mean())


def raw_pixels(split, side=32):
    """The baseline: each image as side x side averages of its pixels, [n, 3*side*side]."""
    x = split.images.permute(0, 3, 1, 2).float()
    return F.adaptive_avg_pool2d(x, side).flatten(1).numpy()


def report(path, val, test, threads, checkpoint):
    """Print, as Markdown, what the ONNX file at path scores on the two held-out splits."""
    outputs = {name: predict_onnx(path, split, threads) for name, split in (("val", val), ("test", test))}
    print(f"| split | images | top-1 | top-5 |\n| --- | ---: | ---: | ---: |")
    for name, split in (("val", val), ("test", test)):
        score = accuracy(outputs[name][1], split.labels)
        print(f"| {name} | {score['images']} | {score['top1']:.4f} | {score['top5']:.4f} |")

    labels = test.labels.numpy()
    guess = outputs["test"][1].argmax(1)
    print("\n| category | test images | recall | precision | most often taken for |\n| --- | ---: | ---: | ---: | --- |")
    for c, name in enumerate(test.classes):
        of_class, as_class = labels == c, guess == c
        if not of_class.any():
            continue
        right = (of_class & as_class).sum()
        wrong = np.bincount(guess[of_class & ~as_class], minlength=len(test.classes))
        taken = f"{test.classes[wrong.argmax()]} ({wrong.max()})" if wrong.any() else "-"
        precision = f"{right / as_class.sum():.3f}" if as_class.any() else "-"
        print(f"| {name} | {of_class.sum()} | {right / of_class.sum():.3f} | {precision} | {taken} |")

    both = np.concatenate([val.labels, test.labels])
    print(f"\n| vectors, exact cosine search, {len(both)} images | mAP@10 | precision@10 |\n| --- | ---: | ---: |")
    for name, vectors in (
        ("embedding", np.concatenate([outputs["val"][0], outputs["test"][0]])),
        ("raw pixels, 32x32 averages", np.concatenate([raw_pixels(val), raw_pixels(test)])),
    ):
        print("| {} | {:.4f} | {:.4f} |".format(name, *retrieval(vectors, both)))

    if checkpoint:
        state = torch.load(checkpoint, map_location="cpu")
        model = Embedder(len(state["classes"]))
        model.load_state_dict(state["model"])
        for name, split in (("val", val), ("test", test)):
            torch_out = predict(model, split)
            embeddings, logits = (np.abs(a - b).max() for a, b in zip(outputs[name], torch_out))
            same = (outputs[name][1].argmax(1) == torch_out[1].argmax(1)).mean()
            print(
                f"\n{name}: float32 torch model against the file: largest difference of a logit {logits:.2g}, "
                f"of an embedding value {embeddings:.2g} (largest value {torch_out[0].max():.3g}); same answer {same:.4f}"
            )


# ---- Training ---------------------------------------------------------------------------------------


def train(args):
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    data = Split(args.train, STORED)
    val = Split(args.val, SIZE, data.classes)
    test = Split(args.test, SIZE, data.classes)
    classes, seconds_before = data.classes, 0.0
    if len(data) < 2:
        sys.exit(f"training on {args.train}: it has one image; at least two are needed")
    warn_shared_files({"train": data, "val": val, "test": test})
    print(
        f"train {len(data)}, val {len(val)}, test {len(test)} images of {len(classes)} categories "
        f"in {time.monotonic() - started:.0f} s; on {device}, {torch.get_num_threads()} threads",
        flush=True,
    )

    torch.manual_seed(args.seed)
    model = Embedder(len(classes)).to(device, memory_format=torch.channels_last)
    decay = [p for p in model.parameters() if p.ndim > 1]
    plain = [p for p in model.parameters() if p.ndim == 1]  # biases and norms are not decayed
    optimizer = torch.optim.AdamW(
        [{"params": decay, "weight_decay": args.weight_decay}, {"params": plain, "weight_decay": 0}]
    )
    steps = max(1, len(data) // args.batch)
    total_steps = args.epochs * steps
    rising = 0.2 if total_steps > 5 else 0.3  # torch divides by rising * total_steps - 1
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, args.lr, total_steps=total_steps, pct_start=rising, final_div_factor=1e3
    )
    history, best, first = [], -1.0, 0

    last, chosen = out / "last.pt", out / "best.pt"
    settings = {k: getattr(args, k) for k in ("epochs", "batch", "lr", "weight_decay", "seed", "small", "precision")}
    if args.resume and last.exists():
        state = torch.load(last, map_location=device)
        if state["settings"] != settings or state["classes"] != classes:
            sys.exit(f"resuming from {last}: it was made with {state['settings']}, this run has {settings}")
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        schedule.load_state_dict(state["schedule"])
        history, best, first = state["history"], state["best"], state["epoch"] + 1
        seconds_before = state["seconds"]
        print(f"resuming after epoch {first} of {args.epochs}", flush=True)

    for epoch in range(first, args.epochs):
        began = time.monotonic()
        torch.manual_seed(args.seed + 1000 * (epoch + 1))  # an epoch's draws do not depend on where the run was cut
        size = epoch_size(epoch, args.epochs, args.small)
        model.train()
        total, order = 0.0, torch.randperm(len(data))
        for step in range(steps):
            pick = order[step * args.batch : (step + 1) * args.batch]
            x, y = augment(data.images[pick].to(device), size), data.labels[pick].to(device)
            mixed, share = y, 1.0
            if torch.rand(()) < 0.5:
                x, mixed, share = cutmix(x, y)
            x = x.contiguous(memory_format=torch.channels_last)
            with torch.autocast(device.type, torch.bfloat16, enabled=args.precision == "bf16"):
                logits = model.pixels(x)[1].float()
            loss = share * F.cross_entropy(logits, y, label_smoothing=0.1)
            loss = loss + (1 - share) * F.cross_entropy(logits, mixed, label_smoothing=0.1)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            rate = schedule.get_last_lr()[0]
            schedule.step()
            total += loss.item()

        logits = predict(model, val)[1]
        score = accuracy(logits, val.labels)
        history.append(
            {
                "epoch": epoch + 1,
                "train_loss": round(total / steps, 4),
                "val_loss": round(F.cross_entropy(torch.from_numpy(logits), val.labels).item(), 4),
                "top1": score["top1"],
                "top5": score["top5"],
                "lr": float(f"{rate:.4g}"),
                "seconds": round(time.monotonic() - began, 1),
            }
        )
        print(json.dumps(history[-1]), flush=True)
        if score["top1"] >= best:  # of equals the later, which has the lower learning rate
            best = score["top1"]
            save_checkpoint(chosen, {"model": model.state_dict(), "classes": classes, "epoch": epoch})
        state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "schedule": schedule.state_dict()}
        state |= {"settings": settings, "classes": classes, "history": history, "best": best, "epoch": epoch}
        state["seconds"] = seconds_before + time.monotonic() - started
        save_checkpoint(last, state)
        text = io.StringIO()
        rows = csv.DictWriter(text, history[0].keys(), lineterminator="\n")
        rows.writeheader()
        rows.writerows(history)
        write_whole(out / "history.csv", text.getvalue().encode())

    seconds = seconds_before + time.monotonic() - started
    state = torch.load(chosen, map_location="cpu")
    model = Embedder(len(classes))
    model.load_state_dict(state["model"])
    small = deployable(model)
    path = out / f"{args.name}.onnx"
    digest = export(small, path)
    scores = {name: accuracy(predict(small, split)[1], split.labels) for name, split in (("val", val), ("test", test))}
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
        "training": {
            "recipe": "embedder/models/train.py",
            "data": args.data,
            "images": len(data),
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
    print(f"wrote {path} (epoch {state['epoch'] + 1} of {args.epochs}): {json.dumps(scores)}", flush=True)


def epoch_size(epoch, epochs, small):
    """Side of the training crops: small first, SIZE for the last half, so that early epochs are cheap."""
    steps = ((small, 0.25), ((small + SIZE) // 2, 0.5))
    return next((side for side, until in steps if epoch < until * epochs), SIZE)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--train", metavar="DIR", help="training images, CATEGORY/*.jpg|png")
    p.add_argument("--val", metavar="DIR", required=True, help="images that choose the epoch")
    p.add_argument("--test", metavar="DIR", required=True, help="images that are measured once, at the end")
    p.add_argument("--out", metavar="DIR", default="out", help="folder for the model, card, history and checkpoints (%(default)s)")
    p.add_argument("--name", default="fashion-resnet18", help="name of the model and its files (%(default)s)")
    p.add_argument("--doc", default="ResNet18 trained from scratch on photographs of clothing.", help="the card's description")
    p.add_argument("--data", default="images of the --train folder", help="what the card says about the training data")
    p.add_argument("--licence", default="Apache-2.0", help="what the card says about the licence (%(default)s)")
    p.add_argument("--epochs", type=int, default=80, help="length of the schedule (%(default)s)")
    p.add_argument("--batch", type=int, default=64, help="images a step (%(default)s)")
    p.add_argument("--lr", type=float, default=2e-3, help="peak learning rate (%(default)s)")
    p.add_argument("--weight-decay", type=float, default=0.05, help="AdamW's, on weights of layers (%(default)s)")
    p.add_argument("--small", type=int, default=64, help="side of the crops in the first quarter of the epochs (%(default)s)")
    p.add_argument("--precision", choices=["fp32", "bf16"], default="bf16", help="arithmetic of training (%(default)s)")
    p.add_argument("--seed", type=int, default=1, help="of all chance (%(default)s)")
    p.add_argument("--threads", type=int, default=os.cpu_count(), help="CPU threads (%(default)s)")
    p.add_argument("--resume", action="store_true", help="go on from OUT/last.pt if it is there")
    p.add_argument("--evaluate", metavar="FILE.onnx", help="measure this file instead of training")
    p.add_argument("--checkpoint", metavar="FILE.pt", help="with --evaluate: compare the file with this torch model")
    args = p.parse_args()
    torch.set_num_threads(args.threads)  # some builds of torch take one thread by themselves
    if args.evaluate:
        card = Path(args.evaluate).with_suffix(".json")
        if not card.exists():
            p.error(f"measuring {args.evaluate}: its card {card} is missing")
        classes = json.loads(card.read_text())["classes"]
        val, test = Split(args.val, SIZE, classes), Split(args.test, SIZE, classes)
        report(args.evaluate, val, test, args.threads, args.checkpoint)
    elif not args.train:
        p.error("--train DIR is needed (or --evaluate FILE.onnx)")
    elif args.epochs < 1 or args.batch < 2:
        p.error("--epochs must be at least 1 and --batch at least 2")
    else:
        train(args)


if __name__ == "__main__":
    main()
