package exact

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"annbench/indexes/rpforest"
	"annbench/indexes/vec"

	"pgregory.net/rapid"
)

// sets are vectors that exact search must get right: rows like those of a photographs' network, and rows that are hard
// on arithmetic.
func sets(rows, dim int, seed uint64) map[string]vec.Matrix {
	rng := rand.New(rand.NewPCG(seed, 1))
	fill := func(f func(i, j int) float64) vec.Matrix {
		m := vec.NewMatrix(rows, dim)
		for i := range m.Data {
			m.Data[i] = float32(f(i/dim, i%dim))
		}
		return m
	}
	shape := rand.New(rand.NewPCG(5, uint64(dim)))
	axes := vec.NewMatrix(dim, 12)
	for i := range axes.Data {
		axes.Data[i] = float32(shape.NormFloat64())
	}
	embeddings := vec.NewMatrix(rows, dim)
	for i := range rows {
		var x [12]float32
		for j := range x {
			x[j] = float32(rng.NormFloat64()) + float32(i%7)
		}
		for j := range dim {
			embeddings.Row(i)[j] = max(0, vec.Dot(x[:], axes.Row(j)))
		}
	}
	normal := func(int, int) float64 { return rng.NormFloat64() }
	direction := fill(func(i, j int) float64 { return float64(i%97) * float64(j+1) })
	return map[string]vec.Matrix{
		"embeddings":    embeddings,
		"noise":         fill(normal),
		"all equal":     fill(func(_, j int) float64 { return float64(j) }),
		"all zero":      fill(func(int, int) float64 { return 0 }),
		"one direction": direction,
		"1e-30":         fill(func(int, int) float64 { return 1e-30 * rng.NormFloat64() }),
		"1e30":          fill(func(int, int) float64 { return 1e30 * rng.NormFloat64() }),
		"1e38":          fill(func(int, int) float64 { return 1e38 * rng.Float64() }),
		"denormals":     fill(func(int, int) float64 { return 1e-42 * rng.NormFloat64() }),
		"duplicates":    fill(func(i, j int) float64 { return float64((i*i + j) % 5) }),
	}
}

func build(t testing.TB, base vec.Matrix, metric vec.Metric) *Index {
	t.Helper()
	x, err := Build(t.Context(), base, metric, Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// The answers are brute force's, one by one and in a batch: at a size where bounds are used, and at one where they
// are not.
func TestSameAsBruteForce(t *testing.T) {
	for _, rows := range []int{300, 5000} {
		for _, dim := range []int{3, 200} {
			bases, queries := sets(rows, dim, 1), sets(5, dim, 2)
			for name, base := range bases {
				q := queries[name]
				copy(q.Row(0), base.Row(rows/2))
				for _, metric := range vec.Metrics {
					t.Run(fmt.Sprintf("%s/%dx%d/%s", name, rows, dim, metric), func(t *testing.T) {
						x := build(t, base, metric)
						for _, k := range []int{1, 10, 305} {
							want, err := vec.Exact(t.Context(), base, q, metric, k, 1, nil)
							if err != nil {
								t.Fatal(err)
							}
							got, err := x.SearchBatch(t.Context(), q, k, 2)
							if err != nil {
								t.Fatal(err)
							}
							if !slices.Equal(got, want) {
								t.Fatalf("k = %d, batch: not the answers of brute force", k)
							}
							each := min(k, rows)
							for i := range q.Rows {
								got, err := x.Search(nil, q.Row(i), k)
								if err != nil {
									t.Fatal(err)
								}
								if !slices.Equal(got, want[i*each:(i+1)*each]) {
									t.Fatalf("k = %d, query %d: %v, want %v", k, i, got, want[i*each:(i+1)*each])
								}
							}
						}
					})
				}
			}
		}
	}
}

// The same on random shapes and scales.
func TestRandomSets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.IntRange(4096, 4500).Draw(t, "rows") // from where on bounds are used
		dim := rapid.IntRange(1, 40).Draw(t, "dim")
		scale := rapid.SampledFrom([]float64{1, 1, 1e-40, 1e-20, 1e15, 1e25}).Draw(t, "scale")
		levels := rapid.SampledFrom([]int{2, 5, 1 << 20}).Draw(t, "levels")
		metric := rapid.SampledFrom(vec.Metrics).Draw(t, "metric")
		k := rapid.IntRange(1, 50).Draw(t, "k")
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		fill := func(rows int) vec.Matrix {
			m := vec.NewMatrix(rows, dim)
			for i := range m.Data {
				m.Data[i] = float32(scale * float64(rng.IntN(levels)-levels/2) / float64(levels))
			}
			return m
		}
		base, queries := fill(rows), fill(4)
		x, err := Build(t.Context(), base, metric, Options{LeafSize: rapid.IntRange(0, 200).Draw(t, "leaf")})
		if err != nil {
			t.Fatal(err)
		}
		want, err := vec.Exact(t.Context(), base, queries, metric, k, 1, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := range queries.Rows {
			got, err := x.Search(nil, queries.Row(i), k)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, want[i*k:(i+1)*k]) {
				t.Fatalf("query %d: %v, want %v", i, got, want[i*k:(i+1)*k])
			}
		}
	})
}

func TestNeighbors(t *testing.T) {
	base, queries := sets(2500, 20, 1)["embeddings"], sets(2100, 20, 2)["embeddings"]
	for _, q := range []vec.Matrix{queries, queries.Slice(0, 10)} {
		got, err := Neighbors(t.Context(), base, q, vec.Cosine, 5, 2)
		if err != nil {
			t.Fatal(err)
		}
		want, err := vec.Exact(t.Context(), base, q, vec.Cosine, 5, 2, nil)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%d queries: other neighbours", q.Rows)
		}
	}
}

// A loaded index answers as the saved one does; a damaged file is an error when it is verified, and never a crash.
func TestSaveAndLoad(t *testing.T) {
	for _, dim := range []int{20, 200} {
		base, queries := sets(5000, dim, 1)["embeddings"], sets(5, dim, 2)["embeddings"]
		for _, metric := range vec.Metrics {
			x := build(t, base, metric)
			path := filepath.Join(t.TempDir(), "index")
			if err := x.Save(path); err != nil {
				t.Fatal(err)
			}
			if err := Verify(path); err != nil {
				t.Error(err)
			}
			if got, want := x.Bytes(), EstimateBytes(base.Rows, dim, Options{}); got < want*8/10 || got > want*13/10 {
				t.Errorf("%d bytes, %d estimated", got, want)
			}
			search := func(y *Index) (all []vec.Neighbor) {
				for i := range queries.Rows {
					var err error
					if all, err = y.Search(all, queries.Row(i), 10); err != nil {
						t.Fatal(err)
					}
				}
				return all
			}
			y, err := Load(path)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(search(x), search(y)) {
				t.Error("the loaded index answers otherwise")
			}
			if o := y.Options(); o.LeafSize != rpforest.DefaultExactLeafSize {
				t.Errorf("options %+v", o)
			}
			if err := y.Close(); err != nil {
				t.Error(err)
			}
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			rng := rand.New(rand.NewPCG(uint64(dim), 9))
			for range 60 {
				bad := slices.Clone(data)
				at := rng.IntN(len(bad))
				bad[at] ^= 1 << rng.IntN(8)
				damaged := filepath.Join(t.TempDir(), "damaged")
				if err := os.WriteFile(damaged, bad, 0o600); err != nil {
					t.Fatal(err)
				}
				y, err := Load(damaged)
				if err == nil {
					search(y)
					err = Verify(damaged)
					y.Close()
				}
				if err == nil && data[at] != 0 { // zeros may be what fills the space between two sections
					t.Errorf("byte %d of %d damaged: no error", at, len(data))
				}
			}
		}
	}
}

func TestErrors(t *testing.T) {
	base := sets(50, 4, 1)["noise"]
	x := build(t, base, vec.L2)
	for want, c := range map[string]struct {
		q vec.Matrix
		k int
	}{
		"k = 0":          {base.Slice(0, 1), 0},
		"3 dimensions":   {vec.NewMatrix(1, 3), 1},
		"holds NaN":      {vec.Matrix{Data: []float32{1, 2, float32(math.NaN()), 4}, Rows: 1, Dim: 4}, 1},
		"in dimension 2": {vec.Matrix{Data: []float32{1, 2, float32(math.Inf(1)), 4}, Rows: 1, Dim: 4}, 1},
	} {
		dst, err := x.Search([]vec.Neighbor{{ID: 7}}, c.q.Row(0), c.k)
		if err == nil || !strings.Contains(err.Error(), want) || len(dst) != 1 {
			t.Errorf("%v, %v, want %s", dst, err, want)
		}
		if _, err := x.SearchBatch(t.Context(), c.q, c.k, 1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("a batch: %v, want %s", err, want)
		}
	}
	if _, err := Build(t.Context(), vec.Matrix{Dim: 3}, vec.L2, Options{}); err == nil {
		t.Error("no vectors: no error")
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("enough")
	cancel(why)
	if _, err := Build(ctx, base, vec.L2, Options{LeafSize: 2}); !errors.Is(err, why) {
		t.Errorf("a build that is stopped: %v", err)
	}
	if _, err := x.SearchBatch(ctx, base, 1, 1); !errors.Is(err, why) {
		t.Errorf("a batch that is stopped: %v", err)
	}
	f, err := rpforest.Build(t.Context(), base, vec.L2, rpforest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "forest")
	if err := f.Save(path); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a forest's file: %v", err)
	}
}

// 50,000 vectors of 512 dimensions like embeddings, and as many of noise: one query, and a scan by the same kernels.
func BenchmarkSearch(b *testing.B) {
	const rows, dim, k = 50000, 512, 10
	bases, queries := sets(rows, dim, 1), sets(100, dim, 2)
	for _, name := range []string{"embeddings", "noise"} {
		base, q := bases[name], queries[name]
		x := build(b, base, vec.L2)
		b.Run(name, func(b *testing.B) {
			var dst []vec.Neighbor
			for i := 0; b.Loop(); i++ {
				var err error
				if dst, err = x.Search(dst[:0], q.Row(i%q.Rows), k); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/scan", func(b *testing.B) {
			out := make([]float32, rows)
			for i := 0; b.Loop(); i++ {
				vec.SquaredL2Rows(out, q.Row(i%q.Rows), base)
			}
		})
	}
}
