package external

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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
