package text

import (
	"fmt"
	"io"

	"annbench/bench/metric"
	"annbench/reports/judge"
	"annbench/reports/say"
)

// Filters writes what was measured under filters: a table for each filter, a row for each family and way, fastest first
// among those whose recall is [judge.Target] and more; then those that stay below it.
func Filters(w io.Writer, r *judge.Report, _ Options) error {
	all := r.Filtered()
	if len(all) == 0 {
		_, err := fmt.Fprintln(w, "Nothing was measured under filters: a sweep has them under the key filters.")
		return err
	}
	for i := range all {
		f := &all[i]
		info, _ := metric.Lookup(f.Time)
		for at, u := range f.Filters {
			fmt.Fprintf(w, "%s (%s): %s of the vectors pass", say.FilterName(u), say.FilterTerms(f), say.Share(u.Selectivity))
			if u.Unfilled > 0 {
				fmt.Fprintf(w, "; fewer than %d for %s of the queries", f.Terms.K, say.Share(u.Unfilled))
			}
			fmt.Fprintf(w, "\n  %-24s %9s %9s  %s\n", "family and way", "recall", info.Title, "settings")
			row := func(p judge.FilterPick, mark string) {
				fmt.Fprintf(w, "  %-24s %9s %9s  %s%s\n", say.FilterLine(p.Line.Family, p.Line.Way), say.Ratio(p.Point.Recall.Median), say.Format(metric.Seconds, p.Point.Time.Median), say.OrDash(say.FilterSettings(p.Point.Row.Cell)), mark)
			}
			reach, _ := f.Fastest(at, judge.Target)
			for _, p := range reach {
				mark := ""
				if p.Best {
					mark = " *"
				}
				row(p, mark)
			}
			for i := range f.Lines {
				if p := f.Lines[i].Points[at]; p != nil && !p.Reached {
					row(judge.FilterPick{Line: &f.Lines[i], Point: p}, "  (recall below "+say.Ratio(judge.Target)+")")
				}
			}
			if _, err := fmt.Fprintln(w); err != nil {
				return err
			}
		}
		for _, row := range f.Lost {
			for _, why := range row.Failures() {
				fmt.Fprintf(w, "%s, %s: %s: %s\n", say.FilterLine(row.Cell.Family, row.Cell.Way), row.Cell.Filter, why.Status, judge.Portable(why.Error))
			}
		}
		fmt.Fprintln(w, say.FilterMarked)
		for _, s := range say.FilterAdvice(f) {
			if _, err := fmt.Fprintln(w, s); err != nil {
				return err
			}
		}
	}
	return nil
}
