package draw

import (
	"fmt"
	"math"

	"annbench/bench/metric"
	"annbench/reports/judge"
	"annbench/reports/say"
)

// compression is recall or mAP over bytes a vector, of every build within four times the least time in which a family comes
// up to [judge.Target]. Hollow: codes alone.
func compression(name, what string) func(input) figure {
	return func(in input) figure {
		f := &plotFigure{level: math.NaN(), Legend: true, Title: what + " by bytes a vector"}
		c := in.Compression(in.Focus)
		if c == nil {
			return f
		}
		const at = 1 // place among the times
		f.Title = fmt.Sprintf("%s@%d within %s a query", what, c.Terms.K, say.Format(metric.Seconds, c.Seconds[at]))
		f.x = axisScale{title: "bytes a vector; hollow: codes alone", kind: logarithmic, unit: metric.Bytes}
		f.y = axisScale{title: fmt.Sprintf("%s@%d", what, c.Terms.K), unit: metric.Ratio}
		if name == metric.Recall {
			f.y.kind, f.level = logits, judge.Target
		}
		place := map[string]int{}
		for _, b := range c.Builds {
			v := b.At[at].Recall
			if name == metric.MAP {
				v = b.At[at].MAP
			}
			if b.At[at].Row == nil || v.N == 0 {
				continue
			}
			i, ok := place[b.Family]
			if !ok {
				i = len(f.series)
				place[b.Family] = i
				f.series = append(f.series, plotSeries{family: b.Family})
			}
			row := b.At[at].Row
			f.series[i].points = append(f.series[i].points, plotPoint{
				x: b.Bytes.Median, y: v.Median, lo: math.NaN(), hi: math.NaN(), open: b.Vectors == judge.HoldsCodes,
				title: fmt.Sprintf("%s\n%s\n%s a vector, %s\n%s\ncell %s", b.Family, say.OrDash(say.Settings(row.Cell)), say.Quantity(metric.PerVector, b.Bytes.Median), say.Vectors(b.Vectors), say.Measured(name, v, ""), row.Cell.ID()),
			})
		}
		return f
	}
}
