import json
import os

import annbench_family as annbench
import numpy as np
from usearch.index import Index

NAMES = {"l2": "l2sq", "cosine": "cos", "ip": "ip"}


class USearch(annbench.Family):
    library, version, metrics = "usearch", annbench.version("usearch"), list(NAMES)

    def build(self, vectors, metric, settings, threads, seed):
        self.scale = None
        if settings["dtype"] == "i8" and metric != "cosine":
            self.scale = np.float32(1 / max(1e-30, float(np.abs(vectors).max())))
            vectors = vectors * self.scale
        self.index = Index(
            ndim=vectors.shape[1], metric=NAMES[metric], dtype=settings["dtype"],
            connectivity=settings["connectivity"], expansion_add=settings["expansion_add"], expansion_search=64,
        )
        self.index.add(np.arange(len(vectors)), vectors, threads=threads)

    def set(self, settings):
        self.index.expansion_search = settings["expansion_search"]

    def query(self, q, k):
        if self.scale is not None:
            q = q * self.scale
        return self.index.search(q, k, threads=1).keys

    def batch(self, queries, k):
        if self.scale is not None:
            queries = queries * self.scale
        found = self.index.search(queries, k, threads=1)
        return [m.keys for m in found] if len(queries) > 1 else [found.keys]

    def save(self, folder):
        self.index.save(os.path.join(folder, "index"))
        with open(os.path.join(folder, "scale.json"), "w") as f:
            json.dump(None if self.scale is None else float(self.scale), f)

    def load(self, folder, vectors, metric, settings, threads, seed):
        self.index = Index.restore(os.path.join(folder, "index"), view=False)
        with open(os.path.join(folder, "scale.json")) as f:
            scale = json.load(f)
        self.scale = None if scale is None else np.float32(scale)


annbench.main(USearch)
