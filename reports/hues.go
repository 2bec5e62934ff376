package reports

import (
	"fmt"
	"image/color"
	"slices"
)

// hue is a family's colour on paper and on a dark screen, and its mark in point plots, so that no
// family is told by colour alone.
type hue struct {
	light, dark rgb
	mark        mark
}

type rgb struct{ r, g, b uint8 }

func (c rgb) String() string            { return fmt.Sprintf("#%02x%02x%02x", c.r, c.g, c.b) }
func (c rgb) RGBA() (r, g, b, a uint32) { return color.RGBA{c.r, c.g, c.b, 255}.RGBA() }
func hex(v uint32) rgb                  { return rgb{uint8(v >> 16), uint8(v >> 8), uint8(v)} }
func tint(v, dark uint32, m mark) hue   { return hue{hex(v), hex(dark), m} }
func (r *Report) hue(family string) hue { return r.hues[family] }

type mark int

const (
	circle mark = iota
	square
	triangle
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
	hue    hue
}{
	{"flat", tint(0x3c4350, 0xe3e6ec, square)},
	{"flat-faiss", tint(0x858d9b, 0x97a0b0, diamond)},
	{"forest", tint(0x00916a, 0x2cc49a, circle)},
	{"hnsw-faiss", tint(0xd55e00, 0xff8134, triangle)},
	{"hnsw-coder", tint(0xbf8300, 0xf2b632, wedge)},
	{"ivfflat-faiss", tint(0x0072b2, 0x4aa9ea, square)},
	{"ivfpq-faiss", tint(0xb5588f, 0xe897c4, diamond)},
}

// spare are for families that the table above does not know, in turn and in name order.
var spare = []hue{
	tint(0x2f95c8, 0x7ccdf7, cross),
	tint(0x9a8a00, 0xf0e442, circle),
	tint(0x7a4bb8, 0xb896ee, triangle),
	tint(0x8a5a3c, 0xcf9d7c, wedge),
	tint(0x4d7c2f, 0x9acd6f, square),
	tint(0xb23a48, 0xf4818d, diamond),
}

// Colours gives the colour of each family on paper and on a dark screen, as "#rrggbb", so that a
// family looks the same wherever annbench shows it.
func Colours(families []string) map[string][2]string {
	rows := make([]*Row, len(families))
	for i, f := range families {
		rows[i] = &Row{}
		rows[i].Cell.Family = f
	}
	out := map[string][2]string{}
	for f, h := range assignHues(rows) {
		out[f] = [2]string{h.light.String(), h.dark.String()}
	}
	return out
}

func assignHues(rows []*Row) map[string]hue {
	out := map[string]hue{}
	for _, k := range known {
		out[k.family] = k.hue
	}
	var others []string
	for _, row := range rows {
		if _, ok := out[row.Cell.Family]; !ok && !slices.Contains(others, row.Cell.Family) {
			others = append(others, row.Cell.Family)
		}
	}
	slices.Sort(others)
	for i, f := range others {
		c := spare[i%len(spare)]
		c.mark = (c.mark + mark(i/len(spare))) % marks // the same colour again gets another mark
		out[f] = c
	}
	return out
}
