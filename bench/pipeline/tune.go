package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"annbench/bench"
	"annbench/bench/dataset"
	"annbench/bench/dataset/collection"
	"annbench/bench/metric"
	"annbench/bench/project"
	"annbench/bench/record"
	"annbench/bench/sweepfile"
	"annbench/bench/tune"
	"annbench/configs"
	"annbench/embedder/catalog"
	"annbench/indexes"
	"annbench/indexes/external"
	"annbench/internal/usage"
	"annbench/reports/judge"
)

// TuneConfig says what is searched for, and how long.
type TuneConfig struct {
	// Sweep gives the data, the metric, k, threads, queries, seed, timeout and memory limit. Its families do not count.
	Sweep     *sweepfile.Sweep
	Limits    []judge.Limit
	Objective judge.Objective
	// Families are names or folders. None: all that are part of annbench, in this build, and no server.
	Families []string
	// Address is where the engines of families that have one answer. Empty: the one that runs.
	Address string
	Budget  time.Duration
	Out     string // results folder of the answer; the search has its own below it
	// KeepIndexes keeps the indexes of the final measurement. False: they are removed.
	KeepIndexes bool
	// Watch hears how the search goes. Nil: nobody.
	Watch func(tune.Progress)
}

// Tuned is the outcome of [Pipeline.Tune].
type Tuned struct {
	Report *judge.Report
	Pick   judge.Pick
	State  *tune.State
	// Failed is how many cells of the final measurement failed.
	Failed int
	// Enough is how many queries would have told the quality of the answer well enough; 0 where there were enough.
	Enough int
}

const (
	tuneSeed       = 1000                  // apart from that of the search: fresh builds
	tuneMeasure    = 20 * time.Millisecond // of a point in a race; its rounds ask every query once in any case
	finalMeasure   = 100 * time.Millisecond
	searchShare    = 0.6                     // of the budget; the rest is for the final measurement
	leastRepeats   = 3                       // with an interval
	mostRepeats    = 6                       // where they cost little: the interval of six builds is half as wide as that of three
	perBuild       = 1500 * time.Millisecond // beside the build: processes, loading, checking, scoring
	tuneDataVolume = 20000                   // vectors from which on a build may take longer than a budget
)

// ladder are the efforts of the final measurement, as times of that which was found: fresh queries and builds are a
// little harder or easier, and the interval of three builds is wider than that of one.
var ladder = []float64{1, 1.08, 1.2, 1.4, 1.8}

// Tune searches for the best setting under limits, and measures it anew beside the runner-up and exact search, on
// queries and builds that had no part in the search: see package tune. The records are below Out: those of the
// answer in Out itself, those of the search in Out/search/nN for each number of vectors. A search that was stopped
// goes on when it is called again, with a budget of its own.
func (p *Pipeline) Tune(ctx context.Context, c TuneConfig) (*Tuned, error) {
	all, err := p.Collection(ctx, &c.Sweep.Data)
	if err != nil {
		return nil, err
	}
	defer all.Close()
	if err := p.settleMetric(c.Sweep, all); err != nil {
		return nil, err
	}
	began := time.Now() // embedding images is not what the budget is for
	t := &tuning{Pipeline: p, TuneConfig: c, all: all, began: began, said: map[string]bool{}}
	if err := t.prepare(ctx); err != nil {
		return nil, err
	}
	err = t.search(ctx)
	t.clear()
	t.state.Spent += time.Since(began).Seconds()
	if e := t.state.Save(c.Out); err == nil {
		err = e
	}
	if err != nil {
		return &Tuned{State: t.state}, err
	}
	return t.final(ctx)
}

type tuning struct {
	*Pipeline
	TuneConfig
	all   *collection.Collection
	began time.Time
	race  *tune.Race
	state *tune.State
	named map[string]string // what each family is looked up by, by its name
	said  map[string]bool   // notes that every repetition would say again
	runs  int               // so far

	queries int
	by      dataset.Relevance // what makes an answer right beside its category
	session *bench.Session
}

// prepare finds families, draws the queries, and opens the log.
func (t *tuning) prepare(ctx context.Context) error {
	q := tune.Question{Limits: t.Limits, Objective: t.Objective, K: t.Sweep.K[0], Metric: t.Sweep.Metric[0], Seed: t.Sweep.Seed, Servers: map[string]bench.Server{}}
	t.named = map[string]string{}
	var err error
	if q.Families, err = t.families(q.Servers); err != nil {
		return err
	}
	given := t.all.Meta.Queries
	t.queries = t.Sweep.Queries
	if t.queries == 0 {
		t.queries = min(1000, max(1, (t.all.Vectors.Rows-given)/10))
		if given > 0 {
			t.queries = min(1000, given/2)
		}
	}
	if t.by, err = t.relevance(&t.Sweep.Data, t.all); err != nil {
		return err
	}
	set, err := t.split(ctx, 0, 1)
	if err != nil {
		return usage.Error{Err: err}
	}
	s, err := dataset.OpenSet(set)
	if err != nil {
		return err
	}
	rows, dim := s.Base.Rows, s.Base.Dim
	digest := s.Digest
	if err = t.answerable(s); err == nil {
		err = t.affordable(ctx, s, &q)
	}
	if e := s.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	var asked []string
	var limits []record.Bound
	for _, l := range t.Limits {
		asked = append(asked, fmt.Sprintf("%s %v", l.Name, l.Bound))
		limits = append(limits, record.Bound(l))
	}
	asked = append(asked, "best "+t.Objective.Name, fmt.Sprintf("k %d %s threads %d seed %d set %.12s", q.K, q.Metric, t.Sweep.Threads, q.Seed, digest))
	for _, f := range q.Families {
		asked = append(asked, f.Name)
	}
	if err := os.MkdirAll(t.Out, 0o755); err != nil {
		return err
	}
	if t.state, err = tune.OpenState(t.Out, strings.Join(asked, ", "), q.Families); err != nil {
		return usage.Error{Err: err}
	}
	t.state.Limits, t.state.Objective, t.state.Rows, t.state.Queries = limits, t.Objective.Name, rows, t.queries
	if t.Objective.Name == judge.Cost {
		t.state.Prices = &t.Objective.Prices
	}
	if l, ok := q.Quality(); ok {
		t.state.Quality, t.state.Bound = l.Name, l.Bound
	}
	t.race = &tune.Race{
		Question: q, Rows: rows, Dim: dim, Sizes: tune.Sizes(rows), Open: t.open, State: t.state,
		Save:     func() error { return t.state.Save(t.Out) },
		Progress: t.watch,
		Until:    t.began.Add(time.Duration(searchShare * float64(t.Budget))),
	}
	if t.Sweep.Data.LeaveOneOut {
		t.race.Sizes = []int{rows} // queries stand in the base, of which a sample would leave them out
	}
	return nil
}

// families are those that take part.
func (t *tuning) families(servers map[string]bench.Server) (out []*indexes.Family, err error) {
	if len(t.Families) == 0 {
		for _, f := range indexes.Families() {
			if f.Missing == "" && f.Remote == nil && f.Supports(t.Sweep.Metric[0]) && tunable(f) {
				out = append(out, f)
				t.named[f.Name] = f.Name
			}
		}
		return out, nil
	}
	for _, name := range t.Families {
		if external.IsPath(name) {
			name = external.Absolute(name, ".")
		}
		f, err := external.Lookup(name, ".")
		switch {
		case err != nil:
			return nil, usage.Error{Err: err}
		case f.Missing != "":
			return nil, usage.Error{Err: fmt.Errorf("%s: %s", f.Name, f.Missing)}
		case !f.Supports(t.Sweep.Metric[0]):
			return nil, usage.Error{Err: fmt.Errorf("%s has no metric %s: it has %v", f.Name, t.Sweep.Metric[0], f.Metrics)}
		case slices.Contains(out, f) || t.named[f.Name] != "":
			continue
		}
		if f.Remote != nil {
			if t.Find == nil {
				servers[f.Name] = bench.Server{Address: t.Address}
			} else if servers[f.Name], err = t.Find(f.Remote.Engine, t.Address, 1); err != nil {
				return nil, usage.Error{Err: fmt.Errorf("%s: %w", f.Name, err)}
			}
		}
		out = append(out, f)
		t.named[f.Name] = name
	}
	return out, nil
}

// tunable reports whether the settings of f can be searched: one that is a text of its own language cannot.
func tunable(f *indexes.Family) bool {
	return !slices.ContainsFunc(f.Build, func(p indexes.Param) bool { return p.Kind == indexes.Text })
}

// split makes a set of the whole (0) or of a sample, with the queries of one half.
func (t *tuning) split(ctx context.Context, sample, half int) (dir string, err error) {
	return t.Split(ctx, t.all, dataset.SplitConfig{
		Queries: t.queries, Seed: t.Sweep.Seed, LeaveOneOut: t.Sweep.Data.LeaveOneOut, Half: half, Sample: sample, Relevance: t.by,
	})
}

// answerable is an error where the limits or the objective are about what the data does not have.
func (t *tuning) answerable(set *dataset.Set) error {
	asked := []string{t.Objective.Name}
	for _, l := range t.Limits {
		asked = append(asked, l.Name)
	}
	for _, need := range []struct {
		name, why string
		there     bool
	}{
		{metric.MAP, "has no categories: label the vectors, or ask for recall", len(set.Labels) > 0},
		{metric.ItemHit, "does not say which item a vector shows: name the attribute that does with items in a sweep file", set.Relevance.Item != ""},
		{metric.NDCG, "has no attributes to grade answers by: name them with gains in a sweep file", len(set.Relevance.Gains) > 0},
	} {
		if info, _ := metric.Lookup(need.name); !need.there && slices.Contains(asked, need.name) {
			return usage.Error{Err: fmt.Errorf("%s cannot be asked for: %s %s (docs/howto/relevance.md)", info.Title, t.all.Name, need.why)}
		}
	}
	return nil
}

// affordable is an error where the budget does not reach for the cheapest build: by the estimate of a plan.
func (t *tuning) affordable(ctx context.Context, set *dataset.Set, q *tune.Question) error {
	if t.Budget < leastBudget {
		return usage.Error{Err: fmt.Errorf("a budget of %v is too short for anything: give --budget %v or more", t.Budget, leastBudget)}
	}
	if set.Base.Rows < tuneDataVolume {
		return nil
	}
	sweep := *t.Sweep
	sweep.Repetitions, sweep.Measure, sweep.Modes, sweep.Families = 1, tuneMeasure, []string{record.Latency}, nil
	for _, f := range q.Families {
		if f.Folder == "" && f.Remote == nil {
			sweep.Families = append(sweep.Families, sweepfile.FamilySweep{Family: f.Name})
		}
	}
	if len(sweep.Families) == 0 {
		return nil
	}
	fit(&sweep, set.Base.Rows, set.Base.Dim)
	plan, err := bench.MakePlan(&sweep, bench.Shape{Digest: set.Digest, Base: set.Base.Rows, Dim: set.Base.Dim, Cores: 1})
	if err != nil {
		return err
	}
	e, err := bench.EstimatePlan(ctx, &sweep, set, plan)
	if err != nil {
		return err
	}
	least, name := time.Duration(math.MaxInt64), ""
	for _, family := range slices.Sorted(maps.Keys(e.Family)) {
		if d := e.Family[family]; d < least && e.Unknown[family] == "" {
			least, name = d, family
		}
	}
	// Twice: once to find it, once to measure it anew.
	if name != "" && 2*least+e.Truth > t.Budget {
		return usage.Error{Err: &tune.BudgetError{Family: name, Need: 2*least + e.Truth, Given: t.Budget}}
	}
	return nil
}

// leastBudget is the shortest budget: processes start, a build is tried and measured anew.
const leastBudget = 5 * time.Second

// run is how something is measured below the results folder.
func (t *tuning) run(sweep *sweepfile.Sweep, set, out string) (*bench.Run, error) {
	run := &bench.Run{
		Sweep: sweep, Set: set, Dataset: record.Dataset{Name: t.all.Name, Notes: t.all.Meta.Notes}, Out: out, Worker: t.Worker, Find: t.Find, Log: t.logger(), Again: t.runs > 0,
	}
	t.runs++
	if run.Worker == nil {
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		run.Worker = []string{self, workerArgument}
	}
	if t.all.Meta.Embedding != nil {
		run.Dataset.Embedding = &record.Embedding{}
		if err := json.Unmarshal(t.all.Meta.Embedding, run.Dataset.Embedding); err != nil {
			return nil, fmt.Errorf("reading how %s was embedded: %w", t.all.Name, err)
		}
		run.Dataset.Name = run.Dataset.Embedding.Source
	}
	return run, nil
}

// watch passes on how the search goes. The time left is that of all: the final measurement is part of the budget.
func (t *tuning) watch(p tune.Progress) {
	if t.Watch != nil {
		p.Elapsed = time.Since(t.began)
		p.Left = max(0, t.Budget-p.Elapsed)
		t.Watch(p)
	}
}

// search races until the budget's share is spent.
func (t *tuning) search(ctx context.Context) error {
	defer t.close()
	return t.race.Run(ctx)
}

func (t *tuning) close() {
	if t.session != nil {
		t.session.Close()
		t.session = nil
	}
}

// open begins a session on so many vectors.
func (t *tuning) open(ctx context.Context, rows int) (tune.Rung, error) {
	t.close()
	sample := rows
	if rows == t.race.Rows {
		sample = 0
	}
	set, err := t.split(ctx, sample, 1)
	if err != nil {
		return nil, err
	}
	sweep := *t.Sweep
	sweep.Measure, sweep.Gallery, sweep.Answers, sweep.Modes = tuneMeasure, -1, false, []string{record.Latency}
	run, err := t.run(&sweep, set, filepath.Join(t.Out, record.SearchDir, fmt.Sprintf("n%d", rows)))
	if err != nil {
		return nil, err
	}
	run.Progress = func(at bench.Progress) {
		if strings.HasPrefix(at.What, "exact") {
			t.watch(tune.Progress{What: at.What, Rows: rows, Best: t.race.Best()})
		}
	}
	if t.session, err = run.Session(ctx); err != nil {
		return nil, err
	}
	return &rung{t.session, t.race}, nil
}

// rung is a session as package tune has it.
type rung struct {
	s *bench.Session
	q *tune.Race
}

func (r *rung) Shape() (rows, dim, queries int) {
	set := r.s.Set()
	return set.Base.Rows, set.Base.Dim, set.Queries.Rows
}

func (r *rung) Build(ctx context.Context, f *indexes.Family, build, search indexes.Params, limit time.Duration) (tune.Trial, error) {
	t, err := r.s.Build(ctx, f, r.q.Servers[f.Name], build, search, r.q.K, limit)
	if err != nil {
		return nil, err
	}
	return &trial{Trial: t}, nil
}

func (r *rung) Race(ctx context.Context, a, b tune.Trial) error {
	var all []*bench.Trial
	for _, t := range []tune.Trial{a, b} {
		if t, ok := t.(*trial); ok {
			all = append(all, t.Trial)
		}
	}
	return r.s.Rounds(ctx, all...)
}

// trial is one of a session as package tune has it: one point of it is measured.
type trial struct {
	*bench.Trial
	point int
}

func (t *trial) Measure(ctx context.Context, search indexes.Params) (err error) {
	t.point, err = t.Point(ctx, search)
	return err
}

func (t *trial) Timed() metric.Observation { return t.Trial.Timed(t.point) }

// final measures the contenders anew, and picks.
func (t *tuning) final(ctx context.Context) (*Tuned, error) {
	out := &Tuned{State: t.state}
	contenders := t.race.Contenders(t.state.Results, t.race.Rows)
	if len(contenders) == 0 {
		return out, t.nothing()
	}
	exact := t.exact(contenders)
	left, busy := max(t.Budget-time.Since(t.began), t.Budget/5), t.busy()
	cost := func(all []*tune.Result) (sum time.Duration) {
		for _, c := range all {
			sum += time.Duration(busy * float64(t.finalCost(c)))
		}
		return sum
	}
	for len(contenders) > 2 && leastRepeats*cost(contenders) > left {
		contenders = contenders[:len(contenders)-1]
	}
	with := contenders
	if exact != nil {
		with = append(with[:len(with):len(with)], exact)
		if cost(with) > left && cost([]*tune.Result{exact}) > cost(contenders) {
			with = contenders
			t.say("exact search (%s) is left out of the final measurement: it would take longer than the rest of the budget", exact.Family)
		}
	}
	set, err := t.split(ctx, 0, 2)
	if err != nil {
		return out, err
	}
	sweep := *t.Sweep
	sweep.Name, sweep.Seed, sweep.Repetitions, sweep.Measure, sweep.Modes = filepath.Base(t.Out), t.Sweep.Seed+tuneSeed, 1, finalMeasure, []string{record.Latency}
	sweep.K = []int{t.race.K}
	if t.state.Done { // then what is new has as many repetitions as what is there
		present, _, err := record.Read(filepath.Join(t.Out, record.RecordsFile))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return out, err
		}
		for i := range present {
			sweep.Repetitions = max(sweep.Repetitions, present[i].Rep+1)
		}
	}
	steps := slices.Clone(ladder)
	for again := range 3 {
		sweep.Families = nil
		for _, c := range with {
			sweep.Families = append(sweep.Families, t.family(c, steps))
		}
		if err := t.repeat(ctx, &sweep, set, out); err != nil {
			return out, err
		}
		if out.Report, err = judge.Load(t.Out); err != nil {
			return out, err
		}
		out.Pick = out.Report.PickBy(out.Report.Focus, t.Limits, t.Objective)
		if out.Pick.Best != nil || again == 2 || !t.short(out.Pick) {
			break
		}
		last := steps[len(steps)-1]
		steps = append(steps, last*1.5, last*2.5)
		t.say("fresh queries find less than those of the search: larger efforts are measured too")
	}
	out.Enough = t.enough(out)
	t.state.Enough, t.state.Done = out.Enough, true
	if err := t.state.Save(t.Out); err != nil {
		return out, err
	}
	// The map is for people, and takes as long as a few builds: it comes last.
	if err := t.keepMap(ctx, t.all, project.Config{Metric: sweep.Metric[0], Seed: t.Sweep.Seed}, t.Out); err != nil {
		return out, err
	}
	out.Report, err = judge.Load(t.Out)
	return out, err
}

// repeat measures the contenders again and again, a build each, while there is time: three times for an interval, also
// where that takes a third more than the budget, and up to six.
func (t *tuning) repeat(ctx context.Context, sweep *sweepfile.Sweep, set string, out *Tuned) error {
	for n := 1; ; n++ {
		sweep.Repetitions = max(n, sweep.Repetitions)
		began := time.Now()
		if err := t.measureFinal(ctx, sweep, set, out); err != nil {
			return err
		}
		end := time.Since(t.began) + time.Since(began)
		if sweep.Repetitions >= mostRepeats || sweep.Repetitions > n || end > t.Budget && (n >= leastRepeats || end > t.Budget+t.Budget/3) {
			return nil
		}
	}
}

// measureFinal runs the sweep of the contenders.
func (t *tuning) measureFinal(ctx context.Context, sweep *sweepfile.Sweep, set string, out *Tuned) error {
	run, err := t.run(sweep, set, t.Out)
	if err != nil {
		return err
	}
	run.Collection, run.KeepIndexes, run.Between = t.all, t.KeepIndexes, t.Between
	run.Progress = func(at bench.Progress) {
		t.progress(fmt.Sprintf("measuring anew, build %d of each: %s", sweep.Repetitions, at.What), at.Done, at.Total, at.Left)
	}
	sum, err := run.Do(ctx)
	t.clear()
	if err != nil {
		return err
	}
	for _, w := range sum.Warnings {
		if !t.said[w] {
			t.said[w] = true
			t.say("note: %s", w)
		}
	}
	out.Failed = sum.Failed() + sum.Broken
	return keepOrigin(&t.Sweep.Data, t.Out)
}

// nothing says why there is nothing to measure anew.
func (t *tuning) nothing() error {
	var why []string
	for _, f := range t.state.Failures() {
		why = append(why, f.Family+": "+f.Failed)
	}
	if len(why) == 0 {
		return usage.Error{Err: fmt.Errorf("the budget of %v was spent before anything was measured on all %d vectors: give a longer --budget; what was found is kept, and the same command goes on", t.Budget, t.race.Rows)}
	}
	return errors.New("no build came to something: " + strings.Join(why, "; "))
}

// exact is the fastest exact family that was measured, unless it is a contender: what the answer is held against.
func (t *tuning) exact(contenders []*tune.Result) (best *tune.Result) {
	for _, r := range t.state.Results {
		f, _, _ := r.Params()
		if r.Rows == t.race.Rows && r.OK() && f.Exact && (best == nil || r.Score < best.Score) {
			best = r
		}
	}
	if best != nil && slices.Contains(contenders, best) {
		return nil
	}
	return best
}

// finalCost is about how long one repetition of r takes on a quiet machine: its build, and for each effort a pass over
// the queries untimed and as many as are timed.
func (t *tuning) finalCost(r *tune.Result) time.Duration {
	f, _, _ := r.Params()
	points := 1
	if !f.Exact && tune.EffortOf(f) != nil {
		points = len(ladder)
	}
	pass := time.Duration(r.Seconds * float64(t.queries) * float64(time.Second))
	return time.Duration(r.Cost[metric.Build]*float64(time.Second)) + perBuild + time.Duration(points)*(pass+max(pass, finalMeasure)+pass/10) + pass
}

// busy is how many times longer things take than on a quiet machine, as the search saw it: 1 at least.
func (t *tuning) busy() float64 {
	var took, should float64
	for _, r := range t.state.Results {
		if !r.OK() {
			continue
		}
		took += r.Took
		should += r.Cost[metric.Build] + perBuild.Seconds() + 4*r.Seconds*float64(t.queries)
		for _, s := range r.Steps {
			should += 2 * s.Seconds * float64(s.Queries)
		}
	}
	if should <= 0 {
		return 1
	}
	return max(1, took/should)
}

// family is r with its efforts, as a sweep file has it.
func (t *tuning) family(r *tune.Result, steps []float64) sweepfile.FamilySweep {
	f, build, search := r.Params()
	fs := sweepfile.FamilySweep{Family: t.named[f.Name], Build: sweepfile.Grid{}, Search: sweepfile.Grid{}, Address: t.race.Servers[f.Name].Address}
	for name, v := range build {
		fs.Build[name] = sweepfile.OneOrMany[any]{v}
	}
	effort := tune.EffortOf(f)
	for name, v := range search {
		values := sweepfile.OneOrMany[any]{v}
		if effort != nil && name == effort.Name && !f.Exact {
			values = nil
			for _, s := range steps {
				switch v := v.(type) {
				case int:
					values = append(values, int(min(math.Ceil(float64(v)*s), effort.Max)))
				case float64:
					values = append(values, min(v*s, effort.Max))
				}
			}
			values = slices.Compact(values)
		}
		fs.Search[name] = values
	}
	return fs
}

// short reports whether the nearest setting breaks nothing but limits of quality.
func (t *tuning) short(p judge.Pick) bool {
	if p.Nearest == nil {
		return false
	}
	for _, m := range p.Nearest.Margins {
		if !m.Keeps() && !tune.IsQuality(m.Limit) {
			return false
		}
	}
	return true
}

// enough is how many queries the limit of quality takes, by the answer; 0 where there are as many.
func (t *tuning) enough(out *Tuned) int {
	l, ok := t.race.Quality()
	best := out.Pick.Best
	if best == nil {
		best = out.Pick.Nearest
	}
	if !ok || best == nil {
		return 0
	}
	var spread float64
	for _, rec := range best.Row.Reps {
		spread = max(spread, rec.Spread[l.Name])
	}
	return tune.Enough(l, spread, t.queries, t.race.K)
}

// TuneSweep is the sweep of a search over what is called data: a sweep file, whose families do not count; a folder of
// images; a file or folder of vectors; or, where it is empty, the drawn garments of configs/default.yaml.
func TuneSweep(data string) (*sweepfile.Sweep, error) {
	if ext := filepath.Ext(data); ext == ".yaml" || ext == ".yml" {
		return sweepfile.Read(data)
	}
	if data == "" {
		sweep, err := sweepfile.Parse("configs/default.yaml", configs.Default)
		if err == nil {
			sweep.K = []int{10}
		}
		return sweep, err
	}
	sweep, err := sweepfile.Parse("tune.yaml", []byte("name: tune\ndata: {rendered: {boards: 1}}\nfamilies: [{family: flat}]\n"))
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(data)
	switch {
	case sweepfile.InStorage(data):
	case err != nil:
		return nil, fmt.Errorf("there is no %s", data)
	case info.IsDir() && holdsImages(data):
		sweep.Data = sweepfile.Data{Images: data}
	}
	if sweep.Data.Images == "" {
		sweep.Data = sweepfile.Data{Vectors: data}
	}
	sweep.Name = strings.TrimSuffix(filepath.Base(filepath.Clean(data)), filepath.Ext(data))
	return sweep, nil
}

// holdsImages reports whether a folder is one of images rather than of vectors: by the first files in it. The folder, and
// folders in it, may be links.
func holdsImages(dir string) bool {
	const look = 500
	if to, err := filepath.EvalSymlinks(dir); err == nil {
		dir = to
	}
	seen, images := 0, false
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil
		}
		images = catalog.ImageName(path)
		if d.Type()&fs.ModeSymlink != 0 {
			behind, _ := os.ReadDir(path)
			images = images || slices.ContainsFunc(behind, func(e fs.DirEntry) bool { return catalog.ImageName(e.Name()) })
		}
		if filepath.Base(path) == "meta.json" && filepath.Dir(path) == filepath.Clean(dir) { // as `annbench embed` writes it
			images = false
			return fs.SkipAll
		}
		if seen++; images || seen == look {
			return fs.SkipAll
		}
		return nil
	})
	return images
}
