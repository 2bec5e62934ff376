package embedder

import (
	"bytes"
	"image"
	"image/color"
	"image/color/palette"
	"image/png"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/image/draw"

	"annbench/embedder/catalog"
)

// modelInput is what a model is given for an image file: 24 × 18 pixels.
func modelInput(t *testing.T, name string, file []byte) []uint8 {
	t.Helper()
	img, err := catalog.Decode(t.Context(), file, 1_000_000)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	in := input("NHWC", "uint8", "RGB", "stretch", 18, 24)
	got := newTensor(in, 1)
	if err := newPreparer(in).fill(got, 0, img); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return got.u8
}

func meanDiff(a, b []uint8) (d float64) {
	for i := range a {
		d += math.Abs(float64(a[i])-float64(b[i])) / float64(len(a))
	}
	return d
}

// The same picture in every form of PNG gives the same model input.
func TestFormsOfPNG(t *testing.T) {
	bounds := image.Rect(0, 0, 60, 40)
	grey := image.NewGray(bounds)
	for i := range grey.Pix {
		grey.Pix[i] = uint8(i * 7)
	}
	colours := image.NewPaletted(bounds, palette.WebSafe)
	draw.Draw(colours, bounds, noise(60, 40, 4), image.Point{}, draw.Src)
	encode := func(img image.Image) []byte {
		var file bytes.Buffer
		if err := png.Encode(&file, img); err != nil {
			t.Fatal(err)
		}
		return file.Bytes()
	}
	as := func(img draw.Image, of image.Image) image.Image {
		draw.Draw(img, bounds, of, image.Point{}, draw.Src)
		return img
	}
	for _, of := range []image.Image{grey, colours} {
		plain := modelInput(t, "RGBA", encode(as(image.NewRGBA(bounds), of)))
		forms := map[string]image.Image{
			"as it is": of, "16 bits": as(image.NewRGBA64(bounds), of), "16 bits with alpha": as(image.NewNRGBA64(bounds), of),
			"alpha": as(image.NewNRGBA(bounds), of), "palette": as(image.NewPaletted(bounds, append(palette.WebSafe[:216:216], greys()...)), of),
		}
		if of == image.Image(grey) {
			forms["16 bits of grey"] = as(image.NewGray16(bounds), of)
			delete(forms, "palette") // has not every grey
		}
		for name, img := range forms {
			if d := meanDiff(modelInput(t, name, encode(img)), plain); d > 0.01 {
				t.Errorf("%T as %s: %.3f grey levels off", of, name, d)
			}
		}
	}
	// A transparent colour of a palette shows white.
	clear := image.NewPaletted(bounds, color.Palette{color.NRGBA{200, 0, 0, 0}})
	if got := modelInput(t, "transparent palette", encode(clear)); got[0] != 255 || got[1] != 255 {
		t.Errorf("a transparent palette is %v", got[:3])
	}
}

func greys() (p color.Palette) {
	for v := range 40 {
		p = append(p, color.Gray{uint8(6 * v)})
	}
	return p
}

// The pictures that Go's own decoders are tested with: CMYK, grey, RGB and progressive JPEG, JPEG of every
// kind of chroma, and WebP, each next to the same as PNG.
func TestFormsOfJPEGAndWebP(t *testing.T) {
	root := func(args ...string) string {
		out, err := exec.Command("go", args...).Output()
		if err != nil {
			t.Skipf("go %s: %v", strings.Join(args, " "), err)
		}
		return strings.TrimSpace(string(out))
	}
	std := filepath.Join(root("env", "GOROOT"), "src/image/testdata")
	x := filepath.Join(root("list", "-m", "-f", "{{.Dir}}", "golang.org/x/image"), "testdata")
	for _, test := range []struct {
		dir, file, like string
		off             float64 // grey levels, on average: the loss of the coding
	}{
		{std, "video-001.jpeg", "video-001.png", 2},
		{std, "video-001.progressive.jpeg", "video-001.png", 2},
		{std, "video-001.cmyk.jpeg", "video-001.cmyk.png", 2},
		{std, "video-001.rgb.jpeg", "video-001.rgb.png", 2},
		{std, "video-001.q50.420.jpeg", "video-001.png", 4},
		{std, "video-001.q50.440.jpeg", "video-001.png", 4},
		{std, "video-001.q50.411.progressive.jpeg", "video-001.png", 4},
		{std, "video-001.q50.410.jpeg", "video-001.png", 4},
		{std, "video-005.gray.jpeg", "video-005.gray.png", 2},
		{std, "video-005.gray.q50.2x2.jpeg", "video-005.gray.png", 4},
		{x, "video-001.lossy.webp", "video-001.png", 4},
		{x, "yellow_rose.lossy.webp", "yellow_rose.lossless.webp", 4},
		{x, "yellow_rose.lossy-with-alpha.webp", "yellow_rose.lossless.webp", 4},
	} {
		file, err := os.ReadFile(filepath.Join(test.dir, test.file))
		like, err2 := os.ReadFile(filepath.Join(test.dir, test.like))
		if err2 != nil {
			like, err2 = os.ReadFile(filepath.Join(std, test.like))
		}
		if err != nil || err2 != nil {
			t.Skipf("this Go comes without its test pictures: %v, %v", err, err2)
		}
		d := meanDiff(modelInput(t, test.file, file), modelInput(t, test.like, like))
		t.Logf("%s: %.2f grey levels", test.file, d)
		if d > test.off {
			t.Errorf("%s is %.2f grey levels off", test.file, d)
		}
	}
}
