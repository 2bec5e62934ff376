package judge

import (
	"math"

	"gonum.org/v1/gonum/stat"

	"annbench/bench/metric"
)

// priors are what the settings under the same terms know together of the scatter over repetitions of a difference
// of speeds: by all rounds, and by half of them ([Value.half]).
type priors struct{ whole, half metric.Prior }

// setPriors learns from settings that stand next to each other in r.Rows. With three repetitions alone, a factor
// of 1.4 was found on a busy machine in 78 to 98 % of the comparisons, by setting; see [metric.PriorOf].
func (r *Report) setPriors() {
	for _, t := range r.Terms {
		var rows []*Row
		for _, row := range r.Rows {
			if TermsOf(row.Cell) == t {
				rows = append(rows, row)
			}
		}
		whole, half := scatters{}, scatters{}
		for i := 1; i < len(rows); i++ {
			v, ok1 := rows[i-1].Value(Speed)
			w, ok2 := rows[i].Value(Speed)
			if !ok1 || !ok2 {
				continue
			}
			for _, one := range []struct {
				to   scatters
				v, w Value
			}{{whole, v, w}, {half, v.half(1), w.half(1)}} {
				if p, q, ok := one.v.paired(one.w); ok && len(p) >= Enough {
					if d, ok := metric.RoundDifferences(p, q, v.Scale); ok {
						one.to[len(d)] = append(one.to[len(d)], stat.Variance(d, nil))
					}
				}
			}
		}
		known := priors{whole.prior(), half.prior()}
		for _, row := range rows {
			row.known = known
			delete(row.values, Speed)
		}
	}
}

// scatters are variances over repetitions, by how many repetitions there were.
type scatters map[int][]float64

// prior is that of the number of repetitions which most have, of equal ones the larger.
func (s scatters) prior() metric.Prior {
	n := 0
	for reps, list := range s {
		if len(list) > len(s[n]) || len(list) == len(s[n]) && reps > n {
			n = reps
		}
	}
	return metric.PriorOf(s[n], float64(n-1))
}

// scatterOf is what all settings of some reports know together of the scatter over repetitions of the quantity
// called name, which differs by factors.
func scatterOf(name string, reports ...*Report) metric.Prior {
	s := scatters{}
	for _, r := range reports {
		for _, row := range r.Rows {
			v, ok := row.Value(name)
			if !ok || v.Scale != metric.Logarithmic || v.N < 2 {
				continue
			}
			var logs []float64
			for _, o := range v.observed {
				if o.Value > 0 {
					logs = append(logs, math.Log(o.Value))
				}
			}
			if len(logs) == v.N {
				s[v.N] = append(s[v.N], stat.Variance(logs, nil))
			}
		}
	}
	return s.prior()
}
