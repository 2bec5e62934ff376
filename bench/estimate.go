package bench

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"annbench/bench/dataset"
	"annbench/bench/record"
	"annbench/bench/sweepfile"
	"annbench/indexes"
	"annbench/indexes/vec"
)

// Estimate is what a plan will take, about: see [EstimatePlan].
type Estimate struct {
	Rough   []string                 // families whose cost by settings is not known: programs of their own
	Wall    time.Duration            // of the whole plan, exact neighbours and embedding left out
	Truth   time.Duration            // of the exact neighbours under all metrics, on one thread, where they are not there yet
	Memory  int64                    // of the largest worker process, in bytes, the mapped data left out
	Largest string                   // which family that is
	Family  map[string]time.Duration // Wall by family
	Unknown map[string]string        // families, with the words of the build, that could not be calibrated and are left out, with the reason
}

// CalibrationRows is the most vectors that [EstimatePlan] builds on: enough that a build takes
// milliseconds at least.
const CalibrationRows = 1500

// buildPeak is how much memory a build holds at most, over the analytic bytes: lists that grow by
// doubling, and copies while vectors are scaled.
const buildPeak = 2

// processStart is what a worker process costs before it does anything, with mapping and checking.
const processStart = 150 * time.Millisecond

// EstimatePlan calibrates on the data itself: every family of the plan is built once on a sample of at
// most 1,500 vectors and searched for a moment, and [indexes.Family.Work] carries that over to all of
// the data and to the other settings. Builds whose words or switches differ, such as the descriptions of Faiss's
// factory, are other indexes, and each is calibrated by itself. Settings that do not fit so few vectors are brought down for
// it. It takes a second or a few in this process, or half a minute for each OPQ of Faiss, and is good to a factor of
// two or three: enough to choose between now, tonight and not at all.
func EstimatePlan(ctx context.Context, s *sweepfile.Sweep, set *dataset.Set, plan *Plan) (Estimate, error) {
	all, err := EstimatePlans(ctx, s, set, plan)
	return all[0], err
}

// EstimatePlans is [EstimatePlan] of several plans of one sweep, such as the parts of one, with one
// calibration.
func EstimatePlans(ctx context.Context, s *sweepfile.Sweep, set *dataset.Set, plans ...*Plan) ([]Estimate, error) {
	all := make([]Estimate, len(plans))
	speeds, unknown := map[string]speed{}, map[string]string{}
	truth, err := estimateTruth(ctx, s, set)
	if err != nil {
		return all, err
	}
	for i, plan := range plans {
		all[i] = Estimate{Family: map[string]time.Duration{}, Unknown: map[string]string{}, Truth: truth}
		if err := all[i].plan(ctx, s, set, plan, speeds, unknown); err != nil {
			return all, err
		}
	}
	return all, nil
}

// estimateTruth times exact search on a sample.
func estimateTruth(ctx context.Context, s *sweepfile.Sweep, set *dataset.Set) (time.Duration, error) {
	rows, queries := min(CalibrationRows, set.Base.Rows), min(64, set.Queries.Rows)
	var total time.Duration
	for _, m := range s.Metric {
		start := time.Now()
		if _, err := vec.Exact(ctx, set.Base.Slice(0, rows), set.Queries.Slice(0, queries), m, min(rows, s.MaxK()), 1, nil); err != nil {
			if ctx.Err() != nil {
				return 0, ctx.Err()
			}
			continue // a run says what is wrong with the data
		}
		share := float64(rows) / float64(set.Base.Rows) * float64(queries) / float64(set.Queries.Rows)
		total += time.Duration(float64(time.Since(start)) / share)
	}
	return total, nil
}

// plan adds the estimate of a plan to e. speeds and unknown hold what is known of families by now.
func (e *Estimate) plan(ctx context.Context, s *sweepfile.Sweep, set *dataset.Set, plan *Plan, speeds map[string]speed, unknown map[string]string) error {
	n, dim := set.Base.Rows, set.Base.Dim
	for i := range plan.Jobs {
		j := &plan.Jobs[i]
		kind := kindOf(j)
		rate, ok := speeds[kind]
		if !ok {
			var err error
			rate, err = calibrate(ctx, j, set)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			switch first, known := speeds[j.Family.Name]; {
			case err == nil && !known:
				speeds[j.Family.Name] = rate
			case err != nil && known:
				rate = first // such as lists that want more vectors than the sample has
			case err != nil:
				unknown[kind] = err.Error()
			}
			speeds[kind] = rate
		}
		if reason, ok := unknown[kind]; ok {
			e.Unknown[kind] = reason
		}
		if j.Family.Folder != "" && !slices.Contains(e.Rough, j.Family.Name) {
			e.Rough = append(e.Rough, j.Family.Name)
		}
		wall := e.job(s, j, rate, n, dim, set.Queries.Rows)
		e.Wall += wall
		e.Family[j.Family.Name] += wall
		if j.Family.Remote != nil {
			continue // its memory is the engine's
		}
		params := maps.Clone(j.Build)
		maps.Copy(params, j.Points[0].Search)
		if held := buildPeak * j.Family.Size(n, dim, j.Metric, params); held > e.Memory {
			e.Memory, e.Largest = held, j.Family.Name
		}
	}
	return nil
}

// kindOf is the family of a job, with the settings of its build that Work cannot carry over from one value to
// another: words and switches.
func kindOf(j *Job) string {
	words := indexes.Params{}
	for name, value := range j.Build {
		switch value.(type) {
		case string, bool:
			words[name] = value
		}
	}
	return strings.TrimSpace(j.Family.Name + " " + words.String())
}

// job estimates one job: a build, and for each process and each point the pass whose answers are scored, and what
// is timed after it.
func (e *Estimate) job(s *sweepfile.Sweep, j *Job, rate speed, n, dim, queries int) time.Duration {
	var total time.Duration
	workers := -1
	for _, p := range j.Points {
		params := maps.Clone(j.Build)
		maps.Copy(params, p.Search)
		build, search := j.Family.Work(n, dim, params)
		pass := time.Duration(float64(queries) * search * rate.search)
		if workers < 0 {
			total += processStart + time.Duration(build*rate.build)
		}
		if p.Workers != workers {
			workers = p.Workers
			total += processStart // loads
		}
		switch p.Mode {
		case record.Latency:
			total += pass + max(s.Measure, pass)
		case record.OpenLoop:
			total += pass + s.Duration
		default:
			total += pass + max(s.Duration, pass)
		}
	}
	return total
}

// speed is nanoseconds a unit of [indexes.Family.Work].
type speed struct{ build, search float64 }

func calibrate(ctx context.Context, j *Job, set *dataset.Set) (speed, error) {
	rows := min(CalibrationRows, set.Base.Rows)
	sample := vec.Matrix{Data: set.Base.Data[:rows*set.Base.Dim], Rows: rows, Dim: set.Base.Dim}
	params := maps.Clone(j.Build)
	maps.Copy(params, j.Points[0].Search)
	bringDown(j.Family, rows, sample.Dim, params)
	in, err := j.Family.Check(indexes.BuildInput{Vectors: sample, Metric: j.Metric, Params: params, Threads: j.Threads, Seed: j.Seed, Address: j.Server.Address, Name: newName(), Data: j.Server.Data})
	if err != nil {
		return speed{}, err
	}
	if j.Family.Remote != nil {
		// What cannot be removed has a name that says whose it is.
		defer func() { _ = j.Server.drop(ctx, j.Family, in.Name) }()
	}
	clock := startWork(j.Family)
	ix, err := j.Family.Open(ctx, in)
	took := clock.took()
	if err != nil {
		return speed{}, err
	}
	defer ix.Close()
	if x, ok := ix.(indexes.Weighed); ok { // a program of its own: not its start
		wall, cpu, _ := x.Cost()
		took = leastTime(wall, cpu)
	}
	each, err := timeSearches(j, set.Queries, ix)
	if err != nil {
		return speed{}, fmt.Errorf("searching: %w", err)
	}
	build, search := j.Family.Work(rows, sample.Dim, in.Params)
	return speed{build: float64(took) / build, search: float64(each) / search}, nil
}

// timeSearches searches ix for a moment and gives what one query takes.
func timeSearches(j *Job, queries vec.Matrix, ix indexes.Index) (time.Duration, error) {
	k := j.Points[0].K
	if x, ok := ix.(indexes.Timed); ok {
		var b indexes.Block
		for range 2 { // the first one warms up
			if err := x.SearchTimed(&b, queries, 0, min(queries.Rows, 100), k, false); err != nil {
				return 0, err
			}
		}
		return leastTime(b.Wall, b.CPU) / time.Duration(len(b.Times)), nil
	}
	found := make([]vec.Neighbor, 0, k)
	asked := 0
	clock := startWork(j.Family)
	for time.Since(clock.start) < 50*time.Millisecond {
		var err error
		if found, err = ix.Search(found[:0], queries.Row(asked%queries.Rows), k); err != nil {
			return 0, err
		}
		asked++
	}
	return clock.took() / time.Duration(asked), nil
}

// workClock times work by the processor time of this process where that is less than the wall's: a calibration takes
// milliseconds, in which another program can have the processor for as long again. What an engine does counts by
// the wall alone.
type workClock struct {
	start  time.Time
	cpu    float64
	engine bool
}

func startWork(f *indexes.Family) workClock {
	return workClock{start: time.Now(), cpu: processorTime(), engine: f.Remote != nil}
}

func (c workClock) took() time.Duration {
	wall := time.Since(c.start)
	if c.engine {
		return wall
	}
	return leastTime(wall, time.Duration((processorTime()-c.cpu)*float64(time.Second)))
}

// leastTime is the lesser of two times, where there is processor time.
func leastTime(wall, cpu time.Duration) time.Duration {
	if cpu <= 0 {
		return wall
	}
	return min(wall, cpu)
}

// bringDown halves settings of k-means until they fit n vectors.
func bringDown(f *indexes.Family, n, dim int, p indexes.Params) {
	for _, name := range []string{"nlist", "nbits"} {
		for f.Fits != nil && f.Fits(n, dim, p) != nil {
			v, ok := p[name].(int)
			if !ok || v <= 1 {
				break
			}
			p[name] = v / 2
		}
	}
}
