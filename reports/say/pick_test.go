package say

import (
	"strings"
	"testing"

	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/reports/internal/fixture"
	"annbench/reports/judge"
)

// shop are records to choose among: three repetitions of each, of small scatter.
func shop(t *testing.T) *judge.Report {
	var all []record.Record
	for rep := range 3 {
		add := func(family, search string, recall, qps, p99, resident, build float64) {
			wiggle := 1 + 0.001*float64(rep-1)
			if family == "b" { // disturbed otherwise than the rest
				wiggle = 2 - wiggle
			}
			rec := fixture.Cell(family, search, rep, recall, qps*wiggle)
			rec.Cell.Build = "M=16"
			if family == "flat" {
				rec.Cell.Build = ""
			}
			rec.Values[metric.P99], rec.Values[metric.Resident], rec.Values[metric.Build] = p99*wiggle, resident, build*wiggle
			all = append(all, rec)
		}
		add("flat", "", 1, 100, .012, 100e6, .01)
		add("a", "ef=10", .93, 9000, .0002, 140e6, 30)
		add("a", "ef=20", .96, 7000, .0004, 140e6, 30)
		add("a", "ef=40", .99, 4000, .0009, 140e6, 30)
		add("b", "n=4", .955, 6998, .0030, 105e6, 2)
		add("b", "n=8", .98, 3000, .0060, 105e6, 2)
		add("c", "p=1", .6, 20000, .0001, 5e6, 10)
	}
	return fixture.Load(t, judge.Load, fixture.Results(t, all...))
}

func TestPick(t *testing.T) {
	r := shop(t)
	for _, c := range []struct {
		name    string
		limits  []judge.Limit
		best    string // family and search setting; "" where nothing fits
		nearest string
		says    []string
	}{
		{"recall alone", []judge.Limit{{Name: metric.Recall, Bound: .95}}, "b n=4", "", []string{ // as fast as a within the noise, and of less memory and build time
			"family: b\nbuild: {M: 16}\nsearch: {n: 4}\n", "recall 0.955; the limit is 0.95, 0.005 to spare",
			"Runner-up: a M=16 ef=20, 7,000 queries a second, as fast within the noise: 1.00 times (paired, ", "Then: flat", "As fast as the fastest within the noise or 5 %, and of least memory and build time, of the settings that keep recall ≥ 0.95 (7 measured; ", "\nBetween families that are as fast, the least memory times build time by the wall clock decides (less than a second counts as one), or of those within a quarter of the least the shortest build.\n",
			"times (paired, 0.0", Paired, " queries a second by the wall clock (", // of flat
			"A recall of 0.965 would take about ", "times the time a query with b (between two settings that were measured).",
		}},
		{"memory", []judge.Limit{{Name: metric.Recall, Bound: .95}, {Name: metric.Resident, Bound: 120e6}}, "b n=4", "", []string{"resident 100 MiB", "Runner-up: flat"}},
		{"the slowest queries", []judge.Limit{{Name: metric.Recall, Bound: .95}, {Name: metric.Resident, Bound: 120e6}, {Name: metric.P99, Bound: .002}}, "", "a ef=20", []string{"nothing fits", "nearest is a M=16 ef=20", "resident 134 MiB", "17 % too much"}}, // b takes 1.5 times the time, a 1.17 times the memory,
		{"build", []judge.Limit{{Name: metric.Recall, Bound: .5}, {Name: metric.Build, Bound: 11}}, "c p=1", "", nil},
		{"another keeps them by its median", []judge.Limit{{Name: metric.Recall, Bound: .5}, {Name: metric.Build, Bound: 10.001}, {Name: metric.Resident, Bound: 106e6}, {Name: metric.QPS, Bound: 500}}, "b n=4", "", []string{"No other family keeps the limits. By its medians c would, by the worse ends of the intervals not."}},
		{"the end of the interval decides", []judge.Limit{{Name: metric.Recall, Bound: .5}, {Name: metric.Build, Bound: 10.001}}, "b n=4", "", nil}, // c takes 9.99 to 10.01 s
		{"the interval alone breaks it", []judge.Limit{{Name: metric.Recall, Bound: .5}, {Name: metric.QPS, Bound: 15000}, {Name: metric.Build, Bound: 10.001}}, "", "c p=1", []string{"By its medians it keeps every limit"}},
		{"out of reach", []judge.Limit{{Name: metric.Recall, Bound: 1}, {Name: metric.QPS, Bound: 5000}}, "", "flat", []string{"QPS 100", "short"}},
		{"much room", []judge.Limit{{Name: metric.Resident, Bound: 1e9}, {Name: metric.Build, Bound: 1e4}}, "c p=1", "", []string{"99.9 % to spare"}},
		{"not measured", []judge.Limit{{Name: metric.MAP, Bound: .5}}, "", "c p=1", []string{"mAP ≥ 0.5: not measured"}},
		{"no limit", nil, "c p=1", "", nil},
	} {
		p := r.Pick(r.Focus, c.limits)
		name := func(k *judge.Candidate) string {
			if k == nil {
				return ""
			}
			return strings.TrimSpace(k.Row.Cell.Family + " " + k.Row.Cell.Search)
		}
		if name(p.Best) != c.best || c.nearest != "" && name(p.Nearest) != c.nearest {
			t.Errorf("%s: %q, nearest %q; want %q, nearest %q", c.name, name(p.Best), name(p.Nearest), c.best, c.nearest)
		}
		for _, s := range c.says {
			if !strings.Contains(Pick(p), s) {
				t.Errorf("%s: the text lacks %q:\n%s", c.name, s, Pick(p))
			}
		}
		if p.Best == nil {
			if said := strings.Contains(Pick(p), "By its medians"); said != (c.name == "the interval alone breaks it") {
				t.Errorf("%s: that only intervals are in the way is said: %v", c.name, said)
			}
			continue
		}
		// The table confirms it: nothing that keeps the limits is faster.
		for _, row := range r.Rows {
			keeps := true
			for _, l := range c.limits {
				keeps = keeps && judge.MarginOf(row, l).Keeps()
			}
			q, _ := row.Value(metric.QPS)
			best, _ := p.Best.Row.Value(metric.QPS)
			if keeps && q.Median > best.Median && judge.TieOf(q.Against(best)) != judge.Tied {
				t.Errorf("%s: %s %s keeps the limits and is faster", c.name, row.Cell.Family, row.Cell.Settings())
			}
		}
	}
}

// TestCheapRecallIsNotSaid: what more recall costs is left out where it costs nothing that one chooses by.
func TestCheapRecallIsNotSaid(t *testing.T) {
	r := shop(t)
	p := r.Pick(r.Focus, []judge.Limit{{Name: metric.Recall, Bound: .95}})
	for more, said := range map[float64]bool{.9: false, 1.01: false, 1.02: true} {
		p.More = more
		if strings.Contains(Pick(p), "A recall of") != said {
			t.Errorf("%v times the time: said %v:\n%s", more, !said, Pick(p))
		}
	}
}

func TestPickOnce(t *testing.T) {
	r := fixture.Load(t, judge.Load, fixture.Results(t, fixture.Cell("a", "", 0, .97, 100)))
	if p := r.Pick(r.Focus, []judge.Limit{{Name: metric.Recall, Bound: .95}}); !p.Once || !strings.Contains(Pick(p), "measured once") {
		t.Errorf("one measurement decides without a word:\n%s", Pick(p))
	}
	r = fixture.Load(t, judge.Load, fixture.Results(t, fixture.Failed("a", "", 0, record.OOM, "x")))
	if p := r.Pick(r.Focus, nil); p.Best != nil || !strings.Contains(Pick(p), "nothing was measured") {
		t.Errorf("%s", Pick(p))
	}
}

// What is best by memory says how much it is, of the runners-up as well, and once.
func TestPickByObjective(t *testing.T) {
	r := shop(t)
	o, err := judge.ParseObjective("memory") // b takes 5 % more than flat, which is slower
	if err != nil {
		t.Fatal(err)
	}
	limits := []judge.Limit{{Name: metric.Recall, Bound: .95}}
	got := Pick(r.PickBy(r.Focus, limits, o))
	for _, want := range []string{"family: b\n", "The best by least resident, and within 5 % of that by speed, of the settings that keep recall", "\n  resident 100 MiB\n", "Runner-up: flat, ", ", resident 95.4 MiB\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in:\n%s", want, got)
		}
	}
	got = Pick(r.PickBy(r.Focus, append(limits, judge.Limit{Name: metric.Resident, Bound: 120e6}), o))
	if strings.Count(got, "resident 100 MiB") != 1 {
		t.Errorf("the memory of the answer is not said once:\n%s", got)
	}
}

// TestCheaperRecallOfAnotherFamily: where another family has a little more recall for less time, it is named.
func TestCheaperRecallOfAnotherFamily(t *testing.T) {
	var all []record.Record
	for rep := range 3 {
		all = append(all, fixture.Cell("hnsw", "ef=10", rep, .99, 1000), fixture.Cell("hnsw", "ef=40", rep, 1, 350), fixture.Cell("flat", "", rep, 1, 800))
	}
	r := fixture.Load(t, judge.Load, fixture.Results(t, all...))
	got := Pick(r.Pick(r.Focus, []judge.Limit{{Name: metric.Recall, Bound: .95}}))
	if want := "A recall of 1.000 would take 2.86 times the time a query with hnsw; with flat it takes 1.25 times the time."; !strings.Contains(got, want) {
		t.Errorf("%s\nwant %q", got, want)
	}
}
