package indexes

import (
	"context"
	"fmt"
	"math"

	"annbench/indexes/hnsw"
	"annbench/indexes/vec"
)

// hnswFamily is this module's graph; see package hnsw.
func hnswFamily() *Family {
	f := &Family{
		Name:    "hnsw",
		Library: "annbench",
		Doc: "HNSW, in Go with SIMD assembly: Malkov and Yashunin's graph with their heuristic. " +
			"With codes: true it is built and walked by codes of a byte a component, and the best of a walk are compared exactly: faster, for a quarter more memory. " +
			"It answers from the vectors that it was built from; a loaded one is mapped. " +
			"With one thread the same seed gives the same graph; with more, the order of the threads matters. Inner product works by one component more.",
		Random:  true,
		Filters: true,
		Updates: UpdatesByRemoval,
		Metrics: []vec.Metric{vec.L2, vec.Cosine, vec.InnerProduct},
		Build: []Param{
			{Name: "M", Kind: Int, Default: hnsw.DefaultM, Min: 2, Max: 1024, Doc: "links a vector begins with, and has at most on the upper layers; twice as many at most on the lowest"},
			{Name: "efConstruction", Kind: Int, Default: hnsw.DefaultEfConstruction, Min: 1, Max: 1 << 20, Doc: "candidates for links; fewer than M means M"},
			{Name: "codes", Kind: Bool, Default: false, Doc: "build and walk by codes of a byte a component, and compare the best exactly"},
		},
		Search: []Param{
			{Name: "ef", Kind: Int, Default: hnsw.DefaultEf, Min: 1, Max: 1 << 30, Doc: "vectors that a walk keeps; fewer than k means k, more than there are means all"},
		},
		Effective: func(n, k int, p Params) { p["ef"] = min(max(p.Int("ef"), k), n) },
		Work: func(n, dim int, p Params) (build, search float64) {
			// A walk that keeps ef expands about as many nodes, and compares half of the links of each.
			d, links, layers := float64(dim), float64(p.Int("M")), math.Log2(float64(n)+1)/4
			if p.Bool("codes") {
				d /= 3
			}
			walk := func(ef int) float64 { return GraphWalk(n, (float64(ef)+layers)*links) * d }
			return 2 * float64(n) * walk(p.Int("efConstruction")), walk(p.Int("ef"))
		},
		Bytes: func(n, dim int, p Params) int64 {
			return 4*int64(n)*int64(dim) + hnsw.EstimateBytes(n, dim, hnswOptions(p))
		},
	}
	f.Open = func(ctx context.Context, in BuildInput) (Index, error) {
		in.begin("add")
		o := hnswOptions(in.Params)
		o.Seed, o.Threads = in.Seed, in.Threads
		x, err := hnsw.Build(ctx, in.Vectors, in.Metric, o)
		if err != nil {
			return nil, err
		}
		return &graph{family: f, graph: x, ef: in.Params.Int("ef")}, nil
	}
	f.Load = func(path string, in BuildInput) (Index, error) { return loadGraph(path, f, in) }
	return f
}

func hnswOptions(p Params) hnsw.Options {
	return hnsw.Options{M: p.Int("M"), EfConstruction: p.Int("efConstruction"), Codes: p.Bool("codes")}
}

type graph struct {
	family *Family
	graph  *hnsw.Index // nil once closed
	ef     int
}

// loadGraph maps the file, after it has compared all of it with its checksums, as loadForest does.
func loadGraph(path string, f *Family, in BuildInput) (_ Index, err error) {
	if err := hnsw.Verify(path); err != nil {
		return nil, err
	}
	x, err := hnsw.Load(path)
	if err != nil {
		return nil, err
	}
	o, base := x.Options(), x.Base()
	label := saved{Family: f.Name, Metric: x.Metric(), Rows: base.Rows, Dim: base.Dim}
	label.Build = Params{"M": o.M, "efConstruction": o.EfConstruction, "codes": o.Codes}
	if asked, ok := in.Params["efConstruction"].(int); ok && max(asked, o.M) == o.EfConstruction {
		label.Build["efConstruction"] = asked // fewer than M means M
	}
	params, err := agrees(f, label, in)
	if err != nil {
		x.Close()
		return nil, loadError(path, f, err)
	}
	return &graph{family: f, graph: x, ef: params.Int("ef")}, nil
}

// Search implements [Index], on one thread. It allocates nothing once as many searches have run as run at once.
func (x *graph) Search(dst []vec.Neighbor, q []float32, k int) ([]vec.Neighbor, error) {
	if x.graph == nil {
		return dst, errClosed(x.family)
	}
	if err := askable(x.family, x.graph.Base().Dim, q, k); err != nil {
		return dst, err
	}
	return x.graph.Search(dst, q, k, x.ef)
}

// SearchAmong implements [Filterer], as Search does [Index]: see [hnsw.Searcher.SearchAmong].
func (x *graph) SearchAmong(dst []vec.Neighbor, q []float32, k int, among *vec.Set) ([]vec.Neighbor, error) {
	if x.graph == nil {
		return dst, errClosed(x.family)
	}
	if err := askable(x.family, x.graph.Base().Dim, q, k); err != nil {
		return dst, err
	}
	return x.graph.SearchAmong(dst, q, k, x.ef, among)
}

// Add implements [Updater].
func (x *graph) Add(more vec.Matrix) error {
	if x.graph == nil {
		return errClosed(x.family)
	}
	if err := addable(x.family, x.graph.Base().Dim, int64(x.graph.Given()), more); err != nil {
		return err
	}
	return x.graph.Add(more)
}

// Remove implements [Updater]: the graph is mended around what is removed.
func (x *graph) Remove(ids []int32) error {
	if x.graph == nil {
		return errClosed(x.family)
	}
	if err := x.graph.Delete(ids...); err != nil {
		return fmt.Errorf("removing from %s: %w", x.family.Name, err)
	}
	return nil
}

// Tune implements [Tuner].
func (x *graph) Tune(p Params) error {
	if x.graph == nil {
		return errClosed(x.family)
	}
	p, err := x.family.Settings(x.family.Search, p)
	if err != nil {
		return err
	}
	x.ef = p.Int("ef")
	return nil
}

// Save implements [Saver], in the file format of package hnsw.
func (x *graph) Save(path string) error {
	if x.graph == nil {
		return errClosed(x.family)
	}
	if err := x.graph.Save(path); err != nil {
		return fmt.Errorf("%s: %w", x.family.Name, err)
	}
	return nil
}

// Close implements [Index].
func (x *graph) Close() error {
	if x.graph == nil {
		return nil
	}
	err := x.graph.Close()
	x.graph = nil
	return err
}
