package text

import (
	"fmt"
	"io"

	"github.com/olekukonko/tablewriter"

	"annbench/bench/record"
)

// Difficulty prints how hard vectors are to search, a line for each measure with what it means.
func Difficulty(w io.Writer, h *record.Difficulty) error {
	t := tablewriter.NewTable(w)
	t.Header("", "value", "easiest", "median", "hardest", "meaning")
	quantiles := func(q []float64, low, high int) (string, string, string) {
		if len(q) == 0 {
			return "", "", ""
		}
		return number(q[low]), number(q[5]), number(q[high])
	}
	var rows [][]string
	if h.LID > 0 {
		a, b, c := quantiles(h.LIDDeciles, 0, 10)
		rows = append(rows, []string{"LID", number(h.LID), a, b, c, fmt.Sprintf("dimensions that count around a query, from %d neighbours", h.Neighbors)})
	}
	if h.Contrast > 0 {
		a, b, c := quantiles(h.ContrastDeciles, 10, 0)
		rows = append(rows, []string{"relative contrast", number(h.Contrast), a, b, c, fmt.Sprintf("mean distance over that of neighbour %d; 1 is hardest", h.HubnessK)})
	}
	rows = append(
		rows,
		[]string{"hubness", number(h.Hubness), "", "", "", fmt.Sprintf("skewness of being among %d nearest; the largest hub is %d times", h.HubnessK, h.LargestHub)},
		[]string{"orphans", percent(h.Orphans), "", "", "", "vectors that are a neighbour of no query"},
	)
	if h.BadHubness != nil {
		rows = append(rows, []string{"bad hubness", percent(*h.BadHubness), "", "", "", "neighbours of another category than the query's"})
	}
	if h.Shift > 0 {
		verdict := "queries are like the base"
		if h.Shift < h.ShiftNull[0] || h.Shift > h.ShiftNull[1] {
			verdict = "queries are not like the base"
		}
		rows = append(rows, []string{"shift", number(h.Shift), number(h.ShiftNull[0]), "1", number(h.ShiftNull[1]), verdict + ": distance from its middle; beside it, what chance allows"})
	}
	if h.Dims99 > 0 {
		rows = append(rows, []string{"axes of variance", fmt.Sprint(h.Dims90), fmt.Sprint(h.Dims50), fmt.Sprint(h.Dims90), fmt.Sprint(h.Dims99), "principal axes that hold 50, 90 and 99 % of the variance"})
	}
	for _, r := range rows {
		if err := t.Append(r); err != nil {
			return err
		}
	}
	return t.Render()
}

func number(x float64) string { return fmt.Sprintf("%.3g", x) }

func percent(x float64) string { return fmt.Sprintf("%.1f %%", 100*x) }
