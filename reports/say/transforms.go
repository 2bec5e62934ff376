package say

import (
	"fmt"
	"slices"
	"strings"

	"annbench/bench/metric"
	"annbench/reports/judge"
)

// Transforms is [judge.Transforms] in words.
type Transforms struct {
	Title, Says, Answer string
	Columns             []Column // of the values of Family's rows
	Lines               []TransformLine
}

// TransformLine is one transform.
type TransformLine struct {
	Name, Dim, Bytes string
	Row              *judge.Row // nil where it was not measured
	Fastest, Time    string     // the fastest setting that reaches [judge.Target], of any family
	Cell             string     // of Fastest
	Smallest         bool
}

// TransformTitle heads what [TransformsOf] makes.
const TransformTitle = "How small may the embedding be"

// TransformsOf is nil where there is nothing to compare.
func TransformsOf(t *judge.Transforms) *Transforms {
	if t == nil {
		return nil
	}
	out := &Transforms{
		Title: TransformTitle,
		Says: fmt.Sprintf("The same vectors with fewer dimensions or bits. Recall@%d and mAP are against exact search over the vectors as they are, so that what %s loses, which compares every vector, is the transform's doing. "+
			"Bytes are those of one vector by itself. fp16, int8 and binary are rounded values that families here hold as float32: what they lose is measured, and time and memory are those of float32. "+
			"On the right, the fastest setting of any family whose recall is %s at least by the worse end of its interval.", t.Terms.K, t.Family, trimmed(judge.Target)),
	}
	time := metric.Mean
	if i := slices.IndexFunc(t.Lines, func(l judge.TransformLine) bool { return l.Row != nil }); i >= 0 {
		clock := t.Lines[i].Row.Clock()
		if clock == judge.Processor {
			time = metric.CPU
		}
		out.Says += " Times are those of a query" + Clock(clock) + "."
	}
	for _, c := range []Column{{metric.Recall, "recall"}, {metric.MAP, "mAP"}, {metric.MAPDelta, "ΔmAP"}, {time, "time"}, {metric.Resident, "resident"}} {
		for _, l := range t.Lines {
			if l.Row == nil {
				continue
			}
			if _, ok := l.Row.Value(c.Name); ok {
				out.Columns = append(out.Columns, c)
				break
			}
		}
	}
	for i, l := range t.Lines {
		line := TransformLine{Name: l.Name, Dim: Count(l.Dim), Bytes: Quantity(metric.PerVector, float64(l.Bytes)), Row: l.Row, Fastest: Missing, Smallest: i == t.Smallest}
		if l.Fastest != nil {
			line.Fastest, line.Cell = strings.TrimSpace(l.Fastest.Cell.Family+" "+Settings(l.Fastest.Cell)), l.Fastest.Cell.ID()
			if v, ok := l.Fastest.Value(judge.Speed); ok && v.Median > 0 {
				line.Time = Format(metric.Seconds, 1/v.Median)
			}
		}
		out.Lines = append(out.Lines, line)
	}
	if t.Smallest < 0 {
		out.Answer = fmt.Sprintf("No smaller form that was measured is sure to keep what the vectors as they are find: to lose at most %s of mAP by the worse end of its 95 %% interval, or without categories to reach recall %s. More queries make intervals narrower.", trimmed(judge.KeepsMAP), trimmed(judge.Target))
		return out
	}
	l := t.Lines[t.Smallest]
	why := fmt.Sprintf("finds recall@%d %s", t.Terms.K, trimmed(judge.Target)+" at least")
	if d, ok := l.Row.Value(metric.MAPDelta); ok {
		lo, _ := l.Row.Value(metric.MAPDeltaLo)
		why = fmt.Sprintf("loses at most %s of mAP (ΔmAP %s, at worst %s by its 95 %% interval)", trimmed(judge.KeepsMAP), Signed(d.Median), Signed(lo.Median))
	}
	out.Answer = fmt.Sprintf("The smallest that %s is %s.", why, form(l))
	if recall, _ := l.Row.Value(metric.Recall); t.Nearest != t.Smallest {
		out.Answer += fmt.Sprintf(" It finds other answers, of as right a category: its recall@%d is %s. ", t.Terms.K, Ratio(recall.Median))
		if t.Nearest < 0 {
			out.Answer += fmt.Sprintf("No smaller form that was measured is sure to find recall %s.", trimmed(judge.Target))
		} else {
			out.Answer += fmt.Sprintf("The smallest that is sure to find recall %s is %s.", trimmed(judge.Target), form(t.Lines[t.Nearest]))
		}
	}
	return out
}

// form names a transform with what it leaves of a vector.
func form(l judge.TransformLine) string {
	return fmt.Sprintf("%s: %s dimensions, %s a vector", l.Name, Count(l.Dim), Quantity(metric.PerVector, float64(l.Bytes)))
}
