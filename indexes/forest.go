package indexes

import (
	"context"
	"fmt"
	"math"
	"sync"

	"annbench/indexes/rpforest"
	"annbench/indexes/vec"
)

// forestFamily is this module's forest of random-projection trees; see package rpforest.
func forestFamily() *Family {
	f := &Family{
		Name:    "forest",
		Library: "annbench",
		Doc: "Random-projection trees, in Go with SIMD assembly. " +
			"Each tree cuts the vectors half-way between two means until few are left together; a query visits the leaves, of all trees, whose centres are nearest; a hierarchy over the centres finds them. One tree with bounds is as good as several. " +
			"There it compares codes of 96 bytes, then longer ones, whose bounds rule out nearly all entries without losing any, and only the rest exactly. " +
			"With bounds: false it is Annoy's algorithm: leaves are chosen by the cuts, and every entry is compared exactly; trees: 20 is a good number there. " +
			"It answers from the vectors that it was built from; a loaded one is mapped. " +
			"The same seed gives the same forest whatever the number of threads. Inner product works by one component more, as in Annoy.",
		Random:  true,
		Filters: true,
		Metrics: []vec.Metric{vec.L2, vec.Cosine, vec.InnerProduct},
		Build: []Param{
			{Name: "trees", Kind: Int, Default: rpforest.DefaultTrees, Min: 1, Max: 10000, Doc: "trees: more find more, and cost memory and build time"},
			{Name: "leaf", Kind: Int, Default: rpforest.DefaultLeafSize, Min: 1, Max: 1 << 20, Doc: "the most vectors that are left together"},
			{Name: "bounds", Kind: Bool, Default: true, Doc: "keep codes whose bounds spare most distances, and choose leaves by their centres; false is Annoy's algorithm"},
		},
		Search: []Param{
			{Name: "search_k", Kind: Int, Default: 0, Min: 0, Max: 1 << 30, Doc: "entries of leaves that a query looks at, a vector counted in each tree; 0 is k × 100, without bounds k × trees as in Annoy, and fewer than k means k"},
		},
		Effective: func(_, k int, p Params) {
			p["search_k"] = forestSearchK(k, p)
		},
		Work: forestWork,
		Bytes: func(n, dim int, p Params) int64 {
			return 4*int64(n)*int64(dim) + rpforest.EstimateBytes(n, dim, forestOptions(p))
		},
	}
	f.Open = func(ctx context.Context, in BuildInput) (Index, error) { return openForest(ctx, f, in) }
	f.Load = func(path string, in BuildInput) (Index, error) { return loadForest(path, f, in) }
	return f
}

func forestOptions(p Params) rpforest.Options {
	return rpforest.Options{Trees: p.Int("trees"), LeafSize: p.Int("leaf"), Plain: !p.Bool("bounds")}
}

// forestSearchK is how many entries a search for k looks at.
func forestSearchK(k int, p Params) int {
	searchK := p.Int("search_k")
	switch {
	case searchK > 0:
	case p.Bool("bounds"):
		searchK = k * rpforest.DefaultSearchK
	default:
		searchK = k * p.Int("trees")
	}
	return max(searchK, k)
}

// forestWork counts, without bounds, the components of the vectors that cuts and entries are compared
// with. With them a build multiplies with the axes and cuts in their space; a search turns the query,
// reads a byte for each coordinate of centres and entries, at an eighth of the cost, and compares
// some sixty vectors. It reads as many centres as the hierarchy needs, or all.
func forestWork(n, dim int, p Params) (build, search float64) {
	rows, trees, d := float64(n), float64(p.Int("trees")), float64(dim)
	leaves := rows/float64(p.Int("leaf")) + 2
	searchK := float64(forestSearchK(10, p))
	if !p.Bool("bounds") {
		return trees * rows * math.Log2(leaves) * d, (searchK + trees*math.Log2(leaves)) * d
	}
	const wide = 96
	centres := min(trees*leaves, 1500+16*searchK/float64(p.Int("leaf")))
	return rows * (d*wide + trees*math.Log2(leaves)*wide), d*wide + (centres+searchK)*wide/8 + 60*d
}

type forest struct {
	family  *Family
	forest  *rpforest.Forest // nil once closed
	searchK int
	pool    sync.Pool // of *rpforest.Searcher
}

func newForest(f *Family, trees *rpforest.Forest, p Params) *forest {
	x := &forest{family: f, forest: trees, searchK: p.Int("search_k")}
	x.pool.New = func() any { return trees.NewSearcher() }
	return x
}

func openForest(ctx context.Context, f *Family, in BuildInput) (Index, error) {
	in.begin("add")
	o := forestOptions(in.Params)
	o.Seed, o.Threads = in.Seed, in.Threads
	trees, err := rpforest.Build(ctx, in.Vectors, in.Metric, o)
	if err != nil {
		return nil, err
	}
	return newForest(f, trees, in.Params), nil
}

// loadForest maps the file, after it has read it once to compare all of it with its checksums: that
// takes 0.1 s a gigabyte, and an index with wrong answers is worse. Package rpforest leaves the choice.
func loadForest(path string, f *Family, in BuildInput) (_ Index, err error) {
	if err := rpforest.Verify(path); err != nil {
		return nil, err
	}
	trees, err := rpforest.Load(path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			trees.Close()
		}
	}()
	o, base := trees.Options(), trees.Base()
	label := saved{
		Family: f.Name, Metric: trees.Metric(), Rows: base.Rows, Dim: base.Dim,
		Build: Params{"trees": o.Trees, "leaf": o.LeafSize, "bounds": !o.Plain},
	}
	params, err := agrees(f, label, in)
	if err != nil {
		return nil, loadError(path, f, err)
	}
	return newForest(f, trees, params), nil
}

// Search implements [Index], on one thread. It allocates nothing once as many searches have run as run
// at once.
func (x *forest) Search(dst []vec.Neighbor, q []float32, k int) ([]vec.Neighbor, error) {
	if x.forest == nil {
		return dst, errClosed(x.family)
	}
	s := x.pool.Get().(*rpforest.Searcher)
	defer x.pool.Put(s)
	return s.Search(dst, q, k, x.searchK)
}

// SearchAmong implements [Filterer], as Search does [Index]: see [rpforest.Searcher.SearchAmong].
func (x *forest) SearchAmong(dst []vec.Neighbor, q []float32, k int, among *vec.Set) ([]vec.Neighbor, error) {
	if x.forest == nil {
		return dst, errClosed(x.family)
	}
	s := x.pool.Get().(*rpforest.Searcher)
	defer x.pool.Put(s)
	return s.SearchAmong(dst, q, k, x.searchK, among)
}

// Tune implements [Tuner].
func (x *forest) Tune(p Params) error {
	if x.forest == nil {
		return errClosed(x.family)
	}
	p, err := x.family.Settings(x.family.Search, p)
	if err != nil {
		return err
	}
	x.searchK = p.Int("search_k")
	return nil
}

// Save implements [Saver], in the file format of package rpforest.
func (x *forest) Save(path string) error {
	if x.forest == nil {
		return errClosed(x.family)
	}
	if err := x.forest.Save(path); err != nil {
		return fmt.Errorf("%s: %w", x.family.Name, err)
	}
	return nil
}

// Close implements [Index].
func (x *forest) Close() error {
	if x.forest == nil {
		return nil
	}
	err := x.forest.Close()
	x.forest = nil
	return err
}
