package metric

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// By hand: right, wrong, right of two relevant items: AP@1 = 1/1, AP@2 = 1/2, AP@3 = (1 + 2/3)/2 = 5/6. And nothing
// right of one: 0 at every depth.
func TestDepthsByHand(t *testing.T) {
	var d depths
	d.add([]bool{true, false, true}, 4, 2)
	d.add([]bool{false}, 4, 1)
	if got, want := d.means(), []float64{.5, .25, .416667, .416667}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if new(depths).means() != nil {
		t.Error("no query, yet means")
	}
}

// At every depth it is the average precision of the answers to that depth.
func TestDepthsAreAveragePrecision(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 9))
	for range 50 {
		rel := make([]bool, 1+r.IntN(20))
		hits := 0
		for i := range rel {
			if rel[i] = r.IntN(3) == 0; rel[i] {
				hits++
			}
		}
		k, total := len(rel)+r.IntN(4), max(1, hits+r.IntN(5))
		var d depths
		d.add(rel, k, total)
		for j, got := range d.means() {
			want := AveragePrecision(rel[:min(j+1, len(rel))], j+1, total).MinKR
			if diff := got - want; diff > 1e-6 || diff < -1e-6 {
				t.Fatalf("depth %d of %v, %d relevant: %v, want %v", j+1, rel, total, got, want)
			}
		}
	}
}
