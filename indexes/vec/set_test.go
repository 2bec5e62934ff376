package vec

import (
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// A Set behaves as a map of row numbers does.
func TestSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 300).Draw(t, "n")
		a, want := NewSet(n), map[int32]bool{}
		for _, id := range rapid.SliceOf(rapid.Int32Range(0, int32(n-1))).Draw(t, "ids") {
			if want[id] {
				a.Remove(id)
				delete(want, id)
			} else {
				a.Add(id)
				want[id] = true
			}
		}
		if a.Len() != len(want) || SetOf(a.Words()).Len() != len(want) {
			t.Fatalf("%d in the set, %d counted anew, not %d", a.Len(), SetOf(a.Words()).Len(), len(want))
		}
		for id := int32(-1); id < int32(n+70); id++ {
			if a.Has(id) != want[id] {
				t.Fatalf("row %d: %v", id, a.Has(id))
			}
		}
		all := slices.Collect(a.All())
		if len(all) != len(want) || !slices.IsSorted(all) {
			t.Fatalf("all rows: %v", all)
		}
	})
}

// A scan among a set finds what a comparison with each of its rows finds, at every share.
func TestScanAmong(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	base := NewMatrix(1000, 7)
	for i := range base.Data {
		base.Data[i] = float32(rng.NormFloat64())
	}
	for _, metric := range Metrics {
		r := NewRanker(base, metric)
		for _, share := range []float64{0, 0.001, 0.1, 0.5, 0.9, 1} {
			among := NewSet(base.Rows)
			for i := range base.Rows {
				// Shares that differ from block to block.
				if rng.Float64() < share || share > 0 && share < 1 && i/256 == 1 {
					among.Add(int32(i))
				}
			}
			q := base.Row(rng.IntN(base.Rows))
			query := r.Query(q, make([]float32, base.Dim))
			var top TopK
			top.Reset(10)
			var s Scan
			s.Among(&query, among, &top)
			got := top.AppendTo(nil)
			var want []Neighbor
			value := make([]float32, 1)
			for id := range among.All() {
				query.Rows(value, int(id))
				want = append(want, Neighbor{id, value[0]})
			}
			SortNeighbors(want)
			want = want[:min(10, len(want))]
			if !slices.Equal(got, want) {
				t.Errorf("%s, share %v: %v, not %v", metric, share, got, want)
			}
		}
	}
}
