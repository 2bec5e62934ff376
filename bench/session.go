package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"time"

	"annbench/bench/dataset"
	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/indexes"
	"annbench/indexes/vec"
	"annbench/internal/seal"
)

// Session measures step by step: what is built, and what is tried on it, is decided by what was found before.
// What [Run.Do] measures by a plan, a Session measures by calls, in the same processes, by the same clocks, and
// with the same records. Package tune searches with it. It is for one goroutine.
type Session struct {
	c       *coordinator
	started int // groups of builds so far
}

// Session takes the results folder of r, finds the exact neighbours under the first metric of the sweep, and
// waits for calls. The sweep's families and repetitions do not count. The caller closes it.
func (r *Run) Session(ctx context.Context) (*Session, error) {
	sum := Summary{Measured: map[record.Status]int{}}
	c, err := r.open(ctx, &sum)
	if err != nil {
		return nil, err
	}
	s := &Session{c: c}
	err = seal.WriteJSON(filepath.Join(r.Out, record.DatasetFile), r.Dataset)
	if err == nil {
		err = c.set.Verify(ctx)
	}
	if err == nil {
		err = c.truth(ctx, r.Sweep.Metric[0])
	}
	r.Dataset.Warnings = sum.Warnings
	if err == nil {
		err = seal.WriteJSON(filepath.Join(r.Out, record.DatasetFile), r.Dataset)
	}
	if err != nil {
		c.close()
		return nil, err
	}
	return s, nil
}

// Close ends the session.
func (s *Session) Close() { s.c.close() }

// Set is the data set, for its shape.
func (s *Session) Set() *dataset.Set { return s.c.set }

// Threads is how many threads a build may use.
func (s *Session) Threads() int { return s.c.Sweep.Threads }

// Present are the records of the results folder that this harness version measured well, by cell: the first repetition.
func (s *Session) Present() map[record.Cell]*record.Record { return s.c.first }

// A BuildError says how a build, or what was tried on it, ended otherwise than well. There is a record of it.
type BuildError struct {
	Status record.Status
	Reason string
}

func (e *BuildError) Error() string { return string(e.Status) + ": " + e.Reason }

// Trial is an index that was built, and waits in a process of its own for what is tried on it.
type Trial struct {
	s     *Session
	e     *entrant
	leave func() error
	job   Job
	k     int
	cells []record.Cell
	ended bool
}

// Build builds an index in a process of its own, saves it, and loads it in another, which waits. build are
// complete build settings, search the search settings that it begins with; limit is the longest that the build, and
// later all that is tried on it, may take, 0 the sweep's timeout. The error is a [*BuildError], the context's, or
// one that ends the session.
func (s *Session) Build(ctx context.Context, f *indexes.Family, server Server, build, search indexes.Params, k int, limit time.Duration) (*Trial, error) {
	j := Job{
		Family: f, Metric: s.c.Sweep.Metric[0], Build: build, Threads: s.c.Sweep.Threads, Seed: s.c.Sweep.Seed, Server: server, open: true,
	}
	point := Point{Search: f.Effectively(s.c.set.Base.Rows, k, build, search), K: k, Asking: Asking{Mode: record.Latency}}
	shape := Shape{s.c.set.Digest, s.c.set.Base.Rows, s.c.set.Base.Dim, s.c.env.Cores, s.c.Find}
	if reason := unfit(&j, point, shape); reason != "" {
		return nil, &BuildError{record.Skipped, reason}
	}
	j.Points = []Point{point}
	s.started++
	j.limit = s.c.Sweep.Timeout
	if limit > 0 && (j.limit == 0 || limit < j.limit) {
		j.limit = limit
	}
	t := &Trial{s: s, job: j, k: k}
	var err error
	t.e, t.leave, err = s.c.begin(ctx, j, s.started)
	if err == nil && (t.e == nil || t.e.out) {
		err = s.failure()
	}
	if err != nil {
		t.ended = true
		return nil, errors.Join(err, t.leave())
	}
	return t, nil
}

// failure is what the last record says.
func (s *Session) failure() error {
	if r := s.c.failed; r != nil {
		return &BuildError{r.Status, r.Error}
	}
	return &BuildError{record.Failed, "the worker process left without a word"}
}

// Cost is what the build and the loaded index took, by the names of package metric.
func (t *Trial) Cost() map[string]float64 {
	out := maps.Clone(t.e.shared)
	maps.Copy(out, t.e.own)
	return out
}

// Tried is what settings did on a sample of the queries: values by the names of package metric, with their
// standard errors over the queries.
type Tried struct {
	Queries int                `json:"queries"`
	Values  map[string]float64 `json:"values"`
	Spread  map[string]float64 `json:"spread"`
	// Seconds a query took: processor time, or of servers the time on the wall.
	Seconds float64 `json:"seconds"`
}

// tryTurn asks a worker to try settings on the first of the queries, in an order drawn from the seed.
type tryTurn struct {
	Point
	Queries int `json:"queries"`
}

// Try asks so many of the queries, the same ones first each time, with these search settings. It leaves no
// record; see [Trial.Point].
func (t *Trial) Try(ctx context.Context, search indexes.Params, queries int) (Tried, error) {
	r, err := t.ask(ctx, turn{Try: &tryTurn{t.point(search), queries}})
	if err != nil {
		return Tried{}, err
	}
	if r.Tried == nil {
		return Tried{}, t.lost(ctx)
	}
	return *r.Tried, nil
}

// Effective are the search settings that mean the same as search.
func (t *Trial) Effective(search indexes.Params) indexes.Params { return t.point(search).Search }

func (t *Trial) point(search indexes.Params) Point {
	return Point{
		Search: t.job.Family.Effectively(t.s.c.set.Base.Rows, t.k, t.job.Build, search), K: t.k, Asking: Asking{Mode: record.Latency},
	}
}

// ask gives the worker a turn, and returns its reply.
func (t *Trial) ask(ctx context.Context, now turn) (reply, error) {
	wait := t.e.work()
	if err := t.e.child.tell(now); err != nil {
		return reply{}, err
	}
	r, ok := t.e.next()
	if !ok || r.Error != "" {
		return r, t.lost(ctx)
	}
	wait()
	if r.Failed != "" {
		return r, &BuildError{record.Failed, r.Failed}
	}
	return r, nil
}

// lost records that the worker is gone.
func (t *Trial) lost(ctx context.Context) error {
	if len(t.e.cells) == 0 { // nothing was measured yet: the build has a record
		t.e.cells, t.e.written = t.job.Cells(t.s.c.set.Digest), []bool{false}
		t.e.points = 1
	}
	if err := t.e.leave(ctx); err != nil {
		return err
	}
	return cmp.Or(ctx.Err(), t.s.failure())
}

// Point asks all queries with these search settings, and has them take part in rounds from now on: see
// [Session.Rounds]. [Trial.Finish] writes their record. It returns the place of the point.
func (t *Trial) Point(ctx context.Context, search indexes.Params) (int, error) {
	p := t.point(search)
	cell := t.job.cell(t.s.c.set.Digest, p)
	if i := slices.Index(t.cells, cell); i >= 0 {
		return i, nil
	}
	e, i := t.e, len(t.cells)
	t.cells = append(t.cells, cell)
	e.cells, e.written = t.cells, append(e.written, false)
	e.each, e.wall, e.asked, e.took = append(e.each, 0), append(e.wall, 0), append(e.asked, 0), append(e.took, nil)
	e.points++
	r, err := t.ask(ctx, turn{Point: &p})
	if err != nil {
		return i, err
	}
	if len(r.Ready) != 1 {
		return i, t.lost(ctx)
	}
	e.each[i] = r.Ready[0] / float64(t.s.c.set.Queries.Rows)
	return i, nil
}

// Rounds times all points of the trials in turn, as [Run.Do] does. Trials whose workers have ended are left out.
func (s *Session) Rounds(ctx context.Context, trials ...*Trial) error {
	var entrants []*entrant
	for _, t := range trials {
		if t != nil && !t.ended && !t.e.out && t.e.points > 0 {
			entrants = append(entrants, t.e)
		}
	}
	return s.c.play(ctx, 0, entrants)
}

// Timed is what the rounds so far say of a point: the time of a query by the clock that counts (the processor's,
// of servers the one on the wall), by round. Package metric compares two of them in pairs.
func (t *Trial) Timed(point int) metric.Observation {
	var o metric.Observation
	if point < 0 || point >= len(t.e.took) {
		return o
	}
	for _, at := range slices.Sorted(maps.Keys(t.e.took[point])) {
		own := t.e.took[point][at]
		seconds := own.cpu
		if seconds == 0 {
			seconds = own.wall
		}
		o.At, o.Rounds = append(o.At, at), append(o.Rounds, seconds/float64(own.asked))
	}
	if len(o.Rounds) > 0 {
		o.Value, o.Spread = metric.Median(o.Rounds), metric.StandardError(o.Rounds)
	}
	return o
}

// Out reports whether the worker has ended.
func (t *Trial) Out() bool { return t.ended || t.e.out }

// Finish scores all points, writes their records, and ends the worker.
func (t *Trial) Finish(ctx context.Context) (err error) {
	if t.ended {
		return nil
	}
	t.ended = true
	defer func() { err = errors.Join(err, t.leave()) }()
	if t.e.out {
		return nil
	}
	return t.e.finish(ctx)
}

// sample is the queries in an order drawn from the seed, of which the first are tried.
type sample struct {
	*worker
	truth   *dataset.Truth
	order   []int
	queries vec.Matrix
	in      metric.ScoreInput
	b       block
}

// draw puts the queries in order, once: nearby rows of a collection have much in common.
func (s *sample) draw(k int) error {
	all := s.set.Queries
	s.order = rand.New(rand.NewPCG(s.Seed, 0x74756e65)).Perm(all.Rows)
	s.queries = vec.NewMatrix(all.Rows, all.Dim)
	ids, distances := s.truth.All()
	self := selves(s.set)
	s.in = metric.ScoreInput{Metric: s.Metric, Base: s.set.Base, Labels: s.set.Labels, BaseLabels: s.set.BaseLabels}
	for i, q := range s.order {
		copy(s.queries.Row(i), all.Row(q))
		s.in.TruthIDs, s.in.TruthDistances = append(s.in.TruthIDs, ids[q]), append(s.in.TruthDistances, distances[q])
		if len(s.in.Labels) > 0 {
			s.in.QueryLabels = append(s.in.QueryLabels, s.set.QueryLabels[q])
		}
		if self != nil {
			s.in.Self = append(s.in.Self, self[q])
		}
	}
	judge, err := s.judgeOf(k)
	if err == nil && judge != nil {
		s.in.Judge = judge.Reordered(s.order)
	}
	return err
}

// try asks the first of the queries twice, once to score and once to time.
func (s *sample) try(host host, ix indexes.Index, t *tryTurn, tune func(Point) error) (*Tried, error) {
	if s.order == nil {
		if err := s.draw(t.K); err != nil {
			return nil, fmt.Errorf("scoring: %w", err)
		}
	}
	n := min(max(t.Queries, 1), len(s.order))
	part := s.queries.Slice(0, n)
	if err := tune(t.Point); err != nil {
		return nil, err
	}
	ask := s.asks(t.Point)
	got, _, err := answerAll(ix, part, ask)
	if err != nil {
		return nil, err
	}
	if err := host.block(ix, part, 0, min(n, mostTimed), ask, &s.b); err != nil {
		return nil, err
	}
	in := s.in
	in.K, in.Queries, in.Answers = t.K, part, got.all()
	in.TruthIDs, in.TruthDistances = in.TruthIDs[:n], in.TruthDistances[:n]
	if len(in.Labels) > 0 {
		in.QueryLabels = in.QueryLabels[:n]
	}
	if in.Self != nil {
		in.Self = in.Self[:n]
		for q, ids := range in.Answers {
			ids = slices.DeleteFunc(slices.Clone(ids), func(id int32) bool { return id == in.Self[q] })
			in.Answers[q] = ids[:min(len(ids), t.K)]
		}
	}
	scores, err := metric.Score(in)
	if err != nil {
		return nil, fmt.Errorf("scoring: %w", err)
	}
	seconds := s.b.cpu
	if seconds == 0 {
		seconds = s.b.wall
	}
	return &Tried{Queries: n, Values: scores.Values, Spread: scores.Spread, Seconds: seconds / float64(len(s.b.times))}, nil
}

// mostTimed is how many queries of a try are timed at most: the processor time of 200 is good to some 5 %, which
// is enough to search by; what counts is timed in rounds.
const mostTimed = 200
