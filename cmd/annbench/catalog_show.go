package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/tw"

	"annbench/embedder/catalog"
	"annbench/embedder/catalog/survey"
	"annbench/internal/atomicfile"
)

type catalogShowCmd struct {
	images
	Out     string `help:"Folder for the table, the plots and the sheet. Default: results/NAME.catalog." placeholder:"DIR" s3:"out"`
	Samples int    `help:"Pictures of each category on the contact sheet." default:"12"`
	Seed    uint64 `help:"Of the choice of these pictures." default:"1"`
	Strict  bool   `help:"End with an error at the first row, box, board or image that is not as it should be."`
	JSON    bool   `help:"Print the table as JSON."`
}

// Help is printed below the flags.
func (catalogShowCmd) Help() string {
	return `Reads every image once. With --tsv alone it counts the boxes, without any image.

Examples:
  annbench catalog show photos
  annbench catalog show boards
  annbench catalog show --tsv raw_test.tsv
  annbench catalog show --tsv raw_test.tsv --images boards --strict`
}

func (c *catalogShowCmd) Run(ctx context.Context, s *surface) error {
	if c.Samples < 0 {
		return misuse(fmt.Errorf("--samples must be at least 0, not %d", c.Samples))
	}
	look, err := c.survey(ctx, s)
	if err != nil {
		return err
	}
	if c.Out == "" {
		name := filepath.Base(filepath.Clean(look.Name))
		c.Out = filepath.Join("results", strings.TrimSuffix(name, filepath.Ext(name))+".catalog")
	}
	files, err := writeSurvey(look, c.Out)
	if err != nil {
		return err
	}
	if c.JSON {
		enc := json.NewEncoder(s.out)
		enc.SetIndent("", "  ")
		return enc.Encode(described(look))
	}
	if err := printSurvey(s, look); err != nil {
		return err
	}
	for _, f := range files {
		fmt.Fprintln(s.out, f)
	}
	return nil
}

func (c *catalogShowCmd) survey(ctx context.Context, s *surface) (*survey.Survey, error) {
	if c.TSV != "" && c.Images == "" && c.Folder == "" {
		a, err := catalog.ReadAnnotations(c.TSV)
		if err != nil {
			return nil, misuse(err)
		}
		if c.Strict && len(a.Problems) > 0 {
			return nil, catalog.Strict(a.Problems)
		}
		return survey.OfAnnotations(a), nil
	}
	src, err := c.open(&surface{quiet: true}, c.Strict) // the problems are told with the others, below
	if err != nil {
		return nil, err
	}
	samples := c.Samples
	if samples == 0 {
		samples = -1
	}
	began := time.Now()
	look, err := survey.Take(ctx, src, survey.Options{
		Samples: samples, Seed: c.Seed,
		Progress: func(done, total int) {
			s.progress("reading images", done, total, secondsLeft(done, total, time.Since(began)))
		},
	})
	s.clear()
	if err != nil {
		return nil, err
	}
	if c.Strict && len(look.Problems) > 0 {
		return nil, catalog.Strict(look.Problems)
	}
	return look, nil
}

// categoryRow is a category as a program reads it. Ranges are the 5th, 50th and 95th percentile.
type categoryRow struct {
	Label      string      `json:"label"`
	Items      int         `json:"items"`
	Share      float64     `json:"share"`
	Unreadable int         `json:"unreadable"`
	Aspect     *[3]float64 `json:"aspect,omitempty"`
	BoxArea    *[3]float64 `json:"box_area,omitempty"`    // share of the board
	SidePixels *[3]float64 `json:"side_pixels,omitempty"` // square root of the area
}

type surveyed struct {
	Name       string                      `json:"name"`
	Groups     int                         `json:"groups"` // boards, or image files
	Items      int                         `json:"items"`
	Categories []categoryRow               `json:"categories"`
	Problems   map[catalog.ProblemKind]int `json:"problems"`
}

func described(look *survey.Survey) surveyed {
	out := surveyed{Name: look.Name, Groups: look.Groups, Items: look.Items, Problems: map[catalog.ProblemKind]int{}}
	for _, p := range look.Problems {
		out.Problems[p.Kind]++
	}
	spread := func(values []float64) *[3]float64 {
		if len(values) == 0 {
			return nil
		}
		return &[3]float64{survey.Quantile(values, .05), survey.Quantile(values, .5), survey.Quantile(values, .95)}
	}
	for _, c := range look.Categories {
		out.Categories = append(out.Categories, categoryRow{
			Label: c.Label, Items: c.Items, Share: float64(c.Items) / float64(max(1, look.Items)), Unreadable: c.Unreadable,
			Aspect: spread(c.Aspect), BoxArea: spread(c.Share), SidePixels: spread(c.Side),
		})
	}
	return out
}

func printSurvey(s *surface, look *survey.Survey) error {
	what := "images"
	if look.Boxes {
		what = "boards"
	}
	fmt.Fprintf(s.out, "%s: %d items of %d categories, %d %s\n", look.Name, look.Items, len(look.Categories), look.Groups, what)
	head := []any{"category", "items", "share", "width/height"}
	if look.Boxes {
		head = append(head, "area of board")
	}
	if look.Pixels {
		head = append(head, "side px", "unreadable")
	}
	t := tablewriter.NewTable(s.out, tablewriter.WithAlignment(append(tw.Alignment{tw.AlignLeft}, alignRight(len(head)-1)...)))
	t.Header(head...)
	for _, c := range described(look).Categories {
		row := []string{c.Label, strconv.Itoa(c.Items), fmt.Sprintf("%.1f %%", 100*c.Share), between(c.Aspect, 1, 2, "")}
		if look.Boxes {
			row = append(row, between(c.BoxArea, 100, 1, " %"))
		}
		if look.Pixels {
			row = append(row, between(c.SidePixels, 1, 0, ""), strconv.Itoa(c.Unreadable))
		}
		if err := t.Append(row); err != nil {
			return err
		}
	}
	if err := t.Render(); err != nil {
		return err
	}
	fmt.Fprintln(s.out, "Shapes and sizes are medians, with the 5th and the 95th percentile.")
	for _, line := range catalog.DescribeProblems(look.Problems) {
		fmt.Fprintln(s.out, line)
	}
	return nil
}

func alignRight(n int) tw.Alignment {
	a := make(tw.Alignment, n)
	for i := range a {
		a[i] = tw.AlignRight
	}
	return a
}

// between writes a median with its range.
func between(v *[3]float64, times float64, digits int, unit string) string {
	if v == nil {
		return ""
	}
	f := func(x float64) string { return strconv.FormatFloat(x*times, 'f', digits, 64) }
	return fmt.Sprintf("%s%s (%s to %s)", f(v[1]), unit, f(v[0]), f(v[2]))
}

// writeSurvey writes what there is to see into dir, and returns the files.
func writeSurvey(look *survey.Survey, dir string) (files []string, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	write := func(name string, content []byte, err error) error {
		if err != nil {
			return err
		}
		path := filepath.Join(dir, name)
		files = append(files, path)
		return atomicfile.Write(path, content)
	}
	table, err := surveyCSV(look)
	if err := write("categories.csv", table, err); err != nil {
		return nil, err
	}
	for _, f := range []struct {
		name   string
		figure survey.Figure
	}{{"counts", look.Counts()}, {"shapes", look.Shapes()}} {
		if err := writeFigure(write, f.name, f.figure); err != nil {
			return nil, err
		}
	}
	if look.Pixels {
		sheet, err := look.Sheet()
		if err := write("sheet.jpg", sheet, err); err != nil {
			return nil, err
		}
	}
	problems := filepath.Join(dir, "problems.txt")
	if len(look.Problems) == 0 {
		if err := os.Remove(problems); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		return files, nil
	}
	var b strings.Builder
	for _, p := range look.Problems {
		fmt.Fprintln(&b, p)
	}
	return files, write("problems.txt", []byte(b.String()), nil)
}

// writeFigure writes a figure as PNG and as SVG.
func writeFigure(write func(name string, content []byte, err error) error, name string, f survey.Figure) error {
	png, err := f.PNG()
	if err := write(name+".png", png, err); err != nil {
		return err
	}
	svg, err := f.SVG()
	return write(name+".svg", svg, err)
}

func surveyCSV(look *survey.Survey) ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	head := []string{"category", "items", "share", "unreadable"}
	for _, name := range []string{"aspect", "box_area", "side_pixels"} {
		head = append(head, name+"_p5", name+"_median", name+"_p95")
	}
	if err := w.Write(head); err != nil {
		return nil, err
	}
	number := func(x float64) string {
		return strconv.FormatFloat(x, 'g', 6, 64)
	}
	for _, c := range described(look).Categories {
		row := []string{c.Label, strconv.Itoa(c.Items), number(c.Share), strconv.Itoa(c.Unreadable)}
		for _, v := range []*[3]float64{c.Aspect, c.BoxArea, c.SidePixels} {
			for i := range 3 {
				if v == nil || math.IsNaN(v[i]) {
					row = append(row, "")
				} else {
					row = append(row, number(v[i]))
				}
			}
		}
		if err := w.Write(row); err != nil {
			return nil, err
		}
	}
	w.Flush()
	return b.Bytes(), w.Error()
}
