// Package reports turns results folders into what a person reads to decide. It is the door to the
// packages below it, each of which imports only those before it:
//
//	judge        results -> values and codes
//	say          values and codes -> English
//	draw         pictures
//	text         tables for a terminal and in Markdown
//	page         the HTML page
//	modelcard    the report card of a model
//	interchange  CSV, JSON, Go's benchmark format, ann-benchmarks
//
// [Write] writes everything into a folder, [Print] one format to a stream. None of it links cgo: a
// report can be made on any machine that has the records.
package reports

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"annbench/internal/atomicfile"
	"annbench/reports/draw"
	"annbench/reports/interchange"
	"annbench/reports/judge"
	"annbench/reports/modelcard"
	"annbench/reports/page"
	"annbench/reports/say"
	"annbench/reports/text"
)

// The files of a report.
const (
	PageFile    = page.File
	SummaryFile = "summary.md"
	CSVFile     = "records.csv"
	// CategoriesFile is there where the data set has categories.
	CategoriesFile = "categories.csv"
)

// litter is the age from which a temporary file of a report is one that a killed process left: writing one takes less
// than a second.
const litter = 10 * time.Second

// Write writes the report into the folder dir, which it makes if it is missing, and returns the paths
// of the files, the page first. They are the page, the summary in Markdown, every record as CSV, mAP by
// category as CSV where there are categories, and each picture as PNG and SVG; a picture for which nothing was measured is left out. The same results
// give the same bytes.
func Write(dir string, r *judge.Report) (files []string, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("writing the report: %w", err)
	}
	if err := atomicfile.Tidy(dir, litter); err != nil {
		return nil, fmt.Errorf("writing the report: %w", err)
	}
	write := func(name string, b []byte, err error) error {
		path := filepath.Join(dir, name)
		if err == nil {
			err = atomicfile.Write(path, b)
		}
		if err != nil {
			return fmt.Errorf("writing the report: %s: %w", name, err)
		}
		files = append(files, path)
		return nil
	}
	html, err := page.Make(r, page.Options{Model: modelcard.Section})
	if err := write(PageFile, html, err); err != nil {
		return files, err
	}
	pictures := draw.Pictures(r)
	summary, err := summary(r, pictures)
	if err := write(SummaryFile, summary, err); err != nil {
		return files, err
	}
	var table bytes.Buffer
	err = interchange.CSV(&table, r)
	if err := write(CSVFile, table.Bytes(), err); err != nil {
		return files, err
	}
	if len(r.Categories(r.Focus).Rows) > 0 {
		table.Reset()
		err = interchange.CategoriesCSV(&table, r)
		if err := write(CategoriesFile, table.Bytes(), err); err != nil {
			return files, err
		}
	}
	drawn, err := draw.Write(dir, pictures, draw.HuesOf(r))
	files = append(files, drawn...)
	if err != nil {
		return files, fmt.Errorf("writing the report: %w", err)
	}
	return files, nil
}

func summary(r *judge.Report, pictures []draw.Picture) ([]byte, error) {
	var b bytes.Buffer
	if err := text.Table(&b, r, text.Options{Format: text.Markdown}); err != nil {
		return nil, err
	}
	if len(r.Categories(r.Focus).Rows) > 0 {
		if err := text.Categories(&b, r, text.Options{Format: text.Markdown}); err != nil {
			return nil, err
		}
	}
	if len(pictures) > 0 {
		fmt.Fprintf(&b, "## Pictures\n\nOf %s. %s\n\n", text.MarkdownText(say.DatasetTerms(r, r.Focus)), say.Sentence(say.ChoiceRule(r.Focus.K)))
		for _, p := range pictures {
			fmt.Fprintf(&b, "![%s](%s.svg)\n\n", text.MarkdownText(p.Title), p.File)
		}
	}
	return append(bytes.TrimRight(b.Bytes(), "\n"), '\n'), nil
}
