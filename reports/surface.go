package reports

import (
	"bytes"
	"fmt"
	"html"
	"image/color"
	"math"
	"strconv"
	"strings"

	"golang.org/x/image/font"
	plotfont "gonum.org/v1/plot/font"
	"gonum.org/v1/plot/font/liberation"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// A surface is what a figure is drawn on: a file by way of gonum/plot's canvases, or the SVG of the
// page, which leaves colours to the page's style sheet. The origin is the upper left corner, and one
// unit is a CSS pixel.
type surface interface {
	rect(x, y, w, h float64, p paint)
	line(pts []xy, width float64, p paint, dashes bool)
	text(x, y float64, s string, size float64, a anchor, p paint, weight font.Weight)
	// label is a line of text from the left edge that ends before width: strong, then faint.
	label(y float64, strong, faint string, width float64)
	// slack is how much wider than [textWidth] a text may come out.
	slack() float64
	point(x, y, r float64, m mark, p paint, hollow bool)
	// begin opens a group that belongs to a family (or to none, ""), with a text that explains it;
	// end closes it. Files show no such texts.
	begin(family, title string, focusable bool)
	end()
}

// Sizes of a label's two parts.
const (
	labelStrong = 12.5
	labelFaint  = 11.0
)

type xy struct{ x, y float64 }

type anchor int

const (
	left anchor = iota
	middle
	right
)

// paint is what something is drawn in: a role that every theme has a colour for, or a family's colour.
type paint struct {
	role   role
	family string
	faint  bool // the family's colour, half transparent
}

type role int

const (
	byFamily role = iota
	ink           // text that is read
	soft          // text beside it
	rule          // lines of the grid
	axis          // lines that carry meaning: target, ceiling
	paper         // what the figure stands on
)

func of(family string) paint { return paint{family: family} }

// fontCache holds the Liberation fonts, which measure as Arial does.
var fontCache = plotfont.NewCache(liberation.Collection())

func face(size float64, weight font.Weight) plotfont.Font {
	return plotfont.Font{Typeface: "Liberation", Variant: "Sans", Weight: weight, Size: vg.Length(size) * pixel}
}

// pixel is a CSS pixel, 1/96 of an inch, in points.
const pixel = vg.Inch / 96

// textWidth is the width of s in pixels. The page's own font may differ by some percent.
func textWidth(s string, size float64, weight font.Weight) float64 {
	f := fontCache.Lookup(face(size, weight), vg.Length(size)*pixel)
	return float64(f.Width(s) / pixel)
}

// fit cuts s in its middle until it is at most width wide.
func fit(s string, width, size float64) string {
	if textWidth(s, size, font.WeightNormal) <= width {
		return s
	}
	r := []rune(s)
	for n := len(r) - 1; n > 1; n-- {
		cut := string(r[:(n+1)/2]) + "…" + string(r[len(r)-n/2:])
		if textWidth(cut, size, font.WeightNormal) <= width {
			return cut
		}
	}
	return "…"
}

// fileSurface draws on a canvas of gonum/plot, in the light theme.
type fileSurface struct {
	c      draw.Canvas
	height float64 // of the sheet, margins included
	hue    func(family string) hue
}

func (f *fileSurface) color(p paint) color.Color {
	switch p.role {
	case ink:
		return hex(0x1d2026)
	case soft:
		return hex(0x646b78)
	case rule:
		return hex(0xe4e6ea)
	case axis:
		return hex(0x8a919e)
	case paper:
		return color.White
	}
	c := f.hue(p.family).light
	if p.faint {
		return color.NRGBA{c.r, c.g, c.b, 110}
	}
	return c
}

func (f *fileSurface) at(x, y float64) vg.Point {
	return vg.Point{X: vg.Length(x+pictureMargin) * pixel, Y: vg.Length(f.height-pictureMargin-y) * pixel}
}

func (f *fileSurface) rect(x, y, w, h float64, p paint) {
	f.c.FillPolygon(f.color(p), []vg.Point{f.at(x, y), f.at(x+w, y), f.at(x+w, y+h), f.at(x, y+h)})
}

func (f *fileSurface) line(pts []xy, width float64, p paint, dashes bool) {
	sty := draw.LineStyle{Color: f.color(p), Width: vg.Length(width) * pixel}
	if dashes {
		sty.Dashes = []vg.Length{4 * pixel, 3 * pixel}
	}
	line := make([]vg.Point, len(pts))
	for i, q := range pts {
		line[i] = f.at(q.x, q.y)
	}
	f.c.StrokeLines(sty, line)
}

func (f *fileSurface) text(x, y float64, s string, size float64, a anchor, p paint, weight font.Weight) {
	sty := text.Style{
		Color: f.color(p), Font: face(size, weight), YAlign: text.YBottom,
		XAlign: [...]text.XAlignment{text.XLeft, text.XCenter, text.XRight}[a], Handler: text.Plain{Fonts: fontCache},
	}
	// YBottom puts the descent above the point; the surface counts from the base line.
	depth := -f.depth(size, weight)
	at := f.at(x, y)
	at.Y += depth
	f.c.FillText(sty, at, s)
}

func (f *fileSurface) slack() float64 { return 1 }

func (f *fileSurface) label(y float64, strong, faint string, width float64) {
	f.text(0, y, strong, labelStrong, left, paint{role: ink}, font.WeightBold)
	after := textWidth(strong, labelStrong, font.WeightBold) + 8
	if faint != "" {
		f.text(after, y, fit(faint, width-after, labelFaint), labelFaint, left, paint{role: soft}, font.WeightNormal)
	}
}

func (f *fileSurface) depth(size float64, weight font.Weight) vg.Length {
	face := fontCache.Lookup(face(size, weight), vg.Length(size)*pixel)
	return face.Extents().Descent
}

func (f *fileSurface) point(x, y, r float64, m mark, p paint, hollow bool) {
	outline := markOutline(x, y, r, m)
	pts := make([]vg.Point, len(outline))
	for i, q := range outline {
		pts[i] = f.at(q.x, q.y)
	}
	if hollow {
		f.c.FillPolygon(color.White, pts)
		f.c.StrokeLines(draw.LineStyle{Color: f.color(p), Width: 1.3 * pixel}, append(pts, pts[0]))
		return
	}
	f.c.FillPolygon(f.color(p), pts)
	f.c.StrokeLines(draw.LineStyle{Color: color.White, Width: 0.7 * pixel}, append(pts, pts[0]))
}

func (*fileSurface) begin(string, string, bool) {}
func (*fileSurface) end()                       {}

// markOutline is a mark as a polygon about (x, y). Marks of equal r look equally heavy.
func markOutline(x, y, r float64, m mark) []xy {
	polygon := func(n int, r, turn float64) []xy {
		out := make([]xy, n)
		for i := range out {
			sin, cos := math.Sincos(2*math.Pi*float64(i)/float64(n) + turn)
			out[i] = xy{x + r*sin, y - r*cos}
		}
		return out
	}
	switch m {
	case square:
		return polygon(4, r*1.25, math.Pi/4)
	case diamond:
		return polygon(4, r*1.3, 0)
	case triangle:
		return polygon(3, r*1.4, 0)
	case wedge:
		return polygon(3, r*1.4, math.Pi)
	case cross:
		a, b := r*1.25, r*0.45
		return []xy{
			{x - b, y - a},
			{x + b, y - a},
			{x + b, y - b},
			{x + a, y - b},
			{x + a, y + b},
			{x + b, y + b},
			{x + b, y + a},
			{x - b, y + a},
			{x - b, y + b},
			{x - a, y + b},
			{x - a, y - b},
			{x - b, y - b},
		}
	}
	return polygon(24, r, 0)
}

// figure is a picture that can be drawn at any width.
type figure interface {
	height(width float64) float64
	draw(s surface, width float64)
}

// picturePNG and pictureSVG draw a figure on white, with a margin, at width pixels; a PNG has twice
// as many.
func picturePNG(f figure, width float64, hues func(string) hue) ([]byte, error) {
	w, h := width+2*pictureMargin, f.height(width)+2*pictureMargin
	c := vgimg.NewWith(vgimg.UseWH(vg.Length(w)*pixel, vg.Length(h)*pixel), vgimg.UseDPI(192), vgimg.UseBackgroundColor(color.White))
	f.draw(&fileSurface{c: draw.New(c), height: h, hue: hues}, width)
	var b bytes.Buffer
	if _, err := (vgimg.PngCanvas{Canvas: c}).WriteTo(&b); err != nil {
		return nil, fmt.Errorf("encoding a plot: %w", err)
	}
	return b.Bytes(), nil
}

func pictureSVG(f figure, width float64, hues func(string) hue) ([]byte, error) {
	w, h := width+2*pictureMargin, f.height(width)+2*pictureMargin
	c := vgsvg.New(vg.Length(w)*pixel, vg.Length(h)*pixel)
	d := draw.New(c)
	d.FillPolygon(color.White, []vg.Point{d.Min, {X: d.Max.X, Y: d.Min.Y}, d.Max, {X: d.Min.X, Y: d.Max.Y}})
	f.draw(&fileSurface{c: d, height: h, hue: hues}, width)
	var b bytes.Buffer
	if _, err := c.WriteTo(&b); err != nil {
		return nil, fmt.Errorf("encoding a plot: %w", err)
	}
	// Where Liberation Sans is not installed, fonts of the same widths come next.
	return bytes.ReplaceAll(b.Bytes(), []byte("font-family:Liberation Sans;"), []byte("font-family:'Liberation Sans',Arial,Helvetica,sans-serif;")), nil
}

const pictureMargin = 24

// pageSurface writes SVG whose colours are classes of the page's style sheet. Every text is escaped.
type pageSurface struct {
	b strings.Builder
	// class names the class that holds a family's colour.
	class func(family string) string
	hue   func(family string) hue
}

func (s *pageSurface) paint(p paint) string {
	switch p.role {
	case ink:
		return "ink"
	case soft:
		return "soft"
	case rule:
		return "rule"
	case axis:
		return "axis"
	case paper:
		return "paper"
	}
	if p.faint {
		return s.class(p.family) + " faint"
	}
	return s.class(p.family)
}

func num(x float64) string {
	return strconv.FormatFloat(math.Round(x*10)/10, 'f', -1, 64)
}

func (s *pageSurface) rect(x, y, w, h float64, p paint) {
	fmt.Fprintf(&s.b, `<rect class="f %s" x="%s" y="%s" width="%s" height="%s"/>`, s.paint(p), num(x), num(y), num(w), num(h))
}

func (s *pageSurface) line(pts []xy, width float64, p paint, dashes bool) {
	class := "l " + s.paint(p)
	if dashes {
		class += " dash"
	}
	fmt.Fprintf(&s.b, `<path class="%s" stroke-width="%s" d="%s"/>`, class, num(width), pathOf(pts, false))
}

func pathOf(pts []xy, closed bool) string {
	var b strings.Builder
	for i, q := range pts {
		if i == 0 {
			b.WriteByte('M')
		} else {
			b.WriteByte('L')
		}
		b.WriteString(num(q.x) + " " + num(q.y))
	}
	if closed {
		b.WriteByte('Z')
	}
	return b.String()
}

func (s *pageSurface) text(x, y float64, str string, size float64, a anchor, p paint, weight font.Weight) {
	class := "t " + s.paint(p)
	if weight >= font.WeightSemiBold {
		class += " b"
	}
	at := ""
	if a != left {
		at = fmt.Sprintf(` text-anchor="%s"`, [...]string{"start", "middle", "end"}[a])
	}
	fmt.Fprintf(&s.b, `<text class="%s" x="%s" y="%s" font-size="%s"%s>%s</text>`, class, num(x), num(y), num(size), at, html.EscapeString(str))
}

// slack is for the fonts of other systems: DejaVu Sans is 15 % wider than Liberation Sans.
func (s *pageSurface) slack() float64 { return 1.15 }

// label puts both in one element, so that the faint part begins where the strong one ends in whatever
// font there is.
func (s *pageSurface) label(y float64, strong, faint string, width float64) {
	room := width/s.slack() - textWidth(strong, labelStrong, font.WeightBold) - 8
	fmt.Fprintf(&s.b, `<text class="t" y="%s"><tspan class="t ink b" font-size="%s">%s</tspan>`, num(y), num(labelStrong), html.EscapeString(strong))
	if faint != "" {
		fmt.Fprintf(&s.b, `<tspan class="t soft" dx="7" font-size="%s">%s</tspan>`, num(labelFaint), html.EscapeString(fit(faint, room, labelFaint)))
	}
	s.b.WriteString("</text>")
}

func (s *pageSurface) point(x, y, r float64, m mark, p paint, hollow bool) {
	kind := "f"
	if hollow {
		kind = "o"
	}
	if m == circle {
		fmt.Fprintf(&s.b, `<circle class="pt %s %s" cx="%s" cy="%s" r="%s"/>`, kind, s.paint(p), num(x), num(y), num(r))
		return
	}
	fmt.Fprintf(&s.b, `<path class="pt %s %s" d="%s"/>`, kind, s.paint(p), pathOf(markOutline(x, y, r, m), true))
}

func (s *pageSurface) begin(family, title string, focusable bool) {
	s.b.WriteString("<g")
	if family != "" {
		fmt.Fprintf(&s.b, ` class="of %s"`, s.class(family))
	}
	if focusable {
		s.b.WriteString(` tabindex="0" role="img"`)
		if title != "" {
			fmt.Fprintf(&s.b, ` aria-label="%s"`, html.EscapeString(strings.ReplaceAll(title, "\n", ", ")))
		}
	}
	s.b.WriteString(">")
	if title != "" {
		fmt.Fprintf(&s.b, "<title>%s</title>", html.EscapeString(title))
	}
}

func (s *pageSurface) end() { s.b.WriteString("</g>") }

// pageSVG draws a figure for the page. label is read out in place of the picture.
func pageSVG(f figure, width float64, label, class string, classes func(string) string, hues func(string) hue) string {
	s := &pageSurface{class: classes, hue: hues}
	f.draw(s, width)
	return fmt.Sprintf(`<svg class="%s" viewBox="0 0 %s %s" role="group" aria-label="%s">%s</svg>`,
		html.EscapeString(class), num(width), num(f.height(width)), html.EscapeString(label), s.b.String())
}
