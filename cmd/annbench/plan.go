package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/olekukonko/tablewriter"

	"annbench/bench"
	"annbench/bench/dataset"
	"annbench/bench/record"
	"annbench/bench/sweepfile"
)

type planCmd struct {
	Sweep string `arg:"" help:"Sweep file (YAML)." s3:"no: the paths in a sweep file are relative to its folder, so copy it to this machine; the paths in it may be s3://"`
	JSON  bool   `help:"One JSON object instead of a table."`
}

// Help is printed below the flags.
func (planCmd) Help() string {
	return `Embeds the images first if that has not been done, because what fits depends on their number.

Examples:
  annbench plan configs/default.yaml`
}

func (c *planCmd) Run(ctx context.Context, s *surface) error {
	sweep, err := sweepfile.Read(c.Sweep)
	if err != nil {
		return misuse(err)
	}
	p := s.pipeline(ctx)
	data, err := p.Open(ctx, sweep)
	if err != nil {
		return err
	}
	defer data.Close()
	plan, err := p.Plan(sweep, data, 0)
	if err != nil {
		return err
	}
	estimate, err := bench.EstimatePlan(ctx, sweep, data.Set, plan)
	if err != nil {
		return err
	}
	return printPlan(s, sweep, data.Set, plan, estimate, c.JSON)
}

// planned is a plan as a program reads it.
type planned struct {
	Name        string        `json:"name"`
	Dataset     string        `json:"dataset"`
	Base        int           `json:"base"`
	Queries     int           `json:"queries"`
	Dim         int           `json:"dim"`
	Repetitions int           `json:"repetitions"`
	Builds      int           `json:"builds"` // all repetitions
	Cells       []record.Cell `json:"cells"`  // of one repetition
	Skipped     []skipped     `json:"skipped,omitempty"`
	Seconds     float64       `json:"seconds"` // estimated, of all repetitions
	Memory      int64         `json:"memory"`  // estimated, of the largest worker process, in bytes
}

type skipped struct {
	Cell   record.Cell `json:"cell"`
	Reason string      `json:"reason"`
}

func printPlan(s *surface, sweep *sweepfile.Sweep, set *dataset.Set, plan *bench.Plan, e bench.Estimate, asJSON bool) error {
	p := planned{
		Name: sweep.Name, Dataset: set.Digest, Base: set.Base.Rows, Queries: set.Queries.Rows, Dim: set.Base.Dim,
		Repetitions: sweep.Repetitions, Builds: len(plan.Jobs),
		Seconds: e.Wall.Seconds(), Memory: e.Memory,
	}
	for i := range plan.Jobs {
		if plan.Jobs[i].Rep == 0 {
			p.Cells = append(p.Cells, plan.Jobs[i].Cells(set.Digest)...)
		}
	}
	for _, s := range plan.Skipped {
		p.Skipped = append(p.Skipped, skipped{s.Cell, s.Reason})
	}
	if asJSON {
		return s.json(p)
	}
	w := s.out
	fmt.Fprintf(w, "%s: %d base vectors of %d dimensions, %d queries\n", p.Name, p.Base, p.Dim, p.Queries)
	t := tablewriter.NewTable(w)
	t.Header("family", "metric", "build", "search", "k", "mode")
	for _, c := range p.Cells {
		if err := t.Append(c.Family, c.Metric, c.Build, c.Search, c.K, modeOf(c)); err != nil {
			return err
		}
	}
	if err := t.Render(); err != nil {
		return err
	}
	for _, skip := range p.Skipped {
		fmt.Fprintf(w, "skipped: %s %s: %s\n", skip.Cell.Family, skip.Cell.Settings(), skip.Reason)
	}
	for _, same := range plan.Same {
		fmt.Fprintf(w, "the same: %s %s with k = %d is measured as %s\n", same.Family.Name, same.Asked, same.K, same.Means)
	}
	for _, name := range slices.Sorted(maps.Keys(e.Unknown)) {
		fmt.Fprintf(w, "not in the estimate: %s: %s\n", name, e.Unknown[name])
	}
	fmt.Fprintf(w, "%d cells × %d repetitions, %d builds\n", len(p.Cells), p.Repetitions, p.Builds)
	fmt.Fprintf(w, "about %v, and up to %d MiB in a worker process (%s), by a calibration on %d vectors; good to a factor of two or three\n",
		e.Wall.Round(time.Second), e.Memory>>20, e.Largest, min(bench.CalibrationRows, p.Base))
	return nil
}

// modeOf says how the queries of a cell are put.
func modeOf(c record.Cell) string {
	switch {
	case c.Rate > 0:
		return fmt.Sprintf("%s, %v/s on %d", c.Mode, c.Rate, c.Workers)
	case c.Workers > 0:
		return fmt.Sprintf("%s on %d", c.Mode, c.Workers)
	}
	return c.Mode
}
