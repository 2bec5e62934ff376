package metric

import (
	"math"
	"testing"

	"annbench/indexes/vec"
)

// Five vectors on a line: 0 and 1 are hats, 3 and 4 are shoes, 10 is the only bag.
//
//	row  x   others, nearest first      relevant   AP@2 over min(2, 1)
//	0    0   1 (1), 3 (3), 4 (4), 10    yes no     1
//	1    1   0 (1), 3 (2), 4 (3), 10    yes no     1
//	2    3   4 (1), 1 (2), 0 (3), 10    yes no     1
//	3    4   3 (1), 1 (3), 0 (4), 10    yes no     1
//	4   10   has no other bag: no query
//
// With a shoe at 3 turned into a hat, row 3 (a lone shoe) has none either, and hats are 0, 1, 3.
func TestSelfSearchByHand(t *testing.T) {
	m := vec.Matrix{Data: []float32{0, 1, 3, 4, 10}, Rows: 5, Dim: 1}
	near, err := vec.Exact(t.Context(), m, m, vec.L2, 5, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	chord := func(rank float32) float64 { return math.Sqrt(float64(rank)) }
	s, err := SelfSearch(near, 5, []int32{0, 0, 1, 1, 2}, 3, []int{1, 2}, chord)
	if err != nil {
		t.Fatal(err)
	}
	if s.MAP[0] != 1 || s.MAP[1] != 1 || s.Queries[0] != 2 || s.Queries[1] != 2 || s.Queries[2] != 0 || s.ByLabel[2] != nil {
		t.Errorf("%+v", s)
	}

	// Hats 0, 1, 3; row 1: 0 (1, hat), 3 (2, hat): AP@2 = 1. Row 0: 1 (hat), 3 (hat): 1.
	// Row 2 (x = 3): 4 (shoe), 1 (hat): (1/2)/min(2, 2) = 1/4; AP@1 = 0.
	s, err = SelfSearch(near, 5, []int32{0, 0, 0, 1, 2}, 3, []int{1, 2}, chord)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(s.MAP[0]-2.0/3) > 1e-12 || math.Abs(s.MAP[1]-2.25/3) > 1e-12 || s.ByLabel[0][1] != s.MAP[1] || s.ByLabel[1] != nil {
		t.Errorf("%+v", s)
	}

	for _, k := range []int{0, 5} {
		if _, err := SelfSearch(near, 5, make([]int32, 5), 1, []int{k}, chord); err == nil {
			t.Errorf("k = %d passes", k)
		}
	}
}

// Copies of a row may come before the row itself; there are never more answers than others.
func TestSelfSearchCopies(t *testing.T) {
	m := vec.Matrix{Data: make([]float32, 6), Rows: 6, Dim: 1}
	near, err := vec.Exact(t.Context(), m, m, vec.L2, 3, 1, nil) // rows 0, 1, 2 for every query
	if err != nil {
		t.Fatal(err)
	}
	s, err := SelfSearch(near, 3, []int32{0, 0, 0, 0, 0, 0}, 1, []int{2}, func(r float32) float64 { return float64(r) })
	if err != nil {
		t.Fatal(err)
	}
	if s.MAP[0] != 1 || s.HasLID {
		t.Errorf("%+v", s)
	}
}
