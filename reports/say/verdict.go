package say

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/reports/judge"
)

// Verdict is the answer in words: which index to take under the terms in focus, how sure that is, and
// what other wishes would cost. Families are compared at equal recall: see [Report.Match].
type Verdict struct {
	Answer   string // the family, or what is to be said where there is none
	Setting  string // of the family; empty where it has none or there is no answer
	Tied     string // the families that cannot be told from Answer in speed, joined; may be empty
	Question string // what Answer answers
	Meaning  string // of the recall in Question
	Why      []string
	Sure     []string // how sure that is
	Wishes   []Wish
	// Match is the answer's place among the families; nil where there is no answer.
	Match *judge.Match
}

// Wish is what one takes instead of the answer where something else matters more.
type Wish struct {
	If      string // "recall 0.99 is a must"
	Family  string
	Setting string
	Gain    string // "10.3 MiB instead of 16.8 MiB"
	Cost    string // "1.9 times the time a query"
}

// Verdict decides by speed at [Target], and says what cannot be told apart.
func VerdictOf(r *judge.Report) Verdict {
	t := r.Focus
	choices := r.Choose(t)
	matches := r.Match(t, judge.Target, metric.QPS)
	fast := judge.Fastest(matches)
	machines := "this machine"
	if len(r.Envs) > 1 {
		machines = "these machines"
	}
	v := Verdict{
		Question: fmt.Sprintf("On this data and %s, at recall@%d %.2f:", machines, t.K, judge.Target),
		Meaning:  fmt.Sprintf("recall@%d %.2f: of the %d true nearest neighbours of a query, %s are found on average", t.K, judge.Target, t.K, Short(Significant(judge.Target*float64(t.K)))),
	}
	if len(fast) == 0 {
		v.none(choices, t)
		return v
	}
	best := fast[0]
	v.Match = &best
	v.Answer, v.Setting = best.Family.Name, Clean(best.Setting.Cell.Settings())
	var same []judge.Match
	for _, m := range fast[1:] {
		if judge.TieOf(best.Value.Against(m.Value)) == judge.Tied {
			same = append(same, m)
		}
	}
	v.Tied = And(judge.Names(same))

	v.Why = append(v.Why, speedOf(best, fast, t))
	v.Why = append(v.Why, runnerUp(fast, same))
	if s := costs(best.Setting, t); s != "" {
		v.Why = append(v.Why, s)
	}
	if s := below(choices); s != "" {
		v.Why = append(v.Why, s)
	}
	v.Sure = sure(r, fast, t)
	v.Wishes = wishes(r, best, matches, t)
	return v
}

// speedOf says how fast the answer is, and what that is against exact search.
func speedOf(best judge.Match, fast []judge.Match, t judge.Terms) string {
	s := fmt.Sprintf("At that recall it answers %s", Measured(metric.QPS, best.Value, " queries a second"))
	if t.Mode == record.Latency {
		s += fmt.Sprintf(", one at a time on one thread: %s each", Format(metric.Seconds, 1/best.Value.Median))
	}
	base := judge.FastestExactMatch(fast)
	switch {
	case best.Family.Exact && len(fast) > 1 && slices.ContainsFunc(fast, func(m judge.Match) bool { return !m.Family.Exact }):
		return s + ". This is exact search: of the approximate indexes that come up to the target, none is faster here, so there is nothing to gain from one."
	case best.Family.Exact:
		return s + fmt.Sprintf(". This is exact search; no approximate index came up to recall %.2f.", judge.Target)
	case base == nil:
		s += ". No exact search was measured beside it."
	default:
		d := best.Value.Against(base.Value)
		s += fmt.Sprintf(". That is %s as fast as exact search (%s, %s)", factor(d), base.Family.Name, Significant(base.Value.Median))
		if judge.TieOf(d) == judge.Tied {
			s += ", but these measurements do not show that leaving exact search pays: the interval holds 1"
		}
		s += "."
	}
	if best.Reach == judge.Beyond && !best.Family.Exact {
		s += fmt.Sprintf(" Its fastest setting finds %s, so a recall of %.2f has no price of its own here.", Ratio(best.Recall), judge.Target)
	}
	return s
}

func (v *Verdict) none(choices []judge.Choice, t judge.Terms) {
	var best *judge.Choice
	for i, c := range choices {
		if c.Row == nil {
			continue
		}
		x, _ := c.Row.Value(metric.Recall)
		if best == nil {
			best = &choices[i]
		} else if y, _ := best.Row.Value(metric.Recall); x.Median > y.Median {
			best = &choices[i]
		}
	}
	if best == nil {
		v.Answer = "nothing was measured"
		v.Why = []string{"No cell ended with a recall. Each failure stands, with its error, below."}
		return
	}
	recall, _ := best.Row.Value(metric.Recall)
	if best.Reached {
		v.Answer = "speed was not measured"
		v.Why = []string{fmt.Sprintf("%s comes up to recall@%d %s, but no setting that does has a QPS.", best.Family.Name, t.K, Ratio(recall.Median))}
		return
	}
	v.Answer = "none of these indexes"
	v.Why = []string{fmt.Sprintf("No setting comes up to the target. The highest recall@%d is %s, by %s.", t.K, Ratio(recall.Median), strings.TrimSpace(best.Family.Name+" "+Clean(best.Row.Cell.Settings())))}
	if s := below(choices); s != "" {
		v.Why = append(v.Why, s)
	}
}

// runnerUp says who is next and whether the difference is more than noise.
func runnerUp(fast, same []judge.Match) string {
	if len(fast) == 1 {
		return "No other family comes up to the target."
	}
	a, b := fast[0], fast[1]
	d := a.Value.Against(b.Value)
	s := fmt.Sprintf("Runner-up: %s, %s queries a second", strings.TrimSpace(b.Family.Name+" "+Clean(b.Setting.Cell.Settings())), Significant(b.Value.Median))
	switch judge.TieOf(d) {
	case judge.Unknown:
		return fmt.Sprintf("%s; %s is %s as fast by %s each, a difference that another run could turn round. Measure at least three repetitions before relying on it.", s, a.Family.Name, factor(d), Plural(min(a.Value.N, b.Value.N), "measurement", "measurements"))
	case judge.Tied:
		s += "."
	default:
		s += fmt.Sprintf("; %s is %s as fast, more than the noise.", a.Family.Name, factor(d))
	}
	switch len(same) {
	case 0:
		return s
	case 1:
		return s + fmt.Sprintf(" These measurements cannot tell %s from %s in speed: let memory and build time decide. %s", a.Family.Name, same[0].Family.Name, beside(a, same))
	}
	return s + fmt.Sprintf(" These measurements cannot tell %s from %s in speed: let memory and build time decide. %s", a.Family.Name, And(judge.Names(same)), beside(a, same))
}

// beside puts memory and build time of tied families side by side.
func beside(a judge.Match, same []judge.Match) string {
	var parts []string
	for _, m := range append([]judge.Match{a}, same...) {
		var words []string
		if x, ok := m.Setting.Value(metric.Resident); ok {
			words = append(words, Quantity(metric.Resident, x.Median))
		}
		if x, ok := m.Setting.Value(metric.Build); ok {
			words = append(words, Quantity(metric.Build, x.Median)+" to build")
		}
		if len(words) == 0 {
			return ""
		}
		parts = append(parts, m.Family.Name+" takes "+And(words))
	}
	return strings.Join(parts, "; ") + "." + frugal(a, same)
}

// frugal names the family that takes least of both memory and build time, if one does.
func frugal(a judge.Match, same []judge.Match) string {
	least := func(name string) (family string) {
		low := math.Inf(1)
		for _, m := range append([]judge.Match{a}, same...) {
			if v, ok := m.Setting.Value(name); ok && v.Median < low*less {
				low, family = v.Median, m.Family.Name
			}
		}
		return family
	}
	family := least(metric.Resident)
	if family == "" || family != least(metric.Build) {
		return ""
	}
	return fmt.Sprintf(" Of both, %s takes least: take it, unless more repetitions tell them apart.", family)
}

func costs(row *judge.Row, t judge.Terms) string {
	var parts []string
	if x, ok := row.Value(metric.Resident); ok {
		parts = append(parts, Quantity(metric.Resident, x.Median)+" of memory")
	}
	if x, ok := row.Value(metric.Build); ok {
		parts = append(parts, Quantity(metric.Build, x.Median)+" to build")
	}
	if x, ok := row.Value(metric.P99); ok {
		parts = append(parts, "99 % of queries within "+Quantity(metric.P99, x.Median))
	}
	s := ""
	if len(parts) > 0 {
		recall, _ := row.Value(metric.Recall)
		s = fmt.Sprintf("The setting to use, measured at recall %s, takes %s.", Ratio(recall.Median), And(parts))
	}
	if m, ok := row.Value(metric.MAP); ok {
		s += fmt.Sprintf(" Its mAP@%d is %s", t.K, Ratio(m.Median))
		if e, ok := row.Value(metric.MAPExact); ok {
			s += fmt.Sprintf("; that of exact search is %s", Ratio(e.Median))
		}
		lo, ok1 := row.Value(metric.MAPDeltaLo)
		hi, ok2 := row.Value(metric.MAPDeltaHi)
		if ok1 && ok2 {
			if lo.Median <= 0 && 0 <= hi.Median {
				s += ", which is no difference that these queries can show"
			} else if d, ok := row.Value(metric.MAPDelta); ok {
				s += fmt.Sprintf(", so approximation costs %s of it (%s to %s)", Signed(d.Median), Signed(lo.Median), Signed(hi.Median))
			}
		}
		s += "."
	}
	return strings.TrimSpace(s)
}

// below says which families stay out, and why.
func below(choices []judge.Choice) string {
	var low, lost []string
	for _, c := range choices {
		switch {
		case c.Row == nil:
			status := record.Status("no recall")
			if fails := c.Family.Rows[0].Failures(); len(fails) > 0 {
				status = fails[0].Status
			}
			lost = append(lost, fmt.Sprintf("%s (%s)", c.Family.Name, status))
		case !c.Reached:
			x, _ := c.Row.Value(metric.Recall)
			low = append(low, fmt.Sprintf("%s (at most %s)", c.Family.Name, Ratio(x.Median)))
		}
	}
	var out []string
	if len(low) > 0 {
		out = append(out, "Below the target at every setting measured: "+And(low)+".")
	}
	if len(lost) > 0 {
		out = append(out, "Not measured: "+And(lost)+".")
	}
	return strings.Join(out, " ")
}

// sure says what the answer rests on.
func sure(r *judge.Report, fast []judge.Match, t judge.Terms) []string {
	var out []string
	n := fast[0].Value.N
	switch {
	case n < judge.Enough:
		out = append(out, fmt.Sprintf("Each setting was measured %s: nothing here says how much of a difference is noise. Repeat the sweep with repetitions: 6.", [...]string{"once", "once", "twice"}[n]))
	case len(fast) > 1:
		d := fast[0].Value.Against(fast[1].Value)
		s := fmt.Sprintf("It rests on %s, each with a build of its own, taking turns with the others'.", Plural(n, "repetition", "repetitions"))
		if d.OK && d.Detectable > 1 && d.Detectable < 100 {
			s += fmt.Sprintf(" With this noise, a difference in speed of %s would have been found four times in five; smaller ones may hide.", Percent(d.Detectable-1))
		}
		out = append(out, s)
	default:
		out = append(out, fmt.Sprintf("It rests on %s, each with a build of its own.", Plural(n, "repetition", "repetitions")))
	}
	if src := r.Source(t.Dataset); src != nil && len(r.Envs) > 0 {
		where := "this machine"
		if len(r.Envs) > 1 {
			where = Plural(len(r.Envs), "environment", "environments") + ", which differ"
		} else if e := r.Envs[0].Env; e.CPU != "" {
			where = e.CPU
			if e.Cores > 0 {
				where += ", " + Plural(e.Cores, "core", "cores")
			}
		}
		out = append(out, fmt.Sprintf("It is said of this data (%s, %s of %d dimensions, %s) and of %s. Other data has other neighbours, and another processor other speeds: ratios travel better than times.",
			src.Dataset.Name, Plural(src.Dataset.Base, "vector", "vectors"), src.Dataset.Dim, Plural(src.Dataset.Queries, "query", "queries"), where))
	}
	return out
}

// wishes says what other limits would cost, each against the answer at the target.
func wishes(r *judge.Report, best judge.Match, matches []judge.Match, t judge.Terms) []Wish {
	var out []Wish
	for _, target := range r.Targets {
		if target == judge.Target {
			continue
		}
		word := "is enough"
		if target > judge.Target {
			word = "is a must"
		}
		w := Wish{If: fmt.Sprintf("recall %.2f %s", target, word)}
		at := judge.Fastest(r.Match(t, target, metric.QPS))
		if len(at) == 0 {
			w.Cost = "no setting measured finds so much"
			out = append(out, w)
			continue
		}
		m := at[0]
		w.Family, w.Setting = m.Family.Name, Clean(m.Setting.Cell.Settings())
		d := m.Value.Against(best.Value)
		w.Gain = Significant(m.Value.Median) + " queries a second"
		w.Cost = against(d)
		if target < judge.Target && m.Setting == best.Setting && judge.TieOf(d) != judge.Apart {
			continue // the answer's own setting finds more already: nothing to gain
		}
		out = append(out, w)
	}
	out = append(out, thrift(r, best, matches, metric.Resident, "memory is short")...)
	out = append(out, thrift(r, best, matches, metric.Build, "the index is rebuilt often")...)
	if w, ok := tail(r, best, t); ok {
		out = append(out, w)
	}
	return out
}

// against says what a speed is against the answer's.
func against(d judge.Difference) string {
	switch {
	case judge.TieOf(d) == judge.Tied:
		return "as fast, within the noise"
	case d.Difference >= 1:
		return factor(d) + " as fast"
	}
	inverse := judge.Difference{Difference: 1 / d.Difference, Lo: 1 / d.Hi, Hi: 1 / d.Lo, OK: d.OK}
	return factor(inverse) + " the time a query"
}

// less is by how much a setting must take less of something to be worth naming: below that, sizes and
// times of builds vary from run to run.
const less = 0.95

// thrift names what takes little of a quantity among those that come up to the target: the fastest of
// those within 5 % of the least; and the fastest of those that take at most half of what the answer
// takes. Where something below the target takes much less still, it names that.
func thrift(r *judge.Report, best judge.Match, matches []judge.Match, name, wish string) []Wish {
	own, ok := best.Setting.Value(name)
	if !ok {
		return nil
	}
	take := func(m *judge.Match) float64 {
		if v, ok := m.Setting.Value(name); ok && m.Value.Median > 0 {
			return v.Median
		}
		return math.Inf(1)
	}
	fastestWithin := func(bound float64) (found *judge.Match) {
		for i := range matches {
			if m := &matches[i]; m.Reached() && take(m) <= bound && (found == nil || m.Value.Median > found.Value.Median) {
				found = m
			}
		}
		return found
	}
	least, low := math.Inf(1), math.Inf(1)
	var lowest *judge.Match
	for i := range matches {
		switch m := &matches[i]; {
		case m.Reached():
			least = min(least, take(m))
		case m.Reach == judge.Below && take(m) < low:
			low, lowest = take(m), m
		}
	}
	var out []Wish
	add := func(m *judge.Match, wish, cost string) {
		w := Wish{
			If: wish, Family: m.Family.Name, Setting: Clean(m.Setting.Cell.Settings()), Cost: cost,
			Gain: fmt.Sprintf("%s instead of %s", Quantity(name, take(m)), Quantity(name, own.Median)),
		}
		if !slices.ContainsFunc(out, func(o Wish) bool { return o.Family == w.Family }) {
			out = append(out, w)
		}
	}
	for _, bound := range []float64{own.Median / 2, least / less} {
		if m := fastestWithin(bound); m != nil && m.Family.Name != best.Family.Name && take(m) < own.Median*less {
			add(m, wish, against(m.Value.Against(best.Value)))
		}
	}
	if lowest != nil && low < min(least, own.Median)/2 {
		add(lowest, wish+", and recall may fall", fmt.Sprintf("recall %s at most", Ratio(lowest.Recall)))
	}
	return out
}

// tail names the family of shortest p99 at the target, where that is another than the answer.
func tail(r *judge.Report, best judge.Match, t judge.Terms) (w Wish, ok bool) {
	var own, first *judge.Match
	matches := r.Match(t, judge.Target, metric.P99)
	for i, m := range matches {
		if !m.Reached() {
			continue
		}
		if m.Family.Name == best.Family.Name {
			own = &matches[i]
		}
		if first == nil || m.Value.Median < first.Value.Median {
			first = &matches[i]
		}
	}
	if own == nil || first == own || judge.TieOf(own.Value.Against(first.Value)) != judge.Apart {
		return w, false
	}
	var speed judge.Difference
	for _, m := range r.Match(t, judge.Target, metric.QPS) {
		if m.Family.Name == first.Family.Name && m.Reached() {
			speed = m.Value.Against(best.Value)
		}
	}
	return Wish{
		If: "the slowest queries matter most", Family: first.Family.Name, Setting: Clean(first.Setting.Cell.Settings()),
		Gain: fmt.Sprintf("99 %% of queries within %s instead of %s", Quantity(metric.P99, first.Value.Median), Quantity(metric.P99, own.Value.Median)),
		Cost: against(speed),
	}, speed.Difference > 0
}
