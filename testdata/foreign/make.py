#!/usr/bin/env python3
"""Writes the corpus: one small file for each writer of the field, and beside it NAME.want.npy, what must be read.

    python3 -m venv venv && venv/bin/pip install numpy h5py pandas pyarrow polars datasets fastparquet
    cd testdata/foreign && ../../venv/bin/python make.py

Files named refused-* cannot be read rightly, and must be refused.
"""

import decimal
import json
import os
import struct

import fastparquet
import h5py
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

r = np.random.default_rng(18)
X = (r.standard_normal((24, 6)) * 3).astype("f4")
LABELS = np.array(["dress", "shoes", "bags"])[np.arange(24) % 3]
IDS = np.array([f"item-{i}" for i in range(24)])
os.makedirs("corpus", exist_ok=True)
os.chdir("corpus")


def want(name, a):
    np.save(name + ".want.npy", np.ascontiguousarray(np.asarray(a).astype("<f4")))


# NumPy
np.save("c.npy", X); want("c.npy", X)
np.save("fortran.npy", np.asfortranarray(X)); want("fortran.npy", X)
for d in ["f2", "f8", ">f4", "u4", "i8"]:
    a = (np.abs(X) * 4e8).astype(d) if d == "u4" else X.astype(d)
    n = "big.npy" if d[0] == ">" else d + ".npy"
    np.save(n, a); want(n, a)
np.savez("labelled.npz", features=X, labels=LABELS, filenames=IDS); want("labelled.npz", X)
np.savez_compressed("bytes.npz", x_train=X, y_train=LABELS.astype("S")); want("bytes.npz", X)
np.save("refused-1d.npy", X.ravel()); np.save("refused-empty.npy", X[:0])

# np.savetxt
np.savetxt("savetxt.txt", X); want("savetxt.txt", X)
np.savetxt("savetxt.csv", X, delimiter=",", header="a,b,c,d,e,f"); want("savetxt.csv", X)
np.savetxt("savetxt.tsv", X, delimiter="\t", fmt="%.9g"); want("savetxt.tsv", X)

# h5py
for name, lib in [("old.h5", "earliest"), ("contiguous-latest.h5", "latest")]:
    with h5py.File(name, "w", libver=lib) as h:
        h.attrs["distance"] = "euclidean"
        h["train"] = X; h["labels"] = LABELS.astype("S")
    want(name, X)
with h5py.File("strings.h5", "w") as h:
    h["features"] = X; h.create_dataset("labels", data=list(LABELS), dtype=h5py.string_dtype()); h.create_dataset("ids", data=list(IDS), dtype=h5py.string_dtype())
want("strings.h5", X)
with h5py.File("packed-strings.h5", "w") as h:
    h.create_dataset("vectors", data=X, chunks=(7, 4), compression="gzip", shuffle=True)
    h.create_dataset("label", data=list(LABELS), dtype=h5py.string_dtype(), chunks=(10,), compression="gzip")
want("packed-strings.h5", X)
with h5py.File("fletcher.h5", "w") as h:
    h.create_dataset("train", data=X, chunks=(7, 4), fletcher32=True)
want("fletcher.h5", X)
with h5py.File("group.h5", "w") as h:
    g = h.create_group("split/a"); g["embeddings"] = X; g["labels"] = LABELS.astype("S")
want("group.h5", X)
with h5py.File("refused-latest.h5", "w", libver="latest") as h:
    h.create_dataset("train", data=X, chunks=(7, 6))
with h5py.File("v110.h5", "w", libver=("earliest", "v110")) as h:
    h.create_dataset("train", data=X, chunks=(7, 6), maxshape=(None, 6))
want("v110.h5", X)
with h5py.File("refused-1d.h5", "w") as h:
    h["train"] = X.ravel()
with h5py.File("refused-empty.h5", "w") as h:
    h["train"] = X[:0]

# pandas
wide = pd.DataFrame(X)
wide.to_csv("pandas.csv"); want("pandas.csv", X)
wide.to_csv("pandas-noindex.csv", index=False); want("pandas-noindex.csv", X)
wide.add_prefix("f").assign(label=LABELS, split="train").to_csv("pandas-label.csv", sep=";", decimal=",", encoding="utf-8-sig"); want("pandas-label.csv", X)
wide.columns = wide.columns.astype(str)
wide.to_parquet("pandas-wide.parquet"); want("pandas-wide.parquet", X)
long = pd.DataFrame({"id": IDS, "embedding": list(X), "label": pd.Categorical(LABELS), "price": np.arange(24.0)})
long.to_parquet("pandas.parquet"); want("pandas.parquet", X)

# pyarrow, with each codec and form of page
for codec in ["none", "snappy", "gzip", "brotli", "zstd", "lz4"]:
    for page in ["1.0", "2.0"]:
        n = ("refused-" if codec == "lz4" else "") + f"arrow-{codec}-{page[0]}.parquet"
        pq.write_table(pa.table({"emb": list(X), "label": LABELS}), n, compression=codec, data_page_version=page)
        want(n, X)
U = (np.arange(24 * 6, dtype="u8") * 29826161).astype("u4").reshape(24, 6)
pq.write_table(pa.table({"emb": pa.array(list(U), pa.list_(pa.uint32()))}), "uint32.parquet"); want("uint32.parquet", U)
H = X.astype("f2")
pq.write_table(pa.table({"emb": pa.array(list(H), pa.list_(pa.float16()))}), "float16.parquet"); want("float16.parquet", H)
pq.write_table(pa.table({"emb": pa.array(list(X), pa.list_(pa.float32(), 6))}), "fixed.parquet", row_group_size=7); want("fixed.parquet", X)

# polars
for codec in ["uncompressed", "snappy", "gzip", "brotli", "zstd", "lz4"]:
    n = ("refused-" if codec == "lz4" else "") + f"polars-{codec}.parquet"
    pl.DataFrame({"emb": X.astype("f8").tolist(), "label": LABELS}).with_columns(pl.col("label").cast(pl.Categorical)).write_parquet(n, compression=codec)
    want(n, X)
pl.DataFrame(X, schema=[f"d{i}" for i in range(6)]).write_csv("polars.csv"); want("polars.csv", X)

# What was found by trying more of them
np.savez("unnamed.npz", X, LABELS); want("unnamed.npz", X)  # arr_1 is named as left out
with h5py.File("enum.h5", "w") as h:
    h["train"] = X
    h.create_dataset("labels", data=np.arange(24) % 3, dtype=h5py.enum_dtype({"dress": 0, "shoes": 1, "bags": 2}))
want("enum.h5", X)
pq.write_table(pa.table([pa.array(list(X)), pa.array(list(2 * X))], names=["emb", "emb"]), "refused-two-names.parquet")
with open("refused-libsvm.txt", "w") as f:
    f.writelines(f"{i % 3} {' '.join('%d:%.9g' % (j + 1, v) for j, v in enumerate(x))}\n" for i, x in enumerate(X))
with open("spaced-words.vec", "w") as f:
    f.write("24 6\n"); f.writelines(f"new york {w} {' '.join('%.9g' % v for v in x)}\n" for w, x in zip(IDS, X))
want("spaced-words.vec", X)

# Hugging Face datasets
import datasets
features = datasets.Features({"embedding": datasets.Sequence(datasets.Value("float32")), "label": datasets.ClassLabel(names=["dress", "shoes", "bags"])})
datasets.Dataset.from_dict({"embedding": X.tolist(), "label": [i % 3 for i in range(24)]}, features=features).to_parquet("huggingface.parquet"); want("huggingface.parquet", X)

# A folder of parts, as Spark writes it
os.makedirs("parts", exist_ok=True)
for i in range(3):
    pq.write_table(pa.table({"emb": list(X[8 * i:8 * i + 8]), "label": LABELS[8 * i:8 * i + 8]}), f"parts/part-{i:05d}.parquet")
open("parts/_SUCCESS", "w").close()
want("parts", X)

# faiss and big-ann-benchmarks
head = np.full((24, 1), 6, "<i4").view("u1").reshape(24, 4)
np.hstack([head, X.view("u1").reshape(24, -1)]).tofile("faiss.fvecs"); want("faiss.fvecs", X)
B = np.abs(X * 20).astype("u1")
np.hstack([head, B]).tofile("faiss.bvecs"); want("faiss.bvecs", B)
with open("big-ann.fbin", "wb") as f:
    f.write(struct.pack("<II", 24, 6)); X.tofile(f)
want("big-ann.fbin", X)
with open("crop_nb_24.fbin", "wb") as f:  # a crop: fewer vectors than its first bytes say it was cut from
    f.write(struct.pack("<II", 24, 6)); X.tofile(f)
want("crop_nb_24.fbin", X)
with open("refused-crop.fbin", "wb") as f:
    f.write(struct.pack("<II", 1000, 6)); X.tofile(f)

# Word vectors
with open("glove.6d.txt", "w") as f:
    f.writelines(f"{w} {' '.join('%.9g' % v for v in x)}\n" for w, x in zip(IDS, X))
want("glove.6d.txt", X)
with open("word2vec.vec", "w") as f:
    f.write("24 6\n"); f.writelines(f"{w} {' '.join('%.9g' % v for v in x)} \n" for w, x in zip(IDS, X))
want("word2vec.vec", X)

# what is elsewhere, and what only looks like vectors
with h5py.File("user-block.h5", "w", userblock_size=1024) as h:
    h["vectors"] = X; h.create_dataset("labels", data=list(LABELS), dtype=h5py.string_dtype())
want("user-block.h5", X)
with h5py.File("refused-external.h5", "w") as h:
    h.create_dataset("vectors", shape=X.shape, dtype="f4", external=[("external.bin", 0, h5py.h5f.UNLIMITED)])
with h5py.File("refused-virtual.h5", "w") as h:
    layout = h5py.VirtualLayout(shape=X.shape, dtype="f4")
    layout[:] = h5py.VirtualSource("old.h5", "train", shape=X.shape)
    h.create_virtual_dataset("vectors", layout)
with h5py.File("refused-links.h5", "w") as h:
    h["a/b"] = X; h["vectors"] = h5py.SoftLink("/a/b"); h["train"] = h5py.ExternalLink("old.h5", "train")
with h5py.File("refused-utf32.h5", "w") as h:
    h["vectors"] = X; h["labels"] = np.frombuffer(LABELS.astype("U8").tobytes(), "V32")
pq.write_table(pa.table({f"d{i}": [decimal.Decimal(f"{x:.3f}") for x in X[:, i]] for i in range(6)}), "refused-decimals.parquet")
pq.write_table(pa.table({"vector": [json.dumps(x.tolist()) for x in X], "label": LABELS.astype(object)}), "refused-json.parquet")
pq.write_table(pa.table({"vector": [x.tobytes() for x in X], "label": LABELS.astype(object)}), "refused-bytes.parquet")
pq.write_table(pa.table({"vector": [x.reshape(2, 3).tolist() for x in X], "label": LABELS.astype(object)}), "refused-nested.parquet")
maps = [sorted(enumerate(map(float, x)), key=lambda e: (e[0] * 5 + i) % 7) for i, x in enumerate(X)]  # each row's keys in another order
pq.write_table(pa.table({"vector": pa.array(maps, pa.map_(pa.int8(), pa.float32()))}), "refused-map.parquet")
frame = pd.DataFrame(X, columns=[f"d{i}" for i in range(6)]).assign(label=LABELS.astype(object), id=IDS.astype(object)).astype({"label": object, "id": object})
frame.loc[4, "label"] = None
for codec in ["UNCOMPRESSED", "GZIP"]:
    fastparquet.write(f"fastparquet-{codec.lower()}.parquet", frame, compression=codec, row_group_offsets=10)
    want(f"fastparquet-{codec.lower()}.parquet", X)

# R's write.table, whose line of names is one shorter, with a column id that repeats; lines that end with a separator
with open("r.csv", "w") as f:
    f.write('"id","d0","d1","d2","d3","d4","d5"\n')
    f.writelines(f'"item-{i}","shop-{i % 4}",' + ",".join(f"{v:.9g}" for v in x) + "\n" for i, x in enumerate(X))
want("r.csv", X)
with open("trailing.csv", "w") as f:
    f.write("d0,d1,d2,d3,d4,d5\n")
    f.writelines(",".join(f"{v:.9g}" for v in x) + ",\n" for x in X)
want("trailing.csv", X)

# Labels and ids of every type, and numbers beside the vectors, in texts/: foreign_test.go has what must be read
import datetime
import decimal
import uuid
os.makedirs("../texts", exist_ok=True)
os.chdir("../texts")
np.save("want.npy", X)
E = pa.array(list(X), pa.list_(pa.float32()))
N = range(24)
D9 = pa.array([decimal.Decimal(f"{i % 3 - 1}.05") for i in N], pa.decimal128(5, 2))
days = [datetime.date(1969, 12, 31) + datetime.timedelta(i) for i in N]
times = pa.array([datetime.datetime(1969, 12, 31, 23, 59, 59, 5000 + i) for i in N], pa.timestamp("us"))
for name, label, id in [
    ("negative-8", pa.array([i % 3 - 1 for i in N], pa.int8()), pa.array([i - 3 for i in N], pa.int16())),
    ("negative-32", pa.array([i % 3 - 1 for i in N], pa.int32()), pa.array([i - 3 for i in N], pa.int32())),
    ("dates", pa.array(days), times),
    ("decimals", D9, D9.cast(pa.decimal128(38, 2))),
    ("uuids", pa.array([i % 3 == 0 for i in N]), pa.array([uuid.UUID(int=0xdeadbeef << 96 | i).bytes for i in N], pa.uuid())),
]:
    pq.write_table(pa.table({"emb": E, "label": label, "id": id}), name + ".parquet", store_decimal_as_integer=True)
# Truth values in runs, as pages of version 2 have them: of a column, with missing ones, and within a struct
truth = [i < 10 or i % 3 == 0 for i in N]
some = [None if i in (1, 2, 15) else t for i, t in zip(N, truth)]
structs = pa.array([None if i == 5 else {"label": t} for i, t in zip(N, some)], pa.struct([("label", pa.bool_())]))
for name, column, values in [("booleans", "label", pa.array(truth)), ("missing-booleans", "label", pa.array(some)), ("struct-booleans", "item", structs)]:
    pq.write_table(pa.table({"emb": E, column: values}), name + ".parquet", data_page_version="2.0")
pq.write_table(pa.table({"emb": E, "label": pa.array(np.arange(24, dtype="f2"))}), "refused-half-labels.parquet")
W = ["%.9g" % v for v in X.ravel()]
W = [W[6 * i:6 * i + 6] for i in N]
with open("write.table.txt", "w") as f:  # R: write.table(d)
    f.write('"V1" "V2" "V3" "V4" "V5" "V6" "label"\n'); f.writelines(f'"{i + 1}" {" ".join(x)} "new {l}"\n' for i, (x, l) in enumerate(zip(W, LABELS)))
with open("no-break-space.vec", "w") as f:
    f.write("24 6\n"); f.writelines(f"new\xa0york-{i} {' '.join(x)}\n" for i, x in enumerate(W))
wide = pd.DataFrame(X.astype("f8"))
wide.to_csv("index-without-header.csv", header=False)
wide.columns = [400.5 + i for i in range(6)]
wide.assign(sample=[i * 2 for i in N])[["sample", *wide]].to_csv("spectra.csv", index=False)
with open("refused-first-word.csv", "w") as f:  # the first line is a vector and no header
    f.writelines(f"{'A1' if i == 0 else 100 + i},{','.join(x)}\n" for i, x in enumerate(W))
for name, a in [("int64", np.arange(24) * 10**15 - 5), ("uint64", np.arange(24, dtype="u8") + 2**63), ("big-endian", (np.arange(24) - 5).astype(">i2"))]:
    np.savez(name + ".npz", embeddings=X, ids=a)
    with h5py.File(name + ".h5", "w") as h:
        h["train"] = X; h.create_dataset("ids", data=a, chunks=(7,), compression="gzip")
# Texts of fixed length: spaces at the end are of the text, unless the type says that they fill it up
padded = h5py.h5t.C_S1.copy(); padded.set_size(8); padded.set_strpad(h5py.h5t.STR_SPACEPAD)
with h5py.File("spaces.h5", "w") as h:
    h["train"] = X; h["labels"] = np.array([l.encode() + b" " * (i % 2) for i, l in enumerate(LABELS)])
with h5py.File("space-padded.h5", "w") as h:
    h["train"] = X
    h5py.h5d.create(h.id, b"labels", padded, h5py.h5s.create_simple((24,))).write(h5py.h5s.ALL, h5py.h5s.ALL, np.array([l.ljust(8).encode() for l in LABELS]), mtype=padded)
np.savez("refused-objects.npz", embeddings=X, labels=LABELS.astype(object))
