import json
import os

import annbench_family as annbench
import annoy

NAMES = {"l2": "euclidean", "cosine": "angular", "ip": "dot"}


class Annoy(annbench.Family):
    library, version, metrics = "annoy", annbench.version("annoy"), list(NAMES)

    def build(self, vectors, metric, settings, threads, seed):
        self.index = annoy.AnnoyIndex(vectors.shape[1], NAMES[metric])
        self.index.set_seed(seed)
        annbench.phase("add")
        for i, v in enumerate(vectors):
            self.index.add_item(i, v)
        annbench.phase("finish")
        self.index.build(settings["trees"], n_jobs=threads)

    def set(self, settings):
        self.search_k = settings["search_k"]

    def query(self, q, k):
        return self.index.get_nns_by_vector(q, k, self.search_k)

    def save(self, folder):
        self.index.save(os.path.join(folder, "index.ann"))
        with open(os.path.join(folder, "dim.json"), "w") as f:
            json.dump(self.index.f, f)

    def load(self, folder, vectors, metric, settings, threads, seed):
        with open(os.path.join(folder, "dim.json")) as f:
            self.index = annoy.AnnoyIndex(json.load(f), NAMES[metric])
        self.index.load(os.path.join(folder, "index.ann"))


annbench.main(Annoy)
