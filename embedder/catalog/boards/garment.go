package boards

import (
	"math"
	"math/rand/v2"
)

// A garment has an identity: cut, textile and colours are drawn from its number alone, and so is what people would say of
// it. It can be photographed many times: by itself on white, as a shop shows it, or in a scene, with another light, pose
// and ground, on a person, with other things behind it and before it.

// GarmentsVersion grows with every change of the pixels, boxes or attributes that the number of a garment leads to, but
// for those of [Version].
const GarmentsVersion = 1

// Garment is what is known of a garment. Empty is what it has not.
type Garment struct {
	Label   string  // its category
	Cut     string  // what people would call its form: "blazer", "ankle boot"
	Colour  string  // of its largest part
	Pattern string  // or material, of the same
	Sleeve  string  // "none", "short", "three-quarter" or "long"
	Price   float64 // in whole units, less ten cents
}

// garmentStream sets the draws of garments apart from those of boards.
const garmentStream = 0x676172

// garmentDice are those of garment n: what is 0 for its form, 1 for its category and price, and more for photographs.
func garmentDice(seed, n, what uint64) dice {
	return dice{rand.New(rand.NewPCG(seed^garmentStream, n*0x9e3779b97f4a7c15+what*0xd1342543de82ef95+0x2545f4914f6cdd1d))}
}

// garment gives the category of garment n, and a dice for its price.
func garment(seed, n uint64) (*category, dice) {
	d := garmentDice(seed, n, 1)
	weights := make([]int, len(categories))
	for i, c := range categories {
		weights[i] = c.count
	}
	return &categories[d.weighted(weights...)], d
}

// GarmentLabel is the category of garment n, which takes no drawing.
func GarmentLabel(seed, n uint64) string {
	k, _ := garment(seed, n)
	return k.label
}

// tailored is garment n as a piece: the same shapes whenever it is asked for. body, where not nil, draws who wears it.
func tailored(seed, n uint64, body *dice) *piece {
	k, _ := garment(seed, n)
	p := &piece{dice: garmentDice(seed, n, 0), tilt: .011, worn: body != nil && k.worn, body: body}
	k.draw(p)
	return p
}

// GarmentOf is what is known of garment n.
func GarmentOf(seed, n uint64) Garment {
	k, d := garment(seed, n)
	p := tailored(seed, n, nil)
	g := Garment{Label: k.label, Cut: p.cut, Sleeve: p.arm}
	var most float64
	for i := range p.shapes {
		s := &p.shapes[i]
		if s.loose || s.look.pattern == "" || len(s.rings) == 0 {
			continue
		}
		if a := area(s.rings[0]); a > most {
			most = a
			g.Colour, g.Pattern = colourName(s.look.colour), s.look.pattern
		}
	}
	g.Price = math.Floor(float64(60*exp(float64(.55*d.normal())))) + .9
	return g
}

// area is that of a ring, whichever way it winds.
func area(r ring) float64 {
	var sum float64
	for i, a := range r {
		b := r[(i+1)%len(r)]
		sum += float64(a.x*b.y) - float64(b.x*a.y)
	}
	return math.Abs(sum) / 2
}

// colourNames are the colours that have names, each where it is purest.
var colourNames = [...]struct {
	name string
	at   rgb
}{
	{"black", rgb{.07, .07, .08}},
	{"grey", rgb{.5, .5, .52}},
	{"white", rgb{.93, .92, .9}},
	{"navy", rgb{.12, .15, .32}},
	{"blue", rgb{.3, .45, .72}},
	{"light blue", rgb{.62, .74, .88}},
	{"beige", rgb{.82, .73, .6}},
	{"brown", rgb{.42, .27, .17}},
	{"red", rgb{.68, .12, .14}},
	{"burgundy", rgb{.38, .1, .15}},
	{"pink", rgb{.93, .68, .76}},
	{"orange", rgb{.9, .5, .28}},
	{"yellow", rgb{.92, .77, .3}},
	{"green", rgb{.3, .42, .25}},
	{"turquoise", rgb{.35, .66, .64}},
	{"purple", rgb{.52, .33, .55}},
}

// colourName is the nearest of [colourNames].
func colourName(c rgb) string {
	name, least := "", math.Inf(1)
	for _, k := range colourNames {
		r, g, b := c.r-k.at.r, c.g-k.at.g, c.b-k.at.b
		// Green weighs most in what people see.
		if d := float64(.3*r*r) + float64(.5*g*g) + float64(.2*b*b); d < least {
			name, least = k.name, d
		}
	}
	return name
}

// Sizes of photographs, in pixels.
const (
	productWidth, productHeight = 256, 304
	sceneWidth, sceneHeight     = 288, 368
)

// Product photographs garment n for the shop: on white or nearly so, as it hangs, with a box around it. Photographs of
// other numbers differ in light and pose, as those of one shop do.
func Product(seed, n, shot uint64) *Board {
	d := garmentDice(seed, n, 2+2*shot)
	img := newCanvas(productWidth, productHeight)
	img.ground(d, false)
	p := tailored(seed, n, nil)
	q := d.pose(p.tilt*.5, .005)
	q.flip = false
	l := d.light()
	l.grain *= .5
	p.dice = d
	const w, h = productWidth, productHeight
	x0, y0, x1, y1 := img.draw(p, q, .08*w, .07*h, .84*w, .86*h, l)
	return &Board{Image: img.img, Boxes: []Box{d.annotate(x0/w, y0/h, x1/w, y1/h, .01, GarmentLabel(seed, n))}}
}

// Scene photographs garment n in the wild, with a box around it. hard, from 0 to 1, is how far light, pose, size and ground
// are from those of the shop, how much is before the garment, and how far off the box is.
func Scene(seed, n, shot uint64, hard float64) *Board {
	hard = float64(clamp(hard, 0, 1))
	d := garmentDice(seed, n, 3+2*shot)
	img := newCanvas(sceneWidth, sceneHeight)
	img.ground(d, d.chance(.5+float64(.5*hard)))
	const w, h = sceneWidth, sceneHeight
	l := d.light()
	l.exposure = d.between(1-float64(.45*hard), 1+float64(.25*hard))
	warm := float64(hard * d.between(-.22, .22))
	l.tint = rgb{1 + warm, 1 - float64(math.Abs(warm)*.2), 1 - warm}
	l.grain += float64(hard * d.between(0, .08))

	// Other things, behind it and before it.
	other := func(size float64, x, y float64) {
		p := tailored(seed, d.Uint64()%(1<<40), nil)
		p.dice = d
		img.draw(p, d.pose(p.tilt*3, .012), float64((x-float64(size/2))*w), float64((y-float64(size/2))*h), size*w, size*h, l)
	}
	for range d.IntN(1 + int(float64(3*hard)+.5)) {
		other(d.between(.2, .5), d.between(.05, .95), d.between(.05, .95))
	}

	var body *dice
	if d.chance(.6) {
		b := dice{rand.New(rand.NewPCG(d.Uint64(), d.Uint64()))}
		body = &b
	}
	p := tailored(seed, n, body)
	q := d.pose(p.tilt*(1+float64(3*hard)), .006+float64(.03*hard))
	q.shear += float64(hard * .12 * d.normal())
	p.dice = d
	size := d.between(.8-float64(.3*hard), .85)
	x, y := d.between(.02, .98-size), d.between(.02, .98-size)
	x0, y0, x1, y1 := img.draw(p, q, x*w, y*h, size*w, size*h, l)
	if d.chance(hard) {
		// At its edge rather than over its middle.
		t := d.Float64()
		ox, oy := x0/w+float64(clamp(float64(.5*cos(t))+.5, 0, 1)*(x1-x0)/w), y0/h+float64(clamp(float64(.5*sin(t))+.5, 0, 1)*(y1-y0)/h)
		other(float64(size*d.between(.25, .3+float64(.3*hard))), ox, oy)
	}
	b := d.annotate(clamp(x0/w, 0, 1), clamp(y0/h, 0, 1), clamp(x1/w, 0, 1), clamp(y1/h, 0, 1), .01+float64(.05*hard), GarmentLabel(seed, n))
	return &Board{Image: img.img, Boxes: []Box{b}}
}
