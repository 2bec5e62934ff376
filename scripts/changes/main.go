// Command changes writes four pages of docs/results: filters.md from the results of configs/filters.yaml, churn.md from
// those of configs/churn.yaml, frontier.md from those of configs/frontier.yaml, and compression.md from those of configs/compression.yaml and compression-million.yaml, and
// of the sweeps of photographs in records/compression, a section each. In docs/results:
//
//	go run ../../scripts/changes -records records/filters -keep records/filters filters RESULTS > filters.md
//	go run ../../scripts/changes -records records/churn -keep records/churn churn RESULTS > churn.md
//	go run ../../scripts/changes -records records/frontier -keep records/frontier frontier RESULTS > frontier.md
//	go run ../../scripts/changes -records records/compression -keep records/compression compression RESULTS... > compression.md
//
// -keep writes the records that a page is made from, compressed, from which it can be made again: with
// records/filters in place of RESULTS. Those of compression go to a folder each, named as the folder of results is.
package main

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/reports/judge"
	"annbench/reports/say"
)

func main() {
	records := flag.String("records", "", "folder below docs/results that has the records, for the page to link to")
	keep := flag.String("keep", "", "folder to write the records that the page uses to")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: changes [-records FOLDER] [-keep FOLDER] filters|churn|frontier RESULTS > PAGE, or compression RESULTS... > PAGE")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() < 2 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(os.Stdout, flag.Arg(0), flag.Args()[1:], *records, *keep); err != nil {
		fmt.Fprintf(os.Stderr, "changes: %v\n", err)
		os.Exit(1)
	}
}

func run(w io.Writer, kind string, dirs []string, records, keep string) error {
	p := &page{records: records}
	switch kind {
	case "filters", "churn", "frontier":
		if len(dirs) != 1 {
			return fmt.Errorf("the page %s is made from one folder of results, not from %d", kind, len(dirs))
		}
		if err := p.changes(kind, dirs[0], keep); err != nil {
			return err
		}
	case "compression":
		if err := p.compression(dirs, keep); err != nil {
			return err
		}
	default:
		return fmt.Errorf("there is no page %q: there are filters, churn, frontier and compression", kind)
	}
	_, err := w.Write(append(bytes.TrimRight(p.text.Bytes(), "\n"), '\n'))
	return err
}

// changes writes filters, churn or the frontier, from the results in dir.
func (p *page) changes(kind, dir, keep string) error {
	results, err := open(dir)
	if err != nil {
		return err
	}
	results.Filtered, results.Churned = latest(results.Filtered), latest(results.Churned)
	if kind == "filters" && len(results.Filtered) == 0 || kind == "churn" && len(results.Churned) == 0 {
		return fmt.Errorf("%s holds no records of %s: run configs/%s.yaml into it", dir, kind, kind)
	}
	if p.report, err = judge.Of(results); err != nil {
		return err
	}
	p.results = results
	switch kind {
	case "filters":
		p.filters()
	case "churn":
		p.churn()
	default:
		if err := p.frontier(); err != nil {
			return err
		}
	}
	if keep != "" {
		return results.Keep(keep)
	}
	return nil
}

// open reads results, whose messages name no folder of the machine then: pages and kept records are for others.
func open(dir string) (*record.Results, error) {
	results, err := record.OpenKept(dir)
	if err == nil {
		judge.MakePortable(results)
	}
	return results, err
}

// latest is without the records of cells that were measured again: of runbooks that were broken off.
func latest(all []record.Record) []record.Record {
	type key struct {
		cell record.Cell
		rep  int
	}
	last := map[key]int{}
	for i := range all {
		last[key{all[i].Cell, all[i].Rep}] = i
	}
	var out []record.Record
	for i, r := range all {
		if last[key{r.Cell, r.Rep}] == i {
			out = append(out, r)
		}
	}
	return out
}

type page struct {
	results *record.Results
	report  *judge.Report
	records string
	text    bytes.Buffer
}

func (p *page) say(format string, args ...any) { fmt.Fprintf(&p.text, format+"\n", args...) }

// head says what was measured, where and how; howto is the page that explains it.
func (p *page) head(title, kind, howto string, all []record.Record) {
	first, last := all[0], all[0]
	for _, r := range all {
		if r.Time.Before(first.Time) {
			first = r
		}
		if r.Time.After(last.Time) {
			last = r
		}
	}
	set := p.results.Dataset
	p.say("# %s\n", title)
	p.say("<!-- written by scripts/changes: do not edit -->\n")
	p.say("%s: %s × %d, %d queries. %s, %s, %s, %s.", say.Clean(set.Name), count(set.Base), set.Dim, set.Queries,
		say.Clean(first.Env.CPU), say.Plural(first.Env.Cores, "core", "cores"), say.Plural(first.Cell.Threads, "thread", "threads"), last.Time.UTC().Format("2 January 2006"))
	if p.records != "" {
		p.say("The records are in [%s](%s/RUN.md), which says how they were made.", p.records, p.records)
	}
	if len(first.Env.Disturbed) > 0 {
		p.say("\nThe machine was disturbed when the run began: %s.", say.Clean(strings.Join(first.Env.Disturbed, "; ")))
	}
	p.say("\n<!-- not run: takes half an hour or more -->\n```sh\nannbench run configs/%[1]s.yaml\nannbench report results/%[1]s\n"+
		"go run ./scripts/changes %[1]s results/%[1]s > docs/results/%[1]s.md\n```\n\nHow to read it: [%[2]s](../howto/%[2]s.md).\n", kind, howto)
}

// count is a number with commas at the thousands.
func count(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", count(n/1000), n%1000)
}

// exactly says whether every record of what compares all has a recall of 1.
func (p *page) exactly(all []record.Record, compares func(*record.Record) bool, what string) {
	n, short := 0, []string{}
	for i := range all {
		r := &all[i]
		recall, ok := r.Values[metric.Recall]
		if !ok || r.Status != record.OK || !compares(r) {
			continue
		}
		n++
		if recall != 1 {
			short = append(short, fmt.Sprintf("%s %s under %s, step %d: %v", r.Cell.Family, r.Cell.Way, cmp.Or(r.Cell.Filter, r.Cell.Churn), r.Cell.Step, recall))
		}
	}
	switch {
	case n == 0:
	case len(short) == 0:
		p.say("Exact search found all neighbours in each of its %d %s (recall 1.000).\n", n, what)
	default:
		p.say("**Exact search lost neighbours in %d of its %d %s**: %s.\n", len(short), n, what, say.Clean(strings.Join(short, "; ")))
	}
}

func (p *page) filters() {
	all := p.results.Filtered
	p.head("Search under filters", "filters", "filters", all)
	p.exactly(all, func(r *record.Record) bool { return r.Cell.Way == "before" || r.Exact && r.Cell.Way == "inside" }, "cells")
	for _, f := range p.report.Filtered() {
		info, _ := metric.Lookup(f.Time)
		p.say("## %s\n", strings.ToUpper(say.FilterTerms(&f)[:1])+say.FilterTerms(&f)[1:])
		for _, s := range say.FilterAdvice(&f) {
			p.say("- %s", s)
		}
		p.say("\n%s ways of %s. %s, of the fastest setting whose recall is %.2f or more. In parentheses: the highest recall, where none reaches that. %s",
			count(len(f.Lines)), say.Plural(families(&f), "family", "families"), info.Title, judge.Target, say.FilterMarked)
		for _, group := range []struct{ correlation, title string }{
			{"none", "What passes lies anywhere"}, {"near", "What passes lies near the query"}, {"far", "What passes lies far from the query"}, {"", "Conditions over attributes"},
		} {
			var at []int
			for i, u := range f.Filters {
				if u.Made && u.Correlation == group.correlation || !u.Made && group.correlation == "" {
					at = append(at, i)
				}
			}
			if len(at) == 0 {
				continue
			}
			slices.SortStableFunc(at, func(a, b int) int { return cmp.Compare(f.Filters[b].Asked, f.Filters[a].Asked) })
			p.say("\n### %s\n", group.title)
			columns, under := "| family and way |", "| --- |"
			for _, i := range at {
				name := say.Share(f.Filters[i].Asked)
				if !f.Filters[i].Made {
					name = say.Clean(f.Filters[i].Name) + " (" + say.Share(f.Filters[i].Selectivity) + ")"
				}
				columns, under = columns+" "+strings.ReplaceAll(name, "|", "\\|")+" |", under+" ---: |"
			}
			p.say("%s\n%s", columns, under)
			for _, l := range f.Lines {
				row, any := "| "+say.FilterLine(l.Family, l.Way)+" |", false
				for _, i := range at {
					text := say.Missing
					if q := l.Points[i]; q != nil && q.Reached {
						text = say.Format(metric.Seconds, q.Time.Median)
						reach, _ := f.Fastest(i, judge.Target)
						if slices.ContainsFunc(reach, func(r judge.FilterPick) bool { return r.Point == q && r.Best }) {
							text = "**" + text + "**"
						}
						any = true
					} else if q != nil {
						text, any = "("+say.Ratio(q.Recall.Median)+")", true
					}
					row += " " + text + " |"
				}
				if any {
					p.say("%s", row)
				}
			}
		}
		p.lost(&f)
	}
}

func families(f *judge.Filtered) int {
	seen := map[string]bool{}
	for _, l := range f.Lines {
		seen[l.Family] = true
	}
	return len(seen)
}

// lost lists the cells without values.
func (p *page) lost(f *judge.Filtered) {
	if len(f.Lost) == 0 {
		return
	}
	p.say("\nWithout values:\n")
	for _, l := range f.Lost {
		where, why := say.FilterLoss(f, l)
		p.say("- %s: %s", where, why)
	}
}

func (p *page) churn() {
	all := p.results.Churned
	p.head("Indexes whose vectors change", "churn", "churn", all)
	p.exactly(all, func(r *record.Record) bool { return r.Exact && r.Values[metric.Stale] == 0 }, "searches without stale vectors")
	for _, c := range p.report.Churned() {
		p.say("## %s\n", say.Clean(c.Runbook))
		for _, s := range say.ChurnAdvice(&c) {
			p.say("- %s", s)
		}
		p.say("\n%s; k = %d, %s. Figures are those of the first search and of the last, or the worst.\n", say.Plural(len(c.Steps), "search", "searches"), c.Terms.K, c.Terms.Metric)
		p.say("| family | settings | recall | least | mAP | CPU a query | a change | built anew | memory | stale | p99 during changes |")
		p.say("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
		for i := range c.Lines {
			l := &c.Lines[i]
			seconds := func(v float64) string { return say.Format(metric.Seconds, v) }
			each, built, name := say.Missing, say.Missing, say.ChurnLine(l)
			if len(l.Failed) > 0 {
				name += " (failed)"
			}
			if v, ok := l.UpdateEach(); ok {
				each = seconds(v)
			}
			if v, ok := l.BuildCPU(); ok {
				built = seconds(v)
			}
			p.say("| %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |", name, say.OrDash(say.Clean(l.Cell.Settings())),
				ends(l, metric.Recall, say.Ratio), worst(l, metric.Recall, true, say.Ratio), ends(l, metric.MAP, say.Ratio), ends(l, metric.CPU, seconds), each, built,
				ends(l, metric.Resident, func(v float64) string { return say.Format(metric.Bytes, v) }), worst(l, metric.Stale, false, say.Share), worst(l, metric.DuringP99, false, seconds))
		}
		p.say("")
	}
}

func ends(l *judge.ChurnLine, name string, format func(float64) string) string {
	first, last, ok := l.Ends(name)
	if !ok {
		return say.Missing
	}
	return format(first) + " → " + format(last)
}

func worst(l *judge.ChurnLine, name string, least bool, format func(float64) string) string {
	v, ok := l.Worst(name, least)
	if !ok {
		return say.Missing
	}
	return format(v)
}
