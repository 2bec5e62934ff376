package say

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"annbench/bench/metric"
	"annbench/reports/judge"
)

// Limit is "resident ≤ 300 MiB".
func Limit(l judge.Limit) string {
	info, _ := metric.Lookup(l.Name)
	sign := "≥"
	if info.Lower {
		sign = "≤"
	}
	return fmt.Sprintf("%s %s %s", limited(l), sign, Short(Format(info.Unit, l.Bound)))
}

// limited is what l limits, with the clock of a speed.
func limited(l judge.Limit) string {
	if l.Name == metric.QPS {
		return "wall QPS"
	}
	info, _ := metric.Lookup(l.Name)
	return info.Title
}

// Margin is "recall 0.960; the limit is 0.95, 0.010 to spare".
func Margin(m judge.Margin) string {
	if !m.OK {
		return Limit(m.Limit) + ": not measured"
	}
	info, _ := metric.Lookup(m.Limit.Name)
	written := func(x float64) string {
		if info.Unit == metric.Ratio {
			return ratioApart(x, m.Limit.Bound)
		}
		return Format(info.Unit, x)
	}
	s := fmt.Sprintf("%s %s", limited(m.Limit), written(m.Value.Median))
	if m.Worst != m.Value.Median {
		word := "at least"
		if m.Limit.AtMost() {
			word = "at most"
		}
		s += fmt.Sprintf(" (%s %s)", word, written(m.Worst))
	}
	bound := Short(Format(info.Unit, m.Limit.Bound))
	room := Percent(math.Abs(m.Room))
	if m.Room >= 0.995 && m.Room < 1 { // not 100 %
		room = fmt.Sprintf("%.1f %%", min(99.9, 100*m.Room))
	}
	if info.Unit == metric.Ratio {
		digits := 3
		if short := -m.Room; short > 0 && short < 0.0005 {
			digits = int(math.Ceil(-math.Log10(short) - 1e-6))
		}
		room = fmt.Sprintf("%.*f", digits, math.Abs(m.Room))
	}
	switch {
	case m.Room >= 0:
		return fmt.Sprintf("%s; the limit is %s, %s to spare", s, bound, room)
	case m.Limit.AtMost() && info.Unit != metric.Ratio && m.Limit.Bound > 0 && m.Worst >= 2*m.Limit.Bound:
		return fmt.Sprintf("%s; the limit is %s, %s times that are taken", s, bound, FactorText(m.Worst/m.Limit.Bound))
	case m.Limit.AtMost():
		return fmt.Sprintf("%s; the limit is %s, %s too much", s, bound, room)
	}
	return fmt.Sprintf("%s; the limit is %s, %s short", s, bound, room)
}

// YAML is the setting as an entry of a sweep file's families, ready to use.
func YAML(c judge.Candidate) string {
	return settingYAML(c.Row.Cell.Family, c.Row.Cell.Build, c.Row.Cell.Search)
}

// settingYAML is the same of settings in canonical form.
func settingYAML(family, build, search string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "family: %s\n", Clean(family))
	for _, part := range []struct{ name, settings string }{{"build", build}, {"search", search}} {
		var fields []string
		for _, f := range strings.Fields(Clean(part.settings)) {
			if name, value, ok := strings.Cut(f, "="); ok {
				fields = append(fields, name+": "+value)
			}
		}
		if len(fields) > 0 {
			fmt.Fprintf(&b, "%s: {%s}\n", part.name, strings.Join(fields, ", "))
		}
	}
	return b.String()
}

// but says what "as fast" leaves out of account in the pick: of too few repetitions nobody knows the noise.
func but(p judge.Pick) string {
	if p.Best.Speed.N < judge.Enough {
		return " but for " + slight
	}
	return " within the noise or " + slight
}

// Pick is the pick in words, a line for each thing that is said.
func Pick(p judge.Pick) string {
	var b strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	var wanted []string
	for _, l := range p.Limits {
		wanted = append(wanted, Limit(l))
	}
	under := And(wanted)
	if under == "" {
		under = "no limits"
	}
	switch {
	case p.Best == nil && p.Nearest == nil:
		say("nothing fits: nothing was measured with its speed (%s)", Terms(p.Terms))
		return b.String()
	case p.Best == nil:
		busy(p, say)
		say("nothing fits: none of %s keeps %s (%s)", Plural(p.Settings, "setting", "settings"), under, Terms(p.Terms))
		for _, l := range p.Lacking {
			info, _ := metric.Lookup(l.Name)
			say("%s was measured of none of them, so that no limit on it can be kept", info.Title)
		}
		say("nearest is %s:", candidateName(*p.Nearest))
		say("  %s, %s each", Measured(metric.QPS, p.Nearest.Speed, " queries a second"+Clock(p.Nearest.Row.Clock())), Format(metric.Seconds, 1/p.Nearest.Speed.Median))
		for _, m := range p.Nearest.Margins {
			say("  %s", Margin(m))
		}
		if !slices.ContainsFunc(p.Nearest.Margins, func(m judge.Margin) bool { return !m.Keeps() && !m.Uncertain() }) {
			say("By its medians it keeps every limit, by the worse ends of their intervals it does not: more repetitions, a longer measure or a quieter machine make intervals narrower.")
		}
		return b.String()
	}
	say("%s", strings.TrimRight(YAML(*p.Best), "\n"))
	say("")
	busy(p, say)
	lead := "The fastest"
	if p.Best.Tied {
		lead = "The fastest, though others are as fast" + but(p) + ","
	}
	switch p.Reason {
	case judge.ByExactEnough:
		lead = "Exact search is enough here: as fast as the fastest" + but(p) + ","
	case judge.ByFrugal:
		lead = "As fast as the fastest" + but(p) + ", and of least memory and build time,"
	case judge.ByObjective:
		lead = best(p.Objective)
	}
	say("%s of the settings that keep %s (%s measured; %s):", lead, under, Count(p.Settings), Terms(p.Terms))
	say("  %s, %s each", Measured(metric.QPS, p.Best.Speed, " queries a second"+Clock(p.Best.Row.Clock())), Format(metric.Seconds, 1/p.Best.Speed.Median))
	limited := slices.ContainsFunc(p.Limits, func(l judge.Limit) bool { return l.Name == p.Objective })
	if v, ok := objective(p, *p.Best); ok && !limited {
		say("  %s", v)
	}
	for _, m := range p.Best.Margins {
		say("  %s", Margin(m))
	}
	if p.Once {
		say("  measured once: nothing says how much of this is noise")
	}
	if len(p.Others) == 0 {
		say("No other family keeps the limits.%s", byMedians(p.Nearly))
	}
	for i, c := range p.Others {
		lead := "Runner-up"
		if i > 0 {
			lead = "Then"
		}
		s := factor(c.Against) + " as fast"
		switch {
		case judge.TieOf(c.Against) == judge.Tied && c.Against.OK:
			s = "as fast within the noise: " + factor(c.Against)
			if p.Best.Tied && !c.Tied && p.Reason != judge.ByObjective {
				s += ", but slower than the fastest"
			}
		case c.Tied && p.Best.Tied && c.Against.OK:
			s += ", but both are as fast as the fastest within the noise or " + slight
		}
		if v, ok := objective(p, c); ok {
			s += ", " + v
		}
		say("%s: %s, %s queries a second, %s", lead, candidateName(c), Significant(c.Speed.Median), s)
	}
	if p.Reason == judge.ByFrugal {
		say("%s", thrift(p.BuildTime))
	}
	if slices.ContainsFunc(p.Others, func(c judge.Candidate) bool { return c.Against.Paired }) {
		say("%s", Paired)
	}
	switch family := Clean(p.Best.Row.Cell.Family); {
	case p.MoreAt == 0:
	case p.More > 0 && p.More < leastMore: // nothing to choose by
	case p.MoreBetween:
		say("A recall of %s would take about %s times the time a query with %s (between two settings that were measured)%s.", Ratio(p.MoreAt), FactorText(p.More), family, cheaper(p))
	case p.More > 0:
		say("A recall of %s would take %s times the time a query with %s%s.", Ratio(p.MoreAt), FactorText(p.More), family, cheaper(p))
	default:
		say("A recall of %s is beyond what was measured of %s%s.", Ratio(p.MoreAt), family, cheaper(p))
	}
	return b.String()
}

// cheaper names the family that comes up to a little more recall for less time than the pick's own; empty if none does.
func cheaper(p judge.Pick) string {
	if p.Cheaper == nil {
		return ""
	}
	return fmt.Sprintf("; with %s it takes %s times the time", Clean(p.Cheaper.Row.Cell.Family), FactorText(p.CheaperMore))
}

// leastMore is the factor below which it is not said what more recall costs.
const leastMore = 1.02

// byMedians says which families keep the limits but for their intervals: " By their medians b and c would."
func byMedians(families []string) string {
	if len(families) == 0 {
		return ""
	}
	whose := "their medians"
	if len(families) == 1 {
		whose = "its medians"
	}
	return " By " + whose + " " + Clean(And(families)) + " would, by the worse ends of the intervals not."
}

// best is what begins the sentence about the best by an objective; see [judge.Report.PickBy].
func best(objective string) string {
	what := "least cost"
	if info, ok := metric.Lookup(objective); ok {
		what = "highest " + info.Title
		if info.Lower {
			what = "least " + info.Title
		}
	}
	return "The best by " + what + ", and within 5 % of that by speed,"
}

// objective is what c has of the objective that p is by, but for the cost: see [Month].
func objective(p judge.Pick, c judge.Candidate) (text string, ok bool) {
	info, known := metric.Lookup(p.Objective)
	if v, has := c.Row.Value(p.Objective); known && has {
		return info.Title + " " + Format(info.Unit, v.Median), true
	}
	return "", false
}

// busy says that a limit is on what the machine was too busy for.
func busy(p judge.Pick, say func(format string, args ...any)) {
	for _, l := range p.Limits {
		if p.TooBusy && judge.ByMachine(l.Name) {
			info, _ := metric.Lookup(l.Name)
			say("The machine was too busy for %s: it says more about the machine than about an index. Measure again when nothing else runs.", info.Title)
			return
		}
	}
}

func candidateName(c judge.Candidate) string {
	return Named(c.Row.Cell)
}
