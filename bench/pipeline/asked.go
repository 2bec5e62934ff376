package pipeline

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"annbench/bench"
	"annbench/bench/dataset"
	"annbench/bench/dataset/attributes"
	"annbench/bench/dataset/collection"
	"annbench/bench/sweepfile"
	"annbench/embedder/catalog"
)

// checkWhere reports, before images are embedded, an expression that their attributes cannot have: a name, a value or a kind.
// What cannot be told without the embedding is left to [bench.CheckAsked], which looks at the data set.
func (p *Pipeline) checkWhere(ctx context.Context, sweep *sweepfile.Sweep) error {
	d := &sweep.Data
	if d.Vectors != "" || d.Synthetic != nil || !slices.ContainsFunc(sweep.Filters, func(f sweepfile.FilterSweep) bool { return f.Where != "" }) {
		return nil
	}
	if p.Local != nil {
		var err error
		if d, err = p.Local(ctx, d); err != nil {
			return err
		}
	}
	c, err := foreseen(d)
	if err != nil {
		return err
	}
	quiet := &Pipeline{} // what is guessed is said once, after the embedding
	if _, err := quiet.relevance(d, c); err != nil {
		return nil // of fewer images, those that can be read, it may be right
	}
	rows := len(c.Items) - c.Meta.Queries
	table, err := withCategory(c)
	if err != nil {
		return nil
	}
	if table != nil {
		base := make([]int32, rows)
		for i := range base {
			base[i] = int32(i)
		}
		table = table.Select(base)
	}
	return bench.CheckWhere(sweep, table, rows, attributesOf(d))
}

// foreseen is the collection that d will be, without vectors and with the images that turn out not to be readable.
func foreseen(d *sweepfile.Data) (*collection.Collection, error) {
	base, asked := apart(d)
	src, err := openImages(base, false)
	if err != nil {
		return nil, err
	}
	c := &collection.Collection{Name: src.Name(), Items: itemsOf(src)}
	if asked == nil {
		return c, nil
	}
	if src, err = openImages(asked, true); err != nil {
		return nil, err
	}
	queries := itemsOf(src)
	known := map[string]bool{}
	for _, item := range c.Items {
		known[item.ID] = true
	}
	if slices.ContainsFunc(queries, func(item collection.Item) bool { return known[item.ID] }) { // as [collection.Join]
		for i := range queries {
			queries[i].ID = collection.QueryPrefix + queries[i].ID
		}
	}
	c.Items, c.Meta.Queries = append(c.Items, queries...), len(queries)
	return c, nil
}

func itemsOf(src catalog.Source) []collection.Item {
	var out []collection.Item
	for g := range src.Groups() {
		for _, item := range src.Items(g) {
			out = append(out, collection.Item{ID: item.ID, Label: item.Label})
		}
	}
	return out
}

// withCategory are the attributes of c with its categories; nil where it has neither.
func withCategory(c *collection.Collection) (*attributes.Table, error) {
	_, there := c.Attributes.Column(dataset.CategoryColumn)
	if there || len(labelsOf(c)) == 0 {
		return c.Attributes, nil
	}
	labels := make([]string, len(c.Items))
	for i, item := range c.Items {
		labels[i] = item.Label
	}
	return c.Attributes.With(dataset.CategoryColumn, labels)
}

// attributesOf says where the attributes of images come from.
func attributesOf(d *sweepfile.Data) string {
	if len(d.Attributes) > 0 {
		return strings.Join(d.Attributes, ", ")
	}
	one, _ := apart(d)
	dir := dataFolder(one)
	if dir == "" {
		return "the data"
	}
	if beside, err := attributes.Beside(dir); err == nil && beside != "" {
		return beside
	}
	return fmt.Sprintf("%s (there is no %s)", dir, filepath.Base(attributes.Files[0]))
}
