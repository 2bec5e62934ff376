package indexes

import (
	"context"
	"fmt"
	"math"
	"sync"

	"annbench/indexes/rpforest"
	"annbench/indexes/vec"
)

// forestFamily is Annoy's forest; see package rpforest.
func forestFamily() *Family {
	f := &Family{
		Name:    "forest",
		Library: "annbench",
		Doc: "A forest of random-projection trees by the algorithm of Annoy, in Go with SIMD assembly. " +
			"Each tree cuts the vectors half-way between two means until few are left together; a query visits the leaves, of all trees, on whose far side it nearly stands, and compares with what it finds there. " +
			"It answers from the vectors that it was built from, and copies nothing; while searching, each thread holds 4 bytes a vector to tell what it has seen. " +
			"The same seed gives the same forest whatever the number of threads. Inner product works by one component more, as in Annoy.",
		Random:  true,
		Metrics: []vec.Metric{vec.L2, vec.Cosine, vec.InnerProduct},
		Build: []Param{
			{Name: "trees", Kind: Int, Default: rpforest.DefaultTrees, Min: 1, Max: 10000, Doc: "trees: more find more, and cost memory and build time"},
			{Name: "leaf", Kind: Int, Default: rpforest.DefaultLeafSize, Min: 1, Max: 1 << 20, Doc: "the most vectors that are left together; Annoy's is about the number of dimensions"},
		},
		Search: []Param{
			{Name: "search_k", Kind: Int, Default: 0, Min: 0, Max: 1 << 30, Doc: "entries of leaves that a query compares with, a vector counted in each tree; 0 is k × trees, as in Annoy, and fewer than k means k"},
		},
		Effective: func(n, k int, p Params) {
			if p.Int("search_k") == 0 {
				p["search_k"] = k * p.Int("trees")
			}
			p["search_k"] = max(p.Int("search_k"), k)
		},
		Work: func(n, dim int, p Params) (build, search float64) {
			depth := math.Log2(float64(n)/float64(p.Int("leaf")) + 2)
			searchK := p.Int("search_k")
			if searchK == 0 {
				searchK = 10 * p.Int("trees")
			}
			return float64(p.Int("trees")) * float64(n) * depth * float64(dim), (float64(searchK) + float64(p.Int("trees"))*depth) * float64(dim)
		},
		Bytes: forestBytes,
	}
	f.Open = func(ctx context.Context, in BuildInput) (Index, error) { return openForest(ctx, f, in) }
	f.Load = func(path string, in BuildInput) (Index, error) { return loadForest(path, f, in) }
	return f
}

// forestBytes counts the vectors, and for each tree an id of 4 bytes a vector, and its nodes as if every
// cut halved: with l levels, the fewest after which no more than leaf vectors are together, 2^l - 1 cuts
// of dim + 1 numbers of 4 bytes and two references of 4, and 2^l leaves of 8.
func forestBytes(n, dim int, p Params) int64 {
	leaves := int64(1)
	for (int64(n)+leaves-1)/leaves > int64(p.Int("leaf")) {
		leaves *= 2
	}
	tree := 4*int64(n) + (leaves-1)*(4*int64(dim)+12) + 8*leaves
	return 4*int64(n)*int64(dim) + int64(p.Int("trees"))*tree
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
	trees, err := rpforest.Build(ctx, in.Vectors, in.Metric, rpforest.Options{
		Trees:    in.Params.Int("trees"),
		LeafSize: in.Params.Int("leaf"),
		Seed:     in.Seed,
		Threads:  in.Threads,
	})
	if err != nil {
		return nil, err
	}
	return newForest(f, trees, in.Params), nil
}

func loadForest(path string, f *Family, in BuildInput) (Index, error) {
	trees, err := rpforest.Load(path)
	if err != nil {
		return nil, err
	}
	o, base := trees.Options(), trees.Base()
	label := saved{
		Family: f.Name, Metric: trees.Metric(), Rows: base.Rows, Dim: base.Dim,
		Build: Params{"trees": o.Trees, "leaf": o.LeafSize},
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
	x.forest = nil
	return nil
}
