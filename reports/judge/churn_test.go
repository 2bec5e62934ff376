package judge

import (
	"testing"

	"annbench/bench/metric"
	"annbench/bench/record"
)

func TestChurned(t *testing.T) {
	plain := under("flat", "", "", "", 1, 1, 0)
	at := func(family, search string, rebuild, step int, recall, update, changed float64) record.Record {
		r := under(family, "", search, "", recall, 2, 0)
		r.Cell.Churn, r.Cell.Rebuild, r.Cell.Step = "book", rebuild, step
		r.Values[metric.UpdateCPU], r.Values[metric.Updated], r.Values[metric.Living] = update, changed, 100
		return r
	}
	failed := at("hnsw", "ef=2", 0, 5, 0, 0, 0)
	failed.Status, failed.Values, failed.Error = record.Failed, nil, "lost"
	r, err := Of(&record.Results{Records: []record.Record{plain}, Churned: []record.Record{
		at("hnsw", "ef=1", 0, 5, 0.9, 2, 10), at("hnsw", "ef=1", 0, 2, 0.99, 8, 0), at("hnsw", "ef=1", 0, 8, 0.8, 4, 10),
		at("hnsw", "ef=2", 0, 2, 1, 8, 0), failed,
		at("flat", "", 3, 2, 1, 1, 0), at("flat", "", 3, 5, 0.7, 0, 0), at("flat", "", 3, 8, 1, 1, 0),
	}})
	if err != nil {
		t.Fatal(err)
	}
	all := r.Churned()
	all[0].Lines[0].Rows[1].values[metric.Stale] = Value{Median: 0.2, N: 1}
	if len(all) != 1 || len(all[0].Lines) != 2 || len(all[0].Steps) != 3 || all[0].Steps[1] != 5 {
		t.Fatalf("%+v", all)
	}
	flat, hnsw := &all[0].Lines[0], &all[0].Lines[1]
	if flat.Rebuild != 3 || hnsw.Cell.Search != "ef=1" { // the other setting failed
		t.Errorf("lines: %+v", all[0].Lines)
	}
	if first, last, ok := hnsw.Ends(metric.Recall); !ok || first != 0.99 || last != 0.8 {
		t.Errorf("ends: %v, %v, %v", first, last, ok)
	}
	hnsw.Rows[0].values[metric.Serialized] = Value{Median: 7}
	if hnsw.AtLast(metric.Serialized) || !hnsw.AtLast(metric.UpdateCPU) {
		t.Error("the last search has the size of the first, or not what it has")
	}
	for _, c := range []struct {
		name                string
		first, last, living float64
		grows               bool
	}{
		{metric.Resident, 100 << 10, 500 << 10, 100, false}, // a measurement's noise
		{metric.Resident, 20 << 20, 40 << 20, 100, true},
		{metric.Resident, 20 << 20, 40 << 20, 200, false}, // twice as many live
		{metric.Resident, 100 << 20, 120 << 20, 100, false},
		{metric.Serialized, 100 << 10, 500 << 10, 100, true}, // a file's size has no noise
	} {
		hnsw.Rows[0].values[c.name], hnsw.Rows[2].values[c.name] = Value{Median: c.first, N: 1}, Value{Median: c.last, N: 1}
		hnsw.Rows[2].values[metric.Living] = Value{Median: c.living, N: 1}
		if _, _, grows := hnsw.Grows(c.name); grows != c.grows {
			t.Errorf("%+v: grows: %v", c, grows)
		}
	}
	if least, _ := flat.Worst(metric.Recall, true); least != 0.7 {
		t.Errorf("least: %v", least)
	}
	// 2/10 and 4/10: 0.3 a change. Building takes 8, as much as 27 changes, of 100 that live.
	if each, ok := hnsw.UpdateEach(); !ok || each < 0.2999 || each > 0.3001 {
		t.Errorf("a change takes %v, %v", each, ok)
	}
	if share, ok := hnsw.Pays(); !ok || share < 0.266 || share > 0.267 {
		t.Errorf("pays until %v, %v", share, ok)
	}
	if hnsw.Walled() {
		t.Error("processor time is known, and is called wall time")
	}
	for _, row := range hnsw.Rows { // of a server elsewhere wall time alone is known
		v, _ := row.Value(metric.UpdateCPU)
		row.values[metric.UpdateWall], row.values[metric.UpdateCPU] = v, Value{}
	}
	if each, ok := hnsw.UpdateEach(); !ok || each < 0.2999 || each > 0.3001 || !hnsw.Walled() {
		t.Errorf("a change takes %v, %v, wall time: %v", each, ok, hnsw.Walled())
	}
	if family, seconds, ok := all[0].CheapestBuild(); !ok || family != "flat" || seconds != 1 {
		t.Errorf("cheapest to build: %s, %v, %v", family, seconds, ok)
	}
	if every, share := all[0].Stalest(); every != 3 || share != 0.2 {
		t.Errorf("built anew every %d lacks %v", every, share)
	}
	if _, ok := flat.UpdateEach(); ok {
		t.Error("what is built anew has a cost of changes")
	}
}
