package bench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"

	"annbench/bench/dataset"
	"annbench/bench/dataset/collection"
	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/bench/sweepfile"
	"annbench/indexes"
	"annbench/indexes/vec"
)

// Finding is what one check of the harness found on this machine.
type Finding struct {
	What  string // what was checked
	Found string // with its unit
	Bound string // what it must be
	OK    bool
	Note  string // why it could not be checked, or nothing
}

// The bounds of [SelfCheck].
const (
	mostOverhead   = 150e-9 // seconds a query
	mostFlatOff    = 0.02   // of the vectors' bytes
	leastOfSgemm   = 0.85   // of the speed of a matrix product
	leastCoverage  = 0.93   // of intervals of 95 %
	mostCoverage   = 0.97   //
	coverageTrials = 1000   //
)

// SelfCheck measures the harness instead of an index: what it adds to a latency, whether its timed loop
// allocates, whether the memory that it reads for an index of known size is that size, how fast the
// exact neighbours are found, and whether intervals hold the truth as often as they claim. worker is
// as in [Run]. It takes half a minute. busy is [SelfCheckBusy] instead.
func SelfCheck(ctx context.Context, worker []string, busy bool) ([]Finding, error) {
	if busy {
		return SelfCheckBusy(ctx, worker)
	}
	var found []Finding
	for _, check := range []func(context.Context, []string) (Finding, error){
		checkOverhead, checkAllocations, checkFlatMemory, checkExact, checkCoverage,
	} {
		f, err := check(ctx, worker)
		if err != nil {
			return found, err
		}
		found = append(found, f)
	}
	return found, nil
}

func checkOverhead(context.Context, []string) (Finding, error) {
	seconds, err := overhead(randomMatrix(1000, 16, 1))
	return Finding{
		What:  "what the harness adds to a latency (an index that does nothing)",
		Found: fmt.Sprintf("%.0f ns", seconds*1e9), Bound: fmt.Sprintf("at most %.0f ns", mostOverhead*1e9),
		OK: seconds <= mostOverhead,
	}, err
}

func checkAllocations(context.Context, []string) (Finding, error) {
	queries := randomMatrix(1000, 16, 1)
	const passes = 100
	one, err := allocationsOf(nothing{}, queries, 1)
	if err != nil {
		return Finding{}, err
	}
	many, err := allocationsOf(nothing{}, queries, passes)
	each := max(0, many-one) / float64((passes-1)*queries.Rows)
	return Finding{
		What:  "allocations in the timed loop, a query",
		Found: fmt.Sprintf("%.4f", each), Bound: "0", OK: each < 0.001,
	}, err
}

// allocationsOf counts those of a timing of so many passes: the least of several, as the runtime has
// some of its own.
func allocationsOf(ix indexes.Index, queries vec.Matrix, passes int) (least float64, err error) {
	var b block
	for i := range 5 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if err := timeBlock(ix, queries, 0, passes*queries.Rows, 10, true, &b); err != nil {
			return 0, err
		}
		runtime.ReadMemStats(&after)
		if n := float64(after.Mallocs - before.Mallocs); i == 0 || n < least {
			least = n
		}
	}
	return least, nil
}

// checkFlatMemory measures the exact index, which is the vectors and nothing more, as a sweep would.
func checkFlatMemory(ctx context.Context, worker []string) (Finding, error) {
	const rows, dim = 50_000, 256
	f := Finding{
		What:  fmt.Sprintf("resident memory of flat over n·d·4 bytes (%d × %d)", rows, dim),
		Bound: fmt.Sprintf("within %.0f %%", 100*mostFlatOff),
	}
	dir, err := os.MkdirTemp("", "annbench-selfcheck-")
	if err != nil {
		return f, err
	}
	defer os.RemoveAll(dir)
	const queries = 20
	set, err := splitRandom(ctx, dir, rows+queries, dim, queries)
	if err != nil {
		return f, err
	}
	sweep, err := sweepfile.Parse("selfcheck.yaml", []byte("data: {rendered: {boards: 1}}\nmetric: l2\nrepetitions: 1\nmeasure: 1ms\ngallery: -1\nfamilies: [{family: flat}]\n"))
	if err != nil {
		return f, err
	}
	run := &Run{Sweep: sweep, Set: set, Out: filepath.Join(dir, "results"), Worker: worker, Log: slog.New(slog.DiscardHandler)}
	if _, err := run.Do(ctx); err != nil {
		return f, err
	}
	records, _, err := record.Read(filepath.Join(run.Out, record.RecordsFile))
	if err != nil {
		return f, err
	}
	if len(records) != 1 || records[0].Status != record.OK {
		return f, errors.New("measuring flat: it has no record, or a failed one")
	}
	resident, ok := records[0].Values[metric.Resident]
	if !ok {
		f.Note = "this system does not tell the memory of a process"
		return f, nil
	}
	off := resident/(rows*dim*4) - 1
	f.Found = fmt.Sprintf("%+.2f %%", 100*off)
	f.OK = off <= mostFlatOff && off >= -mostFlatOff
	return f, nil
}

func splitRandom(ctx context.Context, dir string, rows, dim, queries int) (set string, err error) {
	w, err := collection.Create(filepath.Join(dir, "collection"), dim)
	if err != nil {
		return "", err
	}
	defer w.Abort()
	items := make([]collection.Item, rows)
	for i := range items {
		items[i].ID = fmt.Sprint(i)
	}
	if err := w.Append(items, randomMatrix(rows, dim, 2), nil); err != nil {
		return "", err
	}
	if _, err := w.Commit(nil); err != nil {
		return "", err
	}
	c, err := collection.OpenFolder(filepath.Join(dir, "collection"))
	if err != nil {
		return "", err
	}
	defer c.Close()
	return dataset.Split(ctx, c, dataset.SplitConfig{Queries: queries, Seed: 1}, dir)
}

// checkExact compares the search for exact neighbours with a matrix product of the same size, on one
// thread, in turn, by the processor's time, which other programs lengthen less than that on the wall.
// The size is that of a sweep worth running: over fewer vectors, filling the lists of the nearest weighs
// more (0.83 over 20,000).
func checkExact(ctx context.Context, _ []string) (Finding, error) {
	const rows, queries, dim, k, rounds = 50_000, 500, 512, 10, 5
	f := Finding{
		What:  fmt.Sprintf("speed of exact search over a plain matrix product (%d × %d × %d, one thread)", queries, rows, dim),
		Bound: fmt.Sprintf("at least %.2f", leastOfSgemm),
	}
	base, asked := randomMatrix(rows, dim, 3), randomMatrix(queries, dim, 4)
	out := make([]float32, rows*queries)
	metrics := []vec.Metric{vec.InnerProduct, vec.L2}
	ratios := make([][]float64, len(metrics))
	rankers := make([]*vec.Ranker, len(metrics))
	for i, m := range metrics {
		rankers[i] = vec.NewRanker(base, m)
	}
	for range rounds {
		for i := range metrics {
			start := cpuSeconds()
			if err := indexes.DotsByBLAS(base, asked, out, 1); err != nil {
				f.Note = err.Error()
				return f, nil
			}
			product := cpuSeconds() - start
			start = cpuSeconds()
			if _, err := rankers[i].Exact(ctx, asked, k, 1, nil); err != nil {
				return f, err
			}
			ratios[i] = append(ratios[i], product/(cpuSeconds()-start))
		}
	}
	ip, l2 := metric.Median(ratios[0]), metric.Median(ratios[1])
	f.Found, f.OK = fmt.Sprintf("ip %.2f, l2 %.2f", ip, l2), min(ip, l2) >= leastOfSgemm
	return f, nil
}

func checkCoverage(context.Context, []string) (Finding, error) {
	f := Finding{
		What:  fmt.Sprintf("95 %% intervals that hold the truth, of %d made-up experiments", coverageTrials),
		Bound: fmt.Sprintf("%.0f to %.0f %%", 100*leastCoverage, 100*mostCoverage), OK: true,
	}
	for _, n := range []metric.Noise{
		{Reps: 6, Queries: 200, Build: 0.02, Query: 0.1, Truth: 0.9, Scale: metric.Linear},
		{Reps: 6, Queries: 200, Build: 0.1, Query: 0.5, Truth: 1e-4, Scale: metric.Logarithmic},
	} {
		c := metric.Coverage(coverageTrials, n, 7)
		if f.Found != "" {
			f.Found += ", "
		}
		f.Found += fmt.Sprintf("%.1f %%", 100*c)
		f.OK = f.OK && c >= leastCoverage && c <= mostCoverage
	}
	return f, nil
}

func randomMatrix(rows, dim int, seed uint64) vec.Matrix {
	r := rand.New(rand.NewPCG(seed, 5))
	m := vec.NewMatrix(rows, dim)
	for i := range m.Data {
		m.Data[i] = r.Float32()
	}
	return m
}
