package project

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"testing"

	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"

	"annbench/bench/record"
	"annbench/indexes/vec"
)

// gaussians are points around centres of their own, far apart; label[i] is the centre of row i.
func gaussians(seed uint64, rows, dim, centres int) (x vec.Matrix, label []int) {
	r := rand.New(rand.NewPCG(seed, 1))
	at := vec.NewMatrix(centres, dim)
	for i := range at.Data {
		at.Data[i] = 8 * float32(r.NormFloat64())
	}
	x = vec.NewMatrix(rows, dim)
	for i := range rows {
		c := i % centres
		label = append(label, c)
		for j := range dim {
			x.Row(i)[j] = at.Row(c)[j] + float32(r.NormFloat64())
		}
	}
	return x, label
}

func normal(seed uint64, rows, dim int) vec.Matrix {
	r := rand.New(rand.NewPCG(seed, 2))
	x := vec.NewMatrix(rows, dim)
	for i := range x.Data {
		// Axes of different length, so that components are told apart.
		x.Data[i] = float32(r.NormFloat64()) / float32(1+i%dim)
	}
	return x
}

// Against the full decomposition of the covariance matrix.
func TestPCA(t *testing.T) {
	for _, shape := range [][2]int{{200, 12}, {30, 80}, {5, 5}, {4, 1}, {2, 9}} {
		rows, dim := shape[0], shape[1]
		x := normal(3, rows, dim)
		const k = 3
		points, share := PCA(x, k)
		var cov mat.SymDense
		c := centre(x)
		cov.SymOuterK(1, c.T())
		var eigen mat.EigenSym
		if !eigen.Factorize(&cov, true) {
			t.Fatal("no decomposition")
		}
		values := eigen.Values(nil)
		var vectors mat.Dense
		eigen.VectorsTo(&vectors)
		total := mat.Trace(&cov)
		for j := range k {
			if j >= dim || values[dim-1-j] < 1e-9*total {
				if share[j] != 0 || points.At(0, j) != 0 {
					t.Errorf("%v: component %d beyond the rank has share %v", shape, j, share[j])
				}
				continue
			}
			if want := values[dim-1-j] / total; math.Abs(share[j]-want) > 1e-6 {
				t.Errorf("%v: share of component %d is %v, want %v", shape, j, share[j], want)
			}
			axis := vectors.ColView(dim - 1 - j)
			var along mat.VecDense
			along.MulVec(c, axis)
			largest := 0.0
			for i := range dim {
				if math.Abs(axis.AtVec(i)) > math.Abs(largest) {
					largest = axis.AtVec(i)
				}
			}
			for i := range rows {
				want := math.Copysign(1, largest) * along.AtVec(i)
				if math.Abs(points.At(i, j)-want) > 1e-3*math.Sqrt(values[dim-1-j]) {
					t.Fatalf("%v: component %d of row %d is %v, want %v", shape, j, i, points.At(i, j), want)
				}
			}
		}
	}
	same := vec.NewMatrix(5, 4)
	if points, share := PCA(same, 2); mat.Norm(points, 1) != 0 || share[0] != 0 {
		t.Errorf("of equal rows: %v, %v", points, share)
	}
}

// The entropy of each row is as wanted, and nearer neighbours are likelier.
func TestGaussian(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d2 := rapid.SliceOfNDistinct(rapid.Float64Range(1e-3, 1e3), 6, 60, rapid.ID).Draw(t, "d2")
		slices.Sort(d2)
		perplexity := rapid.Float64Range(1.5, float64(len(d2))/2).Draw(t, "perplexity")
		p := make([]float64, len(d2))
		gaussian(p, d2, math.Log(perplexity))
		sum, h := 0.0, 0.0
		for i, v := range p {
			sum += v
			if v > 0 {
				h -= v * math.Log(v)
			}
			if i > 0 && v > p[i-1] {
				t.Fatalf("neighbour %d is likelier than the one before", i)
			}
		}
		if math.Abs(sum-1) > 1e-9 || math.Abs(math.Exp(h)-perplexity) > 1e-3*perplexity {
			t.Fatalf("sum %v, perplexity %v, want %v", sum, math.Exp(h), perplexity)
		}
	})
	p := make([]float64, 4)
	gaussian(p, []float64{2, 2, 2, 2}, math.Log(2))
	if fmt.Sprint(p) != "[0.25 0.25 0.25 0.25]" {
		t.Errorf("of equal distances: %v", p)
	}
}

func TestAffinities(t *testing.T) {
	x, _ := gaussians(1, 120, 5, 3)
	near, err := neighbours(t.Context(), x, 30)
	if err != nil {
		t.Fatal(err)
	}
	g := affinities(near, 10)
	full := map[[2]int32]float64{}
	sum := 0.0
	for i := range int32(120) {
		for e := g.from[i]; e < g.from[i+1]; e++ {
			full[[2]int32{i, g.to[e]}] = g.p[e]
			sum += g.p[e]
			if g.to[e] == i {
				t.Errorf("point %d is its own neighbour", i)
			}
		}
	}
	if math.Abs(sum-1) > 1e-9 || len(full) != len(g.p) {
		t.Errorf("sum %v; %d entries at %d places", sum, len(g.p), len(full))
	}
	for at, p := range full {
		if full[[2]int32{at[1], at[0]}] != p {
			t.Fatalf("not symmetric at %v", at)
		}
	}
}

func randomPoints(r *rand.Rand, n int) []point {
	p := make([]point, n)
	for i := range p {
		p[i] = point{r.NormFloat64(), r.NormFloat64()}
	}
	for i := range n / 8 { // some on one spot
		p[r.IntN(n)] = p[i]
	}
	return p
}

// The tree's sums against those over all pairs: equal where nothing is put together, near otherwise.
func TestRepulsion(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	for _, n := range []int{1, 2, 3, 50, 700} {
		points := randomPoints(r, n)
		var tree quadtree
		tree.build(points)
		for _, c := range []struct{ theta, tolerance float64 }{{0, 1e-9}, {.5, .02}} {
			for i, p := range points {
				var want point
				wantZ := 0.0
				for j, o := range points {
					if j == i {
						continue
					}
					dx, dy := p.x-o.x, p.y-o.y
					w := 1 / (1 + dx*dx + dy*dy)
					wantZ += w
					want.x += w * w * dx
					want.y += w * w * dy
				}
				got, z := tree.repulsion(p, c.theta)
				off := math.Hypot(got.x-want.x, got.y-want.y)
				if off > c.tolerance*float64(n) || math.Abs(z-wantZ) > c.tolerance*(1+wantZ) {
					t.Fatalf("n %d, theta %v, point %d: %v, z %v; want %v, %v", n, c.theta, i, got, z, want, wantZ)
				}
			}
		}
	}
}

// The forces are the gradient of the divergence of Q from P, by differences of that.
func TestGradient(t *testing.T) {
	x, _ := gaussians(2, 40, 6, 3)
	near, err := neighbours(t.Context(), x, 15)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(7, 7))
	s := &tsne{
		n: 40, workers: 3, p: affinities(near, 5), y: randomPoints(r, 40),
		force: make([]point, 40), away: make([]point, 40), z: make([]float64, 40),
	}
	divergence := func() float64 {
		z := 0.0
		for i, a := range s.y {
			for j, b := range s.y {
				if i != j {
					z += 1 / (1 + (a.x-b.x)*(a.x-b.x) + (a.y-b.y)*(a.y-b.y))
				}
			}
		}
		kl := 0.0
		for i, a := range s.y {
			for e := s.p.from[i]; e < s.p.from[i+1]; e++ {
				b := s.y[s.p.to[e]]
				q := 1 / (1 + (a.x-b.x)*(a.x-b.x) + (a.y-b.y)*(a.y-b.y)) / z
				kl += s.p.p[e] * math.Log(s.p.p[e]/q)
			}
		}
		return kl
	}
	s.forces(0)
	z := 0.0
	for _, v := range s.z {
		z += v
	}
	const h = 1e-5
	for i := range s.y {
		got := 4 * (s.force[i].x - s.away[i].x/z)
		was := s.y[i].x
		s.y[i].x = was + h
		up := divergence()
		s.y[i].x = was - h
		want := (up - divergence()) / (2 * h)
		s.y[i].x = was
		if math.Abs(got-want) > 1e-6 {
			t.Fatalf("point %d: gradient %v, want %v", i, got, want)
		}
	}
}

// Groups that are far apart come out apart: nearly all of a point's neighbours in the plane are of its
// own group, which takes more than principal components where there are many.
func TestTSNEKeepsGroups(t *testing.T) {
	x, label := gaussians(4, 400, 30, 8)
	c := Config{Iterations: 400}
	beside, err := neighbours(t.Context(), x, int(3*c.perplexity(x.Rows)))
	if err != nil {
		t.Fatal(err)
	}
	pca, _ := PCA(x, 2)
	y, err := layout(t.Context(), beside, pca, c.perplexity(x.Rows), c)
	if err != nil {
		t.Fatal(err)
	}
	flat := vec.NewMatrix(400, 2)
	for i := range 400 {
		flat.Row(i)[0], flat.Row(i)[1] = float32(y.At(i, 0)), float32(y.At(i, 1))
	}
	near, err := neighbours(t.Context(), flat, 10)
	if err != nil {
		t.Fatal(err)
	}
	same := 0
	for i := range 400 {
		ids, _ := near.row(i)
		for _, id := range ids {
			if label[id] == label[i] {
				same++
			}
		}
	}
	if same < 3980 {
		t.Errorf("%d of 4000 neighbours are of the same group", same)
	}
}

func mapOf(t testing.TB, x vec.Matrix, label []int, c Config) *record.Map {
	t.Helper()
	m, err := Map(t.Context(), x, strconv.Itoa, func(row int) string {
		if label == nil || label[row] == 0 {
			return ""
		}
		return "label " + strconv.Itoa(label[row])
	}, c)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMap(t *testing.T) {
	x, label := gaussians(6, 500, 20, 5)
	m := mapOf(t, x, label, Config{Points: 300, Iterations: 300, Seed: 9})
	if m.Rows != 500 || len(m.ID) != 300 || fmt.Sprint(m.Labels) != "[label 1 label 2 label 3 label 4]" || m.Metric != "cosine" {
		t.Errorf("%d rows, %d points, labels %q, %s", m.Rows, len(m.ID), m.Labels, m.Metric)
	}
	for i, id := range m.ID {
		row, err := strconv.Atoi(id)
		if err != nil || i > 0 && m.ID[i-1] == id || m.Label[i] != label[row]-1 {
			t.Fatalf("point %d is row %s with label %d", i, id, m.Label[i])
		}
	}
	if len(m.Methods) != 2 || m.Methods[0].Name != "PCA" || m.Methods[1].Name != "t-SNE" {
		t.Fatalf("methods %+v", m.Methods)
	}
	if pca, tsne := m.Methods[0].Kept, m.Methods[1].Kept; !(tsne > .2 && tsne > pca && pca > 0) {
		t.Errorf("kept %v by PCA and %v by t-SNE", pca, tsne)
	}
	runtime.GOMAXPROCS(1)
	again := mapOf(t, x, label, Config{Points: 300, Iterations: 300, Seed: 9})
	runtime.GOMAXPROCS(runtime.NumCPU())
	if fmt.Sprint(again) != fmt.Sprint(m) {
		t.Error("another map on one processor")
	}
	if other := mapOf(t, x, label, Config{Points: 300, Iterations: 3, Seed: 10}); fmt.Sprint(other.ID) == fmt.Sprint(m.ID) {
		t.Error("another seed, the same sample")
	}
}

// Whatever the vectors: every coordinate is a number.
func TestMapOfOddVectors(t *testing.T) {
	equal := vec.NewMatrix(50, 3)
	for i := range equal.Data {
		equal.Data[i] = 2
	}
	pairs := vec.NewMatrix(60, 4)
	for i := range 60 {
		pairs.Row(i)[i%2] = 1
	}
	huge := normal(1, 40, 3)
	for i := range huge.Data {
		huge.Data[i] *= 1e15
	}
	for name, x := range map[string]vec.Matrix{
		"zero": vec.NewMatrix(50, 3), "equal": equal, "two spots": pairs, "huge": huge,
		"three": normal(1, 3, 5), "one dimension": normal(1, 30, 1), "four": normal(1, 4, 2),
	} {
		for _, metric := range []vec.Metric{vec.L2, vec.Cosine, vec.InnerProduct} {
			m := mapOf(t, x, nil, Config{Iterations: 60, Metric: metric})
			for _, p := range m.Methods {
				for i := range p.X {
					if v := p.X[i] + p.Y[i]; math.IsNaN(v) || math.IsInf(v, 0) {
						t.Fatalf("%s, %s, %s: point %d is at (%v, %v)", name, metric, p.Name, i, p.X[i], p.Y[i])
					}
				}
				if !(p.Kept >= 0 && p.Kept <= 1) {
					t.Errorf("%s, %s: %s kept %v", name, metric, p.Name, p.Kept)
				}
			}
		}
	}
}

func TestMapErrors(t *testing.T) {
	none := func(int) string { return "" }
	if _, err := Map(t.Context(), vec.NewMatrix(2, 4), none, none, Config{}); err == nil {
		t.Error("two vectors: no error")
	}
	bad := normal(1, 20, 3)
	bad.Data[7] = float32(math.NaN())
	if _, err := Map(t.Context(), bad, none, none, Config{}); err == nil {
		t.Error("NaN: no error")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Map(ctx, normal(1, 200, 3), none, none, Config{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// Four points on a line with one neighbour each, and the same with the ends swapped: worked out by hand.
func TestKept(t *testing.T) {
	line := vec.NewMatrix(4, 1)
	copy(line.Data, []float32{0, 1, 3, 7})
	near, err := neighbours(t.Context(), line, 1) // 1, 0, 1, 2
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		at   []float64
		want float64
	}{
		{[]float64{0, 1, 3, 7}, 1},
		{[]float64{0, 10, 30, 70}, 1},
		{[]float64{7, 1, 3, 0}, .25}, // 2, 3, 1, 1: only the third is kept
	} {
		plane := mat.NewDense(4, 2, nil)
		plane.SetCol(0, c.at)
		if got, err := kept(t.Context(), near, plane); err != nil || got != c.want {
			t.Errorf("%v: kept %v, %v, want %v", c.at, got, err, c.want)
		}
	}
}

// BenchmarkMap is a map as a report has it: 3,000 vectors of 512 dimensions.
func BenchmarkMap(b *testing.B) {
	x, label := gaussians(1, 3000, 512, 13)
	for b.Loop() {
		mapOf(b, x, label, Config{})
	}
}
