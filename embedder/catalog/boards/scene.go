package boards

// light draws how a photograph was lit.
func (d dice) light() light {
	t := d.between(.52, .98) // from above, left or right
	flat := d.between(.3, .62)
	l := light{
		x: cos(t) * flat, y: sin(t) * flat,
		ambient: d.between(.36, .6),
		soft:    d.between(.008, .03), grain: d.between(.01, .07),
		exposure: d.between(.88, 1.06),
		tint:     rgb{1, 1, 1},
	}
	l.z = 1 - float64(flat*.42)
	if d.chance(.65) {
		l.shadow = d.between(.08, .42)
	}
	if d.chance(.3) { // warm or cold
		k := d.between(-.05, .05)
		l.tint = rgb{1 + k, 1, 1 - k}
	}
	return l
}

// ground paints the background: mostly white.
func (c *canvas) ground(d dice, cluttered bool) {
	at := func(x, y float64) rgb { return rgb{1, 1, 1} }
	pale := mix(d.colour(), rgb{1, 1, 1}, d.between(.55, .9))
	seed := d.Uint32()
	switch {
	case !cluttered && d.chance(.12):
		k := d.between(.93, .99)
		at = func(x, y float64) rgb { return rgb{k, k, k} }
	case !cluttered:
	default:
		switch d.IntN(5) {
		case 0:
			at = func(x, y float64) rgb { return pale }
		case 1:
			at = func(x, y float64) rgb { return mix(rgb{1, 1, 1}, pale, y/500) }
		case 2: // paper, or a wall
			at = func(x, y float64) rgb {
				return mix(rgb{.97, .97, .96}, pale, .5*noise(x/70, y/70, seed))
			}
		case 3: // boards of wood
			at = func(x, y float64) rgb {
				n := noise(x/6, y/90, seed)
				k := .93 + float64(.07*n)
				if frac(x/80) < .015 {
					k = .75
				}
				return pale.times(k)
			}
		}
	}
	b := c.img.Rect
	for y := range b.Dy() {
		row := c.img.Pix[y*c.img.Stride:]
		for x := range b.Dx() {
			o := 4 * x
			v := at(float64(x), float64(y))
			row[o], row[o+1], row[o+2], row[o+3] = level(v.r), level(v.g), level(v.b), 255
		}
	}
}

func level(v float64) uint8 { return uint8(float64(clamp(v, 0, 1)*255) + .5) }

// captions puts lines of print and frames on the ground, below the pieces.
func (c *canvas) captions(d dice) {
	flat := light{z: 1, exposure: 1, ambient: 1, tint: rgb{1, 1, 1}}
	w, h := float64(c.img.Rect.Dx()), float64(c.img.Rect.Dy())
	put := func(m material, alpha float64, rings ...ring) {
		s := shape{material: m, rings: rings, alpha: alpha}
		c.fill(rings, &s, identity, 1, flat, 0)
	}
	for range d.IntN(3) {
		m := plain(d.colour())
		x0, y0 := float64(d.between(.05, .6)*w), float64(d.between(.03, .95)*h)
		size := d.between(5, 13)
		for line := range 1 + d.IntN(3) {
			x, y := x0, y0+float64(float64(line)*size*1.6)
			for range 3 + d.IntN(14) {
				k := float64(size * d.between(.3, .8))
				put(m, .8, roundedBox(x, y, x+k, y+float64(size*d.between(.55, 1)), size*.15))
				x += k + float64(size*.18)
				if d.chance(.18) {
					x += float64(size * .5)
				}
			}
		}
	}
	if d.chance(.3) { // a frame, or a patch of colour
		m := plain(mix(d.colour(), rgb{1, 1, 1}, d.between(.2, .7)))
		x, y := float64(d.between(0, .5)*w), float64(d.between(0, .5)*h)
		r := roundedBox(x, y, x+float64(d.between(.25, .5)*w), y+float64(d.between(.25, .5)*h), 2)
		if d.chance(.5) {
			put(m, .9, band(r, d.between(2, 8))...)
		} else {
			put(m, .7, r)
		}
	}
}
