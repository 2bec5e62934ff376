package judge

import (
	"cmp"
	"math"
	"slices"

	"annbench/bench/metric"
)

// Limit is what a setting must keep to: a quantity of package metric's table, and how much of it is
// the most, or the least where more is better.
type Limit struct {
	Name  string
	Bound float64
}

// AtMost reports whether the bound is an upper one.
func (l Limit) AtMost() bool {
	info, _ := metric.Lookup(l.Name)
	return info.Lower
}

// Margin is how a setting stands to a limit, by the end of its interval that is worse for it.
type Margin struct {
	Limit Limit
	Value Value
	Worst float64 // the end of the interval that decides
	OK    bool    // the setting has the quantity
	// Room is the share of the limit that is left: 0.25 of 2 ms where 1.5 ms are taken. Of a recall or a
	// mAP it is the difference. It is below 0 where the limit is broken.
	Room float64
}

// Keeps reports whether the limit is kept.
func (m Margin) Keeps() bool { return m.OK && m.Room >= 0 }

// Candidate is a setting beside the limits.
type Candidate struct {
	Row     *Row
	Margins []Margin // in the order of the limits
	// Tied says that its speed cannot be told from the pick's.
	Tied bool
	// Against is its speed against the pick's.
	Against Difference
	Qps     Value
	miss    float64
}

// Pick is the answer to a question of limits.
type Pick struct {
	Terms  Terms
	Limits []Limit
	// Best is the fastest setting that keeps every limit, nil where none does.
	Best *Candidate
	// Others are the fastest that keep every limit of the two next families.
	Others []Candidate
	// Nearest is the setting that breaks the limits least: set where Best is nil, and something was
	// measured. It is judged by the sum of the logarithms of how many times too much it takes, of a
	// ratio by how many times too large the rest to 1 is.
	Nearest *Candidate
	// Once says that what decided was measured once, without an interval.
	Once bool
	// More is what one percent more of recall would cost in the pick's family: how many times the time
	// of a query. Zero where the family's settings do not come up to it.
	More     float64
	MoreAt   float64 // that recall
	Settings int     // that were looked at
}

// Pick chooses among the settings measured under terms t. A limit is kept only if the end of the
// value's interval that is worse keeps it: so the choice will hold when it is measured again. Where a
// value was measured once, the value itself decides, and Pick says so.
func (r *Report) Pick(t Terms, limits []Limit) Pick {
	p := Pick{Terms: t, Limits: limits}
	var fit, all []Candidate
	for _, f := range r.FamiliesOf(t) {
		for _, row := range f.Rows {
			qps, ok := row.Value(metric.QPS)
			if !ok || qps.Median <= 0 {
				continue
			}
			p.Settings++
			c := Candidate{Row: row, Qps: qps}
			keeps := true
			for _, l := range limits {
				m := MarginOf(row, l)
				c.Margins = append(c.Margins, m)
				keeps = keeps && m.Keeps()
				c.miss += m.miss()
			}
			all = append(all, c)
			if keeps {
				fit = append(fit, c)
			}
		}
	}
	faster := func(a, b Candidate) int { return cmp.Compare(b.Qps.Median, a.Qps.Median) }
	if len(fit) == 0 {
		slices.SortStableFunc(all, func(a, b Candidate) int { return cmp.Or(cmp.Compare(a.miss, b.miss), faster(a, b)) })
		if len(all) > 0 {
			p.Nearest = &all[0]
		}
		return p
	}
	slices.SortStableFunc(fit, faster)
	p.Best = &fit[0]
	seen := map[string]bool{p.Best.Row.Cell.Family: true}
	for _, c := range fit[1:] {
		if seen[c.Row.Cell.Family] || len(p.Others) == 2 {
			continue
		}
		seen[c.Row.Cell.Family] = true
		c.Against = c.Qps.Against(p.Best.Qps)
		c.Tied = TieOf(c.Against) == Tied
		p.Others = append(p.Others, c)
	}
	for _, m := range p.Best.Margins {
		p.Once = p.Once || !m.Value.HasInterval
	}
	p.Once = p.Once || !p.Best.Qps.HasInterval
	r.more(&p)
	return p
}

// more asks the curve of the pick's family for one percent more of recall.
func (r *Report) more(p *Pick) {
	recall, ok := p.Best.Row.Value(metric.Recall)
	if !ok || recall.Median >= 1 {
		return
	}
	p.MoreAt = min(1, recall.Median+0.01)
	for _, f := range r.FamiliesOf(p.Terms) {
		if f.Name != p.Best.Row.Cell.Family {
			continue
		}
		if m := r.MatchRows(f, p.Terms, p.MoreAt, metric.QPS); m.Reached() && m.Value.Median > 0 {
			p.More = p.Best.Qps.Median / m.Value.Median
		}
	}
}

// MarginOf says how a setting stands to a limit.
func MarginOf(row *Row, l Limit) Margin {
	m := Margin{Limit: l}
	info, _ := metric.Lookup(l.Name)
	m.Value, m.OK = row.Value(l.Name)
	if !m.OK {
		return m
	}
	m.Worst = m.Value.Lo
	m.Room = m.Worst - l.Bound
	if info.Lower {
		m.Worst = m.Value.Hi
		m.Room = l.Bound - m.Worst
	}
	if info.Unit != metric.Ratio && l.Bound != 0 {
		m.Room /= l.Bound
	}
	return m
}

// miss is how far the limit is broken, 0 where it is kept.
func (m Margin) miss() float64 {
	info, _ := metric.Lookup(m.Limit.Name)
	switch {
	case !m.OK:
		return math.Inf(1)
	case m.Room >= 0:
		return 0
	case info.Unit == metric.Ratio:
		return math.Log((1 - m.Worst + 1e-9) / (1 - m.Limit.Bound + 1e-9))
	case m.Worst <= 0 || m.Limit.Bound <= 0:
		return math.Inf(1)
	}
	return math.Abs(math.Log(m.Worst / m.Limit.Bound))
}
