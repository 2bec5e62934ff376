package metric

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// near is equality up to the rounding of a few operations.
func near(a, b float64) bool { return math.Abs(a-b) <= 1e-12*max(1, math.Abs(a), math.Abs(b)) }

func TestRecallAt(t *testing.T) {
	for _, c := range []struct {
		name    string
		answers []float64
		kth     float64
		k       int
		want    float64
	}{
		{"three of four within", []float64{1, 2, 3, 5}, 4, 4, 0.75},
		{"ties with the k-th count", []float64{4, 4, 4, 4}, 4, 4, 1},
		{"a short answer has misses", []float64{1}, 4, 4, 0.25},
		{"nothing", nil, 4, 4, 0},
		{"the tolerance is relative", []float64{4.00004, 4.00005, 400, 400}, 4, 4, 0.25}, // 4·(1+1e-5) = 4.00004
		{"large distances have a large one", []float64{4e6 + 39, 4e6 + 41}, 4e6, 2, 0.5},
		{"at distance 0 there is none", []float64{0, 1e-30}, 0, 2, 0.5},
		{"negative: -9.99995 is not as near as -10, -9.99991 is within 1e-4", []float64{-10, -9.99991, -9.9998, -9}, -10, 4, 0.5},
		{"no more than k", []float64{1, 1, 1}, 1, 2, 1},
	} {
		if got := RecallAt(c.answers, c.kth, c.k); !near(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestRecallIDAt(t *testing.T) {
	// Of the neighbours 7 3 9 1, the answers have 9 and 7, and 7 twice.
	if got := RecallIDAt([]int32{9, 7, 7, 5}, []int32{7, 3, 9, 1}, 4); got != 0.5 {
		t.Errorf("%v, want 0.5", got)
	}
	// Only the first k of each: 1 is the fourth neighbour.
	if got := RecallIDAt([]int32{1, 3}, []int32{7, 3, 9, 1}, 2); got != 0.5 {
		t.Errorf("%v, want 0.5", got)
	}
	if got := RecallIDAt(nil, []int32{7}, 1); got != 0 {
		t.Errorf("%v, want 0", got)
	}
}

func TestRecallIDAtIsASetIntersection(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := rapid.IntRange(1, 8).Draw(t, "k")
		answers := rapid.SliceOf(rapid.Int32Range(0, 9)).Draw(t, "answers")
		truth := rapid.SliceOfNDistinct(rapid.Int32Range(0, 9), k, 10, rapid.ID).Draw(t, "truth")
		hits := 0
		for _, id := range truth[:k] {
			if slices.Contains(answers[:min(k, len(answers))], id) {
				hits++
			}
		}
		if got, want := RecallIDAt(answers, truth, k), float64(hits)/float64(k); got != want {
			t.Fatalf("%v, want %v", got, want)
		}
	})
}

func TestDistanceRatio(t *testing.T) {
	for _, c := range []struct {
		name           string
		answers, truth []float64
		want           float64
		ok             bool
	}{
		{"(2/1 + 3/2) / 2", []float64{2, 3}, []float64{1, 2}, 1.75, true},
		{"0/0 is 1", []float64{0, 3}, []float64{0, 2}, 1.25, true},
		{"x/0 has no bound", []float64{1, 3}, []float64{0, 2}, 0, false},
		{"short", []float64{2}, []float64{1, 2}, 0, false},
		{"more than the truth", []float64{2, 3, 9}, []float64{1, 2}, 1.75, true},
		{"inner products", []float64{-2}, []float64{-3}, 0, false},
		{"nothing", nil, nil, 0, false},
		{"overflow", []float64{1}, []float64{math.SmallestNonzeroFloat64}, 0, false},
	} {
		got, ok := DistanceRatio(c.answers, c.truth)
		if !near(got, c.want) || ok != c.ok {
			t.Errorf("%s: %v %v, want %v %v", c.name, got, ok, c.want, c.ok)
		}
	}
}

func TestAveragePrecision(t *testing.T) {
	yes, no := true, false
	for _, c := range []struct {
		name     string
		relevant []bool
		k, total int
		want     AP
	}{
		// P@1 = 1 and P@3 = 2/3 add up to 5/3; min(5, 4) = 4, two in the list, four in the base.
		{"two of four", []bool{yes, no, yes, no, no}, 5, 4, AP{5. / 12, 5. / 6, 5. / 12}},
		// The same list, of a base with ten: min(5, 10) = 5.
		{"two of ten", []bool{yes, no, yes, no, no}, 5, 10, AP{1. / 3, 5. / 6, 1. / 6}},
		{"perfect", []bool{yes, yes, yes}, 3, 100, AP{1, 1, 0.03}},
		{"perfect as far as can be", []bool{yes, yes, no}, 3, 2, AP{1, 1, 1}},
		{"none relevant", []bool{no, no}, 2, 5, AP{}},
		{"nothing to find", []bool{no, no}, 2, 0, AP{}},
		{"no answers", nil, 2, 5, AP{}},
		{"short", []bool{no, yes}, 4, 5, AP{0.125, 0.5, 0.1}},
		{"only k are looked at", []bool{yes, yes, yes}, 1, 3, AP{1, 1, 1. / 3}},
	} {
		got := AveragePrecision(c.relevant, c.k, c.total)
		if !near(got.MinKR, c.want.MinKR) || !near(got.List, c.want.List) || !near(got.R, c.want.R) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestAveragePrecisionAgainstItsFormula(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		relevant := rapid.SliceOfN(rapid.Bool(), 0, 12).Draw(t, "relevant")
		k := rapid.IntRange(1, 14).Draw(t, "k")
		seen := relevant[:min(k, len(relevant))]
		precision := func(i int) float64 {
			n := 0
			for _, r := range seen[:i] {
				if r {
					n++
				}
			}
			return float64(n) / float64(i)
		}
		hits, sum := 0, 0.0
		for i, r := range seen {
			if r {
				hits++
				sum += precision(i + 1)
			}
		}
		total := hits + rapid.IntRange(0, 20).Draw(t, "missed")
		got := AveragePrecision(relevant, k, total)
		if hits == 0 {
			if got != (AP{}) {
				t.Fatalf("%v without a relevant answer", got)
			}
			return
		}
		want := AP{sum / math.Min(float64(k), float64(total)), sum / float64(hits), sum / float64(total)}
		if !near(got.MinKR, want.MinKR) || !near(got.List, want.List) || !near(got.R, want.R) {
			t.Fatalf("%v, want %v", got, want)
		}
		if got.R > got.MinKR || got.MinKR > got.List+1e-12 || got.List > 1 {
			t.Fatalf("%v: R <= MinKR <= List <= 1 should hold", got)
		}
	})
}

func TestMistakesPanic(t *testing.T) {
	for name, f := range map[string]func(){
		"recall of no places":      func() { RecallAt(nil, 1, 0) },
		"recall by id":             func() { RecallIDAt(nil, nil, 0) },
		"average precision":        func() { AveragePrecision(nil, 0, 1) },
		"more hits than items":     func() { AveragePrecision([]bool{true}, 1, 0) },
		"percentile of nothing":    func() { Percentile(nil, 0.5) },
		"percentile in percent":    func() { Percentile([]float64{1}, 50) },
		"percentile of NaN":        func() { Percentile([]float64{1}, math.NaN()) },
		"median of nothing":        func() { Median(nil) },
		"mean of nothing":          func() { Average(nil) },
		"bootstrap of nothing":     func() { BootstrapMean(nil, 1) },
		"distribution of no value": func() { Distribution(nil, 0.5) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s did not panic", name)
				}
			}()
			f()
		}()
	}
}
