package draw

import (
	"fmt"
	"math"

	"annbench/bench/record"
	"annbench/reports/say"
)

// ownHue is the colour of a picture that is about the data and no family.
var ownHue = Tint(0x0072b2, 0x4aa9ea, Circle)

// difficultyFigures draw how hard a data set is: LID and relative contrast over the queries, and the
// variance that the first principal axes hold.
func difficultyFigures(d record.Difficulty, dim int) []Picture {
	quantiles := func(values []float64) []plotPoint {
		var points []plotPoint
		for i, v := range values {
			points = append(points, plotPoint{
				x: float64(i) / float64(len(values)-1), y: v, lo: math.NaN(), hi: math.NaN(),
				title: fmt.Sprintf("%d %% of the queries: at most %s", 100*i/(len(values)-1), say.Significant(v)),
			})
		}
		return points
	}
	var variance []plotPoint
	n := len(d.VarianceShares)
	step := max(1, dim/100)
	for i, v := range d.VarianceShares {
		axes := min(dim, (i+1)*step)
		if i == n-1 {
			axes = dim
		}
		variance = append(variance, plotPoint{x: float64(axes), y: v, lo: math.NaN(), hi: math.NaN(), title: fmt.Sprintf("%d axes: %.1f %%", axes, 100*v)})
	}
	var out []Picture
	for _, p := range []struct {
		file   string
		figure plotFigure
		points []plotPoint
	}{
		{"lid", plotFigure{Title: "Local intrinsic dimensionality of the queries", x: axisScale{title: "share of the queries"}, y: axisScale{title: "LID, at most", zero: true}}, quantiles(d.LIDDeciles)},
		{"contrast", plotFigure{Title: "Relative contrast of the queries", x: axisScale{title: "share of the queries"}, y: axisScale{title: "mean distance over that of the 10th neighbour, at most"}}, quantiles(d.ContrastDeciles)},
		{"variance", plotFigure{Title: "Variance by principal axes", x: axisScale{title: "first axes"}, y: axisScale{title: "share of the variance", zero: true}}, variance},
	} {
		if len(p.points) == 0 {
			continue
		}
		f := p.figure
		f.level = math.NaN()
		f.series = []plotSeries{{family: "data", points: p.points, joined: true}}
		out = append(out, Picture{File: p.file, Title: f.Title, Figure: &f, Width: barWidth})
	}
	return out
}

// Difficulty draws the difficulty of a data set of dim dimensions into dir, which it makes if it is
// missing, as PNG and SVG, and returns the paths.
func Difficulty(dir string, d record.Difficulty, dim int) ([]string, error) {
	return Write(dir, difficultyFigures(d, dim), func(string) Hue { return ownHue })
}
