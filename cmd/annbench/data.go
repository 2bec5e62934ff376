package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
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

// thumbnailPixels is the longest side of the pictures kept for galleries: readable on a page, about
// 2 kB each.
const thumbnailPixels = 96

// cacheDir is where embeddings and data sets are kept between runs: $ANNBENCH_CACHE, or the user's
// cache folder.
func cacheDir() (string, error) {
	if dir := os.Getenv("ANNBENCH_CACHE"); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no folder to keep embeddings in: %w; set ANNBENCH_CACHE", err)
	}
	return filepath.Join(dir, "annbench"), nil
}

// collection opens the vectors that d names; images are embedded first, unless they have been before.
func collection(ctx context.Context, s *surface, d *bench.Data) (*dataset.Collection, error) {
	cache, err := cacheDir()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	reading := func(what string) func(done, total int) {
		return func(done, total int) {
			s.progress(what, done, total, secondsLeft(done, total, time.Since(began)))
		}
	}
	switch {
	case d.Vectors != "":
		defer s.clear()
		return dataset.OpenSource(ctx, dataset.Source{
			Vectors: d.Vectors, Labels: d.Labels, Queries: d.Queries, Neighbors: d.Neighbors, Columns: d.Columns,
		}, filepath.Join(cache, "vectors"), reading("reading "+filepath.Base(d.Vectors)))
	case d.Synthetic != nil:
		defer s.clear()
		return dataset.OpenSynthetic(ctx, d.Synthetic.Of(d.Synthetic.N[0]), filepath.Join(cache, "vectors"), reading("drawing vectors"))
	}
	var src catalog.Source
	switch {
	case d.Rendered != nil:
		src, err = catalog.RenderedBoards(catalog.Config{Boards: d.Rendered.Boards, Seed: d.Rendered.Seed})
	case d.Boards != nil:
		i := images{TSV: d.Boards.TSV, Images: d.Boards.Images}
		src, err = i.open(s, false)
	default:
		i := images{Folder: d.Images}
		src, err = i.open(s, false)
	}
	if err != nil {
		return nil, err
	}
	e := embedJob{source: src, model: d.Model, devices: d.Device, thumbnails: thumbnailPixels}
	dir, err := e.intoCache(ctx, s, filepath.Join(cache, "embeddings"))
	if err != nil {
		return nil, err
	}
	return dataset.OpenCollection(dir)
}

// embedJob is a collection of images to be embedded, and how.
type embedJob struct {
	source     catalog.Source
	model      string // path of a card; empty is the model that ships
	devices    []string
	batch      int
	strict     bool
	thumbnails int
}

// intoCache embeds into a folder below cache that is named by what decides the vectors, or finds
// that folder there already.
func (e *embedJob) intoCache(ctx context.Context, s *surface, cache string) (dir string, err error) {
	card, err := e.card()
	if err != nil {
		return "", err
	}
	digest, err := e.source.Digest(ctx)
	if err != nil {
		return "", err
	}
	dir = filepath.Join(cache, embedder.CacheKey(card, digest, e.options(s))[:24])
	if _, err := os.Stat(filepath.Join(dir, "meta.json")); err == nil {
		s.say("embeddings of %s are there already", e.source.Name())
		return dir, nil
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	_, err = e.into(ctx, s, card, dir)
	return dir, err
}

func (e *embedJob) card() (*models.Card, error) {
	if e.model == "" {
		return models.Default()
	}
	return models.Open(e.model)
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

// into embeds into the folder dir, which must not be there yet.
func (e *embedJob) into(ctx context.Context, s *surface, card *models.Card, dir string) (embedder.Result, error) {
	devices, err := embedder.ParseDevices(e.devices)
	if err != nil {
		return embedder.Result{}, misuse{err}
	}
	session, err := embedder.OpenSession(card, embedder.SessionOptions{Devices: devices, Log: s.log})
	if err != nil {
		return embedder.Result{}, err
	}
	defer session.Close()
	w, err := dataset.Create(dir, card.Embedding.Dim)
	if err != nil {
		return embedder.Result{}, err
	}
	defer w.Abort()
	var items []dataset.Item
	result, err := embedder.Embed(ctx, e.source, session, e.options(s), func(b embedder.Batch) error {
		items = items[:0]
		for _, item := range b.Items {
			items = append(items, dataset.Item{ID: item.ID, Label: item.Label})
		}
		return w.Append(items, b.Vectors, b.Thumbnails)
	})
	s.clear()
	if err != nil {
		return result, err
	}
	how, err := describeEmbedding(card, e.source, result)
	if err != nil {
		return result, err
	}
	if _, err := w.Commit(how); err != nil && !errors.Is(err, fs.ErrExist) {
		return result, err
	}
	s.say("embedded %d images on %s in %.1f s (%.0f images/s); %d could not be read",
		result.Images, result.Device, result.Seconds, result.PerSecond, len(result.Skipped))
	return result, nil
}

// describeEmbedding is the record of how images became vectors.
func describeEmbedding(card *models.Card, src catalog.Source, r embedder.Result) (json.RawMessage, error) {
	text, err := json.Marshal(card)
	if err != nil {
		return nil, err
	}
	e := record.Embedding{
		Model: card.Name, ModelDigest: card.SHA256, Source: src.Name(), Device: string(r.Device),
		Images: r.Images, Seconds: r.Seconds, Card: text,
		Decode: r.DecodeSeconds, Prepare: r.PrepareSeconds, Infer: r.InferSeconds, Workers: r.Workers,
	}
	for _, refusal := range r.Refusals {
		e.Refusals = append(e.Refusals, fmt.Sprintf("%s: %s", refusal.Device, refusal.Reason))
	}
	if b, ok := src.(*catalog.Boards); ok {
		for _, p := range b.Problems() {
			if p.Items > 0 {
				e.Skipped = append(e.Skipped, record.Failure{ID: p.ID, Reason: string(p.Kind) + ": " + p.Reason})
			}
		}
	}
	for _, f := range r.Skipped {
		e.Skipped = append(e.Skipped, record.Failure(f))
	}
	return json.Marshal(e)
}
