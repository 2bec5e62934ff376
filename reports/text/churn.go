package text

import (
	"fmt"
	"io"

	"annbench/bench/metric"
	"annbench/reports/judge"
	"annbench/reports/say"
)

// Churn writes what came of runbooks: a table for each, a row for each family and way, from the first search to the last.
func Churn(w io.Writer, r *judge.Report, _ Options) error {
	all := r.Churned()
	if len(all) == 0 {
		_, err := fmt.Fprintln(w, "No index followed a runbook: a sweep has them under the key churn.")
		return err
	}
	for i := range all {
		c := &all[i]
		fmt.Fprintf(w, "%s (%s, k = %d): %s\n", say.Clean(c.Runbook), c.Terms.Metric, c.Terms.K, say.Plural(len(c.Steps), "search", "searches"))
		fmt.Fprintf(w, "  %-40s %-16s %7s %-20s %10s %-22s %-22s %7s %10s\n", "family", "recall", "least", "CPU a query", "a change", "memory", "on disk", "stale", "during p99")
		for j := range c.Lines {
			l := &c.Lines[j]
			ends := func(name string, format func(float64) string) string {
				first, last, ok := l.Ends(name)
				if !ok {
					return say.Missing
				}
				if name == metric.Serialized && !l.AtLast(name) { // some cannot be saved once they have changed
					return format(first) + " → " + say.Missing
				}
				return format(first) + " → " + format(last)
			}
			unit := func(u metric.Unit) func(float64) string {
				return func(v float64) string { return say.Format(u, v) }
			}
			worst := func(name string, least bool, format func(float64) string) string {
				v, ok := l.Worst(name, least)
				if !ok {
					return say.Missing
				}
				return format(v)
			}
			query := say.Missing
			if first, last := say.ChurnQuery(l); first != say.Missing {
				query = first + " → " + last
			}
			each, ok := l.UpdateEach()
			_, err := fmt.Fprintf(w, "  %-40s %-16s %7s %-20s %10s %-22s %-22s %7s %10s\n", say.ChurnLine(l),
				ends(metric.Recall, say.Ratio), worst(metric.Recall, true, say.Ratio), query, say.ChurnCost(l, each, ok),
				ends(metric.Resident, unit(metric.Bytes)), ends(metric.Serialized, unit(metric.Bytes)), worst(metric.Stale, false, say.Share), worst(metric.DuringP99, false, unit(metric.Seconds)))
			if err != nil {
				return err
			}
		}
		for _, s := range say.ChurnAdvice(c) {
			fmt.Fprintln(w, "  "+s)
		}
		fmt.Fprintln(w)
	}
	return nil
}
