package judge

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"annbench/bench/metric"
	"annbench/bench/record"
)

// TradeoffPoint is a setting on a front: what it takes of a quantity, or gives of it, and the seconds a query that go
// with that.
type TradeoffPoint struct {
	X, Seconds float64
	Name       string
}

// Tradeoff is a front: the tries on all vectors that no other beats: less time, and more quality or less of a cost.
type Tradeoff struct {
	Quantity string          // of X, in package metric's table
	Points   []TradeoffPoint // X ascending
	// Knee is the place of the point from which on more buys less: that of the greatest distance from the line between
	// the ends, both axes scaled to 1 (Satopää, Albrecht, Irwin, Raghavan: Finding a "Kneedle" in a Haystack, ICDCS
	// workshops 2011); times and bytes by their logarithms, quality by its logit.
	Knee int
}

// KneePoint is the point at Knee; ok is false where the front has none, being no more than its ends.
func (f Tradeoff) KneePoint() (p TradeoffPoint, ok bool) {
	if f.Knee <= 0 || f.Knee >= len(f.Points)-1 {
		return p, false
	}
	return f.Points[f.Knee], true
}

// Tradeoffs are those of a search on all vectors: quality against time over everything that was tried, memory and build
// time against time over the builds that keep the limit of quality.
func Tradeoffs(s *record.Search) (out []Tradeoff) {
	var quality, memory, build []TradeoffPoint
	for _, t := range s.Tries {
		if t.Rows != s.Rows || t.Failed != "" {
			continue
		}
		name := strings.TrimSpace(t.Family + " " + t.Build)
		for _, step := range t.Steps {
			if step.Seconds > 0 && step.Quality > LossFrom {
				quality = append(quality, TradeoffPoint{step.Quality, step.Seconds, name + " " + step.Search})
			}
		}
		if !t.Reached || t.Score <= 0 {
			continue
		}
		if v := t.Cost[metric.Resident]; v > 0 {
			memory = append(memory, TradeoffPoint{v, t.Score, name})
		}
		if v := t.Cost[metric.Build]; v > 0 {
			build = append(build, TradeoffPoint{v, t.Score, name})
		}
	}
	if s.Quality != "" {
		out = append(out, frontOf(s.Quality, quality))
	}
	return append(out, frontOf(metric.Resident, memory), frontOf(metric.Build, build))
}

func frontOf(quantity string, all []TradeoffPoint) Tradeoff {
	f := Tradeoff{Quantity: quantity}
	info := lookup(quantity)
	// Of a cost the front falls: more of it buys less time. Of a quality it rises: more of it takes more.
	// Of equal X, the fastest is met first.
	bySeconds := 1
	if !info.Lower {
		bySeconds = -1
	}
	slices.SortStableFunc(all, func(a, b TradeoffPoint) int {
		return cmp.Or(cmp.Compare(a.X, b.X), bySeconds*cmp.Compare(a.Seconds, b.Seconds))
	})
	if info.Lower {
		for _, p := range all {
			if n := len(f.Points); n == 0 || p.Seconds < f.Points[n-1].Seconds {
				f.Points = append(f.Points, p)
			}
		}
	} else {
		for _, p := range slices.Backward(all) {
			if n := len(f.Points); n == 0 || p.Seconds < f.Points[n-1].Seconds {
				f.Points = append(f.Points, p)
			}
		}
		slices.Reverse(f.Points)
	}
	f.Knee = knee(f.Points, info.Unit == metric.Ratio)
	return f
}

func knee(points []TradeoffPoint, ratio bool) int {
	if len(points) < 3 {
		return 0
	}
	x := func(p TradeoffPoint) float64 {
		if ratio {
			return Logit(p.X, 1e-4)
		}
		return math.Log(p.X)
	}
	first, last := points[0], points[len(points)-1]
	dx, dy := x(last)-x(first), math.Log(last.Seconds)-math.Log(first.Seconds)
	at, far := 0, 0.0
	for i, p := range points {
		if dx == 0 || dy == 0 {
			break
		}
		d := (x(p)-x(first))/dx - (math.Log(p.Seconds)-math.Log(first.Seconds))/dy
		if !ratio {
			d = -d // the curve falls fast at first
		}
		if d > far {
			at, far = i, d
		}
	}
	return at
}
