package bench

import (
	"fmt"
	"math"
	"slices"
	"time"

	"annbench/bench/metric"
	"annbench/bench/record"
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

// most bounds the samples that are kept of one cell, 12 bytes each.
const most = 4_000_000

// block is what the clocks said of a block of searches. Its slice is used again.
type block struct {
	times     []float64 // seconds of each search
	wall, cpu float64   // seconds of all of them; cpu is of all threads, 0 where nobody knows it
}

// timing is what the clocks said about one cell, block after block.
type timing struct {
	samples []float64 // seconds of each search
	query   []int32   // likewise, which was asked
	sum     []float64 // of the samples, by query
	count   []int     // likewise
	first   []float64 // the first sample of each query
	rounds  []round
	wall    float64 // seconds of all blocks
	cpu     float64
}

// round is what a timing has of one round.
type round struct {
	at   int // its number
	from int // place of its first sample
	cpu  float64
}

func newTiming(queries int) *timing {
	return &timing{sum: make([]float64, queries), count: make([]int, queries), first: make([]float64, queries)}
}

// add takes the figures of b, of the queries from first on, in the round numbered at.
func (t *timing) add(b *block, at, first int) {
	if n := len(t.rounds); n == 0 || t.rounds[n-1].at != at {
		t.rounds = append(t.rounds, round{at: at, from: len(t.samples)})
	}
	t.rounds[len(t.rounds)-1].cpu += b.cpu
	t.wall += b.wall
	t.cpu += b.cpu
	for i, s := range b.times {
		q := (first + i) % len(t.sum)
		if t.count[q] == 0 {
			t.first[q] = s
		}
		t.sum[q] += s
		t.count[q]++
		t.query = append(t.query, int32(q))
	}
	t.samples = append(t.samples, b.times...)
}

// answerAll asks every query once and keeps the answers. It is what a cell is scored by, and the
// warm-up of what is timed after it.
func answerAll(ix indexes.Index, queries vec.Matrix, k int) (*answers, time.Duration, error) {
	if timed, ok := ix.(indexes.Timed); ok {
		return timedAnswers(timed, queries, k)
	}
	got := newAnswers(queries.Rows, k)
	found := make([]vec.Neighbor, 0, k)
	next := nextOf(ix)
	start := time.Now()
	for q := range queries.Rows {
		var err error
		next(q)
		if found, err = ix.Search(found[:0], queries.Row(q), k); err != nil {
			return nil, 0, fmt.Errorf("searching for query %d: %w", q, err)
		}
		got.set(q, found)
	}
	return got, time.Since(start), nil
}

// nextOf tells ix which query comes next, where it wants to know: outside of the clocks of the searches.
func nextOf(ix indexes.Index) func(q int) {
	if among, ok := ix.(*among); ok {
		return among.at
	}
	return func(int) {}
}

// timeBlock asks count queries from first on, one at a time on this goroutine, beginning again after the
// last one, with a clock around every search and, where withCPU, the processor's around them all.
//
// Nothing is allocated between the first reading of a clock and the last but what the index
// allocates itself.
func timeBlock(ix indexes.Index, queries vec.Matrix, first, count, k int, withCPU bool, b *block) error {
	b.times = slices.Grow(b.times[:0], count)
	b.cpu = 0
	found := make([]vec.Neighbor, 0, k)
	var err error
	var cpu float64
	if withCPU {
		cpu = processorTime()
	}
	next := nextOf(ix)
	begun := time.Now()
	for i := range count {
		row := queries.Row((first + i) % queries.Rows)
		next((first + i) % queries.Rows)
		start := time.Now()
		found, err = ix.Search(found[:0], row, k)
		took := time.Since(start)
		if err != nil {
			return fmt.Errorf("searching for query %d: %w", (first+i)%queries.Rows, err)
		}
		b.times = append(b.times, took.Seconds())
	}
	b.wall = time.Since(begun).Seconds()
	if withCPU {
		b.cpu = processorTime() - cpu
	}
	return nil
}

// values names what t says, with the standard errors over the queries; that of the processor time is over
// the rounds, each of which has other queries than the one before.
func (t *timing) values() (values, spread map[string]float64, rounds *record.Rounds) {
	if len(t.samples) == 0 {
		return nil, nil, nil
	}
	var byQuery []float64
	for q, n := range t.count {
		if n > 0 {
			byQuery = append(byQuery, t.sum[q]/float64(n))
		}
	}
	sorted := slices.Sorted(slices.Values(t.samples))
	mean := metric.Average(t.samples)
	values = map[string]float64{
		metric.Mean: mean, metric.QPS: 1 / mean,
		metric.Samples: float64(len(t.samples)), metric.Passes: float64(len(t.samples)) / float64(len(t.count)),
	}
	spread = map[string]float64{metric.Mean: metric.StandardError(byQuery)}
	spread[metric.QPS] = spread[metric.Mean] / (mean * mean)
	rounds = &record.Rounds{Chance: map[string]float64{}}
	for _, at := range percentiles {
		x := metric.Percentile(sorted, at.share)
		effect, chance := metric.ClusterShare(t.above(x), t.count)
		values[at.name] = x
		spread[at.name] = metric.PercentileError(sorted, at.share, math.Sqrt(effect*at.share*(1-at.share)/float64(len(byQuery))))
		if chance > 0 {
			rounds.Chance[at.name] = chance
		}
	}
	for i, r := range t.rounds {
		to := len(t.samples)
		if i+1 < len(t.rounds) {
			to = t.rounds[i+1].from
		}
		own := t.samples[r.from:to]
		rounds.At = append(rounds.At, r.at)
		rounds.Wall = append(rounds.Wall, metric.Average(own))
		rounds.P50 = append(rounds.P50, metric.Median(own))
		if t.cpu > 0 {
			rounds.CPU = append(rounds.CPU, r.cpu/float64(len(own)))
		}
	}
	if t.cpu > 0 {
		values[metric.CPU] = metric.Median(rounds.CPU)
		spread[metric.CPU] = metric.StandardError(rounds.CPU)
		values[metric.OnCPU] = t.cpu / t.wall
	}
	return values, spread, rounds
}

// above counts the samples of each query that are above x.
func (t *timing) above(x float64) []int {
	hits := make([]int, len(t.count))
	for i, s := range t.samples {
		if s > x {
			hits[t.query[i]]++
		}
	}
	return hits
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
	var means []float64
	var b block
	for range 20 {
		// At least 1,000 searches, so that a reading of the clock is not all there is to it.
		if err := timeBlock(nothing{}, queries, 0, max(1000, queries.Rows), 1, false, &b); err != nil {
			return 0, err
		}
		means = append(means, metric.Average(b.times))
	}
	return metric.Median(means), nil
}
