package say

import (
	"testing"

	"annbench/reports/judge"
)

// TestChurnLine: a family that did not follow its runbook to the end is marked with how far it came.
func TestChurnLine(t *testing.T) {
	for _, c := range []struct {
		line        judge.ChurnLine
		long, short string
	}{
		{judge.ChurnLine{Family: "hnsw", Rows: make([]*judge.Row, 2), Recall: []float64{1, 0.9}}, "hnsw", "hnsw"},
		{judge.ChurnLine{Family: "hnsw", Rows: make([]*judge.Row, 6), Recall: []float64{1}}, "hnsw (1 of 6 searches)", "hnsw (1 of 6 searches)"},
		{judge.ChurnLine{Family: "flat", Rebuild: 1, Rows: make([]*judge.Row, 6)}, "flat, built anew every search (0 of 6 searches)", "flat, anew every search (0 of 6 searches)"},
	} {
		if long, short := ChurnLine(&c.line), ChurnShort(&c.line); long != c.long || short != c.short {
			t.Errorf("%q, %q, want %q, %q", long, short, c.long, c.short)
		}
	}
}
