package survey

import (
	"bytes"
	"errors"
	"fmt"
	"image/color"
	"math"
	"path/filepath"

	"golang.org/x/image/font"
	plotfont "gonum.org/v1/plot/font"
	"gonum.org/v1/plot/font/liberation"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"

	"annbench/internal/atomicfile"
)

// Figure is a drawing of a fixed size. The zero value draws nothing.
type Figure struct {
	width, height float64 // CSS pixels, margins included
	draw          func(s *sheet)
}

// pixel is a CSS pixel, 1/96 of an inch, in points.
const pixel = vg.Inch / 96

// margin around every figure, in pixels.
const margin = 14.0

// PNG draws the figure at twice the resolution of a screen.
func (f Figure) PNG() ([]byte, error) {
	c := vgimg.NewWith(vgimg.UseWH(vg.Length(f.width)*pixel, vg.Length(f.height)*pixel), vgimg.UseDPI(192))
	f.draw(&sheet{c: draw.New(c), height: f.height})
	var b bytes.Buffer
	if _, err := (vgimg.PngCanvas{Canvas: c}).WriteTo(&b); err != nil {
		return nil, fmt.Errorf("drawing a figure: %w", err)
	}
	return b.Bytes(), nil
}

// SVG draws the figure as text of vectors.
func (f Figure) SVG() ([]byte, error) {
	c := vgsvg.New(vg.Length(f.width)*pixel, vg.Length(f.height)*pixel)
	s := &sheet{c: draw.New(c), height: f.height}
	s.rect(0, 0, f.width, f.height, color.White)
	f.draw(s)
	var b bytes.Buffer
	if _, err := c.WriteTo(&b); err != nil {
		return nil, fmt.Errorf("drawing a figure: %w", err)
	}
	return b.Bytes(), nil
}

// Write writes the figure as name.png and name.svg into the folder dir, and returns their paths.
func (f Figure) Write(dir, name string) ([]string, error) {
	path := filepath.Join(dir, name)
	png, err := f.PNG()
	if err != nil {
		return nil, err
	}
	svg, err := f.SVG()
	if err != nil {
		return nil, err
	}
	return []string{path + ".png", path + ".svg"}, errors.Join(atomicfile.Write(path+".png", png), atomicfile.Write(path+".svg", svg))
}

// sheet is what a figure is drawn on. The origin is the upper left corner.
type sheet struct {
	c      draw.Canvas
	height float64
}

// Colours: ink is text that is read, soft what stands beside it, rule the lines of a grid.
var (
	ink  = rgb(0x1d2026)
	soft = rgb(0x646b78)
	rule = rgb(0xe4e6ea)
)

func rgb(v uint32) color.NRGBA {
	return color.NRGBA{uint8(v >> 16), uint8(v >> 8), uint8(v), 255}
}

// hues are the colours of categories: those of Okabe and Ito ("Color Universal Design", 2008), darker
// where a mark on white needs it, and some between them. With more categories than colours, the marks
// tell them apart.
var hues = []color.NRGBA{
	rgb(0x0072b2), rgb(0xd55e00), rgb(0x00916a), rgb(0xb5588f), rgb(0xbf8300), rgb(0x2f95c8), rgb(0x7a4bb8),
	rgb(0x4d7c2f), rgb(0xb23a48), rgb(0x3c4350), rgb(0x8a5a3c), rgb(0x9a8a00), rgb(0x858d9b),
}

type anchor float64

const (
	left   anchor = 0
	middle anchor = -.5
	right  anchor = -1
)

var fontCache = plotfont.NewCache(liberation.Collection())

func face(size float64, bold bool) plotfont.Font {
	f := plotfont.Font{Typeface: "Liberation", Variant: "Sans", Size: vg.Length(size) * pixel}
	if bold {
		f.Weight = font.WeightBold
	}
	return f
}

// textWidth is the width of a text in pixels.
func textWidth(s string, size float64) float64 {
	f := fontCache.Lookup(face(size, false), vg.Length(size)*pixel)
	return float64(f.Width(s) / pixel)
}

// fit cuts a text at its end until it is at most width wide.
func fit(s string, width, size float64) string {
	if textWidth(s, size) <= width {
		return s
	}
	r := []rune(s)
	for n := len(r) - 1; n > 0; n-- {
		if cut := string(r[:n]) + "…"; textWidth(cut, size) <= width {
			return cut
		}
	}
	return "…"
}

func (s *sheet) at(x, y float64) vg.Point {
	return vg.Point{X: vg.Length(x) * pixel, Y: vg.Length(s.height-y) * pixel}
}

func (s *sheet) rect(x, y, w, h float64, c color.Color) {
	s.c.FillPolygon(c, []vg.Point{s.at(x, y), s.at(x+w, y), s.at(x+w, y+h), s.at(x, y+h)})
}

func (s *sheet) line(x0, y0, x1, y1, width float64, c color.Color) {
	s.c.StrokeLines(draw.LineStyle{Color: c, Width: vg.Length(width) * pixel}, []vg.Point{s.at(x0, y0), s.at(x1, y1)})
}

func (s *sheet) text(x, y float64, t string, size float64, a anchor, bold bool, c color.Color) {
	style := text.Style{Color: c, Font: face(size, bold), XAlign: text.XAlignment(a), Handler: text.Plain{Fonts: fontCache}}
	s.c.FillText(style, s.at(x, y), t)
}

// halo is a text over anything: with an edge of paper.
func (s *sheet) halo(x, y float64, t string, size float64, c color.Color) {
	for i := range 16 {
		sin, cos := math.Sincos(2 * math.Pi * float64(i) / 16)
		s.text(x+1.6*cos, y+1.6*sin, t, size, middle, true, color.White)
	}
	s.text(x, y, t, size, middle, true, c)
}

// dot is the mark of a point: a disc, or from the second round of colours on another one.
func (s *sheet) dot(x, y, r float64, round int, c color.Color) {
	var shape draw.GlyphDrawer = draw.CircleGlyph{}
	switch round % 4 {
	case 1:
		shape = draw.TriangleGlyph{}
	case 2:
		shape = draw.BoxGlyph{}
	case 3:
		shape = draw.CrossGlyph{}
	}
	s.c.DrawGlyph(draw.GlyphStyle{Color: c, Radius: vg.Length(r) * pixel, Shape: shape}, s.at(x, y))
}
