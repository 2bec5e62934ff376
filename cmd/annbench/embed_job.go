package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"annbench/bench"
	"annbench/bench/dataset"
	"annbench/bench/record"
	"annbench/embedder"
	"annbench/embedder/catalog"
	"annbench/embedder/models"
)

// embedJob is a collection of images to be embedded, and how.
type embedJob struct {
	source     catalog.Source
	model      string // path of a card; empty is the model that ships
	devices    []string
	batch      int
	strict     bool
	thumbnails int
	shard      bench.Shard // zero is all of it
}

// embedded is what embedJob did, in this call and in those before that it went on from.
type embedded struct {
	embedder.Result        // Images and Skipped are those of all calls, times of this one
	Resumed         int    `json:"resumed"` // Images that calls before this one embedded
	Digest          string `json:"digest"`  // of the vectors, with ids and labels
}

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
		case errors.Is(err, dataset.ErrBusy):
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
	if e.model == "" {
		return models.Default()
	}
	return models.Open(e.model)
}

// key names the vectors of the whole collection.
func (e *embedJob) key(ctx context.Context, s *surface, card *models.Card) (string, error) {
	digest, err := e.source.Digest(ctx)
	if err != nil {
		return "", err
	}
	return embedder.CacheKey(card, digest, e.options(s)), nil
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
		return nil, misuse{fmt.Errorf("--shard %v: %s has %s that can be divided, so at most as many shards", e.shard, e.source.Name(), plural(groups, "file"))}
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
	End     int                `json:"end"`  // the place in the collection that follows
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
		all.Call, all.End, call = n.Call, n.End, n.Spent
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
	devices, err := embedder.ParseDevices(e.devices)
	if err != nil {
		return out, misuse{err}
	}
	part, err := e.part()
	if err != nil {
		return out, err
	}
	part.Key = key
	w, replaced, err := dataset.Resume(dir, card.Embedding.Dim, fmt.Sprintf("%s %d/%d", key, part.Index, part.Of))
	if err != nil {
		return out, err
	}
	defer w.Abort()
	before, err := soFar(w.Notes(), part.First)
	if err != nil {
		return out, fmt.Errorf("%s: %w; remove it to begin anew", dataset.PartDir(dir), err)
	}
	if replaced {
		s.say("what %s had of another collection or model is dropped", dataset.PartDir(dir))
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
	session, err := embedder.OpenSession(card, embedder.SessionOptions{Devices: devices, Log: s.log})
	if err != nil {
		return out, err
	}
	defer session.Close()

	o := e.options(s)
	o.First, o.End = before.End, part.End
	progress := o.Progress
	o.Progress = func(p embedder.Progress) {
		p.Done += before.End - part.First
		p.Total = part.End - part.First
		progress(p)
	}
	var items []dataset.Item
	result, err := embedder.Embed(ctx, e.source, session, o, func(b embedder.Batch) error {
		items = items[:0]
		for _, item := range b.Items {
			items = append(items, dataset.Item{ID: item.ID, Label: item.Label})
		}
		if err := w.Append(items, b.Vectors, b.Thumbnails); err != nil {
			return err
		}
		note, err := json.Marshal(batchNote{Call: call, End: b.End, Skipped: b.Skipped, Spent: b.Spent})
		if err != nil {
			return err
		}
		return w.Mark(note)
	})
	s.clear()
	out = embedded{Result: result, Resumed: resumed}
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
		Workers: r.Workers, Runs: r.Runs, Batch: r.Batch, Limit: r.Limit,
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
