package vec

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
)

// Exact finds the k nearest rows of base for every query by comparing all of them. The answer holds
// min(k, base.Rows) neighbours for each query, one query after the other, nearest first, equal rank
// values by ID. It is the same bits whatever the number of threads.
//
// Distances come from the differences of the vectors (under [Cosine], of the vectors scaled to length
// 1), not from |a|² + |b|² - 2ab, which cancels for near-duplicates.
//
// progress, where not nil, is called with the number of queries that are done, rising, from several
// goroutines but one at a time. A number of threads below 1 is 1. It is an error if k < 1, if the
// dimensions differ, or if a vector is not finite; and the context's error if that ends first.
func Exact(ctx context.Context, base, queries Matrix, metric Metric, k, threads int, progress func(done int)) ([]Neighbor, error) {
	if base.Dim < 1 {
		return nil, fmt.Errorf("exact search: vectors of %d dimensions", base.Dim)
	}
	if i := FirstNonFinite(base.Data); i >= 0 {
		return nil, fmt.Errorf("exact search: base vector %d holds %v in dimension %d", i/base.Dim, base.Data[i], i%base.Dim)
	}
	return NewRanker(base, metric).Exact(ctx, queries, k, threads, progress)
}

// Exact is the function [Exact] over the base of r.
func (r *Ranker) Exact(ctx context.Context, queries Matrix, k, threads int, progress func(done int)) ([]Neighbor, error) {
	if k < 1 {
		return nil, fmt.Errorf("exact search: k = %d: it must be at least 1", k)
	}
	if queries.Dim != r.base.Dim {
		return nil, fmt.Errorf("exact search: queries of %d dimensions against a base of %d", queries.Dim, r.base.Dim)
	}
	if i := FirstNonFinite(queries.Data); i >= 0 {
		return nil, fmt.Errorf("exact search: query %d holds %v in dimension %d", i/queries.Dim, queries.Data[i], i%queries.Dim)
	}
	k = min(k, r.base.Rows)
	threads = max(1, threads)

	// A block of queries stays in the second-level cache while the base streams past it once.
	const blockBytes = 400 << 10
	block := max(1, min(blockBytes/(4*queries.Dim), 192, (queries.Rows+threads-1)/threads))
	block = (block + kern.tileQueries - 1) / kern.tileQueries * kern.tileQueries
	blocks := (queries.Rows + block - 1) / block

	answers := make([]Neighbor, queries.Rows*k)
	var (
		next     atomic.Int64
		wait     sync.WaitGroup
		mu       sync.Mutex
		finished int
	)
	for range min(threads, blocks) {
		wait.Go(func() {
			s := newExactScan(r, block)
			for {
				from := (int(next.Add(1)) - 1) * block
				if from >= queries.Rows || ctx.Err() != nil {
					return
				}
				to := min(from+block, queries.Rows)
				if !s.run(ctx, queries.Slice(from, to), k, answers[from*k:to*k]) {
					return
				}
				mu.Lock()
				finished += to - from
				if progress != nil {
					progress(finished)
				}
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	if finished < queries.Rows {
		return nil, fmt.Errorf("exact search: %w", context.Cause(ctx))
	}
	return answers, nil
}

// exactScan is what one thread of an exact search works with.
type exactScan struct {
	r     *Ranker
	units []float32 // the block's queries, scaled under Cosine, filled up with zeros to whole tiles
	rows  []float32 // the rows of a tile that cannot be read in place
	out   []float32
	top   []TopK
	bound []float32 // of each TopK
}

func newExactScan(r *Ranker, block int) *exactScan {
	return &exactScan{
		r:     r,
		units: make([]float32, block*r.base.Dim),
		rows:  make([]float32, kern.tileRows*r.base.Dim),
		out:   make([]float32, block*kern.tileRows),
		top:   make([]TopK, block),
		bound: make([]float32, block),
	}
}

// run answers queries, no more than a block. It reports false where the context ended before.
func (s *exactScan) run(ctx context.Context, queries Matrix, k int, answers []Neighbor) bool {
	base, dim := s.r.base, s.r.base.Dim
	tile := kern.l2.tile
	if s.r.metric == InnerProduct {
		tile = kern.dot.tile
	}
	clear(s.units)
	for i := range queries.Rows {
		unit := s.units[i*dim : (i+1)*dim]
		copy(unit, s.r.Query(queries.Row(i), unit).unit)
		s.top[i].Reset(k)
		s.bound[i] = s.top[i].Bound()
	}
	groups := (queries.Rows + kern.tileQueries - 1) / kern.tileQueries
	for from := 0; from < base.Rows; from += kern.tileRows {
		if from%(256*kern.tileRows) == 0 && ctx.Err() != nil {
			return false
		}
		rows := base.Slice(from, min(from+kern.tileRows, base.Rows))
		at := rows.Data
		if s.r.metric == Cosine || rows.Rows < kern.tileRows {
			at = s.rows
			if s.r.metric == Cosine {
				for i := range rows.Rows {
					multiply(at[i*dim:(i+1)*dim], rows.Row(i), s.r.scales[from+i])
				}
			} else {
				copy(at, rows.Data)
			}
		}
		tile(&s.units[0], &at[0], groups, dim, &s.out[0])
		s.collect(queries, rows, from, groups)
	}
	for i := range queries.Rows {
		s.top[i].AppendTo(answers[i*k : i*k : (i+1)*k])
	}
	return true
}

// collect offers a tile's values to the queries' TopK.
func (s *exactScan) collect(queries, rows Matrix, from, groups int) {
	factor := s.r.factor()
	width := kern.tileQueries
	for g := range groups {
		bound := s.bound[g*width : (g+1)*width : (g+1)*width]
		for i := range rows.Rows {
			at := (g*kern.tileRows + i) * width
			for j, v := range s.out[at : at+width : at+width] {
				v *= factor
				if v > bound[j] {
					continue
				}
				query := g*width + j
				if query >= queries.Rows {
					break
				}
				if v != v {
					v = s.r.metric.Rank(queries.Row(query), rows.Row(i))
				}
				s.top[query].Push(Neighbor{int32(from + i), v})
				bound[j] = s.top[query].Bound()
			}
		}
	}
}
