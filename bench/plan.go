package bench

import (
	"maps"
	"math/rand/v2"
	"slices"

	"annbench/bench/record"
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
}

// Job is one build of an index, measured at several search settings.
type Job struct {
	Family   *indexes.Family
	Metric   vec.Metric
	Build    indexes.Params // complete
	Searches []indexes.Params
	Ks       []int
	Threads  int
	Rep      int
	Seed     uint64
}

// Skip is a cell that will not be measured, with the reason.
type Skip struct {
	Cell   record.Cell
	Family *indexes.Family
	Reason string
}

// Shape is what a plan has to know of the data.
type Shape struct {
	Digest    string
	Base, Dim int
}

// Cells lists what j measures, search setting after search setting, and within each k after k.
func (j *Job) Cells(digest string) []record.Cell {
	var cells []record.Cell
	for _, search := range j.Searches {
		for _, k := range j.Ks {
			cells = append(cells, record.Cell{
				Dataset: digest, Metric: string(j.Metric), Family: j.Family.Name,
				Build: j.Build.String(), Search: search.String(),
				K: k, Threads: j.Threads, Mode: record.Latency,
			})
		}
	}
	return cells
}

// MakePlan lays out the sweep on data of a shape. It is pure: the same sweep and shape give the same
// plan. Cells that the sweep names twice are planned once.
func MakePlan(s *Sweep, shape Shape) (*Plan, error) {
	var once []Job // one repetition
	plan := &Plan{}
	seen := map[record.Cell]bool{}
	for _, fs := range s.Families {
		family, err := indexes.Lookup(fs.Family)
		if err != nil {
			return nil, err
		}
		searches, err := combinations(family, family.Search, fs.Search)
		if err != nil {
			return nil, err
		}
		builds, err := combinations(family, family.Build, fs.Build)
		if err != nil {
			return nil, err
		}
		for _, metric := range s.Metric {
			for _, build := range builds {
				job := Job{
					Family: family, Metric: metric, Build: build, Ks: s.K,
					Threads: s.Threads, Seed: s.Seed,
				}
				for _, search := range searches {
					one := job
					one.Searches = []indexes.Params{search}
					cells := one.Cells(shape.Digest)
					if seen[cells[0]] {
						continue
					}
					seen[cells[0]] = true
					if reason := unfit(&one, shape); reason != "" {
						for _, c := range cells {
							plan.Skipped = append(plan.Skipped, Skip{c, family, reason})
						}
						continue
					}
					job.Searches = append(job.Searches, search)
				}
				if len(job.Searches) > 0 {
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

// unfit says why a job cannot be done, or nothing if it can.
func unfit(j *Job, shape Shape) string {
	switch {
	case j.Family.Missing != "":
		return j.Family.Missing
	case !j.Family.Supports(j.Metric):
		return "the family has no metric " + string(j.Metric)
	case j.Family.Fits != nil:
		params := maps.Clone(j.Build)
		maps.Copy(params, j.Searches[0])
		if err := j.Family.Fits(shape.Base, shape.Dim, params); err != nil {
			return err.Error()
		}
	}
	return ""
}

// combinations gives every combination of the values of grid, completed with defaults, in the order
// of params with the last one running fastest.
func combinations(f *indexes.Family, params []indexes.Param, grid Grid) ([]indexes.Params, error) {
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

// without returns the jobs of p with the cells that done names left out, and how many cells are left.
func (p *Plan) without(digest string, done func(c record.Cell, rep int) bool) (jobs []Job, cells int) {
	for _, job := range p.Jobs {
		all := job.Searches
		job.Searches = nil
		for _, search := range all {
			one := job
			one.Searches = []indexes.Params{search}
			// A search setting is measured again as a whole when one of its k is missing.
			if slices.ContainsFunc(one.Cells(digest), func(c record.Cell) bool { return !done(c, job.Rep) }) {
				job.Searches = append(job.Searches, search)
			}
		}
		if len(job.Searches) > 0 {
			jobs = append(jobs, job)
			cells += len(job.Searches) * len(job.Ks)
		}
	}
	return jobs, cells
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
