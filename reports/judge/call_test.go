package judge

import (
	"math"
	"testing"

	"annbench/bench/metric"
)

// match is a setting that takes all seconds a query, floor of them for the call.
func match(all, floor float64) Match {
	row := &Row{values: map[string]Value{}}
	if floor > 0 {
		row.values[metric.CallFloor] = Value{Median: floor, N: 1}
	}
	return Match{Setting: row, Value: Value{Median: 1 / all, N: 1}}
}

func TestCall(t *testing.T) {
	const us = 1e-6
	for _, c := range []struct {
		name        string
		fast        []Match
		kind        CallKind
		floor, time float64
	}{
		{"built in", []Match{match(10*us, 0), match(20*us, 0)}, CallNothing, 0, 0},
		{"a small call", []Match{match(10*us, 4*us), match(20*us, 4*us)}, CallNothing, 0, 0},
		{"mostly the call", []Match{match(10*us, 6*us), match(20*us, 0)}, CallMost, 6 * us, 10 * us},
		{"another searches faster", []Match{match(10*us, 0), match(14*us, 10*us), match(15*us, 12*us)}, CallTurns, 12 * us, 15 * us},
		{"not by half", []Match{match(10*us, 0), match(14*us, 8*us)}, CallNothing, 0, 0},
		{"a call beyond the whole", []Match{match(10*us, 12*us)}, CallUnclear, 12 * us, 10 * us},
		{"another's call beyond the whole", []Match{match(4*us, 0), match(5.21*us, 11.3*us)}, CallUnclear, 11.3 * us, 5.21 * us},
		{"one beyond the whole, one that turns", []Match{match(10*us, 0), match(11*us, 12*us), match(14*us, 10*us)}, CallTurns, 10 * us, 14 * us},
		{"none", nil, CallNothing, 0, 0},
	} {
		v := Verdict{Clock: Wall, Fast: c.fast}
		got := v.call()
		if got.Kind != c.kind || math.Abs(got.Floor-c.floor) > 1e-12 || math.Abs(got.Time-c.time) > 1e-12 {
			t.Errorf("%s: kind %d, %v of %v; not %d, %v of %v", c.name, got.Kind, got.Floor, got.Time, c.kind, c.floor, c.time)
		}
	}
}
