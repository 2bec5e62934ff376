package indexes

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"math/bits"
	"math/rand"
	"slices"
	"sync"

	"github.com/coder/hnsw"

	"annbench/indexes/vec"
)

// coderFamily is github.com/coder/hnsw v0.6.1 as it is, its defects included: it is in use, so what it
// delivers is worth a row in a table.
func coderFamily() *Family {
	f := &Family{
		Name:    "hnsw-coder",
		Library: "coder/hnsw",
		Doc: "Hierarchical navigable small world graph by the Go module github.com/coder/hnsw v0.6.1, as it is. " +
			"Its recall is low, for reasons in its source: a search ends at the first step that does not improve the very nearest vector found, so that ef hardly matters; what it calls the worst of its heap is the last slot of a min-heap, so that it drops good answers and returns them unsorted; links are chosen by distance alone, and repaired by cosine distance under every metric; and the graph is built by the same search. " +
			"It can find fewer than k. fetch asks it for more than k, of which the k nearest are returned, and is the only setting that raises recall. " +
			"A search enters at a random node, and links depend on the order of Go's maps: the same seed gives neither the same graph nor, on one graph, the same answers. " +
			"l2 takes its own distance, a loop in plain Go; cosine takes its own distance too, except where that is NaN (a zero vector). It has no inner product. " +
			"Deleting is broken: links to what was deleted stay, so that a search can answer with it, or ends in a nil pointer. " +
			"It builds on one thread, refers to the vectors that it was built from, and a loaded one holds a copy of a vector for each layer.",
		Random:  true,
		Updates: UpdatesByRemoval,
		Metrics: []vec.Metric{vec.L2, vec.Cosine},
		Build: []Param{
			{Name: "M", Kind: Int, Default: 16, Min: 1, Max: 1024, Doc: "the most links of a vector on each layer"},
			{Name: "Ml", Kind: Float, Default: 0.25, Min: 0.01, Max: 0.9, Scale: Fixed, Doc: "share of a layer's vectors that are also on the next"},
		},
		Search: []Param{
			{Name: "ef", Kind: Int, Default: 20, Min: 1, Max: 100000, Doc: "candidates that it keeps while searching (20 is its own default)"},
			{Name: "fetch", Kind: Int, Default: 0, Min: 0, Max: 100000, Doc: "neighbours that it is asked for, of which the k nearest are returned; fewer than k means k"},
		},
		Effective: func(_, k int, p Params) { p["fetch"] = max(p.Int("fetch"), k) },
		Work: func(n, dim int, p Params) (build, search float64) {
			search = float64(p.Int("M")) * float64(dim) * math.Log2(float64(n)+2)
			return float64(n) * search, search
		},
		Bytes: coderBytes,
	}
	f.Open = func(ctx context.Context, in BuildInput) (Index, error) { return openCoder(ctx, f, in) }
	f.Load = func(path string, in BuildInput) (Index, error) { return loadCoder(path, f, in) }
	return f
}

// coderBytes counts the vectors once, and n/(1-Ml) nodes, which is what n vectors have on all layers by
// expectation. A node is 40 bytes; its place in the layer's map 17 (key, pointer, a byte of control), at
// an average fill of 0.66; and its links a map of 48 bytes made for M, of 17 bytes a slot and of as many
// slots as the power of two that M fills to 7/8 at most. It is an estimate: the maps are Go's.
func coderBytes(n, dim int, p Params) int64 {
	const slot, fill = 17, 0.66
	m := p.Int("M") + 1 // one too many stands in the map for a moment
	slots := max(8, 1<<bits.Len(uint((8*m+6)/7-1)))
	node := 40 + slot/fill + 48 + slot*float64(slots)
	nodes := float64(n) / (1 - p.Float("Ml"))
	return 4*int64(n)*int64(dim) + int64(nodes*node)
}

// coderCosine is the library's cosine distance, and this module's where that has none: a NaN in its
// heaps would make every comparison false.
func coderCosine(a, b []float32) float32 {
	d := hnsw.CosineDistance(a, b)
	if d != d {
		return vec.Cosine.Rank(a, b)
	}
	return d
}

// registerCoder makes coderCosine known to the library's Export and Import, which name distances. The
// library keeps the names in a map without a lock, so this runs once and before any of them.
var registerCoder = sync.OnceFunc(func() { hnsw.RegisterDistanceFunc("annbench-cosine", coderCosine) })

type coder struct {
	family *Family
	metric vec.Metric
	graph  *hnsw.Graph[int32] // nil once closed
	build  Params
	dim    int
	fetch  int
	next   int32 // the ID that is given out next
}

func coderGraph(m vec.Metric) *hnsw.Graph[int32] {
	registerCoder()
	g := hnsw.NewGraph[int32]()
	g.Distance = hnsw.EuclideanDistance
	if m == vec.Cosine {
		g.Distance = coderCosine
	}
	return g
}

// guard turns a panic of the library, which is how it reports errors, into an error.
func guard(doing string, f *Family, err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("%s %s: the library panicked: %v", doing, f.Name, r)
	}
}

func openCoder(ctx context.Context, f *Family, in BuildInput) (_ Index, err error) {
	defer guard("building", f, &err)
	in.begin("add")
	g := coderGraph(in.Metric)
	g.M, g.Ml = in.Params.Int("M"), in.Params.Float("Ml")
	g.Rng = rand.New(rand.NewSource(int64(in.Seed)))
	for i := range in.Vectors.Rows {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("building %s: %w", f.Name, context.Cause(ctx))
		}
		g.Add(hnsw.MakeNode(int32(i), in.Vectors.Row(i)))
	}
	x := &coder{family: f, metric: in.Metric, graph: g, dim: in.Vectors.Dim, next: int32(in.Vectors.Rows), build: Params{"M": g.M, "Ml": g.Ml}}
	x.set(in.Params)
	return x, nil
}

func (x *coder) set(p Params) {
	x.graph.EfSearch = p.Int("ef")
	x.fetch = p.Int("fetch")
}

// Search implements [Index], on one thread.
func (x *coder) Search(dst []vec.Neighbor, q []float32, k int) (_ []vec.Neighbor, err error) {
	if x.graph == nil {
		return dst, errClosed(x.family)
	}
	if err := askable(x.family, x.dim, q, k); err != nil {
		return dst, err
	}
	n := x.graph.Len()
	k = min(k, n)
	nodes, err := x.ask(q, min(max(k, x.fetch), n))
	if err != nil {
		return dst, err
	}
	from := len(dst)
	for _, node := range nodes {
		dst = append(dst, vec.Neighbor{ID: node.Key, Dist: x.metric.Rank(q, node.Value)})
	}
	vec.SortNeighbors(dst[from:])
	return dst[:min(len(dst), from+k)], nil
}

func (x *coder) ask(q []float32, fetch int) (_ []hnsw.Node[int32], err error) {
	defer guard("searching", x.family, &err)
	return x.graph.Search(q, fetch), nil
}

// Add implements [Updater]. The library refers to the vectors, so they are copied first.
func (x *coder) Add(more vec.Matrix) (err error) {
	if x.graph == nil {
		return errClosed(x.family)
	}
	if err := addable(x.family, x.dim, int64(x.next), more); err != nil {
		return err
	}
	defer guard("adding to", x.family, &err)
	own := slices.Clone(more.Data)
	for i := range more.Rows {
		x.graph.Add(hnsw.MakeNode(x.next, own[i*x.dim:(i+1)*x.dim:(i+1)*x.dim]))
		x.next++
	}
	return nil
}

// Remove implements [Updater].
func (x *coder) Remove(ids []int32) (err error) {
	if x.graph == nil {
		return errClosed(x.family)
	}
	now := map[int32]bool{}
	for _, id := range ids {
		if id < 0 || id >= x.next {
			return errNotThere(x.family, id)
		}
		if _, ok := x.graph.Lookup(id); !ok {
			return errNotThere(x.family, id)
		}
		if now[id] {
			return errTwice(x.family, id)
		}
		now[id] = true
	}
	defer guard("removing from", x.family, &err)
	for _, id := range ids {
		x.graph.Delete(id)
	}
	return nil
}

// Tune implements [Tuner].
func (x *coder) Tune(p Params) error {
	if x.graph == nil {
		return errClosed(x.family)
	}
	p, err := x.family.Settings(x.family.Search, p)
	if err != nil {
		return err
	}
	x.set(p)
	return nil
}

// Save implements [Saver]: the library's export.
func (x *coder) Save(path string) error {
	if x.graph == nil {
		return errClosed(x.family)
	}
	label := saved{Family: x.family.Name, Metric: x.metric, Rows: x.graph.Len(), Dim: x.dim, Build: x.build}
	return save(path, label, func(w io.Writer) (err error) {
		defer guard("exporting", x.family, &err)
		return x.graph.Export(w)
	})
}

func loadCoder(path string, f *Family, in BuildInput) (_ Index, err error) {
	label, params, payload, err := load(path, f, in)
	if err != nil {
		return nil, err
	}
	g := coderGraph(label.Metric)
	if err := coderImport(f, g, payload); err != nil {
		return nil, loadError(path, f, err)
	}
	if g.Len() != label.Rows || g.Dims() != label.Dim {
		return nil, loadError(path, f, fmt.Errorf("the file holds %d vectors of %d dimensions, its label says %d of %d", g.Len(), g.Dims(), label.Rows, label.Dim))
	}
	x := &coder{family: f, metric: label.Metric, graph: g, dim: label.Dim, next: int32(label.Rows), build: label.Build}
	x.set(params)
	return x, nil
}

func coderImport(f *Family, g *hnsw.Graph[int32], payload []byte) (err error) {
	defer guard("importing", f, &err)
	return g.Import(bytes.NewReader(payload))
}

// Close implements [Index].
func (x *coder) Close() error {
	x.graph = nil
	return nil
}
