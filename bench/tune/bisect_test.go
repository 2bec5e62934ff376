package tune

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"annbench/bench"
	"annbench/bench/metric"
	"annbench/indexes"
	"annbench/reports/judge"
)

// curve is an index whose queries each need an effort of their own to be answered in full: recall over all is
// monotone in effort, and known.
type curve struct {
	need  []float64 // by query: the effort from which its recall is 1; below it is effort over need
	asked int       // queries, in all
}

func newCurve(queries int, typical float64, seed uint64) *curve {
	r := rand.New(rand.NewPCG(seed, 1))
	c := &curve{}
	for range queries {
		c.need = append(c.need, typical*math.Exp(0.8*r.NormFloat64()))
	}
	return c
}

func (c *curve) at(effort float64, n int) (values []float64) {
	for _, need := range c.need[:n] {
		values = append(values, min(1, effort/need))
	}
	return values
}

func (c *curve) try(_ context.Context, p indexes.Params, n int) (bench.Tried, error) {
	c.asked += n
	effort := float64(p.Int("ef"))
	v := c.at(effort, n)
	return bench.Tried{
		Queries: n, Seconds: effort * 1e-6,
		Values: map[string]float64{metric.Recall: metric.Average(v)}, Spread: map[string]float64{metric.Recall: metric.StandardError(v)},
	}, nil
}

func (c *curve) worst(effort float64) float64 {
	v := c.at(effort, len(c.need))
	return metric.Average(v) - confident*metric.StandardError(v)
}

var ef = indexes.Param{Name: "ef", Kind: indexes.Int, Default: 64, Min: 1, Max: 1 << 20}

// TestBisectFindsTheLeastEffort: on curves that are known, what is found keeps the limit by its worse end, what is two
// per cent (or 1) below does not or is within .002, and most steps ask few queries.
func TestBisectFindsTheLeastEffort(t *testing.T) {
	curves, over, asked := 0, 0, 0
	for seed := range uint64(40) {
		for _, typical := range []float64{2, 30, 400, 9000} {
			for _, target := range []float64{0.8, 0.95, 0.99} {
				c := newCurve(1000, typical, seed)
				clamp := func(p indexes.Params) indexes.Params { return p }
				f, err := Bisect(t.Context(), c.try, &ef, clamp, indexes.Params{"ef": 64}, 1000, judge.Limit{Name: metric.Recall, Bound: target})
				if err != nil {
					t.Fatal(err)
				}
				at := float64(f.Search.Int("ef"))
				if w := c.worst(at); !f.Reached || w < target || math.Abs(w-f.Worst) > 1e-9 || f.Tried.Queries != 1000 {
					t.Errorf("need %v, target %v: effort %v has a worse end of %v, found %+v", typical, target, at, w, f)
				}
				curves++
				asked += c.asked
				if below := c.worst(min(at-1, at/closest/closest)); below >= target && c.worst(at)-target > Within {
					over++ // a hundred queries can be wrong about all of them
				}
			}
		}
	}
	if over > curves/20 {
		t.Errorf("more effort than is needed on %d of %d curves", over, curves)
	}
	if asked > curves*7500 {
		t.Errorf("%d queries asked a curve: more than seven passes over them", asked/curves)
	}
	t.Logf("%d queries a curve, %d of %d with more effort than is needed", asked/curves, over, curves)
}

// TestBisectAtTheEnds: an index that always keeps the limit takes the least effort, one that never does says so with
// its best, one whose effort stops to matter stops there, and one without an effort is tried as it is.
func TestBisectAtTheEnds(t *testing.T) {
	limit := judge.Limit{Name: metric.Recall, Bound: 0.95}
	same := func(p indexes.Params) indexes.Params { return p }
	easy := newCurve(500, 0.01, 1)
	f, err := Bisect(t.Context(), easy.try, &ef, same, indexes.Params{"ef": 64}, 500, limit)
	if err != nil || !f.Reached || f.Search.Int("ef") != 1 {
		t.Errorf("an easy index: %+v, %v", f, err)
	}
	capped := func(p indexes.Params) indexes.Params { return indexes.Params{"ef": min(p.Int("ef"), 300)} }
	hard := newCurve(500, 1000, 1)
	f, err = Bisect(t.Context(), hard.try, &ef, capped, indexes.Params{"ef": 64}, 500, limit)
	if err != nil || f.Reached || f.Search.Int("ef") != 300 {
		t.Errorf("an index that cannot: %+v, %v", f, err)
	}
	fixed := newCurve(500, 1, 1)
	f, err = Bisect(t.Context(), fixed.try, nil, same, indexes.Params{"ef": 64}, 500, limit)
	if err != nil || !f.Reached || fixed.asked > 500 {
		t.Errorf("an index without effort: %+v, %v, %d queries", f, err, fixed.asked)
	}
}
