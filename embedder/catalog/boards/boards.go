// Package boards draws fashion boards: collages of garments, shoes, bags and jewellery as people
// pin them together, each piece with its box and its category.
//
// The categories, how often each is on a board and the shapes of the boxes are those of the
// annotations of Complete the Look (Kang et al., CVPR 2019; 5,028 boards of 5 pieces). What a piece
// looks like within its category is invented: outline, textile, light and pose come from a
// generator that is seeded by the board, so that any board can be drawn by itself, in any order, by
// any number of goroutines, with the same bytes on every machine.
//
// The package knows nothing of files or collections; package catalog makes a collection of what is
// drawn here.
package boards

import (
	"fmt"
	"image"
	"math"
	"math/rand/v2"
	"slices"
)

// Version grows with every change of the pixels, boxes or labels that a seed leads to.
const Version = 1

// category is one kind of piece.
type category struct {
	label string
	count int // boards that have one, of the 5,028 in Complete the Look's raw_test.tsv

	// Mean and standard deviation over those: ln(width/height) and ln(area) of the boxes, in shares
	// of the board.
	aspect, aspectSD float64
	area, areaSD     float64

	zone float64 // how far down the board it tends to lie, in [0, 1]
	worn bool    // may be on a person
	draw func(*piece)
}

// annotated is the number of boards that the counts are of.
const annotated = 5028

// categories are all there is. The counts add up to 5 times annotated.
var categories = [...]category{
	{"Shoes", 4623, .15, .44, -2.48, .32, .85, false, shoes},
	{"Handbags", 4248, .05, .36, -2.28, .33, .6, false, handbags},
	{"Shirts & Tops", 3985, -.20, .30, -1.88, .40, .3, true, tops},
	{"Pants", 2991, -.87, .24, -1.80, .36, .6, true, pants},
	{"Coats & Jackets", 2341, -.32, .28, -1.71, .38, .35, true, coats},
	{"Jewelry", 1928, -.04, .46, -2.63, .28, .4, false, jewelry},
	{"Hats", 1082, .28, .29, -2.53, .28, .1, false, hats},
	{"Sunglasses", 837, .70, .38, -2.72, .23, .2, false, sunglasses},
	{"Skirts", 798, -.30, .38, -1.79, .41, .6, true, skirts},
	{"Dresses", 764, -.71, .32, -1.50, .47, .45, true, dresses},
	{"Shorts", 584, .18, .24, -2.08, .38, .6, true, shorts},
	{"Watches", 489, -.41, .34, -2.63, .29, .5, false, watches},
	{"Scarves & Shawls", 470, -.29, .31, -2.38, .34, .3, false, scarves},
}

// Pieces is the number of pieces on a board, all of different categories.
const Pieces = 5

// Categories returns the labels of all categories, sorted.
func Categories() []string {
	labels := make([]string, len(categories))
	for i, c := range categories {
		labels[i] = c.label
	}
	slices.Sort(labels)
	return labels
}

// Config says how hard the pictures are to tell apart. In every field 0 is the default, and a
// negative number is none at all.
type Config struct {
	// Tilt scales the rotation of the pieces: their standard deviation is 4 to 20 degrees, by
	// category, at the default of 1.
	Tilt float64
	// Warp is the amplitude of the bending of outlines, in lengths of the piece; default 0.012.
	Warp float64
	// Overlap is the share of a piece that its neighbours cover without being moved away; default
	// 0.05. Where a board is full, they cover more.
	Overlap float64
	// Jitter is the standard deviation of each side of a box around what it should be, in widths
	// and heights of the box; default 0.02.
	Jitter float64
	// Worn is the share of garments that are on a person; default 0.1.
	Worn float64
	// Clutter is the share of boards with captions, frames and coloured grounds; default 0.3.
	Clutter float64
}

// WithDefaults returns c with every default filled in and every negative number replaced by 0.
func (c Config) WithDefaults() Config {
	for _, f := range []struct {
		v  *float64
		by float64
	}{{&c.Tilt, 1}, {&c.Warp, .012}, {&c.Overlap, .05}, {&c.Jitter, .02}, {&c.Worn, .1}, {&c.Clutter, .3}} {
		switch {
		case *f.v == 0:
			*f.v = f.by
		case *f.v < 0:
			*f.v = 0
		}
	}
	return c
}

// Validate says which number of c is none.
func (c Config) Validate() error {
	for _, f := range []struct {
		name string
		v    float64
		most float64
	}{{"Tilt", c.Tilt, 100}, {"Warp", c.Warp, 1}, {"Overlap", c.Overlap, 1}, {"Jitter", c.Jitter, 1}, {"Worn", c.Worn, 1}, {"Clutter", c.Clutter, 1}} {
		if math.IsNaN(f.v) || f.v > f.most {
			return fmt.Errorf("boards: %s = %v is not at most %v", f.name, f.v, f.most)
		}
	}
	return nil
}

// Box is one annotated piece of a board. Its sides are shares of the board's width (X, W) and
// height (Y, H) in [0, 1]; (X, Y) is the upper left corner.
type Box struct {
	X, Y, W, H float64
	Label      string
}

// Board is one collage with its annotations.
type Board struct {
	Image *image.RGBA // opaque, 400 pixels wide and 400 to 512 high
	Boxes []Box       // Pieces of them, of different labels
}

// boardDice is the generator of board n: boards of one seed, and seeds, have nothing in common.
func boardDice(seed, n uint64) dice {
	return dice{rand.New(rand.NewPCG(seed, n*0x9e3779b97f4a7c15+0x632be59bd9b4e019))}
}

// Labels returns the labels of board n, in the order of its boxes, without drawing it.
func Labels(seed, n uint64) []string {
	labels := make([]string, Pieces)
	for i, k := range boardDice(seed, n).choose() {
		labels[i] = categories[k].label
	}
	return labels
}

// Draw draws board n of the boards that seed and c lead to. See Config.Validate for what c may be.
func Draw(c Config, seed, n uint64) *Board {
	c = c.WithDefaults()
	d := boardDice(seed, n)
	chosen := d.choose()
	w, h := 400, 400+d.IntN(maxSide-400+1)
	cluttered := d.chance(c.Clutter)

	var items [Pieces]item
	for i, k := range chosen {
		items[i] = d.item(c, &categories[k], float64(w)/float64(h))
	}
	d.place(items[:], c.Overlap)
	return d.compose(items[:], w, h, cluttered, func(it *item, x0, y0, x1, y1 float64) Box {
		return d.annotate(x0, y0, x1, y1, c.Jitter, it.label)
	})
}

// DrawOn draws board n of the boards that seed and c lead to on the layout of another board: one
// piece for each box, of the box's category, in its place, as large as it goes in there. The boxes
// of the board are those of the layout, whatever c.Overlap and c.Jitter say. It is an error if a label
// is none of [Categories], or a box is not in the board.
func DrawOn(c Config, seed, n uint64, layout []Box) (*Board, error) {
	c = c.WithDefaults()
	d := boardDice(seed, n)
	w, h := 400, 400+d.IntN(maxSide-400+1)
	cluttered := d.chance(c.Clutter)
	items := make([]item, len(layout))
	for i, b := range layout {
		k := slices.IndexFunc(categories[:], func(k category) bool { return k.label == b.Label })
		if k < 0 {
			return nil, fmt.Errorf("drawing a board: %q is none of the categories that can be drawn: %q", b.Label, Categories())
		}
		if !(b.X >= 0 && b.Y >= 0 && b.W > 0 && b.H > 0 && b.X+b.W <= 1+1e-9 && b.Y+b.H <= 1+1e-9) {
			return nil, fmt.Errorf("drawing a board: the box of %q is not in the board: %v", b.Label, b)
		}
		items[i] = d.fitted(c, &categories[k], b, float64(w), float64(h))
	}
	board := d.compose(items, w, h, cluttered, func(*item, float64, float64, float64, float64) Box { return Box{} })
	copy(board.Boxes, layout)
	return board, nil
}

// compose paints the items in their places on a ground of w × h pixels. annotate is called with each item
// the rectangle that it came to fill, in shares of the board, in the order of painting.
func (d dice) compose(items []item, w, h int, cluttered bool, annotate func(it *item, x0, y0, x1, y1 float64) Box) *Board {
	img := newCanvas(w, h)
	img.ground(d, cluttered)
	l := d.light()
	if cluttered {
		img.captions(d)
	}
	// Small pieces lie on large ones.
	order := make([]int, len(items))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmpFloat(items[b].w*items[b].h, items[a].w*items[a].h)
	})
	board := &Board{Image: img.img, Boxes: make([]Box, len(items))}
	for _, i := range order {
		it := &items[i]
		own := l
		if d.chance(.3) { // another photographer
			own = d.light()
		}
		fw, fh := float64(w), float64(h)
		x0, y0, x1, y1 := img.draw(it.piece, it.pose, it.x*fw, it.y*fh, it.w*fw, it.h*fh, own)
		board.Boxes[i] = annotate(it, x0/fw, y0/fh, x1/fw, y1/fh)
	}
	return board
}

func cmpFloat(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// annotate is the box as somebody would have drawn it around what is between (x0, y0) and (x1, y1),
// inside the board.
func (d dice) annotate(x0, y0, x1, y1, jitter float64, label string) Box {
	w, h := x1-x0, y1-y0
	// Never so far that half of the piece is left out.
	off := func() float64 { return clamp(d.normal()*jitter, -.24, .24) }
	x0, x1 = clamp(x0+float64(off()*w), 0, 1), clamp(x1+float64(off()*w), 0, 1)
	y0, y1 = clamp(y0+float64(off()*h), 0, 1), clamp(y1+float64(off()*h), 0, 1)
	return Box{X: x0, Y: y0, W: x1 - x0, H: y1 - y0, Label: label}
}

// Crop returns the part of img under the box: all pixels that the box touches. It shares the
// pixels of img. It is an error when the box has no area, is not of numbers, or lies outside.
func Crop(img image.Image, b Box) (image.Image, error) {
	sub, ok := img.(interface {
		SubImage(r image.Rectangle) image.Image
	})
	if !ok {
		return nil, fmt.Errorf("cropping %q: a %T has no sub-images", b.Label, img)
	}
	for _, v := range [...]float64{b.X, b.Y, b.X + b.W, b.Y + b.H} {
		if !(math.Abs(v) < 1e6) { // also NaN, and what overflows as an int
			return nil, fmt.Errorf("cropping %q: no box: %v", b.Label, b)
		}
	}
	r := img.Bounds()
	w, h := float64(r.Dx()), float64(r.Dy())
	want := image.Rect(
		int(math.Floor(b.X*w)), int(math.Floor(b.Y*h)),
		int(math.Ceil((b.X+b.W)*w)), int(math.Ceil((b.Y+b.H)*h)),
	).Add(r.Min)
	if !(b.W > 0 && b.H > 0) || !want.Overlaps(r) {
		return nil, fmt.Errorf("cropping %q: nothing of the image is in the box: %v", b.Label, b)
	}
	return sub.SubImage(want.Intersect(r)), nil
}
