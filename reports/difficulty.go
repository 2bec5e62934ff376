package reports

import (
	"fmt"
	"math"
	"os"
	"path/filepath"

	"annbench/bench/record"
)

// ownHue is the colour of a picture that is about the data and no family.
var ownHue = tint(0x0072b2, 0x4aa9ea, circle)

// difficultyFigures draw how hard a data set is: LID and relative contrast over the queries, and the
// variance that the first principal axes hold.
func difficultyFigures(d record.Difficulty, dim int) []picture {
	quantiles := func(values []float64) []plotPoint {
		var points []plotPoint
		for i, v := range values {
			points = append(points, plotPoint{
				x: float64(i) / float64(len(values)-1), y: v, lo: math.NaN(), hi: math.NaN(),
				title: fmt.Sprintf("%d %% of the queries: at most %s", 100*i/(len(values)-1), significant(v)),
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
	var out []picture
	for _, p := range []struct {
		file   string
		figure plotFigure
		points []plotPoint
	}{
		{"lid", plotFigure{title: "Local intrinsic dimensionality of the queries", x: axisOf{title: "share of the queries"}, y: axisOf{title: "LID, at most", zero: true}}, quantiles(d.LIDDeciles)},
		{"contrast", plotFigure{title: "Relative contrast of the queries", x: axisOf{title: "share of the queries"}, y: axisOf{title: "mean distance over that of the 10th neighbour, at most"}}, quantiles(d.ContrastDeciles)},
		{"variance", plotFigure{title: "Variance by principal axes", x: axisOf{title: "first axes"}, y: axisOf{title: "share of the variance", zero: true}}, variance},
	} {
		if len(p.points) == 0 {
			continue
		}
		f := p.figure
		f.level = math.NaN()
		f.series = []plotSeries{{family: "data", hue: ownHue, points: p.points, joined: true}}
		out = append(out, picture{p.file, f.title, &f, barWidth})
	}
	return out
}

// WriteDifficulty draws the difficulty of a data set of dim dimensions into dir, which it makes if it is
// missing, as PNG and SVG, and returns the paths.
func WriteDifficulty(dir string, d record.Difficulty, dim int) ([]string, error) {
	return writePictures(dir, difficultyFigures(d, dim), func(string) hue { return ownHue })
}

func writePictures(dir string, pictures []picture, hues func(family string) hue) (files []string, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	for _, p := range pictures {
		for _, form := range []struct {
			ext  string
			draw func(figure, float64, func(string) hue) ([]byte, error)
		}{{".png", picturePNG}, {".svg", pictureSVG}} {
			b, err := form.draw(p.figure, p.width, hues)
			if err != nil {
				return files, err
			}
			path := filepath.Join(dir, p.file+form.ext)
			if err := record.WriteFile(path, b); err != nil {
				return files, err
			}
			files = append(files, path)
		}
	}
	return files, nil
}
