package bench

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"annbench/bench/metric"
	"annbench/indexes"
	"annbench/indexes/vec"
)

// closedLoop has workers goroutines ask one query after another for at least the time given, and
// returns how many searches ended in a second. Each worker begins at another query.
func closedLoop(ix indexes.Index, queries vec.Matrix, k, workers int, lasting time.Duration) (qps float64, err error) {
	var stop atomic.Bool
	counts := make([]int64, workers)
	errs := make([]error, workers)
	var all sync.WaitGroup
	runtime.GC()
	start := time.Now()
	timer := time.AfterFunc(lasting, func() { stop.Store(true) })
	defer timer.Stop()
	for w := range workers {
		all.Go(func() {
			found := make([]vec.Neighbor, 0, k)
			q := w * queries.Rows / workers
			var done int64 // apart from the others', which share its cache line at the end only
			for !stop.Load() {
				var err error
				if found, err = ix.Search(found[:0], queries.Row(q), k); err != nil {
					errs[w] = err
					stop.Store(true)
					return
				}
				done++
				if q++; q == queries.Rows {
					q = 0
				}
			}
			counts[w] = done
		})
	}
	all.Wait()
	took := time.Since(start)
	var total int64
	for w, n := range counts {
		if errs[w] != nil {
			return 0, errs[w]
		}
		total += n
	}
	return float64(total) / took.Seconds(), nil
}

// batches gives the index all queries at once, again and again for at least the time given, and
// returns the answers and how many queries were answered in a second.
func batches(ix indexes.BatchSearcher, queries vec.Matrix, k int, lasting time.Duration) (got *answers, qps float64, err error) {
	found, err := ix.SearchBatch(queries, k) // warms up
	if err != nil {
		return nil, 0, err
	}
	if len(found) != queries.Rows {
		return nil, 0, fmt.Errorf("%d answers to a batch of %d queries", len(found), queries.Rows)
	}
	got = newAnswers(queries.Rows, k)
	for q := range found {
		got.set(q, found[q])
	}
	runtime.GC()
	start := time.Now()
	passes := 0
	for passes == 0 || time.Since(start) < lasting {
		if _, err := ix.SearchBatch(queries, k); err != nil {
			return nil, 0, err
		}
		passes++
	}
	return got, float64(passes*queries.Rows) / time.Since(start).Seconds(), nil
}

// The histogram of an open loop: from a nanosecond to an hour, to three digits.
const (
	histogramLowest  = 1
	histogramHighest = int64(time.Hour)
	histogramDigits  = 3
)

// wake is how long before a query is due its worker stops sleeping, and watches the clock instead: a
// sleeping goroutine comes back up to a millisecond late, which would count as the index's latency.
const wake = 2 * time.Millisecond

// patience is how much longer than planned an open loop may go on, as a share: an index that is too
// slow for the rate falls behind without end.
const patience = 1.0

// openLoop has queries arrive at random times, rate of them a second on average (a Poisson process
// drawn from seed), for the time given. Workers goroutines take them in turn; a latency counts from
// when the query was due, so that the wait behind slow ones is in it: nothing is left out because the
// index was busy ("coordinated omission"). What has not been answered when the loop has gone on for
// twice its time counts as waiting until then, and is a warning.
func openLoop(ix indexes.Index, queries vec.Matrix, k, workers int, rate float64, lasting time.Duration, seed uint64) (map[string]float64, []string, error) {
	due := arrivals(rate, lasting, seed)
	var next atomic.Int64
	var stop atomic.Bool
	histograms := make([]*hdrhistogram.Histogram, workers)
	errs := make([]error, workers)
	for w := range histograms {
		histograms[w] = hdrhistogram.New(histogramLowest, histogramHighest, histogramDigits)
	}
	runtime.GC()
	var all sync.WaitGroup
	start := time.Now()
	latest := lasting + time.Duration(patience*float64(lasting))
	for w := range workers {
		all.Go(func() {
			found := make([]vec.Neighbor, 0, k)
			for !stop.Load() {
				i := next.Add(1) - 1
				if i >= int64(len(due)) {
					return
				}
				for {
					left := due[i] - time.Since(start)
					if left <= 0 {
						break
					}
					if left > wake {
						time.Sleep(left - wake)
					}
				}
				if time.Since(start) > latest {
					next.Add(-1) // it is left to those who count what was not answered
					stop.Store(true)
					return
				}
				var err error
				if found, err = ix.Search(found[:0], queries.Row(int(i)%queries.Rows), k); err != nil {
					errs[w] = err
					stop.Store(true)
					return
				}
				if err := histograms[w].RecordValue(max(histogramLowest, int64(time.Since(start)-due[i]))); err != nil {
					errs[w] = err
					return
				}
			}
		})
	}
	all.Wait()
	took := time.Since(start)
	for _, err := range errs {
		if err != nil {
			return nil, nil, err
		}
	}
	whole := histograms[0]
	for _, h := range histograms[1:] {
		whole.Merge(h)
	}
	answered := whole.TotalCount()
	values := map[string]float64{metric.QPS: float64(answered) / max(took, lasting).Seconds()}
	var warnings []string
	if waiting := int64(len(due)) - answered; waiting > 0 {
		warnings = append(warnings, fmt.Sprintf("it cannot keep up with %v queries a second on %d threads: %d of %d were not answered after %v, and count as waiting until then",
			rate, workers, waiting, len(due), took.Round(time.Millisecond)))
		for _, d := range due[answered:] {
			if err := whole.RecordValue(max(histogramLowest, int64(took-d))); err != nil {
				return nil, nil, err
			}
		}
	}
	values[metric.Mean] = whole.Mean() / 1e9
	for _, at := range percentiles {
		values[at.name] = float64(whole.ValueAtPercentile(100*at.share)) / 1e9
	}
	return values, warnings, nil
}

// arrivals draws when queries are due: a Poisson process of rate a second, for the time given, with
// at least one arrival.
func arrivals(rate float64, lasting time.Duration, seed uint64) []time.Duration {
	r := rand.New(rand.NewPCG(seed, 0x6172726976616c))
	var due []time.Duration
	at := 0.0
	for {
		at += r.ExpFloat64() / rate
		if at >= lasting.Seconds() && len(due) > 0 {
			return due
		}
		due = append(due, time.Duration(at*float64(time.Second)))
	}
}
