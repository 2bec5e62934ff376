package judge

import (
	"slices"

	"annbench/bench/metric"
	"annbench/bench/record"
)

// Transforms compares the vectors as they are with smaller ones, under terms that else are the same: how small may the
// embedding be?
type Transforms struct {
	Terms Terms // of the vectors as they are
	// Family is the one that compares every vector, so that what it loses is the transform's: the fastest exact family of
	// Terms; where there is none, the family of highest recall.
	Family string
	Lines  []TransformLine // in the order of the sweep
	// Smallest is the place in Lines of the fewest bytes that keep the quality of the vectors as they are: of mAP, by the
	// worse end of the 95 % interval of the difference, at most [KeepsMAP] is lost; without categories, the recall is
	// [Target] at least, by its worse end. -1: none but these vectors.
	Smallest int
	// Nearest is the place of the fewest bytes whose recall is [Target] at least by its worse end, whatever the categories; -1: none but
	// these vectors.
	Nearest int
}

// TransformLine is one transform.
type TransformLine struct {
	record.Transform
	// Row is Family's setting of highest recall: Recall, mAP and time of comparing every vector. Nil where it was not
	// measured.
	Row *Row
	// Fastest is the fastest setting of any family whose recall against the vectors as they were reaches [Target]; nil where
	// none does.
	Fastest *Row
}

// Transforms is nil where the results under t are of one transform alone.
func (r *Report) Transforms(t Terms) *Transforms {
	src := r.Source(t.Dataset)
	if src == nil || len(src.Dataset.Transforms) < 2 || t.Mode != record.Latency {
		return nil
	}
	t.Transform = ""
	out := &Transforms{Terms: t, Smallest: -1, Nearest: -1}
	out.Family = r.comparesAll(t, src.Dataset.Transforms)
	for i, tr := range src.Dataset.Transforms {
		at := t
		if tr.Name != "none" {
			at.Transform = tr.Name
		}
		line := TransformLine{Transform: tr}
		high := -1.0
		for _, f := range r.FamiliesOf(at) {
			for _, row := range f.Rows {
				recall, ok := row.Value(metric.Recall)
				if ok && f.Name == out.Family && recall.Median > high {
					line.Row, high = row, recall.Median
				}
			}
		}
		if p := r.Pick(at, []Limit{{metric.Recall, Target}}); p.Best != nil {
			line.Fastest = p.Best.Row
		}
		out.Lines = append(out.Lines, line)
		if line.Row != nil && at.Transform != "" && line.same() && (out.Smallest < 0 || tr.Bytes < out.Lines[out.Smallest].Bytes) {
			out.Smallest = i
		}
		if line.Row != nil && at.Transform != "" && line.near() && (out.Nearest < 0 || tr.Bytes < out.Lines[out.Nearest].Bytes) {
			out.Nearest = i
		}
	}
	return out
}

// KeepsMAP is how much mAP smaller vectors may lose and still count as keeping it: one query in a hundred answered
// without a right answer.
const KeepsMAP = 0.01

func (l *TransformLine) same() bool {
	if lo, ok := l.Row.Value(metric.MAPDeltaLo); ok {
		return lo.Median >= -KeepsMAP
	}
	return l.near()
}

// near goes by the worse end of the interval, as [Report.Pick] does.
func (l *TransformLine) near() bool { return l.Row.keeps([]Limit{{metric.Recall, Target}}) }

// comparesAll is the family that speaks for the transforms; see [Transforms.Family].
func (r *Report) comparesAll(t Terms, transforms []record.Transform) string {
	if row := FastestExact(r.Choose(t)); row != nil {
		return row.Cell.Family
	}
	best, high := "", -1.0
	for _, row := range r.Rows {
		at := TermsOf(row.Cell)
		if !slices.ContainsFunc(transforms, func(tr record.Transform) bool { return tr.Name == at.Transform }) {
			continue
		}
		if at.Transform = ""; at != t {
			continue
		}
		if v, ok := row.Value(metric.Recall); ok && v.Median > high {
			best, high = row.Cell.Family, v.Median
		}
	}
	return best
}
