package judge

import (
	"slices"
	"testing"

	"annbench/bench/metric"
	"annbench/bench/record"
)

// under is a record of a family under a filter.
func under(family, way, search, filter string, recall, cpu, selectivity float64) record.Record {
	return record.Record{
		Cell:   record.Cell{Dataset: "d", Metric: "cosine", Family: family, Search: search, K: 10, Threads: 1, Mode: record.Latency, Filter: filter, Way: way},
		Status: record.OK, Exact: family == "flat", Engine: "1",
		Values: map[string]float64{metric.Recall: recall, metric.CPU: cpu, metric.Selectivity: selectivity},
	}
}

func TestFiltered(t *testing.T) {
	const few, many, words = "selectivity=0.01 correlation=near", "selectivity=0.5 correlation=near", "category = 'dress'"
	plain := under("flat", "", "", "", 1, 1, 0)
	delete(plain.Values, metric.Selectivity)
	failed := under("hnsw", "after", "ef=10", few, 0, 0, 0)
	failed.Status, failed.Values, failed.Error = record.Failed, nil, "lost"
	skip := func(way, filter string) record.Record {
		r := under("ivf", way, "", filter, 0, 0, 0)
		r.Status, r.Values, r.Error = record.Skipped, nil, "not built in"
		return r
	}
	r, err := Of(&record.Results{Records: []record.Record{plain}, Filtered: []record.Record{
		under("hnsw", "inside", "ef=10", few, 0.5, 1, 0.01), under("hnsw", "inside", "ef=20", few, 0.96, 4, 0.01), under("hnsw", "inside", "ef=30", few, 0.99, 5, 0.01),
		under("hnsw", "inside", "ef=10", many, 0.6, 1, 0.5), under("hnsw", "inside", "ef=20", many, 0.7, 3, 0.5),
		under("flat", "before", "", few, 1, 2, 0.01), under("flat", "before", "", many, 1, 90, 0.5),
		under("hnsw", "inside", "ef=10", words, 0.97, 7, 0.1), under("flat", "before", "", words, 1, 70, 0.1),
		failed, skip("inside", few), skip("inside", many), skip("inside", words), skip("after", words), skip("after", few), skip("after", many),
	}})
	if err != nil {
		t.Fatal(err)
	}
	all := r.Filtered()
	if len(all) != 1 {
		t.Fatalf("%d terms", len(all))
	}
	f := all[0]
	if len(f.Filters) != 3 || f.Filters[0].Name != words || f.Filters[1].Name != many || f.Filters[2].Name != few || f.Time != metric.CPU {
		t.Fatalf("filters: %+v", f.Filters)
	}
	if len(f.Lines) != 2 || f.Lines[0].Family != "flat" || f.Lines[1].Way != "inside" {
		t.Fatalf("lines: %+v", f.Lines)
	}
	// The same reason for all of a family is said once.
	if l := f.Lost; len(l) != 2 || !slices.Equal(l[0].Filters, []int{2}) || l[0].Why.Error != "lost" ||
		!slices.Equal(l[1].Ways, []string{"inside", "after"}) || l[1].Filters != nil {
		t.Errorf("lost: %+v", l)
	}
	hnsw := f.Lines[1]
	if p := hnsw.Points[2]; !p.Reached || p.Row.Cell.Search != "ef=20" {
		t.Errorf("the fastest that reaches %v is not chosen: %+v", Target, p.Row.Cell)
	}
	if p := hnsw.Points[1]; p.Reached || p.Row.Cell.Search != "ef=20" {
		t.Errorf("where none reaches it, not the highest: %+v", p.Row.Cell)
	}
	for at, want := range []bool{false, true, true} { // 7 of hnsw against 70; nothing else reaches it; 2 against 4
		if wins, measured := f.ScanWins(at); wins != want || !measured {
			t.Errorf("filter %d: a scan wins: %v, %v", at, wins, measured)
		}
	}
	if reach, _ := f.Fastest(2, Target); !reach[0].Best || reach[1].Best {
		t.Errorf("measured once, 4 of hnsw is as fast as 2: %+v", reach)
	}
	if reach, _ := f.Fastest(2, 0.98); len(reach) != 2 || reach[1].Point.Row.Cell.Search != "ef=30" {
		t.Errorf("at another recall: %+v", reach)
	}
	if reach, highest := f.Fastest(0, 1.1); len(reach) > 0 || highest == nil || highest.Line.Family != "flat" {
		t.Errorf("out of reach: %v, %v", reach, highest)
	}
	for _, c := range []struct {
		name  string
		share float64
		at    int
		ok    bool
	}{{words, 0, 0, true}, {"other", 0, 0, false}, {"", 0.02, 2, true}, {"", 0.9, 1, true}} {
		if at, ok := f.Nearest(c.name, c.share, "near"); ok != c.ok || ok && at != c.at {
			t.Errorf("nearest to %q, %v: %d, %v", c.name, c.share, at, ok)
		}
	}
	if _, ok := f.Nearest("", 0.1, "far"); ok {
		t.Error("a correlation that was not measured is found")
	}
}

// TestFilteredTies: ways whose times cannot be told apart are both the fastest, whichever has the smaller median.
func TestFilteredTies(t *testing.T) {
	var all []record.Record
	for rep, times := range [][3]float64{{1.00, 1.01, 2.00}, {1.10, 1.08, 2.20}, {0.95, 0.97, 1.90}, {1.02, 1.01, 2.02}, {1.01, 1.03, 2.05}} {
		for i, family := range []string{"forest", "hnsw", "ivf"} {
			r := under(family, "inside", "", "a = 1", 1, times[i], 0.1)
			r.Rep = rep
			all = append(all, r)
		}
	}
	plain := under("flat", "", "", "", 1, 1, 0)
	r, err := Of(&record.Results{Records: []record.Record{plain}, Filtered: all})
	if err != nil {
		t.Fatal(err)
	}
	reach, _ := r.Filtered()[0].Fastest(0, Target)
	if len(reach) != 3 || !reach[0].Best || !reach[1].Best || reach[2].Best {
		t.Errorf("%+v", reach)
	}
}
