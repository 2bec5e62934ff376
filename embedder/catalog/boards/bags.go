package boards

// A bag's body is about 1 wide or high, its middle at the origin; handles go up.

func handbags(p *piece) {
	p.tilt = .02
	const (
		tote = iota
		satchel
		crossbody
		clutch
		backpack
		bucket
		hobo
		duffel
	)
	kind := p.weighted(5, 5, 5, 4, 2, 2, 3, 2)
	p.cut = [...]string{"tote", "satchel", "crossbody", "clutch", "backpack", "bucket", "hobo", "duffel"}[kind]
	m := p.leather()
	if kind == tote && p.chance(.3) {
		m = p.straw()
	}
	trim := m.times(.8)
	if p.chance(.35) {
		trim = p.leather()
	}
	metal := p.metal()
	chain := p.chance(.35)
	w, h := p.between(.36, .46), p.between(.24, .34)
	handle := func(x, y, up, width float64, k float64) {
		line := curve(false, round(-x, y), round(-x*.9, y-float64(up*.65)), round(-x*.4, y-up), round(x*.4, y-up), round(x*.9, y-float64(up*.65)), round(x, y))
		p.add(trim.times(k), .025, ribbon(line, width))
	}
	rings := func(x, y float64) {
		for _, s := range [2]float64{-1, 1} {
			p.add(metal, .01, band(ellipse(x*s, y, .022, .022), .012)...)
		}
	}
	links := func(line []point, width float64) {
		if !chain {
			p.add(trim, .02, ribbon(line, width))
			return
		}
		for i := 0; i+1 < len(line); i += 1 {
			q := line[i]
			p.add(metal, .01, band(ellipse(q.x, q.y, .017, .012), .009)...)
		}
	}
	closing := func(x, y float64) {
		switch p.IntN(4) {
		case 0:
			p.add(metal, .02, roundedBox(x-.032, y-.03, x+.032, y+.03, .008))
		case 1:
			p.add(metal, .02, ellipse(x, y, .028, .028))
		case 2:
			p.add(metal, .01, band(roundedBox(x-.04, y-.03, x+.04, y+.03, .01), .014)...)
		case 3:
			p.add(metal, .015, roundedBox(x-.05, y-.012, x+.05, y+.012, .01))
		}
	}
	switch kind {
	case tote:
		h = p.between(.3, .42)
		wide := p.between(1, 1.2)
		up := p.between(.22, .4)
		handle(w*.5, -h+.05, up*1.02, .028, .7)
		p.add(m.times(.45), .01, outline(corner(-w*wide, -h), round(0, -h-.025), corner(w*wide, -h), round(0, -h+.03)))
		p.add(m.with(p.folds(.008)), .1, outline(corner(-w*wide, -h), round(0, -h+.022), corner(w*wide, -h), round(w*.98, h*.3), round(w*.95, h*.95), round(w*.8, h), round(-w*.8, h), round(-w*.95, h*.95), round(-w*.98, h*.3)))
		p.stitches(m, -w*.92, w*.92, h*.9)
		handle(w*.52, -h+.12, up, .032, 1)
		if p.chance(.4) {
			p.add(trim, .02, outline(corner(-w*.97, h*.5), round(0, h*.52), corner(w*.97, h*.5), round(w*.95, h*.92), round(w*.8, h), round(-w*.8, h), round(-w*.95, h*.92)))
		} else if p.chance(.35) {
			p.print(0, 0, h*.35)
		}
	case satchel:
		up := p.between(.14, .24)
		wing := p.chance(.4)
		handle(w*.42, -h+.02, up*1.05, .035, .7)
		if wing {
			for _, s := range [2]float64{-1, 1} {
				p.add(m.times(.75), .05, outline(corner(w*.7*s, -h*.95), corner(w*1.18*s, -h*.55), round(w*1.14*s, h*.7), corner(w*.8*s, h)))
			}
		}
		p.add(m, .11, outline(corner(-w*.86, -h), corner(w*.86, -h), round(w*.97, h*.4), round(w*.97, h*.92), round(w*.85, h), round(-w*.85, h), round(-w*.97, h*.92), round(-w*.97, h*.4)))
		handle(w*.42, -h+.06, up, .04, 1)
		rings(w*.42, -h+.06)
		switch p.IntN(3) {
		case 0: // belts over the flap
			p.add(m.times(.92), .03, outline(corner(-w*.87, -h), corner(w*.87, -h), corner(w*.9, -h*.2), round(0, -h*.1), corner(-w*.9, -h*.2)))
			for _, s := range [2]float64{-1, 1} {
				p.add(trim.times(.9), .015, roundedBox(float64(w*.42*s)-.022, -h*.9, float64(w*.42*s)+.022, h*.15, .01))
				p.add(metal, .01, band(roundedBox(float64(w*.42*s)-.03, -h*.2, float64(w*.42*s)+.03, -h*.02, .008), .012)...)
			}
		case 1: // a zip and seams
			p.add(metal, .005, ribbon([]point{{-w * .75, -h * .82}, {w * .75, -h * .82}}, .013))
			for _, s := range [2]float64{-1, 1} {
				p.seam(m, .5, .007, .7, point{w * .42 * s, -h * .8}, point{w * .5 * s, h})
			}
			p.add(metal, .01, roundedBox(-.05, h*.2, .05, h*.3, .01))
		case 2: // a turning lock
			p.add(m.times(.9), .03, outline(corner(-w*.87, -h), corner(w*.87, -h), round(w*.5, h*.0), round(0, h*.15), round(-w*.5, h*.0)))
			closing(0, h*.05)
		}
		p.stitches(m, -w*.9, w*.9, h*.93)
	case crossbody:
		h = p.between(.22, .3)
		up := p.between(.35, .62)
		lean := p.between(-.12, .12)
		links(curve(false, round(-w*.9, -h+.04), round(float64(-w*.85)+float64(lean*.4), -h-float64(up*.55)), round(float64(-w*.3)+lean, -h-float64(up*.97)), round(float64(w*.3)+lean, -h-up), round(float64(w*.85)+float64(lean*.4), -h-float64(up*.6)), round(w*.9, -h+.04)), p.between(.018, .028))
		body := m
		if p.chance(.3) {
			body = m.with(quiltedBag(p.between(5, 8)))
		}
		p.add(body, .1, roundedBox(-w, -h, w, h, p.between(.04, .16)))
		depth := float64(p.between(-.1, .55) * h)
		p.add(body.times(.93).with(body.relief), .06, outline(corner(-w*.97, -h), round(0, -h-.012), corner(w*.97, -h), round(w*.9, lerp(-h, depth, .7)), round(w*.5, depth), round(-w*.5, depth), round(-w*.9, lerp(-h, depth, .7))))
		closing(0, depth-.02)
		rings(w*.9, -h+.04)
		if p.chance(.3) {
			p.tassel(w*.6, depth)
		}
	case clutch:
		h = p.between(.2, .28)
		w = float64(w * 1.1)
		p.add(m, .09, roundedBox(-w, -h, w, h, p.between(.02, .06)))
		switch p.IntN(4) {
		case 0: // an envelope
			p.add(m.times(.95), .05, polygon(-w, -h, w, -h, 0, h*p.between(.1, .5)))
			closing(0, h*.1)
		case 1: // a frame with a clasp
			p.add(metal, .02, roundedBox(-w*.98, -h-.02, w*.98, -h+.035, .015))
			p.add(metal, .03, ellipse(-.018, -h-.035, .022, .022), ellipse(.022, -h-.035, .022, .022))
		case 2: // a zip with a loop for the wrist
			p.add(metal, .005, ribbon([]point{{-w * .93, -h * .8}, {w * .93, -h * .8}}, .014))
			p.add(trim, .02, band(outline(round(-w*.9, -h*.75), round(-w-.1, -h*.1), round(-w-.12, h*.5), round(-w-.04, h*.2)), .022)...)
		case 3:
			p.add(m.times(.94), .05, outline(corner(-w, -h), corner(w, -h), round(w*.98, h*.1), round(0, h*.3), round(-w*.98, h*.1)))
			closing(0, h*.22)
		}
	case backpack:
		w, h = p.between(.28, .33), p.between(.36, .42)
		for _, s := range [2]float64{-1, 1} {
			p.add(trim.times(.75), .03, ribbon(curve(false, round(w*.4*s, -h+.03), round(w*1.12*s, -h*.5), round(w*1.18*s, h*.2), round(w*.95*s, h*.8)), .05))
		}
		p.add(trim, .02, ribbon(curve(false, round(-.07, -h), round(-.05, -h-.08), round(.05, -h-.08), round(.07, -h)), .028))
		p.add(m, .14, outline(round(0, -h), round(w*.8, -h*.88), round(w, -h*.3), round(w, h*.8), round(w*.8, h), round(-w*.8, h), round(-w, h*.8), round(-w, -h*.3), round(-w*.8, -h*.88)))
		if p.chance(.5) {
			p.add(m.times(.93), .07, outline(round(0, -h), round(w*.8, -h*.9), round(w*.95, -h*.4), corner(w*.85, 0), round(0, h*.08), corner(-w*.85, 0), round(-w*.95, -h*.4), round(-w*.8, -h*.9)))
		} else {
			p.add(metal, .005, ribbon(curve(false, round(-w*.85, -h*.25), round(-w*.6, -h*.72), round(0, -h*.82), round(w*.6, -h*.72), round(w*.85, -h*.25)), .014))
		}
		p.add(m.times(.95), .07, roundedBox(-w*.75, h*.18, w*.75, h*.9, .05))
		p.add(metal, .005, ribbon([]point{{-w * .65, h * .3}, {w * .65, h * .3}}, .013))
		closing(0, h*.12)
	case bucket:
		h = p.between(.32, .4)
		w = p.between(.28, .34)
		up := p.between(.25, .5)
		links(curve(false, round(-w*.85, -h+.06), round(-w*.8, -h-float64(up*.6)), round(0, -h-up), round(w*.8, -h-float64(up*.6)), round(w*.85, -h+.06)), .025)
		p.add(m.times(.4), .01, ellipse(0, -h+.01, w*.84, .045))
		p.add(m.with(waves(7, .012, h*.2, -h, w, w)), .13, outline(corner(-w*.86, -h), round(0, -h+.045), corner(w*.86, -h), round(w*.95, 0), round(w, h*.75), round(w*.75, h), round(-w*.75, h), round(-w, h*.75), round(-w*.95, 0)))
		p.add(trim, .02, ribbon(curve(false, round(-w*.89, -h*.72), round(0, -h*.6), round(w*.89, -h*.72)), .018))
		for _, s := range [2]float64{-1, 1} {
			p.add(trim, .02, ribbon(curve(false, round(.01*s, -h*.6), round(.05*s, -h*.4), round(.04*s, -h*.1)), .014))
		}
	case hobo:
		up := p.between(.3, .5)
		width := p.between(.045, .075)
		p.add(trim, .04, taper(curve(false, round(-w*.86, -h*.55), round(-w*.6, -h-float64(up*.6)), round(0, -h-up), round(w*.6, -h-float64(up*.6)), round(w*.86, -h*.55)), width, width))
		p.add(m.with(p.folds(.016)), .14, outline(corner(-w*.95, -h*.75), round(-w*.5, -h*.42), round(0, -h*.3), round(w*.5, -h*.42), corner(w*.95, -h*.75), round(w*1.12, h*.2), round(w*.75, h*.95), round(0, h*1.06), round(-w*.75, h*.95), round(-w*1.12, h*.2)))
		p.seam(m, .5, .01, .7, point{-w * .9, -h * .68}, point{-w * .5, -h * .36}, point{0, -h * .24}, point{w * .5, -h * .36}, point{w * .9, -h * .68})
		rings(w*.88, -h*.62)
		if p.chance(.4) {
			p.tassel(w*.3, -h*.1)
		}
	case duffel:
		w, h = p.between(.44, .5), p.between(.2, .26)
		up := p.between(.12, .2)
		handle(w*.36, -h*.8, up+.03, .03, .7)
		p.add(m.with(p.folds(.008)), .16, outline(round(0, -h*1.02), round(w*.8, -h*.97), round(w, -h*.3), round(w, h*.6), round(w*.85, h), round(-w*.85, h), round(-w, h*.6), round(-w, -h*.3), round(-w*.8, -h*.97)))
		p.add(metal, .005, ribbon(curve(false, round(-w*.88, -h*.75), round(0, -h*.86), round(w*.88, -h*.75)), .014))
		for _, s := range [2]float64{-1, 1} {
			p.add(trim, .02, roundedBox(float64(w*.36*s)-.024, -h*.85, float64(w*.36*s)+.024, h, .004))
		}
		handle(w*.36, -h*.7, up, .036, 1)
	}
	if kind != clutch && p.chance(.1) {
		p.tassel(-w*.5, -h*.4)
	}
}

// stitches are a line along the bottom.
func (p *piece) stitches(m material, x0, x1, y float64) {
	p.seam(m, .6, .005, .5, point{x0, y}, point{0, y + .006}, point{x1, y})
}

func (p *piece) tassel(x, y float64) {
	m := p.leather()
	p.add(m, .01, ribbon([]point{{x, y - .06}, {x, y}}, .012))
	p.add(m, .03, outline(round(x, y-.02), corner(x+.035, y+.14), corner(x-.035, y+.14)))
	p.add(p.metal(), .01, ellipse(x, y, .018, .015))
}

// quiltedBag are diamonds, f to a length.
func quiltedBag(f float64) relief {
	return func(u, v float64) float64 {
		x, y := frac((u+v)*f)-.5, frac((u-v)*f)-.5
		return .02 * (1 - float64(4*x*x)) * (1 - float64(4*y*y))
	}
}
