package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"annbench/bench/dataset"
	"annbench/bench/dataset/attributes"
	"annbench/bench/filter"
	"annbench/bench/metric"
	"annbench/bench/sweepfile"
	"annbench/indexes"
	"annbench/indexes/vec"
)

// Among is a search under a filter, as part of a [Point]. The zero value is a search of all vectors.
type Among struct {
	Filter filter.Filter `json:"filter,omitzero"`
	Way    string        `json:"way,omitempty"` // one of [filter.Ways]
	// Factor says how many the index is asked for, under [filter.After]: so many times k over the share that passes. 1 would
	// do if what passes were spread evenly.
	Factor float64 `json:"factor,omitempty"`
}

// filtered lists the searches under filters that a sweep asks for of one family, besides those of all vectors. scans says
// that the way before is measured on it: what passes is compared in the same way whatever the family, so once is enough.
func filtered(s *sweepfile.Sweep, f *indexes.Family, scans bool) []Among {
	var out []Among
	for _, fs := range s.Filters {
		ways := slices.Clone([]string(fs.Ways))
		if len(ways) == 0 {
			if f.Filters {
				ways = append(ways, filter.Inside)
			}
			ways = append(ways, filter.After, filter.Before)
		}
		if !scans {
			ways = slices.DeleteFunc(ways, func(way string) bool { return way == filter.Before })
		}
		for _, one := range fs.Each() {
			for _, way := range ways {
				if way != filter.After {
					out = append(out, Among{Filter: one, Way: way})
					continue
				}
				for _, factor := range fs.Factors() {
					out = append(out, Among{Filter: one, Way: way, Factor: factor})
				}
			}
		}
	}
	return out
}

// scannable reports whether the way before can be measured on a family: on any whose indexes are in this process.
func scannable(f *indexes.Family) bool { return f.Remote == nil && f.Folder == "" }

// anyLocal reports whether a sweep has such a family.
func anyLocal(s *sweepfile.Sweep) (bool, error) {
	for _, fs := range s.Families {
		f, err := lookup(fs.Family)
		if err != nil {
			return false, err
		}
		if scannable(f) {
			return true, nil
		}
	}
	return false, nil
}

// allFilters lists the filters of a sweep, each once.
func allFilters(s *sweepfile.Sweep) []filter.Filter {
	var out []filter.Filter
	seen := map[filter.Filter]bool{}
	for _, fs := range s.Filters {
		for _, f := range fs.Each() {
			if !seen[f] {
				seen[f] = true
				out = append(out, f)
			}
		}
	}
	return out
}

// unfiltered says why a family cannot search in this way, or nothing if it can.
func unfiltered(f *indexes.Family, a Among) string {
	switch {
	case a.Way == filter.Inside && !f.Filters:
		return "the family has no search that looks at a filter: its ways are after and before"
	case a.Way == filter.Before && !scannable(f):
		return "what passes is compared in this process, and the family is in another: measure the way before on a family of this process"
	}
	return ""
}

// prepareFilters finds who passes, and the exact neighbours among them, as part of finding the truth.
func (w *worker) prepareFilters(ctx context.Context) error {
	if len(w.Filters) == 0 {
		return nil
	}
	return filter.Prepare(ctx, w.set, w.Metric, w.Filters, w.Seed, w.MaxK, w.Threads, func(done int) {
		_ = w.out.Encode(reply{Progress: float64(done) / float64(w.set.Queries.Rows)})
	})
}

// filtering is what a worker has of filters.
type filtering struct {
	kept     map[filter.Filter]bool // by the index, with its vectors
	prepared map[filter.Filter]*filter.Prepared
	ranker   *vec.Ranker // of the way before
}

// prepared is the filter of p, mapped; the worker closes it.
func (w *worker) prepared(f filter.Filter) (*filter.Prepared, error) {
	if p, ok := w.filtering.prepared[f]; ok {
		return p, nil
	}
	p, err := filter.Open(w.set, w.Metric, f, w.FilterSeed, w.MaxK)
	if err != nil {
		return nil, err
	}
	if w.filtering.prepared == nil {
		w.filtering.prepared = map[filter.Filter]*filter.Prepared{}
	}
	w.filtering.prepared[f] = p
	return p, nil
}

func (w *worker) closeFilters() error {
	var errs []error
	for _, p := range w.filtering.prepared {
		errs = append(errs, p.Close())
	}
	return errors.Join(errs...)
}

// keepSets has an index keep the sets of the filter of p, and of those of all points that it does not keep yet: each time it
// writes all of its vectors anew.
func (w *worker) keepSets(ctx context.Context, keeper indexes.SetKeeper, p Point) error {
	var sets []*vec.Set
	var now []filter.Filter
	for _, one := range append([]Point{p}, w.Points...) {
		f := one.Among.Filter
		if one.Way != filter.Inside || w.filtering.kept[f] || slices.Contains(now, f) {
			continue
		}
		prepared, err := w.prepared(f)
		if err != nil {
			return err
		}
		now = append(now, f)
		for q := range w.set.Queries.Rows {
			if set := prepared.Set(q); len(sets) == 0 || sets[len(sets)-1] != set {
				sets = append(sets, set)
			}
		}
	}
	if err := keeper.KeepSets(ctx, sets); err != nil {
		return err
	}
	if w.filtering.kept == nil {
		w.filtering.kept = map[filter.Filter]bool{}
	}
	for _, f := range now {
		w.filtering.kept[f] = true
	}
	return nil
}

// view is ix as it is searched at p: ix itself where there is no filter.
func (w *worker) view(ctx context.Context, ix indexes.Index, p Point) (indexes.Index, error) {
	if p.Way == "" {
		return ix, nil
	}
	prepared, err := w.prepared(p.Among.Filter)
	if err != nil {
		return nil, err
	}
	if timed, ok := ix.(timedIndex); ok {
		return &amongTimed{timedIndex: timed, prepared: prepared, factor: p.Factor, rows: w.set.Base.Rows}, nil
	}
	a := &among{Index: ix, prepared: prepared, way: p.Way, factor: p.Factor, rows: w.set.Base.Rows}
	switch p.Way {
	case filter.Inside:
		var ok bool
		if a.filterer, ok = ix.(indexes.Filterer); !ok {
			return nil, errors.New("the index has no search that looks at a filter")
		}
		if keeper, ok := ix.(indexes.SetKeeper); ok && !w.filtering.kept[p.Among.Filter] {
			if err := w.keepSets(ctx, keeper, p); err != nil {
				return nil, err
			}
		}
	case filter.Before:
		if w.filtering.ranker == nil {
			w.filtering.ranker = vec.NewRanker(w.set.Base, w.Metric)
		}
		a.ranker, a.unit = w.filtering.ranker, make([]float32, w.set.Base.Dim)
	}
	return a, nil
}

// fetch is how many an index of so many rows is asked for, so that k of those that pass are among them.
func fetch(k int, factor float64, rows int, passing int) int {
	if passing == 0 {
		return 1
	}
	return min(rows, int(math.Ceil(factor*float64(k)*float64(rows)/float64(passing))))
}

// among is an index under a filter. The caller says which query comes next, since each may have a filter of its own. One
// goroutine at a time may search it.
type among struct {
	indexes.Index
	filterer indexes.Filterer
	prepared *filter.Prepared
	way      string
	factor   float64
	rows     int

	ranker *vec.Ranker
	unit   []float32
	top    vec.TopK
	scan   vec.Scan

	set   *vec.Set
	found []vec.Neighbor
}

// at says that query q comes next.
func (a *among) at(q int) { a.set = a.prepared.Set(q) }

func (a *among) Search(dst []vec.Neighbor, q []float32, k int) ([]vec.Neighbor, error) {
	switch a.way {
	case filter.Inside:
		return a.filterer.SearchAmong(dst, q, k, a.set)
	case filter.Before:
		query := a.ranker.Query(q, a.unit)
		a.top.Reset(min(k, a.set.Len()))
		a.scan.Among(&query, a.set, &a.top)
		return a.top.AppendTo(dst), nil
	}
	var err error
	a.found, err = a.Index.Search(a.found[:0], q, fetch(k, a.factor, a.rows, a.set.Len()))
	if err != nil {
		return dst, err
	}
	for _, n := range a.found {
		if k == 0 {
			break
		}
		if a.set.Has(n.ID) {
			dst = append(dst, n)
			k--
		}
	}
	return dst, nil
}

// amongTimed is an index in another process that keeps its own clock, under a filter: it is asked for more, and what does
// not pass is dropped here, off its clock.
type amongTimed struct {
	timedIndex
	prepared *filter.Prepared
	factor   float64
	rows     int
}

func (a *amongTimed) SearchTimed(b *indexes.Block, queries vec.Matrix, first, count, k int, batch bool) error {
	most := 1
	for q := first; q < first+count; q++ {
		most = max(most, fetch(k, a.factor, a.rows, a.prepared.Set(q).Len()))
	}
	if err := a.timedIndex.SearchTimed(b, queries, first, count, most, batch); err != nil {
		return err
	}
	kept := make([]int32, count*k)
	for i := range kept {
		kept[i] = -1
	}
	for i := range count {
		set, at := a.prepared.Set(first+i), i*k
		for _, id := range b.Of(i) {
			if at == (i+1)*k {
				break
			}
			if set.Has(id) {
				kept[at] = id
				at++
			}
		}
	}
	b.K, b.IDs = k, kept
	return nil
}

// scoreAmong scores what was answered under a filter.
func (w *worker) scoreAmong(p Point, all [][]int32) (*metric.Scores, error) {
	prepared, err := w.prepared(p.Among.Filter)
	if err != nil {
		return nil, err
	}
	return metric.ScoreAmong(metric.AmongInput{
		Metric: w.Metric, K: p.K, Base: w.set.Base, Queries: w.set.Queries, Answers: all,
		Among: prepared.Set, Counts: prepared.Counts, Truth: prepared.Truth,
		Labels: w.set.Labels, BaseLabels: w.set.BaseLabels, QueryLabels: w.set.QueryLabels,
		Self: selves(w.set), Forbidden: "does not pass the filter",
	})
}

// CheckAsked reports what a sweep asks for and the data set cannot have: transforms, filters and runbooks.
func CheckAsked(s *sweepfile.Sweep, set *dataset.Set) error {
	return errors.Join(s.CheckTransforms(set.Base.Rows, set.Base.Dim), checkFilters(s, set), checkChurn(s, set))
}

// checkFilters reports filters that the data set cannot have, before anything is measured.
func checkFilters(s *sweepfile.Sweep, set *dataset.Set) error {
	for i, fs := range s.Filters {
		if fs.CSR == "" {
			continue
		}
		if err := filter.CheckCSR(set, fs.CSR, fs.CSRQueries); err != nil {
			return s.Misfit("filters", i, "csr", err)
		}
	}
	return CheckWhere(s, set.BaseAttributes(), set.Base.Rows, "the data set")
}

// CheckWhere reports the first expression of a sweep's filters that a table of the attributes of so many vectors cannot
// have, or that none of them passes. The table is nil where there are no attributes; from says where they come from.
func CheckWhere(s *sweepfile.Sweep, table *attributes.Table, rows int, from string) error {
	for i, fs := range s.Filters {
		if fs.Where == "" {
			continue
		}
		if err := checkWhere(fs.Where, table, rows, from); err != nil {
			return s.Misfit("filters", i, "where", err)
		}
	}
	return nil
}

func checkWhere(where string, table *attributes.Table, rows int, from string) error {
	e, err := filter.Parse(where)
	if err != nil {
		return err
	}
	if table == nil {
		return errors.New("the data set has no attributes: give a file of them under data: {attributes: FILE}")
	}
	passing, err := e.Rows(table)
	if err != nil {
		return fmt.Errorf("among the attributes of %s (%s): %w", from, firstOf(table.Names()), err)
	}
	if passing.Len() == 0 {
		return fmt.Errorf("filter %s: none of the %d vectors passes", filter.Filter{Where: where}, rows)
	}
	return nil
}

// firstOf lists names, at most twenty of them.
func firstOf(names []string) string {
	const most = 20
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}
