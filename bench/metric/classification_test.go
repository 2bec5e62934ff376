package metric

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// Three categories by hand: 5 hats, 3 shoes, no bags; nothing is taken for a bag but one shoe.
//
//	         hat shoe bag
//	hat        4    1   0
//	shoe       1    1   1
//	bag        0    0   0
func TestConfusionByHand(t *testing.T) {
	c := NewConfusion([]string{"hat", "shoe", "bag"})
	for _, a := range [][2]int{{0, 0}, {0, 0}, {0, 0}, {0, 0}, {0, 1}, {1, 0}, {1, 1}, {1, 2}} {
		c.Add(a[0], a[1])
	}
	if c.Total() != 8 {
		t.Errorf("total %d", c.Total())
	}
	if a, ok := c.Accuracy(); !ok || a != 5.0/8 {
		t.Errorf("accuracy %v", a)
	}
	v := func(x float64) *float64 { return &x }
	for i, want := range []CategoryScore{
		{v(4.0 / 5), v(4.0 / 5), v(4.0 / 5), 5},
		{v(1.0 / 2), v(1.0 / 3), v(2.0 / 5), 3},
		{v(0), nil, v(0), 0},
	} {
		got := c.Score(i)
		if !same(got.Precision, want.Precision) || !same(got.Recall, want.Recall) || !same(got.F1, want.F1) || got.Support != want.Support {
			t.Errorf("%s: %+v", c.Classes[i], got)
		}
	}
	if g, n := c.Worst(1); g != 0 || n != 1 {
		t.Errorf("shoes are taken for %d, %d times", g, n)
	}
	if _, n := c.Worst(2); n != 0 {
		t.Errorf("bags are taken for others %d times", n)
	}
}

func same(a, b *float64) bool {
	return (a == nil) == (b == nil) && (a == nil || math.Abs(*a-*b) < 1e-12)
}

func TestConfusionEmpty(t *testing.T) {
	c := NewConfusion([]string{"hat"})
	if _, ok := c.Accuracy(); ok {
		t.Error("an accuracy of nothing")
	}
	if s := c.Score(0); s.Precision != nil || s.Recall != nil || s.F1 != nil {
		t.Errorf("%+v", s)
	}
}

// F1 is the harmonic mean where both parts are there, and accuracy the mean of the recalls weighted
// by support.
func TestConfusionInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 6).Draw(t, "classes")
		c := NewConfusion(make([]string, n))
		for i := range n {
			for j := range n {
				c.Counts[i][j] = rapid.IntRange(0, 5).Draw(t, "count")
			}
		}
		sum := 0.0
		for i := range n {
			s := c.Score(i)
			if s.Recall != nil {
				sum += *s.Recall * float64(s.Support)
			}
			if s.Precision != nil && s.Recall != nil {
				if p, r := *s.Precision, *s.Recall; p+r > 0 && math.Abs(*s.F1-2*p*r/(p+r)) > 1e-12 {
					t.Fatalf("F1 %v of %v and %v", *s.F1, p, r)
				}
			}
		}
		if a, ok := c.Accuracy(); ok && math.Abs(a-sum/float64(c.Total())) > 1e-12 {
			t.Fatalf("accuracy %v, mean recall %v", a, sum/float64(c.Total()))
		}
	})
}

func TestRankOf(t *testing.T) {
	logits := []float32{2, 5, 2, -1}
	for label, want := range []int{2, 1, 3, 4} {
		if got := RankOf(logits, label); got != want {
			t.Errorf("category %d has rank %d, want %d", label, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		logits := rapid.SliceOfN(rapid.Float32Range(-2, 2), 1, 20).Draw(t, "logits")
		var ranks []int
		for i := range logits {
			ranks = append(ranks, RankOf(logits, i))
		}
		first := slices.Index(ranks, 1)
		if logits[first] != slices.Max(logits) || first != slices.Index(logits, slices.Max(logits)) {
			t.Fatal("rank 1 is not the first of the highest")
		}
		slices.Sort(ranks)
		for i, r := range ranks {
			if r != i+1 {
				t.Fatalf("ranks %v", ranks)
			}
		}
	})
}
