package judge

import (
	"maps"
	"math"
	"slices"
	"strings"

	"annbench/bench/metric"
	"annbench/bench/record"
)

// Value is a measured quantity over repetitions.
type Value struct {
	Median float64
	// Lo and Hi are the ends of the 95 % interval, where HasInterval says that there is one, and else
	// the median: see [metric.EstimateOf].
	Lo, Hi      float64
	HasInterval bool
	N           int // repetitions that have the value

	Scale metric.Scale
	// observed is what each repetition found; several folders may have the same repetition.
	observed []observation
	known    priors // of [Speed]
}

type observation struct {
	rep int
	metric.Observation
	rounds map[int]float64 // of [Speed], by the number of the round; nil where there were none
}

// worst are the ends of the interval or, where there is none, the least and the most that a repetition found.
func (v Value) worst() (lo, hi float64) {
	lo, hi = v.Lo, v.Hi
	if !v.HasInterval {
		for _, o := range v.observed {
			lo, hi = min(lo, o.Value), max(hi, o.Value)
		}
	}
	return lo, hi
}

// Difference is how one value compares with another: a factor where values are times, rates or bytes,
// and an amount where they are ratios.
type Difference = metric.Comparison

// Enough repetitions for an interval of a time, a rate or a size. Of two, Student's t has one degree of
// freedom: its interval spans orders of magnitude, and says less to a reader than that there is none.
// One repetition's spread over queries says nothing of builds and of the machine.
const Enough = 3

// summarize makes a value of what repetitions found.
func summarize(name string, observed []observation) Value {
	if len(observed) == 0 {
		return Value{}
	}
	info := lookup(name)
	v := Value{N: len(observed), Scale: metric.ScaleOf(info.Unit), observed: observed}
	e := metric.EstimateOf(plain(observed), v.Scale)
	v.Median, v.Lo, v.Hi, v.HasInterval = e.Median, e.Lo, e.Hi, e.OK
	// Few values that scatter over orders of magnitude give ends that no number holds.
	if v.Scale == metric.Logarithmic && v.N < Enough || math.IsInf(v.Hi, 0) || math.IsNaN(v.Lo+v.Hi) || v.Scale == metric.Logarithmic && v.Lo == 0 && v.Median > 0 {
		v.Lo, v.Hi, v.HasInterval = v.Median, v.Median, false
	}
	if info.Unit == metric.Ratio && isShare(name) {
		v.Lo, v.Hi = max(v.Lo, min(0, v.Median)), min(v.Hi, max(1, v.Median))
	}
	return v
}

// lookup is [metric.Lookup], which knows [Speed], too.
func lookup(name string) metric.Info {
	if name == Speed {
		name = metric.QPS
	}
	info, _ := metric.Lookup(name)
	return info
}

// isShare reports whether a ratio lies between 0 and 1 whatever happens, so that its interval does.
func isShare(name string) bool {
	return name != metric.DistRatio && !strings.Contains(name, metric.DeltaSuffix)
}

func plain(observed []observation) []metric.Observation {
	out := make([]metric.Observation, len(observed))
	for i, o := range observed {
		out[i] = o.Observation
	}
	return out
}

// observe is what a record says of the quantity called name.
func observe(rec *record.Record, name string) (o observation, ok bool) {
	x, ok := rec.Values[name]
	if !ok || rec.Status != record.OK || name == metric.Resident && x < 0 { // older records have such, with a warning
		return observation{}, false
	}
	o = observation{rep: rec.Rep, Observation: metric.Observation{Value: x, Spread: rec.Spread[name]}}
	if r := rec.Rounds; r != nil {
		o.Chance = r.Chance[name]
		switch name {
		case metric.CPU:
			o.At, o.Rounds = r.At, r.CPU
		case metric.Mean:
			o.At, o.Rounds = r.At, r.Wall
		case metric.QPS:
			o.At, o.Rounds = r.At, rates(r.Wall)
		case metric.P50:
			o.At, o.Rounds = r.At, r.P50
		}
	}
	return o, true
}

// rates are one over each.
func rates(seconds []float64) []float64 {
	out := make([]float64, len(seconds))
	for i, s := range seconds {
		if s <= 0 {
			return nil
		}
		out[i] = 1 / s
	}
	return out
}

// Against says how v differs from w: by a factor where they are times, rates or bytes, by an amount
// where they are ratios. Repetitions that both have are paired where there are at least two of them,
// since what disturbed one repetition disturbed all of it.
func (v Value) Against(w Value) Difference {
	if v.Scale == metric.Logarithmic && min(v.N, w.N) < Enough || len(v.observed) == 0 || len(w.observed) == 0 {
		d := Difference{Difference: v.Median - w.Median, Tied: v.Median == w.Median}
		if v.Scale == metric.Logarithmic && w.Median != 0 {
			d.Difference = v.Median / w.Median
		}
		d.Lo, d.Hi = d.Difference, d.Difference
		return d
	}
	if p, q, ok := v.paired(w); ok {
		known := metric.Prior{}
		if _, rounds := metric.RoundDifferences(p, q, v.Scale); rounds && v.known == w.known {
			known = v.known.whole
		}
		return metric.CompareWith(p, q, v.Scale, true, known)
	}
	return metric.Compare(plain(v.observed), plain(w.observed), v.Scale, false)
}

// paired are the repetitions that both have, two at least.
func (v Value) paired(w Value) (p, q []metric.Observation, ok bool) {
	x, xok := byRep(v.observed)
	y, yok := byRep(w.observed)
	if !xok || !yok {
		return nil, nil, false
	}
	for _, rep := range slices.Sorted(maps.Keys(x)) {
		if o, ok := y[rep]; ok {
			s, t := inRounds(x[rep], o)
			p, q = append(p, s), append(q, t)
		}
	}
	return p, q, len(p) >= 2
}

// byRep is false where a repetition is there twice.
func byRep(observed []observation) (map[int]observation, bool) {
	out := map[int]observation{}
	for _, o := range observed {
		if _, twice := out[o.rep]; twice {
			return nil, false
		}
		out[o.rep] = o
	}
	return out, true
}

// tie says how sure the difference of two values is.
type tie int

const (
	Apart   tie = iota // the interval of the difference leaves out "none"
	Tied               // it holds it
	Unknown            // too few measurements
)

// TieOf says how sure a difference is.
func TieOf(d Difference) tie {
	switch {
	case d.Tied:
		return Tied
	case !d.OK:
		return Unknown
	}
	return Apart
}
