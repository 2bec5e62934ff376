package boards

import "math"

// paint is the colour of a material at (u, v) of its frame, where a pixel is px wide.
type paint func(u, v, px float64) rgb

// relief is the height of a material at (u, v) of its frame: folds, pleats, quilting.
type relief func(u, v float64) float64

// material is what a shape is made of.
type material struct {
	at     paint
	gloss  float64 // strength of highlights: 0 cloth, 0.3 leather, 0.8 metal
	relief relief  // nil: none but the rounding of the shape
	look   look
}

// look is what people would call a material.
type look struct {
	colour  rgb
	pattern string // empty for what nobody would name: soles, skin, glass
}

// shape is one part of a piece: rings of one winding filled with a material.
type shape struct {
	material
	rings  []ring
	volume float64 // depth of its rounding, in lengths of the piece; 0 is flat
	alpha  float64 // opacity
	frame  affine  // from the piece's frame to the material's
	loose  bool    // not part of what the box is drawn around: skin, hair
}

// piece is a garment or an accessory as a list of shapes, painted one over the other.
type piece struct {
	dice
	shapes []shape
	tilt   float64 // standard deviation of its rotation, in turns
	worn   bool    // on a person
	cut    string  // what people would call its form: "blazer"
	arm    string  // what its sleeves are: "none", "short", "long"; empty for what has no place for any
	// body draws who wears it; nil for the dice that the piece is drawn with. A garment that is drawn twice keeps its
	// form, whoever wears it.
	body *dice
}

// on draws who wears the piece.
func (p *piece) on(draw func()) {
	if p.body == nil {
		draw()
		return
	}
	own := p.dice
	p.dice = *p.body
	draw()
	p.dice = own
}

// armOf says what sleeves of that length are called.
func armOf(length float64) string {
	switch {
	case length < .3:
		return "short"
	case length < .45:
		return "three-quarter"
	}
	return "long"
}

var identity = affine{a: 1, e: 1}

// add puts shapes on top. The pointer holds until the next add.
func (p *piece) add(m material, volume float64, rings ...ring) *shape {
	p.shapes = append(p.shapes, shape{material: m, rings: rings, volume: volume, alpha: 1, frame: identity})
	return &p.shapes[len(p.shapes)-1]
}

// seam draws a thin line, such as a seam or a crease, darker or lighter than the material by k.
func (p *piece) seam(m material, k, width, alpha float64, line ...point) {
	p.add(m.times(k), 0, ribbon(line, width)).alpha = alpha
}

// turned gives the shape's material a frame of its own, so that a pattern runs along a sleeve.
func (s *shape) turned(turn float64, at point) *shape {
	c, n := cos(turn), sin(turn)
	s.frame = affine{
		c, n, at.x - float64(c*at.x) - float64(n*at.y),
		-n, c, at.y + float64(n*at.x) - float64(c*at.y),
	}
	return s
}

// pose is how a piece lies on the board.
type pose struct {
	turn  float64 // turns
	shear float64
	warp  float64 // amplitude of the bending, in lengths of the piece
	flip  bool
	phase [4]float64
	freq  [2]float64
}

func (d dice) pose(tilt, warp float64) pose {
	q := pose{
		turn:  d.normal() * tilt,
		shear: d.normal() * .025,
		warp:  warp * d.between(.3, 1),
		flip:  d.chance(.5),
	}
	for i := range q.phase {
		q.phase[i] = d.Float64()
	}
	for i := range q.freq {
		q.freq[i] = d.between(.35, .9)
	}
	return q
}

// posed returns the rings of all shapes as they lie, the affine part of that, and the bounds of
// what counts for the box.
func (p *piece) posed(q pose) (rings [][]ring, m affine, lo, hi point) {
	c, s := cos(q.turn), sin(q.turn)
	m = affine{a: c, b: -s + q.shear, d: s, e: c}
	if q.flip {
		m.a, m.d = -m.a, -m.d
	}
	lo, hi = point{math.Inf(1), math.Inf(1)}, point{math.Inf(-1), math.Inf(-1)}
	rings = make([][]ring, len(p.shapes))
	for i := range p.shapes {
		sh := &p.shapes[i]
		rings[i] = make([]ring, len(sh.rings))
		for j, r := range sh.rings {
			out := make(ring, len(r))
			for k, at := range r {
				x := at.x + float64(q.warp*sin(float64(q.freq[0]*at.y)+q.phase[0])) + float64(q.warp*.3*sin(float64(2*q.freq[1]*at.x)+q.phase[1]))
				y := at.y + float64(q.warp*.6*sin(float64(q.freq[1]*at.x)+q.phase[2])) + float64(q.warp*.3*sin(float64(2*q.freq[0]*at.y)+q.phase[3]))
				out[k] = m.apply(point{x, y})
			}
			rings[i][j] = out
		}
		if !sh.loose {
			l, h := bounds(rings[i]...)
			lo = point{min(lo.x, l.x), min(lo.y, l.y)}
			hi = point{max(hi.x, h.x), max(hi.y, h.y)}
		}
	}
	return rings, m, lo, hi
}

// maxStretch is how far a piece is pulled in one direction to fill its box: more shows.
const maxStretch = 1.1

// aspect is the width over the height of the piece as it lies.
func (p *piece) aspect(q pose) float64 {
	_, _, lo, hi := p.posed(q)
	return (hi.x - lo.x) / (hi.y - lo.y)
}

// draw paints the piece as large as it fits into the rectangle (x, y, w, h), in pixels, and returns
// the rectangle that it came to fill, around the same centre.
func (c *canvas) draw(p *piece, q pose, x, y, w, h float64, l light) (x0, y0, x1, y1 float64) {
	rings, m, lo, hi := p.posed(q)
	pw, ph := hi.x-lo.x, hi.y-lo.y
	sx, sy := float64(w/pw), float64(h/ph)
	sx, sy = min(sx, sy*maxStretch), min(sy, sx*maxStretch)
	fit := affine{
		a: sx, c: x + float64((w-float64(sx*pw))/2) - float64(sx*lo.x),
		e: sy, f: y + float64((h-float64(sy*ph))/2) - float64(sy*lo.y),
	}
	var cast []ring // what throws a shadow
	for i := range rings {
		for _, r := range rings[i] {
			for k := range r {
				r[k] = fit.apply(r[k])
			}
		}
		if s := &p.shapes[i]; s.alpha > .7 && s.volume > 0 {
			cast = append(cast, rings[i]...)
		}
	}
	size := math.Sqrt(sx * sy)
	if l.shadow > 0 && len(cast) > 0 {
		c.shadow(cast, l, size*max(pw, ph))
	}
	inverse := m.then(fit).inverse()
	seed := p.Uint32()
	for i := range p.shapes {
		s := &p.shapes[i]
		c.fill(rings[i], s, inverse.then(s.frame), size, l, seed)
	}
	a, b := fit.apply(lo), fit.apply(hi)
	return a.x, a.y, b.x, b.y
}
