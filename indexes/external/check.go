package external

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"annbench/indexes"
	"annbench/indexes/vec"
	"annbench/internal/usage"
	"annbench/internal/words"
)

// The data of [Check]: clustered vectors, few enough for any library to build in a moment and enough for
// the default settings of most.
const (
	checkRows    = 2000
	checkDim     = 64
	checkQueries = 50
	timedQueries = 500 // others, which are not asked before their time is taken
	checkK       = 10
)

// Checked is what [Check] found of one metric.
type Checked struct {
	Metric  vec.Metric
	Library string
	Version string // of the library
	Runtime string // what calls it; empty for native programs
	Build   time.Duration
	Recall  float64 // recall@10 at the default settings, by id
	Query   time.Duration
	Saved   int64  // bytes of the saved index; 0 where it cannot be saved
	Doubt   string // of its clock; empty where there is none
	// Of a folder of ann-benchmarks or VIBE: what is wrong with its batch search, and with the order of its answers.
	Batch, Order error
}

// String says what works, in one line.
func (c Checked) String() string {
	version, saved := c.Version, "is not saved"
	if c.Runtime != "" {
		version += " from " + c.Runtime
	}
	if c.Saved > 0 {
		saved = "saved in " + words.Size(c.Saved)
	}
	s := fmt.Sprintf("%s %s; recall@10 %.3f with default settings, %v a query, %s", c.Library, version, c.Recall, c.Query, saved)
	if c.Doubt != "" {
		s += "; warning: " + c.Doubt
	}
	if c.Batch != nil {
		s += "; do not measure it in batches: " + c.Batch.Error()
	}
	if c.Order != nil {
		s += "; " + c.Order.Error()
	}
	return s
}

// CheckAll is [Check] of the families that names mean, under only or, where that is empty, all of their metrics.
// It writes a line for each to w, and returns how many do not work. A name that is no external family is a
// [usage.Error].
func CheckAll(ctx context.Context, names []string, dir string, only vec.Metric, w io.Writer) (bad int, err error) {
	for _, name := range names {
		f, err := Lookup(name, dir)
		if err == nil && f.Folder == "" {
			err = fmt.Errorf("%s is part of annbench; `annbench selfcheck` looks after those", name)
		}
		if err == nil && only != "" && f.Missing == "" && !slices.Contains(f.Metrics, only) {
			err = fmt.Errorf("%s has no metric %s", f.Name, only)
		}
		if err != nil {
			return bad, usage.Error{Err: err}
		}
		if f.Missing != "" {
			fmt.Fprintf(w, "%s: %s\n", f.Name, f.Missing)
			bad++
			continue
		}
		for _, m := range f.Metrics {
			if only != "" && m != only {
				continue
			}
			found, err := Check(ctx, f, m)
			if err != nil {
				// The program's last words went to standard error as it said them.
				fmt.Fprintf(w, "%s, %s: %s\n", f.Name, m, words.Visible(FirstLine(err)))
				bad++
				continue
			}
			fmt.Fprintf(w, "%s, %s: works: %s\n", f.Name, m, words.Visible(found.String()))
		}
	}
	return bad, nil
}

// Check builds f with its default settings on a few vectors, searches, changes the search settings to
// the same again, saves and loads where it can, and searches once more: answers must be valid, and the
// loaded index must answer like the built one. Its error is the first thing that is wrong.
func Check(ctx context.Context, f *indexes.Family, metric vec.Metric) (c Checked, err error) {
	scratch, err := os.MkdirTemp("", "annbench-check-")
	if err != nil {
		return c, err
	}
	defer os.RemoveAll(scratch)
	base, queries := checkVectors(checkRows, 1), checkVectors(checkQueries, 2)
	c.Metric, c.Library = metric, f.Library
	in := indexes.BuildInput{Vectors: base, Metric: metric, Threads: 1, Seed: 1, Scratch: scratch, Params: together(f, metric)}
	ix, err := f.OpenChecked(ctx, in)
	if err != nil {
		return c, fmt.Errorf("building: %w", err)
	}
	defer func() { ix.Close() }()
	x := ix.(*Index)
	c.Build, c.Version, c.Runtime = x.wall, x.hello.Version, x.hello.Runtime
	first, err := answers(x, queries)
	if err != nil {
		return c, err
	}
	if err := x.Tune(searchOf(f, in.Params)); err != nil {
		return c, fmt.Errorf("setting the defaults: %w", err)
	}
	again, err := answers(x, queries)
	if err != nil {
		return c, err
	}
	if !f.Unsaved {
		path := filepath.Join(scratch, "saved")
		if err := x.Save(path); err != nil {
			return c, fmt.Errorf("saving: %w", err)
		}
		if c.Saved, err = Size(path); err != nil {
			return c, err
		}
		if err := x.Close(); err != nil {
			return c, err
		}
		if ix, err = f.Load(path, indexes.BuildInput{Vectors: base, Metric: metric, Threads: 1, Seed: 1, Scratch: scratch}); err != nil {
			return c, err
		}
		x = ix.(*Index)
		loaded, err := answers(x, queries)
		if err != nil {
			return c, fmt.Errorf("after loading: %w", err)
		}
		// Libraries that draw as they search may differ a little from one time to the next.
		if same, before := agreement(first, loaded), agreement(first, again); same < 0.95*before {
			return c, fmt.Errorf("the loaded index gives other answers than the built one: %.0f %% are the same", 100*same)
		}
		again = loaded
	}
	c.Recall = agreement(exact(base, queries, metric), again)
	var b indexes.Block
	if err := x.SearchTimed(&b, queries, 0, queries.Rows, checkK, false); err != nil {
		return c, err
	}
	short := 0
	for q := range queries.Rows {
		if slices.Contains(b.IDs[q*checkK:(q+1)*checkK], -1) {
			short++
		}
	}
	switch {
	case b.Repeated > 0:
		return c, fmt.Errorf("it answers with an id twice: %d times in %d queries", b.Repeated, queries.Rows)
	case b.Extra > 0:
		return c, fmt.Errorf("it answers with more than the %d ids that were asked for: %d too many in %d queries", checkK, b.Extra, queries.Rows)
	case f.Exact && short > 0:
		return c, fmt.Errorf("family.yaml says exact: true, and it gives fewer than %d answers to %d of %d queries", checkK, short, queries.Rows)
	case f.Exact && c.Recall < exactRecall:
		return c, fmt.Errorf("family.yaml says exact: true, and it finds %.3f of the nearest neighbours", c.Recall)
	}
	if f.VectorBytes(1, 1, x.label.Build) > 0 {
		err := checkOrder(metric, base, queries, b.IDs)
		if err != nil && f.Belongs == nil {
			if by := shift(metric, base, queries, b.IDs); by != 0 {
				return c, fmt.Errorf("its ids are off by %d in every answer: ids are row numbers of the vectors, from 0", by)
			}
			return c, fmt.Errorf("%w: sort them by distance, or say by `codes` in family.yaml that it compares codes", err)
		}
		c.Order = err // theirs as it is: their runner does not ask for an order
	}
	if err := c.clock(x); err != nil {
		return c, err
	}
	if f.Batch {
		err := checkBatch(x, queries, b.IDs)
		if f.Belongs == nil {
			return c, err
		}
		c.Batch = err // theirs as it is: their runner asks for no batch either, unless it is told to
	}
	return c, nil
}

// clock times queries that x was not asked before, so that no answer is one that it kept, and then the same again.
func (c *Checked) clock(x *Index) error {
	queries := checkVectors(timedQueries, 3)
	var first, again indexes.Block
	for _, b := range []*indexes.Block{&first, &again} {
		if err := x.SearchTimed(b, queries, 0, queries.Rows, checkK, false); err != nil {
			return err
		}
		slices.Sort(b.Times)
	}
	const middle = timedQueries / 2
	c.Query = first.Times[middle]
	c.Doubt = cmp.Or(Unclocked(1, first.Wall, first.Waited), remembered(first.Times[middle], again.Times[middle]))
	return nil
}

// remembered says so where a query takes much less time when it is asked again.
func remembered(first, again time.Duration) string {
	if first <= 3*again {
		return ""
	}
	return fmt.Sprintf("a query that was asked before takes %v: does it keep answers? A sweep asks each query several times, and would measure that", again)
}

// exactRecall is what an exact family finds by id: but for neighbours whose distances float32 rounds to the same.
const exactRecall = 0.99

// orderTolerance is by how much, relatively, an answer may be nearer than the one before it: what float32 rounds away.
const orderTolerance = 1e-5

// checkOrder says of how many queries the answers are not nearest first.
func checkOrder(metric vec.Metric, base, queries vec.Matrix, ids []int32) error {
	wrong, first := 0, ""
	for q := range queries.Rows {
		query, before := queries.Row(q), math.Inf(-1)
		for i, id := range ids[q*checkK : (q+1)*checkK] {
			if id < 0 {
				break
			}
			d := metric.Distance(query, base.Row(int(id)))
			if metric.Nearer(d, before, query, base.Row(int(id)), orderTolerance) {
				if wrong++; wrong == 1 {
					first = fmt.Sprintf("query %d: answer %d is at distance %.6g, the one before it at %.6g", q, i, d, before)
				}
				break
			}
			before = d
		}
	}
	if wrong == 0 {
		return nil
	}
	return fmt.Errorf("its answers are not nearest first, in %d of %d queries; %s", wrong, queries.Rows, first)
}

// shift is by how much all ids are off where without that they would be nearest first and mostly right; else 0.
func shift(metric vec.Metric, base, queries vec.Matrix, ids []int32) int {
	right := exact(base, queries, metric)
	for _, by := range []int{1, -1} {
		moved := slices.Clone(ids)
		for i, id := range ids {
			if id >= 0 {
				moved[i] = int32((int(id) - by + base.Rows) % base.Rows)
			}
		}
		if agreement(right, moved) > 0.5 && checkOrder(metric, base, queries, moved) == nil {
			return by
		}
	}
	return 0
}

func checkBatch(x *Index, queries vec.Matrix, want []int32) error {
	var batch indexes.Block
	if err := x.SearchTimed(&batch, queries, 0, queries.Rows, checkK, true); err != nil {
		return fmt.Errorf("batch: %s", FirstLine(err))
	}
	return sameBatch(want, batch.IDs)
}

// sameBatch compares the answers to single queries, want, with those of a batch.
func sameBatch(want, batch []int32) error {
	same := agreement(batch, want)
	if same >= 0.9 {
		return nil
	}
	for q := range len(want) / checkK {
		if alone, all := found(want, q), found(batch, q); alone < all {
			return fmt.Errorf("its answers to single queries are shorter than those of its batch: query %d has %d of %d ids alone, and %d in the batch", q, alone, checkK, all)
		}
	}
	return fmt.Errorf("its batch search gives other answers than one search after another: %.0f %% are the same", 100*same)
}

// together are the first settings of f that go together under metric; none, the defaults, where any do.
func together(f *indexes.Family, metric vec.Metric) indexes.Params {
	if f.Belongs == nil {
		return nil
	}
	for _, build := range f.Build {
		for _, args := range build.Words {
			for _, search := range f.Search {
				for _, query := range search.Words {
					p := indexes.Params{build.Name: args, search.Name: query}
					if f.Belongs(metric, p, p) {
						return p
					}
				}
			}
		}
	}
	return nil
}

// searchOf is what p has of the settings of a search.
func searchOf(f *indexes.Family, p indexes.Params) indexes.Params {
	out := indexes.Params{}
	for _, s := range f.Search {
		if v, ok := p[s.Name]; ok {
			out[s.Name] = v
		}
	}
	return out
}

func answers(x *Index, queries vec.Matrix) ([]int32, error) {
	var b indexes.Block
	err := x.SearchTimed(&b, queries, 0, queries.Rows, checkK, false)
	return b.IDs, err
}

// found counts the answers to query q among ids.
func found(ids []int32, q int) (n int) {
	for _, id := range ids[q*checkK : (q+1)*checkK] {
		if id >= 0 {
			n++
		}
	}
	return n
}

// agreement is the share of the ids of want that got has, query by query. Empty places, -1, do not count; it is 1
// where all are empty.
func agreement(want, got []int32) float64 {
	common, all := 0, 0
	for q := 0; q < len(want); q += checkK {
		for _, id := range want[q : q+checkK] {
			if id < 0 {
				continue
			}
			all++
			if slices.Contains(got[q:q+checkK], id) {
				common++
			}
		}
	}
	if all == 0 {
		return 1
	}
	return float64(common) / float64(all)
}

func exact(base, queries vec.Matrix, metric vec.Metric) (ids []int32) {
	for q := range queries.Rows {
		var top vec.TopK
		top.Reset(checkK)
		for i := range base.Rows {
			top.Push(vec.Neighbor{ID: int32(i), Dist: metric.Rank(queries.Row(q), base.Row(i))})
		}
		for _, n := range top.AppendTo(nil) {
			ids = append(ids, n.ID)
		}
	}
	return ids
}

// checkVectors are clusters on a positive orthant, like embeddings after a ReLU.
func checkVectors(rows int, seed uint64) vec.Matrix {
	centres := rand.New(rand.NewPCG(9, 9))
	const clusters = 20
	c := vec.NewMatrix(clusters, checkDim)
	for i := range c.Data {
		c.Data[i] = float32(centres.NormFloat64())
	}
	r := rand.New(rand.NewPCG(seed, 3))
	m := vec.NewMatrix(rows, checkDim)
	for i := range rows {
		row := m.Row(i)
		for j, x := range c.Row(r.IntN(clusters)) {
			row[j] = max(0, x+0.4*float32(r.NormFloat64()))
		}
	}
	return m
}

// Size sums the files of a saved index, in bytes.
func Size(path string) (bytes int64, err error) {
	err = filepath.WalkDir(filepath.Join(path, indexDir), func(_ string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err == nil && info.Mode().IsRegular() {
			bytes += info.Size()
		}
		return err
	})
	return bytes, err
}
