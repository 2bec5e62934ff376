package embedder

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"runtime"
	"testing"
	"time"

	"golang.org/x/image/draw"
	"golang.org/x/sys/unix"

	"annbench/embedder/catalog"
)

// BenchmarkFill decodes a JPEG of 400 × 400 and makes model input of it, and does the same with the
// scaler of golang.org/x/image by its cubic kernel, in turn. Times are those of the processor, so that what
// else runs does not count.
func BenchmarkFill(b *testing.B) {
	var file bytes.Buffer
	picture := image.NewNRGBA(image.Rect(0, 0, 400, 400))
	draw.BiLinear.Scale(picture, picture.Rect, noise(80, 80, 3), image.Rect(0, 0, 80, 80), draw.Src, nil)
	if err := jpeg.Encode(&file, picture, &jpeg.Options{Quality: 90}); err != nil {
		b.Fatal(err)
	}
	for _, side := range []int{96, 224} {
		b.Run(fmt.Sprintf("side=%d", side), func(b *testing.B) {
			in := input("NHWC", "uint8", "RGB", "stretch", side, side)
			p := newPreparer(in)
			t := newTensor(in, 1)
			reference := image.NewRGBA(image.Rect(0, 0, side, side))
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			var decoding, own, other time.Duration
			for b.Loop() {
				start := threadTime(b)
				img, err := jpeg.Decode(bytes.NewReader(file.Bytes()))
				if err != nil {
					b.Fatal(err)
				}
				decoded := threadTime(b)
				if err := p.fill(t, 0, img); err != nil {
					b.Fatal(err)
				}
				filled := threadTime(b)
				draw.CatmullRom.Scale(reference, reference.Rect, img, img.Bounds(), draw.Src, nil)
				decoding += decoded - start
				own += filled - decoded
				other += threadTime(b) - filled
			}
			n := float64(b.N)
			b.ReportMetric(float64(decoding)/n, "decode-ns/op")
			b.ReportMetric(float64(own)/n, "scale-ns/op")
			b.ReportMetric(float64(other)/n, "catmullrom-ns/op")
			b.ReportMetric((decoding+other).Seconds()/(decoding+own).Seconds(), "times-faster")
		})
	}
}

// BenchmarkDecode decodes a JPEG of 400 × 400 and makes model input of it, by what annbench decodes JPEG
// with in this build and by the standard library, in turn: build tag turbojpeg against none.
func BenchmarkDecode(b *testing.B) {
	UseTurboJPEG()
	if catalog.JPEGDecoder() == catalog.StandardJPEG {
		b.Skip("this build has no libturbojpeg (build tag turbojpeg)")
	}
	var file bytes.Buffer
	picture := image.NewNRGBA(image.Rect(0, 0, 400, 400))
	draw.BiLinear.Scale(picture, picture.Rect, noise(80, 80, 3), image.Rect(0, 0, 80, 80), draw.Src, nil)
	if err := jpeg.Encode(&file, picture, &jpeg.Options{Quality: 90}); err != nil {
		b.Fatal(err)
	}
	for _, side := range []int{96, 224} {
		b.Run(fmt.Sprintf("side=%d", side), func(b *testing.B) {
			in := input("NHWC", "uint8", "RGB", "stretch", side, side)
			p := newPreparer(in)
			t := newTensor(in, 1)
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			var took [2]time.Duration
			for b.Loop() {
				for i, decode := range []func() (image.Image, error){
					func() (image.Image, error) { return catalog.Decode(b.Context(), file.Bytes(), 1<<30) },
					func() (image.Image, error) { return jpeg.Decode(bytes.NewReader(file.Bytes())) },
				} {
					start := threadTime(b)
					img, err := decode()
					if err == nil {
						err = p.fill(t, 0, img)
					}
					if err != nil {
						b.Fatal(err)
					}
					took[i] += threadTime(b) - start
				}
			}
			b.ReportMetric(float64(took[0])/float64(b.N), "turbojpeg-ns/op")
			b.ReportMetric(float64(took[1])/float64(b.N), "standard-ns/op")
			b.ReportMetric(took[1].Seconds()/took[0].Seconds(), "times-faster")
		})
	}
}

// threadTime is the processor time that this thread has used.
func threadTime(b *testing.B) time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		b.Fatal(err)
	}
	return time.Duration(t.Nano())
}
