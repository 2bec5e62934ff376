package draw

import (
	"os"
	"path/filepath"

	"annbench/internal/atomicfile"
	"annbench/reports/judge"
)

func Write(dir string, pictures []Picture, hues func(family string) Hue) (files []string, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	for _, p := range pictures {
		for _, form := range []struct {
			ext  string
			draw func(Figure, float64, func(string) Hue) ([]byte, error)
		}{{".png", PNG}, {".svg", SVG}} {
			b, err := form.draw(p.Figure, p.Width, hues)
			if err != nil {
				return files, err
			}
			path := filepath.Join(dir, p.File+form.ext)
			if err := atomicfile.Write(path, b); err != nil {
				return files, err
			}
			files = append(files, path)
		}
	}
	return files, nil
}

// Width of the pictures that are written as files, in CSS pixels without their margins.
const (
	barWidth   = 620
	pointWidth = 860
)

type Picture struct {
	File, Title string
	Figure      Figure
	Width       float64
}

// Pictures are those of the terms in focus for which something was measured.
func Pictures(r *judge.Report) []Picture {
	choices := r.Choose(r.Focus)
	var out []Picture
	if f := Points(r, r.Focus, choices); f.Any() {
		out = append(out, Picture{"recall-qps", f.Title, f, pointWidth})
	}
	if f := Speeds(r, r.Focus); f.Any() {
		out = append(out, Picture{"speed-at-recall", f.Title, f, barWidth})
	}
	for _, b := range FourBars {
		if f := Bars(r, r.Focus, choices, b.Name, b.Title); f.Any() {
			out = append(out, Picture{b.file, f.Title, f, barWidth})
		}
	}
	if f := Tails(r, r.Focus, choices); f.Any() {
		out = append(out, Picture{"latency", "Search time over queries", f, barWidth})
	}
	for _, f := range Loads(r, choices) {
		f.Legend = true
		out = append(out, Picture{f.file, f.Title, f, barWidth})
	}
	if f := HardFigure(r, r.Focus, choices); f.Any() {
		out = append(out, Picture{f.file, f.Title, f, barWidth})
	}
	if f, _, ok := LossFigure(r, r.Focus); ok {
		f.Legend = true
		out = append(out, Picture{"map-loss", f.Title, f, pointWidth})
	}
	return out
}
