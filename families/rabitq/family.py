import os

import annbench_family as annbench
import numpy as np
from rabitqlib import IvfIndex


class RaBitQ(annbench.Family):
    library, version, metrics = "rabitqlib", annbench.version("rabitqlib"), ["l2", "cosine", "ip"]

    def build(self, vectors, metric, settings, threads, seed):
        import faiss  # for the build alone

        faiss.omp_set_num_threads(threads)
        if metric == "cosine":
            norms = np.linalg.norm(vectors, axis=1, keepdims=True)
            vectors = vectors / np.where(norms == 0, 1, norms)
        annbench.phase("train")
        means = faiss.Kmeans(vectors.shape[1], settings["lists"], niter=10, seed=seed, spherical=metric == "cosine")
        means.train(vectors)
        lists = means.index.search(vectors, 1)[1].ravel().astype(np.uint32)
        annbench.phase("add")
        self.index = IvfIndex(
            dim=vectors.shape[1], max_elements=len(vectors), num_clusters=settings["lists"],
            nbits=settings["bits"], metric="l2" if metric == "l2" else "ip",
        )
        self.index.build(vectors, np.ascontiguousarray(means.centroids), lists, num_threads=threads, fast_quantization=True)
        self.scale = metric == "cosine"

    def set(self, settings):
        self.nprobe = settings["nprobe"]

    def query(self, q, k):
        return self.batch(q[None], k)[0]

    def batch(self, queries, k):
        if self.scale:
            queries = queries / np.linalg.norm(queries, axis=1, keepdims=True)
        return self.index.search(queries, k=k, nprobe=self.nprobe, high_accuracy=True, num_threads=1)[0]

    def save(self, folder):
        self.index.save(os.path.join(folder, "index"))

    def load(self, folder, vectors, metric, settings, threads, seed):
        self.index, self.scale = IvfIndex.load(os.path.join(folder, "index")), metric == "cosine"


annbench.main(RaBitQ)
