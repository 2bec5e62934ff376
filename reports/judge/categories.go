package judge

import (
	"cmp"
	"slices"

	"annbench/bench/metric"
)

// FewQueries is how many queries a category must have for its mAP to have an interval: of fewer, the bootstrap
// draws the same few again and again, and shows no doubt where there is most.
const FewQueries = 5

// LeastMAP is the mAP below which a category is marked where nothing else is said: the first half of what is
// recommended is then wrong as often as not.
const LeastMAP = 0.5

// Categories is mAP by the category of the query, at the settings that speak for the families ([Report.Choose]).
type Categories struct {
	Terms   Terms
	Least   float64  // the mAP below which a value, and a category, is low
	Choices []Choice // those that have values by category, in the order of the families
	// Rows are the categories, what brings mAP down first: by the median over the families.
	Rows []Category
}

// Category is one category of the queries.
type Category struct {
	Label   string
	Queries int // of it; 0 where that is not known
	Middle  float64
	Low     bool    // Middle is below Least
	Values  []Value // of [metric.MAP], by Choices; N is 0 where one has none
}

// Low counts the categories that are marked.
func (c *Categories) Low() (n int) {
	for _, row := range c.Rows {
		if row.Low {
			n++
		}
	}
	return n
}

// Categories gives mAP by category under terms t; one whose median over the families is below r.LeastMAP is
// marked. A category of fewer than [FewQueries] queries has no intervals. Without labels there are no rows.
func (r *Report) Categories(t Terms) *Categories {
	out := &Categories{Terms: t, Least: r.LeastMAP}
	queries := map[string]int{}
	if src := r.Source(t.Dataset); src != nil {
		for _, l := range src.Dataset.Labels {
			queries[l.Label] = l.Queries
		}
	}
	var labels []string
	seen := map[string]bool{}
	for _, c := range r.Choose(t) {
		if c.Row == nil {
			continue
		}
		found := false
		for _, rep := range c.Row.Reps {
			for l := range rep.ByLabel[metric.MAP] {
				found = true
				if !seen[l] {
					seen[l] = true
					labels = append(labels, l)
				}
			}
		}
		if found {
			out.Choices = append(out.Choices, c)
		}
	}
	for _, l := range labels {
		row := Category{Label: l, Queries: queries[l]}
		var all []float64
		for _, c := range out.Choices {
			v, ok := c.Row.ByLabel(metric.MAP, l)
			if ok {
				all = append(all, v.Median)
			}
			if n, known := queries[l]; known && n < FewQueries {
				v.Lo, v.Hi, v.HasInterval = v.Median, v.Median, false
			}
			row.Values = append(row.Values, v)
		}
		row.Middle = metric.Median(all)
		row.Low = row.Middle < out.Least
		out.Rows = append(out.Rows, row)
	}
	slices.SortFunc(out.Rows, func(a, b Category) int {
		return cmp.Or(cmp.Compare(a.Middle, b.Middle), cmp.Compare(a.Label, b.Label))
	})
	return out
}
