package metric

import (
	"math"
	"math/rand/v2"
)

// Noise is a made-up experiment, to try intervals on: what is measured is Truth, disturbed by builds
// and by queries.
type Noise struct {
	Reps, Queries int
	Build, Query  float64 // standard deviations; on the logarithmic scale, of the logarithm
	Truth         float64
	Scale         Scale
}

// Coverage is the share of trials in which the interval of [EstimateOf] holds the truth. An interval
// of 95 % must in about 95 % of them; far less and it claims too much, far more and it says too little.
func Coverage(trials int, n Noise, seed uint64) float64 {
	r := rand.New(rand.NewPCG(seed, 4))
	held := 0
	effects, values := make([]float64, n.Queries), make([]float64, n.Queries)
	for range trials {
		for q := range effects {
			effects[q] = n.Query * r.NormFloat64()
		}
		observed := make([]Observation, n.Reps)
		for i := range observed {
			shift := n.Build * r.NormFloat64()
			for q := range values {
				if n.Scale == Logarithmic {
					// The mean of a lognormal factor is exp(σ²/2): taken out, so that Truth is the mean.
					values[q] = n.Truth * math.Exp(shift+effects[q]-n.Query*n.Query/2)
				} else {
					values[q] = n.Truth + shift + effects[q]
				}
			}
			observed[i] = Observation{Value: Average(values), Spread: StandardError(values)}
		}
		if e := EstimateOf(observed, n.Scale); e.Lo <= n.Truth && n.Truth <= e.Hi {
			held++
		}
	}
	return float64(held) / float64(trials)
}
