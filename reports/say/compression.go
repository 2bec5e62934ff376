package say

import (
	"fmt"
	"strings"

	"annbench/bench/metric"
	"annbench/reports/judge"
)

// Compression is [judge.Compression] in words.
type Compression struct {
	Title, Says string
	Within      string   // the best within so many bytes; empty where no such limit parts the builds
	Heads       []string // of the times
	Lines       []CompressionLine
}

// CompressionLine is a build.
type CompressionLine struct {
	Family, Setting, Bytes, Vectors string
	Cells                           []CompressionCell
}

// CompressionCell is what a build finds within a time. Missing where it has no setting as fast.
type CompressionCell struct {
	Recall, MAP, Title string
}

// CompressionTitle heads what [CompressionOf] makes.
const CompressionTitle = "What compression costs"

// CompressionOf is nil where there is nothing to compare.
func CompressionOf(c *judge.Compression) *Compression {
	if c == nil {
		return nil
	}
	out := &Compression{
		Title: CompressionTitle,
		Says: fmt.Sprintf("Bytes a vector of each build, the smallest first, and the highest recall@%d that it comes up to within a time a query, with the mAP of that setting: "+
			"two, four and eight times the least time in which any family comes up to recall %s. Bytes are by the family's formula, or where it has none those of the saved index. "+
			"An index holds the full vectors or codes alone; full vectors can be for refinement, which compares the best answers of the codes again.", c.Terms.K, trimmed(judge.Target)),
	}
	out.Within = within(c)
	for _, s := range c.Seconds {
		out.Heads = append(out.Heads, "≤ "+Short(Format(metric.Seconds, s)))
	}
	for _, b := range c.Builds {
		l := CompressionLine{Family: b.Family, Setting: OrDash(settingsOf(b.Family, b.Build)), Bytes: Quantity(metric.PerVector, b.Bytes.Median), Vectors: Vectors(b.Vectors)}
		for _, at := range b.At {
			cell := CompressionCell{Recall: Missing, Title: b.Family + ": no setting within that"}
			if at.Row != nil {
				cell.Recall = Ratio(at.Recall.Median)
				cell.Title = fmt.Sprintf("%s\nrecall %s\ncell %s", strings.TrimSpace(b.Family+" "+Settings(at.Row.Cell)), cell.Recall, at.Row.Cell.ID())
				if at.MAP.N > 0 {
					cell.MAP = Ratio(at.MAP.Median)
				}
			}
			l.Cells = append(l.Cells, cell)
		}
		out.Lines = append(out.Lines, l)
	}
	return out
}

// within is a sentence on [judge.Compression.Within].
func within(c *judge.Compression) string {
	var parts []string
	for _, w := range c.Within() {
		row := w.Build.High
		recall, _ := row.Value(metric.Recall)
		speed, _ := row.Value(judge.Speed)
		parts = append(parts, fmt.Sprintf("within %s it is %s, of %s in %s", Short(Quantity(metric.PerVector, w.Bytes)), Ratio(recall.Median),
			strings.TrimSpace(w.Build.Family+" "+Settings(row.Cell)), Format(metric.Seconds, 1/speed.Median)))
	}
	if len(parts) == 0 {
		return ""
	}
	return fmt.Sprintf("The highest recall@%d by bytes a vector, in whatever time a query: %s.", c.Terms.K, strings.Join(parts, "; "))
}

// Vectors says what an index holds.
func Vectors(h judge.Holds) string {
	return map[judge.Holds]string{judge.HoldsUnknown: "not known", judge.HoldsVectors: "full vectors", judge.HoldsCodes: "codes alone"}[h]
}
