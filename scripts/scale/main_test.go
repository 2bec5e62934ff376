package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/internal/atomicfile"
	"annbench/reports/judge"
)

// results writes what configs/scale.yaml would leave of two families: "line", which takes 100 bytes a
// vector and 1 MB beside, and whose times grow as n; and "short", which never reaches the recall.
func results(t *testing.T, sizes ...int) string {
	t.Helper()
	dir := t.TempDir()
	for _, n := range sizes {
		folder := filepath.Join(dir, fmt.Sprintf("n%d", n))
		if err := os.Mkdir(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		digest := fmt.Sprint("d", n)
		if err := atomicfile.WriteJSON(filepath.Join(folder, record.DatasetFile), record.Dataset{Name: "drawn", Digest: digest, Base: n, Queries: 10, Dim: 8}); err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		for family, recall := range map[string]float64{"line": 1, "short": .4} {
			seconds := 1e-8 * float64(n)
			line, err := json.Marshal(record.Record{
				Cell:   record.Cell{Dataset: digest, Metric: "l2", Family: family, K: 10, Threads: 2, Mode: record.Latency},
				Engine: record.HarnessVersion, Time: time.Unix(1, 0), Status: record.OK, Library: "x", Exact: recall == 1,
				Values: map[string]float64{
					metric.Recall: recall, metric.Mean: seconds, metric.QPS: 1 / seconds, metric.Build: 1e-6 * float64(n), metric.Resident: 1e6 + 100*float64(n),
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			b.Write(append(line, '\n'))
		}
		if err := os.WriteFile(filepath.Join(folder, record.RecordsFile), b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

var node = assumptions{memory: 1, usable: .5, cores: 4, busy: .5, within: 100 * time.Millisecond, rate: 1000, price: 2}

func TestPaper(t *testing.T) {
	var b bytes.Buffer
	if err := run(&b, results(t, 1000, 10_000, 100_000), node); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"Measured on 1 January 1970. The records are not in the repository.",
		// 10⁷ vectors: 1 MB and 1 GB, as n 10 s to build and 100 ms to search, all without doubt.
		"| line | 955 MiB | 10.0 s (10.0 s to 10.0 s) | 100 ms (100 ms to 100 ms) |",
		"short (recall 0.400)",
		"10⁷ vectors (100 times the largest set that was measured)",
		// Two shards fit into 512 MiB each: 1,000 queries of 50 ms are 50 cores busy, of which a node gives
		// two: 25 copies, 50 nodes.
		"| line | 2 | 5 million, 50× beyond | 5.00 s | 50.0 ms | 100 ms | 25 | 50 | 73,000 |",
		"Short of recall 0.95 at the largest size with the settings of this sweep: short (0.400)",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if t.Failed() {
		t.Log(b.String())
	}
}

func TestFleetKeepsItsLimits(t *testing.T) {
	r, err := judge.Load(foldersOf(t, results(t, 1000, 10_000, 100_000))...)
	if err != nil {
		t.Fatal(err)
	}
	m := modelsOf(judge.Growths(r))[0]
	for _, n := range []int{1, 999, 100_000, 10_000_000, 1_000_000_000} {
		p := &page{assumptions: node}
		f := p.fleet(&m, n)
		if f.shards*f.shard < n {
			t.Errorf("%d vectors: %d shards of %d do not hold them", n, f.shards, f.shard)
		}
		if held := m.bytes(f.shard); held > .5*(1<<30) || f.query > .1 {
			t.Errorf("%d vectors: a shard takes %.0f bytes and %.3f s", n, held, f.query)
		}
		if busy := node.rate * f.query / float64(f.copies) / float64(node.cores); busy > node.busy+1e-9 {
			t.Errorf("%d vectors: %d copies are busy for %.3f of their time", n, f.copies, busy)
		}
		if f.shards > 1 {
			shard := int(math.Ceil(float64(n) / float64(f.shards-1)))
			if query, _, _, _ := m.query.At(shard); m.bytes(shard) <= .5*(1<<30) && query <= .1 {
				t.Errorf("%d vectors: %d shards would do, not %d", n, f.shards-1, f.shards)
			}
		}
	}
}

func foldersOf(t *testing.T, dir string) []string {
	t.Helper()
	folders, err := filepath.Glob(filepath.Join(dir, "n*"))
	if err != nil || len(folders) == 0 {
		t.Fatalf("%v, %v", folders, err)
	}
	return folders
}

func TestNothingToGoBy(t *testing.T) {
	for dir, want := range map[string]string{
		t.TempDir():              "has no folders n10000",
		results(t, 1000, 10_000): "measured at three sizes",
	} {
		err := run(&bytes.Buffer{}, dir, node)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want an error with %q", err, want)
		}
	}
	bad := node
	bad.usable = 1.5
	if err := bad.check(); err == nil || !strings.Contains(err.Error(), "-usable") {
		t.Errorf("%v, want an error about -usable", err)
	}
}
