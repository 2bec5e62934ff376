package reports

import (
	"fmt"
	"math"
	"strings"

	"annbench/bench/metric"
	"annbench/bench/record"
)

// Verdict is the answer in words: which setting to take under the terms in focus, and how sure that
// is. It speaks of the choices of [Choice] only.
type Verdict struct {
	Answer   string // the family, or what is to be said where there is none
	Setting  string // of the family; empty where it has none or there is no answer
	Tied     string // the families that cannot be told from Answer in speed, joined; may be empty
	Question string // what Answer answers
	Why      []string
	Leaders  []Leader
}

// Leader is the best choice in one quantity.
type Leader struct {
	Title   string
	Family  string
	Value   string
	Setting string
	Beside  string // who else cannot be told from it, or how far behind the next is
}

// Verdict decides by speed among the choices that reach [Target], and says what cannot be told apart.
func (r *Report) Verdict() Verdict {
	t := r.Focus
	choices := r.Choose(t)
	fast := ranked(choices, metric.QPS)
	v := Verdict{Question: fmt.Sprintf("On this data and this machine, at recall@%d of at least %.2f:", t.K, Target)}
	if len(fast) == 0 {
		v.none(choices, t)
		return v
	}
	best := fast[0]
	qps, _ := best.Row.Value(metric.QPS)
	recall, _ := best.Row.Value(metric.Recall)
	v.Answer, v.Setting = best.Family.Name, clean(best.Row.Cell.Settings())

	var tiedWith []string
	for _, c := range fast[1:] {
		if x, _ := c.Row.Value(metric.QPS); compareIntervals(qps, x) == tied {
			tiedWith = append(tiedWith, c.Family.Name)
		}
	}
	v.Tied = and(tiedWith)

	base := fastestExact(choices)
	first := fmt.Sprintf("It answers %s at recall@%d %s", describeValue(metric.QPS, qps, " queries a second"), t.K, ratio(recall.Median))
	switch {
	case best.Family.Exact:
		first += ". This is exact search: of the approximate indexes that reach the target, none is faster here, so there is nothing to gain from one."
		if !hasApproximate(choices) {
			first = fmt.Sprintf("It answers %s. This is exact search; no approximate index reached recall %.2f.", describeValue(metric.QPS, qps, " queries a second"), Target)
		}
	case base != nil:
		b, _ := base.Value(metric.QPS)
		if b.Median <= 0 {
			first += "."
			break
		}
		first += fmt.Sprintf(", %s as fast as exact search (%s, %s)", times(qps.Median, b.Median), base.Cell.Family, significant(b.Median))
		first += fmt.Sprintf(". It is the fastest setting measured that finds at least %.0f %% of the true neighbours.", Target*100)
		if compareIntervals(qps, b) == tied {
			first += fmt.Sprintf(" But its interval and that of exact search (%s) overlap: these measurements do not show that leaving exact search pays.", between(metric.QPS, b))
		}
	default:
		first += fmt.Sprintf(". It is the fastest setting measured that finds at least %.0f %% of the true neighbours. No exact search was measured beside it.", Target*100)
	}
	v.Why = append(v.Why, first)
	v.Why = append(v.Why, runnerUp(fast, tiedWith))
	if s := costs(best.Row); s != "" {
		v.Why = append(v.Why, s)
	}
	if s := below(choices); s != "" {
		v.Why = append(v.Why, s)
	}
	queries := 0
	if src := r.Source(t.Dataset); src != nil {
		queries = src.Dataset.Queries
	}
	v.Leaders = leaders(choices, t, queries)
	return v
}

func (v *Verdict) none(choices []Choice, t Terms) {
	var best *Choice
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
		v.Why = []string{fmt.Sprintf("%s reaches recall@%d %s, but no setting that reaches the target has a QPS.", best.Family.Name, t.K, ratio(recall.Median))}
		return
	}
	v.Answer = "none of these indexes"
	v.Why = []string{fmt.Sprintf("No setting reaches the target. The highest recall@%d is %s, by %s.", t.K, ratio(recall.Median), strings.TrimSpace(best.Family.Name+" "+clean(best.Row.Cell.Settings())))}
	if s := below(choices); s != "" {
		v.Why = append(v.Why, s)
	}
}

func hasApproximate(choices []Choice) bool {
	for _, c := range choices {
		if c.Reached && !c.Family.Exact {
			return true
		}
	}
	return false
}

// runnerUp says who is next and whether the difference is more than noise.
func runnerUp(fast []Choice, tiedWith []string) string {
	if len(fast) == 1 {
		return "No other family reaches the target."
	}
	a, _ := fast[0].Row.Value(metric.QPS)
	b, _ := fast[1].Row.Value(metric.QPS)
	recall, _ := fast[1].Row.Value(metric.Recall)
	next := fmt.Sprintf("Runner-up: %s, %s queries a second at recall %s", strings.TrimSpace(fast[1].Family.Name+" "+clean(fast[1].Row.Cell.Settings())), significant(b.Median), ratio(recall.Median))
	gap := fmt.Sprintf("%.0f %%", 100*(a.Median/b.Median-1))
	if b.Median <= 0 {
		return next + "."
	}
	switch compareIntervals(a, b) {
	case tied:
		return next + "." + sayTied(fast[0].Family.Name, tiedWith)
	case unknown:
		return fmt.Sprintf("%s, %s slower by one measurement each: a difference that a second run could turn round. Measure at least three repetitions before relying on it.", next, gap)
	}
	rest := sayTied(fast[0].Family.Name, tiedWith)
	if a.Level < Confidence || b.Level < Confidence {
		return fmt.Sprintf("%s. The winner is %s faster, and the ranges of their repetitions do not overlap; %s are few, though: a 95 %% interval takes six.%s", next, gap, plural(min(a.N, b.N), "repetition", "repetitions"), rest)
	}
	return fmt.Sprintf("%s. The winner is %s faster, and the 95 %% intervals do not overlap.%s", next, gap, rest)
}

// sayTied names the families, the runner-up or ones behind it that scatter more, whose intervals
// overlap the winner's.
func sayTied(winner string, tiedWith []string) string {
	switch len(tiedWith) {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf(" The intervals of %s and %s overlap, so the two count as equally fast: let memory and build time decide.", winner, tiedWith[0])
	}
	return fmt.Sprintf(" The intervals of %s overlap that of %s, so they count as equally fast: let memory and build time decide.", and(tiedWith), winner)
}

func costs(row *Row) string {
	var parts []string
	if x, ok := row.Value(metric.Resident); ok {
		parts = append(parts, formatNamed(metric.Resident, x.Median)+" of memory")
	}
	if x, ok := row.Value(metric.Build); ok {
		parts = append(parts, formatNamed(metric.Build, x.Median)+" to build")
	}
	if x, ok := row.Value(metric.P99); ok {
		parts = append(parts, "99 % of queries within "+formatNamed(metric.P99, x.Median))
	}
	s := ""
	if len(parts) > 0 {
		s = "It takes " + and(parts) + "."
	}
	m, ok1 := row.Value(metric.MAP)
	e, ok2 := row.Value(metric.MAPExact)
	if ok1 && ok2 {
		s += fmt.Sprintf(" Its mAP is %s; that of exact search is %s.", ratio(m.Median), ratio(e.Median))
	}
	return strings.TrimSpace(s)
}

// below says which families stay out, and why.
func below(choices []Choice) string {
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
			low = append(low, fmt.Sprintf("%s (at most %s)", c.Family.Name, ratio(x.Median)))
		}
	}
	var out []string
	if len(low) > 0 {
		out = append(out, "Below the target at every setting measured: "+and(low)+".")
	}
	if len(lost) > 0 {
		out = append(out, "Not measured: "+and(lost)+".")
	}
	return strings.Join(out, " ")
}

// queryNoise is the widest that half a 95 % interval of a mean over n queries can be, for values in
// [0, 1]: 1.96 · σ / √n, where σ is at most 1/2 (Popoviciu's inequality). Repetitions ask the same
// queries again, so their interval says nothing of the choice of queries; this bound does, without
// the values of each. It errs on the side of a tie, most of all as families share their queries.
func queryNoise(n int) float64 { return 1.96 * 0.5 / math.Sqrt(float64(n)) }

func leaders(choices []Choice, t Terms, queries int) []Leader {
	noise := 0.0
	if queries > 0 {
		noise = queryNoise(queries)
	}
	var out []Leader
	for _, q := range []struct{ title, name string }{
		{"Fastest search", metric.QPS},
		{"Least memory", metric.Resident},
		{"Quickest to build", metric.Build},
		{fmt.Sprintf("Highest mAP@%d", t.K), metric.MAP},
	} {
		rank := ranked(choices, q.name)
		if len(rank) == 0 {
			continue
		}
		first, _ := rank[0].Row.Value(q.name)
		l := Leader{
			Title: q.title, Family: rank[0].Family.Name, Setting: clean(rank[0].Row.Cell.Settings()),
			Value: formatNamed(q.name, first.Median),
		}
		if q.name == metric.QPS {
			l.Value += " queries/s"
		}
		var same []string
		for _, c := range rank[1:] {
			x, _ := c.Row.Value(q.name)
			if x.Median == first.Median || compareIntervals(first, x) == tied || q.name == metric.MAP && math.Abs(x.Median-first.Median) <= noise {
				same = append(same, c.Family.Name)
			}
		}
		switch {
		case len(same) > 0:
			l.Beside = "tied with " + and(same)
			if q.name == metric.MAP && noise > 0 {
				l.Beside += fmt.Sprintf("; %s tell nothing less than %.3f apart for sure", plural(queries, "query", "queries"), noise)
			}
		case len(rank) > 1:
			x, _ := rank[1].Row.Value(q.name)
			l.Beside = fmt.Sprintf("next %s, %s", rank[1].Family.Name, formatNamed(q.name, x.Median))
			if !first.HasInterval {
				l.Beside += "; measured once"
			}
		}
		out = append(out, l)
	}
	return out
}

// and joins words for a sentence.
func and(words []string) string {
	switch len(words) {
	case 0:
		return ""
	case 1:
		return words[0]
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}
