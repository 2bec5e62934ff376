package judge

import (
	"cmp"
	"slices"

	"annbench/bench/metric"
	"annbench/bench/record"
)

// Compression says what smaller indexes lose at equal latency: a line for each build, the smallest first, and of
// each the setting of highest recall whose query takes at most so many seconds.
type Compression struct {
	Terms   Terms
	Seconds []float64 // at most, a query; ascending
	Builds  []CompressedBuild
}

// CompressedBuild is one build of a family.
type CompressedBuild struct {
	Family  string
	Exact   bool
	Build   string // settings
	Bytes   Value  // [metric.PerVector]
	Vectors Holds  // beside or instead of codes
	At      []CompressedAt
}

// Holds says whether an index holds the vectors as they were given, for answers or for refinement.
type Holds int

// What an index holds.
const (
	HoldsUnknown Holds = iota // a server, or a library that another wrote
	HoldsVectors
	HoldsCodes // alone: nothing is left to compare answers again with, but codes
)

// CompressedAt is what a build finds within a time; Row is nil where no setting is as fast.
type CompressedAt struct {
	Row         *Row
	Recall, MAP Value // MAP has N 0 where there are no labels
}

// budgetSteps are the times that builds are compared at, over the least time in which a family comes up to [Target].
var budgetSteps = []float64{2, 4, 8}

// Compression is nil where builds do not differ in their bytes a vector by a fifth at least, or no family comes up to
// [Target].
func (r *Report) Compression(t Terms) *Compression {
	if t.Mode != record.Latency {
		return nil
	}
	fast := Fastest(r.Match(t, Target, Speed))
	if len(fast) == 0 || fast[0].Value.Median <= 0 {
		return nil
	}
	c := &Compression{Terms: t}
	for _, step := range budgetSteps {
		c.Seconds = append(c.Seconds, step/fast[0].Value.Median)
	}
	for _, f := range r.FamiliesOf(t) {
		place := map[string]int{} // of a build in c.Builds
		for _, row := range f.Rows {
			bytes, ok := row.Value(metric.PerVector)
			recall, ok1 := row.Value(metric.Recall)
			speed, ok2 := row.Value(Speed)
			if !ok || !ok1 || !ok2 || !(speed.Median > 0) {
				continue
			}
			i, known := place[row.Cell.Build]
			if !known {
				i = len(c.Builds)
				place[row.Cell.Build] = i
				c.Builds = append(c.Builds, CompressedBuild{Family: f.Name, Exact: f.Exact, Build: row.Cell.Build, Bytes: bytes, Vectors: holds(row), At: make([]CompressedAt, len(c.Seconds))})
			}
			for j, most := range c.Seconds {
				at := &c.Builds[i].At[j]
				// A share of 1e-9 is for the time that a setting itself gave.
				if 1/speed.Median <= most*(1+1e-9) && (at.Row == nil || recall.Median > at.Recall.Median) {
					at.Row, at.Recall = row, recall
					at.MAP, _ = row.Value(metric.MAP)
				}
			}
		}
	}
	slices.SortStableFunc(c.Builds, func(a, b CompressedBuild) int { return cmp.Compare(a.Bytes.Median, b.Bytes.Median) })
	if n := len(c.Builds); n < 2 || c.Builds[n-1].Bytes.Median < 1.2*c.Builds[0].Bytes.Median {
		return nil
	}
	return c
}

func holds(row *Row) Holds {
	v, ok := row.Value(metric.Vectors)
	switch {
	case !ok:
		return HoldsUnknown
	case v.Median > 0:
		return HoldsVectors
	}
	return HoldsCodes
}
