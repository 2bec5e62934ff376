package vec

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// withLevels runs f as a subtest at every SIMD level of this machine.
func withLevels(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	saved := kern
	defer func() { kern = saved }()
	for _, k := range levels() {
		kern = k
		t.Run(k.level, f)
	}
}

// bruteForce orders all rows by their distance in float64, equal ones by ID.
func bruteForce(base Matrix, q []float32, m Metric) (ids []int32, distances []float64) {
	distances = make([]float64, base.Rows)
	for i := range distances {
		ids = append(ids, int32(i))
		distances[i] = m.Distance(q, base.Row(i))
	}
	slices.SortFunc(ids, func(a, b int32) int {
		return cmp.Or(cmp.Compare(distances[a], distances[b]), cmp.Compare(a, b))
	})
	return ids, distances
}

// nearDuplicates are groups of vectors that differ from each other in a few last bits, and from the
// other groups by much: where |a|² + |b|² - 2ab has no correct digit left.
func nearDuplicates(rng *rand.Rand, rows, dim int) Matrix {
	m := NewMatrix(rows, dim)
	for i := range rows {
		row := m.Row(i)
		if i%8 == 0 {
			for j := range row {
				row[j] = 100 + float32(rng.NormFloat64())
			}
			continue
		}
		copy(row, m.Row(i/8*8))
		for range 1 + rng.IntN(4) {
			j := rng.IntN(dim)
			row[j] += float32(rng.IntN(9)-4) * 1e-4
		}
	}
	return m
}

// Exact agrees with float64: the distances of its answers, place by place, are those of brute force to
// within the rounding of float32, and equal rank values stand in ID order.
func TestExactAgainstFloat64(t *testing.T) {
	withLevels(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(4, 4))
		for _, shape := range []struct{ rows, queries, dim, k int }{
			{1, 1, 1, 1}, {2, 3, 1, 5}, {50, 7, 3, 10}, {301, 40, 16, 7}, {640, 21, 50, 100}, {97, 30, 129, 97},
		} {
			random := Matrix{Data: random(rng, shape.rows*shape.dim), Rows: shape.rows, Dim: shape.dim}
			for name, base := range map[string]Matrix{"random": random, "near-duplicates": nearDuplicates(rng, shape.rows, shape.dim)} {
				queries := NewMatrix(shape.queries, shape.dim)
				for i := range queries.Rows {
					copy(queries.Row(i), base.Row(rng.IntN(base.Rows)))
					if i%2 == 0 {
						queries.Row(i)[rng.IntN(shape.dim)] += 3e-4
					}
				}
				for _, metric := range Metrics {
					got, err := Exact(t.Context(), base, queries, metric, shape.k, 2, nil)
					if err != nil {
						t.Fatal(err)
					}
					k := min(shape.k, base.Rows)
					if len(got) != queries.Rows*k {
						t.Fatalf("%v %s %s: %d answers", shape, name, metric, len(got))
					}
					for i := range queries.Rows {
						q, answer := queries.Row(i), got[i*k:(i+1)*k]
						want, distances := bruteForce(base, q, metric)
						most := mass(metric, q, base)
						for j, n := range answer {
							d := metric.Distance(q, base.Row(int(n.ID)))
							if d != distances[n.ID] {
								t.Fatal("two distances of one pair")
							}
							if w := distances[want[j]]; math.Abs(d-w) > rounding(metric, shape.dim, most, w) {
								t.Fatalf("%v %s %s: query %d place %d: %d at %v, want %d at %v", shape, name, metric, i, j, n.ID, d, want[j], w)
							}
							if j > 0 && !answer[j-1].Less(n) {
								t.Fatalf("%v %s %s: query %d places %d, %d: %v", shape, name, metric, i, j-1, j, answer[j-1:j+1])
							}
						}
					}
				}
			}
		}
	})
}

// rounding bounds the error of a distance d whose rank value went through float32.
func rounding(m Metric, dim int, mass, d float64) float64 {
	const eps = 1.0 / (1 << 23)
	switch m {
	case L2: // relative: the differences are exact to half a last place
		return eps * float64(1+dim/8) * d
	case Cosine: // relative, and the last place of the components scaled to length 1
		return eps*float64(1+dim/8)*d + eps
	}
	return eps * float64(2+dim/8) * mass // the terms of a sum may cancel
}

// mass is the greatest sum of magnitudes in a dot product of q.
func mass(m Metric, q []float32, base Matrix) float64 {
	var most float64
	if m == InnerProduct {
		for i := range base.Rows {
			most = max(most, absDot(q, base.Row(i)))
		}
	}
	return most
}

// The answer is the same bits whatever the threads and however the queries are cut, and the same as
// the Ranker's one by one.
func TestExactIsDeterministic(t *testing.T) {
	withLevels(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(5, 5))
		const rows, queries, dim, k = 500, 60, 37, 12
		base := Matrix{Data: random(rng, rows*dim), Rows: rows, Dim: dim}
		clear(base.Row(7))
		for i := 100; i < 150; i++ {
			copy(base.Row(i), base.Row(3)) // ties
		}
		for i := range base.Row(9) {
			base.Row(9)[i] *= 1e-42 // too short for its length to have an inverse in float32
			base.Row(11)[i] *= 1e38
		}
		qs := Matrix{Data: random(rng, queries*dim), Rows: queries, Dim: dim}
		copy(qs.Row(4), base.Row(3))
		clear(qs.Row(5))
		for _, metric := range Metrics {
			want, err := Exact(t.Context(), base, qs, metric, k, 1, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, threads := range []int{0, 2, 3, 7, 100} {
				last := 0
				got, err := Exact(t.Context(), base, qs, metric, k, threads, func(done int) {
					if done <= last {
						t.Errorf("progress from %d to %d", last, done)
					}
					last = done
				})
				if err != nil {
					t.Fatal(err)
				}
				if last != queries {
					t.Errorf("%d threads: progress ended at %d", threads, last)
				}
				if !slices.Equal(got, want) {
					t.Fatalf("%s: another answer with %d threads", metric, threads)
				}
			}
			r := NewRanker(base, metric)
			values, scattered, ids := make([]float32, rows), make([]float32, rows), make([]int32, rows)
			for i := range ids {
				ids[i] = int32(rows - 1 - i)
			}
			for i := range queries {
				var buf []float32 // none for every second query: then Query makes one
				if i%2 == 0 {
					buf = make([]float32, dim)
				}
				query := r.Query(qs.Row(i), buf)
				query.Rows(values, 0)
				query.Scattered(scattered, ids)
				var top TopK
				top.Reset(k)
				for id, v := range values {
					if v != scattered[rows-1-id] {
						t.Fatalf("%s: query %d row %d: %v by rows, %v scattered", metric, i, id, v, scattered[rows-1-id])
					}
					top.Push(Neighbor{int32(id), v})
				}
				if got := top.AppendTo(nil); !slices.Equal(got, want[i*k:(i+1)*k]) {
					t.Fatalf("%s: query %d: one by one %v, Exact %v", metric, i, got, want[i*k:(i+1)*k])
				}
			}
		}
	})
}

func TestExactErrors(t *testing.T) {
	base, nan := NewMatrix(3, 2), NewMatrix(1, 2)
	nan.Data[1] = float32(math.NaN())
	for _, c := range []struct {
		base, queries Matrix
		k             int
		want          string
	}{
		{base, base, 0, "exact search: k = 0: it must be at least 1"},
		{base, NewMatrix(1, 3), 1, "exact search: queries of 3 dimensions against a base of 2"},
		{base, nan, 1, "exact search: query 0 holds NaN in dimension 1"},
		{nan, base, 1, "exact search: base vector 0 holds NaN in dimension 1"},
		{Matrix{}, Matrix{}, 1, "exact search: vectors of 0 dimensions"},
	} {
		if _, err := Exact(t.Context(), c.base, c.queries, L2, c.k, 1, nil); err == nil || err.Error() != c.want {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
	for _, c := range []struct{ base, queries Matrix }{{base, NewMatrix(0, 2)}, {NewMatrix(0, 2), base}} {
		if got, err := Exact(t.Context(), c.base, c.queries, L2, 1, 1, nil); err != nil || len(got) != 0 {
			t.Errorf("%d queries, %d rows: %v, %v", c.queries.Rows, c.base.Rows, got, err)
		}
	}
}

func TestExactStops(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("enough")
	cancel(why)
	_, err := Exact(ctx, NewMatrix(100, 4), NewMatrix(50, 4), L2, 1, 2, nil)
	if !errors.Is(err, why) || !strings.HasPrefix(err.Error(), "exact search: ") {
		t.Errorf("got %v", err)
	}
}

func TestTopK(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 6))
	var top TopK
	for n := range 60 {
		for _, k := range []int{0, 1, 2, 7, 30, 100} {
			all := make([]Neighbor, n)
			for i := range all {
				all[i] = Neighbor{int32(i), float32(rng.IntN(10))} // many ties
			}
			want := slices.Clone(all)
			SortNeighbors(want)
			want = want[:min(k, n)]
			rng.Shuffle(n, func(i, j int) { all[i], all[j] = all[j], all[i] })
			top.Reset(k)
			for _, x := range all {
				top.Push(x)
			}
			if k > 0 && n >= k && top.Bound() != want[k-1].Dist {
				t.Fatalf("n=%d k=%d: bound %v", n, k, top.Bound())
			}
			if got := top.AppendTo(nil); !slices.Equal(got, want) {
				t.Fatalf("n=%d k=%d: %v, want %v", n, k, got, want)
			}
		}
	}
}

func TestDistanceByHand(t *testing.T) {
	huge, tiny := float32(3e38), float32(1e-44)
	for _, c := range []struct {
		m    Metric
		a, b []float32
		want float64
	}{
		{L2, []float32{1, 2}, []float32{4, 6}, 5},
		{L2, []float32{huge}, []float32{-huge}, 2 * float64(huge)},
		{InnerProduct, []float32{1, 2}, []float32{3, 4}, -11},
		{InnerProduct, []float32{huge, huge}, []float32{huge, -huge}, 0},
		{Cosine, []float32{2, 0}, []float32{0, 5}, math.Sqrt2},
		{Cosine, []float32{2, 0}, []float32{-7, 0}, 2},
		{Cosine, []float32{1, 1}, []float32{4, 4}, 0},
		{Cosine, []float32{0, 0}, []float32{0, 5}, math.Sqrt2},
		{Cosine, []float32{0, 0}, []float32{0, 0}, math.Sqrt2},
		{Cosine, []float32{huge, 0}, []float32{0, tiny}, math.Sqrt2},
		// An angle of 1e-6, whose cosine differs from 1 by 5e-13.
		{Cosine, []float32{1, 0}, []float32{1, 1e-6}, 1e-6},
	} {
		got := c.m.Distance(c.a, c.b)
		if math.Abs(got-c.want) > 1e-7*math.Abs(c.want) {
			t.Errorf("%s distance of %v and %v: %v, want %v", c.m, c.a, c.b, got, c.want)
		}
		rank := c.want
		switch c.m {
		case L2:
			rank *= c.want
			if rank > math.MaxFloat32 {
				rank = math.Inf(1)
			}
		case Cosine:
			rank *= c.want / 2
		}
		if got := c.m.Rank(c.a, c.b); float64(got) != rank && math.Abs(float64(got)-rank) > 1e-6*math.Abs(rank) {
			t.Errorf("%s rank of %v and %v: %v, want %v", c.m, c.a, c.b, got, rank)
		}
	}
}

func TestNorm(t *testing.T) {
	for _, s := range []float32{1, 0, 1e-44, 1e-30, 1e-15, 1e15, 1e30, 3e38} {
		a := []float32{3 * s / 4, s}
		want := math.Hypot(float64(a[0]), float64(a[1]))
		if got := Norm(a); math.Abs(got-want) > 1e-5*want {
			t.Errorf("norm of %v: %v, want %v", a, got, want)
		}
	}
}

func TestFirstNonFinite(t *testing.T) {
	for n := range 70 {
		a := make([]float32, n)
		for i := range a {
			a[i] = []float32{0, math.MaxFloat32, -math.MaxFloat32, math.SmallestNonzeroFloat32, -1}[i%5]
		}
		if got := FirstNonFinite(a); got != -1 {
			t.Fatalf("length %d, all finite: %d", n, got)
		}
		for i := range a {
			for _, x := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
				b := slices.Clone(a)
				b[n-1], b[i] = float32(math.NaN()), float32(x)
				if got := FirstNonFinite(b); got != i {
					t.Fatalf("length %d: %d, want %d", n, got, i)
				}
			}
		}
	}
}

// 1,000 queries against 50,000 vectors of 512 dimensions, and a hundredth of that.
func BenchmarkExact(b *testing.B) {
	for _, size := range []struct{ queries, rows int }{{100, 5000}, {1000, 50000}} {
		rng := rand.New(rand.NewPCG(7, 7))
		const dim = 512
		base := Matrix{Data: random(rng, size.rows*dim), Rows: size.rows, Dim: dim}
		queries := Matrix{Data: random(rng, size.queries*dim), Rows: size.queries, Dim: dim}
		for _, metric := range Metrics {
			b.Run(fmt.Sprintf("%dx%d/%s", size.queries, size.rows, metric), func(b *testing.B) {
				for b.Loop() {
					if _, err := Exact(b.Context(), base, queries, metric, 10, 1, nil); err != nil {
						b.Fatal(err)
					}
				}
				flop := 2 * float64(size.queries) * float64(size.rows) * dim * float64(b.N)
				b.ReportMetric(flop/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			})
		}
	}
}
