// Package embedder turns pictures into vectors: it decodes the pictures of a [catalog.Source] on
// every core, resizes them to what a model takes, runs the model on the first device that can be
// had, and hands over the vectors in the catalogue's order.
//
// [OpenSession] makes a [Session] of a model's card, and [Embed] runs a collection through it.
// The package neither keeps vectors nor writes files: where they go is the business of the caller's
// sink. What a model takes and gives is package models; what there is to embed, package catalog.
//
// Models run in ONNX Runtime, whose library is opened when the first session is: see [FindLibrary].
// Without cgo the package builds, and OpenSession says that embedding is what this build lacks.
package embedder

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"annbench/embedder/catalog"
	"annbench/embedder/models"
	"annbench/indexes/vec"
)

// Options of [Embed].
type Options struct {
	// Batch is the number of pictures in one run of the model; 0 means 32. A model whose graph fixes
	// the size of its batch runs at that size, whatever stands here.
	Batch int

	// Workers is the number of goroutines that decode and resize; 0 means one a CPU.
	Workers int

	// Strict makes the first picture, in order, that cannot be embedded the error of the whole.
	// Otherwise such a picture is left out and named in the result.
	Strict bool

	// Thumbnails is the longest side, in pixels, of a JPEG made of every picture; 0 means none.
	// Smaller pictures keep their size.
	Thumbnails int

	// Log, where not nil, is told of every picture that is left out.
	Log *slog.Logger

	// Progress, where not nil, is called after every batch, by the goroutine that called Embed.
	Progress func(Progress)
}

// Progress is how far [Embed] has come.
type Progress struct {
	Done      int           // pictures that are embedded, or left out
	Total     int           // pictures in the collection
	Elapsed   time.Duration // since Embed was called
	PerSecond float64       // Done over Elapsed
}

// Batch is what a sink is given: some pictures with their vectors, in the order of the collection.
// All of it is valid during the call alone, the thumbnails excepted, which are the sink's to keep.
type Batch struct {
	First      int            // how many pictures came in the batches before
	Items      []catalog.Item // of each row
	Vectors    vec.Matrix     // row i is the embedding of Items[i]; every component is finite
	Logits     vec.Matrix     // row i is its classification; no rows unless SessionOptions.Logits
	Thumbnails [][]byte       // JPEG of each row; nil where Options.Thumbnails is 0
}

// Failure is a picture that was left out.
type Failure struct {
	ID     string `json:"id"`
	Reason string `json:"reason"`
}

// Result is what [Embed] did. Where Embed returns an error, it is what was done until then.
type Result struct {
	Images   int       `json:"images"`            // pictures that were embedded and delivered
	Skipped  []Failure `json:"skipped,omitempty"` // pictures that were left out, in order
	Dim      int       `json:"dim"`
	Batch    int       `json:"batch"`   // pictures in one run of the model
	Workers  int       `json:"workers"` // goroutines that decoded
	Model    string    `json:"model"`
	Device   Device    `json:"device"`             // that the model ran on
	Refusals []Refusal `json:"refusals,omitempty"` // devices that were tried before it
	Runtime  string    `json:"runtime"`            // library and version that ran the model
	Threads  int       `json:"threads"`            // of the model on a CPU

	Seconds   float64 `json:"seconds"`    // of the wall clock, from the call to the last delivery
	PerSecond float64 `json:"per_second"` // Images over Seconds

	// Seconds that each stage was busy. The first two add up what the workers spent side by side;
	// stages overlap, so that their sum is more than Seconds.
	DecodeSeconds  float64 `json:"decode_seconds"`  // reading and decoding, as the collection does it
	PrepareSeconds float64 `json:"prepare_seconds"` // resizing, and thumbnails
	InferSeconds   float64 `json:"infer_seconds"`   // the model, with the way to the device and back
	SinkSeconds    float64 `json:"sink_seconds"`    // the caller's sink
}

// defaultBatch is where the rate of a ResNet18 at 96×96 on a CPU has levelled off (see
// BenchmarkSession), and small enough for the memory of any GPU.
const defaultBatch = 32

// Embed runs every picture of src through the model of s and calls sink with the vectors, batch
// after batch, in the order of the collection, always from the goroutine that called Embed.
//
// Memory is bounded by the workers and the batch, whatever the size of the collection: a few decoded
// groups and three batches.
//
// An error names the picture or the batch. It is an error if no picture at all can be embedded, if
// the model answers with NaN, infinities or, against its card, vectors of another length than 1, and
// if sink returns one (which Embed passes on wrapped). When ctx ends, Embed waits for what is being
// decoded and for the run of the model under way, and returns the context's error. No goroutine
// outlives the call.
func Embed(ctx context.Context, src catalog.Source, s *Session, o Options, sink func(Batch) error) (Result, error) {
	began := time.Now()
	e := embedding{src: src, session: s, o: o, began: began, total: src.Len()}
	e.workers = o.Workers
	if e.workers <= 0 {
		e.workers = runtime.NumCPU()
	}
	e.batch = s.batchOf(o.Batch)
	e.result = Result{
		Dim: s.card.Embedding.Dim, Batch: e.batch, Workers: e.workers,
		Model: s.card.Name, Device: s.device, Refusals: s.refusals, Runtime: s.runtime, Threads: s.threads,
	}
	if o.Thumbnails < 0 {
		return e.result, fmt.Errorf("embedding %s: thumbnails of %d pixels", src.Name(), o.Thumbnails)
	}
	err := e.run(ctx, sink)

	r := &e.result
	r.Seconds = time.Since(began).Seconds()
	if r.Seconds > 0 {
		r.PerSecond = float64(r.Images) / r.Seconds
	}
	r.DecodeSeconds = time.Duration(e.decodeBusy.Load()).Seconds()
	r.PrepareSeconds = time.Duration(e.prepareBusy.Load()).Seconds()
	if err != nil {
		return *r, fmt.Errorf("embedding %s: %w", src.Name(), err)
	}
	return *r, nil
}

// embedding is one call of Embed: groups flow from the dispatcher to the workers, and in their order
// to the assembler, which fills batches, to the model, to the sink.
type embedding struct {
	src     catalog.Source
	session *Session
	o       Options
	workers int
	batch   int
	total   int
	began   time.Time

	decodeBusy, prepareBusy atomic.Int64 // nanoseconds

	result Result
}

// prepared is a group ready for the model: the pixels of its usable pictures one after the other.
type prepared struct {
	pictures []preparedPicture
	pixels   *tensor // of the usable ones, in order
}

type preparedPicture struct {
	catalog.Item
	thumbnail []byte
	err       error
}

// job is a group to decode, and where its answer goes. The channel holds one answer, so that a
// worker never waits.
type job struct {
	group  int
	answer chan prepared
}

// filled is a batch on its way: assembled, then with vectors, then back to be filled again.
type filled struct {
	pixels     tensor
	output     output
	items      []catalog.Item
	thumbnails [][]byte
	skipped    []Failure // pictures left out since the batch before
	seconds    float64   // that the model took
}

func (f *filled) reset() {
	f.items, f.thumbnails, f.skipped, f.seconds = f.items[:0], nil, nil, 0
}

// batches in flight: one that is filled, one in the model, one in the sink.
const ring = 3

func (e *embedding) run(ctx context.Context, sink func(Batch) error) error {
	if e.total == 0 {
		return errors.New("the collection has no pictures")
	}
	group, ctx := errgroup.WithContext(ctx)

	// The channel of answers is the window of groups in flight: two a worker keep every worker busy
	// while the oldest group is still being decoded.
	var (
		jobs    = make(chan job)
		answers = make(chan chan prepared, 2*e.workers)
		free    = make(chan *filled, ring)
		ready   = make(chan *filled)
		done    = make(chan *filled)
		pool    = sync.Pool{}
	)
	for range ring {
		free <- &filled{
			pixels: newTensor(&e.session.card.Input, e.batch),
			output: newOutput(e.session, e.batch),
			items:  make([]catalog.Item, 0, e.batch),
		}
	}

	group.Go(func() error { // dispatcher
		defer close(jobs)
		defer close(answers)
		for g := range e.src.Groups() {
			j := job{group: g, answer: make(chan prepared, 1)}
			select {
			case answers <- j.answer:
			case <-ctx.Done():
				return ctx.Err()
			}
			select {
			case jobs <- j:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	for range e.workers {
		group.Go(func() error {
			for j := range jobs {
				j.answer <- e.prepare(j.group, &pool)
			}
			return nil
		})
	}
	group.Go(func() error { // assembler
		defer close(ready)
		return e.assemble(ctx, answers, free, ready, &pool)
	})
	group.Go(func() error { // the model
		defer close(done)
		for f := range ready {
			if err := ctx.Err(); err != nil {
				return err
			}
			start := time.Now()
			if err := e.session.infer(f); err != nil {
				return err
			}
			f.seconds = time.Since(start).Seconds()
			select {
			case done <- f:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})

	// The sink runs here, on the caller's goroutine. Its error has to end the others: it goes
	// through the group too.
	failed := make(chan error, 1)
	group.Go(func() error { return <-failed })
	failed <- e.deliver(ctx, done, free, sink)
	if err := group.Wait(); err != nil {
		return err
	}
	switch skipped := e.result.Skipped; {
	case e.result.Images > 0:
	case len(skipped) == 0:
		return fmt.Errorf("the collection says that it has %d pictures, and gave none", e.total)
	default:
		first := skipped[0]
		return fmt.Errorf("none of its %d pictures can be embedded; the first is %s: %s", e.total, first.ID, first.Reason)
	}
	return nil
}

// prepare decodes group g and makes model input of it.
func (e *embedding) prepare(g int, pool *sync.Pool) prepared {
	start := time.Now()
	pictures := e.src.Group(g)
	decoded := time.Now()
	e.decodeBusy.Add(int64(decoded.Sub(start)))
	defer func() { e.prepareBusy.Add(int64(time.Since(decoded))) }()

	in := &e.session.card.Input
	p := prepared{pictures: make([]preparedPicture, len(pictures))}
	if used, ok := pool.Get().(*tensor); ok && used.rows() >= len(pictures) {
		p.pixels = used
	} else {
		fresh := newTensor(in, len(pictures))
		p.pixels = &fresh
	}
	row := 0
	for i, picture := range pictures {
		out := &p.pictures[i]
		out.Item, out.err = picture.Item, picture.Err
		if out.err == nil {
			out.err = e.session.shape.fill(*p.pixels, row, picture.Image)
		}
		if out.err == nil && e.o.Thumbnails > 0 {
			out.thumbnail, out.err = thumbnail(picture.Image, e.o.Thumbnails)
		}
		if out.err == nil {
			row++
		}
	}
	return p
}

// assemble copies groups, in order, into batches.
func (e *embedding) assemble(ctx context.Context, answers <-chan chan prepared, free <-chan *filled, ready chan<- *filled, pool *sync.Pool) error {
	var f *filled
	take := func() error {
		if f != nil {
			return nil
		}
		select {
		case f = <-free:
			f.reset()
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	send := func() error {
		select {
		case ready <- f:
			f = nil
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	for answer := range answers {
		var p prepared
		select {
		case p = <-answer:
		case <-ctx.Done():
			return ctx.Err()
		}
		row := 0
		for _, picture := range p.pictures {
			if err := take(); err != nil {
				return err
			}
			if picture.err != nil {
				if e.o.Strict {
					return fmt.Errorf("picture %s: %w", picture.ID, picture.err)
				}
				f.skipped = append(f.skipped, Failure{ID: picture.ID, Reason: picture.err.Error()})
				continue
			}
			f.pixels.copyRow(len(f.items), *p.pixels, row)
			row++
			f.items = append(f.items, picture.Item)
			if picture.thumbnail != nil {
				f.thumbnails = append(f.thumbnails, picture.thumbnail)
			}
			if len(f.items) == e.batch {
				if err := send(); err != nil {
					return err
				}
			}
		}
		pool.Put(p.pixels)
	}
	if f != nil { // the rest, which may hold nothing but pictures left out
		return send()
	}
	return ctx.Err()
}

// deliver hands batches to the sink until there are no more.
func (e *embedding) deliver(ctx context.Context, done <-chan *filled, free chan<- *filled, sink func(Batch) error) error {
	r := &e.result
	for f := range done {
		if err := ctx.Err(); err != nil {
			return err
		}
		r.InferSeconds += f.seconds
		r.Skipped = append(r.Skipped, f.skipped...)
		for _, failure := range f.skipped {
			if e.o.Log != nil {
				e.o.Log.Warn("picture left out", "id", failure.ID, "reason", failure.Reason)
			}
		}
		if n := len(f.items); n > 0 {
			start := time.Now()
			b := Batch{First: r.Images, Items: f.items, Vectors: f.output.vectors.Slice(0, n), Thumbnails: f.thumbnails}
			if e.session.logits {
				b.Logits = f.output.logits.Slice(0, n)
			}
			err := sink(b)
			r.SinkSeconds += time.Since(start).Seconds()
			if err != nil {
				return fmt.Errorf("delivering pictures %d to %d: %w", r.Images, r.Images+n-1, err)
			}
			r.Images += n
		}
		if e.o.Progress != nil {
			p := Progress{Done: r.Images + len(r.Skipped), Total: e.total, Elapsed: time.Since(e.began)}
			if s := p.Elapsed.Seconds(); s > 0 {
				p.PerSecond = float64(p.Done) / s
			}
			e.o.Progress(p)
		}
		free <- f // it has room for the whole ring
	}
	return ctx.Err()
}

// checkVectors reports the first row that no index could use.
func checkVectors(m vec.Matrix, normalized bool, name func(row int) string) error {
	for i := range m.Rows {
		var square float64
		for j, v := range m.Row(i) {
			f := float64(v)
			if math.IsNaN(f) || math.IsInf(f, 0) {
				return fmt.Errorf("the model's embedding of %s is not finite: component %d is %v", name(i), j, v)
			}
			square += f * f
		}
		// 1e-3 is the rounding of half precision, in which some models compute.
		if normalized && math.Abs(math.Sqrt(square)-1) > 1e-3 {
			return fmt.Errorf("the model's embedding of %s has length %.4g, but its card says that embeddings are normalized",
				name(i), math.Sqrt(square))
		}
	}
	return nil
}

// PrepareVersion changes when the pixels that a model is given for a picture change, or the bytes of
// a thumbnail.
const PrepareVersion = 2

// CacheKey names the outcome of embedding a collection, as 64 hexadecimal digits of a SHA-256: same
// key, same pictures in the same order with the same vectors and thumbnails. It depends on the
// model's bytes, on how its card wants pictures prepared and which output it names, on the digest of
// the collection, on [PrepareVersion] and on Options.Thumbnails.
//
// It does not depend on the device, the batch, the threads and the version of ONNX Runtime: vectors
// differ between them, but by rounding (about 1e-6 of a vector's largest component), which changes
// no answer that a search means. The record says which were used. Strict changes whether there is an
// outcome, and not what it is.
func CacheKey(card *models.Card, sourceDigest string, o Options) string {
	text, err := json.Marshal(struct {
		Version    int
		Model      string
		Input      models.Input
		Embedding  models.Embedding
		Source     string
		Thumbnails int
	}{PrepareVersion, card.SHA256, card.Input, card.Embedding, sourceDigest, o.Thumbnails})
	if err != nil {
		panic("embedder: a card that cannot be written as JSON: " + err.Error()) // Parse lets no NaN in
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
