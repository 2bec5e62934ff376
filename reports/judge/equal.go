package judge

import (
	"slices"

	"annbench/bench/metric"
	"annbench/bench/record"
)

// Equal compares families where one quantity is the same for all: recall, or how much of By is taken at most. A
// line for each family, a cell for each of Amounts.
type Equal struct {
	Terms   Terms
	By      string // [metric.Recall], [metric.Resident] or [Report.BuildTime]
	Amounts []float64
	Lines   []EqualLine
}

// EqualLine is a family.
type EqualLine struct {
	Family FamilyRows
	Cells  []EqualCell // by Amounts
}

// EqualCell is what a family does at an amount.
type EqualCell struct {
	// Match is the family's [Speed] at the recall; of a budget, that of one setting, which is the [Choice] of those
	// within it: Reach is Beyond where it comes up to [Target], else Below.
	Match Match
	Out   bool // the amount is out of reach, or nothing was measured: Match compares with nothing
	// Best is set in the best of a column, which is First, and in those that are as fast but for noise or [Slight], or
	// whose recall cannot be told from its. Within a budget
	// the best is the fastest of those that come up to [Target]; where none does, that of highest recall.
	Best, First bool
	// Against is, at equal recall, how many times the speed the fastest, called Fastest, has.
	Against Difference
	Fastest string
	Recall  Value // within a budget, of the setting
}

// Any reports whether any family has a value in it.
func (e *Equal) Any() bool {
	return e != nil && slices.ContainsFunc(e.Lines, func(l EqualLine) bool {
		return slices.ContainsFunc(l.Cells, func(c EqualCell) bool { return !c.Out })
	})
}

// Equals are the comparisons under terms t: at equal recall (r.Targets), memory and build time. One for which
// nothing was measured is left out.
func (r *Report) Equals(t Terms) []*Equal {
	var out []*Equal
	for _, e := range []*Equal{r.equalRecall(t), r.equalBudget(t, metric.Resident), r.equalBudget(t, r.BuildTime(t))} {
		if e.Any() {
			out = append(out, e)
		}
	}
	return out
}

func (r *Report) equalRecall(t Terms) *Equal {
	e := &Equal{Terms: t, By: metric.Recall, Amounts: r.Targets}
	families := r.FamiliesOf(t)
	for _, f := range families {
		e.Lines = append(e.Lines, EqualLine{Family: f})
	}
	for _, target := range r.Targets {
		for i, c := range r.equalAt(t, families, target) {
			e.Lines[i].Cells = append(e.Lines[i].Cells, c)
		}
	}
	return e
}

// equalAt compares families, or parts of them that share no row, at one recall.
func (r *Report) equalAt(t Terms, families []FamilyRows, target float64) []EqualCell {
	var matches []Match
	for _, f := range families {
		matches = append(matches, r.MatchRows(f, t, target, Speed))
	}
	fast := Fastest(matches)
	ties := even(fast, func(a, b Match) Difference { return a.Value.Judged(b.Value) })
	var out []EqualCell
	for _, m := range matches {
		c := EqualCell{Match: m, Out: !m.Reached() || m.Value.Median <= 0}
		if !c.Out {
			at := slices.IndexFunc(fast, func(f Match) bool { return f.Setting == m.Setting })
			c.Fastest, c.Against = fast[0].Family.Name, fast[0].Value.Judged(m.Value)
			c.First, c.Best = at == 0, ties[at]
		}
		out = append(out, c)
	}
	return out
}

// maxBudgets is how many amounts a comparison at equal memory or build time has: those of a ladder that let in
// other families, or other builds of them, than the amount before.
const maxBudgets = 5

// memorySteps are parts of the size of the vectors themselves.
var memorySteps = []float64{1. / 32, 1. / 16, 1. / 8, 1. / 4, 1. / 2, 1.1, 1.25, 1.5, 2, 3, 4}

// buildSteps are seconds.
var buildSteps = []float64{0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 60, 180, 600, 1800, 3600, 4 * 3600, 24 * 3600}

// equalBudget is nil where there is nothing to compare: everything fits into the same amount, or nothing does.
func (r *Report) equalBudget(t Terms, name string) *Equal {
	e := &Equal{Terms: t, By: name}
	steps, unit := buildSteps, 1.0
	if name == metric.Resident {
		src := r.Source(t.Dataset)
		if src == nil || src.Dataset.Base == 0 {
			return nil
		}
		steps, unit = memorySteps, 4*float64(src.Dataset.Dim)*float64(src.Dataset.Base)
	}
	families := r.FamiliesOf(t)
	within := func(amount float64) (rows [][]*Row, n int) {
		for _, f := range families {
			var in []*Row
			for _, row := range f.Rows {
				if v, ok := row.Value(name); ok && v.Median <= amount && row.Status() == record.OK {
					in = append(in, row)
					n++
				}
			}
			rows = append(rows, in)
		}
		return rows, n
	}
	before, builds := 0, -1
	for _, step := range steps {
		rows, n := within(step * unit)
		if n == before {
			continue
		}
		in := 0 // settings of search alone are no news
		seen := map[string]bool{}
		for _, list := range rows {
			for _, row := range list {
				if key := row.Cell.Family + " " + row.Cell.Build; !seen[key] {
					seen[key] = true
					in++
				}
			}
		}
		if in != builds {
			e.Amounts = append(e.Amounts, step*unit)
		}
		before, builds = n, in
	}
	if len(e.Amounts) > maxBudgets {
		e.Amounts = e.Amounts[len(e.Amounts)-maxBudgets:]
	}
	if len(e.Amounts) < 2 {
		return nil
	}
	for _, f := range families {
		e.Lines = append(e.Lines, EqualLine{Family: f})
	}
	for _, amount := range e.Amounts {
		rows, _ := within(amount)
		column := make([]EqualCell, len(families))
		best := -1
		for i, f := range families {
			c := &column[i]
			c.Out = true
			if len(rows[i]) == 0 {
				continue
			}
			f.Rows = rows[i]
			chosen := choose(f)
			if chosen.Row == nil {
				continue
			}
			speed, ok := chosen.Row.Value(Speed)
			if !ok || speed.Median <= 0 {
				continue
			}
			c.Out, c.Match = false, Match{Family: f, Reach: Below, Value: speed, Setting: chosen.Row}
			if chosen.Reached {
				c.Match.Reach = Beyond
			}
			c.Recall, _ = chosen.Row.Value(metric.Recall)
			c.Match.Recall = c.Recall.Median
			if best < 0 || better(c, &column[best]) {
				best = i
			}
		}
		var fast []*EqualCell // those that come up to Target
		for i := range column {
			c := &column[i]
			c.First = i == best
			switch {
			case c.Out:
			case c.Match.Reached():
				fast = append(fast, c)
			case !column[best].Match.Reached():
				c.Best = c.First || TieOf(column[best].Recall.Against(c.Recall)) == Tied
			}
		}
		slices.SortStableFunc(fast, func(a, b *EqualCell) int { return bySpeed(a.Match.Value, b.Match.Value) })
		for i, tied := range even(fast, func(a, b *EqualCell) Difference { return a.Match.Value.Judged(b.Match.Value) }) {
			fast[i].Best = tied
		}
		for i, c := range column {
			e.Lines[i].Cells = append(e.Lines[i].Cells, c)
		}
	}
	return e
}

// better reports whether a is before b within a budget.
func better(a, b *EqualCell) bool {
	if a.Match.Reached() != b.Match.Reached() {
		return a.Match.Reached()
	}
	if a.Match.Reached() {
		return bySpeed(a.Match.Value, b.Match.Value) < 0
	}
	return a.Recall.Median > b.Recall.Median
}

// Front are those of rows that no other of them beats in both recall and the quantity called name; with equal
// recall and quantity the first counts. A row without one of the two is beaten.
func Front(rows []*Row, name string) map[*Row]bool {
	var points []onCurve
	for _, row := range rows {
		recall, ok1 := row.Value(metric.Recall)
		v, ok2 := row.Value(name)
		if ok1 && ok2 {
			points = append(points, onCurve{row, recall.Median, v.Median})
		}
	}
	out := map[*Row]bool{}
	for _, p := range front(points, lookup(name).Lower) {
		out[p.row] = true
	}
	return out
}

// UnderLoad are the cells of one setting of c's family under a mode with several queries in flight, in the order
// of r.Rows: the setting of c or, where that was not measured so, the one with most cells, of equal ones the first.
func (r *Report) UnderLoad(c Choice, mode string) []*Row {
	type setting struct{ build, search string }
	groups := map[setting][]*Row{}
	var order []setting
	for _, row := range r.Rows {
		t := TermsOf(row.Cell)
		if row.Cell.Family != c.Family.Name || t.Mode != mode || t.Dataset != r.Focus.Dataset || t.Metric != r.Focus.Metric || t.K != r.Focus.K || row.Status() != record.OK {
			continue
		}
		key := setting{row.Cell.Build, row.Cell.Search}
		if groups[key] == nil {
			order = append(order, key)
		}
		groups[key] = append(groups[key], row)
	}
	if c.Row != nil {
		if own := groups[setting{c.Row.Cell.Build, c.Row.Cell.Search}]; own != nil {
			return own
		}
	}
	var most []*Row
	for _, key := range order {
		if len(groups[key]) > len(most) {
			most = groups[key]
		}
	}
	return most
}

// Served are the settings of the family of c to try side by side, at most so many: the one that speaks for the
// family where it reaches [Target], then the one of highest recall, then the fastest.
func Served(c Choice, most int) []*Row {
	var out []*Row
	add := func(row *Row) {
		if row != nil && !slices.Contains(out, row) && len(out) < most {
			out = append(out, row)
		}
	}
	highest := func(name string) (best *Row) {
		high := 0.0
		for _, row := range c.Family.Rows {
			if v, ok := row.Value(name); ok && (best == nil || v.Median > high) {
				best, high = row, v.Median
			}
		}
		return best
	}
	if c.Reached {
		add(c.Row)
	}
	add(highest(metric.Recall))
	add(highest(Speed))
	return out
}
