package reports

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"annbench/bench/metric"
)

// Limit is what a setting must keep to: a quantity of package metric's table, and how much of it is
// the most, or the least where more is better.
type Limit struct {
	Name  string
	Bound float64
}

// atMost reports whether the bound is an upper one.
func (l Limit) atMost() bool {
	info, _ := metric.Lookup(l.Name)
	return info.Lower
}

func (l Limit) String() string {
	info, _ := metric.Lookup(l.Name)
	sign := "≥"
	if info.Lower {
		sign = "≤"
	}
	return fmt.Sprintf("%s %s %s", info.Title, sign, short(format(info.Unit, l.Bound)))
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

func (m Margin) String() string {
	if !m.OK {
		return m.Limit.String() + ": not measured"
	}
	info, _ := metric.Lookup(m.Limit.Name)
	s := fmt.Sprintf("%s %s", info.Title, format(info.Unit, m.Value.Median))
	if m.Value.HasInterval && m.Worst != m.Value.Median {
		word := "at least"
		if m.Limit.atMost() {
			word = "at most"
		}
		s += fmt.Sprintf(" (%s %s)", word, format(info.Unit, m.Worst))
	}
	bound := short(format(info.Unit, m.Limit.Bound))
	room := percent(math.Abs(m.Room))
	if info.Unit == metric.Ratio {
		room = fmt.Sprintf("%.3f", math.Abs(m.Room))
	}
	switch {
	case m.Room >= 0:
		return fmt.Sprintf("%s; the limit is %s, %s to spare", s, bound, room)
	case m.Limit.atMost():
		return fmt.Sprintf("%s; the limit is %s, %s too much", s, bound, room)
	}
	return fmt.Sprintf("%s; the limit is %s, %s short", s, bound, room)
}

// Candidate is a setting beside the limits.
type Candidate struct {
	Row     *Row
	Margins []Margin // in the order of the limits
	// Tied says that its speed cannot be told from the pick's.
	Tied bool
	// Against is its speed against the pick's.
	Against Difference
	qps     Value
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
			c := Candidate{Row: row, qps: qps}
			keeps := true
			for _, l := range limits {
				m := marginOf(row, l)
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
	faster := func(a, b Candidate) int { return cmp.Compare(b.qps.Median, a.qps.Median) }
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
		c.Against = compare(c.qps, p.Best.qps)
		c.Tied = tieOf(c.Against) == tied
		p.Others = append(p.Others, c)
	}
	for _, m := range p.Best.Margins {
		p.Once = p.Once || !m.Value.HasInterval
	}
	p.Once = p.Once || !p.Best.qps.HasInterval
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
		if m := r.match(f, p.Terms, p.MoreAt, metric.QPS); m.Reached() && m.Value.Median > 0 {
			p.More = p.Best.qps.Median / m.Value.Median
		}
	}
}

func marginOf(row *Row, l Limit) Margin {
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

// YAML is the setting as an entry of a sweep file's families, ready to use.
func (c Candidate) YAML() string {
	var b strings.Builder
	fmt.Fprintf(&b, "family: %s\n", clean(c.Row.Cell.Family))
	for _, part := range []struct{ name, settings string }{{"build", c.Row.Cell.Build}, {"search", c.Row.Cell.Search}} {
		var fields []string
		for _, f := range strings.Fields(clean(part.settings)) {
			if name, value, ok := strings.Cut(f, "="); ok {
				fields = append(fields, name+": "+value)
			}
		}
		if len(fields) > 0 {
			fmt.Fprintf(&b, "%s: {%s}\n", part.name, strings.Join(fields, ", "))
		}
	}
	return b.String()
}

// Text is the pick in words, a line for each thing that is said.
func (p Pick) Text() string {
	var b strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	var wanted []string
	for _, l := range p.Limits {
		wanted = append(wanted, l.String())
	}
	under := and(wanted)
	if under == "" {
		under = "no limits"
	}
	switch {
	case p.Best == nil && p.Nearest == nil:
		say("nothing fits: nothing was measured under %s", p.Terms.Describe())
		return b.String()
	case p.Best == nil:
		say("nothing fits: none of %s keeps %s", plural(p.Settings, "setting", "settings"), under)
		say("nearest is %s:", p.Nearest.name())
		for _, m := range p.Nearest.Margins {
			say("  %s", m)
		}
		return b.String()
	}
	say("%s", strings.TrimRight(p.Best.YAML(), "\n"))
	say("")
	say("The fastest of %s that keep %s (%s):", plural(p.Settings, "setting", "settings"), under, p.Terms.Describe())
	say("  %s, %s each", describeValue(metric.QPS, p.Best.qps, " queries a second"), format(metric.Seconds, 1/p.Best.qps.Median))
	for _, m := range p.Best.Margins {
		say("  %s", m)
	}
	if p.Once {
		say("  measured once: nothing says how much of this is noise")
	}
	if len(p.Others) == 0 {
		say("No other family keeps the limits.")
	}
	for i, c := range p.Others {
		lead := "Runner-up"
		if i > 0 {
			lead = "Then"
		}
		s := factor(c.Against) + " as fast"
		if c.Tied {
			s = "as fast within the noise"
		}
		say("%s: %s, %s queries a second, %s", lead, c.name(), significant(c.qps.Median), s)
	}
	switch {
	case p.MoreAt == 0:
	case p.More > 0:
		say("One percent more of recall (%s) would take %s times the time a query.", ratio(p.MoreAt), factorText(p.More))
	default:
		say("One percent more of recall (%s) is beyond what was measured of %s.", ratio(p.MoreAt), clean(p.Best.Row.Cell.Family))
	}
	return b.String()
}

func (c Candidate) name() string {
	return strings.TrimSpace(clean(c.Row.Cell.Family + " " + c.Row.Cell.Settings()))
}

// PickSummary is a pick for programs.
type PickSummary struct {
	Terms   string             `json:"terms"`
	Limits  []string           `json:"limits"`
	Fits    bool               `json:"fits"`
	Pick    *CandidateSummary  `json:"pick,omitempty"`
	Others  []CandidateSummary `json:"runners_up,omitempty"`
	Nearest *CandidateSummary  `json:"nearest,omitempty"`
	Once    bool               `json:"measured_once,omitempty"`
	// MoreRecall is what More of [Pick] is.
	MoreRecall float64 `json:"time_for_one_percent_more_recall,omitempty"`
}

// CandidateSummary is a setting of a [PickSummary].
type CandidateSummary struct {
	Cell    string             `json:"cell"`
	Family  string             `json:"family"`
	Build   string             `json:"build,omitempty"`
	Search  string             `json:"search,omitempty"`
	QPS     float64            `json:"qps"`
	Tied    bool               `json:"tied,omitempty"`
	Values  map[string]float64 `json:"values"`  // of the limits
	Worst   map[string]float64 `json:"worst"`   // the ends of their intervals that decided
	Margins map[string]float64 `json:"margins"` // see [Margin.Room]
}

// Summary is p for programs.
func (p Pick) Summary() PickSummary {
	s := PickSummary{Terms: p.Terms.Describe(), Fits: p.Best != nil, Once: p.Once, MoreRecall: p.More}
	for _, l := range p.Limits {
		s.Limits = append(s.Limits, l.String())
	}
	one := func(c *Candidate) *CandidateSummary {
		if c == nil {
			return nil
		}
		out := &CandidateSummary{
			Cell: c.Row.Cell.ID(), Family: c.Row.Cell.Family, Build: c.Row.Cell.Build, Search: c.Row.Cell.Search,
			QPS: c.qps.Median, Tied: c.Tied, Values: map[string]float64{}, Worst: map[string]float64{}, Margins: map[string]float64{},
		}
		for _, m := range c.Margins {
			if m.OK {
				out.Values[m.Limit.Name], out.Worst[m.Limit.Name], out.Margins[m.Limit.Name] = m.Value.Median, m.Worst, m.Room
			}
		}
		return out
	}
	s.Pick, s.Nearest = one(p.Best), one(p.Nearest)
	for i := range p.Others {
		s.Others = append(s.Others, *one(&p.Others[i]))
	}
	return s
}
