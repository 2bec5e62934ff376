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
	"runtime/debug"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"annbench/bench/churn"
	"annbench/bench/dataset"
	"annbench/bench/dataset/collection"
	"annbench/bench/filter"
	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/indexes"
	"annbench/indexes/vec"
)

// order is what a worker process is asked to do, as JSON on its standard input.
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

	// Transform is what the vectors go through before they are indexed or searched for; empty: nothing. Fit is the file
	// with what it has learnt, which the first that needs it writes.
	Transform string `json:"transform,omitempty"`
	Fit       string `json:"fit,omitempty"`

	// Filters are those that are to be prepared with the truth; FilterSeed makes those that are made.
	Filters    []filter.Filter `json:"filters,omitempty"`
	FilterSeed uint64          `json:"filter_seed,omitempty"`
	// Churns are the runbooks whose truth is to be prepared; Churning is the one that is to be followed.
	Churns   []churn.Spec `json:"churns,omitempty"`
	Churning Churning     `json:"churning,omitzero"`

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
	doHog    task = "hog"    // keep a processor busy until it is killed; see [SelfCheckBusy]
	doSearch task = "search" // load it, measure memory, time and score every setting
	doChurn  task = "churn"  // follow a runbook: build, change, time and score every setting at every search
	doTry    task = "try"    // load it, and try settings as they come; Points[0] is what it was built with
)

// reply is a line that a worker writes to file descriptor 3. Standard output is not used, because C
// libraries write to it.
type reply struct {
	Progress float64 `json:"progress,omitempty"` // share of the work that is done

	// Of a worker that takes part in rounds. Waits says that it has loaded its index. Ready are the seconds that each of its points took to answer
	// all queries; it says that turns can come. Wall are the seconds of the block that was just timed.
	// Failed says why one point, that of Cell, takes part no more, while the others do.
	Waits  bool      `json:"waits,omitempty"`
	Ready  []float64 `json:"ready,omitempty"`
	Wall   float64   `json:"wall,omitempty"`
	CPU    float64   `json:"cpu,omitempty"` // processor seconds of that block, where they are known
	Tried  *Tried    `json:"tried,omitempty"`
	Failed string    `json:"failed,omitempty"`

	Warnings []string           `json:"warnings,omitempty"`
	Values   map[string]float64 `json:"values,omitempty"`

	// Of one cell: its place in [order.Points].
	Cell      *int                          `json:"cell,omitempty"`
	Spread    map[string]float64            `json:"spread,omitempty"`
	ByLabel   map[string]map[string]float64 `json:"by_label,omitempty"`
	Confusion [][]int                       `json:"confusion,omitempty"`
	Answers   [][]int32                     `json:"answers,omitempty"`
	ByDecile  map[string][]float64          `json:"by_decile,omitempty"`

	ByAttribute map[string]map[string]float64 `json:"by_attribute,omitempty"`
	ByK         map[string][]float64          `json:"by_k,omitempty"`
	Rounds      *record.Rounds                `json:"rounds,omitempty"`

	Difficulty *record.Difficulty `json:"difficulty,omitempty"`

	// Of families with an engine.
	Server string `json:"server,omitempty"` // which it is, for people
	Before int64  `json:"before,omitempty"` // bytes that its processes held before the build

	// Of families that are programs of their own.
	Version string `json:"version,omitempty"` // of the library
	Runtime string `json:"runtime,omitempty"` // what calls it

	Error string `json:"error,omitempty"`
	Step  int    `json:"step,omitempty"` // of a runbook: Cell is of its search
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
	w := &worker{order: o, in: dec, out: json.NewEncoder(out)}
	if err := w.do(ctx); err != nil {
		return w.out.Encode(reply{Error: err.Error(), Disk: isDiskError(err, o.Server.Address == "")})
	}
	return w.out.Encode(reply{Done: true})
}

type worker struct {
	order
	in  *json.Decoder // what comes after the order; see [turn]
	out *json.Encoder
	set *dataset.Set

	judge  *metric.Judge // made for the first point that is scored
	judged int           // answers it is made for; 0 before it is made

	filtering filtering
	small     smaller
}

func (w *worker) do(ctx context.Context) error {
	if w.Do == doHog {
		for ctx.Err() == nil {
		}
		return ctx.Err()
	}
	var err error
	if w.set, err = dataset.OpenSet(w.Set); err != nil {
		return err
	}
	defer w.set.Close()
	if w.Transform != "" {
		if err := w.shrink(); err != nil {
			return err
		}
	}
	switch w.Do {
	case doTruth:
		return w.truth(ctx)
	case doBuild:
		return w.build(ctx)
	case doChurn:
		return w.follow(ctx)
	case doSearch, doTry:
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
	if err == nil {
		err = w.prepareFilters(ctx)
	}
	if err == nil {
		err = w.prepareChurn(ctx)
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

// checked is what the index is built from, checked.
func (w *worker) checked() (*indexes.Family, indexes.BuildInput, error) {
	family, err := lookup(w.Family)
	if err != nil {
		return nil, indexes.BuildInput{}, err
	}
	params := maps.Clone(w.Build)
	if params == nil { // a family without build settings
		params = indexes.Params{}
	}
	if len(w.Points) > 0 {
		maps.Copy(params, w.Points[0].Search)
	}
	var source indexes.Source
	if w.Transform == "" { // else they are in no file
		if source.File, source.Offset, err = w.set.BaseFile(w.Set); err != nil {
			return nil, indexes.BuildInput{}, err
		}
	}
	// The check reads every vector, so their pages are in memory before the clock starts.
	in, err := family.Check(indexes.BuildInput{
		Vectors: w.base(), Metric: w.Metric, Params: params, Threads: w.Threads, Seed: w.Seed,
		Source: source, Scratch: filepath.Dir(w.Index),
		Address: w.Server.Address, Name: w.Name, Data: w.Server.Data,
	})
	return family, in, err
}

func (w *worker) build(ctx context.Context) error {
	family, in, err := w.checked()
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
		r.Values[metric.Analytic] = float64(family.Size(in.Vectors.Rows, in.Vectors.Dim, in.Metric, in.Params))
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
	queries, host := w.queries(), w.hostOf(family)
	shared := reply{Values: map[string]float64{}}
	in := indexes.BuildInput{Metric: w.Metric, Params: params, Threads: w.Threads, Seed: w.Seed, Scratch: filepath.Dir(w.Index)}
	inside := slices.ContainsFunc(w.Points, func(p Point) bool { return p.Way == filter.Inside })
	if family.Folder != "" || family.Remote != nil && inside {
		// Its program may want the vectors, and its indexes may have to be built here; or they are to be written anew in an
		// engine, with the filters that they pass.
		if _, in, err = w.checked(); err != nil {
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
	tune := func(p Point) error {
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
		return nil
	}
	defer w.closeFilters()
	if w.Points[0].Mode == record.Latency {
		if w.Do == doTry {
			w.Points = nil // they come
		}
		return w.rounds(ctx, host, ix, truth, tune)
	}
	for i, p := range w.Points {
		if err := tune(p); err != nil {
			return err
		}
		m := outcome{cost: map[string]float64{}}
		if err := host.before(ix, w.asks(p), w.Measure, m.cost); err != nil {
			return err
		}
		if err := w.load(ix, p, &m); err != nil {
			return err
		}
		if err := w.score(ctx, host, ix, truth, i, &m); err != nil {
			return err
		}
	}
	return nil
}

// outcome is what is known of a point when it comes to scoring.
type outcome struct {
	got            *answers
	timing         *timing            // of latency
	cost           map[string]float64 // what a call costs beside the search
	values, spread map[string]float64
	rounds         *record.Rounds
	warnings       []string
	failed         bool
}

// asks is how many answers p asks for.
func (w *worker) asks(p Point) int {
	if w.set.LeaveOneOut {
		return p.K + 1 // itself, which is left out of what is scored
	}
	return p.K
}

// turn is what a worker in rounds reads on its standard input while it waits: a block to time, settings to
// try, one more point, or that there are no more, and it has to score.
type turn struct {
	Block  *blockTurn `json:"block,omitempty"`
	Try    *tryTurn   `json:"try,omitempty"`
	Point  *Point     `json:"point,omitempty"`
	Finish bool       `json:"finish,omitempty"`
}

type blockTurn struct {
	Point int `json:"point"` // place in [order.Points]
	Round int `json:"round"` // its number
	First int `json:"first"` // query
	Count int `json:"count"`
}

// lead are how many queries are asked before those of a block, untimed, so that what the others of the
// round put into the caches is not paid for by the first that are timed.
const lead = 5

// rounds answers all queries once with every point, and then times blocks as it is asked. A worker that
// waits does nothing: it also collects no garbage, which Go else does every two minutes.
func (w *worker) rounds(ctx context.Context, host host, ix indexes.Index, truth *dataset.Truth, tune func(Point) error) error {
	queries := w.queries()
	points, ready := make([]outcome, len(w.Points)), make([]float64, len(w.Points))
	sampled := &sample{worker: w, truth: truth}
	// The others continue if one setting fails, unless nothing can be written any more.
	fail := func(i int, err error) error {
		if isDiskError(err, w.Server.Address == "") {
			return err
		}
		points[i].failed = true
		return w.out.Encode(reply{Cell: &i, Failed: err.Error()})
	}
	begin := func(i int) error {
		p, m := w.Points[i], &points[i]
		m.cost, m.timing = map[string]float64{}, newTiming(queries.Rows)
		err := tune(p)
		if err == nil {
			err = host.before(ix, w.asks(p), w.Measure, m.cost)
		}
		var warm time.Duration
		if err == nil {
			var view indexes.Index
			if view, err = w.view(ctx, ix, p); err == nil {
				m.got, warm, err = answerAll(view, queries, w.asks(p))
			}
		}
		if err != nil {
			return fail(i, err)
		}
		ready[i] = max(warm, 1).Seconds()
		return nil
	}
	for i := range w.Points {
		if err := begin(i); err != nil {
			return err
		}
	}
	if err := w.out.Encode(reply{Ready: ready, Waits: true}); err != nil {
		return err
	}
	var b block
	for {
		percent := debug.SetGCPercent(-1)
		var t turn
		err := w.in.Decode(&t)
		debug.SetGCPercent(percent)
		switch {
		case err != nil:
			return fmt.Errorf("waiting for a turn: %w", err)
		case t.Finish:
			for i := range points {
				m := &points[i]
				if m.failed {
					continue
				}
				m.values, m.spread, m.rounds = m.timing.values()
				if err := w.score(ctx, host, ix, truth, i, m); err != nil {
					return err
				}
			}
			return nil
		case t.Try != nil:
			tried, err := sampled.try(host, ix, t.Try, tune)
			r := reply{Tried: tried}
			if err != nil {
				r = reply{Failed: err.Error()}
			}
			if err := w.out.Encode(r); err != nil {
				return err
			}
			continue
		case t.Point != nil:
			w.Points, points, ready = append(w.Points, *t.Point), append(points, outcome{}), append(ready, 0)
			i := len(points) - 1
			if err := begin(i); err != nil {
				return err
			}
			if !points[i].failed {
				if err := w.out.Encode(reply{Ready: ready[i:]}); err != nil {
					return err
				}
			}
			continue
		case t.Block == nil || t.Block.Point < 0 || t.Block.Point >= len(points) || t.Block.First < 0 || t.Block.First >= queries.Rows || t.Block.Count < 1:
			return errors.New("a turn that is neither a block nor the end")
		}
		i := t.Block.Point
		p, m := w.Points[i], &points[i]
		n := min(lead, queries.Rows)
		var view indexes.Index
		if err = tune(p); err == nil {
			view, err = w.view(ctx, ix, p)
		}
		if err == nil {
			err = host.block(view, queries, (t.Block.First+queries.Rows-n)%queries.Rows, n, w.asks(p), &b)
		}
		if err == nil {
			err = host.block(view, queries, t.Block.First, t.Block.Count, w.asks(p), &b)
		}
		if err != nil {
			if err := fail(i, err); err != nil {
				return err
			}
			continue
		}
		m.timing.add(&b, t.Block.Round, t.Block.First)
		if err := w.out.Encode(reply{Wall: b.wall, CPU: b.cpu}); err != nil {
			return err
		}
	}
}

// load measures p in a mode that has more than one query in flight.
func (w *worker) load(ix indexes.Index, p Point, m *outcome) (err error) {
	queries, ask := w.queries(), w.asks(p)
	var qps float64
	if p.Mode == record.Batch {
		if timed, ok := ix.(indexes.Timed); ok {
			m.got, qps, err = timedBatches(timed, queries, ask, w.Duration)
		} else if batch, ok := ix.(indexes.BatchSearcher); ok {
			m.got, qps, err = batches(batch, queries, ask, w.Duration)
		} else {
			err = errors.New("the index has no batch search")
		}
		m.values = map[string]float64{metric.QPS: qps}
		return err
	}
	if m.got, _, err = answerAll(ix, queries, ask); err != nil {
		return err
	}
	switch p.Mode {
	case record.Throughput:
		qps, err = closedLoop(ix, queries, ask, p.Workers, w.Duration)
		m.values = map[string]float64{metric.QPS: qps}
	case record.OpenLoop:
		m.values, m.warnings, err = openLoop(ix, queries, ask, p.Workers, p.Rate, w.Duration, w.Seed)
	default:
		err = fmt.Errorf("no mode %q", p.Mode)
	}
	return err
}

// score scores what was answered at the i-th point once the clocks have stopped, keeps the answers where
// they are wanted, and replies.
func (w *worker) score(ctx context.Context, host host, ix indexes.Index, truth *dataset.Truth, i int, m *outcome) error {
	p, queries := w.Points[i], w.set.Queries
	found := maps.Clone(m.cost)
	maps.Copy(found, m.values)
	doubt, err := host.after(ctx, ix, found)
	if err != nil {
		return err
	}
	if doubt != "" {
		m.warnings = append(m.warnings, doubt)
	}
	all := leaveOut(w.set, m.got.all(), p.K)
	if i < len(w.Keep) && p.Way == "" {
		var seconds []float64
		if m.timing != nil {
			seconds = m.timing.first
		}
		if err := w.keep(w.Keep[i], p.K, all, seconds); err != nil {
			return fmt.Errorf("keeping the answers: %w", err)
		}
	}
	var scores *metric.Scores
	if p.Way != "" {
		scores, err = w.scoreAmong(p, all)
	} else {
		var judge *metric.Judge
		if judge, err = w.judgeOf(p.K); err != nil {
			return fmt.Errorf("scoring: %w", err)
		}
		ids, distances := truth.All()
		scores, err = metric.Score(metric.ScoreInput{
			Metric: w.Metric, K: p.K, Base: w.set.Base, Queries: queries,
			Answers: all, TruthIDs: ids, TruthDistances: distances,
			Labels: w.set.Labels, BaseLabels: w.set.BaseLabels, QueryLabels: w.set.QueryLabels,
			Self: selves(w.set), Difficulty: queryLIDs(w.set, truth), Judge: judge,
		})
	}
	if err != nil {
		return fmt.Errorf("scoring: %w", err)
	}
	if family, err := lookup(w.Family); err == nil && w.Transform == "" {
		if family.Exact {
			if err := scores.CheckExact(); err != nil {
				return err
			}
		}
		if scores.Disorder != "" && family.VectorBytes(1, 1, w.Build) > 0 { // codes have an order of their own
			m.warnings = append(m.warnings, scores.Disorder)
		}
	}
	maps.Copy(scores.Values, m.values)
	maps.Copy(scores.Values, m.cost)
	maps.Copy(scores.Spread, m.spread)
	r := reply{
		Cell: &i, Rounds: m.rounds,
		Values: scores.Values, Spread: scores.Spread, Warnings: append(m.warnings, scores.Warnings...),
		ByLabel: scores.ByLabel, Confusion: scores.Confusion, ByDecile: scores.ByDecile, ByK: scores.ByK, ByAttribute: scores.ByAttribute,
	}
	for _, q := range w.Gallery {
		if p.Way != "" {
			break // the gallery shows what all vectors give
		}
		r.Answers = append(r.Answers, all[q])
	}
	return w.out.Encode(r)
}
