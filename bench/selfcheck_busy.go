package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"gonum.org/v1/gonum/stat"

	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/bench/sweepfile"
	"annbench/indexes"
)

// The bounds of [SelfCheckBusy], and what it measures.
const (
	leastHeld  = 0.93 // of comparisons of a setting with itself that are ties
	leastFound = 0.90 // of comparisons of two settings that differ, and of orders
	busyFor    = 75 * time.Second
	busyCopies = 2
	busyReps   = 3  // of an experiment, as in a sweep
	busyLeast  = 6  // repetitions, of which experiments are drawn
	busyRounds = 60 // of a repetition
	busyRows   = 2000
	busyDim    = 64
	busyDraws  = 1000 // experiments
)

// SelfCheckBusy checks that the harness tells settings apart, and no setting from itself, on a machine that
// is busy: it loads every core for 75 s and measures exact search, a forest and a graph with two settings meanwhile,
// each by two processes with builds of their own. Then it draws three of the repetitions again and again, as many as
// a sweep has, and compares as reports do: by paired rounds, and with what all settings know of the noise
// ([metric.PriorOf]). A setting is compared with itself between its two processes, not within one, as two results
// are: processes differ by some percent as long as they live. worker is as in [Run].
func SelfCheckBusy(ctx context.Context, worker []string) ([]Finding, error) {
	dir, err := os.MkdirTemp("", "annbench-selfcheck-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	const queries = 300
	set, err := splitRandom(ctx, dir, busyRows+queries, busyDim, queries)
	if err != nil {
		return nil, err
	}
	graph, setting := "hnsw-faiss", "efSearch"
	if f, err := indexes.Lookup(graph); err != nil || f.Missing != "" {
		graph, setting = "hnsw", "ef"
	}
	sweep, err := sweepfile.Parse("selfcheck.yaml", fmt.Appendf(nil,
		"data: {rendered: {boards: 1}}\nmetric: l2\nrepetitions: 1000\nk: [10]\nmeasure: 1ms\ngallery: -1\nfamilies: [{family: flat}, {family: forest}, {family: %s, search: {%s: [32, 54]}}]\n", graph, setting))
	if err != nil {
		return nil, err
	}
	var records []*record.Record
	run := &Run{
		Sweep: sweep, Set: set, Out: filepath.Join(dir, "results"), Worker: worker, Log: slog.New(slog.DiscardHandler),
		copies: busyCopies, plays: busyRounds, observe: func(r *record.Record) { records = append(records, r) },
	}
	hogged, rest := context.WithTimeout(ctx, busyFor)
	defer rest()
	for range runtime.NumCPU() {
		p := &process{command: worker, timeout: busyFor + time.Minute, log: run.Log}
		hog, err := p.start(hogged, order{Do: doHog, Threads: 1}, nil)
		if err != nil {
			return nil, err
		}
		defer func() {
			rest()
			_ = hog.wait() // it was killed
		}()
	}
	if _, err := run.Do(hogged); err != nil && (ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded)) {
		return nil, err
	}
	return judgeBusy(records)
}

// busyPair is a setting that was measured by two workers.
type busyPair struct {
	name string
	of   [busyCopies]map[int]*record.Record // by repetition
}

// typical is the processor time of a search.
func (p *busyPair) typical() float64 {
	var all []float64
	for _, r := range p.of[0] {
		all = append(all, r.Rounds.CPU...)
	}
	return metric.Median(all)
}

// judgeBusy looks at the records of settings that were measured by two workers each. Of the last repetition, which
// was cut off, some are missing: it does not count.
func judgeBusy(records []*record.Record) ([]Finding, error) {
	var pairs []*busyPair
	for _, r := range records {
		if r.Status != record.OK || r.Rounds == nil || len(r.Rounds.CPU) == 0 {
			return nil, fmt.Errorf("measuring %s: %s", r.Cell.Family, r.Error)
		}
		name := strings.TrimSpace(r.Cell.Family + " " + r.Cell.Search)
		at := slices.IndexFunc(pairs, func(p *busyPair) bool { return p.name == name })
		if at < 0 {
			at = len(pairs)
			pairs = append(pairs, &busyPair{name: name, of: [busyCopies]map[int]*record.Record{{}, {}}})
		}
		to := pairs[at].of[0]
		if to[r.Rep] != nil {
			to = pairs[at].of[1]
		}
		to[r.Rep] = r
	}
	reps := 0
	for len(pairs) > 0 && !slices.ContainsFunc(pairs, func(p *busyPair) bool { return p.of[0][reps] == nil || p.of[1][reps] == nil }) {
		reps++
	}
	if reps < busyLeast {
		return nil, fmt.Errorf("in %v only %d repetitions were measured, and it takes %d: the machine has too little left: stop other programs, or raise the priority: sudo nice -n -10 annbench selfcheck --busy", busyFor, reps, busyLeast)
	}
	slices.SortFunc(pairs, func(a, b *busyPair) int { return cmp.Compare(a.typical(), b.typical()) })
	var graph []*busyPair // the two settings of the graph, the faster first
	for _, p := range pairs {
		if strings.Contains(p.name, "=32") || strings.Contains(p.name, "=54") {
			graph = append(graph, p)
		}
	}
	if len(graph) != 2 {
		return nil, errors.New("the two settings of the graph were not measured")
	}

	rng := rand.New(rand.NewPCG(19, uint64(reps)))
	same, found, ordered := 0, 0, 0
	var factors []float64
	for range busyDraws {
		drawn := rng.Perm(reps)[:busyReps]
		part := func(p *busyPair, copied int) (out []metric.Observation) {
			for _, rep := range drawn {
				r := p.of[copied][rep]
				out = append(out, metric.Observation{Value: metric.Median(r.Rounds.CPU), At: r.Rounds.At, Rounds: r.Rounds.CPU})
			}
			return out
		}
		var all [][]metric.Observation
		for _, p := range pairs {
			all = append(all, part(p, 0), part(p, 1))
		}
		var scatter []float64
		for i := 1; i < len(all); i++ {
			if d, ok := metric.RoundDifferences(all[i-1], all[i], metric.Logarithmic); ok {
				scatter = append(scatter, stat.Variance(d, nil))
			}
		}
		known := metric.PriorOf(scatter, busyReps-1)
		compare := func(a, b []metric.Observation) metric.Comparison {
			return metric.CompareWith(a, b, metric.Logarithmic, true, known)
		}
		right := true
		for i := range pairs {
			if compare(all[2*i], all[2*i+1]).Tied {
				same++
			}
			if i > 0 {
				right = right && compare(all[2*i-2], all[2*i]).Lo <= 1
			}
		}
		d := compare(part(graph[1], 0), part(graph[0], 1))
		factors = append(factors, d.Difference)
		if d.Lo > 1 {
			found++
		}
		if right {
			ordered++
		}
	}
	var values []map[string]float64
	for _, r := range records {
		values = append(values, r.Values)
	}
	share, _ := metric.ShareOnCPU(values)
	finding := func(what string, n, of int, least float64) Finding {
		share := float64(n) / float64(of)
		return Finding{
			What:  fmt.Sprintf("beside loads, experiments of %d out of %d repetitions: %s", busyReps, reps, what),
			Found: fmt.Sprintf("%.1f %%", 100*share), Bound: fmt.Sprintf("at least %.0f %%", 100*least), OK: share >= least,
		}
	}
	return []Finding{
		finding(fmt.Sprintf("none of %d settings in the wrong order", len(pairs)), ordered, busyDraws, leastFound),
		finding("a setting ties with itself in another process", same, busyDraws*len(pairs), leastHeld),
		finding(fmt.Sprintf("a factor of %.2f is found (%.0f %% of the time on the processor)", metric.Median(factors), 100*share), found, busyDraws, leastFound),
	}, nil
}
