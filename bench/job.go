package bench

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"annbench/bench/record"
	"annbench/bench/transform"
	"annbench/indexes/external"
)

// begin builds j, measures what is not measured in rounds, and starts the worker of what is: nil where
// nothing is. It leaves a record for every cell that failed. leave, which may be nil, is to be called when
// all is measured: it keeps the index, or removes it. The error is ctx's, or about writing records.
func (c *coordinator) begin(ctx context.Context, j Job, number int) (e *entrant, leave func() error, err error) {
	// No name is the beginning of another: files beside an index have its name and more.
	c.built++
	index, err := filepath.Abs(filepath.Join(c.scratch, fmt.Sprintf("index-%06d", c.built)))
	if err != nil {
		return nil, nil, err
	}
	limit, err := c.Sweep.MemoryLimit()
	if err != nil {
		return nil, nil, err
	}
	u := &underway{coordinator: c, job: j, cells: j.Cells(c.set.Digest), shared: map[string]float64{}, blocks: map[int]time.Duration{}}
	u.written = make([]bool, len(u.cells))
	o := order{
		Do: doBuild, Set: c.Run.Set, Metric: j.Metric, Threads: j.Threads, MaxK: c.maxK(),
		Family: j.Family.Reference(), Build: j.Build, Points: j.Points, Seed: j.Seed, Index: index,
		FilterSeed: c.Sweep.Seed,
	}
	if cell := u.cells[0]; cell.Transform != "" {
		o.Transform = cell.Transform
		name := fmt.Sprintf("transform-%s-%s", j.Metric, strings.ReplaceAll(cell.Transform, ":", "-"))
		if o.Fit, err = filepath.Abs(filepath.Join(c.scratch, name)); err != nil {
			return nil, nil, err
		}
	}
	if j.Family.Remote != nil {
		o.Server, o.Name = j.Server, newName()
		u.server = j.Family.Remote.Engine + " at " + j.Server.Address
	}
	built := false
	leave = func() (err error) {
		kept := false
		if e != nil && e.child != nil { // also where rounds were broken off
			e.child.hangUp()
			<-e.ended
		}
		if built && c.KeepIndexes && o.Transform == "" && j.Rep == 0 && !j.open && !j.Family.Unsaved && ctx.Err() == nil {
			err = c.keepIndex(ctx, index, u.cells[0])
			kept = err == nil
		}
		if j.Family.Remote != nil && !kept {
			c.dropFrom(ctx, j, o.Name)
		}
		removeIndex(index)
		return err
	}
	p := &process{command: c.Worker, timeout: c.Sweep.Timeout, memory: limit, log: c.Log}
	if j.open {
		p.timeout = j.limit
	}
	c.report(describe(j))
	if !j.Family.Unsaved { // else it is built in the process that is searched
		if err := p.run(ctx, o, func(r reply) { u.note(r, u.shared) }); err != nil {
			return nil, leave, u.failed(ctx, err, 0, len(u.cells))
		}
	}
	built = true

	o.Before = u.before
	o.Do, o.Measure, o.Duration = doSearch, c.Sweep.Measure, c.Sweep.Duration
	if j.Rep == 0 {
		o.Gallery = c.gallery
	}
	keep, err := c.keepAt(u.cells, j.Rep)
	if err != nil {
		return nil, leave, err
	}
	for from := j.timed(); from < len(j.Points); {
		to := from + 1
		for to < len(j.Points) && j.Points[to].Workers == j.Points[from].Workers {
			to++
		}
		o.Points, o.Threads = j.Points[from:to], max(1, j.Points[from].Workers)
		if keep != nil {
			o.Keep = keep[from:to]
		}
		own := maps.Clone(u.shared) // load time and memory are those of each process
		u.from, u.since = from, time.Now()
		err := p.run(ctx, o, func(r reply) { u.note(r, own) })
		if u.err != nil {
			return nil, leave, u.err
		}
		if err := u.failed(ctx, err, from, to); err != nil {
			return nil, leave, err
		}
		from = to
	}
	if n := j.timed(); n > 0 {
		o.Keep = nil
		if keep != nil {
			o.Keep = keep[:n]
		}
		e, err = u.enter(ctx, p, o, number)
	}
	return e, leave, err
}

// dropFrom removes from the engine of j what was built there under name.
func (c *coordinator) dropFrom(ctx context.Context, j Job, name string) {
	if err := j.Server.drop(ctx, j.Family, name); err != nil {
		c.Log.Warn("could not remove the index from the engine", "engine", j.Family.Remote.Engine, "address", j.Server.Address, "name", name, "reason", err)
	}
}

// underway is a job that is being done.
type underway struct {
	*coordinator
	job      Job
	cells    []record.Cell
	written  []bool             // by cell
	shared   map[string]float64 // values of all cells of the build
	warnings []string
	server   string                // the engine, for people
	version  string                // of the library, where the family is a program of its own
	runtime  string                // what calls it
	before   int64                 // bytes that its processes held before the build
	from     int                   // place among cells of the first point of the process that runs
	since    time.Time             // when the cell that is being measured began
	group    int                   // see [record.Record.Group]
	blocks   map[int]time.Duration // that rounds took, by cell
	err      error                 // the first of writing a record
}

// note takes a reply of a worker: what it says of the build or of a loaded index goes to shared, what
// it says of a cell becomes a record.
func (u *underway) note(r reply, shared map[string]float64) {
	if r.Server != "" {
		u.server = r.Server
	}
	if r.Version != "" || r.Runtime != "" {
		u.version, u.runtime = r.Version, r.Runtime
	}
	u.before = max(u.before, r.Before)
	if r.Cell == nil {
		maps.Copy(shared, r.Values)
		u.warnings = append(u.warnings, r.Warnings...)
		return
	}
	i := u.from + *r.Cell
	if *r.Cell < 0 || i >= len(u.cells) || u.written[i] || u.err != nil {
		return
	}
	if r.Failed != "" {
		u.err = u.fail(i, &processError{status: record.Failed, reason: r.Failed})
		return
	}
	u.written[i] = true
	u.spent[u.cells[i]] = time.Since(u.since) + u.blocks[i]
	u.since = time.Now()
	u.err = u.write(u.cells[i], u.job.Family, u.job.Rep, u.job.Seed, func(rec *record.Record) {
		rec.Status, rec.Server, rec.Version, rec.Runtime = record.OK, u.server, u.version, u.runtime
		rec.Values = maps.Clone(shared)
		maps.Copy(rec.Values, r.Values)
		rec.Spread, rec.ByLabel, rec.Confusion, rec.ByDecile, rec.ByAttribute = r.Spread, r.ByLabel, r.Confusion, r.ByDecile, r.ByAttribute
		rec.ByK, rec.Rounds = r.ByK, r.Rounds
		if rec.Rounds != nil {
			rec.Group = u.group
		}
		rec.Warnings = slices.Concat(u.warnings, r.Warnings, memoryDoubts(rec.Values))
		if u.job.Rep == 0 && rec.Cell.Mode == record.Latency {
			rec.Answers = r.Answers
		}
	})
	u.report(describe(u.job))
}

// failed leaves a record for each of the cells from to to that has none, as err says, or as it must
// be where the worker claims to be done. Its error is one that ends the run.
func (u *underway) failed(ctx context.Context, err error, from, to int) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	failure := &processError{status: record.Failed, reason: "the worker process said that it was done, but left this cell out"}
	if err != nil && !errors.As(err, &failure) {
		return err
	}
	if failure.disk {
		return fmt.Errorf("%s: %s: make room, then run the same again; nothing measured is lost", u.Out, failure.reason)
	}
	for i := from; i < to; i++ {
		if u.written[i] {
			continue
		}
		if err := u.fail(i, failure); err != nil {
			return err
		}
	}
	return nil
}

// fail leaves a record of the i-th cell.
func (u *underway) fail(i int, failure *processError) error {
	u.written[i] = true
	cell := u.cells[i]
	if err := u.write(cell, u.job.Family, u.job.Rep, u.job.Seed, func(rec *record.Record) {
		rec.Status, rec.Error, rec.Server = failure.status, failure.Error(), u.server
	}); err != nil {
		return err
	}
	u.Log.Warn("cell "+string(failure.status), "family", u.job.Family.Name, "settings", cell.Settings(), "reason", failure.reason)
	if strings.Contains(failure.reason, external.Overwrote) { // other cells would be measured on what it wrote
		return u.set.Verify(context.Background())
	}
	return nil
}

func describe(j Job) string {
	s := j.Family.Name
	if len(j.Build) > 0 {
		s += " " + j.Build.String()
	}
	if j.Transform != (transform.Transform{}) {
		s += " of " + j.Transform.String()
	}
	return s
}
