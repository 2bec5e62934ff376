package text

import (
	"fmt"
	"io"

	"annbench/bench/metric"
	"annbench/reports/judge"
	"annbench/reports/say"
)

// Churn writes what came of runbooks: a table for each, a row for each family and way, from the first search to the last.
func Churn(w io.Writer, r *judge.Report, o Options) error {
	all := r.Churned()
	if len(all) == 0 {
		_, err := fmt.Fprintln(w, "No index followed a runbook: a sweep has them under the key churn.")
		return err
	}
	return section(w, o, func(t *tabler) error {
		for i := range all {
			if err := t.churn(&all[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// churn writes the table of a runbook, and what follows from it.
func (t *tabler) churn(c *judge.Churned) error {
	t.heading(3, fmt.Sprintf("%s (%s, k = %d): %s", c.Runbook, c.Terms.Metric, c.Terms.K, say.Plural(len(c.Steps), "search", "searches")))
	head := []string{"family", "setting", "recall", "least", "CPU a query", "a change", "memory", "on disk", "stale"}
	during := c.Asked()
	if during {
		head = append(head, "during p99")
	}
	var rows [][]string
	for i := range c.Lines {
		l := &c.Lines[i]
		query := say.Missing
		if first, last := say.ChurnQuery(l); first != say.Missing {
			query = first + " → " + last
		}
		each, ok := l.UpdateEach()
		row := []string{
			say.ChurnShort(l), say.OrDash(say.Settings(l.Cell)), churnEnds(l, metric.Recall), churnWorst(l, metric.Recall, true), query, say.ChurnCost(l, each, ok),
			churnEnds(l, metric.Resident), churnEnds(l, metric.Serialized), churnWorst(l, metric.Stale, false),
		}
		if during {
			row = append(row, churnWorst(l, metric.DuringP99, false))
		}
		rows = append(rows, row)
	}
	if err := t.render(head, rows); err != nil {
		return err
	}
	t.paragraph(say.ChurnRule)
	for _, s := range say.ChurnAdvice(c) {
		t.item(s)
	}
	fmt.Fprintln(t.w)
	return nil
}

// churnEnds is a quantity at the first search and at the last.
func churnEnds(l *judge.ChurnLine, name string) string {
	first, last, ok := l.Ends(name)
	switch {
	case !ok:
		return say.Missing
	case name == metric.Serialized && !l.AtLast(name): // some cannot be saved once they have changed
		return say.Quantity(name, first) + " → " + say.Missing
	}
	return say.Quantity(name, first) + " → " + say.Quantity(name, last)
}

// churnWorst is the highest value of a quantity over the searches, or with least the lowest.
func churnWorst(l *judge.ChurnLine, name string, least bool) string {
	v, ok := l.Worst(name, least)
	switch {
	case !ok:
		return say.Missing
	case name == metric.Stale:
		return say.Share(v)
	}
	return say.Quantity(name, v)
}
