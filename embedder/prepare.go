package embedder

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"math"
	"sync"

	"golang.org/x/image/draw"

	"annbench/embedder/models"
	"annbench/embedder/scale"
)

// scalers are shared by all preparers.
var scalers = sync.Pool{New: func() any { return new(scale.Scaler) }}

// tensor is a batch of model input, row after row: one of the two slices is used, as the model's
// type of component says.
type tensor struct {
	u8  []uint8
	f32 []float32
	row int // components of one picture
}

func newTensor(in *models.Input, rows int) tensor {
	t := tensor{row: in.Components()}
	if in.Type == "uint8" {
		t.u8 = make([]uint8, rows*t.row)
	} else {
		t.f32 = make([]float32, rows*t.row)
	}
	return t
}

func (t tensor) rows() int { return (len(t.u8) + len(t.f32)) / t.row }

// preparer makes model input of pictures: alpha over white, scaled as the card's fit says, in the
// card's order of channels and axes. It may be used by many goroutines at once.
type preparer struct {
	in      *models.Input
	filter  *scale.Filter
	r, g, b int          // position of each channel
	table   [3][]float32 // float32 value of each 8-bit component of red, green and blue; nil for uint8
}

func newPreparer(in *models.Input) *preparer {
	p := &preparer{in: in, filter: scale.Triangle, r: 0, g: 1, b: 2}
	if in.Resample == "bicubic-antialias" {
		p.filter = scale.Cubic
	}
	if in.Channels == "BGR" {
		p.r, p.b = p.b, p.r
	}
	if in.Type == "float32" {
		for c := range p.table {
			mean, std := float32(0), float32(1)
			if in.Mean != nil {
				mean = in.Mean[c]
			}
			if in.Std != nil {
				std = in.Std[c]
			}
			p.table[c] = make([]float32, 256)
			for v := range p.table[c] {
				p.table[c][v] = (float32(v)/255 - mean) / std
			}
		}
	}
	return p
}

// fill makes img row i of t.
func (p *preparer) fill(t tensor, i int, img image.Image) error {
	if img == nil || img.Bounds().Empty() {
		return errors.New("the picture has no pixels")
	}
	from, to := p.fit(img.Bounds())
	w, h := to.Dx(), to.Dy()
	s := scalers.Get().(*scale.Scaler)
	defer scalers.Put(s)
	red, green, blue := s.RGB(p.filter, overWhite(img), from, w, h)

	pixels := p.in.Width * p.in.Height
	pixel, channel := 3, 1 // strides of a component
	if p.in.Layout == "NCHW" {
		pixel, channel = 1, pixels
	}
	r, g, b := p.r*channel, p.g*channel, p.b*channel
	if t.u8 != nil {
		row := t.u8[i*t.row : (i+1)*t.row]
		if w*h < pixels {
			for k := range row {
				row[k] = 255 // what margins show: white
			}
		}
		for y := range h {
			at := ((to.Min.Y+y)*p.in.Width + to.Min.X) * pixel
			for x := y * w; x < (y+1)*w; x++ {
				row[at+r], row[at+g], row[at+b] = red[x], green[x], blue[x]
				at += pixel
			}
		}
		return nil
	}
	row := t.f32[i*t.row : (i+1)*t.row]
	if w*h < pixels {
		for k := range pixels {
			row[k*pixel+r], row[k*pixel+g], row[k*pixel+b] = p.table[0][255], p.table[1][255], p.table[2][255]
		}
	}
	for y := range h {
		at := ((to.Min.Y+y)*p.in.Width + to.Min.X) * pixel
		for x := y * w; x < (y+1)*w; x++ {
			row[at+r], row[at+g], row[at+b] = p.table[0][red[x]], p.table[1][green[x]], p.table[2][blue[x]]
			at += pixel
		}
	}
	return nil
}

// fit returns which part of a picture goes to which part of the input.
func (p *preparer) fit(bounds image.Rectangle) (from, to image.Rectangle) {
	from, to = bounds, image.Rect(0, 0, p.in.Width, p.in.Height)
	w, h := float64(bounds.Dx()), float64(bounds.Dy())
	inW, inH := float64(p.in.Width), float64(p.in.Height)
	switch p.in.Fit {
	case "cover":
		scale := min(w/inW, h/inH) // pixels of the picture per pixel of the input
		if p.in.Crop > 0 {
			scale *= p.in.Crop
		}
		from = centred(bounds, inW*scale, inH*scale)
	case "contain":
		scale := max(w/inW, h/inH)
		to = centred(to, w/scale, h/scale)
	}
	return from, to
}

// centred returns the rectangle of about w × h pixels, at least one, in the middle of r.
func centred(r image.Rectangle, w, h float64) image.Rectangle {
	dx := min(max(1, int(math.Round(w))), r.Dx())
	dy := min(max(1, int(math.Round(h))), r.Dy())
	corner := r.Min.Add(image.Pt((r.Dx()-dx)/2, (r.Dy()-dy)/2))
	return image.Rectangle{Min: corner, Max: corner.Add(image.Pt(dx, dy))}
}

// overWhite returns img, or where some of it is transparent, a copy of it over white.
func overWhite(img image.Image) image.Image {
	if o, ok := img.(interface{ Opaque() bool }); ok && o.Opaque() {
		return img
	}
	flat := image.NewRGBA(img.Bounds())
	draw.Draw(flat, flat.Rect, image.White, image.Point{}, draw.Src)
	draw.Draw(flat, flat.Rect, img, img.Bounds().Min, draw.Over)
	return flat
}

// thumbnailQuality of JPEG: a photograph of a garment at 128 pixels takes 3.4 kB; at 75 it would take
// 2.9, at 90 4.5.
const thumbnailQuality = 82

// thumbnail is img over white as JPEG, its longest side at most side pixels.
func thumbnail(img image.Image, side int) ([]byte, error) {
	bounds := img.Bounds()
	size := bounds.Size()
	if longest := max(size.X, size.Y); longest > side {
		size.X = max(1, (size.X*side+longest/2)/longest)
		size.Y = max(1, (size.Y*side+longest/2)/longest)
	}
	s := scalers.Get().(*scale.Scaler)
	defer scalers.Put(s)
	red, green, blue := s.RGB(scale.Triangle, overWhite(img), bounds, size.X, size.Y)
	small := image.NewRGBA(image.Rectangle{Max: size})
	for i := range red {
		small.Pix[4*i], small.Pix[4*i+1], small.Pix[4*i+2], small.Pix[4*i+3] = red[i], green[i], blue[i], 255
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, small, &jpeg.Options{Quality: thumbnailQuality}); err != nil {
		return nil, fmt.Errorf("making a thumbnail: %w", err)
	}
	return out.Bytes(), nil
}
