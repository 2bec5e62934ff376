package main

import (
	"context"
	"fmt"
	"runtime"

	"annbench/bench"
	"annbench/bench/pipeline"
)

type truthCmd struct {
	sweepFlags
	Shard   bench.Shard `help:"Search one part of the base: 2/8 is the second of eight; slurm takes it from the job array. When all parts are done, they are merged." placeholder:"I/N"`
	Threads int         `help:"Number of threads. Default: one per core." placeholder:"N"`
}

// Help is printed below the flags.
func (truthCmd) Help() string {
	return `Finds the exact neighbours that a sweep is scored against, and keeps them in the cache, where run finds them;
without this, run finds them itself. With --shard, machines that share the cache search a part of the
base each; the merged result equals that of one search, bit for bit. Use it for bases that take long or do
not fit into the memory of one machine.

Examples:
  annbench data truth my.yaml
  annbench data truth my.yaml --shard 2/8
  annbench data truth --data glove-100-angular.hdf5`
}

func (c *truthCmd) Run(ctx context.Context, s *surface) error {
	sweep, err := c.sweep()
	if err != nil {
		return err
	}
	if c.Threads < 0 {
		return misuse(fmt.Errorf("--threads must be at least 1, not %d", c.Threads))
	}
	if c.Threads == 0 {
		c.Threads = runtime.NumCPU()
	}
	if err := pipeline.OneSize(sweep, "exact neighbours are"); err != nil {
		return misuse(err)
	}
	p := s.pipeline(ctx)
	data, err := p.Open(ctx, sweep)
	if err != nil {
		return err
	}
	defer data.Close()
	if err := data.Verify(ctx); err != nil {
		return err
	}
	for _, m := range sweep.Metric {
		if _, err := data.Check(m, sweep.Data.Allow...); err != nil {
			return err
		}
		path, err := p.FindTruth(ctx, data, m, sweep.MaxK(), c.Shard, c.Threads)
		if err != nil {
			return err
		}
		fmt.Fprintln(s.out, path)
	}
	return nil
}
