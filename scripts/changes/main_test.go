package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/internal/atomicfile"
)

// folder is results with these records.
func folder(t *testing.T, all ...record.Record) string {
	t.Helper()
	dir := t.TempDir()
	if err := atomicfile.WriteJSON(filepath.Join(dir, record.DatasetFile), record.Dataset{Name: "boards", Digest: "d", Base: 50000, Queries: 100, Dim: 8}); err != nil {
		t.Fatal(err)
	}
	plain := filtered("flat", "", "", true, 1, 4e-5, 0)
	delete(plain.Values, metric.Selectivity)
	var text []byte
	for _, r := range append([]record.Record{plain}, all...) {
		r.Status, r.Time, r.Env = record.OK, time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC), record.Env{CPU: "abacus", Cores: 2}
		r.Cell.Dataset, r.Cell.Metric, r.Cell.K, r.Cell.Mode, r.Cell.Threads = "d", "cosine", 10, record.Latency, 1
		r.ByLabel = map[string]map[string]float64{"map": {"left out": 1}}
		var err error
		if text, err = record.AppendLine(text, &r); err != nil {
			t.Fatal(err)
		}
	}
	if err := atomicfile.Write(filepath.Join(dir, record.RecordsFile), text); err != nil {
		t.Fatal(err)
	}
	return dir
}

func filtered(family, way, filter string, exact bool, recall, cpu, share float64) record.Record {
	return record.Record{
		Cell: record.Cell{Family: family, Way: way, Filter: filter}, Exact: exact,
		Values: map[string]float64{metric.Recall: recall, metric.CPU: cpu, metric.Mean: cpu, metric.P50: cpu, metric.Selectivity: share},
	}
}

func churned(family string, exact bool, step int, recall, stale float64, rebuild int) record.Record {
	return record.Record{
		Cell: record.Cell{Family: family, Churn: "book", Step: step, Rebuild: rebuild}, Exact: exact,
		Values: map[string]float64{
			metric.Recall: recall, metric.CPU: 1e-5, metric.Mean: 1e-5, metric.Living: 100, metric.Stale: stale,
			metric.UpdateCPU: 2e-3, metric.Updated: 10, metric.DuringP99: 3e-3,
		},
	}
}

// TestPages: the pages hold what was measured, say whether exact search was exact, and are the same from kept records.
func TestPages(t *testing.T) {
	const half, some, few = "selectivity=0.5 correlation=none", "selectivity=0.1 correlation=none", "selectivity=0.01 correlation=far"
	filters := func(before float64) []record.Record {
		return []record.Record{
			filtered("hnsw", "inside", half, false, 0.99, 1e-5, 0.5), filtered("flat", "before", half, true, before, 4e-5, 0.5),
			filtered("hnsw", "inside", few, false, 0.25, 1e-5, 0.01), filtered("flat", "before", few, true, 1, 2e-6, 0.01),
		}
	}
	for _, c := range []struct {
		kind    string
		records []record.Record
		want    []string
		not     string
	}{
		{"filters", filters(1), []string{
			"boards: 50,000 × 8, 100 queries. abacus, 2 cores", "29 November 2026", "all neighbours in each of its 2 cells",
			"| hnsw, inside | **10.0 µs** |", "| compare what passes | 40.0 µs |", "| hnsw, inside | (0.250) |", "| compare what passes | **2.00 µs** |",
			"### What passes lies far from the query", "(records/x/RUN.md)",
		}, "lost"},
		{"filters", append(filters(1), filtered("hnsw", "inside", some, false, 0.99, 1e-5, 0.1), filtered("flat", "before", some, true, 1, 1.15e-5, 0.1)), []string{
			"as fast as any index (within the noise or 20 %) at 10 %; an index is faster at 50 %.", "as fast as any index (within the noise or 20 %) at every selectivity", "| **10.0 µs** | **10.0 µs** |", "| 40.0 µs | 11.5 µs |",
		}, "lost"},
		{"filters", filters(0.999), []string{"**Exact search lost neighbours in 1 of its 2 cells**: flat before under " + half}, "all neighbours"},
		{"churn", []record.Record{
			churned("flat", true, 1, 0.5, 0, 0), churned("flat", true, 1, 1, 0, 0), churned("flat", true, 2, 1, 0, 0), // the first was broken off
			churned("exact", true, 1, 1, 0, 2), churned("exact", true, 2, 0.8, 0.2, 2),
		}, []string{"each of its 3 searches", "## book", "| flat | – | 1.000 → 1.000 | 1.000 |", "| exact, built anew every 2 steps | – | 1.000 → 0.800 | 0.800 |", "| 20 % | 3.00 ms |", "| 200 µs |"}, "lost"},
		{"churn", []record.Record{churned("flat", true, 1, 1, 0, 0), churned("flat", true, 2, 0.9, 0, 0)}, []string{"**Exact search lost neighbours in 1 of its 2 searches", "flat"}, "all neighbours"},
	} {
		keep := filepath.Join(t.TempDir(), "kept")
		var page, again bytes.Buffer
		if err := run(&page, c.kind, folder(t, c.records...), "records/x", keep); err != nil {
			t.Fatal(err)
		}
		for _, want := range c.want {
			if !strings.Contains(page.String(), want) {
				t.Errorf("%s: no %q in\n%s", c.kind, want, page.String())
			}
		}
		if strings.Contains(page.String(), c.not) {
			t.Errorf("%s: %q in\n%s", c.kind, c.not, page.String())
		}
		if err := run(&again, c.kind, keep, "records/x", ""); err != nil || again.String() != page.String() {
			t.Errorf("%s: from kept records (%v):\n%s", c.kind, err, again.String())
		}
		if _, err := os.Stat(filepath.Join(keep, record.RecordsFile+".gz")); err != nil {
			t.Error(err)
		}
	}
	for kind, want := range map[string]string{"growth": "no page", "churn": "configs/churn.yaml"} {
		if err := run(&bytes.Buffer{}, kind, folder(t, filters(1)...), "", ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", kind, err)
		}
	}
}
