package judge

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

func TestGrowthCarriesOn(t *testing.T) {
	g := Growth{}
	for _, n := range []int{10_000, 100_000, 1_000_000} {
		g.Points = append(g.Points, GrowthPoint{Vectors: n, Value: 3 * math.Pow(float64(n), 1.2)})
	}
	value, lo, hi, ok := g.At(1_000_000_000)
	if want := 3 * math.Pow(1e9, 1.2); !ok || math.Abs(value/want-1) > 1e-9 || math.Abs(lo/want-1) > 1e-6 || math.Abs(hi/want-1) > 1e-6 {
		t.Errorf("%v (%v to %v), want %v and nothing beside it", value, lo, hi, want)
	}
	// By hand: over three decades as n, over the last one as n²: all five sizes together have the slope of
	// y = 0, 1, 2, 3, 5 over x = 0..4, which is 12/10, with residuals .2, 0, -.2, -.4, .4, so that its error is
	// the root of (.4 / 3) / 10.
	g = Growth{}
	for i, y := range []float64{0, 1, 2, 3, 5} {
		g.Points = append(g.Points, GrowthPoint{Vectors: int(math.Pow10(i + 2)), Value: math.Pow(10, y)})
	}
	value, lo, hi, _ = g.At(10_000_000) // a decade on, from 10⁵
	doubt := 2 * math.Sqrt(.4/3/10)
	for what, is := range map[string][2]float64{
		"value": {math.Log10(value), 5 + 2}, "lower end": {math.Log10(lo), 5 + 1.2 - doubt}, "upper end": {math.Log10(hi), 5 + 2 + doubt},
	} {
		if math.Abs(is[0]-is[1]) > 1e-9 {
			t.Errorf("%s: 10^%v, want 10^%v", what, is[0], is[1])
		}
	}
	g = Growth{Points: []GrowthPoint{{Vectors: 100, Value: 1}, {Vectors: 1000, Value: 10}}}
	if _, _, _, ok := g.At(10_000); ok {
		t.Error("two sizes have been carried on")
	}
}
