package evaluate

import (
	"image"
	"sync"

	"golang.org/x/image/draw"

	"annbench/embedder/catalog"
)

// pixelSide is the side to which pictures are shrunk to be compared pixel by pixel.
const pixelSide = 32

// pixelSource keeps the small version of every picture that passes, until it is taken.
type pixelSource struct {
	catalog.Source
	wanted bool

	mu     sync.Mutex
	pixels map[string][]float32
}

func (p *pixelSource) Group(g int) []catalog.Picture {
	pictures := p.Source.Group(g)
	if !p.wanted {
		return pictures
	}
	for _, picture := range pictures {
		if picture.Err != nil {
			continue
		}
		small := image.NewRGBA(image.Rect(0, 0, pixelSide, pixelSide))
		draw.Draw(small, small.Rect, image.White, image.Point{}, draw.Src)
		draw.BiLinear.Scale(small, small.Rect, picture.Image, picture.Image.Bounds(), draw.Over, nil)
		values := make([]float32, 0, 3*pixelSide*pixelSide)
		for i := 0; i < len(small.Pix); i += 4 {
			for _, v := range small.Pix[i : i+3] {
				values = append(values, float32(v))
			}
		}
		p.mu.Lock()
		p.pixels[picture.ID] = values
		p.mu.Unlock()
	}
	return pictures
}

func (p *pixelSource) take(id string) []float32 {
	p.mu.Lock()
	defer p.mu.Unlock()
	values := p.pixels[id]
	delete(p.pixels, id)
	return values
}
