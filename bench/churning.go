package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"annbench/bench/churn"
	"annbench/bench/dataset"
	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/bench/sweepfile"
	"annbench/indexes"
	"annbench/indexes/vec"
)

// Churning is a runbook and a way to follow it.
type Churning struct {
	Spec churn.Spec `json:"spec"`
	// Every is after how many searches the index is built anew, of what lives then; 0 has the index itself add and remove.
	Every int `json:"every,omitempty"`
	// Rate, where not 0, is how many queries a second arrive while an update goes on.
	Rate float64 `json:"rate,omitempty"`
}

// churnJob is an index that follows a runbook.
type churnJob struct {
	Job
	Churning
}

// churnings lists what a sweep asks for of one family. searches are those of each runbook.
func churnings(s *sweepfile.Sweep, f *indexes.Family, searches map[churn.Spec][]int) []Churning {
	var out []Churning
	for _, cs := range s.Churn {
		for _, spec := range cs.Each() {
			if f.Updates != "" {
				out = append(out, Churning{Spec: spec, Rate: cs.Rate})
			}
			for _, every := range cs.Rebuilds(len(searches[spec])) {
				out = append(out, Churning{Spec: spec, Every: every})
			}
		}
	}
	return out
}

// allSpecs lists the runbooks of a sweep, each once.
func allSpecs(s *sweepfile.Sweep) []churn.Spec {
	var out []churn.Spec
	for _, cs := range s.Churn {
		for _, spec := range cs.Each() {
			if !slices.Contains(out, spec) {
				out = append(out, spec)
			}
		}
	}
	return out
}

// searchesOf are the searches of each runbook of a sweep, by their numbers.
func searchesOf(s *sweepfile.Sweep, set *dataset.Set) (map[churn.Spec][]int, error) {
	out := map[churn.Spec][]int{}
	for _, spec := range allSpecs(s) {
		steps, err := spec.Book(set, s.Seed)
		if err != nil {
			return nil, err
		}
		out[spec] = churn.Searches(steps)
	}
	return out, nil
}

// checkChurn reports runbooks that the data set cannot follow, before anything is measured.
func checkChurn(s *sweepfile.Sweep, set *dataset.Set) error {
	for i, cs := range s.Churn {
		for _, spec := range cs.Each() {
			if _, err := spec.Book(set, s.Seed); err != nil {
				key := "per_step"
				if cs.Runbook != "" {
					key = "runbook"
				}
				return s.Misfit("churn", i, key, err)
			}
		}
	}
	return nil
}

// prepareChurn finds the exact neighbours at each search of the runbooks, as part of finding the truth.
func (w *worker) prepareChurn(ctx context.Context) error {
	for _, spec := range w.Churns {
		if err := churn.Prepare(ctx, w.set, w.Metric, spec, w.Seed, w.MaxK, w.Threads, func(share float64) {
			_ = w.out.Encode(reply{Progress: share})
		}); err != nil {
			return err
		}
	}
	return nil
}

// churnJobs are those of one repetition: of families of this process and of servers, the searches of all vectors one at a
// time. searches are those of each runbook.
func churnJobs(s *sweepfile.Sweep, jobs []Job, searches map[churn.Spec][]int) []churnJob {
	var out []churnJob
	for _, j := range jobs {
		if j.Family.Folder != "" || j.Family.Missing != "" {
			continue
		}
		var points []Point
		for _, p := range j.Points {
			if p.Mode == record.Latency && p.Way == "" {
				points = append(points, p)
			}
		}
		if j.Points = points; len(points) == 0 {
			continue
		}
		for _, c := range churnings(s, j.Family, searches) {
			out = append(out, churnJob{j, c})
		}
	}
	return out
}

// cell is that of a search of the runbook.
func (j *churnJob) cell(digest string, p Point, step int) record.Cell {
	c := j.Job.cell(digest, p)
	c.Churn, c.Rebuild, c.Step = j.Spec.String(), j.Every, step
	return c
}

// churn measures what is missing of runbooks, index after index. A runbook that was broken off begins anew: the state of
// an index is not kept, and figures of a step mean nothing without the steps before it.
func (c *coordinator) churn(ctx context.Context, plan *Plan) error {
	if len(c.Sweep.Churn) == 0 {
		return nil
	}
	limit, err := c.Sweep.MemoryLimit()
	if err != nil {
		return err
	}
	searches, err := searchesOf(c.Sweep, c.set)
	if err != nil {
		return err
	}
	for _, j := range churnJobs(c.Sweep, plan.Jobs, searches) {
		var cells []record.Cell
		missing := 0
		for _, number := range searches[j.Spec] {
			for _, p := range j.Points {
				cell := j.cell(c.set.Digest, p, number)
				cells = append(cells, cell)
				if _, ok := c.done[record.Key(cell, j.Rep, Engine)]; !ok {
					missing++
				}
			}
		}
		what := fmt.Sprintf("%s, %s", describe(j.Job), j.Spec)
		if j.Every > 0 {
			what += fmt.Sprintf(", built anew every %d", j.Every)
		}
		if missing == 0 {
			c.sum.Present += len(cells)
			continue
		}
		if missing < len(cells) {
			c.Log.Warn("a runbook that was broken off begins anew: an index that changes is not kept", "what", what, "measured before", len(cells)-missing, "of", len(cells))
		}
		c.total += len(cells)
		c.reportOf(what+": searches of the runbook", 0, len(searches[j.Spec]))
		index := fmt.Sprintf("%s/churn-index", c.scratch)
		written := map[record.Cell]bool{}
		write := func(cell record.Cell, fill func(*record.Record)) error {
			written[cell] = true
			return c.write(cell, j.Family, j.Rep, j.Seed, fill)
		}
		var failed error
		o := order{
			Do: doChurn, Set: c.Run.Set, Metric: j.Metric, Threads: j.Threads, MaxK: c.maxK(),
			Family: j.Family.Reference(), Build: j.Build, Points: j.Points, Seed: j.Seed, Index: index,
			FilterSeed: c.Sweep.Seed, Churning: j.Churning,
		}
		server := ""
		if j.Family.Remote != nil {
			o.Server, o.Name = j.Server, newName()
			server = j.Family.Remote.Engine + " at " + j.Server.Address
		}
		p := &process{command: c.Worker, timeout: c.Sweep.Timeout, renew: true, memory: limit, log: c.Log}
		err = p.run(ctx, o, func(r reply) {
			if r.Cell == nil || *r.Cell < 0 || *r.Cell >= len(j.Points) || failed != nil {
				return
			}
			failed = write(j.cell(c.set.Digest, j.Points[*r.Cell], r.Step), func(rec *record.Record) {
				rec.Status, rec.Values, rec.Spread, rec.Warnings, rec.Server = record.OK, r.Values, r.Spread, r.Warnings, r.Server
			})
			c.reportOf(what+": searches of the runbook", 1+slices.Index(searches[j.Spec], r.Step), len(searches[j.Spec]))
		})
		if j.Family.Remote != nil {
			c.dropFrom(ctx, j.Job, o.Name)
		}
		if failed != nil {
			return failed
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil {
			continue
		}
		failure := &processError{status: record.Failed}
		if !errors.As(err, &failure) {
			return err
		}
		c.Log.Warn("runbook "+string(failure.status), "what", what, "reason", failure.reason)
		for _, cell := range cells {
			if written[cell] {
				continue
			}
			if err := write(cell, func(rec *record.Record) {
				rec.Status, rec.Error, rec.Server = failure.status, failure.Error(), server
			}); err != nil {
				return err
			}
		}
	}
	return nil
}

// following is an index that follows a runbook.
type following struct {
	w      *worker
	family *indexes.Family
	in     indexes.BuildInput

	index indexes.Index // nil until the first search
	rows  []int32       // of the base, by ID of the index
	ids   []int32       // of the index, by row of the base; -1 for none
	alive *vec.Set      // IDs of the index that live; nil where it is asked for none that does not
	dead  int           // rows of the index that do not live

	mu sync.RWMutex // searches, and changes

	updateWall, updateCPU float64 // since the last search
	cpuUnknown            bool    // part of updateCPU is not known
	updated               int
	during                *hdrhistogram.Histogram
}

// Search answers with rows of the base.
func (f *following) Search(dst []vec.Neighbor, q []float32, k int) ([]vec.Neighbor, error) {
	from := len(dst)
	var err error
	switch filterer, ok := f.index.(indexes.Filterer); {
	case f.alive == nil || f.dead == 0:
		dst, err = f.index.Search(dst, q, k)
	case ok && f.family.Filters && !keeps(f.index):
		dst, err = filterer.SearchAmong(dst, q, k, f.alive)
	default:
		// As many more as are dead among its own, and half as many again.
		more := min(len(f.rows), int(math.Ceil(1.5*float64(k)*float64(len(f.rows))/float64(max(1, len(f.rows)-f.dead)))))
		if dst, err = f.index.Search(dst, q, more); err == nil {
			kept := from
			for _, n := range dst[from:] {
				if kept < from+k && f.alive.Has(n.ID) {
					dst[kept] = n
					kept++
				}
			}
			dst = dst[:kept]
		}
	}
	if err != nil {
		return dst[:from], err
	}
	for i := range dst[from:] {
		dst[from+i].ID = f.rows[dst[from+i].ID]
	}
	return dst, nil
}

// keeps says that a search among a set that changes at every step costs the index more than asking for more.
func keeps(ix indexes.Index) bool {
	_, ok := ix.(indexes.SetKeeper)
	return ok
}

func (f *following) Close() error {
	if f.index == nil {
		return nil
	}
	return f.index.Close()
}

// build builds the index of what lives.
func (f *following) build(ctx context.Context, living *vec.Set) error {
	if f.index != nil {
		if err := f.Close(); err != nil {
			return err
		}
		if f.family.Remote != nil {
			if err := f.w.Server.drop(ctx, f.family, f.in.Name); err != nil {
				return err
			}
		}
		f.index = nil
	}
	f.rows = slices.Collect(living.All())
	// A catalogue has its own memory for its vectors; that of the data set is a mapped file.
	vectors := vec.NewMatrix(len(f.rows), f.w.set.Base.Dim)
	for i := range f.ids {
		f.ids[i] = -1
	}
	for id, row := range f.rows {
		copy(vectors.Row(id), f.w.set.Base.Row(int(row)))
		f.ids[row] = int32(id)
	}
	in := f.in
	in.Vectors, in.Source = vectors, indexes.Source{}
	in, err := f.family.Check(in)
	if err != nil {
		return err
	}
	f.index, err = f.family.Open(ctx, in)
	f.dead = 0
	if f.alive != nil {
		f.alive = vec.NewSet(len(f.rows))
		for id := range f.rows {
			f.alive.Add(int32(id))
		}
	}
	return err
}

// timed adds what do takes to the update.
func (f *following) timed(n int, do func() error) error {
	cpu, known := f.cpu()
	start := time.Now()
	err := do()
	f.updateWall += time.Since(start).Seconds()
	now, still := f.cpu()
	f.updateCPU += now - cpu
	f.cpuUnknown = f.cpuUnknown || !known || !still
	f.updated += n
	return err
}

// cpu is the processor time so far of this process and, where the index is in an engine, of that; ok is false where that
// is not known.
func (f *following) cpu() (seconds float64, ok bool) {
	if f.family.Remote == nil {
		return cpuSeconds(), true
	}
	now, ok := holding(f.w.Server.Processes)
	return cpuSeconds() + now.cpu, ok
}

// held is the memory of whoever holds the index; ok is false where it is not known.
func (f *following) held(ctx context.Context) (bytes int64, ok bool) {
	if f.family.Remote == nil {
		return ownMemory(noFile)
	}
	if x, is := f.index.(indexes.RemoteIndex); is {
		_ = x.Settle(ctx)
	}
	now, ok := atRest(ctx, f.w.Server.Processes)
	return now.anonymous, ok
}

// disk is what the index takes up on a disk: as the engine says that it is in, or as it is saved; ok is false where neither
// is known.
func (f *following) disk(ctx context.Context) (bytes int64, ok bool) {
	if x, is := f.index.(indexes.RemoteIndex); is {
		print, err := x.Footprint(ctx)
		return print.Disk, err == nil && print.Disk > 0
	}
	x, is := f.index.(indexes.Saver)
	if !is || f.family.Unsaved {
		return 0, false
	}
	path := f.w.Index + "-size"
	defer removeIndex(path)
	if err := x.Save(path); err != nil { // not every index can be saved once it has changed
		return 0, false
	}
	info, err := os.Stat(path)
	if err != nil {
		return 0, false
	}
	return info.Size(), true
}

// apply has the index follow what ceased to live and what began to.
func (f *following) apply(gone, come []int32) error {
	if f.w.Churning.Every > 0 {
		for _, row := range gone {
			if id := f.ids[row]; id >= 0 && f.alive.Has(id) {
				f.alive.Remove(id)
				f.dead++
			}
		}
		return nil
	}
	u, ok := f.index.(indexes.Updater)
	if !ok {
		return errors.New("the index does not change")
	}
	remove := make([]int32, len(gone))
	for i, row := range gone {
		remove[i] = f.ids[row]
		f.ids[row] = -1
	}
	more := vec.NewMatrix(len(come), f.w.set.Base.Dim)
	for i, row := range come {
		copy(more.Row(i), f.w.set.Base.Row(int(row)))
		f.ids[row] = int32(len(f.rows) + i)
	}
	if f.w.Churning.Rate == 0 {
		return f.timed(len(gone)+len(come), func() error {
			if len(remove) > 0 {
				if err := u.Remove(remove); err != nil {
					return err
				}
			}
			if len(come) == 0 {
				return nil
			}
			f.rows = append(f.rows, come...)
			return u.Add(more)
		})
	}
	return f.applyWhileSearched(u, remove, come, more)
}

// writeBlock vectors are changed at a time while queries arrive: they wait for no longer.
const writeBlock = 256

// applyWhileSearched applies changes in blocks while queries arrive at the rate, at random (a Poisson process), and keeps
// their latencies, which count from when a query was due. One goroutine searches, one changes; they exclude each other.
func (f *following) applyWhileSearched(u indexes.Updater, remove, come []int32, more vec.Matrix) error {
	done := make(chan struct{})
	var ended time.Duration // since begun; read behind done
	var searching error
	var wait sync.WaitGroup
	k := f.w.asks(f.w.Points[0])
	begun := time.Now()
	wait.Go(func() {
		rng := rand.New(rand.NewPCG(f.w.Seed, uint64(len(f.rows))))
		var due time.Duration
		var found []vec.Neighbor
		for i := 0; ; i++ {
			due += time.Duration(rng.ExpFloat64() / f.w.Churning.Rate * float64(time.Second))
			if left := due - time.Since(begun); left > 0 {
				select {
				case <-done:
					return
				case <-time.After(left):
				}
			}
			select {
			case <-done: // what was due by then is still answered; nothing later, which at a high rate never ends
				if due > ended {
					return
				}
			default:
			}
			f.mu.RLock()
			var err error
			found, err = f.Search(found[:0], f.w.set.Queries.Row(i%f.w.set.Queries.Rows), k)
			f.mu.RUnlock()
			if err != nil {
				searching = err
				return
			}
			_ = f.during.RecordValue(min(max(histogramLowest, int64(time.Since(begun)-due)), histogramHighest))
		}
	})
	err := f.timed(len(remove)+len(come), func() error {
		for len(remove) > 0 {
			n := min(writeBlock, len(remove))
			f.mu.Lock()
			err := u.Remove(remove[:n])
			f.mu.Unlock()
			if err != nil {
				return err
			}
			remove = remove[n:]
		}
		for from := 0; from < len(come); from += writeBlock {
			to := min(from+writeBlock, len(come))
			f.mu.Lock()
			f.rows = append(f.rows, come[from:to]...)
			err := u.Add(more.Slice(from, to))
			f.mu.Unlock()
			if err != nil {
				return err
			}
		}
		return nil
	})
	ended = time.Since(begun)
	close(done)
	wait.Wait()
	return errors.Join(err, searching)
}

// noFile is no file's path: an index that changes maps none.
const noFile = "/dev/null/none"

// follow follows the runbook, and replies after every search of it.
func (w *worker) follow(ctx context.Context) error {
	family, in, err := w.checked()
	if err != nil {
		return err
	}
	steps, err := w.Churning.Spec.Book(w.set, w.FilterSeed)
	if err != nil {
		return err
	}
	state := churn.NewState(w.set.Base.Rows)
	f := &following{w: w, family: family, in: in, ids: make([]int32, w.set.Base.Rows)}
	f.during = hdrhistogram.New(histogramLowest, histogramHighest, histogramDigits)
	f.during.Reset() // touches all of its memory now, so that it does not count as growth of the index
	if w.Churning.Every > 0 {
		f.alive = vec.NewSet(0)
	}
	defer f.Close()
	before, known := f.held(ctx)
	searches := 0
	for _, step := range steps {
		gone, come, err := state.Apply(step)
		if err != nil {
			return err
		}
		if step.Op != churn.Search {
			if f.index != nil {
				if err := f.apply(gone, come); err != nil {
					return fmt.Errorf("step %d: %w", step.Number, err)
				}
			}
			continue
		}
		if every := w.Churning.Every; f.index == nil || every > 0 && searches%every == 0 {
			f.updateWall, f.updateCPU, f.updated, f.cpuUnknown = 0, 0, 0, false
			if err := f.timed(0, func() error { return f.build(ctx, state.Living) }); err != nil {
				return fmt.Errorf("step %d: building: %w", step.Number, err)
			}
		}
		if m, ok := f.index.(indexes.Maintainer); ok && f.updated > 0 {
			if err := f.timed(0, m.Maintain); err != nil {
				return fmt.Errorf("step %d: %w", step.Number, err)
			}
		}
		searches++
		if err := w.searchLiving(ctx, f, state, step.Number, before, known); err != nil {
			return fmt.Errorf("step %d: %w", step.Number, err)
		}
		f.updateWall, f.updateCPU, f.updated, f.cpuUnknown = 0, 0, 0, false
		f.during.Reset()
	}
	return nil
}

// searchLiving measures every point at a search of the runbook.
func (w *worker) searchLiving(ctx context.Context, f *following, state *churn.State, number int, before int64, known bool) error {
	truth, err := churn.Open(w.set, w.Metric, w.Churning.Spec, w.FilterSeed, w.MaxK, number)
	if err != nil {
		return err
	}
	living := state.Living.Len()
	inside := 0
	for row := range state.Living.All() {
		if id := f.ids[row]; id >= 0 && (f.alive == nil || f.alive.Has(id)) {
			inside++
		}
	}
	shared := map[string]float64{
		metric.Living: float64(living), metric.Stale: float64(living-inside) / float64(living),
		metric.UpdateWall: f.updateWall, metric.UpdateCPU: f.updateCPU, metric.Updated: float64(f.updated),
	}
	if f.cpuUnknown {
		delete(shared, metric.UpdateCPU)
	}
	remote, _ := f.index.(indexes.RemoteIndex)
	server := ""
	var warnings []string
	if remote != nil {
		server, warnings = remote.Server()+" at "+w.Server.Address, remote.Warnings()
	}
	if n := f.during.TotalCount(); n > 0 {
		shared[metric.DuringP50] = float64(f.during.ValueAtPercentile(50)) / 1e9
		shared[metric.DuringP99] = float64(f.during.ValueAtPercentile(99)) / 1e9
		shared[metric.DuringP999] = float64(f.during.ValueAtPercentile(99.9)) / 1e9
	}
	counts := make([]int32, w.set.Queries.Rows)
	for q := range counts {
		counts[q] = int32(living)
		if self := w.set.Self(q); self >= 0 && state.Living.Has(self) {
			counts[q]--
		}
	}
	for i, p := range w.Points {
		if tuner, ok := f.index.(indexes.Tuner); ok {
			settings, err := f.family.Settings(f.family.Search, p.Search)
			if err != nil {
				return err
			}
			if err := tuner.Tune(settings); err != nil {
				return err
			}
		}
		got, _, err := answerAll(f, w.set.Queries, w.asks(p))
		if err != nil {
			return err
		}
		scores, err := metric.ScoreAmong(metric.AmongInput{
			Metric: w.Metric, K: p.K, Base: w.set.Base, Queries: w.set.Queries, Answers: leaveOut(w.set, got.all(), p.K),
			Among: func(int) *vec.Set { return state.Living }, Counts: counts,
			Truth:  func(q int) ([]int32, []float64) { return truth.IDs[q], truth.Distances[q] },
			Labels: w.set.Labels, BaseLabels: w.set.BaseLabels, QueryLabels: w.set.QueryLabels,
			Self: selves(w.set), Forbidden: "was deleted, or not yet inserted",
		})
		if err != nil {
			return fmt.Errorf("%v: %w", p.Search, err)
		}
		delete(scores.Values, metric.Selectivity)
		delete(scores.Values, metric.Unfilled)
		timing := newTiming(w.set.Queries.Rows)
		var b block
		begun := time.Now()
		for round := 0; round == 0 || time.Since(begun) < w.Measure; round++ {
			if err := timeBlock(f, w.set.Queries, 0, w.set.Queries.Rows, w.asks(p), remote == nil, &b); err != nil {
				return err
			}
			timing.add(&b, round, 0)
		}
		values, spread, _ := timing.values()
		for _, m := range []map[string]float64{values, shared} {
			for name, v := range m {
				scores.Values[name] = v
			}
		}
		for name, v := range spread {
			scores.Spread[name] = v
		}
		if i == 0 {
			vectors := 4 * int64(living) * int64(w.set.Base.Dim)
			if now, ok := f.held(ctx); ok && known {
				if remote != nil && now-before < vectors {
					warnings = append(warnings, tooLittle("the engine's processes", now-before, vectors))
				} else {
					shared[metric.Resident] = float64(now - before)
				}
			}
			if size, ok := f.disk(ctx); ok {
				shared[metric.Serialized] = float64(size)
			}
			for _, name := range []string{metric.Resident, metric.Serialized} {
				if v, ok := shared[name]; ok {
					scores.Values[name] = v
				}
			}
		}
		if remote != nil {
			doubt, err := remote.Check(ctx)
			if err != nil {
				return err
			}
			if doubt != "" {
				scores.Warnings = append(scores.Warnings, doubt)
			}
		}
		if err := w.out.Encode(reply{Cell: &i, Step: number, Values: scores.Values, Spread: scores.Spread, Warnings: slices.Concat(warnings, scores.Warnings), Server: server}); err != nil {
			return err
		}
	}
	return nil
}
