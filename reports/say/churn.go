package say

import (
	"fmt"

	"annbench/bench/metric"
	"annbench/reports/judge"
)

// ChurnRule says which setting stands in a row of the tables of runbooks: see [judge.ChurnLine].
const ChurnRule = "A row has one setting: of those whose recall is at least 0.95 on average over the searches the fastest, where none is the one of highest recall. Rows of one family may therefore differ in their settings."

// ChurnLine names a family that followed a runbook, and says how far where it did not to the end.
func ChurnLine(l *judge.ChurnLine) string {
	switch l.Rebuild {
	case 0:
		return l.Family + unended(l)
	case 1:
		return l.Family + ", built anew every search" + unended(l)
	}
	return fmt.Sprintf("%s, built anew every %d searches%s", l.Family, l.Rebuild, unended(l))
}

// ChurnShort is [ChurnLine] where there is little room.
func ChurnShort(l *judge.ChurnLine) string {
	switch l.Rebuild {
	case 0:
		return l.Family + unended(l)
	case 1:
		return l.Family + ", anew every search" + unended(l)
	}
	return fmt.Sprintf("%s, anew every %d%s", l.Family, l.Rebuild, unended(l))
}

// unended says how many searches of a runbook ended well, where not all did.
func unended(l *judge.ChurnLine) string {
	if len(l.Recall) == len(l.Rows) {
		return ""
	}
	return fmt.Sprintf(" (%d of %s)", len(l.Recall), Plural(len(l.Rows), "search", "searches"))
}

// wall marks a time that is not processor time.
const wall = " (wall)"

// ChurnQuery is the processor time of a query at the first search and at the last; of an index in a server, of which it is
// not known, the median latency, marked as that.
func ChurnQuery(l *judge.ChurnLine) (first, last string) {
	name, mark := metric.CPU, ""
	if _, _, ok := l.Ends(name); !ok {
		name, mark = metric.P50, wall
	}
	a, b, ok := l.Ends(name)
	if !ok {
		return Missing, Missing
	}
	return Format(metric.Seconds, a) + mark, Format(metric.Seconds, b) + mark
}

// ChurnCost is a time of [judge.ChurnLine.UpdateEach] or [judge.ChurnLine.BuildCPU], marked where it is wall time.
func ChurnCost(l *judge.ChurnLine, seconds float64, ok bool) string {
	switch {
	case !ok:
		return Missing
	case l.Walled():
		return Format(metric.Seconds, seconds) + wall
	}
	return Format(metric.Seconds, seconds)
}

// wornOut is a fall of recall from the first search to the last that is worth a word.
const wornOut = 0.02

// ChurnAdvice says which indexes wear out, until when changing one is cheaper than building it anew, and which failed.
func ChurnAdvice(c *judge.Churned) []string {
	var out []string
	for i := range c.Lines {
		l := &c.Lines[i]
		if len(l.Failed) > 0 {
			out = append(out, fmt.Sprintf("%s failed: %s.", ChurnLine(l), Clean(judge.Portable(l.Failed[0].Error))))
			continue
		}
		if l.Rebuild > 0 {
			continue
		}
		text := ""
		if first, last, ok := l.Ends(metric.Recall); ok && first-last > wornOut {
			text = fmt.Sprintf("%s wears out: its recall falls from %s to %s.", l.Family, Ratio(first), Ratio(last))
		} else if ok {
			text = fmt.Sprintf("%s keeps its recall: %s at first, %s at last.", l.Family, Ratio(first), Ratio(last))
		}
		if each, ok := l.UpdateEach(); ok {
			build, _ := l.BuildCPU()
			share, _ := l.Pays()
			text += fmt.Sprintf(" A change takes %s, building anew %s:", ChurnCost(l, each, true), ChurnCost(l, build, true))
			if share >= 2 {
				text += " changing is cheaper even where every vector is replaced."
			} else {
				text += fmt.Sprintf(" changing is cheaper until %s of the vectors have been replaced.", Percent(share/2)) // out and in are two changes
			}
		}
		if first, last, ok := l.Grows(metric.Resident); ok {
			text += fmt.Sprintf(" Its memory grows from %s to %s.", Format(metric.Bytes, first), Format(metric.Bytes, last))
		}
		if first, last, ok := l.Grows(metric.Serialized); ok {
			text += fmt.Sprintf(" On the disk it grows from %s to %s.", Format(metric.Bytes, first), Format(metric.Bytes, last))
		}
		if text != "" {
			out = append(out, text)
		}
	}
	if family, seconds, ok := c.CheapestBuild(); ok {
		text := fmt.Sprintf("Cheapest to build anew is %s, in %s of processor time.", family, Format(metric.Seconds, seconds))
		if every, share := c.Stalest(); share > 0 {
			text += fmt.Sprintf(" An index that is built anew every %d searches lacks up to %s of what lives.", every, Share(share))
		}
		out = append(out, text)
	}
	return out
}
