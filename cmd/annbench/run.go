package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"annbench/bench"
	"annbench/bench/dataset"
	"annbench/bench/dataset/collection"
	"annbench/bench/project"
	"annbench/bench/record"
	"annbench/bench/store"
	"annbench/configs"
	"annbench/indexes/vec"
	"annbench/reports"
)

// sweepFlags say what is measured: a sweep file, vectors, or both.
type sweepFlags struct {
	Sweep   string   `arg:"" optional:"" help:"Sweep file (YAML); configs/ has examples, configs/README.md every key. Default, with --data: configs/vectors.yaml." s3:"no: the paths in a sweep file are relative to its folder, so copy it to this machine; the paths in it may be s3://"`
	Data    string   `help:"Vectors to run on, instead of the sweep's: a file of any format that docs/formats.md lists, or a folder." placeholder:"FILE" s3:"own"`
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
	if y := sweep.Data.Synthetic; y != nil && len(y.N) > 1 {
		return c.grow(ctx, s, sweep, shard)
	}
	return measure(ctx, s, sweep, c.Out, shard, c.Retry, c.KeepIndexes)
}

// sweep reads the sweep file, or takes the one for vectors, and puts the flags into it.
func (c *sweepFlags) sweep() (*bench.Sweep, error) {
	var sweep *bench.Sweep
	var err error
	switch {
	case c.Sweep != "":
		sweep, err = bench.ReadSweep(c.Sweep)
	case c.Data != "":
		sweep, err = bench.ParseSweep("configs/vectors.yaml", configs.Vectors)
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
		sweep.Data = bench.Data{Vectors: c.Data, Labels: c.Labels, Allow: sweep.Data.Allow}
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

// fit sets what depends on the number of vectors and of dimensions in the sweep for files of vectors.
func fit(sweep *bench.Sweep, rows, dim int) {
	nlist := 1
	for nlist*nlist < 4*rows {
		nlist *= 2
	}
	m := max(1, dim/8)
	for dim%m != 0 {
		m--
	}
	for _, f := range sweep.Families {
		for name, value := range map[string]int{"nlist": nlist, "m": m} {
			if _, ok := f.Build[name]; ok {
				f.Build[name] = bench.OneOrMany[any]{value}
			}
		}
	}
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
func measure(ctx context.Context, s *surface, sweep *bench.Sweep, out string, shard bench.Shard, retry, keepIndexes bool) error {
	set, all, err := prepare(ctx, s, sweep)
	if err != nil {
		return err
	}
	defer all.Close()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	run := &bench.Run{
		Sweep: sweep, Set: set, Collection: all, Out: out, Shard: shard, Worker: []string{self, "worker"}, Retry: retry, KeepIndexes: keepIndexes, Log: s.log,
		Find:    findServer,
		Dataset: record.Dataset{Name: all.Name},
		Between: func() { s.storage.keep(ctx) },
		Progress: func(p bench.Progress) {
			s.progress(p.What, p.Done, p.Total, p.Left)
		},
	}
	if all.Meta.Embedding != nil {
		run.Dataset.Embedding = &record.Embedding{}
		if err := json.Unmarshal(all.Meta.Embedding, run.Dataset.Embedding); err != nil {
			return fmt.Errorf("reading how %s was embedded: %w", all.Name, err)
		}
		run.Dataset.Name = run.Dataset.Embedding.Source
	}
	began := time.Now()
	sum, err := run.Do(ctx)
	s.clear()
	for _, w := range sum.Warnings {
		s.say("note: %s", w)
	}
	s.say("measured %d cells in %v; %d were there already, %d failed, %d skipped",
		sum.Measured[record.OK], time.Since(began).Round(time.Second), sum.Present, sum.Failed(), sum.Measured[record.Skipped])
	if err != nil {
		return err
	}
	if sum.Pruned > 0 {
		s.say("left out %d repetitions of settings that the first showed to be dominated, which saved about %v", sum.Pruned, sum.Saved.Round(time.Second))
	}
	if err := keepSource(&sweep.Data, out); err != nil {
		return err
	}
	if shard.Index <= 1 { // the map is of the data: one for all shards, and the merge takes it along
		if err := keepMap(ctx, s, all, project.Config{Metric: sweep.Metric[0], Seed: sweep.Seed}, out); err != nil {
			return err
		}
	}
	if shard.Of > 1 {
		// A report of a part would compare what happened to be in it.
		fmt.Fprintln(s.out, filepath.Join(out, record.RecordsFile))
		s.say("shard %v: once all are there, annbench merge joins them and reports", shard)
	} else {
		o := reports.TableOptions{Color: isTerminal(s.out) && os.Getenv("NO_COLOR") == ""}
		if err := report(s, filepath.Join(out, "report"), o, out); err != nil {
			return err
		}
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

// prepare makes the data set of a sweep, and opens the collection that it is of.
func prepare(ctx context.Context, s *surface, sweep *bench.Sweep) (set string, all *collection.Collection, err error) {
	all, err = openCollection(ctx, s, &sweep.Data)
	if err != nil {
		return "", nil, err
	}
	cache, err := cacheDir()
	if err == nil {
		err = settleMetric(s, sweep, all)
	}
	if sweep.Fit {
		fit(sweep, all.Vectors.Rows, all.Vectors.Dim)
	}
	if err == nil {
		set, err = dataset.Split(ctx, all, dataset.SplitConfig{
			Queries: sweep.Queries, Seed: sweep.Seed, LeaveOneOut: sweep.Data.LeaveOneOut,
		}, filepath.Join(cache, "sets"))
	}
	if err != nil {
		all.Close()
		return "", nil, err
	}
	return set, all, nil
}

// settleMetric takes the metric from the vectors' file where the sweep has none.
func settleMetric(s *surface, sweep *bench.Sweep, all *collection.Collection) error {
	said := all.Meta.Metric
	switch {
	case all.Meta.Word != "" && sweep.MetricOpen():
		return fmt.Errorf("%s is made for the metric %q, which annbench does not have: name one with metric", all.Name, all.Meta.Word)
	case said != "":
		sweep.UseMetric(said)
		if !slices.Contains(sweep.Metric, said) {
			s.say("note: %s is made for the metric %s, and measured under %s", all.Name, said, sweep.Metric[0])
		}
	}
	return nil
}

// report writes the files and prints the table of some results folders.
func report(s *surface, dir string, o reports.TableOptions, results ...string) error {
	r, err := reports.Load(results...)
	if err != nil {
		return err
	}
	return writeReport(s, dir, r, o, results...)
}

// writeReport is report of results that have been read.
func writeReport(s *surface, dir string, r *reports.Report, o reports.TableOptions, results ...string) error {
	if err := reports.Table(s.out, r, o); err != nil {
		return err
	}
	if _, err := reports.Write(dir, r); err != nil {
		return err
	}
	fmt.Fprintln(s.out)
	for _, d := range results {
		fmt.Fprintln(s.out, filepath.Join(d, record.RecordsFile))
	}
	fmt.Fprintln(s.out, filepath.Join(dir, "index.html"))
	return nil
}

func secondsLeft(done, total int, elapsed time.Duration) time.Duration {
	if done == 0 {
		return 0
	}
	return time.Duration(float64(elapsed) / float64(done) * float64(total-done))
}

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
	sweep, err := bench.ReadSweep(c.Sweep)
	if err != nil {
		return misuse(err)
	}
	dir, all, err := prepare(ctx, s, sweep)
	if err != nil {
		return err
	}
	defer all.Close()
	set, err := dataset.OpenSet(dir)
	if err != nil {
		return err
	}
	defer set.Close()
	plan, err := bench.MakePlan(sweep, bench.Shape{Digest: set.Digest, Base: set.Base.Rows, Dim: set.Base.Dim, Cores: runtime.NumCPU(), Find: findServer})
	if err != nil {
		return err
	}
	estimate, err := bench.EstimatePlan(ctx, sweep, set, plan)
	if err != nil {
		return err
	}
	return printPlan(s.out, sweep, set, plan, estimate, c.JSON)
}

type reportCmd struct {
	Results []string `arg:"" help:"Results folders; several are shown together." s3:"results"`
	Out     string   `help:"Folder for the files. Default: report/ in the first results folder." placeholder:"DIR" s3:"out"`
	Format  string   `help:"Print the results in this format, and write no files: one of ${formats}." placeholder:"NAME"`
	Recall  []share  `help:"Recalls to compare families at. Default: 0.80,0.90,0.95,0.99." placeholder:"SHARE"`
}

// Help is printed below the flags.
func (reportCmd) Help() string {
	return `Needs the results folders alone: neither indexes nor model nor images.

Examples:
  annbench report results/default
  annbench report results/default --format gobench > new.txt && benchstat old.txt new.txt`
}

// address puts the report of results in a bucket beside them.
func (c *reportCmd) address() {
	if c.Out == "" && c.Format == "" && len(c.Results) > 0 && store.Is(c.Results[0]) {
		c.Out = strings.TrimRight(c.Results[0], "/") + "/report"
	}
}

func (c *reportCmd) Run(s *surface) error {
	o := reports.TableOptions{Color: isTerminal(s.out) && os.Getenv("NO_COLOR") == ""}
	r, err := reports.Load(c.Results...)
	if err != nil {
		return err
	}
	if len(c.Recall) > 0 {
		r.Targets = nil
	}
	for _, at := range c.Recall {
		r.Targets = append(r.Targets, float64(at))
	}
	if c.Format != "" {
		if !slices.Contains(reports.FormatNames(), c.Format) {
			return misuse(fmt.Errorf("there is no format %q: there are %s", c.Format, strings.Join(reports.FormatNames(), ", ")))
		}
		return reports.Print(s.out, r, c.Format, o)
	}
	if c.Out == "" {
		c.Out = filepath.Join(c.Results[0], "report")
	}
	return writeReport(s, c.Out, r, o, c.Results...)
}

// shardFolder is where a shard has its results, below those of the whole.
func shardFolder(out string, shard bench.Shard) string {
	return filepath.Join(out, "shards", fmt.Sprintf("%d-of-%d", shard.Index, shard.Of))
}
