package bench

import (
	"strings"
	"testing"

	"annbench/bench/metric"
	"annbench/bench/record"
)

// A sweep over transforms: each is measured, against the vectors as they were; what keeps distances loses nothing, what
// drops most of them does; and only search of the vectors as they are is called exact.
func TestTransforms(t *testing.T) {
	s := testSweep(t, "\n- family: flat\n")
	s.Data.Transform = []string{"none", "pca:24", "pca:4", "first:4", "fp16", "int8", "binary"}
	r := testRun(t, testSet(t, 600, 24, 50), s)
	sum, err := r.Do(t.Context())
	if err != nil || sum.Failed() > 0 {
		t.Fatal(err, sum)
	}
	recall, bytes := map[string]float64{}, map[string]float64{}
	for _, rec := range readRecords(t, r.Out) {
		if rec.Cell.K != s.K[0] || rec.Rep != 0 {
			continue
		}
		recall[rec.Cell.Transform], bytes[rec.Cell.Transform] = rec.Values[metric.Recall], rec.Values[metric.Analytic]
		if rec.Exact != (rec.Cell.Transform == "") {
			t.Errorf("%q is called exact: %v", rec.Cell.Transform, rec.Exact)
		}
	}
	if len(recall) != len(s.Data.Transform) {
		t.Fatalf("measured %v", recall)
	}
	for name, least := range map[string]float64{"": 1, "pca:24": .99, "fp16": .98, "int8": .9} {
		if recall[name] < least {
			t.Errorf("%q: recall %v, want %v at least", name, recall[name], least)
		}
	}
	for _, name := range []string{"pca:4", "first:4", "binary"} {
		if x := recall[name]; x <= 0 || x > .95 {
			t.Errorf("%s of 24 dimensions: recall %v", name, x)
		}
	}
	if bytes["pca:4"] >= bytes[""]/2 {
		t.Errorf("4 components of 24 take %v bytes, all %v", bytes["pca:4"], bytes[""])
	}
	results, err := record.Open(r.Out)
	if err != nil {
		t.Fatal(err)
	}
	if d := results.Dataset.Transforms; len(d) != 7 || d[2] != (record.Transform{Name: "pca:4", Dim: 4, Bytes: 16}) {
		t.Errorf("the data set names %v", d)
	}
	again, err := testRunIn(t, r).Do(t.Context())
	if err != nil || again.Measured[record.OK] != 0 {
		t.Errorf("a second run measures %v, %v", again.Measured, err)
	}
	s.Data.Transform = []string{"none", "first:25"}
	r.Out = t.TempDir()
	if _, err := r.Do(t.Context()); err == nil || !strings.Contains(err.Error(), "24 dimensions") {
		t.Errorf("first:25 of 24 dimensions: %v", err)
	}
}

func testRunIn(t *testing.T, r *Run) *Run {
	t.Helper()
	again := testRun(t, r.Set, r.Sweep)
	again.Out = r.Out
	return again
}
