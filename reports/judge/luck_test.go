package judge

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"annbench/bench/metric"
	"annbench/bench/record"
)

// A family of five equal settings against a family of one, all of the same true speed, at 10 % noise a round. By
// all rounds the best of five reads too fast and is taken for faster far more often than the 2.5 % of an honest
// interval; chosen by even rounds and judged by odd ones, it is not.
func TestNoWinnerByLuck(t *testing.T) {
	const trials, reps, rounds, noise = 400, 4, 12, .10
	r := rand.New(rand.NewPCG(7, 19))
	row := func(name string, i int) *Row {
		out := &Row{Cell: record.Cell{Family: name, Search: fmt.Sprint("ef=", i)}, values: map[string]Value{}, clock: Processor}
		for rep := range reps {
			rec := &record.Record{Cell: out.Cell, Rep: rep, Status: record.OK, Values: map[string]float64{metric.Recall: 1}, Rounds: &record.Rounds{}}
			for at := range rounds {
				rec.Rounds.At = append(rec.Rounds.At, at)
				rec.Rounds.CPU = append(rec.Rounds.CPU, .001*math.Exp(noise*r.NormFloat64()))
			}
			rec.Values[metric.CPU] = metric.Median(rec.Rounds.CPU)
			out.Reps = append(out.Reps, rec)
		}
		return out
	}
	var wholeFaster, judgedFaster, wholeTied, judgedTied float64
	var wholeBias, judgedBias float64
	for range trials {
		many := FamilyRows{Name: "many"}
		for i := range 5 {
			many.Rows = append(many.Rows, row("many", i))
		}
		only, _ := row("one", 0).Value(Speed)

		var lucky Value // the best of all rounds
		for _, x := range many.Rows {
			if v, _ := x.Value(Speed); v.Median > lucky.Median {
				lucky = v
			}
		}
		chosen, _ := fastestWithin(many, nil).Value(Speed)
		count := func(d Difference, faster, tied, bias *float64) {
			*bias += math.Log(d.Difference) / trials
			switch {
			case TieOf(d) == Tied:
				*tied += 1. / trials
			case d.Difference > 1:
				*faster += 1. / trials
			}
		}
		count(lucky.Against(only), &wholeFaster, &wholeTied, &wholeBias)
		count(chosen.Judged(only), &judgedFaster, &judgedTied, &judgedBias)
	}
	t.Logf("by all rounds: %.1f %% faster, %.1f %% tied, %+.2f %%; by halves: %.1f %% faster, %.1f %% tied, %+.2f %%",
		100*wholeFaster, 100*wholeTied, 100*wholeBias, 100*judgedFaster, 100*judgedTied, 100*judgedBias)
	if judgedFaster > .05 || judgedTied < .92 || math.Abs(judgedBias) > .006 {
		t.Errorf("equal families: by halves %.1f %% are faster, %.1f %% tied, %+.2f %% too fast", 100*judgedFaster, 100*judgedTied, 100*judgedBias)
	}
	if wholeBias < .01 {
		t.Errorf("the best of five reads only %+.2f %% too fast: the simulation shows nothing", 100*wholeBias)
	}
}
