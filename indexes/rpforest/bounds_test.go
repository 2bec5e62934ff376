package rpforest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"annbench/indexes/vec"

	"pgregory.net/rapid"
)

// kinds of vectors that are hard on bounds, each by a row's fill.
var kinds = []struct {
	name string
	fill func(rng *rand.Rand, row []float32, i int, before vec.Matrix)
}{
	{"normal", func(rng *rand.Rand, row []float32, _ int, _ vec.Matrix) {
		for j := range row {
			row[j] = float32(rng.NormFloat64())
		}
	}},
	{"far from the origin", func(rng *rand.Rand, row []float32, _ int, _ vec.Matrix) {
		for j := range row {
			row[j] = 1000 + float32(rng.NormFloat64())
		}
	}},
	{"near-duplicates", func(rng *rand.Rand, row []float32, i int, before vec.Matrix) {
		if i%10 == 0 {
			for j := range row {
				row[j] = float32(rng.NormFloat64())
			}
			return
		}
		copy(row, before.Row(i/10*10))
		row[rng.IntN(len(row))] *= 1 + float32(rng.IntN(5)-2)*0x1p-20
	}},
	{"few directions", func(rng *rand.Rand, row []float32, _ int, _ vec.Matrix) {
		x, y := float32(rng.NormFloat64()), float32(rng.NormFloat64())
		for j := range row {
			row[j] = x*float32(j%3) + y*float32(j%5-2)
		}
	}},
	{"heavy tails", func(rng *rand.Rand, row []float32, _ int, _ vec.Matrix) {
		for j := range row {
			row[j] = float32(rng.NormFloat64() * math.Exp(3*rng.NormFloat64()))
		}
	}},
	{"whole numbers", func(rng *rand.Rand, row []float32, _ int, _ vec.Matrix) {
		for j := range row {
			row[j] = float32(rng.IntN(3) - 1)
		}
	}},
	{"mostly zero", func(rng *rand.Rand, row []float32, _ int, _ vec.Matrix) {
		for j := range row {
			row[j] = 0
			if rng.IntN(8) == 0 {
				row[j] = float32(rng.ExpFloat64())
			}
		}
	}},
	{"equal", func(_ *rand.Rand, row []float32, _ int, _ vec.Matrix) {
		for j := range row {
			row[j] = 0.1 * float32(j)
		}
	}},
}

// hard draws vectors and queries, of which some are copies of vectors, some lie far away.
func hard(t *rapid.T) (base, queries vec.Matrix) {
	kind := kinds[rapid.IntRange(0, len(kinds)-1).Draw(t, "kind")]
	rows := rapid.IntRange(1, 300).Draw(t, "rows")
	dim := rapid.SampledFrom([]int{1, 3, 16, 95, 96, 97, 130, 191, 192, 193, 260, 300}).Draw(t, "dim")
	scale := rapid.SampledFrom([]float64{1, 1, 1, 1e-3, 1e5, 1e-9, 1e-18, 1e-25, 1e-43, 1e9, 1e15, 1e19, 1e30}).Draw(t, "scale")
	rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
	base, queries = vec.NewMatrix(rows, dim), vec.NewMatrix(8, dim)
	for i := range rows {
		kind.fill(rng, base.Row(i), i, base)
	}
	for i := range queries.Rows {
		q := queries.Row(i)
		copy(q, base.Row(rng.IntN(rows)))
		switch i {
		case 0, 1:
		case 2:
			q[rng.IntN(dim)] *= 1 + 0x1p-15
		case 3:
			clear(q)
		case 4, 5:
			for j := range q {
				q[j] *= 50
			}
		case 6:
			for j := range q {
				q[j] = float32(rng.NormFloat64() * 1e10)
			}
		default:
			for j := range q {
				q[j] += 0.1 * float32(rng.NormFloat64())
			}
		}
	}
	for _, m := range []vec.Matrix{base, queries} {
		for i, x := range m.Data {
			m.Data[i] = float32(min(max(float64(x)*scale, -math.MaxFloat32), math.MaxFloat32))
		}
	}
	return base, queries
}

// No candidate is lost: the answer is the k nearest of all entries of the leaves that were chosen,
// compared one by one, bit for bit and tie for tie.
func TestBoundsLoseNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base, queries := hard(t)
		metric := rapid.SampledFrom(vec.Metrics).Draw(t, "metric")
		o := Options{
			Trees:    rapid.IntRange(1, 3).Draw(t, "trees"),
			LeafSize: rapid.IntRange(1, 80).Draw(t, "leaf"),
			Seed:     1,
		}
		f, err := Build(t.Context(), base, metric, o)
		if err != nil {
			t.Fatal(err)
		}
		k := rapid.IntRange(1, 20).Draw(t, "k")
		searchK := rapid.IntRange(1, 400).Draw(t, "search_k")
		s := f.NewSearcher()
		for i := range queries.Rows {
			q := queries.Row(i)
			got, err := s.Search(nil, q, k, searchK)
			if err != nil {
				t.Fatal(err)
			}
			var rows []int32
			for _, c := range s.bounded.nearest {
				rows = append(rows, f.entries(c.item())...)
			}
			if len(rows) < min(searchK, o.Trees*base.Rows) {
				t.Fatalf("query %d: the leaves hold %d entries", i, len(rows))
			}
			slices.Sort(rows)
			rows = slices.Compact(rows)
			if want := nearestOf(f, q, k, rows); !slices.Equal(got, want) {
				t.Fatalf("query %d: %v, want %v", i, got, want)
			}
		}
	})
}

func nearestOf(f *Forest, q []float32, k int, rows []int32) []vec.Neighbor {
	values := make([]float32, len(rows))
	query := f.ranker.Query(q, make([]float32, len(q)))
	query.Scattered(values, rows)
	all := make([]vec.Neighbor, len(rows))
	for i := range all {
		all[i] = vec.Neighbor{ID: rows[i], Dist: values[i]}
	}
	vec.SortNeighbors(all)
	return all[:min(k, len(all))]
}

// The bound holds for every pair, not only for those that decide an answer: the radius of a pair's own
// rank value never rules the pair out, in either sketch.
func TestBoundOfEveryPair(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base, queries := hard(t)
		metric := rapid.SampledFrom(vec.Metrics).Draw(t, "metric")
		f, err := Build(t.Context(), base, metric, Options{Trees: 1, LeafSize: 50})
		if err != nil {
			t.Fatal(err)
		}
		b, s := f.bounds, newBounded(f)
		for i := range queries.Rows {
			q := queries.Row(i)
			query := f.ranker.Query(q, make([]float32, len(q)))
			s.aimAt(f, q)
			for place := range b.blocks.Len() * vec.CodeBlock {
				row := b.blocks.Own(place)
				if row == none {
					continue
				}
				var rank [1]float32
				query.Scattered(rank[:], []int32{int32(row)})
				radius := f.radius(rank[0], s.length)
				reach, offset := s.coarse.limit(radius)
				block := place / vec.CodeBlock
				values, masks := make([]float32, vec.CodeBlock), make([]uint16, 1)
				b.blocks.Scan(values, masks, s.coarse.q, block, block+1, -1, s.coarse.factor, reach, offset)
				v := values[place%vec.CodeBlock]
				if masks[0]>>(place%vec.CodeBlock)&1 == 0 {
					t.Fatalf("query %d row %d: rank %v, radius %v: ruled out by the scan, v = %v", i, row, rank[0], radius, v)
				}
				if d := s.coarse.nearest(v, float64(b.blocks.Err(place))); d > radius {
					t.Fatalf("query %d row %d: rank %v, radius %v: ruled out, lower bound %v", i, row, rank[0], radius, d)
				}
				if b.fine != nil && !math.IsInf(radius, 1) && len(s.refine(b, []candidate{{id: int32(row)}}, radius)) == 0 {
					t.Fatalf("query %d row %d: rank %v, radius %v: ruled out by the fine sketch", i, row, rank[0], radius)
				}
			}
		}
	})
}

// The bounds are worth something: of clustered vectors they leave a small part to be compared.
func TestBoundsSpareComparisons(t *testing.T) {
	for _, dim := range []int{40, 150, 300} {
		base, queries := clustered(3000, dim, 1), clustered(50, dim, 2)
		for _, metric := range vec.Metrics {
			s := build(t, base, metric, Options{Seed: 1}).NewSearcher()
			compared := 0
			for i := range queries.Rows {
				if _, err := s.Search(nil, queries.Row(i), 10, 6000); err != nil {
					t.Fatal(err)
				}
				compared += s.bounded.work.compared
			}
			share := float64(compared) / float64(queries.Rows*base.Rows)
			t.Logf("%d dimensions, %s: %.3f of all compared", dim, metric, share)
			if share > 0.3 {
				t.Errorf("%d dimensions, %s: %v of all compared", dim, metric, share)
			}
		}
	}
}

func TestSkewAndAxes(t *testing.T) {
	m := vec.NewMatrix(200, 150)
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range m.Data {
		m.Data[i] = float32(rng.NormFloat64())
	}
	// Three directions that vary ten times as much as the others.
	for i := range m.Rows {
		for j := range 3 {
			m.Row(i)[j] *= 10
		}
	}
	centre(m)
	for threads := 1; threads <= 3; threads += 2 {
		axes, err := principal(t.Context(), threads, m, 20, 1)
		if err != nil {
			t.Fatal(err)
		}
		if s := skew(axes); !(s < 1e-5) {
			t.Errorf("axes are off by %v", s)
		}
		// The three directions lie in the space of the axes.
		for j := range 3 {
			var inside float64
			for i := range axes.Rows {
				inside += float64(axes.Row(i)[j]) * float64(axes.Row(i)[j])
			}
			if inside < 0.95 {
				t.Errorf("direction %d: only %v lies along the axes", j, inside)
			}
		}
	}
	// A sample without any direction still gives orthonormal axes.
	axes, err := principal(t.Context(), 1, vec.NewMatrix(5, 30), 10, 1)
	if s := skew(axes); err != nil || !(s < 1e-5) {
		t.Errorf("axes of nothing are off by %v, %v", s, err)
	}
	axes.Row(0)[0] += 0.5
	if s := skew(axes); s < 0.1 {
		t.Errorf("a bent axis is off by %v", s)
	}
}

func TestIDSet(t *testing.T) {
	var s idSet
	for round := range 3 {
		if round == 2 {
			s.round = math.MaxUint32 // comes round
		}
		s.clear()
		have := map[int32]bool{}
		rng := rand.New(rand.NewPCG(1, uint64(round)))
		for range 5000 {
			id := int32(rng.IntN(3000))
			if added := s.add(id); added == have[id] {
				t.Fatalf("round %d: adding %d again and again says %v", round, id, added)
			}
			have[id] = true
		}
	}
}

func TestSelectNearest(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for n := 1; n < 100; n++ {
		c := make([]candidate, n)
		for i := range c {
			c[i] = candidate{float64(rng.IntN(10)), int32(i)}
		}
		want := slices.Clone(c)
		slices.SortFunc(want, func(a, b candidate) int {
			if a.before(b) {
				return -1
			}
			return 1
		})
		m := rng.IntN(n)
		selectNearest(c, m)
		got := slices.Clone(c[:m])
		slices.SortFunc(got, func(a, b candidate) int {
			if a.before(b) {
				return -1
			}
			return 1
		})
		if fmt.Sprint(got) != fmt.Sprint(want[:m]) {
			t.Fatalf("%d of %d: %v, want %v", m, n, got, want[:m])
		}
	}
}
