package survey

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/tw"

	"annbench/embedder/catalog"
	"annbench/internal/atomicfile"
	"annbench/internal/words"
)

// Row is a category of a [Table]. Ranges are the 5th, 50th and 95th percentile; nil: not known.
type Row struct {
	Label      string      `json:"label"`
	Items      int         `json:"items"`
	Share      float64     `json:"share"`
	Unreadable int         `json:"unreadable"`
	Aspect     *[3]float64 `json:"aspect,omitempty"`
	BoxArea    *[3]float64 `json:"box_area,omitempty"`    // share of the board
	SidePixels *[3]float64 `json:"side_pixels,omitempty"` // square root of the area
}

// Table is a survey in numbers, as a program reads it.
type Table struct {
	Name       string                      `json:"name"`
	Groups     int                         `json:"groups"` // boards, or image files
	Items      int                         `json:"items"`
	Categories []Row                       `json:"categories"`
	Problems   map[catalog.ProblemKind]int `json:"problems"`
}

// Table is the survey in numbers.
func (s *Survey) Table() Table {
	out := Table{Name: s.Name, Groups: s.Groups, Items: s.Items, Problems: map[catalog.ProblemKind]int{}}
	for _, p := range s.Problems {
		out.Problems[p.Kind]++
	}
	spread := func(values []float64) *[3]float64 {
		if len(values) == 0 {
			return nil
		}
		return &[3]float64{Quantile(values, .05), Quantile(values, .5), Quantile(values, .95)}
	}
	for _, c := range s.Categories {
		out.Categories = append(out.Categories, Row{
			Label: c.Label, Items: c.Items, Share: float64(c.Items) / float64(max(1, s.Items)), Unreadable: c.Unreadable,
			Aspect: spread(c.Aspect), BoxArea: spread(c.Share), SidePixels: spread(c.Side),
		})
	}
	return out
}

// Print writes the table for people, and what is wrong with the collection.
func (s *Survey) Print(w io.Writer) error {
	what := "images"
	if s.Boxes {
		what = "boards"
	}
	fmt.Fprintf(w, "%s: %d items of %d categories, %d %s\n", s.Name, s.Items, len(s.Categories), s.Groups, what)
	head := []any{"category", "items", "share", "width/height"}
	if s.Boxes {
		head = append(head, "area of board")
	}
	if s.Pixels {
		head = append(head, "side px", "unreadable")
	}
	t := tablewriter.NewTable(w, tablewriter.WithAlignment(append(tw.Alignment{tw.AlignLeft}, alignRight(len(head)-1)...)))
	t.Header(head...)
	for _, c := range s.Table().Categories {
		row := []string{words.Visible(c.Label), strconv.Itoa(c.Items), fmt.Sprintf("%.1f %%", 100*c.Share), between(c.Aspect, 1, 2, "")}
		if s.Boxes {
			row = append(row, between(c.BoxArea, 100, 1, " %"))
		}
		if s.Pixels {
			row = append(row, between(c.SidePixels, 1, 0, ""), strconv.Itoa(c.Unreadable))
		}
		if err := t.Append(row); err != nil {
			return err
		}
	}
	if err := t.Render(); err != nil {
		return err
	}
	fmt.Fprintln(w, "Shapes and sizes are medians, with the 5th and the 95th percentile.")
	for _, line := range catalog.DescribeProblems(s.Problems) {
		fmt.Fprintln(w, line)
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

// Write writes what there is to see into the folder dir, which it creates: the table as CSV, plots as PNG and
// SVG, the sheet of samples, and the problems, if there are any. It returns the paths of the files.
func (s *Survey) Write(dir string) (files []string, err error) {
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
	table, err := s.csv()
	if err := write("categories.csv", table, err); err != nil {
		return nil, err
	}
	for _, f := range []struct {
		name   string
		figure Figure
	}{{"counts", s.Counts()}, {"shapes", s.Shapes()}} {
		drawn, err := f.figure.Write(dir, f.name)
		if err != nil {
			return nil, err
		}
		files = append(files, drawn...)
	}
	if s.Pixels {
		sheet, err := s.Sheet()
		if err := write("sheet.jpg", sheet, err); err != nil {
			return nil, err
		}
	}
	problems := filepath.Join(dir, "problems.txt")
	if len(s.Problems) == 0 {
		if err := os.Remove(problems); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		return files, nil
	}
	var b strings.Builder
	for _, p := range s.Problems {
		fmt.Fprintln(&b, p)
	}
	return files, write("problems.txt", []byte(b.String()), nil)
}

// csv is the table as comma-separated text, a row for each category.
func (s *Survey) csv() ([]byte, error) {
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
	for _, c := range s.Table().Categories {
		row := []string{words.Field(c.Label), strconv.Itoa(c.Items), number(c.Share), strconv.Itoa(c.Unreadable)}
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
