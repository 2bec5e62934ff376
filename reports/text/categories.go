package text

import (
	"bytes"
	"io"

	"annbench/reports/judge"
	"annbench/reports/say"
)

// Categories writes mAP by category under the terms in focus, or a line that there is none.
func Categories(w io.Writer, r *judge.Report, o Options) error {
	var b bytes.Buffer
	t := tabler{r: r, o: o, w: &b}
	c := r.Categories(r.Focus)
	t.heading(2, "Precision by category")
	if len(c.Rows) == 0 {
		t.paragraph("The results hold no values by category: the data set has no labels.")
		_, err := w.Write(b.Bytes())
		return err
	}
	t.paragraph(say.Categories(c))
	head := []string{"category", "queries"}
	for _, choice := range c.Choices {
		head = append(head, say.Clean(choice.Family.Name))
	}
	var rows [][]string
	for _, row := range c.Rows {
		name := say.Clean(row.Label)
		if row.Low {
			name = t.paint(red, say.LowMark+" "+name)
		} else {
			name = "  " + name
		}
		line := []string{name, say.OrDash(countOf(row.Queries))}
		for _, v := range row.Values {
			if v.N == 0 {
				line = append(line, say.Missing)
				continue
			}
			s := say.Ratio(v.Median)
			if half := say.Half(v); half != "" {
				s += " ±" + half
			}
			line = append(line, s)
		}
		rows = append(rows, line)
	}
	if err := t.render(head, rows); err != nil {
		return err
	}
	_, err := w.Write(b.Bytes())
	return err
}

func countOf(n int) string {
	if n == 0 {
		return ""
	}
	return say.Count(n)
}
