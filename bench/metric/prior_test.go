package metric

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/stat"
)

func TestTrigamma(t *testing.T) {
	if got, want := trigamma(1), math.Pi*math.Pi/6; math.Abs(got-want) > 1e-12 {
		t.Errorf("trigamma(1) is %v, want π²/6", got)
	}
	for _, x := range []float64{.3, 1, 7, 400} {
		if got := inverseTrigamma(trigamma(x)); math.Abs(got/x-1) > 1e-9 {
			t.Errorf("the inverse of trigamma(%v) is %v", x, got)
		}
	}
}

// From many variances whose own scatter is known, the prior finds it; from equal ones it weighs as much as it may.
func TestPriorOf(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	chi2 := func(df int) (s float64) {
		for range df {
			x := rng.NormFloat64()
			s += x * x
		}
		return s
	}
	const df, d0, s0 = 2, 8, 4e-4
	var alike, scattered []float64
	for range 4000 {
		alike = append(alike, s0*chi2(df)/df)
		scattered = append(scattered, d0*s0/chi2(d0)*chi2(df)/df)
	}
	if p := PriorOf(scattered, df); math.Abs(p.DF/d0-1) > .3 || math.Abs(p.Variance/s0-1) > .1 {
		t.Errorf("%+v, want about %d degrees of freedom and %v", p, d0, s0)
	}
	if p := PriorOf(alike, df); p.DF < 25 || math.Abs(p.Variance/s0-1) > .1 {
		t.Errorf("of equal ones: %+v", p)
	}
	if p := PriorOf([]float64{1, 2, 0, 3}, df); p != (Prior{}) {
		t.Errorf("of three: %+v", p)
	}
	if p := PriorOf(alike[:10], df); p.DF > 9*df {
		t.Errorf("ten variances of two degrees of freedom weigh %v", p.DF)
	}
}

// TestProcessesCount: two settings that are equal, but whose processes are not (each repetition has its own, a few
// percent apart), tie as often as an interval of 95 % should; and with what the other settings of the run know of the
// noise, a factor of 1.4 is found although three repetitions alone find it in no more than four of five.
func TestProcessesCount(t *testing.T) {
	const trials, reps, rounds, settings = 1500, 3, 10, 16
	for _, process := range []float64{0, .02, .05} {
		rng := rand.New(rand.NewPCG(5, uint64(1000*process)))
		held, tied, found, alone := 0., 0., 0., 0.
		for range trials {
			var differences []float64
			pair := func(factor float64) (a, b []Observation) {
				a, b = noisy(rng, reps, rounds, process, factor)
				for i := range a {
					for _, o := range []*Observation{&a[i], &b[i]} {
						for r := range o.Rounds {
							o.Rounds[r] *= math.Exp(.12 * rng.NormFloat64())
						}
					}
				}
				return a, b
			}
			for range settings / 2 {
				a, b := pair(1)
				d, _ := RoundDifferences(a, b, Logarithmic)
				differences = append(differences, stat.Variance(d, nil))
			}
			p := PriorOf(differences, reps-1)
			a, b := pair(1)
			if d := CompareWith(b, a, Logarithmic, true, p); d.Tied {
				tied++
			}
			a, b = pair(1.4)
			d := CompareWith(b, a, Logarithmic, true, p)
			if d.Lo <= 1.4 && 1.4 <= d.Hi {
				held++
			}
			if d.Lo > 1 {
				found++
			}
			if Compare(b, a, Logarithmic, true).Lo > 1 {
				alone++
			}
		}
		t.Logf("processes %v apart: tied in %.3f, held in %.3f, 1.4 found in %.3f, without the others in %.3f", process, tied/trials, held/trials, found/trials, alone/trials)
		if tied/trials < .93 || held/trials < .93 {
			t.Errorf("processes %v apart: equal settings tie in %.3f, 1.4 is held in %.3f", process, tied/trials, held/trials)
		}
		if found/trials < .9 {
			t.Errorf("processes %v apart: 1.4 is found in %.3f", process, found/trials)
		}
		if found < alone {
			t.Errorf("processes %v apart: what the others know costs power: %.3f against %.3f", process, found/trials, alone/trials)
		}
	}
}
