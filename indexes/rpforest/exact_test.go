package rpforest

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"annbench/indexes/vec"

	"pgregory.net/rapid"
)

// eager returns a searcher that sweeps whatever the size, and never gives up.
func eager(f *Forest) *Searcher {
	s := f.NewSearcher()
	s.bounded.least, s.bounded.budget = 0, math.Inf(1)
	return s
}

// checkExact compares searches with the comparison of every pair: nearestOf all rows.
func checkExact(t rapid.TB, s *Searcher, queries vec.Matrix, k int) {
	t.Helper()
	rows := make([]int32, s.f.base.Rows)
	for i := range rows {
		rows[i] = int32(i)
	}
	for i := range queries.Rows {
		got, err := s.Exact(nil, queries.Row(i), k)
		if err != nil {
			t.Fatal(err)
		}
		if want := nearestOf(s.f, queries.Row(i), k, rows); !slices.Equal(got, want) {
			t.Fatalf("query %d, k = %d:\n%v, want\n%v", i, k, got, want)
		}
	}
}

// Exact is the comparison of every pair, bit for bit and tie for tie, on vectors that are hard on bounds.
func TestExactLosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base, queries := hard(t)
		metric := rapid.SampledFrom(vec.Metrics).Draw(t, "metric")
		f, err := Build(t.Context(), base, metric, Options{LeafSize: rapid.IntRange(1, 80).Draw(t, "leaf"), Seed: 1, Exact: true})
		if err != nil {
			t.Fatal(err)
		}
		k := rapid.SampledFrom([]int{1, 2, 10, 100, 1000}).Draw(t, "k")
		checkExact(t, eager(f), queries, k)
		s := f.NewSearcher() // one that may give up
		s.bounded.least = 0
		s.bounded.budget = rapid.SampledFrom([]float64{0, 0.5, 1}).Draw(t, "budget")
		checkExact(t, s, queries, k)
	})
}

// Every entry of a leaf lies within the leaf's radius, and below the bound of each of its codes.
func TestRadiusOfEveryLeaf(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base, queries := hard(t)
		metric := rapid.SampledFrom(vec.Metrics).Draw(t, "metric")
		f, err := Build(t.Context(), base, metric, Options{LeafSize: rapid.IntRange(1, 80).Draw(t, "leaf"), Seed: 1, Exact: true})
		if err != nil {
			t.Fatal(err)
		}
		s := eager(f)
		b, a := f.bounds, s.bounded
		for i := range queries.Rows {
			q := queries.Row(i)
			query := f.ranker.Query(q, s.unit)
			if _, err := s.Exact(nil, q, 1); err != nil { // prepares for q
				t.Fatal(err)
			}
			for leaf := range b.sizes {
				for place := int(b.leaves[leaf]) * vec.CodeBlock; place < int(b.leaves[leaf+1])*vec.CodeBlock; place++ {
					row := b.blocks.Own(place)
					if row == none {
						continue
					}
					var value [1]float32
					query.Scattered(value[:], []int32{int32(row)})
					radius := f.radius(value[0], a.length)
					reach, offset := a.coarse.limit(radius)
					if r := reach + b.radii[leaf]; a.ranks[leaf] > r*r+offset {
						t.Fatalf("query %d: row %d at a radius of %v: its leaf is ruled out", i, row, radius)
					}
					reach, offset = a.front.limit(radius)
					var mask [1]uint16
					b.sieve.Scan(mask[:], a.front.q, place/vec.CodeBlock, place/vec.CodeBlock+1, a.front.factor, reach, offset)
					if mask[0]>>(place%vec.CodeBlock)&1 == 0 {
						t.Fatalf("query %d: row %d at a radius of %v: its front code is ruled out", i, row, radius)
					}
				}
			}
		}
	})
}

// The ways through a search, at a size where it chooses by itself: the sweep where vectors have a structure, the
// scan where they have none. Both answers are exact; a search that gave up tries less often.
func TestExactChooses(t *testing.T) {
	const rows, dim, k = 8192, 400, 10
	structured := build(t, embeddings(rows, dim, 1), vec.L2, Options{Seed: 1, Exact: true})
	s := structured.NewSearcher()
	checkExact(t, s, embeddings(20, dim, 2), k)
	if w := s.bounded.work; w.compared == 0 || w.compared > rows/20 || s.bounded.despair.times != 0 {
		t.Errorf("embeddings: %+v, %+v", w, s.bounded.despair)
	}
	noise := func(rows int, seed uint64) vec.Matrix {
		rng := rand.New(rand.NewPCG(seed, 3))
		m := vec.NewMatrix(rows, dim)
		for i := range m.Data {
			m.Data[i] = float32(rng.NormFloat64())
		}
		return m
	}
	s = build(t, noise(rows, 1), vec.L2, Options{Seed: 1, Exact: true}).NewSearcher()
	checkExact(t, s, noise(20, 2), k)
	if d := s.bounded.despair; d.times < 3 {
		t.Errorf("noise: %+v", d)
	}
}

func TestExactRefuses(t *testing.T) {
	base := clustered(50, 4, 1)
	for _, o := range []Options{{Plain: true, Exact: true}, {Trees: 2, Exact: true}} {
		if _, err := Build(t.Context(), base, vec.L2, o); err == nil {
			t.Errorf("%+v: no error", o)
		}
	}
	s := build(t, base, vec.L2, Options{}).NewSearcher()
	if _, err := s.Exact(nil, base.Row(0), 1); err == nil {
		t.Error("a forest that was not built for it: no error")
	}
	s = build(t, base, vec.L2, Options{Exact: true}).NewSearcher()
	for _, c := range []struct {
		q []float32
		k int
	}{{base.Row(0), 0}, {base.Row(0)[:3], 1}, {[]float32{1, 2, 3, float32(math.NaN())}, 1}} {
		dst, err := s.Exact([]vec.Neighbor{{ID: 7}}, c.q, c.k)
		if err == nil || len(dst) != 1 {
			t.Errorf("%v, k = %d: %v, %v", c.q, c.k, dst, err)
		}
	}
}
