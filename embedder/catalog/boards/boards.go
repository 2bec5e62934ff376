// Package boards draws fashion boards: collages of garments, shoes, bags and jewellery as people
// pin them together, each piece with its box and its category.
//
// It knows nothing of files or collections; package catalog makes a collection of what is drawn
// here.
package boards

import (
	"fmt"
	"image"
	"math"
)

// Box is one annotated piece of a board. Its sides are shares of the board's width (X, W) and
// height (Y, H) in [0, 1]; (X, Y) is the upper left corner.
type Box struct {
	X, Y, W, H float64
	Label      string
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
