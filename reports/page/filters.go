package page

import (
	"html/template"

	"annbench/bench/metric"
	"annbench/reports/draw"
	"annbench/reports/judge"
	"annbench/reports/say"
)

// filterBlock is the section of searches under filters, under one set of terms.
type filterBlock struct {
	Terms    string
	Advice   []string
	Pictures []template.HTML
	Time     string
	Marked   string   // what bold says
	Filters  []string // heads of the table's columns
	Passes   []string // what passes each of them
	Rows     []filterRow
	Lost     []lost
}

type filterRow struct {
	Family, Class, Way string
	Cells              []filterCell
}

type filterCell struct {
	Recall, Time, Title string
	Low                 bool // recall below the target
	Best                bool // the fastest that reaches it, or as fast
}

// filters makes the section; it is empty where nothing was measured under filters.
func (d *pageData) filters() {
	all := d.r.Filtered()
	for i := range all {
		f := &all[i]
		info, _ := metric.Lookup(f.Time)
		b := filterBlock{Terms: say.FilterTerms(f), Advice: say.FilterAdvice(f), Time: info.Title, Marked: say.FilterMarked}
		for _, p := range draw.Filters(f) {
			b.Pictures = append(b.Pictures, template.HTML(p.HTML(d.class, d.hue)))
		}
		best := map[*judge.FilterPoint]bool{}
		for at, u := range f.Filters {
			b.Filters = append(b.Filters, say.FilterName(u))
			b.Passes = append(b.Passes, say.FilterPasses(f, u))
			reach, _ := f.Fastest(at, judge.Target)
			for _, p := range reach {
				best[p.Point] = p.Best
			}
		}
		for _, l := range f.Lines {
			row := filterRow{Family: say.FilterLine(l.Family, l.Way), Class: d.class(l.Look())}
			for _, p := range l.Points {
				if p == nil {
					row.Cells = append(row.Cells, filterCell{Time: say.Missing, Title: "not measured"})
					continue
				}
				row.Cells = append(row.Cells, filterCell{
					Recall: say.Ratio(p.Recall.Median), Time: say.Format(metric.Seconds, p.Time.Median),
					Title: say.OrDash(say.FilterSettings(p.Row.Cell)), Low: !p.Reached, Best: best[p],
				})
			}
			b.Rows = append(b.Rows, row)
		}
		for _, l := range f.Lost {
			where, why := say.FilterLoss(f, l)
			b.Lost = append(b.Lost, lost{where, why})
		}
		d.Filters = append(d.Filters, b)
	}
}
