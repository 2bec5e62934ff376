package bench

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"annbench/bench/dataset"
	"annbench/bench/dataset/collection"
	"annbench/bench/lease"
	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/bench/sweepfile"
	"annbench/indexes"
	"annbench/indexes/vec"
	"annbench/internal/atomicfile"
	"annbench/internal/seal"
)

// Run measures a sweep on a data set, into a results folder.
type Run struct {
	Sweep *sweepfile.Sweep
	Set   string // folder of the data set; see [dataset.Split]
	// Collection is where the set's pictures are, for the gallery; nil where there are none.
	Collection *collection.Collection
	Dataset    record.Dataset // Digest, counts and labels are filled in here
	Out        string         // results folder; made if it is not there, continued if it is
	// Worker is the command that runs [Work] on its standard input and file descriptor 3.
	Worker []string
	// Shard is the part of the plan that is measured; the zero value is all of it.
	Shard Shard
	// Retry measures cells again that failed, timed out or ran out of memory in an earlier run.
	Retry bool
	// KeepIndexes leaves the saved index of every build, that of the first repetition, in the results
	// folder: see [record.Cell.IndexFile]. Of a family with an engine it leaves a reference there, and the
	// index in the engine.
	KeepIndexes bool
	// Find finds the engines of families that have one; see [FindServer].
	Find FindServer

	Log      *slog.Logger
	Again    bool           // the log has what disturbs timing from a run just before
	Progress func(Progress) // may be nil
	// Between, where not nil, is called after each group of builds whose records are on the disk, while
	// nothing is timed.
	Between func()

	room int64 // bytes that indexes which wait may take up together; 0 is what the machine has

	// Of [SelfCheckBusy]: how many workers each build has, in how many rounds, and who sees the records.
	copies  int
	plays   int
	observe func(*record.Record)
}

// Progress is how far a run is.
type Progress struct {
	What        string        // what is being done, for people
	Done, Total int           // cells, those of earlier runs left out; of a runbook, its searches
	Left        time.Duration // about; 0 while it is not known to a factor of two
}

// Summary is how a run ended.
type Summary struct {
	Measured map[record.Status]int // cells of this run by status
	Present  int                   // cells that were there already, those of earlier failures included
	Broken   int                   // of those, the ones that failed, timed out or ran out of memory
	Counted  bool                  // false where the run ended before it looked which cells were there
	// Pruned are the repetitions of cells that were left out because the first repetition showed them
	// to be dominated, and Saved about what they would have taken; see [Sweep.Prune].
	Pruned   int
	Saved    time.Duration
	Warnings []string // what the checks of the data found
}

// Failed is how many cells of this run failed, timed out or ran out of memory.
func (s *Summary) Failed() int {
	return s.Measured[record.Failed] + s.Measured[record.Timeout] + s.Measured[record.OOM]
}

// Do measures what is missing. Every cell ends as a record, also where its process crashed, hung or
// held too much; the error is about what keeps the run as a whole from going on, or that of ctx,
// when all that was measured is on the disk.
func (r *Run) Do(ctx context.Context) (Summary, error) {
	sum := Summary{Measured: map[record.Status]int{}}
	c, err := r.open(ctx, &sum)
	if err != nil {
		return sum, err
	}
	defer c.close()
	plan, err := MakePlan(r.Sweep, Shape{c.set.Digest, c.set.Base.Rows, c.set.Base.Dim, c.env.Cores, r.Find})
	if err != nil {
		return sum, err
	}
	plan = plan.Part(r.Shard)
	if r.copies > 1 {
		plan.Jobs = slices.Repeat(plan.Jobs, r.copies)
		slices.SortStableFunc(plan.Jobs, func(a, b Job) int { return a.Rep - b.Rep })
	}
	// Both stand there before anything is measured: what is killed early can be merged, and told to lack.
	if err := record.WritePlans(r.Out, []record.Planned{r.planned(c.set.Digest, plan)}); err != nil {
		return sum, err
	}
	if err := seal.WriteJSON(filepath.Join(r.Out, record.DatasetFile), r.Dataset); err != nil {
		return sum, err
	}
	if note := r.Dataset.Embedding.Flattering(); note != "" {
		c.sum.Warnings = append(c.sum.Warnings, note)
	}
	err = c.run(ctx, plan)
	if c.sum.Warnings != nil {
		r.Dataset.Warnings = c.sum.Warnings
	}
	if errors.Is(err, lease.ErrLost) {
		return sum, err // the folder is another's now
	}
	// What was measured can be looked at, however the run ended.
	if e := seal.WriteJSON(filepath.Join(r.Out, record.DatasetFile), r.Dataset); e != nil {
		return sum, errors.Join(err, e)
	}
	if e := c.writeGallery(context.WithoutCancel(ctx)); e != nil {
		return sum, errors.Join(err, e)
	}
	return sum, err
}

// open takes the results folder and opens the data set.
func (r *Run) open(ctx context.Context, sum *Summary) (c *coordinator, err error) {
	if err := os.MkdirAll(r.Out, 0o755); err != nil {
		return nil, err
	}
	held, err := lock(ctx, r.Out, r.Log)
	if err != nil {
		return nil, err
	}
	c = &coordinator{Run: r, sum: sum, lease: held, warned: map[vec.Metric][]string{}, spent: map[record.Cell]time.Duration{}, room: r.room}
	opened := c // returning an error sets c to nil
	defer func() {
		if err != nil {
			opened.close()
		}
	}()
	removeScratch(r.Out)
	if c.set, err = dataset.OpenSet(r.Set); err != nil {
		return nil, err
	}
	if err := r.describe(c.set); err != nil {
		return nil, err
	}
	if err := CheckAsked(r.Sweep, c.set); err != nil {
		return nil, err
	}
	path := filepath.Join(r.Out, record.RecordsFile)
	present, bytes, err := record.Read(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	torn, err := record.LookAtTorn(path, bytes)
	if err != nil {
		return nil, err
	}
	if torn.Zeros {
		r.Log.Warn(fmt.Sprintf("%s:%d: the last %d bytes are zeros, as a power cut leaves them: records that were there are lost, and are measured again", path, torn.Line, torn.Bytes))
	}
	c.were = map[string]string{}
	for _, p := range present {
		if p.Program != "" {
			c.were[p.Cell.Family] = p.Program
		}
		if p.Cell.Dataset != c.set.Digest {
			return nil, fmt.Errorf("%s holds results for another data set: name another folder with --out, or move this one away", r.Out)
		}
	}
	c.env = environment()
	most := r.Sweep.Threads
	for _, a := range askings(r.Sweep, c.env.Cores) {
		most = max(most, a.Workers)
	}
	c.env.Disturbed = disturbances(most)
	for _, d := range c.env.Disturbed {
		if r.Again {
			break
		}
		r.Log.Warn("timing will be disturbed", "why", d)
	}
	c.gallery, c.done, c.first, c.rounds = r.galleryQueries(c.set), r.doneKeys(present), firsts(present), numbered(present)
	if c.room == 0 {
		c.room = room()
	}
	if c.records, err = record.Append(path); err != nil {
		return nil, err
	}
	c.scratch, err = os.MkdirTemp(r.Out, scratchPrefix)
	return c, err
}

// close gives the folder back.
func (c *coordinator) close() {
	if c.scratch != "" {
		_ = os.RemoveAll(c.scratch)
	}
	if c.records != nil {
		_ = c.records.Close()
	}
	if c.set != nil {
		_ = c.set.Close()
	}
	c.lease.Release()
}

// lock keeps a second run out of the folder, on this machine and on others that share it.
func lock(ctx context.Context, dir string, log *slog.Logger) (*lease.Lease, error) {
	held, err := lease.Take(ctx, filepath.Join(dir, ".lease"), func(host string) {
		log.Info(fmt.Sprintf("looking whether the run that began on %s still goes on: up to %v", host, lease.Dead), "folder", dir)
	})
	if errors.Is(err, lease.ErrHeld) {
		return nil, fmt.Errorf("another run is writing to %s (%w): wait for it, or name another folder with --out", dir, err)
	}
	return held, err
}

const scratchPrefix = ".work-"

// removeScratch removes what runs that were killed left of their saved indexes. The lease is held, so
// nobody uses it.
func removeScratch(dir string) {
	left, _ := filepath.Glob(filepath.Join(dir, scratchPrefix+"*"))
	for _, d := range left {
		_ = os.RemoveAll(d)
	}
}

func (r *Run) planned(digest string, plan *Plan) record.Planned {
	p := record.Planned{
		Sweep: r.Sweep.Name, Shard: max(1, r.Shard.Index), Of: max(1, r.Shard.Of),
		Engine: Engine, Repetitions: r.Sweep.Repetitions, Prune: r.Sweep.Prune,
	}
	for i := range plan.Jobs {
		if plan.Jobs[i].Rep == 0 {
			p.Cells = append(p.Cells, plan.Jobs[i].Cells(digest)...)
		}
	}
	for _, skip := range plan.Skipped {
		p.Skipped = append(p.Skipped, skip.Cell)
	}
	return p
}

func (r *Run) describe(set *dataset.Set) (err error) {
	d := &r.Dataset
	// The difficulty takes seconds to find, so a run that goes on takes it from before.
	var before record.Dataset
	if _, err := seal.ReadJSON(filepath.Join(r.Out, record.DatasetFile), &before); err == nil && before.Digest == set.Digest {
		d.Difficulty = before.Difficulty
	}
	d.Digest, d.Base, d.Queries, d.Dim = set.Digest, set.Base.Rows, set.Queries.Rows, set.Base.Dim
	base, queries := set.LabelCounts()
	d.Labels = nil
	for i, label := range set.Labels {
		d.Labels = append(d.Labels, record.LabelCount{Label: label, Base: base[i], Queries: queries[i]})
	}
	d.Transforms = nil
	if len(r.Sweep.Data.Transform) > 0 {
		for _, t := range r.Sweep.Transforms() {
			d.Transforms = append(d.Transforms, record.Transform{Name: t.String(), Dim: t.Dim(d.Dim), Bytes: t.Bytes(d.Dim)})
		}
	}
	d.Relevance, err = describeRelevance(set)
	return err
}

// galleryQueries draws the queries of which answers are kept, and among which [pool.pick] finds those
// that the report shows.
func (r *Run) galleryQueries(set *dataset.Set) []int {
	n := min(max(0, r.Sweep.Gallery)*poolPerQuery, set.Queries.Rows)
	// The second word keeps this draw apart from the others that the sweep's seed decides.
	perm := rand.New(rand.NewPCG(r.Sweep.Seed, 0x67616c6c657279)).Perm(set.Queries.Rows)
	return perm[:n]
}

// doneKeys are the keys of records that need not be measured again. A skipped cell is looked at
// again every time: another build or other data may be able to do it.
func (r *Run) doneKeys(present []record.Record) map[string]record.Status {
	done := map[string]record.Status{}
	for i := range present {
		p := &present[i]
		if r.Retry && p.Status != record.OK && p.Status != record.Skipped {
			delete(done, p.Key())
			continue
		}
		done[p.Key()] = p.Status
	}
	return done
}

// coordinator carries a run from job to job.
type coordinator struct {
	*Run
	set     *dataset.Set
	sum     *Summary
	env     record.Env
	lease   *lease.Lease
	records *record.Writer
	scratch string
	gallery []int
	done    map[string]record.Status
	warned  map[vec.Metric][]string // metrics whose truth is there
	first   map[record.Cell]*record.Record
	spent   map[record.Cell]time.Duration

	// programs are the digests of the programs of families in folders, by family: see [programOf]; were are those
	// of the records that were there.
	programs, were map[string]string

	total, finished int
	built           int         // builds begun, which names their files
	rounds          map[int]int // the next round's number, by repetition
	left            remaining
	room            int64          // bytes that indexes which wait may take up together
	failed          *record.Record // the last one that is not OK
}

func (c *coordinator) run(ctx context.Context, plan *Plan) error {
	if err := c.lookAtPrograms(plan); err != nil {
		return err
	}
	if err := c.skip(plan.Skipped); err != nil {
		return err
	}
	if err := c.set.Verify(ctx); err != nil {
		return err
	}
	jobs, cells := plan.without(c.set.Digest, func(cell record.Cell, rep int) bool {
		status, ok := c.done[record.Key(cell, rep, Engine)]
		return ok && status != record.Skipped
	})
	planned := 0
	for _, job := range plan.Jobs {
		for _, cell := range job.Cells(c.set.Digest) {
			planned++
			switch c.done[record.Key(cell, job.Rep, Engine)] {
			case record.Failed, record.Timeout, record.OOM:
				c.sum.Broken++
			}
		}
	}
	c.sum.Present, c.sum.Counted = planned-cells, true
	c.total = cells
	// The gallery wants exact neighbours even where all cells are there.
	for _, m := range c.Sweep.Metric {
		if err := c.truth(ctx, m); err != nil {
			return err
		}
	}
	// A collection while a child is being timed would disturb it; there is little to collect.
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	for len(jobs) > 0 {
		n := slices.IndexFunc(jobs, func(j Job) bool { return j.Rep != jobs[0].Rep })
		if n < 0 {
			n = len(jobs)
		}
		var now []Job
		for _, job := range jobs[:n] {
			if c.Sweep.Prune && job.Rep > 0 {
				c.prune(&job)
			}
			if len(job.Points) > 0 {
				now = append(now, job)
			}
		}
		jobs = jobs[n:]
		if len(now) == 0 {
			continue
		}
		if err := c.repetition(ctx, now); err != nil {
			return err
		}
	}
	if err := c.churn(ctx, plan); err != nil {
		return err
	}
	c.report("done")
	return nil
}

// report shows how many of all cells are measured.
func (c *coordinator) report(what string) { c.reportOf(what, c.finished, c.total) }

// reportOf shows that so many of total are done of what.
func (c *coordinator) reportOf(what string, done, total int) {
	if c.Progress == nil {
		return
	}
	p := Progress{What: what, Done: done, Total: total}
	if !c.left.at.IsZero() && c.finished < c.total {
		p.Left = max(0, c.left.total-time.Since(c.left.at))
	}
	c.Progress(p)
}

// skip records cells that cannot be measured, once.
func (c *coordinator) skip(skips []Skip) error {
	for _, s := range skips {
		if c.done[record.Key(s.Cell, 0, Engine)] == record.Skipped {
			continue
		}
		if err := c.write(s.Cell, s.Family, 0, c.Sweep.Seed, func(r *record.Record) {
			r.Status, r.Error = record.Skipped, s.Reason
		}); err != nil {
			return err
		}
	}
	return nil
}

func (c *coordinator) maxK() int { return c.Sweep.MaxK() }

// given is the file of neighbours that came with the vectors, where they are of this metric as far as is
// known.
func (c *coordinator) given(m vec.Metric) string {
	if c.Collection == nil || c.Collection.Meta.Word != "" || c.Collection.Meta.Metric != "" && c.Collection.Meta.Metric != m {
		return ""
	}
	return c.Collection.NeighborsFile()
}

// truth checks the data and finds the exact neighbours under a metric, in a process of its own.
func (c *coordinator) truth(ctx context.Context, m vec.Metric) error {
	if _, ok := c.warned[m]; ok {
		return nil
	}
	limit, err := c.Sweep.MemoryLimit()
	if err != nil {
		return err
	}
	p := &process{command: c.Worker, timeout: c.Sweep.Timeout, renew: true, memory: limit, log: c.Log}
	var warnings []string
	known := slices.ContainsFunc(c.Dataset.Difficulty, func(d record.Difficulty) bool { return d.Metric == string(m) })
	err = p.run(ctx, order{
		Do: doTruth, Set: c.Run.Set, Metric: m, Threads: c.env.Cores, MaxK: c.maxK(),
		Allow: c.Sweep.Data.Allow, Given: c.given(m), Hardness: !known, Seed: c.Sweep.Seed, Filters: allFilters(c.Sweep), Churns: allSpecs(c.Sweep),
	}, func(r reply) {
		if r.Difficulty != nil {
			c.Dataset.Difficulty = append(c.Dataset.Difficulty, *r.Difficulty)
		}
		warnings = append(warnings, r.Warnings...)
		if r.Progress > 0 {
			c.report(fmt.Sprintf("exact neighbours (%s): %.0f %%", m, 100*r.Progress))
		}
	})
	if err != nil {
		return fmt.Errorf("finding exact neighbours under %s: %w", m, err)
	}
	c.warned[m] = warnings
	for _, w := range warnings {
		if !slices.Contains(c.sum.Warnings, w) {
			c.sum.Warnings = append(c.sum.Warnings, w)
		}
	}
	return nil
}

// removeIndex removes a saved index, with the files that some libraries put beside it.
func removeIndex(path string) {
	files, _ := filepath.Glob(path + "*")
	for _, f := range files {
		_ = os.RemoveAll(f)
	}
}

// keepIndex moves a saved index, with the files beside it, to where the results folder has it. The
// index itself comes last: where it is, all of it is.
func (c *coordinator) keepIndex(ctx context.Context, path string, cell record.Cell) error {
	if err := record.LabelIndex(ctx, path, c.Dataset); err != nil {
		return fmt.Errorf("keeping the index of %s: %w", cell.Family, err)
	}
	to := filepath.Join(c.Out, filepath.FromSlash(cell.IndexFile()))
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	files, err := filepath.Glob(path + "*")
	if err != nil {
		return err
	}
	slices.Reverse(files) // sorted: the name without a suffix was the first
	for _, f := range files {
		if err := atomicfile.Rename(f, to+strings.TrimPrefix(f, path)); err != nil {
			return fmt.Errorf("keeping the index of %s: %w", cell.Family, err)
		}
	}
	return nil
}

// memoryDoubts says where the columns of memory contradict each other so far that one must be wrong. A resident
// memory that is negative leaves v.
func memoryDoubts(v map[string]float64) (doubts []string) {
	const (
		slack = 1 << 20 // what a process gains and loses by itself
		mib   = 1 << 20
	)
	resident, ok := v[metric.Resident]
	if !ok {
		return nil
	}
	serialized, analytic := v[metric.Serialized], v[metric.Analytic]
	_, saved := v[metric.Serialized]
	if _, known := v[metric.Analytic]; !known { // of a library that another wrote
		analytic = serialized
	}
	switch {
	case resident < 0:
		doubts = append(doubts, fmt.Sprintf("its memory is not known: resident memory came out negative, as %.1f KiB", resident/(1<<10)))
		delete(v, metric.Resident)
	case !saved:
	case resident+slack < 0.8*min(serialized, analytic):
		doubts = append(doubts, fmt.Sprintf("resident memory (%.1f MiB) is far below the saved index (%.1f MiB) and the formula (%.1f MiB)", resident/mib, serialized/mib, analytic/mib))
	case resident-slack > 2*max(serialized, analytic):
		doubts = append(doubts, fmt.Sprintf("resident memory (%.1f MiB) is more than twice the saved index (%.1f MiB) and the formula (%.1f MiB)", resident/mib, serialized/mib, analytic/mib))
	}
	return doubts
}

// libraryOf names the library of f for people, with the language that calls it where that adds to every
// search.
func libraryOf(f *indexes.Family) string {
	if f.Caller == "" {
		return f.Library
	}
	return f.Library + ", called from " + f.Caller
}

func (c *coordinator) write(cell record.Cell, f *indexes.Family, rep int, seed uint64, fill func(*record.Record)) error {
	r := record.Record{
		Cell: cell, Library: libraryOf(f), Exact: f.Exact && cell.Transform == "", Approach: f.Approach, External: f.Folder != "", Caller: f.Caller, Program: c.programs[f.Name], Rep: rep, Seed: seed,
		Engine: Engine, Time: time.Now().UTC(), Env: c.env,
	}
	fill(&r)
	if err := c.lease.Held(); err != nil {
		return fmt.Errorf("%s: %w", c.Out, err)
	}
	if err := c.records.Write(&r); err != nil {
		return err
	}
	if c.observe != nil {
		c.observe(&r)
	}
	if rep == 0 && r.Status == record.OK {
		c.first[cell] = &r
	}
	if r.Status != record.OK {
		c.failed = &r
	}
	c.sum.Measured[r.Status]++
	if r.Status != record.Skipped {
		c.finished++
	}
	return nil
}
