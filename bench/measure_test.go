package bench

import (
	"math"
	"math/rand/v2"
	"testing"

	"annbench/bench/metric"
)

// timed makes a repetition that asks each query so many times. What falls on one search and not on the next scatters
// by noise, and sometimes is a burst; effects are the queries' own, and what the repetition does is small.
func timed(rng *rand.Rand, effects []float64, passes int, noise, bursts float64) metric.Observation {
	t := newTiming(len(effects))
	shift := .02 * rng.NormFloat64()
	for pass := range passes {
		b := block{wall: 1}
		for _, e := range effects {
			x := e + shift + noise*rng.NormFloat64()
			if rng.Float64() < bursts {
				x += rng.ExpFloat64()
			}
			b.times = append(b.times, math.Exp(x))
		}
		t.add(&b, pass, 0)
	}
	values, spread, rounds := t.values()
	return metric.Observation{Value: values[metric.P99], Spread: spread[metric.P99], Chance: rounds.Chance[metric.P99]}
}

// The interval of a p99 holds that of all queries that could be asked in about 95 % of trials, and not in all: whether
// the queries make it, single searches, or bursts of other programs. Seeds are fixed.
func TestPercentileIntervalsHold(t *testing.T) {
	const trials, queries, passes = 300, 500, 4
	for _, c := range []struct {
		name                 string
		query, noise, bursts float64
		chance               [2]float64 // between what it is on average
	}{
		{"queries", .4, .02, 0, [2]float64{0, .2}},
		{"searches", .02, .3, 0, [2]float64{.9, 1}},
		{"bursts", .1, .1, .05, [2]float64{.8, 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(19, 99))
			draw := func(n int) []float64 {
				effects := make([]float64, n)
				for i := range effects {
					effects[i] = c.query * rng.NormFloat64()
				}
				return effects
			}
			var truth []float64
			for range 20 {
				truth = append(truth, math.Log(timed(rng, draw(20_000), 1, c.noise, c.bursts).Value))
			}
			want := math.Exp(metric.Average(truth))
			held, chance := 0, 0.0
			for range trials {
				effects := draw(queries)
				var reps []metric.Observation
				for range 6 {
					reps = append(reps, timed(rng, effects, passes, c.noise, c.bursts))
					chance += reps[len(reps)-1].Chance / 6 / trials
				}
				if e := metric.EstimateOf(reps, metric.Logarithmic); e.Lo <= want && want <= e.Hi {
					held++
				}
			}
			share := float64(held) / trials
			t.Logf("held in %.3f; chance %.2f", share, chance)
			if share < .92 || share > .985 {
				t.Errorf("the interval holds the truth in %.3f of the trials", share)
			}
			if chance < c.chance[0] || chance > c.chance[1] {
				t.Errorf("chance is %.2f of the error, not %.2f to %.2f", chance, c.chance[0], c.chance[1])
			}
		})
	}
}
