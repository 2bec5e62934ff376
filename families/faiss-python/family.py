import os

import annbench_family as annbench
import faiss
import numpy as np


class Faiss(annbench.Family):
    library, version, metrics = "faiss", faiss.__version__, ["l2", "cosine", "ip"]

    def build(self, vectors, metric, settings, threads, seed):
        faiss.omp_set_num_threads(threads)
        if metric == "cosine":
            faiss.normalize_L2(vectors)  # of a private mapping
        dim, nlist = vectors.shape[1], settings["nlist"]
        name = {
            "flat": "Flat", "ivf": "IVF%d,Flat" % nlist, "ivfpqfs-refine": "IVF%d,PQ%dx4fs,RFlat" % (nlist, max(1, dim // 4)),
            "ivfrabitqfs-refine": "IVF%d,RaBitQfs,RFlat" % nlist, "hnsw": "HNSW%d,Flat" % settings["M"],
        }[settings["type"]]
        self.index = faiss.index_factory(dim, name, faiss.METRIC_L2 if metric == "l2" else faiss.METRIC_INNER_PRODUCT)
        if settings["type"] == "hnsw":
            self.index.hnsw.efConstruction = settings["efConstruction"]
        annbench.phase("train")
        self.index.train(vectors)
        annbench.phase("add")
        self.index.add(vectors)
        faiss.omp_set_num_threads(1)

    def set(self, settings):
        index = self.index
        if isinstance(index, faiss.IndexRefine):
            index.k_factor = float(settings["k_factor"])
            index = faiss.downcast_index(index.base_index)
        if isinstance(index, faiss.IndexHNSW):
            index.hnsw.efSearch = settings["efSearch"]
        elif not isinstance(index, faiss.IndexFlat):
            faiss.extract_index_ivf(index).nprobe = settings["nprobe"]

    def query(self, q, k):
        return self.index.search(q[None], k)[1][0]

    def batch(self, queries, k):
        return self.index.search(queries, k)[1]

    def save(self, folder):
        faiss.write_index(self.index, os.path.join(folder, "index"))

    def load(self, folder, vectors, metric, settings, threads, seed):
        faiss.omp_set_num_threads(1)
        self.index = faiss.read_index(os.path.join(folder, "index"))


annbench.main(Faiss)
