// Package project puts vectors onto a plane, for people to look at: by principal components ([PCA]),
// which keeps large distances, and by t-SNE, which keeps neighbours. [Map] does both for a
// sample of a collection and says how much of the neighbourhoods each kept.
//
// It draws nothing: package record holds the points, and packages reports and survey draw them.
package project

import (
	"context"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"

	"gonum.org/v1/gonum/mat"

	"annbench/bench/record"
	"annbench/indexes/vec"
)

// Config of [Map]. The zero value of every field has a meaning.
type Config struct {
	Points     int        // at most, a random sample of more; 0 means 3000
	Metric     vec.Metric // empty means cosine; under inner product distances are Euclidean
	Seed       uint64
	Perplexity float64 // of t-SNE; 0 means 30, the usual one
	Iterations int     // of t-SNE; 0 means 750
	// Progress, where not nil, is called with t-SNE's iterations.
	Progress func(done, total int)
}

const (
	defaultPoints = 3000 // as many as a figure of a page's width shows apart
	keptAmong     = 10   // neighbours that record.Projection.Kept is about
)

// Map projects a sample of the vectors. id and label give what each vector stands for; an empty label
// is none. It is an error if there are fewer than 3 vectors, or a component that is not finite.
func Map(ctx context.Context, vectors vec.Matrix, id, label func(row int) string, c Config) (*record.Map, error) {
	if c.Points <= 0 {
		c.Points = defaultPoints
	}
	if c.Metric == "" {
		c.Metric = vec.Cosine
	}
	if vectors.Rows < 3 {
		return nil, fmt.Errorf("projecting %d vectors: at least 3 are needed", vectors.Rows)
	}
	rows := sample(vectors.Rows, c.Points, c.Seed)
	x := vec.NewMatrix(len(rows), vectors.Dim)
	for i, row := range rows {
		copy(x.Row(i), vectors.Row(row))
		if c.Metric == vec.Cosine {
			normalize(x.Row(i))
		}
	}
	m := &record.Map{Rows: vectors.Rows, Metric: string(c.Metric), Seed: c.Seed}
	describe(m, rows, id, label)

	// Neighbours once, for t-SNE and for what is kept.
	perplexity := c.perplexity(len(rows))
	k := min(len(rows)-1, max(keptAmong, int(3*perplexity)))
	near, err := neighbours(ctx, x, k)
	if err != nil {
		return nil, fmt.Errorf("projecting vectors: %w", err)
	}
	pca, share := PCA(x, 2)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	tsne, err := layout(ctx, near, pca, perplexity, c)
	if err != nil {
		return nil, err
	}
	for _, p := range []struct {
		name, note string
		plane      *mat.Dense
	}{
		{"PCA", fmt.Sprintf("%.0f %% of the variance", 100*(share[0]+share[1])), pca},
		{"t-SNE", "perplexity " + strconv.FormatFloat(perplexity, 'g', 3, 64), tsne},
	} {
		kept, err := kept(ctx, near, p.plane)
		if err != nil {
			return nil, fmt.Errorf("projecting vectors: %w", err)
		}
		out := record.Projection{Name: p.name, Note: p.note, Kept: kept}
		for i := range rows {
			out.X = append(out.X, short(p.plane.At(i, 0)))
			out.Y = append(out.Y, short(p.plane.At(i, 1)))
		}
		m.Methods = append(m.Methods, out)
	}
	return m, nil
}

// describe fills in what the points stand for.
func describe(m *record.Map, rows []int, id, label func(row int) string) {
	place := map[string]int{}
	for _, row := range rows {
		m.ID = append(m.ID, id(row))
		if l := label(row); l != "" {
			place[l] = 0
		}
	}
	m.Labels = slices.Sorted(maps.Keys(place))
	for i, l := range m.Labels {
		place[l] = i
	}
	for _, row := range rows {
		at := -1
		if l := label(row); l != "" {
			at = place[l]
		}
		m.Label = append(m.Label, at)
	}
}

// sample is n of the numbers below all, sorted, or all of them.
func sample(all, n int, seed uint64) []int {
	rows := make([]int, all)
	for i := range rows {
		rows[i] = i
	}
	if all <= n {
		return rows
	}
	// The first n steps of a shuffle.
	r := rand.New(rand.NewPCG(seed, 0x6d617073616d706c))
	for i := range n {
		j := i + r.IntN(all-i)
		rows[i], rows[j] = rows[j], rows[i]
	}
	rows = rows[:n]
	slices.Sort(rows)
	return rows
}

func normalize(v []float32) {
	if norm := vec.Norm(v); norm > 0 {
		for i := range v {
			v[i] = float32(float64(v[i]) / norm)
		}
	}
}

// short keeps five digits, which is more than a screen shows.
func short(x float64) float64 {
	v, err := strconv.ParseFloat(strconv.FormatFloat(x, 'g', 5, 64), 64)
	if err != nil {
		panic(err) // what was just written is a number
	}
	return v
}

// lists are the nearest others of each point: k of them, nearest first.
type lists struct {
	n, k int
	id   []int32
	d2   []float64 // squared distances
}

func (l *lists) row(i int) ([]int32, []float64) {
	return l.id[i*l.k : (i+1)*l.k], l.d2[i*l.k : (i+1)*l.k]
}

// neighbours finds the k nearest others of every row of x.
func neighbours(ctx context.Context, x vec.Matrix, k int) (*lists, error) {
	found, err := vec.Exact(ctx, x, x, vec.L2, k+1, runtime.GOMAXPROCS(0), nil)
	if err != nil {
		return nil, err
	}
	l := &lists{n: x.Rows, k: k, id: make([]int32, 0, x.Rows*k), d2: make([]float64, 0, x.Rows*k)}
	for i := range x.Rows {
		taken := 0
		for _, nb := range found[i*(k+1) : (i+1)*(k+1)] {
			// Among more than k duplicates a row need not be in its own list: the last is left out.
			if int(nb.ID) == i || taken == k {
				continue
			}
			d := vec.L2.Distance(x.Row(i), x.Row(int(nb.ID)))
			l.id, l.d2 = append(l.id, nb.ID), append(l.d2, d*d)
			taken++
		}
	}
	return l, nil
}

// kept is the share of the nearest neighbours that are also the nearest in the plane.
func kept(ctx context.Context, near *lists, plane *mat.Dense) (float64, error) {
	y := vec.NewMatrix(near.n, 2)
	// Scaled to 1, so that float32 has the digits where they matter.
	top := mat.Max(plane) - mat.Min(plane)
	if top == 0 || math.IsNaN(top) {
		top = 1
	}
	for i := range near.n {
		y.Row(i)[0], y.Row(i)[1] = float32(plane.At(i, 0)/top), float32(plane.At(i, 1)/top)
	}
	k := min(keptAmong, near.k)
	flat, err := neighbours(ctx, y, k)
	if err != nil {
		return 0, err
	}
	same := 0
	for i := range near.n {
		high, _ := near.row(i)
		low, _ := flat.row(i)
		for _, id := range high[:k] {
			if slices.Contains(low, id) {
				same++
			}
		}
	}
	return float64(same) / float64(near.n*k), nil
}
