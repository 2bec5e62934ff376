package bench

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"annbench/bench/dataset"
	"annbench/bench/dataset/collection"
	"annbench/bench/record"
	"annbench/internal/atomicfile"
	"annbench/internal/seal"
)

// shown is how many of a query's exact neighbours the gallery has.
const shown = 10

// writeGallery puts the queries of the gallery, the items that any record answered them with, and
// their pictures into the results folder.
func (c *coordinator) writeGallery(ctx context.Context) error {
	if len(c.gallery) == 0 || len(c.warned) == 0 {
		return nil
	}
	records, _, err := record.Read(filepath.Join(c.Out, record.RecordsFile))
	if err != nil {
		return err
	}
	g := record.Gallery{Base: map[int32]record.Item{}, Truth: map[string][][]int32{}}
	var picks []picked
	wanted := map[int32]bool{}
	for i, m := range c.Sweep.Metric {
		truth, err := dataset.FindTruth(ctx, c.set, m, min(shown, c.maxK()), 1, "", nil)
		if err != nil {
			return err
		}
		if i == 0 {
			picks = c.picks(records, truth)
		}
		lists := make([][]int32, len(picks))
		for i, p := range picks {
			lists[i] = slices.Clone(truth.IDs(c.gallery[p.at]))
			for _, id := range lists[i] {
				wanted[id] = true
			}
		}
		g.Truth[string(m)] = lists
		if err := truth.Close(); err != nil {
			return err
		}
	}
	for _, p := range picks {
		g.Why = append(g.Why, p.why)
		g.Answer = append(g.Answer, p.at)
		for i := range records {
			if p.at < len(records[i].Answers) {
				for _, id := range records[i].Answers[p.at] {
					wanted[id] = true
				}
			}
		}
	}

	judge, err := judgeOf(c.set, shown)
	if err != nil {
		return err
	}
	queryItems, err := c.set.QueryItems()
	if err != nil {
		return err
	}
	baseItems, err := c.set.BaseItems()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(c.Out, record.ThumbsDir), 0o755); err != nil {
		return err
	}
	for _, p := range picks {
		q := c.gallery[p.at]
		item, err := c.galleryItem(queryItems[q], int(c.set.QueryRows[q]))
		if err != nil {
			return err
		}
		known(&item, c.set, c.set.QueryAttributes(), q)
		g.Queries = append(g.Queries, item)
		g.Relevant = append(g.Relevant, c.set.Relevant(q))
		if c.set.Relevance.Item != "" {
			g.Same = append(g.Same, judge.Items(q))
		}
	}
	for id := range wanted {
		if id < 0 || int(id) >= len(baseItems) {
			continue
		}
		item, err := c.galleryItem(baseItems[id], int(c.set.BaseRows[id]))
		if err != nil {
			return err
		}
		known(&item, c.set, c.set.BaseAttributes(), int(id))
		g.Base[id] = item
	}
	return seal.WriteJSON(filepath.Join(c.Out, record.GalleryFile), g)
}

// picks chooses the queries to show, by the exact neighbours under the sweep's first metric and the
// answers to as many as its largest k, one in flight.
func (c *coordinator) picks(records []record.Record, truth *dataset.Truth) []picked {
	p := &pool{}
	inTruths := make([]int, c.set.Base.Rows) // queries that have the row among their neighbours
	for q := range c.set.Queries.Rows {
		for _, id := range truth.IDs(q) {
			inTruths[id]++
		}
	}
	for _, q := range c.gallery {
		ids := truth.IDs(q)
		p.truth = append(p.truth, ids)
		p.total = append(p.total, c.set.Relevant(q))
		var relevant []bool
		hub := 0
		for _, id := range ids {
			hub = max(hub, inTruths[id])
			if label := c.set.QueryLabels[q]; label >= 0 {
				relevant = append(relevant, c.set.BaseLabels[id] == label)
			}
		}
		p.relevant, p.hub = append(p.relevant, relevant), append(p.hub, hub)
	}
	largest := slices.Max(c.Sweep.K)
	for i := range records {
		r := &records[i]
		cell := r.Cell
		if len(r.Answers) >= len(c.gallery) && cell.K == largest && cell.Metric == string(c.Sweep.Metric[0]) && cell.Mode == record.Latency {
			p.cells = append(p.cells, poolCell{cell.Family, r.Exact, r.Answers})
		}
	}
	return p.pick(c.Sweep.Gallery)
}

// galleryItem describes a row of the collection, and writes its picture if there is one.
func (c *coordinator) galleryItem(item collection.Item, row int) (record.Item, error) {
	out := record.Item{ID: item.ID, Label: item.Label}
	if c.Collection == nil {
		return out, nil
	}
	jpeg, ok, err := c.Collection.Thumb(row)
	if err != nil || !ok {
		return out, err
	}
	out.Thumb = filepath.ToSlash(filepath.Join(record.ThumbsDir, fmt.Sprintf("%d.jpg", row)))
	path := filepath.Join(c.Out, filepath.FromSlash(out.Thumb))
	if old, err := os.ReadFile(path); err == nil && string(old) == string(jpeg) {
		return out, nil
	}
	return out, atomicfile.Write(path, jpeg)
}
