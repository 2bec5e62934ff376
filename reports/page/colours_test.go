package page

import (
	"math"
	"testing"

	"annbench/reports/draw"
)

// Marks of the map keep a contrast of 3 to 1 on the dark ground of a figure, which shows through them.
func TestMapInTheDark(t *testing.T) {
	const opacity = 0.62 // of .map .k in page.css
	ground := draw.Hex(0x1a1d23)
	linear := func(c uint8) float64 {
		x := float64(c) / 255
		if x <= 0.04045 {
			return x / 12.92
		}
		return math.Pow((x+0.055)/1.055, 2.4)
	}
	luminance := func(c draw.RGB) float64 {
		return 0.2126*linear(c.R) + 0.7152*linear(c.G) + 0.0722*linear(c.B)
	}
	for _, c := range mapColours {
		mark := luminance(draw.Blend(0x1a1d23, c.dark, opacity))
		if ratio := (mark + 0.05) / (luminance(ground) + 0.05); ratio < 3 {
			t.Errorf("%v has a contrast of %.1f", draw.Hex(c.dark), ratio)
		}
	}
}
