package reports

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"annbench/bench/metric"
	"annbench/bench/record"
)

func TestCompare(t *testing.T) {
	make := func(edit func(*record.Record)) *Report {
		var all []record.Record
		for rep := range 5 {
			for _, f := range []string{"a", "b", "c"} {
				rec := cell(f, "ef=1", rep, .9, 1000*(1+0.01*float64(rep%3-1)))
				rec.Values[metric.Resident] = 1e6
				if edit != nil {
					edit(&rec)
				}
				all = append(all, rec)
			}
		}
		return load(t, results(t, all...))
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
	p := Compare(before, after, DefaultMargin)
	got := map[string]Change{}
	for _, c := range p.Cells {
		for _, ch := range c.Changes {
			got[c.Cell.Family+" "+ch.Name] = ch.Change
		}
	}
	for what, want := range map[string]Change{
		"a qps": Better, "a resident": Worse, "a recall": Same,
		"b qps": Worse, "b recall": Better, "b resident": Same,
		"c qps": Same, "c recall": Same,
	} {
		if got[what] != want {
			t.Errorf("%s is %q, want %q", what, got[what], want)
		}
	}
	if !p.Worse() || !p.Worse(metric.Resident) || p.Worse(metric.Recall) {
		t.Error("what got worse is told wrongly")
	}
	if Compare(before, before, DefaultMargin).Worse() {
		t.Error("results are worse than themselves")
	}
	var b bytes.Buffer
	if err := WritePairs(&b, p, TableOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"environments differ", "processor: one against two", "slower", "faster", "larger", "higher", "same within noise"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the table does not say %q:\n%s", want, b.String())
		}
	}
	if text, err := json.Marshal(p); err != nil || !json.Valid(text) {
		t.Errorf("JSON: %v", err)
	}
	other := load(t, results(t, cell("d", "", 0, .9, 1)))
	if p := Compare(before, other, DefaultMargin); len(p.Cells) != 0 || len(p.OnlyA) != 3 || len(p.OnlyB) != 1 {
		t.Errorf("cells in common: %d, only in one: %d and %d", len(p.Cells), len(p.OnlyA), len(p.OnlyB))
	}
}
