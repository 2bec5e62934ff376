package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"annbench/bench/dataset"
	"annbench/bench/dataset/collection"
	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/indexes"
	"annbench/indexes/vec"
)

// order is what a worker process is told, as JSON on its standard input.
type order struct {
	Do  task   `json:"do"`
	Set string `json:"set"` // folder of the data set

	Metric  vec.Metric `json:"metric"`
	Threads int        `json:"threads"`

	MaxK int `json:"max_k,omitempty"` // neighbours that truth must have

	Allow []string `json:"allow,omitempty"` // gates that may be passed; see [dataset.Gates]
	Keep  []string `json:"keep,omitempty"`  // where all answers of each point are kept
	// Hardness asks for the difficulty of the set as well.
	Hardness bool   `json:"hardness,omitempty"`
	Given    string `json:"given,omitempty"` // file of neighbours that came with the queries, to be checked

	Family   string         `json:"family,omitempty"`
	Build    indexes.Params `json:"build,omitempty"`
	Points   []Point        `json:"points,omitempty"` // those of one number of searching threads
	Seed     uint64         `json:"seed,omitempty"`
	Index    string         `json:"index,omitempty"`    // file of the saved index: written by build, read by search
	Measure  time.Duration  `json:"measure,omitempty"`  // of the passes of latency
	Duration time.Duration  `json:"duration,omitempty"` // of the loops under load
	Gallery  []int          `json:"gallery,omitempty"`  // queries whose answers are wanted

	// Of families with an engine.
	Server Server `json:"server,omitzero"`
	Name   string `json:"name,omitempty"`   // of the index in the engine
	Before int64  `json:"before,omitempty"` // bytes that the engine's processes held before the build
}

// task is one of the things that a worker process does.
type task string

const (
	doTruth  task = "truth"  // check the data, find the exact neighbours
	doBuild  task = "build"  // build an index and save it
	doSearch task = "search" // load it, measure memory, time and score every setting
)

// reply is a line that a worker writes to file descriptor 3. Standard output is not used, because C
// libraries write to it.
type reply struct {
	Progress float64 `json:"progress,omitempty"` // share of the work that is done

	Warnings []string           `json:"warnings,omitempty"`
	Values   map[string]float64 `json:"values,omitempty"`

	// Of one cell: its place in [order.Points].
	Cell      *int                          `json:"cell,omitempty"`
	Spread    map[string]float64            `json:"spread,omitempty"`
	ByLabel   map[string]map[string]float64 `json:"by_label,omitempty"`
	Confusion [][]int                       `json:"confusion,omitempty"`
	Answers   [][]int32                     `json:"answers,omitempty"`
	ByDecile  map[string][]float64          `json:"by_decile,omitempty"`

	Difficulty *record.Difficulty `json:"difficulty,omitempty"`

	// Of families with an engine.
	Server string `json:"server,omitempty"` // which it is, for people
	Before int64  `json:"before,omitempty"` // bytes that its processes held before the build

	// Of families that are programs of their own.
	Version string `json:"version,omitempty"` // of the library
	Runtime string `json:"runtime,omitempty"` // what calls it

	Error string `json:"error,omitempty"`
	Disk  bool   `json:"disk,omitempty"` // Error is of the disk, see [isDiskError]: other cells would fail alike
	Done  bool   `json:"done,omitempty"` // the last line of a worker that did all that it was told
}

// Work is the worker's end: it reads one order from in, does it, and writes replies to out. Errors
// of the work itself are replies; the error returned is about in and out alone.
func Work(ctx context.Context, in io.Reader, out io.Writer) error {
	if f, ok := out.(*os.File); ok {
		unix.CloseOnExec(int(f.Fd())) // what a library starts must not keep the pipe open
	}
	var o order
	dec := json.NewDecoder(in)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&o); err != nil {
		return fmt.Errorf("reading the order of a worker process: %w", err)
	}
	w := &worker{order: o, out: json.NewEncoder(out)}
	if err := w.do(ctx); err != nil {
		return w.out.Encode(reply{Error: err.Error(), Disk: isDiskError(err, o.Server.Address == "")})
	}
	return w.out.Encode(reply{Done: true})
}

type worker struct {
	order
	out *json.Encoder
	set *dataset.Set
}

func (w *worker) do(ctx context.Context) error {
	var err error
	if w.set, err = dataset.OpenSet(w.Set); err != nil {
		return err
	}
	defer w.set.Close()
	switch w.Do {
	case doTruth:
		return w.truth(ctx)
	case doBuild:
		return w.build(ctx)
	case doSearch:
		return w.search(ctx)
	}
	return fmt.Errorf("unknown task %q", w.Do)
}

func (w *worker) truth(ctx context.Context) error {
	warnings, err := w.set.Check(w.Metric, w.Allow...)
	if err != nil {
		return err
	}
	if err := w.out.Encode(reply{Warnings: warnings}); err != nil {
		return err
	}
	truth, err := dataset.FindTruth(ctx, w.set, w.Metric, w.MaxK, w.Threads, "", func(done int) {
		_ = w.out.Encode(reply{Progress: float64(done) / float64(w.set.Queries.Rows)})
	})
	if err != nil {
		return err
	}
	if w.Given != "" {
		err = w.given(truth)
	}
	if w.Hardness && err == nil {
		d := Describe(w.set, truth)
		err = w.out.Encode(reply{Difficulty: &d})
	}
	return errors.Join(err, truth.Close())
}

// given checks the neighbours that came with the queries.
func (w *worker) given(truth *dataset.Truth) error {
	ids, err := collection.ReadNeighbors(w.Given)
	if err != nil {
		return err
	}
	warnings, err := dataset.CheckNeighbors(w.set, truth, ids, w.set.Base.Rows, w.Allow...)
	if err != nil {
		return err
	}
	return w.out.Encode(reply{Warnings: warnings})
}

// input is what the index is built from, checked.
func (w *worker) input() (*indexes.Family, indexes.BuildInput, error) {
	family, err := lookup(w.Family)
	if err != nil {
		return nil, indexes.BuildInput{}, err
	}
	params := maps.Clone(w.Build)
	if len(w.Points) > 0 {
		maps.Copy(params, w.Points[0].Search)
	}
	var source indexes.Source
	if source.File, source.Offset, err = w.set.BaseFile(w.Set); err != nil {
		return nil, indexes.BuildInput{}, err
	}
	// The check reads every vector, so their pages are in memory before the clock starts.
	in, err := family.Check(indexes.BuildInput{
		Vectors: w.set.Base, Metric: w.Metric, Params: params, Threads: w.Threads, Seed: w.Seed,
		Source: source, Scratch: filepath.Dir(w.Index),
		Address: w.Server.Address, Name: w.Name, Data: w.Server.Data,
	})
	return family, in, err
}

func (w *worker) build(ctx context.Context) error {
	family, in, err := w.input()
	if err != nil {
		return err
	}
	host := w.hostOf(family)
	r := reply{Values: map[string]float64{}}
	ix, err := host.build(ctx, in, r.Values)
	if err != nil {
		return err
	}
	defer ix.Close()
	if family.Folder == "" { // nobody knows the formula of a library
		r.Values[metric.Analytic] = float64(family.Bytes(in.Vectors.Rows, in.Vectors.Dim, in.Params))
	}

	saver, ok := ix.(indexes.Saver)
	if !ok {
		return errors.New("the index cannot be saved, so it cannot be measured in a process of its own")
	}
	if err := saver.Save(w.Index); err != nil {
		return fmt.Errorf("saving: %w", err)
	}
	if err := host.saved(ix, w.Index, &r); err != nil {
		return fmt.Errorf("saving: %w", err)
	}
	return w.out.Encode(r)
}

// phaseClock times the parts of a build from the calls that mark their beginnings.
type phaseClock struct {
	values map[string]float64
	name   string
	since  time.Time
}

var phaseValues = map[string]string{"train": metric.Train, "add": metric.Add, "finish": metric.Finish}

func (c *phaseClock) begin(name string) {
	c.end()
	c.name, c.since = phaseValues[name], time.Now()
}

func (c *phaseClock) end() {
	if c.name != "" {
		c.values[c.name] += time.Since(c.since).Seconds()
		c.name = ""
	}
}

// cpuSeconds is the processor time of this process so far, all threads, user and system.
func cpuSeconds() float64 {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return seconds(u.Utime) + seconds(u.Stime)
}

func seconds(t unix.Timeval) float64 { return time.Duration(t.Nano()).Seconds() }

func (w *worker) search(ctx context.Context) error {
	family, err := lookup(w.Family)
	if err != nil {
		return err
	}
	params, err := family.Settings(family.Build, w.Build)
	if err != nil {
		return err
	}
	maxK := 1
	for _, p := range w.Points {
		maxK = max(maxK, p.K)
	}
	queries, host := w.set.Queries, w.hostOf(family)
	shared := reply{Values: map[string]float64{}}
	in := indexes.BuildInput{Metric: w.Metric, Params: params, Threads: w.Threads, Seed: w.Seed, Scratch: filepath.Dir(w.Index)}
	if family.Folder != "" {
		// Its program may want the vectors, and its indexes may have to be built here.
		if _, in, err = w.input(); err != nil {
			return err
		}
	}
	ix, err := host.load(ctx, w.Index, in, func(ix indexes.Index) error {
		_, _, err := answerAll(ix, queries, maxK)
		return err
	}, &shared)
	if err != nil {
		return err
	}
	defer ix.Close()
	if shared.Values[metric.Overhead], err = overhead(queries); err != nil {
		return err
	}
	if err := w.out.Encode(shared); err != nil {
		return err
	}

	truth, err := dataset.FindTruth(ctx, w.set, w.Metric, w.MaxK, 1, "", nil)
	if err != nil {
		return err
	}
	defer truth.Close()
	tuned := ""
	for i, p := range w.Points {
		settings, err := family.Settings(family.Search, p.Search)
		if err != nil {
			return err
		}
		if tuner, ok := ix.(indexes.Tuner); ok && settings.String() != tuned {
			if err := tuner.Tune(settings); err != nil {
				return fmt.Errorf("setting %v: %w", settings, err)
			}
			tuned = settings.String()
		}
		stem := ""
		if i < len(w.Keep) {
			stem = w.Keep[i]
		}
		r, err := w.point(ctx, host, ix, truth, p, stem)
		if err != nil {
			return err
		}
		r.Cell = &i
		if err := w.out.Encode(r); err != nil {
			return err
		}
	}
	return nil
}

// point measures one operating point, and keeps the answers at stem where it is not empty. Scoring
// comes after the clock has stopped.
func (w *worker) point(ctx context.Context, host host, ix indexes.Index, truth *dataset.Truth, p Point, stem string) (reply, error) {
	queries := w.set.Queries
	ask := p.K
	if w.set.LeaveOneOut {
		ask++ // itself, which is left out below
	}
	var (
		seconds        []float64
		got            *answers
		values, spread map[string]float64
		warnings       []string
		err            error
	)
	cost := map[string]float64{}
	if err := host.before(ix, ask, w.Measure, cost); err != nil {
		return reply{}, err
	}
	if timed, ok := ix.(indexes.Timed); ok && p.Mode == record.Batch {
		var qps float64
		got, qps, err = timedBatches(timed, queries, ask, w.Duration)
		values = map[string]float64{metric.QPS: qps}
	} else if p.Mode == record.Batch {
		batch, ok := ix.(indexes.BatchSearcher)
		if !ok {
			return reply{}, errors.New("the index has no batch search")
		}
		var qps float64
		got, qps, err = batches(batch, queries, ask, w.Duration)
		values = map[string]float64{metric.QPS: qps}
	} else {
		var warm time.Duration
		if got, warm, err = answerAll(ix, queries, ask); err != nil {
			return reply{}, err
		}
		switch p.Mode {
		case record.Latency:
			var t timing
			t, err = host.latency(ix, queries, ask, warm, w.Measure)
			values, spread = t.values()
			seconds = t.first()
		case record.Throughput:
			var qps float64
			qps, err = closedLoop(ix, queries, ask, p.Workers, w.Duration)
			values = map[string]float64{metric.QPS: qps}
		case record.OpenLoop:
			values, warnings, err = openLoop(ix, queries, ask, p.Workers, p.Rate, w.Duration, w.Seed)
		default:
			err = fmt.Errorf("no mode %q", p.Mode)
		}
	}
	if err != nil {
		return reply{}, err
	}
	doubt, err := host.after(ctx, ix)
	if err != nil {
		return reply{}, err
	}
	if doubt != "" {
		warnings = append(warnings, doubt)
	}
	all := leaveOut(w.set, got.all(), p.K)
	if stem != "" {
		if err := w.keep(stem, p.K, all, seconds); err != nil {
			return reply{}, fmt.Errorf("keeping the answers: %w", err)
		}
	}
	ids, distances := truth.All()
	scores, err := metric.Score(metric.ScoreInput{
		Metric: w.Metric, K: p.K, Base: w.set.Base, Queries: queries,
		Answers: all, TruthIDs: ids, TruthDistances: distances,
		Labels: w.set.Labels, BaseLabels: w.set.BaseLabels, QueryLabels: w.set.QueryLabels,
		Self: selves(w.set), Difficulty: queryLIDs(w.set, truth),
	})
	if err != nil {
		return reply{}, fmt.Errorf("scoring: %w", err)
	}
	maps.Copy(scores.Values, values)
	maps.Copy(scores.Values, cost)
	maps.Copy(scores.Spread, spread)
	r := reply{
		Values: scores.Values, Spread: scores.Spread, Warnings: append(warnings, scores.Warnings...),
		ByLabel: scores.ByLabel, Confusion: scores.Confusion, ByDecile: scores.ByDecile,
	}
	for _, q := range w.Gallery {
		r.Answers = append(r.Answers, all[q])
	}
	return r, nil
}
