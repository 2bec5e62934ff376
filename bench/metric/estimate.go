package metric

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// Observation is a value as one repetition found it, with a build of its own.
type Observation struct {
	Value float64
	// Spread is the standard error of Value over the queries, 0 where there is none: a build time.
	Spread float64
	// Chance is the part of Spread², from 0 to 1, that the same queries show when they are asked again: a percentile is
	// made by what disturbs single searches as well as by the queries. The scatter over repetitions has it already,
	// so that of several only the rest of Spread counts.
	Chance float64
	// Rounds are what the rounds of the repetition found, one for each number in At, which ascend; nil
	// where there are none. See [Compare]. Without At they are rounds that asked other queries than those of what
	// they are compared with.
	At     []int
	Rounds []float64
	// Moment is the logarithm of the factor that the repetition put on all values that were measured in it: it is in
	// Value, 0 where nobody knows it, and counts on the logarithmic scale only. See [CompareWith].
	Moment float64
}

// Scale says how values of a kind differ: by so much, or by such a factor.
type Scale int

// The scales.
const (
	Linear      Scale = iota // recall, mAP: differences
	Logarithmic              // times, rates and bytes, which are above 0: factors
)

// ScaleOf is the scale of a unit.
func ScaleOf(u Unit) Scale {
	switch u {
	case Seconds, Bytes, PerSecond:
		return Logarithmic
	}
	return Linear
}

// Estimate is what repetitions say of a value. Without an interval, Lo and Hi are the median.
type Estimate struct {
	Median float64
	Lo, Hi float64 // ends of the 95 % interval
	N      int     // repetitions
	OK     bool    // there is an interval
}

// Confidence is the level of every interval of an [Estimate] and a [Comparison].
const Confidence = 0.95

// EstimateOf gives the median of what the repetitions found, and an interval for what they are
// samples of. Two things vary, one within the other: the repetition (its build, its moment) and the
// queries, which all repetitions share. With B repetitions of variance s², and the mean square q² of
// the spreads over queries,
//
//	mean ± √(t²·s²/B + z²·q²)
//
// with t of Student's distribution for B-1 degrees of freedom and z of the normal one (the modified
// large-sample interval of Graybill and Wang, Journal of the American Statistical Association 1980).
// The queries' share does not shrink with more repetitions of the same queries. With either share
// alone the interval is the usual one. With both it is cautious: it holds the truth in 96 % of cases
// with six repetitions and in 97 to 98 % with three or two (10,000 made-up experiments each), where
// Satterthwaite's degrees of freedom hold it in 95 % and 93 %.
// On the logarithmic scale all of this is done to the logarithms, and the interval is widened to hold
// the median if it does not.
//
// One repetition has an interval only where it has a spread, and then it says nothing of builds.
// Values that are not above 0 make the scale linear. No observations panic.
func EstimateOf(observed []Observation, scale Scale) Estimate {
	values := make([]float64, len(observed))
	for i, o := range observed {
		values[i] = o.Value
	}
	e := Estimate{Median: Median(values), N: len(values)}
	e.Lo, e.Hi = e.Median, e.Median
	on := onScale(observed, scale)
	mean, err, ok := on.moments(Prior{})
	if !ok {
		return e
	}
	half := err.times(1 - (1-Confidence)/2)
	e.OK = true
	e.Lo, e.Hi = min(e.Median, on.back(mean-half)), max(e.Median, on.back(mean+half))
	return e
}

// Comparison says how a differs from b: by the factor a/b on the logarithmic scale, by a-b on the
// linear one.
type Comparison struct {
	// Difference is that of the medians; where pairs have rounds in common, the mean over the repetitions of
	// their trimmed means, see [Compare].
	Difference float64
	Lo, Hi     float64 // ends of the 95 % interval
	OK         bool    // there is an interval
	// Paired says that rounds or repetitions of both were compared one by one, so that Difference need not be
	// that of two values that are shown apart.
	Paired bool
	// Tied says that the interval holds "no difference": what was measured does not tell a from b.
	// Without an interval, only equal medians are tied.
	Tied bool
	// Detectable is the smallest difference that this many repetitions with this noise show in four
	// of five runs: a factor above 1, or an amount; 0 without an interval.
	Detectable float64
}

// power is how often a difference of size Detectable is found.
const power = 0.8

// Compare compares two values. Where paired, a[i] and b[i] are of the same repetition: then what
// disturbed both falls out, as the interval is that of the mean of the differences; else it is
// Welch's (Biometrika 34, 1947). Both have asked the same queries: how the two differ from query to
// query is not known here, so their spreads count as if independent, which is on the safe side. An
// empty a or b panics.
//
// Where all pairs have rounds in common, two at least, the difference of a repetition is the mean of the
// differences of its rounds, a fifth of them trimmed at each end (a burst of another program falls on one
// block and not on the next), with Tukey's and McLaughlin's error of a trimmed mean (Sankhya A 1963). Each
// round asks other queries, so that this error is that of the queries, too; it takes the place of the
// spreads, and makes an interval of one repetition, which then says nothing of builds, and nothing of processes:
// two processes that hold the same index differ by 1 to 3 % as long as they live, by where their memory lies, so
// that their intervals of one repetition leave out "none" in 12 to 25 % of the cases instead of 5 (six processes of
// each of four settings on a busy machine). Each repetition has processes of its own, and with three of them the
// scatter over repetitions has that, too.
//
// That mean is also the difference that is shown: the quotient of the two medians over repetitions has no bias either,
// but moments of one and not of the other in it, and is 1.7 to 2.7 times as far off (root mean square; TestRatioHasNoBias).
func Compare(a, b []Observation, scale Scale, paired bool) Comparison {
	return CompareWith(a, b, scale, paired, Prior{})
}

// CompareWith is [Compare] with what is known of the variance over repetitions from other comparisons of the same
// kind: of the differences where paired (see [RoundDifferences]), else of the values less their moments.
//
// Not paired, two things vary over repetitions: the moment, which all settings of the repetition share, and what is the
// setting's own. Others of the run know much of the second, but of the first no more than there are repetitions: that
// is the variance of the moments ([Observation.Moment]), with as many degrees of freedom less one. Both count apart, each
// with its own t, as the queries do in [EstimateOf]: of three repetitions the interval holds the truth in 95 to 98 % of the
// cases, whatever the share of the moments, with heavy tails, and where one of the two runs was the quieter; in 95 %
// where moments drift (half of each is in the next) and are as large as the settings' own, as on a busy machine.
// One t by Satterthwaite's degrees of freedom would hold it in 95 % without drift, and in 90 % with (TestMomentsCount).
//
// Where a and b asked the same queries in as many rounds, what the queries do to both alike falls out, and only what
// they do to one and not the other counts.
func CompareWith(a, b []Observation, scale Scale, paired bool, known Prior) Comparison {
	x, y := onScale(a, scale), onScale(b, scale)
	if x.scale != y.scale {
		x, y = onScale(a, Linear), onScale(b, Linear)
	}
	am, bm := Median(x.values), Median(y.values)
	c := Comparison{Difference: x.back(am - bm), Tied: am == bm}
	c.Lo, c.Hi = c.Difference, c.Difference

	var mean float64
	var err deviation
	ok := false
	rounds, found := roundDifferences(a, b, x.scale)
	c.Paired = paired && (found || len(a) == len(b))
	if paired && found {
		mean, err, ok = rounds.moments(known)
		if len(a) == 1 {
			err.queriesDF = rounds.df
		}
	} else if paired && len(a) == len(b) {
		d := scaled{scale: x.scale, values: make([]float64, len(a)), spread2: x.spread2 + y.spread2}
		for i := range d.values {
			d.values[i] = x.values[i] - y.values[i]
		}
		mean, err, ok = d.moments(known)
	} else {
		xm, xe, xok := x.moments(known)
		ym, ye, yok := y.moments(known)
		mean, err, ok = xm-ym, xe.and(ye), xok && yok
		if q, same := queryShare(x, y); same {
			err.queries = q
		}
	}
	if !ok {
		return c
	}
	half := err.times(1 - (1-Confidence)/2)
	c.OK = true
	middle := am - bm
	if paired && found {
		middle = mean
		c.Difference = x.back(mean)
	}
	c.Lo, c.Hi = x.back(min(mean-half, middle)), x.back(max(mean+half, middle))
	c.Tied = mean-half <= 0 && 0 <= mean+half
	c.Detectable = x.back(half + err.times(power))
	return c
}

// scaled are observations on the scale on which they vary evenly.
type scaled struct {
	scale   Scale
	values  []float64
	spread2 float64     // of the queries, squared: see [EstimateOf]
	moved   []float64   // Moment
	rounds  [][]float64 // by repetition, as many of each; nil where there are none
	asked   bool        // the rounds have numbers: the same queries as another's
}

func onScale(observed []Observation, scale Scale) scaled {
	for _, o := range observed {
		if o.Value <= 0 {
			scale = Linear
		}
	}
	s := scaled{scale: scale, values: make([]float64, len(observed)), asked: true}
	for i, o := range observed {
		if scale == Logarithmic {
			s.moved = append(s.moved, o.Moment)
		}
		spread := o.Spread
		s.values[i] = o.Value
		if scale == Logarithmic {
			s.values[i] = math.Log(o.Value)
			// The spread of the logarithm of what has this mean and spread, and is lognormal. Of a small spread it is
			// the quotient; of a p99 that lies at the edge of a long tail the quotient is hundreds, and e to that no interval.
			spread /= o.Value
			spread = math.Sqrt(math.Log1p(spread * spread))
		}
		if len(observed) > 1 {
			spread *= math.Sqrt(1 - o.Chance)
		}
		s.spread2 += spread * spread / float64(len(observed))
		s.asked = s.asked && len(o.At) == len(o.Rounds)
	}
	if s.rounds = roundsOf(observed, scale); len(s.rounds) > 1 {
		s.spread2, _ = queryShare(s)
	}
	return s
}

// roundsOf are the rounds of all repetitions on the scale, or nil where they have not as many each, two at least.
func roundsOf(observed []Observation, scale Scale) (rounds [][]float64) {
	for _, o := range observed {
		if n := len(o.Rounds); n < 2 || n != len(observed[0].Rounds) {
			return nil
		}
		own := slices.Clone(o.Rounds)
		for i, x := range own {
			if scale == Logarithmic {
				if x <= 0 {
					return nil
				}
				own[i] = math.Log(x)
			}
		}
		rounds = append(rounds, own)
	}
	return rounds
}

// queryShare is the squared error that the choice of queries gives a mean or, with others, the difference of two:
// repetitions ask the same queries in the same rounds, so that what the queries do shows in the means over repetitions
// of each round. What is left of the blocks' own chance in these means is taken off, as the repetitions account for it.
// ok is false where a repetition is alone, or the rounds are not of the same queries.
func queryShare(of ...scaled) (err2 float64, ok bool) {
	rounds := 0
	var byRound []float64
	var chance float64
	for i, s := range of {
		if len(s.rounds) < 2 || i > 0 && (len(s.rounds[0]) != rounds || !s.asked || !of[0].asked) {
			return 0, false
		}
		rounds = len(s.rounds[0])
		n, sign := float64(len(s.rounds)), 1-2*float64(i)
		own := make([]float64, rounds)
		for r := range own {
			for _, rep := range s.rounds {
				own[r] += rep[r] / n
			}
		}
		for _, rep := range s.rounds {
			rest := make([]float64, rounds)
			for r := range rest {
				rest[r] = rep[r] - own[r]
			}
			_, e, _ := trimmed(rest)
			chance += e / n / (n - 1)
		}
		if byRound == nil {
			byRound = make([]float64, rounds)
		}
		for r := range own {
			byRound[r] += sign * own[r]
		}
	}
	_, err2, _ = trimmed(byRound)
	return max(0, err2-chance), true
}

func (s scaled) back(x float64) float64 {
	if s.scale == Logarithmic {
		return math.Exp(x)
	}
	return x
}

// roundScaled are differences by repetition that come from rounds.
type roundScaled struct {
	scaled
	df float64 // degrees of freedom of the error within a repetition, on average
}

// roundDifferences pairs a[i] with b[i] round by round; ok is false where a pair has not two rounds in
// common, or values that the scale does not allow.
func roundDifferences(a, b []Observation, scale Scale) (d roundScaled, ok bool) {
	if len(a) != len(b) || len(a) == 0 {
		return d, false
	}
	d.scale = scale
	n := float64(len(a))
	var byRep [][]float64
	for i := range a {
		own, ok := inCommon(a[i], b[i], scale)
		if !ok {
			return d, false
		}
		byRep = append(byRep, own)
		mean, _, df := trimmed(own)
		d.values = append(d.values, mean)
		d.df += df / n
	}
	even := true
	for _, own := range byRep {
		even = even && len(own) == len(byRep[0])
	}
	if even && n > 1 {
		d.spread2, _ = queryShare(scaled{rounds: byRep})
		return d, true
	}
	for _, own := range byRep {
		_, err2, _ := trimmed(own)
		d.spread2 += err2 / n
	}
	return d, true
}

// RoundDifferences are the differences of a from b by repetition that [Compare] goes by, on the scale; ok is false
// where a pair has not two rounds in common, or values that the scale does not allow.
func RoundDifferences(a, b []Observation, scale Scale) (byRep []float64, ok bool) {
	d, ok := roundDifferences(a, b, scale)
	return d.values, ok
}

// inCommon are the differences of the rounds that both have.
func inCommon(a, b Observation, scale Scale) (d []float64, ok bool) {
	if len(a.At) != len(a.Rounds) || len(b.At) != len(b.Rounds) {
		return nil, false
	}
	for i, j := 0, 0; i < len(a.At) && j < len(b.At); {
		switch {
		case a.At[i] < b.At[j]:
			i++
			continue
		case a.At[i] > b.At[j]:
			j++
			continue
		}
		x, y := a.Rounds[i], b.Rounds[j]
		if scale == Logarithmic {
			if x <= 0 || y <= 0 {
				return nil, false
			}
			x, y = math.Log(x), math.Log(y)
		}
		d = append(d, x-y)
		i++
		j++
	}
	return d, len(d) >= 2
}

// trimShare of values are left out at each end of a [trimmed] mean.
const trimShare = 0.2

// trimmed is the trimmed mean of values, two at least, its squared error, and the degrees of freedom of that.
func trimmed(values []float64) (mean, err2, df float64) {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	g := int(trimShare * float64(n))
	mean = Average(sorted[g : n-g])
	for i := range g { // winsorised
		sorted[i], sorted[n-1-i] = sorted[g], sorted[n-1-g]
	}
	h := float64(n - 2*g)
	err2 = stat.Variance(sorted, nil) * float64(n-1) / (h * (h - 1))
	return mean, err2, h - 1
}

// deviation is the standard error of a mean in its parts.
type deviation struct {
	reps    float64 // squared, of the repetitions
	df      float64 // its degrees of freedom
	moments float64 // likewise, of what the repetitions did to all values
	mdf     float64
	queries float64 // squared, of the queries
	// queriesDF are its degrees of freedom; 0 is many.
	queriesDF float64
}

// times is how far the quantile p lies from the mean.
func (d deviation) times(p float64) float64 {
	t, m, z := 0.0, 0.0, quantile(p, math.Inf(1))
	if d.reps > 0 {
		t = quantile(p, d.df)
	}
	if d.moments > 0 {
		m = quantile(p, d.mdf)
	}
	if d.queriesDF > 0 {
		z = quantile(p, d.queriesDF)
	}
	return math.Sqrt(t*t*d.reps + m*m*d.moments + z*z*d.queries)
}

// and is the deviation of a difference of two independent means, with the degrees of freedom of Welch.
func (d deviation) and(e deviation) deviation {
	sum := deviation{queries: d.queries + e.queries}
	sum.reps, sum.df = welch(d.reps, d.df, e.reps, e.df)
	sum.moments, sum.mdf = welch(d.moments, d.mdf, e.moments, e.mdf)
	return sum
}

// welch adds two variances of means, of so many degrees of freedom each; one of 0 has none.
func welch(v, df, w, edf float64) (sum, freedom float64) {
	sum, below := v+w, 0.0
	if v > 0 {
		below = v * v / df
	}
	if w > 0 {
		below += w * w / edf
	}
	if below == 0 {
		return sum, math.Inf(1)
	}
	return sum, sum * sum / below
}

// moments are the mean and its deviation; ok is false where nothing is known of the latter.
func (s scaled) moments(known Prior) (mean float64, err deviation, ok bool) {
	n := float64(len(s.values))
	mean = Average(s.values)
	err.queries = s.spread2
	if n < 2 {
		return mean, err, s.spread2 > 0
	}
	own := s.values
	if s.moved != nil {
		own = slices.Clone(s.values)
		for i, m := range s.moved {
			own[i] -= m
		}
		err.moments, err.mdf = stat.Variance(s.moved, nil)/n, n-1
	}
	err.reps, err.df = known.with(stat.Variance(own, nil), n-1)
	err.reps /= n
	return mean, err, true
}

// quantile of Student's t; that of the normal distribution for many degrees of freedom.
func quantile(p, df float64) float64 {
	if df > 1e6 {
		return distuv.UnitNormal.Quantile(p)
	}
	return distuv.StudentsT{Mu: 0, Sigma: 1, Nu: df}.Quantile(p)
}

// StandardError of the mean of values that were drawn independently: their standard deviation over
// √n; 0 of a single value. No values panic.
func StandardError(values []float64) float64 {
	mustHave(values)
	if len(values) < 2 {
		return 0
	}
	return math.Sqrt(stat.Variance(values, nil) / float64(len(values)))
}

// PercentileError is the standard error of the percentile p of samples that come in clusters, as
// latencies do by query: half of the width, in standard errors, of the interval between the
// percentiles p ± z·off (Woodruff, Journal of the American Statistical Association 1952), with off
// the standard error of the share of samples below it. With n clusters that is √(p(1-p)/n) if samples
// of one cluster say the same, and less where they do not: see [ClusterShare]. The samples are
// ascending. It panics as [Percentile] does.
func PercentileError(sorted []float64, p, off float64) float64 {
	const z = 1.959964
	lo, hi := Percentile(sorted, max(0, p-z*off)), Percentile(sorted, min(1, p+z*off))
	return (hi - lo) / (2 * z)
}

// ClusterShare compares the error of a share that was counted in clusters, hits[i] of counts[i], with that of one count
// a cluster, F(1-F)/n: effect is the quotient of the two variances, at most 1. chance, from 0 to 1, is the part of it
// that the same clusters show when they are counted again, from the scatter within those that were counted
// several times (analysis of variance); where none was, it is 0. Without hits, or with hits alone, nothing is
// known: effect is 1, chance 0.
func ClusterShare(hits, counts []int) (effect, chance float64) {
	var hit, all, n, within, again float64
	for i, c := range counts {
		if c == 0 {
			continue
		}
		f := float64(hits[i]) / float64(c)
		hit, all, n = hit+float64(hits[i]), all+float64(c), n+1
		within, again = within+float64(c)*f*(1-f), again+float64(c-1)
	}
	share := hit / all
	if n < 2 || share <= 0 || share >= 1 {
		return 1, 0
	}
	var between float64
	for i, c := range counts {
		off := float64(hits[i]) - share*float64(c)
		between += off * off
	}
	between *= n / (n - 1) / (all * all)
	if again > 0 {
		chance = min(1, within/again/all/between)
	}
	return min(1, between*n/(share*(1-share))), chance
}
