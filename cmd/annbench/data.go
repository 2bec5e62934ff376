package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"annbench/bench"
	"annbench/bench/dataset"
	"annbench/bench/dataset/collection"
	"annbench/embedder"
	"annbench/embedder/catalog"
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

// sessionOf is how a sweep has its images embedded.
func sessionOf(s *surface, d *bench.Data) (o embedder.SessionOptions, batch int, err error) {
	f := deviceFlags{Device: d.Device}
	if d.Precision != "" {
		f.Precision = []string{d.Precision}
	}
	if o, err = f.one(s); err != nil {
		return o, 0, err
	}
	for device, options := range d.DeviceOptions {
		set := map[string]string{}
		for name, value := range options {
			set[name] = string(value)
		}
		o.Options[embedder.Device(device)] = set
	}
	if err = o.Check(); err == nil && d.Batch != "" {
		batch, err = embedder.ParseBatch(string(d.Batch))
	}
	if err != nil {
		return o, 0, misuse(err)
	}
	return o, batch, nil
}

// collection opens the vectors that d names; images are embedded first, unless they have been before.
func openCollection(ctx context.Context, s *surface, d *bench.Data) (*collection.Collection, error) {
	d, err := s.storage.data(ctx, d)
	if err != nil {
		return nil, err
	}
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
		return collection.OpenFiles(ctx, collection.Files{
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
	e := embedJob{source: src, model: d.Model, thumbnails: thumbnailPixels}
	if e.session, e.batch, err = sessionOf(s, d); err != nil {
		return nil, err
	}
	dir, err := e.intoCache(ctx, s, filepath.Join(cache, "embeddings"))
	if err != nil {
		return nil, err
	}
	return collection.OpenFolder(dir)
}
