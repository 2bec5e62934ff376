package survey

import (
	"fmt"
	"image/color"
	"math"
	"slices"
	"strconv"

	"annbench/internal/words"
)

// Plane is points of a plane, each with a category: what a projection made of vectors.
type Plane struct {
	Title, Note string
	X, Y        []float64
}

// Map draws planes of the same points side by side, coloured by category: label[i] is a place in
// labels, negative for none. A category is named where its points lie closest, and in the legend.
func Map(planes []Plane, label []int, labels []string) Figure {
	const side, gap = 460.0, 22.0
	width := 2*margin + float64(len(planes))*(side+gap) - gap
	width = max(width, 2*margin+side)
	marks, legendHeight := legend(label, labels, width-2*margin)
	top := margin + 42
	return Figure{width, top + side + 14 + legendHeight + margin, func(c *sheet) {
		for i, p := range planes {
			x0 := margin + float64(i)*(side+gap)
			c.text(x0, margin+13, p.Title, titleSize, left, true, ink)
			c.text(x0, margin+30, p.Note, tickSize, left, false, soft)
			p.draw(c, x0, top, side, label, labels)
		}
		for _, m := range marks {
			y := top + side + 14 + m.y
			c.dot(margin+m.x+5, y+8, 4.5, m.label/len(hues), hues[m.label%len(hues)])
			c.text(margin+m.x+15, y+12, m.text, textSize, left, false, ink)
		}
	}}
}

// entry is a category in the legend.
type entry struct {
	label int
	text  string
	x, y  float64
}

// legend sets the categories into lines, most points first.
func legend(label []int, labels []string, width float64) (entries []entry, height float64) {
	counts := make([]int, len(labels))
	for _, l := range label {
		if l >= 0 {
			counts[l]++
		}
	}
	for l, name := range labels {
		entries = append(entries, entry{label: l, text: fmt.Sprintf("%s %s", fit(name, 200, textSize), words.Commas(strconv.Itoa(counts[l])))})
	}
	slices.SortStableFunc(entries, func(a, b entry) int { return counts[b.label] - counts[a.label] })
	x, y := 0.0, 0.0
	for i := range entries {
		w := 15 + textWidth(entries[i].text, textSize) + 18
		if x > 0 && x+w-18 > width {
			x, y = 0, y+19
		}
		entries[i].x, entries[i].y = x, y
		x += w
	}
	if len(entries) == 0 {
		return nil, 0
	}
	return entries, y + 19
}

func (p Plane) draw(c *sheet, x0, y0, side float64, label []int, labels []string) {
	c.rect(x0, y0, side, side, rgb(0xf6f7f9))
	if len(p.X) == 0 {
		return
	}
	lox, hix := slices.Min(p.X), slices.Max(p.X)
	loy, hiy := slices.Min(p.Y), slices.Max(p.Y)
	// One scale for both axes: distances are what the picture is about.
	const inside = 12.0
	span := max(hix-lox, hiy-loy)
	if span == 0 {
		span = 1
	}
	scale := (side - 2*inside) / span
	at := func(i int) (x, y float64) {
		return x0 + side/2 + (p.X[i]-(lox+hix)/2)*scale, y0 + side/2 - (p.Y[i]-(loy+hiy)/2)*scale
	}
	r := 2.4
	if len(p.X) < 800 {
		r = 3.2
	}
	// In an order that has nothing to do with the category, so that none lies on top.
	for k := range p.X {
		i := int(uint64(k) * 2654435761 % uint64(len(p.X)))
		if gcd(2654435761, len(p.X)) != 1 {
			i = k
		}
		x, y := at(i)
		if l := label[i]; l >= 0 {
			h := hues[l%len(hues)]
			c.dot(x, y, r, l/len(hues), color.NRGBA{h.R, h.G, h.B, 175})
		} else {
			c.dot(x, y, r, 0, color.NRGBA{soft.R, soft.G, soft.B, 130})
		}
	}
	p.names(c, at, x0, y0, side, label, labels)
}

// darker is a colour for texts, which are thin.
func darker(c color.NRGBA) color.NRGBA {
	at := func(v uint8) uint8 { return uint8(int(v) * 3 / 4) }
	return color.NRGBA{at(c.R), at(c.G), at(c.B), 255}
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// mostNames is how many categories are named in the picture itself.
const mostNames = 26

// names puts the name of each category where most of its points are, moved where two would overlap.
func (p Plane) names(c *sheet, at func(i int) (x, y float64), x0, y0, side float64, label []int, labels []string) {
	if len(labels) > mostNames {
		return
	}
	type box struct{ x, y, w float64 }
	var placed []box
	for l, name := range labels {
		var xs, ys []float64
		for i := range label {
			if label[i] == l {
				x, y := at(i)
				xs, ys = append(xs, x), append(ys, y)
			}
		}
		if len(xs) == 0 {
			continue
		}
		// The point with the most of its own within a fifteenth of the picture.
		best, most := 0, -1
		for i := range xs {
			n := 0
			for j := range xs {
				if math.Hypot(xs[i]-xs[j], ys[i]-ys[j]) < side/15 {
					n++
				}
			}
			if n > most {
				best, most = i, n
			}
		}
		const size = 11.5
		name = fit(name, 150, size)
		w := textWidth(name, size) * 1.1
		x := min(max(xs[best], x0+w/2+3), x0+side-w/2-3)
		y := ys[best] + 4
		free := func(y float64) bool {
			for _, b := range placed {
				if math.Abs(b.y-y) < 14 && math.Abs(b.x-x) < (b.w+w)/2+4 {
					return false
				}
			}
			return y > y0+14 && y < y0+side-4
		}
		for _, d := range []float64{0, -14, 14, -28, 28, -42, 42, -56, 56} {
			if free(y + d) {
				y += d
				break
			}
		}
		y = min(max(y, y0+14), y0+side-4)
		placed = append(placed, box{x, y, w})
		h := hues[l%len(hues)]
		c.halo(x, y, name, size, darker(h))
	}
}
