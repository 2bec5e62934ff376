// Package survey looks at a collection before anything is made of it: how many items each category
// has, how large and of which shape they are, some of them side by side, and what could not be read.
//
// [Take] surveys a [catalog.Source], [OfAnnotations] boxes without their images. A [Survey] is printed, or
// written to a folder as a table, plots and a contact sheet; [Map] draws points of a plane that were computed
// elsewhere (package project). The package embeds nothing.
package survey

import (
	"context"
	"errors"
	"image"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/image/draw"

	"annbench/embedder/catalog"
	"annbench/embedder/catalog/boards"
)

// Options of [Take].
type Options struct {
	// Samples is how many items of each category are kept as pictures; 0 means 12, negative none.
	Samples int
	// Side is the longest side of a kept picture in pixels; 0 means 96.
	Side int
	// Seed of the choice of samples.
	Seed uint64
	// Progress, where not nil, is called with how many items were looked at. One call at a time.
	Progress func(done, total int)
}

// Survey is what a collection looks like.
type Survey struct {
	Name   string
	Groups int // boards, or image files
	Items  int // all, also those that could not be read
	// Boxes says that items are parts of boards: Share is known. Pixels says that images were read.
	Boxes, Pixels bool
	Categories    []Category        // most items first, then by name
	Problems      []catalog.Problem // of annotations, of boards, of files
}

// Category is the items of one label.
type Category struct {
	Label      string
	Items      int
	Unreadable int // of these
	// Of the items that could be read, in the order of the collection. Aspect is width over height:
	// in pixels where images were read, and else of the box in shares of its board, which is the same
	// only where the board is square.
	Aspect []float64
	Share  []float64 // area of the box as a share of its board
	Side   []float64 // square root of the area in pixels

	Samples []Sample // in the order of the collection
}

// Sample is one item as a picture.
type Sample struct {
	ID    string
	Image image.Image // at most Options.Side pixels on its longest side
}

// boxed is a source whose items are boxes on boards.
type boxed interface {
	Boxes(g int) []boards.Box
}

// Take decodes every item of a collection once, on every core, and surveys it. Items that cannot be
// read are counted and are problems. The same seed gives the same samples. The error is that of ctx.
func Take(ctx context.Context, src catalog.Source, o Options) (*Survey, error) {
	if o.Samples == 0 {
		o.Samples = 12
	}
	if o.Side <= 0 {
		o.Side = 96
	}
	s := &Survey{Name: src.Name(), Groups: src.Groups(), Items: src.Len(), Pixels: true}
	withBoxes, isBoxed := src.(boxed)
	s.Boxes = isBoxed
	if t, ok := src.(catalog.Troubled); ok {
		s.Problems = t.Problems()
	}

	// Which items are kept is decided before anything is decoded.
	places := map[string][]place{}
	for g := range src.Groups() {
		for i, item := range src.Items(g) {
			places[item.Label] = append(places[item.Label], place{g, i})
		}
	}
	kept := map[place]bool{}
	for _, label := range slices.Sorted(mapKeys(places)) {
		r := rand.New(rand.NewPCG(o.Seed, 0x73616d706c6573))
		all := places[label]
		for _, k := range r.Perm(len(all))[:max(0, min(o.Samples, len(all)))] {
			kept[all[k]] = true
		}
	}

	type look struct {
		item    catalog.Item
		err     error
		size    image.Point
		share   float64
		picture image.Image
	}
	looks := make([][]look, src.Groups())
	var (
		mu         sync.Mutex
		next, done int
		wg         sync.WaitGroup
	)
	for range min(runtime.GOMAXPROCS(0), src.Groups()) {
		wg.Go(func() {
			for {
				mu.Lock()
				g := next
				next++
				mu.Unlock()
				if g >= src.Groups() || ctx.Err() != nil {
					return
				}
				var shares []boards.Box
				if isBoxed {
					shares = withBoxes.Boxes(g)
				}
				pictures := src.Group(g)
				l := make([]look, len(pictures))
				for i, p := range pictures {
					l[i].item, l[i].err = p.Item, p.Err
					if p.Err != nil {
						continue
					}
					l[i].size = p.Image.Bounds().Size()
					if isBoxed {
						l[i].share = shares[i].W * shares[i].H
					}
					if kept[place{g, i}] {
						l[i].picture = shrink(p.Image, o.Side)
					}
				}
				looks[g] = l
				mu.Lock()
				done += len(pictures)
				if o.Progress != nil {
					o.Progress(done, s.Items)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}

	byLabel := map[string]*Category{}
	for _, label := range src.Labels() {
		byLabel[label] = &Category{Label: label}
	}
	for _, group := range looks {
		corrupt := 0
		var first look
		for _, l := range group {
			c := byLabel[l.item.Label]
			c.Items++
			if l.err != nil {
				c.Unreadable++
				if corrupt++; corrupt == 1 {
					first = l
				}
				continue
			}
			w, h := float64(l.size.X), float64(l.size.Y)
			c.Aspect = append(c.Aspect, w/h)
			c.Side = append(c.Side, math.Sqrt(w*h))
			if isBoxed {
				c.Share = append(c.Share, l.share)
			}
			if l.picture != nil {
				c.Samples = append(c.Samples, Sample{l.item.ID, l.picture})
			}
		}
		if corrupt > 0 {
			where, reason := reading(first.err)
			id := first.item.ID
			if cut := strings.LastIndexByte(id, '#'); isBoxed && cut > 0 {
				id = id[:cut]
			}
			s.Problems = append(s.Problems, catalog.Problem{
				Kind: catalog.CorruptImage, Where: where, Reason: reason, Items: corrupt, ID: id,
			})
		}
	}
	s.rank(byLabel)
	return s, nil
}

// place is an item: its group, and its place in there.
type place struct{ group, item int }

// reading splits an error of the catalogue into the path of the picture and what is wrong with it.
func reading(err error) (where, reason string) {
	var at *catalog.ReadError
	if errors.As(err, &at) {
		return at.Path, at.Err.Error()
	}
	return "", err.Error()
}

func mapKeys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// OfAnnotations surveys boxes alone.
func OfAnnotations(a *catalog.Annotations) *Survey {
	s := &Survey{Name: a.Path, Groups: len(a.Boards), Boxes: true, Problems: slices.Clone(a.Problems)}
	byLabel := map[string]*Category{}
	for _, board := range a.Boards {
		for _, b := range board.Boxes {
			c := byLabel[b.Label]
			if c == nil {
				c = &Category{Label: b.Label}
				byLabel[b.Label] = c
			}
			s.Items++
			c.Items++
			c.Aspect = append(c.Aspect, b.W/b.H)
			c.Share = append(c.Share, b.W*b.H)
		}
	}
	s.rank(byLabel)
	return s
}

func (s *Survey) rank(byLabel map[string]*Category) {
	for _, c := range byLabel {
		s.Categories = append(s.Categories, *c)
	}
	slices.SortFunc(s.Categories, func(a, b Category) int {
		if a.Items != b.Items {
			return b.Items - a.Items
		}
		return strings.Compare(a.Label, b.Label)
	})
}

// shrink copies an image, at most side pixels on its longest side, over white.
func shrink(img image.Image, side int) image.Image {
	size := img.Bounds().Size()
	if longest := max(size.X, size.Y); longest > side {
		size.X = max(1, (size.X*side+longest/2)/longest)
		size.Y = max(1, (size.Y*side+longest/2)/longest)
	}
	small := image.NewRGBA(image.Rectangle{Max: size})
	draw.Draw(small, small.Rect, image.White, image.Point{}, draw.Src)
	draw.BiLinear.Scale(small, small.Rect, img, img.Bounds(), draw.Over, nil)
	return small
}

// Quantile is the q-quantile of values, 0 <= q <= 1, linear between neighbours (Hyndman and Fan 1996,
// type 7); NaN of none. The values need not be sorted.
func Quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	at := q * float64(len(sorted)-1)
	i := min(int(at), len(sorted)-1)
	if i+1 == len(sorted) {
		return sorted[i]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}
