package say

import (
	"strings"
	"testing"

	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/reports/internal/fixture"
	"annbench/reports/judge"
)

// What is below the threshold is counted, the lowest stands first, and a category without five queries has no interval.
func TestCategories(t *testing.T) {
	var records []record.Record
	for rep := range 3 {
		c := fixture.Cell("flat", "", rep, 1, 100)
		c.ByLabel = map[string]map[string]float64{
			metric.MAP: {"bag": .4, "coat": .9, "hat": .7}, "map_lo": {"bag": .3, "coat": .8, "hat": .7}, "map_hi": {"bag": .5, "coat": 1, "hat": .7},
		}
		records = append(records, c)
	}
	r := fixture.Load(t, judge.Load, fixture.Results(t, records...))
	r.Sources[0].Dataset.Labels = []record.LabelCount{{Label: "bag", Queries: 50}, {Label: "coat", Queries: 50}, {Label: "hat", Queries: 3}}
	c := r.Categories(r.Focus)
	if len(c.Rows) != 3 || c.Rows[0].Label != "bag" || !c.Rows[0].Low || c.Rows[1].Low || c.Rows[2].Label != "coat" {
		t.Errorf("%+v", c.Rows)
	}
	if got := []string{Half(c.Rows[0].Values[0]), Half(c.Rows[1].Values[0]), Half(c.Rows[2].Values[0])}; got[0] != ".10" || got[1] != "" || got[2] != ".10" {
		t.Errorf("half intervals %q", got)
	}
	if s := Categories(c); !strings.Contains(s, "below 0.50 by the median over the families (1 category of 3)") {
		t.Error(s)
	}
	r.LeastMAP = .95
	if n := r.Categories(r.Focus).Low(); n != 3 {
		t.Errorf("%d are below 0.95", n)
	}
}
