package draw

import (
	"fmt"
	"math"

	"annbench/bench/metric"
	"annbench/reports/say"
)

// transforms is recall or mAP of comparing every vector, over the bytes of a vector, by transform.
func transforms(name, what string) func(input) figure {
	return func(in input) figure {
		f := &plotFigure{level: math.NaN(), Title: what + " by bytes of a vector"}
		t := in.Transforms(in.Focus)
		if t == nil {
			return f
		}
		f.Title = fmt.Sprintf("%s@%d of smaller vectors, by %s", what, t.Terms.K, t.Family)
		f.x = axisScale{title: "bytes of a vector by itself", kind: logarithmic, unit: metric.Bytes}
		f.y = axisScale{title: fmt.Sprintf("%s@%d", what, t.Terms.K), unit: metric.Ratio}
		s := plotSeries{family: t.Family}
		for _, l := range t.Lines {
			if l.Row == nil {
				continue
			}
			v, ok := l.Row.Value(name)
			if !ok {
				continue
			}
			p := plotPoint{x: float64(l.Bytes), y: v.Median, lo: math.NaN(), hi: math.NaN()}
			if v.HasInterval {
				p.lo, p.hi = v.Lo, v.Hi
			}
			p.title = fmt.Sprintf("%s\n%d dimensions, %s\n%s\ncell %s", l.Name, l.Dim, say.Quantity(metric.PerVector, float64(l.Bytes)), say.Measured(name, v, ""), l.Row.Cell.ID())
			s.points = append(s.points, p)
		}
		if len(s.points) > 1 {
			f.series = append(f.series, s)
		}
		return f
	}
}
