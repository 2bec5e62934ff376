package rpforest

import (
	"errors"
	"fmt"
	"math"

	"annbench/indexes/vec"
)

// Exact appends to dst the k nearest of all vectors, nearest first, equal ones by ID: what a comparison
// with every vector gives, bit for bit. The forest must have been built with [Options.Exact].
//
// The leaves nearest to the query are visited first, so that there soon is a radius. Then all others
// are swept in the order of memory, and an entry has to pass four tests, each dearer than the last:
//
//   - its leaf: the distance of the query to the centre, less the leaf's radius;
//   - the front code of 32 bytes, by blocks of sixteen entries;
//   - the coarse code, of blocks of which an entry is left;
//   - the fine code.
//
// What is left is compared exactly. All of them are lower bounds of the distance (see sketch), so nothing is
// lost. Where they rule little out, as on vectors without structure, a search counts what it spends; when that
// would come to more than a scan it scans, and later searches with the same Searcher try less often.
//
// It is an error if k < 1, if the forest is not for exact search, or if q has another number of dimensions
// than the base, or is not finite; dst is then returned as it was.
func (s *Searcher) Exact(dst []vec.Neighbor, q []float32, k int) ([]vec.Neighbor, error) {
	return s.ExactAmong(dst, q, k, nil)
}

// ExactAmong is Exact among the vectors of a set; nil means all. The bounds rule out vectors as ever, and of what they
// leave only those of the set are compared. Where the set is so small that to read its vectors costs less than to read
// all codes, it compares them all.
func (s *Searcher) ExactAmong(dst []vec.Neighbor, q []float32, k int, among *vec.Set) ([]vec.Neighbor, error) {
	if err := s.prepare(q, k); err != nil {
		return dst, err
	}
	k = min(k, s.f.base.Rows)
	few := false
	if among != nil {
		if k = min(k, among.Len()); k == 0 {
			return dst, nil
		}
		// Vectors are read at random, at about twice the cost a byte.
		few = float64(among.Len())*float64(8*s.f.base.Dim) < float64(s.f.base.Rows)*(frontDims+4)
		s.among = among
		s.top.Reset(k)
		defer func() { s.among = nil }()
	}
	if few || !s.worthTrying() || !s.sweep(q, k) {
		s.scan(k)
	}
	return s.top.AppendTo(dst), nil
}

// TryExact is Exact for callers that know a better way than a scan, such as a matrix product over many queries:
// where bounds do not help it reports false, and dst is returned as it was.
func (s *Searcher) TryExact(dst []vec.Neighbor, q []float32, k int) ([]vec.Neighbor, bool, error) {
	if err := s.prepare(q, k); err != nil {
		return dst, false, err
	}
	if !s.worthTrying() || !s.sweep(q, min(k, s.f.base.Rows)) {
		return dst, false, nil
	}
	return s.top.AppendTo(dst), true, nil
}

// prepare checks a query and prepares for it.
func (s *Searcher) prepare(q []float32, k int) error {
	if !s.f.options.Exact {
		return errors.New("searching a forest exactly: it was not built for that")
	}
	if err := s.askable(q, k); err != nil {
		return err
	}
	s.bounded.query = s.f.ranker.Query(q, s.unit)
	s.bounded.work = work{}
	s.top.Reset(min(k, s.f.base.Rows))
	return nil
}

// askable reports what forbids to ask the forest for the k nearest of q.
func (s *Searcher) askable(q []float32, k int) error {
	if k < 1 {
		return fmt.Errorf("searching a forest: k = %d: it must be at least 1", k)
	}
	if len(q) != s.f.base.Dim {
		return fmt.Errorf("searching a forest: the query has %d dimensions, the forest %d", len(q), s.f.base.Dim)
	}
	if i := vec.FirstNonFinite(q); i >= 0 {
		return fmt.Errorf("searching a forest: the query holds %v in dimension %d", q[i], i)
	}
	return nil
}

const (
	// Fewer vectors are scanned at once: to prepare the query costs about as much as 130 of them.
	worthSweeping = 4096
	// sweepBlocks of the front are scanned between two looks at the radius.
	sweepBlocks = 64
	// At most so many leaves are visited first, and one of so many entries; the least that shrinks
	// the radius to within a few per cent of the last.
	nearLeaves = 16
	nearShare  = 64
	nearMost   = 1024
)

// despair says how often bounds did not help of late: after the n-th time running, the next 2ⁿ - 1 searches,
// at most 63, do not try them.
type despair struct{ times, wait int }

// despair of searches among a set is theirs alone.
func (s *Searcher) despair() *despair {
	if s.among != nil {
		return &s.bounded.amongDespair
	}
	return &s.bounded.despair
}

func (s *Searcher) worthTrying() bool {
	d := s.despair()
	if s.f.base.Rows < s.bounded.least {
		return false
	}
	if d.wait > 0 {
		d.wait--
		return false
	}
	return true
}

// What the parts of a sweep cost, in bytes of a scan through memory: what they read, and where that is at random,
// twice as much and the time that it takes to come.
func (s *Searcher) spent(frontBlocks, coarseBlocks int) float64 {
	b, w := s.f.bounds, s.bounded.work
	cost := float64(frontBlocks)*vec.CodeBlock*float64(b.front.dims+4) +
		float64(coarseBlocks)*vec.CodeBlock*float64(b.coarse.dims+12) +
		float64(w.candidates)*64 +
		float64(w.compared)*float64(8*s.f.base.Dim+256)
	if b.fine != nil {
		cost += float64(w.refined) * float64(2*(b.fine.dims+recordTail)+128)
	}
	return cost
}

// sweep is the search by bounds. It reports false where it gave up.
func (s *Searcher) sweep(q []float32, k int) bool {
	f, b, t := s.f, s.f.bounds, s.bounded
	t.aimAt(f, q)
	y := t.y[:b.front.dims]
	vec.DotRows(y[:b.front.axes.Rows], t.point, b.front.axes)
	b.front.query(&t.front, y, b.front.coordinates(y, t.point))

	t.pending = t.pending[:0]
	radius := s.first(k)
	reach, offset := t.front.limit(radius)
	leafReach, leafOffset := t.coarse.limit(radius)
	skip := func(leaf int) bool {
		r := leafReach + b.radii[leaf]
		return t.visited[leaf] || t.ranks[leaf] > r*r+leafOffset
	}
	before := s.spent(0, 0)
	scan := 4 * float64(f.base.Dim)
	swept, coarse := 0, 0 // blocks
	for leaf, leaves := 0, len(b.sizes); leaf < leaves; {
		if skip(leaf) {
			leaf++
			continue
		}
		from := int(b.leaves[leaf])
		to := int(b.leaves[leaf+1])
		leaf++
		for leaf < leaves && !skip(leaf) && int(b.leaves[leaf+1])-from <= sweepBlocks {
			to = int(b.leaves[leaf+1])
			leaf++
		}
		for ; from < to; from += sweepBlocks { // a leaf may be larger
			n := min(sweepBlocks, to-from)
			b.sieve.Scan(t.masks, t.front.q, from, from+n, t.front.factor, reach, offset)
			swept += n
			left := t.left[:0]
			for i, mask := range t.masks[:n] {
				if mask != 0 {
					left = append(left, blockMask{from + i, mask})
				}
			}
			coarse += len(left)
			coarseReach, coarseOffset := leafReach, leafOffset
			for i, l := range left {
				next := -1
				if i+1 < len(left) {
					next = left[i+1].block
				}
				b.blocks.Scan(t.values, t.masks[:1], t.coarse.q, l.block, l.block+1, next, t.coarse.factor, coarseReach, coarseOffset)
				s.await(l.block, t.masks[0]&l.mask, t.values)
			}
			if !s.enough(k) {
				continue
			}
			radius = s.settle(k, radius)
			reach, offset = t.front.limit(radius)
			leafReach, leafOffset = t.coarse.limit(radius)
			if rows := swept * vec.CodeBlock; rows*nearShare >= f.base.Rows {
				// What is left would cost as much as what was swept, a row.
				rest := (s.spent(swept, coarse) - before) / float64(rows) * float64(f.base.Rows-leafEntries(b, leaf))
				if rest > t.budget*scan*float64(s.rows()) {
					d := s.despair()
					d.times = min(d.times+1, 6)
					d.wait = 1<<d.times - 1
					return false
				}
			}
		}
	}
	s.settle(k, radius)
	*s.despair() = despair{}
	return true
}

// rows are how many a scan would compare.
func (s *Searcher) rows() int {
	if s.among != nil {
		return s.among.Len()
	}
	return s.f.base.Rows
}

// leafEntries is about how many rows lie in the leaves before this one.
func leafEntries(b *bounds, leaf int) int { return int(b.leaves[leaf]) * vec.CodeBlock }

// first visits the leaves nearest to the query and returns the radius.
func (s *Searcher) first(k int) float64 {
	f, b, t := s.f, s.f.bounds, s.bounded
	low := &b.levels[0]
	blocks := low.centres.Len()
	low.centres.Scan(t.ranks, t.masks, t.coarse.q, 0, blocks, blocks, t.coarse.factor, 0, float32(math.Inf(1)))
	for node, from := range low.starts[:blocks] { // from places to leaves
		copy(t.ranks[from:low.starts[node+1]], t.ranks[node*fan:])
	}
	clear(t.visited)
	near := t.nearest[:0] // in rising order
	for leaf, rank := range t.ranks[:len(b.sizes)] {
		c := newKey(rank, int32(leaf))
		if len(near) == nearLeaves {
			if c >= near[nearLeaves-1] {
				continue
			}
			near = near[:nearLeaves-1]
		}
		i := len(near)
		near = append(near, c)
		for ; i > 0 && c < near[i-1]; i-- {
			near[i] = near[i-1]
		}
		near[i] = c
	}
	t.nearest = near
	radius := math.Inf(1)
	entries, most := 0, max(min(f.base.Rows/nearShare, nearMost), k)
	for l, c := range near {
		if entries >= most {
			break
		}
		leaf := c.item()
		entries += int(b.sizes[leaf])
		next := -1
		if l+1 < len(near) {
			next = int(b.leaves[near[l+1].item()])
		}
		t.visited[leaf] = true
		s.visit(int(leaf), next, radius)
		if s.enough(k) {
			radius = s.settle(k, radius)
		}
	}
	return s.settle(k, radius)
}

// scan compares all vectors. What s.top holds when it begins serves as a bound.
func (s *Searcher) scan(k int) {
	limit := s.top.Bound()
	s.top.Reset(k)
	if s.among != nil {
		s.set.Among(&s.bounded.query, s.among, &s.top)
		return
	}
	rows := s.f.base.Rows
	for from := 0; from < rows; from += block {
		values := s.values[:min(block, rows-from)]
		s.bounded.query.Rows(values, from)
		for i, v := range values {
			if v > limit {
				continue
			}
			s.top.Push(vec.Neighbor{ID: int32(from + i), Dist: v})
			limit = min(limit, s.top.Bound())
		}
	}
}
