package indexes

import (
	"context"
	"fmt"
	"runtime"
	"sync"

	"annbench/indexes/vec"
)

// flatFamily is exact search by this module's own kernels: the yardstick of speed for the others, as
// [vec.Exact] is of quality.
func flatFamily() *Family {
	f := &Family{
		Name:    "flat",
		Library: "annbench",
		Doc: "Exact search by comparing the query with every vector, in Go with SIMD assembly. " +
			"One query is a scan at the speed of memory; a batch compares blocks of queries with blocks of vectors in the cache, several times faster a query. " +
			"It answers from the vectors that it was built from, and copies nothing; cosine keeps one number a vector beside them.",
		Exact:   true,
		Batch:   true,
		Work:    scanWork,
		Metrics: []vec.Metric{vec.L2, vec.Cosine, vec.InnerProduct},
		Bytes:   flatBytes,
	}
	f.Open = func(_ context.Context, in BuildInput) (Index, error) {
		in.begin("add")
		return newFlat(f, in.Vectors, in.Metric), nil
	}
	f.Load = func(path string, in BuildInput) (Index, error) {
		in, err := loadVectors(path, f, in)
		if err != nil {
			return nil, err
		}
		return newFlat(f, in.Vectors, in.Metric), nil
	}
	return f
}

// flatBytes counts the vectors: 4·n·dim. Under cosine the index holds 4·n more.
func flatBytes(n, dim int, _ Params) int64 { return 4 * int64(n) * int64(dim) }

type flat struct {
	family *Family
	ranker *vec.Ranker // nil once closed
	pool   sync.Pool   // of *flatScratch
}

// flatBlock rows are ranked between two looks at the answers kept: enough to make the call to the
// kernel cheap, few enough for their values to stay in the first-level cache.
const flatBlock = 256

type flatScratch struct {
	values [flatBlock]float32
	unit   []float32
	top    vec.TopK
}

func newFlat(f *Family, vectors vec.Matrix, metric vec.Metric) *flat {
	x := &flat{family: f, ranker: vec.NewRanker(vectors, metric)}
	x.pool.New = func() any { return &flatScratch{unit: make([]float32, vectors.Dim)} }
	return x
}

// Search implements [Index], on one thread.
func (x *flat) Search(dst []vec.Neighbor, q []float32, k int) ([]vec.Neighbor, error) {
	if x.ranker == nil {
		return dst, errClosed(x.family)
	}
	base := x.ranker.Base()
	if err := askable(x.family, base.Dim, q, k); err != nil {
		return dst, err
	}
	s := x.pool.Get().(*flatScratch)
	defer x.pool.Put(s)
	query := x.ranker.Query(q, s.unit)
	s.top.Reset(min(k, base.Rows))
	for from := 0; from < base.Rows; from += flatBlock {
		values := s.values[:min(flatBlock, base.Rows-from)]
		query.Rows(values, from)
		bound := s.top.Bound()
		for i, v := range values {
			if v > bound {
				continue
			}
			s.top.Push(vec.Neighbor{ID: int32(from + i), Dist: v})
			bound = s.top.Bound()
		}
	}
	return s.top.AppendTo(dst), nil
}

// SearchBatch implements [BatchSearcher], on GOMAXPROCS threads. Its answers are those of Search, bit
// for bit. The rows of the answer share memory.
func (x *flat) SearchBatch(queries vec.Matrix, k int) ([][]vec.Neighbor, error) {
	if x.ranker == nil {
		return nil, errClosed(x.family)
	}
	all, err := x.ranker.Exact(context.Background(), queries, k, runtime.GOMAXPROCS(0), nil)
	if err != nil {
		return nil, fmt.Errorf("searching %s: %w", x.family.Name, err)
	}
	k = min(k, x.ranker.Base().Rows)
	answers := make([][]vec.Neighbor, queries.Rows)
	for i := range answers {
		answers[i] = all[i*k : (i+1)*k : (i+1)*k]
	}
	return answers, nil
}

// Save implements [Saver]: the vectors, row after row.
func (x *flat) Save(path string) error {
	if x.ranker == nil {
		return errClosed(x.family)
	}
	return saveVectors(path, x.family, x.ranker.Metric(), x.ranker.Base(), nil)
}

// Close implements [Index].
func (x *flat) Close() error {
	x.ranker = nil
	return nil
}
