// Package tune finds the index and the settings for given limits without a sweep: it builds little, tries cheap
// things first, and measures at full size only what may be the answer.
//
// How it searches, from the inside out:
//
//   - [Bisect] finds the least effort (ef, nprobe, search_k: the first search setting of a family) at which the
//     worse end of the interval of recall keeps its limit. Recall grows with effort, so that a few steps do. Few
//     queries are asked first, and more where the step is a close one.
//   - [Race] decides on build settings and families by successive halving (Jamieson, Talwalkar: Non-stochastic
//     Best Arm Identification and Hyperparameter Optimization, AISTATS 2016; Li et al.: Hyperband, JMLR 2018): all
//     families begin on a sixteenth of the vectors, the better ones go on to a quarter, and few to all of them. What
//     a sample says of the whole is corrected by the family's growth: between two samples as measured, from one by
//     its formula ([indexes.Family.Work]). Speeds are ratios of processor time, measured in turn against the best so
//     far.
//   - Values to try come from the family table ([indexes.Param.Start], [indexes.Param.Steps]), so that any family can
//     be tuned, external ones too.
//
// It ends with contenders, not with an answer: what was chosen for being fast reads too fast, so that package
// pipeline measures them anew on fresh queries and fresh builds, and package judge picks.
//
// Every build that was measured has records in a results folder for each size. [State] is the log of the search
// beside them, from which one that was stopped goes on.
package tune

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"annbench/bench"
	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/indexes"
	"annbench/indexes/vec"
	"annbench/reports/judge"
)

// Question is what is asked for.
type Question struct {
	Limits    []judge.Limit   // that the answer must keep
	Objective judge.Objective // what is best among those that do
	K         int             // answers a query
	Metric    vec.Metric
	Families  []*indexes.Family
	// Servers are the engines of families that have one, by name of the family.
	Servers map[string]bench.Server
	Seed    uint64
}

// Quality is the limit that effort is decided by: the first of recall, mAP and the like among the limits; ok is
// false where there is none, and then every setting keeps it.
func (q *Question) Quality() (l judge.Limit, ok bool) {
	for _, l := range q.Limits {
		if IsQuality(l) {
			return l, true
		}
	}
	return judge.Limit{}, false
}

// IsQuality reports whether more effort helps to keep l: recall, mAP and the like.
func IsQuality(l judge.Limit) bool {
	info, _ := metric.Lookup(l.Name)
	return info.Unit == metric.Ratio && !info.Lower
}

// Rung is where indexes of one size are built: a [bench.Session] behind [Sessions], or a model in tests.
type Rung interface {
	Shape() (rows, dim, queries int)
	// Build builds an index, which waits. Its error is a [*bench.BuildError] where another build may do better.
	Build(ctx context.Context, f *indexes.Family, build, search indexes.Params, limit time.Duration) (Trial, error)
	// Race measures a point of each of a and b in turn. b may be nil.
	Race(ctx context.Context, a, b Trial) error
}

// Trial is an index that waits for what is tried on it.
type Trial interface {
	Cost() map[string]float64
	Try(ctx context.Context, search indexes.Params, queries int) (bench.Tried, error)
	// Effective are the search settings that mean the same as search.
	Effective(search indexes.Params) indexes.Params
	// Measure has these settings take part in races from now on, and in a record.
	Measure(ctx context.Context, search indexes.Params) error
	// Timed are the seconds a query of the measured settings by round.
	Timed() metric.Observation
	Finish(ctx context.Context) error
}

// Result is what was found of one build at one size, with its settings as values.
type Result struct {
	*record.Try

	family             *indexes.Family
	arm, build, search indexes.Params
}

// Name is the build, for people.
func (r *Result) Name() string { return strings.TrimSpace(r.Family + " " + r.Build) }

// Params are the family and the settings with their types.
func (r *Result) Params() (f *indexes.Family, build, search indexes.Params) {
	return r.family, r.build, r.search
}

// OK reports whether the build came to something.
func (r *Result) OK() bool { return r.Failed == "" }

// keeps reports whether r keeps limits on what is known of it: quality, memory, size, build time and the mean time
// of a query. Those on percentiles are for the final measurement.
func (r *Result) keeps(limits []judge.Limit) bool {
	if !r.OK() || !r.Reached {
		return false
	}
	for _, l := range limits {
		v, ok := r.value(l.Name)
		if !ok {
			continue
		}
		if l.AtMost() && v > l.Bound || !l.AtMost() && v < l.Bound {
			return false
		}
	}
	return true
}

// value is what r knows of a quantity that does not depend on chance much.
func (r *Result) value(name string) (float64, bool) {
	switch name {
	case metric.Mean, metric.CPU:
		return r.Score, true
	case metric.QPS:
		return 1 / r.Score, r.Score > 0
	}
	v, ok := r.Cost[name]
	return v, ok
}

// excess is by how much r breaks limits: the sum of the logarithms of how many times too much it takes.
func (r *Result) excess(limits []judge.Limit) (sum float64) {
	for _, l := range limits {
		if v, ok := r.value(l.Name); ok && v > 0 && l.Bound > 0 {
			x := math.Log(v / l.Bound)
			if !l.AtMost() {
				x = -x
			}
			sum += max(0, x)
		}
	}
	return sum
}

// objective is what is to be small.
func (q *Question) objective(r *Result) float64 {
	switch q.Objective.Name {
	case "", judge.Speed:
		return r.Score
	}
	values := map[string]float64{metric.CPU: r.Score}
	for _, from := range []map[string]float64{r.Cost, r.Values} {
		for name, v := range from {
			values[name] = v
		}
	}
	if v, ok := q.Objective.Of(values); ok {
		return v
	}
	return math.Inf(1)
}

// better orders results: those that keep the limits first, by the objective, then those that come nearest.
func (q *Question) better(a, b *Result) int {
	ka, kb := a.keeps(q.Limits), b.keeps(q.Limits)
	switch {
	case ka != kb:
		if ka {
			return -1
		}
		return 1
	case ka:
		return cmpFloat(q.objective(a), q.objective(b), a, b)
	case a.OK() != b.OK():
		if a.OK() {
			return -1
		}
		return 1
	case a.Reached != b.Reached:
		if a.Reached {
			return -1
		}
		return 1
	case !a.Reached:
		return cmpFloat(-a.Quality, -b.Quality, a, b)
	}
	return cmpFloat(a.excess(q.Limits), b.excess(q.Limits), a, b)
}

// SoFar is the best of what a search that was stopped has found: of the tries on the most vectors that reached the limit of
// quality. It is nil where there are none; keeps reports whether it keeps the other limits as well.
func (q *Question) SoFar(tries []*record.Try) (best *record.Try, keeps bool) {
	var first *Result
	for _, t := range tries {
		r := &Result{Try: t}
		if r.OK() && r.Reached && (first == nil || r.Rows > first.Rows || r.Rows == first.Rows && q.better(r, first) < 0) {
			first = r
		}
	}
	if first == nil {
		return nil, false
	}
	return first.Try, first.keeps(q.Limits)
}

func cmpFloat(x, y float64, a, b *Result) int {
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return strings.Compare(a.Name(), b.Name())
}

// A BudgetError says that the budget does not reach for one build.
type BudgetError struct {
	Family      string
	Need, Given time.Duration
}

func (e *BudgetError) Error() string {
	return fmt.Sprintf("a budget of %v is too short for one answer: the cheapest build, of %s, takes about %v with its measurement: give --budget %v or more",
		e.Given, e.Family, e.Need.Round(time.Second), (2*e.Need).Round(time.Second)+time.Second)
}

// Sizes are the numbers of vectors that are searched on, of n: a sixteenth, a quarter, all. Samples of fewer than
// LeastSample vectors say little of the whole, and builds on so few cost little anyway.
func Sizes(n int) (sizes []int) {
	for _, part := range []int{16, 4} {
		if n/part >= LeastSample {
			sizes = append(sizes, n/part)
		}
	}
	return append(sizes, n)
}

// LeastSample is the smallest sample that is searched on.
const LeastSample = 3000

// Contenders are those of the results at full size that are worth measuring anew: the best, those that may be as
// good (within near times its objective), at most three of a kind, and in any case the best of another family.
func (q *Question) Contenders(all []*Result, rows int) []*Result {
	var full []*Result
	for _, r := range all {
		if r.Rows == rows && r.OK() {
			full = append(full, r)
		}
	}
	slices.SortStableFunc(full, q.better)
	if len(full) == 0 {
		return nil
	}
	out := full[:1:1]
	families := map[string]int{full[0].Family: 1}
	for _, r := range full[1:] {
		if len(out) == mostContenders {
			break
		}
		if r.keeps(q.Limits) != full[0].keeps(q.Limits) || !r.Reached {
			continue
		}
		tied := q.objective(r) <= near*math.Abs(q.objective(full[0]))
		other := families[r.Family] == 0
		if tied && families[r.Family] < 2 || other && len(families) < 2 {
			out = append(out, r)
			families[r.Family]++
		}
	}
	return out
}

const (
	near           = 1.10 // twice what a race of two is off by
	mostContenders = 4
)

// Enough is how many queries would tell a quality from limit l, whose standard error over so many queries is spread: with
// them the 95 % interval is half as wide as the way from the limit to 1. It is 0 where there are as many. Where no query
// missed anything, up to three of n queries may still miss a place of their k answers (the rule of three: Hanley,
// Lippman-Hand, JAMA 1983).
func Enough(l judge.Limit, spread float64, queries, k int) int {
	if l.Bound >= 1 || queries < 1 || k < 1 {
		return 0
	}
	allowed := (1 - l.Bound) / 4
	half := confident * spread / allowed
	n := max(float64(queries)*half*half, 3/(float64(k)*allowed))
	if n <= float64(queries)*(1+1e-9) {
		return 0
	}
	digits := math.Pow(10, math.Floor(math.Log10(n)))
	return int(math.Round(math.Ceil(n/digits*10-1e-9) / 10 * digits))
}
