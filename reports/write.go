package reports

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"annbench/bench/record"
)

// The files of a report.
const (
	PageFile    = "index.html"
	SummaryFile = "summary.md"
	CSVFile     = "records.csv"
)

// Width of the pictures that are written as files, in CSS pixels without their margins.
const (
	barWidth   = 620
	pointWidth = 860
)

// Write writes the report into the folder dir, which it makes if it is missing, and returns the paths
// of the files, the page first. They are the page, the summary in Markdown, every record as CSV, and
// each picture as PNG and SVG; a picture for which nothing was measured is left out. The same results
// give the same bytes.
func Write(dir string, r *Report) (files []string, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("writing the report: %w", err)
	}
	write := func(name string, b []byte, err error) error {
		path := filepath.Join(dir, name)
		if err == nil {
			err = record.WriteFile(path, b)
		}
		if err != nil {
			return fmt.Errorf("writing the report: %s: %w", name, err)
		}
		files = append(files, path)
		return nil
	}
	page, err := Page(r)
	if err := write(PageFile, page, err); err != nil {
		return files, err
	}
	pictures := r.pictures()
	summary, err := r.summary(pictures)
	if err := write(SummaryFile, summary, err); err != nil {
		return files, err
	}
	var table bytes.Buffer
	err = Print(&table, r, "csv", TableOptions{})
	if err := write(CSVFile, table.Bytes(), err); err != nil {
		return files, err
	}
	for _, p := range pictures {
		png, err := picturePNG(p.figure, p.width, r.hue)
		if err := write(p.file+".png", png, err); err != nil {
			return files, err
		}
		svg, err := pictureSVG(p.figure, p.width, r.hue)
		if err := write(p.file+".svg", svg, err); err != nil {
			return files, err
		}
	}
	return files, nil
}

type picture struct {
	file, title string
	figure      figure
	width       float64
}

// pictures are those of the terms in focus for which something was measured.
func (r *Report) pictures() []picture {
	choices := r.Choose(r.Focus)
	var out []picture
	if f := r.points(r.Focus, choices); f.any() {
		out = append(out, picture{"recall-qps", f.title, f, pointWidth})
	}
	if f := r.speeds(r.Focus); f.any() {
		out = append(out, picture{"speed-at-recall", f.title, f, barWidth})
	}
	for _, b := range fourBars {
		if f := r.bars(r.Focus, choices, b.name, b.title); f.any() {
			out = append(out, picture{b.file, f.title, f, barWidth})
		}
	}
	if f := r.tails(r.Focus, choices); f.any() {
		out = append(out, picture{"latency", "Search time over queries", f, barWidth})
	}
	for _, f := range r.loads(choices) {
		f.legend = true
		out = append(out, picture{f.file, f.title, f, barWidth})
	}
	if f := r.hardFigure(r.Focus, choices); f.any() {
		out = append(out, picture{f.file, f.title, f, barWidth})
	}
	if f, _, ok := r.lossFigure(r.Focus); ok {
		f.legend = true
		out = append(out, picture{"map-loss", f.title, f, pointWidth})
	}
	return out
}

func (r *Report) summary(pictures []picture) ([]byte, error) {
	var b bytes.Buffer
	if err := Table(&b, r, TableOptions{Format: Markdown}); err != nil {
		return nil, err
	}
	if len(pictures) > 0 {
		fmt.Fprintf(&b, "## Pictures\n\nOf %s. %s\n\n", markdownText(r.describeTerms(r.Focus)), sentence(choiceRule(r.Focus.K)))
		for _, p := range pictures {
			fmt.Fprintf(&b, "![%s](%s.svg)\n\n", markdownText(p.title), p.file)
		}
	}
	return append(bytes.TrimRight(b.Bytes(), "\n"), '\n'), nil
}
