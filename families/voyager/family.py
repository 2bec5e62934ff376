import os

import annbench_family as annbench
import numpy as np
import voyager

SPACES = {"l2": voyager.Space.Euclidean, "cosine": voyager.Space.Cosine, "ip": voyager.Space.InnerProduct}
STORAGE = {"float32": voyager.StorageDataType.Float32, "float8": voyager.StorageDataType.Float8}


class Voyager(annbench.Family):
    library, version, metrics = "voyager", annbench.version("voyager"), list(SPACES)

    def build(self, vectors, metric, settings, threads, seed):
        n, dim = vectors.shape
        self.index = voyager.Index(
            SPACES[metric], num_dimensions=dim, M=settings["M"], ef_construction=settings["efConstruction"],
            random_seed=seed, max_elements=n, storage_data_type=STORAGE[settings["storage"]],
        )
        self.index.add_items(vectors, np.arange(n), num_threads=threads)

    def set(self, settings):
        self.ef = settings["ef"]

    def query(self, q, k):
        return self.index.query(q, k, query_ef=self.ef)[0]

    def batch(self, queries, k):
        return self.index.query(queries, k, num_threads=1, query_ef=self.ef)[0]

    def save(self, folder):
        self.index.save(os.path.join(folder, "index"))

    def load(self, folder, vectors, metric, settings, threads, seed):
        self.index = voyager.Index.load(os.path.join(folder, "index"))


annbench.main(Voyager)
