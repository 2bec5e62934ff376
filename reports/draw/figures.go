package draw

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/image/font"

	"annbench/bench/metric"
	"annbench/reports/judge"
	"annbench/reports/say"
)

// barFigure compares the families' choices in one quantity: a bar from zero for each, with a line over
// its interval and its value beside it. Above each bar stand the family, its setting and the recall
// of that setting, since no bar means anything without it.
type barFigure struct {
	Title string
	Rule  string // how the settings were chosen
	name  string // of the quantity, in package metric's table
	bars  []bar
	// ceiling is drawn across all bars where it is not NaN, and named.
	ceiling     float64
	ceilingName string
}

type bar struct {
	family  string
	setting string
	value   judge.Value
	floor   float64 // the part that is the mere call of the library; 0 where there is none
	ok      bool    // value was measured
	instead string  // said where it was not
	title   string
}

// bars makes the figure of one quantity.
func bars(name string) func(input) figure {
	return func(in input) figure { return barsOf(in, name) }
}

func barsOf(in input, name string) *barFigure {
	info, _ := metric.Lookup(name)
	f := &barFigure{Title: in.title, name: name, ceiling: math.NaN()}
	if !in.onPage {
		f.Rule = say.Sentence(say.ChoiceRule(in.Focus.K))
	}
	if name == metric.MAP {
		f.Title += "@" + strconv.Itoa(in.Focus.K)
	}
	for _, c := range in.choices {
		b := bar{family: c.Family.Name}
		switch {
		case c.Row == nil:
			b.instead = "not measured"
			if fails := c.Family.Rows[0].Failures(); len(fails) > 0 {
				b.instead = "not measured: " + string(fails[0].Status)
			}
		default:
			recall, _ := c.Row.Value(metric.Recall)
			b.setting = strings.TrimPrefix(say.Settings(c.Row.Cell)+" · ", " · ") + "recall " + say.Ratio(recall.Median)
			b.value, b.ok = c.Row.Value(name)
			if caller := say.From(c.Row.Caller); caller != "" {
				b.setting = strings.TrimSpace(caller) + " · " + b.setting
			}
			if v, ok := c.Row.Value(metric.CallFloor); ok && name == metric.Mean && v.Median < b.value.Median {
				b.floor = v.Median
			}
			b.instead = "not measured"
			if b.ok {
				b.title = fmt.Sprintf("%s\n%s\n%s %s\ncell %s", c.Family.Name, b.setting, info.Title, say.Measured(name, b.value, ""), c.Row.Cell.ID())
			}
			if v, ok := c.Row.Value(metric.MAPExact); ok && name == metric.MAP && math.IsNaN(f.ceiling) {
				f.ceiling, f.ceilingName = v.Median, "exact search "+say.Ratio(v.Median)
			}
		}
		f.bars = append(f.bars, b)
	}
	if f.scale().Unit == "" {
		f.Title += " (0 to 1)"
	}
	return f
}

// speeds makes the figure of queries a second at the target, by family: of the settings that the verdict
// compares, as they were measured.
func speeds(in input) figure {
	t := in.Focus
	f := &barFigure{
		Title: fmt.Sprintf("Queries a second at recall@%d %.2f or more", t.K, judge.Target), name: metric.QPS, ceiling: math.NaN(),
		Rule: "The fastest setting of each family that comes up to it, as measured, on one thread," + say.Clock(in.Clock(t)) + ".",
	}
	for _, c := range in.Choose(t) {
		b := bar{family: c.Family.Name, instead: "not measured"}
		if c.Row != nil {
			recall, _ := c.Row.Value(metric.Recall)
			b.value, b.ok = c.Row.Value(judge.Speed)
			switch {
			case !c.Reached:
				b.ok, b.instead = false, "out of reach: recall "+say.Ratio(recall.Median)+" at most"
			case b.ok && b.value.Median > 0:
				b.setting = say.Format(metric.Seconds, 1/b.value.Median) + " a query, recall " + say.Ratio(recall.Median)
				b.title = fmt.Sprintf("%s\n%s\n%s\ncell %s", c.Family.Name, say.OrDash(say.Settings(c.Row.Cell)), say.Measured(metric.QPS, b.value, " queries a second"), c.Row.Cell.ID())
			default:
				b.ok = false
			}
		}
		f.bars = append(f.bars, b)
	}
	return f
}

func (f *barFigure) any() bool { return slices.ContainsFunc(f.bars, func(b bar) bool { return b.ok }) }

func (f *barFigure) heading() string { return f.Title }
func (*barFigure) note() string      { return "" }
func (f *barFigure) names() []string {
	return familyNames(f.bars, func(b bar) string { return b.family })
}

func (f *barFigure) max() float64 {
	m, tallest := 0.0, 0.0
	for _, b := range f.bars {
		if b.ok {
			tallest = max(tallest, b.value.Median)
		}
	}
	for _, b := range f.bars {
		if b.ok {
			// A very wide interval is cut rather than let every bar shrink to nothing.
			m = max(m, b.value.Median, min(b.value.Hi, 1.35*tallest))
		}
	}
	return m
}

// scale is the unit that all of the figure's ticks are in: that of the longest bar.
func (f *barFigure) scale() say.Step {
	info, _ := metric.Lookup(f.name)
	switch info.Unit {
	case metric.Seconds:
		return say.ScaleOf(f.max(), say.TimeSteps)
	case metric.Bytes:
		return say.ScaleOf(f.max(), say.ByteSteps)
	}
	return say.Step{Size: 1}
}

const (
	barTop    = 26.0 // title
	barRow    = 41.0
	barBottom = 24.0 // ticks
)

func (f *barFigure) lines(width float64) []string {
	return say.Wrap(f.Rule, int(width/5.1))
}

// dashed explains the dashed line, or the hatching.
func (f *barFigure) dashed() string {
	if slices.ContainsFunc(f.bars, func(b bar) bool { return b.floor > 0 }) {
		return "hatched: the same call on a few vectors"
	}
	if f.ceilingName == "" {
		return ""
	}
	return "dashed: " + f.ceilingName
}

// beside reports whether the note has its place beside the title.
func (f *barFigure) beside(width float64) bool {
	return 1.15*(TextWidth(f.Title, 15, font.WeightBold)+TextWidth(f.dashed(), 11, font.WeightNormal)) < width-12
}

func (f *barFigure) top(width float64) float64 {
	if f.dashed() != "" && !f.beside(width) {
		return barTop + 8 + 16
	}
	return barTop + 8
}

func (f *barFigure) Height(width float64) float64 {
	return f.top(width) + barRow*float64(len(f.bars)) + barBottom + 13*float64(len(f.lines(width)))
}

func (f *barFigure) Draw(s Surface, width float64) {
	s.Text(0, 14, f.Title, 15, Left, Paint{Role: Ink}, font.WeightBold)
	if f.dashed() != "" {
		if f.beside(width) {
			s.Text(width, 14, f.dashed(), 11, Right, Paint{Role: Soft}, font.WeightNormal)
		} else {
			s.Text(0, 31, f.dashed(), 11, Left, Paint{Role: Soft}, font.WeightNormal)
		}
	}
	top := f.top(width)
	bottom := top + barRow*float64(len(f.bars))

	// The longest bar leaves room for its value.
	labels := 0.0
	for _, b := range f.bars {
		if b.ok {
			labels = max(labels, s.Slack()*TextWidth(say.Quantity(f.name, b.value.Median), 12, font.WeightBold))
		}
	}
	unit := f.scale()
	most := f.max() / unit.Size
	if f.name == metric.MAP {
		most = 1
	}
	if most <= 0 {
		most = 1
	}
	length := width - labels - 14
	x := func(v float64) float64 { return v / unit.Size / most * length }

	ticks, label := LinearTicks(most, max(2, int(length/75)))
	for _, t := range ticks {
		tx := t / most * length
		for i := range f.bars { // behind the bars only, so that no line runs through a text
			y := top + barRow*float64(i)
			s.Line([]XY{{tx, y + 18}, {tx, y + 35}}, 1, Paint{Role: Rule}, Solid)
		}
		a := Middle
		if t == 0 {
			a = Left
		}
		s.Text(tx, bottom+16, strings.TrimSpace(label(t)+" "+unit.Unit), 11, a, Paint{Role: Soft}, font.WeightNormal)
	}
	ceiling := math.Inf(-1)
	if !math.IsNaN(f.ceiling) && f.ceiling <= most*unit.Size {
		ceiling = x(f.ceiling)
	}
	for i, b := range f.bars {
		y := top + barRow*float64(i)
		s.Begin(b.family, b.title, b.ok)
		s.label(y+14, Fit(b.family, width*0.4, 12.5), b.setting, width)
		if !b.ok {
			s.Text(0, y+31, Fit(b.instead, width, 11.5), 11.5, Left, Paint{Role: Soft}, font.WeightNormal)
			s.End()
			continue
		}
		s.Rect(0, y+20, max(1.5, x(b.value.Median)), 13, Of(b.family))
		hatch(s, x(b.floor), y+20, 13)
		end := x(b.value.Median)
		if ceiling > 0 {
			s.Line([]XY{{ceiling, y + 17}, {ceiling, y + 36}}, 1.4, Paint{Role: Axis}, Dashed)
		}
		if b.value.HasInterval && x(b.value.Hi)-x(b.value.Lo) >= 3 {
			lo, hi := max(0, x(b.value.Lo)), min(length, x(b.value.Hi))
			for _, under := range []Paint{{Role: paper}, {Role: Ink}} { // an edge of paper, for dark bars
				w := 1.5
				if under.Role == paper {
					w = 4
				}
				s.Line([]XY{{lo, y + 26.5}, {hi, y + 26.5}}, w, under, Solid)
				s.Line([]XY{{lo, y + 23.5}, {lo, y + 29.5}}, w, under, Solid)
				if x(b.value.Hi) > length { // it goes on beyond the axis: an arrow, no cap
					s.Line([]XY{{hi - 5, y + 22.5}, {hi, y + 26.5}, {hi - 5, y + 30.5}}, w, under, Solid)
				} else {
					s.Line([]XY{{hi, y + 23.5}, {hi, y + 29.5}}, w, under, Solid)
				}
			}
			end = max(end, hi)
		}
		at, label := max(1.5, end)+6, say.Quantity(f.name, b.value.Median)
		if ceiling > end-1 && ceiling < at+TextWidth(label, 12, font.WeightBold)+2 {
			at = ceiling + 6
		}
		s.Text(at, y+31, label, 12, Left, Paint{Role: Ink}, font.WeightBold)
		s.End()
	}
	for i, l := range f.lines(width) {
		s.Text(0, bottom+barBottom+10+13*float64(i), l, 10.5, Left, Paint{Role: Soft}, font.WeightNormal)
	}
}

// hatch draws slanting lines of paper over a bar from its left end to width.
func hatch(s Surface, width, y, h float64) {
	for at := 3 - h; at < width; at += 5 { // from (at, bottom) to (at+h, top), cut at both ends
		from, to := max(at, 0), min(at+h, width)
		if to > from {
			s.Line([]XY{{from, y + h - (from - at)}, {to, y + h - (to - at)}}, 1.3, Paint{Role: paper}, Solid)
		}
	}
	if width > 1 {
		s.Line([]XY{{width, y}, {width, y + h}}, 1.3, Paint{Role: paper}, Solid)
	}
}

// LinearTicks are round numbers from 0 to most, about n of them, and how to write them.
func LinearTicks(most float64, n int) ([]float64, func(float64) string) {
	raw := most / float64(n)
	mag := math.Pow(10, math.Floor(math.Log10(raw)))
	size := 10 * mag
	for _, m := range []float64{1, 2, 5} {
		if m*mag >= raw {
			size = m * mag
			break
		}
	}
	digits := max(0, -int(math.Floor(math.Log10(size)+1e-9)))
	var out []float64
	for i := 0; float64(i)*size <= most*(1+1e-9); i++ {
		out = append(out, float64(i)*size)
	}
	return out, func(v float64) string { return say.Commas3(strconv.FormatFloat(v, 'f', digits, 64)) }
}

// pointFigure is recall against queries a second: a point for every cell, its intervals as thin lines,
// and for each family a line through the points that no other of the family beats in both.
//
// Recall is on a logit scale, on which 0.99 is as far from 0.9 as 0.9 is from 0.5 or so: the last
// percents are what one pays for. A logit has no place for 1 and 0; they stand at the ends.
type pointFigure struct {
	Title, Caption string
	k              int
	clock          string // that queries a second go by
	Families       []pointFamily
	Legend         bool // drawn into the picture; the page has a legend of its own
}

type pointFamily struct {
	Name   string
	Points []PointCell
}

// PointCell is a setting in the plot of points.
type PointCell struct {
	recall, qps judge.Value
	Front       bool
	title       string
	Chosen      bool
}

// maxPagePoints is how many points the page draws: beyond it, those that another of the same family beats
// are left out.
const maxPagePoints = 600

func points(in input) figure {
	t := in.Focus
	f := &pointFigure{
		k: t.K, clock: say.Clock(in.Clock(t)), Legend: !in.onPage,
		Title:   fmt.Sprintf("Recall@%d against queries a second", t.K),
		Caption: fmt.Sprintf("Up and to the right is better. One thread, one query at a time. A line joins the settings that no other of the family beats in both; a ring is one of the others. Recall is on a logit scale, with 1 at the edge; queries a second on a logarithmic one. Thin lines: intervals over repetitions. Dashed: recall %.2f.", judge.Target),
	}
	for _, c := range in.choices {
		pf := pointFamily{Name: c.Family.Name}
		front := judge.Front(c.Family.Rows, judge.Speed)
		for _, row := range c.Family.Rows {
			recall, ok1 := row.Value(metric.Recall)
			qps, ok2 := row.Value(judge.Speed)
			if !ok1 || !ok2 || qps.Median <= 0 {
				continue
			}
			title := c.Family.Name
			if s := row.Cell.Settings(); s != "" {
				title += "\n" + say.Clean(s)
			}
			title += fmt.Sprintf("\nrecall@%d %s\n%s", t.K, say.Measured(metric.Recall, recall, ""), say.Measured(metric.QPS, qps, " queries a second"))
			if v, ok := row.Value(metric.P99); ok {
				title += "\np99 " + say.Quantity(metric.P99, v.Median)
			}
			if v, ok := row.Value(metric.Resident); ok {
				title += "\nresident " + say.Quantity(metric.Resident, v.Median)
			}
			title += "\ncell " + row.Cell.ID()
			pf.Points = append(pf.Points, PointCell{recall: recall, qps: qps, title: title, Front: front[row], Chosen: row == c.Row})
		}
		if len(pf.Points) == 0 {
			continue
		}
		slices.SortStableFunc(pf.Points, func(a, b PointCell) int {
			return cmp.Or(cmp.Compare(a.recall.Median, b.recall.Median), cmp.Compare(a.qps.Median, b.qps.Median))
		})
		f.Families = append(f.Families, pf)
	}
	total, left := 0, 0
	for _, fam := range f.Families {
		total += len(fam.Points)
	}
	if in.onPage && total > maxPagePoints {
		for i := range f.Families {
			fam := &f.Families[i]
			before := len(fam.Points)
			fam.Points = slices.DeleteFunc(fam.Points, func(p PointCell) bool { return !p.Front && !p.Chosen })
			left += before - len(fam.Points)
		}
		f.Caption += fmt.Sprintf(" %s that another of the same family beats are left out of this picture; the table below has them.", say.Plural(left, "setting", "settings"))
	}
	return f
}

func (f *pointFigure) any() bool       { return len(f.Families) > 0 }
func (f *pointFigure) heading() string { return f.Title }
func (f *pointFigure) note() string    { return f.Caption }
func (f *pointFigure) names() []string {
	return familyNames(f.Families, func(p pointFamily) string { return p.Name })
}

func familyNames[T any](list []T, name func(T) string) []string {
	out := make([]string, len(list))
	for i, one := range list {
		out[i] = name(one)
	}
	return out
}

func (f *pointFigure) legendLines(width float64) [][]int {
	return legendLines(len(f.Families), width, func(i int) (string, float64) { return f.Families[i].Name, 0 })
}

// legendLines breaks n entries of a legend, each a mark with so much of its line on each side and its name, into lines no wider than width:
// the entries of each line, by number.
func legendLines(n int, width float64, entry func(i int) (name string, sample float64)) [][]int {
	var lines [][]int
	x := 0.0
	for i := range n {
		name, sample := entry(i)
		w := TextWidth(name, 12, font.WeightNormal) + 34
		if sample > 0 {
			w += 2*sample - 4
		}
		if len(lines) == 0 || x+w > width {
			lines = append(lines, nil)
			x = 0
		}
		lines[len(lines)-1] = append(lines[len(lines)-1], i)
		x += w
	}
	return lines
}

func (f *pointFigure) parts(width float64) (top, bottom, height float64, caption []string) {
	top = 24.0
	if f.Legend {
		top = 56 + 20*float64(len(f.legendLines(width)))
		caption = say.Wrap(f.Caption, int(width/5.3))
	}
	plot := min(430, max(280, width*0.56))
	bottom = top + plot
	return top, bottom, bottom + 44 + 14*float64(len(caption)), caption
}

func (f *pointFigure) Height(width float64) float64 {
	_, _, h, _ := f.parts(width)
	return h
}

func (f *pointFigure) Draw(s Surface, width float64) {
	top, bottom, _, caption := f.parts(width)
	lo, hi, slow, fast := 1.0, 0.0, math.Inf(1), 0.0
	exact := false
	for _, fam := range f.Families {
		for _, p := range fam.Points {
			if p.recall.Median < 1 {
				hi = max(hi, p.recall.Median)
			} else {
				exact = true
			}
			if p.recall.Median > 0 {
				lo = min(lo, p.recall.Median)
			}
			q := p.qps
			slow, fast = min(slow, q.Median), max(fast, q.Median)
			if q.HasInterval { // at most as far as doubles the picture's factor
				slow, fast = min(slow, max(q.Lo, q.Median/1.5)), max(fast, min(q.Hi, q.Median*1.5))
			}
		}
	}
	// The ends of the axis: what lies outside is drawn on them. A fifth beyond the best recall below 1
	// leaves it apart from 1.
	hi = max(hi, 0.96)
	edgeHigh := max(1e-5, (1-hi)/2.5)
	edgeLow := min(0.45, max(0.01, lo*0.9))
	xlo, xhi := judge.Logit(edgeLow, 1e-6), judge.Logit(1-edgeHigh, 1e-6)
	if xlo > 0 {
		xlo = 0
	}
	y0, y1 := math.Log10(slow)-0.06, math.Log10(fast)+0.06
	if y1-y0 < 0.5 {
		mid := (y0 + y1) / 2
		y0, y1 = mid-0.25, mid+0.25
	}

	yt := logTicks(y0, y1)
	gutter := 0.0
	for _, t := range yt {
		gutter = max(gutter, TextWidth(say.Significant(t), 11.5, font.WeightNormal))
	}
	x0, x1 := gutter+24, width-14
	x := func(r float64) float64 {
		v := min(xhi, max(xlo, judge.Logit(r, 1e-9)))
		return x0 + 10 + (v-xlo)/(xhi-xlo)*(x1-x0-20)
	}
	y := func(q float64) float64 {
		return min(bottom, max(top, bottom-(math.Log10(q)-y0)/(y1-y0)*(bottom-top)))
	}

	if f.Legend {
		s.Text(0, 14, f.Title, 16, Left, Paint{Role: Ink}, font.WeightBold)
		for i, line := range f.legendLines(width) {
			lx := 6.0
			for _, j := range line {
				fam := f.Families[j]
				s.Point(lx, 36+20*float64(i), 4.6, s.Mark(fam.Name), Of(fam.Name), false)
				s.Text(lx+10, 40+20*float64(i), fam.Name, 12, Left, Paint{Role: Ink}, font.WeightNormal)
				lx += TextWidth(fam.Name, 12, font.WeightNormal) + 34
			}
		}
	}
	for _, t := range yt {
		s.Line([]XY{{x0, y(t)}, {x1, y(t)}}, 1, Paint{Role: Rule}, Solid)
		s.Text(x0-7, y(t)+4, say.Significant(t), 11.5, Right, Paint{Role: Soft}, font.WeightNormal)
	}
	type tick struct {
		at    float64
		label string
	}
	var ticks []tick
	for _, t := range []float64{.01, .05, .1, .2, .5, .8, .9, .95, .99, .995, .999, .9999} {
		if v := judge.Logit(t, 1e-9); v >= xlo && v <= xhi-0.25 {
			ticks = append(ticks, tick{x(t), strconv.FormatFloat(t, 'f', -1, 64)})
		}
	}
	if exact {
		ticks = append(ticks, tick{x(1), "1"})
	}
	// Labels that would touch are left out, the target's and the edge's never.
	keep := func(t tick) bool { return t.label == "0.95" || t.label == "1" }
	var free []tick
	for _, t := range ticks {
		w := TextWidth(t.label, 11.5, font.WeightNormal)/2 + 7
		near := func(o tick) bool {
			return o != t && math.Abs(o.at-t.at) < w+TextWidth(o.label, 11.5, font.WeightNormal)/2
		}
		if !keep(t) && (slices.ContainsFunc(free, near) || slices.ContainsFunc(ticks, func(o tick) bool { return keep(o) && near(o) })) {
			continue
		}
		free = append(free, t)
	}
	for _, t := range free {
		p := Paint{Role: Rule}
		if t.label == strconv.FormatFloat(judge.Target, 'f', -1, 64) {
			continue
		}
		s.Line([]XY{{t.at, top}, {t.at, bottom}}, 1, p, Solid)
	}
	s.Line([]XY{{x(judge.Target), top}, {x(judge.Target), bottom}}, 1.2, Paint{Role: Axis}, Dashed)
	for _, t := range free {
		s.Text(t.at, bottom+17, t.label, 11.5, Middle, Paint{Role: Soft}, font.WeightNormal)
	}
	s.Text((x0+x1)/2, bottom+36, fmt.Sprintf("recall@%d", f.k), 12, Middle, Paint{Role: Soft}, font.WeightNormal)
	s.Text(0, top-10, "queries a second"+f.clock, 12, Left, Paint{Role: Soft}, font.WeightNormal)

	for _, fam := range f.Families {
		s.Begin(fam.Name, "", false)
		var front []XY
		for _, p := range fam.Points {
			if p.Front {
				front = append(front, XY{x(p.recall.Median), y(p.qps.Median)})
			}
		}
		if len(front) > 1 {
			s.Line(front, 2, Of(fam.Name), Solid)
		}
		for _, p := range fam.Points {
			if p.qps.HasInterval && p.qps.Lo > 0 {
				px := x(p.recall.Median)
				s.Line([]XY{{px, y(p.qps.Lo)}, {px, y(p.qps.Hi)}}, 1.2, Of(fam.Name), Solid)
			}
			if p.recall.HasInterval {
				py := y(p.qps.Median)
				s.Line([]XY{{x(p.recall.Lo), py}, {x(p.recall.Hi), py}}, 1.2, Of(fam.Name), Solid)
			}
		}
		s.End()
	}
	// Points come last, so that no line hides them; chosen ones are larger.
	for _, fam := range f.Families {
		for _, p := range fam.Points {
			size := 4.4
			if p.Chosen {
				size = 6
			}
			s.Begin(fam.Name, p.title, true)
			s.Point(x(p.recall.Median), y(p.qps.Median), size, s.Mark(fam.Name), Of(fam.Name), !p.Front)
			s.End()
		}
	}
	for i, l := range caption {
		s.Text(0, bottom+58+14*float64(i), l, 11, Left, Paint{Role: Soft}, font.WeightNormal)
	}
}

// logTicks are the round numbers between the powers of ten lo and hi: 1, 2 and 5 times a power, or 1 alone over more than
// three powers. Where fewer than three of them lie there, they are those of a linear axis: one number does not make a scale.
func logTicks(lo, hi float64) []float64 {
	steps := []float64{1, 2, 5}
	if hi-lo > 3 {
		steps = []float64{1}
	}
	var out []float64
	for e := math.Floor(lo); e <= hi; e++ {
		for _, m := range steps {
			if v := m * math.Pow(10, e); math.Log10(v) >= lo && math.Log10(v) <= hi {
				out = append(out, v)
			}
		}
	}
	if len(out) < 3 {
		return niceTicks(math.Pow(10, lo), math.Pow(10, hi), 6)
	}
	return out
}

// byteTicks are powers of two between the powers of ten lo and hi, at most eight or so, which the units of bytes
// write without a fraction. Where fewer than three lie there, they are with those half as large again: 64, 96, 128.
func byteTicks(lo, hi float64) []float64 {
	first, last := int(math.Ceil(lo/math.Log10(2)-1e-9)), int(math.Floor(hi/math.Log10(2)+1e-9))
	step := 1 + (last-first)/8
	var out []float64
	for i := first - 1; i <= last; i++ {
		for _, m := range []float64{1, 1.5} {
			v := math.Ldexp(m, i)
			if at := math.Log10(v); at < lo-1e-9 || at > hi+1e-9 || m > 1 && last-first >= 2 || i%step != 0 {
				continue
			}
			out = append(out, v)
		}
	}
	return out
}
