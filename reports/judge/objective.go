package judge

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"annbench/bench/metric"
	"annbench/bench/record"
)

// Objective is what is best among the settings that keep all limits. The zero value is the highest speed.
type Objective struct {
	// Name is [Speed] or empty, [Cost], or a quantity of package metric's table.
	Name   string
	Prices record.Prices // of Cost
}

// Cost is the objective of least money a month; see [Month].
const Cost = "cost"

// ParsePrices reads prices out of a YAML file; path names it in errors.
func ParsePrices(path string, text []byte) (p record.Prices, err error) {
	if err := yaml.UnmarshalWithOptions(text, &p, yaml.Strict()); err != nil {
		return p, fmt.Errorf("%s is no table of prices, which has the keys currency, core, gib, queries_per_second and busy, a number each but for the first", path)
	}
	if err := checkPrices(p); err != nil {
		return p, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

// checkPrices reports what is wrong with p.
func checkPrices(p record.Prices) error {
	switch {
	case !(p.Core >= 0) || !(p.GiB >= 0) || p.Core+p.GiB == 0 || math.IsInf(p.Core+p.GiB, 0):
		return fmt.Errorf("core and gib are prices a month, of which one at least is above 0; they are %v and %v", p.Core, p.GiB)
	case !(p.QPS > 0) || math.IsInf(p.QPS, 0):
		return fmt.Errorf("queries_per_second must be above 0, not %v", p.QPS)
	case !(p.Busy >= 0 && p.Busy <= 1):
		return fmt.Errorf("busy is a share above 0 and at most 1, not %v", p.Busy)
	}
	return nil
}

// Month is what a setting costs a month that takes so many seconds of processor time a query and so many bytes of
// memory: Core · QPS · seconds / Busy + GiB · bytes / 2^30. Fractions of a core count.
func Month(p record.Prices, seconds, bytes float64) float64 {
	busy := p.Busy
	if busy == 0 {
		busy = 0.5
	}
	return p.Core*p.QPS*seconds/busy + p.GiB*bytes/(1<<30)
}

// objectives are the names that people give.
var objectives = []struct{ word, name string }{
	{"speed", Speed},
	{"memory", metric.Resident},
	{"file", metric.Serialized},
	{"build", metric.Build},
	{"map", metric.MAP},
	{"hit", metric.ItemHit},
	{"ndcg", metric.NDCG},
	{Cost, Cost},
}

// ParseObjective reads the name of an objective, or of a quantity.
func ParseObjective(word string) (Objective, error) {
	var words []string
	for _, o := range objectives {
		if o.word == word {
			return Objective{Name: o.name}, nil
		}
		words = append(words, o.word)
	}
	if _, ok := metric.Lookup(word); ok {
		return Objective{Name: word}, nil
	}
	return Objective{}, fmt.Errorf("no objective %q: there are %s, and the quantities of docs/reference/quantities.md by name", word, strings.Join(words, ", "))
}

// Lower reports whether less is better.
func (o Objective) Lower() bool {
	if o.Name == Cost {
		return true
	}
	info := lookup(o.name())
	return info.Lower
}

func (o Objective) name() string {
	if o.Name == "" {
		return Speed
	}
	return o.Name
}

// Of is what is to be small, from values by the names of package metric; ok is false where they lack it.
func (o Objective) Of(values map[string]float64) (x float64, ok bool) {
	switch o.name() {
	case Speed:
		x, ok = values[metric.CPU]
		return x, ok
	case Cost:
		cpu, ok1 := values[metric.CPU]
		bytes, ok2 := values[metric.Resident]
		return Month(o.Prices, cpu, bytes), ok1 && ok2
	}
	x, ok = values[o.Name]
	if !o.Lower() {
		x = -x
	}
	return x, ok
}

// ofRow is [Objective.Of] of a row's medians.
func (o Objective) ofRow(row *Row) float64 {
	values := map[string]float64{}
	if v, ok := row.Value(Speed); ok && v.Median > 0 {
		values[metric.CPU] = 1 / v.Median
	}
	for _, name := range []string{metric.Resident, o.Name} {
		if v, ok := row.Value(name); ok {
			values[name] = v.Median
		}
	}
	if x, ok := o.Of(values); ok {
		return x
	}
	return math.Inf(1)
}

// Asked are the limits and the objective of a search.
func Asked(s *record.Search) (limits []Limit, o Objective) {
	for _, b := range s.Limits {
		limits = append(limits, Limit(b))
	}
	o.Name = s.Objective
	if s.Prices != nil {
		o.Prices = *s.Prices
	}
	return limits, o
}

// PickBy is [Report.Pick] for another objective than speed: of the settings that keep every limit, the one that is
// best by it, one a family. Those within 5 % of the best are as good, and speed decides among them. A setting of which
// the objective is not known comes after all others.
func (r *Report) PickBy(t Terms, limits []Limit, o Objective) Pick {
	limits = r.asJudged(t, limits)
	p := r.Pick(t, limits)
	if o.name() == Speed || p.Best == nil {
		return p
	}
	var fit []Candidate
	for _, f := range r.FamiliesOf(t) {
		var kept []Candidate
		for _, row := range f.Rows {
			speed, ok := row.Value(Speed)
			if !ok || speed.Median <= 0 || !row.keeps(limits) {
				continue
			}
			c := Candidate{Row: row, Family: f, Speed: speed}
			for _, l := range limits {
				c.Margins = append(c.Margins, MarginOf(row, l))
			}
			kept = append(kept, c)
		}
		if o.order(kept); len(kept) > 0 {
			fit = append(fit, kept[0])
		}
	}
	o.order(fit)
	for i := range fit[1:] {
		fit[i+1].Against = fit[i+1].Speed.Judged(fit[0].Speed)
	}
	p.Fit, p.Best, p.Reason, p.Others = fit, &fit[0], ByObjective, fit[1:min(3, len(fit))]
	p.Objective = o.name()
	r.about(&p)
	return p
}

// order puts those first that are within 5 % of the best, by speed, then the others, the better before the worse.
func (o Objective) order(all []Candidate) {
	slices.SortStableFunc(all, func(a, b Candidate) int { return cmp.Compare(o.ofRow(a.Row), o.ofRow(b.Row)) })
	if len(all) == 0 {
		return
	}
	best := o.ofRow(all[0].Row)
	good := slices.IndexFunc(all, func(c Candidate) bool {
		x := o.ofRow(c.Row)
		return math.Abs(x-best) > (1-less)*max(math.Abs(x), math.Abs(best)) || math.IsInf(x, 1) && !math.IsInf(best, 1)
	})
	if good < 0 {
		good = len(all)
	}
	slices.SortStableFunc(all[:good], func(a, b Candidate) int { return cmp.Compare(b.Speed.Median, a.Speed.Median) })
}
