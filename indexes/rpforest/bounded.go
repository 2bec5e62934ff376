package rpforest

import (
	"math"

	"annbench/indexes/vec"
)

// bounded is what a search of a forest with bounds works with.
type bounded struct {
	point, y     []float32
	coarse, fine aim
	front        aim     // of a forest for exact search
	length       float64 // of the query, under InnerProduct
	query        vec.Query

	nodes   []int32 // that are looked into while leaves are chosen
	keys    []key
	nearest []key // the leaves chosen, nearest first
	pending []candidate
	ids     []int32
	dots    []int32
	known   idSet
	values  []float32
	masks   []uint16
	work    work

	// Of an exact search: the ranks of the leaves' centres, and which leaves have been visited.
	ranks   []float32
	visited []bool
	left    []blockMask
	despair despair
	// amongDespair is that of searches among a set.
	amongDespair despair
	least        int     // rows, below which it scans
	budget       float64 // what a sweep may cost, in scans
}

// blockMask is a block, and which of its places the front leaves.
type blockMask struct {
	block int
	mask  uint16
}

// work counts what a search looked at, for tests: what the coarse bound left, what of it the fine bound
// was asked about, and what was compared exactly.
type work struct{ candidates, refined, compared int }

// candidate is a row that the coarse bound has not ruled out.
type candidate struct {
	nearest float64 // a lower bound of its distance
	id      int32
}

func newBounded(f *Forest) *bounded {
	b := f.bounds
	s := &bounded{
		point:  make([]float32, len(b.coarse.mean)),
		y:      make([]float32, b.coarse.dims),
		coarse: aim{q: make([]int8, b.coarse.dims)},
		dots:   make([]int32, block),
		ids:    make([]int32, 0, block),
	}
	if b.fine != nil {
		s.y = make([]float32, max(b.coarse.dims, b.fine.dims))
		s.fine.q = make([]int8, b.fine.dims)
	}
	most := few
	if b.front != nil {
		s.y = make([]float32, max(len(s.y), b.front.dims))
		s.front.q = make([]int8, b.front.dims)
		s.ranks = make([]float32, b.levels[0].centres.Len()*vec.CodeBlock)
		s.visited = make([]bool, len(b.sizes))
		s.left = make([]blockMask, 0, sweepBlocks)
		s.least, s.budget = worthSweeping, 1
		most = max(most, sweepBlocks, b.levels[0].centres.Len())
	}
	for _, n := range b.sizes {
		most = max(most, inBlocks(int(n)))
	}
	s.values, s.masks = make([]float32, most*vec.CodeBlock), make([]uint16, most)
	return s
}

// aimAt prepares for query q.
func (s *bounded) aimAt(f *Forest, q []float32) {
	b := f.bounds
	s.length = f.queryPoint(s.point, q)
	y := s.y[:b.coarse.dims]
	vec.DotRows(y[:b.coarse.axes.Rows], s.point, b.coarse.axes)
	b.coarse.query(&s.coarse, y, b.coarse.coordinates(y, s.point))
	if b.fine != nil {
		y := s.y[:b.fine.dims]
		b.fine.query(&s.fine, y, b.fine.coordinates(y, s.point))
	}
}

// patience candidates are gathered before the first are compared exactly, and then batches of so many:
// enough to see which are worth it, few enough for the bound to shrink soon.
//
// Of what the bounds leave of a batch, the best few are compared first: that shrinks the bound for the
// others. Fewer than eight at a time would leave the memory idle.
const (
	patience = 64
	batch    = 32
	first    = 8
)

// searchBounded finds the k nearest among the entries of the chosen leaves.
//
// A leaf's codes are compared with the query's in one go; what is beyond the bound of the k-th nearest
// so far is never looked at again. Until k are known, the candidates with the smallest lower bounds
// are compared exactly, so that there soon is a bound.
func (s *Searcher) searchBounded(dst []vec.Neighbor, q []float32, k, searchK int) []vec.Neighbor {
	f, b, t := s.f, s.f.bounds, s.bounded
	t.query = f.ranker.Query(q, s.unit)
	t.aimAt(f, q)
	t.known.clear()
	t.pending, t.work = t.pending[:0], work{}
	s.top.Reset(k)
	entries := searchK
	if s.among != nil { // as many as should hold searchK of the set
		entries = s.spread(searchK)
	}
	t.choose(b, entries)
	radius := math.Inf(1)
	for l := 0; l < len(t.nearest); l++ {
		next := -1
		if l+1 < len(t.nearest) {
			next = int(b.leaves[t.nearest[l+1].item()])
		}
		s.visit(int(t.nearest[l].item()), next, radius)
		if s.enough(k) {
			radius = s.settle(k, radius)
		}
		if l+1 < len(t.nearest) || s.among == nil {
			continue
		}
		if radius = s.settle(k, radius); s.top.Len() < k && len(t.nearest) < len(b.sizes) {
			entries *= 4 // the set is farther away: go on behind the leaves that have been visited
			t.choose(b, entries)
		}
	}
	s.settle(k, radius)
	return s.top.AppendTo(dst)
}

// spread is how many entries hold n of the set, if that is spread evenly.
func (s *Searcher) spread(n int) int {
	rows := s.f.base.Rows
	return int(min(float64(n)/float64(s.among.Len())*float64(rows)+1, float64(rows)*float64(s.f.options.Trees)))
}

// visit adds to the pending candidates those entries of a leaf that the coarse sketch does not rule out.
// next is the block that is wanted next, or -1.
func (s *Searcher) visit(leaf, next int, radius float64) {
	b, t := s.f.bounds, s.bounded
	from, to := int(b.leaves[leaf]), int(b.leaves[leaf+1])
	reach, offset := t.coarse.limit(radius)
	b.blocks.Scan(t.values, t.masks, t.coarse.q, from, to, next, t.coarse.factor, reach, offset)
	for i, mask := range t.masks[:to-from] {
		s.await(from+i, mask, t.values[i*vec.CodeBlock:])
	}
}

// await adds to the pending candidates the entries of a block that the mask leaves; values are the
// coarse sketch's.
func (s *Searcher) await(block int, mask uint16, values []float32) {
	f, b, t := s.f, s.f.bounds, s.bounded
	for ; mask != 0; mask &= mask - 1 {
		j := trailingZeros(mask)
		place := block*vec.CodeBlock + j
		row := b.blocks.Own(place)
		if row >= uint32(f.base.Rows) || s.among != nil && !s.among.Has(int32(row)) || f.options.Trees > 1 && !t.known.add(int32(row)) {
			continue
		}
		nearest := t.coarse.nearest(values[j], float64(b.blocks.Err(place)))
		t.pending = append(t.pending, candidate{nearest, int32(row)})
	}
}

// enough reports whether so many candidates are pending that it is time to settle.
func (s *Searcher) enough(k int) bool {
	if s.top.Len() == k {
		return len(s.bounded.pending) >= batch
	}
	return len(s.bounded.pending) >= max(patience, 2*k)
}

// settle compares the pending candidates with the query as far as bounds allow, and empties them. It
// returns the radius beyond which no point is wanted.
func (s *Searcher) settle(k int, radius float64) float64 {
	f, b, t := s.f, s.f.bounds, s.bounded
	rest := t.pending
	t.work.candidates += len(rest)
	t.pending = t.pending[:0]
	if missing := k - s.top.Len(); missing > 0 {
		missing = min(missing, len(rest))
		selectNearest(rest, missing)
		s.compare(rest[:missing])
		rest = rest[missing:]
	}
	if s.top.Len() == k {
		radius = f.radius(s.top.Bound(), t.length)
	}
	within := rest[:0]
	for _, c := range rest {
		if !(c.nearest > radius) { // a NaN rules nothing out
			within = append(within, c)
		}
	}
	if b.fine != nil && !math.IsInf(radius, 1) {
		within = t.refine(b, within, radius)
	}
	for len(within) > 0 {
		n := len(within)
		if n > first {
			n = first
			selectNearest(within, n)
		}
		s.compare(within[:n])
		radius = f.radius(s.top.Bound(), t.length)
		rest, within = within[n:], within[n:n]
		for _, c := range rest {
			if !(c.nearest > radius) {
				within = append(within, c)
			}
		}
	}
	return radius
}

// refine keeps those candidates that the fine sketch does not rule out.
func (t *bounded) refine(b *bounds, c []candidate, radius float64) []candidate {
	wide := b.fine.dims
	reach, offset := t.fine.limit(radius)
	t.work.refined += len(c)
	kept := c[:0]
	for len(c) > 0 {
		part := c[:min(len(c), block)]
		c = c[len(part):]
		ids := t.rows(part)
		dots := t.dots[:len(ids)]
		vec.DotCodesScattered(dots, t.fine.q, b.records, wide+recordTail, ids)
		for i, id := range ids {
			norm, err := tail(b.records[int(id)*(wide+recordTail)+wide:])
			d := reach + err
			if v := norm + t.fine.factor*float32(dots[i]); !(v > d*d+offset) {
				kept = append(kept, candidate{t.fine.nearest(v, float64(err)), id})
			}
		}
	}
	return kept
}

// rows are the ids of c, until the next call.
func (t *bounded) rows(c []candidate) []int32 {
	t.ids = t.ids[:0]
	for _, c := range c {
		t.ids = append(t.ids, c.id)
	}
	return t.ids
}

// compare offers candidates to the answer.
func (s *Searcher) compare(c []candidate) {
	s.bounded.work.compared += len(c)
	for len(c) > 0 {
		part := c[:min(len(c), block)]
		c = c[len(part):]
		ids := s.bounded.rows(part)
		values := s.values[:len(ids)]
		s.bounded.query.Scattered(values, ids)
		s.offer(values, ids)
	}
}

// selectNearest brings the n candidates with the smallest bounds to the front.
func selectNearest(c []candidate, n int) {
	from, to := 0, len(c)
	for to-from > 1 {
		pivot := c[from+(to-from)/2]
		i, j := from, to-1
		for i <= j {
			for c[i].before(pivot) {
				i++
			}
			for pivot.before(c[j]) {
				j--
			}
			if i <= j {
				c[i], c[j] = c[j], c[i]
				i++
				j--
			}
		}
		switch {
		case n <= j:
			to = j + 1
		case n >= i:
			from = i
		default:
			return
		}
	}
}

func (a candidate) before(b candidate) bool {
	return a.nearest < b.nearest || a.nearest == b.nearest && a.id < b.id
}

// idSet is a set of ids that costs nothing to empty.
type idSet struct {
	slots []uint64 // number of the clearing, id; a power of 2, at most half of them in use
	round uint64
	used  int
}

func (s *idSet) clear() {
	s.round++ // 2³² clearings later, old ids would look new
	if s.round>>32 != 0 || len(s.slots) == 0 {
		s.slots = make([]uint64, max(1024, len(s.slots)))
		s.round = 1
	}
	s.used = 0
}

// add reports whether id was not in the set.
func (s *idSet) add(id int32) bool {
	if 2*s.used >= len(s.slots) {
		s.grow()
	}
	entry := s.round<<32 | uint64(uint32(id))
	mask := uint32(len(s.slots) - 1)
	for at := uint32(id) * 0x9e3779b1 >> 7 & mask; ; at = (at + 1) & mask {
		switch old := s.slots[at]; {
		case old == entry:
			return false
		case old>>32 != s.round:
			s.slots[at] = entry
			s.used++
			return true
		}
	}
}

func (s *idSet) grow() {
	old := s.slots
	s.slots, s.used = make([]uint64, 2*len(old)), 0
	for _, entry := range old {
		if entry>>32 == s.round {
			s.add(int32(uint32(entry)))
		}
	}
}
