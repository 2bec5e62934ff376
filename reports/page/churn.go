package page

import (
	"html/template"

	"annbench/bench/metric"
	"annbench/reports/draw"
	"annbench/reports/say"
)

// churnBlock is the section of a runbook.
type churnBlock struct {
	Runbook  string
	Terms    string
	Rule     string
	Advice   []string
	Pictures []template.HTML
	Columns  []string
	Rows     []churnRow
}

type churnRow struct {
	Family, Class string
	Cells         []string
}

// churn makes the sections of runbooks; there are none where no index followed one.
func (d *pageData) churn() {
	all := d.r.Churned()
	for i := range all {
		c := &all[i]
		b := churnBlock{
			Runbook: say.Clean(c.Runbook), Terms: say.Plural(len(c.Steps), "search", "searches"), Rule: say.ChurnRule, Advice: say.ChurnAdvice(c),
			Columns: []string{"setting", "recall, first", "last", "least", "query CPU, first", "last", "a change", "building anew", "memory, first", "last", "on disk, first", "last", "stale, at most"},
		}
		asked := c.Asked()
		if asked {
			b.Columns = append(b.Columns, "p99 while it changes")
		}
		for _, p := range draw.Churn(c) {
			b.Pictures = append(b.Pictures, template.HTML(p.HTML(d.class, d.hue)))
		}
		for j := range c.Lines {
			l := &c.Lines[j]
			row := churnRow{Family: say.ChurnLine(l), Class: d.classes[l.Family], Cells: []string{say.OrDash(say.Settings(l.Cell))}}
			put := func(v float64, ok bool, format func(float64) string) {
				if !ok {
					row.Cells = append(row.Cells, say.Missing)
					return
				}
				row.Cells = append(row.Cells, format(v))
			}
			seconds := func(v float64) string { return say.Format(metric.Seconds, v) }
			bytes := func(v float64) string { return say.Format(metric.Bytes, v) }
			first, last, ok := l.Ends(metric.Recall)
			put(first, ok, say.Ratio)
			put(last, ok, say.Ratio)
			least, ok := l.Worst(metric.Recall, true)
			put(least, ok, say.Ratio)
			atFirst, atLast := say.ChurnQuery(l)
			each, changed := l.UpdateEach()
			build, built := l.BuildCPU()
			row.Cells = append(row.Cells, atFirst, atLast, say.ChurnCost(l, each, changed), say.ChurnCost(l, build, built))
			first, last, ok = l.Ends(metric.Resident)
			put(first, ok, bytes)
			put(last, ok, bytes)
			first, last, ok = l.Ends(metric.Serialized)
			put(first, ok, bytes)
			put(last, ok && l.AtLast(metric.Serialized), bytes) // some cannot be saved once they have changed
			stale, ok := l.Worst(metric.Stale, false)
			put(stale, ok, say.Share)
			if during, ok := l.Worst(metric.DuringP99, false); asked {
				put(during, ok, seconds)
			}
			b.Rows = append(b.Rows, row)
		}
		d.Churn = append(d.Churn, b)
	}
}
