package pipeline

import (
	"context"
	"os"
	"path/filepath"

	"annbench/bench"
	"annbench/bench/dataset"
	"annbench/bench/sweepfile"
	"annbench/embedder"
	"annbench/indexes/vec"
)

// drawnLID is the intrinsic dimension of vectors that stand in for embeddings: about that of photographs of garments.
const drawnLID = 12

// Foresee is [Pipeline.Open] for a plan alone. Images that have not been embedded need not be for that: how many there
// are, the folder says, and of how many dimensions their vectors will be, the model's card. drawn is true then: the set
// has no digest, its queries and the first [bench.CalibrationRows] vectors of its base are drawn, and the others
// missing although Base.Rows counts them; images that cannot be read are counted, too.
func (p *Pipeline) Foresee(ctx context.Context, sweep *sweepfile.Sweep) (d *Data, drawn bool, err error) {
	if sweep.Data.Vectors != "" || sweep.Data.Synthetic != nil {
		d, err = p.Open(ctx, sweep)
		return d, false, err
	}
	if err := p.checkWhere(ctx, sweep); err != nil {
		return nil, false, err
	}
	data := &sweep.Data
	if p.Local != nil {
		if data, err = p.Local(ctx, data); err != nil {
			return nil, false, err
		}
	}
	one, asked := apart(data)
	c, err := p.embedConfig(one, false)
	if err != nil {
		return nil, false, err
	}
	_, key, err := p.embedJob(ctx, c)
	if err != nil {
		return nil, false, err
	}
	cache, err := p.cache("embeddings")
	if err != nil {
		return nil, false, err
	}
	if _, err := os.Stat(filepath.Join(embeddedAt(cache, key), "meta.json")); err == nil {
		d, err = p.Open(ctx, sweep)
		return d, false, err
	}
	rows, dim := c.Source.Len(), c.Card.Embedding.Dim
	queries := sweep.Queries
	base := rows
	if asked != nil { // a collection of their own
		src, err := openImages(asked, true)
		if err != nil {
			return nil, false, err
		}
		if queries == 0 || queries > src.Len() {
			queries = src.Len()
		}
	} else {
		if queries == 0 {
			queries = dataset.DefaultQueries(rows)
		}
		if err := dataset.CheckQueries(c.Source.Name(), rows, queries); err != nil {
			return nil, false, err
		}
		if !data.LeaveOneOut {
			base = rows - queries
		}
	}
	vectors, err := p.cache("vectors")
	if err != nil {
		return nil, false, err
	}
	held := min(base, bench.CalibrationRows)
	all, err := dataset.OpenSynthetic(ctx, dataset.Synthetic{N: held + queries, Dim: dim, LID: min(drawnLID, float64(dim)), Clusters: 10, Seed: sweep.Seed}, vectors, p.counting("drawing vectors"))
	p.clear()
	if err != nil {
		return nil, false, err
	}
	some := all.Vectors.Slice(0, held)
	return &Data{Set: &dataset.Set{
		Base: vec.Matrix{Data: some.Data, Rows: base, Dim: dim}, Queries: all.Vectors.Slice(held, held+queries), LeaveOneOut: data.LeaveOneOut,
	}, Collection: all}, true, nil
}

// embedConfig is how the images of d are embedded; see openImages.
func (p *Pipeline) embedConfig(d *sweepfile.Data, scenes bool) (c EmbedConfig, err error) {
	c.Thumbnails = ThumbnailPixels
	if c.Source, err = openImages(d, scenes); err != nil {
		return c, err
	}
	if c.Session, c.Batch, err = sessionOf(d); err != nil {
		return c, err
	}
	c.Card, err = embedder.OpenCard(d.Model, 0)
	return c, err
}

// embeddedAt is the folder of the embeddings of that key.
func embeddedAt(cache, key string) string { return filepath.Join(cache, key[:24]) }
