package judge

import (
	"math"
	"testing"

	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/reports/internal/fixture"
)

// Where nothing comes up to the target, verdict and pick name one setting: of equal recalls the fastest, and not the one of
// highest median whose interval reaches farther down.
func TestNearestIsTheHighest(t *testing.T) {
	var all []record.Record
	for rep := range 3 {
		wide := []float64{.99, .96, .80}[rep]
		all = append(all, fixture.Cell("a", "", rep, .9, 100), fixture.Cell("b", "", rep, .9, 900), fixture.Cell("c", "", rep, wide, 900))
	}
	r := fixture.Load(t, Load, fixture.Results(t, all...))
	v, p := r.Decide(), r.Pick(r.Focus, []Limit{{Name: metric.Recall, Bound: Target}})
	if v.Outcome != NoneReach || p.Nearest == nil || v.Highest.Row != p.Nearest.Row || p.Nearest.Family.Name != "b" {
		t.Errorf("outcome %d, the verdict's %s, the pick's %+v", v.Outcome, v.Highest.Family.Name, p.Nearest)
	}
}

// A setting of which the objective is not known is no best, the best is within 5 % of the least, and what more recall
// costs is that of the setting named.
func TestPickByNamesTheLeast(t *testing.T) {
	var all []record.Record
	for _, f := range []struct {
		name          string
		qps, resident float64
	}{{"fast", 9000, 0}, {"a", 1000, 100}, {"b", 2000, 104}, {"c", 3000, 108}} {
		for rep := range 3 {
			rec := fixture.Cell(f.name, "ef=1", rep, .96, f.qps)
			more := fixture.Cell(f.name, "ef=2", rep, .99, f.qps/4)
			if f.name == "b" {
				more.Values[metric.QPS] = f.qps / 2
			}
			if f.resident > 0 {
				rec.Values[metric.Resident], more.Values[metric.Resident] = f.resident, f.resident
			}
			all = append(all, rec, more)
		}
	}
	r := fixture.Load(t, Load, fixture.Results(t, all...))
	limits := []Limit{{Name: metric.Recall, Bound: Target}}
	p := r.PickBy(r.Focus, limits, Objective{Name: metric.Resident})
	if got := p.Best.Row.Cell; got.Family != "b" || got.Search != "ef=1" {
		t.Errorf("best is %s %s, want b", got.Family, got.Search)
	}
	if last := p.Fit[len(p.Fit)-1].Family.Name; last != "fast" {
		t.Errorf("the last is %s, want the one whose memory is not known", last)
	}
	if p.More <= 1 || p.More >= 2 {
		t.Errorf("a percent more of recall costs %v times the time: b takes twice the time for 3 %%", p.More)
	}
}

// Values that are absurdly far apart have no interval, rather than one that is no number.
func TestAbsurdValuesHaveNoInterval(t *testing.T) {
	for _, low := range []float64{1e-300, 1e-12, 1e12} {
		r := fixture.Load(t, Load, fixture.Results(t, fixture.Cell("a", "", 0, 1, low), fixture.Cell("a", "", 1, 1, 1e300), fixture.Cell("a", "", 2, 1, 5)))
		v, _ := r.Rows[0].Value(Speed)
		if math.IsNaN(v.Lo+v.Hi) || math.IsInf(v.Hi, 0) || v.Lo > v.Median || v.Hi < v.Median {
			t.Errorf("%v: %v from %v to %v", low, v.Median, v.Lo, v.Hi)
		}
	}
}
