package pipeline

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"annbench/bench/dataset"
	"annbench/bench/dataset/collection"
	"annbench/bench/record"
	"annbench/bench/sweepfile"
	"annbench/embedder"
	"annbench/embedder/catalog"
	"annbench/internal/eta"
	"annbench/internal/usage"
	"annbench/internal/words"
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

// Collection opens the vectors that d names; images are embedded first, unless they have been before. Queries that are a
// collection of their own, such as scenes to be searched for among products, are joined to it as given queries. The
// caller closes it. Its notes are what its readers guessed or left out, and doubts about its categories.
func (p *Pipeline) Collection(ctx context.Context, d *sweepfile.Data) (*collection.Collection, error) {
	c, err := p.collection(ctx, d)
	if err != nil {
		return nil, err
	}
	for _, group := range words.Spellings(labelsOf(c)) {
		if note := catalog.AlikeLabels(group); !slices.Contains(c.Meta.Notes, note) {
			p.say("note: %s", words.Visible(note))
			c.Meta.Notes = append(c.Meta.Notes, note)
		}
	}
	return c, nil
}

// labelsOf are the categories of a collection, each once, sorted.
func labelsOf(c *collection.Collection) []string {
	seen := map[string]bool{}
	for _, item := range c.Items {
		if item.Label != "" {
			seen[item.Label] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

func (p *Pipeline) collection(ctx context.Context, d *sweepfile.Data) (*collection.Collection, error) {
	var err error
	if p.Local != nil {
		if d, err = p.Local(ctx, d); err != nil {
			return nil, err
		}
	}
	base, asked := apart(d)
	all, err := p.one(ctx, base, false)
	if err != nil || asked == nil {
		return all, err
	}
	defer all.Close()
	queries, err := p.one(ctx, asked, true)
	if err != nil {
		return nil, err
	}
	defer queries.Close()
	if err := sameModel(all, queries); err != nil {
		return nil, usage.Error{Err: err}
	}
	cache, err := p.cache("joined")
	if err != nil {
		return nil, err
	}
	defer p.clear()
	return collection.Join(ctx, all, queries, d.Neighbors, cache, p.counting("joining queries"))
}

// apart gives the data that is searched and, where that is a collection of its own, the data that is searched for; nil
// where it is not.
func apart(d *sweepfile.Data) (base, queries *sweepfile.Data) {
	one := *d
	one.Queries, one.QueryLabels, one.Neighbors = "", "", ""
	other := one
	other.Boards, other.Images, other.Vectors, other.Labels = nil, "", "", ""
	switch {
	case d.Rendered != nil && d.Rendered.Garments > 0:
		return &one, &other // its scenes
	case d.Queries == "":
		return d, nil
	case d.Images != "" || d.Boards != nil:
		other.Images = d.Queries
		return &one, &other
	case d.QueryLabels != "" || isFolder(d.Queries) || isFolder(d.Vectors) && collection.Complete(d.Vectors):
		other.Vectors, other.Labels = d.Queries, d.QueryLabels
		return &one, &other
	}
	return d, nil
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// sameModel is an error if two collections were embedded by different models.
func sameModel(base, queries *collection.Collection) error {
	var a, b record.Embedding
	if base.Meta.Embedding == nil || queries.Meta.Embedding == nil ||
		json.Unmarshal(base.Meta.Embedding, &a) != nil || json.Unmarshal(queries.Meta.Embedding, &b) != nil || a.ModelDigest == b.ModelDigest {
		return nil
	}
	return fmt.Errorf("%s was embedded by %s (%.12s), %s by %s (%.12s): vectors of two models do not compare; embed both with one",
		base.Name, a.Model, a.ModelDigest, queries.Name, b.Model, b.ModelDigest)
}

// one opens one collection; of drawn garments, the products, or the scenes.
func (p *Pipeline) one(ctx context.Context, d *sweepfile.Data, scenes bool) (*collection.Collection, error) {
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
	c, err := p.embedConfig(d, scenes)
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
	out, err := collection.OpenFolder(dir)
	if err != nil {
		return nil, err
	}
	notes := doubts(c.Source, labelsOf(out))
	for _, note := range out.Meta.Notes { // an older folder has none
		if !slices.Contains(notes, note) {
			notes = append(notes, note)
		}
	}
	for _, note := range notes {
		p.say("note: %s", words.Visible(note))
	}
	out.Meta.Notes = notes
	return out, nil
}

// doubts are what is to be known of a collection of images of which the categories embedded have a vector, a line each.
func doubts(src catalog.Source, embedded []string) (notes []string) {
	if b, ok := src.(catalog.Troubled); ok {
		notes = catalog.Doubts(b.Problems())
	}
	if note := lost(src.Labels(), embedded); note != "" {
		notes = append(notes, note)
	}
	return notes
}

// lost names the categories that are not among those that were embedded.
func lost(all, embedded []string) string {
	gone := slices.DeleteFunc(slices.Clone(all), func(l string) bool { return slices.Contains(embedded, l) })
	if len(gone) == 0 {
		return ""
	}
	const most = 20
	more, n := "", len(gone)
	if n > most {
		more, gone = fmt.Sprintf(" and %d more", n-most), gone[:most]
	}
	return fmt.Sprintf("%s missing, as none of the pictures could be read: %s%s", words.Count(n, "category"), words.QuoteAll(gone), more)
}

// openImages opens the images of d; of drawn garments, the products, or the scenes.
func openImages(d *sweepfile.Data, scenes bool) (src catalog.Source, err error) {
	switch {
	case d.Rendered != nil:
		return drawn(d.Rendered, scenes)
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

// drawn are the boards of r, or its garments as products or in scenes.
func drawn(r *sweepfile.Rendered, scenes bool) (*catalog.Rendered, error) {
	c := catalog.Config{Boards: r.Boards, Seed: r.Seed}
	if r.Garments > 0 {
		c.Boards, c.Garments, c.Shots, c.Scenes = 0, r.Garments, r.Shots, scenes
		if scenes {
			c.Garments, c.Shots, c.Hard = r.Scenes, 1, *r.Hard
		}
	}
	return catalog.RenderedBoards(c)
}

// counting is a progress function for what begins now.
func (p *Pipeline) counting(what string) func(done, total int) {
	began := time.Now()
	return func(done, total int) { p.progress(what, done, total, eta.Left(done, total, time.Since(began))) }
}
