package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"annbench/bench"
	"annbench/bench/dataset"
	"annbench/bench/pipeline"
	"annbench/bench/record"
	"annbench/bench/store"
	"annbench/bench/sweepfile"
	"annbench/configs"
	"annbench/indexes/vec"
)

// sweepFlags say what is measured: a sweep file, vectors, or both.
type sweepFlags struct {
	Sweep   string   `arg:"" optional:"" help:"Sweep file (YAML); configs/ has examples, docs/reference/sweep-files.md every key. Default, with --data: configs/vectors.yaml." s3:"no: the paths in a sweep file are relative to its folder, so copy it to this machine; the paths in it may be s3://"`
	Data    string   `help:"Vectors to run on, instead of the sweep's: a file of any format that docs/reference/formats.md lists, or a folder." placeholder:"FILE" s3:"own"`
	Labels  string   `help:"With --data: the category of each vector, a line each, or a .npy file." placeholder:"FILE" s3:"own"`
	Queries int      `help:"How many vectors to search for, instead of the sweep's number. Default, with --data: those that the file gives, or else at most 1000 that are held out." placeholder:"N"`
	Metric  string   `help:"l2, cosine or ip, instead of the sweep's. Default, with --data: what the file says, or cosine."`
	Allow   []string `help:"Measure in spite of what the checks of the data find: zeros, duplicates, queries, constant, neighbors." placeholder:"CHECK"`
}

type runCmd struct {
	sweepFlags
	Out         string `help:"Results folder. Default: results/NAME, by the sweep's name." placeholder:"DIR" s3:"work"`
	KeepIndexes bool   `help:"Keep the saved indexes in the results folder, for annbench serve."`
	Retry       bool   `help:"Measure cells again that failed, timed out or ran out of memory."`
	Shard       string `help:"Measure one part of several: 2/8 is the second of eight; slurm takes it from the job array. Each has a folder of its own, results/NAME/shards/2-of-8, and annbench merge joins them." placeholder:"I/N"`
}

// Help is printed below the flags.
func (runCmd) Help() string {
	return `Measures only what is missing in the results folder, so a run that was stopped goes on, and a
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
		return misuse(err)
	}
	shard, err := parseShard(c.Shard, os.Getenv)
	if err != nil {
		return misuse(err)
	}
	if c.Out == "" {
		c.Out = filepath.Join("results", sweep.Name)
		if shard.Of > 1 {
			c.Out = shardFolder(c.Out, shard)
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
		err := measure(ctx, s, pipeline.RunConfig{Sweep: size.Sweep, Out: folder, Shard: shard, Retry: c.Retry, KeepIndexes: c.KeepIndexes})
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
	var sweep *sweepfile.Sweep
	var err error
	switch {
	case c.Sweep != "":
		sweep, err = sweepfile.Read(c.Sweep)
	case c.Data != "":
		sweep, err = sweepfile.Parse("configs/vectors.yaml", configs.Vectors)
	default:
		err = errors.New("name a sweep file, or vectors with --data")
	}
	if err != nil {
		return nil, err
	}
	if c.Labels != "" && c.Data == "" {
		return nil, errors.New("--labels are those of --data; a sweep file has data.labels")
	}
	if c.Data != "" {
		if _, err := os.Stat(c.Data); err != nil && !store.Is(c.Data) {
			return nil, fmt.Errorf("--data: there is no %s", c.Data)
		}
		sweep.Data = sweepfile.Data{Vectors: c.Data, Labels: c.Labels, Allow: sweep.Data.Allow}
		sweep.Name = strings.TrimSuffix(filepath.Base(filepath.Clean(c.Data)), filepath.Ext(c.Data))
		sweep.Fit = c.Sweep == ""
	}
	if c.Queries < 0 {
		return nil, fmt.Errorf("--queries must be at least 1, not %d", c.Queries)
	}
	if c.Queries > 0 {
		sweep.Queries = c.Queries
	}
	if c.Metric != "" {
		m, err := vec.ParseMetric(c.Metric)
		if err != nil {
			return nil, fmt.Errorf("--metric: %w", err)
		}
		sweep.SetMetric(m)
	}
	for _, name := range c.Allow {
		if err := dataset.CheckGate(name); err != nil {
			return nil, fmt.Errorf("--allow: %w", err)
		}
		sweep.Data.Allow = append(sweep.Data.Allow, name)
	}
	return sweep, nil
}

// parseShard reads the flag --shard; "slurm" takes the variables of a Slurm job array.
func parseShard(text string, getenv func(string) string) (bench.Shard, error) {
	switch text {
	case "":
		return bench.Shard{}, nil
	case "slurm":
		number := func(name string) (int, error) {
			n, err := strconv.Atoi(getenv(name))
			if err != nil {
				return 0, fmt.Errorf("--shard slurm: %s is %q: run this as a task of a job array (sbatch --array=1-8)", name, getenv(name))
			}
			return n, nil
		}
		task, err := number("SLURM_ARRAY_TASK_ID")
		if err != nil {
			return bench.Shard{}, err
		}
		first, err := number("SLURM_ARRAY_TASK_MIN")
		if err != nil {
			return bench.Shard{}, err
		}
		tasks, err := number("SLURM_ARRAY_TASK_COUNT")
		if err != nil {
			return bench.Shard{}, err
		}
		step := 1
		if getenv("SLURM_ARRAY_TASK_STEP") != "" {
			if step, err = number("SLURM_ARRAY_TASK_STEP"); err != nil || step < 1 {
				return bench.Shard{}, fmt.Errorf("--shard slurm: SLURM_ARRAY_TASK_STEP is %q", getenv("SLURM_ARRAY_TASK_STEP"))
			}
		}
		return bench.ParseShard(fmt.Sprintf("%d/%d", (task-first)/step+1, tasks))
	}
	return bench.ParseShard(text)
}

// measure runs a sweep into the folder out and reports on it.
func measure(ctx context.Context, s *surface, c pipeline.RunConfig) error {
	sum, err := s.pipeline(ctx).Run(ctx, c)
	if err != nil {
		return err
	}
	if c.Shard.Of > 1 {
		// A report of a part would compare what happened to be in it.
		fmt.Fprintln(s.out, filepath.Join(c.Out, record.RecordsFile))
		s.say("shard %v: once all are there, annbench merge joins them and reports", c.Shard)
	} else if err := report(s, filepath.Join(c.Out, "report"), s.tableOptions(), c.Out); err != nil {
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

// shardFolder is where a shard has its results, below those of the whole.
func shardFolder(out string, shard bench.Shard) string {
	return filepath.Join(out, "shards", fmt.Sprintf("%d-of-%d", shard.Index, shard.Of))
}
