package external

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"annbench/indexes"
	"annbench/indexes/vec"
)

// memoryRows × memoryDim numbers are 16 MiB: more than a processor keeps the places of to itself.
const memoryRows, memoryDim = 65536, 64

// heldAfterSearch builds, or builds, saves and loads, searches, and weighs.
func heldAfterSearch(t *testing.T, f *indexes.Family, load bool) (held int64, doubts []string) {
	t.Helper()
	base, queries := testVectors(memoryRows, memoryDim), testVectors(5, memoryDim)
	dir := t.TempDir()
	ix, err := f.OpenChecked(t.Context(), indexes.BuildInput{Vectors: base, Metric: vec.L2, Scratch: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { ix.Close() }()
	if load {
		path := filepath.Join(t.TempDir(), "index")
		if err := ix.(indexes.Saver).Save(path); err != nil {
			t.Fatal(err)
		}
		ix.Close()
		if ix, err = f.Load(path, indexes.BuildInput{Metric: vec.L2, Vectors: base, Scratch: dir}); err != nil {
			t.Fatal(err)
		}
	}
	var b indexes.Block
	if err := ix.(indexes.Timed).SearchTimed(&b, queries, 0, queries.Rows, 10, false); err != nil {
		t.Fatal(err)
	}
	held, doubts, ok := ix.(indexes.Weighed).Held()
	if !ok {
		t.Skip("this system does not say what a process holds")
	}
	return held, doubts
}

// between fails t where held is not from least to most times the bytes of the vectors.
func between(t *testing.T, held int64, least, most float64) {
	t.Helper()
	const vectors = 4 * memoryRows * memoryDim
	if times := float64(held) / vectors; times < least || times > most {
		t.Errorf("it holds %d bytes, %.2f times the vectors; want %.1f to %.1f", held, times, least, most)
	}
}

// The vectors count where a program searches them in the file that it was handed, and count once where it has a copy.
func TestMemoryOfKeptVectors(t *testing.T) {
	for _, fault := range []string{"", "copies"} {
		for _, load := range []bool{false, true} {
			held, doubts := heldAfterSearch(t, testFamily(t, fault), load)
			between(t, held, 1, 1.5)
			checkDoubts(t, doubts, fault == "" && load, "the size of the saved index does not")
		}
	}
}

const keepingYAML = `protocol: 1
name: keeping
library: numpy
licence: MIT
doc: Exact search, for tests.
approach: exact
caller: Python
metrics: [l2]
exact: true
save: true
run: [PYTHON, family.py]
build:
  - {name: keeps, kind: word, default: handed, words: [handed, copy, saved, shared, child, read], doc: what is searched}
`

const keepingProgram = `
import os
import subprocess
import sys

import annbench_family as annbench
import numpy as np
from multiprocessing import shared_memory


class Keeping(annbench.Family):
    library, version, metrics = "numpy", np.__version__, ["l2"]

    def build(self, vectors, metric, settings, threads, seed):
        self.take(vectors, settings["keeps"], "vectors.npy")

    def take(self, vectors, keeps, path):
        if keeps == "handed":
            self.vectors = vectors
        elif keeps == "copy":
            self.vectors = np.array(vectors)
        elif keeps == "saved":  # in the working directory, or where the index was saved
            if not os.path.exists(path):
                np.save(path, vectors)
            self.vectors = np.load(path, mmap_mode="r")
        elif keeps == "shared":
            self.memory = shared_memory.SharedMemory(create=True, size=vectors.nbytes)
            self.vectors = np.ndarray(vectors.shape, np.float32, self.memory.buf)
            self.vectors[:] = vectors
        elif keeps == "child":
            self.vectors = vectors[:0]
            np.save("child.npy", vectors)
            self.child = subprocess.Popen([sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        elif keeps == "read":
            self.vectors = self.file = open(vectors.base.filename, "rb")
            self.dim = vectors.shape[1]

    def query(self, q, k):
        if hasattr(self, "file"):
            return self.read(q, k)
        if len(self.vectors) == 0:
            self.child.stdin.write(np.int64(k).tobytes() + q.tobytes())
            self.child.stdin.flush()
            return np.frombuffer(self.child.stdout.read(8 * k), np.int64)
        d = ((self.vectors - q) ** 2).sum(1)
        near = np.argpartition(d, k)[:k]
        return near[np.argsort(d[near])]

    def read(self, q, k):  # a few rows at a time, as an index on a disk does
        self.file.seek(0)
        d = []
        while True:
            rows = np.fromfile(self.file, np.float32, 1000 * self.dim)
            if not len(rows):
                break
            d.append(((rows.reshape(-1, self.dim) - q) ** 2).sum(1))
        return np.argsort(np.concatenate(d), kind="stable")[:k]

    def save(self, folder):
        if not hasattr(self, "file") and len(self.vectors):
            np.save(os.path.join(folder, "vectors.npy"), self.vectors)

    def load(self, folder, vectors, metric, settings, threads, seed):
        self.take(vectors, settings["keeps"], os.path.join(folder, "vectors.npy"))

    def done(self):
        if hasattr(self, "memory"):
            self.memory.unlink()
        if hasattr(self, "child"):
            self.child.kill()


CHILD = """
import sys
import numpy as np

vectors = np.load("child.npy", mmap_mode="c")
while True:
    head = sys.stdin.buffer.read(8)
    if not head:
        break
    k, q = int(np.frombuffer(head, np.int64)[0]), np.frombuffer(sys.stdin.buffer.read(4 * vectors.shape[1]), np.float32)
    d = ((vectors - q) ** 2).sum(1)
    near = np.argpartition(d, k)[:k]
    sys.stdout.buffer.write(near[np.argsort(d[near])].astype(np.int64).tobytes())
    sys.stdout.buffer.flush()
"""

annbench.main(Keeping)
`

// A family in Python holds its vectors, wherever it keeps them.
func TestMemoryOfPython(t *testing.T) {
	python := numpyPython(t)
	t.Setenv("ANNBENCH_CACHE", t.TempDir())
	dir := t.TempDir()
	for name, text := range map[string]string{File: strings.Replace(keepingYAML, "PYTHON", python, 1), "family.py": keepingProgram} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, keeps := range []string{"handed", "copy", "saved", "shared", "child", "read"} {
		for _, load := range []bool{false, true} {
			family, err := Lookup(dir, ".")
			if err != nil || family.Missing != "" {
				t.Fatal(err, family)
			}
			family.Build[0].Default = keeps
			t.Run(keeps+map[bool]string{false: ", built", true: ", loaded"}[load], func(t *testing.T) {
				held, doubts := heldAfterSearch(t, family, load)
				if keeps == "read" { // not known, and so said
					checkDoubts(t, doubts, true, "has the file of the vectors open")
					return
				}
				most := 1.9 // what numpy keeps beside them comes on top
				if keeps == "child" {
					most = 8 // and another Python
				}
				between(t, held, 1, most)
				checkDoubts(t, doubts, keeps == "handed" && load, "the size of the saved index does not")
			})
		}
	}
}

// checkDoubts fails t unless doubts are one that holds text, or none where there should be none.
func checkDoubts(t *testing.T, doubts []string, some bool, text string) {
	t.Helper()
	if some != (len(doubts) == 1 && strings.Contains(doubts[0], text)) || !some && len(doubts) > 0 {
		t.Errorf("doubts %q", doubts)
	}
}
