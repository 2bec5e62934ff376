package text

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/reports/interchange"
	"annbench/reports/internal/fixture"
	"annbench/reports/judge"
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
	if err := Pairs(&b, p, Options{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"environments differ", "processor: one against two", "slower", "faster", "larger", "higher", "same within noise"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the table does not say %q:\n%s", want, b.String())
		}
	}
	if text, err := json.Marshal(interchange.Pairs(p)); err != nil || !json.Valid(text) {
		t.Errorf("JSON: %v", err)
	}
	other := fixture.Load(t, judge.Load, fixture.Results(t, fixture.Cell("d", "", 0, .9, 1)))
	if p := judge.Compare(before, other, judge.DefaultMargin); len(p.Cells) != 0 || len(p.OnlyA) != 3 || len(p.OnlyB) != 1 {
		t.Errorf("cells in common: %d, only in one: %d and %d", len(p.Cells), len(p.OnlyA), len(p.OnlyB))
	}
}
