package bench

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"annbench/bench/dataset"
	"annbench/bench/record"
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
	wanted := map[int32]bool{}
	for i := range records {
		for _, ids := range records[i].Answers {
			for _, id := range ids {
				wanted[id] = true
			}
		}
	}
	for _, m := range c.Sweep.Metric {
		truth, err := dataset.FindTruth(ctx, c.set, m, min(shown, c.maxK()), 1, "", nil)
		if err != nil {
			return err
		}
		lists := make([][]int32, len(c.gallery))
		for i, q := range c.gallery {
			lists[i] = slices.Clone(truth.IDs(q))
			for _, id := range lists[i] {
				wanted[id] = true
			}
		}
		g.Truth[string(m)] = lists
		if err := truth.Close(); err != nil {
			return err
		}
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
	for _, q := range c.gallery {
		item, err := c.galleryItem(queryItems[q], int(c.set.QueryRows[q]))
		if err != nil {
			return err
		}
		g.Queries = append(g.Queries, item)
		g.Relevant = append(g.Relevant, c.set.Relevant(q))
	}
	for id := range wanted {
		if id < 0 || int(id) >= len(baseItems) {
			continue
		}
		if g.Base[id], err = c.galleryItem(baseItems[id], int(c.set.BaseRows[id])); err != nil {
			return err
		}
	}
	return record.WriteJSON(filepath.Join(c.Out, record.GalleryFile), g)
}

// galleryItem describes a row of the collection, and writes its picture if there is one.
func (c *coordinator) galleryItem(item dataset.Item, row int) (record.Item, error) {
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
	return out, record.WriteFile(path, jpeg)
}
