import os
import shutil

import annbench_family as annbench
import ngtpy


class NGT(annbench.Family):
    library, version, metrics = "ngt", annbench.version("ngt"), ["l2", "cosine"]

    def build(self, vectors, metric, settings, threads, seed):
        self.path = os.path.abspath("anng")  # its indexes are folders
        ngtpy.create(
            self.path, dimension=vectors.shape[1], edge_size_for_creation=settings["edges"], edge_size_for_search=0,
            distance_type="L2" if metric == "l2" else "Cosine", object_type="Float",
        )
        self.index = ngtpy.Index(self.path)
        self.index.batch_insert(vectors, num_threads=threads)
        self.index.save()

    def set(self, settings):
        self.index.set(epsilon=settings["epsilon"], edge_size=settings["edge_size"])

    def query(self, q, k):
        return self.index.search(q, k, with_distance=False)

    def save(self, folder):
        shutil.copytree(self.path, os.path.join(folder, "anng"))

    def load(self, folder, vectors, metric, settings, threads, seed):
        self.index = ngtpy.Index(os.path.join(folder, "anng"), read_only=True)


annbench.main(NGT)
