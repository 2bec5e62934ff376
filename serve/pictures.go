package serve

import (
	"bytes"
	"container/list"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"net/http"
	"strconv"
	"sync"

	"golang.org/x/image/draw"

	"annbench/embedder/catalog/boards"
)

type pixels = image.Image

// itemPicture gives an item's thumbnail, or with size=large its picture, encoded anew: what a file
// holds beside its pixels is nobody's business.
func (s *Server) itemPicture(w http.ResponseWriter, req *http.Request) error {
	n, err := s.item(req)
	if err != nil {
		return err
	}
	l := s.Library
	switch size := req.URL.Query().Get("size"); size {
	case "", "small":
		if l.pictures != nil && n < l.first {
			b, ok, err := l.pictures.Thumb(n)
			if err != nil {
				return err
			}
			if ok {
				return sendPicture(w, b)
			}
		}
	case "large":
	default:
		return badRequest(badSize, "size is small or large, not %q.", size)
	}
	p, ok := l.group[l.items[n].id]
	if l.source == nil || !ok {
		if l.pictures != nil && n < l.first {
			if b, ok, err := l.pictures.Thumb(n); err == nil && ok {
				return sendPicture(w, b)
			}
		}
		return problem{http.StatusNotFound, noPicture, "The item has no picture."}
	}
	b, err := s.drawn(req, fmt.Sprintf("item %d", n), func() (image.Image, error) {
		picture := l.source.Group(p.group)[p.at]
		return picture.Image, picture.Err
	})
	if err != nil {
		return err
	}
	return sendPicture(w, b)
}

func (s *Server) boardPicture(w http.ResponseWriter, req *http.Request) error {
	name := req.PathValue("board")
	if _, ok := s.Library.boardNames[name]; !ok {
		return noBoard
	}
	b, err := s.drawn(req, "board "+name, func() (image.Image, error) {
		img, _, err := s.Library.drawBoard(name)
		return img, err
	})
	if err != nil {
		return err
	}
	return sendPicture(w, b)
}

func sendPicture(w http.ResponseWriter, b []byte) error {
	w.Header().Set("Content-Type", "image/jpeg")
	w.Header().Set("Cache-Control", "private, max-age=3600")
	_, err := w.Write(b)
	return err
}

var noBoard = problem{http.StatusNotFound, badBoard, "There is no such board."}

func (l *Library) drawBoard(name string) (image.Image, []boards.Box, error) {
	b, ok := l.source.(Boards)
	g, known := l.boardNames[name]
	if !ok || !known {
		return nil, nil, noBoard
	}
	return b.Board(g)
}

// drawn gives the picture of that key as a JPEG of at most maxDrawn pixels a side, and keeps it for
// the next who asks. Decoding takes its turn with the embeddings.
func (s *Server) drawn(req *http.Request, key string, decode func() (image.Image, error)) ([]byte, error) {
	if b, ok := s.pictures.find(key); ok {
		return b, nil
	}
	leave, err := s.embeds.enter(req.Context())
	if err != nil {
		return nil, err
	}
	defer leave()
	if b, ok := s.pictures.find(key); ok {
		return b, nil
	}
	img, err := decode()
	if err == nil && img == nil {
		err = errors.New("it has no pixels")
	}
	if err != nil {
		s.Log.Warn("a picture cannot be shown", "what", key, "why", err)
		return nil, problem{http.StatusNotFound, noPicture, "The picture cannot be read."}
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, within(img, maxDrawn), &jpeg.Options{Quality: 88}); err != nil {
		return nil, err
	}
	s.pictures.keep(key, out.Bytes())
	return out.Bytes(), nil
}

// within scales a picture down to at most side pixels a side.
func within(img image.Image, side int) image.Image {
	b := img.Bounds()
	if b.Dx() <= side && b.Dy() <= side {
		return img
	}
	w, h := side, max(1, side*b.Dy()/b.Dx())
	if b.Dy() > b.Dx() {
		w, h = max(1, side*b.Dx()/b.Dy()), side
	}
	to := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.ApproxBiLinear.Scale(to, to.Bounds(), img, b, draw.Src, nil)
	return to
}

func (s *Server) item(req *http.Request) (int, error) {
	n, err := strconv.Atoi(req.PathValue("item"))
	if err != nil || !s.Library.has(n) {
		return 0, problem{http.StatusNotFound, badItem, "There is no such item."}
	}
	return n, nil
}

// pictureCache keeps pictures up to a number of bytes, those that were used last.
type pictureCache struct {
	mu    sync.Mutex
	most  int
	bytes int
	order *list.List // of kept, the last used first
	byKey map[string]*list.Element
}

type kept struct {
	key string
	b   []byte
}

func newPictureCache(most int) *pictureCache {
	return &pictureCache{most: most, order: list.New(), byKey: map[string]*list.Element{}}
}

func (c *pictureCache) find(key string) ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.byKey[key]
	if !ok {
		return nil, false
	}
	c.order.MoveToFront(e)
	return e.Value.(kept).b, true
}

func (c *pictureCache) keep(key string, b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.byKey[key]; ok || len(b) > c.most {
		return
	}
	c.byKey[key] = c.order.PushFront(kept{key, b})
	for c.bytes += len(b); c.bytes > c.most; {
		last := c.order.Back()
		old := c.order.Remove(last).(kept)
		delete(c.byKey, old.key)
		c.bytes -= len(old.b)
	}
}
