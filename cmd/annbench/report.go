package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"annbench/bench/record"
	"annbench/bench/store"
	"annbench/internal/units"
	"annbench/reports"
	"annbench/reports/draw"
	"annbench/reports/judge"
	"annbench/reports/say"
	"annbench/reports/text"
)

type reportCmd struct {
	Results  []string      `arg:"" help:"Results folders; several are shown together." s3:"results"`
	Out      string        `help:"Folder for the files. Default: report/ in the first results folder." placeholder:"DIR" s3:"out"`
	Format   string        `help:"Print the results in this format, and write no files: one of ${formats}." placeholder:"NAME"`
	LeastMAP units.Share   `name:"least-map" help:"Categories below this mAP are marked." default:"0.5" placeholder:"SHARE"`
	Recall   []units.Share `help:"Recalls to compare families at. Default: 0.80,0.90,0.95,0.99." placeholder:"SHARE"`
}

// Help is printed below the flags.
func (reportCmd) Help() string {
	return `Needs only the results folders: neither indexes, nor a model, nor images.

Examples:
  annbench report results/default
  annbench report results/default --format gobench > new.txt && benchstat old.txt new.txt`
}

// address puts the report of results in a bucket beside them.
func (c *reportCmd) address() {
	if c.Out == "" && c.Format == "" && len(c.Results) > 0 && store.Is(c.Results[0]) {
		c.Out = strings.TrimRight(c.Results[0], "/") + "/report"
	}
}

func (c *reportCmd) Run(s *surface) error {
	o := s.tableOptions()
	r, err := judge.Load(c.Results...)
	if err != nil {
		return err
	}
	r.LeastMAP = float64(c.LeastMAP)
	if len(c.Recall) > 0 {
		r.Targets = nil
	}
	for _, at := range c.Recall {
		r.Targets = append(r.Targets, float64(at))
	}
	if c.Format != "" {
		at := slices.Index(reports.FormatNames(), c.Format)
		if at < 0 {
			return misuse(fmt.Errorf("there is no format %q: there are %s", c.Format, strings.Join(reports.FormatNames(), ", ")))
		}
		if !reports.Formats[at].Notes {
			for _, n := range say.Notes(r) {
				s.say("note: %s", n)
			}
		}
		return reports.Print(s.out, r, c.Format, o)
	}
	if c.Out == "" {
		c.Out = filepath.Join(c.Results[0], "report")
	}
	if err := text.Table(s.out, r, o); err != nil {
		return err
	}
	return writeFiles(s, c.Out, r, c.Results...)
}

// report prints the table of some results folders and writes the files.
func report(s *surface, dir string, results ...string) error {
	if err := printResults(s, results...); err != nil {
		return err
	}
	return writeReport(s, dir, results...)
}

// printResults prints the table alone.
func printResults(s *surface, results ...string) error {
	r, err := judge.Load(results...)
	if err != nil {
		return err
	}
	return text.Table(s.out, r, s.tableOptions())
}

// writeReport writes the files and names them.
func writeReport(s *surface, dir string, results ...string) error {
	r, err := judge.Load(results...)
	if err != nil {
		return err
	}
	return writeFiles(s, dir, r, results...)
}

// writeFiles is writeReport of results that have been read.
func writeFiles(s *surface, dir string, r *judge.Report, results ...string) error {
	if _, err := reports.Write(dir, r); err != nil {
		return err
	}
	fmt.Fprintln(s.out)
	for _, d := range results {
		fmt.Fprintln(s.out, filepath.Join(d, record.RecordsFile))
	}
	fmt.Fprintln(s.out, filepath.Join(dir, "index.html"))
	sayMore(s, r, results)
	return nil
}

// sayMore names the commands for what the table of a run leaves out, and the pages that explain it.
func sayMore(s *surface, r *judge.Report, results []string) {
	for _, more := range []struct {
		format   string
		measured bool
	}{{"filters", len(r.Filtered()) > 0}, {"churn", len(r.Churned()) > 0}} {
		if more.measured {
			s.say("%s: `annbench report %s --format %[1]s` prints the tables, and docs/howto/%[1]s.md explains them", more.format, strings.Join(results, " "))
		}
	}
}

// growth prints and draws how everything grows over results folders of different sizes.
func growth(s *surface, dir string, folders []string) error {
	r, err := judge.Load(folders...)
	if err != nil {
		return err
	}
	g := judge.Growths(r)
	if err := text.Growths(s.out, g); err != nil {
		return err
	}
	files, err := draw.Growths(filepath.Join(dir, "growth"), r, g)
	if err != nil {
		return err
	}
	return s.lines(files...)
}
