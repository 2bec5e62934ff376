package say

import (
	"fmt"

	"annbench/bench/metric"
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
	times bool       // Small is how many times the fastest's time
}

// Equals puts [judge.Report.Equals] into words.
func Equals(r *judge.Report, t judge.Terms) []*Equal {
	var out []*Equal
	for _, e := range r.Equals(t) {
		if e.By == metric.Recall {
			out = append(out, equalRecall(r, e))
		} else {
			out = append(out, equalBudget(r, e))
		}
	}
	return out
}

// marked explains the marks of every comparison at equal terms.
const marked = "Bold or *: the best of a column, and those that are as fast."

func equalRecall(r *judge.Report, e *judge.Equal) *Equal {
	out := &Equal{
		Title: "At equal recall",
		Says: fmt.Sprintf("Time of a query%s, and how many times that of the fastest, at the same recall@%d. Between two settings of a family it is interpolated: the logarithm of the time over logit(recall), along the family's best settings. "+
			"≈ as fast as the fastest, within the noise or %s; ≤ the family's settings all find more, and this is the time of the one that finds least; max: the highest recall measured. "+marked+
			" The answer compares, of each family, the fastest setting whose recall comes up to it by the worse end of the interval, as it was measured, so a family that is as fast here may be slower there, and the other way round.", Clock(r.Clock(e.Terms)), e.Terms.K, slight),
	}
	for _, target := range e.Amounts {
		out.Heads = append(out.Heads, EqualHead{Title: "recall " + trimmed(target)})
	}
	paired := false
	for _, l := range e.Lines {
		line := EqualLine{Family: l.Family.Name}
		for i, judged := range l.Cells {
			c := EqualCellOf(judged, e.Amounts[i])
			paired = paired || c.times && judged.Against.Paired
			line.Cells = append(line.Cells, c)
		}
		out.Lines = append(out.Lines, line)
	}
	if paired {
		out.Says += " How many times is paired. " + Paired
	}
	return out
}

// EqualCellOf is what a family, or a build, takes at a recall.
func EqualCellOf(judged judge.EqualCell, target float64) EqualCell {
	m := judged.Match
	c := EqualCell{Row: m.Setting, Out: judged.Out, Best: judged.Best}
	switch {
	case judged.Out && m.Reach == judge.Below:
		c.Text = "max " + Ratio(m.Recall)
		c.Title = fmt.Sprintf("%s: the highest recall is %s, at %s", m.Family.Name, Ratio(m.Recall), Measured(metric.QPS, m.Value, " queries a second"))
		return c
	case judged.Out:
		c.Text, c.Title = Missing, "not measured"
		return c
	}
	c.Text = Format(metric.Seconds, 1/m.Value.Median)
	if m.Reach == judge.Beyond && !m.Family.Exact {
		c.Text = "≤ " + c.Text
	}
	c.Title = Describe(m, target)
	switch {
	case judged.First:
	case judged.Best:
		c.Small = "≈"
	default:
		c.Small, c.times = FactorText(judged.Against.Difference)+"×", true
	}
	if c.Small != "" {
		c.Title += "\n" + factor(judged.Against) + " the time of " + judged.Fastest
	}
	return c
}

// Describe says where a match comes from.
func Describe(m judge.Match, target float64) string {
	s := m.Family.Name + "\n" + Measured(metric.QPS, m.Value, " queries a second")
	set := OrDash(Settings(m.Setting.Cell))
	high, _ := m.Setting.Value(metric.Recall)
	switch {
	case m.Under != nil:
		low, _ := m.Under.Value(metric.Recall)
		s += fmt.Sprintf("\nat recall %s, between %s (recall %s, cell %s) and %s (recall %s, cell %s)", trimmed(target),
			OrDash(Settings(m.Under.Cell)), Ratio(low.Median), m.Under.Cell.ID(), set, Ratio(high.Median), m.Setting.Cell.ID())
	default:
		s += fmt.Sprintf("\nof %s (recall %s, cell %s)", set, Ratio(high.Median), m.Setting.Cell.ID())
	}
	return s
}

func equalBudget(r *judge.Report, e *judge.Equal) *Equal {
	what, long := "memory", "resident memory"
	if e.By != metric.Resident {
		what, long = "build time", "time to build"+BuildClock(e.By)
	}
	out := &Equal{
		Title: "At equal " + what,
		Says: fmt.Sprintf("One setting of each family within so much %s: the fastest whose recall@%d is at least %s, or where none comes up to it the one of highest recall; its recall, and its time a query%s. "+
			"Bold or *: the fastest of a column that come up to it, or else the highest recall, and those that are as fast within the noise or %s, or cannot be told from it in recall.", long, e.Terms.K, trimmed(judge.Target), Clock(r.Clock(e.Terms)), slight),
	}
	for _, amount := range e.Amounts {
		head := EqualHead{Title: "≤ " + Short(Quantity(e.By, amount))}
		if src := r.Source(e.Terms.Dataset); src != nil && e.By == metric.Resident {
			head.Small = Short(Quantity(metric.PerVector, amount/float64(src.Dataset.Base))) + " a vector"
		}
		out.Heads = append(out.Heads, head)
	}
	for _, l := range e.Lines {
		line := EqualLine{Family: l.Family.Name}
		for _, judged := range l.Cells {
			row := judged.Match.Setting
			c := EqualCell{Row: row, Out: judged.Out, Best: judged.Best, Text: Missing, Title: l.Family.Name + ": no setting within that"}
			if !judged.Out {
				c.Text, c.Small = Ratio(judged.Recall.Median), Format(metric.Seconds, 1/judged.Match.Value.Median)
				took, _ := row.Value(e.By)
				c.Title = fmt.Sprintf("%s\n%s (cell %s)\nrecall %s, %s, %s %s", l.Family.Name, OrDash(Settings(row.Cell)), row.Cell.ID(), Ratio(judged.Recall.Median), Measured(metric.QPS, judged.Match.Value, " queries a second"), what, Quantity(e.By, took.Median))
			}
			line.Cells = append(line.Cells, c)
		}
		out.Lines = append(out.Lines, line)
	}
	return out
}
