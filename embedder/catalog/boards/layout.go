package boards

import "math"

// choose picks the categories of a board, Pieces different ones, each as often as it is among the
// annotations: systematic sampling (Madow 1949) takes those in whose part of a line the marks at
// start, start + annotated, ... fall. The order of the parts is drawn anew for each board, but what
// is worn about the legs stays side by side, so that a board seldom has two of these.
func (d dice) choose() [Pieces]int {
	below := []int{}
	order := make([]int, 0, len(categories))
	for i, c := range categories {
		switch c.label {
		case "Pants", "Skirts", "Shorts", "Dresses":
			below = append(below, i)
		default:
			order = append(order, i)
		}
	}
	shuffle := func(s []int) { d.Shuffle(len(s), func(i, j int) { s[i], s[j] = s[j], s[i] }) }
	shuffle(below)
	shuffle(order)
	order = append(order, below...)

	var chosen [Pieces]int
	mark := d.IntN(annotated)
	end, n := 0, 0
	for _, i := range order {
		end += categories[i].count
		// No count exceeds annotated, so that no part has two marks.
		if mark < end {
			chosen[n] = i
			n++
			mark += annotated
		}
	}
	return chosen
}

// item is a piece with its place, in shares of the board.
type item struct {
	piece      *piece
	pose       pose
	label      string
	zone       float64
	x, y, w, h float64
}

// candidates is how many pieces are drafted for a box; the one whose form is most like it is taken.
// More make the boxes' shapes closer to the table, and the pieces less varied.
const candidates = 4

// item drafts a piece of the category and the size of its box, for a board of that aspect.
func (d dice) item(c Config, k *category, board float64) item {
	aspect := k.aspect + float64(k.aspectSD*clamp(d.normal(), -2.2, 2.2))
	area := exp(k.area + float64(k.areaSD*clamp(d.normal(), -2.2, 2.2)))
	want := exp(aspect) * board // in pixels
	it := item{label: k.label, zone: k.zone}
	var form, best float64
	for i := range candidates {
		p := &piece{dice: d, tilt: .011, worn: k.worn && d.chance(c.Worn)}
		k.draw(p)
		q := d.pose(p.tilt*c.Tilt, c.Warp)
		a := p.aspect(q)
		off := max(a/want, want/a)
		if i == 0 || off < best {
			it.piece, it.pose, form, best = p, q, a, off
		}
	}
	// The piece keeps its form, but for maxStretch; the box keeps its area.
	form = form * clamp(want/form, 1/maxStretch, maxStretch) / board
	it.w, it.h = math.Sqrt(area*form), math.Sqrt(area/form)
	shrink := min(1, .96/max(it.w, it.h))
	it.w *= shrink
	it.h *= shrink
	return it
}

// fittedCandidates is how many pieces are drafted for a box whose shape is given: more than for a box
// that may follow its piece.
const fittedCandidates = 8

// leastPixels is the least side of what is drawn: smaller pieces have no area to paint.
const leastPixels = 4

// fitted drafts a piece of the category for a given box on a board of w × h pixels.
func (d dice) fitted(c Config, k *category, b Box, w, h float64) item {
	it := item{label: k.label, zone: k.zone}
	it.w, it.h = max(b.W, leastPixels/w), max(b.H, leastPixels/h)
	it.x, it.y = b.X+float64((b.W-it.w)/2), b.Y+float64((b.H-it.h)/2)
	want := it.w * w / float64(it.h*h)
	var best float64
	for i := range fittedCandidates {
		p := &piece{dice: d, tilt: .011, worn: k.worn && d.chance(c.Worn)}
		k.draw(p)
		q := d.pose(p.tilt*c.Tilt, c.Warp)
		a := p.aspect(q)
		if off := max(a/want, want/a); i == 0 || off < best {
			it.piece, it.pose, best = p, q, off
		}
	}
	return it
}

// place gives every item its corner: the largest first, each where of many places it covers least
// of the others, and near its category's zone.
func (d dice) place(items []item, overlap float64) {
	order := make([]*item, len(items))
	for i := range items {
		order[i] = &items[i]
	}
	for i := 1; i < len(order); i++ {
		for j := i; j > 0 && order[j].w*order[j].h > order[j-1].w*order[j-1].h; j-- {
			order[j], order[j-1] = order[j-1], order[j]
		}
	}
	const tries = 60
	for i, it := range order {
		var x, y float64
		best := math.Inf(1)
		for range tries {
			it.x, it.y = d.between(.01, .99-it.w), d.between(.01, .99-it.h)
			score := float64(.12 * abs(it.y+float64(it.h*.5)-it.zone))
			for _, o := range order[:i] {
				score += max(0, it.covers(o)-overlap)
			}
			if score < best {
				best, x, y = score, it.x, it.y
			}
		}
		it.x, it.y = x, y
	}
}

// covers is the area that two boxes share, as a share of the smaller one.
func (it *item) covers(o *item) float64 {
	w := min(it.x+it.w, o.x+o.w) - max(it.x, o.x)
	h := min(it.y+it.h, o.y+o.h) - max(it.y, o.y)
	if w <= 0 || h <= 0 {
		return 0
	}
	return w * h / min(it.w*it.h, o.w*o.h)
}
