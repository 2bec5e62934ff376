package dataset

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"annbench/bench/dataset/vecfile"
	"annbench/indexes/vec"
	"annbench/internal/atomicfile"
)

// The files of a part's folder, beside truthFile.
const (
	partIDsFile   = "candidates.npy" // int32, row numbers of the whole base, one row a query, nearest first
	partRanksFile = "ranks.npy"      // float32, what they were ranked by
)

// TruthPart is one of several parts of the base, of about equal size, in which exact neighbours are
// looked for apart: on machines side by side, or one after another where the base is larger than the
// memory. Index is from 1.
type TruthPart struct{ Index, Of int }

// rows gives the first row of the part, and the one after its last.
func (p TruthPart) rows(base int) (from, to int) {
	// Base and Of are far below 2^31, so that the products fit.
	return base * (p.Index - 1) / p.Of, base * p.Index / p.Of
}

// partMeta is what truth.json holds in a part's folder.
type partMeta struct {
	Version int        `json:"version"`
	Set     string     `json:"set"`
	Metric  vec.Metric `json:"metric"`
	K       int        `json:"k"` // neighbours that the whole can be made of
	Queries int        `json:"queries"`
	Part    int        `json:"part"`
	Of      int        `json:"of"`
	Width   int        `json:"width"` // candidates of each query
	IDs     string     `json:"ids"`
	Ranks   string     `json:"ranks"`
}

// FindTruthPart looks for exact neighbours in one part of the base, and leaves what it finds in dir, from
// where [FindTruth] takes it once all parts are there. The truth made of parts is that of the whole, bit by bit,
// whatever their number. What is there already is kept. It returns the folder.
//
// Only the rows of the part are read. dir, k, threads and progress are those of [FindTruth], and parts may
// be looked for by several processes at once, also the same part.
func FindTruthPart(ctx context.Context, set *Set, metric vec.Metric, k int, part TruthPart, threads int, dir string, progress func(done int)) (string, error) {
	switch {
	case k < 1:
		return "", fmt.Errorf("exact neighbours: k is %d, it must be at least 1", k)
	case !slices.Contains(vec.Metrics, metric):
		return "", fmt.Errorf("exact neighbours: no metric %q", metric)
	case part.Of < 1 || part.Index < 1 || part.Index > part.Of:
		return "", fmt.Errorf("exact neighbours: there is no part %d of %d", part.Index, part.Of)
	case part.Of > set.Base.Rows:
		return "", fmt.Errorf("exact neighbours: %d vectors cannot be divided into %d parts", set.Base.Rows, part.Of)
	}
	k = min(k, set.Neighbors())
	if dir == "" {
		dir = set.Dir
	}
	path := partPath(dir, metric, k, part)
	if ids, _, err := openPart(path, set, metric, k, part); err == nil {
		return path, ids.Close()
	} else if !errors.Is(err, fs.ErrNotExist) {
		return "", partError(path, err)
	}
	from, to := part.rows(set.Base.Rows)
	width := min(to-from, truthFetch(set, k))
	queries := set.Queries.Rows
	ids, ranks := make([]int32, queries*width), make([]float32, queries*width)
	block := max(1, truthBlock/width)
	for first := 0; first < queries; first += block {
		last := min(queries, first+block)
		tell := progress
		if tell != nil {
			tell = func(done int) { progress(first + done) }
		}
		found, err := vec.Exact(ctx, set.Base.Slice(from, to), set.Queries.Slice(first, last), metric, width, threads, tell)
		if err != nil {
			return "", fmt.Errorf("exact neighbours: %w", err)
		}
		for i, n := range found {
			ids[first*width+i], ranks[first*width+i] = n.ID+int32(from), n.Dist
		}
	}
	if err := writePart(path, set, metric, k, part, width, ids, ranks); err != nil {
		return "", fmt.Errorf("writing %s: %w", path, err)
	}
	return path, nil
}

func partPath(dir string, metric vec.Metric, k int, part TruthPart) string {
	return partPattern(dir, metric, k, fmt.Sprintf("%d-of-%d", part.Index, part.Of))
}

func partPattern(dir string, metric vec.Metric, k int, part string) string {
	return filepath.Join(dir, fmt.Sprintf("part-%s-%d-%s", metric, k, part))
}

func partError(path string, err error) error {
	return unusable(path, err)
}

// openPart maps a part. The error is fs.ErrNotExist where it is not there.
func openPart(path string, set *Set, metric vec.Metric, k int, part TruthPart) (ids *vecfile.Array[int32], ranks *vecfile.Array[float32], err error) {
	var m partMeta
	if err := atomicfile.ReadJSON(filepath.Join(path, truthFile), &m); err != nil {
		return nil, nil, err
	}
	switch {
	case m.Version != truthVersion:
		return nil, nil, fmt.Errorf("it has version %d, this annbench has %d", m.Version, truthVersion)
	case m.Set != set.Digest:
		return nil, nil, errOtherTruth
	case m.Metric != metric || m.K != k || m.Queries != set.Queries.Rows || (TruthPart{m.Part, m.Of}) != part:
		return nil, nil, fmt.Errorf("it holds part %d of %d of %d neighbours of %d queries under %q", m.Part, m.Of, m.K, m.Queries, m.Metric)
	}
	defer func() {
		if err != nil {
			if ids != nil {
				err = errors.Join(err, ids.Close())
			}
			if ranks != nil {
				err = errors.Join(err, ranks.Close())
			}
			ids, ranks = nil, nil
		}
	}()
	if ids, err = vecfile.MapArray[int32](filepath.Join(path, partIDsFile), 2); err != nil {
		return ids, ranks, err
	}
	if ranks, err = vecfile.MapArray[float32](filepath.Join(path, partRanksFile), 2); err != nil {
		return ids, ranks, err
	}
	shape := []int{m.Queries, m.Width}
	if !slices.Equal(ids.Shape, shape) || !slices.Equal(ranks.Shape, shape) {
		return ids, ranks, fmt.Errorf("%s has shape %v and %s %v, they should have %v", partIDsFile, ids.Shape, partRanksFile, ranks.Shape, shape)
	}
	if sumOf(ids.Data) != m.IDs || sumOf(ranks.Data) != m.Ranks {
		return ids, ranks, errors.New("it has changed since it was written")
	}
	return ids, ranks, nil
}

func writePart(path string, set *Set, metric vec.Metric, k int, part TruthPart, width int, ids []int32, ranks []float32) error {
	tmp, err := atomicfile.TempDir(path)
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	if err := errors.Join(
		vecfile.WriteArray(filepath.Join(tmp, partIDsFile), ids, width),
		vecfile.WriteArray(filepath.Join(tmp, partRanksFile), ranks, width),
	); err != nil {
		return err
	}
	if err := atomicfile.WriteJSON(filepath.Join(tmp, truthFile), partMeta{
		Version: truthVersion, Set: set.Digest, Metric: metric, K: k, Queries: set.Queries.Rows,
		Part: part.Index, Of: part.Of, Width: width, IDs: sumOf(ids), Ranks: sumOf(ranks),
	}); err != nil {
		return err
	}
	if err := atomicfile.Publish(tmp, path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// candidates are what exact search found for each query of a set, nearest first by float32.
type candidates struct {
	ids   []*vecfile.Array[int32] // by part
	ranks []*vecfile.Array[float32]
}

// openParts opens the parts that are there for the first k neighbours; nil where no division is whole.
func openParts(set *Set, metric vec.Metric, k int, dir string) (*candidates, error) {
	firsts, err := filepath.Glob(partPattern(dir, metric, k, "1-of-*"))
	if err != nil {
		return nil, err
	}
	for _, first := range firsts {
		var part TruthPart
		name := filepath.Base(first)
		if n, _ := fmt.Sscanf(name, fmt.Sprintf("part-%s-%d-1-of-%%d", metric, k), &part.Of); n != 1 || part.Of < 1 {
			continue
		}
		c := &candidates{}
		for part.Index = 1; part.Index <= part.Of; part.Index++ {
			path := partPath(dir, metric, k, part)
			ids, ranks, err := openPart(path, set, metric, k, part)
			if errors.Is(err, fs.ErrNotExist) {
				break
			} else if err != nil {
				return nil, errors.Join(partError(path, err), c.close())
			}
			c.ids, c.ranks = append(c.ids, ids), append(c.ranks, ranks)
		}
		if len(c.ids) == part.Of {
			return c, nil
		}
		if err := c.close(); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func (c *candidates) close() error {
	var err error
	for i := range c.ids {
		err = errors.Join(err, c.ids[i].Close(), c.ranks[i].Close())
	}
	return err
}

// nearest merges the parts for queries from to to: fetch for each, as [vec.Exact] gives them for the whole
// base. Every part has its fetch nearest or all, so the fetch nearest of all are among them.
func (c *candidates) nearest(from, to, fetch int) []vec.Neighbor {
	out := make([]vec.Neighbor, 0, (to-from)*fetch)
	var all []vec.Neighbor
	for q := from; q < to; q++ {
		all = all[:0]
		for i, ids := range c.ids {
			width := ids.Shape[1]
			ranks := c.ranks[i].Data[q*width : (q+1)*width]
			for j, id := range ids.Data[q*width : (q+1)*width] {
				all = append(all, vec.Neighbor{ID: id, Dist: ranks[j]})
			}
		}
		slices.SortFunc(all, func(a, b vec.Neighbor) int {
			switch {
			case a.Less(b):
				return -1
			case b.Less(a):
				return 1
			}
			return 0
		})
		out = append(out, all[:fetch]...)
	}
	return out
}
