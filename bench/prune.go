package bench

import (
	"slices"
	"time"

	"annbench/bench/metric"
	"annbench/bench/record"
)

// firsts are the results of the first repetition, by cell.
func firsts(records []record.Record) map[record.Cell]*record.Record {
	first := map[record.Cell]*record.Record{}
	for i := range records {
		if r := &records[i]; r.Rep == 0 && r.Status == record.OK && r.Engine == Engine {
			first[r.Cell] = r
		}
	}
	return first
}

// prune takes out of job what the first repetition showed to be dominated, and counts it.
func (c *coordinator) prune(job *Job) {
	before := len(job.Points)
	job.Points = slices.DeleteFunc(slices.Clone(job.Points), func(p Point) bool {
		cell := job.cell(c.set.Digest, p)
		if !dominated(cell, c.first) {
			return false
		}
		c.sum.Pruned++
		c.sum.Saved += c.spent[cell]
		return true
	})
	if len(job.Points) == 0 && before > 0 {
		c.sum.Saved += c.builtIn(job)
	}
	c.total -= before - len(job.Points)
}

// builtIn is how long the build of job took in the first repetition.
func (c *coordinator) builtIn(job *Job) time.Duration {
	for cell, r := range c.first {
		if cell.Family == job.Family.Name && cell.Build == job.Build.String() && cell.Metric == string(job.Metric) {
			return time.Duration(r.Values[metric.Build] * float64(time.Second))
		}
	}
	return 0
}

// By how much another cell must be better before a cell counts as dominated: far above what one
// repetition can be off by (the latency of one cell in two undisturbed runs differs by up to 10 %).
const (
	clearlyFaster = 1.25
	aboutEqual    = 1.10
)

// dominated reports whether another cell of the same family, measured in the same way, has at least the
// same recall, is clearly faster, and costs no more to build or to keep. Cells of other families do
// not count: each family keeps its own line in the report.
func dominated(cell record.Cell, first map[record.Cell]*record.Record) bool {
	own, ok := first[cell]
	if !ok {
		return false
	}
	for other, r := range first {
		if other == cell || other.Family != cell.Family || other.Metric != cell.Metric || other.Dataset != cell.Dataset ||
			other.K != cell.K || other.Threads != cell.Threads || other.Mode != cell.Mode || other.Workers != cell.Workers || other.Rate != cell.Rate ||
			other.Transform != cell.Transform || other.Filter != cell.Filter || other.Way != cell.Way || other.Churn != cell.Churn {
			continue
		}
		if r.Values[metric.Recall] >= own.Values[metric.Recall] &&
			slowness(r) > 0 && slowness(r)*clearlyFaster <= slowness(own) &&
			r.Values[metric.Build] <= aboutEqual*own.Values[metric.Build] &&
			r.Values[metric.Serialized] <= aboutEqual*own.Values[metric.Serialized] {
			return true
		}
	}
	return false
}

// slowness is what a cell's mode is about, lower being better.
func slowness(r *record.Record) float64 {
	if mean, ok := r.Values[metric.Mean]; ok {
		return mean
	}
	if qps := r.Values[metric.QPS]; qps > 0 {
		return 1 / qps
	}
	return 0
}
