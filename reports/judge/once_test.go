package judge

import (
	"testing"

	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/reports/internal/fixture"
)

// TestCompareOnce: a speed that was measured once counts as changed only where its whole interval lies beyond [Once].
func TestCompareOnce(t *testing.T) {
	load := func(factor float64, reps int) *Report {
		var all []record.Record
		for rep := range reps {
			for i, family := range []string{"a", "b", "c", "d"} {
				rounds := &record.Rounds{}
				for n := range 8 {
					seconds := 1e-3 / factor * (1 + .004*float64((n+i+rep)%3))
					rounds.At, rounds.Wall, rounds.P50, rounds.CPU = append(rounds.At, n), append(rounds.Wall, seconds), append(rounds.P50, seconds), append(rounds.CPU, seconds)
				}
				rec := fixture.Cell(family, "", rep, 1, 1000*factor*(1+.002*float64((rep+i)%3)))
				cpu := 1 / rec.Values[metric.QPS]
				rec.Values[metric.CPU], rec.Rounds, rec.Spread = cpu, rounds, map[string]float64{metric.CPU: cpu * cpu * 1e-4}
				all = append(all, rec)
			}
		}
		return fixture.Load(t, Load, fixture.Results(t, all...))
	}
	for _, c := range []struct {
		factor float64
		reps   int
		want   Change
	}{
		{1, 1, Same}, {.8, 1, Unsure}, {.5, 1, Worse}, {2, 1, Better}, {.8, 3, Worse},
	} {
		p := Compare(load(1, c.reps), load(c.factor, c.reps), 0)
		if p.MeasuredOnce() != (c.reps == 1) {
			t.Errorf("%v times, %d repetitions: measured once: %t", c.factor, c.reps, p.MeasuredOnce())
		}
		speeds := 0
		for _, cell := range p.Cells {
			for _, ch := range cell.Changes {
				if ch.Name == metric.CPU {
					speeds++
					if ch.Change != c.want {
						t.Errorf("%v times, %d repetitions: %s %q, interval %.3g to %.3g; want %q", c.factor, c.reps, cell.Cell.Family, ch.Change, ch.Difference.Lo, ch.Difference.Hi, c.want)
					}
				}
			}
		}
		if speeds != 4 {
			t.Errorf("%d speeds were compared", speeds)
		}
	}
}
