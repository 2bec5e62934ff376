package bench

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"annbench/bench/metric"
	"annbench/bench/record"
)

// busyRecords are made up: four settings, each by two processes that differ by some percent, in rounds that a load
// disturbs together and each block alone. wrong is how many times slower the second process of every setting is.
func busyRecords(reps int, wrong float64) []*record.Record {
	rng := rand.New(rand.NewPCG(4, 9))
	var out []*record.Record
	for rep := range reps {
		var moments []float64
		for range busyRounds {
			moments = append(moments, 0.3*rng.NormFloat64())
		}
		for i, s := range []struct{ family, search string }{{"flat", ""}, {"forest", "search_k=100"}, {"graph", "ef=32"}, {"graph", "ef=54"}} {
			for copied := range busyCopies {
				process := 0.02 * rng.NormFloat64()
				r := &record.Record{
					Cell: record.Cell{Family: s.family, Search: s.search}, Rep: rep, Status: record.OK,
					Values: map[string]float64{metric.OnCPU: .5, metric.Samples: 1000, metric.Mean: 1e-4}, Rounds: &record.Rounds{},
				}
				for at, moment := range moments {
					x := moment + process + 0.1*rng.NormFloat64() + math.Log(wrong)*float64(copied)
					r.Rounds.At = append(r.Rounds.At, at)
					r.Rounds.CPU = append(r.Rounds.CPU, 1e-5*[]float64{10, 2, 20, 28}[i]*math.Exp(x))
				}
				out = append(out, r)
			}
		}
	}
	return out
}

func TestJudgeBusy(t *testing.T) {
	passes := func(found []Finding) (out string) {
		for _, f := range found {
			out += fmt.Sprint(f.OK, " ")
		}
		return out
	}
	found, err := judgeBusy(busyRecords(30, 1)[:29*8+3]) // the last repetition was cut off
	if err != nil {
		t.Fatal(err)
	}
	if got := passes(found); got != "true true true " {
		t.Errorf("processes 2 %% apart: %s%+v", got, found)
	}
	// A harness whose second measurement is 1.3 times slower does not pass.
	if found, err = judgeBusy(busyRecords(30, 1.3)); err != nil {
		t.Fatal(err)
	}
	if found[1].OK {
		t.Errorf("the second process is 1.3 times slower, and it passes: %+v", found)
	}
	if _, err := judgeBusy(busyRecords(busyLeast-1, 1)); err == nil || !strings.Contains(err.Error(), "sudo nice") {
		t.Errorf("too few repetitions, and no error that names the remedy: %v", err)
	}
}
