// Package transform makes vectors smaller before an index sees them: fewer dimensions, or fewer bits of each. It
// answers how small an embedding may be.
//
// A transform is learnt from the base alone, without chance, and applied to base and queries alike. Answers are judged
// elsewhere, by the vectors as they were (package bench). What fp16, int8 and binary round, they give as float32: their
// loss is measured, and [Transform.Bytes] says what they take up once they are kept so.
package transform

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"gonum.org/v1/gonum/mat"

	"annbench/indexes/vec"
	"annbench/internal/words"
)

// None leaves vectors as they are.
const None = "none"

// Transform is one way to make vectors smaller. The zero value is [None].
type Transform struct {
	kind string // "" for None
	dims int    // of pca and first
}

// kinds is every transform. sized ones have a number of dimensions after a colon.
var kinds = []struct {
	name  string
	sized bool
	bits  int // of a dimension
	Doc   string
}{
	{None, false, 32, "the vectors as they are"},
	{"pca", true, 32, "so many principal components"},
	{"first", true, 32, "the first so many dimensions, for models that were trained for it (Kusupati et al., Matryoshka Representation Learning, NeurIPS 2022)"},
	{"fp16", false, 16, "IEEE half precision"},
	{"int8", false, 8, "256 levels between the least and the largest value of each dimension in the base"},
	{"binary", false, 1, "the sign of each dimension"},
}

// Examples are transforms as they are written, one of each kind.
var Examples = []string{None, "pca:128", "first:256", "fp16", "int8", "binary"}

// Parse reads "none", "pca:N", "first:N", "fp16", "int8" or "binary".
func Parse(word string) (Transform, error) {
	name, number, sized := strings.Cut(word, ":")
	for _, k := range kinds {
		switch {
		case k.name != name:
			continue
		case !k.sized && sized:
			return Transform{}, fmt.Errorf("transform %q: %s has no number: write %s", word, name, name)
		case !k.sized && name == None:
			return Transform{}, nil
		case !k.sized:
			return Transform{kind: name}, nil
		}
		n, err := strconv.Atoi(number)
		if err != nil || n < 1 || strconv.Itoa(n) != number {
			return Transform{}, fmt.Errorf("transform %q: %s needs a number of dimensions: write %s:128", word, name, name)
		}
		return Transform{name, n}, nil
	}
	var known []string
	for _, k := range kinds {
		known = append(known, k.name)
	}
	if near := words.Nearest(name, known); near != "" {
		return Transform{}, fmt.Errorf("no transform %q; did you mean %q?", word, near)
	}
	return Transform{}, fmt.Errorf("no transform %q; there are %s", word, strings.Join(Examples, ", "))
}

// String is what [Parse] reads.
func (t Transform) String() string {
	switch {
	case t.kind == "":
		return None
	case t.dims > 0:
		return fmt.Sprintf("%s:%d", t.kind, t.dims)
	}
	return t.kind
}

// Check says why t does not go with n vectors of dim dimensions, or nil.
func (t Transform) Check(n, dim int) error {
	switch {
	case t.dims > dim:
		return fmt.Errorf("transform %s: the vectors have %d dimensions: ask for at most as many", t, dim)
	case t.kind == "pca" && t.dims > n:
		return fmt.Errorf("transform %s: %d vectors have at most as many principal components", t, n)
	}
	return nil
}

// Dim is how many dimensions are left of dim.
func (t Transform) Dim(dim int) int {
	if t.dims > 0 {
		return t.dims
	}
	return dim
}

// Bytes is what a vector of dim dimensions takes up afterwards, by itself.
func (t Transform) Bytes(dim int) int {
	for _, k := range kinds {
		if k.name == t.kind {
			return (t.Dim(dim)*k.bits + 7) / 8
		}
	}
	return 4 * dim
}

// Fitted is a transform with what it has learnt. Its fields are for files.
type Fitted struct {
	Word   string
	Metric vec.Metric
	Mean   []float32 `json:",omitempty"` // of pca under l2
	Axes   []float32 `json:",omitempty"` // of pca: a row of the vectors' dimensions for each component
	Low    []float32 `json:",omitempty"` // of int8, by dimension
	High   []float32 `json:",omitempty"`
}

// Fit learns t from the base, whose vectors it does not keep. Under cosine it goes by directions.
//
// Principal components are of the centred base under l2. Under cosine and inner product, which centring would change,
// they are of the base as it is: the projection that keeps most of the squared length.
func (t Transform) Fit(base vec.Matrix, metric vec.Metric) (*Fitted, error) {
	if err := t.Check(base.Rows, base.Dim); err != nil {
		return nil, err
	}
	f := &Fitted{Word: t.String(), Metric: metric}
	row := make([]float32, base.Dim)
	switch t.kind {
	case "pca":
		return f, f.components(base, t.dims)
	case "int8":
		f.Low, f.High = make([]float32, base.Dim), make([]float32, base.Dim)
		for j := range base.Dim {
			f.Low[j], f.High[j] = math.MaxFloat32, -math.MaxFloat32
		}
		for i := range base.Rows {
			f.read(row, base.Row(i))
			for j, x := range row {
				f.Low[j], f.High[j] = min(f.Low[j], x), max(f.High[j], x)
			}
		}
	}
	return f, nil
}

// read copies a vector, of length 1 under cosine.
func (f *Fitted) read(to, from []float32) {
	copy(to, from)
	if f.Metric != vec.Cosine {
		return
	}
	sum := 0.0
	for _, x := range to {
		sum += float64(x) * float64(x)
	}
	if sum > 0 {
		scale := float32(1 / math.Sqrt(sum))
		for j := range to {
			to[j] *= scale
		}
	}
}

// block is how many rows the matrix of second moments takes at a time.
const block = 1024

func (f *Fitted) components(base vec.Matrix, k int) error {
	dim := base.Dim
	row := make([]float32, dim)
	mean := make([]float64, dim)
	if f.Metric == vec.L2 {
		for i := range base.Rows {
			for j, x := range base.Row(i) {
				mean[j] += float64(x) / float64(base.Rows)
			}
		}
		f.Mean = make([]float32, dim)
		for j, x := range mean {
			f.Mean[j] = float32(x)
		}
	}
	moments := mat.NewSymDense(dim, nil)
	for from := 0; from < base.Rows; from += block {
		n := min(block, base.Rows-from)
		part := mat.NewDense(n, dim, nil)
		for i := range n {
			f.read(row, base.Row(from+i))
			to := part.RawRowView(i)
			for j, x := range row {
				to[j] = float64(x) - mean[j]
			}
		}
		var more mat.SymDense
		more.SymOuterK(1/float64(base.Rows), part.T())
		moments.AddSym(moments, &more)
	}
	var eigen mat.EigenSym
	if !eigen.Factorize(moments, true) {
		return fmt.Errorf("transform %s: the principal components were not found", f.Word)
	}
	var vectors mat.Dense
	eigen.VectorsTo(&vectors)
	f.Axes = make([]float32, k*dim)
	for c := range k { // eigenvalues rise
		largest := 0.0
		for j := range dim {
			if x := vectors.At(j, dim-1-c); math.Abs(x) > math.Abs(largest) {
				largest = x
			}
		}
		for j := range dim { // an axis points where its largest part is positive
			f.Axes[c*dim+j] = float32(math.Copysign(1, largest) * vectors.At(j, dim-1-c))
		}
	}
	return nil
}

// Apply makes every row of x smaller: a new matrix of x.Rows × [Transform.Dim]. x has the dimensions of what f was
// learnt from.
func (f *Fitted) Apply(x vec.Matrix) (vec.Matrix, error) {
	t, err := Parse(f.Word)
	if err != nil {
		return vec.Matrix{}, err
	}
	if t.Dim(x.Dim) > x.Dim || t.kind == "pca" && len(f.Axes) != t.dims*x.Dim || t.kind == "int8" && (len(f.Low) != x.Dim || len(f.High) != x.Dim) {
		return vec.Matrix{}, fmt.Errorf("transform %s: it was not learnt from vectors of %d dimensions", f.Word, x.Dim)
	}
	out := vec.NewMatrix(x.Rows, t.Dim(x.Dim))
	row := make([]float32, x.Dim)
	for i := range x.Rows {
		f.read(row, x.Row(i))
		to := out.Row(i)
		switch t.kind {
		case "pca":
			for j := range f.Mean {
				row[j] -= f.Mean[j]
			}
			for c := range to {
				sum := 0.0
				for j, a := range f.Axes[c*x.Dim : (c+1)*x.Dim] {
					sum += float64(a) * float64(row[j])
				}
				to[c] = float32(sum)
			}
		case "fp16":
			for j, v := range row {
				if to[j] = half(v); math.IsInf(float64(to[j]), 0) {
					return vec.Matrix{}, fmt.Errorf("transform fp16: %v in vector %d is beyond half precision, which ends at 65504", v, i)
				}
			}
		case "int8":
			for j, v := range row {
				to[j] = f.level(j, v)
			}
		case "binary":
			for j, v := range row {
				to[j] = -1
				if v > 0 {
					to[j] = 1
				}
			}
		default: // first, none
			copy(to, row)
		}
	}
	return out, nil
}

// half is v in IEEE half precision, to the nearest, ties to even.
func half(v float32) float32 {
	switch a := math.Abs(float64(v)); {
	case a >= 65520:
		return float32(math.Inf(1))
	case a < 1.0/(1<<14): // subnormal: multiples of 2^-24
		return float32(math.RoundToEven(float64(v)*(1<<24)) / (1 << 24))
	}
	bits := math.Float32bits(v)
	bits += 0xfff + bits>>13&1
	return math.Float32frombits(bits &^ 0x1fff)
}

// level is the nearest of 256 levels to v in dimension j; beyond the ends it is the end.
func (f *Fitted) level(j int, v float32) float32 {
	low, step := float64(f.Low[j]), (float64(f.High[j])-float64(f.Low[j]))/255
	if !(step > 0) {
		return f.Low[j]
	}
	code := min(255, max(0, math.Round((float64(v)-low)/step)))
	return float32(low + code*step)
}
