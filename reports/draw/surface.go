// Package draw has the pictures of a report: surfaces to draw on, figures that can be drawn at any
// width, and [Pictures], the table of all of them.
//
// A figure draws on a [Surface]: a PNG or SVG file, or the inline SVG of the page, whose colours are
// classes of the page's style sheet. The values come from package judge, the words from package say.
package draw

import (
	"bytes"
	"fmt"
	"html"
	"image"
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

// Image draws img into a square, whole and centred.
func (f *FileSurface) Image(x, y, side float64, img image.Image) {
	b := img.Bounds()
	w, h := float64(b.Dx()), float64(b.Dy())
	scale := side / max(w, h)
	w, h = w*scale, h*scale
	low := f.at(x+(side-w)/2, y+(side+h)/2)
	high := f.at(x+(side+w)/2, y+(side-h)/2)
	f.c.DrawImage(vg.Rectangle{Min: low, Max: high}, img)
}

// Dash is how a line is broken.
type Dash int

// The dashes. Lines of one colour differ by them.
const (
	Solid Dash = iota
	Dashed
	Dotted
	DashDotted
	dashes // how many there are
)

// pattern is the lengths of strokes and gaps in turn, in pixels, and class the name in the page's style sheet.
func (d Dash) pattern() []float64 {
	return [dashes][]float64{nil, {4, 3}, {1.5, 3.5}, {9, 3, 1.5, 3}}[d]
}

func (d Dash) class() string { return [dashes]string{"", " dash", " dots", " dashdot"}[d] }

// A Surface is what a figure is drawn on: a file by way of gonum/plot's canvases, or the SVG of the
// page, which leaves colours to the page's style sheet. The origin is the upper left corner, and one
// unit is a CSS pixel.
type Surface interface {
	Rect(x, y, w, h float64, p Paint)
	Line(pts []XY, width float64, p Paint, d Dash)
	Text(x, y float64, s string, size float64, a anchor, p Paint, weight font.Weight)
	// label is a line of text from the left edge that ends before width: strong, then faint.
	label(y float64, strong, faint string, width float64)
	// Slack is how much wider than [TextWidth] a text may come out.
	Slack() float64
	Point(x, y, r float64, m mark, p Paint, hollow bool)
	// Mark is a family's mark.
	Mark(family string) mark
	// Begin opens a group that belongs to a family (or to none, ""), with a text that explains it;
	// end closes it. Files show no such texts.
	Begin(family, title string, focusable bool)
	End()
}

// Sizes of a label's two parts.
const (
	labelStrong = 12.5
	labelFaint  = 11.0
)

// XY is a point: across, and down.
type XY [2]float64

type anchor int

const (
	Left anchor = iota
	Middle
	Right
)

// Paint is what something is drawn in: a role that every theme has a colour for, or a family's colour.
type Paint struct {
	Role   role
	family string
	faint  bool // the family's colour, half transparent
}

type role int

const (
	byFamily role = iota
	Ink           // text that is read
	Soft          // text beside it
	Rule          // lines of the grid
	Axis          // lines that carry meaning: target, ceiling
	paper         // what the figure stands on
)

// Of is the family's colour.
func Of(family string) Paint { return Paint{family: family} }

// fontCache holds the Liberation fonts, which measure as Arial does.
var fontCache = plotfont.NewCache(liberation.Collection())

func face(size float64, weight font.Weight) plotfont.Font {
	return plotfont.Font{Typeface: "Liberation", Variant: "Sans", Weight: weight, Size: vg.Length(size) * pixel}
}

// pixel is a CSS pixel, 1/96 of an inch, in points.
const pixel = vg.Inch / 96

// TextWidth is the width of s in pixels. The page's own font may differ by some percent.
func TextWidth(s string, size float64, weight font.Weight) float64 {
	f := fontCache.Lookup(face(size, weight), vg.Length(size)*pixel)
	return float64(f.Width(s) / pixel)
}

// Fit cuts s in its middle until it is at most width wide.
func Fit(s string, width, size float64) string {
	if TextWidth(s, size, font.WeightNormal) <= width {
		return s
	}
	r := []rune(s)
	for n := len(r) - 1; n > 1; n-- {
		cut := string(r[:(n+1)/2]) + "…" + string(r[len(r)-n/2:])
		if TextWidth(cut, size, font.WeightNormal) <= width {
			return cut
		}
	}
	return "…"
}

// FileSurface draws on a canvas of gonum/plot, in the light theme.
type FileSurface struct {
	c      draw.Canvas
	height float64 // of the sheet, margins included
	hue    func(family string) Hue
}

func (f *FileSurface) color(p Paint) color.Color {
	switch p.Role {
	case Ink:
		return Hex(0x1d2026)
	case Soft:
		return Hex(0x646b78)
	case Rule:
		return Hex(0xe4e6ea)
	case Axis:
		return Hex(0x8a919e)
	case paper:
		return color.White
	}
	c := f.hue(p.family).Light
	if p.faint {
		return color.NRGBA{c.R, c.G, c.B, 110}
	}
	return c
}

func (f *FileSurface) at(x, y float64) vg.Point {
	return vg.Point{X: vg.Length(x+pictureMargin) * pixel, Y: vg.Length(f.height-pictureMargin-y) * pixel}
}

func (f *FileSurface) Rect(x, y, w, h float64, p Paint) {
	f.c.FillPolygon(f.color(p), []vg.Point{f.at(x, y), f.at(x+w, y), f.at(x+w, y+h), f.at(x, y+h)})
}

func (f *FileSurface) Line(pts []XY, width float64, p Paint, d Dash) {
	sty := draw.LineStyle{Color: f.color(p), Width: vg.Length(width) * pixel}
	for _, length := range d.pattern() {
		sty.Dashes = append(sty.Dashes, vg.Length(length)*pixel)
	}
	line := make([]vg.Point, len(pts))
	for i, q := range pts {
		line[i] = f.at(q[0], q[1])
	}
	f.c.StrokeLines(sty, line)
}

func (f *FileSurface) Text(x, y float64, s string, size float64, a anchor, p Paint, weight font.Weight) {
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

func (f *FileSurface) Slack() float64 { return 1 }

func (f *FileSurface) label(y float64, strong, faint string, width float64) {
	f.Text(0, y, strong, labelStrong, Left, Paint{Role: Ink}, font.WeightBold)
	after := TextWidth(strong, labelStrong, font.WeightBold) + 8
	if faint != "" {
		f.Text(after, y, Fit(faint, width-after, labelFaint), labelFaint, Left, Paint{Role: Soft}, font.WeightNormal)
	}
}

func (f *FileSurface) depth(size float64, weight font.Weight) vg.Length {
	face := fontCache.Lookup(face(size, weight), vg.Length(size)*pixel)
	return face.Extents().Descent
}

func (f *FileSurface) Point(x, y, r float64, m mark, p Paint, hollow bool) {
	outline := markOutline(x, y, r, m)
	pts := make([]vg.Point, len(outline))
	for i, q := range outline {
		pts[i] = f.at(q[0], q[1])
	}
	if hollow {
		f.c.FillPolygon(color.White, pts)
		f.c.StrokeLines(draw.LineStyle{Color: f.color(p), Width: 1.3 * pixel}, append(pts, pts[0]))
		return
	}
	f.c.FillPolygon(f.color(p), pts)
	f.c.StrokeLines(draw.LineStyle{Color: color.White, Width: 0.7 * pixel}, append(pts, pts[0]))
}

func (f *FileSurface) Mark(family string) mark { return f.hue(family).mark }

func (*FileSurface) Begin(string, string, bool) {}

func (*FileSurface) End() {}

// markOutline is a mark as a polygon about (x, y). Marks of equal r look equally heavy.
func markOutline(x, y, r float64, m mark) []XY {
	polygon := func(n int, r, turn float64) []XY {
		out := make([]XY, n)
		for i := range out {
			sin, cos := math.Sincos(2*math.Pi*float64(i)/float64(n) + turn)
			out[i] = XY{x + r*sin, y - r*cos}
		}
		return out
	}
	switch m {
	case square:
		return polygon(4, r*1.25, math.Pi/4)
	case diamond:
		return polygon(4, r*1.3, 0)
	case Triangle:
		return polygon(3, r*1.4, 0)
	case wedge:
		return polygon(3, r*1.4, math.Pi)
	case cross:
		a, b := r*1.25, r*0.45
		return []XY{
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

// Figure is a picture that can be drawn at any width.
type Figure interface {
	Height(width float64) float64
	Draw(s Surface, width float64)
}

// PNG and SVG draw a figure on white, with a margin, at width pixels; a PNG has twice
// as many.
func PNG(f Figure, width float64, hues func(string) Hue) ([]byte, error) {
	w, h := width+2*pictureMargin, f.Height(width)+2*pictureMargin
	c := vgimg.NewWith(vgimg.UseWH(vg.Length(w)*pixel, vg.Length(h)*pixel), vgimg.UseDPI(192), vgimg.UseBackgroundColor(color.White))
	f.Draw(&FileSurface{c: draw.New(c), height: h, hue: hues}, width)
	var b bytes.Buffer
	if _, err := (vgimg.PngCanvas{Canvas: c}).WriteTo(&b); err != nil {
		return nil, fmt.Errorf("encoding a plot: %w", err)
	}
	return b.Bytes(), nil
}

// SVG is a figure as an SVG file: see [PNG].
func SVG(f Figure, width float64, hues func(string) Hue) ([]byte, error) {
	w, h := width+2*pictureMargin, f.Height(width)+2*pictureMargin
	c := vgsvg.New(vg.Length(w)*pixel, vg.Length(h)*pixel)
	d := draw.New(c)
	d.FillPolygon(color.White, []vg.Point{d.Min, {X: d.Max.X, Y: d.Min.Y}, d.Max, {X: d.Min.X, Y: d.Max.Y}})
	f.Draw(&FileSurface{c: d, height: h, hue: hues}, width)
	var b bytes.Buffer
	if _, err := c.WriteTo(&b); err != nil {
		return nil, fmt.Errorf("encoding a plot: %w", err)
	}
	// Where Liberation Sans is not installed, fonts of the same widths come next.
	return bytes.ReplaceAll(b.Bytes(), []byte("font-family:Liberation Sans;"), []byte("font-family:'Liberation Sans',Arial,Helvetica,sans-serif;")), nil
}

const pictureMargin = 24

// PageSurface writes SVG whose colours are classes of the page's style sheet. Every text is escaped.
type PageSurface struct {
	B strings.Builder
	// Class names the class that holds a family's colour.
	Class func(family string) string
	Hue   func(family string) Hue
}

func (s *PageSurface) paint(p Paint) string {
	switch p.Role {
	case Ink:
		return "ink"
	case Soft:
		return "soft"
	case Rule:
		return "rule"
	case Axis:
		return "axis"
	case paper:
		return "paper"
	}
	if p.faint {
		return s.Class(p.family) + " faint"
	}
	return s.Class(p.family)
}

func num(x float64) string {
	return strconv.FormatFloat(math.Round(x*10)/10, 'f', -1, 64)
}

func (s *PageSurface) Rect(x, y, w, h float64, p Paint) {
	fmt.Fprintf(&s.B, `<rect class="f %s" x="%s" y="%s" width="%s" height="%s"/>`, s.paint(p), num(x), num(y), num(w), num(h))
}

func (s *PageSurface) Line(pts []XY, width float64, p Paint, d Dash) {
	class := "l " + s.paint(p) + d.class()
	fmt.Fprintf(&s.B, `<path class="%s" stroke-width="%s" d="%s"/>`, class, num(width), pathOf(pts, false))
}

func pathOf(pts []XY, closed bool) string {
	var b strings.Builder
	for i, q := range pts {
		if i == 0 {
			b.WriteByte('M')
		} else {
			b.WriteByte('L')
		}
		b.WriteString(num(q[0]) + " " + num(q[1]))
	}
	if closed {
		b.WriteByte('Z')
	}
	return b.String()
}

func (s *PageSurface) Text(x, y float64, str string, size float64, a anchor, p Paint, weight font.Weight) {
	class := "t " + s.paint(p)
	if weight >= font.WeightSemiBold {
		class += " b"
	}
	at := ""
	if a != Left {
		at = fmt.Sprintf(` text-anchor="%s"`, [...]string{"start", "middle", "end"}[a])
	}
	fmt.Fprintf(&s.B, `<text class="%s" x="%s" y="%s" font-size="%s"%s>%s</text>`, class, num(x), num(y), num(size), at, html.EscapeString(str))
}

// Slack is for the fonts of other systems: DejaVu Sans is 15 % wider than Liberation Sans.
func (s *PageSurface) Slack() float64 { return 1.15 }

// label puts both in one element, so that the faint part begins where the strong one ends in whatever
// font there is.
func (s *PageSurface) label(y float64, strong, faint string, width float64) {
	// DejaVu's bold letters are 28 % wider than Liberation's, and small ones are rounded up.
	room := (width-8-1.28*TextWidth(strong, labelStrong, font.WeightBold))/s.Slack() - 6
	fmt.Fprintf(&s.B, `<text class="t" y="%s"><tspan class="t ink b" font-size="%s">%s</tspan>`, num(y), num(labelStrong), html.EscapeString(strong))
	if faint != "" {
		fmt.Fprintf(&s.B, `<tspan class="t soft" dx="7" font-size="%s">%s</tspan>`, num(labelFaint), html.EscapeString(Fit(faint, room, labelFaint)))
	}
	s.B.WriteString("</text>")
}

func (s *PageSurface) Point(x, y, r float64, m mark, p Paint, hollow bool) {
	kind := "f"
	if hollow {
		kind = "o"
	}
	if m == Circle {
		fmt.Fprintf(&s.B, `<circle class="pt %s %s" cx="%s" cy="%s" r="%s"/>`, kind, s.paint(p), num(x), num(y), num(r))
		return
	}
	fmt.Fprintf(&s.B, `<path class="pt %s %s" d="%s"/>`, kind, s.paint(p), pathOf(markOutline(x, y, r, m), true))
}

func (s *PageSurface) Mark(family string) mark { return s.Hue(family).mark }

func (s *PageSurface) Begin(family, title string, focusable bool) {
	s.B.WriteString("<g")
	if family != "" {
		fmt.Fprintf(&s.B, ` class="of %s"`, s.Class(family))
	}
	if focusable {
		s.B.WriteString(` tabindex="0" role="img"`)
		if title != "" {
			fmt.Fprintf(&s.B, ` aria-label="%s"`, html.EscapeString(strings.ReplaceAll(title, "\n", ", ")))
		}
	}
	s.B.WriteString(">")
	if title != "" {
		fmt.Fprintf(&s.B, "<title>%s</title>", html.EscapeString(title))
	}
}

func (s *PageSurface) End() { s.B.WriteString("</g>") }

// PageSVG draws a figure for the page. label is read out in place of the picture.
func PageSVG(f Figure, width float64, label, class string, classes func(string) string, hues func(string) Hue) string {
	s := &PageSurface{Class: classes, Hue: hues}
	f.Draw(s, width)
	return fmt.Sprintf(`<svg class="%s" viewBox="0 0 %s %s" role="group" aria-label="%s">%s</svg>`,
		html.EscapeString(class), num(width), num(f.Height(width)), html.EscapeString(label), s.B.String())
}
