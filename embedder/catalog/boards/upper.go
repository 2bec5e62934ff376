package boards

// Garments of the upper body, and dresses. Their frame: the neck at (0, -0.5), half a shoulder about
// 0.22, the hips about 0.15 below 0.

// bodice are the measures of what goes around the trunk: half widths, and heights.
type bodice struct {
	neck, shoulder, chest, waist, hips float64
	top, tip, armpit, middle, hem      float64 // neck, shoulder's tip, armpit, waist, lower edge
}

func (p *piece) bodice(loose float64) bodice {
	b := bodice{top: -.5, neck: p.between(.075, .11), shoulder: p.between(.19, .24)}
	b.tip = b.top + p.between(.045, .075)
	b.armpit = b.tip + p.between(.17, .21)
	b.chest = b.shoulder * p.between(.88, .98) * loose
	b.waist = float64(b.chest * p.between(.84, 1))
	b.hips = float64(b.chest * p.between(.95, 1.12))
	b.middle = b.armpit + p.between(.16, .22)
	return b
}

// flank are the knots of the right side from the shoulder's tip down to the waist.
func (b bodice) flank() []knot {
	return []knot{corner(b.shoulder, b.tip), round(lerp(b.shoulder, b.chest, .5)-.012, lerp(b.tip, b.armpit, .6)), corner(b.chest, b.armpit), round(b.waist, b.middle)}
}

type neckline int

const (
	roundNeck neckline = iota
	vNeck
	boatNeck
	squareNeck
	highNeck
	necklines
)

// collar are the knots from the middle of the neckline to the neck.
func (p *piece) collar(b bodice, n neckline) []knot {
	w := float64(b.neck * p.between(1, 1.25))
	y := b.top
	switch n {
	case vNeck:
		return []knot{corner(0, y+p.between(.15, .27)), corner(w, y)}
	case boatNeck:
		return []knot{round(0, y+.055), round(b.shoulder*.55, y+.035), corner(b.shoulder*.75, y+.02)}
	case squareNeck:
		d := p.between(.1, .15)
		return []knot{corner(0, y+d), corner(w*1.15, y+d), corner(w*1.2, y)}
	case highNeck:
		return []knot{corner(0, y-.045), corner(b.neck*.8, y-.05), corner(b.neck, y+.005)}
	}
	d := p.between(.05, .12)
	return []knot{round(0, y+d), round(w*.75, y+float64(d*.62)), corner(w, y)}
}

// sleeve is how an arm is clothed.
type sleeve struct {
	length float64 // from the shoulder
	angle  float64 // from straight down, in turns
	elbow  float64 // half of its width there, as a share of that at the shoulder
	wrist  float64 // and at its end
	cuff   float64 // length of the cuff; 0: a hem
	puff   float64 // fullness of the upper part
	hand   bool    // of the person who wears it
}

// sleeve picks one that reaches as far as long, for arms that hang at about angle turns.
func (p *piece) sleeve(length float64) sleeve {
	s := sleeve{
		length: length,
		angle:  p.between(.015, .06),
		elbow:  p.between(.68, .8),
		wrist:  p.between(.5, .62),
	}
	if length < .3 {
		s.angle = p.between(.07, .12)
		s.elbow, s.wrist = .9, p.between(.78, .95)
	}
	switch {
	case p.chance(.12): // bell
		s.wrist *= p.between(1.4, 2.1)
	case length > .3 && p.chance(.12): // bishop
		s.elbow, s.wrist, s.cuff = p.between(.9, 1.1), p.between(.8, 1), .05
	case p.chance(.1):
		s.puff = p.between(.02, .05)
	case length > .35 && p.chance(.5):
		s.cuff = p.between(.035, .06)
	}
	return s
}

// arms draws both sleeves, to be covered by the trunk.
func (p *piece) arms(m material, b bodice, s sleeve, volume float64) {
	skin := p.skin()
	for _, side := range [2]float64{-1, 1} {
		angle := float64(s.angle * p.between(.85, 1.15))
		bend := p.between(-.02, .012)
		if s.length < .3 {
			bend = 0
		}
		// The arm's own directions: along it (a), and outwards across it (n), at the elbow and below.
		ax, ay := float64(sin(angle)*side), cos(angle)
		bx, by := float64(sin(angle+bend)*side), cos(angle+bend)
		nx, ny := float64(ay*side), float64(-ax*side)
		mx, my := float64(by*side), float64(-bx*side)
		w := float64(hypot(b.shoulder-b.chest, b.armpit-b.tip) / 2)
		x0, y0 := float64(side*(b.shoulder+b.chest)/2), float64((b.tip+b.armpit)/2)
		half := float64(s.length * .5)
		ex, ey := x0+float64(ax*half), y0+float64(ay*half)
		hx, hy := ex+float64(bx*half), ey+float64(by*half)
		at := func(x, y, nx, ny, k float64) point { return point{x + float64(nx*k), y + float64(ny*k)} }
		kn := func(q point) knot { return knot{q, false} }
		co := func(q point) knot { return knot{q, true} }
		we, wh := float64(w*s.elbow), float64(w*s.wrist)
		if s.hand {
			r := p.add(skin, .04, outline(co(at(hx, hy, mx, my, .03)), kn(at(hx+float64(bx*.05), hy+float64(by*.05), mx, my, .035)), kn(point{hx + float64(bx*.12), hy + float64(by*.12)}), kn(at(hx+float64(bx*.05), hy+float64(by*.05), mx, my, -.035)), co(at(hx, hy, mx, my, -.03))))
			r.loose = true
		}
		tube := []knot{
			corner(side*b.chest*.55, b.armpit-.01),
			corner(side*(b.shoulder-.05), b.tip-.012),
			corner(side*b.shoulder, b.tip),
			kn(at(lerp(x0, ex, .4), lerp(y0, ey, .4), nx, ny, lerp(w, we, .4)+s.puff)),
			kn(at(ex, ey, (nx+mx)/2, (ny+my)/2, we)),
			co(at(hx, hy, mx, my, wh)),
			kn(at(hx+float64(bx*.008), hy+float64(by*.008), mx, my, 0)),
			co(at(hx, hy, mx, my, -wh)),
			kn(at(ex, ey, (nx+mx)/2, (ny+my)/2, -we)),
			corner(side*b.chest, b.armpit+.01),
		}
		p.add(m, volume, outline(tube...)).turned(-angle*side, point{x0, y0})
		switch {
		case s.cuff > 0:
			k := wh * .96
			fx, fy := hx+float64(bx*s.cuff), hy+float64(by*s.cuff)
			if s.wrist > .75 { // gathered
				k = w * .42
			}
			p.add(m.times(.93), .03, outline(co(at(hx, hy, mx, my, k)), co(at(fx, fy, mx, my, k*.97)), co(at(fx, fy, mx, my, -k*.97)), co(at(hx, hy, mx, my, -k)))).turned(-angle*side, point{x0, y0})
			p.seam(m, .55, .006, .6, at(hx, hy, mx, my, k), at(hx, hy, mx, my, -k))
		case p.chance(.7):
			gx, gy := hx-float64(bx*.022), hy-float64(by*.022)
			p.seam(m, .6, .005, .6, at(gx, gy, mx, my, wh*.97), at(gx, gy, mx, my, -wh*.97))
		}
		// The armhole, where the trunk comes to lie.
		p.seam(m, .55, .007, .5, point{side * b.shoulder, b.tip}, point{side * (lerp(b.shoulder, b.chest, .5) - .01), lerp(b.tip, b.armpit, .6)}, point{side * b.chest, b.armpit})
	}
}

// inside shows the back of the garment through the neckline, w to either side.
func (p *piece) inside(m material, b bodice, w float64) {
	p.add(m.times(.5), 0, outline(corner(-w, b.top+.004), round(0, b.top+.03), corner(w, b.top+.004), corner(b.chest*.7, b.armpit+.03), corner(-b.chest*.7, b.armpit+.03)))
}

// head draws the neck and head of who wears it.
func (p *piece) head(b bodice) {
	skin := p.skin()
	hair := plain([...]rgb{{.1, .08, .07}, {.32, .2, .12}, {.55, .36, .2}, {.82, .68, .42}}[p.IntN(4)])
	hair.gloss = .2
	y := b.top
	if p.chance(.6) { // long hair, behind
		p.add(hair, .06, outline(round(0, y-.33), round(.11, y-.24), round(.13, y-.02), round(.1, y+.1), round(0, y+.06), round(-.1, y+.1), round(-.13, y-.02), round(-.11, y-.24))).loose = true
	}
	p.add(skin, .05, mirrored(corner(0, y-.14), corner(.042, y-.14), round(.05, y-.03), corner(b.shoulder*.8, b.tip+.02), corner(b.chest*.8, b.armpit), corner(0, b.armpit))).loose = true
	p.add(skin, .09, outline(round(0, y-.31), round(.078, y-.25), round(.075, y-.17), round(0, y-.085), round(-.075, y-.17), round(-.078, y-.25))).loose = true
	p.add(hair, .05, outline(round(0, y-.335), round(.095, y-.27), corner(.083, y-.17), round(.06, y-.25), round(0, y-.275), round(-.06, y-.25), corner(-.083, y-.17), round(-.095, y-.27))).loose = true
}

// legs draws what is below a garment that ends at y, w apart from the middle.
func (p *piece) legs(y, w float64) {
	m := p.skin()
	if p.chance(.3) {
		m = plain(p.colour())
	}
	w = clamp(w, .09, .16)
	for _, s := range [2]float64{-1, 1} {
		p.add(m, .07, outline(corner(.012*s, y-.12), corner(w*s, y-.12), round(w*.86*s, y+.12), round(w*.8*s, y+.27), corner(w*.55*s, y+.46), corner(w*.2*s, y+.46), round(w*.16*s, y+.26))).loose = true
	}
}

// print puts a motif on the chest.
func (p *piece) print(x, y, size float64) {
	m := plain(p.colour())
	switch p.IntN(5) {
	case 0:
		p.add(m, 0, ellipse(x, y, size, size*p.between(.6, 1)))
		if p.chance(.5) {
			p.add(plain(p.colour()), 0, ellipse(x, y, size*.6, size*.5))
		}
	case 1: // lettering
		for i := range 1 + p.IntN(3) {
			ly := y + float64((float64(i)-.5)*size*.55)
			for lx := x - size; lx < x+float64(size*.9); {
				w := float64(size * p.between(.12, .26))
				p.add(m, 0, roundedBox(lx, ly, lx+w, ly+float64(size*.32), size*.04))
				lx += w + float64(size*.07)
			}
		}
	case 2: // a star
		r := make(ring, 0, 16)
		n := 5 + p.IntN(3)
		for i := range 2 * n {
			q := size
			if i%2 == 1 {
				q *= .45
			}
			t := float64(i)/float64(2*n) - .25
			r = append(r, point{x + float64(q*cos(t)), y + float64(q*sin(t))})
		}
		p.add(m, 0, r)
	case 3: // a picture
		p.add(p.textile(), 0, roundedBox(x-float64(size*.85), y-float64(size*.7), x+float64(size*.85), y+float64(size*.8), size*.05))
	case 4: // a heart
		p.add(m, 0, outline(corner(x, y-float64(size*.35)), round(x+float64(size*.5), y-float64(size*.75)), round(x+float64(size*.85), y-float64(size*.2)), corner(x, y+float64(size*.85)), round(x-float64(size*.85), y-float64(size*.2)), round(x-float64(size*.5), y-float64(size*.75))))
	}
}

func (p *piece) buttons(m material, x, y0, y1 float64, n int, r float64) {
	for i := range n {
		y := lerp(y0, y1, float64(i)/float64(max(n-1, 1)))
		p.add(m, r, ellipse(x, y, r, r))
	}
}

func tops(p *piece) {
	m := p.textile()
	const (
		tee = iota
		blouse
		shirt
		sweater
		tank
		camisole
		hoodie
		tunic
	)
	kind := p.weighted(7, 6, 6, 6, 5, 4, 2, 2)
	p.cut = [...]string{"tee", "blouse", "shirt", "sweater", "tank", "camisole", "hoodie", "tunic"}[kind]
	loose := p.between(.95, 1.15)
	if kind == sweater || kind == hoodie {
		loose = p.between(1.05, 1.25)
	}
	b := p.bodice(loose)
	b.hem = p.between(.06, .26)
	neck := neckline(p.IntN(int(necklines)))
	lengths := [...]float64{p.between(.13, .24), p.between(.13, .62), p.between(.5, .66), p.between(.52, .64), 0, 0, p.between(.54, .64), p.between(.15, .6)}
	switch kind {
	case shirt, hoodie:
		neck = roundNeck
	case blouse:
		b.hips *= p.between(1, 1.25)
	case tunic:
		b.hem = p.between(.3, .42)
		b.hips *= p.between(1.05, 1.4)
	case tank, camisole:
		neck = neckline(p.IntN(int(highNeck)))
	}
	if kind != tunic && p.chance(.15) { // cropped
		b.hem = p.between(-.08, .02)
		b.middle = min(b.middle, b.hem-.05)
	}
	if kind == sweater && p.chance(.6) {
		m.gloss = 0
	}
	folds := p.folds(p.between(.008, .02))
	body := m.with(folds)
	s := p.sleeve(lengths[kind])

	if p.worn {
		p.on(func() {
			p.legs(b.hem+.1, b.hips*.6)
			p.head(b)
		})
		s.hand = s.length > .2
	}
	if kind == shirt && s.length > .4 {
		s.cuff = .05
	}
	switch kind {
	case tank, camisole:
		p.arm = "none"
	default:
		p.arm = armOf(s.length)
		p.arms(m.with(p.folds(p.between(.006, .016))), b, s, .09)
	}
	front := p.collar(b, neck)
	if !p.worn && neck != highNeck && kind != camisole {
		p.inside(m, b, front[len(front)-1].x)
	}

	var side []knot
	switch kind {
	case tank:
		x := float64(b.shoulder * p.between(.68, .85))
		x = max(x, front[len(front)-1].x+.025)
		side = []knot{corner(x, b.top+.02), round(x-.01, b.armpit-.09), corner(b.chest*.97, b.armpit), round(b.waist, b.middle)}
	case camisole:
		for _, s := range [2]float64{-1, 1} {
			p.add(m, .01, ribbon([]point{{b.neck * .9 * s, b.top}, {b.neck * 1.1 * s, b.armpit - .02}}, .014))
		}
		side = []knot{corner(b.neck*1.1, b.armpit-.07), round(b.chest*.75, b.armpit-.02), corner(b.chest*.92, b.armpit), round(b.waist, b.middle)}
	default:
		side = b.flank()
	}
	if kind == camisole {
		front = []knot{corner(0, b.armpit-p.between(-.03, .05))}
	}
	right := append(front, side...)
	straight := false
	switch {
	case kind == shirt || kind != sweater && kind != hoodie && p.chance(.2): // shirt tails
		right = append(right, corner(b.hips, b.hem-.06), round(b.hips*.55, b.hem), round(0, b.hem+.01))
	case kind == blouse && p.chance(.3): // peplum
		right = append(right[:len(right)-1], corner(b.waist*.92, b.middle), corner(b.hips*1.2, b.hem), round(0, b.hem+.03))
	default:
		straight = true
		right = append(right, corner(b.hips, b.hem), round(0, b.hem+p.between(.005, .02)))
	}
	p.add(body, .12, mirrored(right...))

	hem := m.times(.9)
	switch {
	case kind == sweater || kind == hoodie: // ribbing
		p.add(hem, .02, outline(corner(-b.hips*.99, b.hem-.05), round(0, b.hem-.042), corner(b.hips*.99, b.hem-.05), corner(b.hips*.93, b.hem+.01), round(0, b.hem+.022), corner(-b.hips*.93, b.hem+.01)))
	case straight && (kind == tee || kind == tank):
		p.seam(m, .6, .005, .5, point{-b.hips * .98, b.hem - .022}, point{0, b.hem - .012}, point{b.hips * .98, b.hem - .022})
	}
	if neck == roundNeck && (kind == tee || kind == sweater) {
		d := b.top + .085
		line := curve(false, corner(-b.neck*1.1, b.top+.004), round(-b.neck*.75, d-.03), round(0, d), round(b.neck*.75, d-.03), corner(b.neck*1.1, b.top+.004))
		p.add(m.times(p.between(.7, .95)), .01, ribbon(line, .022))
	}
	switch kind {
	case shirt:
		p.placket(m, b)
	case blouse:
		switch p.IntN(4) {
		case 0:
			p.placket(m, b)
		case 1: // a bow at the neck
			c := m
			if p.chance(.5) {
				c = plain(p.colour())
			}
			y := b.top + .1
			for _, s := range [2]float64{-1, 1} {
				p.add(c, .03, outline(corner(0, y), round(.09*s, y-.045), round(.1*s, y+.03)))
				p.add(c, .02, outline(corner(0, y), corner(.06*s, y+.19), corner(.02*s, y+.2)))
			}
			p.add(c, .02, ellipse(0, y, .018, .02))
		case 2: // ruffles
			for i := range 2 {
				y := b.armpit - .06 + float64(.1*float64(i))
				p.ruffle(m, -b.chest*.9, b.chest*.9, y, .05)
			}
		}
	case hoodie:
		p.add(m.times(.95), .06, outline(round(-b.neck*1.5, b.top+.03), round(0, b.top-.07), round(b.neck*1.5, b.top+.03), round(b.neck*.9, b.top+.12), round(0, b.top+.15), round(-b.neck*.9, b.top+.12)))
		p.add(m.times(.45), .02, outline(round(-b.neck*.8, b.top+.03), round(0, b.top-.025), round(b.neck*.8, b.top+.03), corner(0, b.top+.12)))
		cord := plain(rgb{.93, .92, .9})
		for _, s := range [2]float64{-1, 1} {
			p.add(cord, 0, ribbon([]point{{.035 * s, b.top + .1}, {.045 * s, b.top + .24}}, .01))
		}
		y := b.hem - .2
		p.add(m.times(.92), .02, polygon(-b.chest*.4, y, b.chest*.4, y, b.chest*.65, b.hem-.06, -b.chest*.65, b.hem-.06))
		if p.chance(.5) {
			p.add(p.metal(), 0, ribbon([]point{{0, b.top + .13}, {0, b.hem}}, .009))
		}
	case tee, tank, sweater:
		if p.chance(.45) {
			p.print(0, b.armpit+.03, p.between(.06, .11))
		} else if p.chance(.25) {
			p.add(m.times(.95), .01, roundedBox(b.chest*.3, b.armpit-.02, float64(b.chest*.3)+.09, b.armpit+.09, .012))
			p.seam(m, .6, .005, .6, point{b.chest * .3, b.armpit - .01}, point{float64(b.chest*.3) + .09, b.armpit - .01})
		}
	case tunic:
		if p.chance(.5) {
			p.add(p.leather().times(.9), .02, roundedBox(-b.waist*1.02, b.middle-.02, b.waist*1.02, b.middle+.02, .006))
		}
	}
}

// placket buttons a shirt and gives it a collar.
func (p *piece) placket(m material, b bodice) {
	p.add(m.times(.96), .01, roundedBox(-.018, b.top+.1, .018, b.hem-.005, .002))
	p.seam(m, .55, .004, .6, point{.019, b.top + .1}, point{.019, b.hem})
	n := 5 + p.IntN(3)
	c := plain(rgb{.93, .92, .9})
	if p.chance(.5) {
		c = m.times(.5)
	}
	p.buttons(c, 0, b.top+.13, b.hem-.06, n, .009)
	p.add(m.times(.55), .01, outline(corner(-b.neck-.012, b.top-.028), round(0, b.top-.045), corner(b.neck+.012, b.top-.028), corner(b.neck*.9, b.top+.02), round(0, b.top+.035), corner(-b.neck*.9, b.top+.02)))
	for _, s := range [2]float64{-1, 1} {
		p.add(m, .025, polygon(0, b.top+.1, .01*s, b.top-.015, (b.neck+.015)*s, b.top-.03, (b.neck+.035)*s, b.top+.05, .062*s, b.top+.125))
		p.seam(m, .5, .005, .6, point{0, b.top + .1}, point{.062 * s, b.top + .125}, point{(b.neck + .035) * s, b.top + .05})
	}
	if p.chance(.4) {
		for _, s := range []float64{-1, 1}[:1+p.IntN(2)] {
			x := float64(b.chest * .5 * s)
			p.add(m.times(.97), .012, polygon(x-.05, b.armpit-.02, x+.05, b.armpit-.02, x+.05, b.armpit+.07, x, b.armpit+.09, x-.05, b.armpit+.07))
			p.seam(m, .55, .004, .6, point{x - .05, b.armpit}, point{x + .05, b.armpit})
		}
	}
}

// ruffle is a strip of gathered cloth between x0 and x1 that hangs from y.
func (p *piece) ruffle(m material, x0, x1, y, depth float64) {
	const n = 9
	knots := []knot{corner(x1, y), corner(x0, y)}
	for i := range n + 1 {
		x := lerp(x0, x1, float64(i)/n)
		d := depth
		if i%2 == 1 {
			d *= .8
		}
		knots = append(knots, round(x, y+d))
	}
	f := n / (x1 - x0) / 2
	p.add(m.with(func(u, v float64) float64 { return .012 * cos(u*f) }), .02, outline(knots...))
	p.seam(m, .6, .005, .5, point{x0, y}, point{x1, y})
}

func coats(p *piece) {
	const (
		blazer = iota
		trench
		overcoat
		biker
		jeans
		puffer
		parka
		cardigan
		bomber
		vest
	)
	kind := p.weighted(6, 4, 5, 4, 4, 3, 3, 4, 3, 2)
	p.cut = [...]string{"blazer", "trench", "overcoat", "biker", "jeans jacket", "puffer", "parka", "cardigan", "bomber", "vest"}[kind]
	m := p.textile()
	switch kind {
	case trench:
		if p.chance(.7) {
			m = plain(mix([...]rgb{{.78, .66, .47}, {.68, .56, .4}, {.16, .17, .22}, {.5, .48, .36}}[p.IntN(4)], p.colour(), .1))
		}
	case biker:
		m = p.leather()
	case jeans:
		m = p.denim()
	case puffer, parka, blazer, overcoat:
		if p.chance(.6) {
			m = plain(p.colour())
			m.gloss = p.sheen()
		}
	}
	b := p.bodice(p.between(1, 1.12))
	b.shoulder *= 1.06
	b.hem = [...]float64{p.between(.14, .26), p.between(.4, .58), p.between(.4, .76), p.between(0, .08), p.between(.02, .1), p.between(.08, .3), p.between(.24, .4), p.between(.12, .42), p.between(.04, .12), p.between(.06, .2)}[kind]
	b.hips = float64(b.chest * p.between(1, 1.18))
	if b.hem > .3 {
		b.hips *= p.between(1.05, 1.25)
	}
	switch kind {
	case bomber, biker, jeans:
		b.hips = float64(b.chest * p.between(.88, .98))
	}
	closed := p.chance(.5)
	open := p.between(.03, .1) // half of the gap at the hem
	if closed {
		open = 0
	}
	folds := p.folds(p.between(.006, .018))
	volume := .12
	if kind == puffer {
		folds = quilted(p.between(9, 13), .018)
		volume = .16
	}
	body := m.with(folds)
	s := p.sleeve(p.between(.56, .66))
	s.puff, s.angle = 0, p.between(.008, .045)
	s.elbow, s.wrist = p.between(.76, .88), p.between(.6, .74)
	s.cuff = 0
	switch kind {
	case bomber, puffer, jeans, parka:
		s.cuff = .045
	}
	if p.worn {
		p.on(func() {
			p.legs(b.hem+.1, b.hips*.55)
			p.head(b)
		})
		s.hand = kind != vest
	}
	if kind != vest {
		arm := m.with(p.folds(.012))
		if kind == puffer {
			arm = m.with(quilted(10, .016))
		}
		p.arms(arm, b, s, volume*.8)
	}
	// What shows between the fronts: a lining, or what is worn underneath.
	lining := m.times(.42)
	if !closed && p.chance(.55) {
		lining = p.textile()
	}
	if !p.worn || !closed {
		p.add(lining, .02, mirrored(round(0, b.top-.012), corner(b.neck*1.1, b.top+.01), corner(b.waist*.8, b.middle), corner(b.waist*.8, b.hem-.03), corner(0, b.hem-.03)))
	}

	// The two fronts: the right one lies over the left.
	lap := .0
	if closed {
		lap = p.between(.005, .07)
	}
	v := b.top + p.between(.16, .34) // where the fronts meet
	if kind == puffer || kind == bomber || kind == parka || kind == jeans {
		v = b.top + p.between(.05, .1)
	}
	round0 := p.chance(.3)
	for _, side := range [2]float64{-1, 1} {
		x := open
		if closed {
			x = -lap
		}
		knots := []knot{corner(b.neck*.9*side, b.top-.012)}
		for _, k := range b.flank() {
			knots = append(knots, knot{point{k.x * side, k.y}, k.corner})
		}
		knots = append(knots, corner(b.hips*side, b.hem))
		if round0 && kind == blazer {
			knots = append(knots, round(lerp(x, b.hips, .35)*side, b.hem+.015), round((x+.01)*side, b.hem-.07))
		} else {
			knots = append(knots, corner(x*side, b.hem+.008))
		}
		knots = append(knots, corner((x*.6)*side, v))
		p.add(body, volume, outline(knots...))
		if kind != puffer {
			p.seam(m, .5, .006, .5, point{x * side, b.hem}, point{x * .6 * side, v})
		}
	}
	edge := open
	if closed {
		edge = lap
	}
	// Collars.
	switch kind {
	case blazer, trench, overcoat, biker:
		big := p.between(.07, .12)
		l := m.times(p.between(.84, 1.08))
		if kind == overcoat && p.chance(.25) {
			f := p.fur()
			line := curve(false, corner(-edge*.6, v), round(-b.neck*1.3, b.top+.08), round(-b.neck*.8, b.top-.02), round(0, b.top-.045), round(b.neck*.8, b.top-.02), round(b.neck*1.3, b.top+.08), corner(edge*.6, v))
			p.add(f, .07, ribbon(line, p.between(.08, .11)))
			break
		}
		for _, side := range [2]float64{-1, 1} {
			x := float64(edge * .6 * side)
			if closed {
				x = float64(-edge * .6 * side)
			}
			// The lapel with its notch, then the collar above it.
			p.add(l, .03, polygon(x, v, b.neck*.82*side, b.top+.02, (b.neck+float64(big*.55))*side, b.top+.075, (b.neck+big)*side, b.top+.115, (b.neck+float64(big*.35))*side, b.top+.15))
			p.add(l.times(.97), .03, outline(corner(b.neck*.5*side, b.top-.035), corner(b.neck*1.05*side, b.top-.035), corner((b.neck+float64(big*.85))*side, b.top+.045), corner((b.neck+float64(big*.5))*side, b.top+.085), corner(b.neck*.7*side, b.top+.02)))
			p.seam(m, .45, .005, .6, point{x, v}, point{(b.neck + float64(big*.35)) * side, b.top + .15}, point{(b.neck + big) * side, b.top + .115})
		}
	case jeans:
		for _, side := range [2]float64{-1, 1} {
			p.add(m.times(.93), .03, polygon(.005*side, b.top+.075, .02*side, b.top-.03, (b.neck+.01)*side, b.top-.035, (b.neck+.05)*side, b.top+.05, .08*side, b.top+.12))
			x := float64(b.chest * .52 * side)
			p.add(m.times(.9), .012, polygon(x-.055, b.armpit-.05, x+.055, b.armpit-.05, x+.055, b.armpit, x, b.armpit+.025, x-.055, b.armpit))
			p.seam(m, 1.3, .004, .6, point{x - .05, b.armpit}, point{x - .03, b.hem - .03})
			p.seam(m, 1.3, .004, .6, point{x + .05, b.armpit}, point{x + .03, b.hem - .03})
		}
		p.seam(m, 1.3, .005, .6, point{-b.chest, b.armpit - .055}, point{b.chest, b.armpit - .055})
	case puffer, bomber:
		p.add(m.times(.85), .03, outline(round(-b.neck*1.05, b.top+.02), round(0, b.top-.05), round(b.neck*1.05, b.top+.02), corner(b.neck*.85, b.top+.08), round(0, b.top+.045), corner(-b.neck*.85, b.top+.08)))
	case parka: // a hood, mostly with fur
		hood := m.times(.95)
		p.add(hood, .08, outline(round(-b.neck*1.7, b.top+.05), round(-b.neck*1.3, b.top-.07), round(0, b.top-.12), round(b.neck*1.3, b.top-.07), round(b.neck*1.7, b.top+.05), round(0, b.top+.14)))
		p.add(m.times(.4), .02, outline(round(-b.neck, b.top+.02), round(0, b.top-.06), round(b.neck, b.top+.02), corner(0, b.top+.12)))
		if p.chance(.65) {
			p.add(p.fur(), .05, ribbon(curve(false, round(-.03, b.top+.13), round(-b.neck*1.25, b.top+.05), round(-b.neck*.9, b.top-.05), round(0, b.top-.09), round(b.neck*.9, b.top-.05), round(b.neck*1.25, b.top+.05), round(.03, b.top+.13)), .055))
		}
	case cardigan:
		line := curve(false, corner(-edge, b.hem), corner(-edge*.7, v), round(-b.neck, b.top+.01), round(0, b.top-.03), round(b.neck, b.top+.01), corner(edge*.7, v), corner(edge, b.hem))
		p.add(m.times(.86), .02, ribbon(line, p.between(.025, .05)))
	}

	// Fastenings.
	metal, button := p.metal(), m.times(.45)
	if p.chance(.5) {
		button = p.metal()
	}
	switch kind {
	case biker, bomber, puffer, parka:
		x0, x1 := edge*.6, edge
		if kind == biker {
			x0 = edge + .04
		}
		p.add(metal, .01, ribbon([]point{{x0, v + .01}, {x1, b.hem - .01}}, .013))
	case trench:
		for _, x := range [2]float64{-.07, .07} {
			p.buttons(button, x, v+.02, max(v+.2, b.middle+.2), 3+p.IntN(2), .014)
		}
	default:
		n := 2 + p.IntN(3)
		x := edge + .02
		if closed {
			x = 0
		}
		if kind == jeans || kind == cardigan || kind == vest {
			n = 5
		}
		if kind == overcoat && p.chance(.5) {
			p.buttons(button, -.06, v+.03, v+.3, 3, .015)
			x = .06
		}
		end := lerp(v, b.hem, .75)
		if kind == blazer {
			end = v + float64(.07*float64(n))
		}
		p.buttons(button, x, v+.02, end, n, .014)
	}
	if kind == trench || kind == overcoat && p.chance(.3) || kind == cardigan && p.chance(.2) {
		y := b.middle + .02
		belt := m.times(p.between(.75, .95))
		p.add(belt, .02, roundedBox(-b.waist*1.03, y-.024, b.waist*1.03, y+.024, .006))
		if p.chance(.6) {
			p.add(p.metal(), .01, band(roundedBox(-.035, y-.032, .035, y+.032, .008), .012)...)
		} else {
			p.add(belt, .02, polygon(.01, y, .07, y+.2, .03, y+.21, -.01, y+.02))
		}
	}
	// Pockets and hem.
	py := lerp(b.middle, b.hem, .45)
	if b.hem-b.middle > .16 {
		for _, side := range [2]float64{-1, 1} {
			x := float64(b.hips * .52 * side)
			if kind == parka || p.chance(.4) {
				p.add(m.times(.94), .015, roundedBox(x-.06, py-.02, x+.06, py+.03, .005))
				p.seam(m, .5, .005, .7, point{x - .06, py + .03}, point{x + .06, py + .03})
			} else {
				p.seam(m, .45, .012, .7, point{x - float64(.05*side), py - .01}, point{x + float64(.05*side), py + p.between(.0, .05)})
			}
		}
	}
	switch kind {
	case bomber, jeans, cardigan:
		if !round0 || kind != blazer {
			p.add(m.times(.85), .015, outline(corner(-b.hips*1.01, b.hem-.035), corner(-edge, b.hem-.03), corner(-edge, b.hem+.01), corner(-b.hips*.98, b.hem+.006)), outline(corner(edge, b.hem-.03), corner(b.hips*1.01, b.hem-.035), corner(b.hips*.98, b.hem+.006), corner(edge, b.hem+.01)))
		}
	}
}

func dresses(p *piece) {
	const (
		sheath = iota
		flared
		maxi
		slip
		shirtDress
		shift
	)
	kind := p.weighted(5, 7, 4, 3, 3, 3)
	p.cut = [...]string{"sheath", "flared", "maxi", "slip", "shirt dress", "shift"}[kind]
	m := p.textile()
	b := p.bodice(.9)
	b.shoulder *= .88
	b.chest, b.waist = b.chest*.9, b.waist*.78
	b.middle = b.armpit + p.between(.11, .17)
	b.hem = [...]float64{p.between(.36, .55), p.between(.26, .5), p.between(.7, .95), p.between(.3, .7), p.between(.32, .55), p.between(.25, .4)}[kind]
	hipY := b.middle + .2
	hip := b.chest * p.between(1.05, 1.18)
	hem := float64(hip * [...]float64{p.between(.82, 1), p.between(1.6, 2.6), p.between(1.15, 1.9), p.between(1, 1.3), p.between(1.1, 1.5), p.between(1, 1.25)}[kind])
	if kind == shift {
		b.waist = float64(b.chest * .97)
	}
	folds := p.folds(p.between(.006, .016))

	if p.worn {
		p.on(func() {
			p.legs(b.hem+.05, hip*.7)
			p.head(b)
		})
	}
	sleeveless := kind == slip || kind != shirtDress && p.chance(.5)
	straps := kind == slip || sleeveless && p.chance(.4)
	neck := neckline(p.IntN(int(necklines)))
	if sleeveless && neck == highNeck || kind == shirtDress {
		neck = roundNeck
	}
	p.arm = "none"
	if !sleeveless {
		s := p.sleeve(p.between(.12, .58))
		p.arm = armOf(s.length)
		s.hand = p.worn && s.length > .2
		p.arms(m.with(p.folds(.01)), b, s, .08)
	}
	front := p.collar(b, neck)
	if !p.worn && neck != highNeck && !straps {
		p.inside(m, b, front[len(front)-1].x)
	}
	var right []knot
	switch {
	case straps:
		for _, s := range [2]float64{-1, 1} {
			p.add(m, .01, ribbon([]point{{b.neck * .95 * s, b.top}, {b.neck * 1.1 * s, b.armpit - .02}}, .013))
		}
		right = []knot{corner(0, b.armpit-p.between(-.03, .03)), corner(b.neck*1.15, b.armpit-.07), corner(b.chest*.95, b.armpit)}
	case sleeveless:
		x := float64(b.shoulder * .85)
		right = append(front, corner(max(x, front[len(front)-1].x+.02), b.top+.03), round(x-.01, b.armpit-.08), corner(b.chest*.97, b.armpit))
	default:
		f := b.flank()
		right = append(front, f[:3]...)
	}
	upper := m
	if kind == flared && p.chance(.3) {
		upper = p.textile()
	}
	// The skirt below, then the bodice over its seam.
	switch kind {
	case flared, maxi, shirtDress:
		n := p.between(5, 12)
		r := pleats(n, p.between(.012, .03), b.middle, b.hem, b.waist, hem)
		if p.chance(.5) {
			r = waves(n*.6, p.between(.012, .03), b.middle, b.hem, b.waist, hem)
		}
		low := []knot{corner(0, b.middle), corner(b.waist, b.middle), round(lerp(b.waist, hem, p.between(.45, .62)), lerp(b.middle, b.hem, .4)), corner(hem, b.hem), round(hem*.5, b.hem+.025), round(0, b.hem+.035)}
		p.add(m.with(r), .1, mirrored(low...))
		if kind == maxi && p.chance(.35) { // tiers
			for _, t := range [2]float64{.4, .7} {
				w := float64(lerp(b.waist, hem, t) * 1.02)
				p.seam(m, .5, .01, .5, point{-w, lerp(b.middle, b.hem, t)}, point{0, lerp(b.middle, b.hem, t) + .02}, point{w, lerp(b.middle, b.hem, t)})
			}
		}
		right = append(right, corner(b.waist, b.middle+.008), round(0, b.middle+.012))
	default:
		right = append(right, round(b.waist, b.middle), round(hip, hipY), corner(hem, b.hem), round(0, b.hem+.012))
	}
	p.add(upper.with(folds), .1, mirrored(right...))
	switch {
	case kind == shirtDress:
		b.hem -= .01
		p.placket(m, b)
		p.seam(m, .55, .006, .6, point{-b.waist, b.middle}, point{b.waist, b.middle})
		if p.chance(.7) {
			p.add(p.leather(), .02, roundedBox(-b.waist*1.04, b.middle-.02, b.waist*1.04, b.middle+.02, .006))
		}
	case kind == flared || kind == maxi:
		if p.chance(.45) {
			p.add(plain(p.colour()), .02, roundedBox(-b.waist*1.03, b.middle-.022, b.waist*1.03, b.middle+.022, .006))
		} else {
			p.seam(m, .5, .007, .6, point{-b.waist, b.middle}, point{b.waist, b.middle})
		}
	case kind == sheath && p.chance(.4): // a slit
		x := float64(hem * .45)
		p.add(m.times(.3), 0, polygon(x, b.hem-.16, x+.025, b.hem+.008, x-.02, b.hem+.01))
	case kind == slip && p.chance(.5): // draped to one side
		p.seam(m, .6, .006, .4, point{-b.waist, b.middle}, point{b.waist * .4, b.middle + .1}, point{b.waist, b.middle + .05})
	}
	if kind == sheath {
		for _, s := range [2]float64{-1, 1} {
			p.seam(m, .6, .005, .4, point{b.chest * .5 * s, b.armpit + .03}, point{b.waist * .5 * s, b.middle + .08})
		}
	}
	if !straps && kind != shirtDress && p.chance(.12) {
		p.ruffle(m, -b.chest*.8, b.chest*.8, b.armpit-.05, .06)
	}
}

// waves are the n soft folds of a wide skirt; see pleats.
func waves(n, depth, top, bottom, a, b float64) relief {
	return func(u, v float64) float64 {
		t := clamp((v-top)/(bottom-top), 0, 1)
		x := float64(u / lerp(a, b, t) * n / 2)
		return depth * (.35 + float64(.65*t)) * sin(x+float64(.25*sin(float64(x*.37)+.2)))
	}
}
