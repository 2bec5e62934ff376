import annbench_family as annbench
import numpy as np
import scann
from scann.scann_ops.py import scann_ops_pybind


class ScaNN(annbench.Family):
    library, version, metrics = "scann", annbench.version("scann"), ["l2", "cosine", "ip"]

    def build(self, vectors, metric, settings, threads, seed):
        if metric == "cosine":  # the order of dot products with a query is that of the angles
            norms = np.linalg.norm(vectors, axis=1, keepdims=True)
            vectors = vectors / np.where(norms == 0, 1, norms)
        threshold = settings["threshold"]
        builder = scann_ops_pybind.builder(vectors, 10, "squared_l2" if metric == "l2" else "dot_product")
        builder = builder.tree(settings["leaves"], 1, training_sample_size=len(vectors), spherical=metric == "cosine", quantize_centroids=True)
        builder = builder.score_ah(settings["dims_per_block"], anisotropic_quantization_threshold=threshold if threshold >= 0 else float("nan"))
        builder = builder.reorder(100).set_n_training_threads(threads)
        self.index = builder.build()
        self.threads()

    def threads(self):
        if hasattr(self.index, "set_num_threads"):
            self.index.set_num_threads(1)

    def set(self, settings):
        self.leaves, self.reorder = settings["leaves_to_search"], settings["reorder"]

    def query(self, q, k):
        return self.index.search(q, k, self.reorder, self.leaves)[0]

    def batch(self, queries, k):
        return self.index.search_batched(queries, k, self.reorder, self.leaves)[0]

    def save(self, folder):
        self.index.serialize(folder, relative_path=True)

    def load(self, folder, vectors, metric, settings, threads, seed):
        self.index = scann_ops_pybind.load_searcher(folder, assets_backcompat_shim=False)
        self.threads()


annbench.main(ScaNN)
