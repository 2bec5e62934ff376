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

// TestRatioHasNoBias: with noise of heavy tails, to one side or both, the ratio is too large as often as too small, and
// right on average; and it is nearer to the truth than the quotient of the two medians.
func TestRatioHasNoBias(t *testing.T) {
	const trials, truth = 1000, 1.4
	for _, c := range []struct {
		name         string
		reps, rounds int
		tail         func(*rand.Rand) float64 // of the logarithm of a block's time
	}{
		{"bursts of other programs", 3, 20, func(*rand.Rand) float64 { return 0 }}, // noisy has them
		{"Cauchy", 3, 20, func(r *rand.Rand) float64 { return max(-3, min(3, .05*math.Tan(math.Pi*(r.Float64()-.5)))) }},
		{"Cauchy, six repetitions", 6, 10, func(r *rand.Rand) float64 { return max(-3, min(3, .05*math.Tan(math.Pi*(r.Float64()-.5)))) }},
		{"Pareto of index 1.2", 3, 20, func(r *rand.Rand) float64 { return min(4, .1*(math.Pow(r.Float64(), -1/1.2)-1)) }},
		{"half of the rounds only", 3, 10, func(r *rand.Rand) float64 { return min(4, .05*(math.Pow(r.Float64(), -1/1.2)-1)) }},
	} {
		rng := rand.New(rand.NewPCG(6, uint64(c.rounds)))
		var errors, quotients []float64
		for range trials {
			a, b := noisy(rng, c.reps, c.rounds, .02, truth)
			var am, bm []float64
			for i := range a {
				moment := math.Exp(.2 * rng.NormFloat64()) // of the repetition
				for r := range a[i].Rounds {
					a[i].Rounds[r] *= moment * math.Exp(c.tail(rng))
					b[i].Rounds[r] *= moment * math.Exp(c.tail(rng))
				}
				a[i].Value, b[i].Value = Median(a[i].Rounds), Median(b[i].Rounds)
				am, bm = append(am, a[i].Value), append(bm, b[i].Value)
			}
			d := Compare(b, a, Logarithmic, true)
			if !d.OK || !d.Paired || d.Difference < d.Lo || d.Difference > d.Hi {
				t.Fatalf("%s: %+v", c.name, d)
			}
			errors = append(errors, math.Log(d.Difference/truth))
			quotients = append(quotients, math.Log(Median(bm)/Median(am)/truth))
		}
		low, square, of := 0., 0., 0.
		for i, e := range errors {
			square, of = square+e*e/trials, of+quotients[i]*quotients[i]/trials
			if e < 0 {
				low += 1. / trials
			}
		}
		bias, chance := Average(errors), StandardError(errors)
		t.Logf("%s: bias %+.4f ± %.4f, too small in %.3f, off by %.3f where the quotient is by %.3f", c.name, bias, 1.96*chance, low, math.Sqrt(square), math.Sqrt(of))
		if math.Abs(bias) > max(.002, 3*chance) || math.Abs(low-.5) > .03 {
			t.Errorf("%s: bias %v, too small in %v", c.name, bias, low)
		}
		if square > of/1.5 {
			t.Errorf("%s: the mean square error %v is not less than that of the quotient, %v", c.name, square, of)
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
