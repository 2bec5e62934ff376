package indexes

import (
	"context"

	"annbench/indexes/vec"
)

// prefixFamily ranks by the first dimensions, and then the best of these by all. It is made for vectors
// whose first dimensions say most (Kusupati et al., "Matryoshka Representation Learning", NeurIPS 2022).
func prefixFamily() *Family {
	f := &Family{
		Name: "prefix", Library: "annbench", Metrics: []vec.Metric{vec.L2},
		Doc:    "A scan of the first dimensions of every vector chooses candidates, which are ranked by all dimensions.",
		Build:  []Param{{Name: "first", Kind: Int, Default: 16, Min: 1, Max: 65536, Doc: "dimensions that are compared first; more than there are means all"}},
		Search: []Param{{Name: "candidates", Kind: Int, Default: 200, Min: 1, Max: 1 << 30, Doc: "vectors ranked by all dimensions; fewer than k means k"}},
		Work: func(n, dim int, p Params) (build, search float64) {
			return float64(n * dim), float64(n*p.Int("first") + p.Int("candidates")*dim)
		},
		Bytes:     func(n, dim int, p Params) int64 { return 4 * int64(n) * int64(dim+min(dim, p.Int("first"))) },
		Effective: func(n, k int, p Params) { p["candidates"] = min(n, max(k, p.Int("candidates"))) },
	}
	f.Open = func(_ context.Context, in BuildInput) (Index, error) {
		x := &prefix{f, Params{"first": in.Params["first"]}, in.Params.Int("candidates"), vec.NewMatrix(in.Vectors.Rows, min(in.Vectors.Dim, in.Params.Int("first"))), vec.NewRanker(in.Vectors, in.Metric)}
		in.begin("add")
		for i := range x.first.Rows {
			copy(x.first.Row(i), in.Vectors.Row(i))
		}
		return x, nil
	}
	f.Load = func(path string, in BuildInput) (Index, error) {
		in, err := loadVectors(path, f, in)
		if err != nil {
			return nil, err
		}
		return f.Open(context.Background(), in)
	}
	return f
}

type prefix struct {
	family     *Family
	build      Params
	candidates int
	first      vec.Matrix  // the first dimensions of every vector
	all        *vec.Ranker // nil once closed
}

func (x *prefix) Search(dst []vec.Neighbor, q []float32, k int) ([]vec.Neighbor, error) {
	if x.all == nil {
		return dst, errClosed(x.family)
	}
	n, dim := x.first.Rows, x.all.Base().Dim
	if err := askable(x.family, dim, q, k); err != nil {
		return dst, err
	}
	ids := make([]int32, 0, min(n, max(k, x.candidates)))
	ranks := make([]float32, n)
	vec.SquaredL2Rows(ranks, q[:x.first.Dim], x.first)
	for _, c := range best(ranks, nil, cap(ids)) {
		ids = append(ids, c.ID)
	}
	query := x.all.Query(q, nil)
	query.Scattered(ranks[:len(ids)], ids)
	return append(dst, best(ranks[:len(ids)], ids, min(k, n))...), nil
}

// best are the k least of ranks, in order; the i-th is that of ids[i], or of vector i.
func best(ranks []float32, ids []int32, k int) []vec.Neighbor {
	var top vec.TopK
	top.Reset(k)
	for i, rank := range ranks {
		id := int32(i)
		if ids != nil {
			id = ids[i]
		}
		top.Push(vec.Neighbor{ID: id, Dist: rank})
	}
	return top.AppendTo(nil)
}

func (x *prefix) Tune(p Params) error {
	if x.all == nil {
		return errClosed(x.family)
	}
	p, err := x.family.Settings(x.family.Search, p)
	if err == nil {
		x.candidates = p.Int("candidates")
	}
	return err
}

func (x *prefix) Save(path string) error {
	if x.all == nil {
		return errClosed(x.family)
	}
	return saveVectors(path, x.family, x.all.Metric(), x.all.Base(), x.build)
}

func (x *prefix) Close() error { x.all = nil; return nil }
