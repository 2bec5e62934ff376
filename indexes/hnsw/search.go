package hnsw

import (
	"fmt"
	"math"
	"slices"

	"annbench/indexes/vec"
)

// Searcher searches an index. It holds the memory that a search needs, 2 bytes a vector and more, so it is worth keeping:
// a search allocates nothing once its buffers have grown. One goroutine at a time may use it.
type Searcher struct {
	x     *Index
	marks []uint16 // the walk that saw a node last
	round uint16

	ruler, back, third ruler
	near               []node // of a walk: the nearest nodes seen, nearest first
	ids                []int32
	values             []float32
	queue              []node // of a walk under a filter: nodes to be expanded, nearest at the root

	chosen, kept, around []node   // of a build
	layers               [][]node // of a build: what a node is linked to, by layer
	picked               []int32

	unit []float32
	top  vec.TopK

	// Where kernels are called through pointers, what is on the stack would have to be allocated.
	oneValue [1]float32
	oneID    [1]int32
	some     [some]float32
	work     Work
}

// Work counts what a search did, for tests and benchmarks.
type Work struct {
	Expanded int // nodes whose links were followed
	Compared int // distances, by codes where there are any
	Exact    int // distances to vectors, after a walk by codes
}

// Work returns what the last search did.
func (s *Searcher) Work() Work { return s.work }

// NewSearcher returns a Searcher of x.
func (x *Index) NewSearcher() *Searcher {
	s := &Searcher{x: x, unit: make([]float32, x.base.Dim)}
	most := max(2*x.options.M+1, 64)
	s.ids, s.values = make([]int32, 0, most), make([]float32, most)
	for _, r := range []*ruler{&s.ruler, &s.back, &s.third} {
		*r = newRuler(x)
	}
	return s
}

// node is a node at a distance. Its ID, a place, has a mark in its highest bit: whether its links have been followed.
type node struct {
	dist float32
	seen uint32
}

const expanded = 1 << 31

func newNode(dist float32, id int32) node { return node{dist, uint32(id)} }
func (n node) id() int32                  { return int32(n.seen &^ expanded) }
func (n node) before(m node) bool {
	return n.dist < m.dist || n.dist == m.dist && n.id() < m.id()
}

func sortNodes(nodes []node) {
	slices.SortFunc(nodes, func(a, b node) int {
		if a.before(b) {
			return -1
		}
		return 1
	})
}

// begin forgets what was seen.
func (s *Searcher) begin() {
	s.round++
	if len(s.marks) < s.x.base.Rows {
		s.marks = make([]uint16, s.x.base.Rows)
		s.round = 1
	}
	if s.round == 0 { // old marks would look new
		clear(s.marks)
		s.round = 1
	}
}

// seen marks a node and reports whether it was marked.
func (s *Searcher) seen(id int32) bool {
	if s.marks[id] == s.round {
		return true
	}
	s.marks[id] = s.round
	return false
}

// neighbours sets s.ids to the links of a node that have not been seen.
func (s *Searcher) neighbours(b *builder, id int32, layer int) {
	if b != nil {
		b.lock(id)
	}
	list := s.x.list(id, layer)
	n := min(int(list[0]), len(list)-1)
	ids, marks, round := s.ids[:0], s.marks, s.round
	for _, l := range list[1 : 1+n] {
		if int(l) < len(marks) && marks[l] != round { // a damaged file's links lead nowhere
			marks[l] = round
			ids = append(ids, int32(l))
		}
	}
	s.ids = ids
	if b != nil {
		b.unlock(id)
	}
}

// distance is that of one node.
func (s *Searcher) distance(id int32) float32 {
	s.oneID[0] = id
	s.ruler.to(s.oneValue[:], s.oneID[:])
	s.work.Compared++
	return s.oneValue[0]
}

// descend goes from a node of layer top to the nearest node that greedy steps find on each layer above level, and returns
// it. b is nil outside of a build.
func (s *Searcher) descend(b *builder, entry int32, top, level int) int32 {
	best := s.distance(entry)
	for layer := top; layer > level; layer-- {
		for moved := true; moved; {
			moved = false
			s.work.Expanded++
			s.neighbours(b, entry, layer) // what was seen on a layer above was farther
			values := s.values[:len(s.ids)]
			s.ruler.to(values, s.ids)
			s.work.Compared += len(values)
			for i, v := range values {
				if v < best {
					best, entry, moved = v, s.ids[i], true
				}
			}
		}
	}
	return entry
}

// walk sets s.near to the ef nearest nodes that it finds on a layer, from entry on: the links of the nearest node whose
// links have not been followed are followed next, until there is none among the ef nearest.
func (s *Searcher) walk(b *builder, entry int32, ef, layer int) {
	near := s.near[:0]
	s.seen(entry)
	near = append(near, newNode(s.distance(entry), entry))
	for next := 0; next < len(near); {
		if near[next].seen&expanded != 0 {
			next++
			continue
		}
		near[next].seen |= expanded
		s.work.Expanded++
		s.neighbours(b, near[next].id(), layer)
		values := s.values[:len(s.ids)]
		s.ruler.to(values, s.ids)
		s.work.Compared += len(values)
		for i, v := range values {
			n := newNode(v, s.ids[i])
			if len(near) == ef {
				if !n.before(near[ef-1]) {
					continue
				}
				near = near[:ef-1]
			}
			at := place(near, n)
			near = append(near, node{})
			copy(near[at+1:], near[at:])
			near[at] = n
			next = min(next, at)
		}
	}
	s.near = near
}

// place is where n belongs among sorted nodes.
func place(near []node, n node) int {
	from, to := 0, len(near)
	for from < to {
		middle := int(uint(from+to) / 2)
		if near[middle].before(n) {
			from = middle + 1
		} else {
			to = middle
		}
	}
	return from
}

// Search appends to dst at most k neighbours of q, nearest first, equal ones by ID; see [vec.Neighbor] for their rank
// values. ef is how many nodes the walk keeps: more find more, and take longer; ef <= 0 means DefaultEf, and fewer than k
// means k.
//
// It is an error if k < 1, or if q has another number of dimensions than the vectors, or is not finite; dst is then
// returned as it was.
func (s *Searcher) Search(dst []vec.Neighbor, q []float32, k, ef int) ([]vec.Neighbor, error) {
	return s.SearchAmong(dst, q, k, ef, nil)
}

// SearchAmong is Search among the vectors of a set: the walk goes through all nodes and keeps the ef nearest of the set.
// Where so few are in the set that the walk would be longer than a look at each, it compares them all, and is exact. nil
// means all.
func (s *Searcher) SearchAmong(dst []vec.Neighbor, q []float32, k, ef int, among *vec.Set) ([]vec.Neighbor, error) {
	x := s.x
	if x.ranker == nil {
		return dst, fmt.Errorf("searching a graph: %w", errClosed)
	}
	if k < 1 {
		return dst, fmt.Errorf("searching a graph: k = %d: it must be at least 1", k)
	}
	if len(q) != x.base.Dim {
		return dst, fmt.Errorf("searching a graph: the query has %d dimensions, the vectors %d", len(q), x.base.Dim)
	}
	if i := vec.FirstNonFinite(q); i >= 0 {
		return dst, fmt.Errorf("searching a graph: the query holds %v in dimension %d", q[i], i)
	}
	s.work = Work{}
	if x.entry < 0 {
		return dst, nil
	}
	if ef <= 0 {
		ef = DefaultEf
	}
	k = min(k, x.living)
	ef = min(max(ef, k), x.living)
	query := x.ranker.Query(q, s.unit)
	s.ruler.atQuery(query, q)
	s.top.Reset(k)
	switch {
	case among == nil:
		s.begin()
		entry := s.descend(nil, x.entry, int(x.levels[x.entry]), 0)
		s.begin()
		s.walk(nil, entry, ef, 0)
	case few(among, ef, x.living):
		s.compareAll(query, among)
		return s.top.AppendTo(dst), nil
	default:
		s.begin()
		entry := s.descend(nil, x.entry, int(x.levels[x.entry]), 0)
		s.begin()
		s.walkAmong(entry, ef, among)
	}
	if x.codes == nil {
		return s.answer(dst, k), nil
	}
	s.compare(query, s.near[:min(len(s.near), x.again(k))])
	return s.top.AppendTo(dst), nil
}

// answer appends the k nearest of a walk by the vectors themselves to dst. s.near has equal ones in the order of their
// places.
func (s *Searcher) answer(dst []vec.Neighbor, k int) []vec.Neighbor {
	x, n, from := s.x, min(k, len(s.near)), len(dst)
	if x.ids != nil { // all that are as near as the last, to take those with the lowest IDs
		for n > 0 && n < len(s.near) && s.near[n].dist == s.near[n-1].dist {
			n++
		}
	}
	for _, near := range s.near[:n] {
		dst = append(dst, vec.Neighbor{ID: x.id(near.id()), Dist: near.dist})
	}
	if x.ids != nil {
		vec.SortNeighbors(dst[from:])
		dst = dst[:min(len(dst), from+k)]
	}
	return dst
}

// again is how many of a walk by codes are compared exactly: under InnerProduct, where lengths that differ leave the
// directions few bits, all of them.
func (x *Index) again(k int) int {
	if x.metric == vec.InnerProduct {
		return math.MaxInt
	}
	return k + k/2 + 4
}

// compare offers nodes to the answer, by their vectors.
func (s *Searcher) compare(query vec.Query, nodes []node) {
	for len(nodes) > 0 {
		n := min(len(nodes), len(s.values))
		s.ids = s.ids[:0]
		for _, n := range nodes[:n] {
			s.ids = append(s.ids, n.id())
		}
		s.offer(query)
		nodes = nodes[n:]
	}
}

// offer offers s.ids to the answer, by their vectors.
func (s *Searcher) offer(query vec.Query) {
	values := s.values[:len(s.ids)]
	query.Scattered(values, s.ids)
	s.work.Exact += len(values)
	for i, v := range values {
		s.top.Push(vec.Neighbor{ID: s.x.id(s.ids[i]), Dist: v})
	}
}

// few reports whether it is better to compare all of the set than to walk: a walk expands about ef/share nodes, and
// compares some 16 for each.
func few(among *vec.Set, ef, living int) bool {
	n := among.Len()
	return float64(n)*float64(n) <= 16*float64(ef)*float64(living) || n <= ef
}

// compareAll offers all living vectors of the set to the answer.
func (s *Searcher) compareAll(query vec.Query, among *vec.Set) {
	s.ids = s.ids[:0]
	for id := range among.All() {
		place, ok := s.x.place(id)
		if !ok {
			continue
		}
		s.ids = append(s.ids, place)
		if len(s.ids) == len(s.values) {
			s.offer(query)
			s.ids = s.ids[:0]
		}
	}
	s.offer(query)
}

// walkAmong is walk over all nodes of layer 0, where s.near gets those of the set.
func (s *Searcher) walkAmong(entry int32, ef int, among *vec.Set) {
	near, queue := s.near[:0], s.queue[:0]
	s.seen(entry)
	queue = append(queue, newNode(s.distance(entry), entry))
	if among.Has(s.x.id(entry)) {
		near = append(near, queue[0])
	}
	bound := float32(math.Inf(1))
	if len(near) == ef {
		bound = near[ef-1].dist
	}
	for len(queue) > 0 && !(queue[0].dist > bound) {
		var n node
		n, queue = popNode(queue)
		s.work.Expanded++
		s.neighbours(nil, n.id(), 0)
		values := s.values[:len(s.ids)]
		s.ruler.to(values, s.ids)
		s.work.Compared += len(values)
		for i, v := range values {
			if v > bound {
				continue
			}
			n := newNode(v, s.ids[i])
			queue = pushNode(queue, n)
			if !among.Has(s.x.id(n.id())) {
				continue
			}
			if len(near) == ef {
				if !n.before(near[ef-1]) {
					continue
				}
				near = near[:ef-1]
			}
			at := place(near, n)
			near = append(near, node{})
			copy(near[at+1:], near[at:])
			near[at] = n
			if len(near) == ef {
				bound = near[ef-1].dist
			}
		}
	}
	s.near, s.queue = near, queue
}

// A heap of nodes with the nearest at the root.

func pushNode(h []node, n node) []node {
	h = append(h, n)
	i := len(h) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if !n.before(h[parent]) {
			break
		}
		h[i] = h[parent]
		i = parent
	}
	h[i] = n
	return h
}

func popNode(h []node) (node, []node) {
	first, n := h[0], h[len(h)-1]
	h = h[:len(h)-1]
	i := 0
	for {
		child := 2*i + 1
		if child >= len(h) {
			break
		}
		if child+1 < len(h) && h[child+1].before(h[child]) {
			child++
		}
		if !h[child].before(n) {
			break
		}
		h[i] = h[child]
		i = child
	}
	if len(h) > 0 {
		h[i] = n
	}
	return first, h
}

// Search is [Searcher.Search] with a Searcher that the index keeps. Any number of goroutines may call it at once; it
// allocates nothing once as many have run as run at once.
func (x *Index) Search(dst []vec.Neighbor, q []float32, k, ef int) ([]vec.Neighbor, error) {
	return x.SearchAmong(dst, q, k, ef, nil)
}

// SearchAmong is [Searcher.SearchAmong] with a Searcher that the index keeps, as Search.
func (x *Index) SearchAmong(dst []vec.Neighbor, q []float32, k, ef int, among *vec.Set) ([]vec.Neighbor, error) {
	if x.ranker == nil {
		return dst, fmt.Errorf("searching a graph: %w", errClosed)
	}
	s, _ := x.pool.Get().(*Searcher)
	if s == nil {
		s = x.NewSearcher()
	}
	defer x.pool.Put(s)
	return s.SearchAmong(dst, q, k, ef, among)
}
