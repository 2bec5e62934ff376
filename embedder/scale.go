package embedder

import (
	"image"
	"math"
	"sync"

	"golang.org/x/image/draw"
)

// filter is a kernel of antialiased scaling: [filterTriangle] or [filterCubic].
type filter struct {
	support float64 // beyond it, the weight is 0
	at      func(distance float64) float64
}

var (
	filterTriangle = filter{1, func(d float64) float64 { return 1 - d }}
	// R. Keys, Cubic convolution interpolation for digital image processing, 1981, with a = -1/2.
	filterCubic = filter{2, func(d float64) float64 {
		if d < 1 {
			return (1.5*d-2.5)*d*d + 1
		}
		return ((-0.5*d+2.5)*d-4)*d + 2
	}}
)

// Fixed point of the two passes: a weight is 1 at 2^weightBits; a component after the horizontal pass has
// lineBits bits behind the point. 255·2^(7+14) is within 32 bits, with room for the overshoot of a cubic.
const (
	weightBits = 14
	lineBits   = 7
)

// taps are the weights by which the pixels of a line become those of another: pixel o is the sum over
// i < n of weights[o*n+i] times the pixel at first[o]+i. n is the same for all, so that the loops over it
// are short and straight; where fewer pixels matter, weights are 0.
type taps struct {
	n       int
	first   []int32
	weights []int32
}

// set makes t scale a line of from pixels to one of to. An output pixel is the mean of all pixels around
// its centre, weighted by the filter of their distance in units of the larger pixel: antialiased when
// shrinking. For a component that several pixels share (chroma), share is how many as a power of two, and
// offset where the line begins among those that share the first: its taps are those of the full line,
// summed, as if every pixel had its copy.
func (t *taps) set(f *filter, from, to, share, offset int) {
	scale := float64(from) / float64(to)
	wide := max(scale, 1)
	have := (from-1+offset)>>share + 1 // components on the line
	// An open interval of that length holds so many pixels at most, and these so many components.
	pixels := int(math.Ceil(2 * f.support * wide))
	t.n = pixels
	if share > 0 {
		t.n = (pixels-1)>>share + 2
	}
	t.n = min((t.n+3)&^3, have) // by fours, for [scaler.vertical]
	t.first = grow(t.first, to)
	t.weights = grow(t.weights, to*t.n)
	exact := make([]float64, t.n)
	for o := range to {
		centre := (float64(o) + 0.5) * scale
		low := max(0, int(math.Floor(centre-0.5-f.support*wide))+1)
		high := min(from, int(math.Ceil(centre-0.5+f.support*wide)))
		first := min((low+offset)>>share, have-t.n)
		clear(exact)
		sum := 0.0
		for i := low; i < high; i++ {
			if d := math.Abs(float64(i)+0.5-centre) / wide; d < f.support {
				w := f.at(d)
				exact[(i+offset)>>share-first] += w
				sum += w
			}
		}
		t.first[o] = int32(first)
		// Rounded so that the weights add up to 1: the error is handed on from weight to weight.
		total, rounded := 0.0, int32(0)
		for i, w := range exact {
			total += w / sum * (1 << weightBits)
			r := int32(math.Round(total)) - rounded
			rounded += r
			t.weights[o*t.n+i] = r
		}
	}
}

// plane is one component of a picture, or several that stand side by side.
type plane struct {
	pix    []uint8
	stride int // from a line to the next
	step   int // from a pixel to the next: the components
}

// scaler scales pictures to width × height. It is used by one goroutine at a time.
type scaler struct {
	x, y taps
	line []int32    // a line of the result, while it is summed
	ring []int32    // lines after the horizontal pass
	out  [3][]int32 // components of the result
}

// scalers are shared by all preparers.
var scalers = sync.Pool{New: func() any { return new(scaler) }}

// outBits are behind the point of the components that scale gives.
const outBits = 8

// run scales components of p, whose pixels are of the part from of a picture, to w × h, into out, one
// slice for each component, in fixed point with outBits. share and offset are as in [taps.set], for
// both axes; p begins at the first pixel that is shared.
func (s *scaler) run(f *filter, p plane, from image.Point, shareX, shareY, offsetX, offsetY, w, h int, out [][]int32) {
	s.x.set(f, from.X, w, shareX, offsetX)
	s.y.set(f, from.Y, h, shareY, offsetY)
	// Lines are scaled as they are wanted, each once, and kept in a ring for the output lines that
	// overlap.
	n, lines := len(out), s.y.n
	size := w * n
	s.ring = grow(s.ring, lines*size)
	s.line = grow(s.line, size)
	done := -1 // the last line that is in the ring
	for o := range h {
		first := int(s.y.first[o])
		for done = max(done, first-1); done < first+lines-1; {
			done++
			slot := done % lines * size
			s.horizontal(s.ring[slot:slot+size], p.pix[done*p.stride:], p.step, n)
		}
		s.vertical(s.line, first, s.y.weights[o*lines:(o+1)*lines])
		const shift = lineBits + weightBits - outBits
		for c := range n {
			row := out[c][o*w : (o+1)*w]
			for x := range row {
				row[x] = (s.line[x*n+c] + 1<<(shift-1)) >> shift
			}
		}
	}
}

// vertical sums the lines of the ring from the line first on, weighted, into sum: four at a time.
func (s *scaler) vertical(sum []int32, first int, weights []int32) {
	size, lines := len(sum), len(weights)
	at := func(i int) []int32 { slot := (first + i) % lines * size; return s.ring[slot : slot+size][:len(sum)] }
	i := 0
	for ; i+4 <= lines; i += 4 {
		a, b, c, d := at(i), at(i+1), at(i+2), at(i+3)
		wa, wb, wc, wd := weights[i], weights[i+1], weights[i+2], weights[i+3]
		if i == 0 {
			for k := range sum {
				sum[k] = a[k]*wa + b[k]*wb + c[k]*wc + d[k]*wd
			}
			continue
		}
		if wa|wb|wc|wd == 0 {
			continue
		}
		for k := range sum {
			sum[k] += a[k]*wa + b[k]*wb + c[k]*wc + d[k]*wd
		}
	}
	if lines < 4 {
		clear(sum)
	}
	for ; i < lines; i++ {
		a, wa := at(i), weights[i]
		for k := range sum {
			sum[k] += a[k] * wa
		}
	}
}

// horizontal scales a line: n components of each pixel, side by side in to.
func (s *scaler) horizontal(to []int32, line []uint8, step, n int) {
	const round, shift = 1 << (weightBits - lineBits - 1), weightBits - lineBits
	t, all := s.x.n, s.x.weights
	switch {
	case n == 3:
		for o, first := range s.x.first {
			var r, g, b int32
			at := int(first) * step
			for _, weight := range all[o*t : (o+1)*t] {
				v := line[at : at+3 : at+3]
				r += int32(v[0]) * weight
				g += int32(v[1]) * weight
				b += int32(v[2]) * weight
				at += step
			}
			to[3*o], to[3*o+1], to[3*o+2] = (r+round)>>shift, (g+round)>>shift, (b+round)>>shift
		}
	case t == 4:
		for o, first := range s.x.first {
			v, w := line[first:][:4:4], all[4*o:][:4:4]
			to[o] = (int32(v[0])*w[0] + int32(v[1])*w[1] + int32(v[2])*w[2] + int32(v[3])*w[3] + round) >> shift
		}
	case t == 8:
		for o, first := range s.x.first {
			v, w := line[first:][:8:8], all[8*o:][:8:8]
			to[o] = (int32(v[0])*w[0] + int32(v[1])*w[1] + int32(v[2])*w[2] + int32(v[3])*w[3] +
				int32(v[4])*w[4] + int32(v[5])*w[5] + int32(v[6])*w[6] + int32(v[7])*w[7] + round) >> shift
		}
	case t == 12: // a photograph of 400 pixels to 96
		for o, first := range s.x.first {
			v, w := line[first:][:12:12], all[12*o:][:12:12]
			to[o] = (int32(v[0])*w[0] + int32(v[1])*w[1] + int32(v[2])*w[2] + int32(v[3])*w[3] +
				int32(v[4])*w[4] + int32(v[5])*w[5] + int32(v[6])*w[6] + int32(v[7])*w[7] +
				int32(v[8])*w[8] + int32(v[9])*w[9] + int32(v[10])*w[10] + int32(v[11])*w[11] + round) >> shift
		}
	default:
		for o, first := range s.x.first {
			weights := all[o*t : (o+1)*t]
			var sum int32
			for i, v := range line[first:][:len(weights)] {
				sum += int32(v) * weights[i]
			}
			to[o] = (sum + round) >> shift
		}
	}
}

func grow(s []int32, n int) []int32 {
	if cap(s) < n {
		return make([]int32, n)
	}
	return s[:n]
}

// scale gives the part from of img, scaled to w × h: the components red, green and blue of each pixel,
// 0 to 255, in slices that are valid until s is used again. img is opaque, as [overWhite] makes it.
//
// JPEG's planes are scaled as they are, chroma at its own size, and become colours afterwards: scaling
// and the change of colours are both linear, so the order makes no difference but where colours leave
// their range, and the work is a third.
func (s *scaler) scale(f *filter, img image.Image, from image.Rectangle, w, h int) (r, g, b []int32) {
	for c := range s.out {
		s.out[c] = grow(s.out[c], w*h)
	}
	switch img := img.(type) {
	case *image.YCbCr:
		shareX, shareY, ok := subsampling(img.SubsampleRatio)
		if !ok {
			break
		}
		s.run(f, plane{img.Y[img.YOffset(from.Min.X, from.Min.Y):], img.YStride, 1}, from.Size(), 0, 0, 0, 0, w, h, s.out[:1])
		at := img.COffset(from.Min.X, from.Min.Y)
		offX, offY := from.Min.X&(1<<shareX-1), from.Min.Y&(1<<shareY-1)
		s.run(f, plane{img.Cb[at:], img.CStride, 1}, from.Size(), shareX, shareY, offX, offY, w, h, s.out[1:2])
		s.run(f, plane{img.Cr[at:], img.CStride, 1}, from.Size(), shareX, shareY, offX, offY, w, h, s.out[2:])
		s.colours()
		return s.out[0], s.out[1], s.out[2]
	case *image.Gray:
		s.run(f, plane{img.Pix[img.PixOffset(from.Min.X, from.Min.Y):], img.Stride, 1}, from.Size(), 0, 0, 0, 0, w, h, s.out[:1])
		s.clamp(s.out[0])
		return s.out[0], s.out[0], s.out[0]
	case *image.RGBA:
		s.rgb(f, img.Pix[img.PixOffset(from.Min.X, from.Min.Y):], img.Stride, from.Size(), w, h)
		return s.out[0], s.out[1], s.out[2]
	case *image.NRGBA:
		s.rgb(f, img.Pix[img.PixOffset(from.Min.X, from.Min.Y):], img.Stride, from.Size(), w, h)
		return s.out[0], s.out[1], s.out[2]
	}
	flat := image.NewRGBA(image.Rectangle{Max: from.Size()})
	draw.Draw(flat, flat.Rect, img, from.Min, draw.Src)
	s.rgb(f, flat.Pix, flat.Stride, from.Size(), w, h)
	return s.out[0], s.out[1], s.out[2]
}

func (s *scaler) rgb(f *filter, pix []uint8, stride int, from image.Point, w, h int) {
	s.run(f, plane{pix, stride, 4}, from, 0, 0, 0, 0, w, h, s.out[:])
	for _, c := range s.out {
		s.clamp(c)
	}
}

// clamp rounds to whole grey levels, 0 to 255.
func (*scaler) clamp(c []int32) {
	for i, v := range c {
		c[i] = min(255, max(0, (v+1<<(outBits-1))>>outBits))
	}
}

// colours makes red, green and blue of luma and chroma, as JFIF defines them (ITU-R BT.601, full range),
// rounded to whole grey levels.
func (s *scaler) colours() {
	const (
		bits = 16
		crR  = 91881  // 1.402
		cbG  = 22554  // 0.344136
		crG  = 46802  // 0.714136
		cbB  = 116130 // 1.772
		half = 1 << (bits + outBits - 1)
	)
	for i, luma := range s.out[0] {
		y := int64(luma)<<bits + half
		cb, cr := int64(s.out[1][i])-128<<outBits, int64(s.out[2][i])-128<<outBits
		s.out[0][i] = level((y + crR*cr) >> (bits + outBits))
		s.out[1][i] = level((y - cbG*cb - crG*cr) >> (bits + outBits))
		s.out[2][i] = level((y + cbB*cb) >> (bits + outBits))
	}
}

func level(v int64) int32 { return int32(min(255, max(0, v))) }

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
