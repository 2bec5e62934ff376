package draw

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/image/font"

	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/reports/judge"
	"annbench/reports/say"
)

// axisKind is how an axis is scaled.
type axisKind int

const (
	linear axisKind = iota
	logarithmic
	logits
)

// axisScale is one side of a plotFigure.
type axisScale struct {
	title string
	kind  axisKind
	unit  metric.Unit
	// zero has a linear axis begin at 0; ticks, where not nil, are the only ones.
	zero  bool
	ticks []float64
}

func (a axisScale) at(v float64) float64 {
	switch a.kind {
	case logarithmic:
		return math.Log10(v)
	case logits:
		return judge.Logit(v, 1e-5)
	}
	return v
}

// label writes a tick.
func (a axisScale) label(v float64) string {
	switch a.unit {
	case metric.Seconds, metric.Bytes:
		return say.Short(say.Format(a.unit, v))
	case metric.Ratio:
		return strings.Replace(strconv.FormatFloat(v, 'f', -1, 64), "-", "−", 1)
	}
	return say.Short(say.Significant(v))
}

// plotFigure is a plot of lines with points over two axes.
type plotFigure struct {
	Title, Caption string
	x, y           axisScale
	series         []plotSeries
	level          float64 // a line across, NaN for none
	Legend         bool
}

type plotSeries struct {
	family string
	name   string // in the legend, where that is not the family
	points []plotPoint
	joined bool
	dash   Dash
	hollow bool // the legend has a hollow mark: all points are open
}

func (s *plotSeries) called() string {
	if s.name != "" {
		return s.name
	}
	return s.family
}

// sample is how much of its line a legend shows on each side of the mark; none of points that no line joins.
func (s *plotSeries) sample() float64 {
	if s.joined {
		return 15
	}
	return 0
}

type plotPoint struct {
	x, y   float64
	lo, hi float64 // of y; NaN for none
	title  string
	open   bool // drawn hollow: it compares with the others in part only
}

func (f *plotFigure) heading() string { return f.Title }
func (f *plotFigure) note() string    { return f.Caption }
func (f *plotFigure) names() []string {
	return familyNames(f.series, func(s plotSeries) string { return s.family })
}

func (f *plotFigure) any() bool {
	return slices.ContainsFunc(f.series, func(s plotSeries) bool { return len(s.points) > 0 })
}

func (f *plotFigure) legendLines(width float64) [][]int {
	return legendLines(len(f.series), width, func(i int) (string, float64) { return f.series[i].called(), f.series[i].sample() })
}

func (f *plotFigure) parts(width float64) (top, bottom, height float64) {
	top = 46
	if f.Legend {
		top += 8 + 20*float64(len(f.legendLines(width)))
	}
	bottom = top + min(300, max(210, width*0.5))
	return top, bottom, bottom + 44
}

func (f *plotFigure) Height(width float64) float64 {
	_, _, h := f.parts(width)
	return h
}

// niceTicks are round numbers from lo to hi, about n of them.
func niceTicks(lo, hi float64, n int) []float64 {
	raw := (hi - lo) / float64(max(1, n))
	if raw <= 0 {
		return []float64{lo}
	}
	mag := math.Pow(10, math.Floor(math.Log10(raw)))
	size := 10 * mag
	for _, m := range []float64{1, 2, 5} {
		if m*mag >= raw {
			size = m * mag
			break
		}
	}
	var out []float64
	for i := math.Ceil(lo/size - 1e-9); i*size <= hi+size*1e-9; i++ {
		out = append(out, say.Round(i*size, 6)+0) // + 0, since -0 would be written with its sign
	}
	return out
}

func (a axisScale) scale(values []float64, room float64) (lo, hi float64, ticks []float64) {
	lo, hi = math.Inf(1), math.Inf(-1)
	for _, v := range values {
		if !math.IsNaN(v) && (a.kind != logarithmic || v > 0) {
			lo, hi = min(lo, a.at(v)), max(hi, a.at(v))
		}
	}
	switch a.kind {
	case logarithmic:
		lo, hi = lo-0.06, hi+0.06
		if hi-lo < 0.4 {
			lo, hi = (lo+hi)/2-0.2, (lo+hi)/2+0.2
		}
		ticks = logTicks(lo, hi)
		if a.unit == metric.Bytes {
			ticks = byteTicks(lo, hi)
		}
		if a.unit == metric.Seconds && hi-lo > 1.5 {
			ticks = slices.DeleteFunc(ticks, func(t float64) bool {
				m := t / math.Pow(10, math.Floor(math.Log10(t)+1e-9))
				return m > 1.5 && m < 4.5
			})
		}
	case logits:
		whole := hi >= a.at(1)
		lo, hi = lo-0.3, hi+0.3
		for _, t := range logitTicks {
			if x := a.at(t); x >= lo && x <= hi {
				ticks = append(ticks, t)
			}
		}
		if whole { // 1 itself, which is infinitely far, is drawn at the edge
			ticks = append(ticks, 1)
		}
	default:
		if a.zero {
			lo = min(0, lo)
		}
		if hi <= lo {
			hi = lo + 1
		}
		pad := (hi - lo) * 0.06
		if lo != 0 {
			lo -= pad
		}
		hi += pad
		ticks = niceTicks(lo, hi, int(max(2, room/45)))
	}
	if a.ticks != nil {
		ticks = a.ticks
	}
	return lo, hi, ticks
}

// lineHeight is how far labels of an axis stand apart at least, in pixels.
const lineHeight = 12

var logitTicks = []float64{.01, .05, .1, .2, .5, .8, .9, .95, .99, .995, .999, .9999}

func (f *plotFigure) Draw(s Surface, width float64) {
	top, bottom, _ := f.parts(width)
	s.Text(0, 14, f.Title, 15, Left, Paint{Role: Ink}, font.WeightBold)
	if f.Legend {
		for i, line := range f.legendLines(width) {
			lx := 6.0
			for _, j := range line {
				one := &f.series[j]
				beside, at := one.sample(), 36+20*float64(i)
				if beside > 0 {
					s.Line([]XY{{lx - 6, at}, {lx + 2*beside - 6, at}}, 2, Of(one.family), one.dash)
					lx += beside - 6
				}
				s.Point(lx, at, 4.6, s.Mark(one.family), Of(one.family), one.hollow)
				lx += max(0, beside-6)
				s.Text(lx+10, 40+20*float64(i), one.called(), 12, Left, Paint{Role: Ink}, font.WeightNormal)
				lx += TextWidth(one.called(), 12, font.WeightNormal) + 34
				if beside > 0 {
					lx += 8
				}
			}
		}
	}
	var xs, ys []float64
	for _, one := range f.series {
		for _, p := range one.points {
			xs, ys = append(xs, p.x), append(ys, p.y, p.lo, p.hi)
		}
	}
	if !math.IsNaN(f.level) {
		ys = append(ys, f.level)
	}
	ylo, yhi, yt := f.y.scale(ys, bottom-top)
	gutter := 0.0
	for _, t := range yt {
		gutter = max(gutter, TextWidth(f.y.label(t), 11, font.WeightNormal))
	}
	x0, x1 := gutter*s.Slack()+10, width-10
	xlo, xhi, xt := f.x.scale(xs, x1-x0)
	x := func(v float64) float64 { return x0 + 8 + (f.x.at(v)-xlo)/(xhi-xlo)*(x1-x0-16) }
	y := func(v float64) float64 { return bottom - (f.y.at(v)-ylo)/(yhi-ylo)*(bottom-top) }
	if f.y.unit == metric.Ratio && f.y.kind == linear && yhi > 1 { // a share ends at 1, with room for its marks
		yhi = max(1, slices.Max(append(slices.DeleteFunc(slices.Clone(ys), math.IsNaN), ylo))) + (yhi-ylo)*0.03
	}
	s.Text(0, top-12, f.y.title, 11.5, Left, Paint{Role: Soft}, font.WeightNormal)
	last := math.Inf(1)
	for _, t := range yt {
		s.Line([]XY{{x0, y(t)}, {x1, y(t)}}, 1, Paint{Role: Rule}, Solid)
		if y(t) < last-lineHeight {
			s.Text(x0-7, y(t)+4, f.y.label(t), 11, Right, Paint{Role: Soft}, font.WeightNormal)
			last = y(t)
		}
	}
	last = math.Inf(-1)
	for _, t := range xt {
		at, half := x(t), TextWidth(f.x.label(t), 11, font.WeightNormal)/2+5
		s.Line([]XY{{at, top}, {at, bottom}}, 1, Paint{Role: Rule}, Solid)
		if at-half > last {
			s.Text(at, bottom+16, f.x.label(t), 11, Middle, Paint{Role: Soft}, font.WeightNormal)
			last = at + half
		}
	}
	s.Text((x0+x1)/2, bottom+35, f.x.title, 11.5, Middle, Paint{Role: Soft}, font.WeightNormal)
	if !math.IsNaN(f.level) {
		s.Line([]XY{{x0, y(f.level)}, {x1, y(f.level)}}, 1.3, Paint{Role: Axis}, Dashed)
	}
	for _, one := range f.series {
		s.Begin(one.family, "", false)
		var line []XY
		for _, p := range one.points {
			line = append(line, XY{x(p.x), y(p.y)})
			if !math.IsNaN(p.lo) && !math.IsNaN(p.hi) && (f.y.kind != logarithmic || p.lo > 0) {
				s.Line([]XY{{x(p.x), y(p.lo)}, {x(p.x), y(p.hi)}}, 1.2, Of(one.family), Solid)
			}
		}
		if one.joined && len(line) > 1 {
			s.Line(line, 2, Of(one.family), one.dash)
		}
		s.End()
	}
	for _, one := range f.series {
		for _, p := range one.points {
			s.Begin(one.family, p.title, true)
			s.Point(x(p.x), y(p.y), 4.4, s.Mark(one.family), Of(one.family), p.open)
			s.End()
		}
	}
}

// loadModes are the plots of what happens when more than one query is in flight.
var loadModes = []struct {
	mode, x, y, value string
	rate              bool
}{
	{record.Throughput, "threads searching", "queries a second", metric.QPS, false},
	{record.Batch, "threads searching", "queries a second", metric.QPS, false},
	{record.OpenLoop, "queries arriving a second", "from when a query was due", metric.P99, true},
}

// load plots a mode of loadModes: throughput over searching threads, in a closed loop or in batches, or
// the latency under open arrivals. Each family is there with the setting of its choice or, where that
// was not measured so, the one with most points.
func load(mode string) func(input) figure {
	return func(in input) figure {
		for _, m := range loadModes {
			if m.mode == mode {
				return loadOf(in, m.mode, m.x, m.y, m.value, m.rate)
			}
		}
		panic("draw: no plot of mode " + mode)
	}
}

func loadOf(in input, mode, x, y, value string, rate bool) *plotFigure {
	f := &plotFigure{Title: in.title, Legend: true, level: math.NaN(), x: axisScale{title: x}, y: axisScale{title: y, kind: logarithmic, unit: metric.PerSecond}}
	if rate {
		f.x.kind, f.y.unit = logarithmic, metric.Seconds
	} else {
		f.x.ticks = []float64{}
	}
	for _, c := range in.choices {
		rows := in.UnderLoad(c, mode)
		if len(rows) == 0 {
			continue
		}
		s := plotSeries{family: c.Family.Name, joined: true}
		for _, row := range rows {
			v, ok := row.Value(value)
			if !ok || v.Median <= 0 {
				continue
			}
			p := plotPoint{x: float64(row.Cell.Workers), y: v.Median, lo: math.NaN(), hi: math.NaN()}
			if rate {
				p.x = row.Cell.Rate
			} else if !slices.Contains(f.x.ticks, p.x) {
				f.x.ticks = append(f.x.ticks, p.x)
			}
			if v.HasInterval {
				p.lo, p.hi = v.Lo, v.Hi
			}
			noun := ""
			if value == metric.QPS {
				noun = " queries a second"
			}
			p.title = fmt.Sprintf("%s\n%s\n%s\n%s\ncell %s", c.Family.Name, say.OrDash(say.Settings(row.Cell)), say.Asked(judge.TermsOf(row.Cell)), say.Measured(value, v, noun), row.Cell.ID())
			s.points = append(s.points, p)
		}
		if len(s.points) > 0 {
			f.series = append(f.series, s)
		}
	}
	slices.Sort(f.x.ticks)
	return f
}

// loss is what every setting loses against exact search of the quantity called name, over its recall; what is how
// people call the quantity.
func loss(name, what string) func(input) figure {
	return func(in input) figure {
		t := in.Focus
		f := &plotFigure{
			Title: fmt.Sprintf("What approximation costs in %s@%d", what, t.K), level: 0, Legend: true,
			x: axisScale{title: fmt.Sprintf("recall@%d", t.K), kind: logits, unit: metric.Ratio},
			y: axisScale{title: what + " less that of exact search", unit: metric.Ratio},
		}
		left := 0
		for _, fam := range in.FamiliesOf(t) {
			if fam.Exact {
				continue
			}
			s := plotSeries{family: fam.Name}
			for _, row := range fam.Rows {
				recall, ok1 := row.Value(metric.Recall)
				d, ok2 := row.Value(name + metric.DeltaSuffix)
				lo, ok3 := row.Value(name + metric.DeltaSuffix + metric.LoSuffix)
				hi, ok4 := row.Value(name + metric.DeltaSuffix + metric.HiSuffix)
				if !ok1 || !ok2 || !ok3 || !ok4 {
					continue
				}
				if recall.Median < judge.LossFrom {
					left++
					continue
				}
				s.points = append(s.points, plotPoint{
					x: recall.Median, y: d.Median, lo: lo.Median, hi: hi.Median,
					title: fmt.Sprintf("%s\n%s\nrecall@%d %s\nΔ%s %s (95 %% interval %s to %s)\ncell %s", fam.Name, say.OrDash(say.Settings(row.Cell)), t.K, say.Ratio(recall.Median), what, say.Signed(d.Median), say.Signed(lo.Median), say.Signed(hi.Median), row.Cell.ID()),
				})
			}
			if len(s.points) > 0 {
				f.series = append(f.series, s)
			}
		}
		if left > 0 {
			f.Caption = fmt.Sprintf("%s of a recall below %.1f lie far below and are left out.", say.Plural(left, "setting", "settings"), judge.LossFrom)
		}
		return f
	}
}

// hard is recall over tenths of the queries by difficulty, for the choice of each approximate
// family: the mean over its repetitions.
func hard(in input) figure {
	t := in.Focus
	f := &plotFigure{
		Title: fmt.Sprintf("Recall@%d by difficulty of the query", t.K), level: math.NaN(), Legend: true,
		x: axisScale{title: "tenth of the queries, the easiest (lowest LID) first", ticks: []float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}},
		y: axisScale{title: "recall", unit: metric.Ratio},
	}
	for _, c := range in.choices {
		if c.Row == nil || c.Family.Exact {
			continue
		}
		var sums []float64
		n := 0.0
		for _, rep := range c.Row.Reps {
			if d := rep.ByDecile[metric.Recall]; rep.Status == record.OK && len(d) > 0 && (sums == nil || len(d) == len(sums)) {
				if sums == nil {
					sums = make([]float64, len(d))
				}
				for i, x := range d {
					sums[i] += x
				}
				n++
			}
		}
		s := plotSeries{family: c.Family.Name, joined: true}
		for i, sum := range sums {
			s.points = append(s.points, plotPoint{
				x: float64(i + 1), y: sum / n, lo: math.NaN(), hi: math.NaN(),
				title: fmt.Sprintf("%s\n%s\ntenth %d of %d: recall@%d %s\ncell %s", c.Family.Name, say.OrDash(say.Settings(c.Row.Cell)), i+1, len(sums), t.K, say.Ratio(sum/n), c.Row.Cell.ID()),
			})
		}
		if len(s.points) > 1 {
			f.series = append(f.series, s)
		}
	}
	return f
}

// tailFigure is how search times spread over queries, for the choice of each family: from the median
// to p99.9 on a logarithmic axis.
type tailFigure struct {
	rows []tailRow
	k    int
}

type tailRow struct {
	family, setting, title, instead string
	at                              [4]float64 // p50, p90, p99, p99.9; 0 where not measured
}

var tailNames = [4]string{metric.P50, metric.P90, metric.P99, metric.P999}

func tails(in input) figure {
	t := in.Focus
	f := &tailFigure{k: t.K}
	for _, c := range in.choices {
		row := tailRow{family: c.Family.Name, instead: "not measured"}
		if c.Row != nil {
			recall, _ := c.Row.Value(metric.Recall)
			row.setting = strings.TrimPrefix(say.Settings(c.Row.Cell)+" · ", " · ") + "recall " + say.Ratio(recall.Median)
			row.title = c.Family.Name + "\n" + row.setting
			for i, name := range tailNames {
				if v, ok := c.Row.Value(name); ok {
					info, _ := metric.Lookup(name)
					row.at[i] = v.Median
					row.title += "\n" + info.Title + " " + say.Measured(name, v, "")
				}
			}
			row.title += "\ncell " + c.Row.Cell.ID()
		}
		f.rows = append(f.rows, row)
	}
	return f
}

func (*tailFigure) heading() string { return "Search time over queries" }
func (*tailFigure) note() string    { return "" }
func (f *tailFigure) names() []string {
	return familyNames(f.rows, func(r tailRow) string { return r.family })
}

func (f *tailFigure) any() bool {
	return slices.ContainsFunc(f.rows, func(r tailRow) bool { return r.at[0] > 0 && r.at[2] > 0 })
}

const tailTop = 52.0

func (f *tailFigure) Height(float64) float64 { return tailTop + barRow*float64(len(f.rows)) + 24 }

func (f *tailFigure) Draw(s Surface, width float64) {
	s.Text(0, 14, "Search time over queries", 15, Left, Paint{Role: Ink}, font.WeightBold)
	s.Text(0, 33, "thick: median to p90, thin: to p99, dot: p99.9", 11, Left, Paint{Role: Soft}, font.WeightNormal)
	var all []float64
	for _, r := range f.rows {
		all = append(all, r.at[:]...)
	}
	a := axisScale{kind: logarithmic, unit: metric.Seconds}
	lo, hi, ticks := a.scale(all, width)
	labels := 0.0
	for _, r := range f.rows {
		if r.at[2] > 0 {
			labels = max(labels, s.Slack()*TextWidth("p99 "+say.Quantity(metric.P99, r.at[2]), 11.5, font.WeightBold))
		}
	}
	x1 := width - labels - 14
	x := func(v float64) float64 { return 4 + (a.at(v)-lo)/(hi-lo)*(x1-8) }
	bottom := tailTop + barRow*float64(len(f.rows))
	last := math.Inf(-1)
	for _, t := range ticks {
		for i := range f.rows {
			y := tailTop + barRow*float64(i)
			s.Line([]XY{{x(t), y + 18}, {x(t), y + 35}}, 1, Paint{Role: Rule}, Solid)
		}
		half := TextWidth(a.label(t), 11, font.WeightNormal)/2 + 5
		if x(t)-half > last {
			s.Text(max(half-5, x(t)), bottom+16, a.label(t), 11, Middle, Paint{Role: Soft}, font.WeightNormal)
			last = x(t) + half
		}
	}
	for i, r := range f.rows {
		y := tailTop + barRow*float64(i)
		s.Begin(r.family, r.title, r.at[0] > 0)
		s.label(y+14, Fit(r.family, width*0.4, 12.5), r.setting, width)
		if r.at[0] <= 0 || r.at[2] <= 0 {
			s.Text(0, y+31, r.instead, 11.5, Left, Paint{Role: Soft}, font.WeightNormal)
			s.End()
			continue
		}
		mid := y + 26.5
		s.Line([]XY{{x(r.at[0]), mid}, {x(r.at[2]), mid}}, 2, Of(r.family), Solid)
		if r.at[1] > 0 {
			s.Rect(x(r.at[0]), mid-5.5, max(2, x(r.at[1])-x(r.at[0])), 11, Of(r.family))
		}
		s.Line([]XY{{x(r.at[2]), mid - 5.5}, {x(r.at[2]), mid + 5.5}}, 2, Of(r.family), Solid)
		end := x(r.at[2])
		if r.at[3] > 0 {
			s.Point(x(r.at[3]), mid, 2.6, Circle, Of(r.family), false)
			end = x(r.at[3]) + 3
		}
		s.Text(end+7, y+30.5, "p99 "+say.Quantity(metric.P99, r.at[2]), 11.5, Left, Paint{Role: Ink}, font.WeightBold)
		s.End()
	}
}
