package main

import (
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/internal/atomicfile"
)

// folder makes results of runs by hand: exact search, and two graphs of which the first is 1.5 times as fast; in the
// runs called swapped it is the second.
func folder(t *testing.T, swapped ...string) string {
	t.Helper()
	out := t.TempDir()
	rng := rand.New(rand.NewPCG(1, 19))
	for _, name := range []string{"quiet", "busy-1", "busy-2", "busy-3"} {
		dir := filepath.Join(out, name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := atomicfile.WriteJSON(filepath.Join(dir, record.DatasetFile), record.Dataset{Name: "boards", Digest: "d", Base: 1000, Queries: 100, Dim: 8}); err != nil {
			t.Fatal(err)
		}
		w, err := record.Append(filepath.Join(dir, record.RecordsFile))
		if err != nil {
			t.Fatal(err)
		}
		for rep := range 3 {
			for family, cpu := range map[string]float64{"flat": 1e-3, "one": 1e-4, "two": 1.5e-4} {
				for _, s := range swapped {
					if s == name && family != "flat" {
						cpu = 2.5e-4 - cpu
					}
				}
				rec := record.Record{
					Cell: record.Cell{Dataset: "d", Metric: "l2", Family: family, K: 10, Threads: 1, Mode: record.Latency}, Library: "x", Exact: family == "flat",
					Rep: rep, Engine: record.HarnessVersion, Time: time.Unix(1, 0), Status: record.OK, Rounds: &record.Rounds{}, Env: record.Env{CPU: "a processor"},
					Values: map[string]float64{metric.Recall: 1, metric.OnCPU: .5, metric.Samples: 1000},
				}
				for at := range 20 {
					x := cpu * math.Exp(.05*rng.NormFloat64())
					rec.Rounds.At = append(rec.Rounds.At, at)
					rec.Rounds.CPU, rec.Rounds.Wall, rec.Rounds.P50 = append(rec.Rounds.CPU, x), append(rec.Rounds.Wall, 2*x), append(rec.Rounds.P50, 2*x)
				}
				rec.Values[metric.CPU], rec.Values[metric.Mean] = metric.Median(rec.Rounds.CPU), metric.Average(rec.Rounds.Wall)
				rec.Values[metric.QPS] = 1 / rec.Values[metric.Mean]
				if err := w.Write(&rec); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := atomicfile.WriteJSON(filepath.Join(out, howFile), How{Command: "busy measure sweep.yaml", Loads: 2, Cores: 2, Date: "2026-01-02", Quiet: []float64{110, 90}, Against: []float64{100, 90}}); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestPage(t *testing.T) {
	for _, c := range []struct {
		swapped []string
		says    []string
	}{
		{nil, []string{"The winner is the same in 3 of 3 runs, the order in 3", "| found, where it takes twice as long | 9 | 100.0 % |", "took 1.05 times as long", "`one`", "50 %"}},
		{[]string{"busy-2"}, []string{"The winner is the same in 2 of 3 runs, the order in 2", "**1 of 3**: one and two", "**no**"}},
	} {
		out := folder(t, c.swapped...)
		b, err := page(out, "records/busy")
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range c.says {
			if !strings.Contains(string(b), s) {
				t.Errorf("swapped in %v: the page does not say %q:\n%s", c.swapped, s, b)
			}
		}
		// What is kept gives the same page.
		kept := t.TempDir()
		if err := keepRecords(out, kept); err != nil {
			t.Fatal(err)
		}
		again, err := page(kept, "records/busy")
		if err != nil {
			t.Fatal(err)
		}
		if string(again) != string(b) {
			t.Error("the kept records give another page")
		}
	}
	if _, err := page(t.TempDir(), ""); err == nil {
		t.Error("a folder without runs, and no error")
	}
}
