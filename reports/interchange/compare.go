package interchange

import (
	"math"

	"annbench/bench/record"
	"annbench/reports/judge"
	"annbench/reports/say"
)

// Pairs is the comparison for programs.
func Pairs(p *judge.Pairs) any {
	type jsonChange struct {
		Value  string       `json:"value"`
		A      float64      `json:"a"`
		B      float64      `json:"b"`
		Differ float64      `json:"difference"` // a factor, or of ratios an amount
		Lo     float64      `json:"lo"`
		Hi     float64      `json:"hi"`
		Change judge.Change `json:"change"`
	}
	type jsonPair struct {
		Cell     record.Cell  `json:"cell"`
		Change   judge.Change `json:"change"`
		Compared []jsonChange `json:"compared"`
	}
	out := struct {
		A     string     `json:"a"`
		B     string     `json:"b"`
		Notes []string   `json:"notes,omitempty"`
		Cells []jsonPair `json:"cells"`
		OnlyA []string   `json:"only_a,omitempty"`
		OnlyB []string   `json:"only_b,omitempty"`
	}{A: judge.NameOf(p.A), B: judge.NameOf(p.B), Notes: say.PairNotes(p), OnlyA: say.Cells(p.OnlyA), OnlyB: say.Cells(p.OnlyB), Cells: []jsonPair{}}
	for _, c := range p.Cells {
		jp := jsonPair{Cell: c.Cell, Change: c.Worst()}
		for _, ch := range c.Changes {
			if math.IsInf(ch.Difference.Hi, 0) {
				ch.Difference.Hi = math.MaxFloat64 // JSON has no infinity
			}
			jp.Compared = append(jp.Compared, jsonChange{ch.Name, ch.A.Median, ch.B.Median, ch.Difference.Difference, ch.Difference.Lo, ch.Difference.Hi, ch.Change})
		}
		out.Cells = append(out.Cells, jp)
	}
	return out
}
