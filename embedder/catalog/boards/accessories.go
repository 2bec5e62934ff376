package boards

func hats(p *piece) {
	p.tilt = .03
	const (
		fedora = iota
		sun
		beanie
		cap
		beret
		bucket
	)
	kind := p.weighted(5, 4, 5, 4, 2, 2)
	p.cut = [...]string{"fedora", "sun hat", "beanie", "cap", "beret", "bucket hat"}[kind]
	m := p.textile()
	switch {
	case kind == sun || kind == fedora && p.chance(.35):
		m = p.straw()
	case kind == fedora || kind == beret, kind == beanie && p.chance(.4):
		m = plain(p.colour())
		if p.chance(.15) {
			m = p.leather()
		}
	}
	ribbonM := plain(p.colour())
	switch kind {
	case fedora, sun:
		brim, crown, high := p.between(.42, .48), p.between(.22, .26), p.between(.27, .35)
		dip, lift := p.between(.07, .11), p.between(-.03, .05)
		if kind == sun {
			brim, crown, high = p.between(.5, .6), p.between(.2, .24), p.between(.18, .25)
			dip, lift = p.between(.1, .16), p.between(-.06, .0)
		}
		dent := p.between(.02, .07)
		if kind == sun {
			dent = -.02
		}
		// Underside, brim, crown, ribbon.
		p.add(m.times(.55), .02, outline(round(-brim*.97, .06-lift), round(-brim*.5, dip*.4), round(0, dip*.2), round(brim*.5, dip*.4), round(brim*.97, .06-lift), round(0, dip+.12)))
		p.add(m.with(p.folds(.006)), .05, outline(round(-brim, .05-lift), round(-brim*.55, .02), round(0, 0), round(brim*.55, .02), round(brim, .05-lift), round(brim*.6, dip+.07), round(0, dip+.11), round(-brim*.6, dip+.07)))
		p.add(m.times(.5), .02, outline(round(-crown*1.12, .07), round(0, .0), round(crown*1.12, .07), round(0, .125)))
		p.add(m.with(p.folds(.008)), .14, outline(corner(-crown*1.03, .07), round(-crown*.98, -high*.55), round(-crown*.62, -high), round(0, -high+dent), round(crown*.62, -high*1.02), round(crown*.98, -high*.55), corner(crown*1.03, .07), round(0, .115)))
		if kind == fedora {
			p.seam(m, .6, .02, .35, point{-.01, -high + dent + .01}, point{.0, float64(-high*.5) + .02})
		}
		if p.chance(.8) {
			d := p.between(.05, .085)
			p.add(ribbonM, .03, outline(corner(-crown*1.035, .07), corner(-crown*1.02, .07-d), round(0, .112-d), corner(crown*1.02, .07-d), corner(crown*1.035, .07), round(0, .118)))
			switch p.IntN(4) {
			case 0:
				x := float64(crown * .8 * p.sign())
				p.add(ribbonM.times(.8), .02, outline(corner(x, .05), round(x-.06, .01), round(x-.06, .09)), outline(corner(x, .05), round(x+.06, .09), round(x+.06, .01)))
			case 1: // a feather
				p.add(plain(p.colour()), .02, outline(corner(crown*.6, .06), round(crown*.85, -.12), corner(crown*1.2, -.24), round(crown*1.05, -.06)))
			}
		}
	case beanie:
		h := p.between(.32, .42)
		f := p.between(14, 22)
		rib := func(u, v float64) float64 { return .006 * sin(u*f) }
		p.add(m.with(rib), .16, outline(corner(-.3, .14), round(-.31, -.06), round(-.2, -h+.06), round(0, -h), round(.2, -h+.06), round(.31, -.06), corner(.3, .14), round(0, .18)))
		if p.chance(.85) {
			cuff := m.times(.9)
			if p.chance(.25) {
				cuff = plain(p.colour())
			}
			p.add(cuff.with(rib), .06, outline(corner(-.32, .08), round(0, .115), corner(.32, .08), round(.325, .19), corner(.31, .27), round(0, .31), corner(-.31, .27), round(-.325, .19)))
			if p.chance(.3) {
				p.add(p.leather(), .01, roundedBox(-.05, .16, .05, .24, .01))
			}
		}
		if p.chance(.45) {
			p.add(p.fur(), .1, ellipse(0, -h-.06, .105, .1))
		}
	case cap:
		shell := m.times(.93)
		if p.chance(.3) {
			shell = plain(p.colour())
		}
		// Three quarters from the front: crown, then the visor over it.
		p.add(m.with(p.folds(.005)), .15, outline(corner(-.33, .1), round(-.33, -.06), round(-.24, -.24), round(-.03, -.31), round(.18, -.24), round(.27, -.06), corner(.27, .1), round(-.03, .14)))
		p.seam(m, .55, .007, .6, point{-.03, -.31}, point{.02, -.15}, point{.03, .1})
		p.seam(m, .55, .007, .5, point{-.03, -.31}, point{-.17, -.17}, point{-.22, .12})
		p.seam(m, .55, .007, .5, point{-.03, -.31}, point{.15, -.2}, point{.2, .1})
		p.add(m.times(.75), .02, ellipse(-.03, -.312, .025, .016))
		p.add(shell.times(.6), .01, outline(corner(-.14, .13), round(.14, .12), corner(.29, .07), round(.5, .17), round(.44, .235), round(.2, .235)))
		p.add(shell, .05, outline(corner(-.16, .13), round(.06, .06), corner(.285, .055), round(.47, .11), round(.52, .18), round(.38, .195), round(.12, .18)))
		p.seam(shell, .7, .005, .5, point{-.08, .14}, point{.1, .11}, point{.28, .09}, point{.44, .145})
		if p.chance(.7) {
			p.print(.05, -.06, .075)
		}
	case beret:
		p.add(m.with(p.folds(.01)), .13, outline(round(-.46, -.02), round(-.32, -.2), round(.0, -.27), round(.35, -.19), round(.45, -.02), round(.3, .09), round(0, .12), round(-.3, .1)))
		p.add(m.times(.75), .03, outline(corner(-.24, .06), round(0, .095), corner(.24, .06), round(.23, .13), round(0, .17), round(-.23, .13)))
		p.add(m.times(.85), .01, ribbon([]point{{.01, -.26}, {.025, -.32}}, .022))
	case bucket:
		p.add(m.times(.5), .02, outline(corner(-.4, .2), round(0, .14), corner(.4, .2), round(0, .3)))
		p.add(m, .12, outline(corner(-.24, .06), round(-.2, -.24), round(-.1, -.28), round(.1, -.28), round(.2, -.24), corner(.24, .06), round(0, .1)))
		p.add(m.with(p.folds(.006)), .05, outline(corner(-.24, .03), round(0, .075), corner(.24, .03), round(.36, .14), corner(.43, .21), round(0, .3), corner(-.43, .21), round(-.36, .14)))
		p.seam(m, .55, .007, .6, point{-.24, .03}, point{-.1, .066}, point{.1, .066}, point{.24, .03})
		for _, t := range [2]float64{.4, .75} {
			w := lerp(.25, .43, t)
			y := lerp(.04, .22, t)
			p.add(m.times(.65), 0, ribbon(curve(false, round(-w, y), round(0, y+.075), round(w, y)), .004)).alpha = .6
		}
	}
}

func sunglasses(p *piece) {
	p.tilt = .045
	frame := plain(p.colour())
	frame.gloss = .4
	switch p.weighted(4, 3, 3, 3) {
	case 0:
		frame = plain(rgb{.08, .07, .07})
		frame.gloss = .5
	case 1:
		frame = p.metal()
	case 2: // tortoise shell
		seed := p.Uint32()
		frame = material{at: func(u, v, px float64) rgb {
			return mix(rgb{.18, .09, .05}, rgb{.68, .42, .17}, smooth(.35, .65, noise(u*16, v*16, seed)))
		}, gloss: .5}
	}
	tint := rgb{.13, .12, .13}
	if p.chance(.5) {
		tint = p.colour().times(.6)
	}
	fade := p.between(0, 1.3)
	mirror := p.chance(.25)
	lens := material{at: func(u, v, px float64) rgb {
		c := tint.times(1 + float64(fade*clamp(float64(v*4)+.3, 0, 1)))
		// The sky in the glass: one pale stripe aslant.
		s := u + float64(v*.7)
		g := smooth(.02, .05, frac(s*2.4)) * (1 - smooth(.14, .2, frac(s*2.4)))
		if mirror {
			c = mix(c, rgb{.75, .82, .9}, clamp(.5-float64(v*3), 0, .6))
		}
		return mix(c, rgb{.9, .93, .96}, .22*g)
	}, gloss: .5}
	const (
		circle = iota
		aviator
		catEye
		wayfarer
		square
		shield
	)
	kind := p.weighted(3, 4, 3, 5, 3, 1)
	rx, ry := p.between(.165, .19), p.between(.13, .17)
	thick := p.between(.022, .045)
	if kind == circle || kind == aviator {
		thick = p.between(.014, .024)
	}
	form := func(x, s float64) ring { // s is the outer side
		q := func(dx, dy float64) (float64, float64) { return x + float64(dx*rx*s), dy * ry }
		k := func(dx, dy float64) knot { a, b := q(dx, dy); return round(a, b) }
		c := func(dx, dy float64) knot { a, b := q(dx, dy); return corner(a, b) }
		switch kind {
		case circle:
			return ellipse(x, 0, min(rx*.9, ry*1.15), min(rx*.9, ry*1.15))
		case aviator:
			return outline(k(-.85, -.75), k(0, -.92), k(.9, -.8), k(1.02, -.1), k(.55, .95), k(-.1, 1.12), k(-.72, .5), k(-.98, -.3))
		case catEye:
			return outline(k(-.9, -.45), k(.1, -.62), c(1.12, -1.15), k(.95, .1), k(.4, .75), k(-.4, .72), k(-.88, .3))
		case wayfarer:
			return outline(k(-.92, -.72), k(0, -.86), k(.98, -.88), k(1.02, -.5), k(.82, .45), k(.45, .82), k(-.4, .82), k(-.8, .45), k(-.96, -.3))
		case shield:
			return outline(k(-1.1, -.7), k(0, -.8), k(1, -.75), k(1.08, .1), k(.6, .75), k(-.3, .7), k(-1.1, .2))
		}
		return roundedBox(x-rx, -ry*.82, x+rx, ry*.82, ry*.3)
	}
	gap := p.between(.035, .05)
	if kind == shield {
		gap = 0
	}
	x := rx + gap
	persp := 1.0
	if p.chance(.45) { // turned a little to one side
		persp = p.between(.74, .92)
	}
	squeeze := func(r ring) ring {
		for i := range r {
			if r[i].x > 0 {
				r[i].x *= persp
			}
		}
		return r
	}
	// The temples go back, behind the lenses.
	up := p.between(-.03, .1)
	long := p.between(.03, .13)
	if persp < 1 {
		long = p.between(.14, .28)
	}
	arm := frame.times(.75)
	folded := p.chance(.3) && persp == 1
	y := float64(-ry * .55)
	for _, s := range [2]float64{-1, 1} {
		e := float64((x + float64(rx*.96)) * s)
		if s > 0 {
			e = float64(e * persp)
		}
		if folded {
			p.add(arm, .01, ribbon(curve(false, round(e, y), round(e*.6, ry*.9), round(-e*.4, ry*1.05)), thick*.8))
			continue
		}
		d := float64(long * s)
		if s > 0 && persp < 1 {
			d = .03
		}
		p.add(arm, .015, taper(curve(false, round(e, y), round(e+float64(d*.7), y-up), round(e+d, y-float64(up*.8)), round(e+d+float64(.025*s), y+.1)), thick*1.1, thick*.9))
	}
	for _, s := range [2]float64{-1, 1} {
		g := p.add(lens, .02, squeeze(form(x*s, s)))
		if kind != shield && p.chance(.1) {
			g.alpha = .8
		}
	}
	for _, s := range [2]float64{-1, 1} {
		if kind == shield {
			break
		}
		p.add(frame, .02, band(squeeze(form(x*s, s)), thick)...)
		if kind == catEye || kind == wayfarer { // heavier along the brow
			r := squeeze(form(x*s, s))
			var brow []point
			for _, q := range r {
				if q.y < -ry*.38 {
					brow = append(brow, q)
				}
			}
			p.add(frame, .02, ribbon(sortedByX(brow), thick*1.5))
		}
	}
	if kind == shield {
		p.add(frame, .02, ribbon(squeeze(curve(false, round(-x-rx, -ry*.72), round(-rx, -ry*.82), round(0, -ry*.74), round(rx, -ry*.82), round(x+rx, -ry*.72))), thick*1.4))
		p.add(lens.times(1.5), .01, ribbon([]point{{-.03, ry * .3}, {0, ry * .05}, {.03, ry * .3}}, .02))
	}
	inner := gap + .012
	p.add(frame, .02, ribbon(squeeze(curve(false, round(-inner, -ry*.32), round(0, -ry*.48), round(inner, -ry*.32))), thick*1.1))
	if kind == aviator {
		p.add(frame, .01, ribbon(squeeze(curve(false, round(-x*.8, -ry*.86), round(0, -ry*.82), round(x*.8, -ry*.86))), thick*.9))
	}
}

func sortedByX(points []point) []point {
	for i := 1; i < len(points); i++ {
		for j := i; j > 0 && points[j].x < points[j-1].x; j-- {
			points[j], points[j-1] = points[j-1], points[j]
		}
	}
	return points
}

func jewelry(p *piece) {
	p.tilt = .02
	metal := p.metal()
	bead := func(m material, x, y, r float64) { p.add(m, r*.9, ellipse(x, y, r, r)) }
	switch p.weighted(7, 6, 4, 5) {
	case 0: // a necklace
		w, drop := p.between(.26, .38), p.between(.55, .85)
		line := curve(false, round(-w*.55, -.5), round(-w, -.5+float64(drop*.35)), round(-w*.72, -.5+float64(drop*.75)), round(0, -.5+drop), round(w*.72, -.5+float64(drop*.75)), round(w, -.5+float64(drop*.35)), round(w*.55, -.5))
		low := point{0, -.5 + drop}
		switch p.IntN(4) {
		case 0: // beads that grow towards the middle
			g, other := p.gem(), p.gem()
			for i := 0; i < len(line); i++ {
				t := 1 - abs(float64(float64(i)/float64(len(line)-1)*2)-1)
				r := lerp(.017, .034, t)
				if i%2 == 0 || t < .5 {
					if i%4 == 0 {
						bead(other, line[i].x, line[i].y, r)
					} else {
						bead(g, line[i].x, line[i].y, r)
					}
				}
			}
		case 1: // a pendant
			p.add(metal, .01, ribbon(line, p.between(.01, .018)))
			g, r := p.gem(), p.between(.06, .11)
			switch p.IntN(4) {
			case 0:
				p.add(metal, .02, ellipse(0, low.y+r, r*1.15, r*1.15))
				bead(g, 0, low.y+r, r*.85)
			case 1: // a drop
				p.add(g, .05, outline(corner(0, low.y), round(r*.8, low.y+float64(r*1.5)), round(0, low.y+float64(r*2.1)), round(-r*.8, low.y+float64(r*1.5))))
			case 2: // a bar
				p.add(metal, .02, roundedBox(-r*1.6, low.y-.012, r*1.6, low.y+.03, .01))
			case 3: // a heart
				y := low.y + float64(r*.8)
				p.add(metal, .04, outline(corner(0, y-float64(r*.4)), round(r*.6, y-float64(r*.8)), round(r, y-float64(r*.2)), corner(0, y+r), round(-r, y-float64(r*.2)), round(-r*.6, y-float64(r*.8))))
			}
		case 2: // a bib of stones
			p.add(metal, .01, ribbon(line, .02))
			g, other := p.gem(), p.gem()
			mid := len(line) / 2
			for i := -9; i <= 9; i += 3 {
				q := line[clampInt(mid+i, 0, len(line)-1)]
				r := lerp(.062, .034, abs(float64(i))/9)
				p.add(g, .04, outline(corner(q.x, q.y-float64(r*.2)), round(q.x+float64(r*.75), q.y+float64(r*.9)), round(q.x, q.y+float64(r*2)), round(q.x-float64(r*.75), q.y+float64(r*.9))))
				bead(other, q.x, q.y-.01, r*.5)
			}
		case 3: // a chain of links
			for i := 0; i < len(line)-1; i++ {
				q := line[i]
				p.add(metal, .012, band(ellipse(q.x, q.y, .026, .02), .014)...)
			}
		}
	case 1: // a pair of earrings
		g, other := p.gem(), p.gem()
		kind, gap := p.IntN(5), p.between(.19, .25)
		r := p.between(.1, .15)
		thick := p.between(.018, .04)
		squeeze := p.between(.7, 1)
		n := 2 + p.IntN(3)
		tassel := plain(p.colour()).with(func(u, v float64) float64 { return .006 * sin(u*60) })
		for _, s := range [2]float64{-1, 1} {
			x, y := float64(gap*s), p.between(-.03, .03)
			hook := func(y float64) {
				p.add(metal, .008, ribbon(curve(false, round(x+.035, y-.06), round(x+.035, y-.13), round(x, y-.15), round(x-.006, y-.08), round(x, y)), .013))
			}
			switch kind {
			case 0: // hoops
				hook(y - float64(r*1.2))
				p.add(metal, .02, band(ellipse(x, y, r*squeeze*1.2, r*1.25), thick)...)
			case 1: // studs
				p.add(metal, .03, ellipse(x, y, r*1.05, r*1.05))
				bead(g, x, y, r*.85)
			case 2: // drops
				hook(y - .2)
				at := y - .17
				for i := range n {
					q := lerp(.03, .075, float64(i)/float64(n-1))
					p.add([]material{g, other}[i%2], q*.8, ellipse(x, at+q, q, q*1.15))
					at += float64(2.2 * q)
				}
			case 3: // chandeliers
				hook(y - .16)
				p.add(metal, .02, outline(corner(x, y-.17), round(x+.1, y-.02), corner(x+.12, y+.04), round(x, y+.06), corner(x-.12, y+.04), round(x-.1, y-.02)))
				bead(g, x, y-.03, .045)
				for i := -2; i <= 2; i++ {
					dx := float64(.05 * float64(i))
					l := .15 - float64(.022*abs(float64(i)))
					p.add(metal, .005, ribbon([]point{{x + dx, y + .05}, {x + dx, y + .05 + l}}, .01))
					bead(other, x+dx, y+.06+l, .024)
				}
			case 4: // tassels
				hook(y - .16)
				bead(metal, x, y-.14, .035)
				p.add(tassel, .03, outline(corner(x-.03, y-.12), corner(x+.03, y-.12), round(x+.05, y+.0), corner(x+.065, y+.2), corner(x-.065, y+.2), round(x-.05, y)))
			}
		}
	case 2: // a ring
		rx := p.between(.24, .3)
		ry := float64(rx * p.between(.8, 1.05))
		p.add(metal, .04, band(ellipse(0, .12, rx, ry), p.between(.035, .07))...)
		g, r, y := p.gem(), p.between(.09, .16), .12-ry
		switch p.IntN(4) {
		case 0:
			p.add(metal, .03, ellipse(0, y, r*1.15, r*.95))
			bead(g, 0, y-.015, r*.9)
		case 1: // cut: a brilliant from the side
			p.add(g, .03, polygon(-r, y-float64(r*.3), -r*.6, y-float64(r*.75), r*.6, y-float64(r*.75), r, y-float64(r*.3), 0, y+float64(r*.55)))
			p.add(metal, .01, ribbon([]point{{-r * .75, y - float64(r*.1)}, {-r * .3, y + float64(r*.4)}}, .018), ribbon([]point{{r * .75, y - float64(r*.1)}, {r * .3, y + float64(r*.4)}}, .018))
		case 2: // square
			p.add(metal, .03, roundedBox(-r*1.1, y-float64(r*.9), r*1.1, y+float64(r*.7), .02))
			p.add(g, .04, roundedBox(-r*.88, y-float64(r*.72), r*.88, y+float64(r*.52), .02))
		case 3: // three stones
			bead(p.gem(), -r*.9, y+float64(r*.1), r*.55)
			bead(p.gem(), r*.9, y+float64(r*.1), r*.55)
			bead(g, 0, y-float64(r*.1), r*.75)
		}
	case 3: // bracelets
		rx, ry := p.between(.36, .42), p.between(.17, .32)
		n := 1 + p.IntN(4)
		for i := range n {
			y := float64(-.065*float64(i)) + float64(.0325*float64(n-1))
			switch p.weighted(3, 4, 2) {
			case 0: // beads
				g, other := p.gem(), p.gem()
				const beads = 22
				for j := range beads {
					// The far ones first.
					t := -.25 + float64(j/2+j%2)*float64(1-2*(j%2))/beads
					m := g
					if (j/2)%3 == 0 {
						m = other
					}
					bead(m, float64(rx*cos(t)), y+float64(ry*sin(t)), .042)
				}
			case 1: // a bangle
				p.add(metal, .03, band(ellipse(0, y, rx, ry), p.between(.025, .06))...)
			case 2: // a cuff
				m := metal
				if p.chance(.4) {
					m = p.leather()
				}
				d := p.between(.1, .16)
				p.add(m.times(.5), .01, band(ellipse(0, y-float64(d*.5), rx, ry), .03)...)
				p.add(m, .06, outline(corner(-rx, y-float64(d*.5)), round(-rx*.7, y+float64(ry*.65)-float64(d*.5)), round(0, y+float64(ry*.95)-float64(d*.5)), round(rx*.7, y+float64(ry*.65)-float64(d*.5)), corner(rx, y-float64(d*.5)), corner(rx, y+float64(d*.5)), round(rx*.7, y+float64(ry*.7)+float64(d*.5)), round(0, y+ry+float64(d*.5)), round(-rx*.7, y+float64(ry*.7)+float64(d*.5)), corner(-rx, y+float64(d*.5))))
			}
		}
		if p.chance(.35) { // a charm
			x := p.between(-.15, .15)
			p.add(metal, .01, ribbon([]point{{x, ry}, {x, ry + .08}}, .012))
			bead(p.gem(), x, ry+.12, .05)
		}
	}
}

func abs(x float64) float64 { return max(x, -x) }

func clampInt(x, lo, hi int) int { return max(lo, min(hi, x)) }

func watches(p *piece) {
	p.tilt = .03
	strap := p.leather()
	links := p.chance(.4)
	if links {
		m := p.metal()
		f := p.between(16, 24)
		strap = material{at: func(u, v, px float64) rgb {
			k := 1 - float64(.35*stripe(v*f, .14, px*f))
			if abs(u) < .05 {
				k *= 1.12
			}
			return m.at(u, v, px).times(k)
		}, gloss: .6}
	}
	body := p.metal()
	r := p.between(.19, .24)
	sw := r * p.between(.5, .78)
	long := p.between(.44, .6)
	square := p.chance(.2)
	form := func(k float64) ring {
		if square {
			return roundedBox(-r*k*.9, -r*k*1.05, r*k*.9, r*k*1.05, r*.22)
		}
		return ellipse(0, 0, r*k, r*k)
	}
	switch p.weighted(6, 3) {
	case 0: // laid out flat
		p.add(strap, .06, outline(corner(-sw, -r*.6), corner(-sw*.78, -long), corner(sw*.78, -long), corner(sw, -r*.6)))
		p.add(strap, .06, outline(corner(-sw, r*.6), corner(sw, r*.6), corner(sw*.74, long), round(0, long+.05), corner(-sw*.74, long)))
		if !links {
			for i := range 5 {
				p.add(strap.times(.35), 0, ellipse(0, long-.02-float64(.05*float64(i)), .01, .013))
			}
			p.add(body, .02, band(roundedBox(-sw*.9, -long-.05, sw*.9, -long+.02, .015), .02)...)
			p.add(strap.times(.85), .01, roundedBox(-sw*.95, -long+.08, sw*.95, -long+.115, .006))
		}
	case 1: // closed, seen from above: the strap's loop behind
		ry := p.between(.3, .4)
		p.add(strap.times(.5), .02, band(outline(round(0, -ry*.35), round(sw*1.1, ry*.1), round(sw*.95, ry*1.5), round(0, ry*1.75), round(-sw*.95, ry*1.5), round(-sw*1.1, ry*.1)), .05)...)
		p.add(strap, .06, outline(corner(-sw, 0), corner(-sw*.92, -r*1.25), round(0, -r*1.55), corner(sw*.92, -r*1.25), corner(sw, 0)))
		p.add(strap, .06, outline(corner(-sw, 0), corner(sw, 0), corner(sw*.95, r*1.35), round(sw*.6, r*1.7), round(-sw*.6, r*1.7), corner(-sw*.95, r*1.35)))
	}
	// Lugs, crown, case, dial.
	for _, x := range [2]float64{-.86, .86} {
		p.add(body, .02, roundedBox(float64(x*sw)-.028, -r*1.16, float64(x*sw)+.028, r*1.16, .015))
	}
	p.add(body, .02, roundedBox(r*.9, -.03, r*1.17, .03, .01))
	if p.chance(.25) {
		for _, y := range [2]float64{-.1, .1} {
			p.add(body, .02, roundedBox(r*.82, y-.02, r*1.1, y+.02, .008))
		}
	}
	p.add(body, .045, form(1))
	c := rgb{.94, .93, .91}
	if p.chance(.5) {
		c = p.colour()
	}
	dial := plain(c)
	inner := p.between(.78, .88)
	p.add(dial, .01, form(inner))
	ink := plain(rgb{.1, .1, .12})
	if c.luma() < .45 {
		ink = plain(rgb{.92, .91, .88})
	}
	if p.chance(.25) {
		for _, q := range [][2]float64{{.36, 0}, {-.36, 0}, {0, .38}} {
			p.add(dial.times(.82), 0, ellipse(q[0]*r, q[1]*r, r*.17, r*.17))
		}
	}
	every := 1 + 2*p.IntN(2)
	for i := 0; i < 12; i += every {
		t := float64(i) / 12
		cx, sx := cos(t)*r*inner, sin(t)*r*inner
		if square {
			cx, sx = cx*.88, sx*1.04
		}
		width := .014
		if i%3 == 0 {
			width = .022
		}
		p.add(ink, 0, ribbon([]point{{cx * .78, sx * .78}, {cx * .9, sx * .9}}, width))
	}
	hour, minute := p.Float64(), p.Float64()
	p.add(ink, 0, taper([]point{{0, 0}, {float64(r * .42 * cos(hour)), float64(r * .42 * sin(hour))}}, .03, .018))
	p.add(ink, 0, taper([]point{{0, 0}, {float64(r * .62 * cos(minute)), float64(r * .62 * sin(minute))}}, .022, .012))
	p.add(body, .01, ellipse(0, 0, .018, .018))
}

func scarves(p *piece) {
	p.tilt = .02
	m := p.textile()
	fringe := func(x0, x1, y, slope float64) {
		n := 6 + p.IntN(5)
		t := m.times(.88)
		for i := range n {
			f := (float64(i) + .5) / float64(n)
			x, y := lerp(x0, x1, f), y+float64(slope*(f-.5))
			p.add(t, .01, ribbon([]point{{x, y - .01}, {x + p.between(-.012, .012), y + p.between(.055, .085)}}, .014))
		}
	}
	hang := func() material { return m.with(p.folds(p.between(.02, .035))) }
	switch p.weighted(5, 3, 3, 3, 3) {
	case 0: // around a neck that is not there, the ends hanging
		p.add(m.times(.5), .03, ellipse(0, -.36, .17, .085))
		ends := p.weighted(2, 5) + 1
		for i := range ends {
			s := float64(1 - 2*i)
			x, l, w := float64(p.between(.06, .11)*s), p.between(.28, .52), p.between(.085, .12)
			p.add(hang(), .08, outline(corner(x-float64(w*.6), -.24), corner(x+float64(w*.6), -.24), round(x+w, .05), corner(x+w+float64(.03*s), l), corner(x-w+float64(.03*s), l+.015), round(x-w, .05))).turned(.01*s, point{})
			if p.chance(.65) {
				fringe(x-w+float64(.03*s), x+w+float64(.03*s), l+.01, -.015)
			}
		}
		p.add(m.times(.94).with(p.folds(.03)), .09, outline(round(-.24, -.4), round(-.16, -.36), round(0, -.3), round(.16, -.36), round(.24, -.4), round(.245, -.26), round(.12, -.13), round(0, -.1), round(-.12, -.13), round(-.245, -.26)))
		p.add(hang(), .07, outline(round(-.2, -.34), round(0, -.24), round(.2, -.34), round(.19, -.25), round(.05, -.13), round(-.09, -.11), round(-.19, -.23)))
	case 1: // folded, laid out straight
		w, l := p.between(.13, .2), p.between(.44, .5)
		slip := p.between(.03, .1)
		p.add(m.times(.85), .05, roundedBox(-w*.7, -l, w*1.12, l-slip, .01))
		fringe(-w*.7, w*1.12, l-slip, 0)
		p.add(hang(), .06, outline(corner(-w, -l-.02), round(0, -l-.03), corner(w*.9, -l-.02), round(w*.95, 0), corner(w*.9, l), corner(-w, l), round(-w*1.03, 0)))
		fringe(-w, w*.9, l, 0)
	case 2: // a triangle: a shawl
		w := p.between(.44, .54)
		d := p.between(.36, .46)
		n := 15
		for i := range n {
			f := float64(float64(i)/float64(n-1)*2) - 1
			y := lerp(d, -.3, abs(f))
			p.add(m.times(.85), .01, ribbon([]point{{w * f, y - .02}, {float64(w*f*1.03) + p.between(-.01, .01), y + .07}}, .012))
		}
		p.add(m.with(p.folds(.03)), .07, outline(corner(-w, -.34), round(-w*.4, -.3), round(0, -.27), round(w*.4, -.3), corner(w, -.34), round(w*.52, .03), corner(0, d), round(-w*.52, .03)))
		p.add(m.times(.8), .04, outline(corner(-w, -.34), round(-w*.4, -.305), round(0, -.28), round(w*.4, -.305), corner(w, -.34), round(w*.4, -.24), round(0, -.2), round(-w*.4, -.24)))
	case 3: // a loop: stacked coils
		n := 2 + p.IntN(2)
		p.add(m.times(.4), .02, ellipse(0, -.13, .2, .1))
		for i := n - 1; i >= 0; i-- {
			k := float64(i)
			rx, ry := .27+float64(.045*k), .17+float64(.1*k)
			y := -.1 + float64(.055*k)
			p.add(m.times(1-float64(.06*k)).with(p.folds(.035)), .11, band(outline(round(rx, y), round(rx*.75, y+float64(ry*.85)), round(0, y+float64(ry*1.15)), round(-rx*.75, y+float64(ry*.85)), round(-rx, y), round(-rx*.7, y-float64(ry*.35)), round(0, y-float64(ry*.45)), round(rx*.7, y-float64(ry*.35))), .13+float64(.01*k))...)
		}
	case 4: // a square of silk, knotted
		p.add(m.with(p.folds(.03)), .06, outline(corner(-.02, -.08), round(-.2, .06), corner(-.36, .4), round(-.18, .42), corner(-.04, .34), round(-.02, .15)))
		p.add(m.times(.92).with(p.folds(.03)), .06, outline(corner(.02, -.08), round(.16, .1), corner(.3, .44), round(.14, .4), corner(.03, .3), round(.03, .1)))
		p.add(m.times(.5), .02, ellipse(0, -.27, .2, .1))
		p.add(m.with(p.folds(.03)), .08, band(outline(round(.23, -.29), round(.13, -.14), round(0, -.09), round(-.13, -.14), round(-.23, -.29), round(-.15, -.38), round(0, -.4), round(.15, -.38)), .1)...)
		p.add(m.times(.95), .06, outline(round(-.07, -.12), round(0, -.15), round(.07, -.12), round(.06, -.02), round(0, .0), round(-.06, -.02)))
	}
}
