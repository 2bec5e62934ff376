package reports

import (
	"math"
	"testing"
)

func TestGrowthFitsThePower(t *testing.T) {
	g := Growth{}
	for _, n := range []int{10_000, 100_000, 1_000_000} {
		g.Points = append(g.Points, GrowthPoint{Vectors: n, Value: 3 * math.Pow(float64(n), 1.2)})
	}
	g.fit()
	if !g.HasExponent || math.Abs(g.Exponent-1.2) > 1e-9 || g.Error > 1e-6 {
		t.Errorf("%+v, want 1.2 without an error", g)
	}
	// By hand: y = 0, 1, 0 over x = 0, 1, 2 in powers of e: slope 0, residuals -1/3, 2/3, -1/3, their
	// squares 2/3, over (3 - 2) and over Σx² = 2: the root of 1/3.
	g = Growth{Points: []GrowthPoint{{Vectors: 100, Value: 1}, {Vectors: 10_000, Value: math.E}, {Vectors: 1_000_000, Value: 1}}}
	g.fit()
	if want := math.Sqrt(1.0/3) / math.Log(100); math.Abs(g.Exponent) > 1e-9 || math.Abs(g.Error-want) > 1e-9 {
		t.Errorf("%+v, want 0 ± %v", g, want)
	}
	g = Growth{Points: []GrowthPoint{{Vectors: 10, Value: 1}, {Vectors: 100, Value: 10}, {Vectors: 1000, Value: 1, Short: true}}}
	if g.fit(); math.Abs(g.Exponent-1) > 1e-9 {
		t.Errorf("%+v: a point of less recall must not count", g)
	}
	g = Growth{Points: []GrowthPoint{{Vectors: 100, Value: 1}}}
	if g.fit(); g.HasExponent {
		t.Error("an exponent of one size")
	}
}
