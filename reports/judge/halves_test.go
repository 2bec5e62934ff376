package judge

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"annbench/bench/metric"
	"annbench/bench/record"
)

// madeFamilies makes a report of families that differ by some percent, in noise of heavy tails.
func madeFamilies(rng *rand.Rand, families, settings, reps int) *Report {
	r := &Report{Targets: []float64{Target}}
	for f := range families {
		for s := range settings {
			row := &Row{Cell: record.Cell{Family: string(rune('a' + f)), Search: fmt.Sprint("ef=", s), K: 10}, values: map[string]Value{}, clock: Processor}
			speed := .001 * math.Exp(.1*rng.NormFloat64())
			for rep := range reps {
				rec := &record.Record{Cell: row.Cell, Rep: rep, Status: record.OK, Values: map[string]float64{metric.Recall: 1}, Rounds: &record.Rounds{}}
				for at := range 20 {
					x := .1 * rng.NormFloat64()
					if rng.Float64() < .1 {
						x += rng.ExpFloat64()
					}
					rec.Rounds.At = append(rec.Rounds.At, at)
					rec.Rounds.CPU = append(rec.Rounds.CPU, speed*math.Exp(x))
				}
				rec.Values[metric.CPU] = metric.Median(rec.Rounds.CPU)
				row.Reps = append(row.Reps, rec)
			}
			r.Rows = append(r.Rows, row)
		}
	}
	r.Focus = TermsOf(r.Rows[0].Cell)
	r.Terms = []Terms{r.Focus}
	return r
}

// Of settings that were measured once or twice the figures agree as they stand: what is first has the highest speed
// shown, and how many times it is as fast is the quotient of the two speeds shown.
func TestMeasuredOnceAgrees(t *testing.T) {
	rng := rand.New(rand.NewPCG(19, 2))
	for _, reps := range []int{1, 2} {
		for range 100 {
			r := madeFamilies(rng, 4, 3, reps)
			p := r.Pick(r.Focus, []Limit{{metric.Recall, Target}})
			for i, c := range p.Fit {
				for _, row := range c.Family.Rows {
					if v, _ := row.Value(Speed); v.Median > c.Speed.Median {
						t.Fatalf("%d repetitions: %s speaks for its family with %v, and %s has %v", reps, c.Row.Cell.Search, c.Speed.Median, row.Cell.Search, v.Median)
					}
				}
				if i == 0 {
					continue
				}
				if by := c.Speed.Median / p.Best.Speed.Median; math.Abs(c.Against.Difference/by-1) > 1e-12 || by > 1 {
					t.Fatalf("%d repetitions: %v and %v a second, yet a factor of %v", reps, c.Speed.Median, p.Best.Speed.Median, c.Against.Difference)
				}
			}
		}
	}
}

// A setting that all rounds show to be slower than another of its family does not speak for it, although the rounds
// that choose found it faster.
func TestNoSlowerSpeaks(t *testing.T) {
	rng := rand.New(rand.NewPCG(19, 3))
	by := 0
	for range 300 {
		r := madeFamilies(rng, 1, 5, 3)
		if fastestOf(r.Rows).beaten(r.Rows) {
			by++
		}
		if row := r.Choose(r.Focus)[0].Row; row.beaten(r.Rows) {
			t.Fatalf("%s speaks for its family, and is slower than another of it", row.Cell.Search)
		}
	}
	if by == 0 {
		t.Error("by the rounds that choose alone it never happens: the test shows nothing")
	}
}

// A setting of a higher median than the one that speaks for its family is named, and is faster by no more than noise.
func TestHigherIsNamed(t *testing.T) {
	rng := rand.New(rand.NewPCG(19, 5))
	named := 0
	for range 300 {
		r := madeFamilies(rng, 1, 5, 3)
		c := r.Choose(r.Focus)[0]
		own, _ := c.Row.Value(Speed)
		var highest *Row
		high := own.Median
		for _, row := range r.Rows {
			if v, _ := row.Value(Speed); v.Median > high {
				highest, high = row, v.Median
			}
		}
		if got := c.Higher(); got != highest {
			t.Fatalf("%v is named, and %v has the highest median", got, highest)
		}
		if highest == nil {
			continue
		}
		named++
		if v, _ := highest.Value(Speed); TieOf(v.Against(own)) != Tied {
			t.Fatalf("%s is faster by more than noise, and does not speak for its family", highest.Cell.Search)
		}
	}
	if named == 0 || named == 300 {
		t.Errorf("named in %d of 300: the test shows nothing", named)
	}
}

// Answer and table tie the same families where they compare the same settings.
func TestTiesAreDecidedOnce(t *testing.T) {
	rng := rand.New(rand.NewPCG(19, 4))
	several := 0
	for range 300 {
		r := madeFamilies(rng, 5, 1, 3)
		p := r.Pick(r.Focus, []Limit{{metric.Recall, Target}})
		tied := map[string]bool{p.Best.Family.Name: true}
		for _, c := range p.Fit {
			if c.Tied {
				tied[c.Family.Name] = true
			}
		}
		if len(tied) > 1 {
			several++
		}
		for _, line := range r.equalRecall(r.Focus).Lines {
			if c := line.Cells[0]; c.Best != tied[line.Family.Name] {
				t.Fatalf("%s: the answer ties it: %v, the table: %v", line.Family.Name, tied[line.Family.Name], c.Best)
			}
		}
	}
	if several < 30 || several > 290 {
		t.Errorf("in %d of 300 sets several families tie: the test shows nothing", several)
	}
}
