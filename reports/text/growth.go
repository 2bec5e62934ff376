package text

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"annbench/bench/metric"
	"annbench/reports/judge"
	"annbench/reports/say"
)

// Growths writes a table for each quantity: its value by size, and the exponent.
func Growths(w io.Writer, growths []judge.Growth) error {
	for _, name := range judge.Grown {
		var sizes []int
		for _, g := range growths {
			if g.Name == name {
				for _, p := range g.Points {
					if !slices.Contains(sizes, p.Vectors) {
						sizes = append(sizes, p.Vectors)
					}
				}
			}
		}
		if len(sizes) == 0 {
			continue
		}
		slices.Sort(sizes)
		info, _ := metric.Lookup(name)
		fmt.Fprintf(w, "\n%s, at recall %.2f\n%-16s", say.GrowthTitle(name), judge.Target, "family")
		for _, n := range sizes {
			fmt.Fprintf(w, "%14s", say.Count(n))
		}
		fmt.Fprintf(w, "  %s\n", "grows as")
		for _, g := range growths {
			if g.Name != name {
				continue
			}
			fmt.Fprintf(w, "%-16s", g.Family)
			short := false
			for _, n := range sizes {
				text := "–"
				if i := slices.IndexFunc(g.Points, func(p judge.GrowthPoint) bool { return p.Vectors == n }); i >= 0 {
					text = say.Format(info.Unit, g.Points[i].Value)
					if g.Points[i].Short {
						short = true
						text += "*"
					}
				}
				fmt.Fprintf(w, "%s%s", strings.Repeat(" ", max(0, 14-len([]rune(text)))), text)
			}
			if g.HasExponent {
				fmt.Fprintf(w, "  n^%.2f", g.Exponent)
				if g.Error > 0 {
					fmt.Fprintf(w, " ± %.2f", g.Error)
				}
			}
			if short {
				fmt.Fprint(w, "  * at less recall")
			}
			if _, err := fmt.Fprintln(w); err != nil {
				return err
			}
		}
	}
	return nil
}
