package metric

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestPercentile(t *testing.T) {
	five := []float64{15, 20, 35, 40, 50}
	thousand := make([]float64, 1000)
	for i := range thousand {
		thousand[i] = float64(i + 1)
	}
	for _, c := range []struct {
		sorted  []float64
		p, want float64
	}{
		{five, 0.05, 15}, // ⌈0.25⌉ = 1
		{five, 0.3, 20},  // ⌈1.5⌉ = 2
		{five, 0.4, 20},  // ⌈2⌉ = 2
		{five, 0.5, 35},  // ⌈2.5⌉ = 3
		{five, 1, 50},    // the last
		{five, 0, 15},
		{[]float64{7}, 0.999, 7},
		{thousand, 0.999, 999},
		{thousand, 0.9991, 1000},
		{thousand, 0.01, 10},
		{thousand, 0.07, 70}, // 0.07·1000 is 70.00000000000001 in float64
		{thousand[:100], 0.07, 7},
		{thousand, 0.29, 290},
	} {
		if got := Percentile(c.sorted, c.p); got != c.want {
			t.Errorf("share %v of %d values: %v, want %v", c.p, len(c.sorted), got, c.want)
		}
	}
	values := []float64{50, 15, 40, 20, 35}
	if got := Distribution(values, 0.5, 0.05); !slices.Equal(got, []float64{35, 15}) || values[0] != 50 {
		t.Errorf("distribution %v of %v", got, values)
	}
}

func TestPercentileIsTheSmallestValueThatCoversP(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64Range(-5, 5), 1, 50).Draw(t, "values")
		p := rapid.IntRange(1, 100).Draw(t, "p")
		slices.Sort(values)
		got := Percentile(values, float64(p)/100)
		for _, v := range values { // ascending: the first that p % of the values do not exceed
			n := 0
			for _, w := range values {
				if w <= v {
					n++
				}
			}
			if n*100 >= p*len(values) {
				if got != v {
					t.Fatalf("p%d is %v, want %v", p, got, v)
				}
				return
			}
		}
	})
}

func TestMedian(t *testing.T) {
	if got := Median([]float64{9, 1, 5}); got != 5 {
		t.Errorf("%v, want 5", got)
	}
	if got := Median([]float64{9, 1, 5, 2}); got != 3.5 {
		t.Errorf("%v, want 3.5", got)
	}
	if got := Median([]float64{math.MaxFloat64, math.MaxFloat64}); got != math.MaxFloat64 {
		t.Errorf("%v, want the largest float64", got)
	}
}

// The levels are those of the tables of the sign test: 1 - 2·Σ_{i<j} C(n, i)/2^n.
func TestMedianInterval(t *testing.T) {
	for _, c := range []struct {
		n          int
		confidence float64
		lo, hi     float64
		level      float64
	}{
		{2, 0.95, 1, 2, 0.5},
		{3, 0.95, 1, 3, 0.75},
		{5, 0.95, 1, 5, 1 - 2./32},
		{6, 0.95, 1, 6, 1 - 2./64},
		{8, 0.95, 1, 8, 1 - 2./256},             // the next, [2, 7], has 1 - 18/256 = 0.93
		{9, 0.95, 2, 8, 1 - 2*(1+9)/512.},       // 0.961
		{20, 0.95, 6, 15, 0.958610534667969},    // known from tables
		{20, 0.9, 6, 15, 0.958610534667969},     // [7, 14] has 0.885
		{3, 0.5, 1, 3, 0.75},                    // [2, 2] is no interval of level 0.5
		{1000, 0.95, 469, 532, 0.9537088026395}, // summed in rationals
	} {
		values := make([]float64, c.n)
		for i := range values {
			values[i] = float64(c.n - i)
		}
		got, ok := MedianInterval(values, c.confidence)
		if !ok || got.Lo != c.lo || got.Hi != c.hi || math.Abs(got.Level-c.level) > 1e-9 {
			t.Errorf("n %d, %v: %+v, want [%v, %v] at %v", c.n, c.confidence, got, c.lo, c.hi, c.level)
		}
	}
	for _, values := range [][]float64{nil, {1}} {
		if got, ok := MedianInterval(values, 0.95); ok {
			t.Errorf("%v has the interval %+v", values, got)
		}
	}
	for _, confidence := range []float64{0, 1, -1, 2, math.NaN()} {
		if got, ok := MedianInterval([]float64{1, 2, 3}, confidence); ok {
			t.Errorf("confidence %v gives %+v", confidence, got)
		}
	}
}

// The level is what it says: of samples from a distribution whose median is known, that share of
// intervals holds it.
func TestMedianIntervalCovers(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{3, 5, 10, 31} {
		const trials = 20000
		held, level := 0, 0.0
		for range trials {
			values := make([]float64, n)
			for i := range values {
				values[i] = rng.ExpFloat64() // median ln 2
			}
			in, _ := MedianInterval(values, 0.95)
			if in.Lo <= math.Ln2 && math.Ln2 <= in.Hi {
				held++
			}
			level = in.Level
		}
		if got := float64(held) / trials; math.Abs(got-level) > 0.01 {
			t.Errorf("n %d: %v of the intervals hold the median, their level is %v", n, got, level)
		}
	}
}

func TestBootstrapMean(t *testing.T) {
	// For many values the bootstrap comes to mean ± 1.96·s/√n, here of a variance of 1/12.
	rng := rand.New(rand.NewPCG(3, 4))
	values := make([]float64, 400)
	for i := range values {
		values[i] = rng.Float64()
	}
	mean, half := Average(values), 1.96*math.Sqrt(1./12/400)
	lo, hi := BootstrapMean(values, 7)
	if math.Abs(lo-(mean-half)) > half/5 || math.Abs(hi-(mean+half)) > half/5 {
		t.Errorf("[%v, %v], want about [%v, %v]", lo, hi, mean-half, mean+half)
	}
	if lo2, hi2 := BootstrapMean(values, 7); lo2 != lo || hi2 != hi {
		t.Errorf("the same seed gives [%v, %v] and [%v, %v]", lo, hi, lo2, hi2)
	}
	if lo2, hi2 := BootstrapMean(values, 8); lo2 == lo && hi2 == hi {
		t.Errorf("another seed gives the same interval")
	}
	if lo, hi := BootstrapMean([]float64{3, 3, 3}, 1); lo != 3 || hi != 3 {
		t.Errorf("of equal values: [%v, %v]", lo, hi)
	}
	if lo, hi := BootstrapMean([]float64{3}, 1); lo != 3 || hi != 3 {
		t.Errorf("of one value: [%v, %v]", lo, hi)
	}
	// Of 0 and 1, a quarter of the resamples is 0 0, a quarter 1 1: the interval is all there is.
	if lo, hi := BootstrapMean([]float64{0, 1}, 1); lo != 0 || hi != 1 {
		t.Errorf("of 0 and 1: [%v, %v]", lo, hi)
	}
}
