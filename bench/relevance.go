package bench

import (
	"fmt"
	"math"
	"slices"

	"annbench/bench/dataset"
	"annbench/bench/dataset/attributes"
	"annbench/bench/metric"
	"annbench/bench/record"
)

// bands are how many parts of equal size the values of a number are divided into, to grade by: two prices agree if they
// are in the same fifth of the base. Fewer would call most prices alike, more would grade neighbours down for a cent.
const bands = 5

// judgeOf is what judges up to k answers to the queries of set beside their categories; nil where nothing does.
func judgeOf(set *dataset.Set, k int) (*metric.Judge, error) {
	var r metric.Relevance
	if name := set.Relevance.Item; name != "" {
		a, err := attributeOf(set, name)
		if err != nil {
			return nil, err
		}
		r.Item = &a
	}
	for _, g := range set.Relevance.Gains {
		a, err := attributeOf(set, g.Attribute)
		if err != nil {
			return nil, err
		}
		a.Weight = g.Weight
		if c, _ := set.BaseAttributes().Column(g.Attribute); c.Kind == attributes.Number {
			a.Base, a.Query = inBands(a.Base, a.Query)
		}
		r.Graded = append(r.Graded, a)
	}
	if r.Item == nil && len(r.Graded) == 0 {
		return nil, nil
	}
	return metric.NewJudge(r, selves(set), k)
}

// attributeOf is an attribute of a set, as it stands.
func attributeOf(set *dataset.Set, name string) (metric.Attribute, error) {
	base, ok1 := set.BaseAttributes().Column(name)
	query, ok2 := set.QueryAttributes().Column(name)
	if !ok1 || !ok2 {
		return metric.Attribute{}, fmt.Errorf("%s: the data set has no attribute %q", set.Dir, name)
	}
	return metric.Attribute{Name: name, Base: base.Values, Query: query.Values}, nil
}

// inBands gives the numbers of base and queries as the numbers of their bands.
func inBands(base, query []float64) (b, q []float64) {
	sorted := slices.DeleteFunc(slices.Sorted(slices.Values(base)), func(v float64) bool { return math.IsNaN(v) })
	band := func(values []float64) []float64 {
		out := make([]float64, len(values))
		for i, v := range values {
			if math.IsNaN(v) {
				out[i] = v
				continue
			}
			for j := 1; j < bands && len(sorted) > 0; j++ {
				if v > metric.Percentile(sorted, float64(j)/bands) {
					out[i]++
				}
			}
		}
		return out
	}
	return band(base), band(query)
}

// judgeOf is the judge of the worker's points, for k answers at least. A session adds points to those of the job.
func (w *worker) judgeOf(k int) (*metric.Judge, error) {
	if w.judged >= k {
		return w.judge, nil
	}
	for _, p := range w.Points {
		k = max(k, p.K)
	}
	var err error
	if w.judge, err = judgeOf(w.set, k); err == nil {
		w.judged = k
	}
	return w.judge, err
}

// describeRelevance says what makes an answer right in a set beside its category; nil where nothing does.
func describeRelevance(set *dataset.Set) (*record.Relevance, error) {
	judge, err := judgeOf(set, 1)
	if judge == nil || err != nil {
		return nil, err
	}
	r := &record.Relevance{Item: set.Relevance.Item}
	for _, g := range set.Relevance.Gains {
		r.Gains = append(r.Gains, record.Gain{Attribute: g.Attribute, Weight: g.Weight})
	}
	if judge.Item != nil {
		things := map[float64]bool{}
		for _, v := range judge.Item.Base {
			if !math.IsNaN(v) {
				things[v] = true
			}
		}
		r.Items = len(things)
	}
	for q := range set.Queries.Rows {
		if judge.Items(q) > 0 {
			r.ItemQueries++
		}
		if judge.Graded != nil && judge.CanGrade(q) {
			r.GradedQueries++
		}
	}
	return r, nil
}

// known adds to item what the attributes t of its half of the set say of its row.
func known(item *record.Item, set *dataset.Set, t *attributes.Table, row int) {
	if c, ok := t.Column(set.Relevance.Item); ok && set.Relevance.Item != "" {
		item.Thing = c.Text(row)
	}
	for _, g := range set.Relevance.Gains {
		if c, ok := t.Column(g.Attribute); ok && !c.Missing(row) {
			if item.Attributes == nil {
				item.Attributes = map[string]string{}
			}
			item.Attributes[g.Attribute] = c.Text(row)
		}
	}
}
