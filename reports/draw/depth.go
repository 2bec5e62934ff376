package draw

import (
	"fmt"
	"math"
	"slices"

	"annbench/bench/metric"
	"annbench/reports/say"
)

// depth plots a quantity against k, from the first answer to the deepest that were measured, for the choice of
// each family. Records that hold it for the first 1, 2, ... of their answers give a line; else the cells of the
// same settings at several k give points.
func depth(name string) func(input) figure {
	return func(in input) figure { return depthOf(in, name) }
}

func depthOf(in input, name string) *plotFigure {
	info, _ := metric.Lookup(name)
	f := &plotFigure{
		Title: fmt.Sprintf("%s by the number of answers shown", info.Title), level: math.NaN(), Legend: true,
		x: axisScale{title: "k, the first answers of a list", kind: logarithmic},
		y: axisScale{title: info.Title + "@k", unit: metric.Ratio},
	}
	for _, c := range in.choices {
		if c.Row == nil {
			continue
		}
		s := plotSeries{family: c.Family.Name, joined: true}
		for _, d := range in.Depths(c.Row, name) {
			p := plotPoint{x: float64(d.K), y: d.Value.Median, lo: math.NaN(), hi: math.NaN()}
			if d.Value.HasInterval {
				p.lo, p.hi = d.Value.Lo, d.Value.Hi
			}
			p.title = fmt.Sprintf("%s\n%s\n%s@%d %s\ncell %s", c.Family.Name, say.OrDash(say.Settings(c.Row.Cell)), info.Title, d.K, say.Ratio(d.Value.Median), c.Row.Cell.ID())
			s.points = append(s.points, p)
		}
		if len(s.points) > 1 {
			f.series = append(f.series, s)
		}
	}
	deepest := 1.0
	for _, s := range f.series {
		deepest = max(deepest, s.points[len(s.points)-1].x)
	}
	f.x.ticks = []float64{}
	for _, k := range []float64{1, 2, 3, 5, 10, 20, 30, 50, 100, 200, 500, 1000} {
		if k <= deepest {
			f.x.ticks = append(f.x.ticks, k)
		}
	}
	if len(f.x.ticks) > 0 && !slices.Contains(f.x.ticks, deepest) {
		f.x.ticks = append(f.x.ticks, deepest)
	}
	return f
}
