package text

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/reports/interchange"
	"annbench/reports/internal/fixture"
	"annbench/reports/judge"
	"annbench/reports/say"
)

func TestCompare(t *testing.T) {
	make := func(edit func(*record.Record)) *judge.Report {
		var all []record.Record
		for rep := range 5 {
			for _, f := range []string{"a", "b", "c"} {
				rec := fixture.Cell(f, "ef=1", rep, .9, 1000*(1+0.01*float64(rep%3-1)))
				rec.Values[metric.Resident] = 1e6
				if edit != nil {
					edit(&rec)
				}
				all = append(all, rec)
			}
		}
		return fixture.Load(t, judge.Load, fixture.Results(t, all...))
	}
	before := make(nil)
	after := make(func(r *record.Record) {
		switch r.Cell.Family {
		case "a":
			r.Values[metric.QPS] *= 1.5
			r.Values[metric.Resident] *= 2
		case "b":
			r.Values[metric.QPS] /= 1.5
			r.Values[metric.Recall] = .95
		case "c":
			r.Values[metric.QPS] *= 1.005 // within the noise of 1 %
			r.Cell.Search = "ef=1"
		}
		r.Env.CPU = "two"
	})
	p := judge.Compare(before, after, judge.DefaultMargin)
	got := map[string]judge.Change{}
	for _, c := range p.Cells {
		for _, ch := range c.Changes {
			got[c.Cell.Family+" "+ch.Name] = ch.Change
		}
	}
	for what, want := range map[string]judge.Change{
		"a qps": judge.Better, "a resident": judge.Worse, "a recall": judge.Same,
		"b qps": judge.Worse, "b recall": judge.Better, "b resident": judge.Same,
		"c qps": judge.Same, "c recall": judge.Same,
	} {
		if got[what] != want {
			t.Errorf("%s is %q, want %q", what, got[what], want)
		}
	}
	if !p.Worse() || !p.Worse(metric.Resident) || p.Worse(metric.Recall) {
		t.Error("what got worse is told wrongly")
	}
	if judge.Compare(before, before, judge.DefaultMargin).Worse() {
		t.Error("results are worse than themselves")
	}
	var b bytes.Buffer
	if err := Pairs(&b, p, p.Power(judge.DefaultPower), Options{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"environments differ", "processor: one against two", "slower", "faster", "larger", "higher", "same within noise"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the table does not say %q:\n%s", want, b.String())
		}
	}
	if text, err := json.Marshal(interchange.Pairs(p, p.Power(judge.DefaultPower))); err != nil || !json.Valid(text) {
		t.Errorf("JSON: %v", err)
	}
	if w := p.Power(judge.DefaultPower); w.CannotTell() || w.Rows != 3 || w.Most <= 1 || w.Most > 1.1 {
		t.Errorf("noise of 1 %%: %+v", w)
	}
	other := fixture.Load(t, judge.Load, fixture.Results(t, fixture.Cell("d", "", 0, .9, 1)))
	if p := judge.Compare(before, other, judge.DefaultMargin); len(p.Cells) != 0 || len(p.OnlyA) != 3 || len(p.OnlyB) != 1 {
		t.Errorf("cells in common: %d, only in one: %d and %d", len(p.Cells), len(p.OnlyA), len(p.OnlyB))
	}
}

// Of one data set, a change of mAP goes by query: what varies from query to query is in both runs alike, and no noise.
// What only one has is listed with its terms once.
func TestCompareByQuery(t *testing.T) {
	run := func(delta, exact float64, families ...string) *judge.Report {
		var all []record.Record
		for rep := range 3 {
			for _, f := range families {
				rec := fixture.Cell(f, "ef=1", rep, .9, 1000*(1+.01*float64(rep)))
				rec.Values[metric.MAPExact], rec.Values[metric.MAPDelta], rec.Values[metric.MAP] = exact, delta, exact+delta
				rec.Spread = map[string]float64{metric.MAP: .03, metric.MAPDelta: .001}
				all = append(all, rec)
			}
		}
		return fixture.Load(t, judge.Load, fixture.Results(t, all...))
	}
	for _, c := range []struct {
		name  string
		b     *judge.Report
		half  float64 // of the interval, by hand: 1.96 times the root of the sum of both squared spreads
		word  judge.Change
		says  string
		lacks string
	}{
		{"the same queries", run(-.02, .8, "a", "c", "d"), 1.96 * .001 * 1.41421, judge.Worse, "goes by query", ""},
		{"other queries", run(-.02, .81, "a", "c", "d"), 1.96 * .03 * 1.41421, judge.Same, "unpaired", "goes by query"},
	} {
		p := judge.Compare(run(0, .8, "a", "b"), c.b, judge.DefaultMargin)
		for _, ch := range p.Cells[0].Changes {
			if ch.Name == metric.MAP && (math.Abs((ch.Difference.Hi-ch.Difference.Lo)/2-c.half) > 1e-5 || ch.Change != c.word) {
				t.Errorf("%s: %+v is %s", c.name, ch.Difference, ch.Change)
			}
		}
		var b bytes.Buffer
		if err := Pairs(&b, p, p.Power(judge.DefaultPower), Options{}); err != nil {
			t.Fatal(err)
		}
		text := strings.Join(strings.Fields(b.String()), " ")
		if !strings.Contains(text, c.says) || c.lacks != "" && strings.Contains(text, c.lacks) || !strings.Contains(text, ": c ef=1 and d ef=1 (") {
			t.Errorf("%s:\n%s", c.name, b.String())
		}
	}
}

// TestCompareRecallOnTheSameQueries: which queries were drawn is in both recalls alike, so that only the scatter over
// repetitions is noise; with one repetition nothing says what that is.
func TestCompareRecallOnTheSameQueries(t *testing.T) {
	run := func(reps int, by float64) *judge.Report {
		var all []record.Record
		for rep := range reps {
			rec := fixture.Cell("a", "ef=1", rep, .6+by+.001*float64(rep), 1000)
			rec.Spread = map[string]float64{metric.Recall: .014}
			all = append(all, rec)
		}
		return fixture.Load(t, judge.Load, fixture.Results(t, all...))
	}
	for _, c := range []struct {
		reps int
		by   float64
		half float64 // of the interval
		word judge.Change
	}{
		{3, 0, 2.7764 * .001 * math.Sqrt(2./3), judge.Same}, // Student's t of 4 degrees of freedom, twice a variance of .001²/3
		{3, -.02, 2.7764 * .001 * math.Sqrt(2./3), judge.Worse},
		{1, -.02, 1.96 * .014 * math.Sqrt2, judge.Same},
	} {
		for _, ch := range judge.Compare(run(c.reps, 0), run(c.reps, c.by), judge.DefaultMargin).Cells[0].Changes {
			half := (ch.Difference.Hi - ch.Difference.Lo) / 2
			if ch.Name == metric.Recall && (math.Abs(half-c.half) > 1e-5 || ch.Change != c.word) {
				t.Errorf("%d repetitions, %v: ± %v, %s; want ± %v, %s", c.reps, c.by, half, ch.Change, c.half, c.word)
			}
		}
	}
}

// Over other data one line says what each has, recall is not compared, and what only one has is counted by family, not
// listed. Values are counted as values.
func TestCompareOtherData(t *testing.T) {
	run := func(digest string, families, settings int) *judge.Report {
		var all []record.Record
		for rep := range 3 {
			for f := range families {
				for s := range settings {
					rec := fixture.Cell(string(rune('a'+f)), fmt.Sprint("ef=", s+1), rep, .9, 1000*(1+.01*float64(rep)))
					rec.Cell.Dataset, rec.Values[metric.Resident] = digest, 1e6
					all = append(all, rec)
				}
			}
		}
		r, err := judge.Of(&record.Results{Dir: "results/x", Dataset: record.Dataset{Name: "boards", Digest: digest, Base: 100, Dim: 8, Queries: 10}, Records: all})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	p := judge.Compare(run("one", 5, 4), run("two", 1, 2), judge.DefaultMargin)
	var b bytes.Buffer
	if err := Pairs(&b, p, p.Power(judge.DefaultPower), Options{}); err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(b.String()), " ")
	for _, want := range []string{"boards (100 vectors of 8 dimensions, 10 queries, digest one) against boards (100 vectors of 8 dimensions, 10 queries, digest two);", "2 cells in both, with 4 values: 0 better, 0 worse, 4 the same", "18 cells, 2 of a, 4 of b, 4 of c, 4 of d and 4 of e."} {
		if !strings.Contains(text, want) {
			t.Errorf("it does not say %q:\n%s", want, b.String())
		}
	}
	if strings.Contains(text, "recall 0.9") {
		t.Errorf("recall is compared:\n%s", b.String())
	}
}

// A comparison in which noise hides a factor of 1.5 says so, and does not call that the same.
func TestCompareCannotTell(t *testing.T) {
	noisy := func(times ...float64) *judge.Report {
		var all []record.Record
		for rep, x := range times {
			all = append(all, fixture.Cell("a", "", rep, .9, 1000*x))
		}
		return fixture.Load(t, judge.Load, fixture.Results(t, all...))
	}
	for _, c := range []struct {
		name string
		a, b *judge.Report
		want bool
	}{
		{"quiet", noisy(1, 1.01, .99, 1.02), noisy(1.01, .98, 1, 1), false},
		{"noisy", noisy(.3, 1, 2, 1.1), noisy(1, .4, 3, .9), true},
		{"measured once", noisy(1), noisy(1.2), true},
		{"noisy, and much worse", noisy(1, 1.2, .8, 1.1), noisy(.1, .12, .08, .11), false},
	} {
		p := judge.Compare(c.a, c.b, judge.DefaultMargin)
		w := p.Power(judge.DefaultPower)
		var b bytes.Buffer
		if err := Pairs(&b, p, w, Options{}); err != nil {
			t.Fatal(err)
		}
		if w.CannotTell() != c.want || strings.Contains(b.String(), "It cannot tell") != c.want {
			t.Errorf("%s: %+v\n%s", c.name, w, b.String())
		}
		if _, err := json.Marshal(interchange.Pairs(p, w)); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// Records that stand in both are counted and their cells named; where all of one's stand in the other, nothing is compared.
func TestCompareWithItself(t *testing.T) {
	load := func(faster float64, reps int, families ...string) *judge.Report {
		var all []record.Record
		for rep := range reps {
			for _, f := range families {
				rec := fixture.Cell(f, "", rep, 1, 1000+float64(rep))
				if f == "b" {
					rec.Values[metric.QPS] *= faster
				}
				all = append(all, rec)
			}
		}
		return fixture.Load(t, judge.Load, fixture.Results(t, all...))
	}
	later := func() *judge.Report {
		var all []record.Record
		for rep := range 3 {
			rec := fixture.Cell("a", "", rep, 1, 1000+float64(rep))
			if rep > 0 {
				rec.Time = rec.Time.Add(time.Hour)
			}
			all = append(all, rec)
		}
		return fixture.Load(t, judge.Load, fixture.Results(t, all...))
	}
	own := load(1, 3, "a", "b")
	for _, c := range []struct {
		name   string
		other  *judge.Report
		shared int
		itself bool
		says   string
	}{
		{"itself", own, 6, true, "the two have the same records"},
		{"a copy", load(1, 3, "a", "b"), 6, true, "the two have the same records"},
		{"with another repetition", load(1, 4, "a", "b"), 6, true, "all 6 records of made by hand are among the 8 of made by hand"},
		{"one repetition less", load(1, 2, "a", "b"), 4, true, "all 4 records of made by hand are among the 6 of made by hand"},
		{"one cell changed", load(1.5, 3, "a", "b"), 3, false, "3 records stand in both, of a (l2"},
		{"one repetition in both", later(), 1, false, "1 record stands in both, of a (l2"},
		{"nothing in common", load(1, 3, "c"), 0, false, ""},
	} {
		p := judge.Compare(own, c.other, judge.DefaultMargin)
		notes := strings.Join(say.PairNotes(p), "\n")
		if p.Shared != c.shared || p.Itself() != c.itself || !strings.Contains(notes, c.says) || c.says == "" && notes != "" {
			t.Errorf("%s: %d shared, itself %v, notes %q", c.name, p.Shared, p.Itself(), notes)
		}
	}
}

// What a machine that was too busy spoils is shown and marked, and gets neither worse nor better.
func TestCompareBusy(t *testing.T) {
	load := func(onCPU, slower float64) *judge.Report {
		var all []record.Record
		for rep := range 4 {
			rec := fixture.Cell("a", "", rep, .9, 1000+float64(rep))
			seconds := 1 / rec.Values[metric.QPS]
			rec.Values[metric.CPU], rec.Values[metric.P99] = seconds, 2*seconds*slower
			rec.Values[metric.OnCPU], rec.Values[metric.Samples], rec.Values[metric.Mean] = onCPU, 100, seconds/onCPU
			rec.Seed = uint64(100 * slower * onCPU) // of another run
			all = append(all, rec)
		}
		return fixture.Load(t, judge.Load, fixture.Results(t, all...))
	}
	quiet := load(.99, 1)
	for _, c := range []struct {
		name  string
		a, b  *judge.Report
		p99   judge.Change
		notes int
	}{
		{"quiet", quiet, load(.99, 3), judge.Worse, 0},
		{"the second busy", quiet, load(.5, 3), judge.Spoiled, 1},
		{"the first busy", load(.5, 3), quiet, judge.Spoiled, 1},
		{"both busy", load(.5, 1), load(.6, 3), judge.Spoiled, 2},
	} {
		p := judge.Compare(c.a, c.b, judge.DefaultMargin)
		for _, ch := range p.Cells[0].Changes {
			want := judge.Same
			if ch.Name == metric.P99 {
				want = c.p99
			}
			if ch.Change != want {
				t.Errorf("%s: %s is %q, want %q", c.name, ch.Name, ch.Change, want)
			}
		}
		spoiled := c.p99 == judge.Spoiled
		if p.Worse() == spoiled || p.Unjudged(metric.P99) != spoiled || p.Unjudged(metric.P99, metric.Recall) {
			t.Errorf("%s: worse %v, p99 unjudged %v", c.name, p.Worse(), p.Unjudged(metric.P99))
		}
		if n := strings.Count(strings.Join(say.PairNotes(p), "\n"), "the machine was too busy for p99"); n != c.notes {
			t.Errorf("%s: %d notes, want %d", c.name, n, c.notes)
		}
		var b bytes.Buffer
		if err := Pairs(&b, p, p.Power(judge.DefaultPower), Options{}); err != nil {
			t.Fatal(err)
		}
		if words := strings.Join(strings.Fields(b.String()), " "); strings.Contains(words, "1 not judged since the machine was too busy") != spoiled {
			t.Errorf("%s:\n%s", c.name, b.String())
		}
		out, err := json.Marshal(interchange.Pairs(p, p.Power(judge.DefaultPower)))
		if err != nil || strings.Contains(string(out), `"change":"machine too busy"`) != spoiled {
			t.Errorf("%s: %v, %s", c.name, err, out)
		}
	}
}
