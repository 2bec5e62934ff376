package embedder

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"log/slog"
	"math"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"annbench/embedder/catalog"
	"annbench/embedder/models"
)

// pictures is a collection made up by a test: groups of size pictures each, of one colour each,
// which tells the picture's number.
type pictures struct {
	groups, size int
	broken       func(i int) error         // of picture i; nil: none is
	wait         func(g int) time.Duration // before group g is decoded; nil: none
	decoded      atomic.Int64
}

func (p *pictures) Name() string     { return "made up" }
func (p *pictures) Labels() []string { return []string{"even", "odd"} }
func (p *pictures) Len() int         { return p.groups * p.size }
func (p *pictures) Groups() int      { return p.groups }

func (p *pictures) Items(g int) []catalog.Item {
	items := make([]catalog.Item, p.size)
	for i := range items {
		n := g*p.size + i
		items[i] = catalog.Item{ID: fmt.Sprintf("p%d", n), Label: p.Labels()[n%2]}
	}
	return items
}

func (p *pictures) Group(g int) []catalog.Picture {
	if p.wait != nil {
		time.Sleep(p.wait(g))
	}
	p.decoded.Add(1)
	all := make([]catalog.Picture, p.size)
	for i, item := range p.Items(g) {
		n := g*p.size + i
		all[i].Item = item
		if p.broken != nil {
			all[i].Err = p.broken(n)
		}
		if all[i].Err == nil {
			img := image.NewRGBA(image.Rect(0, 0, 10, 10))
			c := color.RGBA{uint8(n), uint8(n >> 8), 7, 255}
			for y := range 10 {
				for x := range 10 {
					img.SetRGBA(x, y, c)
				}
			}
			all[i].Image = img
		}
	}
	return all
}

func (p *pictures) Digest(context.Context) (string, error) { return strings.Repeat("0", 64), nil }

// firstPixel is an engine whose embedding is the first pixel of the picture.
type firstPixel struct {
	err    error // of every run
	rows   []int // of each run
	closed bool
	spoil  func(v []float32) // an embedding, before it is given out
	wait   time.Duration
}

func (e *firstPixel) run(in tensor, rows int, out output) error {
	e.rows = append(e.rows, rows)
	time.Sleep(e.wait)
	for i := range rows {
		v := out.vectors.Row(i)
		for j := range v {
			v[j] = float32(in.u8[i*in.row+j])
		}
		if e.spoil != nil {
			e.spoil(v)
		}
	}
	return e.err
}

func (e *firstPixel) close() error {
	e.closed = true
	return nil
}

func fakeSession(e engine) *Session {
	card := &models.Card{
		Name: "first pixel", SHA256: strings.Repeat("1", 64),
		Input:     *input("NHWC", "uint8", "RGB", "stretch", 2, 2),
		Embedding: models.Embedding{Output: "v", Dim: 3},
	}
	return &Session{card: card, shape: newPreparer(&card.Input), engine: e, device: CPU, runtime: "test"}
}

// number is which picture a vector is of.
func number(v []float32) int { return int(v[0]) + 256*int(v[1]) }

// noLeak fails the test if goroutines are left when it ends.
func noLeak(t *testing.T) {
	t.Helper()
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		for range 100 {
			if runtime.NumGoroutine() <= before {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		buf := make([]byte, 1<<16)
		t.Errorf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
	})
}

func TestEmbedKeepsOrder(t *testing.T) {
	noLeak(t)
	for _, workers := range []int{1, 3, 16} {
		for _, batch := range []int{1, 7, 32, 1000} {
			src := &pictures{groups: 60, size: 5, wait: func(g int) time.Duration {
				return time.Duration(g%4) * time.Millisecond / 4
			}}
			var last Progress
			next := 0
			r, err := Embed(t.Context(), src, fakeSession(&firstPixel{}), Options{
				Batch: batch, Workers: workers, Progress: func(p Progress) { last = p },
			}, func(b Batch) error {
				if b.First != next || len(b.Items) != b.Vectors.Rows || len(b.Items) > batch || b.Vectors.Dim != 3 || b.Thumbnails != nil {
					t.Fatalf("batch of %d items from %d, %d×%d vectors; %d came before", len(b.Items), b.First, b.Vectors.Rows, b.Vectors.Dim, next)
				}
				for i, item := range b.Items {
					if want := src.Items(next / 5)[next%5]; item != want || number(b.Vectors.Row(i)) != next {
						t.Fatalf("place %d: item %v with the vector of picture %d", next, item, number(b.Vectors.Row(i)))
					}
					next++
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if next != 300 || r.Images != 300 || len(r.Skipped) != 0 || r.Dim != 3 || r.Batch != batch || r.Workers != workers || r.Device != CPU {
				t.Errorf("%d delivered, %+v", next, r)
			}
			if last.Done != 300 || last.Total != 300 || last.PerSecond <= 0 {
				t.Errorf("last progress %+v", last)
			}
			if r.Seconds <= 0 || r.PerSecond <= 0 || r.DecodeSeconds <= 0 || r.PrepareSeconds <= 0 || r.InferSeconds <= 0 {
				t.Errorf("clocks that did not run: %+v", r)
			}
		}
	}
}

func TestEmbedBrokenPictures(t *testing.T) {
	noLeak(t)
	broken := func(i int) error {
		if i%3 == 1 || i > 90 { // the last batch holds nothing else
			return fmt.Errorf("reading p%d: torn", i)
		}
		return nil
	}
	src := &pictures{groups: 20, size: 5, broken: broken}
	var log bytes.Buffer
	var got []int
	var done Progress
	r, err := Embed(t.Context(), src, fakeSession(&firstPixel{}), Options{
		Batch: 8, Workers: 4, Thumbnails: 4,
		Log:      slog.New(slog.NewTextHandler(&log, nil)),
		Progress: func(p Progress) { done = p },
	}, func(b Batch) error {
		for i := range b.Items {
			n := number(b.Vectors.Row(i))
			if b.Items[i].ID != fmt.Sprintf("p%d", n) {
				t.Errorf("%s has the vector of %d", b.Items[i].ID, n)
			}
			img, err := jpeg.Decode(bytes.NewReader(b.Thumbnails[i]))
			if err != nil {
				t.Fatal(err)
			}
			if red, _, _, _ := img.At(1, 1).RGBA(); math.Abs(float64(red>>8)-float64(n)) > 6 || img.Bounds().Dx() != 4 {
				t.Errorf("the thumbnail of %d is %d red, %v", n, red>>8, img.Bounds())
			}
			got = append(got, n)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var want []int
	var skipped []Failure
	for i := range 100 {
		if err := broken(i); err != nil {
			skipped = append(skipped, Failure{ID: fmt.Sprintf("p%d", i), Label: []string{"even", "odd"}[i%2], Reason: err.Error()})
		} else {
			want = append(want, i)
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) || fmt.Sprint(r.Skipped) != fmt.Sprint(skipped) || r.Images != len(want) {
		t.Errorf("embedded %v\nskipped %v", got, r.Skipped)
	}
	if done.Done != 100 {
		t.Errorf("progress ended at %d", done.Done)
	}
	if n := strings.Count(log.String(), "picture left out"); n != len(skipped) {
		t.Errorf("%d lines in the log, %d pictures left out", n, len(skipped))
	}
}

func TestEmbedErrors(t *testing.T) {
	torn := errors.New("torn")
	full := errors.New("disk full")
	dead := errors.New("device lost")
	at := func(bad ...int) func(int) error {
		return func(i int) error {
			for _, b := range bad {
				if i == b {
					return torn
				}
			}
			return nil
		}
	}
	all := func(int) error { return torn }
	nan := func(v []float32) {
		if number(v) == 33 {
			v[2] = float32(math.NaN())
		}
	}
	ok := func(Batch) error { return nil }
	for _, test := range []struct {
		name   string
		src    *pictures
		engine *firstPixel
		norm   bool
		o      Options
		sink   func(Batch) error
		is     error
		want   string
	}{
		{"strict", &pictures{groups: 50, size: 2, broken: at(41, 20, 77)}, &firstPixel{}, false, Options{Strict: true, Batch: 4}, ok, torn, "embedding made up: picture p20: torn"},
		{"all broken", &pictures{groups: 50, size: 2, broken: all}, &firstPixel{}, false, Options{}, ok, nil, "none of its 100 pictures can be embedded; the first is p0: torn"},
		{
			"too many open files", &pictures{groups: 50, size: 2, broken: func(i int) error {
				if i == 20 {
					return fmt.Errorf("reading p20: %w", syscall.EMFILE)
				}
				return nil
			}}, &firstPixel{}, false, Options{Batch: 4}, ok, syscall.EMFILE, "picture p20: reading p20: too many open files: the system refused, not the picture",
		},
		{"empty", &pictures{}, &firstPixel{}, false, Options{}, ok, nil, "has no pictures"},
		{"sink", &pictures{groups: 500, size: 2}, &firstPixel{}, false, Options{Batch: 8}, func(b Batch) error {
			if b.First >= 16 {
				return full
			}
			return nil
		}, full, "delivering pictures 16 to 23: disk full"},
		{"device", &pictures{groups: 500, size: 2}, &firstPixel{err: dead}, false, Options{Batch: 8}, ok, dead, "running the model on cpu, pictures p0 to p7: device lost"},
		{"nan", &pictures{groups: 50, size: 2}, &firstPixel{spoil: nan}, false, Options{Batch: 8}, ok, nil, "embedding of p33 is not finite: component 2 is NaN"},
		{"length", &pictures{groups: 50, size: 2}, &firstPixel{}, true, Options{Batch: 8}, ok, nil, "embedding of p0 has length 7, but its card says"},
		{"thumbnails", &pictures{groups: 1, size: 2}, &firstPixel{}, false, Options{Thumbnails: -1}, ok, nil, "thumbnails of -1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			noLeak(t)
			s := fakeSession(test.engine)
			s.card.Embedding.Normalized = test.norm
			test.o.Workers = 4
			_, err := Embed(t.Context(), test.src, s, test.o, test.sink)
			if err == nil || !strings.Contains(err.Error(), test.want) || test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("%v; want %q", err, test.want)
			}
		})
	}
}

func TestEmbedCancel(t *testing.T) {
	noLeak(t)
	src := &pictures{groups: 100_000, size: 1}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n := 0
	r, err := Embed(ctx, src, fakeSession(&firstPixel{}), Options{Batch: 4, Workers: 4}, func(b Batch) error {
		if n += len(b.Items); n >= 40 {
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) || r.Images < 40 || r.Images != n {
		t.Errorf("%v, %d images of %d delivered", err, r.Images, n)
	}
	if d := src.decoded.Load(); d > 1000 {
		t.Errorf("%d groups decoded: the rest was not given up", d)
	}

	ctx, stop := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer stop()
	slow := &pictures{groups: 1000, size: 1, wait: func(int) time.Duration { return 5 * time.Millisecond }}
	if _, err := Embed(ctx, slow, fakeSession(&firstPixel{}), Options{Workers: 2}, func(Batch) error { return nil }); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("after the deadline: %v", err)
	}
}

func TestEmbedIsBounded(t *testing.T) {
	src := &pictures{groups: 1000, size: 1}
	var most int64
	_, err := Embed(t.Context(), src, fakeSession(&firstPixel{}), Options{Batch: 4, Workers: 3}, func(b Batch) error {
		time.Sleep(time.Millisecond) // a slow sink holds everything back
		most = max(most, src.decoded.Load()-int64(b.First))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	// Three batches, a window of two groups a worker, and what each worker and the assembler hold.
	if limit := int64(3*4 + 2*3 + 3 + 2); most > limit {
		t.Errorf("%d groups were decoded ahead; at most %d", most, limit)
	}
}

func TestFullBatches(t *testing.T) {
	for _, test := range []struct {
		device Device
		fixed  int
		want   string
	}{{CPU, 0, "[4 4 2]"}, {WebGPU, 0, "[4 4 4]"}, {CPU, 5, "[5 5]"}, {CPU, 6, "[6 6]"}} {
		e := &firstPixel{}
		s := fakeSession(e)
		s.device, s.fixed = test.device, test.fixed
		r, err := Embed(t.Context(), &pictures{groups: 5, size: 2}, s, Options{Batch: 4}, func(b Batch) error {
			for i := range b.Items {
				if number(b.Vectors.Row(i)) != b.First+i {
					t.Errorf("row %d of the batch from %d", i, b.First)
				}
			}
			return nil
		})
		if err != nil || fmt.Sprint(e.rows) != test.want || r.Images != 10 {
			t.Errorf("%v: runs of %v, %d images, %v", test, e.rows, r.Images, err)
		}
	}
}

func TestTakeDevice(t *testing.T) {
	card := fakeSession(nil).card
	open := func(refuse map[Device]string, engines map[Device]*firstPixel) openEngineFunc {
		return func(_ *models.Card, setup engineSetup) (engine, error) {
			d := setup.device
			if why := refuse[d]; why != "" {
				return nil, errors.New(why)
			}
			if engines[d] == nil {
				engines[d] = &firstPixel{}
			}
			return engines[d], nil
		}
	}
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))

	// A device that makes a session and cannot run it is refused too, and its session is freed.
	broken := &firstPixel{err: errors.New("no kernel image")}
	s := &Session{card: card, shape: newPreparer(&card.Input)}
	err := s.take(open(map[Device]string{CUDA: "no driver"}, map[Device]*firstPixel{WebGPU: broken}), Devices, nil, logger)
	if err != nil || s.device != CPU || fmt.Sprint(s.refusals) != "[{cuda no driver} {webgpu running the model: no kernel image}]" || !broken.closed {
		t.Errorf("%v, took %s after %v; closed: %v", err, s.device, s.refusals, broken.closed)
	}
	// One line says it all, and is no warning: a machine without a GPU is as it should be.
	if text := log.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, `level=INFO`) || !strings.Contains(text, `refused="cuda: no driver; webgpu: running the model: no kernel image"`) {
		t.Errorf("log: %s", text)
	}

	nothing := open(map[Device]string{CUDA: "no driver", WebGPU: "no adapter"}, nil)
	for _, test := range []struct {
		devices []Device
		want    string
	}{
		{[]Device{CUDA}, "device cuda is not available: no driver"},
		{[]Device{CUDA, WebGPU}, "none of the devices cuda, webgpu is available: cuda: no driver; webgpu: no adapter"},
	} {
		s := &Session{card: card, shape: newPreparer(&card.Input)}
		if err := s.take(nothing, test.devices, nil, nil); err == nil || err.Error() != test.want {
			t.Errorf("%v: %v; want %q", test.devices, err, test.want)
		}
	}
}

func TestParseDevices(t *testing.T) {
	if d, err := ParseDevices(nil); err != nil || fmt.Sprint(d) != "[cuda webgpu cpu]" {
		t.Errorf("none: %v, %v", d, err)
	}
	if d, err := ParseDevices([]string{"cpu", "cuda"}); err != nil || fmt.Sprint(d) != "[cpu cuda]" {
		t.Errorf("two: %v, %v", d, err)
	}
	for _, bad := range [][]string{{"gpu"}, {"cpu", "cpu"}, {""}} {
		if d, err := ParseDevices(bad); err == nil {
			t.Errorf("%q: %v", bad, d)
		}
	}
}

func TestCheckGraph(t *testing.T) {
	in := port{"images", "uint8", []int64{-1, 2, 2, 3}}
	out := port{"v", "float32", []int64{-1, 3}}
	logits := port{"l", "float32", []int64{-1, 2}}
	for _, test := range []struct {
		name   string
		g      graph
		change func(*models.Card)
		fixed  int
		want   string
	}{
		{"as it should be", graph{[]port{in}, []port{out, logits}}, nil, 0, ""},
		{"any size", graph{[]port{{"images", "uint8", []int64{-1, -1, -1, 3}}}, []port{{"v", "float32", []int64{-1, -1}}, logits}}, nil, 0, ""},
		{"fixed", graph{[]port{{"images", "uint8", []int64{8, 2, 2, 3}}}, []port{{"v", "float32", []int64{8, 3}}, logits}}, nil, 8, ""},
		{"name", graph{[]port{in}, []port{out, logits}}, func(c *models.Card) { c.Input.Name = "data" }, 0, `has an input "data"; it has "images", uint8 [any 2 2 3]`},
		{"two inputs", graph{[]port{in, {"mask", "uint8", nil}}, []port{out, logits}}, nil, 0, "2 inputs"},
		{"type", graph{[]port{in}, []port{out, logits}}, func(c *models.Card) { c.Input.Type = "float32" }, 0, `input is float32; the model has "images", uint8`},
		{"layout", graph{[]port{in}, []port{out, logits}}, func(c *models.Card) { c.Input.Layout = "NCHW" }, 0, "NCHW, 2 high and 2 wide; the model has"},
		{"size", graph{[]port{in}, []port{out, logits}}, func(c *models.Card) { c.Input.Width = 9 }, 0, "2 high and 9 wide"},
		{"rank", graph{[]port{{"images", "uint8", []int64{-1, 12}}}, []port{out, logits}}, nil, 0, "[any 12]"},
		{"output", graph{[]port{in}, []port{logits}}, nil, 0, `has an output "v"; it has "l"`},
		{"dim", graph{[]port{in}, []port{out, logits}}, func(c *models.Card) { c.Embedding.Dim = 4 }, 0, `embedding is float32 [any 4]; the model has "v", float32 [any 3]`},
		{"output type", graph{[]port{in}, []port{{"v", "float16", []int64{-1, 3}}, logits}}, nil, 0, "the model has \"v\", float16"},
		{"classes", graph{[]port{in}, []port{out, logits}}, func(c *models.Card) { c.Classes = []string{"a"} }, 0, "[any 1]"},
	} {
		card := *fakeSession(nil).card
		card.Logits, card.Classes = &models.Logits{Output: "l"}, []string{"a", "b"}
		if test.change != nil {
			test.change(&card)
		}
		fixed, err := checkGraph(&card, test.g)
		if test.want == "" && (err != nil || fixed != test.fixed) {
			t.Errorf("%s: %d, %v", test.name, fixed, err)
		}
		if test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %v; want %q", test.name, err, test.want)
		}
	}
}

func TestCacheKey(t *testing.T) {
	card, digest := fakeSession(nil).card, strings.Repeat("2", 64)
	base := CacheKey(card, digest, Options{})
	if len(base) != 64 || base != CacheKey(card, digest, Options{Batch: 3, Workers: 9, Strict: true}) {
		t.Errorf("key %s changes with what does not matter", base)
	}
	change := func(f func(*models.Card)) string {
		c := *card
		f(&c)
		return CacheKey(&c, digest, Options{})
	}
	seen := map[string]string{base: "the first"}
	for name, key := range map[string]string{
		"thumbnails": CacheKey(card, digest, Options{Thumbnails: 96}),
		"source":     CacheKey(card, strings.Repeat("3", 64), Options{}),
		"model":      change(func(c *models.Card) { c.SHA256 = strings.Repeat("4", 64) }),
		"fit":        change(func(c *models.Card) { c.Input.Fit = "cover" }),
		"mean":       change(func(c *models.Card) { c.Input.Mean = []float32{0, 0, 0} }),
		"output":     change(func(c *models.Card) { c.Embedding.Output = "w" }),
	} {
		if other, ok := seen[key]; ok {
			t.Errorf("%s has the key of %s", name, other)
		}
		seen[key] = name
	}
}

func TestRunPictures(t *testing.T) {
	s := fakeSession(&firstPixel{})
	s.fixed = 4
	src := &pictures{groups: 10, size: 1}
	var images []image.Image
	for g := range 10 {
		images = append(images, src.Group(g)[0].Image)
	}
	vectors, logits, err := s.Run(images)
	if err != nil || vectors.Rows != 10 || logits.Rows != 0 {
		t.Fatalf("%d vectors, %d logits, %v", vectors.Rows, logits.Rows, err)
	}
	for i := range 10 {
		if number(vectors.Row(i)) != i {
			t.Errorf("row %d is of picture %d", i, number(vectors.Row(i)))
		}
	}
	if v, _, err := s.Run(nil); err != nil || v.Rows != 0 {
		t.Errorf("no pictures: %v, %v", v, err)
	}
	if _, _, err := s.Run([]image.Image{images[0], nil}); err == nil || !strings.Contains(err.Error(), "picture 1:") {
		t.Errorf("a picture without pixels: %v", err)
	}
}

var _ catalog.Source = (*pictures)(nil)
