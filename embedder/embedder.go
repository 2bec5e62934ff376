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
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"runtime"
	"slices"
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

	// Runs is how many batches are in the model at once; 0 means 1.
	Runs int

	// First and End are places in the collection: only the pictures from First up to End are embedded.
	// An End of 0 is the collection's.
	First, End int

	// Strict makes the first picture, in order, that cannot be embedded the error of the whole.
	// Otherwise such a picture is left out and named in the result.
	Strict bool

	// Thumbnails is the longest side, in pixels, of a JPEG made of every picture; 0 means none.
	// Smaller pictures keep their size.
	Thumbnails int

	// Log, where not nil, takes a line for every picture that is left out.
	Log *slog.Logger

	// Progress, where not nil, is called after every batch, by the goroutine that called Embed.
	Progress func(Progress)
}

// Progress is how far [Embed] has come.
type Progress struct {
	Done      int           // pictures that are embedded, or left out
	Total     int           // pictures to embed: from Options.First to End
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

	Skipped []Failure // pictures that were left out of this batch, in order; it may hold nothing else
	End     int       // the place in the collection that follows this batch: where Options.First resumes
	Spent   Spent     // by Embed until this call of the sink
}

// Spent is time: of the wall clock since Embed was called, and how long each part was busy. The first two
// parts add up what the workers spent side by side; parts overlap, so that their sum is more than Seconds.
type Spent struct {
	Seconds        float64 `json:"seconds"`
	DecodeSeconds  float64 `json:"decode_seconds"`  // reading and decoding, as the collection does it
	PrepareSeconds float64 `json:"prepare_seconds"` // resizing, and thumbnails
	InferSeconds   float64 `json:"infer_seconds"`   // the model, with the way to the device and back
	SinkSeconds    float64 `json:"sink_seconds"`    // the caller's sink
}

// Failure is a picture that was left out.
type Failure struct {
	ID     string `json:"id"`
	Label  string `json:"label,omitempty"` // its category
	Reason string `json:"reason"`
}

// The stages of [Embed].
const (
	StageDecode = "decode" // reading, decoding, cropping, resizing, thumbnails
	StageModel  = "model"  // the model, with the way to the device and back
	StageWrite  = "write"  // the caller's sink
)

// Stage is what the goroutines of a stage did with their time. Stages work at the same time.
type Stage struct {
	Stage      string  `json:"stage"`
	Goroutines int     `json:"goroutines"`
	Images     int     `json:"images"`          // that went through, those that were left out included
	Busy       float64 `json:"busy_seconds"`    // of all goroutines together, on the wall clock
	Waiting    float64 `json:"waiting_seconds"` // the rest: for the stage before or after
	PerSecond  float64 `json:"per_second"`      // images that the stage does when it never waits
}

// Share is how much of its goroutines' time the stage was busy, 0 to 1.
func (s Stage) Share() float64 {
	if s.Busy+s.Waiting <= 0 {
		return 0
	}
	return s.Busy / (s.Busy + s.Waiting)
}

// Result is what [Embed] did. Where Embed returns an error, it is what was done until then.
type Result struct {
	Images   int       `json:"images"`            // pictures that were embedded and delivered
	Skipped  []Failure `json:"skipped,omitempty"` // pictures that were left out, in order
	Dim      int       `json:"dim"`
	Batch    int       `json:"batch"`   // pictures in one run of the model
	Workers  int       `json:"workers"` // goroutines that decoded
	Runs     int       `json:"runs"`    // batches in the model at once
	Model    string    `json:"model"`
	Device   Device    `json:"device"`             // that the model ran on
	Refusals []Refusal `json:"refusals,omitempty"` // devices that were tried before it
	Runtime  string    `json:"runtime"`            // library and version that ran the model
	Threads  int       `json:"threads"`            // of the model on a CPU

	Spent
	PerSecond float64 `json:"per_second"` // Images over Seconds

	// Stages are the same by stage, with their waiting, in the order of the way; Limit is the stage
	// that was busy for most of its time: a faster one of the others would have changed little.
	Stages []Stage `json:"stages"`
	Limit  string  `json:"limit"`
}

// stages fills in Stages and Limit, and the sums they are made of.
func (r *Result) stages(decoded, inferred int) {
	r.Stages = []Stage{
		{Stage: StageDecode, Goroutines: r.Workers, Images: decoded, Busy: r.DecodeSeconds + r.PrepareSeconds},
		{Stage: StageModel, Goroutines: r.Runs, Images: inferred, Busy: r.InferSeconds},
		{Stage: StageWrite, Goroutines: 1, Images: r.Images + len(r.Skipped), Busy: r.SinkSeconds},
	}
	for i := range r.Stages {
		s := &r.Stages[i]
		s.Waiting = max(0, float64(s.Goroutines)*r.Seconds-s.Busy)
		if s.Busy > 0 {
			s.PerSecond = float64(s.Images) * float64(s.Goroutines) / s.Busy
		}
	}
	r.Limit = slices.MaxFunc(r.Stages, func(a, b Stage) int { return cmp.Compare(a.Share(), b.Share()) }).Stage
}

// defaultBatch is where the rate of a ResNet18 at 96×96 on a CPU has levelled off (see
// BenchmarkSession), and small enough for the memory of any GPU.
const defaultBatch = 32

// Embed runs the pictures of src through the model of s and calls sink with the vectors, batch
// after batch, in the order of the collection, always from the goroutine that called Embed.
//
// The place of a picture in the collection decides its batch and its row there, and how many rows that
// batch is run with; a picture that cannot be read leaves its row empty. So its vector is the same to the
// last bit whichever part of the collection is embedded, and whatever else is broken, as long as the
// device, the model's threads and the size of the batch are.
//
// Memory is bounded by the workers and the batch, whatever the size of the collection: a decoded group a
// worker, and a ring of batches into which workers write what the model takes.
//
// An error names the picture or the batch. It is an error if no picture at all of a whole collection can
// be embedded, if the model answers with NaN, infinities or, against its card, vectors of another length
// than 1, and if sink returns one (which Embed passes on wrapped). When ctx ends, Embed waits for what is
// being decoded and for the runs of the model under way, delivers what these end, and returns the
// context's error. No goroutine outlives the call.
func Embed(ctx context.Context, src catalog.Source, s *Session, o Options, sink func(Batch) error) (Result, error) {
	began := time.Now()
	e := embedding{src: src, session: s, o: o, began: began, total: src.Len(), first: o.First, end: o.End}
	e.workers = o.Workers
	if e.workers <= 0 {
		e.workers = runtime.NumCPU()
	}
	if e.end == 0 {
		e.end = e.total
	}
	e.batch = s.batchOf(o.Batch)
	e.result = Result{
		Dim: s.card.Embedding.Dim, Batch: e.batch, Workers: e.workers, Runs: max(1, o.Runs),
		Model: s.card.Name, Device: s.device, Refusals: s.refusals, Runtime: s.runtime, Threads: s.threads,
	}
	switch {
	case o.Thumbnails < 0:
		return e.result, fmt.Errorf("embedding %s: thumbnails of %d pixels", src.Name(), o.Thumbnails)
	case o.First < 0 || e.end > e.total || o.First > e.end:
		return e.result, fmt.Errorf("embedding %s: pictures %d to %d of %d", src.Name(), o.First, e.end, e.total)
	}
	err := e.run(ctx, sink)

	r := &e.result
	r.Spent = e.spent()
	if r.Seconds > 0 {
		r.PerSecond = float64(r.Images) / r.Seconds
	}
	r.stages(int(e.decoded.Load()), int(e.inferred.Load()))
	if err != nil {
		return *r, fmt.Errorf("embedding %s: %w", src.Name(), err)
	}
	return *r, nil
}

// embedding is one call of Embed: the dispatcher hands groups to the workers, they write model input into
// the ring's batches, which go to the model and to the sink in their order.
type embedding struct {
	src        catalog.Source
	session    *Session
	o          Options
	workers    int
	batch      int
	total      int // pictures in the collection
	first, end int // places of those to embed
	began      time.Time

	decodeBusy, prepareBusy, inferBusy atomic.Int64 // nanoseconds
	sinkBusy                           time.Duration
	decoded, inferred                  atomic.Int64 // pictures

	result Result
}

func (e *embedding) spent() Spent {
	return Spent{
		Seconds:        time.Since(e.began).Seconds(),
		DecodeSeconds:  time.Duration(e.decodeBusy.Load()).Seconds(),
		PrepareSeconds: time.Duration(e.prepareBusy.Load()).Seconds(),
		InferSeconds:   time.Duration(e.inferBusy.Load()).Seconds(),
		SinkSeconds:    e.sinkBusy.Seconds(),
	}
}

// job is a group to decode, and the place of its first picture.
type job struct{ group, place, pictures int }

func (e *embedding) run(ctx context.Context, sink func(Batch) error) error {
	if e.total == 0 {
		return errors.New("the collection has no pictures")
	}
	if e.first == e.end {
		return nil
	}
	group, ctx := errgroup.WithContext(ctx)
	ring := newRing(e)
	defer context.AfterFunc(ctx, ring.stop)()

	jobs := make(chan job)
	group.Go(func() error { // dispatcher
		defer close(jobs)
		return e.dispatch(ctx, jobs)
	})
	for range e.workers {
		group.Go(func() error {
			for j := range jobs {
				if err := e.prepare(ctx, j, ring); err != nil {
					return err
				}
			}
			return nil
		})
	}
	for range e.result.Runs {
		group.Go(func() error { // the model
			for {
				f, err := ring.take(e.o.Strict)
				if f == nil {
					return err
				}
				start := time.Now()
				f.err = e.session.infer(f)
				e.inferBusy.Add(int64(time.Since(start)))
				e.inferred.Add(int64(len(f.items) + len(f.skipped)))
				ring.done(f)
			}
		})
	}

	// The sink runs here, on the caller's goroutine. Its error has to end the others: it goes
	// through the group too.
	failed := make(chan error, 1)
	group.Go(func() error { return <-failed })
	failed <- e.deliver(ctx, ring, sink)
	if err := group.Wait(); err != nil {
		return err
	}
	if skipped := e.result.Skipped; e.result.Images == 0 && len(skipped) == e.total {
		first := skipped[0]
		return fmt.Errorf("none of its %d pictures can be embedded; the first is %s: %s", e.total, first.ID, first.Reason)
	}
	return nil
}

// dispatch hands out the groups that have pictures to embed, in order.
func (e *embedding) dispatch(ctx context.Context, jobs chan<- job) error {
	place := 0
	for g := range e.src.Groups() {
		if place >= e.end && e.end < e.total {
			return nil
		}
		j := job{group: g, place: place, pictures: len(e.src.Items(g))}
		if place += j.pictures; place > e.total {
			break
		}
		if place <= e.first || j.place >= e.end || j.pictures == 0 {
			continue
		}
		select {
		case jobs <- j:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if place != e.total { // a batch would wait for the others for ever
		return fmt.Errorf("the collection says that it has %d pictures, and lists %d", e.total, place)
	}
	return nil
}

// prepare decodes a group and makes model input of its pictures, each in its row of the ring.
func (e *embedding) prepare(ctx context.Context, j job, ring *ring) error {
	start := time.Now()
	pictures := e.src.Group(j.group)
	e.decodeBusy.Add(int64(time.Since(start)))
	if len(pictures) != j.pictures {
		return fmt.Errorf("the collection lists %d pictures in group %d, and gave %d", j.pictures, j.group, len(pictures))
	}
	for i, picture := range pictures {
		place := j.place + i
		if place < e.first || place >= e.end {
			continue
		}
		f := ring.slot(place / e.batch)
		if f == nil {
			return ctx.Err()
		}
		start := time.Now()
		row := place % e.batch
		out := &f.pictures[row]
		*out = preparedPicture{Item: picture.Item, err: picture.Err}
		if out.err == nil {
			out.err = e.session.shape.fill(f.pixels, row, picture.Image)
		}
		if out.err == nil && e.o.Thumbnails > 0 {
			out.thumbnail, out.err = thumbnail(picture.Image, e.o.Thumbnails)
		}
		e.prepareBusy.Add(int64(time.Since(start)))
		e.decoded.Add(1)
		ring.filled(f)
	}
	return nil
}

// deliver hands batches to the sink until there are no more.
func (e *embedding) deliver(ctx context.Context, ring *ring, sink func(Batch) error) error {
	r := &e.result
	for {
		f := ring.next()
		if f == nil {
			return ctx.Err()
		}
		if f.err != nil {
			return f.err
		}
		r.Skipped = append(r.Skipped, f.skipped...)
		for _, failure := range f.skipped {
			if e.o.Log != nil {
				e.o.Log.Warn("picture left out", "id", failure.ID, "reason", failure.Reason)
			}
		}
		n := len(f.items)
		b := Batch{
			First: r.Images, Items: f.items, Vectors: f.output.vectors.Slice(0, n), Thumbnails: f.thumbnails,
			Skipped: f.skipped, End: f.end, Spent: e.spent(),
		}
		if e.session.logits {
			b.Logits = f.output.logits.Slice(0, n)
		}
		start := time.Now()
		err := sink(b)
		e.sinkBusy += time.Since(start)
		if err != nil {
			return fmt.Errorf("delivering pictures %d to %d: %w", r.Images, r.Images+n-1, err)
		}
		r.Images += n
		if e.o.Progress != nil {
			p := Progress{Done: r.Images + len(r.Skipped), Total: e.end - e.first, Elapsed: time.Since(e.began)}
			if s := p.Elapsed.Seconds(); s > 0 {
				p.PerSecond = float64(p.Done) / s
			}
			e.o.Progress(p)
		}
		ring.free(f)
	}
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
const PrepareVersion = 3

// CacheKey names the outcome of embedding a collection, as 64 hexadecimal digits of a SHA-256: same
// key, same pictures in the same order with the same vectors and thumbnails. It depends on the
// model's bytes, on how its card wants pictures prepared and which output it names, on the digest of
// the collection, on [PrepareVersion], on Options.Thumbnails and on what decodes JPEG files.
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
		JPEG       string
	}{PrepareVersion, card.SHA256, card.Input, card.Embedding, sourceDigest, o.Thumbnails, catalog.JPEGDecoder()})
	if err != nil {
		panic("embedder: a card that cannot be written as JSON: " + err.Error()) // Parse lets no NaN in
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
