package metric

import (
	"math"
)

// Tolerance is by how much, relative to the distance of the k-th exact neighbour, an answer may lie
// farther and still count: far above the rounding of float64, far below any difference that a user
// could see. It is relative because absolute ones mean something else on every data set; the 1e-3
// of ann-benchmarks widens the ball of near-duplicate photographs by 5 %.
const Tolerance = 1e-5

// RecallAt is the share of the k places that hold an answer no farther than the k-th exact
// neighbour:
//
//	recall@k = |{i : d(q, r_i) <= d(q, nn_k) + 1e-5·|d(q, nn_k)|}| / k
//
// with answers = d(q, r_1), d(q, r_2), ... as metric distances in any order, and kth = d(q, nn_k).
// So ties with the k-th neighbour count, whichever of them an index picks; [Score] counts those too that float32
// cannot tell apart. The absolute value makes
// the tolerance one for negative distances too, which inner products give.
//
// An answer must be there once, and answers that are not of the base must have been taken out; what
// is missing from k is a miss. No more than k answers count. k < 1 panics.
func RecallAt(answers []float64, kth float64, k int) float64 {
	mustAsk(k)
	limit := kth + math.Abs(kth)*Tolerance
	hits := 0
	for _, d := range answers {
		if d <= limit {
			hits++
		}
	}
	return float64(min(hits, k)) / float64(k)
}

// RecallIDAt is the share of the first k exact neighbours that are, by id, among the first k
// answers:
//
//	recall-id@k = |{r_1..r_k} ∩ {nn_1..nn_k}| / k
//
// An id counts once however often it is answered. Of several vectors at the distance of nn_k only
// those that the exact search happened to keep count, which is why [RecallAt] is the one to judge
// by. k < 1 panics.
func RecallIDAt(answers, truth []int32, k int) float64 {
	mustAsk(k)
	wanted := make(map[int32]bool, k)
	for _, id := range truth[:min(k, len(truth))] {
		wanted[id] = true
	}
	hits := 0
	for _, id := range answers[:min(k, len(answers))] {
		if wanted[id] {
			hits++
			delete(wanted, id)
		}
	}
	return float64(hits) / float64(k)
}

// Robustness is the share of queries whose recall reaches delta: robustness-δ@k of
// arXiv 2507.00379. No recalls panic.
//
//	robustness-δ@k = |{q : recall@k(q) >= δ}| / |Q|
func Robustness(recall []float64, delta float64) float64 {
	mustHave(recall)
	n := 0
	for _, r := range recall {
		if r >= delta-1e-12 { // a recall is a quotient: 0.8 may come out a rounding lower
			n++
		}
	}
	return float64(n) / float64(len(recall))
}

// DistanceRatio is how much farther the answers lie than the exact neighbours, rank by rank:
//
//	ratio@k = (1/k) Σ_{i<=k} d(q, r_i) / d(q, nn_i)
//
// with k = len(truth), and both in ascending order. 0/0 is 1: an exact copy of the query was there
// and was found. The overall ratio of the literature on locality-sensitive hashing (Gionis, Indyk,
// Motwani, VLDB 1999).
//
// ok is false, and the query has no ratio, where truth is empty, where there are fewer answers than
// truth (a miss has no distance), where an exact neighbour is at distance 0 and the answer is not
// (the ratio has no bound), and where a distance is negative: under the inner product, a ratio
// means nothing. Answers beyond len(truth) are left aside.
func DistanceRatio(answers, truth []float64) (ratio float64, ok bool) {
	if len(truth) == 0 || len(answers) < len(truth) {
		return 0, false
	}
	var sum float64
	for i, t := range truth {
		a := answers[i]
		switch {
		case a < 0 || t < 0:
			return 0, false
		case a == 0 && t == 0:
			sum++
		case t == 0:
			return 0, false
		default:
			sum += a / t
		}
	}
	ratio = sum / float64(len(truth))
	// A denormal distance under an ordinary one is as good as 0.
	if math.IsInf(ratio, 0) {
		return 0, false
	}
	return ratio, true
}

// AP is the average precision of one list of answers, by the three denominators that are in use.
type AP struct {
	MinKR float64 // min(k, R): 1 is the best that k answers can do
	List  float64 // the relevant answers in the list: says nothing of what the list misses
	R     float64 // all relevant items of the base: at most k/R where R > k
}

// AveragePrecision is the mean of the precision at the places of the relevant answers:
//
//	AP@k = (Σ_{i<=k} P@i · rel_i) / D,   P@i = (1/i) Σ_{j<=i} rel_j
//
// relevant[i-1] is rel_i, for the answers in the order in which they are shown, R = total is how
// many relevant items the base has, and D is one of the three denominators of [AP]. D = min(k, R)
// is the one that annbench means by mAP.
//
// With no relevant answer every AP is 0. With total = 0 nothing could have been found, and no
// denominator is right: all three are 0, and such a query is to be left out of a mean. A total
// that is smaller than the number of relevant answers, or k < 1, panics.
func AveragePrecision(relevant []bool, k, total int) AP {
	mustAsk(k)
	hits, sum := 0, 0.0
	for i, rel := range relevant[:min(k, len(relevant))] {
		if rel {
			hits++
			sum += float64(hits) / float64(i+1)
		}
	}
	if hits > total {
		panic("metric: more relevant answers than relevant items")
	}
	if hits == 0 {
		return AP{}
	}
	return AP{
		MinKR: sum / float64(min(k, total)),
		List:  sum / float64(hits),
		R:     sum / float64(total),
	}
}

func mustAsk(k int) {
	if k < 1 {
		panic("metric: k < 1")
	}
}
