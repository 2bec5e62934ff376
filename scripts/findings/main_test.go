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
)

// results writes a folder in which the write-up's four, and working indexes beside them, have values
// by hand.
func results(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	ds := record.Dataset{Name: "boards", Digest: "d", Base: 50000, Queries: 1000, Dim: 512, Labels: []record.LabelCount{{Label: "Hats", Base: 1, Queries: 500}, {Label: "Shoes", Base: 1, Queries: 500}}}
	if err := atomicfile.WriteJSON(filepath.Join(dir, record.DatasetFile), ds); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	for rep := range 6 {
		wiggle := 1 + 0.002*float64(rep%3)
		for _, k := range []int{5, 10} {
			add := func(family, build, search string, recall, qps, seconds, bytes, mAP float64) {
				rec := record.Record{
					Cell: record.Cell{Dataset: "d", Metric: "cosine", Family: family, Build: build, Search: search, K: k, Threads: 1, Mode: record.Latency},
					Rep:  rep, Engine: record.HarnessVersion, Time: time.Unix(1, 0), Status: record.OK, Exact: strings.HasPrefix(family, "flat"), Library: "x",
					Values: map[string]float64{
						metric.Recall: recall, metric.QPS: qps * wiggle, metric.Mean: 1 / (qps * wiggle), metric.Build: seconds * wiggle, metric.Resident: bytes,
						metric.MAP: mAP, metric.MAPExact: .8, metric.MAPDelta: mAP - .8, metric.MAPDeltaLo: mAP - .81, metric.MAPDeltaHi: math.Min(0, mAP-.79),
					},
					ByLabel: map[string]map[string]float64{"map": {"Hats": .4, "Shoes": .9}, "map_lo": {"Hats": .35, "Shoes": .88}, "map_hi": {"Hats": .45, "Shoes": .92}},
				}
				line, err := json.Marshal(rec)
				if err != nil {
					t.Fatal(err)
				}
				b.Write(append(line, '\n'))
			}
			add("flat-faiss", "", "", 1, 200, .1, 103e6, .8)
			add("ivfpq-faiss", "m=8 nbits=8 nlist=8 train=0", "nprobe=2", .2, 8000, 25, 2e6, .6)
			add("forest", "bounds=false leaf=128 trees=50", fmt.Sprintf("search_k=%d", 50*k), .9, 5000, 2, 130e6, .79)
			add("hnsw-coder", "M=2 Ml=0.25", fmt.Sprintf("ef=20 fetch=%d", k), .01, 20000, 5, 200e6, .3)
			add("annoy", "trees=50", "search_k=-1", .91, 3100, 3, 140e6, .79)
			add("annoy", "trees=10", "search_k=-1", .5, 3200, 3, 140e6, .79)
			add("nmslib-hnsw", "M=2 efConstruction=200", "efSearch=20", .2, 21000, 4, 120e6, .4)
			add("hnsw-faiss", "M=32", "ef=1", .97, 9000, 12, 110e6, .8)
			add("ivfflat-faiss", "nlist=256", "nprobe=8", .96, 4500, 2, 104e6, .8)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, record.RecordsFile), b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestFindings(t *testing.T) {
	var b bytes.Buffer
	if err := run(&b, results(t), "records/x"); err != nil {
		t.Fatal(err)
	}
	for claim, want := range map[string]string{
		"Flat builds fastest":                        holds,
		"Flat searches second slowest":               doesNot, // it is the slowest
		"HNSW searches fastest, Annoy close behind":  inPart,  // 4 times is not close
		"HNSW takes 2.5 times Annoy's time to build": holds,
		"Flat takes the most memory":                 doesNot,
		"Annoy takes 84.25 MB, HNSW 4.95 MB":         doesNot,
		"Flat has the highest mAP":                   noise, // the forest's interval ends at no difference
		"mAP differs by category":                    holds,
		"Take HNSW or IVF-PQ":                        inPart,
		"Try IVF-Flat next":                          "worth trying",
	} {
		line := ""
		for l := range strings.Lines(b.String()) {
			if strings.HasPrefix(l, "| "+claim+" |") {
				line = l
			}
		}
		if !strings.HasSuffix(strings.TrimSpace(line), "**"+want+"** |") {
			t.Errorf("%q is %q, want %q", claim, line, want)
		}
	}
	for _, want := range []string{
		"Measured on ", "The records are in [records/x](records/x).",
		"2.50 times (2.50 to 2.50)", "at recall 0.95, hnsw-faiss is the fastest: 0.111 ms", "ivfpq-faiss reaches recall 0.200 at most",
		"| Flat | flat-faiss | – | 100.", "2.00 times (2.00 to 2.00) the time of hnsw-faiss", "the vectors alone, which both need to answer, are 102 MB",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the findings do not say %q", want)
		}
	}
	_, own, _ := strings.Cut(b.String(), "## With the write-up's own libraries")
	own, _, _ = strings.Cut(own, "\n## ")
	for _, want := range []string{"| annoy | trees=50 search_k=-1 | 3006.0 (3000.4–3011.6) | 0.322", "| nmslib-hnsw | M=2 efConstruction=200 efSearch=20 | 4008.0"} {
		if !strings.Contains(own, want) {
			t.Errorf("of the write-up's own libraries, the findings do not say %q: %s", want, own)
		}
	}
	if strings.Contains(own, "trees=10") {
		t.Error("a setting that is not the write-up's is said to be")
	}
	if t.Failed() {
		t.Log(b.String())
	}
	if err := run(&b, t.TempDir(), ""); err == nil {
		t.Error("an empty folder has findings")
	}
}
