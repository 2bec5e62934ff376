package vec

import (
	"iter"
	"math/bits"
)

// Set is a set of row numbers, a bit each: the rows that a search may answer with. It may be read by any number of
// goroutines at once while none changes it.
type Set struct {
	words []uint64
	ones  int
}

// NewSet returns a set of row numbers below n, with none in it.
func NewSet(n int) *Set { return &Set{words: make([]uint64, (n+63)/64)} }

// SetOf returns the set whose bits are words, row i being bit i%64 of word i/64. It goes on using the memory.
func SetOf(words []uint64) *Set {
	a := &Set{words: words}
	for _, w := range words {
		a.ones += bits.OnesCount64(w)
	}
	return a
}

// Words are the bits of the set, as [SetOf] takes them. They must not be changed.
func (a *Set) Words() []uint64 { return a.words }

// Add puts a row into the set. It panics where that is not below the set's n, in 64s.
func (a *Set) Add(id int32) {
	bit := uint64(1) << (id & 63)
	if a.words[id>>6]&bit == 0 {
		a.words[id>>6] |= bit
		a.ones++
	}
}

// Remove takes a row out of the set, if it is in it.
func (a *Set) Remove(id int32) {
	if a.Has(id) {
		a.words[id>>6] &^= uint64(1) << (id & 63)
		a.ones--
	}
}

// Clear takes all rows out of the set.
func (a *Set) Clear() {
	clear(a.words)
	a.ones = 0
}

// Grow makes room for row numbers below n.
func (a *Set) Grow(n int) {
	for len(a.words) < (n+63)/64 {
		a.words = append(a.words, 0)
	}
}

// Has reports whether a row is in the set.
func (a *Set) Has(id int32) bool {
	word := int(id >> 6)
	return word >= 0 && word < len(a.words) && a.words[word]>>(id&63)&1 == 1
}

// Len is the number of rows in the set.
func (a *Set) Len() int { return a.ones }

// All gives the rows of the set in rising order.
func (a *Set) All() iter.Seq[int32] {
	return func(yield func(int32) bool) {
		for i, word := range a.words {
			for ; word != 0; word &= word - 1 {
				if !yield(int32(i<<6 + bits.TrailingZeros64(word))) {
					return
				}
			}
		}
	}
}

// Scan is what a search through a set works with.
type Scan struct {
	values [scanBlock]float32
	ids    [scanBlock]int32
}

// scanBlock rows are ranked between two looks at the answers kept, as many as flat takes.
const scanBlock = 256

// Among offers the rows of a set to top. Where most of a block of rows are in it, all of the block are ranked: reading on
// is cheaper than jumping.
func (s *Scan) Among(query *Query, among *Set, top *TopK) {
	const width = scanBlock / 64
	rows := query.r.base.Rows
	waiting := 0
	flush := func() {
		ids, values := s.ids[:waiting], s.values[:waiting]
		query.Scattered(values, ids)
		bound := top.Bound()
		for i, v := range values {
			if v <= bound {
				top.Push(Neighbor{ids[i], v})
				bound = top.Bound()
			}
		}
		waiting = 0
	}
	for from := 0; from*64 < rows && from < len(among.words); from += width {
		words := among.words[from:min(from+width, len(among.words))]
		ones := 0
		for _, w := range words {
			ones += bits.OnesCount64(w)
		}
		if ones == 0 {
			continue
		}
		first := from * 64
		if block := min(scanBlock, rows-first); 4*ones > 3*block {
			if waiting > 0 {
				flush()
			}
			values := s.values[:block]
			query.Rows(values, first)
			bound := top.Bound()
			for i, v := range values {
				if v <= bound && among.Has(int32(first+i)) {
					top.Push(Neighbor{int32(first + i), v})
					bound = top.Bound()
				}
			}
			continue
		}
		for i, word := range words {
			for ; word != 0; word &= word - 1 {
				id := first + i<<6 + bits.TrailingZeros64(word)
				if id >= rows {
					break
				}
				if waiting == scanBlock {
					flush()
				}
				s.ids[waiting] = int32(id)
				waiting++
			}
		}
	}
	flush()
}
