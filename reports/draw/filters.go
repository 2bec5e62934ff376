package draw

import (
	"fmt"
	"math"
	"slices"

	"annbench/bench/metric"
	"annbench/reports/judge"
	"annbench/reports/say"
)

// Filters are the pictures of searches under made filters: for each correlation, time and recall over the share that passes, a
// line for each family and way. Solid lines look at the filter while they search, dashed ones drop afterwards what does
// not pass, and the dotted one compares all that passes.
func Filters(f *judge.Filtered) []Picture {
	var out []Picture
	for _, correlation := range []string{"none", "near", "far"} {
		time, recall := filterFigure(f, correlation, f.Time), filterFigure(f, correlation, metric.Recall)
		for _, fig := range []struct {
			file string
			*plotFigure
		}{{"filter-time-" + correlation, time}, {"filter-recall-" + correlation, recall}} {
			if fig.any() {
				out = append(out, Picture{
					File: fig.file, Title: fig.Title, Figure: fig.plotFigure, Width: barWidth, Place: Families,
					Label: fig.Title + ", by family and way. The table holds the same numbers.", Families: fig.names(),
				})
			}
		}
	}
	return out
}

var wayDash = map[string]Dash{"inside": Solid, "after": Dashed, "before": Dotted}

func filterFigure(f *judge.Filtered, correlation, name string) *plotFigure {
	info, _ := metric.Lookup(name)
	fig := &plotFigure{
		level: math.NaN(), Legend: true,
		x: axisScale{title: "selectivity: share of the vectors that passes", kind: logarithmic, unit: metric.Ratio},
	}
	where := map[string]string{"none": "what passes anywhere", "near": "what passes near the query", "far": "what passes far from the query"}[correlation]
	if name == metric.Recall {
		fig.Title = "Recall: " + where
		fig.y = axisScale{title: fmt.Sprintf("recall@%d among what passes; hollow: below %s", f.Terms.K, say.Ratio(judge.Target)), kind: logits, unit: metric.Ratio}
		fig.level = judge.Target
	} else {
		fig.Title = "Time: " + where
		fig.y = axisScale{title: info.Title + " a query; hollow: recall stays below " + say.Ratio(judge.Target), kind: logarithmic, unit: metric.Seconds}
	}
	for _, l := range f.Lines {
		s := plotSeries{family: l.Look(), name: say.FilterLine(l.Family, l.Way), joined: true, dash: wayDash[l.Way]}
		for i, use := range f.Filters {
			p := l.Points[i]
			if p == nil || !use.Made || use.Correlation != correlation {
				continue
			}
			v := p.Time
			if name == metric.Recall {
				v = p.Recall
			}
			if name != metric.Recall && !(v.Median > 0) {
				continue
			}
			x := use.Selectivity // not Asked: 1 % of 120 vectors is one vector, which is 0.83 %
			if !(x > 0) {
				continue
			}
			if t := say.Round(x, 2); !slices.Contains(fig.x.ticks, t) {
				fig.x.ticks = append(fig.x.ticks, t)
			}
			point := plotPoint{x: x, y: v.Median, lo: math.NaN(), hi: math.NaN(), open: !p.Reached}
			point.title = fmt.Sprintf("%s\n%s\n%s: recall %s, %s\ncell %s", s.name, say.OrDash(say.FilterSettings(p.Row.Cell)), say.FilterPasses(f, use), say.Ratio(p.Recall.Median), say.Format(metric.Seconds, p.Time.Median), p.Row.Cell.ID())
			s.points = append(s.points, point)
		}
		if len(s.points) > 0 {
			slices.SortFunc(s.points, func(a, b plotPoint) int { return int(math.Copysign(1, a.x-b.x)) })
			fig.series = append(fig.series, s)
		}
	}
	slices.Sort(fig.x.ticks)
	return fig
}
