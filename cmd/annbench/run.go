package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"annbench/bench"
	"annbench/bench/pipeline"
	"annbench/bench/record"
	"annbench/bench/sweepfile"
	"annbench/indexes/vec"
)

// sweepFlags say what is measured: a sweep file, vectors, or both.
type sweepFlags struct {
	Sweep   string     `arg:"" optional:"" help:"Sweep file (YAML); configs/ has examples, docs/reference/sweep-files.md every key. Default, with --data: configs/vectors.yaml." s3:"no: the paths in a sweep file are relative to its folder, so copy it to this machine; the paths in it may be s3://"`
	Data    string     `help:"Vectors to run on, instead of the sweep's: a file of any format that docs/reference/formats.md lists, or a folder." placeholder:"FILE" s3:"own"`
	Labels  string     `help:"With --data: the category of each vector, a line each, or a .npy file." placeholder:"FILE" s3:"own"`
	Queries int        `help:"How many vectors to search for, instead of the sweep's number. Default, with --data: the queries of the file, or at most 1000 vectors that are held out." placeholder:"N"`
	Metric  vec.Metric `help:"l2, cosine or ip, instead of the sweep's. Default, with --data: what the file says, or cosine."`
	Allow   []string   `help:"Measure even if these checks of the data fail: zeros, duplicates, queries, constant, neighbors." placeholder:"CHECK"`
}

type runCmd struct {
	sweepFlags
	Out         string      `help:"Results folder. Default: results/NAME, by the sweep's name." placeholder:"DIR" s3:"work"`
	KeepIndexes bool        `help:"Keep the saved indexes in the results folder, for annbench serve."`
	Retry       bool        `help:"Measure cells again that failed, timed out or ran out of memory."`
	Shard       bench.Shard `help:"Measure one part of the sweep: 2/8 is the second of eight; slurm takes it from the job array. Each part has its own folder, results/NAME/shards/2-of-8; annbench merge joins them." placeholder:"I/N"`
}

// Help is printed below the flags.
func (runCmd) Help() string {
	return `Measures only what is missing in the results folder, so a run that was stopped resumes, and a
finished one ends at once.

Examples:
  annbench run configs/default.yaml
  annbench run my.yaml --out /data/results/my
  annbench run --data fashion-mnist-784-euclidean.hdf5
  annbench run --data embeddings.parquet --metric cosine --queries 500
  annbench run my.yaml --shard 2/8`
}

func (c *runCmd) Run(ctx context.Context, s *surface) error {
	sweep, err := c.sweep()
	if err != nil {
		return err
	}
	if c.Out == "" {
		c.Out = filepath.Join("results", sweep.Name)
		if c.Shard.Of > 1 {
			c.Out = filepath.Join(c.Out, "shards", fmt.Sprintf("%d-of-%d", c.Shard.Index, c.Shard.Of))
		}
	}
	sizes := pipeline.Sizes(sweep)
	var folders []string
	var failed error
	for _, size := range sizes {
		if len(sizes) > 1 {
			s.say("%d vectors", size.N)
		}
		folder := filepath.Join(c.Out, size.Dir)
		folders = append(folders, folder)
		err := measure(ctx, s, pipeline.RunConfig{Sweep: size.Sweep, Out: folder, Shard: c.Shard, Retry: c.Retry, KeepIndexes: c.KeepIndexes})
		if err != nil && !errors.Is(err, errFailedCells) {
			return err
		}
		failed = cmp.Or(err, failed)
	}
	if len(sizes) > 1 {
		return errors.Join(growth(s, c.Out, folders), failed)
	}
	return failed
}

// sweep reads the sweep file, or takes the one for vectors, and puts the flags into it.
func (c *sweepFlags) sweep() (*sweepfile.Sweep, error) {
	sweep, err := pipeline.SweepConfig(*c).Read()
	if err != nil {
		return nil, misuse(err)
	}
	return sweep, nil
}

// measure runs a sweep into the folder out and reports on it.
func measure(ctx context.Context, s *surface, c pipeline.RunConfig) error {
	if c.Shard.Of <= 1 {
		c.Measured = func() error { return printResults(s, c.Out) }
	}
	sum, err := s.pipeline(ctx).Run(ctx, c)
	if err != nil {
		return err
	}
	if c.Shard.Of > 1 {
		// A report of a part would compare what happened to be in it.
		fmt.Fprintln(s.out, filepath.Join(c.Out, record.RecordsFile))
		s.say("shard %v: once all are there, annbench merge joins them and reports", c.Shard)
	} else if err := writeReport(s, filepath.Join(c.Out, "report"), c.Out); err != nil {
		return err
	}
	if sum.Failed() > 0 {
		fmt.Fprintf(s.err, "annbench: %d cells failed; the report says how. `annbench run --retry` measures them again\n", sum.Failed())
		return errFailedCells
	}
	if sum.Broken > 0 {
		fmt.Fprintf(s.err, "annbench: %d cells failed in an earlier run; `annbench run --retry` measures them again\n", sum.Broken)
		return errFailedCells
	}
	return nil
}
