package bench

import (
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/mat"

	"annbench/bench/dataset"
	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/indexes/vec"
)

const (
	// lidK is how many neighbours LID is estimated from: Amsaleg et al. advise 100.
	lidK = 100
	// hubK is how many neighbours hubness counts: Radovanović et al. use 10.
	hubK = 10
	// contrastSample is how many base vectors the mean distance to the base is taken over.
	contrastSample = 1000
	// eigenRows bounds the rows of which the covariance is taken, and eigenWork the multiplications
	// that it takes: a few seconds.
	eigenRows = 20_000
	eigenWork = 3e10
)

// isDistance reports whether [vec.Metric.Distance] obeys the triangle inequality: L2, and the chord that
// stands for cosine; not the inner product.
func isDistance(m vec.Metric) bool { return m != vec.InnerProduct }

// queryLIDs gives the LID of every query by the exact neighbours, up to [lidK] of them; 0 where it has
// none. It is nil under the inner product.
func queryLIDs(set *dataset.Set, truth *dataset.Truth) []float64 {
	if !isDistance(truth.Metric) {
		return nil
	}
	out := make([]float64, set.Queries.Rows)
	for q := range out {
		if lid, ok := metric.LID(truth.Distances(q)[:min(lidK, truth.K)]); ok {
			out[q] = lid
		}
	}
	return out
}

// Describe says how hard a set is to search under the metric of its truth.
func Describe(set *dataset.Set, truth *dataset.Truth) record.Difficulty {
	d := record.Difficulty{Metric: string(truth.Metric), Neighbors: min(lidK, truth.K)}
	lids := slices.DeleteFunc(slices.Clone(queryLIDs(set, truth)), func(l float64) bool { return l == 0 })
	if len(lids) > 0 {
		d.LID = metric.MeanLID(lids)
		slices.Sort(lids)
		d.LIDDeciles = deciles(lids)
	}
	if contrasts := contrasts(set, truth); len(contrasts) > 0 {
		d.Contrast = metric.Average(contrasts)
		slices.Sort(contrasts)
		d.ContrastDeciles = deciles(contrasts)
	}
	hubs(set, truth, &d)
	spectrum(set, &d)
	return d
}

// deciles are the ends and the nine quantiles between, of ascending values.
func deciles(sorted []float64) []float64 {
	out := make([]float64, 11)
	out[0] = sorted[0]
	for i := 1; i < 11; i++ {
		out[i] = metric.Percentile(sorted, float64(i)/10)
	}
	return out
}

func contrasts(set *dataset.Set, truth *dataset.Truth) []float64 {
	if !isDistance(truth.Metric) {
		return nil
	}
	// Rows at equal distances could all be of one category where the base is sorted by it.
	rows := rand.New(rand.NewPCG(1, 0x636f6e7472617374)).Perm(set.Base.Rows)
	rows = rows[:min(contrastSample, len(rows))]
	k := min(hubK, truth.K)
	var out []float64
	for q := 0; q < set.Queries.Rows; q += max(1, set.Queries.Rows/contrastSample) {
		mean := 0.0
		for _, row := range rows {
			mean += truth.Metric.Distance(set.Queries.Row(q), set.Base.Row(row)) / float64(len(rows))
		}
		if c, ok := metric.RelativeContrast(mean, truth.Distances(q)[k-1]); ok {
			out = append(out, c)
		}
	}
	return out
}

func hubs(set *dataset.Set, truth *dataset.Truth, d *record.Difficulty) {
	counts := make([]int32, set.Base.Rows)
	k := min(hubK, truth.K)
	bad, judged := 0, 0
	for q := range set.Queries.Rows {
		for _, id := range truth.IDs(q)[:k] {
			counts[id]++
			if a, b := set.QueryLabels[q], set.BaseLabels[id]; a >= 0 && b >= 0 {
				judged++
				if a != b {
					bad++
				}
			}
		}
	}
	d.HubnessK = k
	d.Hubness = metric.Skewness(counts)
	for _, c := range counts {
		if c == 0 {
			d.Orphans += 1 / float64(len(counts))
		}
		d.LargestHub = max(d.LargestHub, int(c))
	}
	if judged > 0 {
		share := float64(bad) / float64(judged)
		d.BadHubness = &share
	}
}

// spectrum fills in how the variance is shared by the principal axes, and how far the queries are from
// the base: the Mahalanobis distance (of the axes that hold 99 % of the variance) of the queries from
// the mean of one part of the base, over that of another part of the base. Were the queries drawn from
// where the base was, it would be 1, up to chance; how far chance goes is the spread of as many
// vectors of the base, drawn again and again.
func spectrum(set *dataset.Set, d *record.Difficulty) {
	dim := set.Base.Dim
	if set.Base.Rows < 4 || float64(dim)*float64(dim)*float64(dim) > 4*eigenWork {
		return
	}
	perm := rand.New(rand.NewPCG(1, 0x737065637472756d)).Perm(set.Base.Rows)
	n := min(len(perm)/2, eigenRows, max(2*dim, int(eigenWork/float64(dim)/float64(dim))))
	fit, null := perm[:n], perm[n:min(len(perm), n+4*eigenRows)]
	mean := make([]float64, dim)
	for _, row := range fit {
		for j, x := range set.Base.Row(row) {
			mean[j] += float64(x) / float64(n)
		}
	}
	centred := mat.NewDense(n, dim, nil)
	for i, row := range fit {
		for j, x := range set.Base.Row(row) {
			centred.Set(i, j, float64(x)-mean[j])
		}
	}
	var cov mat.SymDense
	cov.SymOuterK(1/float64(n), centred.T())
	var eigen mat.EigenSym
	if !eigen.Factorize(&cov, true) {
		return
	}
	values := eigen.Values(nil) // ascending
	slices.Reverse(values)
	total := 0.0
	for i, v := range values {
		values[i] = max(v, 0)
		total += values[i]
	}
	if total == 0 {
		return
	}
	sum, kept := 0.0, 0
	shares := []struct {
		share float64
		to    *int
	}{{0.5, &d.Dims50}, {0.9, &d.Dims90}, {0.99, &d.Dims99}}
	for i, v := range values {
		sum += v
		for _, s := range shares {
			if *s.to == 0 && sum >= s.share*total*(1-1e-12) {
				*s.to = i + 1
			}
		}
		d.VarianceShares = append(d.VarianceShares, sum/total)
	}
	d.VarianceShares = thin(d.VarianceShares)
	kept = max(1, d.Dims99)
	var axes mat.Dense
	eigen.VectorsTo(&axes)
	distance := func(v []float32) float64 {
		sum := 0.0
		for i := range kept {
			if values[i] <= 0 {
				continue
			}
			dot := 0.0
			for j, x := range v {
				dot += axes.At(j, dim-1-i) * (float64(x) - mean[j])
			}
			sum += dot * dot / values[i]
		}
		return math.Sqrt(sum)
	}
	// 2,000 of each are enough for a mean to a few per mille.
	const most = 2000
	var queries, others []float64
	for q := 0; q < set.Queries.Rows; q += max(1, set.Queries.Rows/most) {
		queries = append(queries, distance(set.Queries.Row(q)))
	}
	for _, row := range null[:min(most, len(null))] {
		others = append(others, distance(set.Base.Row(row)))
	}
	base := metric.Average(others)
	if base == 0 {
		return
	}
	d.Shift = metric.Average(queries) / base
	// The null: as many of the others as there are queries, drawn with replacement.
	rng := rand.New(rand.NewPCG(1, 0x6e756c6c))
	draws := make([]float64, 1000)
	for i := range draws {
		for range queries {
			draws[i] += others[rng.IntN(len(others))] / float64(len(queries)) / base
		}
	}
	slices.Sort(draws)
	d.ShiftNull = []float64{metric.Percentile(draws, 0.025), metric.Percentile(draws, 0.975)}
}

// thin keeps about a hundred of the shares, the first and the last among them.
func thin(shares []float64) []float64 {
	step := max(1, len(shares)/100)
	if step == 1 {
		return shares
	}
	var out []float64
	for i := step - 1; i < len(shares); i += step {
		out = append(out, shares[i])
	}
	return append(out, shares[len(shares)-1])
}
