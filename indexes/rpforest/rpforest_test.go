package rpforest

import (
	"bytes"
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

	"annbench/indexes/mapfile"
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

// entries returns the rows of leaf i of a forest with bounds.
func (b *bounds) entries(leaf int32) []int32 {
	var ids []int32
	for place := b.leaves[leaf] * vec.CodeBlock; place < b.leaves[leaf+1]*vec.CodeBlock; place++ {
		if row := b.blocks.Own(int(place)); row != none {
			ids = append(ids, int32(row))
		}
	}
	return ids
}

// mustBeWhole checks what holds of every forest: a search stays inside of it, every tree holds every
// vector once, no leaf is larger than LeafSize, and normals have length 1 or 0.
func (f *Forest) mustBeWhole(t testing.TB) {
	t.Helper()
	if !f.sound() {
		t.Fatal("not sound")
	}
	mustBeAll := func(ids []int32, trees int) {
		slices.Sort(ids)
		if len(ids) != trees*f.base.Rows {
			t.Fatalf("%d trees of %d vectors hold %d", trees, f.base.Rows, len(ids))
		}
		for i, id := range ids {
			if int(id) != i/trees {
				t.Fatalf("%d trees hold %d in place %d", trees, id, i)
			}
		}
	}
	checkLeaf := func(n int) {
		if n > f.options.LeafSize || n == 0 {
			t.Fatalf("a leaf of %d", n)
		}
	}
	if f.bounds != nil {
		var all []int32
		for i, n := range f.sizes {
			ids := f.entries(int32(i))
			checkLeaf(len(ids))
			if int(n) != len(ids) {
				t.Fatalf("a leaf of %d is said to have %d", len(ids), n)
			}
			all = append(all, ids...)
		}
		mustBeAll(all, f.options.Trees)
		f.bounds.mustBeWhole(t, f.options.Trees)
		return
	}
	if len(f.roots) != f.options.Trees {
		t.Fatalf("%d trees, not %d", len(f.roots), f.options.Trees)
	}
	for _, root := range f.roots {
		var below func(ref int32) []int32
		below = func(ref int32) []int32 {
			if ref < 0 {
				ids := f.ids[f.starts[^ref]:f.starts[^ref+1]]
				checkLeaf(len(ids))
				return slices.Clone(ids)
			}
			c := f.children[ref]
			return append(below(c[0]), below(c[1])...)
		}
		mustBeAll(below(root), 1)
	}
	for i := range f.offsets {
		length := vec.Norm(f.normals.Row(i))
		if len(f.extras) > 0 {
			length = math.Hypot(length, float64(f.extras[i]))
		}
		if length != 0 && math.Abs(length-1) > 1e-4 {
			t.Fatalf("cut %d has a normal of length %v", i, length)
		}
	}
}

// bothKinds runs f for a plain forest and for one with bounds.
func bothKinds(t *testing.T, f func(t *testing.T, plain bool)) {
	t.Run("plain", func(t *testing.T) { f(t, true) })
	t.Run("bounds", func(t *testing.T) { f(t, false) })
}

// Visiting everything, the forest is exact.
func TestSearchOfEverythingIsExact(t *testing.T) {
	bothKinds(t, testSearchOfEverything)
}

func testSearchOfEverything(t *testing.T, plain bool) {
	for _, dim := range []int{1, 2, 17, 96, 97, 200, 300} {
		base, queries := clustered(700, dim, 1), clustered(40, dim, 2)
		clear(base.Row(5))
		copy(base.Row(6), base.Row(7))
		copy(queries.Row(3), base.Row(7))
		clear(queries.Row(4))
		for _, metric := range vec.Metrics {
			f := build(t, base, metric, Options{Trees: 3, LeafSize: 10, Seed: 1, Plain: plain})
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
func TestRecall(t *testing.T) { bothKinds(t, testRecall) }

func testRecall(t *testing.T, plain bool) {
	const k = 10
	base, queries := clustered(5000, 32, 1), clustered(200, 32, 2)
	for _, metric := range vec.Metrics {
		f := build(t, base, metric, Options{Trees: 10, LeafSize: 32, Seed: 1, Plain: plain})
		truth, err := vec.Exact(t.Context(), base, queries, metric, k, 1, nil)
		if err != nil {
			t.Fatal(err)
		}
		s := f.NewSearcher()
		last := 0.0
		for _, searchK := range []int{50, 500, 5000} {
			hits := 0
			for i := range queries.Rows {
				got, err := s.Search(nil, queries.Row(i), k, searchK)
				if err != nil {
					t.Fatal(err)
				}
				for _, n := range got {
					if slices.Contains(truth[i*k:(i+1)*k], n) {
						hits++
					}
				}
			}
			recall := float64(hits) / float64(k*queries.Rows)
			t.Logf("%s search_k %d: recall %.3f", metric, searchK, recall)
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

// same reports whether two forests would be saved as the same bytes.
func same(a, b *Forest) bool {
	h, g := a.header(), b.header()
	if fmt.Sprint(h) != fmt.Sprint(g) { // a NaN is a NaN
		return false
	}
	x, y := a.ranker.Scales(), b.ranker.Scales()
	s, u := a.sections(&h, &x), b.sections(&g, &y)
	for i := range s {
		if !bytes.Equal(s[i].Bytes(), u[i].Bytes()) {
			return false
		}
	}
	return true
}

func TestSameSeedSameForest(t *testing.T) { bothKinds(t, testSameSeed) }

func testSameSeed(t *testing.T, plain bool) {
	base := clustered(1000, 16, 1)
	if !plain {
		base = clustered(1000, 270, 1)
	}
	for _, metric := range vec.Metrics {
		o := Options{Trees: 7, LeafSize: 20, Seed: 3, Threads: 1, Plain: plain}
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
	bothKinds(t, func(t *testing.T, plain bool) {
		testDegenerate(t, 5, plain)
		if !plain {
			testDegenerate(t, 220, plain)
		}
	})
}

func testDegenerate(t *testing.T, dim int, plain bool) {
	sets := map[string]vec.Matrix{
		"one":         clustered(1, dim, 1),
		"two":         clustered(2, dim, 1),
		"a leaf":      clustered(4, dim, 1),
		"all equal":   vec.NewMatrix(300, dim),
		"all zero":    vec.NewMatrix(300, dim),
		"two points":  vec.NewMatrix(300, dim),
		"one far off": clustered(300, dim, 1),
		"one dim":     clustered(300, 1, 1),
		"huge":        clustered(300, dim, 1),
		"vast":        clustered(300, dim, 1),
		"tiny":        clustered(300, dim, 1),
		"some zero":   clustered(300, dim, 1),
	}
	for i := range sets["all equal"].Data {
		sets["all equal"].Data[i] = 3
		sets["two points"].Data[i] = float32(i / dim % 2)
		sets["huge"].Data[i] *= 1e18
		sets["vast"].Data[i] *= 5e37
		sets["tiny"].Data[i] *= 1e-42
	}
	sets["one far off"].Data[10] = 1e10
	clear(sets["some zero"].Data[:100*dim])
	for name, base := range sets {
		for _, metric := range vec.Metrics {
			t.Run(fmt.Sprintf("%s/%d/%s", name, base.Dim, metric), func(t *testing.T) {
				f := build(t, base, metric, Options{Trees: 4, LeafSize: 4, Seed: 1, Threads: 2, Plain: plain})
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
	bothKinds(t, func(t *testing.T, plain bool) {
		build(t, clustered(100, 3, 1), vec.L2, Options{Trees: 2, LeafSize: 1, Plain: plain})
		build(t, vec.NewMatrix(100, 3), vec.L2, Options{Trees: 2, LeafSize: 1, Plain: plain})
	})
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
	s := build(t, base, vec.L2, Options{Trees: 2, LeafSize: 8, Plain: true}).NewSearcher()
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

func TestSaveAndLoad(t *testing.T) { bothKinds(t, testSaveAndLoad) }

func testSaveAndLoad(t *testing.T, plain bool) {
	for _, dim := range []int{9, 200, 270} {
		base := clustered(500, dim, 1)
		for _, metric := range vec.Metrics {
			f := build(t, base, metric, Options{Trees: 5, LeafSize: 12, Seed: 6, Plain: plain})
			path := filepath.Join(t.TempDir(), "forest")
			for range 2 { // the second time over the first
				if err := f.Save(path); err != nil {
					t.Fatal(err)
				}
			}
			if err := Verify(path); err != nil {
				t.Error(err)
			}
			g, err := Load(path)
			if err != nil {
				t.Fatal(err)
			}
			g.mustBeWhole(t)
			if !same(f, g) {
				t.Errorf("%s: another forest", metric)
			}
			if o := g.Options(); o.Trees != 5 || o.LeafSize != 12 || o.Seed != 6 || o.Plain != plain {
				t.Errorf("options %+v", o)
			}
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if size := f.Bytes() + 4*int64(len(base.Data)); info.Size() < size || info.Size() > size+4096 {
				t.Errorf("%d bytes in memory, %d in the file", size, info.Size())
			}
			a, b := f.NewSearcher(), g.NewSearcher()
			for i := range 50 {
				x, err1 := a.Search(nil, base.Row(i), 10, 100)
				y, err2 := b.Search(nil, base.Row(i), 10, 100)
				if err1 != nil || err2 != nil || !slices.Equal(x, y) {
					t.Fatalf("%v, %v, then %v, %v", x, err1, y, err2)
				}
			}
			if err := g.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// Files that are not what Save wrote are errors that name the file: at once where the damage leads a
// search, and at the latest when they are verified. What is not noticed at once does not crash.
func TestLoadRefuses(t *testing.T) { bothKinds(t, testLoadRefuses) }

func testLoadRefuses(t *testing.T, plain bool) {
	base := clustered(100, 200, 1)
	f := build(t, base, vec.Cosine, Options{Trees: 2, LeafSize: 12, Plain: plain})
	dir := t.TempDir()
	path := filepath.Join(dir, "forest")
	if err := f.Save(path); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	bad := filepath.Join(dir, "bad")
	write := func(data []byte) {
		t.Helper()
		if err := os.WriteFile(bad, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	refuse := func(name string, data []byte) {
		t.Helper()
		write(data)
		if _, err := Load(bad); err == nil || !strings.Contains(err.Error(), bad) {
			t.Errorf("%s: %v", name, err)
		}
		if err := Verify(bad); err == nil || !strings.Contains(err.Error(), bad) {
			t.Errorf("%s, verified: %v", name, err)
		}
	}
	for n := 0; n < len(good); n += 1 + n/4 {
		refuse(fmt.Sprintf("%d bytes of %d", n, len(good)), good[:n])
	}
	refuse("a byte more", append(slices.Clone(good), 0))
	refuse("a foreign file", bytes.Repeat([]byte("nothing of the kind "), 1000))
	h := f.header()
	for at := range int(file.HeaderSize(h)) {
		damaged := slices.Clone(good)
		damaged[at] ^= 0x10
		refuse(fmt.Sprintf("byte %d of the header changed", at), damaged)
	}
	scales := f.ranker.Scales()
	at := file.HeaderSize(h)
	for i, s := range f.sections(&h, &scales) {
		at = mapfile.Aligned(at)
		for _, place := range []int64{0, s.Size / 3, s.Size - 1} {
			if s.Size == 0 {
				continue
			}
			damaged := slices.Clone(good)
			damaged[at+place] ^= 0xf0
			if s.Structure {
				refuse(fmt.Sprintf("byte %d of section %d changed", place, i), damaged)
				continue
			}
			write(damaged)
			if err := Verify(bad); err == nil || !strings.Contains(err.Error(), bad) {
				t.Errorf("byte %d of section %d changed, verified: %v", place, i, err)
			}
			g, err := Load(bad)
			if err != nil {
				t.Fatal(err)
			}
			searchAll(t, g, base)
		}
		at += s.Size
	}
	// Content that is garbage from end to end.
	wrecked := slices.Clone(good)
	rng := rand.New(rand.NewPCG(1, 1))
	at = file.HeaderSize(h)
	for _, s := range f.sections(&h, &scales) {
		at = mapfile.Aligned(at)
		for i := range s.Size {
			if !s.Structure {
				wrecked[at+i] = byte(rng.IntN(256))
			}
		}
		at += s.Size
	}
	write(wrecked)
	g, err := Load(bad)
	if err != nil {
		t.Fatal(err)
	}
	searchAll(t, g, base)

	for name, do := range map[string]func(string) error{
		"loading":   func(p string) error { _, err := Load(p); return err },
		"verifying": Verify,
	} {
		if err := do(filepath.Join(dir, "missing")); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "missing") {
			t.Errorf("%s a missing file: %v", name, err)
		}
	}
	if err := f.Save(filepath.Join(dir, "no", "folder")); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "folder") {
		t.Errorf("a missing folder: %v", err)
	}
}

func searchAll(t *testing.T, f *Forest, queries vec.Matrix) {
	t.Helper()
	s := f.NewSearcher()
	for i := range queries.Rows {
		if _, err := s.Search(nil, queries.Row(i), 5, 1000); err != nil {
			t.Error(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

// embeddings makes vectors like those of a network with ReLU: clusters in 32 dimensions, spread through
// two random layers, half of the components zero.
func embeddings(rows, dim int, seed uint64) vec.Matrix {
	const latent, hidden, clusters = 32, 256, 100
	rng := rand.New(rand.NewPCG(1, uint64(dim)))
	normal := func(rows, dim int, scale float64) vec.Matrix {
		m := vec.NewMatrix(rows, dim)
		for i := range m.Data {
			m.Data[i] = float32(scale * rng.NormFloat64())
		}
		return m
	}
	first, second := normal(hidden, latent, 1/math.Sqrt(latent)), normal(dim, hidden, math.Sqrt(2.0/hidden))
	centres := normal(clusters, latent, 0.8)
	rng = rand.New(rand.NewPCG(2, seed))
	points := normal(rows, latent, 0.55)
	for i := range rows {
		for j, x := range centres.Row(rng.IntN(clusters)) {
			points.Row(i)[j] += x
		}
	}
	h := vec.NewMatrix(rows, hidden)
	vec.DotMatrix(h.Data, points, first)
	relu := func(m vec.Matrix, noise float64) {
		for i, x := range m.Data {
			m.Data[i] = max(0, x+float32(noise*rng.NormFloat64()))
		}
	}
	relu(h, 0)
	out := vec.NewMatrix(rows, dim)
	vec.DotMatrix(out.Data, h, second)
	relu(out, 0.05)
	return out
}

// 50,000 vectors of 512 dimensions, L2, k = 10: time of a search on one thread, with recall and how many
// vectors were compared exactly.
func BenchmarkSearch(b *testing.B) {
	const k = 10
	base, queries := embeddings(50000, 512, 1), embeddings(500, 512, 2)
	truth, err := vec.Exact(b.Context(), base, queries, vec.L2, k, 2, nil)
	if err != nil {
		b.Fatal(err)
	}
	for name, plain := range map[string]bool{"bounds": false, "plain": true} {
		f := build(b, base, vec.L2, Options{Seed: 1, Threads: 2, Plain: plain})
		s := f.NewSearcher()
		for _, searchK := range []int{500, 1000, 2000, 4000, 8000} {
			b.Run(fmt.Sprintf("%s/search_k=%d", name, searchK), func(b *testing.B) {
				var dst []vec.Neighbor
				hits, compared, i := 0, 0, 0
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
					compared += len(s.found)
					if !plain {
						compared += s.bounded.work.compared
					}
					i++
				}
				b.ReportMetric(float64(hits)/float64(k*i), "recall")
				b.ReportMetric(float64(compared)/float64(i), "compared")
			})
		}
	}
}

// Builds of 50,000 vectors of 512 dimensions.
func BenchmarkBuild(b *testing.B) {
	base := embeddings(50000, 512, 1)
	for name, plain := range map[string]bool{"bounds": false, "plain": true} {
		for _, threads := range []int{1, 2} {
			b.Run(fmt.Sprintf("%s/threads=%d", name, threads), func(b *testing.B) {
				for b.Loop() {
					f, err := Build(b.Context(), base, vec.L2, Options{Seed: 1, Threads: threads, Plain: plain})
					if err != nil {
						b.Fatal(err)
					}
					b.ReportMetric(float64(f.Bytes())/1e6, "MB")
				}
			})
		}
	}
}

// Loading a saved forest of 100 MB.
func BenchmarkLoad(b *testing.B) {
	path := filepath.Join(b.TempDir(), "forest")
	if err := build(b, embeddings(50000, 512, 1), vec.Cosine, Options{Threads: 2}).Save(path); err != nil {
		b.Fatal(err)
	}
	b.Run("load", func(b *testing.B) {
		for b.Loop() {
			f, err := Load(path)
			if err != nil {
				b.Fatal(err)
			}
			if err := f.Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("verify", func(b *testing.B) {
		for b.Loop() {
			if err := Verify(path); err != nil {
				b.Fatal(err)
			}
		}
	})
}
