package judge

import (
	"cmp"
	"slices"

	"annbench/bench/record"
)

// AtDepth is a quantity of the first K answers.
type AtDepth struct {
	K     int
	Value Value
}

// mostDepths bounds the depths of [Report.Depths]: of more, those that a logarithmic axis keeps apart stay.
const mostDepths = 60

// Depths gives the quantity called name at the settings of row for the first 1, 2, ... k answers, where the
// records of row hold that; else at the k of the cells that differ from row's in k alone. Depths ascend.
func (r *Report) Depths(row *Row, name string) []AtDepth {
	deepest := 0
	for _, rep := range row.Reps {
		deepest = max(deepest, len(rep.ByK[name]))
	}
	var out []AtDepth
	last := 0.0
	for k := 1; k <= deepest; k++ {
		// Steps of at least 1/mostDepths of the way on a logarithmic axis, beginning with every k.
		if x := float64(k); k > 1 && k < deepest && deepest > mostDepths && x < last*(1+8/float64(mostDepths)) {
			continue
		}
		last = float64(k)
		var observed []observation
		for _, rep := range row.Reps {
			if d := rep.ByK[name]; rep.Status == record.OK && len(d) >= k {
				o := observation{rep: rep.Rep}
				o.Value = d[k-1]
				observed = append(observed, o)
			}
		}
		v := summarize(name, observed)
		v.Lo, v.Hi, v.HasInterval = v.Median, v.Median, false // over builds alone, it would say nothing of queries
		out = append(out, AtDepth{k, v})
	}
	if len(out) > 0 {
		return out
	}
	at := row.Cell
	for _, other := range r.Rows {
		c := other.Cell
		k := c.K
		if c.K = at.K; c != at {
			continue
		}
		if v, ok := other.Value(name); ok {
			out = append(out, AtDepth{k, v})
		}
	}
	slices.SortFunc(out, func(a, b AtDepth) int { return cmp.Compare(a.K, b.K) })
	return out
}
