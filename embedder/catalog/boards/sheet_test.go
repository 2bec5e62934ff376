package boards

import (
	"flag"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"
	"testing"
)

var (
	sheetFile = flag.String("sheet", "", "write pieces of every category to this PNG file")
	sheetOnly = flag.String("only", "", "write pieces of this category alone")
	boardFile = flag.String("boards", "", "write boards with their boxes to this PNG file")
	sheetSeed = flag.Uint64("seed", 1, "seed of what is written")
)

func writePNG(t *testing.T, name string, img image.Image) {
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := png.Encode(f, img); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestSheet is for eyes: go test -run Sheet -sheet pieces.png -boards boards.png
func TestSheet(t *testing.T) {
	if *sheetFile == "" && *boardFile == "" {
		t.Skip("neither -sheet nor -boards is set")
	}
	if *sheetFile != "" {
		var kinds []category
		for _, k := range categories {
			if *sheetOnly == "" || *sheetOnly == k.label {
				kinds = append(kinds, k)
			}
		}
		per, rows, cell := 12, 1, 110
		if len(kinds) == 1 {
			rows, cell = 7, 130
		}
		out := image.NewRGBA(image.Rect(0, 0, per*cell, len(kinds)*rows*cell))
		for i, k := range kinds {
			for j := range per * rows {
				d := boardDice(*sheetSeed+uint64(i)*1000, uint64(j))
				c := newCanvas(cell, cell)
				c.ground(d, d.chance(.2))
				it := d.item(Config{}.WithDefaults(), &k, .9)
				c.draw(it.piece, it.pose, 6, 6, float64(cell-12), float64(cell-12), d.light())
				at := image.Pt(j%per*cell, (i*rows+j/per)*cell)
				draw.Draw(out, c.img.Rect.Add(at), c.img, image.Point{}, draw.Src)
			}
		}
		writePNG(t, *sheetFile, out)
	}
	if *boardFile != "" {
		const cols, rows = 4, 2
		out := image.NewRGBA(image.Rect(0, 0, cols*405, rows*517))
		draw.Draw(out, out.Rect, image.NewUniform(color.Gray{90}), image.Point{}, draw.Src)
		for i := range cols * rows {
			b := Draw(Config{}, *sheetSeed, uint64(i))
			at := image.Pt(i%cols*405, i/cols*517)
			draw.Draw(out, b.Image.Rect.Add(at), b.Image, image.Point{}, draw.Src)
			if i < cols { // with boxes
				for _, x := range b.Boxes {
					crop, err := Crop(b.Image, x)
					if err != nil {
						t.Fatal(err)
					}
					r := crop.Bounds().Add(at)
					for _, e := range []image.Rectangle{
						{r.Min, image.Pt(r.Max.X, r.Min.Y+1)},
						{image.Pt(r.Min.X, r.Max.Y-1), r.Max},
						{r.Min, image.Pt(r.Min.X+1, r.Max.Y)},
						{image.Pt(r.Max.X-1, r.Min.Y), r.Max},
					} {
						draw.Draw(out, e, image.NewUniform(color.RGBA{255, 0, 0, 255}), image.Point{}, draw.Src)
					}
				}
			}
		}
		writePNG(t, *boardFile, out)
	}
}
