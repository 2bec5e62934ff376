package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"

	"annbench/bench/cluster"
	"annbench/bench/pipeline"
	"annbench/bench/sweepfile"
)

type slurmCmd struct {
	sweepFlags
	Out         string   `help:"Results folder, which all nodes see at the same path. Default: results/NAME, by the sweep's name." placeholder:"DIR" s3:"no: the tasks share one folder of the cluster; annbench merge FOLDER --out s3://... stores what they measured"`
	Shards      int      `help:"Tasks of the job array, each of which measures its share of the builds. Default: 8, or as many as there are builds." placeholder:"N"`
	TruthShards int      `help:"Find the exact neighbours in this many tasks, each on a part of the base." placeholder:"N" default:"1"`
	Throttle    int      `help:"Run at most this many tasks at once." placeholder:"N"`
	Partition   string   `short:"p" help:"Partition of the jobs." placeholder:"NAME"`
	Account     string   `short:"A" help:"Account that the jobs are charged to." placeholder:"NAME"`
	Time        string   `help:"Time limit of a task, as Slurm writes it. Default: three times the estimate of the longest, and ten minutes." placeholder:"LIMIT"`
	Mem         string   `help:"Memory of a task, as Slurm writes it; 0 is all of a node. Default: by the estimate." placeholder:"SIZE"`
	Cpus        int      `help:"Cores that a node must have. Default: the number of threads of the sweep, at least 2." placeholder:"N"`
	Sbatch      []string `help:"Another option of sbatch, for all tasks: --sbatch=--constraint=milan; again for more." placeholder:"OPTION" sep:"none"`
	MergeAfter  string   `help:"Merge once all tasks have ended (any), whether or not they failed, or only where all ended well (ok)." enum:"any,ok" default:"any"`
	Mixed       bool     `help:"Merge results of different kinds of node too; the report shows them apart."`
	Retry       bool     `help:"Measure cells again that failed, timed out or ran out of memory in an earlier run."`
	KeepIndexes bool     `help:"Keep the saved indexes in the results folder, for annbench serve."`
	Binary      string   `help:"The annbench that the nodes run. Default: this one." placeholder:"FILE" s3:"no: name a file that all nodes see at the same path"`
	Submit      bool     `help:"Submit the jobs, too."`
}

// Help is printed below the flags.
func (slurmCmd) Help() string {
	return `Writes job scripts for Slurm into slurm/ in the results folder: one finds the exact neighbours, an array
measures, each task its shard on a node of its own, and one merges and reports. Tasks that were
stopped resume when they are submitted again. Nothing is submitted without --submit.

Examples:
  annbench slurm my.yaml --partition cpu --account lab
  annbench slurm my.yaml --shards 16 --throttle 4 --sbatch=--constraint=milan --submit
  annbench slurm --data embeddings.parquet --metric cosine`
}

func (c *slurmCmd) Run(ctx context.Context, s *surface) error {
	sweep, err := c.sweep()
	if err == nil {
		err = pipeline.OneSize(sweep, "a job array is")
	}
	var jobs *cluster.Jobs
	if err == nil {
		jobs, err = c.jobs(sweep)
	}
	if err == nil {
		err = jobs.Check()
	}
	if err != nil {
		return misuse(err)
	}
	var sbatch string
	if c.Submit {
		if sbatch, err = exec.LookPath("sbatch"); err != nil {
			return errors.New("--submit: there is no sbatch here; without --submit the scripts are written, for a machine of the cluster")
		}
	}
	p := s.pipeline(ctx)
	p.Find = nil // the nodes' servers are not this machine's
	set, err := p.Open(ctx, sweep)
	if err != nil {
		return err
	}
	defer set.Close()
	plan, err := p.Plan(sweep, set, max(runtime.NumCPU(), sweep.Cores()))
	if err != nil {
		return err
	}
	fit, err := jobs.Fit(ctx, sweep, set.Set, plan, s.Say)
	if err == nil {
		err = jobs.Resolve()
	}
	if err != nil {
		return err
	}
	files, err := cluster.Write(jobs)
	if err != nil {
		return err
	}
	fit.WriteText(s.out, jobs)
	if err := s.lines(files...); err != nil {
		return err
	}
	submit := filepath.Join(jobs.Out, "slurm", "submit.sh")
	if !c.Submit {
		fmt.Fprintf(s.out, "to submit: bash %s\n", cluster.Quote(submit))
		return nil
	}
	s.log.Debug("submitting", "sbatch", sbatch)
	cmd := exec.CommandContext(ctx, "bash", submit)
	cmd.Stdout, cmd.Stderr = s.out, s.err
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("submitting with %s: %w", submit, err)
	}
	return nil
}

// jobs takes the flags over.
func (c *slurmCmd) jobs(sweep *sweepfile.Sweep) (*cluster.Jobs, error) {
	j := &cluster.Jobs{
		Name: sweep.Name, Sweep: c.Sweep, Data: c.Data, Labels: c.Labels, Annbench: c.Binary,
		Out:    cmp.Or(c.Out, filepath.Join("results", sweep.Name)),
		Shards: c.Shards, TruthShards: c.TruthShards, Throttle: c.Throttle, Cpus: c.Cpus, Mem: c.Mem, Time: c.Time,
		Partition: c.Partition, Account: c.Account, Sbatch: c.Sbatch, After: "after" + c.MergeAfter,
	}
	if c.Queries > 0 {
		j.What = append(j.What, "--queries", strconv.Itoa(c.Queries))
	}
	if c.Metric != "" {
		j.What = append(j.What, "--metric", string(c.Metric))
	}
	for _, a := range c.Allow {
		j.What = append(j.What, "--allow", a)
	}
	if c.Retry {
		j.Run = append(j.Run, "--retry")
	}
	if c.KeepIndexes {
		j.Run = append(j.Run, "--keep-indexes")
	}
	if c.Mixed {
		j.Merge = append(j.Merge, "--mixed")
	}
	var err error
	j.Cache, err = pipeline.CacheDir()
	return j, err
}
