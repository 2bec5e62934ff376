package reports

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"annbench/bench/metric"
	"annbench/bench/record"
)

// law is a family whose queries a second fall off by a power of the odds of recall: on the axes of
// [Report.Match] a straight line, which a monotone cubic must give back.
func law(recall float64) float64 {
	return 5000 * math.Pow(recall/(1-recall), -0.5)
}

func TestMatchInterpolates(t *testing.T) {
	var records []record.Record
	for rep := range 3 {
		for i, recall := range []float64{.7, .85, .93, .97, .995} {
			records = append(records, cell("a", fmt.Sprintf("ef=%d", i), rep, recall, law(recall)))
		}
		records = append(records, cell("a", "ef=90", rep, .92, 10)) // beaten by others: not on the curve
		records = append(records, cell("low", "", rep, .6, 9e5), cell("flat", "", rep, 1, 50), cell("high", "", rep, .999, 700))
	}
	r := load(t, results(t, records...))
	for _, target := range []float64{.8, .9, .95, .99} {
		got := map[string]Match{}
		for _, m := range r.Match(r.Focus, target, metric.QPS) {
			got[m.Family.Name] = m
		}
		if m := got["a"]; m.Reach != At || math.Abs(m.Value.Median/law(target)-1) > 1e-9 || m.Value.N != 3 || m.Recall != target {
			t.Errorf("recall %v: %v queries a second of %d repetitions, want %v", target, m.Value.Median, m.Value.N, law(target))
		}
		lo, _ := got["a"].Under.Value(metric.Recall)
		hi, _ := got["a"].Setting.Value(metric.Recall)
		if lo.Median >= target || hi.Median < target {
			t.Errorf("recall %v is interpolated between %v and %v", target, lo.Median, hi.Median)
		}
		if m := got["low"]; m.Reach != Below || m.Recall != .6 {
			t.Errorf("recall %v: a family of recall 0.6 at most is %+v", target, m)
		}
		if m := got["high"]; m.Reach != Beyond || m.Value.Median != 700 || m.Recall != .999 {
			t.Errorf("recall %v: a family that finds more is %+v", target, m)
		}
		if m := got["flat"]; m.Reach != Beyond || m.Value.Median != 50 {
			t.Errorf("recall %v: exact search is %+v", target, m)
		}
	}
	p := page(t, r)
	for _, want := range []string{"max 0.600", "≤ 1.43 ms"} {
		if !strings.Contains(p, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}

// TestMatchStaysBetween: whatever the points, what is interpolated lies between its neighbours, and
// grows with recall.
func TestMatchStaysBetween(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(2, 8).Draw(rt, "n")
		var points []onCurve
		for range n {
			points = append(points, onCurve{
				recall: rapid.Float64Range(0, 1).Draw(rt, "recall"),
				cost:   rapid.Float64Range(1e-6, 1e3).Draw(rt, "cost"),
			})
		}
		curve := front(points, true)
		if !slices.IsSortedFunc(curve, func(a, b onCurve) int {
			if a.recall < b.recall && a.cost < b.cost {
				return -1
			}
			return 1
		}) {
			rt.Fatalf("the front %v is not ascending in both", curve)
		}
		const edge = 1e-4
		for _, p := range points {
			if !slices.ContainsFunc(curve, func(c onCurve) bool { return c.recall >= p.recall && c.cost <= p.cost }) {
				rt.Fatalf("nothing on the front is as good as %v", p)
			}
		}
		before := 0.0
		for i := range 21 {
			at := curve[0].recall + (curve[len(curve)-1].recall-curve[0].recall)*float64(i)/20
			got, ok := along(curve, at, edge)
			if !ok {
				rt.Fatal("no value")
			}
			if got < curve[0].cost*(1-1e-9) || got > curve[len(curve)-1].cost*(1+1e-9) || got < before*(1-1e-9) {
				rt.Fatalf("%v at recall %v after %v, on %v", got, at, before, curve)
			}
			before = got
		}
	})
}

// TestMatchFollowsItsRepetition: builds that differ in recall are interpolated each by itself.
func TestMatchFollowsItsRepetition(t *testing.T) {
	var records []record.Record
	for rep, shift := range []float64{0, .01, -.01} {
		for i, recall := range []float64{.8, .9, .97} {
			records = append(records, cell("a", fmt.Sprint("ef=", i), rep, recall+shift, law(recall+shift)))
		}
	}
	r := load(t, results(t, records...))
	m := r.Match(r.Focus, .95, metric.QPS)[0]
	for _, o := range m.Value.observed {
		if math.Abs(o.Value/law(.95)-1) > 0.01 { // the law holds in each repetition
			t.Errorf("repetition %d: %v, want %v", o.rep, o.Value, law(.95))
		}
	}
}

func TestEqualMarksTies(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	var records []record.Record
	for rep := range 6 {
		moment := math.Exp(rng.NormFloat64() * 0.2) // disturbs all of a repetition
		own := func() float64 { return math.Exp(rng.NormFloat64() * 0.01) }
		records = append(
			records,
			cell("fast", "", rep, .96, 1000*moment*own()), cell("same", "", rep, .96, 999*moment*own()), cell("slow", "", rep, .96, 800*moment*own()),
		)
	}
	r := load(t, results(t, records...))
	e := r.equalRecall(r.Focus, []float64{.95})
	marks := map[string]bool{}
	for _, l := range e.Lines {
		marks[l.Family] = l.Cells[0].Best
	}
	if !marks["fast"] || !marks["same"] || marks["slow"] {
		t.Errorf("best are %v: repetitions are disturbed together, so that 20 %% less is told apart and 0.1 %% is not", marks)
	}
}

func TestEqualBudgets(t *testing.T) {
	with := func(rec record.Record, resident, build float64) record.Record {
		rec.Values[metric.Resident], rec.Values[metric.Build] = resident, build
		return rec
	}
	// 100 vectors of 4 dimensions: 1,600 bytes.
	r := load(t, results(
		t,
		with(cell("flat", "", 0, 1, 10), 1700, .001), with(cell("small", "", 0, .5, 500), 100, 5), with(cell("large", "", 0, .99, 400), 4000, 50),
	))
	equals := r.Equals(r.Focus)
	if len(equals) != 3 {
		t.Fatalf("%d comparisons, want recall, memory and build", len(equals))
	}
	text := func(e *Equal, family string) string {
		var out []string
		for _, l := range e.Lines {
			if l.Family == family {
				for i, c := range l.Cells {
					out = append(out, e.Heads[i].Title+": "+c.Text)
				}
			}
		}
		return strings.Join(out, ", ")
	}
	for _, c := range []struct {
		of           int
		family, want string
	}{
		{1, "flat", "≤ 100 B: –, ≤ 1.72 KiB: 1.000, ≤ 4.69 KiB: 1.000"},
		{1, "small", "≤ 100 B: 0.500, ≤ 1.72 KiB: 0.500, ≤ 4.69 KiB: 0.500"},
		{1, "large", "≤ 100 B: –, ≤ 1.72 KiB: –, ≤ 4.69 KiB: 0.990"},
		{2, "small", "≤ 10 ms: –, ≤ 10 s: 0.500, ≤ 60 s: 0.500"},
	} {
		if got := text(equals[c.of], c.family); got != c.want {
			t.Errorf("%s: %s is %q, want %q", equals[c.of].Title, c.family, got, c.want)
		}
	}
}
