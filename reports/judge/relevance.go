package judge

import (
	"math"

	"annbench/bench/metric"
	"annbench/bench/record"
)

// RelevanceKind is by what an answer is right.
type RelevanceKind int

// The kinds of relevance.
const (
	ByCategory RelevanceKind = iota // it has the category of the query
	ByItem                          // it is the same thing
	ByGrade                         // it shares attributes with the query
)

// relevanceKinds are all kinds with the quantity that speaks for each. Of each there are the quantity of exact search,
// the loss and the ends of its interval, under [metric.ExactSuffix] and its kin.
var relevanceKinds = []struct {
	kind RelevanceKind
	name string
}{
	{ByCategory, metric.MAP},
	{ByItem, metric.ItemHit},
	{ByGrade, metric.NDCG},
}

// LossTargets are the recalls at which [Report.Relevance] says what approximation costs.
var LossTargets = []float64{0.5, 0.8, 0.9, 0.95, 0.99}

// nearTarget is how far a setting's recall may be from a target and still stand for it, in logits: .43 to .57 for .5,
// .87 to .92 for .9, .987 to .993 for .99.
const nearTarget = 0.3

// Relevance is what one kind of relevance concludes.
type Relevance struct {
	Kind  RelevanceKind
	Name  string // of its quantity
	Exact Value  // of exact search over the same queries
	// Saturation is the recall from which on more recall buys nothing; see [Report.SaturationOf].
	Saturation float64
	Steps      []LossStep // one for each of [LossTargets] that a setting is near to
}

// LossStep is a setting near a recall, and what it loses against exact search.
type LossStep struct {
	Target        float64
	Row           *Row
	Recall, Value Value
	Loss, Lo, Hi  float64 // the quantity less that of exact search, and its 95 % interval, paired over queries
}

// Telling reports whether the loss is more than chance: its interval excludes 0.
func (s LossStep) Telling() bool { return s.Lo > 0 || s.Hi < 0 }

// Relevance gives every kind of relevance that the data of terms t allows, in the order of the constants.
func (r *Report) Relevance(t Terms) []Relevance {
	var out []Relevance
	for _, k := range relevanceKinds {
		one := Relevance{Kind: k.kind, Name: k.name}
		found := false
		for _, row := range r.Rows {
			if TermsOf(row.Cell) != t {
				continue
			}
			if v, ok := row.Value(k.name + metric.ExactSuffix); ok {
				one.Exact, found = v, true
				break
			}
		}
		if !found {
			continue
		}
		one.Saturation, _ = r.SaturationOf(t, k.name)
		for _, target := range LossTargets {
			if s, ok := r.lossAt(t, k.name, target); ok {
				one.Steps = append(one.Steps, s)
			}
		}
		out = append(out, one)
	}
	return out
}

// lossAt is the approximate setting whose recall is nearest to the target, in logits.
func (r *Report) lossAt(t Terms, name string, target float64) (best LossStep, ok bool) {
	edge := r.edge(t)
	least := nearTarget
	for _, row := range r.Rows {
		if TermsOf(row.Cell) != t || row.Exact || row.Status() != record.OK {
			continue
		}
		s, have := lossOf(row, name)
		if !have {
			continue
		}
		if off := math.Abs(Logit(s.Recall.Median, edge) - Logit(target, edge)); off <= least {
			s.Target = target
			best, least, ok = s, off, true
		}
	}
	return best, ok
}

// lossOf is what a setting loses of the quantity called name against exact search.
func lossOf(row *Row, name string) (s LossStep, ok bool) {
	s.Row = row
	recall, ok1 := row.Value(metric.Recall)
	own, ok2 := row.Value(name)
	loss, ok3 := row.Value(name + metric.DeltaSuffix)
	lo, ok4 := row.Value(name + metric.DeltaSuffix + metric.LoSuffix)
	hi, ok5 := row.Value(name + metric.DeltaSuffix + metric.HiSuffix)
	s.Recall, s.Value, s.Loss, s.Lo, s.Hi = recall, own, loss.Median, lo.Median, hi.Median
	return s, ok1 && ok2 && ok3 && ok4 && ok5
}
