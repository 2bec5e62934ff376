package boards

import (
	"image"
	"image/draw"
	"math"

	"golang.org/x/image/vector"
)

// maxSide is the longest side of a canvas in pixels: the rasteriser works in integers, alike on all
// machines, up to here and in floating point beyond.
const maxSide = 512

// canvas is a picture that is being painted, with the memory that painting needs.
type canvas struct {
	img    *image.RGBA // opaque
	raster vector.Rasterizer
	cover  []uint8   // coverage of the shape in hand
	height []float32 // its relief, in pixels
	spare  [2][]float32
	grid   []float32
}

func newCanvas(w, h int) *canvas {
	if w > maxSide || h > maxSide {
		panic("boards: canvas beyond 512 pixels")
	}
	return &canvas{img: image.NewRGBA(image.Rect(0, 0, w, h))}
}

// light is how a piece was photographed.
type light struct {
	x, y, z  float64 // direction to the light; z points to the viewer
	ambient  float64 // share of the light that comes from everywhere
	shadow   float64 // darkness of the shadow on the background, in [0, 1]
	soft     float64 // its blur, in lengths of the piece
	grain    float64 // noise of the sensor and of the weave
	exposure float64
	tint     rgb // colour of the light
}

// affine maps (x, y) to (a x + b y + c, d x + e y + f).
type affine struct{ a, b, c, d, e, f float64 }

func (m affine) apply(p point) point {
	return point{
		float64(m.a*p.x) + float64(m.b*p.y) + m.c,
		float64(m.d*p.x) + float64(m.e*p.y) + m.f,
	}
}

// then is the map that applies m first and n to the result.
func (m affine) then(n affine) affine {
	return affine{
		float64(n.a*m.a) + float64(n.b*m.d), float64(n.a*m.b) + float64(n.b*m.e), float64(n.a*m.c) + float64(n.b*m.f) + n.c,
		float64(n.d*m.a) + float64(n.e*m.d), float64(n.d*m.b) + float64(n.e*m.e), float64(n.d*m.c) + float64(n.e*m.f) + n.f,
	}
}

func (m affine) inverse() affine {
	k := 1 / (float64(m.a*m.e) - float64(m.b*m.d))
	i := affine{a: m.e * k, b: -m.b * k, d: -m.d * k, e: m.a * k}
	i.c = -(float64(i.a*m.c) + float64(i.b*m.f))
	i.f = -(float64(i.d*m.c) + float64(i.e*m.f))
	return i
}

// bounds of rings in pixels.
func bounds(rings ...ring) (lo, hi point) {
	lo, hi = point{math.Inf(1), math.Inf(1)}, point{math.Inf(-1), math.Inf(-1)}
	for _, r := range rings {
		for _, p := range r {
			lo = point{min(lo.x, p.x), min(lo.y, p.y)}
			hi = point{max(hi.x, p.x), max(hi.y, p.y)}
		}
	}
	return lo, hi
}

// mask rasterises rings, in pixels, into c.cover, and returns the rectangle that it covers: theirs
// with a margin, inside the canvas with that margin around it. It is empty when nothing shows.
func (c *canvas) mask(rings []ring, margin int) image.Rectangle {
	lo, hi := bounds(rings...)
	if !(lo.x < hi.x && lo.y < hi.y) {
		return image.Rectangle{}
	}
	r := image.Rect(int(math.Floor(lo.x)), int(math.Floor(lo.y)), int(math.Ceil(hi.x)), int(math.Ceil(hi.y)))
	r = r.Intersect(c.img.Rect)
	if r.Empty() {
		return r
	}
	r = r.Inset(-margin)
	// Not beyond the sides that the rasteriser does in integers.
	if extra := r.Dx() - maxSide; extra > 0 {
		r.Min.X, r.Max.X = r.Min.X+extra/2, r.Max.X-(extra+1)/2
	}
	if extra := r.Dy() - maxSide; extra > 0 {
		r.Min.Y, r.Max.Y = r.Min.Y+extra/2, r.Max.Y-(extra+1)/2
	}
	w, h := r.Dx(), r.Dy()
	c.raster.Reset(w, h)
	c.raster.DrawOp = draw.Src
	for _, ring := range rings {
		for i, p := range ring {
			x, y := float32(p.x-float64(r.Min.X)), float32(p.y-float64(r.Min.Y))
			if i == 0 {
				c.raster.MoveTo(x, y)
			} else {
				c.raster.LineTo(x, y)
			}
		}
		c.raster.ClosePath()
	}
	c.cover = sized(c.cover, w*h)
	dst := &image.Alpha{Pix: c.cover, Stride: w, Rect: image.Rect(0, 0, w, h)}
	c.raster.Draw(dst, dst.Rect, image.Opaque, image.Point{})
	return r
}

// sized returns a slice of n elements, of whatever content, in the memory of s where it is enough.
func sized[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n, n+n/2)
	}
	return s[:n]
}

// blur averages src, w×h, over squares of side 2 radius + 1, in place; outside is 0.
func (c *canvas) blur(src []float32, w, h, radius int) {
	if radius < 1 {
		return
	}
	rows := sized(c.spare[0], w*h)
	sums := sized(c.spare[1], w)
	c.spare[0], c.spare[1] = rows, sums
	k := 1 / float32((2*radius+1)*(2*radius+1))
	for y := range h {
		in, out := src[y*w:y*w+w], rows[y*w:y*w+w]
		var sum float32
		for x := range min(radius, w) {
			sum += in[x]
		}
		for x := range out {
			if x+radius < w {
				sum += in[x+radius]
			}
			if x-radius-1 >= 0 {
				sum -= in[x-radius-1]
			}
			out[x] = sum
		}
	}
	clear(sums)
	for y := range min(radius, h) {
		for x, v := range rows[y*w : y*w+w] {
			sums[x] += v
		}
	}
	for y := range h {
		if y+radius < h {
			for x, v := range rows[(y+radius)*w : (y+radius)*w+w] {
				sums[x] += v
			}
		}
		if y-radius-1 >= 0 {
			for x, v := range rows[(y-radius-1)*w : (y-radius-1)*w+w] {
				sums[x] -= v
			}
		}
		out := src[y*w : y*w+w]
		for x, v := range sums {
			out[x] = v * k
		}
	}
}

// shadow darkens the background where the rings, in pixels, keep the light of l away from it.
func (c *canvas) shadow(rings []ring, l light, size float64) {
	radius := int(size*l.soft) + 1
	r := c.mask(rings, 2*radius)
	if r.Empty() {
		return
	}
	w, h := r.Dx(), r.Dy()
	f := sized(c.height, w*h)
	c.height = f
	for i, a := range c.cover {
		f[i] = float32(a) * float32(l.shadow/255)
	}
	c.blur(f, w, h, radius)
	c.blur(f, w, h, radius)
	shift := image.Pt(int(-l.x*size*.06), int(max(-l.y, .2)*size*.05))
	in := r.Add(shift).Intersect(c.img.Rect)
	for y := in.Min.Y; y < in.Max.Y; y++ {
		row := f[(y-shift.Y-r.Min.Y)*w:]
		pix := c.img.Pix[c.img.PixOffset(in.Min.X, y):]
		for x := in.Min.X; x < in.Max.X; x++ {
			keep := 256 - int32(row[x-shift.X-r.Min.X]*256)
			o := (x - in.Min.X) * 4
			for j := range 3 {
				pix[o+j] = uint8(int32(pix[o+j]) * keep >> 8)
			}
		}
	}
}

// fill paints one shape. The rings are in pixels; local maps pixels to the shape's own frame, and
// size is the length in pixels of 1 in that frame.
func (c *canvas) fill(rings []ring, s *shape, local affine, size float64, l light, seed uint32) {
	r := c.mask(rings, 1)
	if r.Empty() {
		return
	}
	w := r.Dx()
	height := c.relief(r, s, local, size)
	// What a surface sends back that faces the viewer, so that flat details match.
	flat := l.ambient + float64((1-l.ambient)*l.z*1.1)
	hx, hy, hz := l.x, l.y, l.z+1 // between light and viewer
	hn := 1 / math.Sqrt(float64(hx*hx)+float64(hy*hy)+float64(hz*hz))
	hx, hy, hz = hx*hn, hy*hn, hz*hn
	diffuse := (1 - l.ambient) * 1.1
	alpha := int32(s.alpha * 257)
	px := 1 / size

	in := r.Intersect(c.img.Rect)
	for y := in.Min.Y; y < in.Max.Y; y++ {
		base := (y - r.Min.Y) * w
		pix := c.img.Pix[c.img.PixOffset(0, y):]
		fy := float64(y) + .5
		u0, v0 := float64(local.b*fy)+local.c, float64(local.e*fy)+local.f
		for x := in.Min.X; x < in.Max.X; x++ {
			i := base + x - r.Min.X
			a := int32(c.cover[i])
			if a == 0 {
				continue
			}
			fx := float64(x) + .5
			col := s.at(u0+float64(local.a*fx), v0+float64(local.d*fx), px)
			bright, shine := flat, 0.0
			if height != nil {
				// The margin of 1 keeps the neighbours inside, but at the canvas' own rim.
				var gx, gy float64
				if x > r.Min.X && x+1 < r.Max.X {
					gx = float64(height[i+1]-height[i-1]) * .5
				}
				if y > r.Min.Y && y+1 < r.Max.Y {
					gy = float64(height[i+w]-height[i-w]) * .5
				}
				nz := 1 / math.Sqrt(1+float64(gx*gx)+float64(gy*gy))
				nx, ny := -gx*nz, -gy*nz
				d := float64(nx*l.x) + float64(ny*l.y) + float64(nz*l.z)
				bright = float64(l.ambient*(.55+float64(.45*nz))) + float64(diffuse*max(d, 0))
				if s.gloss > 0 {
					k := float64(nx*hx) + float64(ny*hy) + float64(nz*hz)
					if k > .5 {
						k *= k
						k *= k
						k *= k
						k *= k
						shine = float64(k * s.gloss * .55)
						k *= k
						k *= k
						shine += float64(k * s.gloss * .45)
					}
				}
			}
			bright *= l.exposure
			if l.grain > 0 {
				bright *= 1 + float64((hash(x, y, seed)-.5)*l.grain)
			}
			a = a * alpha >> 8
			o := 4 * x
			blend(&pix[o], (float64(col.r*bright)+shine)*l.tint.r, a)
			blend(&pix[o+1], (float64(col.g*bright)+shine)*l.tint.g, a)
			blend(&pix[o+2], (float64(col.b*bright)+shine)*l.tint.b, a)
		}
	}
}

// blend lays v, in [0, 1] or beyond, over the channel with coverage a of 255.
func blend(p *uint8, v float64, a int32) {
	s := int32(float64(clamp(v, 0, 1)*255) + .5)
	*p = uint8((int32(*p)*(255-a) + s*a + 127) / 255)
}

// relief computes the height of the shape's surface in pixels above the ground, over r: rounded
// towards the edges by the shape's volume, with its folds on top. It is nil for a flat shape.
func (c *canvas) relief(r image.Rectangle, s *shape, local affine, size float64) []float32 {
	if s.volume <= 0 && s.relief == nil {
		return nil
	}
	w, h := r.Dx(), r.Dy()
	out := sized(c.height, w*h)
	c.height = out
	if s.volume > 0 {
		radius := max(1, int(s.volume*size*.5))
		k := float32(s.volume * size * 1.3 / 255)
		for i, a := range c.cover {
			out[i] = float32(a) * k
		}
		c.blur(out, w, h, radius)
		c.blur(out, w, h, radius)
	} else {
		clear(out)
	}
	if s.relief == nil {
		return out
	}
	// Folds are smooth: evaluated at every third pixel, linear in between.
	const step = 3
	gw, gh := (w-1)/step+2, (h-1)/step+2
	grid := sized(c.grid, gw*gh)
	c.grid = grid
	for j := range gh {
		y := float64(r.Min.Y+j*step) + .5
		for i := range gw {
			x := float64(r.Min.X+i*step) + .5
			p := local.apply(point{x, y})
			grid[j*gw+i] = float32(s.relief(p.x, p.y) * size)
		}
	}
	for y := range h {
		j, fy := y/step, float32(y%step)/step
		row, next := grid[j*gw:j*gw+gw], grid[(j+1)*gw:(j+1)*gw+gw]
		for x := range w {
			i, fx := x/step, float32(x%step)/step
			a := row[i] + float32((next[i]-row[i])*fy)
			b := row[i+1] + float32((next[i+1]-row[i+1])*fy)
			out[y*w+x] += a + float32((b-a)*fx)
		}
	}
	return out
}
