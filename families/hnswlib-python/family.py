import json
import os

import annbench_family as annbench
import hnswlib
import numpy as np


class HNSW(annbench.Family):
    library, version, metrics = "hnswlib", annbench.version("hnswlib"), ["l2", "cosine", "ip"]

    def build(self, vectors, metric, settings, threads, seed):
        n, dim = vectors.shape
        self.index = hnswlib.Index(space=metric, dim=dim)
        self.index.init_index(max_elements=n, ef_construction=settings["efConstruction"], M=settings["M"], random_seed=seed)
        self.index.add_items(vectors, np.arange(n), num_threads=threads)
        self.index.set_num_threads(1)

    def set(self, settings):
        self.index.set_ef(settings["ef"])

    def query(self, q, k):
        return self.index.knn_query(q, k=k, num_threads=1)[0][0]

    def batch(self, queries, k):
        return self.index.knn_query(queries, k=k, num_threads=1)[0]

    def save(self, folder):
        with open(os.path.join(folder, "dim.json"), "w") as f:
            json.dump(self.index.dim, f)
        self.index.save_index(os.path.join(folder, "index"))

    def load(self, folder, vectors, metric, settings, threads, seed):
        with open(os.path.join(folder, "dim.json")) as f:
            self.index = hnswlib.Index(space=metric, dim=json.load(f))
        self.index.load_index(os.path.join(folder, "index"))
        self.index.set_num_threads(1)


annbench.main(HNSW)
