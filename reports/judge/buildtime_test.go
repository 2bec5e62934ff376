package judge

import (
	"testing"

	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/reports/internal/fixture"
)

// built are four repetitions of a family by the processor's clock, whose builds took so long by both clocks.
func built(family string, qps, wall, cpu float64, threads int) []record.Record {
	var out []record.Record
	for rep := range 4 {
		wiggle := 1 + .001*float64(rep)
		rec := fixture.Cell(family, "", rep, 1, qps*wiggle)
		rec.Cell.Threads = threads
		rec.Values[metric.CPU], rec.Values[metric.Resident] = 1/(qps*wiggle), 10e6
		rec.Values[metric.Build], rec.Values[metric.BuildCPU] = wall*wiggle, cpu*wiggle
		out = append(out, rec)
	}
	return out
}

// What a build waits for other programs does not decide between families.
func TestBuildsGoByProcessorTime(t *testing.T) {
	for _, c := range []struct {
		name    string
		threads int
		lacks   string // the family without processor time of its builds
		want    string
		by      string
	}{
		{"one thread", 1, "", "b", metric.BuildCPU},
		{"several threads share a build", 2, "", "a", metric.Build},
		{"not known of one", 1, "b", "a", metric.Build},
	} {
		all := append(built("a", 100, 20, 20, c.threads), built("b", 98, 1000, 5, c.threads)...)
		for i := range all {
			if all[i].Cell.Family == c.lacks {
				delete(all[i].Values, metric.BuildCPU)
			}
		}
		r := fixture.Load(t, Load, fixture.Results(t, all...))
		p := r.Pick(r.Focus, []Limit{{Name: metric.Recall, Bound: .95}})
		if got := p.Best.Row.Cell.Family; got != c.want || p.Reason != ByFrugal || p.BuildTime != c.by {
			t.Errorf("%s: %s for reason %d by %s; want %s by %s", c.name, got, p.Reason, p.BuildTime, c.want, c.by)
		}
		// A limit on builds goes by the same clock: b waits for 1,000 s, and works for 5.
		limited := r.Pick(r.Focus, []Limit{{Name: metric.Build, Bound: 10}})
		if limited.Limits[0].Name != c.by || (limited.Best != nil) != (c.by == metric.BuildCPU) {
			t.Errorf("%s: at most 10 s to build is judged by %s, and %v fits", c.name, limited.Limits[0].Name, limited.Best)
		}
	}
}

// Nor does it make a second run worse.
func TestCompareBuildsByProcessorTime(t *testing.T) {
	load := func(wall, cpu float64, threads int) *Report {
		return fixture.Load(t, Load, fixture.Results(t, built("a", 100, wall, cpu, threads)...))
	}
	for _, c := range []struct {
		name      string
		wall, cpu float64
		threads   int
		want      Change
	}{
		{"waited", 5, .1, 1, Same},
		{"more work", 1, .5, 1, Worse},
		{"several threads", 5, .1, 2, Worse},
	} {
		p := Compare(load(1, .1, c.threads), load(c.wall, c.cpu, c.threads), DefaultMargin)
		if got := p.Worse(metric.Build); got != (c.want == Worse) {
			t.Errorf("%s: worse in build is %v", c.name, got)
		}
	}
}
