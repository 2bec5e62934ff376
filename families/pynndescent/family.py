import os
import pickle

import annbench_family as annbench
import numpy as np
import pynndescent


class PyNNDescent(annbench.Family):
    library, version, metrics = "pynndescent", annbench.version("pynndescent"), ["l2", "cosine"]

    def build(self, vectors, metric, settings, threads, seed):
        self.index = pynndescent.NNDescent(
            vectors, n_neighbors=settings["n_neighbors"], metric="euclidean" if metric == "l2" else "cosine", low_memory=True,
            pruning_degree_multiplier=settings["pruning"], diversify_prob=settings["diversify"], n_jobs=threads,
            random_state=np.random.RandomState(seed % 2**32), compressed=True,
        )
        self.index.prepare()
        self.compile(vectors[0])

    def compile(self, q):
        self.index.query(np.array(q)[None], k=10, epsilon=0.1)  # not within a measurement

    def set(self, settings):
        self.epsilon = settings["epsilon"]

    def query(self, q, k):
        return self.index.query(q[None], k=k, epsilon=self.epsilon)[0][0]

    def save(self, folder):
        with open(os.path.join(folder, "index.pickle"), "wb") as f:
            pickle.dump(self.index, f, protocol=4)

    def load(self, folder, vectors, metric, settings, threads, seed):
        with open(os.path.join(folder, "index.pickle"), "rb") as f:
            self.index = pickle.load(f)
        self.index.prepare()
        self.compile(np.zeros(self.index._raw_data.shape[1], np.float32) + 0.1)


annbench.main(PyNNDescent)
