package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"annbench/bench"
	"annbench/bench/dataset/collection"
	"annbench/bench/record"
	"annbench/embedder"
	"annbench/embedder/catalog"
	"annbench/embedder/models"
	"annbench/internal/eta"
	"annbench/internal/usage"
	"annbench/internal/words"
)

// EmbedConfig says which images are embedded, and how. Source alone is needed.
type EmbedConfig struct {
	// Source is the collection of images.
	Source catalog.Source
	// Card is that of the model; see [embedder.OpenCard]. Nil: the model that ships.
	Card *models.Card
	// Session is where the model runs, and how. Zero: as [embedder.OpenSession] has it.
	Session embedder.SessionOptions
	// Batch is the number of images in one run of the model, or [embedder.AutoBatch]. 0: 32.
	Batch int
	// Strict ends with an error at the first image that cannot be read. False: it is named and left out.
	Strict bool
	// Thumbnails is the longest side, in pixels, of the pictures kept for galleries. 0: none are kept.
	Thumbnails int
	// Shard is the part of the collection that is embedded. Zero: all of it.
	Shard bench.Shard
}

// Embedded is what [Pipeline.Embed] did, in this call and in earlier ones that it resumed.
type Embedded struct {
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
	TrainedOn  int      `json:"trained_on,omitempty"` // of the images, by the model
	Notes      []string `json:"notes,omitempty"`      // doubts about the categories, a line each
}

// comparedImages are embedded in fp32 on the CPU too where another precision was asked for: enough that a
// neighbour in 2,560 shows.
const comparedImages = 256

// Embed turns images into a folder of vectors at dir, which must not be there yet, or resumes what an
// earlier call with the same config left there; where that call ended, it says so. Every batch that is embedded is kept, however the call ends.
// It is [collection.ErrBusy] where another process embeds into dir.
func (p *Pipeline) Embed(ctx context.Context, c EmbedConfig, dir string) (Embedded, error) {
	e, key, err := p.embedJob(ctx, c)
	if err != nil {
		return Embedded{}, err
	}
	out, ok := e.finished(ctx, key, dir)
	if ok {
		e.say("embeddings of %s are there already", e.Source.Name())
	} else if err = e.changed(dir); err == nil {
		out, err = e.into(ctx, key, dir)
	}
	for _, note := range out.Notes {
		e.say("note: %s", words.Visible(note))
	}
	return out, err
}

// finished is what stands at dir, where an earlier call of the same key has made all of it.
func (e *embedJob) finished(ctx context.Context, key, dir string) (out Embedded, ok bool) {
	c, err := collection.OpenFolder(dir)
	if err != nil {
		return out, false // whatever is there, into says what is wrong with it
	}
	defer c.Close()
	var d record.Embedding
	if c.Meta.Embedding == nil || json.Unmarshal(c.Meta.Embedding, &d) != nil || d.Key != key {
		return out, false
	}
	index, of := max(1, e.Shard.Index), max(1, e.Shard.Of)
	if d.Shard == nil && of > 1 || d.Shard != nil && (d.Shard.Index != index || d.Shard.Of != of) {
		return out, false
	}
	if out.Digest, err = c.Digest(ctx); err != nil {
		return out, false
	}
	out.Images, out.Resumed, out.Device, out.Precision = d.Images, d.Images, embedder.Device(d.Device), embedder.Precision(d.Precision)
	out.Options, out.Kept, out.KeptImages, out.TrainedOn = d.DeviceOptions, d.Kept, d.KeptImages, d.TrainedOn
	out.Notes = c.Meta.Notes
	for _, f := range d.Skipped {
		out.Skipped = append(out.Skipped, embedder.Failure(f))
	}
	return out, true
}

// picturesChanged is how collections of two digests differ.
const picturesChanged = "its pictures, their names or their categories have changed since"

// changed is an error where dir has vectors of the same model from other pictures of the same collection.
func (e *embedJob) changed(dir string) error {
	c, err := collection.OpenFolder(dir)
	if err != nil {
		return nil // whatever is there, into says what is wrong with it
	}
	defer c.Close()
	var d record.Embedding
	if c.Meta.Embedding == nil || json.Unmarshal(c.Meta.Embedding, &d) != nil || d.Pictures == "" ||
		d.Pictures == e.pictures || d.Source != e.Source.Name() || d.ModelDigest != e.Card.SHA256 {
		return nil
	}
	return fmt.Errorf("%s holds the vectors of %s as it was, and %s: move it away, or choose another name", dir, d.Source, picturesChanged)
}

// embedJob is one collection to embed.
type embedJob struct {
	EmbedConfig
	*Pipeline
	pictures string // digest of the source
}

func (p *Pipeline) embedJob(ctx context.Context, c EmbedConfig) (e *embedJob, key string, err error) {
	if c.Card == nil {
		if c.Card, err = models.Default(); err != nil {
			return nil, "", err
		}
	}
	c.Session.Log = p.logger()
	e = &embedJob{EmbedConfig: c, Pipeline: p}
	if e.pictures, err = e.Source.Digest(ctx); err != nil {
		return nil, "", err
	}
	return e, e.key(), nil
}

// EmbedCached embeds into a folder in the cache that is named by everything that decides the vectors, or
// finds that folder there. Where another process is at it, it waits.
func (p *Pipeline) EmbedCached(ctx context.Context, c EmbedConfig) (dir string, err error) {
	cache, err := p.cache("embeddings")
	if err != nil {
		return "", err
	}
	e, key, err := p.embedJob(ctx, c)
	if err != nil {
		return "", err
	}
	dir = embeddedAt(cache, key)
	for waited := false; ; waited = true {
		if _, err := os.Stat(filepath.Join(dir, "meta.json")); err == nil {
			e.say("embeddings of %s are there already", e.Source.Name())
			return dir, nil
		}
		if p.refuse != nil {
			if err := p.refuse(e.pictures); err != nil {
				return "", err
			}
		}
		_, err = e.into(ctx, key, dir)
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
			e.say("another annbench is embedding %s: waiting for it", e.Source.Name())
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(time.Second / 2):
		}
	}
}

// key names the vectors of the whole collection.
func (e *embedJob) key() string {
	key := embedder.CacheKey(e.Card, e.pictures, e.options())
	if p := e.Session.Precision; p != "" && p != embedder.FP32 { // its vectors differ by more than rounding
		hash := sha256.Sum256([]byte(key + " " + string(p)))
		key = hex.EncodeToString(hash[:])
	}
	return key
}

func (e *embedJob) options() embedder.Options {
	return embedder.Options{
		Batch: e.Batch, Strict: e.Strict, Thumbnails: e.Thumbnails, Log: e.logger(),
		Progress: func(p embedder.Progress) {
			e.progress(fmt.Sprintf("embedding, %.0f images/s", p.PerSecond), p.Done, p.Total, eta.Left(p.Done, p.Total, p.Elapsed))
		},
	}
}

// part is which places of the collection the shard has. Groups, such as boards, stay whole.
func (e *embedJob) part() (*record.EmbeddingShard, error) {
	total, groups := e.Source.Len(), e.Source.Groups()
	p := &record.EmbeddingShard{Index: 1, Of: 1, End: total, Total: total}
	if e.Shard.Of == 0 {
		return p, nil
	}
	p.Index, p.Of = e.Shard.Index, e.Shard.Of
	if p.Of > groups {
		return nil, usage.Error{Err: fmt.Errorf("--shard %v: %s has %s that can be divided, so at most as many shards", e.Shard, e.Source.Name(), words.Count(groups, "file"))}
	}
	from, to := (p.Index-1)*groups/p.Of, p.Index*groups/p.Of
	place := 0
	for g := range to {
		if g == from {
			p.First = place
		}
		place += len(e.Source.Items(g))
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
func (e *embedJob) into(ctx context.Context, key, dir string) (out Embedded, err error) {
	part, err := e.part()
	if err != nil {
		return out, err
	}
	part.Key = key
	w, replaced, err := collection.Resume(dir, e.Card.Embedding.Dim, fmt.Sprintf("%s %d/%d", key, part.Index, part.Of))
	if err != nil {
		return out, err
	}
	defer w.Abort()
	before, err := soFar(w.Notes(), part.First)
	if err != nil {
		return out, fmt.Errorf("%s: %w; remove it to begin anew", collection.PartDir(dir), err)
	}
	if replaced {
		e.say("what %s had of another collection or model is dropped", collection.PartDir(dir))
	}
	resumed, call := w.Rows(), 0
	if len(w.Notes()) > 0 {
		e.say("going on after %d of %d images", before.End-part.First, part.End-part.First)
		call = before.Call + 1
	}
	if e.Strict && len(before.Skipped) > 0 {
		f := before.Skipped[0]
		return out, fmt.Errorf("embedding %s: picture %s: %s", e.Source.Name(), f.ID, f.Reason)
	}
	session, err := embedder.OpenSession(e.Card, e.Session)
	if err != nil {
		return out, err
	}
	defer session.Close()

	o := e.options()
	out.Precision, out.Options = session.Precision(), session.Options()
	if o.Batch == embedder.AutoBatch {
		// A call that goes on takes the batch that the first one found.
		if o.Batch = before.Batch; o.Batch == 0 {
			if o.Batch, out.Tried, err = session.FindBatch(ctx); err != nil {
				return out, err
			}
			e.say("batch %d: %s", o.Batch, embedder.DescribeTrials(out.Tried))
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
	result, err := embedder.Embed(ctx, e.Source, session, o, func(b embedder.Batch) error {
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
	e.clear()
	out.Result, out.Resumed = result, resumed
	if err != nil {
		if w.Rows() > 0 && ctx.Err() == nil && !e.Strict {
			e.say("%d images are embedded; the same command goes on after them", w.Rows())
		}
		return out, err
	}
	all, err := soFar(w.Notes(), part.First)
	if err != nil {
		return out, err
	}
	out.Images, out.Skipped = w.Rows(), all.Skipped
	if w.Rows() == 0 {
		f, of, way := all.Skipped[0], e.Source.Name(), ""
		if part.Of > 1 {
			of, way = fmt.Sprintf("shard %d/%d of %s", part.Index, part.Of, of), "; move them away, or embed in fewer shards"
		}
		return out, fmt.Errorf("embedding %s: none of its %d pictures can be embedded; the first is %s: %s%s", of, len(all.Skipped), f.ID, f.Reason, way)
	}
	if out.Precision != embedder.FP32 {
		kept, n, err := embedder.KeptOf(ctx, e.Source, session, e.Session, o, comparedImages)
		switch {
		case ctx.Err() != nil:
			return out, err
		case err != nil:
			e.say("what %s does to neighbours is not known: %v", out.Precision, err)
		default:
			out.Kept, out.KeptImages = &kept, n
			e.say("%s on %s: recall@10 of the neighbours, against fp32 on the CPU, is %.4f among %d images", out.Precision, result.Device, kept, n)
		}
	}
	if out.TrainedOn, err = embedder.TrainedOn(ctx, e.Card, e.Source, part.First, part.End); err != nil {
		return out, err
	}
	out.Notes = e.doubts(all.Skipped, part)
	w.Note(out.Notes...)
	described := e.describe(out, all.Spent, part)
	how, err := json.Marshal(described)
	if err != nil {
		return out, err
	}
	meta, err := w.Commit(how)
	if err != nil {
		return out, err
	}
	out.Digest = meta.Digest
	e.say("embedded %d images on %s in %.1f s (%.0f images/s); %d could not be read",
		result.Images, result.Device, result.Seconds, result.PerSecond, len(result.Skipped))
	if result.Images > 0 {
		e.say("%s", limitOf(result))
	}
	if note := described.Flattering(); note != "" {
		e.say("%s", note)
	}
	return out, nil
}

// doubts are those about the whole collection, which of its shards the first has; what the shards lost together, their
// merge says.
func (e *embedJob) doubts(skipped []embedder.Failure, part *record.EmbeddingShard) []string {
	switch {
	case part.Index > 1:
		return nil
	case part.Of > 1:
		return doubts(e.Source, e.Source.Labels())
	}
	left := map[string]int{}
	for g := range e.Source.Groups() {
		for _, item := range e.Source.Items(g) {
			left[item.Label]++
		}
	}
	for _, f := range skipped {
		left[f.Label]--
	}
	maps.DeleteFunc(left, func(_ string, n int) bool { return n <= 0 })
	return doubts(e.Source, slices.Collect(maps.Keys(left)))
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

// describe is the record of how images became vectors; spent is that of all calls.
func (e *embedJob) describe(r Embedded, spent embedder.Spent, part *record.EmbeddingShard) record.Embedding {
	text, err := json.Marshal(e.Card)
	if err != nil {
		panic(err) // it was read from JSON
	}
	d := record.Embedding{
		Model: e.Card.Name, ModelDigest: e.Card.SHA256, Source: e.Source.Name(), Device: string(r.Device),
		Key: part.Key, Pictures: e.pictures, Images: r.Images, TrainedOn: r.TrainedOn, Seconds: spent.Seconds, Card: text,
		Decode: spent.DecodeSeconds, Prepare: spent.PrepareSeconds, Infer: spent.InferSeconds, Write: spent.SinkSeconds,
		Workers: r.Workers, Runs: r.Runs, Batch: r.Batch, Limit: r.Limit, JPEG: catalog.DecoderOf(e.Source),
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
	if b, ok := e.Source.(catalog.Troubled); ok && part.Index == 1 { // of the whole collection: told once
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
