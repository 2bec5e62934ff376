package transform

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"annbench/indexes/vec"
)

func TestParse(t *testing.T) {
	for _, word := range Examples {
		got, err := Parse(word)
		if err != nil || got.String() != word {
			t.Errorf("Parse(%q) = %v, %v", word, got, err)
		}
	}
	for word, want := range map[string]string{
		"pcs:12": `did you mean "pca"`, "pca": "write pca:128", "pca:0": "write pca:128", "pca:012": "write pca:128",
		"first:x": "write first:128", "int8:4": "write int8", "": "there are none", "none:3": "write none",
		"zap": `no transform "zap"; there are none, pca:128, first:256, fp16, int8, binary`,
	} {
		if _, err := Parse(word); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%q): error %v, want one with %q", word, err, want)
		}
	}
}

func TestBytes(t *testing.T) {
	for word, want := range map[string]int{"none": 400, "pca:32": 128, "first:10": 40, "fp16": 200, "int8": 100, "binary": 13} {
		tr, _ := Parse(word)
		if got := tr.Bytes(100); got != want {
			t.Errorf("%s: %d bytes of 100 dimensions, want %d", word, got, want)
		}
	}
}

func TestCheck(t *testing.T) {
	for word, bad := range map[string]bool{"none": false, "pca:8": false, "first:8": false, "first:9": true, "pca:9": true, "binary": false} {
		tr, _ := Parse(word)
		if err := tr.Check(100, 8); (err != nil) != bad {
			t.Errorf("%s of 8 dimensions: %v", word, err)
		}
	}
	tr, _ := Parse("pca:8")
	if tr.Check(5, 8) == nil {
		t.Error("8 principal components of 5 vectors")
	}
}

func apply(t *testing.T, word string, x vec.Matrix, m vec.Metric) vec.Matrix {
	t.Helper()
	tr, err := Parse(word)
	if err != nil {
		t.Fatal(err)
	}
	f, err := tr.Fit(x, m)
	if err != nil {
		t.Fatal(err)
	}
	out, err := f.Apply(x)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func gaussian(rows, dim int) vec.Matrix {
	r := rand.New(rand.NewPCG(1, 2))
	x := vec.NewMatrix(rows, dim)
	for i := range x.Data {
		x.Data[i] = float32(r.NormFloat64() + 0.5)
	}
	return x
}

// All components are a rotation: distances and inner products stay.
func TestPCAOfAllDimensionsKeepsDistances(t *testing.T) {
	x := gaussian(300, 12)
	for _, m := range []vec.Metric{vec.L2, vec.Cosine, vec.InnerProduct} {
		y := apply(t, "pca:12", x, m)
		for i := range 40 {
			a, b := m.Distance(x.Row(i), x.Row(i+40)), m.Distance(y.Row(i), y.Row(i+40))
			if math.Abs(float64(a-b)) > 1e-4*(1+math.Abs(float64(a))) {
				t.Fatalf("%s of %d and %d: %v before, %v after", m, i, i+40, a, b)
			}
		}
	}
}

// Vectors on a plane lose nothing by two components, though the plane is slanted.
func TestPCAFindsThePlane(t *testing.T) {
	flat := gaussian(200, 2)
	x := vec.NewMatrix(200, 5)
	for i := range 200 {
		a, b := flat.Row(i)[0], flat.Row(i)[1]
		copy(x.Row(i), []float32{a + b, a - b, 2 * a, 3, -b})
	}
	y := apply(t, "pca:2", x, vec.L2)
	for i := range 100 {
		a, b := vec.L2.Distance(x.Row(i), x.Row(i+100)), vec.L2.Distance(y.Row(i), y.Row(i+100))
		if math.Abs(float64(a-b)) > 1e-4*(1+float64(a)) {
			t.Fatalf("%d and %d: %v before, %v after", i, i+100, a, b)
		}
	}
}

func TestFirstAndBinary(t *testing.T) {
	x := vec.Matrix{Data: []float32{3, -4, 0, 12, 0, 5}, Rows: 2, Dim: 3}
	if got, want := apply(t, "first:2", x, vec.L2).Data, []float32{3, -4, 12, 0}; !slices.Equal(got, want) {
		t.Errorf("first:2: %v, want %v", got, want)
	}
	if got, want := apply(t, "binary", x, vec.L2).Data, []float32{1, -1, -1, 1, -1, 1}; !slices.Equal(got, want) {
		t.Errorf("binary: %v, want %v", got, want)
	}
}

// int8 is wrong by half a level at most, and what lies beyond the base's range comes to its end.
func TestInt8(t *testing.T) {
	x := gaussian(500, 4)
	tr, _ := Parse("int8")
	f, err := tr.Fit(x, vec.L2)
	if err != nil {
		t.Fatal(err)
	}
	y, err := f.Apply(x)
	if err != nil {
		t.Fatal(err)
	}
	levels := map[float32]bool{}
	for i := range x.Rows {
		for j, v := range x.Row(i) {
			if half := (f.High[j] - f.Low[j]) / 510; float64(y.Row(i)[j]-v) > float64(half)*1.001 || float64(v-y.Row(i)[j]) > float64(half)*1.001 {
				t.Fatalf("%v became %v, with a level of %v", v, y.Row(i)[j], 2*half)
			}
		}
		levels[y.Row(i)[0]] = true
	}
	if len(levels) > 256 {
		t.Errorf("%d levels", len(levels))
	}
	far, err := f.Apply(vec.Matrix{Data: []float32{1e9, -1e9, 0, 0}, Rows: 1, Dim: 4})
	if err != nil || far.Data[0] != f.High[0] || far.Data[1] != f.Low[1] {
		t.Errorf("far beyond: %v, %v; want %v and %v", far.Data, err, f.High[0], f.Low[1])
	}
}

func TestFP16(t *testing.T) {
	x := vec.Matrix{Data: []float32{1, 1 + 1.0/2048, 1.0 / 3}, Rows: 1, Dim: 3}
	y := apply(t, "fp16", x, vec.L2)
	if y.Data[0] != 1 || y.Data[1] != 1 || math.Abs(float64(y.Data[2])-1.0/3) > 1.0/8192 || y.Data[2] == x.Data[2] {
		t.Errorf("%v of %v", y.Data, x.Data)
	}
	tr, _ := Parse("fp16")
	f, _ := tr.Fit(x, vec.L2)
	if _, err := f.Apply(vec.Matrix{Data: []float32{1, 70000, 1}, Rows: 1, Dim: 3}); err == nil || !strings.Contains(err.Error(), "65504") {
		t.Errorf("70000 in half precision: %v", err)
	}
}
