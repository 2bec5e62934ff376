package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"annbench/bench/dataset"
	"annbench/bench/pipeline"
	"annbench/bench/record"
	"annbench/bench/tune"
	"annbench/indexes/vec"
	"annbench/internal/units"
	"annbench/reports"
	"annbench/reports/interchange"
	"annbench/reports/judge"
	"annbench/reports/page"
	"annbench/reports/say"
)

type tuneCmd struct {
	Data string `arg:"" optional:"" help:"What is searched: a folder of labelled images, a file or folder of vectors, or a sweep file whose data, metric and k are taken. Default: the drawn garments of configs/default.yaml." s3:"own"`
	limitFlags
	Objective string         `default:"speed" help:"What is best among settings that keep the limits: speed, memory, file, build, map, hit, ndcg or cost (with --prices). Default: speed." placeholder:"NAME"`
	Prices    string         `help:"What a month costs, for --objective cost: a YAML file with core, gib, queries_per_second, busy and currency; see docs/howto/tune.md." placeholder:"FILE" s3:"own"`
	Budget    units.Duration `default:"10m" help:"Time for all of it, embedding left out. Default: 10m." placeholder:"TIME"`
	Families  []string       `name:"family" help:"Families that take part, by name or folder, external ones and those in servers too. Default: all that are part of annbench and run in this process." placeholder:"NAME" s3:"no: the programs of a family run on this machine; copy its folder here first"`
	Address   string         `help:"Where the server of a family answers. Default: the one that annbench engines up started." placeholder:"ADDRESS"`
	K         int            `help:"Answers a query. Default: the sweep file's, or 10." placeholder:"K"`
	Metric    vec.Metric     `help:"l2, cosine or ip. Default: what the vectors' file says, or cosine." placeholder:"NAME"`
	Queries   int            `help:"Queries to search with; as many others measure the answer. Default: at most 1000." placeholder:"N"`
	Seed      uint64         `default:"1" help:"Source of every random choice."`
	Allow     []string       `help:"Continue even if these checks of the data fail: zeros, duplicates, queries, constant, neighbors." placeholder:"CHECK"`
	Out       string         `help:"Results folder. Default: results/tune-NAME." placeholder:"DIR" s3:"work"`

	KeepIndexes bool `help:"Keep the saved indexes of the answer in the results folder, for annbench serve."`
	JSON        bool `help:"One JSON object instead of text."`
}

// Help is printed below the flags.
func (tuneCmd) Help() string {
	return `Searches families and settings together, and measures the answer anew beside the runner-up and exact search:
fresh queries, fresh builds. Prints what choose prints of it, and writes a page. It ends early where nothing is left
to try; the same command resumes what was stopped. Exit code 1 where nothing keeps the limits; the
nearest setting is named then.

Examples:
  annbench tune photos --min-recall 0.95 --max-memory 300MiB --budget 10m
  annbench tune embeddings.npy --min-recall 0.99 --max-p99 2ms --max-build 1m --family forest,hnsw,ivfflat-faiss
  annbench tune configs/default.yaml --objective memory`
}

func (c *tuneCmd) Run(ctx context.Context, s *surface) error {
	config, err := c.config()
	if err != nil {
		return misuse(err)
	}
	config.Watch = s.watch
	t, err := s.pipeline(ctx).Tune(ctx, config)
	if err != nil {
		if t != nil && t.State != nil && ctx.Err() != nil {
			if t.State.Done && t.Report != nil { // only the map is missing
				fmt.Fprint(s.out, say.Pick(t.Pick)+say.Month(t.Pick, config.Objective)+"\n"+say.Search(&t.State.Search))
				return err
			}
			asked := tune.Question{Limits: config.Limits, Objective: config.Objective}
			best, keeps := asked.SoFar(t.State.Search.Tries)
			fmt.Fprint(s.out, say.SearchSoFar(&t.State.Search, best, keeps))
		}
		return err
	}
	dir := filepath.Join(c.Out, "report")
	if _, err := reports.Write(dir, t.Report); err != nil {
		return err
	}
	if c.JSON {
		err = s.json(interchange.PickSummary(t.Pick))
	} else {
		fmt.Fprint(s.out, say.Pick(t.Pick)+say.Month(t.Pick, config.Objective)+"\n"+say.Search(&t.State.Search)+"\n")
		err = s.lines(filepath.Join(c.Out, record.RecordsFile), filepath.Join(dir, page.File))
	}
	switch {
	case err != nil:
		return err
	case t.Pick.Best == nil:
		return errNothingFits
	case t.Failed > 0:
		return errFailedCells
	}
	return nil
}

func (c *tuneCmd) config() (pipeline.TuneConfig, error) {
	sweep, err := pipeline.TuneSweep(c.Data)
	if err != nil {
		return pipeline.TuneConfig{}, err
	}
	if c.K < 0 || c.Queries < 0 {
		return pipeline.TuneConfig{}, errors.New("--k and --queries must be at least 1")
	}
	if c.K > 0 {
		sweep.K = []int{c.K}
	}
	if c.Queries > 0 {
		sweep.Queries = c.Queries
	}
	if c.Metric != "" {
		sweep.SetMetric(c.Metric)
	}
	for _, name := range c.Allow {
		if err := dataset.CheckGate(name); err != nil {
			return pipeline.TuneConfig{}, fmt.Errorf("--allow: %w", err)
		}
	}
	sweep.Data.Allow = append(sweep.Data.Allow, c.Allow...)
	sweep.Seed = c.Seed
	if name := c.zero(); name != "" {
		return pipeline.TuneConfig{}, fmt.Errorf("%s: no index keeps a limit of 0: give more, or leave it out", name)
	}
	o, err := judge.ParseObjective(c.Objective)
	if err != nil {
		return pipeline.TuneConfig{}, fmt.Errorf("--objective: %w", err)
	}
	if (o.Name == judge.Cost) != (c.Prices != "") {
		return pipeline.TuneConfig{}, errors.New("--objective cost and --prices go together")
	}
	if c.Prices != "" {
		text, err := os.ReadFile(c.Prices)
		if err == nil {
			o.Prices, err = judge.ParsePrices(c.Prices, text)
		}
		if err != nil {
			return pipeline.TuneConfig{}, err
		}
	}
	if c.Out == "" {
		c.Out = filepath.Join("results", "tune-"+sweep.Name)
	}
	return pipeline.TuneConfig{
		Sweep: sweep, Limits: c.limits(), Objective: o, Families: c.Families, Address: c.Address, Budget: time.Duration(c.Budget), Out: c.Out, KeepIndexes: c.KeepIndexes,
	}, nil
}

// watch shows how a search goes: what is tried, and the best so far.
func (s *surface) watch(p tune.Progress) {
	var best *record.Try
	if p.Best != nil {
		best = p.Best.Try
	}
	s.Passing(say.SearchProgress(p.What, p.Rows, best), p.Elapsed, p.Left)
}
