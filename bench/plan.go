package bench

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"annbench/bench/filter"
	"annbench/bench/record"
	"annbench/bench/sweepfile"
	"annbench/bench/transform"
	"annbench/indexes"
	"annbench/indexes/vec"
)

// Plan is the work that a sweep means on a data set.
type Plan struct {
	// Jobs in the order in which they are to be done: repetition after repetition, and within each
	// in an order drawn from the seed, so that a disturbance of the machine does not fall on one
	// family alone.
	Jobs []Job
	// Skipped are cells that this build of annbench or this data cannot do, and why.
	Skipped []Skip
	// Same are settings that mean what another one means, and are measured once, under its name.
	Same []Same
}

// Job is one build of an index, and what is measured on it.
type Job struct {
	Family  *indexes.Family
	Metric  vec.Metric
	Build   indexes.Params // complete
	Points  []Point        // those that share a worker process stand together
	Threads int            // of the build
	Rep     int
	Seed    uint64
	Server  Server // of families with an engine

	// Transform is what the vectors go through first, the zero value nothing.
	Transform transform.Transform

	part int // number of the build within a repetition, by which shards divide the work

	// Of a [Session]. open says that its one point is what it is built with, and that those that are measured come
	// one by one; limit is its timeout.
	open  bool
	limit time.Duration
}

// Point is one measurement of a built index.
type Point struct {
	Search indexes.Params `json:"search"` // complete, and what the index makes of it: see [indexes.Family.Effective]
	K      int            `json:"k"`
	Asking
	Among
}

// Asking is how queries are put: see the modes of package record.
type Asking struct {
	Mode    string  `json:"mode"`
	Workers int     `json:"workers,omitempty"` // threads that search; 0 under latency, which has one
	Rate    float64 `json:"rate,omitempty"`    // arrivals a second, under the open loop
}

// Skip is a cell that will not be measured, with the reason.
type Skip struct {
	Cell   record.Cell
	Family *indexes.Family
	Reason string
}

// Same says that search settings were asked for that mean the same as others.
type Same struct {
	Family *indexes.Family
	Build  indexes.Params
	K      int
	Asked  indexes.Params
	Means  indexes.Params // what is measured
}

// Shape is what a plan has to know of the data and of the machine.
type Shape struct {
	Digest    string
	Base, Dim int
	Cores     int // for the number of searching threads, where the sweep does not say
	// Find finds the engines of families that have one; see [FindServer].
	Find FindServer
}

// cell names what the measurement of p on j is of.
func (j *Job) cell(digest string, p Point) record.Cell {
	word := j.Transform.String()
	if word == transform.None {
		word = ""
	}
	return record.Cell{
		Transform: word, Dataset: digest, Metric: string(j.Metric), Family: j.Family.Name,
		Build: j.Build.String(), Search: p.Search.String(), K: p.K, Threads: j.Threads,
		Mode: p.Mode, Workers: p.Workers, Rate: p.Rate,
		Filter: p.Filter.String(), Way: p.Way, Factor: p.Factor,
	}
}

// Cells lists what j measures, point after point.
func (j *Job) Cells(digest string) []record.Cell {
	cells := make([]record.Cell, len(j.Points))
	for i, p := range j.Points {
		cells[i] = j.cell(digest, p)
	}
	return cells
}

// MakePlan lays out the sweep on data of a shape. It is pure: the same sweep and shape give the same
// plan, as far as shape.Find finds the same engines. What the sweep names twice is planned once, also under other words: settings that an index
// treats alike are one cell.
func MakePlan(s *sweepfile.Sweep, shape Shape) (*Plan, error) {
	var once []Job // one repetition
	plan := &Plan{}
	seen := map[record.Cell]bool{}
	askings := askings(s, shape.Cores)
	local, err := anyLocal(s)
	if err != nil {
		return nil, err
	}
	scanned := map[vec.Metric]bool{}
	for _, fs := range s.Families {
		family, err := lookup(fs.Family)
		if err != nil {
			return nil, err
		}
		searches, err := combinations(family, family.Search, whole(family, family.Search, fs.Search))
		if err != nil {
			return nil, err
		}
		builds, err := combinations(family, family.Build, whole(family, family.Build, fs.Build))
		if err != nil {
			return nil, err
		}
		for _, metric := range s.Metric {
			for _, one := range product(s.Transforms(), builds) {
				build := one.build
				job := Job{
					Family: family, Metric: metric, Build: build, Transform: one.transform,
					Threads: s.Threads, Seed: s.Seed, part: len(once),
				}
				missing := ""
				if family.Remote != nil && family.Missing == "" {
					if job.Server, err = shape.Find.find(family, fs.Address, build); err != nil {
						missing = err.Error()
					}
				}
				scans := !scanned[metric] && (scannable(family) || !local)
				plan.lay(&job, missing, belonging(&job, searches), askings, s.K, filtered(s, family, scans), shape, seen)
				scanned[metric] = scanned[metric] || slices.ContainsFunc(job.Points, func(p Point) bool { return p.Way == filter.Before })
				if len(job.Points) > 0 {
					once = append(once, job)
				}
			}
		}
	}
	for rep := range s.Repetitions {
		order := rand.New(rand.NewPCG(s.Seed, uint64(rep))).Perm(len(once))
		for _, i := range order {
			job := once[i]
			job.Rep = rep
			job.Seed = s.Seed + uint64(rep)
			plan.Jobs = append(plan.Jobs, job)
		}
	}
	return plan, nil
}

type transformed struct {
	transform transform.Transform
	build     indexes.Params
}

// product is every build after every transform.
func product(transforms []transform.Transform, builds []indexes.Params) (out []transformed) {
	for _, t := range transforms {
		for _, b := range builds {
			out = append(out, transformed{t, b})
		}
	}
	return out
}

// whole is grid with every word of each setting that it does not name, for a family that brings a grid of
// its own.
func whole(f *indexes.Family, params []indexes.Param, grid sweepfile.Grid) sweepfile.Grid {
	if f.Belongs == nil {
		return grid
	}
	out := maps.Clone(grid)
	if out == nil {
		out = sweepfile.Grid{}
	}
	for _, p := range params {
		if _, named := out[p.Name]; !named {
			for _, w := range p.Words {
				out[p.Name] = append(out[p.Name], w)
			}
		}
	}
	return out
}

// belonging are the searches that go with the build of j.
func belonging(j *Job, searches []indexes.Params) []indexes.Params {
	if j.Family.Belongs == nil {
		return searches
	}
	var out []indexes.Params
	for _, s := range searches {
		if j.Family.Belongs(j.Metric, j.Build, s) {
			out = append(out, s)
		}
	}
	return out
}

// lay puts on job what is to be measured on it, and on the plan what is not, each once. Nothing can be
// where missing says why.
func (p *Plan) lay(job *Job, missing string, searches []indexes.Params, askings []Asking, ks []int, filters []Among, shape Shape, seen map[record.Cell]bool) {
	put := func(point Point) {
		cell := job.cell(shape.Digest, point)
		if seen[cell] {
			return
		}
		seen[cell] = true
		reason := unfit(job, point, shape)
		if reason == "" {
			reason = missing
		}
		if reason != "" {
			p.Skipped = append(p.Skipped, Skip{cell, job.Family, reason})
			return
		}
		job.Points = append(job.Points, point)
	}
	for i, asking := range askings {
		for _, asked := range searches {
			for _, k := range ks {
				means := job.Family.Effectively(shape.Base, k, job.Build, asked)
				if i == 0 && !maps.Equal(means, asked) {
					p.Same = append(p.Same, Same{job.Family, job.Build, k, asked, means})
				}
				put(Point{Search: means, K: k, Asking: asking})
				if asking.Mode != record.Latency { // filters are timed one query at a time
					continue
				}
				for _, among := range filters {
					point := Point{Search: means, K: k, Asking: asking, Among: among}
					if among.Way == filter.Before { // no setting of the index matters
						point.Search = indexes.Params{}
					}
					put(point)
				}
			}
		}
	}
}

// askings lists the ways in which the sweep has queries put, those of one number of threads together.
func askings(s *sweepfile.Sweep, cores int) []Asking {
	ladder := []int(s.Workers)
	if len(ladder) == 0 {
		for t := 1; t < cores; t *= 2 {
			ladder = append(ladder, t)
		}
		ladder = append(ladder, max(1, cores))
	}
	has := func(mode string) bool { return slices.Contains(s.Modes, mode) }
	var list []Asking
	if has(record.Latency) {
		list = append(list, Asking{Mode: record.Latency})
	}
	for _, t := range ladder {
		if has(record.Throughput) {
			list = append(list, Asking{Mode: record.Throughput, Workers: t})
		}
		if has(record.Batch) {
			list = append(list, Asking{Mode: record.Batch, Workers: t})
		}
		if has(record.OpenLoop) && t == slices.Max(ladder) {
			for _, rate := range s.Rates {
				list = append(list, Asking{Mode: record.OpenLoop, Workers: t, Rate: rate})
			}
		}
	}
	return list
}

// unfit says why a point cannot be measured, or nothing if it can.
func unfit(j *Job, p Point, shape Shape) string {
	switch {
	case j.Family.Missing != "":
		return j.Family.Missing
	case !j.Family.Supports(j.Metric):
		return "the family has no metric " + string(j.Metric)
	case j.Family.Folder != "" && (p.Mode == record.Throughput || p.Mode == record.OpenLoop):
		return "the family is a program of its own, which is asked one query after another, or a batch"
	case j.Family.Folder != "" && p.Mode == record.Batch && p.Workers > 1:
		return "the family is a program of its own, whose batch is searched on one thread"
	case j.Transform != transform.Transform{} && (j.Family.Folder != "" || j.Family.Remote != nil):
		return "transforms are measured for families in annbench's own process"
	case p.Mode == record.Batch && !j.Family.Batch:
		return "the family has no batch search"
	case p.Way != "" && unfiltered(j.Family, p.Among) != "":
		return unfiltered(j.Family, p.Among)
	}
	params := maps.Clone(j.Build)
	maps.Copy(params, p.Search)
	if err := j.Family.CheckFit(shape.Base, j.Transform.Dim(shape.Dim), j.Metric, params); err != nil {
		return err.Error()
	}
	return ""
}

// combinations gives every combination of the values of grid, completed with defaults, in the order
// of params with the last one running fastest.
func combinations(f *indexes.Family, params []indexes.Param, grid sweepfile.Grid) ([]indexes.Params, error) {
	combos := []indexes.Params{{}}
	for _, param := range params {
		values, ok := grid[param.Name]
		if !ok {
			continue
		}
		var next []indexes.Params
		for _, combo := range combos {
			for _, v := range values {
				c := maps.Clone(combo)
				c[param.Name] = v
				next = append(next, c)
			}
		}
		combos = next
	}
	for i, combo := range combos {
		complete, err := f.Settings(params, combo)
		if err != nil {
			return nil, err
		}
		combos[i] = complete
	}
	return combos, nil
}

// Shard is one of several parts of a plan, which are measured apart and merged.
type Shard struct{ Index, Of int } // Index from 1; the zero value is the whole

// String gives the shard as [ParseShard] reads it.
func (s Shard) String() string { return fmt.Sprintf("%d/%d", s.Index, s.Of) }

// ParseShard reads "2/8".
func ParseShard(text string) (Shard, error) {
	var s Shard
	var rest string
	n, _ := fmt.Sscanf(text, "%d/%d%s", &s.Index, &s.Of, &rest)
	if n != 2 || s.Of < 1 || s.Index < 1 || s.Index > s.Of {
		return Shard{}, fmt.Errorf("%q is not a shard: write it like 2/8, the second of eight", text)
	}
	return s, nil
}

// Builds is how many builds a repetition has: the most shards that all have something to do.
func (p *Plan) Builds() int {
	n := 0
	for i := range p.Jobs {
		n = max(n, p.Jobs[i].part+1)
	}
	return n
}

// Part returns the plan of one shard. All repetitions of a build stay together, on one machine.
func (p *Plan) Part(s Shard) *Plan {
	if s.Of <= 1 {
		return p
	}
	part := &Plan{Same: p.Same}
	for _, job := range p.Jobs {
		if job.part%s.Of == s.Index-1 {
			part.Jobs = append(part.Jobs, job)
		}
	}
	if s.Index == 1 {
		part.Skipped = p.Skipped
	}
	return part
}

// without returns the jobs of p with the cells that done names left out, and how many cells are left.
func (p *Plan) without(digest string, done func(c record.Cell, rep int) bool) (jobs []Job, cells int) {
	for _, job := range p.Jobs {
		job.Points = slices.DeleteFunc(slices.Clone(job.Points), func(point Point) bool {
			return done(job.cell(digest, point), job.Rep)
		})
		if len(job.Points) > 0 {
			jobs = append(jobs, job)
			cells += len(job.Points)
		}
	}
	return jobs, cells
}
