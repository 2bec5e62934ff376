package say

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/reports/judge"
)

// Equal compares families where one quantity is the same for all: a line for each family, a column
// for each amount of that quantity.
type Equal struct {
	Title string
	Says  string // how to read it
	Heads []EqualHead
	Lines []EqualLine
}

// EqualHead is an amount: "recall 0.95", "at most 10 s to build".
type EqualHead struct{ Title, Small string }

// EqualLine is a family.
type EqualLine struct {
	Family string
	Cells  []EqualCell
}

// EqualCell is what a family does at an amount.
type EqualCell struct {
	Text  string // the value, or "max 0.803" where the amount is out of reach
	Small string // what stands beside it: how much worse than the best, or the speed
	// Best is set in the best of a column, and in those that cannot be told from it.
	Best  bool
	Out   bool // out of reach
	Title string
	Row   *judge.Row // the setting to use; nil where there is none
}

// Any reports whether any family has a value in it.
func (e *Equal) Any() bool {
	return e != nil && slices.ContainsFunc(e.Lines, func(l EqualLine) bool {
		return slices.ContainsFunc(l.Cells, func(c EqualCell) bool { return !c.Out })
	})
}

// Equals are the comparisons under terms t: at equal recall (r.Targets), memory and build time. One for which
// nothing was measured is left out.
func Equals(r *judge.Report, t judge.Terms) []*Equal {
	var out []*Equal
	for _, e := range []*Equal{equalRecall(r, t, r.Targets), equalBudget(r, t, metric.Resident), equalBudget(r, t, metric.Build)} {
		if e.Any() {
			out = append(out, e)
		}
	}
	return out
}

func equalRecall(r *judge.Report, t judge.Terms, targets []float64) *Equal {
	e := &Equal{
		Title: "At equal recall",
		Says: fmt.Sprintf("Time of a query, and how many times that of the fastest, at the same recall@%d. Between two settings of a family it is interpolated: the logarithm of the time over logit(recall), along the family's best settings. "+
			"≈ cannot be told from the fastest; ≤ the family's settings all find more, and this is the time of the one that finds least; max: the highest recall measured.", t.K),
	}
	families := r.FamiliesOf(t)
	for _, f := range families {
		e.Lines = append(e.Lines, EqualLine{Family: f.Name})
	}
	for _, target := range targets {
		e.Heads = append(e.Heads, EqualHead{Title: "recall " + trimmed(target)})
		matches := r.Match(t, target, judge.Speed)
		fast := judge.Fastest(matches)
		for i, m := range matches {
			c := EqualCell{Row: m.Setting, Out: true}
			switch {
			case m.Reach == judge.Lost:
				c.Text, c.Title = Missing, "not measured"
			case m.Reach == judge.Below:
				c.Text = "max " + Ratio(m.Recall)
				c.Title = fmt.Sprintf("%s: the highest recall is %s, at %s", m.Family.Name, Ratio(m.Recall), Measured(metric.QPS, m.Value, " queries a second"))
			case m.Value.Median <= 0:
				c.Text, c.Title = Missing, "not measured"
			default:
				c.Out = false
				c.Text = Format(metric.Seconds, 1/m.Value.Median)
				if m.Reach == judge.Beyond && !m.Family.Exact {
					c.Text = "≤ " + c.Text
				}
				d := fast[0].Value.Against(m.Value)
				switch {
				case m.Family.Name == fast[0].Family.Name:
					c.Best = true
				case judge.TieOf(d) == judge.Tied && d.OK:
					c.Best, c.Small = true, "≈"
				default:
					c.Small = FactorText(d.Difference) + "×"
				}
				c.Title = Describe(m, target)
				if c.Small != "" {
					c.Title += "\n" + factor(d) + " the time of " + fast[0].Family.Name
				}
			}
			e.Lines[i].Cells = append(e.Lines[i].Cells, c)
		}
	}
	return e
}

// Describe says where a match comes from.
func Describe(m judge.Match, target float64) string {
	s := m.Family.Name + "\n" + Measured(metric.QPS, m.Value, " queries a second")
	set := OrDash(Clean(m.Setting.Cell.Settings()))
	high, _ := m.Setting.Value(metric.Recall)
	switch {
	case m.Under != nil:
		low, _ := m.Under.Value(metric.Recall)
		s += fmt.Sprintf("\nat recall %s, between %s (recall %s, cell %s) and %s (recall %s, cell %s)", trimmed(target),
			OrDash(Clean(m.Under.Cell.Settings())), Ratio(low.Median), m.Under.Cell.ID(), set, Ratio(high.Median), m.Setting.Cell.ID())
	default:
		s += fmt.Sprintf("\nof %s (recall %s, cell %s)", set, Ratio(high.Median), m.Setting.Cell.ID())
	}
	return s
}

// budgets are the amounts that a comparison at equal memory or build time has columns for: those of a
// ladder that let in other families, or other settings of them, than the amount before.
const maxBudgets = 5

// memorySteps are parts of the size of the vectors themselves.
var memorySteps = []float64{1. / 32, 1. / 16, 1. / 8, 1. / 4, 1. / 2, 1.1, 1.25, 1.5, 2, 3, 4}

// buildSteps are seconds.
var buildSteps = []float64{0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 60, 180, 600, 1800, 3600, 4 * 3600, 24 * 3600}

func equalBudget(r *judge.Report, t judge.Terms, name string) *Equal {
	e := &Equal{Title: "At equal memory"}
	steps := memorySteps
	unit := 1.0
	src := r.Source(t.Dataset)
	switch {
	case name == metric.Build:
		e.Title, steps = "At equal build time", buildSteps
	case src == nil || src.Dataset.Base == 0:
		return nil
	default:
		unit = 4 * float64(src.Dataset.Dim) * float64(src.Dataset.Base)
	}
	e.Says = fmt.Sprintf("The highest recall@%d that each family comes up to within so much %s and, beside it, the time of a query at recall %s, or at that highest recall where it is less.", t.K, map[string]string{metric.Resident: "resident memory", metric.Build: "time to build"}[name], trimmed(judge.Target))
	families := r.FamiliesOf(t)
	within := func(amount float64) (rows [][]*judge.Row, n int) {
		for _, f := range families {
			var in []*judge.Row
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
	var amounts []float64
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
			amounts = append(amounts, step*unit)
		}
		before, builds = n, in
	}
	if len(amounts) > maxBudgets {
		amounts = amounts[len(amounts)-maxBudgets:]
	}
	if len(amounts) < 2 {
		return nil // everything fits, or nothing: no comparison
	}
	for _, f := range families {
		e.Lines = append(e.Lines, EqualLine{Family: f.Name})
	}
	for _, amount := range amounts {
		head := EqualHead{Title: "≤ " + Short(Format(metric.Seconds, amount))}
		if name == metric.Resident {
			head = EqualHead{Title: "≤ " + Short(Format(metric.Bytes, amount)), Small: Significant(math.Round(amount/float64(src.Dataset.Base))) + " B a vector"}
		}
		e.Heads = append(e.Heads, head)
		rows, _ := within(amount)
		column := make([]EqualCell, len(families))
		recalls := make([]judge.Value, len(families))
		best := -1
		for i, f := range families {
			c := &column[i]
			c.Out, c.Text, c.Title = true, Missing, f.Name+": no setting within that"
			if len(rows[i]) == 0 {
				continue
			}
			m := r.MatchRows(judge.FamilyRows{Name: f.Name, Library: f.Library, Exact: f.Exact, Rows: rows[i]}, t, judge.Target, judge.Speed)
			top := r.MatchRows(judge.FamilyRows{Name: f.Name, Rows: rows[i]}, t, math.Inf(1), judge.Speed) // its highest recall
			if m.Reach == judge.Lost {
				continue
			}
			recalls[i], _ = top.Setting.Value(metric.Recall)
			c.Row, c.Out = top.Setting, false
			c.Text = Ratio(recalls[i].Median)
			if m.Value.Median > 0 {
				c.Small = Format(metric.Seconds, 1/m.Value.Median)
			}
			took, _ := top.Setting.Value(name)
			c.Title = fmt.Sprintf("%s\nhighest recall: %s, %s (cell %s), %s %s", f.Name, Ratio(recalls[i].Median), OrDash(Clean(top.Setting.Cell.Settings())), top.Setting.Cell.ID(), strings.ToLower(e.Title[len("At equal "):]), Quantity(name, took.Median))
			if m.Reached() {
				c.Title += "\n" + strings.TrimPrefix(Describe(m, judge.Target), f.Name+"\n")
			}
			if best < 0 || recalls[i].Median > recalls[best].Median {
				best = i
			}
		}
		for i := range column {
			if best >= 0 && !column[i].Out && (i == best || judge.TieOf(recalls[best].Against(recalls[i])) == judge.Tied) {
				column[i].Best = true
			}
			e.Lines[i].Cells = append(e.Lines[i].Cells, column[i])
		}
	}
	return e
}
