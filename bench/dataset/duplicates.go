package dataset

import (
	"bytes"
	"hash/maphash"
	"math"

	"annbench/bench/dataset/vecfile"
	"annbench/indexes/vec"
)

// duplicates groups the rows of a matrix that no index can tell apart: by their bits, and under cosine by
// their directions, as far as float32 has them.
type duplicates struct {
	m      vec.Matrix
	metric vec.Metric
	seed   maphash.Seed
	heads  map[uint64]int32 // by hash, the latest group
	list   []group
	copies int // rows that are not the first of their group
	grid   []int32
}

type group struct {
	row  int32 // the first
	size int32
	next int32 // another group of the same hash, -1 for none
}

func newDuplicates(m vec.Matrix, metric vec.Metric) *duplicates {
	d := &duplicates{
		m: m, metric: metric, seed: maphash.MakeSeed(),
		heads: make(map[uint64]int32, m.Rows),
		list:  make([]group, 0, m.Rows),
		grid:  make([]int32, m.Dim),
	}
	for row := range m.Rows {
		hash := d.hash(m.Row(row))
		head, ok := d.heads[hash]
		if !ok {
			head = -1
		}
		if at := d.find(head, m.Row(row)); at >= 0 {
			d.list[at].size++
			d.copies++
			continue
		}
		d.heads[hash] = int32(len(d.list))
		d.list = append(d.list, group{int32(row), 1, head})
	}
	return d
}

// step is the width of the cells that directions are grouped by, and most how many groups of one cell are
// compared with: vectors that all lie in one cell are few directions, or so dense that no hash helps. A
// direction whose rounding falls on both sides of a cell's border stays alone: of scaled copies of 512
// dimensions that is one of a hundred. Exact copies are always found, as their direction is the same.
const (
	step = 1.0 / (1 << 13)
	most = 64
)

func (d *duplicates) hash(row []float32) uint64 {
	length := norm(row)
	if d.metric != vec.Cosine || length == 0 {
		return maphash.Bytes(d.seed, vecfile.FileBytes(row))
	}
	for i, x := range row {
		d.grid[i] = int32(math.Round(float64(x) / length / step))
	}
	return maphash.Bytes(d.seed, vecfile.FileBytes(d.grid))
}

// find looks for the group of row among those from at on: hashes say nothing without the values.
func (d *duplicates) find(at int32, row []float32) int32 {
	for n := 0; at >= 0; n++ {
		if d.metric == vec.Cosine && n >= most {
			return d.findBits(at, row)
		}
		if d.same(d.m.Row(int(d.list[at].row)), row) {
			return at
		}
		at = d.list[at].next
	}
	return -1
}

func (d *duplicates) findBits(at int32, row []float32) int32 {
	b := vecfile.FileBytes(row)
	for at >= 0 && !bytes.Equal(vecfile.FileBytes(d.m.Row(int(d.list[at].row))), b) {
		at = d.list[at].next
	}
	return at
}

// same reports whether no index can tell a and b apart. Two roundings of float32 in each value of a vector
// of length 1 move it by 2^-23 at most, so two directions that are one are no farther apart than twice that.
func (d *duplicates) same(a, b []float32) bool {
	if bytes.Equal(vecfile.FileBytes(a), vecfile.FileBytes(b)) {
		return true
	}
	return d.metric == vec.Cosine && norm(a) > 0 && norm(b) > 0 && vec.Cosine.Distance(a, b) <= 2.0/(1<<23)
}

func (d *duplicates) has(row []float32) bool {
	head, ok := d.heads[d.hash(row)]
	return ok && d.find(head, row) >= 0
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

func norm(a []float32) float64 {
	var sum float64
	for _, x := range a {
		sum += float64(x) * float64(x)
	}
	return math.Sqrt(sum)
}
