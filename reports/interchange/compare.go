package interchange

import (
	"math"

	"annbench/bench/record"
	"annbench/reports/judge"
	"annbench/reports/say"
)

// Pairs is the comparison for programs.
func Pairs(p *judge.Pairs, power judge.Power) any {
	type jsonChange struct {
		Value  string       `json:"value"`
		A      float64      `json:"a"`
		B      float64      `json:"b"`
		Differ float64      `json:"difference"` // a factor, or of ratios an amount
		Lo     float64      `json:"lo"`
		Hi     float64      `json:"hi"`
		Change judge.Change `json:"change"`
		Found  float64      `json:"would_have_found,omitempty"` // a factor, or an amount: in four of five runs
	}
	type jsonPair struct {
		Cell     record.Cell  `json:"cell"`
		Change   judge.Change `json:"change"`
		Compared []jsonChange `json:"compared"`
	}
	out := struct {
		A     string   `json:"a"`
		B     string   `json:"b"`
		Notes []string `json:"notes,omitempty"`
		Power struct {
			Limit      float64 `json:"limit"`
			Cells      int     `json:"cells"`
			Blind      int     `json:"blind"`
			CannotTell bool    `json:"cannot_tell"`
		} `json:"power"`
		Cells []jsonPair `json:"cells"`
		OnlyA []string   `json:"only_a,omitempty"`
		OnlyB []string   `json:"only_b,omitempty"`
	}{A: judge.NameOf(p.A), B: judge.NameOf(p.B), Notes: say.PairNotes(p), OnlyA: say.Cells(p.OnlyA), OnlyB: say.Cells(p.OnlyB), Cells: []jsonPair{}}
	out.Power.Limit, out.Power.Cells, out.Power.Blind, out.Power.CannotTell = power.Limit, power.Rows, power.Blind, power.CannotTell()
	for _, c := range p.Cells {
		jp := jsonPair{Cell: c.Cell, Change: c.Worst()}
		for _, ch := range c.Changes {
			if math.IsInf(ch.Difference.Hi, 0) {
				ch.Difference.Hi = math.MaxFloat64 // JSON has no infinity
			}
			jp.Compared = append(jp.Compared, jsonChange{ch.Name, ch.A.Median, ch.B.Median, ch.Difference.Difference, ch.Difference.Lo, ch.Difference.Hi, ch.Change, finite(ch.Difference.Detectable)})
		}
		out.Cells = append(out.Cells, jp)
	}
	return out
}

// finite is x, or the largest number where x is infinite: JSON has no infinity.
func finite(x float64) float64 { return min(x, math.MaxFloat64) }
