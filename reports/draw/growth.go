package draw

import (
	"fmt"
	"math"

	"annbench/bench/metric"
	"annbench/reports/judge"
	"annbench/reports/say"
)

// growthFile names the picture of one of them.
func growthFile(name string) string {
	return map[string]string{metric.Build: "growth-build", metric.Mean: "growth-latency", metric.Resident: "growth-memory"}[name]
}

// Growths draws the growths of r into dir, which it makes if it is missing, as PNG and SVG, and
// returns the paths.
func Growths(dir string, r *judge.Report, growths []judge.Growth) ([]string, error) {
	var pictures []Picture
	for _, name := range judge.Grown {
		info, _ := metric.Lookup(name)
		f := &plotFigure{
			Title: say.GrowthTitle(name), level: math.NaN(), Legend: true,
			x: axisScale{title: "vectors", kind: logarithmic},
			y: axisScale{title: fmt.Sprintf("at recall %.2f; hollow: at the highest that the family reaches, below it", judge.Target), kind: logarithmic, unit: info.Unit},
		}
		for _, g := range growths {
			if g.Name != name {
				continue
			}
			s := plotSeries{family: g.Family, joined: true}
			for _, p := range g.Points {
				s.points = append(s.points, plotPoint{
					x: float64(p.Vectors), y: p.Value, lo: math.NaN(), hi: math.NaN(), open: p.Short,
					title: fmt.Sprintf("%s\n%s vectors: %s", g.Family, say.Count(p.Vectors), say.Format(info.Unit, p.Value)),
				})
			}
			f.series = append(f.series, s)
		}
		if f.any() {
			pictures = append(pictures, Picture{File: growthFile(name), Title: f.Title, Figure: f, Width: barWidth})
		}
	}
	return Write(dir, pictures, HuesOf(r))
}
