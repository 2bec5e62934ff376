package external

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"annbench/indexes"
	"annbench/indexes/vec"
)

// A folder as ann-benchmarks has them, with every form of arguments that occurs there.
const foreignConfig = `
float:
  any:
  - base_args: ['@metric', '@dimension']
    constructor: Scan
    disabled: false
    docker_tag: x
    module: ann_benchmarks.algorithms.scan
    name: scan one
    run_groups:
      a: {arg_groups: [{M: [4, 8], ef: 500}], args: {}, query_args: [[10, 20]]}
      b: {args: [[100, 200], x], query_args: [[1, 2], [3]]}
  - base_args: {}
    constructor: Scan
    disabled: true
    docker_tag: x
    module: ann_benchmarks.algorithms.scan
    name: off
    run_groups: {a: {args: [[.nan]]}}
  euclidean:
  - constructor: Scan
    docker_tag: x
    name: only-l2
    run_groups: {a: {args: [[[1, 2.0]]]}}
`

func TestReadConfig(t *testing.T) {
	for _, c := range []struct {
		d      dialect
		metric vec.Metric
		only   string
		want   []string
	}{
		{dialects[0], vec.L2, "", []string{
			`scan-one a [{"M":4,"ef":500}] [10] [20]`, `scan-one a [{"M":8,"ef":500}] [10] [20]`,
			`scan-one b [100,"x"] [1,3] [2,3]`, `scan-one b [200,"x"] [1,3] [2,3]`, `only-l2 a [[1,2.0]] []`,
		}},
		{dialects[0], vec.Cosine, "", []string{
			`scan-one a [{"M":4,"ef":500}] [10] [20]`, `scan-one a [{"M":8,"ef":500}] [10] [20]`,
			`scan-one b [100,"x"] [1,3] [2,3]`, `scan-one b [200,"x"] [1,3] [2,3]`,
		}},
		{dialects[0], vec.Cosine, "off", []string{`off a [NaN] []`}},
	} {
		found, err := readConfig([]byte(foreignConfig), c.d, c.only)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, def := range found[c.metric] {
			for _, g := range def.groups {
				for _, a := range g.args {
					got = append(got, strings.Join(append([]string{def.name, g.name, a}, g.queries...), " "))
				}
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s %q:\n%s\nwant\n%s", c.metric, c.only, strings.Join(got, "\n"), strings.Join(c.want, "\n"))
		}
	}
	if _, err := readConfig([]byte(foreignConfig), dialects[0], "other"); err == nil || !strings.Contains(err.Error(), `no definition called "other": there are scan-one, off`) {
		t.Error(err)
	}
	// VIBE passes the values of a dictionary.
	found, err := readConfig([]byte("float: {any: [{name: x, constructor: X, run_groups: {a: {args: {M: [4, 8], ef: 5}, query_args: {e: [1, 2]}}}}]}"), dialects[1], "")
	if err != nil {
		t.Fatal(err)
	}
	g := found[vec.L2][0].groups[0]
	if !slices.Equal(g.args, []string{"[4,5]", "[8,5]"}) || !slices.Equal(g.queries, []string{"[1]", "[2]"}) {
		t.Error(g)
	}
}

// foreignModule scales what it is given in place, prints, writes into the working directory, and returns
// too many ids, one of them twice, some -1.
const foreignModule = `
import numpy
from ..base.module import BaseANN

class Scan(BaseANN):
    def __init__(self, metric, dim, *more):
        assert metric in ("euclidean", "angular") and dim == 8, (metric, dim)
        self.cosine = metric == "angular"

    def fit(self, X):
        print("fitting")
        open("left-behind", "w").write("x")
        if self.cosine:
            X /= numpy.linalg.norm(X, axis=1, keepdims=True)
        self.X = X

    def set_query_arguments(self, *a):
        self.a = a

    def query(self, q, k):
        if self.cosine:
            q /= numpy.linalg.norm(q)
        ids = list(numpy.argsort(((self.X - q) ** 2).sum(1), kind="stable")[: k + 3])
        return [ids[0], *ids, -1]
`

func TestForeignFolder(t *testing.T) {
	python, err := exec.LookPath("python3")
	if p := os.Getenv(PythonVariable); p != "" {
		python = p
	} else if err != nil {
		t.Skip("no python3 in PATH")
	}
	if exec.Command(python, "-c", "import numpy").Run() != nil {
		t.Skipf("%s has no numpy; set %s to one that has", python, PythonVariable)
	}
	t.Setenv(PythonVariable, python)
	t.Setenv("ANNBENCH_CACHE", t.TempDir())
	folder := filepath.Join(t.TempDir(), "ann_benchmarks", "algorithms", "scan")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"config.yml": foreignConfig, "module.py": foreignModule} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	family, err := Lookup("ann-benchmarks:"+folder, ".")
	if err != nil || family.Missing != "" {
		t.Fatal(err, family)
	}
	base, queries := testVectors(200, 8), testVectors(20, 8)
	for _, metric := range []vec.Metric{vec.L2, vec.Cosine} {
		before := slices.Clone(base.Data)
		ix, err := family.OpenChecked(t.Context(), indexes.BuildInput{Vectors: base, Metric: metric})
		if err != nil {
			t.Fatal(err)
		}
		if err := ix.(indexes.Tuner).Tune(indexes.Params{"query_args": "[1,3]"}); err != nil {
			t.Error(err)
		}
		var b indexes.Block
		if err := ix.(indexes.Timed).SearchTimed(&b, queries, 0, 20, checkK, false); err != nil {
			t.Fatal(err)
		}
		if got := agreement(exact(base, queries, metric), b.IDs); got != 1 {
			t.Errorf("%s: %v of the exact neighbours", metric, got)
		}
		if b.Repeated != 20 || b.Extra != 60 {
			t.Errorf("%s: %d ids repeated, %d too many", metric, b.Repeated, b.Extra)
		}
		if !slices.Equal(base.Data, before) {
			t.Errorf("%s: the vectors were changed", metric)
		}
		if err := ix.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat("left-behind"); err == nil {
		t.Error("it wrote into our working directory")
	}
}

// foreignFolder writes a folder of ann-benchmarks and looks it up; it skips t where Python lacks a package.
func foreignFolder(t *testing.T, config, module string, packages ...string) *indexes.Family {
	t.Helper()
	python := os.Getenv(PythonVariable)
	if python == "" {
		python = "python3"
	}
	for _, p := range append([]string{"numpy"}, packages...) {
		if exec.Command(python, "-c", "import "+p).Run() != nil {
			t.Skipf("%s has no %s; set %s to one that has", python, p, PythonVariable)
		}
	}
	t.Setenv(PythonVariable, python)
	t.Setenv("ANNBENCH_CACHE", t.TempDir())
	folder := filepath.Join(t.TempDir(), "ann_benchmarks", "algorithms", "lib")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"config.yml": config, "module.py": module} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	family, err := Lookup("ann-benchmarks:"+folder, ".")
	if err != nil || family.Missing != "" {
		t.Fatal(err, family)
	}
	return family
}

// What a folder imports through the one beside it is looked for, too.
func TestImportsOfSiblings(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{
		"faiss":      "import faiss\nimport sklearn.preprocessing\nfrom ..base.module import BaseANN\nfrom ..faiss_hnsw.module import X\n",
		"faiss_hnsw": "", "base": "import docker\n",
	} {
		if err := os.MkdirAll(filepath.Join(root, name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, name, "module.py"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got := importsOf(filepath.Join(root, "faiss_hnsw"), dialects[0], "import numpy\nfrom ..faiss.module import Faiss\nfrom ..gone.module import Y\n", map[string]bool{})
	if want := []string{"numpy", "faiss", "sklearn"}; !slices.Equal(got, want) {
		t.Errorf("%v, not %v", got, want)
	}
}

// A folder whose first arguments are of another metric than the one checked, whose groups differ in the
// number of arguments of a query, whose answers are short and filled up with the largest uint32, and whose
// batch search fails.
const awkwardConfig = `
float:
  euclidean:
  - {constructor: A, name: first, base_args: ['@metric'], run_groups: {a: {args: [[1]], query_args: [[5]]}}}
  angular:
  - {constructor: A, name: second, base_args: ['@metric'], run_groups: {a: {args: [[2]], query_args: [[6], [7, 8]]}}}
`

const awkwardModule = `
import numpy
from ..base.module import BaseANN

class A(BaseANN):
    def __init__(self, metric, first):
        assert (metric, first) in (("euclidean", 1), ("angular", 2))
        self.count = first

    def fit(self, X):
        pass

    def set_query_arguments(self, *a):
        assert len(a) == self.count, a

    def query(self, q, k):
        ids = numpy.full(k, -1, "i8").astype("u4")
        ids[:4] = [3, 1, 4, 2]
        return ids

    def batch_query(self, X, k):
        raise ValueError("no batches")
`

func TestForeignAwkward(t *testing.T) {
	family := foreignFolder(t, awkwardConfig, awkwardModule)
	for _, metric := range []vec.Metric{vec.L2, vec.Cosine} {
		found, err := Check(t.Context(), family, metric)
		if err != nil {
			t.Fatalf("%s: %v", metric, err)
		}
		if found.Batch == nil || !regexp.MustCompile(`ValueError: no batches \(\S+/module\.py, line 22, in batch_query\)$`).MatchString(found.Batch.Error()) {
			t.Errorf("%s: its batch search: %v", metric, found.Batch)
		}
	}
	// Arguments alone, as a sweep that narrows only these: the query's are those of their own group.
	ix, err := family.OpenChecked(t.Context(), indexes.BuildInput{Vectors: testVectors(20, 8), Metric: vec.Cosine, Params: indexes.Params{"args": "second:[2]"}})
	if err != nil {
		t.Fatal(err)
	}
	defer ix.Close()
	var b indexes.Block
	if err := ix.(indexes.Timed).SearchTimed(&b, testVectors(1, 8), 0, 1, 6, false); err != nil {
		t.Fatal(err)
	}
	if want := []int32{3, 1, 4, 2, -1, -1}; !slices.Equal(b.IDs, want) {
		t.Errorf("%v, not %v", b.IDs, want)
	}
	if _, err := family.OpenChecked(t.Context(), indexes.BuildInput{Vectors: testVectors(20, 8), Metric: vec.L2, Params: indexes.Params{"args": "second:[2]"}}); err == nil || !strings.Contains(err.Error(), "config.yml has no args second:[2] under the metric l2") {
		t.Error(err)
	}
}

func TestAgreementOfShortAnswers(t *testing.T) {
	want, got := slices.Repeat([]int32{-1}, 2*checkK), slices.Repeat([]int32{-1}, 2*checkK)
	want[0], want[1], got[0] = 7, 8, 7
	if a := agreement(want, got); a != 0.5 {
		t.Errorf("%v, not 0.5", a)
	}
	if a := agreement(got, want); a != 1 {
		t.Errorf("%v, not 1", a)
	}
}

// TestForeignByHand compares a folder's answers with those of its library, called by hand with the same settings.
func TestForeignByHand(t *testing.T) {
	const rows, dim, count = 1000, 16, 50
	for _, c := range []struct{ library, build, tune, query string }{
		{
			"hnswlib", "p = hnswlib.Index(space='l2', dim=16); p.init_index(max_elements=len(X), ef_construction=100, M=arg); p.set_num_threads(1); p.add_items(X, numpy.arange(len(X)), num_threads=1)",
			"p.set_ef(arg)", "p.knn_query(q[None], k=10)[0][0]",
		},
		{
			// An index of annoy takes no attributes of its own.
			"annoy", "import types; i = annoy.AnnoyIndex(16, 'euclidean'); [i.add_item(n, x.tolist()) for n, x in enumerate(X)]; i.build(arg, 1); p = types.SimpleNamespace(index=i)",
			"p.search_k = arg", "p.index.get_nns_by_vector(q.tolist(), 10, p.search_k)",
		},
		{
			"faiss", "p = faiss.IndexIVFFlat(faiss.IndexFlatL2(16), 16, arg); faiss.omp_set_num_threads(1); p.train(X); p.add(X)",
			"p.nprobe = arg", "p.search(q[None], 10)[1][0]",
		},
	} {
		t.Run(c.library, func(t *testing.T) {
			module := "import numpy, " + c.library + "\nfrom ..base.module import BaseANN\nclass A(BaseANN):\n" +
				"    def __init__(self, arg):\n        self.arg = arg\n" +
				"    def fit(self, X):\n        arg = self.arg\n        " + c.build + "\n        self.p = p\n" +
				"    def set_query_arguments(self, arg):\n        p = self.p\n        " + c.tune + "\n" +
				"    def query(self, q, k):\n        p = self.p\n        return " + c.query + "\n"
			family := foreignFolder(t, "float: {any: [{constructor: A, name: a, run_groups: {a: {args: [[8]], query_args: [[3, 12]]}}}]}", module, c.library)
			base, queries := testVectors(rows, dim), testVectors(count, dim)
			ix, err := family.OpenChecked(t.Context(), indexes.BuildInput{Vectors: base, Metric: vec.L2})
			if err != nil {
				t.Fatal(err)
			}
			defer ix.Close()
			if err := ix.(indexes.Tuner).Tune(indexes.Params{"query_args": "[12]"}); err != nil {
				t.Fatal(err)
			}
			var b indexes.Block
			if err := ix.(indexes.Timed).SearchTimed(&b, queries, 0, count, checkK, false); err != nil {
				t.Fatal(err)
			}
			hand := "import numpy, sys, " + c.library + "\n" +
				"X, Q = (numpy.fromfile(f, '<f4').reshape(-1, 16) for f in sys.argv[1:3])\narg = 8\n" + c.build + "\narg = 12\n" + c.tune + "\n" +
				"numpy.array([" + c.query + " for q in Q]).astype('<i4').tofile(sys.argv[3])\n"
			dir := t.TempDir()
			var files []string
			for i, m := range []vec.Matrix{base, queries} {
				var raw bytes.Buffer
				if err := binary.Write(&raw, binary.LittleEndian, m.Data); err != nil {
					t.Fatal(err)
				}
				files = append(files, filepath.Join(dir, strconv.Itoa(i)))
				if err := os.WriteFile(files[i], raw.Bytes(), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			files = append(files, filepath.Join(dir, "ids"))
			if out, err := exec.Command(os.Getenv(PythonVariable), append([]string{"-c", hand}, files...)...).CombinedOutput(); err != nil {
				t.Fatalf("by hand: %v\n%s", err, out)
			}
			raw, err := os.ReadFile(files[2])
			if err != nil {
				t.Fatal(err)
			}
			want := make([]int32, count*checkK)
			if err := binary.Read(bytes.NewReader(raw), binary.LittleEndian, want); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(b.IDs, want) {
				t.Errorf("%.3f of the ids are those of the library called by hand", agreement(want, b.IDs))
			}
		})
	}
}

// Where single queries have too few answers, the batch is not blamed.
func TestSameBatch(t *testing.T) {
	whole, half, other := make([]int32, 2*checkK), make([]int32, 2*checkK), make([]int32, 2*checkK)
	for i := range whole {
		whole[i], half[i], other[i] = int32(i), int32(i), int32(i+100)
		if i%checkK >= 5 {
			half[i] = -1
		}
	}
	for _, c := range []struct {
		alone, batch []int32
		want         string
	}{
		{whole, whole, ""},
		{half, whole, "its answers to single queries are shorter than those of its batch: query 0 has 5 of 10 ids alone, and 10 in the batch"},
		{whole, other, "its batch search gives other answers than one search after another: 0 % are the same"},
	} {
		if err := sameBatch(c.alone, c.batch); (err == nil) != (c.want == "") || err != nil && err.Error() != c.want {
			t.Errorf("%v, not %q", err, c.want)
		}
	}
}

// What modules import from distance and util of ann-benchmarks is there.
func TestForeignDistances(t *testing.T) {
	foreignFolder(t, awkwardConfig, awkwardModule) // the Python that has numpy, and a cache of its own
	home, err := Home()
	if err != nil {
		t.Fatal(err)
	}
	sdk, err := unpackSDK(home)
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(t.TempDir(), "lib")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	const module = `
import sys
import numpy as np
from ...distance import compute_distance, euclidean, is_distance_valid, jaccard, metrics, norm
from ...util import get_bool_env_var

a, b = np.array([3.0, 0.0]), np.array([0.0, 4.0])
assert compute_distance("euclidean", a, b) == euclidean(a, b) == norm(a - b) == 5
assert compute_distance("angular", a, b) == metrics["angular"].distance(a, b) == 1
assert compute_distance("hamming", np.array([1, 0, 1, 1]), np.array([1, 1, 0, 1])) == 0.5
assert jaccard([1, 2, 3], [2, 3, 4]) == 0.5 and jaccard([], [1]) == 0
assert compute_distance("jaccard", [1], [2]) == 1 and not is_distance_valid("jaccard", 1) and is_distance_valid("jaccard", 0.5)
try:
    compute_distance("none", a, b)
    assert False
except KeyError:
    pass
assert get_bool_env_var("ANNBENCH_NOT_SET", True) and not get_bool_env_var("ANNBENCH_NOT_SET", False)
print("all is there", file=sys.stderr)
`
	if err := os.WriteFile(filepath.Join(folder, "module.py"), []byte(module), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Getenv(PythonVariable), filepath.Join(sdk, foreignProgram), folder, "ann_benchmarks")
	cmd.Stdin = strings.NewReader(`{"do": "hello"}` + "\n") // which imports the module
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "all is there") {
		t.Errorf("%v: %s", err, out)
	}
}

// A Python that is not there is named.
func TestNoSuchPython(t *testing.T) {
	t.Setenv("ANNBENCH_CACHE", t.TempDir())
	t.Setenv(PythonVariable, "/nonexist/python")
	var f Family
	if got, want := f.foreignRun(t.TempDir(), dialects[0], "import numpy\n"), "ANNBENCH_PYTHON names /nonexist/python, which is no program that can be run"; !strings.HasPrefix(got, want) {
		t.Errorf("%q, not %q", got, want)
	}
}
