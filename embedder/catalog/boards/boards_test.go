package boards

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"image"
	"image/color"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

func boardSum(b *Board) string {
	h := sha256.New()
	h.Write(b.Image.Pix)
	for _, x := range b.Boxes {
		fmt.Fprintf(h, "%s %x %x %x %x\n", x.Label, math.Float64bits(x.X), math.Float64bits(x.Y), math.Float64bits(x.W), math.Float64bits(x.H))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// The bytes of some boards. When a change of the renderer changes them, Version must grow, since
// what was embedded from the boards of before does not hold any more; then write the new ones here.
// When they differ on one machine only, the renderer is broken there.
func TestVersion(t *testing.T) {
	h := sha256.New()
	for n := range uint64(24) {
		h.Write([]byte(boardSum(Draw(Config{}, 1, n))))
	}
	for n := range uint64(8) {
		h.Write([]byte(boardSum(Draw(Config{Tilt: 2, Warp: .04, Overlap: .5, Jitter: .1, Worn: 1, Clutter: 1}, 99, n))))
	}
	got := hex.EncodeToString(h.Sum(nil))
	const want = "68e1c30b8eabce3630ad4ff4f9951a2062dab3494f69bcb073901752afe0096e"
	if Version != 1 || got != want {
		t.Errorf("version %d draws boards with the digest\n%s, want that of version 1,\n%s", Version, got, want)
	}
}

// The machine code of this package has no operation that rounds once where the source says twice.
func TestNoFusedOperations(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: this compiles the package for other machines")
	}
	tool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("no go command to compile with")
	}
	fused := regexp.MustCompile(`\((\S+\.go:\d+)\)\s+V?F?N?(FMADD|FMSUB|FNMADD|FNMSUB)\w*\s`)
	for _, env := range [][]string{{"GOARCH=amd64", "GOAMD64=v3"}, {"GOARCH=arm64"}} {
		cmd := exec.Command(tool, "build", "-gcflags=-S", ".")
		cmd.Env = append(append(os.Environ(), "GOOS=linux", "CGO_ENABLED=0"), env...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Skipf("%v: cannot compile: %v\n%.500s", env, err, out)
		}
		if !strings.Contains(string(out), "MUL") {
			t.Fatalf("%v: no machine code in the compiler's output", env)
		}
		for _, m := range fused.FindAllStringSubmatch(string(out), -1) {
			t.Errorf("%v: fused multiplication and addition at %s: write float64(x*y) + z", env, filepath.Base(m[1]))
		}
	}
}

func TestDrawIsPure(t *testing.T) {
	const n = 6
	var want [n]string
	for i := range n {
		want[i] = boardSum(Draw(Config{}, 5, uint64(i)))
	}
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range n {
				k := (i + w) % n
				if boardSum(Draw(Config{}, 5, uint64(k))) != want[k] {
					t.Errorf("board %d differs", k)
				}
			}
		})
	}
	wg.Wait()
}

func TestBoxes(t *testing.T) {
	for _, c := range []Config{
		{},
		{Tilt: -1, Warp: -1, Overlap: -1, Jitter: -1, Worn: -1, Clutter: -1},
		{Tilt: 3, Warp: .05, Overlap: 1, Jitter: .3, Worn: 1, Clutter: 1},
	} {
		for n := range uint64(16) {
			b := Draw(c, 2, n)
			var labels []string
			for _, x := range b.Boxes {
				labels = append(labels, x.Label)
				if !(x.X >= 0 && x.Y >= 0 && x.W > 0 && x.H > 0 && x.X+x.W <= 1+1e-12 && x.Y+x.H <= 1+1e-12) {
					t.Errorf("board %d: box %+v", n, x)
				}
				crop, err := Crop(b.Image, x)
				if err != nil {
					t.Errorf("board %d: %v", n, err)
					continue
				}
				if r := crop.Bounds(); r.Dx() < 8 || r.Dy() < 8 || !r.In(b.Image.Rect) {
					t.Errorf("board %d: crop %v", n, r)
				}
			}
			if !slices.Equal(labels, Labels(2, n)) {
				t.Errorf("board %d has %q, and Labels says %q", n, labels, Labels(2, n))
			}
			slices.Sort(labels)
			if len(slices.Compact(labels)) != Pieces {
				t.Errorf("board %d: labels %q", n, labels)
			}
		}
	}
}

// What is drawn is in its box: with boxes that do not jitter, on a white ground, the pixels that
// differ from the ground reach all four sides and, but for shadows, people and the other pieces,
// are inside. The first half is what can be tested.
func TestBoxesAreTight(t *testing.T) {
	c := Config{Jitter: -1, Worn: -1, Clutter: -1}
	for n := range uint64(26) {
		d := boardDice(4, n)
		k := categories[int(n)%len(categories)]
		it := d.item(c.WithDefaults(), &k, 1)
		img := newCanvas(300, 300)
		for i := range img.img.Pix {
			img.img.Pix[i] = 255
		}
		l := d.light()
		l.shadow = 0
		l.exposure = .8 // no white on white
		x0, y0, x1, y1 := img.draw(it.piece, it.pose, 50, 50, 200, 200, l)
		var drawn image.Rectangle
		for y := range 300 {
			for x := range 300 {
				if img.img.RGBAAt(x, y) != (color.RGBA{255, 255, 255, 255}) {
					drawn = drawn.Union(image.Rect(x, y, x+1, y+1))
				}
			}
		}
		for i, off := range []float64{float64(drawn.Min.X) - x0, float64(drawn.Min.Y) - y0, float64(drawn.Max.X) - x1, float64(drawn.Max.Y) - y1} {
			if math.Abs(off) > 2.5 {
				t.Errorf("%s: side %d of the box is %.1f pixels off: drawn %v, box %.1f %.1f %.1f %.1f", k.label, i, off, drawn, x0, y0, x1, y1)
			}
		}
	}
}

// On a layout every piece lies in its box: on an empty white board the pixels that are drawn reach two
// opposite sides of the box, and none is far outside of it.
func TestDrawOn(t *testing.T) {
	none := Config{Tilt: -1, Warp: -1, Jitter: -1, Worn: -1, Clutter: -1}
	for i, k := range categories {
		for _, box := range []Box{{.1, .15, .3, .5, k.label}, {.5, .55, .45, .2, k.label}} {
			b, err := DrawOn(none, 7, uint64(i), []Box{box})
			if err != nil || len(b.Boxes) != 1 || b.Boxes[0] != box {
				t.Fatalf("%s: boxes %v, %v, want %v", k.label, b.Boxes, err, box)
			}
			ground := b.Image.RGBAAt(1, 1)
			var drawn image.Rectangle
			for y := range b.Image.Rect.Dy() {
				for x := range b.Image.Rect.Dx() {
					if c := b.Image.RGBAAt(x, y); max(apart(c.R, ground.R), apart(c.G, ground.G), apart(c.B, ground.B)) > 60 {
						drawn = drawn.Union(image.Rect(x, y, x+1, y+1))
					}
				}
			}
			w, h := float64(b.Image.Rect.Dx()), float64(b.Image.Rect.Dy())
			in := image.Rect(int(box.X*w), int(box.Y*h), int((box.X+box.W)*w+1), int((box.Y+box.H)*h+1))
			if !drawn.In(in.Inset(-24)) { // shadows fall out of boxes
				t.Errorf("%s: drawn in %v, its box is %v", k.label, drawn, in)
			}
			if drawn.Dx() < in.Dx()*8/10 && drawn.Dy() < in.Dy()*8/10 {
				t.Errorf("%s: drawn in %v, which fills neither side of %v", k.label, drawn, in)
			}
		}
	}
	layout := []Box{{.1, .1, .3, .3, "Hats"}, {.2, .2, .5, .5, "Dresses"}, {.9, .9, 1e-9, 1e-9, "Shoes"}}
	one, err := DrawOn(Config{}, 3, 4, layout)
	if err != nil {
		t.Fatal(err)
	}
	if two, err := DrawOn(Config{}, 3, 4, layout); err != nil || boardSum(one) != boardSum(two) {
		t.Errorf("another board the second time: %v", err)
	}
	for _, bad := range []Box{{.1, .1, .3, .3, "Umbrellas"}, {.8, .1, .3, .3, "Hats"}, {.1, .1, 0, .3, "Hats"}, {math.NaN(), .1, .3, .3, "Hats"}} {
		if _, err := DrawOn(Config{}, 3, 4, []Box{bad}); err == nil {
			t.Errorf("%v: no error", bad)
		}
	}
}

func apart(a, b uint8) int { return max(int(a)-int(b), int(b)-int(a)) }

// Labels come in the proportions of the annotations: their numbers are within 4.5 standard
// deviations of what independent boards would give.
func TestProportions(t *testing.T) {
	const n = 20_000
	seen := map[string]int{}
	legs := 0
	for i := range uint64(n) {
		below := 0
		for _, l := range Labels(8, i) {
			seen[l]++
			switch l {
			case "Pants", "Skirts", "Shorts", "Dresses":
				below++
			}
		}
		if below == 1 {
			legs++
		}
	}
	sum := 0
	for _, c := range categories {
		sum += c.count
		p := float64(c.count) / annotated
		want, sd := n*p, math.Sqrt(n*p*(1-p))
		if math.Abs(float64(seen[c.label])-want) > 4.5*sd {
			t.Errorf("%s: %d of %d, want %.0f ± %.0f", c.label, seen[c.label], n, want, sd)
		}
	}
	if sum != Pieces*annotated {
		t.Errorf("the counts add up to %d, want %d", sum, Pieces*annotated)
	}
	if legs < n*9/10 {
		t.Errorf("%d of %d boards have one garment about the legs", legs, n)
	}
}

// The shapes of boxes are near the table of those that people drew.
func TestBoxShapes(t *testing.T) {
	const n = 250
	for i := range categories {
		k := &categories[i]
		var aspects, areas []float64
		for j := range uint64(n) {
			it := boardDice(uint64(i), j).item(Config{}.WithDefaults(), k, .88)
			aspects = append(aspects, math.Log(it.w/it.h))
			areas = append(areas, math.Log(it.w*it.h))
		}
		a, sa := moments(aspects)
		b, sb := moments(areas)
		t.Logf("%-17s ln(w/h) %5.2f ± %.2f (table %5.2f ± %.2f)   ln(area) %5.2f ± %.2f (table %5.2f ± %.2f)", k.label, a, sa, k.aspect, k.aspectSD, b, sb, k.area, k.areaSD)
		if math.Abs(a-k.aspect) > .25 || math.Abs(b-k.area) > .12 {
			t.Errorf("%s: mean shape is off", k.label)
		}
		if sa > 1.5*k.aspectSD || sa < .4*k.aspectSD || math.Abs(sb-k.areaSD) > .1 {
			t.Errorf("%s: spread of shapes is off", k.label)
		}
	}
}

func moments(x []float64) (mean, sd float64) {
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		sd += (v - mean) * (v - mean) / float64(len(x)-1)
	}
	return mean, math.Sqrt(sd)
}

// The table against the annotations that it was made from.
func TestCategoriesAgainstAnnotations(t *testing.T) {
	data := os.Getenv("ANNBENCH_DATA")
	if data == "" {
		t.Skip("ANNBENCH_DATA is not set: no annotations to compare with")
	}
	text, err := os.ReadFile(filepath.Join(data, "complete-the-look", "raw_test.tsv"))
	if err != nil {
		t.Skip(err)
	}
	aspects, areas := map[string][]float64{}, map[string][]float64{}
	for i, line := range strings.Split(strings.TrimSpace(string(text)), "\n")[1:] {
		f := strings.Split(strings.TrimSpace(line), "\t")
		if len(f) != 6 {
			t.Fatalf("line %d has %d fields", i+2, len(f))
		}
		w, errW := strconv.ParseFloat(f[3], 64)
		h, errH := strconv.ParseFloat(f[4], 64)
		if errW != nil || errH != nil || w <= 0 || h <= 0 {
			t.Fatalf("line %d: %q", i+2, line)
		}
		aspects[f[5]] = append(aspects[f[5]], math.Log(w/h))
		areas[f[5]] = append(areas[f[5]], math.Log(w*h))
	}
	if len(aspects) != len(categories) {
		t.Errorf("%d categories, want %d", len(aspects), len(categories))
	}
	for _, c := range categories {
		if len(aspects[c.label]) != c.count {
			t.Errorf("%s: %d annotations, want %d", c.label, len(aspects[c.label]), c.count)
			continue
		}
		a, sa := moments(aspects[c.label])
		b, sb := moments(areas[c.label])
		for _, d := range []float64{a - c.aspect, sa - c.aspectSD, b - c.area, sb - c.areaSD} {
			if math.Abs(d) > .011 {
				t.Errorf("%s: ln(w/h) %.2f ± %.2f, ln(area) %.2f ± %.2f", c.label, a, sa, b, sb)
				break
			}
		}
	}
}

func TestCrop(t *testing.T) {
	img := image.NewGray(image.Rect(10, 20, 110, 70)) // 100 × 50
	for _, c := range []struct {
		box  Box
		want image.Rectangle
	}{
		{Box{0, 0, 1, 1, ""}, image.Rect(10, 20, 110, 70)},
		{Box{.5, .5, .25, .5, ""}, image.Rect(60, 45, 85, 70)},
		{Box{.501, .5, .001, .02, ""}, image.Rect(60, 45, 61, 46)}, // any pixel that is touched
		{Box{-.2, -.2, .3, .4, ""}, image.Rect(10, 20, 20, 30)},
		{Box{.9, 0, .3, 1, ""}, image.Rect(100, 20, 110, 70)},
	} {
		got, err := Crop(img, c.box)
		if err != nil || got.Bounds() != c.want {
			t.Errorf("%+v: %v, %v, want %v", c.box, got, err, c.want)
		}
	}
	for _, b := range []Box{
		{},
		{X: .1, Y: .1, W: -.1, H: .1},
		{X: 2, Y: 0, W: 1, H: 1},
		{X: math.NaN(), Y: 0, W: 1, H: 1},
		{X: 0, Y: 0, W: math.Inf(1), H: 1},
		{X: 1, Y: 0, W: .1, H: .1},
	} {
		if img, err := Crop(img, b); err == nil {
			t.Errorf("%+v: no error, %v", b, img.Bounds())
		}
	}
}

func TestConfig(t *testing.T) {
	d := Config{}.WithDefaults()
	if d.Tilt != 1 || d.Worn != .1 || d != d.WithDefaults() {
		t.Errorf("defaults %+v", d)
	}
	if c := (Config{Worn: -1, Tilt: 2}).WithDefaults(); c.Worn != 0 || c.Tilt != 2 {
		t.Errorf("%+v", c)
	}
	if err := (Config{Clutter: 1.5}).Validate(); err == nil || !strings.Contains(err.Error(), "Clutter") {
		t.Errorf("error %v", err)
	}
}

// The numbers of this package against those of package math.
func TestNumbers(t *testing.T) {
	for i := -2000; i <= 2000; i++ {
		x := float64(i) / 777
		if e := math.Abs(sin(x) - math.Sin(2*math.Pi*x)); e > 4e-6 {
			t.Fatalf("sin(%v turns) is off by %g", x, e)
		}
		if e := math.Abs(cos(x) - math.Cos(2*math.Pi*x)); e > 4e-6 {
			t.Fatalf("cos(%v turns) is off by %g", x, e)
		}
		if e := math.Abs(exp(x*5)/math.Exp(x*5) - 1); e > 1.3e-4 {
			t.Fatalf("exp(%v) is off by %g", x*5, e)
		}
	}
	d := boardDice(1, 1)
	var x []float64
	for range 20_000 {
		x = append(x, d.normal())
	}
	if m, sd := moments(x); math.Abs(m) > .03 || math.Abs(sd-1) > .03 {
		t.Errorf("normal: mean %v, standard deviation %v", m, sd)
	}
	for i := range 64 {
		t1, t2 := float64(i)/64, float64(i+1)/64
		a := angle(math.Cos(2*math.Pi*t1), math.Sin(2*math.Pi*t1))
		b := angle(math.Cos(2*math.Pi*t2), math.Sin(2*math.Pi*t2))
		if step := b - a - math.Floor(b-a); step <= 0 || step > .04 {
			t.Errorf("angle at %d/64 steps by %v", i, step)
		}
	}
}

func BenchmarkDraw(b *testing.B) {
	n := uint64(0)
	b.ReportAllocs()
	for b.Loop() {
		Draw(Config{}, 1, n)
		n++
	}
	b.ReportMetric(float64(n)*Pieces/b.Elapsed().Seconds(), "items/s")
}
