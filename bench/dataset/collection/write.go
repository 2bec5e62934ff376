package collection

import (
	"context"
	"path/filepath"
	"strings"

	"annbench/bench/dataset/vecfile"
)

// WriteFile writes the vectors to path by [vecfile.Write], with ids and labels where the format has them. Given
// queries are rows like the others, after them; see [Collection.Parts].
func (c *Collection) WriteFile(ctx context.Context, path string) error {
	return vecfile.Write(ctx, path, vecfile.Table{
		Vectors: c.Vectors,
		ID:      func(row int) string { return c.Items[row].ID },
		Label:   func(row int) string { return c.Items[row].Label },
	})
}

// Parts divides a collection into its vectors and the queries that came with them; queries is nil where
// none did. Both share the memory of c, and end with it: they are not to be closed.
func (c *Collection) Parts() (base, queries *Collection) {
	n := c.Vectors.Rows - c.Meta.Queries
	base = &Collection{Name: c.Name, Vectors: c.Vectors.Slice(0, n), Items: c.Items[:n]}
	if c.Meta.Queries > 0 {
		queries = &Collection{Name: c.Name, Vectors: c.Vectors.Slice(n, c.Vectors.Rows), Items: c.Items[n:]}
	}
	return base, queries
}

// WriteFiles writes the vectors to path, and the queries that came with them beside it, to NAME-queries.EXT. The
// path of the latter is returned; it is empty where there are none.
func (c *Collection) WriteFiles(ctx context.Context, path string) (queriesPath string, err error) {
	base, queries := c.Parts()
	if err := base.WriteFile(ctx, path); err != nil || queries == nil {
		return "", err
	}
	ext := filepath.Ext(path)
	queriesPath = strings.TrimSuffix(path, ext) + "-queries" + ext
	return queriesPath, queries.WriteFile(ctx, queriesPath)
}
