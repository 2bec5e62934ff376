package metric

import (
	"math"
	"math/rand/v2"
	"testing"
)

// noisy makes an experiment of reps repetitions and rounds rounds: what falls on a moment falls on both
// settings of a round, what falls on a block, sometimes heavily, on one. Queries are the same in all
// repetitions, builds are not. b is factor times as slow as a.
func noisy(rng *rand.Rand, reps, rounds int, build, factor float64) (a, b []Observation) {
	query := make([]float64, rounds)
	for r := range query {
		query[r] = 0.05 * rng.NormFloat64()
	}
	own := func(at float64) float64 {
		x := at + 0.06*rng.NormFloat64()
		if rng.Float64() < 0.05 { // another program
			x += rng.ExpFloat64()
		}
		return math.Exp(x)
	}
	for range reps {
		var x, y Observation
		ax, by := build*rng.NormFloat64(), build*rng.NormFloat64()
		for r := range rounds {
			moment := 0.3 * rng.NormFloat64()
			x.At, y.At = append(x.At, r), append(y.At, r)
			x.Rounds = append(x.Rounds, own(moment+query[r]+ax))
			y.Rounds = append(y.Rounds, own(moment+query[r]+by)*factor)
		}
		x.Value, y.Value = Median(x.Rounds), Median(y.Rounds)
		x.Spread, y.Spread = StandardError(x.Rounds), StandardError(y.Rounds)
		a, b = append(a, x), append(b, y)
	}
	return a, b
}

// TestRoundsHold: intervals by rounds hold the true factor as often as they claim, and equal settings tie
// as often, whatever the number of repetitions, although a moment shifts a round by 30 %.
func TestRoundsHold(t *testing.T) {
	const trials = 2000
	for _, c := range []struct {
		reps, rounds int
		build        float64
	}{{1, 20, 0}, {3, 20, 0}, {3, 10, 0.03}, {6, 20, 0.02}, {1, 60, 0}} {
		rng := rand.New(rand.NewPCG(1, uint64(c.reps*100+c.rounds)))
		for _, factor := range []float64{1, 1.4} {
			held, tied := 0, 0
			for range trials {
				a, b := noisy(rng, c.reps, c.rounds, c.build, factor)
				d := Compare(b, a, Logarithmic, true)
				if d.OK && d.Lo <= factor && factor <= d.Hi {
					held++
				}
				if d.Tied {
					tied++
				}
			}
			share := float64(held) / trials
			t.Logf("%+v, true factor %v: held in %.3f, tied in %.3f", c, factor, share, float64(tied)/trials)
			if share < 0.93 {
				t.Errorf("%+v, true factor %v: the interval holds it in %.3f of the cases", c, factor, share)
			}
			if factor == 1 && float64(tied)/trials < 0.92 {
				t.Errorf("%+v: equal settings tie in %.3f", c, float64(tied)/trials)
			}
			if factor > 1 && float64(tied)/trials > 0.1 {
				t.Errorf("%+v: a factor of %v is not found in %.3f", c, factor, float64(tied)/trials)
			}
		}
	}
}

// TestRoundsPairByNumber: only rounds of one number are compared.
func TestRoundsPairByNumber(t *testing.T) {
	a := []Observation{{Value: 2, At: []int{1, 2, 3, 7}, Rounds: []float64{2, 20, 200, 5}}}
	b := []Observation{{Value: 1, At: []int{0, 1, 2, 3}, Rounds: []float64{9, 1, 10, 100}}}
	if d := Compare(a, b, Logarithmic, true); !d.OK || math.Abs(d.Lo-2) > 1e-9 || math.Abs(d.Hi-2) > 1e-9 || d.Tied {
		t.Errorf("%+v", d)
	}
	b[0].At = []int{10, 11, 12, 13}
	if d := Compare(a, b, Logarithmic, true); d.OK {
		t.Errorf("nothing in common, yet %+v", d)
	}
}
