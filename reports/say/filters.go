package say

import (
	"fmt"
	"strings"

	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/reports/judge"
)

// FilterLine names a family and a way.
func FilterLine(family, way string) string {
	if way == "before" {
		return judge.Scan
	}
	return family + ", " + way
}

// filterWay is [FilterLine] where a sentence says which way is the fastest.
func filterWay(l *judge.FilterLine) string {
	if l.Way == "before" {
		return "to " + judge.Scan
	}
	return FilterLine(l.Family, l.Way)
}

// FilterLoss says which cells have no values, and why.
func FilterLoss(f *judge.Filtered, l judge.FilterLoss) (where, why string) {
	where = Clean(l.Family) + ", " + And(l.Ways)
	var filters []string
	for _, at := range l.Filters {
		filters = append(filters, FilterName(f.Filters[at]))
	}
	if len(filters) > 0 {
		where += " (" + strings.Join(filters, "; ") + ")"
	}
	why = string(l.Why.Status)
	if l.Why.Error != "" {
		why += ": " + CleanLines(judge.Portable(l.Why.Error))
	}
	return where, why
}

// FilterMarked explains the marks of the tables.
var FilterMarked = "Bold or *: the fastest that reaches that recall, and those that are as fast within the noise or " + slight + "."

// FilterName is a filter in a few words.
func FilterName(u judge.FilterUse) string {
	if !u.Made {
		return Clean(u.Name)
	}
	return fmt.Sprintf("%s, %s", Share(u.Asked), map[string]string{"none": "anywhere", "near": "near the query", "far": "far from the query"}[u.Correlation])
}

// FilterPasses says how many of the vectors pass a filter of f, as it was measured, and for how many queries those are fewer
// than k.
func FilterPasses(f *judge.Filtered, u judge.FilterUse) string {
	s := Share(u.Selectivity) + " of the vectors pass"
	if u.Unfilled > 0 {
		s += fmt.Sprintf("; fewer than %d for %s of the queries", f.Terms.K, Share(u.Unfilled))
	}
	return s
}

// Share is a share as people say it: 50 %, 0.1 %.
func Share(share float64) string { return fmt.Sprintf("%.4g %%", 100*share) }

// FilterAdvice says, for each correlation, where comparing what passes is as good as any index.
func FilterAdvice(f *judge.Filtered) []string {
	var out []string
	for _, correlation := range []string{"none", "near", "far"} {
		var wins, loses []float64
		for i, u := range f.Filters {
			if !u.Made || u.Correlation != correlation {
				continue
			}
			if w, measured := f.ScanWins(i); measured && w {
				wins = append(wins, u.Asked)
			} else if measured {
				loses = append(loses, u.Asked)
			}
		}
		where := map[string]string{"none": "Where what passes lies anywhere", "near": "Where it lies near the query", "far": "Where it lies far from the query"}[correlation]
		switch {
		case len(wins)+len(loses) == 0:
		case len(loses) == 0:
			out = append(out, where+", comparing everything that passes is as fast as any index at every selectivity that was measured.")
		case len(wins) == 0:
			out = append(out, where+", an index is faster than comparing everything that passes, at every selectivity that was measured.")
		default:
			out = append(out, fmt.Sprintf("%s, comparing everything that passes is as fast as any index at %s; an index is faster at %s.", where, percents(wins), percents(loses)))
		}
	}
	for i, u := range f.Filters {
		if u.Made {
			continue
		}
		reach, highest := f.Fastest(i, judge.Target)
		switch {
		case len(reach) > 0:
			out = append(out, fmt.Sprintf("Under %s, which %s of the vectors pass, the fastest way is %s.", Clean(u.Name), Share(u.Selectivity), filterWay(reach[0].Line)))
		case highest != nil:
			out = append(out, fmt.Sprintf("Under %s, nothing reaches a recall of %s; the nearest is %s, at %s.", Clean(u.Name), Ratio(judge.Target), filterWay(highest.Line), Ratio(highest.Point.Recall.Median)))
		}
	}
	return out
}

// FilterPick says which way is fastest under the filter at this place, with its setting and two runners-up; ok is false
// where none reaches the recall.
func FilterPick(f *judge.Filtered, at int, recall float64) (text string, ok bool) {
	u := f.Filters[at]
	reach, highest := f.Fastest(at, recall)
	head := fmt.Sprintf("Under %s, which %s of the vectors pass:\n", FilterName(u), Share(u.Selectivity))
	line := func(p judge.FilterPick) string {
		settings := FilterSettings(p.Point.Row.Cell)
		if settings != "" {
			settings = " (" + settings + ")"
		}
		return fmt.Sprintf("%s%s: %s a query, recall %s", filterWay(p.Line), settings, Format(metric.Seconds, p.Point.Time.Median), Ratio(p.Point.Recall.Median))
	}
	if len(reach) == 0 {
		if highest == nil {
			return head + "nothing was measured.\n", false
		}
		return head + "nothing reaches a recall of " + Ratio(recall) + "; the nearest is " + line(*highest) + ".\n", false
	}
	text = head + "the fastest way is " + line(reach[0]) + ".\n"
	for _, p := range reach[1:min(len(reach), 3)] {
		as := ""
		if p.Best {
			as = ", as fast within the noise or " + slight
		}
		text += "next is " + line(p) + as + ".\n"
	}
	return text, true
}

// FilterNames lists the filters that were measured, and says by which flag of choose each is asked for.
func FilterNames(f *judge.Filtered) string {
	var named, made []string
	for _, u := range f.Filters {
		if u.Made {
			made = append(made, fmt.Sprintf("%.4g%% %s", 100*u.Asked, u.Correlation))
		} else {
			named = append(named, FilterName(u))
		}
	}
	var out []string
	if len(named) > 0 {
		out = append(out, "--filter takes one of these: "+strings.Join(named, "; "))
	}
	switch {
	case len(made) > 0 && len(named) == 0:
		out = append(out, "these results have made filters only, which are asked for by --selectivity and --correlation: "+strings.Join(made, "; "))
	case len(made) > 0:
		out = append(out, "--selectivity and --correlation take one of these: "+strings.Join(made, "; "))
	default:
		out = append(out, "these results have no made filters, so --selectivity finds none")
	}
	return strings.Join(out, ". ")
}

func percents(shares []float64) string {
	var out []string
	for _, s := range shares {
		out = append(out, Share(s))
	}
	return And(out)
}

// FilterSettings are the settings of a cell under a filter, with the factor of the way after.
func FilterSettings(c record.Cell) string {
	if c.Factor > 0 {
		return strings.TrimSpace(fmt.Sprintf("%s factor=%g", Settings(c), c.Factor))
	}
	return Settings(c)
}

// FilterTerms says what the rows under filters have in common.
func FilterTerms(f *judge.Filtered) string {
	return strings.TrimSpace(fmt.Sprintf("%s, k = %d", f.Terms.Metric, f.Terms.K))
}
