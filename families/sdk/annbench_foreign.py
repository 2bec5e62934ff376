"""Runs a folder of ann-benchmarks or VIBE, module.py and config.yml, as it is: none of their code is needed.

usage: annbench_foreign.py FOLDER KIND      (KIND is ann_benchmarks or vibe)

The base class, the helper modules that folders import and the way their runner calls them are made here;
annbench itself reads config.yml and sends constructor and arguments.
"""
import importlib
import json
import os
import sys
import types
from multiprocessing.pool import ThreadPool

import annbench_family as annbench
import numpy as np


class BaseANN(object):
    name = ""

    def done(self):
        pass

    def get_memory_usage(self):
        with open("/proc/self/status") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))

    def fit(self, X):
        pass

    def query(self, q, n):
        return []

    def batch_query(self, X, n):
        with ThreadPool() as pool:
            self.res = pool.map(lambda q: self.query(q, n), X)

    def get_batch_results(self):
        return self.res

    def get_additional(self):
        return {}

    def __str__(self):
        return self.name


def _distances():
    """What their module distance offers to the folders; each of the distances takes two vectors."""

    def norm(a):
        return np.linalg.norm(a, axis=-1)

    def euclidean(a, b):
        return norm(np.asarray(a) - np.asarray(b))

    def cosine(a, b):
        return 1 - np.dot(a, b) / (norm(a) * norm(b))

    def ip(a, b):
        return -np.dot(a, b)

    def hamming(a, b):
        return np.mean(np.asarray(a, bool) != np.asarray(b, bool))

    def jaccard(a, b):  # how alike two sets of numbers are
        a, b = set(a), set(b)
        return len(a & b) / len(a | b) if a and b else 0

    of = {"euclidean": euclidean, "cosine": cosine, "angular": cosine, "normalized": cosine, "ip": ip, "hamming": hamming,
          "jaccard": lambda a, b: 1 - jaccard(a, b)}
    metrics = {name: types.SimpleNamespace(distance=f, distance_valid=lambda a: True) for name, f in of.items()}
    metrics["jaccard"].distance_valid = lambda a: a < 1 - 1e-5

    def one(metric):
        if metric not in metrics:
            raise KeyError("Unknown metric %r. Known metrics are %s" % (metric, list(metrics)))
        return metrics[metric]

    return {
        "metrics": metrics, "norm": norm, "euclidean": euclidean, "jaccard": jaccard,
        "compute_distance": lambda metric, a, b: one(metric).distance(a, b),
        "is_distance_valid": lambda metric, distance: one(metric).distance_valid(distance),
    }


def _get_bool_env_var(name, default):
    value = os.environ.get(name, "").strip().lower()
    return value in ("y", "yes", "1", "true", "t", "on") if value else default


def _package(root, algorithms):
    """What the folder's relative imports see: its siblings on the disk, the rest made here."""

    def module(name, path=None, **attributes):
        m = types.ModuleType(name)
        m.__dict__.update(attributes)
        if path is not None:
            m.__path__ = path
        sys.modules[name] = m

    module(root, [])
    module(root + ".algorithms", [algorithms])
    module(root + ".algorithms.base", [])
    module(root + ".algorithms.base.module", BaseANN=BaseANN)
    module(root + ".constants", INDEX_DIR=os.getcwd())
    module(root + ".distance", **_distances())
    module(root + ".util", get_bool_env_var=_get_bool_env_var)


class Foreign(annbench.Family):
    metrics = ["l2", "cosine", "ip"]

    def __init__(self, folder, kind):
        self.library = os.path.basename(folder)
        _package(kind, os.path.dirname(folder))
        # Modules call commands that their package brings.
        os.environ["PATH"] = os.path.dirname(sys.executable) + os.pathsep + os.environ.get("PATH", "")
        self.module = importlib.import_module("%s.algorithms.%s.module" % (kind, os.path.basename(folder)))
        self.version = self._version()

    def _version(self):
        """That of the package which the folder is named after, or else of the first that module.py imports."""
        from importlib.metadata import packages_distributions

        brings = packages_distributions()  # faiss is in faiss-cpu
        imported = [m.__name__.split(".")[0] for m in vars(self.module).values() if isinstance(m, types.ModuleType)]
        imported += [getattr(v, "__module__", None) or "" for v in vars(self.module).values() if isinstance(v, type)]
        for name in [self.library, *imported]:
            name = name.split(".")[0]
            if name in brings and name not in ("numpy", "sklearn", "scipy"):
                return annbench.version(brings[name][0])
        return ""

    def build(self, vectors, metric, settings, threads, seed):
        if "constructor" not in settings:
            raise ValueError("config.yml has no args %s under the metric %s" % (settings.get("args"), metric))
        self.algorithm = getattr(self.module, settings["constructor"])(*json.loads(settings["arguments"]))
        if hasattr(self.algorithm, "prepare_query") and hasattr(self.algorithm, "run_prepared_query"):
            # Their runner's way: prepared before the clock starts, results taken after it has stopped.
            self.prepare_one, self.run_one, self.results_one = (
                self.algorithm.prepare_query, self.algorithm.run_prepared_query, self.algorithm.get_prepared_query_results)
        else:
            self.query = self.algorithm.query
        self.algorithm.fit(vectors)

    def set(self, settings):
        arguments = json.loads(settings["query_args"])
        if arguments:
            self.algorithm.set_query_arguments(*arguments)
        print("set to", str(self.algorithm))

    def batch(self, queries, k):
        self.algorithm.batch_query(queries, k)
        return self.algorithm.get_batch_results()

    def done(self):
        if hasattr(self, "algorithm"):  # it was built
            self.algorithm.done()


annbench.main(Foreign, os.path.abspath(sys.argv[1]), sys.argv[2])
