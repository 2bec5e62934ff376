import os
import shutil

import annbench_family as annbench
import diskannpy
import numpy as np


class DiskANN(annbench.Family):
    library, version, metrics = "diskann", annbench.version("diskannpy"), ["l2", "cosine"]

    def build(self, vectors, metric, settings, threads, seed):
        self.path = os.path.abspath("diskann")  # its indexes are folders
        os.mkdir(self.path)
        diskannpy.build_memory_index(
            data=np.array(vectors), distance_metric=metric, index_directory=self.path, complexity=settings["complexity"],
            graph_degree=settings["degree"], num_threads=threads, alpha=settings["alpha"],
        )
        self.open(self.path)

    def open(self, path):
        self.index = diskannpy.StaticMemoryIndex(index_directory=path, num_threads=1, initial_search_complexity=200)

    def set(self, settings):
        self.complexity = settings["complexity_search"]

    def query(self, q, k):
        return self.index.search(query=q, k_neighbors=k, complexity=max(self.complexity, k)).identifiers

    def save(self, folder):
        shutil.copytree(self.path, os.path.join(folder, "diskann"))

    def load(self, folder, vectors, metric, settings, threads, seed):
        self.open(os.path.join(folder, "diskann"))


annbench.main(DiskANN)
