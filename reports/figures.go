package reports

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/image/font"

	"annbench/bench/metric"
)

// barFigure compares the families' choices in one quantity: a bar from zero for each, with a line over
// its interval and its value beside it. Above each bar stand the family, its setting and the recall
// of that setting, since no bar means anything without it.
type barFigure struct {
	title string // with the unit
	rule  string // how the settings were chosen
	name  string // of the quantity, in package metric's table
	bars  []bar
	// ceiling is drawn across all bars where it is not NaN, and named.
	ceiling     float64
	ceilingName string
}

type bar struct {
	family  string
	setting string
	value   Value
	ok      bool   // value was measured
	instead string // said where it was not
	title   string
}

// fourBars are the comparison of families: build time, search time, memory and mAP.
var fourBars = []struct {
	file, name, title string
}{
	{"build-time", metric.Build, "Build time"},
	{"search-time", metric.Mean, "Search time, mean"},
	{"memory", metric.Resident, "Memory, resident"},
	{"map", metric.MAP, "Mean average precision"},
}

// bars makes the figure of one quantity under terms t.
func (r *Report) bars(t Terms, choices []Choice, name, title string) *barFigure {
	info, _ := metric.Lookup(name)
	f := &barFigure{title: title, name: name, rule: sentence(choiceRule(t.K)), ceiling: math.NaN()}
	if name == metric.MAP {
		f.title += "@" + strconv.Itoa(t.K)
	}
	for _, c := range choices {
		b := bar{family: c.Family.Name}
		switch {
		case c.Row == nil:
			b.instead = "not measured"
			if fails := c.Family.Rows[0].Failures(); len(fails) > 0 {
				b.instead = "not measured: " + string(fails[0].Status)
			}
		default:
			recall, _ := c.Row.Value(metric.Recall)
			b.setting = strings.TrimPrefix(clean(c.Row.Cell.Settings())+" · ", " · ") + "recall " + ratio(recall.Median)
			b.value, b.ok = c.Row.Value(name)
			b.instead = "not measured"
			if b.ok {
				b.title = fmt.Sprintf("%s\n%s\n%s %s\ncell %s", c.Family.Name, b.setting, info.Title, describeValue(name, b.value, ""), c.Row.Cell.ID())
			}
			if v, ok := c.Row.Value(metric.MAPExact); ok && name == metric.MAP && math.IsNaN(f.ceiling) {
				f.ceiling, f.ceilingName = v.Median, "exact search "+ratio(v.Median)
			}
		}
		f.bars = append(f.bars, b)
	}
	f.title += " (" + f.unit() + ")"
	return f
}

// speeds makes the figure of queries a second at the target, by family.
func (r *Report) speeds(t Terms) *barFigure {
	f := &barFigure{
		title: fmt.Sprintf("Queries a second at recall@%d %.2f", t.K, Target), name: metric.QPS, ceiling: math.NaN(),
		rule: "Interpolated between the settings of each family, on one thread.",
	}
	for _, m := range r.Match(t, Target, metric.QPS) {
		b := bar{family: m.Family.Name, value: m.Value, ok: m.Reached() && m.Value.Median > 0, instead: "not measured"}
		switch {
		case b.ok:
			b.setting = format(metric.Seconds, 1/m.Value.Median) + " a query"
			if m.Reach == Beyond && !m.Family.Exact {
				b.setting += ", at recall " + ratio(m.Recall)
			}
			b.title = m.describe(Target)
		case m.Reach == Below:
			b.instead = "out of reach: recall " + ratio(m.Recall) + " at most"
		}
		f.bars = append(f.bars, b)
	}
	return f
}

// describeValue is a value with its interval and the number of repetitions, in words. noun follows the
// number: " queries a second".
func describeValue(name string, v Value, noun string) string {
	s := formatNamed(name, v.Median) + noun
	switch {
	case !v.HasInterval:
		if v.N == 1 {
			return s + " (measured once)"
		}
		return fmt.Sprintf("%s (median of %d, too few for an interval)", s, v.N)
	}
	return fmt.Sprintf("%s (95 %% interval %s, %s)", s, between(name, v), plural(v.N, "repetition", "repetitions"))
}

// any reports whether something is there to draw.
func (f *barFigure) any() bool { return slices.ContainsFunc(f.bars, func(b bar) bool { return b.ok }) }

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
func (f *barFigure) scale() step {
	info, _ := metric.Lookup(f.name)
	switch info.Unit {
	case metric.Seconds:
		return scaleOf(f.max(), timeSteps)
	case metric.Bytes:
		return scaleOf(f.max(), byteSteps)
	}
	return step{1, ""}
}

func (f *barFigure) unit() string {
	u := f.scale().unit
	if f.name == metric.QPS {
		return ""
	}
	if word, ok := unitWords[u]; ok {
		return word
	}
	return u
}

// unitWords are the units that titles spell out.
var unitWords = map[string]string{
	"": "0 to 1", "ns": "nanoseconds", "µs": "microseconds", "ms": "milliseconds", "s": "seconds", "min": "minutes", "h": "hours",
}

const (
	barTop    = 26.0 // title
	barRow    = 41.0
	barBottom = 24.0 // ticks
)

func (f *barFigure) lines(width float64) []string {
	return wrap(f.rule, int(width/5.1))
}

// note explains the dashed line.
func (f *barFigure) note() string {
	if f.ceilingName == "" {
		return ""
	}
	return "dashed: " + f.ceilingName
}

// beside reports whether the note has its place beside the title.
func (f *barFigure) beside(width float64) bool {
	return 1.15*(textWidth(f.title, 15, font.WeightBold)+textWidth(f.note(), 11, font.WeightNormal)) < width-12
}

func (f *barFigure) top(width float64) float64 {
	if f.note() != "" && !f.beside(width) {
		return barTop + 8 + 16
	}
	return barTop + 8
}

func (f *barFigure) height(width float64) float64 {
	return f.top(width) + barRow*float64(len(f.bars)) + barBottom + 13*float64(len(f.lines(width)))
}

func (f *barFigure) draw(s surface, width float64) {
	s.text(0, 14, f.title, 15, left, paint{role: ink}, font.WeightBold)
	if f.note() != "" {
		if f.beside(width) {
			s.text(width, 14, f.note(), 11, right, paint{role: soft}, font.WeightNormal)
		} else {
			s.text(0, 31, f.note(), 11, left, paint{role: soft}, font.WeightNormal)
		}
	}
	top := f.top(width)
	bottom := top + barRow*float64(len(f.bars))

	// The longest bar leaves room for its value.
	labels := 0.0
	for _, b := range f.bars {
		if b.ok {
			labels = max(labels, s.slack()*textWidth(formatNamed(f.name, b.value.Median), 12, font.WeightBold))
		}
	}
	unit := f.scale()
	most := f.max() / unit.size
	if f.name == metric.MAP {
		most = 1
	}
	if most <= 0 {
		most = 1
	}
	length := width - labels - 14
	x := func(v float64) float64 { return v / unit.size / most * length }

	ticks, label := linearTicks(most, max(2, int(length/75)))
	for _, t := range ticks {
		tx := t / most * length
		for i := range f.bars { // behind the bars only, so that no line runs through a text
			y := top + barRow*float64(i)
			s.line([]xy{{tx, y + 18}, {tx, y + 35}}, 1, paint{role: rule}, false)
		}
		a := middle
		if t == 0 {
			a = left
		}
		s.text(tx, bottom+16, label(t), 11, a, paint{role: soft}, font.WeightNormal)
	}
	ceiling := math.Inf(-1)
	if !math.IsNaN(f.ceiling) && f.ceiling <= most*unit.size {
		ceiling = x(f.ceiling)
	}
	for i, b := range f.bars {
		y := top + barRow*float64(i)
		s.begin(b.family, b.title, b.ok)
		s.label(y+14, fit(b.family, width*0.4, 12.5), b.setting, width)
		if !b.ok {
			s.text(0, y+31, fit(b.instead, width, 11.5), 11.5, left, paint{role: soft}, font.WeightNormal)
			s.end()
			continue
		}
		s.rect(0, y+20, max(1.5, x(b.value.Median)), 13, of(b.family))
		end := x(b.value.Median)
		if ceiling > 0 {
			s.line([]xy{{ceiling, y + 17}, {ceiling, y + 36}}, 1.4, paint{role: axis}, true)
		}
		if b.value.HasInterval && x(b.value.Hi)-x(b.value.Lo) >= 3 {
			lo, hi := max(0, x(b.value.Lo)), min(length, x(b.value.Hi))
			for _, under := range []paint{{role: paper}, {role: ink}} { // an edge of paper, for dark bars
				w := 1.5
				if under.role == paper {
					w = 4
				}
				s.line([]xy{{lo, y + 26.5}, {hi, y + 26.5}}, w, under, false)
				s.line([]xy{{lo, y + 23.5}, {lo, y + 29.5}}, w, under, false)
				s.line([]xy{{hi, y + 23.5}, {hi, y + 29.5}}, w, under, false)
			}
			end = max(end, hi)
		}
		at, label := max(1.5, end)+6, formatNamed(f.name, b.value.Median)
		if ceiling > end-1 && ceiling < at+textWidth(label, 12, font.WeightBold)+2 {
			at = ceiling + 6
		}
		s.text(at, y+31, label, 12, left, paint{role: ink}, font.WeightBold)
		s.end()
	}
	for i, l := range f.lines(width) {
		s.text(0, bottom+barBottom+10+13*float64(i), l, 10.5, left, paint{role: soft}, font.WeightNormal)
	}
}

// linearTicks are round numbers from 0 to most, about n of them, and how to write them.
func linearTicks(most float64, n int) ([]float64, func(float64) string) {
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
	return out, func(v float64) string { return commas3(strconv.FormatFloat(v, 'f', digits, 64)) }
}

func commas3(s string) string {
	whole, frac, ok := strings.Cut(s, ".")
	if !ok {
		return commas(s)
	}
	return commas(whole) + "." + frac
}

// pointFigure is recall against queries a second: a point for every cell, its intervals as thin lines,
// and for each family a line through the points that no other of the family beats in both.
//
// Recall is on a logit scale, on which 0.99 is as far from 0.9 as 0.9 is from 0.5 or so: the last
// percents are what one pays for. A logit has no place for 1 and 0; they stand at the ends.
type pointFigure struct {
	title, caption string
	k              int
	families       []pointFamily
	legend         bool // drawn into the picture; the page has a legend of its own
}

type pointFamily struct {
	name   string
	hue    hue
	points []pointCell
}

type pointCell struct {
	recall, qps Value
	front       bool
	title       string
	chosen      bool
}

func (r *Report) points(t Terms, choices []Choice) *pointFigure {
	f := &pointFigure{
		k: t.K, legend: true,
		title:   fmt.Sprintf("Recall@%d against queries a second", t.K),
		caption: fmt.Sprintf("Up and to the right is better. One thread, one query at a time. A line joins the settings that no other of the family beats in both; a ring is one of the others. Recall is on a logit scale, with 1 at the edge; QPS on a logarithmic one. Thin lines: intervals over repetitions. Dashed: recall %.2f.", Target),
	}
	for _, c := range choices {
		pf := pointFamily{name: c.Family.Name, hue: r.hue(c.Family.Name)}
		for _, row := range c.Family.Rows {
			recall, ok1 := row.Value(metric.Recall)
			qps, ok2 := row.Value(metric.QPS)
			if !ok1 || !ok2 || qps.Median <= 0 {
				continue
			}
			title := c.Family.Name
			if s := row.Cell.Settings(); s != "" {
				title += "\n" + clean(s)
			}
			title += fmt.Sprintf("\nrecall@%d %s\n%s", t.K, describeValue(metric.Recall, recall, ""), describeValue(metric.QPS, qps, " queries a second"))
			if v, ok := row.Value(metric.P99); ok {
				title += "\np99 " + formatNamed(metric.P99, v.Median)
			}
			if v, ok := row.Value(metric.Resident); ok {
				title += "\nresident " + formatNamed(metric.Resident, v.Median)
			}
			title += "\ncell " + row.Cell.ID()
			pf.points = append(pf.points, pointCell{recall: recall, qps: qps, title: title, chosen: row == c.Row})
		}
		if len(pf.points) == 0 {
			continue
		}
		markFront(pf.points)
		f.families = append(f.families, pf)
	}
	return f
}

// markFront marks the points that no other beats: none has at least the recall and at least the QPS
// and more of one of them. It leaves the points in order of recall, equal recall in order of QPS.
func markFront(points []pointCell) {
	slices.SortStableFunc(points, func(a, b pointCell) int {
		return cmp.Or(cmp.Compare(a.recall.Median, b.recall.Median), cmp.Compare(a.qps.Median, b.qps.Median))
	})
	best := math.Inf(-1)
	for i := len(points) - 1; i >= 0; i-- {
		if points[i].qps.Median > best {
			points[i].front, best = true, points[i].qps.Median
		}
	}
}

func (f *pointFigure) any() bool { return len(f.families) > 0 }

func (f *pointFigure) legendLines(width float64) [][]int {
	return legendLines(len(f.families), width, func(i int) string { return f.families[i].name })
}

// legendLines breaks n entries of a legend, each a mark and its name, into lines no wider than width:
// the entries of each line, by number.
func legendLines(n int, width float64, name func(i int) string) [][]int {
	var lines [][]int
	x := 0.0
	for i := range n {
		w := textWidth(name(i), 12, font.WeightNormal) + 34
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
	if f.legend {
		top = 56 + 20*float64(len(f.legendLines(width)))
		caption = wrap(f.caption, int(width/5.3))
	}
	plot := min(430, max(280, width*0.56))
	bottom = top + plot
	return top, bottom, bottom + 44 + 14*float64(len(caption)), caption
}

func (f *pointFigure) height(width float64) float64 {
	_, _, h, _ := f.parts(width)
	return h
}

// logit, kept finite by edge: recall nearer to 0 or 1 than edge stands at the end.
func logit(r, edge float64) float64 {
	r = min(1-edge, max(edge, r))
	return math.Log(r / (1 - r))
}

func (f *pointFigure) draw(s surface, width float64) {
	top, bottom, _, caption := f.parts(width)
	lo, hi, slow, fast := 1.0, 0.0, math.Inf(1), 0.0
	exact := false
	for _, fam := range f.families {
		for _, p := range fam.points {
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
	xlo, xhi := logit(edgeLow, 1e-6), logit(1-edgeHigh, 1e-6)
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
		gutter = max(gutter, textWidth(significant(t), 11.5, font.WeightNormal))
	}
	x0, x1 := gutter+24, width-14
	x := func(r float64) float64 {
		v := min(xhi, max(xlo, logit(r, 1e-9)))
		return x0 + 10 + (v-xlo)/(xhi-xlo)*(x1-x0-20)
	}
	y := func(q float64) float64 {
		return min(bottom, max(top, bottom-(math.Log10(q)-y0)/(y1-y0)*(bottom-top)))
	}

	if f.legend {
		s.text(0, 14, f.title, 16, left, paint{role: ink}, font.WeightBold)
		for i, line := range f.legendLines(width) {
			lx := 6.0
			for _, j := range line {
				fam := f.families[j]
				s.point(lx, 36+20*float64(i), 4.6, fam.hue.mark, of(fam.name), false)
				s.text(lx+10, 40+20*float64(i), fam.name, 12, left, paint{role: ink}, font.WeightNormal)
				lx += textWidth(fam.name, 12, font.WeightNormal) + 34
			}
		}
	}
	for _, t := range yt {
		s.line([]xy{{x0, y(t)}, {x1, y(t)}}, 1, paint{role: rule}, false)
		s.text(x0-7, y(t)+4, significant(t), 11.5, right, paint{role: soft}, font.WeightNormal)
	}
	type tick struct {
		at    float64
		label string
	}
	var ticks []tick
	for _, t := range []float64{.01, .05, .1, .2, .5, .8, .9, .95, .99, .995, .999, .9999} {
		if v := logit(t, 1e-9); v >= xlo && v <= xhi-0.25 {
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
		w := textWidth(t.label, 11.5, font.WeightNormal)/2 + 7
		near := func(o tick) bool {
			return o != t && math.Abs(o.at-t.at) < w+textWidth(o.label, 11.5, font.WeightNormal)/2
		}
		if !keep(t) && (slices.ContainsFunc(free, near) || slices.ContainsFunc(ticks, func(o tick) bool { return keep(o) && near(o) })) {
			continue
		}
		free = append(free, t)
	}
	for _, t := range free {
		p := paint{role: rule}
		if t.label == strconv.FormatFloat(Target, 'f', -1, 64) {
			continue
		}
		s.line([]xy{{t.at, top}, {t.at, bottom}}, 1, p, false)
	}
	s.line([]xy{{x(Target), top}, {x(Target), bottom}}, 1.2, paint{role: axis}, true)
	for _, t := range free {
		s.text(t.at, bottom+17, t.label, 11.5, middle, paint{role: soft}, font.WeightNormal)
	}
	s.text((x0+x1)/2, bottom+36, fmt.Sprintf("recall@%d", f.k), 12, middle, paint{role: soft}, font.WeightNormal)
	s.text(0, top-10, "queries a second", 12, left, paint{role: soft}, font.WeightNormal)

	for _, fam := range f.families {
		s.begin(fam.name, "", false)
		var front []xy
		for _, p := range fam.points {
			if p.front {
				front = append(front, xy{x(p.recall.Median), y(p.qps.Median)})
			}
		}
		if len(front) > 1 {
			s.line(front, 2, of(fam.name), false)
		}
		for _, p := range fam.points {
			if p.qps.HasInterval && p.qps.Lo > 0 {
				px := x(p.recall.Median)
				s.line([]xy{{px, y(p.qps.Lo)}, {px, y(p.qps.Hi)}}, 1.2, of(fam.name), false)
			}
			if p.recall.HasInterval {
				py := y(p.qps.Median)
				s.line([]xy{{x(p.recall.Lo), py}, {x(p.recall.Hi), py}}, 1.2, of(fam.name), false)
			}
		}
		s.end()
	}
	// Points come last, so that no line hides them; chosen ones are larger.
	for _, fam := range f.families {
		for _, p := range fam.points {
			size := 4.4
			if p.chosen {
				size = 6
			}
			s.begin(fam.name, p.title, true)
			s.point(x(p.recall.Median), y(p.qps.Median), size, fam.hue.mark, of(fam.name), !p.front)
			s.end()
		}
	}
	for i, l := range caption {
		s.text(0, bottom+58+14*float64(i), l, 11, left, paint{role: soft}, font.WeightNormal)
	}
}

// logTicks are the round numbers between the powers of ten lo and hi: 1, 2 and 5 times a power, or
// powers alone where these would crowd.
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
	return out
}
