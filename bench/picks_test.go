package bench

import "testing"

// TestPick works on six queries of two neighbours each: query 1 is missed by the approximate family,
// query 2 has only neighbours of other categories, query 3 a hub for neighbour, and families answer
// query 4 apart without missing anything more of it than of query 5.
func TestPick(t *testing.T) {
	right := []bool{true, true}
	p := &pool{
		truth:    [][]int32{{0, 1}, {2, 3}, {4, 5}, {6, 7}, {8, 9}, {10, 11}},
		relevant: [][]bool{right, right, {false, false}, right, right, right},
		total:    []int{9, 9, 9, 9, 9, 9},
		hub:      []int{1, 1, 1, 40, 1, 1},
		cells: []poolCell{
			{"flat", true, [][]int32{{0, 1}, {2, 3}, {4, 5}, {6, 7}, {8, 9}, {10, 11}}},
			{"a", false, [][]int32{{0, 1}, {70, 71}, {4, 5}, {6, 7}, {8, 50}, {10, 11}}},
			{"b", false, [][]int32{{0, 1}, {70, 71}, {4, 5}, {6, 7}, {60, 9}, {10, 11}}},
			{"lost", false, [][]int32{{90, 91}, {90, 91}, {90, 91}, {90, 91}, {90, 91}, {10, 90}}},
		},
	}
	got := p.pick(6)
	want := []picked{{0, whyRandom}, {1, whyRandom}, {4, whyRecall}, {2, whyAP}, {3, whyHub}, {5, whyRandom}}
	if len(got) != len(want) {
		t.Fatalf("%v, want %v", got, want)
	}
	seen := map[int]bool{}
	for i, g := range got {
		if seen[g.at] {
			t.Errorf("query %d is picked twice", g.at)
		}
		seen[g.at] = true
		if i < 5 && g != want[i] {
			t.Errorf("pick %d is %v, want %v", i, g, want[i])
		}
	}
	if m := p.missed(); m[1] != 1 || m[0] != 0 || m[4] != 0.5 { // "lost" misses more than half and does not count
		t.Errorf("missed %v", m)
	}
	if d := p.disagreement(); d[4] <= d[5] || d[5] >= d[0] {
		t.Errorf("disagreement %v: most on query 4, least on 5", d)
	}
	for n := range 8 {
		if got := len(p.pick(n)); got != min(n, 6) {
			t.Errorf("%d queries of %d", got, n)
		}
	}
}
