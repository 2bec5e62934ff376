package judge

import (
	"slices"
	"testing"

	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/reports/internal/fixture"
)

// Near the top, the answer must not turn on which of nearly equal families one run happens to tell apart.
func TestPickAmongEquals(t *testing.T) {
	type family struct {
		name                 string
		qps, resident, build float64
	}
	for _, c := range []struct {
		name     string
		families []family
		want     string
		reason   Reason
	}{
		{"3 % slower for certain, and cheaper", []family{{"a", 100, 10e6, 8}, {"b", 97, 10e6, 4}}, "b", ByFrugal},
		{"6 % slower for certain", []family{{"a", 100, 10e6, 8}, {"b", 94, 10e6, 4}}, "a", ByFastest},
		{"alike in all", []family{{"a", 100, 10e6, 8}, {"b", 99, 10e6, 7.76}}, "a", ByFastest},
		// A third family that takes less memory, and more of the build than it saves, changes nothing.
		{"a third", []family{{"a", 100, 10e6, 8}, {"b", 97, 10e6, 4}, {"c", 98, 9e6, 32}}, "b", ByFrugal},
		{"half the memory, twice the build time", []family{{"a", 98, 10e6, 8}, {"b", 100, 5e6, 16}}, "a", ByFrugal},
		{"a fifth less memory, twice the build time", []family{{"a", 98, 10e6, .4}, {"b", 100, 8e6, .8}}, "a", ByFrugal},
		{"a third less memory of builds below a second", []family{{"a", 100, 10e6, .05}, {"b", 98, 6.6e6, .9}}, "b", ByFrugal},
		// What one run's speed decides, the next one's does not: of these three, b is built as soon as a.
		{"of those built as soon, the fastest", []family{{"a", 99, 10e6, .5}, {"b", 100, 11e6, .51}, {"c", 98, 10e6, .9}}, "b", ByFrugal},
		{"no memory measured of one", []family{{"a", 100, 10e6, 8}, {"b", 98, 0, 4}}, "a", ByFastest},
		{"exact 3 % slower", []family{{"a", 100, 10e6, .1}, {"flat", 97, 10e6, 1}}, "flat", ByExactEnough},
		{"exact 6 % slower", []family{{"a", 100, 10e6, .1}, {"flat", 94, 10e6, .1}}, "a", ByFastest},
	} {
		var all []record.Record
		for _, f := range c.families {
			for rep := range 4 {
				rec := fixture.Cell(f.name, "", rep, 1, f.qps*(1+.001*float64(rep)))
				rec.Values[metric.Resident], rec.Values[metric.Build] = f.resident, f.build
				if f.resident == 0 {
					delete(rec.Values, metric.Resident)
				}
				all = append(all, rec)
			}
		}
		r := fixture.Load(t, Load, fixture.Results(t, all...))
		p := r.Pick(r.Focus, []Limit{{Name: metric.Recall, Bound: .95}})
		if got := p.Best.Row.Cell.Family; got != c.want || p.Reason != c.reason {
			t.Errorf("%s: %s by reason %d; want %s by %d", c.name, got, p.Reason, c.want, c.reason)
		}
	}
}

// The rule of [Slight] holds of few repetitions, too, and a family that lacks some does not change what holds between others.
func TestPickOfFewRepetitions(t *testing.T) {
	for _, c := range []struct {
		name   string
		reps   map[string]int
		qps    map[string]float64
		want   string
		reason Reason
	}{
		{"once, 4 % slower", map[string]int{"a": 1, "flat": 1}, map[string]float64{"a": 100, "flat": 96}, "flat", ByExactEnough},
		{"once, 6 % slower", map[string]int{"a": 1, "flat": 1}, map[string]float64{"a": 100, "flat": 94}, "a", ByFastest},
		{"twice, 4 % slower", map[string]int{"a": 2, "flat": 2}, map[string]float64{"a": 100, "flat": 96}, "flat", ByExactEnough},
		{"all four times", map[string]int{"a": 4, "flat": 4, "b": 4}, map[string]float64{"a": 100, "flat": 97, "b": 98}, "flat", ByExactEnough},
		{"one of them twice", map[string]int{"a": 4, "flat": 4, "b": 2}, map[string]float64{"a": 100, "flat": 97, "b": 98}, "flat", ByExactEnough},
		{"one of them once", map[string]int{"a": 4, "flat": 4, "b": 1}, map[string]float64{"a": 100, "flat": 97, "b": 98}, "flat", ByExactEnough},
	} {
		var all []record.Record
		for family, n := range c.reps {
			for rep := range n {
				rec := fixture.Cell(family, "", rep, 1, c.qps[family]*(1+.001*float64(rep)))
				rec.Values[metric.CPU] = 1 / rec.Values[metric.QPS]
				rec.Rounds = &record.Rounds{}
				for round := range 2 * minRounds { // those of odd number take a tenth longer, of all families alike
					rec.Rounds.At = append(rec.Rounds.At, round)
					rec.Rounds.CPU = append(rec.Rounds.CPU, rec.Values[metric.CPU]*(1+.1*float64(round%2)))
				}
				all = append(all, rec)
			}
		}
		r := fixture.Load(t, Load, fixture.Results(t, all...))
		p := r.Pick(r.Focus, []Limit{{Name: metric.Recall, Bound: .95}})
		if got := p.Best.Row.Cell.Family; got != c.want || p.Reason != c.reason {
			t.Errorf("%s: %s by reason %d; want %s by %d", c.name, got, p.Reason, c.want, c.reason)
		}
		for _, e := range r.Equals(r.Focus) {
			if e.By != metric.Recall {
				continue
			}
			for _, l := range e.Lines {
				if at := l.Cells[slices.Index(e.Amounts, .95)]; l.Family.Name == c.want && !at.Best {
					t.Errorf("%s: at equal recall %s is not marked", c.name, c.want)
				}
			}
		}
	}
}

// "As fast as the fastest" is no equivalence: of two families that both are, one may be slower than the other for certain.
// Then it is not the answer.
func TestPickIsNotSlower(t *testing.T) {
	tied := 0
	for seed := range uint64(300) {
		r := fixture.Load(t, Load, fixture.Results(t, fixture.Random(seed)...))
		for _, terms := range []Terms{r.Focus} {
			p := r.Pick(terms, []Limit{{Name: metric.Recall, Bound: .9}})
			if p.Best == nil || p.Reason == ByFastest {
				continue
			}
			tied++
			for _, c := range p.Fit {
				if !asFast(c.Speed.Judged(p.Best.Speed)) {
					t.Errorf("seed %d: %s is the answer, and %s is faster: %+v", seed, p.Best.Row.Cell.Family, c.Row.Cell.Family, c.Against)
				}
			}
		}
	}
	if tied < 20 {
		t.Errorf("only %d sets have families that are as fast", tied)
	}
}

// A value without an interval is no more certain than what a repetition found; a wide interval has an end.
func TestLimitsGoByTheWorst(t *testing.T) {
	for _, c := range []struct {
		name   string
		p99    []float64
		spread float64
		limit  float64
		keeps  bool
	}{
		{"one repetition was slow", []float64{45e-6, 44e-6, 1548e-6}, 0, 1e-3, false},
		{"two repetitions, no interval", []float64{45e-6, 1548e-6}, 0, 1e-3, false},
		{"two repetitions, no interval", []float64{45e-6, 1548e-6}, 0, 2e-3, true},
		// A p99 at the edge of a tail of tens of milliseconds, as bootstraps find it.
		{"a tail", []float64{56e-6, 61e-6, 55e-6}, 13e-3, 1, true},
		{"a tail", []float64{56e-6, 61e-6, 55e-6}, 13e-3, 1e-3, false},
	} {
		var all []record.Record
		for rep, p99 := range c.p99 {
			rec := fixture.Cell("a", "", rep, 1, 100)
			rec.Values[metric.P99] = p99
			rec.Spread = map[string]float64{metric.P99: c.spread}
			all = append(all, rec)
		}
		r := fixture.Load(t, Load, fixture.Results(t, all...))
		m := MarginOf(r.Rows[0], Limit{Name: metric.P99, Bound: c.limit})
		if m.Keeps() != c.keeps {
			t.Errorf("%s: %v under a limit of %v: the worst is %v, keeps it: %v", c.name, c.p99, c.limit, m.Worst, m.Keeps())
		}
	}
}
