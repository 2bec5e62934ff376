package dataset

import (
	"bytes"
	"fmt"
	"hash/maphash"

	"annbench/indexes/vec"
)

// Check looks for what makes measurements on a set meaningless, or other than they seem, under a
// metric.
//
// An error: a NaN or an infinity, with its row and dimension. Warnings, with their counts: zero
// vectors under cosine, which have no angle; base vectors that are copies of others, bit for bit,
// which makes ids of equal distance arbitrary; queries that stand in the base too, which makes them
// easier than the queries of users. Warnings are in this order, base before queries.
func (s *Set) Check(metric vec.Metric) (warnings []string, err error) {
	halves := []struct {
		name string
		m    vec.Matrix
		rows []int32
	}{{"base vector", s.Base, s.BaseRows}, {"query", s.Queries, s.QueryRows}}
	for _, half := range halves {
		if i := vec.FirstNonFinite(half.m.Data); i >= 0 {
			row := i / half.m.Dim
			return nil, fmt.Errorf("%s %d (row %d of the collection) holds %v in dimension %d: vectors must be finite", half.name, row, half.rows[row], half.m.Data[i], i%half.m.Dim)
		}
	}
	if metric == vec.Cosine {
		for _, half := range halves {
			if count, first := zeroRows(half.m); count > 0 {
				warnings = append(warnings, fmt.Sprintf("%d of %s are zero, %s %d (row %d of the collection) first: under %s they are equally far from everything", count, plural(half.m.Rows, half.name), half.name, first, half.rows[first], metric))
			}
		}
	}
	d := newDuplicates(s.Base)
	if d.copies > 0 {
		groups, largest := d.groups()
		warnings = append(warnings, fmt.Sprintf("%d of %s are exact copies of another: %s, the largest of %d", d.copies, plural(s.Base.Rows, "base vector"), plural(groups, "group"), largest))
	}
	inside := 0
	for q := range s.Queries.Rows {
		if d.has(s.Queries.Row(q)) {
			inside++
		}
	}
	if inside > 0 {
		warnings = append(warnings, fmt.Sprintf("%d of %s also stand in the base, as exact copies", inside, plural(s.Queries.Rows, "query")))
	}
	return warnings, nil
}

func plural(n int, what string) string {
	switch {
	case n == 1:
		return "1 " + what
	case what == "query":
		return fmt.Sprintf("%d queries", n)
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// zeroRows counts the vectors that are zero, and names the first.
func zeroRows(m vec.Matrix) (count, first int) {
	for i := range m.Rows {
		zero := true
		for _, x := range m.Row(i) {
			if x != 0 {
				zero = false
				break
			}
		}
		if zero {
			if count == 0 {
				first = i
			}
			count++
		}
	}
	return count, first
}

// duplicates groups the rows of a matrix by their bits.
type duplicates struct {
	m      vec.Matrix
	seed   maphash.Seed
	heads  map[uint64]int32 // by hash, the latest group
	list   []group
	copies int // rows that are not the first of their group
}

type group struct {
	row  int32 // the first
	size int32
	next int32 // another group of the same hash, -1 for none
}

func newDuplicates(m vec.Matrix) *duplicates {
	d := &duplicates{
		m: m, seed: maphash.MakeSeed(),
		heads: make(map[uint64]int32, m.Rows),
		list:  make([]group, 0, m.Rows),
	}
	for row := range m.Rows {
		b := asBytes(m.Row(row))
		hash := maphash.Bytes(d.seed, b)
		head, ok := d.heads[hash]
		if !ok {
			head = -1
		}
		if at := d.find(head, b); at >= 0 {
			d.list[at].size++
			d.copies++
			continue
		}
		d.heads[hash] = int32(len(d.list))
		d.list = append(d.list, group{int32(row), 1, head})
	}
	return d
}

// find looks for the group of b among those from at on: hashes say nothing without the bytes.
func (d *duplicates) find(at int32, b []byte) int32 {
	for at >= 0 && !bytes.Equal(asBytes(d.m.Row(int(d.list[at].row))), b) {
		at = d.list[at].next
	}
	return at
}

func (d *duplicates) has(row []float32) bool {
	b := asBytes(row)
	head, ok := d.heads[maphash.Bytes(d.seed, b)]
	return ok && d.find(head, b) >= 0
}

// groups counts the groups of more than one, and gives the size of the largest.
func (d *duplicates) groups() (count, largest int) {
	for _, g := range d.list {
		if g.size > 1 {
			count++
			largest = max(largest, int(g.size))
		}
	}
	return count, largest
}
