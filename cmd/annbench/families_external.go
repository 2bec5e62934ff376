package main

import (
	"context"
	"errors"
	"fmt"

	"annbench/families"
	"annbench/indexes/external"
	"annbench/indexes/vec"
	"annbench/internal/words"
)

type familiesInstallCmd struct {
	Names []string `arg:"" help:"External families by name, or folders with a family.yaml." s3:"no: the programs of a family run on this machine; copy its folder here first"`
}

// Run installs one after the other, and continues after one that cannot be installed.
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
	Names []string `arg:"" name:"name" help:"External families that are installed, by name, or their folders."`
}

func (c *familiesRemoveCmd) Run(s *surface) error {
	for _, name := range c.Names {
		bytes, err := external.Remove(name)
		if err != nil {
			return misuse(err)
		}
		fmt.Fprintf(s.out, "%s: removed %s\n", name, words.Size(bytes))
	}
	return nil
}

type familiesListCmd struct {
	JSON bool `help:"JSON instead of a table."`
}

func (c *familiesListCmd) Run(s *surface) error {
	states, err := external.States()
	if err != nil {
		return err
	}
	if c.JSON {
		return s.json(states)
	}
	return external.WriteStates(s.out, states)
}

type familiesCheckCmd struct {
	Names  []string   `arg:"" help:"External families by name, or folders with a family.yaml." s3:"no: the programs of a family run on this machine; copy its folder here first"`
	Metric vec.Metric `help:"Only this metric: l2, cosine or ip. Default: all that the family has." placeholder:"METRIC"`
}

func (c *familiesCheckCmd) Run(ctx context.Context, s *surface) error {
	bad, err := external.CheckAll(ctx, c.Names, ".", c.Metric, s.out)
	if err == nil && bad > 0 {
		return errFailedCells
	}
	return err
}

type familiesSDKCmd struct {
	Folder string `arg:"" type:"path" help:"Folder to write annbench_family.py and annbench_family.hpp into." s3:"out"`
}

func (c *familiesSDKCmd) Run(s *surface) error {
	paths, err := families.WriteSDK(c.Folder)
	if err != nil {
		return err
	}
	return s.lines(paths...)
}
