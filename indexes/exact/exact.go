// Package exact finds exact nearest neighbours without comparing every vector.
//
// Its answers are those of [vec.Exact], bit for bit, equal distances in the order of IDs. It gets them from the
// bounds of package rpforest, asked for everything: vectors lie in the order of one tree's leaves, each with
// codes of 32, of 96 and, in many dimensions, of more bytes; the distance of two codes, less an error that is
// known, is never greater than the distance of the vectors. A search visits the leaves nearest to the query, which
// gives a radius, and rules out all vectors whose leaf or codes are beyond it. See [rpforest.Searcher.Exact] for
// the order of the tests, and docs/results/forest.md for figures.
//
// How much that spares depends on the vectors. Embeddings have some ten to twenty dimensions that matter, whatever
// their number of components, and there a search is tens of times faster than a scan. Vectors without structure,
// such as Gaussian noise, rule nothing out: a search notices within a few per cent of a scan, and scans; a batch
// is then done as a matrix product.
//
// An index is built once; vectors cannot be added to it. The package knows nothing of benchmarks; package indexes
// makes it a family.
package exact

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"annbench/indexes/rpforest"
	"annbench/indexes/vec"
)

// Options are what a build can choose. None of them changes an answer.
type Options struct {
	LeafSize int    // the most vectors of a leaf; 0 is rpforest.DefaultExactLeafSize
	Seed     uint64 // of the tree
	Threads  int    // that the build uses; 0 is 1
}

func (o Options) forest() rpforest.Options {
	return rpforest.Options{Trees: 1, LeafSize: o.LeafSize, Seed: o.Seed, Threads: o.Threads, Exact: true}
}

// Index answers queries exactly. It does not change, so any number of goroutines may search it at once.
type Index struct {
	forest *rpforest.Forest
	pool   sync.Pool // of *rpforest.Searcher
}

func newIndex(f *rpforest.Forest) *Index {
	x := &Index{forest: f}
	x.pool.New = func() any { return f.NewSearcher() }
	return x
}

// Build makes an index over base, whose memory it goes on using and which must not change. It is an error if base
// is empty or not finite, or if an option is negative; and the context's error if that ends first.
func Build(ctx context.Context, base vec.Matrix, metric vec.Metric, o Options) (*Index, error) {
	f, err := rpforest.Build(ctx, base, metric, o.forest())
	if err != nil {
		return nil, fmt.Errorf("building an exact index: %w", err)
	}
	return newIndex(f), nil
}

// Base returns the vectors that the index was built from.
func (x *Index) Base() vec.Matrix { return x.forest.Base() }

// Metric returns the metric that the index was built for.
func (x *Index) Metric() vec.Metric { return x.forest.Metric() }

// Options returns what the index was built with; zeros are replaced by what they mean.
func (x *Index) Options() Options {
	o := x.forest.Options()
	return Options{LeafSize: o.LeafSize, Seed: o.Seed, Threads: o.Threads}
}

// Search appends to dst the min(k, rows) nearest of all vectors, nearest first, equal ones by ID. It works on the
// caller's thread, and allocates nothing once as many searches have run as run at once.
//
// It is an error if k < 1, or if q has another number of dimensions than the base, or is not finite; dst is then
// returned as it was.
func (x *Index) Search(dst []vec.Neighbor, q []float32, k int) ([]vec.Neighbor, error) {
	return x.SearchAmong(dst, q, k, nil)
}

// SearchAmong is Search among the vectors of a set; nil means all. See [rpforest.Searcher.ExactAmong].
func (x *Index) SearchAmong(dst []vec.Neighbor, q []float32, k int, among *vec.Set) ([]vec.Neighbor, error) {
	s := x.pool.Get().(*rpforest.Searcher)
	defer x.pool.Put(s)
	return s.ExactAmong(dst, q, k, among)
}

// SearchBatch answers all queries: what [vec.Exact] gives, in the same form. Queries that the bounds do not help are
// compared with all vectors together, as a matrix product. It stops with the context's error where that ends first.
func (x *Index) SearchBatch(ctx context.Context, queries vec.Matrix, k, threads int) ([]vec.Neighbor, error) {
	if k < 1 {
		return nil, fmt.Errorf("exact search: k = %d: it must be at least 1", k)
	}
	base := x.forest.Base()
	if queries.Dim != base.Dim {
		return nil, fmt.Errorf("exact search: queries of %d dimensions against a base of %d", queries.Dim, base.Dim)
	}
	if i := vec.FirstNonFinite(queries.Data); i >= 0 {
		return nil, fmt.Errorf("exact search: query %d holds %v in dimension %d", i/queries.Dim, queries.Data[i], i%queries.Dim)
	}
	k = min(k, base.Rows)
	answers := make([]vec.Neighbor, queries.Rows*k)
	var (
		next atomic.Int64
		wait sync.WaitGroup
		mu   sync.Mutex
		left []int // queries without an answer yet
		fail error
	)
	for range min(max(1, threads), queries.Rows) {
		wait.Go(func() {
			s := x.pool.Get().(*rpforest.Searcher)
			defer x.pool.Put(s)
			for {
				i := int(next.Add(1)) - 1
				if i >= queries.Rows || ctx.Err() != nil {
					return
				}
				_, ok, err := s.TryExact(answers[i*k:i*k:(i+1)*k], queries.Row(i), k) // writes to answers
				if ok {
					continue
				}
				mu.Lock()
				left, fail = append(left, i), errors.Join(fail, err)
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	if err := context.Cause(ctx); err != nil {
		return nil, fmt.Errorf("exact search: %w", err)
	}
	if fail != nil {
		return nil, fail
	}
	if len(left) == 0 {
		return answers, nil
	}
	slices.Sort(left)
	rest := vec.NewMatrix(len(left), queries.Dim)
	for i, row := range left {
		copy(rest.Row(i), queries.Row(row))
	}
	found, err := x.forest.Ranker().Exact(ctx, rest, k, threads, nil)
	if err != nil {
		return nil, err
	}
	for i, row := range left {
		copy(answers[row*k:(row+1)*k], found[i*k:(i+1)*k])
	}
	return answers, nil
}

// Neighbors is [vec.Exact], by an index where that is likely to be faster, build included: for worthBuilding queries
// and more.
func Neighbors(ctx context.Context, base, queries vec.Matrix, metric vec.Metric, k, threads int) ([]vec.Neighbor, error) {
	if queries.Rows < worthBuilding || base.Rows < worthBuilding {
		return vec.Exact(ctx, base, queries, metric, k, threads, nil)
	}
	x, err := Build(ctx, base, metric, Options{Threads: threads})
	if err != nil {
		return nil, err
	}
	return x.SearchBatch(ctx, queries, k, threads)
}

// worthBuilding: the build costs about as much as the matrix product with 400 queries.
const worthBuilding = 2000

// EstimateBytes is about what [Index.Bytes] gives for rows vectors of dim dimensions.
func EstimateBytes(rows, dim int, o Options) int64 {
	return rpforest.EstimateBytes(rows, dim, o.forest())
}

// Bytes is the size of the index in memory, without the vectors.
func (x *Index) Bytes() int64 { return x.forest.Bytes() }

// Save writes the index, its vectors included, to path, in the file format of package rpforest. What stood there is
// replaced as a whole, or stays.
func (x *Index) Save(path string) error { return x.forest.Save(path) }

// Load maps what Save wrote, as [rpforest.Load] does: damage to codes and vectors is not noticed, and [Verify]
// finds it.
func Load(path string) (*Index, error) {
	f, err := rpforest.Load(path)
	if err != nil {
		return nil, err
	}
	if !f.Options().Exact {
		return nil, errors.Join(fmt.Errorf("loading an exact index: %s: the file holds a forest that was not built for exact search", path), f.Close())
	}
	return newIndex(f), nil
}

// Verify reads a saved index whole and compares it with its checksums.
func Verify(path string) error { return rpforest.Verify(path) }

// Close gives back the memory of a loaded index: neither it nor what came from it may be used any more.
func (x *Index) Close() error { return x.forest.Close() }
