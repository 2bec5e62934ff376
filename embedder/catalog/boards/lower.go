package boards

// Garments of the lower body. Their frame: the waist at y = -0.5.

// trousers are what pants and shorts have in common.
type trousers struct {
	m        material
	waist    float64 // half widths
	hip      float64
	rise     float64 // from the waist to the crotch
	length   float64 // from the crotch down
	knee     float64 // half widths of one leg
	hem      float64
	spread   float64 // how far a hem is from the middle
	cuffs    bool
	crease   bool
	denim    bool
	elastic  bool
	ragged   bool
	pleated  bool
	crossing float64 // how far one leg is set before the other
}

func (p *piece) trousers(t trousers) {
	const top = -.5
	crotch := top + t.rise
	hem := crotch + t.length
	hipY := top + float64(t.rise*.62)
	kneeY := crotch + float64(t.length*.46)
	if p.worn {
		p.on(func() {
			p.legs(hem+.1, t.spread+t.hem)
			w := float64(t.waist * .95)
			shirt := p.textile().with(p.folds(.012))
			p.add(shirt, .08, mirrored(corner(0, top-.25), corner(w*1.05, top-.25), corner(w, top+.02), corner(0, top+.02))).loose = true
		})
	}
	// The thigh starts as wide as the seat leaves room for.
	thigh := float64((t.hip - .004) / 2)
	stitch := t.m.times(.55)
	if t.denim {
		stitch = plain(rgb{.75, .52, .25})
	}
	for _, side := range [2]float64{-1, 1} {
		mid := float64((t.spread + t.hem) * side) // the middle of the hem
		if side > 0 {
			mid -= t.crossing
		}
		km := float64(lerp(thigh+.002, (t.spread+t.hem), .55) * side)
		if side > 0 {
			km -= float64(t.crossing * .4)
		}
		slope := p.between(-.006, .006)
		knots := []knot{
			corner(-.004*side, top), corner(t.waist*side, top), round(t.hip*side, hipY),
			round(km+float64(t.knee*side), kneeY), corner(mid+float64(t.hem*side), hem+slope),
		}
		if t.ragged {
			for i := range 7 {
				knots = append(knots, corner(mid+float64(lerp(t.hem, -t.hem, (float64(i)+.5)/7)*side), hem+p.between(-.012, .014)))
			}
		} else {
			knots = append(knots, round(mid, hem+.006))
		}
		knots = append(knots, corner(mid-float64(t.hem*side), hem-slope))
		if t.length > .2 {
			knots = append(knots, round(km-float64(t.knee*side), kneeY))
		}
		knots = append(knots, round(.012*side, crotch+.02), corner(-.004*side, crotch-.004))
		m := t.m.with(p.legFolds(side, t.rise, p.between(.008, .018)))
		p.add(m, .09, outline(knots...))
		if t.cuffs {
			d := min(.05, t.length*.3)
			// Along the hem: across the leg's own direction.
			a0, a1 := mid+float64(t.hem*side*1.04), mid-float64(t.hem*side*1.04)
			y := hem - d
			b0 := a0 + (km+float64(t.knee*side)-(mid+float64(t.hem*side)))*d/max(t.length*.54, .1)
			b1 := a1 + (km-float64(t.knee*side)-(mid-float64(t.hem*side)))*d/max(t.length*.54, .1)
			p.add(t.m.times(p.between(.82, 1.12)), .03, polygon(b0, y+slope, a0, hem+slope, a1, hem-slope, b1, y-slope))
		} else if !t.ragged {
			p.seam(stitch, 1, .004, .5, point{mid + float64(t.hem*side*.98), hem - .018 + slope}, point{mid - float64(t.hem*side*.98), hem - .018 - slope})
		}
		if t.crease {
			p.seam(t.m, .7, .006, .5, point{t.waist * .55 * side, top + .08}, point{km, kneeY}, point{mid, hem - .005})
		}
		// The pocket.
		if t.denim {
			p.add(stitch, 0, ribbon(curve(false, round(t.waist*.5*side, top+.03), round(t.waist*.62*side, top+.085), round(lerp(t.waist, t.hip, .7)*.985*side, top+.1)), .005)).alpha = .8
		} else if !t.elastic || p.chance(.5) {
			p.seam(t.m, .5, .006, .6, point{t.waist * .68 * side, top + .03}, point{lerp(t.waist, t.hip, .8) * .97 * side, top + .15})
		}
		if t.pleated {
			p.seam(t.m, .6, .006, .5, point{t.waist * .4 * side, top + .02}, point{t.waist * .43 * side, top + .16})
		}
	}
	// The fly, and the seam down to the crotch.
	p.seam(t.m, .5, .006, .8, point{0, top + .02}, point{.002, crotch})
	if !t.elastic {
		p.add(stitch, 0, ribbon(curve(false, corner(.035, top+.03), round(.033, top+float64(t.rise*.5)), round(.005, top+float64(t.rise*.68))), .004)).alpha = .7
	}
	// The waistband, with loops, a button or a cord.
	w := float64(t.waist * 1.012)
	bandM := t.m.times(p.between(.86, 1))
	if !t.denim && p.chance(.25) {
		bandM = p.leather()
	}
	if t.elastic {
		bandM = t.m.times(.95).with(func(u, v float64) float64 { return .006 * sin(u*40) })
	}
	p.add(bandM, .02, outline(corner(-w, top-.03), round(0, top-.022), corner(w, top-.03), corner(w*1.01, top+.02), round(0, top+.028), corner(-w*1.01, top+.02)))
	switch {
	case t.elastic:
		cord := plain(rgb{.92, .91, .88})
		if p.chance(.5) {
			cord = plain(p.colour())
		}
		for _, s := range [2]float64{-1, 1} {
			p.add(cord, 0, ribbon(curve(false, round(.008*s, top), round(.03*s, top+.06), round(.025*s, top+.13)), .01))
		}
	default:
		for _, x := range [4]float64{-.62, -.3, .3, .62} {
			p.add(bandM.times(.85), .01, roundedBox(float64(x*w)-.008, top-.034, float64(x*w)+.008, top+.028, .003))
		}
		p.add(p.metal(), .01, ellipse(.006, top+.003, .012, .012))
	}
}

// legFolds are the creases of a leg: rays from the crotch, and what hangs below.
func (p *piece) legFolds(side, rise, depth float64) relief {
	hang := p.folds(depth)
	seed := p.Uint32()
	y0 := -.5 + rise
	return func(u, v float64) float64 {
		h := hang(u, v)
		dx, dy := u*side, v-y0
		if near := 1 - float64(hypot(dx, dy)*4); near > 0 {
			h += float64(depth * .8 * near * sin(float64(9*angle(dx, dy))+noise(u*6, v*6, seed)))
		}
		return h
	}
}

func pants(p *piece) {
	const (
		skinny = iota
		straight
		bootcut
		wide
		trouser
		jogger
		cropped
	)
	kind := p.weighted(7, 5, 3, 3, 5, 3, 3)
	p.cut = [...]string{"skinny", "straight", "bootcut", "wide", "trousers", "jogger", "cropped"}[kind]
	t := trousers{
		m:      p.textile(),
		waist:  p.between(.15, .185),
		rise:   p.between(.21, .27),
		length: p.between(.66, .8),
		spread: p.between(.015, .05),
	}
	t.denim = kind != jogger && kind != trouser && p.chance(.6)
	if t.denim {
		t.m = p.denim()
	} else if p.chance(.12) {
		t.m = p.leather()
	} else if p.chance(.35) {
		t.m = plain(p.colour())
	}
	t.hip = t.waist * p.between(1.1, 1.24)
	half := t.hip / 2
	switch kind {
	case skinny:
		t.knee, t.hem = half*p.between(.66, .74), half*p.between(.42, .5)
		t.spread *= .6
	case straight:
		t.knee, t.hem = half*p.between(.74, .82), half*p.between(.66, .78)
	case bootcut:
		t.knee, t.hem = half*p.between(.66, .72), half*p.between(.86, 1.12)
		t.spread *= .5
	case wide:
		t.knee, t.hem = half*p.between(.95, 1.1), half*p.between(1.1, 1.4)
		t.spread *= .3
		t.crease = p.chance(.4)
		t.pleated = p.chance(.4)
	case trouser:
		t.knee, t.hem = half*p.between(.74, .84), half*p.between(.55, .72)
		t.crease = p.chance(.7)
		t.pleated = p.chance(.5)
	case jogger:
		t.knee, t.hem = half*p.between(.82, .92), half*p.between(.42, .5)
		t.elastic, t.cuffs = true, true
	case cropped:
		t.length *= p.between(.68, .8)
		t.knee, t.hem = half*p.between(.74, .9), half*p.between(.58, .85)
	}
	if kind == straight || kind == cropped {
		t.cuffs = p.chance(.4)
	}
	if p.chance(.12) && kind != wide {
		t.crossing = p.between(.02, .05)
	}
	p.trousers(t)
	if t.denim && p.chance(.25) { // torn knees
		y := -.5 + t.rise + float64(t.length*p.between(.3, .5))
		for _, s := range []float64{-1, 1}[:1+p.IntN(2)] {
			x := float64(half * s)
			w := float64(t.knee * .6)
			p.add(plain(rgb{.86, .85, .84}), .01, outline(corner(x-w, y), round(x, y-.012), corner(x+w, y+.004), round(x, y+.014)))
		}
	}
}

func shorts(p *piece) {
	const (
		cutoff = iota
		tailored
		bermuda
		sport
		highWaist
	)
	kind := p.weighted(5, 4, 3, 3, 3)
	p.cut = [...]string{"cutoff", "tailored", "bermuda", "sport", "high waist"}[kind]
	t := trousers{
		m:      p.textile(),
		waist:  p.between(.235, .27),
		rise:   p.between(.27, .33),
		length: p.between(.1, .17),
		spread: p.between(.015, .035),
	}
	t.hip = t.waist * p.between(1.12, 1.22)
	half := t.hip / 2
	t.hem = half * p.between(.92, 1.06)
	switch kind {
	case cutoff:
		t.m, t.denim = p.denim(), true
		t.length = p.between(.06, .11)
		t.ragged = p.chance(.6)
		t.cuffs = !t.ragged && p.chance(.7)
	case tailored:
		t.pleated, t.cuffs = p.chance(.5), p.chance(.5)
		t.crease = p.chance(.3)
	case bermuda:
		t.length = p.between(.22, .34)
		t.waist *= .9
		t.hip *= .92
		t.hem = t.hip / 2 * p.between(.9, 1)
		t.cuffs = p.chance(.5)
		if p.chance(.4) {
			t.m, t.denim = p.denim(), true
		}
	case sport:
		t.elastic = true
		t.hem = half * p.between(1.05, 1.2)
		t.length = p.between(.09, .2)
	case highWaist:
		t.rise = p.between(.34, .4)
		t.length = p.between(.07, .12)
		t.cuffs = p.chance(.4)
	}
	t.knee = (t.hem + float64(t.hip/2)) / 2
	p.trousers(t)
	if kind == sport && p.chance(.6) { // stripes down the sides
		c := plain(rgb{.92, .91, .9})
		for _, s := range [2]float64{-1, 1} {
			p.add(c, .01, ribbon([]point{{t.hip * .99 * s, -.5 + float64(t.rise*.62)}, {(t.spread + float64(2*t.hem) - .012) * s, -.5 + t.rise + t.length - .01}}, .018))
		}
	}
}

func skirts(p *piece) {
	const (
		pencil = iota
		aLine
		pleated
		circle
		maxi
		mini
		tulle
	)
	kind := p.weighted(4, 5, 4, 3, 3, 3, 2)
	p.cut = [...]string{"pencil", "A-line", "pleated", "circle", "maxi", "mini", "tulle"}[kind]
	m := p.textile()
	denim := (kind == aLine || kind == mini) && p.chance(.35)
	switch {
	case denim:
		m = p.denim()
	case (kind == pencil || kind == mini) && p.chance(.3):
		m = p.leather()
	}
	const top = -.5
	waist := p.between(.16, .2)
	length := [...]float64{p.between(.52, .74), p.between(.42, .66), p.between(.4, .72), p.between(.36, .56), p.between(.76, 1.02), p.between(.28, .42), p.between(.44, .66)}[kind]
	hip := waist * p.between(1.3, 1.42)
	hem := hip * [...]float64{p.between(.78, .95), p.between(1.15, 1.5), p.between(1.2, 1.7), p.between(1.7, 2.2), p.between(1.1, 1.7), p.between(1, 1.2), p.between(1.5, 1.9)}[kind]
	bottom := top + length
	hipY := top + min(.2, length*.45)
	if kind == maxi {
		hip *= .95
	}
	aslant := 0.0
	if kind != pencil && p.chance(.2) {
		aslant = p.between(-.1, .1)
	}
	if p.worn {
		p.on(func() {
			p.legs(bottom+.06, hip*.62)
			p.add(p.textile().with(p.folds(.012)), .08, mirrored(corner(0, top-.25), corner(waist*1.15, top-.25), corner(waist, top+.02), corner(0, top+.02))).loose = true
		})
	}
	r := p.folds(p.between(.006, .014))
	n := p.between(7, 16)
	sag := p.between(.008, .02)
	switch kind {
	case pleated:
		r = pleats(n, p.between(.02, .035), top, bottom, waist, hem)
	case circle, tulle:
		r = waves(n*.55, p.between(.02, .04), top, bottom, waist, hem)
		sag = p.between(.03, .07)
	case maxi, aLine:
		if p.chance(.6) {
			r = waves(n*.4, p.between(.01, .025), top, bottom, waist, hem)
		}
		sag = p.between(.015, .05)
	}
	// Wide skirts fall from the waist; narrow ones follow the hip.
	side := round(hip, hipY)
	if hem > hip*1.15 {
		side = round(lerp(waist, hem, .42), lerp(top, bottom, .34))
	}
	form := func(k, up float64) ring {
		return outline(
			corner(waist, top), round(side.x*k, side.y), corner(hem*k, bottom-up+aslant), round(hem*.5*k, bottom-up+sag+float64(aslant*.5)), round(0, bottom-up+float64(sag*1.25)),
			round(-hem*.5*k, bottom-up+sag-float64(aslant*.5)), corner(-hem*k, bottom-up-aslant), round(-side.x*k, side.y), corner(-waist, top))
	}
	if kind == tulle {
		p.add(m.times(.8), .1, form(.93, 0)).alpha = 1
		p.add(m.with(r), .1, form(1, .03)).alpha = .8
	} else {
		p.add(m.with(r), .11, form(1, 0))
	}
	across := func(t, k, width float64) {
		w := lerp(waist, hem, t)
		y := lerp(top, bottom, t)
		p.add(m.times(k), 0, ribbon(curve(false, round(-w, y-float64(aslant*t)), round(0, y+float64(sag*t)), round(w, y+float64(aslant*t))), width)).alpha = .5
	}
	switch {
	case kind == maxi && p.chance(.4):
		across(.36, .5, .012)
		across(.68, .5, .012)
	case kind == pleated:
	case p.chance(.4):
		across(.95, .6, .006)
	case kind != tulle && p.chance(.25): // a border
		c := plain(p.colour())
		w := lerp(waist, hem, .93)
		p.add(c, .01, ribbon(curve(false, round(-w, lerp(top, bottom, .93)-aslant), round(0, lerp(top, bottom, .93)+sag), round(w, lerp(top, bottom, .93)+aslant)), .025))
	}
	if kind == pencil && p.chance(.5) {
		p.add(m.times(.3), 0, polygon(.005, bottom-.13, .028, bottom+sag, -.02, bottom+sag))
	}
	if denim || kind == aLine && p.chance(.3) {
		p.seam(m, .5, .006, .7, point{0, top + .03}, point{0, bottom + sag})
		p.buttons(p.metal(), .012, top+.06, bottom-.05, 5+p.IntN(3), .012)
		for _, s := range [2]float64{-1, 1} {
			p.add(m.times(.92), .012, roundedBox(float64(hip*.5*s)-.055, top+.1, float64(hip*.5*s)+.055, top+.2, .012))
			p.seam(m, .5, .005, .6, point{float64(hip*.5*s) - .055, top + .115}, point{float64(hip*.5*s) + .055, top + .115})
		}
	}
	w := float64(waist * 1.015)
	belt := m.times(p.between(.72, .92))
	if !denim && p.chance(.35) {
		belt = plain(p.colour())
	}
	d := p.between(.02, .035)
	p.add(belt, .02, outline(corner(-w, top-d), round(0, top-d+.008), corner(w, top-d), corner(w*1.01, top+d), round(0, top+d+.01), corner(-w*1.01, top+d)))
	if p.chance(.2) { // tied
		for _, s := range [2]float64{-1, 1} {
			p.add(belt, .02, outline(corner(0, top), round(.09*s, top-.05), round(.09*s, top+.04)))
			p.add(belt, .02, polygon(0, top, .05*s, top+.18, .015*s, top+.19))
		}
	}
}
