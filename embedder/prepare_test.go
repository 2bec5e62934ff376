package embedder

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"math/rand/v2"
	"testing"

	"annbench/embedder/models"
)

func input(layout, kind, channels, fit string, height, width int) *models.Input {
	return &models.Input{
		Name: "images", Layout: layout, Type: kind, Height: height, Width: width,
		Channels: channels, Fit: fit, Resample: "bilinear-antialias",
	}
}

// noise draws a picture of every kind of pixel: soft shapes with noise over them.
func noise(w, h int, seed uint64) *image.NRGBA {
	rng := rand.New(rand.NewPCG(seed, 1))
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			wave := 127 + 100*math.Sin(float64(x)/7+float64(y)/11)
			img.SetNRGBA(x, y, color.NRGBA{
				R: uint8(rng.IntN(256)), G: uint8(wave), B: uint8(x * 255 / w), A: 255,
			})
		}
	}
	return img
}

// reference scales by the definition of an antialiased filter: every pixel of the input is the mean
// of all pixels of the picture, weighted by kernel of the distance of their centres, in units of the
// pixel that is larger. Results are 0..255, R G B.
func reference(img image.Image, w, h int, support float64, kernel func(float64) float64) []float64 {
	bounds := img.Bounds()
	weights := func(from, to int) [][]float64 {
		scale := float64(from) / float64(to)
		wide := max(scale, 1)
		all := make([][]float64, to)
		for o := range all {
			all[o] = make([]float64, from)
			sum := 0.0
			for i := range from {
				d := math.Abs((float64(i)+0.5)-(float64(o)+0.5)*scale) / wide
				if d < support {
					all[o][i] = kernel(d)
					sum += all[o][i]
				}
			}
			for i := range from {
				all[o][i] /= sum
			}
		}
		return all
	}
	wx, wy := weights(bounds.Dx(), w), weights(bounds.Dy(), h)
	out := make([]float64, w*h*3)
	for y := range h {
		for x := range w {
			var sum [3]float64
			for j, b := range wy[y] {
				for i, a := range wx[x] {
					if a*b == 0 {
						continue
					}
					r, g, bl, _ := img.At(bounds.Min.X+i, bounds.Min.Y+j).RGBA()
					sum[0] += a * b * float64(r) / 257
					sum[1] += a * b * float64(g) / 257
					sum[2] += a * b * float64(bl) / 257
				}
			}
			for c := range sum {
				out[(y*w+x)*3+c] = min(255, max(0, sum[c]))
			}
		}
	}
	return out
}

func triangle(d float64) float64 { return 1 - d }

func TestFillIsTriangleFilter(t *testing.T) {
	gray := image.NewGray(image.Rect(3, 4, 50, 41))
	ycbcr := image.NewYCbCr(image.Rect(0, 0, 70, 53), image.YCbCrSubsampleRatio420)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range gray.Pix {
		gray.Pix[i] = uint8(rng.IntN(256))
	}
	inRange(ycbcr, rng)
	for name, img := range map[string]image.Image{
		"shrink":      noise(67, 101, 1),
		"enlarge":     noise(5, 7, 2),
		"both":        noise(100, 6, 3),
		"same":        noise(12, 16, 4),
		"crop":        noise(67, 101, 5).SubImage(image.Rect(10, 20, 40, 90)),
		"gray":        gray,
		"jpeg pixels": ycbcr,
		"one pixel":   noise(1, 1, 6),
	} {
		in := input("NHWC", "uint8", "RGB", "stretch", 16, 12)
		got := newTensor(in, 2)
		if err := newPreparer(in).fill(got, 1, img); err != nil {
			t.Fatal(err)
		}
		want := reference(img, 12, 16, 1, triangle)
		var bias float64
		for i, w := range want {
			d := float64(got.u8[got.row+i]) - w
			if math.Abs(d) > 1 {
				t.Fatalf("%s: component %d is %d, by definition %.3f", name, i, got.u8[got.row+i], w)
			}
			bias += d / float64(len(want))
		}
		if math.Abs(bias) > 0.1 {
			t.Errorf("%s: on average %.3f grey levels off", name, bias)
		}
	}
}

// inRange fills img with noise of which no colour leaves its range.
func inRange(img *image.YCbCr, rng *rand.Rand) {
	for i := range img.Y {
		img.Y[i] = uint8(20 + rng.IntN(216))
	}
	for i := range img.Cb {
		img.Cb[i], img.Cr[i] = uint8(120+rng.IntN(16)), uint8(120+rng.IntN(16))
	}
}

// Chroma that several pixels share is read at the right place, whatever the crop.
func TestFillSubsampledChroma(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for _, ratio := range []image.YCbCrSubsampleRatio{
		image.YCbCrSubsampleRatio444, image.YCbCrSubsampleRatio422, image.YCbCrSubsampleRatio420,
		image.YCbCrSubsampleRatio440, image.YCbCrSubsampleRatio411, image.YCbCrSubsampleRatio410,
	} {
		whole := image.NewYCbCr(image.Rect(0, 0, 61, 47), ratio)
		inRange(whole, rng)
		for range 20 {
			x, y := rng.IntN(40), rng.IntN(30)
			img := whole.SubImage(image.Rect(x, y, x+1+rng.IntN(61-x), y+1+rng.IntN(47-y)))
			in := input("NHWC", "uint8", "RGB", "stretch", 9, 7)
			got := newTensor(in, 1)
			if err := newPreparer(in).fill(got, 0, img); err != nil {
				t.Fatal(err)
			}
			for i, w := range reference(img, 7, 9, 1, triangle) {
				if math.Abs(float64(got.u8[i])-w) > 1.2 { // a colour of every pixel is rounded by the definition
					t.Fatalf("%v, %v: component %d is %d, by definition %.3f", ratio, img.Bounds(), i, got.u8[i], w)
				}
			}
		}
	}
}

// On pictures whose colours do leave their range, as those of sharp JPEG do, the result is within one grey
// level of the definition on average.
func TestFillOfJPEG(t *testing.T) {
	var file bytes.Buffer
	if err := jpeg.Encode(&file, noise(200, 150, 9), &jpeg.Options{Quality: 60}); err != nil {
		t.Fatal(err)
	}
	img, err := jpeg.Decode(&file)
	if err != nil {
		t.Fatal(err)
	}
	in := input("NHWC", "uint8", "RGB", "stretch", 48, 48)
	got := newTensor(in, 1)
	if err := newPreparer(in).fill(got, 0, img); err != nil {
		t.Fatal(err)
	}
	var off float64
	want := reference(img, 48, 48, 1, triangle)
	for i, w := range want {
		off += math.Abs(float64(got.u8[i])-w) / float64(len(want))
	}
	if off > 1 {
		t.Errorf("on average %.3f grey levels off", off)
	}
	t.Logf("on average %.3f grey levels off", off)
}

func TestFillBicubic(t *testing.T) {
	in := input("NHWC", "uint8", "RGB", "stretch", 16, 12)
	in.Resample = "bicubic-antialias"
	got := newTensor(in, 1)
	img := noise(67, 101, 1)
	if err := newPreparer(in).fill(got, 0, img); err != nil {
		t.Fatal(err)
	}
	// R. Keys, Cubic convolution interpolation for digital image processing, 1981, with a = -1/2.
	cubic := func(d float64) float64 {
		if d < 1 {
			return 1.5*d*d*d - 2.5*d*d + 1
		}
		return -0.5*d*d*d + 2.5*d*d - 4*d + 2
	}
	for i, w := range reference(img, 12, 16, 2, cubic) {
		if math.Abs(float64(got.u8[i])-w) > 1 {
			t.Fatalf("component %d is %d, by definition %.3f", i, got.u8[i], w)
		}
	}
}

func TestFillLayouts(t *testing.T) {
	img := noise(9, 7, 1)
	plain := input("NHWC", "uint8", "RGB", "stretch", 4, 6)
	want := newTensor(plain, 1)
	if err := newPreparer(plain).fill(want, 0, img); err != nil {
		t.Fatal(err)
	}
	mean, std := []float32{0.1, 0.2, 0.3}, []float32{0.5, 1, 2}
	for _, layout := range models.Layouts {
		for _, channels := range models.ChannelOrders {
			for _, kind := range models.Types {
				in := input(layout, kind, channels, "stretch", 4, 6)
				if kind == "float32" {
					in.Mean, in.Std = mean, std
				}
				got := newTensor(in, 1)
				if err := newPreparer(in).fill(got, 0, img); err != nil {
					t.Fatal(err)
				}
				for p := range 24 {
					for c := range 3 {
						place := c
						if channels == "BGR" {
							place = 2 - c
						}
						at := p*3 + place
						if layout == "NCHW" {
							at = place*24 + p
						}
						v := want.u8[p*3+c]
						if kind == "uint8" && got.u8[at] != v {
							t.Fatalf("%s %s: pixel %d, colour %d is %d; want %d", layout, channels, p, c, got.u8[at], v)
						}
						if kind == "float32" && got.f32[at] != (float32(v)/255-mean[c])/std[c] {
							t.Fatalf("%s %s: pixel %d, colour %d is %v, of %d", layout, channels, p, c, got.f32[at], v)
						}
					}
				}
			}
		}
	}
}

func TestFit(t *testing.T) {
	for _, test := range []struct {
		fit      string
		picture  image.Rectangle
		from, to image.Rectangle
	}{
		{"stretch", image.Rect(5, 5, 45, 25), image.Rect(5, 5, 45, 25), image.Rect(0, 0, 10, 10)},
		{"cover", image.Rect(5, 5, 45, 25), image.Rect(15, 5, 35, 25), image.Rect(0, 0, 10, 10)},
		{"contain", image.Rect(5, 5, 45, 25), image.Rect(5, 5, 45, 25), image.Rect(0, 2, 10, 7)},
		{"cover", image.Rect(0, 0, 1, 1000), image.Rect(0, 499, 1, 500), image.Rect(0, 0, 10, 10)},
		{"contain", image.Rect(0, 0, 1, 1000), image.Rect(0, 0, 1, 1000), image.Rect(4, 0, 5, 10)},
	} {
		from, to := newPreparer(input("NHWC", "uint8", "RGB", test.fit, 10, 10)).fit(test.picture)
		if from != test.from || to != test.to {
			t.Errorf("%s of %v: %v to %v; want %v to %v", test.fit, test.picture, from, to, test.from, test.to)
		}
	}
}

// Of a picture of 40 × 20, "cover" keeps the square in the middle, and a crop of 0.5 the middle of that.
func TestFitCrop(t *testing.T) {
	in := input("NHWC", "uint8", "RGB", "cover", 10, 10)
	in.Crop = .5
	from, to := newPreparer(in).fit(image.Rect(0, 0, 40, 20))
	if from != image.Rect(15, 5, 25, 15) || to != image.Rect(0, 0, 10, 10) {
		t.Errorf("from %v to %v", from, to)
	}
}

func TestFillOverWhite(t *testing.T) {
	clear := image.NewNRGBA(image.Rect(0, 0, 8, 8))
	half := image.NewNRGBA(image.Rect(0, 0, 8, 8))
	for i := range half.Pix {
		half.Pix[i] = [4]uint8{0, 100, 200, 128}[i%4]
	}
	black := image.NewNRGBA(image.Rect(0, 0, 20, 10))
	for i := 3; i < len(black.Pix); i += 4 {
		black.Pix[i] = 255
	}
	contain := input("NHWC", "uint8", "RGB", "contain", 4, 4)
	for _, test := range []struct {
		name string
		in   *models.Input
		img  image.Image
		want [3]uint8 // of the first pixel
	}{
		{"clear", input("NHWC", "uint8", "RGB", "stretch", 4, 4), clear, [3]uint8{255, 255, 255}},
		{"half", input("NHWC", "uint8", "RGB", "stretch", 4, 4), half, [3]uint8{127, 177, 227}},
		{"margin", contain, black, [3]uint8{255, 255, 255}},
	} {
		p, got := newPreparer(test.in), newTensor(test.in, 1)
		for range 2 { // the second time on used scratch
			if err := p.fill(got, 0, test.img); err != nil {
				t.Fatal(err)
			}
			for c, want := range test.want {
				if d := int(got.u8[c]) - int(want); d < -1 || d > 1 {
					t.Errorf("%s: %v; want %v", test.name, got.u8[:3], test.want)
				}
			}
		}
	}
}

func TestFillNothing(t *testing.T) {
	in := input("NHWC", "uint8", "RGB", "stretch", 4, 4)
	for _, img := range []image.Image{nil, image.NewRGBA(image.Rectangle{})} {
		if err := newPreparer(in).fill(newTensor(in, 1), 0, img); err == nil {
			t.Errorf("%v: no error", img)
		}
	}
}

func TestThumbnail(t *testing.T) {
	for _, test := range []struct{ w, h, side, wantW, wantH int }{
		{400, 300, 100, 100, 75},
		{300, 400, 100, 75, 100},
		{50, 40, 100, 50, 40},
		{1000, 1, 100, 100, 1},
	} {
		data, err := thumbnail(noise(test.w, test.h, 1), test.side)
		if err != nil {
			t.Fatal(err)
		}
		img, err := jpeg.Decode(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if size := img.Bounds().Size(); size != image.Pt(test.wantW, test.wantH) {
			t.Errorf("%d×%d at %d: %v", test.w, test.h, test.side, size)
		}
	}
}
