package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"annbench/bench"
	"annbench/bench/dataset"
	"annbench/bench/sweepfile"
	"annbench/indexes/vec"
)

type truthCmd struct {
	sweepFlags
	Shard   string `help:"Search one part of the base of several: 2/8 is the second of eight; slurm takes it from the job array. Once all are there, they are merged." placeholder:"I/N"`
	Threads int    `help:"Threads that search. Default: one for each core." placeholder:"N"`
}

// Help is printed below the flags.
func (truthCmd) Help() string {
	return `Finds the exact neighbours that a sweep is scored against, and keeps them in the cache, where run finds them;
without this, run finds them itself. With --shard, machines that share the cache search a part of the
base each, and what is merged is that of the whole, bit by bit: for bases that take long, or that do not
fit into the memory of one machine.

Examples:
  annbench data truth my.yaml
  annbench data truth my.yaml --shard 2/8
  annbench data truth --data glove-100-angular.hdf5`
}

func (c *truthCmd) Run(ctx context.Context, s *surface) error {
	sweep, err := c.sweep()
	if err != nil {
		return misuse(err)
	}
	shard, err := parseShard(c.Shard, os.Getenv)
	if err != nil {
		return misuse(err)
	}
	if c.Threads < 0 {
		return misuse(fmt.Errorf("--threads must be at least 1, not %d", c.Threads))
	}
	if c.Threads == 0 {
		c.Threads = runtime.NumCPU()
	}
	if err := oneSize(sweep, "exact neighbours are"); err != nil {
		return misuse(err)
	}
	data, err := s.pipeline(ctx).Open(ctx, sweep)
	if err != nil {
		return err
	}
	defer data.Close()
	for _, m := range sweep.Metric {
		if _, err := data.Check(m, sweep.Data.Allow...); err != nil {
			return err
		}
		if err := c.find(ctx, s, data.Set, m, sweep.MaxK(), shard); err != nil {
			return err
		}
	}
	return nil
}

// find finds the neighbours under one metric, or a part of them, and prints where they are.
func (c *truthCmd) find(ctx context.Context, s *surface, set *dataset.Set, m vec.Metric, k int, shard bench.Shard) error {
	began := time.Now()
	defer s.clear()
	progress := func(done int) {
		s.progress(fmt.Sprintf("exact neighbours (%s)", m), done, set.Queries.Rows, secondsLeft(done, set.Queries.Rows, time.Since(began)))
	}
	if shard.Of > 0 {
		path, err := dataset.FindTruthPart(ctx, set, m, k, dataset.TruthPart(shard), c.Threads, "", progress)
		if err != nil {
			return err
		}
		s.say("exact neighbours under %s in part %v: %v", m, shard, time.Since(began).Round(time.Millisecond))
		fmt.Fprintln(s.out, path)
		return nil
	}
	truth, err := dataset.FindTruth(ctx, set, m, k, c.Threads, "", progress)
	if err != nil {
		return err
	}
	s.say("exact neighbours under %s, %d for each of %d queries: %v", m, truth.K, set.Queries.Rows, time.Since(began).Round(time.Millisecond))
	fmt.Fprintln(s.out, filepath.Join(set.Dir, fmt.Sprintf("truth-%s-%d", m, truth.K)))
	return truth.Close()
}

// oneSize refuses a sweep over several numbers of vectors, which is several sweeps.
func oneSize(sweep *sweepfile.Sweep, what string) error {
	if y := sweep.Data.Synthetic; y != nil && len(y.N) > 1 {
		return fmt.Errorf("%s: data.synthetic.n names %d sizes, and %s of one: give each a sweep file of its own", sweep.Name, len(y.N), what)
	}
	return nil
}
