package rpforest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"annbench/indexes/vec"
)

// clustered makes vectors around 20 centres.
func clustered(rows, dim int, seed uint64) vec.Matrix {
	rng := rand.New(rand.NewPCG(1, uint64(dim)))
	centres := vec.NewMatrix(20, dim)
	for i := range centres.Data {
		centres.Data[i] = float32(rng.NormFloat64())
	}
	rng = rand.New(rand.NewPCG(2, seed))
	m := vec.NewMatrix(rows, dim)
	for i := range rows {
		for j, x := range centres.Row(rng.IntN(centres.Rows)) {
			m.Row(i)[j] = x + 0.5*float32(rng.NormFloat64())
		}
	}
	return m
}

func build(t testing.TB, base vec.Matrix, metric vec.Metric, o Options) *Forest {
	t.Helper()
	f, err := Build(context.Background(), base, metric, o)
	if err != nil {
		t.Fatal(err)
	}
	f.mustBeWhole(t)
	return f
}

// mustBeWhole checks what holds of every forest: a search stays inside of it, every tree holds every
// vector once, no leaf is larger than LeafSize, and normals have length 1 or 0.
func (f *Forest) mustBeWhole(t testing.TB) {
	t.Helper()
	if !f.sound() {
		t.Fatal("not sound")
	}
	if len(f.roots) != f.options.Trees {
		t.Fatalf("%d trees, not %d", len(f.roots), f.options.Trees)
	}
	rows := f.base.Rows
	for tree, root := range f.roots {
		var below func(ref int32) []int32
		below = func(ref int32) []int32 {
			if ref < 0 {
				ids := f.ids[f.leaves[^ref]:f.leaves[^ref+1]]
				if len(ids) > f.options.LeafSize || len(ids) == 0 {
					t.Fatalf("a leaf of %d", len(ids))
				}
				return slices.Clone(ids)
			}
			c := f.children[ref]
			return append(below(c[0]), below(c[1])...)
		}
		ids := below(root)
		slices.Sort(ids)
		if len(ids) != rows {
			t.Fatalf("tree %d holds %d of %d vectors", tree, len(ids), rows)
		}
		for i, id := range ids {
			if int(id) != i {
				t.Fatalf("tree %d holds %d in place %d", tree, id, i)
			}
		}
	}
	for i := range f.offsets {
		length := vec.Norm(f.normals.Row(i))
		if f.metric == vec.InnerProduct {
			length = math.Hypot(length, float64(f.extras[i]))
		}
		if length != 0 && math.Abs(length-1) > 1e-4 {
			t.Fatalf("cut %d has a normal of length %v", i, length)
		}
	}
}

// Visiting everything, the forest is exact.
func TestSearchOfEverythingIsExact(t *testing.T) {
	for _, dim := range []int{1, 2, 17, 64} {
		base, queries := clustered(700, dim, 1), clustered(40, dim, 2)
		clear(base.Row(5))
		copy(base.Row(6), base.Row(7))
		copy(queries.Row(3), base.Row(7))
		clear(queries.Row(4))
		for _, metric := range vec.Metrics {
			f := build(t, base, metric, Options{Trees: 3, LeafSize: 10, Seed: 1})
			s := f.NewSearcher()
			for _, k := range []int{1, 10, 700, 1000} {
				want, err := vec.Exact(t.Context(), base, queries, metric, k, 1, nil)
				if err != nil {
					t.Fatal(err)
				}
				k := min(k, base.Rows)
				for i := range queries.Rows {
					got, err := s.Search(nil, queries.Row(i), k, 3*base.Rows)
					if err != nil {
						t.Fatal(err)
					}
					if !slices.Equal(got, want[i*k:(i+1)*k]) {
						t.Fatalf("dim %d %s k = %d query %d: %v, want %v", dim, metric, k, i, got, want[i*k:(i+1)*k])
					}
				}
			}
		}
	}
}

// More work finds more, and a fraction of the vectors is enough to find most.
func TestRecall(t *testing.T) {
	const k = 10
	base, queries := clustered(5000, 32, 1), clustered(200, 32, 2)
	for _, metric := range vec.Metrics {
		f := build(t, base, metric, Options{Trees: 10, LeafSize: 32, Seed: 1})
		truth, err := vec.Exact(t.Context(), base, queries, metric, k, 1, nil)
		if err != nil {
			t.Fatal(err)
		}
		s := f.NewSearcher()
		last := 0.0
		for _, searchK := range []int{50, 500, 5000} {
			hits, seen := 0, 0
			for i := range queries.Rows {
				got, err := s.Search(nil, queries.Row(i), k, searchK)
				if err != nil {
					t.Fatal(err)
				}
				seen += len(s.found)
				for _, n := range got {
					if slices.Contains(truth[i*k:(i+1)*k], n) {
						hits++
					}
				}
			}
			recall := float64(hits) / float64(k*queries.Rows)
			t.Logf("%s search_k %d: recall %.3f after %d distances a query", metric, searchK, recall, seen/queries.Rows)
			if recall < last {
				t.Errorf("%s: recall fell from %v to %v with search_k %d", metric, last, recall, searchK)
			}
			last = recall
		}
		if last < 0.95 {
			t.Errorf("%s: recall %v", metric, last)
		}
	}
}

func same(a, b *Forest) bool {
	if !slices.Equal(a.leaves, b.leaves) || !slices.Equal(a.children, b.children) || !slices.Equal(a.ids, b.ids) || !slices.Equal(a.roots, b.roots) {
		return false
	}
	for _, pair := range [][2][]float32{{a.normals.Data, b.normals.Data}, {a.offsets, b.offsets}, {a.extras, b.extras}} {
		if !slices.Equal(pair[0], pair[1]) {
			return false
		}
	}
	return true
}

func TestSameSeedSameForest(t *testing.T) {
	base := clustered(1000, 16, 1)
	for _, metric := range vec.Metrics {
		o := Options{Trees: 7, LeafSize: 20, Seed: 3, Threads: 1}
		f := build(t, base, metric, o)
		for _, threads := range []int{0, 2, 5, 100} {
			o.Threads = threads
			if !same(f, build(t, base, metric, o)) {
				t.Errorf("%s: another forest with %d threads", metric, threads)
			}
		}
		o.Seed = 4
		if same(f, build(t, base, metric, o)) {
			t.Errorf("%s: the seed makes no difference", metric)
		}
	}
}

// Data without structure to cut by still makes whole trees, and gives right answers.
func TestDegenerate(t *testing.T) {
	sets := map[string]vec.Matrix{
		"one":         clustered(1, 5, 1),
		"two":         clustered(2, 5, 1),
		"a leaf":      clustered(4, 5, 1),
		"all equal":   vec.NewMatrix(300, 5),
		"all zero":    vec.NewMatrix(300, 5),
		"two points":  vec.NewMatrix(300, 5),
		"one far off": clustered(300, 5, 1),
		"one dim":     clustered(300, 1, 1),
		"huge":        clustered(300, 5, 1),
		"vast":        clustered(300, 5, 1),
		"tiny":        clustered(300, 5, 1),
		"some zero":   clustered(300, 5, 1),
	}
	for i := range sets["all equal"].Data {
		sets["all equal"].Data[i] = 3
		sets["two points"].Data[i] = float32(i / 5 % 2)
		sets["huge"].Data[i] *= 1e18
		sets["vast"].Data[i] *= 5e37
		sets["tiny"].Data[i] *= 1e-42
	}
	sets["one far off"].Data[10] = 1e10
	clear(sets["some zero"].Data[:500])
	for name, base := range sets {
		for _, metric := range vec.Metrics {
			t.Run(name+"/"+string(metric), func(t *testing.T) {
				f := build(t, base, metric, Options{Trees: 4, LeafSize: 4, Seed: 1, Threads: 2})
				s := f.NewSearcher()
				k := min(10, base.Rows)
				want, err := vec.Exact(t.Context(), base, base, metric, k, 1, nil)
				if err != nil {
					t.Fatal(err)
				}
				for i := range base.Rows {
					got, err := s.Search(nil, base.Row(i), k, 4*base.Rows)
					if err != nil {
						t.Fatal(err)
					}
					if !slices.Equal(got, want[i*k:(i+1)*k]) {
						t.Fatalf("vector %d: %v, want %v", i, got, want[i*k:(i+1)*k])
					}
				}
			})
		}
	}
}

// LeafSize 1 is the smallest that ends.
func TestLeafSizeOne(t *testing.T) {
	build(t, clustered(100, 3, 1), vec.L2, Options{Trees: 2, LeafSize: 1})
	build(t, vec.NewMatrix(100, 3), vec.L2, Options{Trees: 2, LeafSize: 1})
}

func TestErrors(t *testing.T) {
	nan := clustered(5, 3, 1)
	nan.Data[4] = float32(math.NaN())
	for _, c := range []struct {
		base   vec.Matrix
		metric vec.Metric
		o      Options
		want   string
	}{
		{vec.NewMatrix(0, 3), vec.L2, Options{}, "building a forest: nothing to build from: 0 vectors of 3 dimensions"},
		{vec.NewMatrix(3, 0), vec.L2, Options{}, "building a forest: nothing to build from: 3 vectors of 0 dimensions"},
		{vec.Matrix{Rows: 2, Dim: 2}, vec.L2, Options{}, "building a forest: 2 vectors of 2 dimensions need 4 values, there are 0"},
		{nan, vec.L2, Options{}, "building a forest: vector 1 holds NaN in dimension 1"},
		{vec.NewMatrix(3, 3), vec.L2, Options{Trees: -1}, "building a forest: -1 trees with leaves of 0: neither can be negative"},
		{vec.NewMatrix(3, 3), "hamming", Options{}, `building a forest: unknown metric "hamming": known are l2 (euclidean), cosine (angular) and ip (dot)`},
	} {
		if _, err := Build(t.Context(), c.base, c.metric, c.o); err == nil || err.Error() != c.want {
			t.Errorf("%v, want %s", err, c.want)
		}
	}

	s := build(t, clustered(20, 3, 1), vec.L2, Options{}).NewSearcher()
	dst := []vec.Neighbor{{ID: 1}}
	inf := []float32{0, float32(math.Inf(1)), 0}
	for want, c := range map[string]struct {
		q []float32
		k int
	}{
		"searching a forest: k = 0: it must be at least 1":             {make([]float32, 3), 0},
		"searching a forest: the query has 2 dimensions, the forest 3": {make([]float32, 2), 1},
		"searching a forest: the query holds +Inf in dimension 1":      {inf, 1},
	} {
		if got, err := s.Search(dst, c.q, c.k, 0); err == nil || err.Error() != want || !slices.Equal(got, dst) {
			t.Errorf("%v, %v, want %s", got, err, want)
		}
	}
}

func TestBuildStops(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("enough")
	cancel(why)
	if _, err := Build(ctx, clustered(1000, 8, 1), vec.L2, Options{}); !errors.Is(err, why) {
		t.Errorf("got %v", err)
	}
}

// A search whose number has come round does not take old marks for its own.
func TestSearchNumberWraps(t *testing.T) {
	base := clustered(200, 4, 1)
	s := build(t, base, vec.L2, Options{Trees: 2, LeafSize: 8}).NewSearcher()
	want, err := s.Search(nil, base.Row(0), 10, 1000)
	if err != nil {
		t.Fatal(err)
	}
	s.search = math.MaxUint32
	for range 3 {
		got, err := s.Search(nil, base.Row(0), 10, 1000)
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("%v, %v, want %v", got, err, want)
		}
	}
}

func TestSaveAndLoad(t *testing.T) {
	base := clustered(500, 9, 1)
	for _, metric := range vec.Metrics {
		f := build(t, base, metric, Options{Trees: 5, LeafSize: 12, Seed: 6})
		path := filepath.Join(t.TempDir(), "forest")
		for range 2 { // the second time over the first
			if err := f.Save(path); err != nil {
				t.Fatal(err)
			}
		}
		g, err := Load(path)
		if err != nil {
			t.Fatal(err)
		}
		g.mustBeWhole(t)
		if !same(f, g) || !slices.Equal(f.base.Data, g.base.Data) || g.metric != metric {
			t.Errorf("%s: another forest", metric)
		}
		if o := g.Options(); o.Trees != 5 || o.LeafSize != 12 || o.Seed != 6 {
			t.Errorf("options %+v", o)
		}
		a, b := f.NewSearcher(), g.NewSearcher()
		for i := range 50 {
			x, err1 := a.Search(nil, base.Row(i), 10, 100)
			y, err2 := b.Search(nil, base.Row(i), 10, 100)
			if err1 != nil || err2 != nil || !slices.Equal(x, y) {
				t.Fatalf("%v, %v, then %v, %v", x, err1, y, err2)
			}
		}
	}
}

// Files that are not what Save wrote are errors that name the file, even where the checksum agrees.
func TestLoadRefuses(t *testing.T) {
	base := clustered(100, 4, 1)
	f := build(t, base, vec.InnerProduct, Options{Trees: 2, LeafSize: 12})
	dir := t.TempDir()
	path := filepath.Join(dir, "forest")
	if err := f.Save(path); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	refuse := func(name string, data []byte) {
		t.Helper()
		bad := filepath.Join(dir, "bad")
		if err := os.WriteFile(bad, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(bad); err == nil || !strings.Contains(err.Error(), bad) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for n := 0; n < len(good); n += 1 + n/4 {
		refuse(fmt.Sprintf("%d bytes of %d", n, len(good)), good[:n])
	}
	refuse("a byte more", append(slices.Clone(good), 0))
	refuse("a foreign file", bytes.Repeat([]byte("nothing of the kind "), 1000))
	for at := 0; at < len(good); at += 1 + at/3 {
		damaged := slices.Clone(good)
		damaged[at] ^= 0x10
		refuse(fmt.Sprintf("byte %d changed", at), damaged)
		// Changed by someone who also mended the checksum: the search must still stay inside.
		body := damaged[:len(damaged)-4]
		binary.LittleEndian.PutUint32(damaged[len(body):], crc32.Checksum(body, castagnoli))
		bad := filepath.Join(dir, "mended")
		if err := os.WriteFile(bad, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		if g, err := Load(bad); err == nil {
			s := g.NewSearcher()
			for i := range base.Rows {
				if _, err := s.Search(nil, base.Row(i), 5, 1000); err != nil {
					t.Error(err)
				}
			}
		}
	}
	if _, err := Load(filepath.Join(dir, "missing")); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "missing") {
		t.Errorf("a missing file: %v", err)
	}
	if err := f.Save(filepath.Join(dir, "no", "folder")); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "folder") {
		t.Errorf("a missing folder: %v", err)
	}
}

// 50,000 vectors of 512 dimensions, k = 10: time of a search, recall beside it; and of a build.
func BenchmarkSearch(b *testing.B) {
	const k = 10
	base, queries := clustered(50000, 512, 1), clustered(200, 512, 2)
	truth, err := vec.Exact(b.Context(), base, queries, vec.L2, k, 2, nil)
	if err != nil {
		b.Fatal(err)
	}
	s := build(b, base, vec.L2, Options{Seed: 1, Threads: 2}).NewSearcher()
	for _, searchK := range []int{500, 2000, 8000} {
		b.Run(fmt.Sprintf("search_k=%d", searchK), func(b *testing.B) {
			var dst []vec.Neighbor
			hits, i := 0, 0
			for b.Loop() {
				q := i % queries.Rows
				dst, err = s.Search(dst[:0], queries.Row(q), k, searchK)
				if err != nil {
					b.Fatal(err)
				}
				for _, n := range dst {
					if !truth[(q+1)*k-1].Less(n) {
						hits++
					}
				}
				i++
			}
			b.ReportMetric(float64(hits)/float64(k*i), "recall")
		})
	}
}

func BenchmarkBuild(b *testing.B) {
	base := clustered(50000, 512, 1)
	for b.Loop() {
		if _, err := Build(b.Context(), base, vec.L2, Options{Seed: 1, Threads: 1}); err != nil {
			b.Fatal(err)
		}
	}
}
