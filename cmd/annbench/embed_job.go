package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"annbench/bench"
	"annbench/bench/dataset/collection"
	"annbench/bench/record"
	"annbench/embedder"
	"annbench/embedder/catalog"
	"annbench/embedder/models"
)

// embedJob is a collection of images to be embedded, and how.
type embedJob struct {
	source     catalog.Source
	model      string // path of a card; empty is the model that ships
	size       int    // of the pictures that the model is given, a side; 0: the model's own
	session    embedder.SessionOptions
	batch      int // may be embedder.AutoBatch
	strict     bool
	thumbnails int
	shard      bench.Shard // zero is all of it
}

// embedded is what embedJob did, in this call and in those before that it went on from.
type embedded struct {
	embedder.Result        // Images and Skipped are those of all calls, times of this one
	Resumed         int    `json:"resumed"` // Images that calls before this one embedded
	Digest          string `json:"digest"`  // of the vectors, with ids and labels

	Precision embedder.Precision    `json:"precision"`
	Options   map[string]string     `json:"device_options,omitempty"` // of the device's provider
	WarmUp    float64               `json:"warmup_seconds"`           // of the device, before the clock started
	Tried     []embedder.BatchTrial `json:"batch_tried,omitempty"`    // where the batch was found by trying
	// Kept is what another precision than fp32 does: recall@10 of neighbours against fp32 on the CPU, among
	// KeptImages images.
	Kept       *float64 `json:"neighbours_kept,omitempty"`
	KeptImages int      `json:"neighbours_kept_images,omitempty"`
}

// comparedImages are embedded in fp32 on the CPU too where another precision was asked for: enough that a
// neighbour in 2,560 shows.
const comparedImages = 256

// intoCache embeds into a folder below cache that is named by what decides the vectors, or finds
// that folder there already.
func (e *embedJob) intoCache(ctx context.Context, s *surface, cache string) (dir string, err error) {
	card, err := e.card()
	if err != nil {
		return "", err
	}
	key, err := e.key(ctx, s, card)
	if err != nil {
		return "", err
	}
	dir = filepath.Join(cache, key[:24])
	for waited := false; ; waited = true {
		if _, err := os.Stat(filepath.Join(dir, "meta.json")); err == nil {
			s.say("embeddings of %s are there already", e.source.Name())
			return dir, nil
		}
		_, err = e.into(ctx, s, card, key, dir)
		switch {
		case errors.Is(err, collection.ErrBusy):
		case err == nil:
			return dir, nil
		default:
			// Another process may have been at the same, and have ended in between.
			if _, there := os.Stat(filepath.Join(dir, "meta.json")); there == nil && ctx.Err() == nil {
				continue
			}
			return "", err
		}
		if !waited {
			s.say("another annbench is embedding %s: waiting for it", e.source.Name())
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(time.Second / 2):
		}
	}
}

func (e *embedJob) card() (*models.Card, error) {
	card, err := models.Default()
	if e.model != "" {
		if card, err = models.Open(e.model); err == nil {
			card, err = embedder.CompleteCard(card, e.session.Library)
		}
	}
	if err == nil && e.size != 0 {
		card, err = card.Resized(e.size, e.size)
	}
	return card, err
}

// key names the vectors of the whole collection.
func (e *embedJob) key(ctx context.Context, s *surface, card *models.Card) (string, error) {
	digest, err := e.source.Digest(ctx)
	if err != nil {
		return "", err
	}
	key := embedder.CacheKey(card, digest, e.options(s))
	if p := e.session.Precision; p != "" && p != embedder.FP32 { // its vectors differ by more than rounding
		hash := sha256.Sum256([]byte(key + " " + string(p)))
		key = hex.EncodeToString(hash[:])
	}
	return key, nil
}

func (e *embedJob) options(s *surface) embedder.Options {
	return embedder.Options{
		Batch: e.batch, Strict: e.strict, Thumbnails: e.thumbnails, Log: s.log,
		Progress: func(p embedder.Progress) {
			left := secondsLeft(p.Done, p.Total, p.Elapsed)
			s.progress(fmt.Sprintf("embedding, %.0f images/s", p.PerSecond), p.Done, p.Total, left)
		},
	}
}

// part is which places of the collection the shard has. Groups, such as boards, stay whole.
func (e *embedJob) part() (*record.EmbeddingShard, error) {
	total, groups := e.source.Len(), e.source.Groups()
	p := &record.EmbeddingShard{Index: 1, Of: 1, End: total, Total: total}
	if e.shard.Of == 0 {
		return p, nil
	}
	p.Index, p.Of = e.shard.Index, e.shard.Of
	if p.Of > groups {
		return nil, misuse(fmt.Errorf("--shard %v: %s has %s that can be divided, so at most as many shards", e.shard, e.source.Name(), plural(groups, "file")))
	}
	from, to := (p.Index-1)*groups/p.Of, p.Index*groups/p.Of
	place := 0
	for g := range to {
		if g == from {
			p.First = place
		}
		place += len(e.source.Items(g))
	}
	p.End = place
	return p, nil
}

// batchNote is what stands in the journal with the vectors of a batch.
type batchNote struct {
	Call    int                `json:"call"` // number of the call that embedded it, from 0
	Batch   int                `json:"batch"`
	End     int                `json:"end"` // the place in the collection that follows
	Skipped []embedder.Failure `json:"skipped,omitempty"`
	Spent   embedder.Spent     `json:"spent"` // by that call until then
}

// soFar adds up notes: the time that calls spent, which images they left out, and where the next goes on.
func soFar(notes []json.RawMessage, first int) (all batchNote, err error) {
	all.End = first
	var call embedder.Spent
	for i, note := range notes {
		var n batchNote
		if err := json.Unmarshal(note, &n); err != nil {
			return all, fmt.Errorf("note %d of the journal: %w", i, err)
		}
		if n.Call != all.Call {
			all.Spent, call = sum(all.Spent, call), embedder.Spent{}
		}
		all.Call, all.End, all.Batch, call = n.Call, n.End, n.Batch, n.Spent
		all.Skipped = append(all.Skipped, n.Skipped...)
	}
	all.Spent = sum(all.Spent, call)
	return all, nil
}

func sum(a, b embedder.Spent) embedder.Spent {
	return embedder.Spent{
		Seconds:        a.Seconds + b.Seconds,
		DecodeSeconds:  a.DecodeSeconds + b.DecodeSeconds,
		PrepareSeconds: a.PrepareSeconds + b.PrepareSeconds,
		InferSeconds:   a.InferSeconds + b.InferSeconds,
		SinkSeconds:    a.SinkSeconds + b.SinkSeconds,
	}
}

// into embeds into the folder dir, which must not be there yet, or goes on with what an earlier call of
// the same key has left. Every batch that is embedded is kept, however the call ends.
func (e *embedJob) into(ctx context.Context, s *surface, card *models.Card, key, dir string) (out embedded, err error) {
	part, err := e.part()
	if err != nil {
		return out, err
	}
	part.Key = key
	w, replaced, err := collection.Resume(dir, card.Embedding.Dim, fmt.Sprintf("%s %d/%d", key, part.Index, part.Of))
	if err != nil {
		return out, err
	}
	defer w.Abort()
	before, err := soFar(w.Notes(), part.First)
	if err != nil {
		return out, fmt.Errorf("%s: %w; remove it to begin anew", collection.PartDir(dir), err)
	}
	if replaced {
		s.say("what %s had of another collection or model is dropped", collection.PartDir(dir))
	}
	resumed, call := w.Rows(), 0
	if len(w.Notes()) > 0 {
		s.say("going on after %d of %d images", before.End-part.First, part.End-part.First)
		call = before.Call + 1
	}
	if e.strict && len(before.Skipped) > 0 {
		f := before.Skipped[0]
		return out, fmt.Errorf("embedding %s: picture %s: %s", e.source.Name(), f.ID, f.Reason)
	}
	session, err := embedder.OpenSession(card, e.session)
	if err != nil {
		return out, err
	}
	defer session.Close()

	o := e.options(s)
	out.Precision, out.Options = session.Precision(), session.Options()
	if o.Batch == embedder.AutoBatch {
		// A call that goes on takes the batch that the first one found.
		if o.Batch = before.Batch; o.Batch == 0 {
			if o.Batch, out.Tried, err = session.FindBatch(ctx); err != nil {
				return out, err
			}
			s.say("batch %d: %s", o.Batch, triedBatches(out.Tried))
		}
	}
	if before.End < part.End {
		if out.WarmUp, err = session.WarmUp(o.Batch); err != nil {
			return out, err
		}
	}
	o.First, o.End = before.End, part.End
	progress := o.Progress
	o.Progress = func(p embedder.Progress) {
		p.Done += before.End - part.First
		p.Total = part.End - part.First
		progress(p)
	}
	var items []collection.Item
	result, err := embedder.Embed(ctx, e.source, session, o, func(b embedder.Batch) error {
		items = items[:0]
		for _, item := range b.Items {
			items = append(items, collection.Item{ID: item.ID, Label: item.Label})
		}
		if err := w.Append(items, b.Vectors, b.Thumbnails); err != nil {
			return err
		}
		note, err := json.Marshal(batchNote{Call: call, Batch: o.Batch, End: b.End, Skipped: b.Skipped, Spent: b.Spent})
		if err != nil {
			return err
		}
		return w.Mark(note)
	})
	s.clear()
	out.Result, out.Resumed = result, resumed
	if err != nil {
		if w.Rows() > 0 && ctx.Err() == nil && !e.strict {
			s.say("%d images are embedded; the same command goes on after them", w.Rows())
		}
		return out, err
	}
	all, err := soFar(w.Notes(), part.First)
	if err != nil {
		return out, err
	}
	out.Images, out.Skipped = w.Rows(), all.Skipped
	if w.Rows() == 0 {
		f := all.Skipped[0]
		return out, fmt.Errorf("embedding %s: none of its %d pictures can be embedded; the first is %s: %s", e.source.Name(), len(all.Skipped), f.ID, f.Reason)
	}
	if out.Precision != embedder.FP32 {
		kept, n, err := embedder.KeptOf(ctx, e.source, session, e.session, o, comparedImages)
		switch {
		case ctx.Err() != nil:
			return out, err
		case err != nil:
			s.say("what %s does to neighbours is not known: %v", out.Precision, err)
		default:
			out.Kept, out.KeptImages = &kept, n
			s.say("%s on %s: recall@10 of the neighbours, against fp32 on the CPU, is %.4f among %d images", out.Precision, result.Device, kept, n)
		}
	}
	how, err := json.Marshal(e.describe(card, out, all.Spent, part))
	if err != nil {
		return out, err
	}
	meta, err := w.Commit(how)
	if err != nil {
		return out, err
	}
	out.Digest = meta.Digest
	s.say("embedded %d images on %s in %.1f s (%.0f images/s); %d could not be read",
		result.Images, result.Device, result.Seconds, result.PerSecond, len(result.Skipped))
	if result.Images > 0 {
		s.say("%s", limitOf(result))
	}
	return out, nil
}

// limitOf says which stage was the limit, and what the others would have done.
func limitOf(r embedder.Result) string {
	text := "the limit was " + r.Limit + ":"
	for i, stage := range r.Stages {
		if i > 0 {
			text += ","
		}
		text += fmt.Sprintf(" %s busy %.0f %% of its time (%.0f images/s)", stage.Stage, 100*stage.Share(), stage.PerSecond)
	}
	return text
}

// jpegDecoder names what decodes JPEG files of src; empty where there are no files.
func jpegDecoder(src catalog.Source) string {
	if _, drawn := src.(*catalog.Rendered); drawn {
		return ""
	}
	return catalog.JPEGDecoder()
}

// describe is the record of how images became vectors; spent is that of all calls.
func (e *embedJob) describe(card *models.Card, r embedded, spent embedder.Spent, part *record.EmbeddingShard) record.Embedding {
	text, err := json.Marshal(card)
	if err != nil {
		panic(err) // it was read from JSON
	}
	d := record.Embedding{
		Model: card.Name, ModelDigest: card.SHA256, Source: e.source.Name(), Device: string(r.Device),
		Images: r.Images, Seconds: spent.Seconds, Card: text,
		Decode: spent.DecodeSeconds, Prepare: spent.PrepareSeconds, Infer: spent.InferSeconds, Write: spent.SinkSeconds,
		Workers: r.Workers, Runs: r.Runs, Batch: r.Batch, Limit: r.Limit, JPEG: jpegDecoder(e.source),
		Precision: string(r.Precision), DeviceOptions: r.Options, WarmUp: r.WarmUp, Kept: r.Kept, KeptImages: r.KeptImages,
	}
	for _, t := range r.Tried {
		d.BatchTried = append(d.BatchTried, record.BatchTrial(t))
	}
	for _, refusal := range r.Refusals {
		d.Refusals = append(d.Refusals, fmt.Sprintf("%s: %s", refusal.Device, refusal.Reason))
	}
	if part.Of > 1 {
		d.Shard = part
	}
	if b, ok := e.source.(*catalog.Boards); ok && part.Index == 1 { // of the whole collection: told once
		for _, p := range b.Problems() {
			if p.Items > 0 {
				d.Skipped = append(d.Skipped, record.Failure{ID: p.ID, Reason: string(p.Kind) + ": " + p.Reason})
			}
		}
	}
	for _, f := range r.Skipped {
		d.Skipped = append(d.Skipped, record.Failure(f))
	}
	return d
}
