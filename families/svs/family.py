import os

import annbench_family as annbench
import numpy as np
import svs


class SVS(annbench.Family):
    library, version, metrics = "svs", annbench.version("scalable-vs"), ["l2", "cosine", "ip"]

    def distance(self, metric):
        return {"l2": svs.DistanceType.L2, "cosine": svs.DistanceType.Cosine, "ip": svs.DistanceType.MIP}[metric]

    def build(self, vectors, metric, settings, threads, seed):
        alpha = settings["alpha"] if metric == "l2" else 1 / settings["alpha"]
        parameters = svs.VamanaBuildParameters(graph_max_degree=settings["degree"], alpha=alpha, window_size=settings["window"])
        self.index = svs.Vamana.build(parameters, np.array(vectors), distance_type=self.distance(metric), num_threads=threads)
        self.index.num_threads = 1

    def set(self, settings):
        self.index.search_window_size = settings["search_window"]

    def query(self, q, k):
        return self.index.search(q[None], k)[0][0]

    def batch(self, queries, k):
        return self.index.search(queries, k)[0]

    def save(self, folder):
        self.index.save(*(os.path.join(folder, part) for part in ("config", "graph", "data")))

    def load(self, folder, vectors, metric, settings, threads, seed):
        config, graph, data = (os.path.join(folder, part) for part in ("config", "graph", "data"))
        self.index = svs.Vamana(config, svs.GraphLoader(graph), svs.VectorDataLoader(data, svs.DataType.float32), distance=self.distance(metric), num_threads=1)


annbench.main(SVS)
