import json
import os

import annbench_family as annbench
import numpy as np
import pyvsag


class VSAG(annbench.Family):
    library, version, metrics = "vsag", annbench.version("pyvsag"), ["l2", "cosine", "ip"]

    def make(self, dim, metric, settings, threads):
        reorder = settings["precise"] != "none"
        of = {
            "base_quantization_type": settings["quantization"], "max_degree": settings["max_degree"],
            "ef_construction": settings["ef_construction"], "build_thread_count": threads, "use_reorder": reorder,
        }
        if reorder:
            of["precise_quantization_type"] = settings["precise"]
        self.index = pyvsag.Index("hgraph", json.dumps({"dtype": "float32", "metric_type": metric, "dim": dim, "index_param": of}))

    def build(self, vectors, metric, settings, threads, seed):
        n, self.dim = vectors.shape
        self.make(self.dim, metric, settings, threads)
        self.index.build(vectors=vectors, ids=np.arange(n), num_elements=n, dim=self.dim)

    def set(self, settings):
        self.parameters = json.dumps({"hgraph": {"ef_search": settings["ef_search"]}})

    def query(self, q, k):
        return self.index.knn_search(vector=q, k=k, parameters=self.parameters)[0]

    def save(self, folder):
        self.index.save(os.path.join(folder, "index"))
        with open(os.path.join(folder, "dim.json"), "w") as f:
            json.dump(self.dim, f)

    def load(self, folder, vectors, metric, settings, threads, seed):
        with open(os.path.join(folder, "dim.json")) as f:
            self.make(json.load(f), metric, settings, threads)
        self.index.load(os.path.join(folder, "index"))


annbench.main(VSAG)
