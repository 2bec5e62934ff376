package indexes

import (
	"context"
	"fmt"
	"math"
	"runtime"

	"annbench/indexes/exact"
	"annbench/indexes/vec"
)

// exactFamily is exact search by bounds; see package exact.
func exactFamily() *Family {
	f := &Family{
		Name:    "exact",
		Library: "annbench",
		Doc: "Exact search that does not compare every vector, in Go with SIMD assembly: the answers of flat, bit for bit. " +
			"Codes of 32, 96 and more bytes a vector, in the order of a tree's leaves, have bounds that rule out nearly all vectors without losing any. " +
			"On embeddings it is tens of times faster than a scan; on vectors without structure, such as noise, it notices within a few per cent of a scan, and scans. " +
			"It answers from the vectors that it was built from; a loaded one is mapped.",
		Exact:   true,
		Batch:   true,
		Filters: true,
		Metrics: []vec.Metric{vec.L2, vec.Cosine, vec.InnerProduct},
		Work: func(n, dim int, _ Params) (build, search float64) {
			// A build multiplies with the axes of two codes; a search turns the query and reads 36 bytes of each vector,
			// at an eighth of the cost of components, and compares some sixty vectors.
			rows, d := float64(n), float64(dim)
			return rows * (d*128 + 96*math.Log2(rows/128+2)), d*128 + rows*36/8 + 60*d
		},
		Bytes: func(n, dim int, _ Params) int64 {
			return 4*int64(n)*int64(dim) + exact.EstimateBytes(n, dim, exact.Options{})
		},
	}
	f.Open = func(ctx context.Context, in BuildInput) (Index, error) {
		in.begin("add")
		x, err := exact.Build(ctx, in.Vectors, in.Metric, exact.Options{Seed: in.Seed, Threads: in.Threads})
		if err != nil {
			return nil, err
		}
		return &exactIndex{family: f, index: x}, nil
	}
	f.Load = func(path string, in BuildInput) (Index, error) { return loadExact(path, f, in) }
	return f
}

type exactIndex struct {
	family *Family
	index  *exact.Index // nil once closed
}

// loadExact maps the file, after it has compared all of it with its checksums, as loadForest does.
func loadExact(path string, f *Family, in BuildInput) (_ Index, err error) {
	if err := exact.Verify(path); err != nil {
		return nil, err
	}
	x, err := exact.Load(path)
	if err != nil {
		return nil, err
	}
	base := x.Base()
	label := saved{Family: f.Name, Metric: x.Metric(), Rows: base.Rows, Dim: base.Dim, Build: Params{}}
	if _, err := agrees(f, label, in); err != nil {
		x.Close()
		return nil, loadError(path, f, err)
	}
	return &exactIndex{family: f, index: x}, nil
}

// Search implements [Index], on one thread. It allocates nothing once as many searches have run as run at once.
func (x *exactIndex) Search(dst []vec.Neighbor, q []float32, k int) ([]vec.Neighbor, error) {
	if x.index == nil {
		return dst, errClosed(x.family)
	}
	if err := askable(x.family, x.index.Base().Dim, q, k); err != nil {
		return dst, err
	}
	return x.index.Search(dst, q, k)
}

// SearchAmong implements [Filterer], as Search does [Index].
func (x *exactIndex) SearchAmong(dst []vec.Neighbor, q []float32, k int, among *vec.Set) ([]vec.Neighbor, error) {
	if x.index == nil {
		return dst, errClosed(x.family)
	}
	if err := askable(x.family, x.index.Base().Dim, q, k); err != nil {
		return dst, err
	}
	return x.index.SearchAmong(dst, q, k, among)
}

// SearchBatch implements [BatchSearcher], on GOMAXPROCS threads. Its answers are those of Search, bit for bit. The rows
// of the answer share memory.
func (x *exactIndex) SearchBatch(queries vec.Matrix, k int) ([][]vec.Neighbor, error) {
	if x.index == nil {
		return nil, errClosed(x.family)
	}
	all, err := x.index.SearchBatch(context.Background(), queries, k, runtime.GOMAXPROCS(0))
	if err != nil {
		return nil, fmt.Errorf("searching %s: %w", x.family.Name, err)
	}
	k = min(k, x.index.Base().Rows)
	answers := make([][]vec.Neighbor, queries.Rows)
	for i := range answers {
		answers[i] = all[i*k : (i+1)*k : (i+1)*k]
	}
	return answers, nil
}

// Save implements [Saver], in the file format of package rpforest.
func (x *exactIndex) Save(path string) error {
	if x.index == nil {
		return errClosed(x.family)
	}
	if err := x.index.Save(path); err != nil {
		return fmt.Errorf("%s: %w", x.family.Name, err)
	}
	return nil
}

// Close implements [Index].
func (x *exactIndex) Close() error {
	if x.index == nil {
		return nil
	}
	err := x.index.Close()
	x.index = nil
	return err
}
