package tune

import (
	"context"
	"maps"
	"math"

	"annbench/bench"
	"annbench/indexes"
	"annbench/reports/judge"
)

// Within is how near the worse end of the interval comes to the limit of quality: closer is not worth a step.
const Within = 0.002

const (
	firstQueries = 100  // asked first: their mean recall is good to about ±.02
	moreQueries  = 3    // times as many, where the step is a close one
	confident    = 1.96 // standard errors
	gallop       = 4    // times the effort while no end is known
	closest      = 1.02 // of two efforts: nearer ones differ by less than their speeds can be told apart
)

// Found is the outcome of [Bisect].
type Found struct {
	Search  indexes.Params
	Tried   bench.Tried // of Search, on all queries
	Reached bool        // the worse end of the interval keeps the limit
	Worst   float64     // that end
}

// Bisect finds the least value of the effort setting at which the worse end of the 95 % interval of the limited
// quantity, over all queries, keeps the limit: to within [Within] of the limit, or two per cent of effort, or 1. It
// takes the quantity to be monotone in effort. Without an effort setting (nil) search is tried as it is.
//
// try asks a number of queries, always the same first ones, so that two settings compare in pairs. A step begins
// with a hundred, and asks more only while what all of them will say is in doubt: with the standard error s of n of N
// queries, the mean over all lies within 1.96·s·√(1-n/N), and the half-width of their interval will be about
// 1.96·s·√(n/N). Between two efforts the next one is interpolated, logit of the worse end over the logarithm of effort,
// kept within the middle four fifths. What is found was asked all queries.
func Bisect(ctx context.Context, try func(context.Context, indexes.Params, int) (bench.Tried, error), effort *indexes.Param,
	same func(indexes.Params) indexes.Params, search indexes.Params, queries int, limit judge.Limit,
) (Found, error) {
	b := &bisection{ctx: ctx, try: try, queries: queries, limit: limit}
	if effort == nil {
		search = same(search)
		t, _, err := b.step(search, min(firstQueries, queries))
		if err != nil {
			return Found{}, err
		}
		return b.found(search, t)
	}
	at := func(v float64) indexes.Params {
		p := maps.Clone(search)
		if effort.Kind == indexes.Int {
			p[effort.Name] = int(v)
		} else {
			p[effort.Name] = v
		}
		return same(p)
	}
	value := func(p indexes.Params) float64 {
		switch v := p[effort.Name].(type) {
		case int:
			return float64(v)
		case float64:
			return v
		}
		return 0
	}
	type end struct {
		p     indexes.Params
		v     float64
		tried bench.Tried
		worst float64
		known bool
	}
	var lo, hi, best end
	now := at(max(value(at(value(search))), effort.Min))
	leap, first := float64(gallop), min(firstQueries, queries)
	for range mostSteps {
		t, keeps, err := b.step(now, first)
		if err != nil {
			return Found{}, err
		}
		e := end{now, value(now), t, b.worst(t), true}
		if !best.known || e.tried.Values[limit.Name] >= best.tried.Values[limit.Name] {
			best = e
		}
		if keeps {
			hi = e
		} else {
			if hi.known && hi.v <= e.v { // some of the queries kept it, all do not
				hi.known, leap = false, fineGallop
			}
			lo = e
		}
		var next float64
		switch {
		case !hi.known:
			next = min(max(lo.v*leap, lo.v+1), effort.Max)
		case !lo.known:
			next = max(hi.v/gallop, effort.Min)
			if effort.Kind == indexes.Int {
				next = math.Floor(next)
			}
		default:
			if hi.v <= lo.v*closest || effort.Kind == indexes.Int && hi.v-lo.v <= 1 || hi.worst-limit.Bound <= Within {
				if hi.tried.Queries == queries {
					return b.found(hi.p, hi.tried)
				}
				now, first = hi.p, queries // all queries have the last word
				continue
			}
			if hi.v <= narrow*lo.v { // the steps from here on are close ones
				first = queries
			}
			next = between(lo.v, hi.v, lo.worst, hi.worst, limit.Bound+Within/2)
			if effort.Kind == indexes.Int {
				next = min(max(math.Round(next), lo.v+1), hi.v-1)
			}
		}
		p := at(next)
		if v := value(p); v == e.v || hi.known && v >= hi.v || lo.known && v <= lo.v { // no other value means anything else
			if !hi.known || hi.tried.Queries == queries {
				break
			}
			p, first = hi.p, queries
		}
		now = p
	}
	if hi.known {
		return b.found(hi.p, hi.tried)
	}
	return b.found(best.p, best.tried)
}

const (
	mostSteps  = 30
	fineGallop = 1.15 // where all queries found a little less than some of them
	narrow     = 1.4  // times the effort that is too little: nearer efforts differ too little for a hundred queries
)

type bisection struct {
	ctx     context.Context
	try     func(context.Context, indexes.Params, int) (bench.Tried, error)
	queries int
	limit   judge.Limit
}

// step tries p on as many queries as it takes to tell whether it keeps the limit, first at least.
func (b *bisection) step(p indexes.Params, first int) (t bench.Tried, keeps bool, err error) {
	for n := first; ; n = min(n*moreQueries, b.queries) {
		if t, keeps, err = b.ask(p, n); err != nil || n == b.queries || b.limit.Name == "" {
			return t, keeps, err
		}
		mean, half := b.expected(t, n)
		doubt := confident * b.error(t, n) * math.Sqrt(1-float64(n)/float64(b.queries))
		if worst := mean - half; worst-doubt >= b.limit.Bound || worst+doubt < b.limit.Bound {
			return t, keeps, nil
		}
	}
}

// ask tries p on n queries.
func (b *bisection) ask(p indexes.Params, n int) (t bench.Tried, keeps bool, err error) {
	if t, err = b.try(b.ctx, p, n); err != nil {
		return t, false, err
	}
	if b.limit.Name == "" {
		return t, true, nil
	}
	mean, half := b.expected(t, n)
	return t, mean-half >= b.limit.Bound, nil
}

// worst is the worse end that the interval over all queries will have.
func (b *bisection) worst(t bench.Tried) float64 {
	mean, half := b.expected(t, t.Queries)
	return mean - half
}

// error is the standard error of the mean over n queries; where all queries are alike, that of one place missed.
func (b *bisection) error(t bench.Tried, n int) float64 {
	return max(t.Spread[b.limit.Name], 0.1/float64(n))
}

// expected is the mean, and the half-width that the interval over all queries will have.
func (b *bisection) expected(t bench.Tried, n int) (mean, half float64) {
	spread := t.Spread[b.limit.Name]
	if n < b.queries {
		spread = b.error(t, n)
	}
	return t.Values[b.limit.Name], confident * spread * math.Sqrt(float64(n)/float64(b.queries))
}

// found is p, tried on all queries but where nothing hangs on the others.
func (b *bisection) found(p indexes.Params, t bench.Tried) (Found, error) {
	f := Found{Search: p, Tried: t, Reached: true}
	if b.limit.Name == "" {
		return f, nil
	}
	f.Worst = b.worst(t)
	f.Reached = f.Worst >= b.limit.Bound
	return f, nil
}

// between is an effort between lo and hi, whose worse ends are wlo and whi, at which it is expected to be target.
func between(lo, hi, wlo, whi, target float64) float64 {
	const edge = 1e-4
	x, y := math.Log(max(lo, 0.5)), math.Log(hi)
	share := 0.5
	if whi > wlo && wlo > 0 {
		a, c := judge.Logit(wlo, edge), judge.Logit(whi, edge)
		share = (judge.Logit(min(target, 1-edge), edge) - a) / (c - a)
	}
	share = min(max(share, 0.1), 0.9)
	return math.Exp(x + share*(y-x))
}
