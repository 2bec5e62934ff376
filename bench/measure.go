package bench

import (
	"fmt"
	"runtime"
	"slices"
	"time"

	"annbench/bench/metric"
	"annbench/indexes"
	"annbench/indexes/vec"
)

// answers are the ids that each query was given, k places for each.
type answers struct {
	k      int
	ids    []int32
	counts []int32
}

func newAnswers(queries, k int) *answers {
	return &answers{k: k, ids: make([]int32, queries*k), counts: make([]int32, queries)}
}

func (a *answers) set(q int, found []vec.Neighbor) {
	n := min(len(found), a.k)
	for i, f := range found[:n] {
		a.ids[q*a.k+i] = f.ID
	}
	a.counts[q] = int32(n)
}

func (a *answers) of(q int) []int32 { return a.ids[q*a.k : q*a.k+int(a.counts[q])] }

func (a *answers) all() [][]int32 {
	out := make([][]int32, len(a.counts))
	for q := range out {
		out[q] = a.of(q)
	}
	return out
}

// most bounds the samples that are kept of one cell, 8 bytes each.
const most = 4_000_000

// timing is what the clock said about one cell.
type timing struct {
	samples []float64 // seconds of each search, pass after pass over all queries
	queries int
	qps     float64
}

// answerAll asks every query once and keeps the answers. It is what a cell is scored by, and the
// warm-up of what is timed after it.
func answerAll(ix indexes.Index, queries vec.Matrix, k int) (*answers, time.Duration, error) {
	if timed, ok := ix.(indexes.Timed); ok {
		return timedAnswers(timed, queries, k)
	}
	got := newAnswers(queries.Rows, k)
	found := make([]vec.Neighbor, 0, k)
	start := time.Now()
	for q := range queries.Rows {
		var err error
		if found, err = ix.Search(found[:0], queries.Row(q), k); err != nil {
			return nil, 0, fmt.Errorf("searching for query %d: %w", q, err)
		}
		got.set(q, found)
	}
	return got, time.Since(start), nil
}

// timeSearches asks all queries again and again, one at a time on this goroutine: first with a clock
// around every search, then with one around each whole pass, each for at least atLeast and at least
// one pass. warm is how long a pass is expected to take.
//
// Nothing is allocated between the first reading of a clock and the last but what the index
// allocates itself.
func timeSearches(ix indexes.Index, queries vec.Matrix, k int, warm, atLeast time.Duration) (timing, error) {
	passes := int(atLeast/max(warm, time.Microsecond)) + 1
	passes = max(1, min(passes, most/queries.Rows))
	t := timing{samples: make([]float64, 0, passes*queries.Rows), queries: queries.Rows}
	found := make([]vec.Neighbor, 0, k)
	var err error

	runtime.GC()
	for range passes {
		for q := range queries.Rows {
			row := queries.Row(q)
			start := time.Now()
			found, err = ix.Search(found[:0], row, k)
			took := time.Since(start)
			if err != nil {
				return t, err
			}
			t.samples = append(t.samples, took.Seconds())
		}
	}

	runtime.GC()
	start := time.Now()
	for range passes {
		for q := range queries.Rows {
			if found, err = ix.Search(found[:0], queries.Row(q), k); err != nil {
				return t, err
			}
		}
	}
	t.qps = float64(passes*queries.Rows) / time.Since(start).Seconds()
	return t, nil
}

// first are the times of the first pass, a query each.
func (t *timing) first() []float64 { return t.samples[:min(t.queries, len(t.samples))] }

// values names what t says, with the standard errors over the queries.
func (t *timing) values() (values, spread map[string]float64) {
	if len(t.samples) == 0 {
		return nil, nil
	}
	byQuery := make([]float64, t.queries)
	for i, s := range t.samples {
		byQuery[i%t.queries] += s
	}
	passes := float64(len(t.samples) / t.queries)
	for i := range byQuery {
		byQuery[i] /= passes
	}
	sorted := slices.Sorted(slices.Values(t.samples))
	mean := metric.Average(t.samples)
	values = map[string]float64{metric.Mean: mean, metric.QPS: t.qps}
	spread = map[string]float64{metric.Mean: metric.StandardError(byQuery)}
	spread[metric.QPS] = t.qps * spread[metric.Mean] / mean
	for _, at := range percentiles {
		values[at.name] = metric.Percentile(sorted, at.share)
		spread[at.name] = metric.PercentileError(sorted, at.share, t.queries)
	}
	return values, spread
}

// percentiles are those of latencies that are kept.
var percentiles = []struct {
	name  string
	share float64
}{
	{metric.P50, 0.50},
	{metric.P90, 0.90},
	{metric.P99, 0.99},
	{metric.P999, 0.999},
}

// nothing is an index that answers at once with nothing.
type nothing struct{}

func (nothing) Search(dst []vec.Neighbor, _ []float32, _ int) ([]vec.Neighbor, error) {
	return dst, nil
}
func (nothing) Close() error { return nil }

// overhead is what the harness adds to each latency: the median over passes of the mean latency of an
// index that does nothing, in seconds.
func overhead(queries vec.Matrix) (float64, error) {
	// A pass of at least 1,000 searches, so that a reading of the clock is not all there is to it.
	passes := max(1, 1000/queries.Rows)
	var means []float64
	for range 20 {
		t, err := timeSearches(nothing{}, queries, 1, time.Millisecond, time.Duration(passes)*time.Millisecond-1)
		if err != nil {
			return 0, err
		}
		means = append(means, metric.Average(t.samples))
	}
	return metric.Median(means), nil
}
