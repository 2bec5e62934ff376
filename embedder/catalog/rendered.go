package catalog

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"image"
	"image/draw"
	"image/jpeg"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"annbench/embedder/catalog/boards"
)

// Config says which boards to render.
type Config struct {
	Boards int    // how many; each has boards.Pieces items, or those of its layout
	Seed   uint64 // board i is the same for every number of boards

	// Layout, where not nil, gives each board its name, its boxes and their labels, such as those of
	// people's boards: see [ReadAnnotations]. At most as many boards are drawn as it has; Boards 0
	// is all of them.
	Layout []Annotated

	// Quality is the lowest quality of the JPEG coding, 1 to 95; each board's is drawn between it
	// and 95. 0 is 60.
	Quality int

	// Drawing says how hard the pictures are.
	Drawing boards.Config

	// Garments, where above 0, asks for photographs of so many garments instead of boards: Shots of each (0 is 1), by
	// themselves as a shop shows them, or with Scenes in the wild. Garment n of a seed is the same thing in all of them.
	// Boards is then Garments × Shots.
	Garments int
	Shots    int
	Scenes   bool
	// Hard, from 0 to 1, is how far scenes are from products; see [boards.Scene].
	Hard float64
}

// Rendered is a collection of fashion boards that are drawn when they are asked for. Make one with
// [RenderedBoards].
type Rendered struct {
	config Config // with defaults filled in, but for Drawing: twice would turn none into the default
	first  []int  // with a layout, items in the boards before each, and in all
}

// RenderedBoards returns the collection of boards that c describes. Nothing is drawn yet, and
// nothing drawn is kept: decoding a group twice draws its board twice.
//
// A board is drawn, encoded as JPEG, decoded again, and cropped by its boxes: the items are what
// they would be had the boards come from files with annotations. The pixels are the same on every
// machine, for one release of Go's JPEG coder.
func RenderedBoards(c Config) (*Rendered, error) {
	if c.Quality == 0 {
		c.Quality = 60
	}
	if c.Garments > 0 {
		if c.Layout != nil {
			return nil, fmt.Errorf("rendering garments: they have no layout")
		}
		if !(c.Hard >= 0 && c.Hard <= 1) {
			return nil, fmt.Errorf("rendering garments: hard is %v, it goes from 0 to 1", c.Hard)
		}
		c.Shots = max(c.Shots, 1)
		c.Boards = c.Garments * c.Shots
	}
	if c.Layout != nil && c.Boards == 0 {
		c.Boards = len(c.Layout)
	}
	if c.Boards < 1 {
		return nil, fmt.Errorf("rendering boards: %d boards: at least 1 is needed", c.Boards)
	}
	if c.Quality < 1 || c.Quality > maxQuality {
		return nil, fmt.Errorf("rendering boards: JPEG quality %d is not in 1 to %d", c.Quality, maxQuality)
	}
	if err := c.Drawing.Validate(); err != nil {
		return nil, fmt.Errorf("rendering boards: %w", err)
	}
	r := &Rendered{config: c}
	if c.Layout == nil {
		return r, nil
	}
	if c.Boards > len(c.Layout) {
		return nil, fmt.Errorf("rendering boards: %d boards on a layout that has %d", c.Boards, len(c.Layout))
	}
	r.config.Layout = c.Layout[:c.Boards]
	r.first = make([]int, 1, c.Boards+1)
	known := boards.Categories()
	for _, b := range r.config.Layout {
		for _, box := range b.Boxes {
			if !slices.Contains(known, box.Label) {
				return nil, fmt.Errorf("rendering boards: the layout of %s has a box of %q, which is none of the categories that can be drawn: %s",
					b.Name, box.Label, strings.Join(known, ", "))
			}
		}
		r.first = append(r.first, r.first[len(r.first)-1]+len(b.Boxes))
	}
	return r, nil
}

const maxQuality = 95

// Name is "rendered boards", with their number and seed.
func (r *Rendered) Name() string {
	if c := r.config; c.Garments > 0 && c.Scenes {
		return fmt.Sprintf("scenes of %d garments, seed %d", c.Garments, c.Seed)
	} else if c.Garments > 0 {
		return fmt.Sprintf("%d drawn garments, seed %d", c.Garments, c.Seed)
	}
	return fmt.Sprintf("%d rendered boards, seed %d", r.config.Boards, r.config.Seed)
}

// Labels are the categories of all boards, whether they occur in these or not.
func (r *Rendered) Labels() []string { return boards.Categories() }

// Len is five times the number of boards, or the number of boxes of the layout.
func (r *Rendered) Len() int {
	if r.first != nil {
		return r.first[len(r.first)-1]
	}
	if r.config.Garments > 0 {
		return r.config.Boards
	}
	return r.config.Boards * boards.Pieces
}

// Board draws board g as a whole, with the boxes of its items in their order.
func (r *Rendered) Board(g int) (image.Image, []boards.Box, error) {
	file, boxes, err := r.File(g)
	if err != nil {
		return nil, nil, err
	}
	img, err := decode(file)
	return img, boxes, err
}

// Groups is the number of boards.
func (r *Rendered) Groups() int { return r.config.Boards }

// Items names the pieces of board g, without drawing it.
func (r *Rendered) Items(g int) []Item {
	r.check(g)
	var labels []string
	if r.config.Garments > 0 {
		labels = []string{boards.GarmentLabel(r.config.Seed, uint64(g/r.config.Shots))}
	} else if r.config.Layout != nil {
		for _, box := range r.config.Layout[g].Boxes {
			labels = append(labels, box.Label)
		}
	} else {
		labels = boards.Labels(r.config.Seed, uint64(g))
	}
	name := printable(r.BoardName(g))
	items := make([]Item, len(labels))
	for i, label := range labels {
		items[i] = Item{ID: fmt.Sprintf("%s#%d", name, i), Label: label}
	}
	return items
}

// BoardName is the name of board g: "b000017", or that of its layout.
func (r *Rendered) BoardName(g int) string {
	r.check(g)
	if r.config.Layout != nil {
		return r.config.Layout[g].Name
	}
	if c := r.config; c.Garments > 0 {
		return fmt.Sprintf("%s%06d-%d", map[bool]string{false: "g", true: "s"}[c.Scenes], g/c.Shots, g%c.Shots)
	}
	return fmt.Sprintf("b%06d", g)
}

// Attributes is what is known of the items, as a table of text: its first line names the columns, id among them, and item,
// which garment it is. It is nil for boards, whose pieces are each there once.
func (r *Rendered) Attributes() []byte {
	c := r.config
	if c.Garments == 0 {
		return nil
	}
	var b bytes.Buffer
	b.WriteString("id,item,colour,pattern,cut,sleeve,price\n")
	for n := range c.Garments {
		g := boards.GarmentOf(c.Seed, uint64(n))
		for shot := range c.Shots {
			fmt.Fprintf(&b, "%s#0,G%06d,%s,%s,%s,%s,%.2f\n", r.BoardName(n*c.Shots+shot), n, g.Colour, g.Pattern, g.Cut, g.Sleeve, g.Price)
		}
	}
	return b.Bytes()
}

// draw draws board g.
func (r *Rendered) draw(g int) (*boards.Board, error) {
	c := &r.config
	switch n, shot := uint64(g/max(1, c.Shots)), uint64(g%max(1, c.Shots)); {
	case c.Garments > 0 && c.Scenes:
		return boards.Scene(c.Seed, n, shot, c.Hard), nil
	case c.Garments > 0:
		return boards.Product(c.Seed, n, shot), nil
	}
	if c.Layout == nil {
		return boards.Draw(c.Drawing, c.Seed, uint64(g)), nil
	}
	layout := make([]boards.Box, len(c.Layout[g].Boxes))
	for i, box := range c.Layout[g].Boxes {
		layout[i] = box.Box
	}
	return boards.DrawOn(c.Drawing, c.Seed, uint64(g), layout)
}

// Group draws board g and cuts it up.
func (r *Rendered) Group(g int) []Picture {
	items := r.Items(g)
	file, boxes, err := r.File(g)
	if err != nil {
		return crops(items, boxes, nil, err)
	}
	img, err := decode(file)
	return crops(items, boxes, img, err)
}

// File draws board g as a file: a JPEG, and the boxes of its items in their order. Boxes and files
// read back give the pictures of Group.
func (r *Rendered) File(g int) (file []byte, boxes []boards.Box, err error) {
	r.check(g)
	board, err := r.draw(g)
	if err != nil {
		return nil, nil, fmt.Errorf("board %s: %w", r.BoardName(g), err)
	}
	chance := rand.New(rand.NewPCG(r.config.Seed^jpegStream, uint64(g)))
	quality := r.config.Quality + chance.IntN(maxQuality-r.config.Quality+1)
	var b bytes.Buffer
	if err := jpeg.Encode(&b, board.Image, &jpeg.Options{Quality: quality}); err != nil {
		return nil, nil, fmt.Errorf("encoding board %d: %w", g, err)
	}
	return b.Bytes(), board.Boxes, nil
}

// jpegStream sets the draws of the qualities apart from those of the boards.
const jpegStream = 0x6a70656720717561

func (r *Rendered) check(g int) {
	if g < 0 || g >= r.config.Boards {
		panic(fmt.Sprintf("catalog: board %d of %d", g, r.config.Boards))
	}
}

// probes is how many boards Digest draws.
const probes = 3

// Digest hashes the configuration, the version of the renderer, and the decoded pixels of the first
// three boards: these tell whether the JPEG coder of this release of Go is another one.
func (r *Rendered) Digest(ctx context.Context) (string, error) {
	h := sha256.New()
	c := r.config
	fmt.Fprintf(h, "annbench catalog rendered 1\nrenderer %d\nboards %d\nseed %d\nquality %d\ndrawing %+v\n",
		boards.Version, c.Boards, c.Seed, c.Quality, c.Drawing.WithDefaults())
	if c.Garments > 0 {
		fmt.Fprintf(h, "garments %d %d, shots %d, scenes %t, hard %v\n", boards.GarmentsVersion, c.Garments, c.Shots, c.Scenes, c.Hard)
	}
	for _, b := range c.Layout {
		hashString(h, b.Name)
		for _, box := range b.Boxes {
			hashString(h, box.Label)
			for _, v := range [...]float64{box.X, box.Y, box.W, box.H} {
				fmt.Fprintf(h, "%016x", math.Float64bits(v))
			}
		}
	}
	for g := range min(probes, c.Boards) {
		if err := ctx.Err(); err != nil {
			return "", fmt.Errorf("hashing %s: %w", r.Name(), err)
		}
		for _, p := range r.Group(g) {
			if p.Err != nil {
				return "", p.Err
			}
			hashPicture(h, p)
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// hashPicture hashes an item and its pixels.
func hashPicture(w io.Writer, p Picture) {
	hashString(w, p.ID)
	hashString(w, p.Label)
	b := p.Image.Bounds()
	rgba := image.NewRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	draw.Draw(rgba, rgba.Rect, p.Image, b.Min, draw.Src)
	fmt.Fprintf(w, "%d %d\n", b.Dx(), b.Dy())
	w.Write(rgba.Pix)
}
