import os

import annbench_family as annbench
import nmslib

SPACES = {"l2": "l2", "cosine": "cosinesimil", "ip": "negdotprod"}


class NMSLIB(annbench.Family):
    library, version, metrics = "nmslib", annbench.version("nmslib"), list(SPACES)

    def build(self, vectors, metric, settings, threads, seed):
        self.index = nmslib.init(method="hnsw", space=SPACES[metric])
        self.index.addDataPointBatch(vectors)
        self.index.createIndex({"M": settings["M"], "efConstruction": settings["efConstruction"], "post": settings["post"], "indexThreadQty": threads})

    def set(self, settings):
        self.index.setQueryTimeParams({"efSearch": settings["efSearch"]})

    def query(self, q, k):
        return self.index.knnQuery(q, k)[0]

    def batch(self, queries, k):
        return [ids for ids, _ in self.index.knnQueryBatch(queries, k, num_threads=1)]

    def save(self, folder):
        self.index.saveIndex(os.path.join(folder, "index"), save_data=True)

    def load(self, folder, vectors, metric, settings, threads, seed):
        self.index = nmslib.init(method="hnsw", space=SPACES[metric])
        self.index.loadIndex(os.path.join(folder, "index"), load_data=True)


annbench.main(NMSLIB)
