package judge

import (
	"maps"
	"math"
	"slices"

	"annbench/bench/metric"
	"annbench/bench/record"
)

// Speed is what families are ranked by: queries a second by the clock that decides ([Report.Clock]). It
// is no quantity of package metric's table, as it is measured by one clock or the other; [Row.Value] and
// [Report.Match] take it as a name.
const Speed = "speed"

// Clock is what searches are timed by.
type Clock string

// The clocks.
const (
	// Wall is the clock on the wall: [metric.QPS].
	Wall Clock = "wall"
	// Processor is the processor time of the process that searches, the inverse of [metric.CPU]; of families
	// that are servers, whose processor time nobody here reads, the clock on the wall.
	Processor Clock = "cpu"
)

// Clock is the clock that decides under terms t: the processor's where every setting that was measured has
// its time, or is a server's; else the wall's, as times by different clocks do not compare.
func (r *Report) Clock(t Terms) Clock {
	if r.clocks[t] {
		return Processor
	}
	return Wall
}

// Clock is the clock that the row's [Speed] goes by.
func (r *Row) Clock() Clock {
	if r.byProcessor() {
		return Processor
	}
	return Wall
}

// BuildTime is the name of the quantity that builds are judged by under terms t: [metric.BuildCPU] where searches go by
// the processor's clock, builds have one thread, and each row that was built has its processor time; else
// [metric.Build]. A build of a few milliseconds that waits for other programs takes ten times its wall time in one run
// and not in the next: of an index that takes 4 to 7 ms of processor time, six builds on a busy machine took 12 to
// 1,026 ms. Of builds by several threads the processor time is not what anybody waits for.
func (r *Report) BuildTime(t Terms) string {
	if r.Clock(t) != Processor || t.Threads != 1 {
		return metric.Build
	}
	for _, row := range r.Rows {
		if TermsOf(row.Cell) == t && row.buildTime() != metric.BuildCPU {
			return metric.Build
		}
	}
	return metric.BuildCPU
}

// buildTime is [Report.BuildTime] for the row alone. It is the processor's, too, where the row has no build time at all.
func (r *Row) buildTime() string {
	_, built := r.Value(metric.Build)
	cpu, ok := r.Value(metric.BuildCPU)
	if r.clock != Processor || r.Cell.Threads != 1 || built && (!ok || cpu.Median <= 0) {
		return metric.Build
	}
	return metric.BuildCPU
}

// remote reports whether a record is of a family that is a server: it has the time of the way there.
func remote(rec *record.Record) bool {
	_, ok := rec.Values[metric.Wire]
	return ok
}

// setClocks decides by which clock each of r.Terms goes.
func (r *Report) setClocks() {
	r.clocks = map[Terms]bool{}
	lacks := map[Terms]bool{}
	for _, row := range r.Rows {
		t := TermsOf(row.Cell)
		for _, rep := range row.Reps {
			if rep.Status != record.OK || remote(rep) {
				continue
			}
			if rep.Values[metric.CPU] > 0 {
				r.clocks[t] = true
			} else {
				lacks[t] = true
			}
		}
	}
	for t := range lacks {
		delete(r.clocks, t)
	}
	for _, row := range r.Rows {
		row.clock = r.Clock(TermsOf(row.Cell))
	}
}

// Busy is the share on the processor below which the machine was too busy for the far percentiles: what is then slow
// in one search of a hundred is another program. Measured with 340 records of 17 settings beside other builds and
// tests, each against the same setting's on a processor of its own (a share above 0.93): between 0.8 and 0.9 the p99 is
// 1.23 times too long in the median and more than twice in 18 %, between 0.7 and 0.8 it is 1.42 times and 39 %, between
// 0.6 and 0.7 1.95 times and 48 %, below 0.6 eight times and more. Down to 0.3 the median is off by 6 % at most,
// the processor time by 9 %, p90 by 13 %, each in the median of those records.
const Busy = 0.8

// OnCPU is the share on the processor of what was timed under terms t, over all of its records; ok is false where
// none has it. See [metric.ShareOnCPU].
func (r *Report) OnCPU(t Terms) (share float64, ok bool) {
	var all []map[string]float64
	for _, row := range r.Rows {
		for _, rep := range row.Reps {
			if TermsOf(row.Cell) == t && rep.Status == record.OK && !remote(rep) {
				all = append(all, rep.Values)
			}
		}
	}
	return metric.ShareOnCPU(all)
}

// observe is what a record of the row says of the quantity called name, or of [Speed].
func (r *Row) observe(rec *record.Record, name string) (o observation, ok bool) {
	if name == metric.PerVector && rec.Status == record.OK {
		o.rep = rec.Rep
		o.Value, ok = metric.BytesPerVector(rec.Values, r.base)
		return o, ok
	}
	if name != Speed {
		return observe(rec, name)
	}
	if r.clock != Processor || remote(rec) {
		o, ok = observe(rec, metric.QPS)
		if ok && rec.Rounds != nil {
			o.rounds = inverse(rec.Rounds.At, rec.Rounds.Wall)
		}
		return o, ok
	}
	o, ok = observe(rec, metric.CPU)
	if !ok || o.Value <= 0 {
		return observation{}, false
	}
	o.Spread /= o.Value * o.Value
	o.Value, o.Rounds = 1/o.Value, rates(o.Rounds)
	if rec.Rounds != nil {
		o.rounds = inverse(rec.Rounds.At, rec.Rounds.CPU)
	}
	return o, true
}

// inverse are queries a second by the number of the round.
func inverse(at []int, seconds []float64) map[int]float64 {
	if len(at) != len(seconds) {
		return nil
	}
	out := make(map[int]float64, len(at))
	for i, s := range seconds {
		if s > 0 {
			out[at[i]] = 1 / s
		}
	}
	return out
}

// minRounds is how many rounds a repetition must have for its halves to be looked at apart.
const minRounds = 6

// half leaves of every repetition's rounds those of even number, or of odd: what a setting is chosen by must
// not be what its speed is judged by, since the best of several noisy settings reads too fast. A value
// without enough rounds stays whole. So does one of fewer repetitions than [Enough]: of it nothing is claimed
// beyond its median, and choice, order and ratio then go by the medians that are shown.
func (v Value) half(parity int) Value {
	if !v.halves() {
		return v
	}
	w := v
	w.observed = slices.Clone(v.observed)
	w.known.whole = v.known.half
	var medians []float64
	for i := range w.observed {
		o := &w.observed[i]
		part, values := map[int]float64{}, []float64(nil)
		for at, x := range o.rounds {
			if at%2 == parity {
				part[at] = x
				values = append(values, x)
			}
		}
		if len(values) == 0 {
			return v
		}
		slices.Sort(values)
		o.rounds, o.Value = part, metric.Median(values)
		medians = append(medians, o.Value)
	}
	if len(medians) > 0 {
		w.Median = metric.Median(medians)
	}
	return w
}

// halves reports whether there are enough repetitions and rounds to look at the halves of these apart.
func (v Value) halves() bool {
	return v.N >= Enough && !slices.ContainsFunc(v.observed, func(o observation) bool { return len(o.rounds) < minRounds })
}

// Judged is v against w by the rounds that chose neither: see [Report.Pick].
func (v Value) Judged(w Value) Difference {
	v, w = judgedBy(v, w)
	return v.Against(w)
}

// judgedBy are two speeds as they are judged against each other: by half of their rounds, or where one of them lacks
// halves, both by all.
func judgedBy(v, w Value) (x, y Value) {
	if !v.halves() || !w.halves() {
		return v, w
	}
	return v.half(1), w.half(1)
}

// inRounds pairs two observations of one repetition by the rounds that both took part in: the values keep
// their middle and differ by the median factor of these rounds, as what disturbs one round disturbs all of it.
func inRounds(a, b observation) (x, y metric.Observation) {
	x, y = a.Observation, b.Observation
	x.At, x.Rounds = numbered(a.rounds)
	y.At, y.Rounds = numbered(b.rounds)
	var factors []float64
	for at, s := range a.rounds {
		if t, ok := b.rounds[at]; ok && s > 0 && t > 0 {
			factors = append(factors, math.Log(s/t))
		}
	}
	if len(factors) < 3 || x.Value <= 0 || y.Value <= 0 {
		return x, y
	}
	slices.Sort(factors)
	middle, by := math.Sqrt(x.Value*y.Value), math.Exp(metric.Median(factors)/2)
	x.Spread, y.Spread = x.Spread/x.Value*middle*by, y.Spread/y.Value*middle/by
	x.Value, y.Value = middle*by, middle/by
	return x, y
}

// numbered lists rounds in their order.
func numbered(rounds map[int]float64) (at []int, values []float64) {
	for _, n := range slices.Sorted(maps.Keys(rounds)) {
		at, values = append(at, n), append(values, rounds[n])
	}
	return at, values
}

// skewed is how many times its median a mean must be for a doubt: a few searches that took very long then
// make the mean, and it is of the machine rather than of the index.
const skewed = 2

// Skewed reports whether the mean search time is so many times the median that it is a doubt about the row.
func (r *Row) Skewed() bool {
	mean, ok1 := r.Value(metric.Mean)
	p50, ok2 := r.Value(metric.P50)
	if !ok1 || !ok2 || p50.Median <= 0 {
		return false
	}
	return mean.Median/p50.Median >= skewed
}
