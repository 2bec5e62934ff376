package tune

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"annbench/bench"
	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/indexes"
)

// Race searches: families and build settings against each other, from small samples to the whole.
type Race struct {
	Question
	Rows, Dim int // of the whole
	// Sizes are the numbers of vectors that are searched on, the whole last; see [Sizes].
	Sizes []int
	// Open opens the rung of so many vectors. Those before are not used any more.
	Open func(ctx context.Context, rows int) (Rung, error)
	// Until is when the search has to end.
	Until time.Time
	// State is what is known already, and takes what is found.
	State *State
	// Save, where not nil, is called whenever State has more.
	Save     func() error
	Progress func(Progress) // may be nil

	rung Rung
	rows int
	// nearest says that every family is too large for the limits by its formula: then the nearest are looked for.
	nearest bool
	ahead   *ahead
}

// Progress is how far a search is.
type Progress struct {
	What string
	Rows int     // of the sample
	Done int     // builds
	Best *Result // as it is expected on the whole; nil while nothing keeps the limits
	// Elapsed and Left are the time since the search began, and until it ends at the latest. Race leaves them to its caller.
	Elapsed, Left time.Duration
}

// ahead is the best build so far of a rung, which waits to be raced against.
type ahead struct {
	trial  Trial
	result *Result
}

// By how many times the time of the best a family may be slower on a rung, as it is expected on the whole, and not
// leave: what a sixteenth says of the whole is good to a factor of two, what a quarter says to a third or so.
var leaves = map[int]float64{0: 3, 1: 1.8, 2: 1.3}

const (
	hopeless  = 4  // times as slow as the best as tried: not worth a race
	perFamily = 12 // builds a family has on its first rung
	promoted  = 3  // one of so many builds of a family goes on to the next rung
	atMost    = 4  // that go on
)

// Run searches until nothing is left to try or Until. What was found is in State; the error is the context's, or
// about what keeps the search from going on.
func (r *Race) Run(ctx context.Context) error {
	sizes := r.Sizes
	r.State.Untried = nil
	var going []arm
	for i, rows := range sizes {
		last := i == len(sizes)-1
		until := r.Until
		if !last {
			share := 0.3
			if i > 0 || len(sizes) == 2 {
				share = 0.4
			}
			until = time.Now().Add(time.Duration(share * float64(time.Until(r.Until))))
		}
		factor := leaves[3-len(sizes)+i]
		if last {
			factor = leaves[2]
		}
		if i == 0 {
			going = r.starts(rows)
			factor = leaves[0]
		}
		if err := r.stage(ctx, rows, going, until, factor, i == 0, last); err != nil {
			return err
		}
		if !last {
			going = r.promote(rows, factor)
		}
	}
	return nil
}

// arm is a build that is raced: settings for the whole.
type arm struct {
	family *indexes.Family
	build  indexes.Params
}

func (a arm) name() string { return strings.TrimSpace(a.family.Name + " " + a.build.String()) }

// starts are the first build of each family: its default, brought to the data. Exact families come first, as they
// have nothing to search for and set the mark; then those whose builds cost least by their formulas, so that a short
// budget sees most of them. A family without a formula comes last.
func (r *Race) starts(rows int) []arm {
	var out []arm
	for _, f := range r.Families {
		build, err := f.Settings(f.Build, nil)
		if err != nil {
			continue
		}
		for i := range f.Build {
			build[f.Build[i].Name] = f.Build[i].Start(r.Rows, r.Dim)
		}
		a := arm{f, build}
		if reason := r.bringDown(a); reason != "" {
			r.State.add(&Result{&record.Try{Rows: rows, Family: f.Name, Arm: build.String(), Build: build.String(), Failed: reason}, f, build, build, nil})
			continue
		}
		out = append(out, a)
	}
	r.nearest = !slices.ContainsFunc(out, func(a arm) bool { return r.tooLarge(a) == "" })
	cost := func(a arm) float64 {
		switch {
		case a.family.Exact:
			return 0
		case a.family.Work == nil:
			return math.Inf(1)
		}
		build, _ := a.family.Work(r.Rows, r.Dim, complete(a.family, a.build, nil))
		return max(1, build)
	}
	slices.SortStableFunc(out, func(a, b arm) int { return cmp.Compare(cost(a), cost(b)) })
	return out
}

// bringDown halves settings that depend on the data until they fit it; it says why where they cannot.
func (r *Race) bringDown(a arm) string {
	if !a.family.Supports(r.Metric) {
		return "the family has no metric " + string(r.Metric)
	}
	err := r.fits(a, r.Rows)
	for i := range a.family.Build {
		p := &a.family.Build[i]
		for err != nil && p.Grows+p.Min >= 0 && (p.Grows > 0 || p.Scale == indexes.Divisors || p.Name == "nbits") {
			v, ok := a.build[p.Name].(int)
			if !ok || v/2 < int(p.Min) || v <= 1 {
				break
			}
			a.build[p.Name] = v / 2
			err = r.fits(a, r.Rows)
		}
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

func (r *Race) fits(a arm, rows int) error {
	return a.family.CheckFit(rows, r.Dim, r.Metric, complete(a.family, a.build, nil))
}

// complete are build and search settings together, with defaults.
func complete(f *indexes.Family, build, search indexes.Params) indexes.Params {
	all := indexes.Params{}
	for _, p := range f.Search {
		all[p.Name] = p.Default
	}
	for _, p := range f.Build {
		all[p.Name] = p.Default
	}
	maps.Copy(all, build)
	maps.Copy(all, search)
	return all
}

// scaled are the settings of a on a sample of so many rows: those that grow with the number of vectors shrink.
func (r *Race) scaled(a arm, rows int) indexes.Params {
	if rows == r.Rows {
		return a.build
	}
	build := maps.Clone(a.build)
	for i := range a.family.Build {
		p := &a.family.Build[i]
		if v, ok := build[p.Name].(int); ok && p.Grows > 0 && v > 0 {
			x := float64(v) * math.Pow(float64(rows)/float64(r.Rows), p.Grows)
			build[p.Name] = int(max(p.Min, 1, math.Pow(2, math.Round(math.Log2(x)))))
		}
	}
	return build
}

// neighbours are the builds one step from a that fit the data.
func (r *Race) neighbours(a arm) []arm {
	var out []arm
	for i := range a.family.Build {
		p := &a.family.Build[i]
		for _, v := range p.Steps(a.build[p.Name], r.Dim) {
			next := arm{a.family, maps.Clone(a.build)}
			next.build[p.Name] = v
			if r.fits(next, r.Rows) == nil {
				out = append(out, next)
			}
		}
	}
	return out
}

// stage races builds on one rung: those given, then neighbours of the best of each family in turn, while time is
// left and the family has not left.
func (r *Race) stage(ctx context.Context, rows int, given []arm, until time.Time, factor float64, first, last bool) error {
	r.rows, r.rung, r.ahead = rows, nil, nil
	for _, x := range r.State.Results { // of an earlier search
		if x.Rows == rows && x.OK() && x.Measured && x.Reached && (r.ahead == nil || r.better(x, r.ahead.result) < 0) {
			r.ahead = &ahead{nil, x}
		}
	}
	defer func() { r.rung = nil }()
	err := r.play(ctx, given, until, factor, first, last)
	if r.ahead != nil && r.ahead.trial != nil {
		err = errors.Join(err, r.ahead.trial.Finish(context.WithoutCancel(ctx)))
	}
	return err
}

func (r *Race) play(ctx context.Context, given []arm, until time.Time, factor float64, first, last bool) error {
	for i, a := range given {
		// On the last rung those come that are expected to be best; the first one is tried whatever is left of the time.
		if last && !first && i > 0 && !r.mayWin(a, factor) && (r.families() > 1 || r.State.best(r, a.family, r.rows) != nil) {
			continue // but a second family comes in any case, as runner-up
		}
		// Every family has its start on the first rung, while there is time at all: who is not seen cannot win.
		if err := r.try(ctx, a, until, first && (i == 0 || time.Now().Before(r.Until)) || last && i == 0); err != nil {
			return err
		}
	}
	if !first && !last {
		return nil
	}
	for tried := true; tried; {
		tried = false
		for _, f := range r.standing(r.rows, factor, 1) {
			best := r.State.best(r, f, r.rows)
			if best == nil || r.State.count(f, r.rows) >= perFamily || time.Now().After(until) {
				continue
			}
			for _, a := range r.neighbours(arm{f, best.arm}) {
				if r.State.find(r.rows, f.Name, a.build.String()) != nil {
					continue
				}
				if last && !first && !r.promising(a, best) {
					continue
				}
				tried = true
				if err := r.try(ctx, a, until, false); err != nil {
					return err
				}
				break
			}
		}
	}
	return nil
}

// families is how many families came to something on this rung.
func (r *Race) families() (n int) {
	for _, f := range r.Families {
		if len(r.State.of(f, r.rows)) > 0 {
			n++
		}
	}
	return n
}

// promising reports whether a, a neighbour of the best of its family on the whole, was not seen to be clearly worse
// on the largest sample that has both.
func (r *Race) promising(a arm, best *Result) bool {
	sizes := r.Sizes
	for _, n := range slices.Backward(sizes[:len(sizes)-1]) {
		x, y := r.State.find(n, a.family.Name, a.build.String()), r.State.find(n, a.family.Name, best.Arm)
		if x != nil && y != nil {
			return r.better(x, y) <= 0 || r.objective(x) <= near*r.objective(y)
		}
	}
	return true
}

// mayWin reports whether a may still be the best: what a sample says of it against the best of this rung.
func (r *Race) mayWin(a arm, factor float64) bool {
	if r.ahead == nil || !r.ahead.result.keeps(r.Limits) {
		return true
	}
	expected := r.expect(r.State.largest(a.family.Name, a.build.String()))
	return expected == nil || !expected.keeps(r.Limits) || r.within(expected, r.ahead.result, factor)
}

// within reports whether a's objective is within factor of b's. Only times are compared so: what takes less
// memory is not worse for being slow.
func (r *Race) within(a, b *Result, factor float64) bool {
	x, y := r.objective(a), r.objective(b)
	if y < 0 { // a quality, the higher the better
		return true
	}
	return x <= factor*y
}

// standing are the families that have not left on this rung, the best first, and so many at least.
func (r *Race) standing(n int, factor float64, least int) []*indexes.Family {
	type one struct {
		f *indexes.Family
		e *Result
	}
	var all []one
	for _, f := range r.Families {
		if best := r.State.best(r, f, n); best != nil {
			all = append(all, one{f, r.expect(best)})
		}
	}
	slices.SortStableFunc(all, func(a, b one) int { return r.better(a.e, b.e) })
	var out []*indexes.Family
	for i, o := range all {
		if i < least || !all[0].e.keeps(r.Limits) || o.e.keeps(r.Limits) && r.within(o.e, all[0].e, factor) ||
			!o.e.keeps(r.Limits) && len(r.neighbours(arm{o.f, o.e.arm})) > 0 && r.State.count(o.f, n) < perFamily/2 {
			out = append(out, o.f)
		}
	}
	return out
}

// promote are the builds that go on to the next rung: of each family that stands the better third, at most four,
// the best first.
func (r *Race) promote(n int, factor float64) []arm {
	type one struct {
		a arm
		e *Result
	}
	var all []one
	for _, f := range r.standing(n, factor, 2) {
		own := r.State.of(f, n)
		slices.SortStableFunc(own, func(a, b *Result) int { return r.better(r.expect(a), r.expect(b)) })
		for i, x := range own {
			if !x.OK() || i > 0 && (i >= atMost || i >= (len(own)+promoted-1)/promoted || !x.Reached) || !x.Reached && r.reached(n) {
				break
			}
			all = append(all, one{arm{f, x.arm}, r.expect(x)})
		}
	}
	slices.SortStableFunc(all, func(a, b one) int { return r.better(a.e, b.e) })
	var out []arm
	for _, o := range all {
		out = append(out, o.a)
	}
	return out
}

// reached reports whether a build of so many vectors keeps the limit of quality.
func (r *Race) reached(n int) bool {
	return slices.ContainsFunc(r.State.Results, func(x *Result) bool { return x.Rows == n && x.OK() && x.Reached })
}

// try builds a, finds its search settings, and races it against the best. always says that it is tried whatever is
// left of the time.
func (r *Race) try(ctx context.Context, a arm, until time.Time, always bool) error {
	if r.State.find(r.rows, a.family.Name, a.build.String()) != nil {
		return ctx.Err()
	}
	res := &Result{Try: &record.Try{Rows: r.rows, Family: a.family.Name, Arm: a.build.String()}, family: a.family, arm: a.build, build: r.scaled(a, r.rows)}
	res.Build = res.build.String()
	if reason := r.tooLarge(a); reason != "" && !r.nearest {
		res.Failed = reason
		return r.found(res)
	}
	if err := r.fits(arm{a.family, res.build}, r.rows); err != nil {
		return nil // too few vectors on this rung; on the whole it fits
	}
	left, need := time.Until(until), r.buildTime(a.family, res.build, r.rows)
	if !always && (left <= 0 || need > left) {
		r.State.skip(a.name())
		return ctx.Err()
	}
	if r.rung == nil {
		var err error
		if r.rung, err = r.Open(ctx, r.rows); err != nil {
			return err
		}
	}
	r.report("trying " + a.name())
	began := time.Now()
	err := r.measure(ctx, a, res, max(2*left, time.Until(r.Until), leastLimit))
	res.Took = time.Since(began).Seconds()
	var failed *bench.BuildError
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &failed):
		res.Failed = failed.Error()
	case err != nil:
		return err
	}
	return r.found(res)
}

// leastLimit is the least time limit of a build.
const leastLimit = 20 * time.Second

func (r *Race) found(res *Result) error {
	r.State.add(res)
	if r.Save != nil {
		return r.Save()
	}
	return nil
}

func (r *Race) measure(ctx context.Context, a arm, res *Result, limit time.Duration) (err error) {
	search := indexes.Params{}
	for _, p := range a.family.Search {
		search[p.Name] = p.Default
	}
	t, err := r.rung.Build(ctx, a.family, res.build, search, limit)
	if err != nil {
		return err
	}
	stays := false
	defer func() {
		if !stays {
			err = errors.Join(err, t.Finish(context.WithoutCancel(ctx)))
		}
	}()
	res.Cost = t.Cost()
	_, _, queries := r.rung.Shape()
	found, err := r.searching(ctx, t, res, a.family, search, queries)
	if err != nil {
		return err
	}
	res.take(found, r.Question)
	if !found.Reached && r.ahead != nil || r.ahead != nil && res.Seconds > hopeless*r.ahead.result.Seconds {
		res.Score = res.Seconds
		if r.ahead != nil && r.ahead.result.Seconds > 0 {
			res.Score *= r.ahead.result.Score / r.ahead.result.Seconds
		}
		return nil
	}
	if err := t.Measure(ctx, found.Search); err != nil {
		return err
	}
	res.Measured = true
	var other Trial
	if r.ahead != nil {
		if err := r.wake(ctx, limit); err != nil {
			return err
		}
		other = r.ahead.trial
	}
	if err := r.rung.Race(ctx, t, other); err != nil {
		return err
	}
	own := t.Timed()
	res.Score = own.Value
	if r.ahead != nil && other != nil {
		if ratio, ok := ratioOf(own, other.Timed()); ok {
			res.Score = ratio * r.ahead.result.Score
		}
	}
	if r.ahead == nil || r.better(res, r.ahead.result) < 0 && res.Reached {
		before := r.ahead
		r.ahead, stays = &ahead{t, res}, true
		if before != nil && before.trial != nil {
			return before.trial.Finish(context.WithoutCancel(ctx))
		}
	}
	return nil
}

// wake builds the best so far again where it is known of an earlier search.
func (r *Race) wake(ctx context.Context, limit time.Duration) error {
	if r.ahead.trial != nil {
		return nil
	}
	b := r.ahead.result
	t, err := r.rung.Build(ctx, b.family, b.build, b.search, limit)
	if err != nil {
		return nil // then there is nothing to race against, and times stand for themselves
	}
	if err := t.Measure(ctx, b.search); err != nil {
		return errors.Join(err, t.Finish(context.WithoutCancel(ctx)))
	}
	r.ahead.trial = t
	return nil
}

// ratioOf is the median of a over b in the rounds that both took part in.
func ratioOf(a, b metric.Observation) (ratio float64, ok bool) {
	at := map[int]float64{}
	for i, n := range b.At {
		at[n] = b.Rounds[i]
	}
	var ratios []float64
	for i, n := range a.At {
		if y := at[n]; y > 0 && a.Rounds[i] > 0 {
			ratios = append(ratios, a.Rounds[i]/y)
		}
	}
	if len(ratios) == 0 {
		return 0, false
	}
	return metric.Median(ratios), true
}

// searching finds the search settings of a build: effort by [Bisect] for each value of the others that is worth a
// try, which are climbed one after the other from their defaults.
func (r *Race) searching(ctx context.Context, t Trial, res *Result, f *indexes.Family, search indexes.Params, queries int) (Found, error) {
	limit, _ := r.Quality()
	effort := EffortOf(f)
	if f.Exact {
		effort = nil
	}
	try := func(ctx context.Context, p indexes.Params, n int) (bench.Tried, error) {
		got, err := t.Try(ctx, p, n)
		if err == nil {
			res.Steps = append(res.Steps, record.Step{Search: p.String(), Queries: got.Queries, Quality: got.Values[limit.Name], Seconds: got.Seconds})
		}
		return got, err
	}
	bisect := func(p indexes.Params) (Found, error) {
		return Bisect(ctx, try, effort, t.Effective, p, queries, limit)
	}
	best, err := bisect(search)
	if err != nil || f.Exact {
		return best, err
	}
	seen := map[string]bool{best.others(effort): true}
	for i := range f.Search {
		p := &f.Search[i]
		if effort == nil || p.Name == effort.Name {
			continue
		}
		for climbed := true; climbed; {
			climbed = false
			for _, v := range p.Steps(best.Search[p.Name], r.Dim) {
				next := maps.Clone(best.Search)
				next[p.Name] = v
				key := Found{Search: t.Effective(next)}.others(effort)
				if seen[key] {
					continue
				}
				seen[key] = true
				got, err := bisect(next)
				if err != nil {
					return best, err
				}
				if got.Reached && !best.Reached || got.Reached == best.Reached && got.Tried.Seconds < worthwhile*best.Tried.Seconds && (got.Reached || got.Worst > best.Worst) {
					best, climbed = got, true
				}
			}
		}
	}
	return best, nil
}

// worthwhile is how much of the time another value of a search setting may take to be taken: tries are good to
// some 5 %.
const worthwhile = 0.93

// others are the settings but for effort, in canonical form.
func (f Found) others(effort *indexes.Param) string {
	p := maps.Clone(f.Search)
	if effort != nil {
		delete(p, effort.Name)
	}
	return p.String()
}

// EffortOf is the search setting that decides how much a search does, and so what it finds: the first number
// among them that is not fixed; nil where there is none.
func EffortOf(f *indexes.Family) *indexes.Param {
	for i := range f.Search {
		if p := &f.Search[i]; (p.Kind == indexes.Int || p.Kind == indexes.Float) && p.Scale != indexes.Fixed {
			return p
		}
	}
	return nil
}

// take puts what was found into r.
func (r *Result) take(f Found, q Question) {
	r.search, r.Search, r.Reached, r.Worst = f.Search, f.Search.String(), f.Reached, f.Worst
	r.Seconds, r.Score = f.Tried.Seconds, f.Tried.Seconds
	if limit, ok := q.Quality(); ok {
		r.Quality = f.Tried.Values[limit.Name]
	}
	r.Values = map[string]float64{}
	names := []string{metric.Recall, metric.MAP, metric.MAPDelta, q.Objective.Name}
	for _, l := range q.Limits {
		names = append(names, l.Name)
	}
	for _, name := range names {
		if v, ok := f.Tried.Values[name]; ok {
			r.Values[name] = v
		}
	}
}

// tooLarge says that a breaks a limit of memory by its formula, by far.
func (r *Race) tooLarge(a arm) string {
	if a.family.Folder != "" || a.family.Remote != nil || a.family.Bytes == nil {
		return ""
	}
	bytes := float64(a.family.Size(r.Rows, r.Dim, r.Metric, complete(a.family, a.build, nil)))
	for _, l := range r.Limits {
		if (l.Name == metric.Resident || l.Name == metric.Serialized) && bytes > farOver*l.Bound {
			unit, name := float64(1<<20), "MiB"
			if l.Bound < 10<<20 {
				unit, name = 1<<10, "KiB"
			}
			return fmt.Sprintf("too large: about %.0f %s by its formula, the limit is %.0f %s", bytes/unit, name, l.Bound/unit, name)
		}
	}
	return ""
}

// farOver is how many times the limit a size by formula is over it for sure.
const farOver = 1.3

// buildTime is about how long a build takes, from the nearest one of its family; 0 where nothing is known.
func (r *Race) buildTime(f *indexes.Family, build indexes.Params, rows int) time.Duration {
	var near *Result
	for _, x := range r.State.Results {
		if x.family == f && x.OK() && x.Cost[metric.Build] > 0 && (near == nil || x.Rows > near.Rows) {
			near = x
		}
	}
	if near == nil {
		return 0
	}
	here, _ := f.Work(rows, r.Dim, complete(f, build, nil))
	there, _ := f.Work(near.Rows, r.Dim, complete(f, near.build, nil))
	if there <= 0 {
		return 0
	}
	return time.Duration(near.Cost[metric.Build] * here / there * float64(time.Second))
}

// expect is what a result on a sample says of the whole: times grow as those of the family were seen to between two
// samples, or else by its formula; sizes with the number of vectors.
func (r *Race) expect(x *Result) *Result {
	if x == nil || x.Rows == r.Rows || !x.OK() {
		return x
	}
	e, try := *x, *x.Try
	e.Try = &try
	g := r.growth(x)
	e.Score, e.Seconds = x.Score*g, x.Seconds*g
	e.Cost = maps.Clone(x.Cost)
	for _, name := range []string{metric.Resident, metric.Serialized, metric.Vectors, metric.PeakBuild} {
		if v, ok := e.Cost[name]; ok {
			e.Cost[name] = v * float64(r.Rows) / float64(x.Rows)
		}
	}
	if _, ok := e.Cost[metric.Build]; ok && x.family != nil {
		e.Cost[metric.Build] = r.buildTime(x.family, x.arm, r.Rows).Seconds()
	}
	return &e
}

// growth is how many times longer a query takes on the whole.
func (r *Race) growth(x *Result) float64 {
	var exponents []float64
	for _, small := range r.State.Results {
		if small.family != x.family || !small.OK() || !small.Reached || small.Rows >= x.Rows {
			continue
		}
		if large := r.State.find(x.Rows, small.Family, small.Arm); large != nil && large.OK() && large.Reached && small.Score > 0 {
			e := math.Log(large.Score/small.Score) / math.Log(float64(x.Rows)/float64(small.Rows))
			exponents = append(exponents, min(max(e, 0), 1))
		}
	}
	ratio := float64(r.Rows) / float64(x.Rows)
	if len(exponents) > 0 {
		return math.Pow(ratio, metric.Median(exponents))
	}
	if x.family == nil || x.family.Work == nil {
		return 1
	}
	_, there := x.family.Work(x.Rows, r.Dim, complete(x.family, x.build, x.search))
	_, whole := x.family.Work(r.Rows, r.Dim, complete(x.family, x.arm, x.search))
	if there <= 0 || whole <= 0 {
		return 1
	}
	return min(max(whole/there, 1), ratio)
}

func (r *Race) report(what string) {
	if r.Progress != nil {
		r.Progress(Progress{What: what, Rows: r.rows, Done: len(r.State.Results), Best: r.Best()})
	}
}

// Best is the best so far, as it is expected on the whole: of the largest number of vectors that has one; nil where
// nothing was found yet.
func (r *Race) Best() *Result {
	sizes := r.Sizes
	for _, n := range slices.Backward(sizes) {
		var best *Result
		for _, x := range r.State.Results {
			if e := r.expect(x); x.Rows == n && x.OK() && (best == nil || r.better(e, best) < 0) {
				best = e
			}
		}
		if best != nil {
			return best
		}
	}
	return nil
}
