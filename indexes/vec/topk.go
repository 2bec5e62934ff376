package vec

import (
	"math"
	"slices"
)

// TopK keeps the k nearest of the neighbours that are pushed into it, by [Neighbor.Less], so that
// the outcome does not depend on the order of the pushes. The zero value keeps none; Reset begins.
type TopK struct {
	heap []Neighbor // the farthest at the root
	k    int
}

// Reset empties t and sets how many it keeps, k >= 0. The memory is reused.
func (t *TopK) Reset(k int) {
	t.k = k
	t.heap = t.heap[:0]
}

// Len is the number of neighbours kept.
func (t *TopK) Len() int { return len(t.heap) }

// Bound is the rank value beyond which a push is in vain: that of the farthest kept, or +Inf while
// fewer than k are kept. At the bound itself the ID decides.
func (t *TopK) Bound() float32 {
	if len(t.heap) < t.k {
		return float32(math.Inf(1))
	}
	if t.k == 0 {
		return float32(math.Inf(-1))
	}
	return t.heap[0].Dist
}

// Push offers a neighbour. Its Dist must not be NaN.
func (t *TopK) Push(n Neighbor) {
	if len(t.heap) < t.k {
		t.heap = append(t.heap, n)
		for i := len(t.heap) - 1; i > 0; {
			parent := (i - 1) / 2
			if !t.heap[parent].Less(t.heap[i]) {
				return
			}
			t.heap[parent], t.heap[i] = t.heap[i], t.heap[parent]
			i = parent
		}
		return
	}
	if t.k == 0 || !n.Less(t.heap[0]) {
		return
	}
	i := 0
	for {
		child := 2*i + 1
		if child >= len(t.heap) {
			break
		}
		if child+1 < len(t.heap) && t.heap[child].Less(t.heap[child+1]) {
			child++
		}
		if !n.Less(t.heap[child]) {
			break
		}
		t.heap[i] = t.heap[child]
		i = child
	}
	t.heap[i] = n
}

// AppendTo appends the neighbours kept to dst, nearest first, and empties t.
func (t *TopK) AppendTo(dst []Neighbor) []Neighbor {
	SortNeighbors(t.heap)
	dst = append(dst, t.heap...)
	t.heap = t.heap[:0]
	return dst
}

// SortNeighbors sorts by [Neighbor.Less], in place.
func SortNeighbors(n []Neighbor) {
	slices.SortFunc(n, func(a, b Neighbor) int {
		if a.Less(b) {
			return -1
		}
		if b.Less(a) {
			return 1
		}
		return 0
	})
}
