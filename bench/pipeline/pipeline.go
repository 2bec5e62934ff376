// Package pipeline is the whole way of a measurement, for programs: images, boards, files of vectors or
// synthetic vectors become a collection of vectors, the collection becomes a data set with held-out queries,
// and a sweep is measured on it into a results folder.
//
//	pipeline.Work()                                  // first in main: this program is its own worker
//	p := &pipeline.Pipeline{}
//	sum, err := p.Run(ctx, pipeline.RunConfig{Sweep: sweep, Out: "results/mine"})
//
// The command annbench and the Go benchmarks of this package are two doors to it. It prints nothing: what it
// does goes to [Pipeline.Say] and [Pipeline.Progress], what is measured to the results folder, which package
// record reads and package reports shows. What is measured and how is package bench's, embedding is package
// embedder's.
package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"annbench/bench"
	"annbench/bench/dataset"
	"annbench/bench/dataset/collection"
	"annbench/bench/project"
	"annbench/bench/record"
	"annbench/bench/sweepfile"
	"annbench/embedder/catalog/survey"
	"annbench/indexes"
	"annbench/indexes/external"
	"annbench/internal/seal"
)

// Pipeline says where things are kept and who hears of progress. The zero value is ready.
type Pipeline struct {
	// Cache is the folder in which embeddings, vectors and data sets are kept for later runs.
	// Empty: [CacheDir].
	Cache string
	// Worker is the command that runs [bench.Work] on its standard input and file descriptor 3. Nil: this
	// program with the argument "worker", which [Work] answers.
	Worker []string
	// Local gives the data with everything fetched that is in object storage. Nil: nothing is fetched, and
	// an address there is a file that does not exist.
	Local func(context.Context, *sweepfile.Data) (*sweepfile.Data, error)
	// Find finds the servers of families that are in one. Nil: only servers whose address the sweep gives.
	Find bench.FindServer
	// Between is called after each build whose records are on the disk, while nothing is timed. Nil: nothing.
	Between func()
	// Log takes warnings, and what worker processes write. Nil: it is dropped.
	Log *slog.Logger
	// Say takes what people may want to know, a line each, without the line's end. Nil: it is dropped.
	Say func(line string)
	// Progress takes how far something is that lasts: done of total, and the time left, 0 where unknown. A
	// total of 0 says that it has ended. Nil: it is dropped.
	Progress func(what string, done, total int, left time.Duration)

	// refuse is asked, with the digest of the pictures, before any is embedded. Nil: all are embedded.
	refuse func(pictures string) error
}

// workerArgument is what a program is started with to be a worker.
const workerArgument = "worker"

// Work does the work of a worker process and ends the program, if the program was started as one by [Pipeline]
// (with the one argument "worker"); otherwise it returns at once. Programs call it first in main, and tests in
// TestMain, unless they set [Pipeline.Worker].
func Work() {
	if len(os.Args) != 2 || os.Args[1] != workerArgument {
		return
	}
	if err := bench.Work(context.Background(), os.Stdin, os.NewFile(3, "replies")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// CacheDir is where embeddings and data sets are kept between runs: $ANNBENCH_CACHE, or annbench in the
// user's cache folder.
func CacheDir() (string, error) {
	if dir := os.Getenv("ANNBENCH_CACHE"); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no folder to keep embeddings in: %w; set ANNBENCH_CACHE", err)
	}
	return filepath.Join(dir, "annbench"), nil
}

// cache is a folder below the cache.
func (p *Pipeline) cache(name string) (string, error) {
	dir, err := p.Cache, error(nil)
	if dir == "" {
		dir, err = CacheDir()
	}
	return filepath.Join(dir, name), err
}

func (p *Pipeline) say(format string, args ...any) {
	if p.Say != nil {
		p.Say(fmt.Sprintf(format, args...))
	}
}

func (p *Pipeline) progress(what string, done, total int, left time.Duration) {
	if p.Progress != nil && total > 0 {
		p.Progress(what, done, total, left)
	}
}

// clear ends the progress that is shown.
func (p *Pipeline) clear() {
	if p.Progress != nil {
		p.Progress("", 0, 0, 0)
	}
}

func (p *Pipeline) logger() *slog.Logger {
	if p.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return p.Log
}

// Data is a data set with the collection that it is of.
type Data struct {
	*dataset.Set
	Collection *collection.Collection
}

// Close closes both.
func (d *Data) Close() error { return errors.Join(d.Set.Close(), d.Collection.Close()) }

// Open makes the data set of a sweep, or finds it in the cache, and opens it. What the sweep leaves to the
// data, its metric and the settings that depend on the number of vectors, is set in sweep. The caller closes
// it.
func (p *Pipeline) Open(ctx context.Context, sweep *sweepfile.Sweep) (*Data, error) {
	dir, all, err := p.prepare(ctx, sweep)
	if err != nil {
		return nil, err
	}
	set, err := dataset.OpenSet(dir)
	if err != nil {
		return nil, errors.Join(err, all.Close())
	}
	return &Data{set, all}, nil
}

// prepare is Open of a set that nobody here reads.
func (p *Pipeline) prepare(ctx context.Context, sweep *sweepfile.Sweep) (set string, all *collection.Collection, err error) {
	if err := p.checkWhere(ctx, sweep); err != nil {
		return "", nil, err
	}
	all, err = p.Collection(ctx, &sweep.Data)
	if err != nil {
		return "", nil, err
	}
	err = p.settleMetric(sweep, all)
	if sweep.Fit {
		fit(sweep, all.Vectors.Rows, all.Vectors.Dim)
	}
	var by dataset.Relevance
	if err == nil {
		by, err = p.relevance(&sweep.Data, all)
	}
	if err == nil {
		set, err = p.Split(ctx, all, dataset.SplitConfig{
			Queries: sweep.Queries, Seed: sweep.Seed, LeaveOneOut: sweep.Data.LeaveOneOut, Relevance: by,
		})
	}
	if err != nil {
		all.Close()
		return "", nil, err
	}
	return set, all, nil
}

// Split divides a collection into base and queries, in a folder in the cache, which it returns.
func (p *Pipeline) Split(ctx context.Context, all *collection.Collection, c dataset.SplitConfig) (dir string, err error) {
	cache, err := p.cache("sets")
	if err != nil {
		return "", err
	}
	return dataset.Split(ctx, all, c, cache)
}

// settleMetric takes the metric from the vectors' file where the sweep has none.
func (p *Pipeline) settleMetric(sweep *sweepfile.Sweep, all *collection.Collection) error {
	said := all.Meta.Metric
	switch {
	case all.Meta.Word != "" && sweep.MetricOpen():
		return fmt.Errorf("%s is made for the metric %q, which annbench does not have: name one with metric", all.Name, all.Meta.Word)
	case said != "":
		sweep.UseMetric(said)
		if !slices.Contains(sweep.Metric, said) {
			p.say("note: %s is made for the metric %s, and measured under %s", all.Name, said, sweep.Metric[0])
		}
	}
	return nil
}

// fit sets what depends on the number of vectors and of dimensions in the sweep for files of vectors: see
// [indexes.Param.Start].
func fit(sweep *sweepfile.Sweep, rows, dim int) {
	for _, f := range sweep.Families {
		family, err := external.Lookup(f.Family, ".")
		if err != nil {
			continue // the sweep's check has named it
		}
		for i := range family.Build {
			p := &family.Build[i]
			if _, ok := f.Build[p.Name]; ok && (p.Grows > 0 || p.Scale == indexes.Divisors) {
				f.Build[p.Name] = sweepfile.OneOrMany[any]{p.Start(rows, dim)}
			}
		}
	}
}

// Plan lays out what a sweep measures on its data, for a machine of so many cores (0: those of this one).
func (p *Pipeline) Plan(sweep *sweepfile.Sweep, d *Data, cores int) (*bench.Plan, error) {
	if cores == 0 {
		cores = runtime.NumCPU()
	}
	return bench.MakePlan(sweep, bench.Shape{Digest: d.Digest, Base: d.Base.Rows, Dim: d.Base.Dim, Cores: cores, Find: p.Find})
}

// RunConfig says what is measured, and where the records go.
type RunConfig struct {
	// Sweep is what is measured: see [sweepfile.Read]. It must name one number of vectors; see [Sizes].
	Sweep *sweepfile.Sweep
	// Out is the results folder. It is made if it is not there, and continued if it is.
	Out string
	// Shard is the part that is measured. Zero: all of it.
	Shard bench.Shard
	// Retry measures cells again that failed, timed out or ran out of memory in an earlier run. False: their
	// records stand.
	Retry bool
	// KeepIndexes keeps the saved indexes in the results folder. False: they are removed.
	KeepIndexes bool
	// Measured is called when all is measured, before the map is drawn, which can take minutes. Nil: nothing is.
	Measured func() error
	// NoMap leaves out the map of the vectors, a picture for people. False: there is one.
	NoMap bool
}

// Run makes the data set of a sweep and measures what is missing in the results folder. Every cell ends as a
// record, failed ones too; the error is about what kept the run as a whole from ending.
func (p *Pipeline) Run(ctx context.Context, c RunConfig) (bench.Summary, error) {
	set, all, err := p.refusing(c).prepare(ctx, c.Sweep)
	if err != nil {
		return bench.Summary{}, err
	}
	defer all.Close()
	run := &bench.Run{
		Sweep: c.Sweep, Set: set, Collection: all, Dataset: record.Dataset{Name: all.Name, Notes: all.Meta.Notes}, Out: c.Out,
		Worker: p.Worker, Shard: c.Shard, Retry: c.Retry, KeepIndexes: c.KeepIndexes,
		Find: p.Find, Log: p.logger(), Between: p.Between,
		Progress: func(at bench.Progress) { p.progress(at.What, at.Done, at.Total, at.Left) },
	}
	if run.Worker == nil {
		self, err := os.Executable()
		if err != nil {
			return bench.Summary{}, err
		}
		run.Worker = []string{self, workerArgument}
	}
	if all.Meta.Embedding != nil {
		run.Dataset.Embedding = &record.Embedding{}
		if err := json.Unmarshal(all.Meta.Embedding, run.Dataset.Embedding); err != nil {
			return bench.Summary{}, fmt.Errorf("reading how %s was embedded: %w", all.Name, err)
		}
		run.Dataset.Name = run.Dataset.Embedding.Source
	}
	began := time.Now()
	sum, err := run.Do(ctx)
	p.clear()
	for _, w := range sum.Warnings {
		p.say("note: %s", w)
	}
	if err == nil || sum.Counted || len(sum.Measured) > 0 {
		p.say("measured %d cells in %v; %d were there already, %d failed, %d skipped",
			sum.Measured[record.OK], time.Since(began).Round(time.Second), sum.Present, sum.Failed(), sum.Measured[record.Skipped])
	}
	if err != nil {
		return sum, err
	}
	if sum.Pruned > 0 {
		p.say("left out %d repetitions of settings that the first showed to be dominated, which saved about %v", sum.Pruned, sum.Saved.Round(time.Second))
	}
	if err := keepOrigin(&c.Sweep.Data, c.Out); err != nil {
		return sum, err
	}
	if c.Measured != nil {
		if err := c.Measured(); err != nil {
			return sum, err
		}
	}
	if !c.NoMap && c.Shard.Index <= 1 { // the map is of the data: one for all shards, and the merge takes it along
		return sum, p.keepMap(ctx, all, project.Config{Metric: c.Sweep.Metric[0], Seed: c.Sweep.Seed}, c.Out)
	}
	return sum, nil
}

// refusing is p, which embeds no pictures where the results folder has records of others.
func (p *Pipeline) refusing(c RunConfig) *Pipeline {
	if _, queries := apart(&c.Sweep.Data); queries != nil {
		return p // two collections, of which the results know one
	}
	if records, _, err := record.Read(filepath.Join(c.Out, record.RecordsFile)); err != nil || len(records) == 0 {
		return p // what is wrong, the run itself says
	}
	var before record.Dataset
	if _, err := seal.ReadJSON(filepath.Join(c.Out, record.DatasetFile), &before); err != nil || before.Embedding == nil || before.Embedding.Pictures == "" {
		return p
	}
	q := *p
	q.refuse = func(pictures string) error {
		if pictures == before.Embedding.Pictures {
			return nil
		}
		return fmt.Errorf("%s holds results for %s as it was, and %s: name another folder with --out, or move this one away", c.Out, before.Embedding.Source, picturesChanged)
	}
	return &q
}

// Sizes are the sweeps that a sweep over several numbers of synthetic vectors consists of, smallest first, so
// that what is stopped has the most to show; the sweep itself where it names one number or other data.
// Dir is the folder of each below that of the results.
func Sizes(sweep *sweepfile.Sweep) (sizes []Size) {
	y := sweep.Data.Synthetic
	if y == nil || len(y.N) < 2 {
		return []Size{{Sweep: sweep}}
	}
	for _, n := range slices.Compact(slices.Sorted(slices.Values(y.N))) {
		one, synthetic := *sweep, *y
		synthetic.N = sweepfile.OneOrMany[int]{n}
		one.Data.Synthetic = &synthetic
		sizes = append(sizes, Size{n, &one, fmt.Sprintf("n%d", n)})
	}
	return sizes
}

// Size is one of [Sizes]. N and Dir are empty where there is only one.
type Size struct {
	N     int
	Sweep *sweepfile.Sweep
	Dir   string
}

// Map projects a collection onto a plane; see [project.Map].
func (p *Pipeline) Map(ctx context.Context, all *collection.Collection, c project.Config) (*record.Map, error) {
	digest, err := all.Digest(ctx)
	if err != nil {
		return nil, err
	}
	c.Progress = p.counting("drawing the map")
	m, err := project.Map(ctx, all.Vectors,
		func(row int) string { return all.Items[row].ID }, func(row int) string { return all.Items[row].Label }, c)
	p.clear()
	if err != nil {
		return nil, err
	}
	m.Digest = digest
	return m, nil
}

// DrawMap is Map, and writes map.json, map.png and map.svg into dir, which is made if it is not there; files are
// their paths.
func (p *Pipeline) DrawMap(ctx context.Context, all *collection.Collection, c project.Config, dir string) (m *record.Map, files []string, err error) {
	if m, err = p.Map(ctx, all, c); err != nil {
		return nil, nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, nil, err
	}
	path := filepath.Join(dir, record.MapFile)
	if err := seal.WriteJSON(path, m); err != nil {
		return nil, nil, err
	}
	var planes []survey.Plane
	for _, p := range m.Methods {
		note := fmt.Sprintf("%s; keeps %.0f %% of the 10 nearest neighbours", p.Note, 100*p.Kept)
		planes = append(planes, survey.Plane{Title: p.Name, Note: note, X: p.X, Y: p.Y})
	}
	files, err = survey.Map(planes, m.Label, m.Labels).Write(dir, "map")
	return m, append([]string{path}, files...), err
}

// keepMap puts the map of a collection into a results folder, unless it is there. It is for people, so
// that vectors of which no map can be made are no failure of a run.
func (p *Pipeline) keepMap(ctx context.Context, all *collection.Collection, c project.Config, out string) error {
	digest, err := all.Digest(ctx)
	if err != nil {
		return err
	}
	old, err := record.OpenMap(out)
	if err == nil && old != nil && old.Digest == digest && old.Metric == string(c.Metric) && old.Seed == c.Seed {
		return nil
	}
	m, err := p.Map(ctx, all, c)
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case err != nil:
		p.say("note: no map of the vectors: %v", err)
		return nil
	}
	return seal.WriteJSON(filepath.Join(out, record.MapFile), m)
}
