package page

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"slices"
	"strings"

	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/reports/draw"
	"annbench/reports/say"
)

// Size of a map on the page, in CSS pixels, and the most points that it draws: more would make the
// page large and the picture a blot.
const (
	mapSize      = 460.0
	maxMapPoints = 4000
)

// mapBlock is the vectors of a data set in the plane, one picture for each method.
type mapBlock struct {
	Pictures []mapPicture
	Legend   []mapLegend
	Says     string
}

type mapPicture struct {
	Name, Note string
	SVG        template.HTML
}

type mapLegend struct {
	Label string
	N     int
	Dot   template.HTML
}

// mapColours are for categories; neighbours in the list differ in lightness as well as in hue. They
// come again after the last, so that names in the picture, not colours, are what tells them apart. Those for the dark
// keep a contrast of 3 to 1 although marks let the ground through.
var mapColours = []struct{ light, dark uint32 }{
	{0x0072b2, 0x4aa9ea},
	{0xe69f00, 0xf2b632},
	{0x009e73, 0x2cc49a},
	{0xcc79a7, 0xe897c4},
	{0xd55e00, 0xff8134},
	{0x56b4e9, 0x8fd4fa},
	{0x8a5a3c, 0xcf9d7c},
	{0x7a4bb8, 0xb896ee},
	{0x9a8a00, 0xd8c84a},
	{0xb23a48, 0xf4818d},
	{0x4d7c2f, 0x9acd6f},
	{0x5c6370, 0xa3aab7},
	{0x2bb3b1, 0x5fd6d3},
}

// mapOf draws the map of a results folder; nil where it has none, or one of other data.
func mapOf(m *record.Map) *mapBlock {
	if m == nil || len(m.ID) == 0 {
		return nil
	}
	b := &mapBlock{Says: fmt.Sprintf("%s of the collection's %s by %s, drawn near each other where their vectors are near.", say.Plural(min(len(m.ID), maxMapPoints), "item", "items"), say.Count(m.Rows), m.Metric)}
	step := (len(m.ID) + maxMapPoints - 1) / maxMapPoints
	counts := make([]int, len(m.Labels)+1) // the last is of none
	place := func(i int) int {
		if l := m.Label[i]; l >= 0 && l < len(m.Labels) {
			return l
		}
		return len(m.Labels)
	}
	for i := 0; i < len(m.ID); i += step {
		counts[place(i)]++
	}
	for _, p := range m.Methods {
		if len(p.X) != len(m.ID) || len(p.Y) != len(m.ID) {
			continue
		}
		note := p.Note
		if p.Kept > 0 {
			note = strings.TrimPrefix(note+fmt.Sprintf("; keeps %s of the 10 nearest neighbours", say.Percent(p.Kept)), "; ")
		}
		b.Pictures = append(b.Pictures, mapPicture{p.Name, note, template.HTML(mapSVG(m, p, step, place, counts))})
	}
	for l, name := range m.Labels {
		if counts[l] > 0 {
			b.Legend = append(b.Legend, mapLegend{name, counts[l], template.HTML(fmt.Sprintf(`<svg viewBox="0 0 12 12" aria-hidden="true"><circle class="k k%d" cx="6" cy="6" r="5"/></svg>`, l%len(mapColours)))})
		}
	}
	if len(b.Pictures) == 0 {
		return nil
	}
	return b
}

func mapSVG(m *record.Map, p record.Projection, step int, place func(int) int, counts []int) string {
	x0, x1, y0, y1 := math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)
	for i := range p.X {
		x0, x1, y0, y1 = min(x0, p.X[i]), max(x1, p.X[i]), min(y0, p.Y[i]), max(y1, p.Y[i])
	}
	side := max(x1-x0, y1-y0)
	if !(side > 0) || math.IsInf(side, 0) {
		side = 1
	}
	const margin = 10
	scale := (mapSize - 2*margin) / side
	at := func(i int) (x, y float64) {
		return margin + (p.X[i]-(x0+x1)/2+side/2)*scale, margin + ((y0+y1)/2-p.Y[i]+side/2)*scale
	}
	paths := make([]strings.Builder, len(counts))
	xs, ys := make([][]float64, len(counts)), make([][]float64, len(counts))
	for i := 0; i < len(p.X); i += step {
		x, y := at(i)
		l := place(i)
		fmt.Fprintf(&paths[l], "M%.0f %.0fh0", x, y)
		xs[l], ys[l] = append(xs[l], x), append(ys[l], y)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="map" viewBox="0 0 %.0f %.0f" role="img" aria-label="%s">`, mapSize, mapSize, html.EscapeString("The vectors in the plane by "+p.Name+". "+p.Note))
	for l := range paths {
		if paths[l].Len() > 0 {
			class := "none"
			if l < len(m.Labels) {
				class = fmt.Sprintf("k%d", l%len(mapColours))
			}
			fmt.Fprintf(&b, `<path class="k %s" data-k="%d" d="%s"/>`, class, l, paths[l].String())
		}
	}
	// Names stand at the middle of their items, the largest categories first; one that would cover
	// another is left out.
	order := make([]int, len(m.Labels))
	for l := range order {
		order[l] = l
	}
	slices.SortStableFunc(order, func(a, c int) int { return counts[c] - counts[a] })
	type box struct{ x, y, w float64 }
	var taken []box
	for _, l := range order {
		if len(xs[l]) == 0 {
			continue
		}
		w := draw.TextWidth(m.Labels[l], 12, 0) + 10
		one := box{min(mapSize-w/2, max(w/2, metric.Median(xs[l]))), min(mapSize-4, max(14, metric.Median(ys[l]))), w}
		if slices.ContainsFunc(taken, func(o box) bool {
			return math.Abs(o.x-one.x) < (o.w+one.w)/2 && math.Abs(o.y-one.y) < 15
		}) {
			continue
		}
		taken = append(taken, one)
		fmt.Fprintf(&b, `<text data-k="%d" x="%.0f" y="%.0f" text-anchor="middle">%s</text>`, l, one.x, one.y+4, html.EscapeString(m.Labels[l]))
	}
	b.WriteString("</svg>")
	return b.String()
}
