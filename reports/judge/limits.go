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

// Uncertain reports whether the median keeps the limit and only the worse end of the interval breaks it.
func (m Margin) Uncertain() bool {
	if !m.OK || m.Keeps() {
		return false
	}
	if m.Limit.AtMost() {
		return m.Value.Median <= m.Limit.Bound
	}
	return m.Value.Median >= m.Limit.Bound
}

// Candidate is a setting beside the limits.
type Candidate struct {
	Row     *Row
	Family  FamilyRows
	Margins []Margin // in the order of the limits
	// Tied says that its speed cannot be told from that of the fastest, or only by less than [Slight].
	Tied bool
	// Against is its speed against the pick's.
	Against Difference
	Speed   Value // by the clock that decides
	miss    float64
}

// Pick is the answer to a question of limits.
type Pick struct {
	Terms Terms
	Clock Clock // that speeds go by
	// BuildTime is the quantity that builds are judged by: see [Report.BuildTime].
	BuildTime string
	Limits    []Limit
	// Fit are the settings that keep every limit, one a family, its fastest: the pick first, then by speed.
	Fit []Candidate
	// Best is the first of Fit, nil where there is none: the fastest, or what Reason says.
	Best   *Candidate
	Reason Reason
	// Objective is the name of the objective where Reason is ByObjective.
	Objective string
	// Others are the next two of Fit.
	Others []Candidate
	// Nearly are the families of no setting in Fit that have one which keeps the limits by its medians: see [Margin.Uncertain].
	Nearly []string
	// Nearest is the setting that breaks the limits least: set where Best is nil, and something was
	// measured. It is judged by the sum of the logarithms of how many times too much it takes, of a
	// ratio by how many times too large the rest to 1 is.
	Nearest *Candidate
	// Lacking are the limits on what was measured of no setting: nothing can keep them, and Nearest is judged by
	// the others.
	Lacking []Limit
	// OnCPU is the share on the processor of what was timed, 0 where that was not measured; TooBusy says that it is
	// below [Busy]: the machine was too busy for percentiles, means and rates by the clock.
	OnCPU   float64
	TooBusy bool
	// Once says that what decided was measured once, without an interval.
	Once bool
	// More is what one percent more of recall would cost in the pick's family: how many times the time
	// of a query. Zero where the family's settings do not come up to it.
	More   float64
	MoreAt float64 // that recall
	// MoreBetween says that More is interpolated between two settings.
	MoreBetween bool
	// Cheaper is the one of Others that comes up to that recall for the least time, where the pick's family takes more or does not
	// come up to it, and CheaperMore what it costs; nil if there is none.
	Cheaper     *Candidate
	CheaperMore float64
	Settings    int // that were looked at
}

// Reason is why the best of a [Pick] is that.
type Reason int

// The reasons. Where several families are as fast as the fastest, speed does not decide: see [Slight].
const (
	ByFastest     Reason = iota // it is the fastest
	ByExactEnough               // exact search is as fast as the fastest, and misses nothing; of several, see ByFrugal
	ByFrugal                    // of those that are as fast it takes least of memory times build time, or is built soonest: see [Alike]
	ByObjective                 // it is the best by what was asked for: see [Report.PickBy]
)

// Pick chooses among the settings measured under terms t. A limit is kept only if the end of the
// value's interval that is worse keeps it: so the choice will hold when it is measured again. Where a
// value was measured once, the value itself decides, and Pick says so.
//
// Headline, tables, choose, serve and exports all go by it. A family with many settings has more chances to
// have one that reads too fast: of five equal ones at 10 % noise the best reads 8 % too fast. So the setting of
// a family is chosen by the rounds of even number and families are judged against each other by those of odd
// number, where the records have rounds and [Enough] repetitions. (Fitting speed monotone in work within a family would do, too, but
// gives a speed that no setting was measured at.) Families that are as fast as the fastest, but for [Slight], are
// told apart by memory and build time: see [Reason].
//
// A limit on [metric.Build] is one on [Report.BuildTime]; Limits of the pick names which.
func (r *Report) Pick(t Terms, limits []Limit) Pick {
	limits = r.asJudged(t, limits)
	p := Pick{Terms: t, Clock: r.Clock(t), BuildTime: r.BuildTime(t), Limits: limits}
	if share, ok := r.OnCPU(t); ok {
		p.OnCPU, p.TooBusy = share, share < Busy
	}
	for _, l := range limits {
		known := func(row *Row) bool { _, ok := row.Value(l.Name); return ok && TermsOf(row.Cell) == t }
		if !slices.ContainsFunc(r.Rows, known) {
			p.Lacking = append(p.Lacking, l)
		}
	}
	var fit, all []Candidate
	for _, f := range r.FamiliesOf(t) {
		for _, row := range f.Rows {
			speed, ok := row.Value(Speed)
			if !ok || speed.Median <= 0 {
				continue
			}
			p.Settings++
			c := Candidate{Row: row, Family: f, Speed: speed}
			for _, l := range limits {
				m := MarginOf(row, l)
				c.Margins = append(c.Margins, m)
				if !slices.Contains(p.Lacking, l) {
					c.miss += m.miss()
				}
			}
			all = append(all, c)
		}
		if row := fastestWithin(f, limits); row != nil {
			for _, c := range all {
				if c.Row == row {
					fit = append(fit, c)
				}
			}
		}
	}
	faster := func(a, b Candidate) int { return bySpeed(a.Speed, b.Speed) }
	if len(fit) == 0 {
		slices.SortStableFunc(all, func(a, b Candidate) int { return cmp.Or(cmp.Compare(a.miss, b.miss), faster(a, b)) })
		if len(all) > 0 {
			p.Nearest = &all[0]
		}
		return p
	}
	slices.SortStableFunc(fit, faster)
	var tied []*Candidate
	for i, even := range even(fit, func(a, b Candidate) Difference { return a.Speed.Judged(b.Speed) }) {
		if even {
			fit[i].Tied = i > 0
			tied = append(tied, &fit[i])
		}
	}
	first := fit[0].Row
	if len(tied) > 1 {
		fit[0].Tied = true
		var exact []*Candidate
		for _, c := range tied {
			if c.Family.Exact {
				exact = append(exact, c)
			}
		}
		if len(exact) > 0 && len(exact) < len(tied) {
			p.Reason, first = ByExactEnough, exact[0].Row
			if row := frugal(exact, p.BuildTime); row != nil {
				first = row
			}
		} else if row := frugal(tied, p.BuildTime); row != nil {
			p.Reason, first = ByFrugal, row
		}
	}
	slices.SortStableFunc(fit, func(a, b Candidate) int {
		switch first {
		case a.Row:
			return -1
		case b.Row:
			return 1
		}
		return 0
	})
	p.Fit, p.Best = fit, &fit[0]
	for i := range fit[1:] {
		fit[i+1].Against = fit[i+1].Speed.Judged(p.Best.Speed)
	}
	p.Others, p.Nearly = fit[1:min(3, len(fit))], nearly(fit, all)
	r.about(&p)
	return p
}

// asJudged are limits under terms t, that on the build time by the clock by which builds are judged.
func (r *Report) asJudged(t Terms, limits []Limit) []Limit {
	limits = slices.Clone(limits)
	for i := range limits {
		if limits[i].Name == metric.Build {
			limits[i].Name = r.BuildTime(t)
		}
	}
	return limits
}

// about says of the best whether it was measured once, and what more recall would cost.
func (r *Report) about(p *Pick) {
	p.Once, p.More, p.MoreAt, p.Cheaper = p.Best.Speed.N < 2, 0, 0, nil
	for _, m := range p.Best.Margins {
		p.Once = p.Once || m.Value.N < 2
	}
	r.more(p)
}

// more asks the curve of the pick's family for one percent more of recall, and the other candidates.
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
		if m := r.MatchRows(f, p.Terms, p.MoreAt, Speed); m.Reached() && m.Value.Median > 0 {
			p.More, p.MoreBetween = p.Best.Speed.Median/m.Value.Median, m.Under != nil
		}
	}
	for i, c := range p.Others {
		other, ok := c.Row.Value(metric.Recall)
		if !ok || other.Median < p.MoreAt || !(c.Speed.Median > 0) {
			continue
		}
		cost := p.Best.Speed.Median / c.Speed.Median
		if (p.More == 0 || cost < p.More) && (p.Cheaper == nil || cost < p.CheaperMore) {
			p.Cheaper, p.CheaperMore = &p.Others[i], cost
		}
	}
}

// Slight is a difference in speed that nobody chooses by: a family counts as fast as the fastest where the
// measurements do not show it to be slower by more than this share. One run finds such a
// difference and the next does not. Memory and build time ([Report.BuildTime]), which hardly vary between runs, decide
// instead.
const Slight = 0.05

// bySpeed puts the faster first, as families are judged: by the rounds that chose neither.
func bySpeed(a, b Value) int {
	a, b = judgedBy(a, b)
	return cmp.Compare(b.Median, a.Median)
}

// even says which of things, the fastest first ([bySpeed]), are as fast as it: all ties between families are decided
// here, in the answer and in the tables. Each is as fast as each of those before it: of two that the fastest cannot be
// told from, one may be slower than the other for certain. lead is by what factor a thing is faster than another.
func even[T any](things []T, lead func(thing, other T) Difference) []bool {
	out := make([]bool, len(things))
	for i, c := range things {
		out[i] = !slices.ContainsFunc(things[:i], func(f T) bool { return !asFast(lead(f, c)) })
	}
	return out
}

// asFast reports whether the speed of one against another's, lead, is no more than noise, or [Slight]. Where too few
// repetitions give no interval, the medians say it.
func asFast(lead Difference) bool {
	factor := lead.Lo
	switch {
	case lead.Difference <= 1 || TieOf(lead) == Tied:
		return true
	case !lead.OK:
		factor = lead.Difference
	}
	return factor < 1/(1-Slight)
}

// less is by how much a setting must take less of something to be worth naming: below that, sizes and
// times of builds vary from run to run.
const less = 0.95

// Prompt is the build time in seconds below which a shorter one is worth nothing: nobody waits for it.
const Prompt = 1

// Alike is by how much more than the least one may take of memory times build time, as a share, and still count as
// taking as little: families that are as fast often lie within that, and noise then chose among them.
const Alike = 0.25

// frugal is the one of those tied that takes least of memory times build time, of which less than [Prompt] counts as
// that; where several are [Alike], the one of them that is built soonest; where several of these are built as soon,
// the fastest. It is nil where none of that tells them apart, or where one of the two was not measured of one of
// them. The families come by speed; buildTime is [Report.BuildTime].
func frugal(tied []*Candidate, buildTime string) *Row {
	type price struct {
		row         *Row
		cost, build float64
	}
	var left []price
	for _, c := range tied {
		memory, ok := c.Row.Value(metric.Resident)
		build, built := c.Row.Value(buildTime)
		if !ok || !built || memory.Median <= 0 || build.Median <= 0 {
			return nil
		}
		left = append(left, price{c.Row, memory.Median * max(build.Median, Prompt), build.Median})
	}
	// keep leaves those that take at most a factor more than the least.
	keep := func(take func(price) float64, factor float64) {
		least := math.Inf(1)
		for _, p := range left {
			least = min(least, take(p))
		}
		left = slices.DeleteFunc(left, func(p price) bool { return take(p) > least*factor })
	}
	keep(func(p price) float64 { return p.cost }, 1+Alike)
	keep(func(p price) float64 { return p.build }, 1/less)
	if len(left) == len(tied) {
		return nil
	}
	return left[0].row
}

// MarginOf says how a setting stands to a limit.
func MarginOf(row *Row, l Limit) Margin {
	m := Margin{Limit: l}
	info, _ := metric.Lookup(l.Name)
	m.Value, m.OK = row.Value(l.Name)
	if !m.OK {
		return m
	}
	lo, hi := m.Value.worst()
	m.Worst = lo
	m.Room = m.Worst - l.Bound
	if info.Lower {
		m.Worst = hi
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
