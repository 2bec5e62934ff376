package rpforest

import (
	"math"
	"math/bits"

	"annbench/indexes/vec"
)

// Searcher searches a forest. It holds the memory that a search needs, in a plain forest 4 bytes a
// vector of the base and more, so it is worth keeping: a search allocates nothing once its buffers have
// grown. One goroutine at a time may use it.
type Searcher struct {
	f       *Forest
	bounded *bounded // nil where the forest is plain

	queue  []visit
	seen   []uint32 // the search that saw a row last
	search uint32
	found  []int32 // rows seen in this search
	values [block]float32
	unit   []float32
	top    vec.TopK

	among *vec.Set // rows that may be answered; nil for all
	set   vec.Scan // through them
}

// visit is a node in the queue.
type visit struct {
	margin float32 // the smallest on the way to the node
	node   int32
}

// NewSearcher returns a Searcher of f.
func (f *Forest) NewSearcher() *Searcher {
	s := &Searcher{f: f, unit: make([]float32, f.base.Dim)}
	if f.bounds != nil {
		s.bounded = newBounded(f)
	} else {
		s.seen = make([]uint32, f.base.Rows)
	}
	return s
}

// Search appends to dst the k nearest of the vectors that it sees, nearest first, equal ones by ID; see
// [vec.Neighbor] for their rank values. It visits leaves until they hold searchK entries, where a
// vector counts once for every tree it is found in; searchK <= 0 means DefaultSearchK × k, in a plain
// forest k × trees, as in Annoy, and fewer than k means k. With searchK at least rows × trees it sees all vectors, and is exact. It may
// find fewer than min(k, rows) where searchK is small.
//
// It is an error if k < 1, or if q has another number of dimensions than the base, or is not finite;
// dst is then returned as it was.
func (s *Searcher) Search(dst []vec.Neighbor, q []float32, k, searchK int) ([]vec.Neighbor, error) {
	return s.SearchAmong(dst, q, k, searchK, nil)
}

// SearchAmong is Search among the vectors of a set: entries that are not in it count for nothing, so that it visits
// leaves until they hold searchK entries of the set, and more until k are found. Where the set has no more than searchK,
// it compares them all, and is exact. nil means all.
func (s *Searcher) SearchAmong(dst []vec.Neighbor, q []float32, k, searchK int, among *vec.Set) ([]vec.Neighbor, error) {
	f := s.f
	if err := s.askable(q, k); err != nil {
		return dst, err
	}
	k = min(k, f.base.Rows)
	if searchK <= 0 {
		searchK = f.defaultSearchK(k)
	}
	searchK = max(searchK, k)
	if among != nil {
		if k = min(k, among.Len()); k == 0 {
			return dst, nil
		}
		if among.Len() <= searchK {
			query := f.ranker.Query(q, s.unit)
			s.top.Reset(k)
			s.set.Among(&query, among, &s.top)
			return s.top.AppendTo(dst), nil
		}
		s.among = among
		defer func() { s.among = nil }()
	}
	if f.bounds != nil {
		return s.searchBounded(dst, q, k, searchK), nil
	}
	s.collect(q, searchK)
	query := f.ranker.Query(q, s.unit)
	s.top.Reset(k)
	for from := 0; from < len(s.found); from += block {
		ids := s.found[from:min(from+block, len(s.found))]
		values := s.values[:len(ids)]
		query.Scattered(values, ids)
		s.offer(values, ids)
	}
	return s.top.AppendTo(dst), nil
}

// offer offers the rows of ids, whose rank values are given, to the answer.
func (s *Searcher) offer(values []float32, ids []int32) {
	bound := s.top.Bound()
	for i, v := range values {
		if v > bound {
			continue
		}
		s.top.Push(vec.Neighbor{ID: ids[i], Dist: v})
		bound = s.top.Bound()
	}
}

func trailingZeros(mask uint16) int { return bits.TrailingZeros16(mask) }

// collect sets s.found to the rows of the leaves that are visited first, each once.
func (s *Searcher) collect(q []float32, searchK int) {
	f := s.f
	s.search++
	if s.search == 0 { // after 2³² searches, old marks would look new
		clear(s.seen)
		s.search = 1
	}
	s.found = s.found[:0]
	s.queue = s.queue[:0]
	for _, root := range f.roots {
		s.push(visit{float32(math.Inf(1)), root})
	}
	for entries := 0; entries < searchK && len(s.queue) > 0; {
		v := s.pop()
		// Down the query's own side, without a detour through the queue: the child on that side
		// counts for no more than its parent, but for at least as much as its sibling.
		node, margin := v.node, v.margin
		for node >= 0 {
			m := vec.Dot(f.normals.Row(int(node)), q) + f.offsets[node]
			if m != m {
				m = 0 // beyond float32: on the cut
			}
			children := f.children[node]
			near, far := children[0], children[1]
			if m > 0 {
				near, far = far, near
			} else {
				m = -m
			}
			s.push(visit{min(margin, -m), far})
			margin = min(margin, m)
			node = near
			if len(s.queue) > 0 && s.queue[0].margin > margin {
				// Another node is nearer by now.
				s.push(visit{margin, near})
				top := s.pop()
				node, margin = top.node, top.margin
			}
		}
		leaf := ^node
		ids := f.ids[f.starts[leaf]:f.starts[leaf+1]]
		for _, id := range ids {
			if s.among != nil && !s.among.Has(id) {
				continue
			}
			entries++
			if s.seen[id] != s.search {
				s.seen[id] = s.search
				s.found = append(s.found, id)
			}
		}
	}
}

// before orders the queue: widest margin first. Equal margins go by node, so that the order of visits
// is one.
func (a visit) before(b visit) bool {
	return a.margin > b.margin || a.margin == b.margin && a.node < b.node
}

// push and pop are a heap. One heap for this and the nodes of package hnsw, generic over the order, takes 1.66 times as
// long (median of 41 pairs, 2000 entries): methods of type parameters are not inlined.
func (s *Searcher) push(v visit) {
	s.queue = append(s.queue, v)
	h := s.queue
	i := len(h) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if !v.before(h[parent]) {
			break
		}
		h[i] = h[parent]
		i = parent
	}
	h[i] = v
}

func (s *Searcher) pop() visit {
	h := s.queue
	first, v := h[0], h[len(h)-1]
	h = h[:len(h)-1]
	s.queue = h
	i := 0
	for {
		child := 2*i + 1
		if child >= len(h) {
			break
		}
		if child+1 < len(h) && h[child+1].before(h[child]) {
			child++
		}
		if !h[child].before(v) {
			break
		}
		h[i] = h[child]
		i = child
	}
	if len(h) > 0 {
		h[i] = v
	}
	return first
}
