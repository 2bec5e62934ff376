package draw

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

// TestHuesContrast holds the claim of the table of colours: 3 to 1 against the page in both themes.
func TestHuesContrast(t *testing.T) {
	all := slices.Clone(Spare)
	for _, k := range known {
		all = append(all, k.hue)
	}
	for _, h := range all {
		if c := contrast(h.Light, Hex(0xffffff)); c < 3 {
			t.Errorf("%v on white has contrast %.2f", h.Light, c)
		}
		if c := contrast(h.Dark, Hex(0x1a1d23)); c < 3 {
			t.Errorf("%v on dark has contrast %.2f", h.Dark, c)
		}
	}
}

// contrast is that of WCAG 2.
func contrast(a, b RGB) float64 {
	luminance := func(c RGB) float64 {
		lin := func(v uint8) float64 {
			x := float64(v) / 255
			if x <= 0.04045 {
				return x / 12.92
			}
			return math.Pow((x+0.055)/1.055, 2.4)
		}
		return 0.2126*lin(c.R) + 0.7152*lin(c.G) + 0.0722*lin(c.B)
	}
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// TestHuesStay: a family of annbench has one colour, whatever other families a report has, and no two families of a
// report look alike as long as there are hues.
func TestHuesStay(t *testing.T) {
	alone := Colours([]string{"hnsw", "exact"})
	families := []string{"annoy", "exact", "faiss", "forest", "hnsw", "hnsw-faiss", "ivfsq-faiss", "scann"}
	among := Colours(families)
	for f, c := range alone {
		if among[f] != c {
			t.Errorf("%s is %v alone and %v among others", f, c, among[f])
		}
	}
	seen := map[[2]string]string{}
	for _, f := range families {
		if g, ok := seen[among[f]]; ok {
			t.Errorf("%s and %s have one colour, though others are free", f, g)
		}
		seen[among[f]] = f
	}
	var many []string
	for i := range 20 {
		many = append(many, fmt.Sprint("family", i))
	}
	looks := map[Hue]string{}
	for f, h := range assignHues(rowsOf(append(many, "hnsw", "exact"))) {
		if slices.Contains(many, f) {
			if g, ok := looks[h]; ok {
				t.Errorf("%s and %s look alike", f, g)
			}
			looks[h] = f
		}
	}
}
