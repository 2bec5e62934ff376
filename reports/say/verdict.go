package say

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/reports/judge"
)

// Answer is a verdict in words: which index to take, how sure that is, and what other wishes cost.
type Answer struct {
	Lead     string // what stands before the family: "exact search is enough here"; mostly empty
	Family   string // or what is to be said where there is none
	Setting  string // of the family; empty where it has none or there is no answer
	Tied     string // the families that cannot be told from it in speed, joined; may be empty
	Question string // what it answers
	Meaning  string // of the recall in Question
	Why      []string
	Sure     []string // how sure that is
	Wishes   []Wish
	Rule     string // by which wishes of less memory or build time are chosen; empty where there are none
}

// Wish is a [judge.Wish] in words.
type Wish struct {
	If      string // "recall 0.99 is a must"
	Family  string
	Setting string
	Gain    string // "10.3 MiB instead of 16.8 MiB"
	Cost    string // "1.9 times the time a query"
}

// Verdict puts a verdict on r into words.
func Verdict(r *judge.Report, v judge.Verdict) Answer {
	t := v.Terms
	machines := "this machine"
	if len(r.Envs) > 1 {
		machines = "these machines"
	}
	a := Answer{
		Question: fmt.Sprintf("On this data and %s, at recall@%d %.2f:", machines, t.K, v.Target),
		Meaning:  fmt.Sprintf("recall@%d %.2f: of the %d true nearest neighbours of a query, %s are found on average", t.K, v.Target, t.K, Short(Significant(v.Target*float64(t.K)))),
	}
	why := func(sentences ...string) {
		for _, s := range sentences {
			if s != "" {
				a.Why = append(a.Why, s)
			}
		}
	}
	switch v.Outcome {
	case judge.NoRecall:
		a.Family = "nothing was measured"
		why("No cell ended with a recall. Each failure is listed with its error.")
	case judge.NoSpeed:
		a.Family = "speed was not measured"
		recall, _ := v.Highest.Row.Value(metric.Recall)
		why(fmt.Sprintf("%s comes up to recall@%d %s, but no setting that does has a QPS.", v.Highest.Family.Name, t.K, Ratio(recall.Median)))
	case judge.NoneReach:
		a.Family = "none of these indexes"
		why(fmt.Sprintf("No setting comes up to the target by the worse end of its interval. Nearest is %s, with a recall@%d of %s.", strings.TrimSpace(v.Highest.Family.Name+" "+Settings(v.Highest.Row.Cell)), t.K, recallAtWorst(v.Highest.Row)), below(v.Choices))
	case judge.Answered:
		best := v.Answer()
		a.Family, a.Setting, a.Tied = best.Family.Name, Settings(best.Setting.Cell), And(names(v.Tied))
		why(speedOf(v), runnerUp(v))
		if strings.Contains(strings.Join(a.Why, " "), "(paired") {
			why(Paired)
		}
		why(costs(v), clockOf(r, v), callOf(v.Call), below(v.Choices))
		if v.Reason == judge.ByExactEnough {
			a.Lead = "exact search is enough here"
		}
		if v.TooBusy {
			a.Question = strings.TrimSuffix(a.Question, ":") + " (the machine was too busy for p99):"
		}
		a.Sure = sure(r, v)
		for _, w := range v.Wishes {
			said := wish(v, w)
			if stronger, ok := most[said.If]; ok && slices.ContainsFunc(a.Wishes, func(o Wish) bool { return o.If == said.If }) {
				said.If = stronger
			}
			a.Wishes = append(a.Wishes, said)
			if w.Kind == judge.LessOf || w.Kind == judge.LeastOf {
				a.Rule = thriftRule
			}
		}
	}
	return a
}

// most are the words of the second wish for less of the same, which goes as far as any setting does.
var most = map[string]string{"memory is short": "memory counts most", "the index is rebuilt often": "the index is rebuilt all the time"}

func names(matches []judge.Match) []string {
	var out []string
	for _, m := range matches {
		out = append(out, m.Family.Name)
	}
	return out
}

// speedOf says how fast the answer is, as it was measured, and what that is against exact search.
func speedOf(v judge.Verdict) string {
	best, fast := v.Answer(), v.Fast
	s := fmt.Sprintf("Measured at recall %s, it answers %s", Ratio(best.Recall), Measured(metric.QPS, best.Value, " queries a second"+Clock(best.Setting.Clock())))
	if v.Terms.Mode == record.Latency {
		s += fmt.Sprintf(", one at a time on one thread: %s each", Format(metric.Seconds, 1/best.Value.Median))
	}
	base := v.Exact()
	switch {
	case v.Reason == judge.ByExactEnough && slices.ContainsFunc(fast, func(m judge.Match) bool { return !m.Family.Exact }):
		return s + ". Exact search is enough here: none of these measurements shows an approximate index to be faster" + slightly() + ", and exact search misses nothing."
	case best.Family.Exact && len(fast) > 1 && slices.ContainsFunc(fast, func(m judge.Match) bool { return !m.Family.Exact }):
		return s + ". This is exact search: of the approximate indexes that come up to the target, none is faster here, so there is nothing to gain from one."
	case best.Family.Exact && !slices.ContainsFunc(v.Choices, func(c judge.Choice) bool { return !c.Family.Exact }):
		return s + ". This is exact search; no approximate index was measured beside it."
	case best.Family.Exact:
		return s + fmt.Sprintf(". This is exact search; no approximate index came up to recall %.2f.", judge.Target)
	case base == nil:
		s += ". No exact search was measured beside it."
	default:
		d := best.Value.Judged(base.Value)
		s += fmt.Sprintf(". That is %s as fast as exact search (%s, %s)", factor(d), base.Family.Name, Significant(base.Value.Median))
		if judge.TieOf(d) == judge.Tied && d.OK {
			s += ", but these measurements do not show that leaving exact search pays: the interval holds 1"
		}
		s += "."
	}
	return s
}

// tooBusy says that the machine was too busy for percentiles: searches were on the processor for a share of the time.
func tooBusy(share float64) string {
	found := Percent(share)
	if found == Percent(judge.Busy) { // 79.7 % is less than 80 %
		found = fmt.Sprintf("%.1f %%", math.Floor(1000*share)/10)
	}
	return fmt.Sprintf("the machine was too busy for p99: searches were on the processor for %s of the time only (less than %s), so p99, the mean and wall-clock QPS say more about the machine than about an index.", found, Percent(judge.Busy))
}

// clockOf says which clock decides, and why; and whether percentiles are worth something.
func clockOf(r *judge.Report, v judge.Verdict) string {
	s := "Speeds go by wall-clock time: these records have no processor time."
	if lack, of := r.WithoutCPU(v.Terms); lack < of {
		s = fmt.Sprintf("Speeds go by wall-clock time: of %d records, %d %s no processor time.", of, lack, map[bool]string{true: "has", false: "have"}[lack == 1])
	}
	if v.Terms.Mode != record.Latency {
		s = ""
	}
	if v.Clock == judge.Processor {
		s = "Speeds"
		if v.BuildTime == metric.BuildCPU {
			s += ", and the build times in this answer,"
		}
		s += " go by processor time, those of servers by wall-clock time: other programs on the machine take wall time from one setting and not from another, but hardly any processor time."
	}
	switch {
	case v.TooBusy:
		s += " T" + strings.TrimPrefix(tooBusy(v.OnCPU), "t") + " The median, p90 and processor time hold."
	case v.OnCPU > 1.005:
		s += fmt.Sprintf(" Searches kept %s processors busy on average: beside the thread that searches, others of the same process work, such as a library's own or Go's garbage collector, and count.", strconv.FormatFloat(v.OnCPU, 'f', 2, 64))
	case v.OnCPU >= 0.995:
		s += " Searches were on the processor all of the time."
	case v.OnCPU > 0:
		s += fmt.Sprintf(" Searches were on the processor for %s of the time.", Percent(v.OnCPU))
	}
	return strings.TrimSpace(s)
}

// callOf says what the answer owes to the mere call of a library, in one sentence.
func callOf(c judge.Call) string {
	from := ""
	if c.Match.Setting != nil {
		from = From(c.Match.Setting.Caller)
	}
	floor := fmt.Sprintf("the call of %s%s takes %s on an index of a few vectors, of %s a query here", c.Match.Family.Name, from, Format(metric.Seconds, c.Floor), Format(metric.Seconds, c.Time))
	switch c.Kind {
	case judge.CallTurns:
		return "The answer rests on what the mere call costs: " + floor + ", and without that it would be the fastest."
	case judge.CallMost:
		return "More than half of the answer's time may be the call and not its search: " + floor + "."
	case judge.CallUnclear:
		return "What the mere call costs could not be told from the search: " + floor + "."
	}
	return ""
}

// runnerUp says who is next and whether the difference is more than noise.
func runnerUp(v judge.Verdict) string {
	fast, same := v.Fast, v.Tied
	if len(fast) == 1 {
		return "No other family comes up to the target."
	}
	a, b := fast[0], fast[1]
	d := a.Value.Judged(b.Value)
	s := fmt.Sprintf("Runner-up: %s, %s queries a second", strings.TrimSpace(b.Family.Name+" "+Settings(b.Setting.Cell)), Significant(b.Value.Median))
	switch {
	case v.Reason == judge.ByExactEnough:
		return fmt.Sprintf("%s. %s.", s, evenly(a, same))
	case len(same) > 0:
		return fmt.Sprintf("%s. %s: memory and build time decide. %s", s, evenly(a, same), beside(v))
	case judge.TieOf(d) == judge.Unknown:
		return fmt.Sprintf("%s; %s is %s as fast, but was measured %s only: another run could turn that round. Measure at least three repetitions before relying on it.", s, a.Family.Name, factor(d), [...]string{"once", "once", "twice"}[min(a.Value.N, b.Value.N, 2)])
	}
	return s + fmt.Sprintf("; %s is %s as fast, more than the noise.", a.Family.Name, factor(d))
}

// slight is [judge.Slight] in words.
var slight = fmt.Sprintf("%.0f %%", 100*judge.Slight)

// slightly is what a difference in speed has to exceed to count.
func slightly() string { return " by more than " + slight }

// evenly says that families are as fast as the fastest of them.
func evenly(a judge.Match, same []judge.Match) string {
	return fmt.Sprintf("These measurements do not show %s to differ in speed%s", And(append([]string{a.Family.Name}, names(same)...)), slightly())
}

// beside puts memory and build time of tied families side by side.
func beside(v judge.Verdict) string {
	var parts []string
	for _, m := range append([]judge.Match{v.Fast[0]}, v.Tied...) {
		var words []string
		if x, ok := m.Setting.Value(metric.Resident); ok {
			words = append(words, Quantity(metric.Resident, x.Median))
		}
		if x, ok := m.Setting.Value(v.BuildTime); ok {
			words = append(words, buildTime(v, x.Median)+" to build")
		}
		if len(words) == 0 {
			return ""
		}
		parts = append(parts, m.Family.Name+" takes "+And(words))
	}
	s := strings.Join(parts, "; ") + "."
	switch v.Reason {
	case judge.ByFrugal:
		s += fmt.Sprintf(" %s So %s is the answer.", thrift(v.BuildTime), v.Fast[0].Family.Name)
	case judge.ByFastest:
		s += fmt.Sprintf(" %s Here they do not differ in that, so the fastest, %s, is the answer.", thrift(v.BuildTime), v.Fast[0].Family.Name)
	}
	return s
}

// thrift says what decides between families that are as fast, where builds go by such a time. A second is
// [judge.Prompt], a quarter [judge.Alike].
func thrift(buildTime string) string {
	return "Between families that are as fast, the least memory times build time" + BuildClock(buildTime) + " decides (less than a second counts as one), or of those within a quarter of the least the shortest build."
}

// buildTime is a time of [judge.Report.BuildTime], with its clock where any time goes by the processor's.
func buildTime(v judge.Verdict, seconds float64) string {
	s := Quantity(v.BuildTime, seconds)
	if v.BuildTime == metric.BuildCPU {
		s += " of processor time"
	} else if v.Clock == judge.Processor {
		s += " of wall time"
	}
	return s
}

func costs(v judge.Verdict) string {
	row, t := v.Answer().Setting, v.Terms
	var parts []string
	if x, ok := row.Value(metric.Resident); ok {
		parts = append(parts, Quantity(metric.Resident, x.Median)+" of memory")
	}
	if x, ok := row.Value(v.BuildTime); ok {
		parts = append(parts, buildTime(v, x.Median)+" to build")
	}
	if x, ok := row.Value(metric.P99); ok && !v.TooBusy {
		parts = append(parts, "99 % of queries within "+Quantity(metric.P99, x.Median))
	}
	s := ""
	if len(parts) > 0 {
		s = fmt.Sprintf("It takes %s.", And(parts))
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
			most := "at most " + Ratio(x.Median)
			if x.Median >= judge.Target {
				most = recallAtWorst(c.Row)
			}
			low = append(low, fmt.Sprintf("%s (%s)", c.Family.Name, most))
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

// recallAtWorst is "0.960, at least 0.941": the recall, and the worse end of its interval, by which limits go.
func recallAtWorst(row *judge.Row) string {
	m := judge.MarginOf(row, judge.Limit{Name: metric.Recall, Bound: judge.Target})
	if m.Worst == m.Value.Median {
		return ratioApart(m.Value.Median, judge.Target)
	}
	return fmt.Sprintf("%s, at least %s", ratioApart(m.Value.Median, judge.Target), ratioApart(m.Worst, judge.Target))
}

// often has the words for numbers of repetitions below [judge.Enough].
var often = [...]string{"once", "once", "twice"}

// sure says what the answer rests on.
func sure(r *judge.Report, v judge.Verdict) []string {
	fast := v.Fast
	var out []string
	n, most := fast[0].Value.N, fast[0].Value.N
	for _, m := range fast {
		n, most = min(n, m.Value.N), max(most, m.Value.N)
	}
	switch {
	case n < judge.Enough && n < most:
		out = append(out, fmt.Sprintf("Some settings were measured %s, others up to %d times: nothing here says how much of a difference to the former is noise.", often[n], most))
	case n < judge.Enough:
		out = append(out, fmt.Sprintf("Each setting was measured %s: nothing here says how much of a difference is noise. Repeat the sweep with repetitions: 6.", often[n]))
	case len(fast) > 1:
		d := fast[0].Value.Judged(fast[1].Value)
		s := fmt.Sprintf("It rests on %s, each with a build of its own, taking turns with the others'.", Plural(n, "repetition", "repetitions"))
		if d.OK && d.Detectable > 1 && d.Detectable < 100 {
			s += fmt.Sprintf(" With this noise, a difference in speed of a factor of %s would have been found four times in five; smaller ones may hide.", FactorText(d.Detectable))
		}
		out = append(out, s)
	default:
		out = append(out, fmt.Sprintf("It rests on %s, each with a build of its own.", Plural(n, "repetition", "repetitions")))
	}
	if src := r.Source(v.Terms.Dataset); src != nil && len(r.Envs) > 0 {
		where := "this machine"
		if len(r.Envs) > 1 {
			where = Plural(len(r.Envs), "environment", "environments") + ", which differ"
		} else if e := r.Envs[0].Env; e.CPU != "" {
			where = e.CPU
			if e.Cores > 0 {
				where += ", " + Plural(e.Cores, "core", "cores")
			}
		}
		out = append(out, fmt.Sprintf("This holds for this data (%s, %s of %d dimensions, %s) and for %s. Other data has other neighbours, and another processor has other speeds; ratios change less than times.",
			src.Dataset.Name, Plural(src.Dataset.Base, "vector", "vectors"), src.Dataset.Dim, Plural(src.Dataset.Queries, "query", "queries"), where))
	}
	return out
}

// thriftRule says what [judge.Report.Decide] takes where less of something is wanted.
const thriftRule = "How the settings for little memory and for frequent rebuilds are chosen: the fastest that takes at most half of what the answer takes, and the fastest of those that take least. Half the memory or build time may cost four times the time a query, a third nine times; what costs more is not named."

// wish puts a wish into words, against the answer of v.
func wish(v judge.Verdict, w judge.Wish) Wish {
	var out Wish
	if w.Take != nil {
		out.Family, out.Setting, out.Cost = w.Take.Family.Name, Settings(w.Take.Setting.Cell), against(w.Against)
	}
	own := Quantity(w.Quantity, w.Own)
	if w.Quantity == v.BuildTime {
		own = buildTime(v, w.Own)
	}
	instead := fmt.Sprintf("%s instead of %s", Quantity(w.Quantity, w.Amount), own)
	switch w.Kind {
	case judge.OtherRecall:
		word := "is enough"
		if w.Target > v.Target {
			word = "is a must"
		}
		out.If = fmt.Sprintf("recall %.2f %s", w.Target, word)
		if w.Take == nil {
			out.Cost = "no setting measured finds so much"
		} else if out.Gain = Significant(w.Take.Value.Median) + " queries a second"; w.Same {
			out.Cost = "the answer itself finds that much"
		}
	case judge.LessOf, judge.LeastOf:
		out.If, out.Gain = map[string]string{metric.Resident: "memory is short", metric.Build: "the index is rebuilt often", metric.BuildCPU: "the index is rebuilt often"}[w.Quantity], instead
		if w.Kind == judge.LeastOf {
			out.If += ", and recall may fall"
			out.Cost = fmt.Sprintf("recall %s at most", Ratio(w.Take.Recall))
		}
	case judge.FastTail:
		out.If, out.Gain = "the slowest queries matter most", "99 % of queries within "+instead
	}
	return out
}

// against says what a speed is against the answer's.
func against(d judge.Difference) string {
	switch {
	case judge.TieOf(d) == judge.Tied && d.OK:
		return "as fast within the noise: " + factor(d)
	case d.Difference >= 1:
		return factor(d) + " as fast"
	}
	inverse := judge.Difference{Difference: 1 / d.Difference, Lo: 1 / d.Hi, Hi: 1 / d.Lo, OK: d.OK, Paired: d.Paired}
	return factor(inverse) + " the time a query"
}

// Saturation puts [judge.Report.Saturation] into words.
func Saturation(recall float64) string {
	switch {
	case math.IsInf(recall, 1):
		return "Even at the highest recall measured, mAP differs from that of exact search by more than chance."
	case recall == 0:
		return "At no setting do these queries show mAP to differ from that of exact search by more than chance. More queries may: the intervals say how large a difference is left open."
	}
	return fmt.Sprintf("From a recall of %s on, no setting's mAP differs from that of exact search by more than chance: beyond it, recall buys nothing that these categories can see.", Ratio(recall))
}
