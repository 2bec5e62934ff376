"""Makes a Python library a family of annbench. It needs Python 3.8 and numpy; a complete family:

    import annbench_family as annbench
    import mylib

    class Mine(annbench.Family):
        library, version, metrics = "mylib", mylib.__version__, ["l2"]

        def build(self, vectors, metric, settings, threads, seed):
            self.index = mylib.Index(vectors, links=settings["links"])

        def set(self, settings):
            self.ef = settings["ef"]

        def query(self, q, k):                      # timed: this call, and nothing else
            return self.index.search(q, k, self.ef)

    annbench.main(Mine)

The protocol is described in docs/reference/external-protocol.md.
"""
import ctypes
import gc
import json
import os
import platform
import sys
import sysconfig
import time
import traceback

import numpy as np

PROTOCOL = 1


class Family:
    """What a family is. build and query must be there; the rest may be."""

    library = ""
    version = ""
    metrics = ["l2"]

    def build(self, vectors, metric, settings, threads, seed):
        """Makes the index of vectors, float32 of shape (n, dim), C-contiguous. They are a private mapping of a
        file: changing them in place does no harm. settings has the build and the search settings."""
        raise NotImplementedError("build")

    def set(self, settings):
        """Takes the search settings, all of them. Called before the first query, and to change them."""

    def query(self, q, k):
        """Returns the ids of the k nearest to q, float32 of shape (dim,), nearest first: a list or an array."""
        raise NotImplementedError("query")

    # def batch(self, queries, k): returns a row of ids for each of queries, shape (n, dim)
    # def save(self, folder): writes the index into an empty folder
    # def load(self, folder, vectors, metric, settings, threads, seed): reads it, in another process;
    #     vectors are those of build; None only if a saved index is served whose vectors are in no file any more
    # def prepare_one(self, q, k), run_one(self), results_one(self): in place of query, where a query has to be
    #     prepared before the clock starts: only run_one is timed


def phase(name):
    """Says that a part of the build begins: train, add or finish."""
    _reply({"phase": name})


def version(package):
    """The installed version of a package of PyPI."""
    from importlib.metadata import version as of

    return of(package)


def main(family, *args):
    """Answers annbench until it is done. Standard output is taken for the protocol: what libraries print goes
    to standard error."""
    _take_output()
    one = None
    for line in sys.stdin:
        request = json.loads(line)
        do = request["do"]
        try:
            if do == "hello":
                one = family(*args)
                reply = _hello(one)
            elif do == "build" or do == "load":
                reply = _make(one, request)
            elif do == "save":
                one.save(request["path"])
                reply = {}
            elif do == "set":
                one.set(request["settings"])
                reply = {}
            elif do == "search":
                reply = _search(one, request)
            elif do == "settle":
                _settle()
                reply = {}
            elif do == "done":
                if hasattr(one, "done"):
                    one.done()
                reply = {}
            else:
                reply = {"error": "unknown request %r" % do}
        except WrongAnswer as e:
            reply = {"error": str(e)}
        except Exception as e:  # the library's, which annbench quotes
            traceback.print_exc()
            reply = {"error": _said(e)[:4000]}
        _reply(reply)
        if do == "done":
            sys.stdout.flush()
            os._exit(0)  # some libraries crash while Python takes them down


class WrongAnswer(Exception):
    """What a query or a batch returned is not what it should return."""


def _said(e):
    """What went wrong, and where in the author's program: its last call, below which libraries are."""
    first, *rest = ("%s: %s" % (type(e).__name__, e)).splitlines()
    libraries = {sysconfig.get_path(p) for p in ("stdlib", "platstdlib", "purelib", "platlib")} | {os.path.dirname(os.path.abspath(__file__))}
    for frame in reversed(traceback.extract_tb(e.__traceback__)):
        path = os.path.abspath(frame.filename)
        if not frame.filename.startswith("<") and not any(path.startswith(d + os.sep) for d in libraries):
            first += " (%s, line %d, in %s)" % (path, frame.lineno, frame.name)
            break
    return "\n".join([first, *rest])


_output = None


def _take_output():
    global _output
    _output = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)


def _reply(reply):
    _output.write(json.dumps(reply) + "\n")
    _output.flush()


def _hello(one):
    can = ["settle"]
    if hasattr(one, "save") and hasattr(one, "load"):
        can.append("save")
    if hasattr(one, "batch"):
        can.append("batch")
    runtime = "Python %s, numpy %s" % (platform.python_version(), np.__version__)
    return {"protocol": PROTOCOL, "library": one.library, "version": one.version, "runtime": runtime, "metrics": list(one.metrics), "can": can}


def _matrix(m):
    # mode "c" is a private mapping: modules that scale vectors in place change their own copy.
    a = np.memmap(m["file"], dtype="<f4", mode="c", offset=m["offset"], shape=(m["rows"], m["dim"]))
    return np.asarray(a)


def _make(one, r):
    vectors = _matrix(r["vectors"]) if r.get("vectors") else None
    settings = r.get("settings") or {}
    args = (vectors, r["metric"], settings, r.get("threads", 1), r.get("seed", 0))
    if r["do"] == "build":
        vectors.sum(dtype=np.float64)  # the pages are in memory before the clock starts
    wall, cpu = time.perf_counter_ns(), time.process_time_ns()
    if r["do"] == "build":
        one.build(*args)
    else:
        one.load(r["path"], *args)
    reply = {"wall_ns": max(1, time.perf_counter_ns() - wall), "cpu_ns": time.process_time_ns() - cpu}
    one.set(settings)
    del vectors, args
    gc.collect()
    gc.freeze()
    gc.disable()  # no collection falls into a search
    return reply


def _search(one, r):
    first, count, k = r.get("first", 0), r["count"], r["k"]
    rows = _matrix(r["queries"])[first : first + count]
    queries = [row.copy() for row in rows]  # some libraries scale a query in place
    times = np.zeros(count, np.int64)
    if r.get("batch"):
        wall, cpu = time.perf_counter_ns(), time.process_time_ns()
        found = one.batch(np.array(rows), k)
        reply = {"wall_ns": max(1, time.perf_counter_ns() - wall), "cpu_ns": time.process_time_ns() - cpu}
        found = list(found)
    else:
        clock, query, found = time.perf_counter_ns, one.query, [None] * count
    if hasattr(one, "run_one") and not r.get("batch"):
        work, spent = time.process_time_ns, 0
        for i in range(count):
            one.prepare_one(queries[i], k)
            cpu, start = work(), clock()
            one.run_one()
            times[i] = clock() - start
            spent += work() - cpu
            found[i] = one.results_one()
        reply = {"wall_ns": max(1, int(times.sum())), "cpu_ns": spent}
    elif not r.get("batch"):
        wall, cpu = clock(), time.process_time_ns()
        for i in range(count):
            q = queries[i]
            start = clock()
            got = query(q, k)
            times[i] = clock() - start
            found[i] = got
        reply = {"wall_ns": max(1, clock() - wall), "cpu_ns": time.process_time_ns() - cpu}
    ids = np.full((count, k), -1, "<i8")
    repeated = extra = 0
    asked = "batch" if r.get("batch") else "query"
    for i, row in enumerate(found):
        row = _signed(row, asked)
        kept = [x for x in dict.fromkeys(row) if x != -1]
        repeated += sum(x != -1 for x in row) - len(kept)
        extra += max(0, len(kept) - k)
        ids[i, : min(k, len(kept))] = kept[:k]
    if len(found) != count:
        raise ValueError("%d queries got %d answers" % (count, len(found)))
    ids.tofile(r["ids"])
    if not r.get("batch"):
        times.astype("<i8").tofile(r["times"])
    if repeated:
        reply["repeated"] = repeated
    if extra:
        reply["extra"] = extra
    return reply


def _signed(row, asked):
    """The ids of a row; the largest number of an unsigned type is how libraries write -1, no answer, in it."""
    if isinstance(row, np.ndarray) and row.dtype.kind == "u" and row.ndim == 1:
        none = np.iinfo(row.dtype).max
        return [-1 if x == none else x for x in row.tolist()]
    given = row
    if hasattr(row, "__iter__") and getattr(row, "ndim", 1) == 1:
        row = list(row)  # a generator may fail of itself
    try:
        ids = [int(x) for x in row] if isinstance(row, list) else None
    except TypeError:
        ids = None
    if ids is None:
        each = "of each query " if asked == "batch" else ""
        raise WrongAnswer("%s must return %sthe k ids in one dimension, not %s" % (asked, each, _kind(given)))
    for i, x in zip(ids, row):
        if i != x:
            raise WrongAnswer(f"{x} is no id of a vector: a {asked} returns whole numbers")
    return ids


def _kind(x):
    """What x is, in words."""
    if isinstance(x, np.ndarray):
        return "an array of shape %s" % (x.shape,)
    if isinstance(x, (list, tuple)):
        return "a %s of %d, the first of which is %s" % (type(x).__name__, len(x), _kind(x[0])) if x else "nothing"
    return "None" if x is None else "one " + type(x).__name__


def _settle():
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (OSError, AttributeError):
        pass  # not glibc: then there is more to weigh
