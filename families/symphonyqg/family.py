import os

import annbench_family as annbench
import numpy as np
from rabitqlib import SymqgIndex


class SymphonyQG(annbench.Family):
    library, version, metrics = "rabitqlib", annbench.version("rabitqlib"), ["l2", "cosine", "ip"]

    def build(self, vectors, metric, settings, threads, seed):
        self.scale = metric == "cosine"
        if self.scale:
            norms = np.linalg.norm(vectors, axis=1, keepdims=True)
            vectors = vectors / np.where(norms == 0, 1, norms)
        self.index = SymqgIndex(dim=vectors.shape[1], max_degree=settings["degree"], metric="l2" if metric == "l2" else "ip")
        self.index.build(vectors, ef_construction=settings["efConstruction"], num_threads=threads)

    def set(self, settings):
        self.ef = settings["ef"]

    def query(self, q, k):
        return self.batch(q[None], k)[0]

    def batch(self, queries, k):
        if self.scale:
            queries = queries / np.linalg.norm(queries, axis=1, keepdims=True)
        return self.index.search(queries, k=k, ef=self.ef, num_threads=1)[0]

    def save(self, folder):
        self.index.save(os.path.join(folder, "index"))

    def load(self, folder, vectors, metric, settings, threads, seed):
        self.index, self.scale = SymqgIndex.load(os.path.join(folder, "index")), metric == "cosine"


annbench.main(SymphonyQG)
