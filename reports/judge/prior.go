package judge

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"

	"annbench/bench/metric"
	"annbench/bench/record"
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

// together are settings that are measured in the same moments: those of a repetition under the same terms, whatever k.
func together(c record.Cell) Terms {
	t := TermsOf(c)
	t.K = 0
	return t
}

// moments are what each repetition did to all settings that were measured in it, as the logarithm of a factor.
type moments map[Terms]map[int]float64

// of are the observations with their moments.
func (m moments) of(c record.Cell, observed []observation) []metric.Observation {
	out := plain(observed)
	for i, o := range observed {
		out[i].Moment = m[together(c)][o.rep]
	}
	return out
}

// leastTogether are settings enough to say what a repetition did to all of them.
const leastTogether = 4

// scatterOf is what the settings of reports know together of the quantity called name, which differs by factors: of
// each report the moments, and the variance over repetitions of what is then left to each setting. Settings of one
// build have one build time, and count once.
func scatterOf(name string, reports ...*Report) (known metric.Prior, byReport []moments) {
	s := scatters{}
	for _, r := range reports {
		groups := map[Terms][][]observation{}
		seen := map[string]bool{}
		for _, row := range r.Rows {
			v, ok := row.Value(name)
			if !ok || v.Scale != metric.Logarithmic || v.N < 2 {
				continue
			}
			key := fmt.Sprint(row.Cell.Family, " ", row.Cell.Build, " ", together(row.Cell))
			var logs []observation
			for _, o := range v.observed {
				if o.Value > 0 {
					key += fmt.Sprint(" ", o.Value)
					o.Value = math.Log(o.Value)
					logs = append(logs, o)
				}
			}
			if _, once := byRep(logs); len(logs) == v.N && once && !seen[key] {
				seen[key] = true
				groups[together(row.Cell)] = append(groups[together(row.Cell)], logs)
			}
		}
		own := moments{}
		for t, group := range groups {
			most := 0
			for _, logs := range group {
				most = max(most, len(logs))
			}
			group = slices.DeleteFunc(group, func(logs []observation) bool { return len(logs) < most })
			n := float64(len(group))
			sum := map[int]float64{}
			for _, logs := range group {
				mean := metric.Average(values(logs))
				for _, o := range logs {
					sum[o.rep] += (o.Value - mean) / n
				}
			}
			left := 1.0
			if len(group) >= leastTogether && len(sum) == most {
				own[t] = sum
				left = 1 - 1/n // a share of each setting's own is in the moments
			}
			for _, logs := range group {
				rest := values(logs)
				for i, o := range logs {
					rest[i] -= own[t][o.rep]
				}
				s[most] = append(s[most], stat.Variance(rest, nil)/left)
			}
		}
		byReport = append(byReport, own)
	}
	return s.prior(), byReport
}

func values(observed []observation) []float64 {
	out := make([]float64, len(observed))
	for i, o := range observed {
		out[i] = o.Value
	}
	return out
}
