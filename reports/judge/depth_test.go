package judge

import (
	"testing"

	"annbench/bench/metric"
	"annbench/bench/record"
)

func TestDepths(t *testing.T) {
	row := func(k int, values map[string]float64, byK []float64) *Row {
		cell := record.Cell{Family: "a", K: k, Search: "ef=10"}
		rec := &record.Record{Cell: cell, Status: record.OK, Values: values}
		if byK != nil {
			rec.ByK = map[string][]float64{metric.MAP: byK}
		}
		return &Row{Cell: cell, values: map[string]Value{}, Reps: []*record.Record{rec}}
	}
	ten, one := row(10, map[string]float64{metric.MAP: .4}, nil), row(1, map[string]float64{metric.MAP: .8}, nil)
	other := row(5, map[string]float64{metric.MAP: .1}, nil)
	other.Cell.Search = "ef=20"
	r := &Report{Rows: []*Row{ten, other, one}}
	if d := r.Depths(ten, metric.MAP); len(d) != 2 || d[0].K != 1 || d[0].Value.Median != .8 || d[1].K != 10 || d[1].Value.Median != .4 {
		t.Errorf("by cells of several k: %+v", d)
	}
	d := r.Depths(row(3, nil, []float64{.9, .7, .6}), metric.MAP)
	if len(d) != 3 || d[0].K != 1 || d[2].K != 3 || d[2].Value.Median != .6 {
		t.Errorf("by record: %+v", d)
	}
	long := make([]float64, 1000)
	d = r.Depths(row(1000, nil, long), metric.MAP)
	if len(d) > 60 || d[0].K != 1 || d[len(d)-1].K != 1000 {
		t.Errorf("%d depths of 1000, from %d to %d", len(d), d[0].K, d[len(d)-1].K)
	}
}
