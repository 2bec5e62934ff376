package survey

import (
	"bytes"
	"fmt"
	"image"
	stddraw "image/draw"
	"image/jpeg"
	"strconv"

	"annbench/internal/words"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// Sheet is a contact sheet: the samples of each category in a row beside its name, as a JPEG.
func (s *Survey) Sheet() ([]byte, error) {
	cell := 0
	most := 0
	for _, c := range s.Categories {
		most = max(most, len(c.Samples))
		for _, p := range c.Samples {
			size := p.Image.Bounds().Size()
			cell = max(cell, size.X, size.Y)
		}
	}
	const gap, edge = 6, 14
	names := int(s.nameWidth())
	row := max(cell, 34) + gap
	size := image.Pt(2*edge+names+most*(cell+gap), 2*edge+len(s.Categories)*row)
	if most == 0 {
		size.X = 2*edge + names + 240
	}
	// One dot a CSS pixel, so that texts and pictures are measured alike.
	canvas := vgimg.NewWith(vgimg.UseWH(vg.Length(size.X)*pixel, vg.Length(size.Y)*pixel), vgimg.UseDPI(96))
	out := canvas.Image()
	text := &sheet{c: draw.New(canvas), height: float64(size.Y)}
	for i, c := range s.Categories {
		top := edge + i*row
		y := float64(top + row/2)
		text.text(edge, y-2, fit(c.Label, float64(names-6), textSize), textSize, left, true, ink)
		text.text(edge, y+13, words.Commas(strconv.Itoa(c.Items)), tickSize, left, false, soft)
		if len(c.Samples) == 0 {
			text.text(float64(edge+names), y+4, "none could be read", tickSize, left, false, soft)
		}
		for j, p := range c.Samples {
			b := p.Image.Bounds()
			at := image.Pt(edge+names+j*(cell+gap)+(cell-b.Dx())/2, top+(cell-b.Dy())/2)
			stddraw.Draw(out, image.Rectangle{at, at.Add(b.Size())}, p.Image, b.Min, stddraw.Src)
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, out, &jpeg.Options{Quality: 88}); err != nil {
		return nil, fmt.Errorf("drawing the contact sheet: %w", err)
	}
	return b.Bytes(), nil
}
