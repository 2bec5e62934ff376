package tune

import (
	"testing"

	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/reports/judge"
)

// What a stopped search names keeps the limits where anything on as many vectors does, and is best by the objective.
func TestSoFar(t *testing.T) {
	try := func(rows int, family string, score, memory float64) *record.Try {
		return &record.Try{Rows: rows, Family: family, Reached: true, Score: score, Cost: map[string]float64{metric.Resident: memory}}
	}
	tries := []*record.Try{
		try(100, "sample", 1e-9, 1), try(1000, "fast", 1e-6, 900), try(1000, "middle", 2e-6, 300), try(1000, "small", 3e-6, 200),
		{Rows: 1000, Family: "failed", Reached: true, Failed: "oom"},
		{Rows: 1000, Family: "short", Score: 1e-9},
	}
	for _, c := range []struct {
		memory    float64
		objective string
		want      string
		keeps     bool
	}{
		{1000, judge.Speed, "fast", true}, {500, judge.Speed, "middle", true}, {500, metric.Resident, "small", true}, {10, judge.Speed, "small", false},
	} {
		q := Question{Limits: []judge.Limit{{Name: metric.Resident, Bound: c.memory}}, Objective: judge.Objective{Name: c.objective}}
		best, keeps := q.SoFar(tries)
		if best == nil || best.Family != c.want || keeps != c.keeps {
			t.Errorf("within %v, by %s: %+v, %v", c.memory, c.objective, best, keeps)
		}
	}
	if best, _ := (&Question{}).SoFar(tries[4:]); best != nil {
		t.Errorf("%+v", best)
	}
}
