package external

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"annbench/indexes"
	"annbench/indexes/vec"
)

// numpyPython is a Python that has numpy; without one t is skipped.
func numpyPython(t *testing.T) string {
	t.Helper()
	for _, python := range []string{os.Getenv(PythonVariable), "python3", "/usr/bin/python3"} {
		if path, err := exec.LookPath(python); err == nil && exec.Command(path, "-c", "import numpy").Run() == nil {
			return path
		}
	}
	t.Skipf("no Python has numpy; set %s to one that has", PythonVariable)
	return ""
}

// pythonFamily is a family whose program is text.
func pythonFamily(t *testing.T, text string) (family *indexes.Family, file string) {
	t.Helper()
	python := numpyPython(t)
	t.Setenv("ANNBENCH_CACHE", t.TempDir())
	dir := t.TempDir()
	for name, text := range map[string]string{
		File:        "protocol: 1\nname: mine\nlibrary: x\nlicence: MIT\ndoc: For tests.\napproach: exact\ncaller: Python\nmetrics: [l2]\nrun: [" + python + ", family.py]\n",
		"family.py": text, "beside.py": "import json\n\n\ndef fails():\n    json.loads('{')\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	family, err := Lookup(dir, ".")
	if err != nil || family.Missing != "" {
		t.Fatal(err, family)
	}
	return family, filepath.Join(dir, "family.py")
}

// What goes wrong in an author's program is in the first line of the error, with its file and line, wherever below it
// it was raised.
func TestPythonErrors(t *testing.T) {
	const whole = `import annbench_family as annbench
import beside
import numpy as np


class Mine(annbench.Family):
    def build(self, vectors, metric, settings, threads, seed):
        BUILD

    def query(self, q, k):
        QUERY


annbench.main(Mine)
`
	// A program that replied may not have written its last words yet; one that ended has.
	for _, c := range []struct{ build, query, replaces, with, want string }{
		{"np.zeros(3).reshape(2, 2)", "pass", "", "", "mine: ValueError: cannot reshape array of size 3 into shape (2,2) (FILE, line 8, in build)"},
		{"pass", "return self.index.search(q)", "", "", "searching mine: AttributeError: 'Mine' object has no attribute 'index' (FILE, line 11, in query)"},
		{"beside.fails()", "pass", "", "", "(BESIDE, line 5, in fails)"},
		{"pass", "pass", "", "", "searching mine: query must return the k ids in one dimension, not None"},
		{"pass", "return np.zeros((1, k), int)", "", "", "searching mine: query must return the k ids in one dimension, not an array of shape (1, 3)"},
		{"pass", "return np.zeros((1, k), np.uint32)", "", "", "searching mine: query must return the k ids in one dimension, not an array of shape (1, 3)"},
		{"pass", "return np.zeros(k, int), np.zeros(k)", "", "", "searching mine: query must return the k ids in one dimension, not a tuple of 2, the first of which is an array of shape (3,)"},
		{"pass", "return (len(x) for x in [1])", "", "", "searching mine: TypeError: object of type 'int' has no len() (FILE, line 11, in <genexpr>)"},
		{"pass", "return np.arange(k) + 0.5", "", "", "searching mine: 0.5 is no id of a vector: a query returns whole numbers"},
		{"pass", "pass", "import beside", "import nowhere", "it ended with exit code 1 when asked to hello, without a reply: ModuleNotFoundError: No module named 'nowhere' (FILE, line 2); its last words:"},
		{"pass", "pass", "def query(", "def query((", "SyntaxError: "},
		{"pass", "pass", "import beside", "import beside; beside.fails()", "JSONDecodeError: Expecting property name enclosed in double quotes: line 1 column 2 (char 1) (BESIDE, line 5); its"},
	} {
		text := strings.NewReplacer("BUILD", c.build, "QUERY", c.query).Replace(whole)
		family, file := pythonFamily(t, strings.Replace(text, c.replaces, c.with, 1))
		ix, err := family.OpenChecked(t.Context(), indexes.BuildInput{Vectors: testVectors(20, 8), Metric: vec.L2})
		if err == nil {
			var b indexes.Block
			err = ix.(indexes.Timed).SearchTimed(&b, testVectors(1, 8), 0, 1, 3, false)
			ix.Close()
		}
		want := strings.NewReplacer("FILE", file, "BESIDE", filepath.Join(filepath.Dir(file), "beside.py")).Replace(c.want)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s, %s, %s:\n%v\nwant %s", c.build, c.query, c.with, err, want)
		}
	}
}

// A family without any setting works, and what goes wrong in one is printed once: the program's last words go to
// standard error alone.
func TestCheckOfPython(t *testing.T) {
	const whole = `import annbench_family as annbench
import numpy as np


class Mine(annbench.Family):
    def build(self, vectors, metric, settings, threads, seed):
        self.vectors = np.array(vectors)

    def query(self, q, k):
        return np.argsort(((self.vectors - q) ** 2).sum(1))[:k]


annbench.main(Mine)
`
	for _, c := range []struct{ text, want string }{
		{whole, "mine, l2: works: "},
		{strings.Replace(whole, "[:k]", "[:k] + 1", 1), "mine, l2: its ids are off by 1 in every answer: ids are row numbers of the vectors, from 0"},
		{strings.Replace(whole, "annbench.main(Mine)", `Mine.version = "1\x1b[2J\n2"`+"\nannbench.main(Mine)", 1), `1\x1b[2J\n2`},
		{strings.Replace(whole, "import numpy", "import nowhere", 1), "No module named 'nowhere' ("},
	} {
		family, _ := pythonFamily(t, c.text)
		var out strings.Builder
		if _, err := CheckAll(t.Context(), []string{family.Folder}, ".", "", &out); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), c.want) || strings.Count(out.String(), "\n") != 1 || strings.Contains(out.String(), "last words") {
			t.Errorf("%q, not one line with %q", out.String(), c.want)
		}
	}
}
