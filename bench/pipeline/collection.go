package pipeline

import (
	"context"
	"path/filepath"
	"time"

	"annbench/bench/dataset"
	"annbench/bench/dataset/collection"
	"annbench/bench/sweepfile"
	"annbench/embedder"
	"annbench/embedder/catalog"
	"annbench/internal/eta"
	"annbench/internal/usage"
)

// ThumbnailPixels is the longest side of the pictures kept for galleries: readable on a page, about
// 2 kB each.
const ThumbnailPixels = 96

// sessionOf is how a sweep has its images embedded.
func sessionOf(d *sweepfile.Data) (o embedder.SessionOptions, batch int, err error) {
	o.Devices, err = embedder.ParseDevices(d.Device)
	if err == nil {
		o.Options, err = embedder.ParseDeviceOptions(nil)
	}
	o.Precision = embedder.FP32
	if err == nil && d.Precision != "" {
		o.Precision, err = embedder.ParsePrecision(d.Precision)
	}
	for device, options := range d.DeviceOptions {
		set := map[string]string{}
		for name, value := range options {
			set[name] = string(value)
		}
		o.Options[embedder.Device(device)] = set
	}
	if err == nil {
		err = o.Check()
	}
	if err == nil && d.Batch != "" {
		batch, err = embedder.ParseBatch(string(d.Batch))
	}
	if err != nil {
		return o, 0, usage.Error{Err: err}
	}
	return o, batch, nil
}

// Collection opens the vectors that d names; images are embedded first, unless they have been before.
// The caller closes it.
func (p *Pipeline) Collection(ctx context.Context, d *sweepfile.Data) (*collection.Collection, error) {
	var err error
	if p.Local != nil {
		if d, err = p.Local(ctx, d); err != nil {
			return nil, err
		}
	}
	cache, err := p.cache("vectors")
	if err != nil {
		return nil, err
	}
	defer p.clear()
	switch {
	case d.Vectors != "":
		c, err := collection.OpenFiles(ctx, collection.Files{
			Vectors: d.Vectors, Labels: d.Labels, Queries: d.Queries, Neighbors: d.Neighbors, Columns: d.Columns,
		}, cache, p.counting("reading "+filepath.Base(d.Vectors)))
		if err != nil {
			return nil, err
		}
		for _, note := range c.Meta.Notes {
			p.say("%s", note)
		}
		return c, nil
	case d.Synthetic != nil:
		return dataset.OpenSynthetic(ctx, d.Synthetic.Of(d.Synthetic.N[0]), cache, p.counting("drawing vectors"))
	}
	c, err := p.embedConfig(d)
	if err != nil {
		return nil, err
	}
	if b, ok := c.Source.(catalog.Troubled); ok {
		for _, line := range catalog.DescribeProblems(b.Problems()) {
			p.say("%s", line)
		}
	}
	dir, err := p.EmbedCached(ctx, c)
	if err != nil {
		return nil, err
	}
	return collection.OpenFolder(dir)
}

func openImages(d *sweepfile.Data) (src catalog.Source, err error) {
	switch {
	case d.Rendered != nil:
		return catalog.RenderedBoards(catalog.Config{Boards: d.Rendered.Boards, Seed: d.Rendered.Seed})
	case d.Boards != nil:
		src, err = catalog.OpenBoards(d.Boards.TSV, d.Boards.Images)
	default:
		src, err = catalog.Open(d.Images)
	}
	if err != nil {
		return nil, usage.Error{Err: err}
	}
	return src, nil
}

// counting is a progress function for what begins now.
func (p *Pipeline) counting(what string) func(done, total int) {
	began := time.Now()
	return func(done, total int) { p.progress(what, done, total, eta.Left(done, total, time.Since(began))) }
}
