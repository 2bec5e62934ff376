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

// plain is a record without filter, whose call takes so much.
func plain(family string, recall, cpu, call float64) record.Record {
	r := filtered(family, "", "", false, recall, cpu, 0)
	delete(r.Values, metric.Selectivity)
	r.Values[metric.QPS] = 1 / cpu
	if call > 0 {
		r.Values[metric.CallFloorCPU] = call
	}
	return r
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
		{"filters", append(filters(1), filtered("hnsw", "inside", some, false, 0.99, 1e-5, 0.1), filtered("flat", "before", some, true, 1, 1.04e-5, 0.1)), []string{
			"as fast as any index at 10 %; an index is faster at 50 %.", "as fast as any index at every selectivity", "| **10.0 µs** | **10.0 µs** |", "| 40.0 µs | **10.4 µs** |",
		}, "lost"},
		{"filters", filters(0.999), []string{"**Exact search lost neighbours in 1 of its 2 cells**: flat before under " + half}, "all neighbours"},
		{"churn", []record.Record{
			churned("flat", true, 1, 0.5, 0, 0), churned("flat", true, 1, 1, 0, 0), churned("flat", true, 2, 1, 0, 0), // the first was broken off
			churned("exact", true, 1, 1, 0, 2), churned("exact", true, 2, 0.8, 0.2, 2),
		}, []string{"each of its 3 searches", "## book", "| flat | – | 1.000 → 1.000 | 1.000 |", "| exact, built anew every 2 searches | – | 1.000 → 0.800 | 0.800 |", "| 20 % | 3.00 ms |", "| 200 µs |"}, "lost"},
		{"frontier", []record.Record{plain("ours", 0.97, 2e-5, 0), plain("theirs", 0.97, 4e-5, 1e-5), plain("poor", 0.5, 1e-6, 1e-7)}, []string{
			"at recall@10 0.95: **ours**", "### At equal recall", "| theirs | 0.970 | 40.0 µs | 10.0 µs | 25 % |",
		}, "| poor | 0.5"},
		{"churn", []record.Record{churned("flat", true, 1, 1, 0, 0), churned("flat", true, 2, 0.9, 0, 0)}, []string{"**Exact search lost neighbours in 1 of its 2 searches", "flat"}, "all neighbours"},
	} {
		keep := filepath.Join(t.TempDir(), "kept")
		var page, again bytes.Buffer
		if err := run(&page, c.kind, []string{folder(t, c.records...)}, "records/x", keep); err != nil {
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
		if err := run(&again, c.kind, []string{keep}, "records/x", ""); err != nil || again.String() != page.String() {
			t.Errorf("%s: from kept records (%v):\n%s", c.kind, err, again.String())
		}
		if _, err := os.Stat(filepath.Join(keep, record.RecordsFile+".gz")); err != nil {
			t.Error(err)
		}
	}
	for kind, want := range map[string]string{"growth": "no page", "churn": "configs/churn.yaml", "compression": "configs/compression.yaml"} {
		if err := run(&bytes.Buffer{}, kind, []string{folder(t, filters(1)...)}, "", ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

func sized(family, build, search string, bytes, recall, cpu float64, full bool) record.Record {
	vectors := 0.0
	if full {
		vectors = 32 * 50000
	}
	return record.Record{
		Cell: record.Cell{Family: family, Build: build, Search: search},
		Values: map[string]float64{
			metric.Recall: recall, metric.CPU: cpu, metric.Mean: cpu, metric.P50: cpu, metric.Analytic: bytes * 50000, metric.Vectors: vectors, metric.BuildCPU: 2.5,
		},
	}
}

// sizes are the write-up's IVF-PQ as it was and refined, and Faiss's descriptions.
func sizes() []record.Record {
	const build = "m=8 nbits=8 nlist=8 opq=false pca=0 refine="
	return []record.Record{
		sized("ivfpq-faiss", build+"none train=0", "k_factor=1 nprobe=2", 17, 0.1, 2e-5, false),
		sized("ivfpq-faiss", build+"flat train=0", "k_factor=4 nprobe=2", 49, 0.5, 3e-5, true),
		sized("ivfpq-faiss", build+"flat train=0", "k_factor=64 nprobe=2", 49, 0.95, 6e-5, true),
		sized("faiss", "efConstruction=0 factory=SQ8 train=100", "efSearch=0 nprobe=0", 25, 0.97, 9e-5, false),
		sized("faiss", "efConstruction=0 factory=IVF4,SQ8 train=100", "efSearch=0 nprobe=2", 40, 0.991, 1e-5, false),
		sized("faiss", "efConstruction=0 factory=IVF9,PQ8np,RFlat train=0", "nprobe=2", 60, 0.96, 5e-5, true),
		sized("faiss", "efConstruction=0 factory=IVF9,PQ8x4fs,RFlat train=0", "nprobe=2", 61, 0.96, 4e-5, true),
		sized("faiss", "efConstruction=0 factory=IVF4,SQfp16 train=100", "efSearch=0 nprobe=2", 45, 0.995, 2e-5, false),
	}
}

// TestCompressionPage: a section for each folder, with what was measured; from kept records the page is the same.
func TestCompressionPage(t *testing.T) {
	var small []record.Record
	for _, form := range []string{"", "pca:4"} {
		r := sized("flat", "", "", 32, map[string]float64{"": 1, "pca:4": 0.96}[form], 4e-5, true)
		r.Exact, r.Cell.Transform = true, form
		small = append(small, r)
	}
	photographs := folder(t, small...)
	if err := atomicfile.WriteJSON(filepath.Join(photographs, record.DatasetFile), record.Dataset{
		Name: "photographs", Digest: "d", Base: 50000, Queries: 100, Dim: 8,
		Transforms: []record.Transform{{Name: "none", Dim: 8, Bytes: 32}, {Name: "pca:4", Dim: 4, Bytes: 16}},
		Warnings:   []string{"half of them were trained on"},
		Embedding:  &record.Embedding{Refusals: []string{"cuda: no /home/me/lib/libcuda.so"}},
	}); err != nil {
		t.Fatal(err)
	}
	dirs := []string{folder(t, sizes()...), photographs}
	keep := t.TempDir()
	var page, again bytes.Buffer
	if err := run(&page, "compression", dirs, "records/x", keep); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"(records/x/RUN.md)", "(../pictures/compression/" + filepath.Base(dirs[0]) + ".png)", "## 50,000 × 8", "abacus, 2 cores",
		"- 50,000 × 8: Recall 0.95 takes 78 % of the vectors as float32 at least, of what was measured. Builds that pay, by bytes a vector: 25.0 B in at most 90.0 µs, 40.0 B in at most 10.0 µs. " +
			"The write-up's IVF-PQ, refined, comes up to it with 49.0 B in 60.0 µs. " +
			"Recall 0.99 takes 125 % of the vectors as float32 at least, of what was measured. Builds that pay, by bytes a vector: 40.0 B in at most 10.0 µs. The write-up's IVF-PQ does not come up to it, refined or not.\n",
		"- 50,000 photographs: The smallest that finds recall@10 0.95 at least is pca:4: 4 dimensions, 16.0 B a vector.\n",
		"As it was, it takes 17.0 B a vector, and finds recall 0.100 in 20.0 µs.",
		"| none | 17.0 B | 0.100 | max 0.100 | max 0.100 | 2.50 s |",
		"| flat | 49.0 B | 0.950 | 60.0 µs, `k_factor=64 nprobe=2` | max 0.950 |",
		"Recall 0.95 with any number of lists and codes: the smallest that comes up to it is `m=8 nbits=8 nlist=8 refine=flat` of 49.0 B a vector, in 60.0 µs, `k_factor=64 nprobe=2`; the fastest is `IVF9,PQ8np,RFlat` of 60.0 B a vector, in ≤ 50.0 µs, `nprobe=2`.",
		"IVF-PQ comes up to recall 0.99 at no setting",
		// 25 bytes, then 40, which are faster; not 45, which are slower.
		"| 25.0 B | 78 % | faiss | `SQ8 train=100` |", "| 40.0 B | 125 % | faiss | `IVF4,SQ8 train=100` |",
		"| 45.0 B | codes alone | faiss | `IVF4,SQfp16 train=100` | 0.995 | ≤ 20.0 µs | ≤ 20.0 µs | 2.50 s |",
		"| 40.0 B | codes alone | faiss | `IVF4,SQ8 train=100` | 0.991 | **≤ 10.0 µs** | **≤ 10.0 µs** | 2.50 s |",
		"## How many dimensions 50,000 photographs need", "\nhalf of them were trained on.\n", "is pca:4: 4 dimensions, 16.0 B a vector", "| pca:4   |          4 |",
	} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("no %q in\n%s", want, page.String())
		}
	}
	if strings.Contains(page.String(), "| 45.0 B | 140") {
		t.Errorf("a build that is larger and slower than another is among those worth their bytes:\n%s", page.String())
	}
	if b, err := os.ReadFile(filepath.Join(keep, filepath.Base(photographs), record.DatasetFile)); err != nil || !strings.Contains(string(b), "libcuda.so") || strings.Contains(string(b), "/home/me") {
		t.Errorf("folders of the machine are in what was kept (%v):\n%s", err, b)
	}
	var kept []string
	for _, dir := range dirs {
		kept = append(kept, filepath.Join(keep, filepath.Base(dir)))
	}
	if err := run(&again, "compression", kept, "records/x", ""); err != nil || again.String() != page.String() {
		t.Errorf("from kept records (%v):\n%s", err, again.String())
	}
	if err := run(&bytes.Buffer{}, "churn", dirs, "", ""); err == nil || !strings.Contains(err.Error(), "one folder") {
		t.Errorf("churn from two folders: %v", err)
	}
}
