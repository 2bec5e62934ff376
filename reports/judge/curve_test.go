package judge

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/reports/internal/fixture"
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
			records = append(records, fixture.Cell("a", fmt.Sprintf("ef=%d", i), rep, recall, law(recall)))
		}
		records = append(records, fixture.Cell("a", "ef=90", rep, .92, 10)) // beaten by others: not on the curve
		records = append(records, fixture.Cell("low", "", rep, .6, 9e5), fixture.Cell("flat", "", rep, 1, 50), fixture.Cell("high", "", rep, .999, 700))
	}
	r := fixture.Load(t, Load, fixture.Results(t, records...))
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
			records = append(records, fixture.Cell("a", fmt.Sprint("ef=", i), rep, recall+shift, law(recall+shift)))
		}
	}
	r := fixture.Load(t, Load, fixture.Results(t, records...))
	m := r.Match(r.Focus, .95, metric.QPS)[0]
	for _, o := range m.Value.observed {
		if math.Abs(o.Value/law(.95)-1) > 0.01 { // the law holds in each repetition
			t.Errorf("repetition %d: %v, want %v", o.rep, o.Value, law(.95))
		}
	}
}
