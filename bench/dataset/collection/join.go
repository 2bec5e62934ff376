package collection

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"annbench/bench/dataset/vecfile"
)

// QueryPrefix stands before the ids of joined queries where they are not unique without.
const QueryPrefix = "queries/"

// Join makes one collection of base and of queries that are searched for in it: the rows of base, and then those of queries
// as its given queries ([Meta.Queries]), with labels, pictures and attributes of both. It is a folder below cacheDir, which is
// found there the next time. What describes the embedding is that of base. The ids stay as they are, unless both have one in
// common: then those of the queries have [QueryPrefix].
//
// neighbors, if not empty, is a file with the exact neighbours of the queries; see [Files]. progress, where not nil, is told
// how many rows were copied. Both collections stay open, and the caller's.
func Join(ctx context.Context, base, queries *Collection, neighbors, cacheDir string, progress func(done, total int)) (*Collection, error) {
	switch {
	case base.Vectors.Dim != queries.Vectors.Dim:
		return nil, fmt.Errorf("%s: the queries have %d dimensions, the vectors of %s have %d: was another model used?", queries.Name, queries.Vectors.Dim, base.Name, base.Vectors.Dim)
	case base.Meta.Queries > 0:
		return nil, fmt.Errorf("%s came with %d queries of its own: name other queries, or other vectors", base.Name, base.Meta.Queries)
	}
	if queries.Meta.Queries > 0 { // all of them are queries here
		queries.Meta.Queries = 0
	}
	if err := os.MkdirAll(cacheDir, 0o755); err != nil {
		return nil, err
	}
	sum := sha256.New()
	fmt.Fprintln(sum, "annbench join 1")
	for _, c := range []*Collection{base, queries} {
		digest, err := c.Digest(ctx)
		if err != nil {
			return nil, err
		}
		fmt.Fprintln(sum, digest, c.Meta.Thumbs)
	}
	if neighbors != "" {
		key, err := identity(ctx, []string{neighbors}, Files{})
		if err != nil {
			return nil, err
		}
		fmt.Fprintln(sum, key)
	}
	dir := filepath.Join(cacheDir, "joined-"+hex.EncodeToString(sum.Sum(nil))[:24])
	if !Complete(dir) {
		if err := join(ctx, base, queries, neighbors, dir, progress); err != nil {
			return nil, err
		}
	}
	c, err := OpenFolder(dir)
	if err != nil {
		return nil, err
	}
	c.Name = base.Name + ", queries: " + queries.Name
	c.Meta.Notes = nil // what they say today, not when the folder was made
	for _, part := range []*Collection{base, queries} {
		for _, n := range part.Meta.Notes {
			if !strings.Contains(n, ": ") {
				n = part.Name + ": " + n
			}
			c.Meta.Notes = append(c.Meta.Notes, n)
		}
	}
	return c, nil
}

func join(ctx context.Context, base, queries *Collection, neighbors, dir string, progress func(done, total int)) error {
	w, err := Create(dir, base.Vectors.Dim)
	if err != nil {
		return err
	}
	defer w.Abort()
	prefix := ""
	known := make(map[string]bool, len(base.Items))
	for _, item := range base.Items {
		known[item.ID] = true
	}
	for _, item := range queries.Items {
		if known[item.ID] {
			prefix = QueryPrefix
			break
		}
	}
	total, done := base.Vectors.Rows+queries.Vectors.Rows, 0
	for _, part := range []struct {
		c      *Collection
		prefix string
	}{{base, ""}, {queries, prefix}} {
		const most = 4096 // rows at once
		for from := 0; from < part.c.Vectors.Rows; from += most {
			if err := ctx.Err(); err != nil {
				return err
			}
			to := min(from+most, part.c.Vectors.Rows)
			if w.given.NotFinite == "" {
				w.given.NotFinite = part.c.NotFinite(from, to)
			}
			items := make([]Item, to-from)
			var thumbs [][]byte
			if part.c.Meta.Thumbs > 0 {
				thumbs = make([][]byte, to-from)
			}
			for i := range items {
				items[i] = part.c.Items[from+i]
				items[i].ID = part.prefix + items[i].ID
				if thumbs != nil {
					if thumbs[i], _, err = part.c.Thumb(from + i); err != nil {
						return err
					}
				}
			}
			if err := w.Append(items, part.c.Vectors.Slice(from, to), thumbs); err != nil {
				return err
			}
			if done += to - from; progress != nil {
				progress(done, total)
			}
		}
	}
	given := &w.given
	given.Queries = queries.Vectors.Rows
	given.Metric, given.Word = base.Meta.Metric, base.Meta.Word
	if neighbors != "" {
		g, err := vecfile.OpenNeighbors(neighbors)
		if err != nil {
			return err
		}
		defer g.Close()
		im := &importer{w: w, ctx: ctx}
		if err := im.neighbors(g.Neighbors, base.Vectors.Rows, given); err != nil {
			return fmt.Errorf("%s: neighbours: %w", neighbors, err)
		}
	}
	if _, err := w.Commit(base.Meta.Embedding); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}
