package judge

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"gonum.org/v1/gonum/interp"

	"annbench/bench/metric"
	"annbench/bench/record"
)

// Reach says how a family stands to a target of recall.
type Reach int

// How a family stands to a target.
const (
	Lost   Reach = iota // no setting has both a recall and the quantity asked for
	Below               // no setting comes up to the target: "max recall x"
	At                  // between two settings, and interpolated
	Beyond              // every setting of use finds more: the value is that of the one that finds least
)

// Match is what a family takes at a target of recall.
type Match struct {
	Family FamilyRows
	Reach  Reach
	// Value is the quantity at the target: of At interpolated, of Beyond that of Setting. Where Reach is
	// Below it is that of Setting, too, and compares with nothing.
	Value Value
	// Recall is the median recall that Value is at: the target, or what stands instead of it.
	Recall float64
	// Setting is the measured setting to use for the target: the one of the curve that comes next to it
	// from above; where none comes up to it, the one of highest recall.
	Setting *Row
	// Under is the other end of the interpolation, where there was one.
	Under *Row
}

// Reached reports whether the family comes up to the target.
func (m Match) Reached() bool { return m.Reach == At || m.Reach == Beyond }

// onCurve is a setting as one repetition, or the median of all, found it.
type onCurve struct {
	row          *Row
	recall, cost float64
}

// Match gives the quantity called name of every family at one recall under terms t, in the order of
// the families, by interpolation of its logarithm over logit(recall) along the Pareto front of the
// family's settings, monotone and cubic (Fritsch and Butland, SIAM Journal on Scientific and
// Statistical Computing 1984). So families are compared at equal recall; "the fastest setting of at
// least so much recall" compares a family that overshoots by 0.05 with one that just comes up to it.
//
// Each repetition is interpolated by itself, as builds differ in recall and speed together; the value
// is the median of these. A recall of 1 counts as half a miss short of it: 1 - 1/(2·queries·k), since
// no logit is finite at 1 and that many queries cannot tell the two apart.
//
// A quantity that is not above 0 everywhere has no logarithm, and no family is At then.
func (r *Report) Match(t Terms, target float64, name string) []Match {
	var out []Match
	for _, f := range r.FamiliesOf(t) {
		out = append(out, r.MatchRows(f, t, target, name))
	}
	return out
}

// MatchRows is [Report.Match] for one family, which may be a part of its rows.
func (r *Report) MatchRows(f FamilyRows, t Terms, target float64, name string) Match {
	info := lookup(name)
	m := Match{Family: f}
	var points []onCurve
	reps := map[int]bool{}
	for _, row := range f.Rows {
		recall, ok1 := row.Value(metric.Recall)
		v, ok2 := row.Value(name)
		if !ok1 || !ok2 {
			continue
		}
		points = append(points, onCurve{row, recall.Median, v.Median})
		for _, rep := range row.Reps {
			reps[rep.Rep] = true
		}
	}
	if len(points) == 0 {
		return m
	}
	curve := front(points, info.Lower)
	edge := r.edge(t)
	best := curve[len(curve)-1]
	m.Setting, m.Recall = best.row, best.recall
	if best.recall < target {
		m.Reach = Below
		m.Value, _ = m.Setting.Value(name)
		return m
	}
	i := slices.IndexFunc(curve, func(p onCurve) bool { return p.recall >= target })
	m.Setting = curve[i].row
	if i == 0 || curve[i].recall == target {
		m.Reach, m.Recall = Beyond, curve[i].recall
		if curve[i].recall == target {
			m.Reach = At
		}
		m.Value, _ = m.Setting.Value(name)
		return m
	}
	whole, ok := along(curve, target, edge)
	if !ok { // no logarithm
		m.Reach, m.Recall = Beyond, curve[i].recall
		m.Value, _ = m.Setting.Value(name)
		return m
	}
	m.Reach, m.Recall, m.Under = At, target, curve[i-1].row
	var samples []observation
	for _, n := range slices.Sorted(maps.Keys(reps)) {
		var one []onCurve
		for _, p := range points {
			for _, rep := range p.row.Reps {
				recall, ok1 := rep.Values[metric.Recall]
				cost, ok2 := p.row.observe(rep, name)
				if rep.Rep == n && rep.Status == record.OK && ok1 && ok2 {
					one = append(one, onCurve{p.row, recall, cost.Value})
				}
			}
		}
		one = front(one, info.Lower)
		if len(one) == 0 || one[len(one)-1].recall < target {
			continue // this build does not come up to the target
		}
		// Where this build's fastest setting finds more, along gives that setting's.
		if x, ok := along(one, target, edge); ok {
			o := observation{rep: n, Observation: metric.Observation{Value: x}}
			// The spread over queries is that of the setting next to the target.
			for _, rep := range m.Setting.Reps {
				if near, ok := m.Setting.observe(rep, name); ok && rep.Rep == n && near.Value != 0 {
					o.Spread, o.Chance = near.Spread/near.Value*x, near.Chance
				}
			}
			samples = append(samples, o)
		}
	}
	if len(samples) == 0 {
		samples = []observation{{Observation: metric.Observation{Value: whole}}}
	}
	m.Value = summarize(name, samples)
	return m
}

// edge is half a miss of all places that the queries have: see [Report.Match].
func (r *Report) edge(t Terms) float64 {
	queries := 1000
	if src := r.Source(t.Dataset); src != nil && src.Dataset.Queries > 0 {
		queries = src.Dataset.Queries
	}
	return 1 / (2 * float64(queries) * float64(max(1, t.K)))
}

// front leaves the points that no other beats, in order of recall: none has at least the recall and a
// cost at least as good, and more of one of them. Where lower is false, cost is a yield: queries a
// second.
func front(points []onCurve, lower bool) []onCurve {
	better := func(a, b float64) int {
		if lower {
			return cmp.Compare(a, b)
		}
		return cmp.Compare(b, a)
	}
	all := slices.Clone(points)
	slices.SortStableFunc(all, func(a, b onCurve) int {
		return cmp.Or(cmp.Compare(b.recall, a.recall), better(a.cost, b.cost))
	})
	var out []onCurve
	for _, p := range all {
		if len(out) == 0 || better(p.cost, out[len(out)-1].cost) < 0 {
			out = append(out, p)
		}
	}
	slices.Reverse(out)
	return out
}

// along reads a front at a recall within its ends.
func along(curve []onCurve, recall, edge float64) (float64, bool) {
	var xs, ys []float64
	for _, p := range curve {
		if p.cost <= 0 {
			return 0, false
		}
		x := Logit(p.recall, edge)
		if n := len(xs); n > 0 && x <= xs[n-1] { // both are within half a miss of 1, or of 0
			continue
		}
		xs, ys = append(xs, x), append(ys, math.Log(p.cost))
	}
	if len(xs) == 1 {
		return math.Exp(ys[0]), true
	}
	var f interp.FritschButland
	if err := f.Fit(xs, ys); err != nil {
		return 0, false
	}
	at := min(xs[len(xs)-1], max(xs[0], Logit(recall, edge)))
	return math.Exp(f.Predict(at)), true
}

// Logit is log(r / (1-r)), kept finite by edge: recall nearer to 0 or 1 than edge stands at the end.
func Logit(r, edge float64) float64 {
	r = min(1-edge, max(edge, r))
	return math.Log(r / (1 - r))
}

// LossFrom is the recall from which on a setting counts in what approximation costs.
const LossFrom = 0.5

// Saturation is [Report.SaturationOf] mAP.
func (r *Report) Saturation(t Terms) (recall float64, ok bool) { return r.SaturationOf(t, metric.MAP) }

// SaturationOf is the lowest recall, of at least [LossFrom], from which on no approximate setting's quantity called name
// (mAP, hit, nDCG) differs from that of exact search by more than chance: 0 where none does, infinite where even the one
// of highest recall does. ok is false where the difference was not measured.
func (r *Report) SaturationOf(t Terms, name string) (recall float64, ok bool) {
	var all []float64
	last := 0.0
	for _, row := range r.Rows {
		if TermsOf(row.Cell) != t || row.Exact {
			continue
		}
		s, have := lossOf(row, name)
		if !have {
			continue
		}
		ok = true
		all = append(all, s.Recall.Median)
		if s.Telling() {
			last = max(last, s.Recall.Median)
		}
	}
	if last == 0 {
		return 0, ok
	}
	next := math.Inf(1)
	for _, x := range all {
		if x > last && x >= LossFrom {
			next = min(next, x)
		}
	}
	return next, ok
}
