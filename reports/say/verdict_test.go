package say

import (
	"slices"
	"strings"
	"testing"

	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/reports/internal/fixture"
	"annbench/reports/judge"
)

func TestVerdict(t *testing.T) {
	three := func(family string, recall float64, qps ...float64) []record.Record {
		var out []record.Record
		for i, q := range qps {
			out = append(out, fixture.Cell(family, "", i, recall, q))
		}
		return out
	}
	six := func(family string, recall, qps float64) []record.Record {
		return three(family, recall, qps, qps+1, qps+2, qps+3, qps+4, qps+5)
	}
	timed := fixture.Cell("b", "", 0, .96, 300)
	timed.Values[metric.CPU] = 1. / 300
	for _, c := range []struct {
		name    string
		records []record.Record
		answer  string
		says    []string
	}{
		{"apart", slices.Concat(six("a", .96, 200), six("b", .97, 100)), "a", []string{"Runner-up: b", "as fast, more than the noise"}},
		{"tied", slices.Concat(three("a", .96, 100, 110, 120), three("b", .97, 120, 90, 105)), "a", []string{"do not show a and b to differ in speed by more than 5 %"}},
		{"tied with one behind the runner-up", slices.Concat(six("a", .96, 100), six("b", .97, 90), three("flat", 1, 10, 60, 190)), "flat", []string{
			"Exact search is enough here", "Runner-up: a", "do not show flat and a to differ in speed by more than 5 %",
		}},
		{"once", slices.Concat(three("a", .96, 110), three("b", .97, 100)), "a", []string{"1.10 times as fast, but was measured once only", "measured once"}},
		{"exact is fastest", slices.Concat(three("flat", 1, 300), three("a", .97, 100)), "flat", []string{"none is faster here"}},
		{"only exact reaches", slices.Concat(three("flat", 1, 300), three("a", .5, 900)), "flat", []string{"no approximate index came up", "a (at most 0.500)"}},
		{"exact alone", three("flat", 1, 300), "flat", []string{"no approximate index was measured beside it"}},
		{"two exact alone", slices.Concat(three("flat", 1, 300), three("flat2", 1, 301)), "flat2", []string{"no approximate index was measured beside it"}},
		{"by a hair", three("a", .9499999, 900), "none of these indexes", []string{"Nearest is a, with a recall@10 of 0.9499999"}},
		{"one without a processor time", slices.Concat(three("a", .97, 900), []record.Record{timed}), "a", []string{"of 2 records, 1 has no processor time"}},
		{"none reaches", slices.Concat(three("a", .5, 900), three("b", .6, 900)), "none of these indexes", []string{"Nearest is b, with a recall@10 of 0.600"}},
		{"nothing", []record.Record{fixture.Failed("a", "", 0, record.Timeout, "")}, "nothing was measured", []string{"Each failure is listed"}},
		{"against exact", slices.Concat(three("flat", 1, 10), three("a", .97, 100), []record.Record{fixture.Failed("c", "", 0, record.OOM, "")}), "a", []string{"10.0 times as fast as exact search (flat, 10.0)", "Not measured: c (oom)"}},
	} {
		r := fixture.Load(t, judge.Load, fixture.Results(t, c.records...))
		v := Verdict(r, r.Decide())
		why := strings.Join(v.Why, "\n")
		if v.Family != c.answer {
			t.Errorf("%s: the answer is %q, want %q", c.name, v.Family, c.answer)
		}
		for _, s := range c.says {
			if !strings.Contains(why, s) {
				t.Errorf("%s: the reasons do not say %q:\n%s", c.name, s, why)
			}
		}
	}
}
