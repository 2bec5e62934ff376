package boards

import "math"

// rgb is a colour as it is stored in a picture (sRGB), each channel in [0, 1].
type rgb struct{ r, g, b float64 }

func (c rgb) times(k float64) rgb { return rgb{c.r * k, c.g * k, c.b * k} }

func mix(a, b rgb, t float64) rgb {
	return rgb{lerp(a.r, b.r, t), lerp(a.g, b.g, t), lerp(a.b, b.b, t)}
}

func (c rgb) luma() float64 {
	return float64(.3*c.r) + float64(.59*c.g) + float64(.11*c.b)
}

// hue turns a hue in turns, a saturation and a value into a colour.
func hue(h, s, v float64) rgb {
	h = float64(frac(h) * 6)
	part := func(shift float64) float64 {
		k := math.Mod(shift+h, 6)
		return v * (1 - float64(s*clamp(min(k, 4-k), 0, 1)))
	}
	return rgb{part(5), part(3), part(1)}
}

// palette are the colours of garments with the weights that fashion gives them.
var palette = [...]struct {
	h, s, v float64
	weight  int
}{
	{0, 0, .09, 16},     // black
	{.62, .15, .15, 4},  // off-black
	{.1, .02, .93, 9},   // white
	{.11, .08, .92, 6},  // cream
	{.6, .03, .3, 4},    // charcoal
	{.6, .02, .55, 5},   // grey
	{.6, .02, .74, 4},   // light grey
	{.63, .6, .27, 7},   // navy
	{.6, .55, .5, 4},    // denim blue
	{.57, .4, .85, 3},   // sky
	{.62, .75, .72, 2},  // cobalt
	{.09, .26, .83, 5},  // beige
	{.085, .48, .7, 5},  // camel
	{.065, .6, .42, 5},  // brown
	{.05, .55, .26, 3},  // chocolate
	{.975, .75, .4, 4},  // burgundy
	{.995, .85, .76, 5}, // red
	{.03, .5, .95, 3},   // coral
	{.06, .75, .9, 2},   // orange
	{.12, .75, .9, 2},   // mustard
	{.15, .5, .95, 2},   // yellow
	{.2, .4, .4, 4},     // olive
	{.37, .6, .45, 2},   // green
	{.42, .25, .83, 2},  // mint
	{.49, .65, .55, 2},  // teal
	{.78, .45, .45, 2},  // plum
	{.74, .22, .86, 2},  // lavender
	{.95, .55, .88, 2},  // pink
	{.97, .2, .94, 4},   // blush
	{.9, .8, .75, 1},    // fuchsia
}

func (d dice) colour() rgb {
	n := 0
	for _, c := range palette {
		n += c.weight
	}
	n = d.IntN(n)
	for _, c := range palette {
		if n -= c.weight; n < 0 {
			return hue(c.h+d.between(-.015, .015), clamp(c.s*d.between(.75, 1.2), 0, 1), clamp(c.v*d.between(.88, 1.08), .05, .95))
		}
	}
	panic("boards: palette without weights")
}

// contrast is a colour that can be told from c.
func (d dice) contrast(c rgb) rgb {
	for range 8 {
		o := d.colour()
		if math.Abs(o.r-c.r)+math.Abs(o.g-c.g)+math.Abs(o.b-c.b) > .55 {
			return o
		}
	}
	if c.luma() > .5 {
		return rgb{.1, .1, .12}
	}
	return rgb{.93, .92, .9}
}

// times is the material, darker or lighter.
func (m material) times(k float64) material {
	at := m.at
	m.at = func(u, v, px float64) rgb { return at(u, v, px).times(k) }
	m.relief = nil
	return m
}

// with is the material with another relief.
func (m material) with(r relief) material {
	m.relief = r
	return m
}

func plain(c rgb) material {
	return material{at: func(u, v, px float64) rgb { return c }, look: look{c, "plain"}}
}

// edge is 1 where x > 0, 0 where x < 0, and smooth over a pixel in between.
func edge(x, px float64) float64 { return clamp(x/px+.5, 0, 1) }

// stripe is 1 in the first part of each period of 1, 0 in the rest; px is a pixel in periods.
func stripe(x, part, px float64) float64 {
	x = frac(x)
	if px > .5 {
		return part // finer than pixels
	}
	return clamp(min(x, part-x)/px+.5, 0, 1) + clamp((x-1)/px+.5, 0, 1)
}

// textile picks a cloth: colour and pattern are drawn without regard to the garment, so that a
// category is known by its form.
func (d dice) textile() material {
	c := d.colour()
	e := d.contrast(c)
	seed := d.Uint32()
	f := d.between(6, 20) // repeats of a pattern in a piece's length
	var at paint
	kind := d.weighted(32, 8, 4, 6, 5, 7, 3, 3, 7, 3, 2, 2, 2, 2, 1, 2, 4, 2, 2)
	seen := look{c, patterns[kind]}
	switch kind {
	case 0: // plain, with a little unevenness
		at = func(u, v, px float64) rgb { return c.times(.96 + float64(.08*noise(u*30, v*30, seed))) }
	case 1: // stripes across
		part := d.between(.2, .6)
		f *= d.between(.6, 1.6)
		at = func(u, v, px float64) rgb { return mix(c, e, stripe(v*f, part, px*f)) }
	case 2: // stripes along, or aslant
		part, slant := d.between(.1, .5), 0.0
		if d.chance(.4) {
			slant = d.between(-.9, .9)
		}
		at = func(u, v, px float64) rgb {
			return mix(c, e, stripe((u+float64(slant*v))*f, part, px*f))
		}
	case 3: // tartan
		g := d.contrast(c)
		at = func(u, v, px float64) rgb {
			x, y, w := float64(u*f*.6), float64(v*f*.6), float64(px*f*.6)
			o := mix(c, e, .5*stripe(x, .4, w))
			o = mix(o, e, .5*stripe(y, .4, w))
			o = mix(o, g, .6*stripe(x+.3, .07, w))
			return mix(o, g, .6*stripe(y+.3, .07, w))
		}
	case 4: // dots
		radius := d.between(.16, .36)
		at = func(u, v, px float64) rgb {
			y := float64(v * f * 1.3)
			x := float64(u*f*1.3) + float64(.5*math.Mod(math.Floor(y)+1000, 2))
			x, y = frac(x)-.5, frac(y)-.5
			return mix(c, e, edge(radius-hypot(x, y), px*f*1.3))
		}
	case 5: // flowers
		g := d.contrast(c)
		leaf := mix(rgb{.25, .42, .22}, c, .3)
		f *= .5
		petals := float64(4 + d.IntN(3))
		at = func(u, v, px float64) rgb {
			p := cells(u*f, v*f, seed)
			w := px * f
			if p.id > .75 { // a leaf
				return mix(c, leaf, edge(.3-math.Abs(p.dx+float64(.7*p.dy))-float64(math.Abs(p.dy)*.3), w))
			}
			// A rose curve, its angle by a rational stand-in for the arc tangent.
			a := angle(p.dx, p.dy)
			radius := .27 + float64(.09*cos(float64(a*petals)+p.id))
			o := mix(c, mix(e, rgb{1, 1, 1}, p.id*.5), edge(radius-p.near, w))
			return mix(o, g, edge(.09-p.near, w))
		}
	case 6: // camouflage
		g := mix(c, e, .5)
		f *= .35
		at = func(u, v, px float64) rgb {
			n := float64(.65*noise(u*f, v*f, seed)) + float64(.35*noise(u*f*2.3, v*f*2.3, seed+3))
			return mix(mix(c, g, edge(n-.45, px*f)), e, edge(n-.6, px*f))
		}
	case 7: // from one colour into another
		turn := d.between(-.4, .4)
		at = func(u, v, px float64) rgb { return mix(c, e, smooth(-.45, .45, v+float64(turn*u))) }
	case 8: // knit: columns of Vs
		f = d.between(14, 30)
		at = func(u, v, px float64) rgb {
			x := float64(u * f)
			y := float64(v*f*1.2) + math.Abs(frac(x)-.5)
			k := math.Abs(frac(x)-.5) * math.Abs(frac(y)-.5) * 4
			if px*f > .7 {
				k = .25
			}
			return c.times(.72 + float64(.5*k))
		}
	case 9: // two halves
		t := d.between(-.25, .3)
		at = func(u, v, px float64) rgb { return mix(c, e, edge(v-t, px)) }
	case 10: // sequins
		f = d.between(45, 80)
		at = func(u, v, px float64) rgb {
			k := hash(int(math.Floor(u*f)), int(math.Floor(v*f)), seed)
			return c.times(.55 + float64(1.1*k*k))
		}
	case 11: // houndstooth, or gingham where f is small
		at = func(u, v, px float64) rgb {
			x, y := stripe(u*f, .5, px*f), stripe(v*f, .5, px*f)
			return mix(c, e, (x+y)/2)
		}
	case 12: // zigzag
		part := d.between(.3, .6)
		at = func(u, v, px float64) rgb {
			y := float64(v*f) + float64(1.2*math.Abs(frac(u*f*.6)-.5))
			return mix(c, e, stripe(y, part, px*f))
		}
	case 13: // lozenges
		at = func(u, v, px float64) rgb {
			x, y := frac(u*f*.6)-.5, frac(v*f*.4)-.5
			return mix(c, e, edge(.36-math.Abs(x)-math.Abs(y), px*f*.6))
		}
	case 14: // an animal's coat
		at = d.leopard()
	case 15: // tie-dye: rings
		f *= .5
		x0, y0 := d.between(-.2, .2), d.between(-.2, .2)
		at = func(u, v, px float64) rgb {
			q := float64(hypot(u-x0, v-y0)*f) + float64(2.5*noise(u*5, v*5, seed))
			return mix(c, e, .5+float64(.5*sin(q*.5)))
		}
	case 16: // tweed
		at = func(u, v, px float64) rgb {
			k := hash(int(math.Floor(u*110)), int(math.Floor(v*110)), seed)
			return mix(c, e, .15+float64(.3*k)).times(.85 + float64(.3*hash(int(math.Floor(u*160)), int(math.Floor(v*160)), seed+9)))
		}
	case 17: // brush strokes
		at = func(u, v, px float64) rgb {
			n := noise(u*f*.4, v*f*1.6, seed)
			return mix(c, e, smooth(.6, .66, n))
		}
	default: // pinstripes
		c = c.times(.8)
		f *= 1.5
		at = func(u, v, px float64) rgb { return mix(c, e, .6*stripe(u*f, .12, px*f)) }
	}
	return material{at: at, gloss: d.sheen(), look: seen}
}

// patterns are the textiles in the order in which [dice.textile] picks them.
var patterns = [...]string{
	"plain", "striped across", "striped along", "tartan", "dotted", "floral", "camouflage", "gradient", "knit", "two-tone",
	"sequins", "houndstooth", "zigzag", "lozenges", "leopard", "tie-dye", "tweed", "brushed", "pinstriped",
}

// sheen is the gloss of a cloth: mostly none, now and then satin.
func (d dice) sheen() float64 {
	if d.chance(.12) {
		return d.between(.15, .35)
	}
	return 0
}

// angle is the direction of (x, y) in turns, monotone and of period 1, off by up to 1/60.
func angle(x, y float64) float64 {
	sum := math.Abs(x) + math.Abs(y)
	if sum == 0 {
		return 0
	}
	t := float64(y / sum / 4)
	if x < 0 {
		t = .5 - t
	}
	return t
}

func (d dice) leopard() paint {
	ground, spot := mix(rgb{.82, .64, .4}, d.colour(), d.between(0, .25)), rgb{.13, .09, .06}
	seed, f := d.Uint32(), d.between(9, 17)
	return func(u, v, px float64) rgb {
		p := cells(u*f, v*f, seed)
		gap := noise(u*f*2.2, v*f*2.2, seed+5)
		if p.near > .2+float64(.1*p.id) && p.near < .36 && gap > .35 {
			return spot
		}
		if p.near < .2 {
			return ground.times(.8)
		}
		return ground
	}
}

// denim is its own textile: the garments that are made of it say so.
func (d dice) denim() material {
	c := [...]rgb{{.16, .21, .36}, {.25, .36, .54}, {.44, .56, .72}, {.1, .1, .13}, {.68, .75, .83}}[d.weighted(4, 5, 4, 3, 2)]
	seed, fade := d.Uint32(), d.between(0, .35)
	return material{at: func(u, v, px float64) rgb {
		k := .9 + float64(.14*hash(int(math.Floor(u*170)), int(math.Floor(v*90)), seed)) +
			float64(fade*(noise(u*3, v*2.2, seed)-.5)) + float64(fade*.6*(.5-smooth(.02, .16, math.Abs(math.Abs(u)-.12))))
		return c.times(k)
	}, look: look{c, "denim"}}
}

// leather is for shoes, bags, belts, straps and jackets.
func (d dice) leather() material {
	c := d.colour()
	if d.chance(.45) {
		c = [...]rgb{{.08, .07, .07}, {.34, .2, .12}, {.6, .4, .22}, {.78, .64, .46}, {.42, .09, .12}}[d.weighted(4, 3, 3, 2, 1)]
	}
	seed := d.Uint32()
	gloss := d.between(.1, .45)
	switch d.weighted(10, 2, 3, 2, 1) {
	case 1: // crocodile
		return material{at: func(u, v, px float64) rgb {
			p := cells(u*13, v*17, seed)
			return c.times(.7 + float64(.5*(1-p.near)))
		}, gloss: .35, look: look{c, "crocodile"}}
	case 2: // suede
		return material{at: func(u, v, px float64) rgb { return c.times(.82 + float64(.26*noise(u*50, v*50, seed))) }, look: look{c, "suede"}}
	case 3: // not leather at all
		m := d.textile()
		m.gloss = .08
		return m
	case 4: // patent
		gloss = .9
	}
	return material{at: func(u, v, px float64) rgb { return c.times(.95 + float64(.08*noise(u*40, v*40, seed))) }, gloss: gloss, look: look{c, "leather"}}
}

// metal of clasps, frames and jewellery.
func (d dice) metal() material {
	c := [...]rgb{{.83, .66, .32}, {.76, .77, .8}, {.84, .58, .48}, {.3, .3, .32}}[d.weighted(5, 5, 2, 1)]
	phase := d.Float64()
	return material{
		at: func(u, v, px float64) rgb {
			return c.times(.88 + float64(.22*sin(float64(2.1*u)+float64(1.5*v)+phase)))
		},
		gloss: .8,
		look:  look{c, "metal"},
	}
}

// gem is a stone with facets, or a pearl.
func (d dice) gem() material {
	if d.chance(.25) {
		c := mix(rgb{.93, .91, .88}, d.colour(), .1)
		return material{at: func(u, v, px float64) rgb { return c }, gloss: .7, look: look{c, "pearl"}}
	}
	c := d.colour()
	if d.chance(.4) {
		c = [...]rgb{{.85, .9, .95}, {.75, .1, .18}, {.12, .5, .3}, {.15, .25, .7}, {.2, .65, .65}}[d.IntN(5)]
	}
	seed := d.Uint32()
	return material{at: func(u, v, px float64) rgb {
		return c.times(.65 + float64(.7*cells(u*30, v*30, seed).id))
	}, gloss: .9, look: look{c, "gem"}}
}

// straw is woven, as of sun hats and baskets.
func (d dice) straw() material {
	c := mix(rgb{.86, .73, .5}, d.colour(), d.between(0, .35))
	seed, f := d.Uint32(), d.between(22, 34)
	return material{at: func(u, v, px float64) rgb {
		x, y := u*f, v*f
		k := stripe(x, .5, .2)
		if int(math.Floor(y))&1 == 0 {
			k = 1 - k
		}
		return c.times(.8 + float64(.16*k) + float64(.12*hash(int(math.Floor(x)), int(math.Floor(y)), seed)))
	}, look: look{c, "straw"}}
}

// fur is a material of short hairs.
func (d dice) fur() material {
	c := [...]rgb{{.82, .76, .66}, {.5, .42, .35}, {.2, .18, .18}, {.9, .88, .86}, {.6, .35, .25}}[d.IntN(5)]
	seed := d.Uint32()
	return material{at: func(u, v, px float64) rgb {
		return c.times(.65 + float64(.3*noise(u*45, v*30, seed)) + float64(.25*hash(int(math.Floor(u*80)), int(math.Floor(v*50)), seed)))
	}, look: look{c, "fur"}}
}

func (d dice) skin() material {
	c := [...]rgb{{.94, .79, .69}, {.87, .68, .55}, {.72, .5, .38}, {.48, .32, .24}}[d.IntN(4)]
	return material{at: func(u, v, px float64) rgb { return c }, gloss: .06}
}

// folds are the irregular ones of cloth that hangs: long along v, depth in lengths of the piece.
func (d dice) folds(depth float64) relief {
	seed, f := d.Uint32(), d.between(2.2, 4.5)
	lean := d.between(-.5, .5)
	return func(u, v float64) float64 {
		n := noise(u*2.3, v*1.7, seed)
		a := noise(float64(u*3)+7, v*2.5, seed+5)
		return float64(depth * a * a * sin(float64(f*u)+float64(lean*v)+float64(1.6*n)))
	}
}

// pleats are n even ones in a width of 1 at v = top, running apart as the skirt does: its half width
// is a at top and b at bottom.
func pleats(n, depth, top, bottom, a, b float64) relief {
	return func(u, v float64) float64 {
		half := lerp(a, b, clamp((v-top)/(bottom-top), 0, 1))
		x := frac(u / half * n / 2)
		return depth * x * smooth(top, top+.15, v)
	}
}

// quilted are the swellings of a down jacket, f to a length.
func quilted(f, depth float64) relief {
	return func(u, v float64) float64 {
		x := frac(v*f) - .5
		return depth * math.Sqrt(max(0, 1-float64(4*x*x)))
	}
}
