package vec

import (
	"context"
	"fmt"
	"math"
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
	block = (block + kern.sieveQueries - 1) / kern.sieveQueries * kern.sieveQueries
	blocks := (queries.Rows + block - 1) / block

	answers := make([]Neighbor, queries.Rows*k)
	var (
		next     atomic.Int64
		wait     sync.WaitGroup
		mu       sync.Mutex
		finished int
	)
	work := func() {
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
	}
	if n := min(threads, blocks); n == 1 {
		work() // where it is called, so that a fault of mapped memory is the caller's to catch
	} else {
		for range n {
			wait.Go(work)
		}
	}
	wait.Wait()
	if finished < queries.Rows {
		return nil, fmt.Errorf("exact search: %w", context.Cause(ctx))
	}
	return answers, nil
}

// exactScan is what one thread of an exact search works with.
//
// The rank values of a tile of queries and rows come from dot products and lengths first, |x|² + |q|² -
// 2x·q, at the speed of a matrix product. That cancels for near-duplicates, so it only serves to rule
// pairs out, with the error that it can have; the few others get the value that [Ranker] gives, from
// differences. Where too many are left, among near-duplicates, the rest of a block is done pair by pair.
type exactScan struct {
	r     *Ranker
	units []float32 // the block's queries, scaled under Cosine, filled up with zeros to whole tiles
	rows  []float32 // the last rows, filled up to a tile
	out   []float32
	top   []TopK
	// A pair is ruled out if start + factor·product > limit, where start and factor are the row's, and
	// limit is the query's.
	limit []float32
	slack []float32 // of each query: what to add to its bound for the limit
	gamma float32   // relative error of a product and of a rank value, see newExactScan
}

func newExactScan(r *Ranker, block int) *exactScan {
	return &exactScan{
		r:     r,
		units: make([]float32, block*r.base.Dim),
		rows:  make([]float32, kern.sieveRows*r.base.Dim),
		out:   make([]float32, block*kern.sieveRows),
		top:   make([]TopK, block),
		limit: make([]float32, block),
		slack: make([]float32, block),
		// A sum of n products in 8 chains or more is off by at most n/8 roundings of 2⁻²⁴ of the sum of
		// the magnitudes, and some for the rest.
		gamma: float32(r.base.Dim/8+16) * 0x1p-24,
	}
}

// beyond is the squared length from which on products may leave the range of a float32.
const beyond = 1e37

// sieveRow returns start and factor of a row.
//
//   - L2: with error bounds, the value is at least (|x|² + |q|²)(1 - 4γ) - 2x·q.
//   - Cosine: 1 - x·q/|x| for q of length 1, up to 1e-5 for each length.
//   - InnerProduct: -x·q, off by at most 2γ|x||q|, so by γ(|x|² + |q|²).
//
// A row that is beyond has a start that rules nothing out, and so has one whose scale is NaN.
func (s *exactScan) sieveRow(i int) (start, factor float32) {
	if s.r.metric == Cosine {
		return 1 - 1e-4 - 4*s.gamma, -s.r.scales[i]
	}
	row := s.r.base.Row(i)
	square := kern.dot.one(&row[0], &row[0], len(row))
	if !(square < beyond) {
		return float32(math.Inf(-1)), 0
	}
	if s.r.metric == L2 {
		return square * (1 - 4*s.gamma), -2
	}
	return -2 * s.gamma * square, -1
}

// setLimit follows the bound of query i's answer.
func (s *exactScan) setLimit(i int) {
	const underflow = 1e-37 // of all products together
	bound := s.top[i].Bound()
	s.limit[i] = bound + 4*s.gamma*max(bound, -bound) + s.slack[i] + underflow
}

// run answers queries, no more than a block. It reports false where the context ended before.
func (s *exactScan) run(ctx context.Context, queries Matrix, k int, answers []Neighbor) bool {
	base, dim := s.r.base, s.r.base.Dim
	clear(s.units)
	for i := range queries.Rows {
		unit := s.units[i*dim : (i+1)*dim]
		copy(unit, s.r.Query(queries.Row(i), unit).unit)
		s.slack[i] = 0
		if s.r.metric != Cosine {
			square := kern.dot.one(&unit[0], &unit[0], dim)
			switch {
			case !(square < beyond):
				s.slack[i] = float32(math.Inf(1))
			case s.r.metric == L2:
				s.slack[i] = -square * (1 - 4*s.gamma)
			default:
				s.slack[i] = 2 * s.gamma * square
			}
		}
		s.top[i].Reset(k)
		s.setLimit(i)
	}
	groups := (queries.Rows + kern.sieveQueries - 1) / kern.sieveQueries
	const look = 64 // tiles between two looks at the context and at what the sieve leaves
	left, tiles := 0, 0
	sieving := true
	for from := 0; from < base.Rows; from += kern.sieveRows {
		if tiles == look {
			if ctx.Err() != nil {
				return false
			}
			// A pair that is left costs about as much as eight that are ruled out. Before the first look
			// there were no bounds yet.
			sieving = sieving && (from == look*kern.sieveRows || left*8 < look*kern.sieveRows*queries.Rows)
			left, tiles = 0, 0
		}
		tiles++
		rows := base.Slice(from, min(from+kern.sieveRows, base.Rows))
		if !sieving {
			s.each(queries, rows, from)
			continue
		}
		at := rows.Data
		if rows.Rows < kern.sieveRows {
			at = s.rows
			copy(at, rows.Data)
		}
		kern.sieve(&s.units[0], &at[0], groups, dim, &s.out[0])
		left += s.collect(queries, rows, from, groups)
	}
	for i := range queries.Rows {
		s.top[i].AppendTo(answers[i*k : i*k : (i+1)*k])
	}
	return true
}

// collect offers what a tile leaves to the queries' TopK, and returns how many that were.
func (s *exactScan) collect(queries, rows Matrix, from, groups int) (left int) {
	width := kern.sieveQueries
	for i := range rows.Rows {
		start, factor := s.sieveRow(from + i)
		for g := range groups {
			limit := s.limit[g*width : (g+1)*width : (g+1)*width]
			at := (g*kern.sieveRows + i) * width
			if width == 4 { // most often all four are ruled out
				l, p := (*[4]float32)(limit), (*[4]float32)(s.out[at:])
				if start+factor*p[0] > l[0] && start+factor*p[1] > l[1] && start+factor*p[2] > l[2] && start+factor*p[3] > l[3] {
					continue
				}
			}
			for j, product := range s.out[at : at+width : at+width] {
				if start+factor*product > limit[j] {
					continue
				}
				query := g*width + j
				if query >= queries.Rows {
					break
				}
				left++
				s.offer(query, queries.Row(query), from+i)
			}
		}
	}
	return left
}

// each offers all pairs.
func (s *exactScan) each(queries, rows Matrix, from int) {
	for query := range queries.Rows {
		for i := range rows.Rows {
			s.offer(query, queries.Row(query), from+i)
		}
	}
}

// offer offers a row to the TopK of a query, which is number i of the block.
func (s *exactScan) offer(i int, q []float32, row int) {
	unit := Query{r: s.r, q: q, unit: s.units[i*len(q) : (i+1)*len(q)]}
	v := unit.row(row)
	if v > s.top[i].Bound() {
		return
	}
	s.top[i].Push(Neighbor{int32(row), v})
	s.setLimit(i)
}
