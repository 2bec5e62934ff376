package hnsw

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
	"sync"
	"sync/atomic"
	"testing"

	"annbench/indexes/mapfile"
	"annbench/indexes/vec"
)

// clustered makes vectors around 20 centres, in 10 dimensions of dim.
func clustered(rows, dim int, seed uint64) vec.Matrix {
	const latent = 10
	rng := rand.New(rand.NewPCG(1, uint64(dim)))
	axes, centres := vec.NewMatrix(dim, latent), vec.NewMatrix(20, latent)
	for _, m := range []vec.Matrix{axes, centres} {
		for i := range m.Data {
			m.Data[i] = float32(rng.NormFloat64())
		}
	}
	rng = rand.New(rand.NewPCG(2, seed))
	m := vec.NewMatrix(rows, dim)
	var x [latent]float32
	for i := range rows {
		for j, c := range centres.Row(rng.IntN(centres.Rows)) {
			x[j] = c + 0.7*float32(rng.NormFloat64())
		}
		vec.DotRows(m.Row(i), x[:], axes)
	}
	return m
}

func build(t testing.TB, base vec.Matrix, metric vec.Metric, o Options) *Index {
	t.Helper()
	x, err := Build(t.Context(), base, metric, o)
	if err != nil {
		t.Fatal(err)
	}
	x.mustBeWhole(t)
	return x
}

// mustBeWhole checks what holds of every graph: links lead to other living nodes that are on the layer, each once; the
// entry is on the highest layer; deleted nodes have no links.
func (x *Index) mustBeWhole(t testing.TB) {
	t.Helper()
	if !x.sound() {
		t.Fatal("not sound")
	}
	living := 0
	for i, level := range x.levels {
		if level == gone {
			if x.links[i*x.width(0)] != 0 {
				t.Fatalf("%d was deleted and has links", i)
			}
			continue
		}
		living++
		if place, ok := x.place(x.id(int32(i))); !ok || int(place) != i {
			t.Fatalf("place %d has ID %d, whose place is %d, %v", i, x.id(int32(i)), place, ok)
		}
		if level > x.levels[x.entry] {
			t.Fatalf("%d is on layer %d, the entry on %d", i, level, x.levels[x.entry])
		}
		for layer := range int(level) + 1 {
			list := x.list(int32(i), layer)
			if int(list[0]) > x.mostLinks(layer) {
				t.Fatalf("%d has %d links", i, list[0])
			}
			links := slices.Clone(list[1 : 1+list[0]])
			slices.Sort(links)
			for j, l := range links {
				if int(l) == i || int(l) >= len(x.levels) || x.levels[l] == gone || int(x.levels[l]) < layer || j > 0 && links[j-1] == l {
					t.Fatalf("%d on layer %d has the links %v", i, layer, links)
				}
			}
		}
	}
	if living != x.Len() || len(x.places) > living {
		t.Fatalf("%d living, said to be %d, with the places of %d", living, x.Len(), len(x.places))
	}
}

// recall of answers for k, among the living.
func recall(t testing.TB, x *Index, queries vec.Matrix, k, ef int, among *vec.Set) float64 {
	t.Helper()
	s := x.NewSearcher()
	hits, asked := 0, 0
	for i := range queries.Rows {
		q := queries.Row(i)
		query := x.ranker.Query(q, make([]float32, len(q)))
		values := make([]float32, x.base.Rows)
		query.Rows(values, 0)
		var all []vec.Neighbor
		for place, v := range values {
			if id := x.id(int32(place)); x.levels[place] != gone && (among == nil || among.Has(id)) {
				all = append(all, vec.Neighbor{ID: id, Dist: v})
			}
		}
		vec.SortNeighbors(all)
		all = all[:min(k, len(all))]
		got, err := s.SearchAmong(nil, q, k, ef, among)
		if err != nil {
			t.Fatal(err)
		}
		for j, n := range got {
			place, ok := x.place(n.ID)
			if !ok || among != nil && !among.Has(n.ID) {
				t.Fatalf("vector %d is not to be found", n.ID)
			}
			if n.Dist != values[place] {
				t.Fatalf("vector %d is said to be at %v, not %v", n.ID, n.Dist, values[place])
			}
			if j > 0 && !got[j-1].Less(n) {
				t.Fatalf("not in order: %v", got)
			}
			if n.Dist <= all[len(all)-1].Dist {
				hits++
			}
		}
		asked += len(all)
	}
	return float64(hits) / float64(asked)
}

// kinds of graph.
var kinds = map[string]Options{"floats": {Seed: 1, EfConstruction: 50}, "codes": {Seed: 1, EfConstruction: 50, Codes: true}}

func eachKind(t *testing.T, f func(t *testing.T, metric vec.Metric, o Options)) {
	for name, o := range kinds {
		for _, metric := range vec.Metrics {
			t.Run(fmt.Sprintf("%s/%s", name, metric), func(t *testing.T) { f(t, metric, o) })
		}
	}
}

func TestRecall(t *testing.T) {
	eachKind(t, func(t *testing.T, metric vec.Metric, o Options) {
		for _, dim := range []int{3, 130} {
			base, queries := clustered(2000, dim, 1), clustered(60, dim, 2)
			for _, threads := range []int{1, 2} {
				o.Threads = threads
				x := build(t, base, metric, o)
				last := 0.0
				for _, ef := range []int{10, 50, 200} {
					r := recall(t, x, queries, 10, ef, nil)
					if r < last-0.01 {
						t.Errorf("%d dimensions: recall %v at ef %d, and %v at less", dim, r, ef, last)
					}
					last = r
				}
				if last < 0.98 {
					t.Errorf("%d dimensions, %d threads: recall %v", dim, threads, last)
				}
			}
		}
	})
}

// While several threads build, a node that another one has a link to on a layer has links of its own on that one and on
// those below: who comes to it can go on.
func TestReachedNodesLeadOn(t *testing.T) {
	base := clustered(2000, 20, 1)
	x := &Index{options: Options{Threads: 4, EfConstruction: 100}.complete(), metric: vec.L2, entry: -1, base: vec.Matrix{Dim: base.Dim}}
	x.take(base)
	b := &builder{x: x, locks: make([]sync.Mutex, base.Rows)}
	var next atomic.Int64
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			s := x.NewSearcher()
			for i := next.Add(1) - 1; i < int64(base.Rows); i = next.Add(1) - 1 {
				b.insert(s, int32(i))
			}
		})
	}
	links := func(id int32, layer int) []uint32 {
		b.lock(id)
		defer b.unlock(id)
		list := x.list(id, layer)
		return slices.Clone(list[1 : 1+list[0]])
	}
	looked := 0
	for next.Load() < int64(base.Rows) {
		for id := range int32(base.Rows) {
			for layer := 1; layer <= int(x.levels[id]); layer++ {
				for _, to := range links(id, layer) {
					looked++
					for below := range layer + 1 {
						if len(links(int32(to), below)) == 0 {
							t.Fatalf("node %d is linked to on layer %d and has no links on layer %d", to, layer, below)
						}
					}
				}
			}
		}
	}
	wait.Wait()
	if looked == 0 {
		t.Error("no link of an upper layer was looked at")
	}
}

func same(a, b *Index) bool {
	h, g := a.header(), b.header()
	x, y := a.ranker.Scales(), b.ranker.Scales()
	s, u := a.sections(&h, &x), b.sections(&g, &y)
	return h == g && slices.EqualFunc(s, u, func(s, u mapfile.Section) bool { return slices.Equal(s.Bytes(), u.Bytes()) })
}

func TestSameSeedSameGraph(t *testing.T) {
	eachKind(t, func(t *testing.T, metric vec.Metric, o Options) {
		base := clustered(800, 20, 1)
		if x := build(t, base, metric, o); !same(x, build(t, base, metric, o)) {
			t.Error("the same seed gives another graph")
		}
		other := o
		other.Seed = 2
		if same(build(t, base, metric, o), build(t, base, metric, other)) {
			t.Error("another seed gives the same graph")
		}
	})
}

// Vectors that are added are found as those of a build are; the memory that was given is left alone.
func TestAdd(t *testing.T) {
	eachKind(t, func(t *testing.T, metric vec.Metric, o Options) {
		all := clustered(2000, 20, 1)
		given := slices.Clone(all.Data)
		x := build(t, all.Slice(0, 700), metric, o)
		for from := 700; from < 2000; from += 650 {
			if err := x.Add(all.Slice(from, from+650)); err != nil {
				t.Fatal(err)
			}
			x.mustBeWhole(t)
		}
		if !slices.Equal(all.Data, given) {
			t.Error("the caller's memory was written to")
		}
		if !slices.Equal(x.Base().Data, given) || x.Len() != 2000 {
			t.Error("other vectors than were given")
		}
		if r := recall(t, x, clustered(100, 20, 2), 10, 100, nil); r < 0.97 {
			t.Errorf("recall %v", r)
		}
	})
}

// Half of the vectors are deleted, in turns, and what is left is still found; then all are.
func TestDelete(t *testing.T) {
	eachKind(t, func(t *testing.T, metric vec.Metric, o Options) {
		base, queries := clustered(2000, 20, 1), clustered(100, 20, 2)
		x := build(t, base, metric, o)
		order := rand.New(rand.NewPCG(3, 3)).Perm(2000)
		ids := make([]int32, len(order))
		for i, id := range order {
			ids[i] = int32(id)
		}
		for from := 0; from < 1000; from += 100 {
			if err := x.Delete(ids[from : from+100]...); err != nil {
				t.Fatal(err)
			}
			x.mustBeWhole(t)
		}
		if r := recall(t, x, queries, 10, 100, nil); r < 0.95 {
			t.Errorf("recall %v after half were deleted", r)
		}
		if x.Len() != 1000 {
			t.Errorf("%d left", x.Len())
		}
		if err := x.Delete(ids[0]); err == nil {
			t.Error("a vector is deleted twice")
		}
		if err := x.Delete(ids[1001], ids[1001]); err == nil {
			t.Error("a vector is deleted twice at once")
		}
		if err := x.Delete(2000); err == nil {
			t.Error("a vector that there is not is deleted")
		}
		if err := x.Add(clustered(500, 20, 5)); err != nil {
			t.Fatal(err)
		}
		x.mustBeWhole(t)
		if r := recall(t, x, queries, 10, 100, nil); r < 0.95 {
			t.Errorf("recall %v after others were added", r)
		}
		for i := range 500 {
			ids = append(ids, int32(2000+i))
		}
		if err := x.Delete(ids[1000:]...); err != nil {
			t.Fatal(err)
		}
		if got, err := x.Search(nil, queries.Row(0), 10, 50); err != nil || len(got) != 0 {
			t.Errorf("an empty graph: %v, %v", got, err)
		}
		if err := x.Add(base.Slice(0, 300)); err != nil {
			t.Fatal(err)
		}
		x.mustBeWhole(t)
		if r := recall(t, x, queries, 10, 100, nil); r < 0.95 {
			t.Errorf("recall %v after all were deleted and others added", r)
		}
	})
}

// A graph that is added to and deleted from alike does not grow: what is added lies where others were, under IDs of its own.
// Answers are its vectors, not those that lay there before; saved and loaded, and built again, it is the same.
func TestPlacesAreTakenAgain(t *testing.T) {
	eachKind(t, func(t *testing.T, metric vec.Metric, o Options) {
		all, queries := clustered(4000, 20, 1), clustered(50, 20, 2)
		given := slices.Clone(all.Data)
		const size, each, steps = 1000, 100, 30
		follow := func() *Index {
			x := build(t, all.Slice(0, size), metric, o)
			living := make([]int32, size)
			for i := range living {
				living[i] = int32(i)
			}
			rng := rand.New(rand.NewPCG(5, 5))
			for step := range steps {
				rng.Shuffle(len(living), func(i, j int) { living[i], living[j] = living[j], living[i] })
				out := living[len(living)-each:]
				if err := x.Delete(out...); err != nil {
					t.Fatal(err)
				}
				x.mustBeWhole(t)
				from := size + step*each
				if err := x.Add(all.Slice(from, from+each)); err != nil {
					t.Fatal(err)
				}
				x.mustBeWhole(t)
				if err := x.Delete(out[0]); err == nil || !strings.Contains(err.Error(), "deleted before") {
					t.Errorf("deleted again, after its place was taken: %v", err)
				}
				for i := range out {
					out[i] = int32(from + i)
				}
			}
			slices.Sort(living)
			for _, id := range living {
				place, ok := x.place(id)
				if !ok || !slices.Equal(x.base.Row(int(place)), all.Row(int(id))) {
					t.Fatalf("ID %d is at place %d, %v, which has another vector", id, place, ok)
				}
			}
			if x.Len() != size || x.Base().Rows != size || x.Given() != size+steps*each {
				t.Errorf("%d living in %d places, %d IDs given", x.Len(), x.Base().Rows, x.Given())
			}
			return x
		}
		x := follow()
		if !slices.Equal(all.Data, given) {
			t.Error("the caller's memory was written to")
		}
		if r := recall(t, x, queries, 10, 100, nil); r < 0.95 {
			t.Errorf("recall %v", r)
		}
		for _, share := range []int{1, 3, 50} {
			set := vec.NewSet(x.Given())
			for id := 0; id < x.Given(); id += share {
				set.Add(int32(id))
			}
			if r := recall(t, x, queries, 10, 100, set); r < 0.95 {
				t.Errorf("recall %v among one of %d", r, share)
			}
		}
		if !same(x, follow()) {
			t.Error("the same changes give another graph")
		}
		path := filepath.Join(t.TempDir(), "graph")
		if err := x.Save(path); err != nil {
			t.Fatal(err)
		}
		if err := Verify(path); err != nil {
			t.Error(err)
		}
		y, err := Load(path)
		if err != nil {
			t.Fatal(err)
		}
		defer y.Close()
		y.mustBeWhole(t)
		if !same(x, y) || y.Given() != x.Given() {
			t.Error("another graph is loaded")
		}
		last := int32(size + steps*each)
		for _, z := range []*Index{x, y} {
			if err := z.Delete(last - 1); err != nil {
				t.Fatal(err)
			}
			if err := z.Add(all.Slice(0, 3)); err != nil { // one in the free place, and two behind
				t.Fatal(err)
			}
			z.mustBeWhole(t)
			if z.Base().Rows != size+2 {
				t.Errorf("%d places", z.Base().Rows)
			}
			if err := z.Delete(last, last+2); err != nil {
				t.Fatal(err)
			}
		}
		if !same(x, y) {
			t.Error("the loaded graph changes in another way")
		}
	})
}

// Several threads link what is added at free places, and behind them, at once.
func TestPlacesAreTakenAgainByThreads(t *testing.T) {
	all := clustered(1100, 20, 1)
	x := build(t, all.Slice(0, 500), vec.L2, Options{Seed: 1, EfConstruction: 50, Threads: 4})
	ids := make([]int32, 200)
	for i := range ids {
		ids[i] = int32(2 * i)
	}
	if err := x.Delete(ids...); err != nil {
		t.Fatal(err)
	}
	if err := x.Add(all.Slice(500, 1100)); err != nil {
		t.Fatal(err)
	}
	x.mustBeWhole(t)
	if x.Base().Rows != 900 || x.Len() != 900 {
		t.Errorf("%d living in %d places", x.Len(), x.Base().Rows)
	}
	if r := recall(t, x, clustered(50, 20, 2), 10, 100, nil); r < 0.95 {
		t.Errorf("recall %v", r)
	}
}

// Where a walk ends among vectors as far as each other, those with the lowest IDs are answered, wherever they lie.
func TestEqualVectorsByID(t *testing.T) {
	base := vec.NewMatrix(40, 3)
	for i := range base.Data {
		base.Data[i] = 1
	}
	x := build(t, base, vec.L2, Options{Seed: 1, M: 16})
	if err := x.Delete(0, 1, 2); err != nil {
		t.Fatal(err)
	}
	if err := x.Add(base.Slice(0, 3)); err != nil {
		t.Fatal(err)
	}
	got, err := x.Search(nil, base.Row(0), 5, 1000)
	if err != nil {
		t.Fatal(err)
	}
	all, err := x.Search(nil, base.Row(0), 40, 1000)
	if err != nil || len(all) < 10 || !slices.Equal(got, all[:5]) {
		t.Errorf("%v, and of all %v, %v", got, all, err)
	}
	for i, n := range all {
		if n.ID < 3 || i > 0 && n.ID <= all[i-1].ID {
			t.Errorf("not by ID: %v", all)
		}
	}
}

// A file that says that two places have one ID, or one that was not given out, is refused.
func TestLoadChecksIDs(t *testing.T) {
	base := clustered(100, 8, 1)
	for name, spoil := range map[string]func(x *Index){
		"twice":     func(x *Index) { x.ids[4] = x.ids[5] },
		"not given": func(x *Index) { x.ids[4] = int32(x.given) },
		"below 0":   func(x *Index) { x.ids[4] = -2 },
		"free":      func(x *Index) { x.ids[4] = -1 },
	} {
		x := build(t, base, vec.L2, Options{Seed: 1})
		if err := x.Delete(3); err != nil {
			t.Fatal(err)
		}
		if err := x.Add(base.Slice(0, 1)); err != nil {
			t.Fatal(err)
		}
		spoil(x)
		path := filepath.Join(t.TempDir(), "graph")
		if err := x.Save(path); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A search among a set finds its nearest, whatever its share.
func TestSearchAmong(t *testing.T) {
	eachKind(t, func(t *testing.T, metric vec.Metric, o Options) {
		base, queries := clustered(3000, 20, 1), clustered(50, 20, 2)
		x := build(t, base, metric, o)
		for _, each := range []int{1, 2, 5, 50, 1000, 5000} {
			set := vec.NewSet(base.Rows)
			for id := each - 1; id < base.Rows; id += each {
				set.Add(int32(id))
			}
			if set.Len() == 0 {
				if got, err := x.SearchAmong(nil, queries.Row(0), 5, 20, set); err != nil || len(got) > 0 {
					t.Errorf("an empty set: %v, %v", got, err)
				}
				continue
			}
			if r := recall(t, x, queries, 10, 100, set); r < 0.97 {
				t.Errorf("one of %d: recall %v", each, r)
			}
		}
	})
}

// Data without structure gives whole graphs and answers that are in order; small sets are found whole.
func TestDegenerate(t *testing.T) {
	for _, dim := range []int{1, 20} {
		sets := map[string]vec.Matrix{
			"one":        clustered(1, dim, 1),
			"two":        clustered(2, dim, 1),
			"few":        clustered(12, dim, 1),
			"all equal":  vec.NewMatrix(300, dim),
			"all zero":   vec.NewMatrix(300, dim),
			"two points": vec.NewMatrix(300, dim),
			"huge":       clustered(300, dim, 1),
			"vast":       clustered(300, dim, 1),
			"tiny":       clustered(300, dim, 1),
			"some zero":  clustered(300, dim, 1),
		}
		for i := range sets["all equal"].Data {
			sets["all equal"].Data[i] = 3
			sets["two points"].Data[i] = float32(i/dim%2 + 1)
			sets["huge"].Data[i] *= 1e18
			sets["vast"].Data[i] *= 1e36
			sets["tiny"].Data[i] *= 1e-42
		}
		clear(sets["some zero"].Data[:100*dim])
		for name, base := range sets {
			eachKind(t, func(t *testing.T, metric vec.Metric, o Options) {
				x := build(t, base, metric, o)
				k := min(10, base.Rows)
				for i := range min(50, base.Rows) {
					got, err := x.Search(nil, base.Row(i), k, 100)
					if err != nil {
						t.Fatal(err)
					}
					if len(got) != k {
						t.Errorf("%s of %d dimensions: %d answers of %d", name, dim, len(got), k)
						return
					}
				}
				for _, q := range [][]float32{make([]float32, dim), slices.Repeat([]float32{1e30}, dim), slices.Repeat([]float32{1e-40}, dim)} {
					if _, err := x.Search(nil, q, k, 100); err != nil {
						t.Fatal(err)
					}
				}
				if err := x.Delete(0); err != nil {
					t.Fatal(err)
				}
				x.mustBeWhole(t)
			})
		}
	}
}

// Clusters of equal vectors, far more than a node has links, do not cut off the others.
func TestDuplicates(t *testing.T) {
	eachKind(t, func(t *testing.T, metric vec.Metric, o Options) {
		base := clustered(2000, 20, 1)
		for i := range 1000 {
			copy(base.Row(i), base.Row(i/200*200))
		}
		x := build(t, base, metric, o)
		if r := recall(t, x, clustered(100, 20, 2), 10, 100, nil); r < 0.9 {
			t.Errorf("recall %v", r)
		}
	})
}

func TestErrors(t *testing.T) {
	base := clustered(50, 3, 1)
	nan := clustered(5, 3, 1)
	nan.Data[4] = float32(math.NaN())
	for _, c := range []struct {
		base   vec.Matrix
		metric vec.Metric
		o      Options
		want   string
	}{
		{vec.NewMatrix(0, 3), vec.L2, Options{}, "nothing to build from"},
		{vec.Matrix{Rows: 2, Dim: 2}, vec.L2, Options{}, "need 4 values"},
		{nan, vec.L2, Options{}, "vector 1 holds NaN in dimension 1"},
		{base, vec.L2, Options{M: 1}, "M = 1"},
		{base, vec.L2, Options{EfConstruction: -1}, "efConstruction = -1"},
		{base, "hamming", Options{}, "unknown metric"},
	} {
		if _, err := Build(t.Context(), c.base, c.metric, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
	x := build(t, base, vec.L2, Options{})
	for want, c := range map[string]struct {
		q []float32
		k int
	}{
		"k = 0":        {make([]float32, 3), 0},
		"2 dimensions": {make([]float32, 2), 1},
		"holds +Inf":   {[]float32{0, float32(math.Inf(1)), 0}, 1},
	} {
		if got, err := x.Search([]vec.Neighbor{{ID: 1}}, c.q, c.k, 0); err == nil || !strings.Contains(err.Error(), want) || len(got) != 1 {
			t.Errorf("%v, %v, want %s", got, err, want)
		}
	}
	if err := x.Add(nan); err == nil || x.Len() != 50 {
		t.Errorf("a NaN is added: %v", err)
	}
	if err := x.Add(clustered(5, 4, 1)); err == nil {
		t.Error("vectors of other dimensions are added")
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("enough")
	cancel(why)
	if _, err := Build(ctx, base, vec.L2, Options{}); !errors.Is(err, why) {
		t.Errorf("a build that is stopped: %v", err)
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := x.Search(nil, base.Row(0), 1, 0); !errors.Is(err, errClosed) {
		t.Errorf("a closed graph: %v", err)
	}
}

// A loaded graph is the one that was saved, can be changed, and damage is found.
func TestSaveAndLoad(t *testing.T) {
	eachKind(t, func(t *testing.T, metric vec.Metric, o Options) {
		base := clustered(600, 20, 1)
		x := build(t, base, metric, o)
		if err := x.Delete(3, 77); err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		path := filepath.Join(dir, "graph")
		for range 2 { // the second time over the first
			if err := x.Save(path); err != nil {
				t.Fatal(err)
			}
		}
		if err := Verify(path); err != nil {
			t.Error(err)
		}
		y, err := Load(path)
		if err != nil {
			t.Fatal(err)
		}
		if !same(x, y) {
			t.Error("another graph")
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if size := x.Bytes() + 4*int64(len(base.Data)); info.Size() < size || info.Size() > size+4096 {
			t.Errorf("%d bytes in memory, %d in the file", size, info.Size())
		}
		if estimate := EstimateBytes(base.Rows, base.Dim, o); math.Abs(float64(x.Bytes())/float64(estimate)-1) > 0.1 {
			t.Errorf("%d bytes, %d estimated", x.Bytes(), estimate)
		}
		for i := range 20 {
			a, err1 := x.Search(nil, base.Row(i), 10, 50)
			b, err2 := y.Search(nil, base.Row(i), 10, 50)
			if err1 != nil || err2 != nil || !slices.Equal(a, b) {
				t.Fatalf("%v, %v, then %v, %v", a, err1, b, err2)
			}
		}
		if err := y.Delete(5); err != nil {
			t.Fatal(err)
		}
		if err := y.Add(clustered(100, 20, 9)); err != nil {
			t.Fatal(err)
		}
		y.mustBeWhole(t)
		if err := y.Close(); err != nil {
			t.Error(err)
		}

		good, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		bad := filepath.Join(dir, "bad")
		write := func(data []byte) {
			if err := os.WriteFile(bad, data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for n := 0; n < len(good); n += 1 + n/2 {
			write(good[:n])
			if _, err := Load(bad); err == nil || !strings.Contains(err.Error(), bad) {
				t.Errorf("%d bytes of %d: %v", n, len(good), err)
			}
		}
		h, scales := x.header(), x.ranker.Scales()
		at := file.HeaderSize(h)
		wrecked := slices.Clone(good)
		rng := rand.New(rand.NewPCG(1, 1))
		for i, s := range x.sections(&h, &scales) {
			at = mapfile.Aligned(at)
			if s.Size > 0 {
				damaged := slices.Clone(good)
				damaged[at+s.Size/2] ^= 0x40
				write(damaged)
				if err := Verify(bad); err == nil || !strings.Contains(err.Error(), bad) {
					t.Errorf("section %d damaged, verified: %v", i, err)
				}
				if _, err := Load(bad); (err == nil) == s.Structure {
					t.Errorf("section %d damaged: %v", i, err)
				}
			}
			for j := range s.Size {
				if !s.Structure {
					wrecked[at+j] = byte(rng.IntN(256))
				}
			}
			at += s.Size
		}
		write(wrecked) // content that is garbage from end to end
		z, err := Load(bad)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 50 {
			if _, err := z.Search(nil, base.Row(i), 10, 50); err != nil {
				t.Fatal(err)
			}
		}
		if err := z.Close(); err != nil {
			t.Error(err)
		}
	})
}

// Many goroutines search at once, and get what one gets; a search allocates nothing.
func TestManySearches(t *testing.T) {
	base := clustered(2000, 20, 1)
	for _, o := range kinds {
		x := build(t, base, vec.L2, o)
		want := make([][]vec.Neighbor, 100)
		for i := range want {
			var err error
			if want[i], err = x.Search(nil, base.Row(i), 10, 50); err != nil {
				t.Fatal(err)
			}
		}
		var wait sync.WaitGroup
		for range 4 {
			wait.Go(func() {
				for i := range want {
					if got, err := x.Search(nil, base.Row(i), 10, 50); err != nil || !slices.Equal(got, want[i]) {
						t.Errorf("query %d: %v, %v", i, got, err)
					}
				}
			})
		}
		wait.Wait()
		s := x.NewSearcher()
		var dst []vec.Neighbor
		search := func() { dst, _ = s.Search(dst[:0], base.Row(7), 10, 50) }
		search()
		if n := testing.AllocsPerRun(100, search); n > 0 {
			t.Errorf("%v allocations a search", n)
		}
	}
}

// The number of a walk comes round.
func TestRoundsWrap(t *testing.T) {
	base := clustered(300, 5, 1)
	s := build(t, base, vec.L2, Options{Seed: 1}).NewSearcher()
	want, err := s.Search(nil, base.Row(0), 10, 50)
	if err != nil {
		t.Fatal(err)
	}
	s.round = math.MaxUint16 - 1
	for range 4 {
		got, err := s.Search(nil, base.Row(0), 10, 50)
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("%v, %v, want %v", got, err, want)
		}
	}
}

// 20,000 vectors of 512 dimensions, L2, k = 10.
func BenchmarkSearch(b *testing.B) {
	base, queries := clustered(20000, 512, 1), clustered(200, 512, 2)
	for name, o := range map[string]Options{"floats": {Seed: 1, Threads: 2}, "codes": {Seed: 1, Threads: 2, Codes: true}} {
		x := build(b, base, vec.L2, o)
		for _, ef := range []int{10, 20, 40, 80} {
			b.Run(fmt.Sprintf("%s/ef=%d", name, ef), func(b *testing.B) {
				s := x.NewSearcher()
				var dst []vec.Neighbor
				for i := 0; b.Loop(); i++ {
					var err error
					if dst, err = s.Search(dst[:0], queries.Row(i%queries.Rows), 10, ef); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(s.Work().Compared), "compared")
				b.ReportMetric(recall(b, x, queries, 10, ef, nil), "recall")
			})
		}
	}
}

// Builds of 5,000 vectors of 512 dimensions.
func BenchmarkBuild(b *testing.B) {
	base := clustered(5000, 512, 1)
	for name, o := range map[string]Options{"floats": {Seed: 1}, "codes": {Seed: 1, Codes: true}} {
		for _, o.Threads = range []int{1, 2} {
			b.Run(fmt.Sprintf("%s/threads=%d", name, o.Threads), func(b *testing.B) {
				for b.Loop() {
					if _, err := Build(b.Context(), base, vec.L2, o); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
