package judge

import (
	"math"
	"strings"
	"testing"

	"annbench/bench/metric"
	"annbench/bench/record"
)

// TestMonth is worked by hand: 100 queries a second of 2 ms are a fifth of a core, which may be busy for half of
// its time, so 0.4 cores at 25, and 2 GiB at 3.
func TestMonth(t *testing.T) {
	p := record.Prices{Core: 25, GiB: 3, QPS: 100}
	if got := Month(p, 0.002, 2<<30); math.Abs(got-16) > 1e-9 {
		t.Errorf("%v a month, want 16", got)
	}
	for text, want := range map[string]string{
		"core: 25\ngib: 3\nqueries_per_second: 100": "",
		"core: 25\ngib: 3":                          "queries_per_second",
		"core: -1\ngib: 3\nqueries_per_second: 1":   "core and gib",
		"core: 1\ngib: 3\nqps: 1":                   "no table of prices",
		"core: 1\nqueries_per_second: 1\nbusy: 7":   "busy",
		"[1, 2": "no table of prices",
	} {
		_, err := ParsePrices("prices.yaml", []byte(text))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: error %v, want one with %q", text, err, want)
		}
	}
}

func TestObjectiveOf(t *testing.T) {
	values := map[string]float64{metric.CPU: 0.001, metric.Resident: 1 << 30, metric.Build: 7, metric.MAP: 0.8}
	for word, want := range map[string]float64{"speed": 0.001, "memory": 1 << 30, "build": 7, "map": -0.8, "cost": 50 + 3} {
		o, err := ParseObjective(word)
		if err != nil {
			t.Fatal(err)
		}
		o.Prices = record.Prices{Core: 25, GiB: 3, QPS: 1000}
		if got, ok := o.Of(values); !ok || math.Abs(got-want) > 1e-9 {
			t.Errorf("%s: %v, want %v", word, got, want)
		}
	}
	if _, err := ParseObjective("fast"); err == nil || !strings.Contains(err.Error(), "speed, memory") {
		t.Errorf("error %v", err)
	}
}

// TestTradeoffs: what another beats is on no front, and the knee is where the curve bends.
func TestTradeoffs(t *testing.T) {
	s := &record.Search{Rows: 100, Quality: metric.Recall}
	add := func(rows int, name string, memory, seconds float64, reached bool) {
		s.Tries = append(s.Tries, &record.Try{
			Rows: rows, Family: name, Reached: reached, Score: seconds, Cost: map[string]float64{metric.Resident: memory},
			Steps: []record.Step{{Search: "ef=1", Quality: 1 - memory/1e6, Seconds: seconds}},
		})
	}
	add(100, "small", 1e3, 1, true)
	add(100, "knee", 2e3, 0.1, true)
	add(100, "large", 1e5, 0.08, true)
	add(100, "worse", 3e3, 0.5, true)     // knee takes less of both
	add(100, "short", 1e3, 0.001, false)  // does not keep the limit
	add(10, "sample", 1e1, 0.00001, true) // not on all vectors
	fronts := Tradeoffs(s)
	var memory *Tradeoff
	for i := range fronts {
		if fronts[i].Quantity == metric.Resident {
			memory = &fronts[i]
		}
	}
	if memory == nil || len(memory.Points) != 3 {
		t.Fatalf("fronts %+v", fronts)
	}
	if p, ok := memory.KneePoint(); !ok || p.Name != "knee" {
		t.Errorf("the knee is %+v", p)
	}
	if q := fronts[0]; q.Quantity != metric.Recall || len(q.Points) != 1 || q.Points[0].Name != "short ef=1" {
		t.Errorf("the front of recall: %+v", q) // as much recall as small, and faster than all
	}
}
