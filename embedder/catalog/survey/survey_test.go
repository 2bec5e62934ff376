package survey

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"annbench/embedder/catalog"
	"annbench/embedder/catalog/boards"
)

// source is boards of two boxes each, 100 × 50 pixels: a hat of a quarter of the board, and a shoe of
// an eighth; every fourth board is corrupt.
type source struct{ groups int }

func (s source) Name() string                               { return "made up" }
func (s source) Labels() []string                           { return []string{"hat", "shoe"} }
func (s source) Len() int                                   { return 2 * s.groups }
func (s source) Groups() int                                { return s.groups }
func (s source) Digest(ctx context.Context) (string, error) { return "", ctx.Err() }

func (s source) Items(g int) []catalog.Item {
	return []catalog.Item{{ID: fmt.Sprintf("b%d#0", g), Label: "hat"}, {ID: fmt.Sprintf("b%d#1", g), Label: "shoe"}}
}

func (s source) Boxes(int) []boards.Box {
	return []boards.Box{{X: 0, Y: 0, W: .5, H: .5, Label: "hat"}, {X: .5, Y: .5, W: .5, H: .25, Label: "shoe"}}
}

func (s source) Problems() []catalog.Problem {
	return []catalog.Problem{{Kind: catalog.MissingBoard, Where: "x", Items: 2}}
}

func (s source) Group(g int) []catalog.Picture {
	img := image.NewRGBA(image.Rect(0, 0, 100, 50))
	for i := range img.Pix {
		img.Pix[i] = uint8(g)
	}
	items := s.Items(g)
	if g%4 == 3 {
		err := &catalog.ReadError{Path: fmt.Sprintf("b%d.jpg", g), Err: errors.New("decoding JPEG: the file is cut short")}
		return []catalog.Picture{{Item: items[0], Err: err}, {Item: items[1], Err: err}}
	}
	return []catalog.Picture{
		{Item: items[0], Image: img.SubImage(image.Rect(0, 0, 50, 25))},
		{Item: items[1], Image: img.SubImage(image.Rect(50, 25, 100, 38))},
	}
}

func TestTake(t *testing.T) {
	var last int
	s, err := Take(t.Context(), source{12}, Options{Samples: 5, Side: 20, Progress: func(done, total int) {
		if done < last || total != 24 {
			t.Errorf("progress %d of %d after %d", done, total, last)
		}
		last = done
	}})
	if err != nil {
		t.Fatal(err)
	}
	if last != 24 || s.Items != 24 || s.Groups != 12 || !s.Boxes || !s.Pixels || len(s.Categories) != 2 {
		t.Errorf("progress to %d; %+v", last, s)
	}
	for i, want := range []Category{{Label: "hat"}, {Label: "shoe"}} {
		c := s.Categories[i]
		if c.Label != want.Label || c.Items != 12 || c.Unreadable != 3 || len(c.Aspect) != 9 || len(c.Samples) < 2 || len(c.Samples) > 5 {
			t.Errorf("%s: %d items, %d unreadable, %d shapes, %d samples", c.Label, c.Items, c.Unreadable, len(c.Aspect), len(c.Samples))
		}
	}
	hat, shoe := s.Categories[0], s.Categories[1]
	if hat.Aspect[0] != 2 || hat.Share[0] != .25 || math.Abs(hat.Side[0]-math.Sqrt(1250)) > 1e-9 || shoe.Share[3] != .125 {
		t.Errorf("aspect %v, share %v, side %v; %v", hat.Aspect[0], hat.Share[0], hat.Side[0], shoe.Share[3])
	}
	if size := hat.Samples[0].Image.Bounds().Size(); size != image.Pt(20, 10) {
		t.Errorf("a sample is %v", size)
	}
	// The problem of opening, and one for each corrupt board.
	if len(s.Problems) != 4 || s.Problems[0].Kind != catalog.MissingBoard {
		t.Fatalf("problems %v", s.Problems)
	}
	if p := s.Problems[2]; p.Kind != catalog.CorruptImage || p.Where != "b7.jpg" || p.ID != "b7" || p.Items != 2 || p.Reason != "decoding JPEG: the file is cut short" {
		t.Errorf("%+v", p)
	}

	names := func(seed uint64) string {
		s, err := Take(t.Context(), source{40}, Options{Samples: 4, Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, c := range s.Categories {
			for _, p := range c.Samples {
				ids = append(ids, p.ID)
			}
		}
		return strings.Join(ids, " ")
	}
	if a := names(1); a != names(1) || a == names(2) {
		t.Error("samples do not go by the seed")
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Take(ctx, source{4}, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestOfAnnotations(t *testing.T) {
	box := func(label string, w, h float64) catalog.Annotation {
		return catalog.Annotation{Box: boards.Box{W: w, H: h, Label: label}}
	}
	s := OfAnnotations(&catalog.Annotations{Path: "a.tsv", Boards: []catalog.Annotated{
		{Boxes: []catalog.Annotation{box("b", .5, .25), box("a", 1, 1)}}, {Boxes: []catalog.Annotation{box("a", .1, .2), box("c", 1, .5)}},
	}})
	var got []string
	for _, c := range s.Categories {
		got = append(got, fmt.Sprint(c.Label, c.Items, c.Aspect, c.Share))
	}
	if want := "a2 [1 0.5] [1 0.020000000000000004] b1 [2] [0.125] c1 [2] [0.5]"; strings.Join(got, " ") != want || s.Items != 4 || s.Groups != 2 || s.Pixels {
		t.Errorf("%s, %d items on %d boards; want %s", strings.Join(got, " "), s.Items, s.Groups, want)
	}
}

// A quantile divides: at least so many are not above it, and at least so many not below.
func TestQuantile(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.SliceOfN(rapid.Float64Range(-10, 10), 1, 40).Draw(t, "values")
		q := rapid.Float64Range(0, 1).Draw(t, "q")
		x := Quantile(v, q)
		below, above := 0, 0
		for _, o := range v {
			if o <= x+1e-12 {
				below++
			}
			if o >= x-1e-12 {
				above++
			}
		}
		at := q * float64(len(v)-1)
		if float64(below) < math.Floor(at)+1-1e-9 || float64(above) < float64(len(v))-math.Ceil(at)-1e-9 {
			t.Fatalf("the %v-quantile of %v is %v", q, v, x)
		}
	})
	if v := Quantile([]float64{4, 1, 3, 2}, .5); v != 2.5 {
		t.Errorf("median %v, want 2.5", v)
	}
	if !math.IsNaN(Quantile(nil, .5)) {
		t.Error("of nothing there is a quantile")
	}
}

// Ticks are inside, rising, and enough to read a value by.
func TestLogTicks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lo := math.Pow(10, rapid.Float64Range(-5, 5).Draw(t, "lo"))
		hi := lo * math.Pow(10, rapid.Float64Range(.05, 6).Draw(t, "decades"))
		ticks := logTicks(lo, hi)
		if len(ticks) < 2 || len(ticks) > 30 || !slices.IsSorted(ticks) || ticks[0] < lo || ticks[len(ticks)-1] > hi {
			t.Fatalf("from %v to %v: %v", lo, hi, ticks)
		}
	})
}

// texts are the texts of an SVG file, which must be well-formed.
func texts(t *testing.T, f Figure) []string {
	t.Helper()
	svg, err := f.SVG()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	in := false
	d := xml.NewDecoder(bytes.NewReader(svg))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			in = token.Name.Local == "text"
		case xml.CharData:
			if s := strings.TrimSpace(string(token)); in && s != "" {
				out = append(out, s)
			}
		}
	}
}

func decoded(t *testing.T, f Figure) image.Image {
	t.Helper()
	b, err := f.PNG()
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if size := img.Bounds().Size(); math.Abs(float64(size.X)-2*f.width) > 2 || math.Abs(float64(size.Y)-2*f.height) > 2 {
		t.Errorf("%v pixels for %v × %v", size, f.width, f.height)
	}
	return img
}

// rowOf is how many pixels of a colour the row of pixels at y has.
func rowOf(img image.Image, y int, c color.NRGBA) int {
	n := 0
	for x := range img.Bounds().Dx() {
		if r, g, b, _ := img.At(x, y).RGBA(); uint8(r>>8) == c.R && uint8(g>>8) == c.G && uint8(b>>8) == c.B {
			n++
		}
	}
	return n
}

// Bars are as long as the counts, by the pixels.
func TestCounts(t *testing.T) {
	s := &Survey{Items: 1500, Categories: []Category{{Label: "many", Items: 1000}, {Label: "half & <less>", Items: 500}, {Label: "none"}}}
	f := s.Counts()
	all := texts(t, f)
	for _, want := range []string{"Items by category: 1,500 in all", "1,000 (66.7 %)", "half & <less>", "0 (0.0 %)"} {
		if !slices.Contains(all, want) {
			t.Errorf("no %q in %q", want, all)
		}
	}
	img := decoded(t, f)
	at := func(i int) int { return int(2 * (margin + 30 + rowHeight*(float64(i)+.5))) }
	whole, half := rowOf(img, at(0), hues[0]), rowOf(img, at(1), hues[0])
	if whole < 200 || math.Abs(float64(whole)-2*float64(half)) > 4 {
		t.Errorf("bars of 1000 and 500 are %d and %d pixels long", whole, half)
	}
}

func TestShapesAndSheet(t *testing.T) {
	s, err := Take(t.Context(), source{12}, Options{Samples: 3})
	if err != nil {
		t.Fatal(err)
	}
	all := texts(t, s.Shapes())
	for _, want := range []string{"Width / height, in pixels", "Area, share of the board", "hat", "shoe"} {
		if !slices.Contains(all, want) {
			t.Errorf("no %q in %q", want, all)
		}
	}
	decoded(t, s.Shapes())
	sheet, err := s.Sheet()
	if err != nil {
		t.Fatal(err)
	}
	img, err := jpeg.Decode(bytes.NewReader(sheet))
	if err != nil || img.Bounds().Dx() < 3*50 || img.Bounds().Dy() < 2*34 {
		t.Errorf("the sheet: %v, %v", img.Bounds(), err)
	}

	// Nothing that could be read, one item, no spread: still a picture.
	for _, s := range []*Survey{
		{Boxes: true, Pixels: true, Items: 1, Categories: []Category{{Label: "a", Items: 1, Unreadable: 1}}},
		{Items: 1, Categories: []Category{{Label: strings.Repeat("long ", 40), Items: 1, Aspect: []float64{1}}}},
		{},
	} {
		decoded(t, s.Counts())
		decoded(t, s.Shapes())
		if _, err := s.Sheet(); err != nil {
			t.Error(err)
		}
	}
}

func TestMapFigure(t *testing.T) {
	p := Plane{Title: "PCA", Note: "a note", X: []float64{0, 1, 2, 2}, Y: []float64{0, 5, 1, 1}}
	f := Map([]Plane{p, p}, []int{0, 0, 1, -1}, []string{"hat", "shoe"})
	all := texts(t, f)
	for _, want := range []string{"PCA", "a note", "hat 2", "shoe 1", "hat", "shoe"} {
		if !slices.Contains(all, want) {
			t.Errorf("no %q in %q", want, all)
		}
	}
	decoded(t, f)
	// All on one spot, no points at all, more categories than colours.
	decoded(t, Map([]Plane{{X: []float64{3, 3}, Y: []float64{3, 3}}}, []int{0, -1}, []string{"x"}))
	decoded(t, Map([]Plane{{}}, nil, nil))
	var many Plane
	var label []int
	var labels []string
	for i := range 200 {
		many.X, many.Y = append(many.X, float64(i%17)), append(many.Y, float64(i/17))
		label, labels = append(label, i), append(labels, fmt.Sprint("category ", i))
	}
	decoded(t, Map([]Plane{many}, label, labels))
}

// What is written for people, for programs and as a table is of the same numbers.
func TestTable(t *testing.T) {
	look, err := Take(t.Context(), source{4}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	table := look.Table()
	hat := table.Categories[0]
	if hat.Label != "hat" || hat.Items != 4 || hat.Share != .5 || hat.Unreadable != 1 || *hat.Aspect != [3]float64{2, 2, 2} || *hat.BoxArea != [3]float64{.25, .25, .25} {
		t.Errorf("hats: %+v", hat)
	}
	if table.Problems[catalog.CorruptImage] != 1 || table.Problems[catalog.MissingBoard] != 1 {
		t.Errorf("problems: %v", table.Problems)
	}
	var text strings.Builder
	if err := look.Print(&text); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text.String(), "made up: 8 items of 2 categories, 4 boards\n") || !strings.Contains(text.String(), "25.0 % (25.0 to 25.0)") {
		t.Error(text.String())
	}
	dir := filepath.Join(t.TempDir(), "new")
	files, err := look.Write(dir)
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"categories.csv", "counts.png", "counts.svg", "shapes.png", "shapes.svg", "sheet.jpg", "problems.txt"} {
		if files[i] != filepath.Join(dir, name) {
			t.Errorf("file %d is %s, not %s", i, files[i], name)
		}
	}
	b, err := os.ReadFile(files[0])
	if want := "hat,4,0.5,1,2,2,2,0.25,0.25,0.25,"; err != nil || !strings.Contains(string(b), want) {
		t.Errorf("%v\n%s", err, b)
	}
	// Without problems, those of an earlier survey go.
	look.Problems = nil
	if _, err := look.Write(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "problems.txt")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("problems.txt is left: %v", err)
	}
}

// TestProblemOfAPathWithAColon: problems.txt has the whole path of a picture, and the reason beside it.
func TestProblemOfAPathWithAColon(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "hats: all", "a: b.jpg")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("\xff\xd8nothing"), 0o644); err != nil {
		t.Fatal(err)
	}
	src, err := catalog.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	look, err := Take(t.Context(), src, Options{})
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "out")
	if _, err := look.Write(out); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(out, "problems.txt"))
	if err != nil || !strings.HasPrefix(string(b), path+": corrupt image: ") {
		t.Errorf("%v, %q does not begin with %s", err, b, path)
	}
	if at := look.Problems[0]; at.Where != path || strings.Contains(at.Reason, path) {
		t.Errorf("%+v", at)
	}
}
