package tune

import (
	"testing"

	"annbench/bench/metric"
	"annbench/reports/judge"
)

// Worked out by hand: of a limit of .99 the half-width may be .0025.
func TestEnough(t *testing.T) {
	for _, c := range []struct {
		bound, spread float64
		queries, want int
	}{
		{0.99, 0.00125, 1000, 0}, // half-width .00245
		{0.99, 0.0025, 200, 770}, // .0049: 200·1.96² = 768.3
		{0.99, 0, 20, 120},       // 3/(10·.0025)
		{0.99, 0, 200, 0},        // as many
		{0.95, 0.0125, 100, 390}, // .0245 for .0125: 100·1.96² = 384.2
		{1, 0.1, 10, 0},          // nothing tells from 1
	} {
		if got := Enough(judge.Limit{Name: metric.Recall, Bound: c.bound}, c.spread, c.queries, 10); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
}
