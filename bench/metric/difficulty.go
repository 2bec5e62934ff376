package metric

import (
	"math"
	"slices"
)

// LID is the local intrinsic dimensionality at a query, by maximum likelihood from the distances of its
// nearest neighbours r_1 <= ... <= r_k: -[(1/k) Σ ln(r_i / r_k)]^-1 (Amsaleg et al., "Estimating local
// intrinsic dimensionality", KDD 2015). Distances must be those of a metric: the chord, not 1 - cos,
// which would halve it. Neighbours at distance 0 are copies of the query and are left out. ok is false
// where fewer than two distances differ.
func LID(distances []float64) (lid float64, ok bool) {
	if len(distances) == 0 {
		return 0, false
	}
	far := distances[len(distances)-1]
	sum, n := 0.0, 0
	for _, d := range distances {
		if d > 0 {
			sum += math.Log(d / far)
			n++
		}
	}
	if n == 0 || sum == 0 {
		return 0, false
	}
	return -float64(n) / sum, true
}

// MeanLID is the LID of several queries together: the inverse of the mean inverse, which is the maximum
// likelihood over all of their distances (MacKay and Ghahramani, "Comments on 'Maximum likelihood
// estimation of intrinsic dimension' by E. Levina and P. Bickel", 2005). 0 without any.
func MeanLID(lids []float64) float64 {
	sum := 0.0
	for _, l := range lids {
		sum += 1 / l
	}
	if sum == 0 {
		return 0
	}
	return float64(len(lids)) / sum
}

// RelativeContrast is the mean distance from a query to the base over the distance to its k-th neighbour:
// 1 where everything is equally far (He, Kumar and Chang, "On the difficulty of nearest neighbor
// search", ICML 2012). ok is false where that neighbour is at distance 0.
func RelativeContrast(mean, kth float64) (contrast float64, ok bool) {
	if kth <= 0 {
		return 0, false
	}
	return mean / kth, true
}

// Skewness is the third standardised moment, E[(x-µ)³] / σ³: of the numbers of queries that have each
// base vector among their neighbours it is the hubness (Radovanović, Nanopoulos and Ivanović, "Hubs in
// space", JMLR 2010). 0 where all are equal.
func Skewness(counts []int32) float64 {
	mean := 0.0
	for _, c := range counts {
		mean += float64(c) / float64(len(counts))
	}
	var second, third float64
	for _, c := range counts {
		d := float64(c) - mean
		second += d * d / float64(len(counts))
		third += d * d * d / float64(len(counts))
	}
	if second == 0 {
		return 0
	}
	return third / math.Pow(second, 1.5)
}

// Deciles divides queries into ten parts of equal size by difficulty, easiest first, and gives the mean
// of values over each; equal difficulty goes by query number. It is nil for fewer than ten queries.
func Deciles(difficulty, values []float64) []float64 {
	n := len(difficulty)
	if n < 10 {
		return nil
	}
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case difficulty[a] < difficulty[b]:
			return -1
		case difficulty[a] > difficulty[b]:
			return 1
		}
		return 0
	})
	out := make([]float64, 10)
	for d := range out {
		from, to := d*n/10, (d+1)*n/10
		for _, q := range order[from:to] {
			out[d] += values[q]
		}
		out[d] /= float64(to - from) // last, so that the mean of ones is 1
	}
	return out
}
