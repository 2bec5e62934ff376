package draw

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/internal/atomicfile"
	"annbench/reports/judge"
)

// pictures is every picture of a report, in the order of the files and of the page: adding a plot is one
// row here and the function that it names.
var pictures = []struct {
	file  string // its name, without extension
	place Place  // on the page
	title string // said where nothing was measured
	label string // follows the figure's title in what is read out instead of it
	make  func(input) figure
}{
	{"recall-qps", Tradeoff, "Recall against speed", ". The table of every cell below holds the same numbers.", points},
	{"speed-at-recall", Answer, "Queries a second", ", by family", speeds},
	{"build-time", Families, "Build time by the wall clock", inFamilies, bars(metric.Build)},
	{"search-time", Families, "Search time by the wall clock, mean", inFamilies, bars(metric.Mean)},
	{"memory", Families, "Memory, resident", inFamilies, bars(metric.Resident)},
	{"map", Families, "Mean average precision", inFamilies, bars(metric.MAP)},
	{"compression-recall", Compression, "Recall by bytes a vector", inBuilds, compression(metric.Recall, "recall")},
	{"compression-map", Compression, "Mean average precision by bytes a vector", inBuilds, compression(metric.MAP, "mAP")},
	{"transform-recall", Transforms, "Recall of smaller vectors", inBuilds, transforms(metric.Recall, "recall")},
	{"transform-map", Transforms, "Mean average precision of smaller vectors", inBuilds, transforms(metric.MAP, "mAP")},
	{"latency", Load, "Search time over queries", ", by family. The table of every cell holds the same numbers.", tails},
	{"throughput", Load, "Throughput", inCells, load(record.Throughput)},
	{"batch", Load, "Throughput in batches", inCells, load(record.Batch)},
	{"open", Load, "Latency under load (p99)", inCells, load(record.OpenLoop)},
	{"recall-difficulty", Data, "Recall by difficulty of the query", ", by family", hard},
	{"map-depth", Depth, "Precision by the number of answers shown", ", by family", depth(metric.MAP)},
	{"hit-depth", Depth, "The same item by the number of answers shown", ", by family", depth(metric.ItemHit)},
	{"ndcg-depth", Depth, "Graded relevance by the number of answers shown", ", by family", depth(metric.NDCG)},
	{"map-loss", Cost, "What approximation costs", ", over recall. The table of families holds the numbers of the settings compared.", loss(metric.MAP, "mAP")},
	{"hit-loss", Relevance, "What approximation costs by item", ", over recall. The table of every cell holds the same numbers.", loss(metric.ItemHit, "hit")},
	{"ndcg-loss", Relevance, "What approximation costs by grade", ", over recall. The table of every cell holds the same numbers.", loss(metric.NDCG, "nDCG")},
}

const (
	inFamilies = ", by family. The table below holds the same numbers."
	inBuilds   = ". The table below holds the same numbers."
	inCells    = ". The table of every cell holds the same numbers."
)

// A Place is the section of the page that shows a picture.
type Place int

// The places. A section with one picture has room for no more.
const (
	Nowhere     Place = iota // only a file
	Answer                   // beside the answer: one
	Tradeoff                 // one
	Families                 // any number
	Load                     // any number
	Cost                     // what approximation costs: one
	Depth                    // how many answers are looked at: any number
	Data                     // any number
	Compression              // what compression costs: any number
	Transforms               // how small the embedding may be: any number
	Relevance                // by item and by grade: any number
)

// sizes are the widths of a picture, in CSS pixels without its margins: as a file, and on the page with
// the class of each screen that it is for.
var sizes = map[Place]struct {
	file float64
	page []size
}{
	Nowhere:  {file: barWidth},
	Answer:   {barWidth, []size{{400, "glance"}}},
	Tradeoff: {pointWidth, []size{{920, "wide"}, {400, "narrow"}}},
	Families: {barWidth, []size{{480, "wide"}, {340, "narrow"}}},
	Load:     {barWidth, []size{{480, "wide"}, {340, "narrow"}}},
	Cost:     {pointWidth, []size{{920, "wide"}, {340, "narrow"}}},
	Depth:    {barWidth, []size{{480, "wide"}, {340, "narrow"}}},
	Data:     {barWidth, []size{{480, "wide"}, {340, "narrow"}}},

	Compression: {barWidth, []size{{480, "wide"}, {340, "narrow"}}},
	Transforms:  {barWidth, []size{{480, "wide"}, {340, "narrow"}}},
	Relevance:   {barWidth, []size{{480, "wide"}, {340, "narrow"}}},
}

const (
	barWidth   = 620
	pointWidth = 860
)

type size struct {
	width float64
	class string
}

// input is what a picture is made from.
type input struct {
	*judge.Report
	title   string // of the row
	choices []judge.Choice
	// onPage leaves out what the page says itself: the legend of points, the rule below bars.
	onPage bool
}

// figure is a figure of the table of pictures.
type figure interface {
	Figure
	any() bool       // something is there to draw
	heading() string // its title
	note() string    // what is to be said beside it; may be empty
	names() []string // the families in it, in order
}

// Picture is a figure with its names.
type Picture struct {
	File, Title string
	Figure      Figure // nil where nothing was measured
	Width       float64

	Place Place
	Label string // is read out instead of it
	Note  string // stands beside it
	// Families are those in it, in order.
	Families []string
}

// Pictures are those of the terms in focus, as files. One for which nothing was measured is left out.
func Pictures(r *judge.Report) []Picture {
	return slices.DeleteFunc(makeAll(r, false), func(p Picture) bool { return p.Figure == nil })
}

// PagePictures are those of the terms in focus, for the page. One for which nothing was measured has no
// figure.
func PagePictures(r *judge.Report) []Picture { return makeAll(r, true) }

func makeAll(r *judge.Report, onPage bool) []Picture {
	choices := r.Choose(r.Focus)
	var out []Picture
	for _, row := range pictures {
		p := Picture{File: row.file, Title: row.title, Place: row.place, Width: sizes[row.place].file}
		if f := row.make(input{r, row.title, choices, onPage}); f.any() {
			p.Figure, p.Title, p.Label, p.Note, p.Families = f, f.heading(), f.heading()+row.label, f.note(), f.names()
		}
		out = append(out, p)
	}
	return out
}

// HTML is the picture as inline SVG, once for each kind of screen. classes and hues give the class and
// the colour of a family.
func (p *Picture) HTML(classes func(family string) string, hues func(family string) Hue) string {
	s := ""
	for _, size := range sizes[p.Place].page {
		s += PageSVG(p.Figure, size.width, p.Label, size.class, classes, hues)
	}
	return s
}

// Write writes pictures into dir, which it makes if it is missing, as PNG and SVG, and returns the paths.
// Of photographs there is no SVG.
func Write(dir string, pictures []Picture, hues func(family string) Hue) (files []string, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	for _, p := range pictures {
		for _, form := range []struct {
			ext  string
			draw func(Figure, float64, func(string) Hue) ([]byte, error)
		}{{".png", PNG}, {".svg", SVG}} {
			if _, photos := p.Figure.(interface{ Photographs() }); photos && form.ext == ".svg" {
				continue
			}
			path := filepath.Join(dir, p.File+form.ext)
			b, err := form.draw(p.Figure, p.Width, hues)
			if err == nil {
				err = atomicfile.Write(path, b)
			}
			if err != nil {
				return files, fmt.Errorf("drawing %s: %w", filepath.Base(path), err)
			}
			files = append(files, path)
		}
	}
	return files, nil
}
