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
func Filters(w io.Writer, r *judge.Report, o Options) error {
	all := r.Filtered()
	if len(all) == 0 {
		_, err := fmt.Fprintln(w, "Nothing was measured under filters: a sweep has them under the key filters.")
		return err
	}
	return section(w, o, func(t *tabler) error {
		for i := range all {
			for at := range all[i].Filters {
				if err := t.filter(&all[i], at); err != nil {
					return err
				}
			}
			t.aboutFilters(&all[i])
		}
		return nil
	})
}

// filter writes the table of the filter at this place.
func (t *tabler) filter(f *judge.Filtered, at int) error {
	u := f.Filters[at]
	t.heading(3, fmt.Sprintf("%s (%s): %s", say.FilterName(u), say.FilterTerms(f), say.FilterPasses(f, u)))
	info, _ := metric.Lookup(f.Time)
	var rows [][]string
	row := func(l *judge.FilterLine, p *judge.FilterPoint, best bool) {
		time, settings := say.Format(metric.Seconds, p.Time.Median), say.OrDash(say.FilterSettings(p.Row.Cell))
		if best {
			time = t.strong(time)
		}
		if !p.Reached {
			settings += "  (recall below " + say.Ratio(judge.Target) + ")"
		}
		rows = append(rows, []string{say.FilterLine(l.Family, l.Way), say.Ratio(p.Recall.Median), time, settings})
	}
	reach, _ := f.Fastest(at, judge.Target)
	for _, p := range reach {
		row(p.Line, p.Point, p.Best)
	}
	for i := range f.Lines {
		if p := f.Lines[i].Points[at]; p != nil && !p.Reached {
			row(&f.Lines[i], p, false)
		}
	}
	return t.render([]string{"family and way", "recall", info.Title, "settings"}, rows)
}

// aboutFilters writes what has no values, and what follows from the tables.
func (t *tabler) aboutFilters(f *judge.Filtered) {
	if len(f.Lost) > 0 {
		t.heading(3, "Not measured")
	}
	for _, l := range f.Lost {
		where, why := say.FilterLoss(f, l)
		t.item(where + ": " + why)
	}
	if len(f.Lost) > 0 {
		fmt.Fprintln(t.w)
	}
	t.paragraph(say.FilterMarked)
	for _, s := range say.FilterAdvice(f) {
		t.item(s)
	}
	fmt.Fprintln(t.w)
}
