package survey

import (
	"fmt"
	"image/color"
	"math"
	"strconv"

	"annbench/internal/words"
)

const (
	rowHeight = 21.0
	titleSize = 15.0
	textSize  = 12.0
	tickSize  = 11.0
)

// nameWidth is the room that the names of the categories take.
func (s *Survey) nameWidth() float64 {
	w := 40.0
	for _, c := range s.Categories {
		w = max(w, textWidth(c.Label, textSize))
	}
	return min(w, 170) + 10
}

// Counts is the number of items of each category, as bars.
func (s *Survey) Counts() Figure {
	names := s.nameWidth()
	top := margin + 30
	width, height := 640.0, top+rowHeight*float64(len(s.Categories))+margin
	return Figure{width, height, func(c *sheet) {
		title := fmt.Sprintf("Items by category: %s in all", words.Commas(strconv.Itoa(s.Items)))
		c.text(margin, margin+13, title, titleSize, left, true, ink)
		most := 1
		for _, k := range s.Categories {
			most = max(most, k.Items)
		}
		room := width - 2*margin - names - textWidth(words.Commas(strconv.Itoa(most))+" (99.9 %)", textSize) - 12
		for i, k := range s.Categories {
			y := top + rowHeight*float64(i)
			c.text(margin+names-10, y+14, fit(k.Label, names-10, textSize), textSize, right, false, ink)
			length := max(1, float64(k.Items)/float64(most)*room)
			c.rect(margin+names, y+3, length, rowHeight-6, hues[0])
			share := 100 * float64(k.Items) / float64(max(1, s.Items))
			c.text(margin+names+length+6, y+14, fmt.Sprintf("%s (%.1f %%)", words.Commas(strconv.Itoa(k.Items)), share), textSize, left, false, soft)
		}
	}}
}

// spread is a quantity of which each category has a distribution, on a logarithmic axis.
type spread struct {
	title  string
	values func(*Category) []float64
	label  func(float64) string
}

// spreads are those that the survey knows.
func (s *Survey) spreads() []spread {
	plain := func(v float64) string { return strconv.FormatFloat(v, 'g', 3, 64) }
	aspect := "Width / height, in pixels"
	if !s.Pixels {
		aspect = "Width / height, in shares of the board"
	}
	all := []spread{{aspect, func(c *Category) []float64 { return c.Aspect }, plain}}
	if s.Boxes {
		all = append(all, spread{"Area, share of the board", func(c *Category) []float64 { return c.Share }, func(v float64) string {
			return strconv.FormatFloat(100*v, 'g', 3, 64) + " %"
		}})
	}
	if s.Pixels {
		all = append(all, spread{"Side, √(width × height) in pixels", func(c *Category) []float64 { return c.Side }, plain})
	}
	return all
}

// Shapes is the distribution of aspect and size in each category: a line from the 5th to the 95th
// percentile, a bar over the middle half, a mark at the median.
func (s *Survey) Shapes() Figure {
	names := s.nameWidth()
	const panel, gap = 270.0, 26.0
	spreads := s.spreads()
	top := margin + 52
	bottom := top + rowHeight*float64(len(s.Categories))
	width := 2*margin + names + float64(len(spreads))*(panel+gap)
	return Figure{width, bottom + 44, func(c *sheet) {
		c.text(margin, margin+13, "Shapes and sizes by category", titleSize, left, true, ink)
		c.text(margin, bottom+34, "Line: 5th to 95th percentile; bar: the middle half; mark: median.", tickSize, left, false, soft)
		for i, k := range s.Categories {
			c.text(margin+names-10, top+rowHeight*float64(i)+14, fit(k.Label, names-10, textSize), textSize, right, false, ink)
		}
		for p, sp := range spreads {
			x0 := margin + names + float64(p)*(panel+gap)
			s.spread(c, sp, x0, panel, top, bottom)
		}
	}}
}

func (s *Survey) spread(c *sheet, sp spread, x0, width, top, bottom float64) {
	lo, hi := math.Inf(1), math.Inf(-1)
	for i := range s.Categories {
		if v := sp.values(&s.Categories[i]); len(v) > 0 {
			lo, hi = min(lo, Quantile(v, .05)), max(hi, Quantile(v, .95))
		}
	}
	c.text(x0, top-16, sp.title, textSize, left, true, soft)
	if !(lo > 0) || math.IsInf(hi, 0) {
		c.text(x0, top+14, "nothing could be read", textSize, left, false, soft)
		return
	}
	lo, hi = lo/1.06, hi*1.06
	x := func(v float64) float64 { return x0 + width*math.Log(v/lo)/math.Log(hi/lo) }
	for _, t := range logTicks(lo, hi) {
		c.line(x(t), top-4, x(t), bottom+2, 1, rule)
		c.text(x(t), bottom+15, sp.label(t), tickSize, middle, false, soft)
	}
	for i := range s.Categories {
		v := sp.values(&s.Categories[i])
		if len(v) == 0 {
			continue
		}
		y := top + rowHeight*(float64(i)+.5)
		c.line(x(Quantile(v, .05)), y, x(Quantile(v, .95)), y, 1.4, hues[0])
		a, b := x(Quantile(v, .25)), x(Quantile(v, .75))
		c.rect(a, y-5, max(1, b-a), 10, color.NRGBA{0x9c, 0xc6, 0xdf, 255})
		m := x(Quantile(v, .5))
		c.line(m, y-6, m, y+6, 2.4, hues[0])
	}
}

// logTicks are some round numbers between lo and hi, evenly apart on a logarithmic axis.
func logTicks(lo, hi float64) []float64 {
	for _, steps := range [][]float64{{1}, {1, 3}, {1, 2, 5}, {1, 1.5, 2, 3, 5, 7}, {1, 1.2, 1.4, 1.6, 1.8, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8, 9}} {
		var ticks []float64
		for e := math.Floor(math.Log10(lo)); e <= math.Log10(hi); e++ {
			for _, s := range steps {
				if t := s * math.Pow(10, e); t >= lo && t <= hi {
					ticks = append(ticks, t)
				}
			}
		}
		if len(ticks) >= 3 {
			return ticks
		}
	}
	return []float64{lo, hi}
}
