package interchange

import (
	"encoding/csv"
	"io"
	"strconv"

	"annbench/internal/words"
	"annbench/reports/judge"
)

// CategoriesCSV is mAP by category and family under the terms in focus, a line each, what brings mAP down first:
// the ends of the 95 % interval, where there is one, and whether the value is below r.LeastMAP.
func CategoriesCSV(out io.Writer, r *judge.Report) error {
	w := csv.NewWriter(out)
	if err := w.Write([]string{"category", "queries", "family", "cell", "k", "map", "map_lo", "map_hi", "below"}); err != nil {
		return err
	}
	c := r.Categories(r.Focus)
	for _, row := range c.Rows {
		for i, v := range row.Values {
			if v.N == 0 {
				continue
			}
			lo, hi, queries := "", "", ""
			if v.HasInterval {
				lo, hi = exactly(v.Lo), exactly(v.Hi)
			}
			if row.Queries > 0 {
				queries = strconv.Itoa(row.Queries)
			}
			cell := c.Choices[i].Row.Cell
			if err := w.Write([]string{words.Field(row.Label), queries, cell.Family, cell.ID(), strconv.Itoa(cell.K), exactly(v.Median), lo, hi, strconv.FormatBool(v.Median < c.Least)}); err != nil {
				return err
			}
		}
	}
	w.Flush()
	return w.Error()
}

type jsonCategory struct {
	Category string               `json:"category"`
	Queries  int                  `json:"queries,omitempty"`
	MAP      float64              `json:"map"` // the median over the families
	Below    bool                 `json:"below"`
	Families map[string]jsonValue `json:"families"`
}

type jsonCategories struct {
	Least      float64        `json:"least_map"` // below it a category is marked
	K          int            `json:"k"`
	Categories []jsonCategory `json:"categories"`
}

// categoriesJSON is nil without categories.
func categoriesJSON(r *judge.Report) *jsonCategories {
	c := r.Categories(r.Focus)
	if len(c.Rows) == 0 {
		return nil
	}
	out := &jsonCategories{Least: c.Least, K: c.Terms.K}
	for _, row := range c.Rows {
		one := jsonCategory{Category: row.Label, Queries: row.Queries, MAP: row.Middle, Below: row.Low, Families: map[string]jsonValue{}}
		for i, v := range row.Values {
			if v.N > 0 {
				one.Families[c.Choices[i].Family.Name] = toJSON(v)
			}
		}
		out.Categories = append(out.Categories, one)
	}
	return out
}
