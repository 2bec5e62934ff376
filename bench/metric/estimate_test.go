package metric

import (
	"math"
	"testing"
)

// By hand: 1, 2, 3 have mean 2 and variance 1; the standard error is 1/√3, and t of 2 degrees of
// freedom is 4.302653 at 0.975.
func TestEstimateByHand(t *testing.T) {
	obs := []Observation{{Value: 1}, {Value: 2}, {Value: 3}}
	e := EstimateOf(obs, Linear)
	half := 4.302653 / math.Sqrt(3)
	if e.Median != 2 || e.N != 3 || !e.OK || math.Abs(e.Lo-(2-half)) > 1e-5 || math.Abs(e.Hi-(2+half)) > 1e-5 {
		t.Errorf("%+v, want 2 ± %v", e, half)
	}
	// The logarithms 0, 1, 2 give the same half width around 1.
	e = EstimateOf([]Observation{{Value: 1}, {Value: math.E}, {Value: math.E * math.E}}, Logarithmic)
	if math.Abs(e.Lo/math.Exp(1-half)-1) > 1e-5 || math.Abs(e.Hi/math.Exp(1+half)-1) > 1e-5 {
		t.Errorf("%+v, want e^(1 ± %v)", e, half)
	}
	// Equal repetitions leave the spread over queries, with the normal 1.959964.
	e = EstimateOf([]Observation{{Value: 0.9, Spread: 0.01}, {Value: 0.9, Spread: 0.01}}, Linear)
	if math.Abs(e.Hi-0.9-0.01959964) > 1e-6 || math.Abs(0.9-e.Lo-0.01959964) > 1e-6 {
		t.Errorf("%+v, want .9 ± .0196", e)
	}
	if e = EstimateOf([]Observation{{Value: 7}}, Logarithmic); e.OK || e.Lo != 7 || e.Hi != 7 {
		t.Errorf("one value without a spread has the interval %+v", e)
	}
	if e = EstimateOf([]Observation{{Value: 0}, {Value: 1}, {Value: 2}}, Logarithmic); math.IsNaN(e.Lo) || math.IsInf(e.Lo, 0) {
		t.Errorf("a zero on the logarithmic scale: %+v", e)
	}
}

func TestCompareByHand(t *testing.T) {
	// Paired: each repetition is disturbed, but a is always twice b.
	a := []Observation{{Value: 2}, {Value: 4}, {Value: 20}}
	b := []Observation{{Value: 1}, {Value: 2}, {Value: 10}}
	c := Compare(a, b, Logarithmic, true)
	if !c.OK || c.Tied || math.Abs(c.Lo-2) > 1e-9 || math.Abs(c.Hi-2) > 1e-9 || math.Abs(c.Difference-2) > 1e-9 || math.Abs(c.Detectable-1) > 1e-9 {
		t.Errorf("paired: %+v, want exactly 2", c)
	}
	if c = Compare(a, b, Logarithmic, false); !c.Tied || !c.OK {
		t.Errorf("unpaired, the disturbance hides it: %+v", c)
	}
	// By hand, Welch: means 2 and 4, variances 1 and 1 of 3 each: se = √(2/3), df = 4, t = 2.776445.
	c = Compare([]Observation{{Value: 1}, {Value: 2}, {Value: 3}}, []Observation{{Value: 3}, {Value: 4}, {Value: 5}}, Linear, false)
	half := 2.776445 * math.Sqrt(2.0/3)
	if math.Abs(c.Lo-(-2-half)) > 1e-5 || math.Abs(c.Hi-(-2+half)) > 1e-5 || !c.Tied {
		t.Errorf("Welch: %+v, want -2 ± %v", c, half)
	}
	// 0.940965 is the quantile .8 of t with 4 degrees of freedom.
	if want := (2.776445 + 0.940965) * math.Sqrt(2.0/3); math.Abs(c.Detectable-want) > 1e-5 {
		t.Errorf("detectable %v, want %v", c.Detectable, want)
	}
	if c = Compare([]Observation{{Value: 5}}, []Observation{{Value: 5}}, Linear, true); !c.Tied || c.OK {
		t.Errorf("equal single values: %+v", c)
	}
	if c = Compare([]Observation{{Value: 5}}, []Observation{{Value: 6}}, Linear, true); c.Tied || c.OK {
		t.Errorf("different single values: %+v", c)
	}
}

// Intervals of 95 % must hold the truth in 93 to 97 % of trials, over the noise that there is: builds,
// repetitions and queries; with few repetitions of both kinds they may be cautious. The seeds are
// fixed, so this test does not flicker.
func TestIntervalsHoldTheTruth(t *testing.T) {
	for _, tt := range []struct {
		name  string
		noise Noise
		most  float64
	}{
		{"builds and queries", Noise{6, 200, 0.02, 0.1, 0.9, Linear}, 0.97},
		{"queries alone", Noise{3, 200, 0, 0.1, 0.9, Linear}, 0.97},
		{"builds alone", Noise{3, 200, 0.05, 0, 0.9, Linear}, 0.97},
		{"times", Noise{6, 200, 0.1, 0.5, 1e-4, Logarithmic}, 0.97},
		{"times, three repetitions", Noise{3, 200, 0.1, 0.5, 1e-4, Logarithmic}, 0.985},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if c := Coverage(1000, tt.noise, 3); c < 0.93 || c > tt.most {
				t.Errorf("95 %% intervals hold the truth in %.1f %% of 1,000 trials", 100*c)
			}
		})
	}
}

func TestPercentileErrorShrinksWithQueries(t *testing.T) {
	sorted := make([]float64, 10000)
	for i := range sorted {
		sorted[i] = float64(i) / 10000
	}
	// Uniform: the standard error of the median is √(.25/n).
	for _, n := range []int{100, 1000} {
		if got, want := PercentileError(sorted, 0.5, 0.5/math.Sqrt(float64(n))), 0.5/math.Sqrt(float64(n)); math.Abs(got/want-1) > 0.01 {
			t.Errorf("median of %d queries: %v, want %v", n, got, want)
		}
	}
}

// A cluster that says always the same has no chance, and counts once; where each varies as much as all together,
// all is chance.
func TestClusterShareByHand(t *testing.T) {
	for _, c := range []struct {
		hits, counts   []int
		effect, chance float64
	}{
		{[]int{2, 0, 2, 0}, []int{2, 2, 2, 2}, 1, 0},
		{[]int{1, 0, 1, 0}, []int{1, 1, 1, 1}, 1, 0},
		// F = 1/2, off = 1, 0, 0, -1: 4/3·2/64 = 1/24 against 1/16; within 2·1/4·2 over 4, over 8: 1/32.
		{[]int{2, 1, 1, 0}, []int{2, 2, 2, 2}, 2. / 3, 3. / 4},
		{[]int{0, 0}, []int{5, 5}, 1, 0},
		{[]int{3, 0}, []int{3, 0}, 1, 0},
	} {
		effect, chance := ClusterShare(c.hits, c.counts)
		if math.Abs(effect-c.effect) > 1e-12 || math.Abs(chance-c.chance) > 1e-12 {
			t.Errorf("%v of %v: effect %v, chance %v, want %v and %v", c.hits, c.counts, effect, chance, c.effect, c.chance)
		}
	}
}

func TestRobustness(t *testing.T) {
	recall := []float64{1, 0.8, 0.4, 0.8}
	for delta, want := range map[float64]float64{0.5: 0.75, 0.8: 0.75, 0.9: 0.25, 1: 0.25} {
		if got := Robustness(recall, delta); got != want {
			t.Errorf("δ = %v: %v, want %v", delta, got, want)
		}
	}
}
