package judge

import (
	"cmp"
	"fmt"
	"slices"

	"annbench/bench/metric"
	"annbench/bench/record"
)

// Filtered is what was measured under filters, under one set of terms: those are compared with each other alone.
type Filtered struct {
	Terms   Terms
	Time    string // the quantity that times are: [metric.CPU] where every row has it, else [metric.Mean]
	Filters []FilterUse
	Lines   []FilterLine // families in the order of a report, each with its ways
	Lost    []FilterLoss // why cells have no values
}

// Scan names what needs no index, the way before, where families have their names: in tables, legends and colours.
const Scan = "compare what passes"

// FilterUse is one filter.
type FilterUse struct {
	Name string // as cells have it
	// Made says that it was made, with the selectivity and the correlation that were asked for; else it is an expression
	// or a file.
	Made        bool
	Asked       float64
	Correlation string
	// Selectivity is the share that passes, as it was measured; Unfilled the share of queries for which fewer than k do.
	Selectivity, Unfilled float64
}

// FilterLine is a family and a way, over the filters.
type FilterLine struct {
	Family, Way string
	Exact       bool
	Points      []*FilterPoint // by place in Filters; nil where nothing was measured

	all [][]*FilterPoint // by place in Filters, of every setting
}

// FilterLoss is a reason why cells of a family have no values.
type FilterLoss struct {
	Family  string
	Ways    []string
	Filters []int // places in Filters, ascending; nil for all
	Why     Failure
}

// Look is the name by which a line has its colour: that of its family, or [Scan].
func (l *FilterLine) Look() string {
	if l.Way == "before" {
		return Scan
	}
	return l.Family
}

// FilterPoint is the setting that speaks for a family and a way under one filter: the fastest of those whose recall is
// [Target] and more, or where none is, the one of highest recall.
type FilterPoint struct {
	Row          *Row
	Recall, Time Value
	Reached      bool
}

// Filtered gives what was measured under filters, by terms; nil where nothing was.
func (r *Report) Filtered() []Filtered {
	all, _ := gather(r.Sources, func(src *record.Results) []record.Record { return src.Filtered })
	byTerms := map[Terms][]*Row{}
	var terms []Terms
	for _, row := range all {
		row.settle()
		t := TermsOf(row.Cell)
		if byTerms[t] == nil {
			terms = append(terms, t)
		}
		byTerms[t] = append(byTerms[t], row)
	}
	slices.SortStableFunc(terms, r.compareTerms)
	var out []Filtered
	for _, t := range terms {
		out = append(out, filteredOf(t, byTerms[t]))
	}
	return out
}

// filterWays orders the ways.
var filterWays = []string{"inside", "after", "before"}

func filteredOf(t Terms, rows []*Row) Filtered {
	f := Filtered{Terms: t, Time: metric.CPU}
	for _, row := range rows {
		if _, ok := row.Value(metric.CPU); !ok && row.OK() > 0 {
			f.Time = metric.Mean
		}
	}
	places := map[string]int{}
	for _, row := range rows {
		name := row.Cell.Filter
		at, seen := places[name]
		if !seen {
			at = len(f.Filters)
			places[name] = at
			use := FilterUse{Name: name}
			if n, _ := fmt.Sscanf(name, "selectivity=%g correlation=%s", &use.Asked, &use.Correlation); n == 2 {
				use.Made = true
			}
			f.Filters = append(f.Filters, use)
		}
		if v, ok := row.Value(metric.Selectivity); ok {
			f.Filters[at].Selectivity = v.Median
		}
		if v, ok := row.Value(metric.Unfilled); ok {
			f.Filters[at].Unfilled = v.Median
		}
	}
	correlations := []string{"none", "near", "far"}
	slices.SortStableFunc(f.Filters, func(a, b FilterUse) int {
		if a.Made != b.Made {
			if a.Made {
				return 1
			}
			return -1
		}
		return cmp.Or(cmp.Compare(slices.Index(correlations, a.Correlation), slices.Index(correlations, b.Correlation)), cmp.Compare(b.Asked, a.Asked))
	})
	for i := range f.Filters {
		places[f.Filters[i].Name] = i
	}
	slices.SortStableFunc(rows, func(a, b *Row) int {
		return cmp.Or(compareFamilies(a, b), cmp.Compare(slices.Index(filterWays, a.Cell.Way), slices.Index(filterWays, b.Cell.Way)))
	})
	var lost []*Row
	for _, row := range rows {
		c := row.Cell
		i := slices.IndexFunc(f.Lines, func(l FilterLine) bool { return l.Family == c.Family && l.Way == c.Way })
		if i < 0 {
			i = len(f.Lines)
			f.Lines = append(f.Lines, FilterLine{Family: c.Family, Way: c.Way, Exact: row.Exact, Points: make([]*FilterPoint, len(f.Filters)), all: make([][]*FilterPoint, len(f.Filters))})
		}
		if row.OK() == 0 {
			lost = append(lost, row)
			continue
		}
		p := &FilterPoint{Row: row}
		var ok, timed bool
		p.Recall, ok = row.Value(metric.Recall)
		p.Time, timed = row.Value(f.Time)
		if !ok || !timed {
			continue
		}
		p.Reached = p.Recall.Median >= Target
		at := places[c.Filter]
		f.Lines[i].all[at] = append(f.Lines[i].all[at], p)
		if old := f.Lines[i].Points[at]; old == nil || p.better(old, Target) {
			f.Lines[i].Points[at] = p
		}
	}
	f.Lines = slices.DeleteFunc(f.Lines, func(l FilterLine) bool {
		return !slices.ContainsFunc(l.Points, func(p *FilterPoint) bool { return p != nil })
	})
	f.Lost = losses(lost, places)
	return f
}

// losses says why rows have no values: a reason once for all ways of a family that have it under the same filters. places
// are those of all filters, by name.
func losses(rows []*Row, places map[string]int) []FilterLoss {
	same := func(a, b FilterLoss) bool {
		return a.Family == b.Family && a.Why.Status == b.Why.Status && a.Why.Error == b.Why.Error
	}
	var ways []FilterLoss // each of one way
	for _, row := range rows {
		for _, why := range row.Failures() {
			l := FilterLoss{Family: row.Cell.Family, Ways: []string{row.Cell.Way}, Why: why}
			i := slices.IndexFunc(ways, func(m FilterLoss) bool { return same(l, m) && l.Ways[0] == m.Ways[0] })
			if i < 0 {
				i, ways = len(ways), append(ways, l)
			}
			if at := places[row.Cell.Filter]; !slices.Contains(ways[i].Filters, at) {
				ways[i].Filters = append(ways[i].Filters, at)
			}
		}
	}
	var out []FilterLoss
	for _, l := range ways {
		if slices.Sort(l.Filters); len(l.Filters) == len(places) {
			l.Filters = nil
		}
		i := slices.IndexFunc(out, func(m FilterLoss) bool { return same(l, m) && slices.Equal(l.Filters, m.Filters) })
		if i < 0 {
			out = append(out, l)
		} else {
			out[i].Ways = append(out[i].Ways, l.Ways[0])
		}
	}
	return out
}

// better reports whether p speaks for a line rather than q, where a recall is wanted.
func (p *FilterPoint) better(q *FilterPoint, recall float64) bool {
	reaches := p.Recall.Median >= recall
	if reaches != (q.Recall.Median >= recall) {
		return reaches
	}
	if !reaches && p.Recall.Median != q.Recall.Median {
		return p.Recall.Median > q.Recall.Median
	}
	return p.Time.Median < q.Time.Median
}

// FilterPick is one way to search under a filter.
type FilterPick struct {
	Line  *FilterLine
	Point *FilterPoint
	Best  bool // it is the fastest, or as fast
}

// Fastest gives, under the filter at this place, the ways whose recall is at least recall, fastest first; and the one of
// highest recall besides, where none reaches it.
func (f *Filtered) Fastest(at int, recall float64) (reach []FilterPick, highest *FilterPick) {
	for i := range f.Lines {
		l := &f.Lines[i]
		var p *FilterPoint
		for _, q := range l.all[at] {
			if p == nil || q.better(p, recall) {
				p = q
			}
		}
		if p == nil {
			continue
		}
		if p.Recall.Median >= recall {
			reach = append(reach, FilterPick{Line: l, Point: p})
		} else if highest == nil || p.Recall.Median > highest.Point.Recall.Median {
			highest = &FilterPick{Line: l, Point: p}
		}
	}
	slices.SortStableFunc(reach, func(a, b FilterPick) int { return cmp.Compare(a.Point.Time.Median, b.Point.Time.Median) })
	for i, best := range even(reach, func(lead, p FilterPick) Difference { return p.Point.Time.Judged(lead.Point.Time) }) {
		reach[i].Best = best
	}
	return reach, highest
}

// ScanWins reports whether comparing everything that passes is as fast as any other way that reaches [Target] under the filter at this place, and whether it was measured at all.
func (f *Filtered) ScanWins(at int) (wins, measured bool) {
	reach, _ := f.Fastest(at, Target)
	for _, p := range reach {
		if p.Line.Way == "before" {
			return p.Best, true
		}
	}
	return false, false
}

// Nearest is the place of the filter that is called name, or else, for a selectivity, of the made filter of that
// correlation whose selectivity is nearest by its logarithm; ok is false where there is none.
func (f *Filtered) Nearest(name string, selectivity float64, correlation string) (at int, ok bool) {
	best := -1
	ratio := func(u FilterUse) float64 { return max(u.Asked/selectivity, selectivity/u.Asked) }
	for i, u := range f.Filters {
		if name != "" {
			if u.Name == name {
				return i, true
			}
			continue
		}
		if u.Made && u.Correlation == correlation && (best < 0 || ratio(u) < ratio(f.Filters[best])) {
			best = i
		}
	}
	return best, best >= 0
}
