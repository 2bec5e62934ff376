// Package scale brings pictures to the size that a model wants: antialiased filters by their definition,
// in fixed point, JPEG's planes as they are stored. The passes over lines have kernels for AVX2, which give
// the same bits as the portable ones.
package scale

import (
	"image"
	"math"

	"golang.org/x/image/draw"
)

// Filter is a kernel of antialiased scaling: [Triangle] or [Cubic].
type Filter struct {
	support float64 // beyond it, the weight is 0
	at      func(distance float64) float64
}

var (
	// Triangle is what others call bilinear with antialiasing.
	Triangle = &Filter{1, func(d float64) float64 { return 1 - d }}

	// Cubic is that of R. Keys, Cubic convolution interpolation for digital image processing, 1981, with
	// a = -1/2.
	Cubic = &Filter{2, func(d float64) float64 {
		if d < 1 {
			return (1.5*d-2.5)*d*d + 1
		}
		return ((-0.5*d+2.5)*d-4)*d + 2
	}}
)

// Fixed point: a weight is 1 at 2^weightBits; components have lineBits bits behind the point between the two
// passes, and outBits after them. With the overshoot of a cubic, at most a third for each pass, a component
// is below 2^8·4/3·2^lineBits < 2^15 between the passes, and sums are below 2^8·(4/3)²·2^(lineBits+weightBits)
// < 2^31.
const (
	weightBits = 14
	lineBits   = 6
	outBits    = 8
)

// taps are the weights by which the pixels of a line become those of another: pixel o is the sum over
// i < n of weights[o*n+i] times the pixel at first[o]+i. n is the same for all, so that the loops over it
// are short and straight; where fewer pixels matter, weights are 0.
type taps struct {
	n       int
	first   []int32
	weights []int16
}

// tapsKey is what taps depend on.
type tapsKey struct {
	filter        *Filter
	from, to      int // pixels
	share, offset int
	across        bool
}

// have is how many components there are of the pixels that are scaled.
func (k tapsKey) have() int { return (k.from-1+k.offset)>>k.share + 1 }

// newTaps is of the scaling of a line of from pixels to one of to. An output pixel is the mean of all pixels
// around its centre, weighted by the filter of their distance in units of the larger pixel: antialiased when
// shrinking. For a component that several pixels share (chroma), share is how many as a power of two, and
// offset where the line begins among those that share the first: its taps are those of the full line,
// summed, as if every pixel had its copy.
//
// Across a line, n is a multiple of [acrossUnit], and the last taps may be beyond the line, with weight 0.
// Down the lines it is even, unless there are fewer lines, and no tap is beyond them.
func newTaps(k tapsKey) *taps {
	scale := float64(k.from) / float64(k.to)
	wide := max(scale, 1)
	// An open interval of that length holds so many pixels at most, and these so many components.
	pixels := int(math.Ceil(2 * k.filter.support * wide))
	n := pixels
	if k.share > 0 {
		n = (pixels-1)>>k.share + 2
	}
	last := math.MaxInt // the first tap is at most there
	if k.across {
		n = (n + acrossUnit - 1) / acrossUnit * acrossUnit
	} else {
		n = min((n+1)&^1, k.have())
		last = k.have() - n
	}
	t := &taps{n, make([]int32, k.to), make([]int16, k.to*n)}
	exact := make([]float64, n)
	for o := range k.to {
		centre := (float64(o) + 0.5) * scale
		low := max(0, int(math.Floor(centre-0.5-k.filter.support*wide))+1)
		high := min(k.from, int(math.Ceil(centre-0.5+k.filter.support*wide)))
		first := min((low+k.offset)>>k.share, last)
		clear(exact)
		sum := 0.0
		for i := low; i < high; i++ {
			if d := math.Abs(float64(i)+0.5-centre) / wide; d < k.filter.support {
				w := k.filter.at(d)
				exact[(i+k.offset)>>k.share-first] += w
				sum += w
			}
		}
		t.first[o] = int32(first)
		// Rounded so that the weights add up to 1: the error is handed on from weight to weight.
		total, rounded := 0.0, 0
		for i, w := range exact {
			total += w / sum * (1 << weightBits)
			r := int(math.Round(total)) - rounded
			rounded += r
			t.weights[o*n+i] = int16(r)
		}
	}
	return t
}

// plane is one component of a picture, or four that stand side by side, of which three count.
type plane struct {
	pix    []uint8
	stride int // from a line to the next
	step   int // from a pixel to the next: the components
}

// Scaler scales pictures. Its zero value is ready; it is used by one goroutine at a time, and faster for
// sizes that it has seen.
type Scaler struct {
	taps  map[tapsKey]*taps
	line  []int16 // a line after the pass down
	parts [3][]int16
	sums  [3][]int32 // components of the result, outBits behind the point
	out   [3][]uint8
}

// mostTaps are kept; a collection of pictures that all differ in size has no use for them.
const mostTaps = 64

func (s *Scaler) tapsOf(k tapsKey) *taps {
	t := s.taps[k]
	if t == nil {
		if s.taps == nil || len(s.taps) >= mostTaps {
			s.taps = make(map[tapsKey]*taps)
		}
		t = newTaps(k)
		s.taps[k] = t
	}
	return t
}

// RGB gives the part from of img, scaled to w × h: the components red, green and blue of each pixel, in
// slices that are valid until s is used again. img is taken for opaque, and from is within its bounds and not
// empty.
//
// JPEG's planes are scaled as they are, chroma at its own size, and become colours afterwards: scaling
// and the change of colours are both linear, so the order makes no difference but where colours leave
// their range, and the work is a third.
func (s *Scaler) RGB(f *Filter, img image.Image, from image.Rectangle, w, h int) (r, g, b []uint8) {
	for c := range s.sums {
		s.sums[c] = grow(s.sums[c], w*h)
		s.out[c] = grow(s.out[c], w*h)
	}
	switch img := img.(type) {
	case *image.YCbCr:
		shareX, shareY, ok := subsampling(img.SubsampleRatio)
		if !ok {
			break
		}
		s.run(f, plane{img.Y[img.YOffset(from.Min.X, from.Min.Y):], img.YStride, 1}, from, 0, 0, w, h, 0)
		at := img.COffset(from.Min.X, from.Min.Y)
		s.run(f, plane{img.Cb[at:], img.CStride, 1}, from, shareX, shareY, w, h, 1)
		s.run(f, plane{img.Cr[at:], img.CStride, 1}, from, shareX, shareY, w, h, 2)
		colours(s.out[0], s.out[1], s.out[2], s.sums[0], s.sums[1], s.sums[2])
		return s.out[0], s.out[1], s.out[2]
	case *image.Gray:
		s.run(f, plane{img.Pix[img.PixOffset(from.Min.X, from.Min.Y):], img.Stride, 1}, from, 0, 0, w, h, 0)
		levels(s.out[0], s.sums[0])
		return s.out[0], s.out[0], s.out[0]
	case *image.RGBA:
		return s.rgb(f, img.Pix[img.PixOffset(from.Min.X, from.Min.Y):], img.Stride, from, w, h)
	case *image.NRGBA:
		return s.rgb(f, img.Pix[img.PixOffset(from.Min.X, from.Min.Y):], img.Stride, from, w, h)
	}
	flat := image.NewRGBA(image.Rectangle{Max: from.Size()})
	draw.Draw(flat, flat.Rect, img, from.Min, draw.Src)
	return s.rgb(f, flat.Pix, flat.Stride, flat.Rect, w, h)
}

func (s *Scaler) rgb(f *Filter, pix []uint8, stride int, from image.Rectangle, w, h int) (r, g, b []uint8) {
	s.run(f, plane{pix, stride, 4}, from, 0, 0, w, h, 0)
	for c := range s.out {
		levels(s.out[c], s.sums[c])
	}
	return s.out[0], s.out[1], s.out[2]
}

// run scales the components of p, which begins at the first pixel of the part from of a picture, or at the
// component that it shares, to w × h, into s.sums from the one numbered first on. shareX and shareY are as in
// [newTaps].
//
// Lines are summed down first, where neighbours are side by side in memory, and then across.
func (s *Scaler) run(f *Filter, p plane, from image.Rectangle, shareX, shareY, w, h, first int) {
	across := tapsKey{f, from.Dx(), w, shareX, from.Min.X & (1<<shareX - 1), true}
	x := s.tapsOf(across)
	y := s.tapsOf(tapsKey{f, from.Dy(), h, shareY, from.Min.Y & (1<<shareY - 1), false})
	have := across.have()
	n := have * p.step
	s.line = grow(s.line, n+x.n) // with room for the taps that are beyond it
	for o := range h {
		top := int(y.first[o]) * p.stride
		down(s.line[:n], p.pix[top:top+(y.n-1)*p.stride+n], p.stride, y.weights[o*y.n:(o+1)*y.n])
		if p.step == 1 {
			sumAcross(s.sums[first][o*w:(o+1)*w], s.line, x)
			continue
		}
		for c := range s.parts {
			s.parts[c] = grow(s.parts[c], have+x.n)
		}
		r, g, b := s.parts[0][:have], s.parts[1][:have], s.parts[2][:have]
		for i := range have {
			v := s.line[4*i:][:4:4]
			r[i], g[i], b[i] = v[0], v[1], v[2]
		}
		for c, part := range s.parts {
			sumAcross(s.sums[c][o*w:(o+1)*w], part, x)
		}
	}
}

// levels rounds to whole grey levels, 0 to 255.
func levels(to []uint8, sums []int32) {
	for i, v := range sums[:len(to)] {
		to[i] = level((v + 1<<(outBits-1)) >> outBits)
	}
}

// Of the change of colours that JFIF defines (ITU-R BT.601, full range), the factors, with colourBits behind
// the point: as many as 32 bits have room for.
const (
	colourBits = 13
	crR        = 11485 // 1.402
	cbG        = 2819  // 0.344136
	crG        = 5850  // 0.714136
	cbB        = 14516 // 1.772

	colourShift = colourBits + outBits
)

// coloursGo makes red, green and blue of luma and chroma, rounded to whole grey levels. All have one length.
func coloursGo(r, g, b []uint8, luma, cbs, crs []int32) {
	const half = 1 << (colourShift - 1)
	for i, y := range luma {
		y := y<<colourBits + half
		cb, cr := cbs[i]-128<<outBits, crs[i]-128<<outBits
		r[i] = level((y + crR*cr) >> colourShift)
		g[i] = level((y - cbG*cb - crG*cr) >> colourShift)
		b[i] = level((y + cbB*cb) >> colourShift)
	}
}

func level(v int32) uint8 { return uint8(min(255, max(0, v))) }

// subsampling gives how many pixels share a chroma component, as powers of two.
func subsampling(r image.YCbCrSubsampleRatio) (x, y int, ok bool) {
	switch r {
	case image.YCbCrSubsampleRatio444:
		return 0, 0, true
	case image.YCbCrSubsampleRatio422:
		return 1, 0, true
	case image.YCbCrSubsampleRatio420:
		return 1, 1, true
	case image.YCbCrSubsampleRatio440:
		return 0, 1, true
	case image.YCbCrSubsampleRatio411:
		return 2, 0, true
	case image.YCbCrSubsampleRatio410:
		return 2, 1, true
	}
	return 0, 0, false
}

func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}
