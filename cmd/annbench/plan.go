package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/olekukonko/tablewriter"

	"annbench/bench"
	"annbench/bench/dataset"
	"annbench/bench/record"
)

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
}

type skipped struct {
	Cell   record.Cell `json:"cell"`
	Reason string      `json:"reason"`
}

func printPlan(w io.Writer, sweep *bench.Sweep, set *dataset.Set, plan *bench.Plan, asJSON bool) error {
	p := planned{
		Name: sweep.Name, Dataset: set.Digest, Base: set.Base.Rows, Queries: set.Queries.Rows, Dim: set.Base.Dim,
		Repetitions: sweep.Repetitions, Builds: len(plan.Jobs),
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
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(p)
	}
	fmt.Fprintf(w, "%s: %d base vectors of %d dimensions, %d queries\n", p.Name, p.Base, p.Dim, p.Queries)
	t := tablewriter.NewTable(w)
	t.Header("family", "metric", "build", "search", "k")
	for _, c := range p.Cells {
		if err := t.Append(c.Family, c.Metric, c.Build, c.Search, c.K); err != nil {
			return err
		}
	}
	if err := t.Render(); err != nil {
		return err
	}
	for _, s := range p.Skipped {
		fmt.Fprintf(w, "skipped: %s %s: %s\n", s.Cell.Family, s.Cell.Settings(), s.Reason)
	}
	fmt.Fprintf(w, "%d cells × %d repetitions, %d builds\n", len(p.Cells), p.Repetitions, p.Builds)
	return nil
}
