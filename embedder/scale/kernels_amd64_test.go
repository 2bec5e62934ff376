package scale

import (
	"fmt"
	"image"
	"math/rand/v2"
	"slices"
	"testing"
)

// bothWays gives what do gives with the kernels for AVX2 and with the portable ones.
func bothWays[T any](t *testing.T, do func() T) (simd, portable T) {
	t.Helper()
	if !haveAVX2 {
		t.Skip("this processor has no AVX2")
	}
	defer func() { haveAVX2 = true }()
	simd = do()
	haveAVX2 = false
	return simd, do()
}

// fill makes noise, with its extremes often enough.
func fill[T int16 | int32 | uint8](rng *rand.Rand, s []T, low, high int) []T {
	for i := range s {
		switch rng.IntN(8) {
		case 0:
			s[i] = T(low)
		case 1:
			s[i] = T(high)
		default:
			s[i] = T(low + rng.IntN(high-low+1))
		}
	}
	return s
}

// lineMost is the largest component between the passes, overshoot included.
const lineMost = 255 * 4 / 3 << lineBits

func TestKernelsGiveTheSameBits(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		n, lines := 1+rng.IntN(70), 1+rng.IntN(14)
		stride := n + rng.IntN(9)
		pix := fill(rng, make([]uint8, (lines-1)*stride+n), 0, 255)
		// Weights whose sums are as large as those of a filter may be.
		weights := fill(rng, make([]int16, lines), -(1<<weightBits)/(6*lines), 1<<weightBits*4/3/lines)
		simd, portable := bothWays(t, func() []int16 {
			to := make([]int16, n)
			down(to, pix, stride, weights)
			return to
		})
		if !slices.Equal(simd, portable) {
			t.Fatalf("down, %d lines of %d: %v, portable %v", lines, n, simd, portable)
		}

		taps, to := acrossUnit*(1+rng.IntN(3)), 1+rng.IntN(40)
		line := fill(rng, make([]int16, n+taps), -lineMost/4, lineMost)
		first := fill(rng, make([]int32, to), 0, n)
		weights = fill(rng, make([]int16, to*taps), -(1<<weightBits)/(6*taps), 1<<weightBits*4/3/taps)
		one, other := bothWays(t, func() []int32 {
			sums := make([]int32, to)
			across(sums, line, first, weights, taps)
			return sums
		})
		if !slices.Equal(one, other) {
			t.Fatalf("across, %d taps to %d: %v, portable %v", taps, to, one, other)
		}

		planes := fill(rng, make([]int32, 3*n), -90<<outBits, 255*16/9<<outBits)
		rgb, want := bothWays(t, func() []uint8 {
			out := make([]uint8, 3*n)
			colours(out[:n], out[n:2*n], out[2*n:], planes[:n], planes[n:2*n], planes[2*n:])
			return out
		})
		if !slices.Equal(rgb, want) {
			t.Fatalf("colours, %d pixels: %v, portable %v", n, rgb, want)
		}
	}
}

// Whole pictures of every kind, by both filters, with sizes on both sides of every block.
func TestPicturesHaveTheSameBits(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	ratios := []image.YCbCrSubsampleRatio{
		image.YCbCrSubsampleRatio444, image.YCbCrSubsampleRatio422, image.YCbCrSubsampleRatio420,
		image.YCbCrSubsampleRatio440, image.YCbCrSubsampleRatio411, image.YCbCrSubsampleRatio410,
	}
	var s Scaler
	for i := range 600 {
		r := image.Rect(0, 0, 1+rng.IntN(120), 1+rng.IntN(120))
		part := image.Rect(rng.IntN(r.Max.X), rng.IntN(r.Max.Y), r.Max.X, r.Max.Y)
		var img image.Image
		switch i % 3 {
		case 0:
			p := image.NewYCbCr(r, ratios[i/3%len(ratios)])
			fill(rng, p.Y, 0, 255)
			fill(rng, p.Cb, 0, 255)
			fill(rng, p.Cr, 0, 255)
			img = p
		case 1:
			p := image.NewGray(r)
			fill(rng, p.Pix, 0, 255)
			img = p
		default:
			p := image.NewNRGBA(r)
			fill(rng, p.Pix, 0, 255)
			img = p
		}
		w, h := 1+rng.IntN(60), 1+rng.IntN(60)
		for _, f := range []*Filter{Triangle, Cubic} {
			simd, portable := bothWays(t, func() []uint8 {
				red, green, blue := s.RGB(f, img, part, w, h)
				return slices.Concat(red, green, blue)
			})
			if !slices.Equal(simd, portable) {
				t.Fatalf("%T, %v to %d × %d: the kernels differ", img, part, w, h)
			}
		}
	}
}

// BenchmarkRGB scales the planes of a JPEG of 400 × 400, by the kernels for AVX2 and by the portable ones.
func BenchmarkRGB(b *testing.B) {
	if !haveAVX2 {
		b.Skip("this processor has no AVX2")
	}
	defer func() { haveAVX2 = true }()
	img := image.NewYCbCr(image.Rect(0, 0, 400, 400), image.YCbCrSubsampleRatio420)
	rng := rand.New(rand.NewPCG(1, 2))
	fill(rng, img.Y, 0, 255)
	fill(rng, img.Cb, 0, 255)
	fill(rng, img.Cr, 0, 255)
	for _, side := range []int{96, 224} {
		for _, haveAVX2 = range []bool{true, false} {
			name := map[bool]string{true: "avx2", false: "go"}[haveAVX2]
			b.Run(fmt.Sprintf("side=%d/%s", side, name), func(b *testing.B) {
				var s Scaler
				for b.Loop() {
					s.RGB(Triangle, img, img.Rect, side, side)
				}
			})
		}
	}
}
