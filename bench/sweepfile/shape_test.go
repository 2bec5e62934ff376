package sweepfile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFormsAreNamedInOurWords has what people write by mistake: each message has at most three lines, says what to
// do, and has no word of a library in it.
func TestFormsAreNamedInOurWords(t *testing.T) {
	const data, flat = "data: {synthetic: {n: 10}}\n", "families: [{family: flat}]\n"
	for text, want := range map[string]string{
		"data: {synthetic: {n: 10, queries: 5}}\n" + flat:                "belongs to the outermost level",
		"images: x\n" + flat:                                             "belongs under data",
		data + flat + "---\nk: 3\n":                                      "second document",
		data + "k: 016\n" + flat:                                         "write 16",
		data + "name: 007\n" + flat:                                      `takes 007 for 7: write "007" in quotes`,
		data + "name: 1.10\n" + flat:                                     `takes 1.10 for 1.1: write "1.10" in quotes`,
		data + "name: 1_000\n" + flat:                                    `write "1_000" in quotes`,
		data + "name: 0x10\n" + flat:                                     `write "0x10" in quotes`,
		data + "name: True\n" + flat:                                     `write "True" in quotes`,
		"data: {vectors: x.csv, columns: {labels: 007}}\n" + flat:        `labels: YAML takes 007 for 7`,
		"data: {vectors: x.csv, columns: {labels: 1.0}}\n" + flat:        `labels: YAML takes 1.0 for 1`,
		"data: {rendered: {}, batch: 016}\n" + flat:                      `takes 016 for 14`,
		data + "repetitions: 0\n" + flat:                                 "repetitions must not be 0",
		data + "queries: 0\n" + flat:                                     "queries must not be 0",
		data + "threads: 0\n" + flat:                                     "threads must not be 0",
		data + "seed: 0\n" + flat:                                        "seed must not be 0",
		data + "measure: 0s\n" + flat:                                    "measure must not be 0s",
		data + "k: []\n" + flat:                                          "k has an empty list",
		data + "modes: []\n" + flat:                                      "modes has an empty list",
		data + "gallery: 0\n" + flat:                                     "gallery must not be 0: -1 is none",
		data + "gallery: -5\n" + flat:                                    "or -1 for none",
		"data: {synthetic: {n: 10, dim: 0}}\n" + flat:                    "dim must not be 0",
		data + "prune: yes\n" + flat:                                     "write true",
		data + "prune: maybe\n" + flat:                                   "true or false",
		"data:\n  synthetic:\n    n: 1,000\n" + flat:                     "write 1000",
		"data: {synthetic: {n: 10.5}}\n" + flat:                          "not a whole number",
		data + "queries: 1.5\n" + flat:                                   "not a whole number",
		"data: x.npy\n" + flat:                                           "data is a mapping",
		"data: [x.npy]\n" + flat:                                         "data is a mapping",
		data + "families: flat\n":                                        "families is a list",
		data + "families: [flat]\n":                                      "like {family: ...}",
		data + "families: [{family: flat, build: 3}]\n":                  "build is a mapping",
		data + "families: [{family: forest, build: {trees: {a: 1}}}]\n":  "one value",
		data + "families: [{family: forest, build: {trees: \"16\"}}]\n":  "write 16",
		data + "families: [{family: forest, build: {trees: 016}}]\n":     "write 16",
		data + "k: {a: 1}\n" + flat:                                      "one value",
		data + "k: [[1]]\n" + flat:                                       "one value",
		data + "k: many\n" + flat:                                        "not a whole number",
		"- a\n- b\n":                                                     "mapping of keys",
		"just text\n":                                                    "mapping of keys",
		"data: {synthetic: {n: 10}\nfamilies: [\n":                       "a comma or } is missing before this",
		"name: a\nname: b\n":                                             "already defined",
		"data: *x\n":                                                     "alias",
		"name: [a]\n":                                                    "one value",
		"seed: -1\n":                                                     "at least 0",
		"seed: 99999999999999999999\n":                                   "too large",
		"threads: 99999999999999999999\n":                                "too large",
		"rates: [a]\n":                                                   "not a number",
		"data: !!binary x\n":                                             "mapping of keys",
		"data: {vectors: \"a\n":                                          "double-quoted",
		data + "families:\n  - <<: 3\n    family: flat\n":                "<< takes",
		data + "name: " + strings.Repeat("x/", 5000) + "\n" + flat:       "folder",
		"data: {synthetic: {n: 10}, device_options: {cuda: 3}}\n" + flat: "mapping of names",
		"data: {rendered: {}, batch: [1]}\n" + flat:                      "one value",
		"\xff\xfed\x00":                                                  "save it as UTF-8",
		data + "name: caf\xe9\n" + flat:                                  "x.yaml:2: it is no UTF-8",
		"\x93NUMPY\x01\x00":                                              "use --data",
	} {
		_, err := Parse("x.yaml", []byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80q: %v, want %q", text, err, want)
			continue
		}
		if n := strings.Count(err.Error(), "\n"); n > 2 {
			t.Errorf("%.80q: %d lines", text, n+1)
		}
		for _, word := range []string{"cannot unmarshal", "was used where", "mapping is expected", "uint64", "int64", "float64", "map[", "Go value", "sequence", "struct", "reflect", "panic"} {
			if strings.Contains(err.Error(), word) {
				t.Errorf("%.80q: %v has the library's word %q", text, err, word)
			}
		}
	}
}

func TestNamesInQuotesStandAsWritten(t *testing.T) {
	for written, want := range map[string]string{`"007"`: "007", `"1.10"`: "1.10", "2024": "2024", "1.5": "1.5", "true": "true"} {
		s, err := Parse("x.yaml", []byte("data: {synthetic: {n: 10}}\nname: "+written+"\nfamilies: [{family: flat}]\n"))
		if err != nil || s.Name != want {
			t.Errorf("%s: %v, %+v, want %q", written, err, s, want)
		}
	}
}

func TestVectorsAreNoSweepFile(t *testing.T) {
	for _, name := range []string{"x.npy", "x.fvecs", "x.csv"} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte("1,2\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(path); err == nil || !strings.Contains(err.Error(), "use --data "+path) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestMergedKeysAreOverridden has each way of <<.
func TestMergedKeysAreOverridden(t *testing.T) {
	const head = "data: {synthetic: {n: 10}}\nfamilies:\n  - &h\n    family: forest\n    build: &b {trees: 16}\n"
	for text, want := range map[string]any{
		"  - <<: *h\n":                                 16,
		"  - <<: *h\n    build: {trees: 32}\n":         32,
		"  - build: {trees: 32}\n    <<: *h\n":         32,
		"  - <<: [*h]\n    build: {trees: 32}\n":       32,
		"  - family: forest\n    build: {<<: *b}\n":    16,
		"  - <<: *h\n    build: {<<: *b, trees: 32}\n": 32,
		"  - <<: *h\n    build: &c {trees: 32}\n":      32,
	} {
		s, err := Parse("x.yaml", []byte(head+text))
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		a, b := s.Families[0].Build["trees"], s.Families[1].Build["trees"]
		if len(a) != 1 || len(b) != 1 || trees(a[0]) != 16 || trees(b[0]) != want {
			t.Errorf("%q: %v and %v, want 16 and %v", text, a, b, want)
		}
	}
}

func trees(v any) int {
	switch v := v.(type) {
	case int:
		return v
	case int64:
		return int(v)
	case uint64:
		return int(v)
	}
	return -1
}

// TestCases has the cases Y1, a byte order mark, and Y3, a key beside << that overrides the merged one.
func TestCases(t *testing.T) {
	const cases = "../../testdata/foreign/cases/"
	s, err := Read(cases + "Y1/y_bom.yaml")
	if err != nil || len(s.Families) != 1 || s.Metric[0] != "l2" {
		t.Errorf("Y1: %+v, %v", s, err)
	}
	s, err = Read(cases + "Y3/y_merge_seq.yaml")
	if err != nil {
		t.Fatalf("Y3: %v", err)
	}
	a, b := s.Families[0], s.Families[1]
	if trees(a.Build["M"][0]) != 16 || trees(b.Build["M"][0]) != 32 || b.Family != "hnsw-faiss" {
		t.Errorf("Y3: %+v and %+v", a, b)
	}
}
