package modelcard

import (
	"bytes"
	"fmt"
	"image/jpeg"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/image/font"

	"annbench/reports/draw"
	"annbench/reports/say"
)

// The colours of a model's card, by the names that its figures use as families. A category below the
// threshold is shown by its mark as well.
var modelHues = func() map[string]draw.Hue {
	h := map[string]draw.Hue{
		"train":      draw.Tint(0x0072b2, 0x4aa9ea, draw.Circle),
		"validation": draw.Tint(0xd55e00, 0xff8134, draw.Triangle),
		"bar":        draw.Tint(0x4a90c2, 0x4aa9ea, draw.Circle),
		"below":      draw.Tint(0xd55e00, 0xff8134, draw.Circle),
	}
	for i := range heatSteps {
		t := float64(i) / (heatSteps - 1)
		h[heatName(i)] = draw.Hue{Light: draw.Blend(0xffffff, 0x74b3e0, t), Dark: draw.Blend(0x1a1d23, 0x23658f, t)}
	}
	for i, s := range draw.Spare {
		h["series"+strconv.Itoa(i)] = s
	}
	return h
}()

// heatSteps are the shades of a confusion matrix.
const heatSteps = 21

func heatName(step int) string { return "heat" + strconv.Itoa(step) }

func modelHue(name string) draw.Hue { return modelHues[name] }

func modelHueClass(name string) string { return "mc-" + name }

// modelHueCSS gives the classes of the page their colours, in both themes.
func modelHueCSS() string {
	var light, dark strings.Builder
	for _, name := range slices.Sorted(maps.Keys(modelHues)) {
		h := modelHues[name]
		fmt.Fprintf(&light, ".mc .mc-%s{--c:%s}", name, h.Light)
		fmt.Fprintf(&dark, "§ .mc .mc-%s{--c:%s}", name, h.Dark)
	}
	under := func(root string) string { return strings.ReplaceAll(dark.String(), "§", root) }
	return light.String() + "@media(prefers-color-scheme:dark){" + under(":root:not([data-theme=light])") + "}" + under(":root[data-theme=dark]")
}

// historyFigure is the course of a training run: loss, and accuracy on validation, by epoch.
type historyFigure struct{ t *Training }

type historyLine struct {
	name, family string
	values       []float64
}

func (f *historyFigure) panels() (loss, accuracy []historyLine) {
	loss = []historyLine{{"training", "train", f.t.TrainLoss}, {"validation", "validation", f.t.ValLoss}}
	for i, s := range f.t.Accuracy {
		accuracy = append(accuracy, historyLine{s.Name, "series" + strconv.Itoa(i%len(draw.Spare)), s.Values})
	}
	return loss, accuracy
}

const historyHeight = 300.0

func (f *historyFigure) stacked(width float64) bool { return width < 640 }

func (f *historyFigure) Height(width float64) float64 {
	if f.stacked(width) {
		return 2*historyHeight + 24
	}
	return historyHeight
}

func (f *historyFigure) Draw(s draw.Surface, width float64) {
	loss, accuracy := f.panels()
	w := (width - 40) / 2
	dx, dy := w+40, 0.0
	if f.stacked(width) {
		w, dx, dy = width, 0, historyHeight+24
	}
	most := 0.0
	for _, l := range loss {
		for _, v := range l.values {
			most = max(most, v)
		}
	}
	least := 1.0
	for _, l := range accuracy {
		for _, v := range l.values {
			least = min(least, v)
		}
	}
	f.panel(s, 0, 0, w, "Loss", loss, 0, max(most*1.05, 1e-9))
	f.panel(s, dx, dy, w, "Accuracy on validation", accuracy, min(0.9, math.Floor(least*10)/10), 1)
}

// panel draws lines over epochs in a box whose corner is (x, y).
func (f *historyFigure) panel(s draw.Surface, x, y, w float64, title string, lines []historyLine, lo, hi float64) {
	s.Text(x, y+14, title, 15, draw.Left, draw.Paint{Role: draw.Ink}, font.WeightBold)
	lx, ly := x, y+36
	for _, l := range lines {
		width := s.Slack()*draw.TextWidth(l.name, 12, font.WeightNormal) + 34
		if lx > x && lx+width > x+w {
			lx, ly = x, ly+18
		}
		s.Line([]draw.XY{{lx, ly - 4}, {lx + 14, ly - 4}}, 2.4, draw.Of(l.family), draw.Solid)
		s.Point(lx+7, ly-4, 3.6, s.Mark(l.family), draw.Of(l.family), false)
		s.Text(lx+19, ly, l.name, 12, draw.Left, draw.Paint{Role: draw.Ink}, font.WeightNormal)
		lx += width
	}
	top, bottom := ly+14, y+historyHeight-38
	x0, x1 := x+40, x+w-8
	first, last := f.t.Epochs[0], f.t.Epochs[len(f.t.Epochs)-1]
	px := func(e float64) float64 {
		if last == first {
			return (x0 + x1) / 2
		}
		return x0 + (e-first)/(last-first)*(x1-x0)
	}
	py := func(v float64) float64 { return bottom - (min(hi, max(lo, v))-lo)/(hi-lo)*(bottom-top) }
	ticks, label := draw.LinearTicks(hi-lo, 5)
	for _, t := range ticks {
		s.Line([]draw.XY{{x0, py(lo + t)}, {x1, py(lo + t)}}, 1, draw.Paint{Role: draw.Rule}, draw.Solid)
		text := label(t)
		if lo != 0 {
			text = strconv.FormatFloat(lo+t, 'f', 2, 64)
		}
		s.Text(x0-6, py(lo+t)+4, text, 11, draw.Right, draw.Paint{Role: draw.Soft}, font.WeightNormal)
	}
	epochs, name := draw.LinearTicks(last-first+1, max(3, int(w/90)))
	for i, t := range epochs {
		e := t
		if i == 0 {
			e = first
		}
		if e >= first && e <= last && e == math.Trunc(e) {
			s.Text(px(e), bottom+17, name(e), 11, draw.Middle, draw.Paint{Role: draw.Soft}, font.WeightNormal)
		}
	}
	s.Text((x0+x1)/2, bottom+34, "epoch", 12, draw.Middle, draw.Paint{Role: draw.Soft}, font.WeightNormal)
	if c := f.t.Chosen; c >= first && c <= last && c > 0 {
		s.Line([]draw.XY{{px(c), top}, {px(c), bottom}}, 1.2, draw.Paint{Role: draw.Axis}, draw.Dashed)
		a, at := draw.Right, px(c)-5
		if px(c) < (x0+x1)/2 {
			a, at = draw.Left, px(c)+5
		}
		s.Text(at, bottom-6, "exported", 11, a, draw.Paint{Role: draw.Soft}, font.WeightNormal)
	}
	for _, l := range lines {
		pts := make([]draw.XY, len(l.values))
		for i, v := range l.values {
			pts[i] = draw.XY{px(f.t.Epochs[i]), py(v)}
		}
		if len(pts) > 1 {
			s.Line(pts, 2, draw.Of(l.family), draw.Solid)
		}
		end := len(pts) - 1
		s.Begin("", fmt.Sprintf("%s, epoch %.0f: %.4f", l.name, f.t.Epochs[end], l.values[end]), true)
		s.Point(pts[end][0], pts[end][1], 4, s.Mark(l.family), draw.Of(l.family), false)
		s.End()
	}
}

// categoriesFigure is the classification report: F1 as bars, beside precision, recall and support.
type categoriesFigure struct{ e *Evaluation }

const categoryRowHeight = 25.0

func (f *categoriesFigure) Height(float64) float64 {
	return 62 + categoryRowHeight*float64(len(f.e.Confusion.Classes)) + 40
}

func (f *categoriesFigure) Draw(s draw.Surface, width float64) {
	e := f.e
	s.Text(0, 14, draw.Fit("Categories of "+e.Name, width, 15), 15, draw.Left, draw.Paint{Role: draw.Ink}, font.WeightBold)
	s.Text(0, 33, fmt.Sprintf("%s images, top-1 %.4f, top-5 %.4f", say.Count(e.Images), e.Top1, e.Top5), 12, draw.Left, draw.Paint{Role: draw.Soft}, font.WeightNormal)
	names := 60.0
	for _, c := range e.Confusion.Classes {
		names = max(names, s.Slack()*draw.TextWidth(c, 12, font.WeightNormal))
	}
	names = min(names, width*0.3)
	x0 := names + 26
	x1 := width - 4*58
	columns := []string{"F1", "precision", "recall", "images"}
	for i, c := range columns {
		s.Text(x1+58*float64(i+1), 56, c, 11, draw.Right, draw.Paint{Role: draw.Soft}, font.WeightNormal)
	}
	top := 62.0
	bottom := top + categoryRowHeight*float64(len(e.Confusion.Classes))
	x := func(v float64) float64 { return x0 + v*(x1-x0) }
	for _, t := range []float64{0, 0.5, 1} {
		s.Line([]draw.XY{{x(t), top}, {x(t), bottom}}, 1, draw.Paint{Role: draw.Rule}, draw.Solid)
		s.Text(x(t), bottom+15, strconv.FormatFloat(t, 'f', -1, 64), 11, draw.Middle, draw.Paint{Role: draw.Soft}, font.WeightNormal)
	}
	for i, name := range e.Confusion.Classes {
		y := top + categoryRowHeight*float64(i)
		sc := e.Confusion.Score(i)
		colour, weight := draw.Of("bar"), font.WeightNormal
		if e.Below(i) {
			colour, weight = draw.Of("below"), font.WeightBold
			s.Point(5, y+12.5, 4, draw.Triangle, draw.Of("below"), false)
		}
		s.Text(14, y+17, draw.Fit(name, names, 12), 12, draw.Left, draw.Paint{Role: draw.Ink}, weight)
		if sc.F1 != nil {
			s.Rect(x0, y+6, max(1, x(*sc.F1)-x0), 13, colour)
		}
		for j, v := range []*float64{sc.F1, sc.Precision, sc.Recall} {
			text := "–"
			if v != nil {
				text = strconv.FormatFloat(*v, 'f', 3, 64)
			}
			s.Text(x1+58*float64(j+1), y+17, text, 12, draw.Right, draw.Paint{Role: draw.Ink}, weight)
		}
		s.Text(x1+58*4, y+17, say.Count(sc.Support), 12, draw.Right, draw.Paint{Role: draw.Ink}, weight)
	}
	if t := e.Threshold; t > 0 && t < 1 {
		s.Line([]draw.XY{{x(t), top}, {x(t), bottom}}, 1.3, draw.Paint{Role: draw.Axis}, draw.Dashed)
		s.Text(0, bottom+34, fmt.Sprintf("bold, with a triangle: F1 below %s, the dashed line", strconv.FormatFloat(t, 'f', -1, 64)), 11, draw.Left, draw.Paint{Role: draw.Soft}, font.WeightNormal)
	}
}

// confusionFigure is the confusion matrix: rows are what the pictures are, columns what they were
// taken for. The shade is the share of the row.
type confusionFigure struct{ e *Evaluation }

func (f *confusionFigure) sizes(width float64) (names, cell float64) {
	n := float64(len(f.e.Confusion.Classes))
	names = 40
	for i, c := range f.e.Confusion.Classes {
		names = max(names, 1.15*draw.TextWidth(numbered(i, c), 12, font.WeightNormal)+10)
	}
	names = min(names, 190, width*0.38)
	return names, min(46, (width-names)/max(n, 1))
}

// natural is the width at which the cells have their full size.
func (f *confusionFigure) natural() float64 {
	const most = 860
	names, cell := f.sizes(most)
	return min(most, max(420, names+cell*float64(len(f.e.Confusion.Classes))+1))
}

func numbered(i int, name string) string { return strconv.Itoa(i+1) + "  " + name }

func (f *confusionFigure) Height(width float64) float64 {
	_, cell := f.sizes(width)
	return 62 + cell*float64(len(f.e.Confusion.Classes)) + 8
}

func (f *confusionFigure) Draw(s draw.Surface, width float64) {
	c := &f.e.Confusion
	names, cell := f.sizes(width)
	s.Text(0, 14, draw.Fit("Confusion, "+f.e.Name, width, 15), 15, draw.Left, draw.Paint{Role: draw.Ink}, font.WeightBold)
	s.Text(0, 32, "rows: what it is; columns, by number: what it was taken for; shade: share of the row", 11, draw.Left, draw.Paint{Role: draw.Soft}, font.WeightNormal)
	top := 58.0
	size := min(12, cell*0.36)
	for i, name := range c.Classes {
		y := top + cell*float64(i)
		s.Text(0, y+cell/2+4, draw.Fit(numbered(i, name), names-8, 12), 12, draw.Left, draw.Paint{Role: draw.Ink}, font.WeightNormal)
		s.Text(names+cell*(float64(i)+0.5), top-7, strconv.Itoa(i+1), 11, draw.Middle, draw.Paint{Role: draw.Soft}, font.WeightNormal)
		support := 0
		for _, v := range c.Counts[i] {
			support += v
		}
		for j, v := range c.Counts[i] {
			x := names + cell*float64(j)
			share := 0.0
			if support > 0 {
				share = float64(v) / float64(support)
			}
			step := int(math.Round(share * (heatSteps - 1)))
			if v > 0 {
				step = max(step, 1)
			}
			s.Begin("", fmt.Sprintf("%s taken for %s: %d of %d", name, c.Classes[j], v, support), v > 0)
			s.Rect(x+0.5, y+0.5, cell-1, cell-1, draw.Of(heatName(step)))
			if v > 0 {
				weight := font.WeightNormal
				if i == j {
					weight = font.WeightBold
				}
				s.Text(x+cell/2, y+cell/2+size*0.36, strconv.Itoa(v), size, draw.Middle, draw.Paint{Role: draw.Ink}, weight)
			}
			s.End()
		}
	}
	end := top + cell*float64(len(c.Classes))
	right := names + cell*float64(len(c.Classes))
	s.Line([]draw.XY{{names, top}, {right, top}, {right, end}, {names, end}, {names, top}}, 1, draw.Paint{Role: draw.Rule}, draw.Solid)
}

// errorsFigure shows pictures of marked categories that were taken for others. It draws on files
// alone: the page shows the photographs themselves.
type errorsFigure struct{ e *Evaluation }

const (
	errorCell   = 104.0
	errorRow    = 142.0
	errorHead   = 30.0
	errorsTitle = 30.0
)

// rows are the errors of each category in lines that fit.
func (f *errorsFigure) rows(width float64) (titles []string, rows [][][]Error) {
	per := max(1, int(width/errorCell))
	for _, e := range f.e.Errors {
		n := len(titles)
		if n == 0 || titles[n-1] != e.Truth {
			titles, rows = append(titles, e.Truth), append(rows, nil)
			n++
		}
		group := &rows[n-1]
		if m := len(*group); m == 0 || len((*group)[m-1]) == per {
			*group = append(*group, nil)
		}
		last := &(*group)[len(*group)-1]
		*last = append(*last, e)
	}
	return titles, rows
}

func (f *errorsFigure) Height(width float64) float64 {
	titles, rows := f.rows(width)
	h := errorsTitle + errorHead*float64(len(titles))
	for _, r := range rows {
		h += errorRow * float64(len(r))
	}
	return h
}

func (f *errorsFigure) Draw(s draw.Surface, width float64) {
	s.Text(0, 14, draw.Fit("Errors, "+f.e.Name+": the surest first", width, 15), 15, draw.Left, draw.Paint{Role: draw.Ink}, font.WeightBold)
	titles, rows := f.rows(width)
	y := errorsTitle
	for g, title := range titles {
		s.Text(0, y+16, draw.Fit(title+", taken for", width, 13), 13, draw.Left, draw.Paint{Role: draw.Ink}, font.WeightBold)
		y += errorHead
		for _, line := range rows[g] {
			for i, e := range line {
				x := errorCell * float64(i)
				s.Rect(x, y, 96, 96, draw.Paint{Role: draw.Rule})
				if file, ok := s.(*draw.FileSurface); ok {
					if img, err := jpeg.Decode(bytes.NewReader(e.Thumbnail)); err == nil {
						file.Image(x, y, 96, img)
					}
				}
				s.Text(x, y+111, draw.Fit(e.Guess, errorCell-8, 11.5), 11.5, draw.Left, draw.Paint{Role: draw.Ink}, font.WeightNormal)
				s.Text(x, y+125, fmt.Sprintf("sure by %.2f", e.Confidence), 10.5, draw.Left, draw.Paint{Role: draw.Soft}, font.WeightNormal)
			}
			y += errorRow
		}
	}
}

// Photographs says that an SVG of it would be only a frame around photographs.
func (*errorsFigure) Photographs() {}
