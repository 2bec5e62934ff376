package metric

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestLID(t *testing.T) {
	// By hand: r = 1, e, e²; logarithms of r/r_k: -2, -1, 0; mean -1; LID 1.
	if got, ok := LID([]float64{1, math.E, math.E * math.E}); !ok || math.Abs(got-1) > 1e-12 {
		t.Errorf("%v, %v, want 1", got, ok)
	}
	if got, ok := LID([]float64{0, 1, math.E, math.E * math.E}); !ok || math.Abs(got-1) > 1e-12 {
		t.Errorf("with a copy: %v, %v, want 1", got, ok)
	}
	for _, none := range [][]float64{nil, {0, 0}, {2}, {2, 2}} {
		if got, ok := LID(none); ok {
			t.Errorf("%v has LID %v", none, got)
		}
	}
}

// Distances to the centre of a uniform ball in m dimensions have the distribution r^m, and LID m.
func TestLIDOfABall(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, m := range []float64{2, 8, 30} {
		var lids []float64
		for range 400 {
			d := make([]float64, 5000)
			for i := range d {
				d[i] = math.Pow(r.Float64(), 1/m)
			}
			slices.Sort(d)
			if lid, ok := LID(d[:100]); ok {
				lids = append(lids, lid)
			}
		}
		// 400 × 99 logarithms: a standard error of 0.5 %; the k-th itself takes 1 % away.
		if got := MeanLID(lids); math.Abs(got/m-1) > 0.03 {
			t.Errorf("%v, want %v", got, m)
		}
	}
}

func TestMeanLIDRelativeContrastAndSkewness(t *testing.T) {
	if got := MeanLID([]float64{2, 6}); math.Abs(got-3) > 1e-12 { // 2 / (1/2 + 1/6)
		t.Errorf("mean LID %v, want 3", got)
	}
	if got := MeanLID(nil); got != 0 {
		t.Errorf("mean LID of none: %v", got)
	}
	if got, ok := RelativeContrast(6, 4); !ok || got != 1.5 {
		t.Errorf("contrast %v, want 1.5", got)
	}
	if _, ok := RelativeContrast(6, 0); ok {
		t.Error("a contrast over nothing")
	}
	// By hand: 0 0 0 4: mean 1, deviations -1 -1 -1 3, second moment 3, third 6: 6/3^1.5.
	if got := Skewness([]int32{0, 0, 0, 4}); math.Abs(got-6/math.Pow(3, 1.5)) > 1e-12 {
		t.Errorf("skewness %v", got)
	}
	if Skewness([]int32{2, 2}) != 0 || Skewness([]int32{1, 2, 3}) != 0 {
		t.Error("equal and symmetric counts have no skewness")
	}
}

func TestDeciles(t *testing.T) {
	difficulty, values := make([]float64, 25), make([]float64, 25)
	for i := range difficulty {
		difficulty[i] = float64(24 - i)
		values[i] = float64(i)
	}
	got := Deciles(difficulty, values)
	// Easiest first is value 24, 23 | 22 21 20 | ...: parts of 2 and 3, by their places d·25/10.
	want := []float64{23.5, 21, 18.5, 16, 13.5, 11, 8.5, 6, 3.5, 1}
	for i := range want {
		if math.Abs(got[i]-want[i]) > 1e-12 {
			t.Fatalf("%v, want %v", got, want)
		}
	}
	ones := make([]float64, 300) // tenths of 30: thirty times 1/30 is less than 1
	for i := range ones {
		ones[i] = 1
	}
	for d, x := range Deciles(make([]float64, len(ones)), ones) {
		if x != 1 {
			t.Errorf("decile %d of ones: %v", d, x)
		}
	}
	if Deciles(difficulty[:9], values[:9]) != nil {
		t.Error("ten parts of nine queries")
	}
}
