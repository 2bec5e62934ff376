package judge

import (
	"math"
	"slices"

	"annbench/bench/metric"
	"annbench/bench/record"
)

// Verdict is which index to take under some terms: what [Report.Pick] takes where recall is [Target] or more.
type Verdict struct {
	Terms   Terms
	Target  float64 // the recall
	Outcome Outcome
	// Clock is what speeds go by, and BuildTime the quantity that builds do: see [Report.BuildTime].
	Clock     Clock
	BuildTime string
	// Fast are the settings that come up to Target, one a family, the answer first and the others by speed:
	// Value is [Speed] as it was measured. See [Verdict.Answer].
	Fast []Match
	// Tied are those of Fast, without the answer, that are as fast as the fastest but for [Slight], where
	// the answer is one of these.
	Tied []Match
	// Reason is why the answer is what it is.
	Reason Reason
	// OnCPU is the share on the processor of what was timed, 0 where that was not measured; TooBusy says that
	// it is below [Busy].
	OnCPU   float64
	TooBusy bool
	// Choices are the settings that speak for the families under Terms.
	Choices []Choice
	// Highest is the choice of highest recall, of NoneReach the [Pick.Nearest]; nil where nothing has one.
	Highest *Choice
	// Wishes are what to take where something else matters more than speed at Target.
	Wishes []Wish
	// Call is what the answer owes to the mere call of a library.
	Call Call
}

// Outcome is how a [Verdict] came out.
type Outcome int

// The outcomes.
const (
	Answered  Outcome = iota // a family comes up to the target
	NoneReach                // none does: Highest comes nearest
	NoSpeed                  // Highest does, but no setting that does has a QPS
	NoRecall                 // nothing was measured
)

// Answer is the family to take, nil where Outcome is not Answered.
func (v *Verdict) Answer() *Match {
	if len(v.Fast) == 0 {
		return nil
	}
	return &v.Fast[0]
}

// Exact is the fastest exact family that comes up to the target, or nil.
func (v *Verdict) Exact() *Match {
	for i := range v.Fast {
		if v.Fast[i].Family.Exact {
			return &v.Fast[i]
		}
	}
	return nil
}

// Wish is what one takes instead of the answer where something else matters more.
type Wish struct {
	Kind     WishKind
	Target   float64 // the recall, of OtherRecall
	Quantity string  // of LessOf, LeastOf
	// Take is what to take; nil where nothing measured grants the wish, which only OtherRecall has.
	Take *Match
	// Same says that Take is the answer's own setting.
	Same bool
	// Amount and Own are how much of Quantity (of FastTail: of p99) Take and the answer take.
	Amount, Own float64
	// Against is the speed of Take against the answer's.
	Against Difference
}

// WishKind is what matters more in a [Wish].
type WishKind int

// The kinds of wishes.
const (
	OtherRecall WishKind = iota // another recall than Target
	LessOf                      // less of a quantity, at Target
	LeastOf                     // less of a quantity, even below Target
	FastTail                    // the slowest queries
)

// at is the candidate as a match that was measured, not interpolated.
func (c Candidate) at() Match {
	recall, _ := c.Row.Value(metric.Recall)
	return Match{Family: c.Family, Reach: Beyond, Value: c.Speed, Recall: recall.Median, Setting: c.Row}
}

// Decide answers which index to take under the terms in focus, at recall [Target].
func (r *Report) Decide() Verdict {
	v := Verdict{Terms: r.Focus, Target: Target, Clock: r.Clock(r.Focus), BuildTime: r.BuildTime(r.Focus), Choices: r.Choose(r.Focus)}
	p := r.Pick(v.Terms, []Limit{{metric.Recall, v.Target}})
	v.Reason, v.OnCPU, v.TooBusy = p.Reason, p.OnCPU, p.TooBusy
	for i, c := range p.Fit {
		v.Fast = append(v.Fast, c.at())
		if i > 0 && c.Tied && p.Best.Tied {
			v.Tied = append(v.Tied, c.at())
		}
	}
	var high float64
	for i, c := range v.Choices {
		if c.Row == nil {
			continue
		}
		if recall, _ := c.Row.Value(metric.Recall); v.Highest == nil || recall.Median > high {
			v.Highest, high = &v.Choices[i], recall.Median
		}
	}
	switch {
	case len(v.Fast) > 0:
	case v.Highest == nil:
		v.Outcome = NoRecall
		return v
	case v.Highest.Reached:
		v.Outcome = NoSpeed
		return v
	default:
		if v.Outcome = NoneReach; p.Nearest != nil {
			v.Highest = &Choice{Family: p.Nearest.Family, Row: p.Nearest.Row}
		}
		return v
	}
	v.Wishes, v.Call = r.wishes(&v), v.call()
	return v
}

// Fastest are the matches that reach the target, the fastest first ([bySpeed]); equal ones stay in
// order.
func Fastest(matches []Match) []Match {
	var out []Match
	for _, m := range matches {
		if m.Reached() && m.Value.Median > 0 {
			out = append(out, m)
		}
	}
	slices.SortStableFunc(out, func(a, b Match) int { return bySpeed(a.Value, b.Value) })
	return out
}

// worth reports whether taking less of something pays: gain is how many times less, d the speed against the
// answer's. Nobody takes 12 % less memory for 30 times the time; half of it for up to four times the time, some
// do. The bound is the square of the gain.
func worth(gain float64, d Difference) bool { return d.Difference > 0 && 1/d.Difference <= gain*gain }

// wishes are what other limits would cost, each against the answer at the target.
func (r *Report) wishes(v *Verdict) []Wish {
	var out []Wish
	best := v.Answer()
	for _, target := range r.Targets {
		if target == v.Target {
			continue
		}
		w := Wish{Kind: OtherRecall, Target: target}
		if p := r.Pick(v.Terms, []Limit{{metric.Recall, target}}); p.Best != nil {
			take := p.Best.at()
			w.Take, w.Against, w.Same = &take, take.Value.Judged(best.Value), take.Setting == best.Setting
			if target < v.Target && (w.Same || w.Against.Difference <= 1 || TieOf(w.Against) == Tied) {
				continue // the answer finds more already: nothing to gain
			}
		}
		out = append(out, w)
	}
	out = append(out, r.thrift(v, metric.Resident)...)
	out = append(out, r.thrift(v, v.BuildTime)...)
	if w, ok := tail(v); ok {
		out = append(out, w)
	}
	return out
}

// thrift names what takes little of a quantity among those that come up to the target: the fastest of
// those within 5 % of the least; and the fastest of those that take at most half of what the answer
// takes. Where something below the target takes much less still, it names that.
func (r *Report) thrift(v *Verdict, name string) []Wish {
	best := v.Answer()
	own, ok := best.Setting.Value(name)
	if !ok {
		return nil
	}
	take := func(row *Row) float64 {
		if v, ok := row.Value(name); ok {
			return v.Median
		}
		return math.Inf(1)
	}
	within := func(bound float64) (found *Candidate) {
		p := r.Pick(v.Terms, []Limit{{metric.Recall, v.Target}})
		for i := range p.Fit {
			if c := &p.Fit[i]; take(c.Row) <= bound && (found == nil || c.Speed.Median > found.Speed.Median) {
				found = c
			}
		}
		return found
	}
	least, low := math.Inf(1), math.Inf(1)
	for _, m := range v.Fast {
		least = min(least, take(m.Setting))
	}
	var lowest *Match
	for _, c := range v.Choices {
		if c.Row == nil || c.Reached || take(c.Row) >= low {
			continue
		}
		if speed, ok := c.Row.Value(Speed); ok && speed.Median > 0 {
			recall, _ := c.Row.Value(metric.Recall)
			low, lowest = take(c.Row), &Match{Family: c.Family, Reach: Below, Value: speed, Recall: recall.Median, Setting: c.Row}
		}
	}
	var out []Wish
	add := func(kind WishKind, m Match) {
		w := Wish{Kind: kind, Quantity: name, Take: &m, Amount: take(m.Setting), Own: own.Median, Against: m.Value.Judged(best.Value)}
		known := slices.ContainsFunc(out, func(o Wish) bool { return o.Take.Family.Name == m.Family.Name })
		if !known && worth(w.Own/w.Amount, w.Against) {
			out = append(out, w)
		}
	}
	for _, bound := range []float64{own.Median / 2, least / less} {
		if c := within(bound); c != nil && c.Family.Name != best.Family.Name && take(c.Row) < own.Median*less {
			add(LessOf, c.at())
		}
	}
	if lowest != nil && low < min(least, own.Median)/2 {
		add(LeastOf, *lowest)
	}
	return out
}

// tail names the setting of shortest p99 of those that come up to the target, where that is another family's
// than the answer and its percentiles are worth something.
func tail(v *Verdict) (w Wish, ok bool) {
	best := v.Answer()
	own, ok := best.Setting.Value(metric.P99)
	if !ok || v.TooBusy {
		return w, false
	}
	low := own.Median
	var first *Match
	for i := range v.Fast {
		if x, ok := v.Fast[i].Setting.Value(metric.P99); ok && x.Median < low && TieOf(own.Against(x)) == Apart {
			low, first = x.Median, &v.Fast[i]
		}
	}
	if first == nil {
		return w, false
	}
	w = Wish{Kind: FastTail, Quantity: metric.P99, Take: first, Amount: low, Own: own.Median, Against: first.Value.Judged(best.Value)}
	return w, worth(w.Own/w.Amount, w.Against)
}

// WithoutCPU counts the records under terms t that should have a processor time and have none, of how many: those that
// ended well, but for servers'.
func (r *Report) WithoutCPU(t Terms) (lack, of int) {
	for _, row := range r.Rows {
		for _, rec := range row.Reps {
			if TermsOf(row.Cell) != t || rec.Status != record.OK || remote(rec) {
				continue
			}
			of++
			if rec.Values[metric.CPU] <= 0 {
				lack++
			}
		}
	}
	return lack, of
}
