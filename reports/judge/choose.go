package judge

import (
	"cmp"
	"slices"

	"annbench/bench/metric"
)

// Choice is the setting that speaks for its family: of those whose recall is at least [Target], by the worse
// end of its interval, the fastest; where none reaches it, the one of highest median recall. It is the
// setting that [Report.Pick] takes of the family under that limit. Equal speed is decided by higher recall,
// equal recall by higher speed, and both equal by the order of rows. A setting without recall cannot be
// chosen; one without a speed comes after those that have it.
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
	if c.Row = fastestWithin(f, []Limit{{metric.Recall, Target}}); c.Row != nil {
		c.Reached = true
		return c
	}
	var recall, speed float64
	for _, row := range f.Rows {
		rec, ok := row.Value(metric.Recall)
		if !ok {
			continue
		}
		s := row.chosenBy()
		if c.Row == nil || cmp.Or(cmp.Compare(rec.Median, recall), cmp.Compare(s, speed)) > 0 {
			c.Row, recall, speed = row, rec.Median, s
		}
	}
	return c
}

// Higher is the setting of the family that reaches [Target], too, and whose median speed over all rounds is the highest
// above that of Row; nil where Row's is. It is faster by no more than noise: Row was chosen by one half of the rounds.
func (c Choice) Higher() (found *Row) {
	if !c.Reached {
		return nil
	}
	high, _ := c.Row.Value(Speed)
	for _, row := range c.Family.Rows {
		if v, ok := row.Value(Speed); ok && v.Median > high.Median && row.OK() > 0 && row.keeps([]Limit{{metric.Recall, Target}}) {
			found, high = row, v
		}
	}
	return found
}

// chosenBy is the speed that the row is chosen by: that of its rounds of even number where there are enough,
// as its speed against other families is judged by the others; -1 where it has none. See [Row.beaten].
func (r *Row) chosenBy() float64 {
	if v, ok := r.Value(Speed); ok {
		return v.half(0).Median
	}
	return -1
}

// fastestWithin is the fastest setting of a family that keeps all limits, or nil; see [Choice] for equal ones. A
// setting which all rounds together show to be slower than another of these does not speak for the family, however
// fast the rounds that choose found it: a reader would see the faster one beside it in the table.
func fastestWithin(f FamilyRows, limits []Limit) *Row {
	var kept []*Row
	for _, row := range f.Rows {
		if row.OK() > 0 && row.keeps(limits) {
			kept = append(kept, row)
		}
	}
	left := slices.DeleteFunc(slices.Clone(kept), func(row *Row) bool { return row.beaten(kept) })
	if len(left) == 0 { // each is slower than some other
		left = kept
	}
	return fastestOf(left)
}

// beaten reports whether any of others is faster, by the interval of all rounds.
func (r *Row) beaten(others []*Row) bool {
	own, ok := r.Value(Speed)
	return ok && slices.ContainsFunc(others, func(o *Row) bool {
		v, ok := o.Value(Speed)
		if !ok || o == r {
			return false
		}
		d := v.Against(own)
		return TieOf(d) == Apart && d.Difference > 1
	})
}

func fastestOf(rows []*Row) *Row {
	var best *Row
	var speed, recall float64
	for _, row := range rows {
		s, rec := row.chosenBy(), 0.0
		if v, ok := row.Value(metric.Recall); ok {
			rec = v.Median
		}
		if best == nil || cmp.Or(cmp.Compare(s, speed), cmp.Compare(rec, recall)) > 0 {
			best, speed, recall = row, s, rec
		}
	}
	return best
}

func (r *Row) keeps(limits []Limit) bool {
	for _, l := range limits {
		if !MarginOf(r, l).Keeps() {
			return false
		}
	}
	return true
}

// FastestExact is the exact family's row of highest speed, or nil.
func FastestExact(choices []Choice) *Row {
	var best *Row
	var speed float64
	for _, c := range choices {
		if c.Row == nil || !c.Family.Exact {
			continue
		}
		if v, ok := c.Row.Value(Speed); ok && (best == nil || v.Median > speed) {
			best, speed = c.Row, v.Median
		}
	}
	return best
}

// Speedup is the choice's speed against that of base: ok is false where there is no base, and where the choice
// does not reach the recall, because a speed at another recall compares with nothing.
func (c Choice) Speedup(base *Row) (d Difference, ok bool) {
	if base == nil || !c.Reached {
		return d, false
	}
	a, aok := c.Row.Value(Speed)
	b, bok := base.Value(Speed)
	if !aok || !bok || b.Median <= 0 {
		return d, false
	}
	return a.Judged(b), true
}
