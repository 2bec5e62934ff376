package interchange

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"annbench/bench/dataset/vecfile"
	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/reports/internal/fixture"
)

// Of three repetitions the one of median time is written, a cell without kept answers is counted, and a chord
// becomes the angular distance of ann-benchmarks, 1 - cos = d²/2.
func TestWriteAnnBenchmarks(t *testing.T) {
	var records []record.Record
	for rep, qps := range []float64{300, 100, 200} {
		r := fixture.Cell("a", "ef=1", rep, .9, qps)
		r.Cell.Metric, r.Cell.K = "cosine", 2
		records = append(records, r)
	}
	records = append(records, fixture.Cell("b", "", 0, 1, 50), fixture.Failed("c", "", 0, record.OOM, "x"))
	dir := fixture.Results(t, records...)
	if err := os.Mkdir(filepath.Join(dir, record.AnswersDir), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, r := range records[:3] {
		ids, distances, seconds := record.AnswerFiles(r.Cell, r.Rep)
		for _, err := range []error{
			vecfile.WriteArray(filepath.Join(dir, ids), []int32{4, 7, 1, -1}, 2),
			vecfile.WriteArray(filepath.Join(dir, distances), []float64{0, 1, 2, math.NaN()}, 2),
			vecfile.WriteArray(filepath.Join(dir, seconds), []float64{float64(r.Rep), 1 / r.Values[metric.QPS]}, 0),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	results, err := record.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	written, without, err := WriteAnnBenchmarks(results, out, "")
	if err != nil || written != 1 || without != 1 {
		t.Fatalf("%d written, %d without answers, %v", written, without, err)
	}
	path := filepath.Join(out, "hand", "2", "a", "ef_1.hdf5")
	for name, want := range map[string][]float32{
		"distances": {0, .5, 2, float32(math.Inf(1))},
		"neighbors": {4, 7, 1, -1},
	} {
		f, err := vecfile.Open(path, vecfile.Columns{Vectors: name})
		if err != nil {
			t.Fatal(err)
		}
		got := make([]float32, 4)
		if n, err := f.Rows.Next(got); n != 2 || f.Dim != 2 || err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v of %d × %d, %v; want %v", name, got, n, f.Dim, err, want)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	h, err := annRun(dir, &records[2], "hand")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]any{}
	for _, a := range h.Attributes {
		got[a.Name] = a.Value
	}
	for name, want := range map[string]any{
		"algo": "a", "name": "a (ef=1)", "distance": "angular", "count": int64(2), "batch_mode": int64(0), "best_search_time": 1. / 200, "candidates": 1.5,
	} {
		if got[name] != want {
			t.Errorf("%s is %v, not %v", name, got[name], want)
		}
	}
	// Answers of another cell in the place of these are an error.
	ids, _, _ := record.AnswerFiles(records[2].Cell, 2)
	if err := vecfile.WriteArray(filepath.Join(dir, ids), []int32{4, 7, 1}, 3); err != nil {
		t.Fatal(err)
	}
	if _, _, err := WriteAnnBenchmarks(results, out, ""); err == nil {
		t.Error("answers of another k are taken")
	}
}
