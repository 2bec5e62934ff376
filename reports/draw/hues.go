package draw

import (
	"fmt"
	"image/color"
	"math"
	"slices"

	"annbench/reports/judge"
)

// Hue is a family's colour on paper and on a dark screen, and its mark in point plots, so that no
// family is shown by colour alone.
type Hue struct {
	Light, Dark RGB
	mark        mark
}

// RGB is a colour of a screen.
type RGB struct{ R, G, B uint8 }

// String is the colour for a style sheet: "#0072b2".
func (c RGB) String() string { return fmt.Sprintf("#%02x%02x%02x", c.R, c.G, c.B) }

// RGBA makes it a [color.Color].
func (c RGB) RGBA() (r, g, b, a uint32) { return color.RGBA{c.R, c.G, c.B, 255}.RGBA() }

// Hex is the colour 0xrrggbb.
func Hex(v uint32) RGB { return RGB{uint8(v >> 16), uint8(v >> 8), uint8(v)} }

// Tint is a hue of the colours 0xrrggbb on paper and on a dark screen, with a mark.
func Tint(v, dark uint32, m mark) Hue { return Hue{Hex(v), Hex(dark), m} }

type mark int

const (
	Circle mark = iota
	square
	Triangle
	diamond
	wedge // a triangle that stands on its tip
	cross
	marks // how many there are
)

// known gives the families of annbench their colours: those of Okabe and Ito ("Color Universal
// Design", 2008), which people with any of the common colour blindnesses can tell apart, somewhat
// darker on white and lighter on black so that a thin line keeps a contrast of 3 to 1. Exact search
// is grey: it is the reference, not a competitor.
var known = []struct {
	family string
	hue    Hue
}{
	{"flat", Tint(0x3c4350, 0xe3e6ec, square)},
	{"flat-faiss", Tint(0x858d9b, 0x97a0b0, diamond)},
	{"forest", Tint(0x00916a, 0x2cc49a, Circle)},
	{"hnsw-faiss", Tint(0xd55e00, 0xff8134, Triangle)},
	{"hnsw-coder", Tint(0xbf8300, 0xf2b632, wedge)},
	{"ivfflat-faiss", Tint(0x0072b2, 0x4aa9ea, square)},
	{"ivfpq-faiss", Tint(0xb5588f, 0xe897c4, diamond)},
	{judge.Scan, Tint(0x2433a8, 0x8f9bff, cross)},
	{"exact", Spare[0]},
	{"hnsw", Spare[1]},
	{"ivfpqfs-faiss", Spare[2]},
	{"hnswsq-faiss", Spare[3]},
	{"ivfsq-faiss", Spare[4]},
	{"ivfrabitq-faiss", Spare[5]},
}

// Spare are for families that the table above does not know: those that no other family of the report has, in
// turn and in name order, and then all of them again with other marks.
var Spare = []Hue{
	Tint(0x2f95c8, 0x7ccdf7, cross),
	Tint(0x9a8a00, 0xf0e442, Circle),
	Tint(0x7a4bb8, 0xb896ee, Triangle),
	Tint(0x8a5a3c, 0xcf9d7c, wedge),
	Tint(0x4d7c2f, 0x9acd6f, square),
	Tint(0xb23a48, 0xf4818d, diamond),
}

// Colours gives the colour of each family on paper and on a dark screen, as "#rrggbb", so that a
// family looks the same wherever annbench shows it.
func Colours(families []string) map[string][2]string {
	out := map[string][2]string{}
	for f, h := range assignHues(rowsOf(families)) {
		out[f] = [2]string{h.Light.String(), h.Dark.String()}
	}
	return out
}

func rowsOf(families []string) []*judge.Row {
	rows := make([]*judge.Row, len(families))
	for i, f := range families {
		rows[i] = &judge.Row{}
		rows[i].Cell.Family = f
	}
	return rows
}

// HuesOf gives the families of a report their colours.
func HuesOf(r *judge.Report) func(family string) Hue {
	hues := assignHues(r.Rows)
	return func(family string) Hue { return hues[family] }
}

func assignHues(rows []*judge.Row) map[string]Hue {
	out := map[string]Hue{}
	for _, k := range known {
		out[k.family] = k.hue
	}
	var others []string
	free := slices.Clone(Spare)
	for _, row := range rows {
		hue, ok := out[row.Cell.Family]
		if ok {
			free = slices.DeleteFunc(free, func(h Hue) bool { return h == hue })
		} else if !slices.Contains(others, row.Cell.Family) {
			others = append(others, row.Cell.Family)
		}
	}
	slices.Sort(others)
	for i, f := range others {
		if i < len(free) {
			out[f] = free[i]
			continue
		}
		i -= len(free)
		c := Spare[i%len(Spare)]
		c.mark = (c.mark + mark(1+i/len(Spare))) % marks // the same colour again gets another mark
		out[f] = c
	}
	return out
}

// Blend is the colour at t, 0 to 1, of the way between two.
func Blend(from, to uint32, t float64) RGB {
	a, b := Hex(from), Hex(to)
	mix := func(x, y uint8) uint8 { return uint8(math.Round(float64(x) + t*(float64(y)-float64(x)))) }
	return RGB{mix(a.R, b.R), mix(a.G, b.G), mix(a.B, b.B)}
}
