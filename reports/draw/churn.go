package draw

import (
	"fmt"
	"math"
	"slices"

	"annbench/bench/metric"
	"annbench/reports/judge"
	"annbench/reports/say"
)

// Churn are the pictures of a runbook: recall, time of a query, cost of the changes, memory and size on disk by step, a line for each
// family; hollow, and dashed or dotted, where it was built anew.
func Churn(c *judge.Churned) []Picture {
	var out []Picture
	for _, p := range []struct {
		file, title, name string
		kind              axisKind
	}{
		{"churn-recall", "Recall among what lives, by step", metric.Recall, logits},
		{"churn-query", "Processor time of a query", metric.CPU, logarithmic},
		{"churn-update", "Changes, or building anew, by step", metric.UpdateCPU, logarithmic},
		{"churn-memory", "Memory, by step", metric.Resident, logarithmic},
		{"churn-disk", "Size on disk, by step", metric.Serialized, logarithmic},
	} {
		info, _ := metric.Lookup(p.name)
		f := &plotFigure{
			Title: p.title, level: math.NaN(), Legend: true,
			x: axisScale{title: "search of the runbook", zero: true},
			y: axisScale{title: info.Title, kind: p.kind, unit: info.Unit},
		}
		f.x.ticks = []float64{}
		for at := 0; at < len(c.Steps); at += 1 + len(c.Steps)/12 {
			f.x.ticks = append(f.x.ticks, float64(at))
		}
		for i := range c.Lines {
			l := &c.Lines[i]
			s := plotSeries{family: l.Family, name: say.ChurnShort(l), joined: true, dash: rebuildDash(c, l), hollow: l.Rebuild > 0}
			for at := range c.Steps {
				v, ok := l.At(at, p.name)
				if !ok || p.kind == logarithmic && v <= 0 {
					continue
				}
				s.points = append(s.points, plotPoint{x: float64(at), y: v, lo: math.NaN(), hi: math.NaN(), open: l.Rebuild > 0, title: fmt.Sprintf("%s\n%s\nsearch %d: %s", s.name, say.OrDash(say.Settings(l.Cell)), at, say.Quantity(p.name, v))})
			}
			if len(s.points) > 0 {
				f.series = append(f.series, s)
			}
		}
		if f.any() {
			out = append(out, Picture{
				File: p.file, Title: f.Title, Figure: f, Width: barWidth, Place: Families,
				Label: f.Title + ", by family. The table holds the first and the last.", Families: f.names(),
			})
		}
	}
	return out
}

// rebuildDash tells the lines of a family apart by how often it was built anew, the most often dashed.
func rebuildDash(c *judge.Churned, l *judge.ChurnLine) Dash {
	if l.Rebuild == 0 {
		return Solid
	}
	var every []int
	for _, m := range c.Lines {
		if m.Rebuild > 0 && !slices.Contains(every, m.Rebuild) {
			every = append(every, m.Rebuild)
		}
	}
	slices.Sort(every)
	at, _ := slices.BinarySearch(every, l.Rebuild)
	return Dashed + Dash(at)%(dashes-Dashed)
}
