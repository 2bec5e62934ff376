package main

import (
	"errors"
	"fmt"
	"math"

	"annbench/bench/filter"
	"annbench/bench/metric"
	"annbench/internal/units"
	"annbench/reports/interchange"
	"annbench/reports/judge"
	"annbench/reports/say"
)

// limitFlags are what a setting must keep to.
type limitFlags struct {
	MinRecall *units.Share     `help:"Least recall: 0.95 or 95%. Default: 0.95, where none of the next three is given." placeholder:"SHARE"`
	MinMap    *units.Share     `name:"min-map" help:"Least mAP." placeholder:"SHARE"`
	MinHit    *units.Share     `help:"Least hit, by item: the share of queries with an answer that is the same item." placeholder:"SHARE"`
	MinNDCG   *units.Share     `name:"min-ndcg" help:"Least nDCG, by shared attributes." placeholder:"SHARE"`
	MaxP99    *units.Seconds   `name:"max-p99" help:"Time that 99 % of the queries stay within: 2ms." placeholder:"TIME"`
	MaxMean   *units.Seconds   `help:"Mean time of a query." placeholder:"TIME"`
	MinQPS    *units.PerSecond `name:"min-qps" help:"Queries a second on one thread, by the wall clock: 10k." placeholder:"N"`
	MaxMemory *units.Bytes     `help:"Resident memory: 300MiB." placeholder:"SIZE"`
	MaxFile   *units.Bytes     `help:"Size of the saved index." placeholder:"SIZE"`
	MaxBuild  *units.Seconds   `help:"Time to build: 1m. It is processor time where builds have one thread and all records have it, else wall time; the answer names it (CPU build, wall build)." placeholder:"TIME"`
}

type chooseCmd struct {
	Results []string `arg:"" help:"Results folders." s3:"results"`

	limitFlags
	MaxBytes *units.VectorBytes `name:"max-bytes-per-vector" help:"Bytes a vector, by the family's formula: 128B." placeholder:"SIZE"`

	K      int    `help:"Number of answers, where the results have several." placeholder:"K"`
	Metric string `help:"Metric, where the results have several." placeholder:"NAME"`
	JSON   bool   `help:"One JSON object instead of text."`

	Filter      *string      `help:"Under this filter of the sweep: \"category = 'dress' and price < 100\"." placeholder:"EXPRESSION"`
	Selectivity *units.Share `help:"Under the made filter whose selectivity is nearest: 1%." placeholder:"SHARE"`
	Correlation string       `help:"Where what passes lies, with --selectivity: none, near or far." enum:"none,near,far" default:"none"`
}

// Help is printed below the flags.
func (chooseCmd) Help() string {
	return `Prints the fastest setting that keeps every limit, as YAML for a sweep file, with its margins, two
runners-up and the price of more recall. A limit is kept only if the worse end of the value's 95 %
interval keeps it. Exit code 1 where nothing fits; the nearest setting is named then.

Examples:
  annbench choose results/default --min-recall 0.95 --max-memory 300MiB
  annbench choose results/shop --min-hit 80% --min-ndcg 0.6
  annbench choose results/default --min-map 70% --max-p99 2ms --max-build 1m
  annbench choose results/default --max-bytes-per-vector 128B
  annbench choose results/filters --selectivity 1% --correlation far`
}

// errNothingFits has been printed already.
var errNothingFits = errors.New("nothing fits")

func (c *limitFlags) limits() []judge.Limit {
	var out []judge.Limit
	limit(&out, metric.Recall, c.MinRecall)
	limit(&out, metric.MAP, c.MinMap)
	limit(&out, metric.ItemHit, c.MinHit)
	limit(&out, metric.NDCG, c.MinNDCG)
	if len(out) == 0 {
		out = append(out, judge.Limit{Name: metric.Recall, Bound: judge.Target})
	}
	limit(&out, metric.P99, c.MaxP99)
	limit(&out, metric.Mean, c.MaxMean)
	limit(&out, metric.QPS, c.MinQPS)
	limit(&out, metric.Resident, c.MaxMemory)
	limit(&out, metric.Serialized, c.MaxFile)
	limit(&out, metric.Build, c.MaxBuild)
	return out
}

// zero names a flag that allows nothing at all; it is empty where there is none.
func (c *limitFlags) zero() string {
	for _, f := range []struct {
		name string
		zero bool
	}{
		{"--max-p99", c.MaxP99 != nil && *c.MaxP99 == 0},
		{"--max-mean", c.MaxMean != nil && *c.MaxMean == 0},
		{"--max-memory", c.MaxMemory != nil && *c.MaxMemory == 0},
		{"--max-file", c.MaxFile != nil && *c.MaxFile == 0},
		{"--max-build", c.MaxBuild != nil && *c.MaxBuild == 0},
	} {
		if f.zero {
			return f.name
		}
	}
	return ""
}

// limit adds a bound on what is called name; none where it was not given.
func limit[Q ~int64 | ~float64](all *[]judge.Limit, name string, bound *Q) {
	if bound != nil {
		*all = append(*all, judge.Limit{Name: name, Bound: float64(*bound)})
	}
}

// limits are those that every search has, and bytes a vector, which tune does not measure.
func (c *chooseCmd) limits() []judge.Limit {
	out := c.limitFlags.limits()
	limit(&out, metric.PerVector, c.MaxBytes)
	return out
}

func (c *chooseCmd) Run(s *surface) error {
	r, err := judge.Load(c.Results...)
	if err != nil {
		return err
	}
	if sets := r.Datasets(); len(sets) > 1 {
		return misuse(fmt.Errorf("these results are of %d data sets (%s): name those of one, as numbers compare within one only", len(sets), say.Title(r)))
	}
	t, err := r.TermsOf(c.K, c.Metric)
	if err != nil {
		return misuse(err)
	}
	switch {
	case c.Correlation != "none" && c.Selectivity == nil:
		return misuse(errors.New("--correlation goes with --selectivity, which says how many pass: 1%"))
	case c.Selectivity != nil && (*c.Selectivity <= 0 || *c.Selectivity > 1):
		return misuse(errors.New("--selectivity is a share above 0 and at most 100%: 1%"))
	case c.Filter != nil || c.Selectivity != nil:
		return c.filtered(s, r, t)
	}
	p := r.Pick(t, c.limits())
	for _, n := range say.Notes(r) {
		fmt.Fprintln(s.err, "note: "+n)
	}
	if c.JSON {
		if err := s.json(interchange.PickSummary(p)); err != nil {
			return err
		}
	} else {
		fmt.Fprint(s.out, say.Pick(p))
	}
	if p.Best == nil {
		return errNothingFits
	}
	return nil
}

// filtered answers for searches under a filter.
func (c *chooseCmd) filtered(s *surface, r *judge.Report, t judge.Terms) error {
	limits := c.limits()
	if len(limits) > 1 || limits[0].Name != metric.Recall || c.JSON || c.Filter != nil && c.Selectivity != nil {
		return misuse(errors.New("--filter and --selectivity, one of them, go with --min-recall, --k and --metric alone"))
	}
	for _, f := range r.Filtered() {
		if f.Terms != t {
			continue
		}
		share := 0.0
		if c.Selectivity != nil {
			share = float64(*c.Selectivity)
		}
		name, err := c.measured(&f)
		if err != nil {
			return misuse(err)
		}
		at, ok := f.Nearest(name, share, c.Correlation)
		if !ok {
			return misuse(fmt.Errorf("nothing was measured under a made filter of that correlation: %s", say.FilterNames(&f)))
		}
		if asked := f.Filters[at].Asked; share > 0 && math.Abs(asked-share) > share/100 {
			fmt.Fprintf(s.out, "%s was not measured; the nearest is %s.\n", say.Share(share), say.Share(asked))
		}
		text, ok := say.FilterPick(&f, at, limits[0].Bound)
		fmt.Fprint(s.out, text)
		if !ok {
			return errNothingFits
		}
		return nil
	}
	return misuse(errors.New("nothing was measured under filters in these results: a sweep has them under the key filters"))
}

// measured is the name that the filter asked for has in the results, however it is spelled; empty where none is asked for.
func (c *chooseCmd) measured(f *judge.Filtered) (string, error) {
	if c.Filter == nil {
		return "", nil
	}
	for _, u := range f.Filters {
		if filter.Same(u.Name, *c.Filter) {
			return u.Name, nil
		}
	}
	if _, err := filter.Parse(*c.Filter); err != nil {
		return "", fmt.Errorf("--filter: %w", err)
	}
	return "", fmt.Errorf("nothing was measured under that filter: %s", say.FilterNames(f))
}
