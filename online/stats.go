package online

import (
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// Level is the level of all tests and intervals: 0.05, and 95 %.
const Level = 0.05

// Interval is one of 95 %.
type Interval struct {
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// logChoose is the logarithm of n over k.
func logChoose(n, k int) float64 {
	a, _ := math.Lgamma(float64(n + 1))
	b, _ := math.Lgamma(float64(k + 1))
	c, _ := math.Lgamma(float64(n - k + 1))
	return a - b - c
}

// SignTest is the exact two-sided p-value of wins against losses where either is as likely: twice the smaller tail of
// the binomial distribution, 1 at most. Ties are no part of it.
func SignTest(wins, losses int) float64 {
	n, few := wins+losses, min(wins, losses)
	tail := 0.0
	for k := 0; k <= few; k++ {
		tail += math.Exp(logChoose(n, k) - float64(n)*math.Ln2)
	}
	return min(1, 2*tail)
}

// ShareInterval is the exact interval of a share of which k in n were seen (Clopper and Pearson, Biometrika 1934).
func ShareInterval(k, n int) Interval {
	out := Interval{0, 1}
	if k > 0 {
		out.Low = distuv.Beta{Alpha: float64(k), Beta: float64(n - k + 1)}.Quantile(Level / 2)
	}
	if k < n {
		out.High = distuv.Beta{Alpha: float64(k + 1), Beta: float64(n - k)}.Quantile(1 - Level/2)
	}
	return out
}

// mixtureRatio is the logarithm of the likelihood of k wins and m losses under a share drawn uniformly from [0, 1],
// over that under the share p: a martingale where p is the truth, so that it exceeds 1/α ever with probability α at
// most (Ville). A mixture sequential probability ratio test: Robbins, Statistical methods related to the law of the
// iterated logarithm, Ann. Math. Stat. 1970; for experiments that are looked at all the time: Johari, Koomen,
// Pekelis and Walsh, Always valid inference, Operations Research 2022.
func mixtureRatio(k, m int, p float64) float64 {
	marginal := -logChoose(k+m, k) - math.Log(float64(k+m+1)) // log of the beta function of k+1 and m+1
	return marginal - term(k, p) - term(m, 1-p)
}

// term is n log p, 0 for no n.
func term(n int, p float64) float64 {
	if n == 0 {
		return 0
	}
	return float64(n) * math.Log(p)
}

// AlwaysShare is the interval of a share that holds at all times at once: looked at after every session, it ever
// misses the truth with probability 0.05 at most. It is the set of shares that [mixtureRatio] does not reject.
func AlwaysShare(k, n int) Interval {
	if n == 0 {
		return Interval{0, 1}
	}
	limit, best := -math.Log(Level), float64(k)/float64(n)
	inside := func(p float64) bool { return mixtureRatio(k, n-k, p) < limit }
	edge := func(in, out float64) float64 {
		for range 60 {
			if mid := (in + out) / 2; inside(mid) {
				in = mid
			} else {
				out = mid
			}
		}
		return in
	}
	out := Interval{0, 1}
	if k > 0 {
		out.Low = edge(best, 0)
	}
	if k < n {
		out.High = edge(best, 1)
	}
	return out
}

// Sequential follows wins and losses one by one and keeps the always-valid p-value of "either is as likely".
type Sequential struct {
	Wins, Losses int
	most         float64 // of the logarithm of the ratio
}

// Add takes one more.
func (s *Sequential) Add(win bool) {
	if win {
		s.Wins++
	} else {
		s.Losses++
	}
	s.most = max(s.most, mixtureRatio(s.Wins, s.Losses, 0.5))
}

// P is below α ever with probability α at most where either is as likely.
func (s *Sequential) P() float64 { return math.Exp(-s.most) }

// Means follows a number a session of two arms, and keeps the always-valid p-value of "the means are equal": the
// mixture test of Johari et al. (2022, section 6) with a normal prior on the difference, whose variances are
// estimated. That holds for large samples, so nothing is said before each arm has burnIn sessions.
type Means struct {
	n, sum, squares [2]float64
	most            float64
	// Tau is the standard deviation of differences that the prior expects, in units of the numbers; the test keeps
	// its level whatever it is, and is fastest about differences of that size.
	Tau float64
}

const burnIn = 100

// Add takes one more session of an arm, 0 or 1.
func (m *Means) Add(arm int, x float64) {
	m.n[arm]++
	m.sum[arm] += x
	m.squares[arm] += x * x
	v := m.variance()
	if min(m.n[0], m.n[1]) < burnIn || v <= 0 {
		return
	}
	d, t := m.Difference(), m.Tau*m.Tau
	m.most = max(m.most, 0.5*math.Log(v/(v+t))+t*d*d/(2*v*(v+t)))
}

// Difference is the mean of arm 1 less that of arm 0.
func (m *Means) Difference() float64 {
	if m.n[0] == 0 || m.n[1] == 0 {
		return 0
	}
	return m.sum[1]/m.n[1] - m.sum[0]/m.n[0]
}

// variance is that of the difference.
func (m *Means) variance() (v float64) {
	for arm := range 2 {
		if m.n[arm] < 2 {
			return 0
		}
		mean := m.sum[arm] / m.n[arm]
		v += (m.squares[arm]/m.n[arm] - mean*mean) / (m.n[arm] - 1)
	}
	return v
}

// P is the always-valid p-value.
func (m *Means) P() float64 { return math.Exp(-m.most) }

// Always is the interval of the difference that holds at all times at once; without end before the burn-in.
func (m *Means) Always() (Interval, bool) {
	v, t := m.variance(), m.Tau*m.Tau
	if min(m.n[0], m.n[1]) < burnIn || v <= 0 {
		return Interval{}, false
	}
	half := math.Sqrt(2 * v * (v + t) / t * (0.5*math.Log((v+t)/v) - math.Log(Level)))
	d := m.Difference()
	return Interval{d - half, d + half}, true
}

// Fixed is the two-sided p-value at a size that was decided before: Welch's test, by the normal distribution.
func (m *Means) Fixed() float64 {
	v := m.variance()
	if v <= 0 {
		return 1
	}
	return math.Erfc(math.Abs(m.Difference()) / math.Sqrt(2*v))
}

// ratio is sums over sessions of what happened and of how often it could have.
type ratio struct{ happened, chances float64 }

// resamples is how many times sessions are drawn anew.
const resamples = 1000

// fewSessions is how many sessions drawing them anew needs at least to say anything: all that is drawn of one session is
// that session, which would make an interval without width.
const fewSessions = 5

// bootstrap is the interval of the ratio of sums, by drawing sessions anew, with the seed: people differ, so what one
// of them does ten times is no more than one observation (Efron, 1979; the percentile method). Of few sessions it is
// 0 to 1.
func bootstrap(sessions []ratio, seed uint64) Interval {
	if len(sessions) < fewSessions {
		return Interval{0, 1}
	}
	return bootstrapOf(seed, func(rng *rand.Rand) float64 { return resample(sessions, rng) })
}

// bootstrapDifference is that of the difference of two independent ratios, b less a; of few sessions it is the widest that
// there can be.
func bootstrapDifference(a, b []ratio, widest float64, seed uint64) Interval {
	if min(len(a), len(b)) < fewSessions {
		return Interval{-widest, widest}
	}
	return bootstrapOf(seed, func(rng *rand.Rand) float64 { return resample(b, rng) - resample(a, rng) })
}

func bootstrapOf(seed uint64, draw func(*rand.Rand) float64) Interval {
	rng := rand.New(rand.NewPCG(seed, 25))
	values := make([]float64, 0, resamples)
	for range resamples {
		if v := draw(rng); !math.IsNaN(v) {
			values = append(values, v)
		}
	}
	if len(values) == 0 {
		return Interval{0, 1}
	}
	slices.Sort(values)
	at := func(q float64) float64 { return values[int(math.Round(q*float64(len(values)-1)))] }
	return Interval{at(Level / 2), at(1 - Level/2)}
}

// resample is the ratio of as many sessions, drawn anew; NaN where none had a chance.
func resample(sessions []ratio, rng *rand.Rand) float64 {
	var sum ratio
	for range sessions {
		s := sessions[rng.IntN(len(sessions))]
		sum.happened += s.happened
		sum.chances += s.chances
	}
	return sum.happened / sum.chances
}

// Power is that of the number of sessions that are said to be needed.
const Power = 0.8

// neededForShare is how many wins and losses a sign test needs to see a true share of p in Power of all experiments: as
// many at least as it needs where one side wins them all.
func neededForShare(p float64) float64 {
	z := distuv.UnitNormal
	d := z.Quantile(1-Level/2)*0.5 + z.Quantile(Power)*math.Sqrt(p*(1-p))
	return max(d*d/((p-0.5)*(p-0.5)), math.Floor(math.Log2(2/Level))+1)
}

// perSession is the variance of one session's number, about: both arms', weighted.
func (m *Means) perSession() float64 { return m.variance() * m.n[0] * m.n[1] / (m.n[0] + m.n[1]) }

// neededForMeans is how many sessions, of both arms together and as many of each, show a difference of means in Power
// of all experiments, where one session has that variance.
func neededForMeans(difference, perSession float64) float64 {
	z := distuv.UnitNormal
	d := (z.Quantile(1-Level/2) + z.Quantile(Power)) / difference
	return 4 * d * d * perSession
}
