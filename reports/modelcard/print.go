package modelcard

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
)

// Print writes the card as text: a table of each evaluation, and one of each search.
func Print(out io.Writer, m *Card) error {
	var b bytes.Buffer
	for i, e := range m.Evaluations {
		if i > 0 {
			fmt.Fprintln(&b)
		}
		fmt.Fprintf(&b, "%s: %d images, top-1 %.4f, top-5 %.4f\n", e.Name, e.Images, e.Top1, e.Top5)
		if e.Skipped > 0 {
			fmt.Fprintf(&b, "%d more could not be read\n", e.Skipped)
		}
		if note := e.Flattering(); note != "" {
			fmt.Fprintln(&b, note)
		}
		w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprint(w, "  \tprecision\trecall\tF1\timages\t\n")
		marked := 0
		for c, name := range e.Confusion.Classes {
			score := e.Confusion.Score(c)
			mark := ""
			if e.Below(c) {
				mark = " <"
				marked++
			}
			fmt.Fprintf(w, "  %s\t%s\t%s\t%s\t%d\t%s\n", name, ratioText(score.Precision), ratioText(score.Recall), ratioText(score.F1), score.Support, mark)
		}
		w.Flush()
		if marked > 0 {
			fmt.Fprintf(&b, "< F1 below %v\n", e.Threshold)
		}
	}
	for _, search := range m.Searches {
		fmt.Fprintf(&b, "\nexact search, %s: each of %d images against the others\n", search.Name, search.Images)
		w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprint(w, "  \tqueries\t")
		for _, v := range search.Vectors {
			for _, k := range search.K {
				fmt.Fprintf(w, "%s mAP@%d\t", v.Name, k)
			}
		}
		fmt.Fprint(w, "\n")
		for l, label := range search.Labels {
			fmt.Fprintf(w, "  %s\t%d\t", label, search.Queries[l])
			for _, v := range search.Vectors {
				for i := range search.K {
					if row := v.ByLabel[l]; row != nil {
						fmt.Fprintf(w, "%.4f\t", row[i])
					} else {
						fmt.Fprint(w, "-\t")
					}
				}
			}
			fmt.Fprint(w, "\n")
		}
		total := 0
		for _, n := range search.Queries {
			total += n
		}
		fmt.Fprintf(w, "  all\t%d\t", total)
		for _, v := range search.Vectors {
			for _, m := range v.MAP {
				fmt.Fprintf(w, "%.4f\t", m)
			}
		}
		fmt.Fprint(w, "\n")
		w.Flush()
		for _, v := range search.Vectors {
			if v.LID != nil {
				fmt.Fprintf(&b, "%s: %d dimensions, %s, LID %.1f over %d neighbours\n", v.Name, v.Dim, v.Metric, *v.LID, v.LIDK)
			}
		}
	}
	_, err := out.Write(b.Bytes())
	return err
}

func ratioText(v *float64) string {
	if v == nil {
		return "-"
	}
	return strconv.FormatFloat(*v, 'f', 4, 64)
}
