package dataset

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"annbench/bench/dataset/vecfile"
	"annbench/indexes/vec"
	"annbench/internal/atomicfile"
	"annbench/internal/seal"
	"annbench/internal/words"
)

// The files of a truth's folder.
const (
	truthIDsFile       = "ids.npy"       // int32, one row a query, nearest first
	truthDistancesFile = "distances.npy" // float64, metric distances
	truthFile          = "truth.json"    // truthMeta; written last
)

// truthVersion is the version of the folder's form and of the search.
const truthVersion = 1

// truthMeta is what truth.json holds.
type truthMeta struct {
	Version int        `json:"version"`
	Set     string     `json:"set"` // the digest of the set
	Metric  vec.Metric `json:"metric"`
	K       int        `json:"k"`
	Queries int        `json:"queries"`
	// IDs and Distances are the SHA-256 of the values in the files.
	IDs       string `json:"ids"`
	Distances string `json:"distances"`
}

// Truth is the exact neighbours of a set's queries. Nothing of it may be used after Close.
type Truth struct {
	K      int // neighbours of each query: those asked for, or all of the base if it has fewer
	Metric vec.Metric

	stride    int // at least K
	ids       *vecfile.Array[int32]
	distances *vecfile.Array[float64]
}

// IDs gives the K exact neighbours of query q as row numbers of the base, nearest first, equal
// distances by id. Read it, never write to it.
func (t *Truth) IDs(q int) []int32 {
	from := q * t.stride
	return t.ids.Data[from : from+t.K : from+t.K]
}

// Distances gives the metric distances of IDs(q), ascending. Read it, never write to it.
func (t *Truth) Distances(q int) []float64 {
	from := q * t.stride
	return t.distances.Data[from : from+t.K : from+t.K]
}

// All gives IDs and Distances of all queries in order, as package metric wants them.
func (t *Truth) All() (ids [][]int32, distances [][]float64) {
	queries := t.ids.Shape[0]
	ids, distances = make([][]int32, queries), make([][]float64, queries)
	for q := range queries {
		ids[q], distances[q] = t.IDs(q), t.Distances(q)
	}
	return ids, distances
}

// Close unmaps the neighbours. A second call does nothing.
func (t *Truth) Close() error {
	return errors.Join(t.ids.Close(), t.distances.Close())
}

// FindTruth gives the k exact neighbours of every query of set under metric: out of dir, where an
// earlier call has left k or more of them for a set of this digest, or by exact search on threads
// threads, and then they are left there ("truth-METRIC-K"). Where [FindTruthPart] has left all parts for this k, they
// are merged instead of searching. dir is for one set; empty is its own folder. k is
// no more than the base has vectors; less than 1 is an error.
//
// The search is that of [vec.Exact], in float32. Where float32 is not fine enough it could be wrong,
// so it finds k + max(k, 32), and of these the k with the smallest distance by [vec.Metric.Distance],
// in float64, are the neighbours; equal distances go by id, as far as float32 has them equal too.
//
// progress, where not nil, is called with the number of queries that are done, rising, from several
// goroutines but one at a time, and not at all where nothing has to be searched. The error is ctx's when it ends first. Several
// processes may look for the same truth at once.
func FindTruth(ctx context.Context, set *Set, metric vec.Metric, k, threads int, dir string, progress func(done int)) (*Truth, error) {
	switch {
	case k < 1:
		return nil, fmt.Errorf("exact neighbours: k is %d, it must be at least 1", k)
	case !slices.Contains(vec.Metrics, metric):
		return nil, fmt.Errorf("exact neighbours: no metric %q", metric)
	}
	k = min(k, set.Neighbors())
	if dir == "" {
		dir = set.Dir
	}
	t, err := cachedTruth(set, metric, k, dir)
	if t != nil || err != nil {
		return t, err
	}
	parts, err := openParts(set, metric, k, dir)
	if err != nil {
		return nil, err
	}
	ids, distances, err := searchTruth(ctx, set, metric, k, threads, parts, progress)
	if parts != nil {
		err = errors.Join(err, parts.close())
	}
	if err != nil {
		return nil, err
	}
	path := truthPath(dir, metric, k)
	if err := writeTruth(path, set, metric, k, ids, distances); err != nil {
		return nil, fmt.Errorf("writing %s: %w", path, err)
	}
	return openTruth(path, set, metric, k)
}

func truthPath(dir string, metric vec.Metric, k int) string {
	return filepath.Join(dir, fmt.Sprintf("truth-%s-%d", metric, k))
}

// cachedTruth opens the truth with the smallest sufficient k in dir. It returns nil where there is
// none.
func cachedTruth(set *Set, metric vec.Metric, k int, dir string) (*Truth, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		return nil, err
	}
	var have []int
	for _, e := range entries {
		rest, ok := strings.CutPrefix(e.Name(), "truth-"+string(metric)+"-")
		if n, err := strconv.Atoi(rest); ok && err == nil && n >= k {
			have = append(have, n)
		}
	}
	slices.Sort(have)
	for _, n := range have {
		t, err := openTruth(truthPath(dir, metric, n), set, metric, k)
		if t != nil || err != nil {
			return t, err
		}
	}
	return nil, nil
}

var errOtherTruth = errors.New("it is of another set")

// openTruth opens the folder at path for the first k neighbours. The content is checked against its
// digests: a wrong truth would make every measurement wrong without a sign.
func openTruth(path string, set *Set, metric vec.Metric, k int) (*Truth, error) {
	t := &Truth{K: k, Metric: metric}
	if err := t.open(path, set); err != nil {
		return nil, unusable(path, errors.Join(err, t.Close()))
	}
	return t, nil
}

// unusable is the error of a folder of neighbours that cannot be opened; where making it again helps, it says how.
func unusable(path string, err error) error {
	if !seal.Damage(err) {
		return fmt.Errorf("%s cannot be used: %w", path, err)
	}
	return fmt.Errorf("%s cannot be used: %w; delete the folder (rm -r %s), and it will be made again", path, err, words.Shell(path))
}

func (t *Truth) open(path string, set *Set) (err error) {
	var m truthMeta
	if err := atomicfile.ReadJSON(filepath.Join(path, truthFile), &m); err != nil {
		return err
	}
	switch {
	case m.Version != truthVersion:
		return fmt.Errorf("it has version %d, this annbench has %d", m.Version, truthVersion)
	case m.Set != set.Digest:
		return errOtherTruth
	case m.Metric != t.Metric || m.K < t.K || m.Queries != set.Queries.Rows:
		return fmt.Errorf("it holds %d neighbours of %d queries under %q", m.K, m.Queries, m.Metric)
	}
	if t.ids, err = vecfile.MapArray[int32](filepath.Join(path, truthIDsFile), 2); err != nil {
		return err
	}
	if t.distances, err = vecfile.MapArray[float64](filepath.Join(path, truthDistancesFile), 2); err != nil {
		return err
	}
	shape := []int{m.Queries, m.K}
	if !slices.Equal(t.ids.Shape, shape) || !slices.Equal(t.distances.Shape, shape) {
		return fmt.Errorf("%s has shape %v and %s %v, they should have %v", truthIDsFile, t.ids.Shape, truthDistancesFile, t.distances.Shape, shape)
	}
	if sumOf(t.ids.Data) != m.IDs || sumOf(t.distances.Data) != m.Distances {
		return errors.New("it has changed since it was written")
	}
	t.stride = m.K
	return nil
}

func sumOf[T vecfile.Number](values []T) string {
	sum := sha256.Sum256(vecfile.FileBytes(values))
	return hex.EncodeToString(sum[:])
}

func writeTruth(path string, set *Set, metric vec.Metric, k int, ids []int32, distances []float64) error {
	tmp, err := atomicfile.TempDir(path)
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	if err := errors.Join(
		vecfile.WriteArray(filepath.Join(tmp, truthIDsFile), ids, k),
		vecfile.WriteArray(filepath.Join(tmp, truthDistancesFile), distances, k),
	); err != nil {
		return err
	}
	if err := atomicfile.WriteJSON(filepath.Join(tmp, truthFile), truthMeta{
		Version: truthVersion, Set: set.Digest, Metric: metric, K: k, Queries: set.Queries.Rows,
		IDs: sumOf(ids), Distances: sumOf(distances),
	}); err != nil {
		return err
	}
	// Where another process was faster, its folder is as good; opening it says if it is not.
	if err := atomicfile.Publish(tmp, path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// truthBlock is how many neighbours are held in memory at once, in their rough order: 128 MiB.
const truthBlock = 1 << 24

// truthFetch is how many neighbours are looked for by float32. What float32 ranks beyond k although
// float64 does not lies within its rounding of the k-th. More than this many that lie so close are copies
// of one another, and then any of them will do. With queries that stand in the base, one more: themselves.
func truthFetch(set *Set, k int) int {
	return min(set.Base.Rows, k+max(k, 32)+set.Base.Rows-set.Neighbors())
}

// searchTruth finds ids and distances, k for each query: in parts, where they are not nil, or else in
// the base.
func searchTruth(ctx context.Context, set *Set, metric vec.Metric, k, threads int, parts *candidates, progress func(done int)) ([]int32, []float64, error) {
	queries := set.Queries.Rows
	if uint64(queries)*uint64(k) > math.MaxInt/8 {
		return nil, nil, fmt.Errorf("exact neighbours: %d for each of %d queries are too many", k, queries)
	}
	ids, distances := make([]int32, queries*k), make([]float64, queries*k)
	fetch := truthFetch(set, k)
	block := max(1, truthBlock/fetch)
	for from := 0; from < queries; from += block {
		to := min(queries, from+block)
		tell := progress
		if tell != nil {
			tell = func(done int) { progress(from + done) }
		}
		var found []vec.Neighbor
		if parts != nil {
			if ctx.Err() != nil {
				return nil, nil, fmt.Errorf("exact neighbours: %w", context.Cause(ctx))
			}
			found = parts.nearest(from, to, fetch)
		} else {
			var err error
			if found, err = vec.Exact(ctx, set.Base, set.Queries.Slice(from, to), metric, fetch, threads, tell); err != nil {
				return nil, nil, fmt.Errorf("exact neighbours: %w", err)
			}
		}
		var next atomic.Int64
		var wait sync.WaitGroup
		for range max(1, threads) {
			wait.Go(func() {
				for {
					q := from + int(next.Add(1)) - 1
					if q >= to {
						return
					}
					nearest := Ranked(set.Base, set.Queries.Row(q), metric, set.without(q, found[(q-from)*fetch:(q-from+1)*fetch]))
					for i, n := range nearest[:k] {
						ids[q*k+i], distances[q*k+i] = n.ID, n.Distance
					}
				}
			})
		}
		wait.Wait()
	}
	return ids, distances, nil
}

// Neighbors is how many neighbours a query can have: all of the base, less itself where it stands in it.
func (s *Set) Neighbors() int {
	if s.LeaveOneOut {
		return s.Base.Rows - 1
	}
	return s.Base.Rows
}

// without are the ids that were found for query q, its own left out.
func (s *Set) without(q int, found []vec.Neighbor) []int32 {
	self := s.Self(q)
	ids := make([]int32, 0, len(found))
	for _, n := range found {
		if n.ID != self {
			ids = append(ids, n.ID)
		}
	}
	return ids
}

// Near is a neighbour with its metric distance.
type Near struct {
	ID       int32
	Distance float64
}

// Ranked puts rows of base into the order of their metric distances to q, in float64, equal ones by id.
func Ranked(base vec.Matrix, q []float32, metric vec.Metric, ids []int32) []Near {
	out := make([]Near, len(ids))
	for i, id := range ids {
		out[i] = Near{id, metric.Distance(q, base.Row(int(id)))}
	}
	slices.SortFunc(out, func(a, b Near) int {
		switch {
		case a.Distance < b.Distance:
			return -1
		case a.Distance > b.Distance:
			return 1
		}
		return int(a.ID) - int(b.ID)
	})
	return out
}
