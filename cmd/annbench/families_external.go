package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/olekukonko/tablewriter"

	"annbench/families"
	"annbench/indexes/external"
	"annbench/indexes/vec"
)

type familiesInstallCmd struct {
	Names []string `arg:"" help:"External families by name, or folders with a family.yaml." s3:"no: the programs of a family run on this machine; copy its folder here first"`
}

// Run installs one after the other, and goes on after one that cannot be.
func (c *familiesInstallCmd) Run(ctx context.Context, s *surface) error {
	var failed []error
	for _, name := range c.Names {
		f, err := external.Find(name, ".")
		if err != nil {
			return misuse(err)
		}
		if err := f.Install(ctx, func(doing string) { fmt.Fprintln(s.out, doing) }); err != nil {
			if ctx.Err() != nil {
				return err
			}
			failed = append(failed, err)
			continue
		}
		fmt.Fprintf(s.out, "%s: ready\n", f.Name)
	}
	return errors.Join(failed...)
}

type familiesRemoveCmd struct {
	Names []string `arg:"" name:"name" help:"External families that are installed."`
}

func (c *familiesRemoveCmd) Run(s *surface) error {
	for _, name := range c.Names {
		bytes, err := external.Remove(name)
		if err != nil {
			return misuse(err)
		}
		fmt.Fprintf(s.out, "%s: removed %s\n", name, sizeOf(bytes))
	}
	return nil
}

type familiesListCmd struct {
	JSON bool `help:"JSON instead of a table."`
}

func (c *familiesListCmd) Run(s *surface) error {
	rows, err := external.States()
	if err != nil {
		return err
	}
	if c.JSON {
		return s.json(rows)
	}
	table := tablewriter.NewWriter(s.out)
	table.Header("family", "library", "approach", "called from", "size", "state")
	for _, r := range rows {
		size, state := "", "installed"
		if r.Bytes > 0 {
			size = sizeOf(r.Bytes)
		}
		if !r.Installed {
			state = r.Missing
		}
		if err := table.Append(r.Name, r.Library, r.Approach, r.Caller, size, state); err != nil {
			return err
		}
	}
	return table.Render()
}

type familiesCheckCmd struct {
	Names  []string `arg:"" help:"External families by name, or folders with a family.yaml." s3:"no: the programs of a family run on this machine; copy its folder here first"`
	Metric string   `help:"Only this metric: l2, cosine or ip. Default: all that the family has." placeholder:"METRIC"`
}

func (c *familiesCheckCmd) Run(ctx context.Context, s *surface) error {
	var only vec.Metric
	if c.Metric != "" {
		var err error
		if only, err = vec.ParseMetric(c.Metric); err != nil {
			return misuse(err)
		}
	}
	bad := 0
	for _, name := range c.Names {
		f, err := external.Lookup(name, ".")
		if err != nil {
			return misuse(err)
		}
		if f.Folder == "" {
			return misuse(fmt.Errorf("%s is part of annbench; `annbench selfcheck` looks after those", name))
		}
		if f.Missing != "" {
			fmt.Fprintf(s.out, "%s: %s\n", f.Name, f.Missing)
			bad++
			continue
		}
		metrics := f.Metrics
		if only != "" {
			if !slices.Contains(metrics, only) {
				return misuse(fmt.Errorf("%s has no metric %s", f.Name, only))
			}
			metrics = []vec.Metric{only}
		}
		for _, m := range metrics {
			found, err := external.Check(ctx, f, m)
			if err != nil {
				fmt.Fprintf(s.out, "%s, %s: %v\n", f.Name, m, err)
				bad++
				continue
			}
			saved := "is not saved"
			if found.Saved > 0 {
				saved = "saved in " + sizeOf(found.Saved)
			}
			version := found.Version
			if found.Runtime != "" {
				version += " from " + found.Runtime
			}
			fmt.Fprintf(s.out, "%s, %s: works: %s %s; recall@10 %.3f with default settings, %v a query, %s\n", f.Name, m, f.Library, version, found.Recall, found.Query, saved)
		}
	}
	if bad > 0 {
		return errFailedCells
	}
	return nil
}

type familiesSDKCmd struct {
	Folder string `arg:"" type:"path" help:"Folder to write annbench_family.py and annbench_family.hpp into." s3:"out"`
}

func (c *familiesSDKCmd) Run(s *surface) error {
	paths, err := families.WriteSDK(c.Folder)
	if err != nil {
		return err
	}
	for _, path := range paths {
		fmt.Fprintln(s.out, path)
	}
	return nil
}
