package judge

import (
	"cmp"
	"math"
	"slices"

	"annbench/bench/metric"
)

// Growth is how one quantity of a family grows with the number of vectors.
type Growth struct {
	Family string
	Name   string // in package metric's table
	Points []GrowthPoint
	// Exponent is the slope of log(value) over log(vectors) by least squares: 1 where twice the vectors
	// take twice as much, 0 where they take the same. HasExponent is whether there are two sizes.
	Exponent    float64
	HasExponent bool
	// Error is the standard error of Exponent; 0 for fewer than three sizes.
	Error float64
}

// GrowthPoint is the quantity at one size.
type GrowthPoint struct {
	Vectors int
	Value   float64
	// Recall is what the value is at: Target, or the family's highest where it does not come up to it.
	Recall float64
	// Short says that it does not.
	Short bool
}

// Grown are the quantities that are followed.
var Grown = []string{metric.Build, metric.Mean, metric.Resident}

// Growths follows build time, latency and memory of every family over the data sets of r, which are of
// different sizes. Latency is that at recall [Target], interpolated as [Report.Match] does; build time
// and memory are those of the setting that reaches it. Only terms that differ in nothing but the data
// set from the ones in focus count.
func Growths(r *Report) []Growth {
	sizes := map[string]int{}
	for _, src := range r.Sources {
		sizes[src.Dataset.Digest] = src.Dataset.Base
	}
	byKey := map[[2]string]*Growth{}
	var out []*Growth
	for _, t := range r.Terms {
		same := r.Focus
		same.Dataset = t.Dataset
		if t != same {
			continue
		}
		for _, name := range Grown {
			for _, m := range r.Match(t, Target, name) {
				if m.Reach == Lost || m.Setting == nil {
					continue
				}
				value := m.Value.Median
				if name != metric.Mean {
					own, ok := m.Setting.Value(name)
					if !ok {
						continue
					}
					value = own.Median
				}
				if value <= 0 {
					continue
				}
				key := [2]string{name, m.Family.Name}
				g := byKey[key]
				if g == nil {
					g = &Growth{Family: m.Family.Name, Name: name}
					byKey[key] = g
					out = append(out, g)
				}
				g.Points = append(g.Points, GrowthPoint{sizes[t.Dataset], value, m.Recall, !m.Reached()})
			}
		}
	}
	var all []Growth
	for _, name := range Grown {
		for _, g := range out {
			if g.Name == name {
				slices.SortFunc(g.Points, func(a, b GrowthPoint) int { return cmp.Compare(a.Vectors, b.Vectors) })
				g.fit()
				all = append(all, *g)
			}
		}
	}
	return all
}

// fit finds the exponent by least squares on the logarithms.
func (g *Growth) fit() {
	if l, ok := lineOf(g.comparable()); ok {
		g.Exponent, g.Error, g.HasExponent = l.slope, l.slopeError(), true
	}
}

// At carries the growth on to n vectors, from the largest size that was measured: value by the exponent
// of the last decade of sizes, for what fits into caches grows otherwise than what does not; lo and hi by
// the smallest and the largest exponent that the measurements allow, which are those of the last decade and
// of all sizes, two standard errors to either side. How far off a straight line is beyond the measurements
// is in neither. ok is false where there are fewer than three sizes at the same recall.
func (g *Growth) At(n int) (value, lo, hi float64, ok bool) {
	points := g.comparable()
	all, fitted := lineOf(points)
	if !fitted || len(points) < 3 {
		return 0, 0, 0, false
	}
	last := points[len(points)-1]
	late := slices.DeleteFunc(slices.Clone(points), func(p GrowthPoint) bool { return p.Vectors < last.Vectors/lastDecade })
	slope := all.slope
	if l, ok := lineOf(late); ok {
		slope = l.slope
	}
	at := func(exponent float64) float64 {
		return last.Value * math.Pow(float64(n)/float64(last.Vectors), exponent)
	}
	doubt := 2 * all.slopeError()
	low, high := at(min(slope, all.slope)-doubt), at(max(slope, all.slope)+doubt)
	return at(slope), min(low, high), max(low, high), true
}

// lastDecade is a little more than 10, since the sizes of a base are not quite round: queries are held out.
const lastDecade = 11

// logLine is a straight line through logarithms.
type logLine struct {
	n, mx, my float64 // points, and their centre
	slope     float64
	xx        float64 // Σ (x - mx)²
	residual  float64 // Σ of squared residuals
}

func (l *logLine) slopeError() float64 {
	if l.n <= 2 {
		return 0
	}
	return math.Sqrt(l.residual / (l.n - 2) / l.xx)
}

// comparable are the points of g that compare with each other: those at the same recall, or all where
// there are not two of them. They are in the order of size.
func (g *Growth) comparable() []GrowthPoint {
	points := slices.DeleteFunc(slices.Clone(g.Points), func(p GrowthPoint) bool { return p.Short })
	if len(points) < 2 {
		return g.Points
	}
	return points
}

// lineOf fits log(value) over log(vectors). ok is false where there are not two sizes.
func lineOf(points []GrowthPoint) (l logLine, ok bool) {
	l.n = float64(len(points))
	for _, p := range points {
		l.mx += math.Log(float64(p.Vectors)) / l.n
		l.my += math.Log(p.Value) / l.n
	}
	var xy, yy float64
	for _, p := range points {
		x, y := math.Log(float64(p.Vectors))-l.mx, math.Log(p.Value)-l.my
		l.xx, xy, yy = l.xx+x*x, xy+x*y, yy+y*y
	}
	if l.xx == 0 {
		return l, false
	}
	l.slope = xy / l.xx
	l.residual = max(0, yy-xy*l.slope)
	return l, true
}
