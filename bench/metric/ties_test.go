package metric

import (
	"math"
	"strings"
	"testing"

	"annbench/indexes/vec"
)

// square is a base of two dimensions and a query along the first.
func square(metric vec.Metric, k int, rows ...[2]float32) ScoreInput {
	in := ScoreInput{Metric: metric, K: k, Base: vec.NewMatrix(len(rows), 2), Queries: vec.NewMatrix(1, 2), Labels: []string{"a", "b"}, QueryLabels: []int32{0}}
	for i, row := range rows {
		copy(in.Base.Row(i), row[:])
		in.BaseLabels = append(in.BaseLabels, int32(i%2))
	}
	in.Queries.Row(0)[0] = 1
	in.truth()
	return in
}

// TestTies: under cosine, of angles of 1e-4 and 2e-4 float32 sees the same cosine, 1. An index that shows one
// for the other has missed nothing, and loses no mAP; an angle of 0.01 is another matter.
func TestTies(t *testing.T) {
	in := square(vec.Cosine, 1, [2]float32{1, 1e-4}, [2]float32{1, 2e-4}, [2]float32{1, 0.01})
	for _, c := range []struct {
		answer            int32
		recall, mAP, loss float64
	}{{0, 1, 1, 0}, {1, 1, 1, 0}, {2, 0, 1, 0}} {
		in.Answers = [][]int32{{c.answer}}
		values, _, _ := score(t, in)
		if values[Recall] != c.recall || values[MAP] != c.mAP || values[MAPDelta] != c.loss || values[MAPExact] != 1 {
			t.Errorf("answer %d: recall %v, mAP %v, ΔmAP %v; want %v, %v, %v", c.answer, values[Recall], values[MAP], values[MAPDelta], c.recall, c.mAP, c.loss)
		}
	}
	// The same distances under L2 are far from ties.
	in = square(vec.L2, 1, [2]float32{1, 1e-4}, [2]float32{1, 2e-4})
	in.Answers = [][]int32{{1}}
	if values, _, _ := score(t, in); values[Recall] != 0 || values[MAPDelta] != -1 {
		t.Errorf("under L2: recall %v, ΔmAP %v", values[Recall], values[MAPDelta])
	}
	// Squares that float32 rounds to 0 are ties under L2 too.
	in = square(vec.L2, 1, [2]float32{1, 1e-25}, [2]float32{1, 3e-25})
	in.Answers = [][]int32{{1}}
	if values, _, _ := score(t, in); values[Recall] != 1 || values[MAPDelta] != 0 {
		t.Errorf("denormal squares: recall %v, ΔmAP %v", values[Recall], values[MAPDelta])
	}
	// A product is rounded by the size of its factors, not by its own.
	in = square(vec.InnerProduct, 1, [2]float32{1e-9, 1000}, [2]float32{0.5e-9, 1000})
	in.Answers = [][]int32{{1}}
	if values, _, _ := score(t, in); values[Recall] != 1 || values[MAPDelta] != 0 {
		t.Errorf("inner product: recall %v, ΔmAP %v", values[Recall], values[MAPDelta])
	}
}

// TestTiesAreNotCountedTwice: where each answer ties with the next, no more become relevant than there are.
func TestTiesAreNotCountedTwice(t *testing.T) {
	// 60 equal directions, of which rows 0, 2, 4, ... are relevant; those that are not come first.
	var rows [][2]float32
	for i := range 60 {
		rows = append(rows, [2]float32{float32(i + 1), float32(i+1) * float32(i) * 1e-6})
	}
	in := square(vec.Cosine, 40, rows...)
	var answers []int32
	for i := range int32(30) {
		answers = append(answers, 2*i+1)
	}
	for i := range int32(10) {
		answers = append(answers, 2*i)
	}
	in.Answers = [][]int32{answers}
	values, _, _ := score(t, in)
	if values[Recall] != 1 || values[MAP] > 1 || math.Abs(values[MAPDelta]) > 0 {
		t.Errorf("recall %v, mAP %v, ΔmAP %v", values[Recall], values[MAP], values[MAPDelta])
	}
}

func TestCheckExact(t *testing.T) {
	for _, c := range []struct {
		values map[string]float64
		wrong  bool
	}{
		{map[string]float64{Robust100: 1}, false}, // no labels
		{map[string]float64{Robust100: 1, MAP: .5, MAPExact: .5}, false},
		{map[string]float64{Robust100: .9, MAP: .4, MAPExact: .5}, false}, // a warning of its own
		{map[string]float64{Robust100: 1, MAP: .4, MAPExact: .5}, true},
	} {
		err := (&Scores{Values: c.values}).CheckExact()
		if (err != nil) != c.wrong || err != nil && !strings.Contains(err.Error(), "0.400000 here, and the exact neighbours have 0.500000") {
			t.Errorf("%v: %v", c.values, err)
		}
	}
	in := line()
	in.ask(4.1, 0, 5, 4, 3) // the right ones in another order
	s, err := Score(in)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.CheckExact(); err == nil {
		t.Error("another order passes")
	}
}
