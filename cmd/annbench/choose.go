package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/reports/interchange"
	"annbench/reports/judge"
	"annbench/reports/say"
)

type chooseCmd struct {
	Results []string `arg:"" help:"Results folders." s3:"results"`

	MinRecall *share     `help:"Least recall: 0.95 or 95%. Default: 0.95, where --min-map is not given." placeholder:"SHARE"`
	MinMap    *share     `name:"min-map" help:"Least mAP." placeholder:"SHARE"`
	MaxP99    *seconds   `name:"max-p99" help:"Time that 99 % of the queries stay within: 2ms." placeholder:"TIME"`
	MaxMean   *seconds   `help:"Mean time of a query." placeholder:"TIME"`
	MinQPS    *perSecond `name:"min-qps" help:"Queries a second on one thread: 10k." placeholder:"N"`
	MaxMemory *bytesOf   `help:"Resident memory: 300MiB." placeholder:"SIZE"`
	MaxFile   *bytesOf   `help:"Size of the saved index." placeholder:"SIZE"`
	MaxBuild  *seconds   `help:"Time to build: 1m." placeholder:"TIME"`

	K      int    `help:"Number of answers, where the results have several." placeholder:"K"`
	Metric string `help:"Metric, where the results have several." placeholder:"NAME"`
	JSON   bool   `help:"One JSON object instead of text."`
}

// Help is printed below the flags.
func (chooseCmd) Help() string {
	return `Prints the fastest setting that keeps every limit, as YAML for a sweep file, with its margins, two
runners-up and the price of more recall. A limit is kept only if the worse end of the value's 95 %
interval keeps it. Exit code 1 where nothing fits; the nearest setting is named then.

Examples:
  annbench choose results/default --min-recall 0.95 --max-memory 300MiB
  annbench choose results/default --min-map 70% --max-p99 2ms --max-build 1m`
}

// errNothingFits has been told already.
var errNothingFits = errors.New("nothing fits")

func (c *chooseCmd) limits() []judge.Limit {
	var out []judge.Limit
	add := func(name string, bound *float64) {
		if bound != nil {
			out = append(out, judge.Limit{Name: name, Bound: *bound})
		}
	}
	add(metric.Recall, (*float64)(c.MinRecall))
	add(metric.MAP, (*float64)(c.MinMap))
	if len(out) == 0 {
		out = append(out, judge.Limit{Name: metric.Recall, Bound: judge.Target})
	}
	add(metric.P99, (*float64)(c.MaxP99))
	add(metric.Mean, (*float64)(c.MaxMean))
	add(metric.QPS, (*float64)(c.MinQPS))
	add(metric.Resident, (*float64)(c.MaxMemory))
	add(metric.Serialized, (*float64)(c.MaxFile))
	add(metric.Build, (*float64)(c.MaxBuild))
	return out
}

func (c *chooseCmd) Run(s *surface) error {
	r, err := judge.Load(c.Results...)
	if err != nil {
		return err
	}
	t, err := pickTerms(r, c.K, c.Metric)
	if err != nil {
		return misuse(err)
	}
	p := r.Pick(t, c.limits())
	if c.JSON {
		b, err := json.MarshalIndent(interchange.PickSummary(p), "", "  ")
		if err != nil {
			return err
		}
		fmt.Fprintf(s.out, "%s\n", b)
	} else {
		fmt.Fprint(s.out, say.Pick(p))
	}
	if p.Best == nil {
		return errNothingFits
	}
	return nil
}

// pickTerms are the terms in focus, or those with the k and the metric that were asked for.
func pickTerms(r *judge.Report, k int, name string) (judge.Terms, error) {
	if k == 0 && name == "" {
		return r.Focus, nil
	}
	var have []string
	for _, t := range r.Terms {
		if t.Mode != record.Latency {
			continue
		}
		if (k == 0 || t.K == k) && (name == "" || t.Metric == name) && (t.Dataset == r.Focus.Dataset) {
			return t, nil
		}
		have = append(have, fmt.Sprintf("k %d by %s", t.K, t.Metric))
	}
	return judge.Terms{}, fmt.Errorf("the results have no such cells: there are %s", strings.Join(have, ", "))
}
