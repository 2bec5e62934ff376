package metric

import (
	"math"
	"slices"
	"strings"
	"testing"

	"annbench/indexes/vec"
)

// Six vectors on a line at 0, 1, 2, 3, 4, 5, of which the odd ones pass, and a query at 0: its neighbours are 1, 3, 5 at
// distances 1, 3, 5.
func among() AmongInput {
	base := vec.Matrix{Data: []float32{0, 1, 2, 3, 4, 5}, Rows: 6, Dim: 1}
	odd := vec.NewSet(6)
	for _, id := range []int32{1, 3, 5} {
		odd.Add(id)
	}
	return AmongInput{
		Metric: vec.L2, K: 2, Base: base, Queries: vec.Matrix{Data: []float32{0}, Rows: 1, Dim: 1},
		Answers: [][]int32{{1, 5}},
		Among:   func(int) *vec.Set { return odd }, Counts: []int32{3},
		Truth:  func(int) ([]int32, []float64) { return []int32{1, 3, 5}, []float64{1, 3, 5} },
		Labels: []string{"a", "b"}, BaseLabels: []int32{0, 0, 0, 1, 0, 0}, QueryLabels: []int32{0},
		Forbidden: "does not pass",
	}
}

func TestScoreAmong(t *testing.T) {
	s, err := ScoreAmong(among())
	if err != nil {
		t.Fatal(err)
	}
	// Of the two nearest, 1 was found. 1 and 5 are relevant, of 2 that pass and have the label: AP is 1. Exact search
	// gives 1 and 3: AP 1/2.
	for name, want := range map[string]float64{
		Recall: 0.5, RecallID: 0.5, AnswerCount: 2, Selectivity: 0.5, Unfilled: 0,
		MAP: 1, MAPExact: 0.5, MAPDelta: 0.5, DistRatio: (1.0/1 + 5.0/3) / 2,
	} {
		if got := s.Values[name]; math.Abs(got-want) > 1e-12 {
			t.Errorf("%s is %v, not %v", name, got, want)
		}
	}

	// Where fewer pass than are asked for, k is what there is.
	in := among()
	in.K, in.Answers = 10, [][]int32{{1, 3, 5}}
	if s, err = ScoreAmong(in); err != nil || s.Values[Recall] != 1 || s.Values[Unfilled] != 1 || len(s.Warnings) != 1 {
		t.Errorf("three of ten: %+v, %v", s, err)
	}

	// A query for which nothing passes is left out.
	in = among()
	in.Queries = vec.Matrix{Data: []float32{0, 0}, Rows: 2, Dim: 1}
	in.Answers, in.Counts, in.QueryLabels = [][]int32{{1, 3}, nil}, []int32{3, 0}, []int32{0, 0}
	if s, err = ScoreAmong(in); err != nil || s.Values[Recall] != 1 || !slices.ContainsFunc(s.Warnings, func(w string) bool { return strings.Contains(w, "nothing may be answered to 1 of 2") }) {
		t.Errorf("one of two: %+v, %v", s, err)
	}
	in.Counts = []int32{0, 0}
	if _, err := ScoreAmong(in); err == nil {
		t.Error("nothing passes at all: no error")
	}

	in = among()
	in.Answers = [][]int32{{1, 2}}
	if _, err := ScoreAmong(in); err == nil || !strings.Contains(err.Error(), "vector 2, which does not pass") {
		t.Errorf("an answer that does not pass: %v", err)
	}
	in = among()
	in.Answers = [][]int32{{1, 1, 3}}
	if s, err := ScoreAmong(in); err != nil || s.Values[Recall] != 0.5 || len(s.Warnings) != 2 { // the third is beyond k
		t.Errorf("an answer twice: %+v, %v", s, err)
	}
	in = among()
	in.Truth = func(int) ([]int32, []float64) { return []int32{3, 5, 1}, []float64{3, 5, 7} }
	if _, err := ScoreAmong(in); err == nil {
		t.Error("an answer nearer than the truth: no error")
	}
}
