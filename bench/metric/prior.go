package metric

import (
	"math"

	"gonum.org/v1/gonum/mathext"
	"gonum.org/v1/gonum/stat"
)

// Prior is what is known of a variance before it is estimated: that of others like it. Its zero value is nothing.
type Prior struct {
	Variance float64
	DF       float64 // degrees of freedom: how much it weighs
}

// PriorOf learns from variances of df degrees of freedom each, such as those of the settings of a sweep over three
// repetitions. With two degrees of freedom Student's t is 4.3 and no interval says much; but the settings of one
// run on one machine have much the same noise, and together they know it well. The variances are taken as
// scattered around a common one like a scaled inverse χ², whose degrees of freedom say how alike they are (Smyth,
// Statistical Applications in Genetics and Molecular Biology 3, 2004, section 6.2: by the moments of their
// logarithms). The prior weighs at most as much as all but one of the variances, and nothing with fewer than four.
// Variances of 0 are left out.
func PriorOf(variances []float64, df float64) Prior {
	var logs []float64
	for _, v := range variances {
		if v > 0 {
			logs = append(logs, math.Log(v)-mathext.Digamma(df/2)+math.Log(df/2))
		}
	}
	n := float64(len(logs))
	if n < 4 || df <= 0 {
		return Prior{}
	}
	mean := Average(logs)
	most := (n - 1) * df
	p := Prior{DF: most}
	if excess := stat.Variance(logs, nil) - trigamma(df/2); excess > trigamma(most/2) {
		p.DF = 2 * inverseTrigamma(excess)
	}
	p.Variance = math.Exp(mean + mathext.Digamma(p.DF/2) - math.Log(p.DF/2))
	return p
}

// with is the variance that the prior and an estimate of df degrees of freedom give together, and its degrees of
// freedom.
func (p Prior) with(variance, df float64) (float64, float64) {
	if p.DF <= 0 {
		return variance, df
	}
	return (p.DF*p.Variance + df*variance) / (p.DF + df), p.DF + df
}

// trigamma is ψ'(x) = ζ(2, x).
func trigamma(x float64) float64 { return mathext.Zeta(2, x) }

// inverseTrigamma is the x > 0 of which trigamma is y > 0, which falls: by halves on a logarithmic scale.
func inverseTrigamma(y float64) float64 {
	lo, hi := 1e-6, 1e6
	for range 100 {
		mid := math.Sqrt(lo * hi)
		if trigamma(mid) > y {
			lo = mid
		} else {
			hi = mid
		}
	}
	return math.Sqrt(lo * hi)
}
