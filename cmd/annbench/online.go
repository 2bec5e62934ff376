package main

import (
	"context"
	"errors"
	"fmt"

	"annbench/bench/record"
	"annbench/online"
	"annbench/serve"
)

type onlineCmd struct {
	Log        string `arg:"" optional:"" help:"Folder of the log: RESULTS/clicks, or what --clicks of annbench serve named." s3:"in"`
	Experiment string `help:"Name of the experiment, where the log has several. Default: the last." placeholder:"NAME"`
	Simulate   string `help:"Instead: simulate users over the labels of these results, to show what the tests are worth." placeholder:"RESULTS" s3:"in"`
	Runs       int    `help:"Simulated experiments of each kind." default:"1000" placeholder:"N"`
	Sessions   int    `help:"Sessions of each." default:"2000" placeholder:"N"`
	Seed       uint64 `help:"Seed of the simulation." default:"1" placeholder:"N"`
	Page       string `help:"Write the report as a page here." placeholder:"FILE" s3:"out"`
	JSON       bool   `help:"One JSON object instead of text."`
}

// Help is printed below the flags.
func (onlineCmd) Help() string {
	return `Says what people preferred in an experiment of "annbench serve --interleave A,B" or "--split A,B": sessions won, with
an exact sign test; shares of clicks and baskets by arm, rank and category, with intervals over sessions; and whether
one arm is better by a test that holds however often one looks. docs/howto/clicks.md has the method.

Examples:
  annbench online results/default/clicks
  annbench online --simulate results/default`
}

func (c *onlineCmd) Run(ctx context.Context, s *surface) error {
	if (c.Log == "") == (c.Simulate == "") {
		return misuse(errors.New("name the folder of a log, or --simulate RESULTS"))
	}
	if c.Simulate != "" {
		return c.simulate(ctx, s)
	}
	r, err := online.Analyze(c.Log, c.Experiment)
	if err != nil {
		return misuse(err)
	}
	if c.Page != "" {
		if err := r.WritePage(c.Page); err != nil {
			return err
		}
	}
	return s.show(c.JSON, r)
}

func (c *onlineCmd) simulate(ctx context.Context, s *surface) error {
	if c.Runs < 1 || c.Sessions < 1 {
		return misuse(errors.New("--runs and --sessions have to be 1 at least"))
	}
	results, err := record.Open(c.Simulate)
	if err != nil {
		return misuse(err)
	}
	set, err := s.pipeline(ctx).SetFor(ctx, results)
	if err != nil {
		return err
	}
	defer set.Close()
	library, err := serve.NewLibrary(serve.LibraryConfig{Results: results, Set: set})
	if err != nil {
		return err
	}
	queries, err := library.Labelled(ctx, 10)
	if err != nil {
		return err
	}
	if len(queries) == 0 {
		return misuse(fmt.Errorf("%s: its queries have no labels", c.Simulate))
	}
	r, err := online.Simulation{Queries: queries, Runs: c.Runs, Sessions: c.Sessions, Seed: c.Seed}.Run(ctx, s.Counting("kinds of experiments simulated"))
	if err != nil {
		return err
	}
	return s.show(c.JSON, r)
}
