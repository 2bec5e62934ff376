package judge

import (
	"cmp"
	"math"
	"slices"

	"annbench/bench/metric"
)

// Verdict is which index to take under some terms: the family of most queries a second at one recall.
// Families are compared at equal recall: see [Report.Match].
type Verdict struct {
	Terms   Terms
	Target  float64 // the recall
	Outcome Outcome
	// Fast are the families that come up to Target, the fastest first; see [Verdict.Answer].
	Fast []Match
	// Tied are those of Fast whose speed cannot be told from the answer's.
	Tied []Match
	// Frugal is the family that takes least of both memory and build time among the answer and Tied,
	// empty where none does.
	Frugal string
	// Choices are the settings that speak for the families under Terms.
	Choices []Choice
	// Highest is the choice of highest recall; nil where nothing has one.
	Highest *Choice
	// Wishes are what to take where something else matters more than speed at Target.
	Wishes []Wish
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

// Decide answers which index to take under the terms in focus, at recall [Target].
func (r *Report) Decide() Verdict {
	v := Verdict{Terms: r.Focus, Target: Target, Choices: r.Choose(r.Focus)}
	matches := r.Match(v.Terms, v.Target, metric.QPS)
	v.Fast = Fastest(matches)
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
		v.Outcome = NoneReach
		return v
	}
	best := v.Fast[0]
	for _, m := range v.Fast[1:] {
		if TieOf(best.Value.Against(m.Value)) == Tied {
			v.Tied = append(v.Tied, m)
		}
	}
	v.Frugal = frugal(append([]Match{best}, v.Tied...))
	v.Wishes = r.wishes(&v, matches)
	return v
}

// Fastest are the matches that reach the target, those of highest value first; equal ones stay in
// order.
func Fastest(matches []Match) []Match {
	var out []Match
	for _, m := range matches {
		if m.Reached() && m.Value.Median > 0 {
			out = append(out, m)
		}
	}
	slices.SortStableFunc(out, func(a, b Match) int { return cmp.Compare(b.Value.Median, a.Value.Median) })
	return out
}

// less is by how much a setting must take less of something to be worth naming: below that, sizes and
// times of builds vary from run to run.
const less = 0.95

// frugal is the family that takes least of both memory and build time, empty where none does.
func frugal(matches []Match) string {
	least := func(name string) (family string) {
		low := math.Inf(1)
		for _, m := range matches {
			if v, ok := m.Setting.Value(name); ok && v.Median < low*less {
				low, family = v.Median, m.Family.Name
			}
		}
		return family
	}
	if family := least(metric.Resident); family == least(metric.Build) {
		return family
	}
	return ""
}

// wishes are what other limits would cost, each against the answer at the target.
func (r *Report) wishes(v *Verdict, matches []Match) []Wish {
	var out []Wish
	best := v.Answer()
	for _, target := range r.Targets {
		if target == v.Target {
			continue
		}
		w := Wish{Kind: OtherRecall, Target: target}
		if at := Fastest(r.Match(v.Terms, target, metric.QPS)); len(at) > 0 {
			w.Take, w.Against = &at[0], at[0].Value.Against(best.Value)
			if target < v.Target && w.Take.Setting == best.Setting && TieOf(w.Against) != Apart {
				continue // the answer's own setting finds more already: nothing to gain
			}
		}
		out = append(out, w)
	}
	out = append(out, thrift(best, matches, metric.Resident)...)
	out = append(out, thrift(best, matches, metric.Build)...)
	if w, ok := r.tail(v, matches); ok {
		out = append(out, w)
	}
	return out
}

// thrift names what takes little of a quantity among those that come up to the target: the fastest of
// those within 5 % of the least; and the fastest of those that take at most half of what the answer
// takes. Where something below the target takes much less still, it names that.
func thrift(best *Match, matches []Match, name string) []Wish {
	own, ok := best.Setting.Value(name)
	if !ok {
		return nil
	}
	take := func(m *Match) float64 {
		if v, ok := m.Setting.Value(name); ok && m.Value.Median > 0 {
			return v.Median
		}
		return math.Inf(1)
	}
	fastestWithin := func(bound float64) (found *Match) {
		for i := range matches {
			if m := &matches[i]; m.Reached() && take(m) <= bound && (found == nil || m.Value.Median > found.Value.Median) {
				found = m
			}
		}
		return found
	}
	least, low := math.Inf(1), math.Inf(1)
	var lowest *Match
	for i := range matches {
		switch m := &matches[i]; {
		case m.Reached():
			least = min(least, take(m))
		case m.Reach == Below && take(m) < low:
			low, lowest = take(m), m
		}
	}
	var out []Wish
	add := func(kind WishKind, m *Match) {
		if !slices.ContainsFunc(out, func(o Wish) bool { return o.Take.Family.Name == m.Family.Name }) {
			out = append(out, Wish{Kind: kind, Quantity: name, Take: m, Amount: take(m), Own: own.Median, Against: m.Value.Against(best.Value)})
		}
	}
	for _, bound := range []float64{own.Median / 2, least / less} {
		if m := fastestWithin(bound); m != nil && m.Family.Name != best.Family.Name && take(m) < own.Median*less {
			add(LessOf, m)
		}
	}
	if lowest != nil && low < min(least, own.Median)/2 {
		add(LeastOf, lowest)
	}
	return out
}

// tail names the family of shortest p99 at the target, where that is another than the answer.
func (r *Report) tail(v *Verdict, matches []Match) (w Wish, ok bool) {
	var own, first *Match
	tails := r.Match(v.Terms, v.Target, metric.P99)
	for i, m := range tails {
		if !m.Reached() {
			continue
		}
		if m.Family.Name == v.Answer().Family.Name {
			own = &tails[i]
		}
		if first == nil || m.Value.Median < first.Value.Median {
			first = &tails[i]
		}
	}
	if own == nil || first == own || TieOf(own.Value.Against(first.Value)) != Apart {
		return w, false
	}
	w = Wish{Kind: FastTail, Quantity: metric.P99, Take: first, Amount: first.Value.Median, Own: own.Value.Median}
	for _, m := range matches {
		if m.Family.Name == first.Family.Name && m.Reached() {
			w.Against = m.Value.Against(v.Answer().Value)
		}
	}
	return w, w.Against.Difference > 0
}
