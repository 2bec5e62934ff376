package judge

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"annbench/bench/metric"
	"annbench/bench/record"
)

// madeRun makes the rows of a run on a busy machine: what a repetition does to all settings (moment), what is a
// setting's own (its process, and the blocks, of which one in twenty meets another program), and what the queries of a
// round do to every setting and every run alike. The sizes are about those of docs/results/records/busy.
func madeRun(rng *rand.Rand, settings, reps int, query []float64, moment func(rep int) float64) *Report {
	r := &Report{}
	var moments []float64
	for rep := range reps {
		moments = append(moments, moment(rep))
	}
	for i := range settings {
		row := &Row{Cell: record.Cell{Family: "graph", Search: fmt.Sprint("ef=", i)}, values: map[string]Value{}, clock: Processor}
		for rep := range reps {
			rec := &record.Record{Cell: row.Cell, Rep: rep, Status: record.OK, Values: map[string]float64{metric.Recall: 1}, Rounds: &record.Rounds{}}
			process := .05 * rng.NormFloat64()
			for at := range query {
				x := moments[rep] + process + query[at] + .15*rng.NormFloat64()
				if rng.Float64() < .05 {
					x += rng.ExpFloat64()
				}
				rec.Rounds.At = append(rec.Rounds.At, at)
				rec.Rounds.CPU = append(rec.Rounds.CPU, 1e-4*float64(1+i)*math.Exp(x))
			}
			rec.Values[metric.CPU] = metric.Median(rec.Rounds.CPU)
			rec.Spread = map[string]float64{metric.CPU: metric.StandardError(rec.Rounds.CPU)}
			row.Reps = append(row.Reps, rec)
		}
		r.Rows = append(r.Rows, row)
	}
	return r
}

// TestEqualRunsTie: of two runs of the same settings that differ in nothing but noise, [Compare] ties as many rows as an
// interval of 95 % should, also where the moments drift, have heavy tails, or are those of a quiet and a busy machine. Of
// the ways in which this went wrong, the test shows both: taking the chance of the blocks for that of the queries
// (too many ties), and taking what one repetition did to all settings for as many measurements (too few).
func TestEqualRunsTie(t *testing.T) {
	const trials, settings, reps, rounds = 100, 10, 3, 20
	for _, c := range []struct {
		name    string
		moments func(rng *rand.Rand) func(run, rep int) float64
	}{
		{"as large as the settings' own", func(rng *rand.Rand) func(int, int) float64 {
			return func(int, int) float64 { return .085 * rng.NormFloat64() }
		}},
		{"none", func(*rand.Rand) func(int, int) float64 { return func(int, int) float64 { return 0 } }},
		{"drifting", func(rng *rand.Rand) func(int, int) float64 {
			at := .085 * rng.NormFloat64()
			return func(int, int) float64 {
				at = .5*at + math.Sqrt(.75)*.085*rng.NormFloat64()
				return at
			}
		}},
		{"of heavy tails", func(rng *rand.Rand) func(int, int) float64 {
			return func(int, int) float64 {
				return .05 * rng.NormFloat64() / math.Sqrt((math.Pow(rng.NormFloat64(), 2)+math.Pow(rng.NormFloat64(), 2)+math.Pow(rng.NormFloat64(), 2))/3)
			}
		}},
		{"of a busy machine and a quiet one", func(rng *rand.Rand) func(int, int) float64 {
			return func(run, _ int) float64 { return []float64{.15, .02}[run] * rng.NormFloat64() }
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(19, 5))
			tied, twice, pooled, found := 0., 0., 0., 0.
			for range trials {
				query := make([]float64, rounds)
				for r := range query {
					query[r] = .08 * rng.NormFloat64()
				}
				moment := c.moments(rng)
				a := madeRun(rng, settings, reps, query, func(rep int) float64 { return moment(0, rep) })
				b := madeRun(rng, settings, reps, query, func(rep int) float64 { return moment(1, rep) })
				for _, cell := range Compare(a, b, DefaultMargin).Cells {
					d := cell.Changes[0].Difference
					if cell.Changes[0].Name != metric.CPU || !d.OK {
						t.Fatalf("%+v", cell.Changes)
					}
					if d.Tied {
						tied++
					}
					if d.Lo*1.4 > 1 {
						found++
					}
				}
				known, moments := scatterOf(metric.CPU, a, b)
				for i, row := range a.Rows {
					v, _ := row.Value(metric.CPU)
					w, _ := b.Rows[i].Value(metric.CPU)
					x, y := plain(v.observed), plain(w.observed)
					if metric.CompareWith(y, x, metric.Logarithmic, false, known).Tied {
						pooled++
					}
					x, y = moments[0].of(row.Cell, v.observed), moments[1].of(row.Cell, w.observed)
					for _, side := range [][]metric.Observation{x, y} {
						for j := range side {
							side[j].At, side[j].Rounds = nil, nil
						}
					}
					if metric.CompareWith(y, x, metric.Logarithmic, false, known).Tied {
						twice++
					}
				}
			}
			const n = trials * settings
			t.Logf("tied %.3f, a factor of 1.4 found in %.3f; with the blocks' chance twice %.3f tied; without the moments %.3f", tied/n, found/n, twice/n, pooled/n)
			if tied/n < .93 || tied/n > .995 {
				t.Errorf("equal settings tie in %.3f", tied/n)
			}
			if twice/n < .99 {
				t.Errorf("counting the blocks' chance twice ties %.3f only", twice/n)
			}
			if c.name != "none" && pooled/n > .9 {
				t.Errorf("the simulation shows nothing: without the moments %.3f tie", pooled/n)
			}
		})
	}
}
