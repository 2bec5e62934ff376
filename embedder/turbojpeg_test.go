//go:build cgo && turbojpeg

package embedder

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"annbench/embedder/catalog"
	"annbench/internal/hostile"
)

// TestTurboJPEGDecodesAsTheStandardLibrary compares planes: real photographs where there are some, and
// pictures of awkward sizes, in colour and in grey.
func TestTurboJPEGDecodesAsTheStandardLibrary(t *testing.T) {
	var files [][]byte
	for _, size := range [][2]int{{1, 1}, {7, 5}, {16, 16}, {17, 33}, {400, 401}} {
		colours := noise(size[0], size[1], 3)
		grey := image.NewGray(colours.Bounds())
		for y := range size[1] {
			for x := range size[0] {
				grey.Set(x, y, color.GrayModel.Convert(colours.At(x, y)))
			}
		}
		for _, img := range []image.Image{colours, grey} {
			var b bytes.Buffer
			if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 85}); err != nil {
				t.Fatal(err)
			}
			files = append(files, b.Bytes())
		}
	}
	if data := os.Getenv("ANNBENCH_DATA"); data != "" {
		photographs, _ := filepath.Glob(filepath.Join(data, "clothing", "test", "*", "*.jpg"))
		for _, path := range photographs[:min(40, len(photographs))] {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, text)
		}
	}
	decoded := 0
	for i, file := range files {
		want, err := jpeg.Decode(bytes.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodeTurbo(file)
		if errors.Is(err, errNotTurbo) {
			continue
		}
		decoded++
		if got.Bounds() != want.Bounds() {
			t.Fatalf("file %d: %v, want %v", i, got.Bounds(), want.Bounds())
		}
		sum, most, n := 0, 0, 0
		compare := func(a, b byte) {
			d := int(a) - int(b)
			if d < 0 {
				d = -d
			}
			sum, most, n = sum+d, max(most, d), n+1
		}
		bounds := want.Bounds()
		for y := range bounds.Dy() {
			for x := range bounds.Dx() {
				switch want := want.(type) {
				case *image.Gray:
					compare(got.(*image.Gray).GrayAt(x, y).Y, want.GrayAt(x, y).Y)
				case *image.YCbCr:
					a, b := got.(*image.YCbCr).YCbCrAt(x, y), want.YCbCrAt(x, y)
					compare(a.Y, b.Y)
					compare(a.Cb, b.Cb)
					compare(a.Cr, b.Cr)
				default:
					t.Fatalf("file %d is a %T", i, want)
				}
			}
		}
		// Both round the same transform, at different places.
		if most > 3 || float64(sum)/float64(n) > 0.2 {
			t.Errorf("file %d, %v: %.3f levels apart on average, at most %d", i, bounds, float64(sum)/float64(n), most)
		}
	}
	if decoded < 10 {
		t.Errorf("only %d of %d files were decoded by libturbojpeg", decoded, len(files))
	}
}

// What is damaged has the words of the standard library.
func TestTurboJPEGLeavesDamageToTheStandardLibrary(t *testing.T) {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, noise(100, 100, 5), nil); err != nil {
		t.Fatal(err)
	}
	whole := b.Bytes()
	for name, data := range map[string][]byte{
		"empty": nil, "text": []byte("hello"), "header": whole[:20], "cut": whole[:len(whole)/2], "zeros": make([]byte, 500),
	} {
		if img, err := decodeTurbo(data); err == nil {
			t.Errorf("%s: decoded to %v", name, img.Bounds())
		}
	}
	UseTurboJPEG()
	rng := rand.New(rand.NewPCG(1, 2))
	accepted, refused, passed := 0, 0, 0
	for i := range 4000 {
		data := bytes.Clone(whole)
		switch i % 4 {
		case 0:
			data = data[:rng.IntN(len(data))]
		case 1: // of its headers
			data[rng.IntN(min(700, len(data)))] = byte(rng.IntN(256))
		case 2:
			data[rng.IntN(len(data))] = byte(rng.IntN(256))
		default:
			at := rng.IntN(len(data) - 20)
			data = slices.Delete(data, at, at+1+rng.IntN(20))
		}
		_, before := jpeg.Decode(bytes.NewReader(data))
		_, after := catalog.Decode(t.Context(), data, 1<<30)
		switch {
		case before == nil && after == nil:
			accepted++
		case before == nil:
			t.Errorf("damage %d: %v with libturbojpeg alone", i, after)
		case after == nil:
			passed++
			t.Logf("damage %d: only without libturbojpeg: %v", i, before)
		default:
			refused++
		}
	}
	// Its decoder takes a code that is too long for a zero, without a word.
	if passed > 4 {
		t.Errorf("libturbojpeg let damage pass %d times in %d", passed, refused)
	}
	if accepted < 100 || refused < 100 {
		t.Errorf("%d accepted, %d refused: that says little", accepted, refused)
	}
	if _, err := catalog.Decode(t.Context(), whole, 9_999); err == nil {
		t.Error("the limit on pixels does not hold")
	}
}

// TestTurboJPEGIsNotShownHostilePictures: what is refused before decoding is so with this decoder, too.
func TestTurboJPEGIsNotShownHostilePictures(t *testing.T) {
	UseTurboJPEG()
	for _, p := range hostile.Pictures() {
		if _, err := catalog.Decode(t.Context(), p.Data, 24_000_000); (err == nil) != p.Readable {
			t.Errorf("%s: %v", p.Name, err)
		}
	}
	// The decoder's own limit holds as well, where a picture is so small that its scans cost nothing.
	if _, err := decodeTurbo(hostile.ScanBomb(64, 64, 600)); !errors.Is(err, errNotTurbo) {
		t.Errorf("600 scans: %v", err)
	}
}

func FuzzTurboJPEG(f *testing.F) {
	for _, size := range [][2]int{{8, 8}, {33, 17}} {
		var b bytes.Buffer
		if err := jpeg.Encode(&b, noise(size[0], size[1], 1), nil); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
		f.Add(b.Bytes()[:b.Len()-10])
	}
	UseTurboJPEG()
	f.Fuzz(func(t *testing.T, data []byte) {
		img, err := catalog.Decode(t.Context(), data, 1<<20)
		if err == nil && img.Bounds().Empty() {
			t.Error("a picture without pixels")
		}
	})
}
