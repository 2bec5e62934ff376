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
	Targets []float64 // of recall: [Report.Targets]
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
	High    *Row        // the setting of highest recall; of equal ones the fastest
	Equal   []EqualCell // by Targets: a build compared with all others as a family is in [Equal]
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
	c.Targets = r.Targets
	var rows []FamilyRows // by build
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
				own := f
				own.Rows = nil
				rows = append(rows, own)
			}
			rows[i].Rows = append(rows[i].Rows, row)
			c.Builds[i].take(row, recall, 1/speed.Median, c.Seconds)
		}
	}
	for _, target := range c.Targets {
		for i, cell := range r.equalAt(t, rows, target) {
			c.Builds[i].Equal = append(c.Builds[i].Equal, cell)
		}
	}
	slices.SortStableFunc(c.Builds, func(a, b CompressedBuild) int { return cmp.Compare(a.Bytes.Median, b.Bytes.Median) })
	if n := len(c.Builds); n < 2 || c.Builds[n-1].Bytes.Median < 1.2*c.Builds[0].Bytes.Median {
		return nil
	}
	return c
}

// take puts a setting of b, of that recall and so many seconds a query, where it is the best so far.
func (b *CompressedBuild) take(row *Row, recall Value, seconds float64, most []float64) {
	for j := range b.At {
		at := &b.At[j]
		// A share of 1e-9 is for the time that a setting itself gave.
		if seconds <= most[j]*(1+1e-9) && (at.Row == nil || recall.Median > at.Recall.Median) {
			at.Row, at.Recall = row, recall
			at.MAP, _ = row.Value(metric.MAP)
		}
	}
	if b.High != nil {
		high, _ := b.High.Value(metric.Recall)
		speed, _ := b.High.Value(Speed)
		if recall.Median < high.Median || recall.Median == high.Median && 1/seconds <= speed.Median {
			return
		}
	}
	b.High = row
}

// Front are the builds that come up to the target at place i of Targets, from the smallest, and are worth their bytes:
// each is faster than every smaller one by more than noise and [Slight].
func (c *Compression) Front(i int) []CompressedBuild {
	var out []CompressedBuild
	for _, b := range c.Builds {
		if b.Equal[i].Out {
			continue
		}
		if n := len(out); n == 0 || !asFast(b.Equal[i].Match.Value.Judged(out[n-1].Equal[i].Match.Value)) {
			out = append(out, b)
		}
	}
	return out
}

// byteBudgets are the bytes a vector that [Compression.Within] answers for.
var byteBudgets = []float64{128, 256, 512}

// WithinBytes is the setting of highest recall of all builds that take at most so many bytes a vector; of equal ones the
// fastest.
type WithinBytes struct {
	Bytes float64
	Build CompressedBuild // High is the setting
}

// Within are the bests under 128, 256 and 512 bytes a vector: of those that some builds keep to and some do not.
func (c *Compression) Within() []WithinBytes {
	var out []WithinBytes
	for _, bytes := range byteBudgets {
		within, best := 0, -1
		for i, b := range c.Builds {
			if b.Bytes.Median > bytes {
				continue
			}
			within++
			if best < 0 || b.higher(c.Builds[best]) {
				best = i
			}
		}
		if within > 0 && within < len(c.Builds) {
			out = append(out, WithinBytes{bytes, c.Builds[best]})
		}
	}
	return out
}

// higher reports whether b's setting of highest recall is above other's, or as high and faster.
func (b CompressedBuild) higher(other CompressedBuild) bool {
	recall, _ := b.High.Value(metric.Recall)
	than, _ := other.High.Value(metric.Recall)
	if recall.Median != than.Median {
		return recall.Median > than.Median
	}
	speed, _ := b.High.Value(Speed)
	against, _ := other.High.Value(Speed)
	return speed.Median > against.Median
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
