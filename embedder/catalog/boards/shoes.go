package boards

// Shoes are seen from the side, the toe to the right, from heel (-0.5) to toe (0.5), on ground that
// is y = 0; or, some of them, from above as a pair.

func shoes(p *piece) {
	p.tilt = .03
	const (
		pump = iota
		sandal
		flat
		sneaker
		highTop
		ankleBoot
		tallBoot
		loafer
		wedge
		fromAbove
		flipFlops
	)
	kind := p.weighted(6, 5, 3, 4, 3, 6, 4, 3, 3, 4, 3)
	p.cut = [...]string{"pump", "sandal", "flat", "sneaker", "high-top", "ankle boot", "tall boot", "loafer", "wedge", "pair", "flip-flops"}[kind]
	m := p.leather()
	sole := plain([...]rgb{{.15, .12, .1}, {.85, .82, .76}, {.55, .38, .22}}[p.IntN(3)])
	var draw func()
	switch kind {
	case pump:
		heel, platform := p.between(.2, .42), 0.0
		if p.chance(.3) {
			platform = p.between(.03, .08)
		}
		thin, pointed, strap, bow := p.between(.03, .09), p.chance(.5), p.chance(.25), p.chance(.15)
		other := m
		if p.chance(.25) {
			other = p.leather()
		}
		metal := p.metal()
		draw = func() {
			a := arch{heel, platform}
			p.heel(other, a, thin)
			if platform > 0 {
				p.add(other.times(.85), .03, outline(corner(-.04, a.y(-.04)), round(.08, a.y(.08)), corner(.2, -platform), corner(.48, -platform), round(.5, -platform*.5), corner(.46, 0), corner(.06, 0)))
			}
			toe := .5
			tip := round(toe, -platform-.02)
			if pointed {
				tip = corner(toe+.03, -platform-.012)
			}
			// The inner side, seen through the opening, then the outer.
			p.add(m.times(.42), .02, outline(corner(-.47, a.y(-.47)-.17), round(-.25, a.y(-.25)-.085), round(0, a.y(0)-.06), corner(.2, a.y(.2)-.11), round(0, a.y(0)-.115), round(-.25, a.y(-.25)-.15), round(-.42, a.y(-.42)-.19)))
			p.add(m, .11, outline(
				corner(-.485, a.y(-.485)-.19), round(-.25, a.y(-.25)-.085), round(-.02, a.y(0)-.05), corner(.19, a.y(.19)-.115),
				round(.36, a.y(.36)-.075), tip, round(.42, -platform), corner(.16, -platform),
				round(-.1, a.y(-.1)), round(-.3, a.y(-.3)+.005), round(-.45, a.y(-.45)+.006), round(-.495, a.y(-.49)-.05)))
			p.add(sole.times(.8), 0, ribbon(curve(false, round(-.47, a.y(-.47)), round(-.28, a.y(-.28)+.004), round(-.1, a.y(-.1)), round(.14, -platform), round(.3, -platform+.004), round(.47, -platform)), .014))
			if strap {
				y := a.y(-.35)
				p.add(m, .02, ribbon(curve(false, round(-.45, y-.24), round(-.3, y-.3), round(-.16, y-.25), round(-.14, a.y(-.14)-.08)), .03))
				p.add(metal, .01, ellipse(-.2, y-.275, .018, .018))
			}
			if bow {
				x, y := .24, a.y(.24)-.115
				p.add(other, .03, outline(corner(x, y), round(x+.06, y-.06), round(x+.085, y+.01)), outline(corner(x, y), round(x-.085, y-.02), round(x-.06, y+.045)))
				p.add(other.times(.8), .02, ellipse(x, y, .02, .02))
			}
		}
	case sandal:
		heel := p.between(.16, .4)
		if p.chance(.3) {
			heel = p.between(.03, .07)
		}
		thin, straps, width := p.between(.03, .1), 1+p.IntN(3), p.between(.045, .08)
		ankle := p.chance(.75)
		metal := p.metal()
		draw = func() {
			a := arch{heel, .02}
			if heel > .1 {
				p.heel(m, a, thin)
			}
			// The far halves of the straps, the footbed, the near halves.
			x := func(i int) float64 { return .12 + float64(.115*float64(i)) }
			rise := func(i int) float64 { return .15 - float64(.028*float64(i)) }
			for i := range straps {
				p.add(m.times(.55), .01, ribbon(curve(false, round(x(i)+.03, a.y(x(i))-rise(i)+.02), round(x(i)+.1, a.y(x(i))-float64(rise(i)*.5)), round(x(i)+.12, a.y(x(i))-.03)), width*.7))
			}
			p.add(sole, .02, outline(
				corner(-.5, a.y(-.5)-.03), round(-.3, a.y(-.3)-.028), round(-.1, a.y(-.1)-.03), round(.14, a.y(.14)-.03), round(.3, -.05), corner(.5, -.045),
				round(.51, -.02), corner(.46, 0), round(.14, 0), round(-.1, a.y(-.1)+.01), round(-.3, a.y(-.3)+.01), corner(-.49, a.y(-.49)+.01)))
			for i := range straps {
				y := a.y(x(i))
				p.add(m, .04, taper(curve(false, round(x(i)-.06, y-.02), round(x(i)-.025, y-float64(rise(i)*.7)), round(x(i)+.04, y-rise(i))), width*1.15, width))
			}
			// The counter at the heel and the strap around the ankle.
			y := a.y(-.45)
			p.add(m, .05, outline(corner(-.5, y-.01), round(-.515, y-.12), corner(-.47, y-.23), corner(-.43, y-.22), round(-.42, y-.1), corner(-.36, a.y(-.36)-.01)))
			if ankle {
				p.add(m.times(.6), .01, ribbon(curve(false, round(-.46, y-.215), round(-.36, y-.25), round(-.24, y-.235)), .03))
				p.add(m, .02, ribbon(curve(false, round(-.47, y-.21), round(-.36, y-.17), round(-.24, y-.2), round(-.22, y-.23)), .034))
				p.add(metal, .01, band(roundedBox(-.34, y-.195, -.295, y-.15, .01), .011)...)
			}
		}
	case flat:
		pointed, bow, cap := p.chance(.4), p.chance(.4), p.chance(.25)
		trim := m.times(.6)
		if p.chance(.4) {
			trim = plain(p.colour())
		}
		draw = func() {
			tip := round(.5, -.05)
			if pointed {
				tip = corner(.54, -.025)
			}
			p.add(m.times(.42), .02, outline(corner(-.46, -.2), round(-.2, -.11), round(.05, -.1), corner(.22, -.13), round(.05, -.15), round(-.2, -.165)))
			p.add(m, .1, outline(corner(-.48, -.21), round(-.22, -.105), round(.04, -.085), corner(.23, -.135), round(.4, -.09), tip, corner(.47, -.015), corner(-.47, -.015), round(-.5, -.1)))
			if cap {
				p.add(trim, .05, outline(corner(.34, -.112), round(.42, -.085), tip, corner(.47, -.015), corner(.36, -.015), round(.33, -.06)))
			}
			p.add(sole.times(.9), .01, outline(corner(-.49, -.022), corner(.48, -.022), round(.5, -.012), corner(.46, 0), corner(-.25, 0), corner(-.27, .02), corner(-.47, .02)))
			p.add(trim, 0, ribbon(curve(false, round(-.475, -.205), round(-.22, -.105), round(.04, -.086), round(.22, -.132)), .013))
			if bow {
				p.add(trim, .03, outline(corner(.24, -.135), round(.31, -.2), round(.33, -.13)), outline(corner(.24, -.135), round(.14, -.17), round(.17, -.09)))
				p.add(trim.times(.8), .01, ellipse(.24, -.135, .02, .022))
			}
		}
	case sneaker, highTop:
		if p.chance(.4) {
			m = p.textile()
		}
		top := p.between(.32, .38)
		if kind == highTop {
			top = p.between(.5, .6)
		}
		rubber := plain(rgb{.92, .91, .89})
		if p.chance(.35) {
			rubber = plain(p.colour())
		}
		accent, laces := plain(p.colour()), plain(rgb{.94, .93, .91})
		if p.chance(.3) {
			laces = plain(p.colour())
		}
		thick, cap, mark := p.between(.06, .11), p.chance(.4), p.IntN(4)
		draw = func() {
			// The ankle's opening, the tongue, the upper, its details, the sole.
			p.add(m.times(.4), .02, outline(round(-.45, -top), round(-.28, -top+.03), round(-.12, -top+.02), round(-.28, -top-.02)))
			p.add(m.times(.85), .04, outline(corner(-.14, -top-.05), round(-.06, -top-.06), corner(.0, -top+.04), corner(.17, -.21), corner(.1, -.2)))
			p.add(m, .12, outline(
				corner(-.455, -top-.01), round(-.32, -top+.03), corner(-.14, -top+.005), round(-.0, lerp(top, .26, .6)*-1), corner(.16, -.215),
				round(.33, -.17), round(.47, -.11), corner(.495, -thick*.7), corner(-.48, -thick*.7), round(-.49, -.18), round(-.46, -top*.75)))
			switch mark {
			case 0: // a swoop
				p.add(accent, .01, outline(corner(-.36, -.2), round(-.2, -.13), corner(.12, -.22), round(-.12, -.1), round(-.3, -.11)))
			case 1: // three bars
				for i := range 3 {
					x := -.2 + float64(.085*float64(i))
					p.add(accent, .01, polygon(x, -.2, x+.035, -.2, x-.005, -.1, x-.04, -.1))
				}
			case 2: // a patch at the heel
				p.add(accent, .03, outline(corner(-.455, -top), corner(-.4, -top+.02), round(-.37, -top*.6), corner(-.37, -thick), corner(-.48, -thick), round(-.49, -.18)))
			}
			if kind == highTop {
				p.add(accent, .02, ellipse(-.26, -top*.68, .055, .055))
			}
			if cap {
				p.add(rubber, .05, outline(corner(.32, -.173), round(.46, -.115), corner(.495, -thick*.7), corner(.34, -thick*.7), round(.3, -.12)))
			} else {
				p.seam(m, .55, .007, .6, point{.3, -.18}, point{.27, -.13}, point{.3, -thick})
			}
			p.seam(m, .6, .007, .6, point{-.14, -top}, point{-.08, -.2}, point{.04, -.13}, point{.2, -.19})
			n := 5
			if kind == highTop {
				n = 7
			}
			for i := range n {
				t := float64(i) / float64(n-1)
				x, y := lerp(-.1, .15, t), lerp(-top+.03, -.215, t)
				p.add(laces, .015, ribbon([]point{{x - .045, y + .045}, {x + .035, y + .0}}, .017))
			}
			p.add(rubber, .04, outline(corner(-.5, -thick), round(0, -thick*.86), round(.3, -thick*.9), corner(.51, -thick*1.05), round(.53, -thick*.5), round(.46, 0), round(0, 0), round(-.47, 0), round(-.51, -thick*.5)))
			p.add(accent, 0, ribbon(curve(false, round(-.5, -thick*.5), round(0, -thick*.42), round(.5, -thick*.55)), .01))
		}
	case ankleBoot, tallBoot:
		shaft := p.between(.36, .52)
		if kind == tallBoot {
			shaft = p.between(.8, 1.15)
		}
		heel := p.between(.04, .26)
		block := p.between(.06, .15)
		if heel < .09 {
			block = .2
		}
		calf, pointed := p.between(.14, .18), p.chance(.4)
		detail, metal := p.IntN(5), p.metal()
		soleDark := sole.times(.6)
		lift := p.between(.015, .05)
		folds := p.folds(p.between(.006, .018))
		draw = func() {
			a := arch{heel, lift}
			p.heel(soleDark, a, block)
			top := -heel - shaft
			back := -.47
			p.add(m.times(.35), .01, ellipse(back+calf, top, calf*.97, .022))
			tip := round(.5, -.06-lift)
			if pointed {
				tip = corner(.53, -.035-lift)
			}
			instep := a.y(-.02)
			p.add(m.with(folds), .13, outline(
				corner(back, top), round(back+calf, top+.02), corner(back+float64(2*calf), top), round(-.16, -heel-.27), round(-.1, instep-.2), round(.12, a.y(.12)-.14),
				round(.35, -.13-lift), tip, corner(.46, -lift), corner(.14, -lift), round(-.08, a.y(-.08)), round(-.28, a.y(-.28)), corner(-.48, a.y(-.48)), round(-.49, a.y(-.48)-.1), round(-.455, -heel-.24)))
			p.add(soleDark, .01, ribbon(curve(false, round(-.47, a.y(-.47)), round(-.28, a.y(-.28)+.004), round(-.08, a.y(-.08)), round(.14, -lift*.6), round(.3, -lift*.5), round(.48, -lift*.6)), float64(lift*.8)+.014))
			switch detail {
			case 0: // a zip
				p.add(metal, .005, ribbon([]point{{back + float64(calf*1.1), top + .03}, {-.26, -heel - .06}}, .012))
			case 1: // elastic at the side
				p.add(m.times(.6).with(func(u, v float64) float64 { return .005 * sin(u*35) }), .01, outline(corner(-.36, -heel-.3), corner(-.22, -heel-.3), corner(-.26, -heel-.09), corner(-.31, -heel-.09)))
			case 2: // a strap with a buckle
				y := -heel - .17
				p.add(m.times(.75), .03, ribbon(curve(false, round(-.475, y), round(-.3, y+.03), round(-.11, y-.02)), .04))
				p.add(metal, .01, band(roundedBox(-.27, y-.015, -.21, y+.045, .012), .013)...)
			case 3: // laces
				for i := range 5 {
					t := float64(i) / 4
					x, y := lerp(-.17, .03, t), lerp(-heel-.3, a.y(.05)-.175, t)
					p.add(metal.times(.6), .01, ribbon([]point{{x - .035, y + .035}, {x + .035, y - .002}}, .014))
				}
			case 4:
				p.seam(m, .55, .006, .6, point{-.47, -heel - .2}, point{-.25, -heel - .12}, point{-.1, instep - .05})
			}
		}
	case loafer:
		tassel, metal, heel := p.chance(.3), p.metal(), p.between(.03, .06)
		draw = func() {
			p.add(m.times(.4), .02, outline(corner(-.45, -.27), round(-.25, -.22), round(-.05, -.23), round(-.25, -.255)))
			p.add(m, .11, outline(
				corner(-.47, -.28), round(-.25, -.205), corner(-.06, -.23), corner(.0, -.29), corner(.15, -.245), round(.34, -.17), round(.49, -.1), corner(.49, -.03),
				corner(-.47, -.03), round(-.5, -.15)))
			p.seam(m, .5, .01, .7, point{-.02, -.2}, point{.12, -.16}, point{.3, -.125}, point{.42, -.125}, point{.47, -.09})
			p.add(m.times(.85), .03, outline(corner(-.06, -.24), corner(.09, -.275), corner(.17, -.155), round(.05, -.12), corner(.0, -.14)))
			if tassel {
				p.add(m.times(.7), .03, outline(corner(.16, -.21), corner(.24, -.15), corner(.18, -.12)), outline(corner(.14, -.21), corner(.17, -.11), corner(.11, -.11)))
			} else {
				p.add(metal, .01, ribbon([]point{{.0, -.185}, {.13, -.215}}, .02))
			}
			p.add(sole.times(.7), .01, outline(corner(-.48, -.04), corner(.48, -.04), round(.51, -.02), corner(.46, 0), corner(-.18, 0), corner(-.2, heel), corner(-.47, heel)))
		}
	case wedge:
		heel, open := p.between(.18, .36), p.chance(.6)
		cork := p.straw()
		if p.chance(.4) {
			cork = plain(mix(rgb{.68, .5, .32}, p.colour(), .15))
		}
		metal := p.metal()
		draw = func() {
			a := arch{heel, .06}
			p.add(cork, .05, outline(corner(-.5, a.y(-.5)), round(-.25, a.y(-.25)), round(0, a.y(0)), round(.2, -.06), corner(.5, -.06), corner(.47, 0), corner(-.46, 0)))
			if open {
				p.add(m.times(.5), .01, ribbon(curve(false, round(.24, a.y(.2)-.13), round(.36, a.y(.3)-.07), round(.4, -.07)), .06))
				p.add(m, .06, outline(corner(.08, a.y(.08)-.0), round(.13, a.y(.13)-.1), corner(.21, a.y(.2)-.145), round(.31, a.y(.3)-.115), corner(.38, -.06), corner(.2, -.05)))
				y := a.y(-.44)
				p.add(m, .05, outline(corner(-.5, y), round(-.515, y-.12), corner(-.47, y-.24), corner(-.41, y-.23), round(-.4, y-.1), corner(-.33, a.y(-.33))))
				p.add(m, .02, ribbon(curve(false, round(-.46, y-.21), round(-.34, y-.17), round(-.2, y-.21)), .04))
				p.add(metal, .01, ellipse(-.32, y-.175, .02, .02))
			} else {
				p.add(m.times(.42), .02, outline(corner(-.46, a.y(-.46)-.16), round(-.2, a.y(-.2)-.09), corner(.18, a.y(.18)-.1), round(-.2, a.y(-.2)-.14)))
				p.add(m, .1, outline(corner(-.48, a.y(-.48)-.18), round(-.22, a.y(-.22)-.085), round(-.0, a.y(0)-.06), corner(.2, a.y(.2)-.11), round(.38, -.13), round(.5, -.09), corner(.49, -.055), round(.2, -.055), round(0, a.y(0)+.005), round(-.25, a.y(-.25)+.005), corner(-.5, a.y(-.5)+.005)))
			}
		}
	case fromAbove:
		p.tilt = .06
		m2, metal, form, gap := m.times(.34), p.metal(), p.IntN(3), p.between(.17, .22)
		lining := plain(mix(rgb{.8, .7, .58}, p.colour(), .3)).times(.75)
		for i, s := range [2]float64{-1, 1} {
			turn, y := p.between(-.02, .02)*float64(i), p.between(-.05, .05)*float64(i)
			add := func(m material, volume float64, r ring) {
				for j := range r {
					r[j].x *= s
				}
				p.add(m, volume, placed(r, 1, turn, gap*s, y))
			}
			add(m, .09, outline(round(-.03, -.5), round(.12, -.38), round(.145, -.2), round(.11, .1), round(.12, .36), round(0, .49), round(-.11, .36), round(-.1, .1), round(-.13, -.2), round(-.13, -.38)))
			add(m2, .01, outline(round(0, -.2), round(.085, -.1), round(.08, .1), round(.088, .34), round(0, .43), round(-.085, .34), round(-.078, .1), round(-.085, -.1)))
			add(lining, .02, outline(round(0, -.1), round(.066, .0), round(.06, .15), round(.066, .33), round(0, .4), round(-.066, .33), round(-.056, .15), round(-.066, .0)))
			switch form {
			case 0: // a bow
				add(m.times(.8), .03, outline(corner(0, -.23), round(.08, -.29), round(.08, -.18)))
				add(m.times(.8), .03, outline(corner(0, -.23), round(-.08, -.18), round(-.08, -.29)))
			case 1: // a bit
				add(metal, .015, roundedBox(-.07, -.25, .07, -.222, .01))
			case 2: // a seam around the toe
				add(m.times(.55), 0, ribbon(curve(false, round(-.105, -.15), round(-.1, -.33), round(-.01, -.43), round(.09, -.33), round(.11, -.15)), .01))
			}
		}
		return
	case flipFlops:
		p.tilt = .06
		bed, strap, gap := sole, m, p.between(.16, .21)
		if p.chance(.5) {
			bed = plain(p.colour())
		}
		slide := p.chance(.5)
		for i, s := range [2]float64{-1, 1} {
			turn, y := p.between(-.02, .02)*float64(i), p.between(-.05, .05)*float64(i)
			add := func(m material, volume float64, r ring) {
				for j := range r {
					r[j].x *= s
				}
				p.add(m, volume, placed(r, 1, turn, gap*s, y))
			}
			add(bed, .03, outline(round(-.03, -.5), round(.12, -.4), round(.15, -.2), round(.1, .1), round(.115, .36), round(0, .49), round(-.11, .36), round(-.09, .1), round(-.13, -.2), round(-.13, -.4)))
			add(bed.times(.8), .01, outline(round(-.03, -.45), round(.09, -.36), round(.115, -.2), round(.07, .1), round(.085, .34), round(0, .44), round(-.08, .34), round(-.06, .1), round(-.1, -.2), round(-.1, -.36)))
			if slide {
				add(strap, .07, outline(corner(-.15, -.22), round(0, -.27), corner(.165, -.24), corner(.15, -.02), round(0, -.07), corner(-.14, -.0)))
			} else {
				add(strap, .04, taper(curve(false, round(0, -.31), round(.09, -.19), round(.125, .02)), .035, .05))
				add(strap, .04, taper(curve(false, round(0, -.31), round(-.08, -.18), round(-.115, .02)), .035, .05))
				add(strap.times(.8), .02, ellipse(0, -.31, .025, .025))
			}
		}
		return
	}
	if p.chance(.5) { // the other shoe of the pair, behind
		start := len(p.shapes)
		draw()
		dx, dy, k := p.between(-.3, -.12)*p.sign(), p.between(-.2, -.09), p.between(.92, 1)
		for i := start; i < len(p.shapes); i++ {
			for j := range p.shapes[i].rings {
				placed(p.shapes[i].rings[j], k, 0, dx, dy)
			}
		}
	}
	draw()
}

// arch is the line of the sole: heel high at the back, platform high under the ball and the toe.
type arch struct{ heel, platform float64 }

func (a arch) y(x float64) float64 {
	return -lerp(a.platform, a.heel, 1-smooth(-.42, .2, x))
}

// heel draws the heel of a shoe, thin at its foot.
func (p *piece) heel(m material, a arch, thin float64) {
	front := -.44 + max(.16, thin*1.5)
	p.add(m.times(.8), .04, outline(
		corner(-.5, a.y(-.5)-.02), corner(front, a.y(front)-.005), round(lerp(-.45+thin, front, .25), a.y(-.4)*.6), corner(-.46+thin, 0), corner(-.46, 0), round(-.475, a.y(-.5)*.5)))
}
