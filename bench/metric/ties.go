package metric

import (
	"fmt"
	"math"

	"annbench/indexes/vec"
)

// Indexes compute in float32, so distances that differ by less than its rounding come out in any order, and
// none of these orders is wrong. An index is judged by what float32 can tell apart: see [ScoreInput.ties].
const (
	// rounding is four times the rounding of a float32, of the size of what is summed: an inner product of
	// two vectors that were scaled to length 1, in float32 too, has been seen to be off by two of them.
	rounding = 4.0 / (1 << 24)
	// smallest is the smallest float32 of full precision: squares below it lose their digits or are 0.
	smallest = 0x1p-126
)

// ties reports whether base vector id, at distance d from query q, is no farther than exact as far as float32
// can tell: by no more than [Tolerance] of exact, or by a rounding of what an index sums up. That is the
// cosine, or the product of the vectors. Squared differences of L2 are off by a share of themselves, which
// Tolerance holds, unless they are below what float32 can hold.
func (in *ScoreInput) ties(q int, id int32, d, exact float64) bool {
	if d <= exact+math.Abs(exact)*Tolerance {
		return true
	}
	switch in.Metric {
	case vec.L2:
		return d*d-exact*exact <= float64(in.Base.Dim)*smallest
	case vec.Cosine:
		return d*d-exact*exact <= 2*rounding // the squared chord is 2 - 2 cos
	}
	return d-exact <= rounding*math.Sqrt(squaredNorm(in.Queries.Row(q))*squaredNorm(in.Base.Row(int(id))))
}

// hits counts the answers ids, at distances, that are no farther from q than exact; see [RecallAt].
func (in *ScoreInput) hits(q int, ids []int32, distances []float64, exact float64) (n int) {
	for i, id := range ids {
		if in.ties(q, id, distances[i], exact) {
			n++
		}
	}
	return n
}

// creditTies gives an answer that ties with the exact neighbour of its rank, from both sides, the relevance
// of that neighbour, rel[i] of answer i of ids at distances: of vectors that are equally far, an index may
// show any. places[i] is the rank of answer i. No more than total become relevant, as where many
// tie, one neighbour may stand for two answers.
func (in *ScoreInput) creditTies(q int, rel []bool, places []int, ids []int32, distances []float64, total int) {
	for i, id := range ids {
		exact := in.TruthDistances[q][places[i]]
		neighbor := in.TruthIDs[q][places[i]]
		if in.ties(q, id, distances[i], exact) && in.ties(q, neighbor, exact, distances[i]) {
			rel[places[i]] = in.isRelevant(q, neighbor)
		}
	}
	hits := 0
	for i := range rel {
		if rel[i] = rel[i] && hits < total; rel[i] {
			hits++
		}
	}
}

// CheckExact is an error if s, the scores of an exact family, have a mAP that is not that of exact search
// although every answer is as near as an exact neighbour: then the family has another order, or the labels
// or rows that it was judged by are not those of the exact neighbours. That answers are not as near is a
// doubt which travels with the results.
func (s *Scores) CheckExact() error {
	got, ok := s.Values[MAP]
	want := s.Values[MAPExact]
	if !ok || s.Values[Robust100] < 1 || math.Abs(got-want) <= 1e-12 {
		return nil
	}
	return fmt.Errorf("exact search has mAP %.6f here, and the exact neighbours have %.6f, although all distances are the same: the answers have another order, or other labels", got, want)
}
