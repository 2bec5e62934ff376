package judge

import (
	"testing"

	"annbench/bench/metric"
	"annbench/bench/record"
)

// Of two repetitions that scatter over an order of magnitude, Student's interval spans fourteen: that is no interval,
// and the comparison cannot tell. Where what others know of the noise makes it narrow, it stays.
func TestComparisonsThatHideEverything(t *testing.T) {
	value := func(xs ...float64) Value {
		var observed []observation
		for rep, x := range xs {
			observed = append(observed, observation{rep: rep, Observation: metric.Observation{Value: x}})
		}
		return summarize(metric.P99, observed)
	}
	by := func(known metric.Prior, a, b Value) PairChange {
		return change(metric.P99, a, b, scattered{own: known}.between(record.Cell{}, a, record.Cell{}, b), DefaultMargin)
	}
	a, b := value(1e-3, 20e-3), value(2e-3, 15e-3)
	c := by(metric.Prior{}, a, b)
	if c.Change != Unseen || c.Difference.OK || c.Difference.Lo != c.Difference.Hi || c.Difference.Detectable != 0 {
		t.Errorf("%+v", c)
	}
	c = by(metric.Prior{Variance: 1e-3, DF: 30}, value(1e-3, 1.1e-3), value(1e-3, 1.05e-3))
	if c.Change != Same || !c.Difference.OK {
		t.Errorf("%+v", c)
	}
	// A difference that is larger than all noise is told, however wide its interval.
	if c = by(metric.Prior{}, value(1e-3, 1.2e-3, 1.1e-3), value(1, 1.2, 1.1)); c.Change != Worse {
		t.Errorf("%+v", c)
	}
}
