package indexes

import (
	"context"
	"fmt"
	"runtime"
	"slices"
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
		Filters: true,
		Updates: UpdatesByRemoval,
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

	// Once vectors were added or removed: the ID of each row, ascending. nil while that is the row's number.
	ids  []int32
	next int32 // the ID that is given out next
}

// flatBlock rows are ranked between two looks at the answers kept: enough to make the call to the
// kernel cheap, few enough for their values to stay in the first-level cache.
const flatBlock = 256

type flatScratch struct {
	values [flatBlock]float32
	unit   []float32
	top    vec.TopK
	scan   vec.Scan
}

func newFlat(f *Family, vectors vec.Matrix, metric vec.Metric) *flat {
	x := &flat{family: f, ranker: vec.NewRanker(vectors, metric), next: int32(vectors.Rows)}
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
	from := len(dst)
	dst = s.top.AppendTo(dst)
	if x.ids != nil { // in the order of the rows, so that the order of the answers stays
		for i := range dst[from:] {
			dst[from+i].ID = x.ids[dst[from+i].ID]
		}
	}
	return dst, nil
}

// SearchAmong implements [Filterer], on one thread: it compares the vectors of the set.
func (x *flat) SearchAmong(dst []vec.Neighbor, q []float32, k int, among *vec.Set) ([]vec.Neighbor, error) {
	if x.ranker == nil {
		return dst, errClosed(x.family)
	}
	if x.ids != nil && len(x.ids) != int(x.next) { // rows are no IDs any more
		return dst, fmt.Errorf("searching %s: vectors were removed: it cannot be searched under a filter any more", x.family.Name)
	}
	base := x.ranker.Base()
	if err := askable(x.family, base.Dim, q, k); err != nil {
		return dst, err
	}
	s := x.pool.Get().(*flatScratch)
	defer x.pool.Put(s)
	query := x.ranker.Query(q, s.unit)
	s.top.Reset(min(k, base.Rows, among.Len()))
	s.scan.Among(&query, among, &s.top)
	return s.top.AppendTo(dst), nil
}

// Add implements [Updater]. The first change copies the vectors.
func (x *flat) Add(more vec.Matrix) error {
	if x.ranker == nil {
		return errClosed(x.family)
	}
	if err := addable(x.family, x.ranker.Base().Dim, int64(x.next), more); err != nil {
		return err
	}
	base, scales := x.own()
	base.Data, base.Rows = append(base.Data, more.Data...), base.Rows+more.Rows
	scales = append(scales, vec.NewRanker(more, x.ranker.Metric()).Scales()...)
	for range more.Rows {
		x.ids = append(x.ids, x.next)
		x.next++
	}
	x.ranker = vec.RestoreRanker(base, x.ranker.Metric(), scales)
	return nil
}

// Remove implements [Updater]: what stands behind a removed vector moves up.
func (x *flat) Remove(ids []int32) error {
	if x.ranker == nil {
		return errClosed(x.family)
	}
	gone := vec.NewSet(int(x.next))
	for _, id := range ids {
		there := id >= 0 && id < x.next
		if there && x.ids != nil {
			_, there = slices.BinarySearch(x.ids, id)
		}
		if !there {
			return errNotThere(x.family, id)
		}
		if gone.Has(id) {
			return errTwice(x.family, id)
		}
		gone.Add(id)
	}
	base, scales := x.own()
	kept := 0
	for row, id := range x.ids {
		if gone.Has(id) {
			continue
		}
		copy(base.Row(kept), base.Row(row))
		if len(scales) > 0 {
			scales[kept] = scales[row]
		}
		x.ids[kept] = id
		kept++
	}
	x.ids = x.ids[:kept]
	if len(scales) > 0 {
		scales = scales[:kept]
	}
	// The memory behind the rows is this index's, for those that are added next.
	base = vec.Matrix{Data: base.Data[:kept*base.Dim], Rows: kept, Dim: base.Dim}
	x.ranker = vec.RestoreRanker(base, x.ranker.Metric(), scales)
	return nil
}

// own makes rows and scales the index's own, so that they can be changed.
func (x *flat) own() (vec.Matrix, []float32) {
	base, scales := x.ranker.Base(), x.ranker.Scales()
	if x.ids != nil {
		return base, scales
	}
	x.ids = make([]int32, base.Rows)
	for i := range x.ids {
		x.ids[i] = int32(i)
	}
	base.Data = slices.Clone(base.Data)
	return base, slices.Clone(scales)
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
	if x.ids != nil {
		for i := range all {
			all[i].ID = x.ids[all[i].ID]
		}
	}
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
	if x.ids != nil {
		return fmt.Errorf("saving %s: vectors were added or removed, and its file would not know which", x.family.Name)
	}
	return saveVectors(path, x.family, x.ranker.Metric(), x.ranker.Base(), nil)
}

// Close implements [Index].
func (x *flat) Close() error {
	x.ranker = nil
	return nil
}
