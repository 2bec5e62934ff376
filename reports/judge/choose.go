package judge

import (
	"cmp"

	"annbench/bench/metric"
)

// Choice is the setting that speaks for its family: the fastest, by highest median QPS, of those whose
// median recall is at least [Target]; where none reaches it, the one of highest median recall. Equal
// QPS is decided by higher recall, equal recall by higher QPS, and both equal by the order of rows. A
// setting without recall cannot be chosen; one without QPS comes after those that have it.
type Choice struct {
	Family  FamilyRows
	Row     *Row // nil where no setting of the family has a recall
	Reached bool // Row's recall is at least Target
}

// Choose makes the choice for every family under terms t, in their order.
func (r *Report) Choose(t Terms) []Choice {
	var out []Choice
	for _, f := range r.FamiliesOf(t) {
		out = append(out, choose(f))
	}
	return out
}

func choose(f FamilyRows) Choice {
	c := Choice{Family: f}
	var recall, qps float64
	for _, row := range f.Rows {
		rec, ok := row.Value(metric.Recall)
		if !ok {
			continue
		}
		q := -1.0
		if v, ok := row.Value(metric.QPS); ok {
			q = v.Median
		}
		reached := rec.Median >= Target
		var better bool
		switch {
		case c.Row == nil:
			better = true
		case reached != c.Reached:
			better = reached
		case reached:
			better = cmp.Or(cmp.Compare(q, qps), cmp.Compare(rec.Median, recall)) > 0
		default:
			better = cmp.Or(cmp.Compare(rec.Median, recall), cmp.Compare(q, qps)) > 0
		}
		if better {
			c.Row, c.Reached, recall, qps = row, reached, rec.Median, q
		}
	}
	return c
}

// FastestExact is the exact family's row of highest QPS, or nil.
func FastestExact(choices []Choice) *Row {
	var best *Row
	var qps float64
	for _, c := range choices {
		if c.Row == nil || !c.Family.Exact {
			continue
		}
		if v, ok := c.Row.Value(metric.QPS); ok && (best == nil || v.Median > qps) {
			best, qps = c.Row, v.Median
		}
	}
	return best
}
