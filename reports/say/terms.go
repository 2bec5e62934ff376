package say

import (
	"fmt"
	"slices"
	"strings"

	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/reports/judge"
)

// ChoiceRule is said wherever a choice is shown.
func ChoiceRule(k int) string {
	return fmt.Sprintf("one setting a family: the fastest whose recall@%d is at least %.2f by the worse end of its interval; where none reaches it, the one of highest recall", k, judge.Target)
}

// Halves says why another setting of a family may read faster than the one that is chosen, and which do; it is empty where
// none does.
func Halves(choices []judge.Choice) string {
	var higher []string
	for _, c := range choices {
		if row := c.Higher(); row != nil {
			higher = append(higher, strings.TrimSpace(c.Family.Name+" "+Settings(row.Cell)))
		}
	}
	if len(higher) == 0 {
		return ""
	}
	return fmt.Sprintf("The setting of a family is chosen by half of the rounds and judged by the other half, since the best of several noisy ones reads too fast: so %s %s here than the setting of its family in this table, by no more than the noise.", And(higher), map[bool]string{true: "reads faster", false: "read faster"}[len(higher) == 1])
}

// Terms is terms in words, without the data set: "cosine, k = 10, built with 1 thread, one query
// in flight".
func Terms(t judge.Terms) string {
	s := fmt.Sprintf("%s, k = %d, built with %s, %s", t.Metric, t.K, Plural(t.Threads, "thread", "threads"), Asked(t))
	if t.Transform != "" {
		s += ", vectors by " + t.Transform
	}
	return s
}

// Asked is how queries are put, in words.
func Asked(t judge.Terms) string {
	switch t.Mode {
	case record.Latency:
		return "one query in flight"
	case record.Throughput:
		return Plural(t.Workers, "thread", "threads") + " searching"
	case record.Batch:
		return "batches on " + Plural(t.Workers, "thread", "threads")
	case record.OpenLoop:
		return fmt.Sprintf("%s queries a second arriving for %s", Significant(t.Rate), Plural(t.Workers, "thread", "threads"))
	}
	return t.Mode + " mode"
}

// Title names the data sets, each once.
func Title(r *judge.Report) string {
	return strings.Join(datasetNames(r), ", ")
}

// DatasetTerms is terms with the data set in front where there are several.
func DatasetTerms(r *judge.Report, t judge.Terms) string {
	for _, other := range r.Terms {
		if other.Dataset != t.Dataset {
			return r.DatasetName(t.Dataset) + ", " + Terms(t)
		}
	}
	return Terms(t)
}

// Differing is the part of terms that sets them apart from the others: "k = 10" where only k differs.
func Differing(r *judge.Report, t judge.Terms) string {
	var parts []string
	add := func(part string, differs func(judge.Terms) bool) {
		if slices.ContainsFunc(r.Terms, differs) {
			parts = append(parts, part)
		}
	}
	add(r.DatasetName(t.Dataset), func(o judge.Terms) bool { return o.Dataset != t.Dataset })
	add(t.Metric, func(o judge.Terms) bool { return o.Metric != t.Metric })
	add(fmt.Sprintf("k = %d", t.K), func(o judge.Terms) bool { return o.K != t.K })
	add(Plural(t.Threads, "thread", "threads"), func(o judge.Terms) bool { return o.Threads != t.Threads })
	add(Asked(t), func(o judge.Terms) bool { return o.Mode != t.Mode || o.Workers != t.Workers || o.Rate != t.Rate })
	add("vectors "+transformName(t.Transform), func(o judge.Terms) bool { return o.Transform != t.Transform })
	return strings.Join(parts, ", ")
}

// transformName is a transform as people write it.
func transformName(name string) string {
	if name == "" {
		return "as they are"
	}
	return "by " + name
}

// Repetitions is the number of repetitions that a row rests on, of how many were tried where some were lost.
func Repetitions(row *judge.Row) string {
	if ok, all := row.OK(), len(row.Reps); ok != all {
		return fmt.Sprintf("%d/%d", ok, all)
	}
	return fmt.Sprint(row.OK())
}

// Speedup is [judge.Choice.Speedup] in words.
func Speedup(c judge.Choice, base *judge.Row) string {
	d, ok := c.Speedup(base)
	if !ok {
		return Missing
	}
	return times(d.Difference, 1)
}

// SpeedupTitle heads the column of [Speedup], and says explains it: "paired ×" where any of them is paired.
func SpeedupTitle(choices []judge.Choice, base *judge.Row) (title, says string) {
	const against = "how many times as fast as the fastest exact family, for settings that reach that recall."
	for _, c := range choices {
		if d, ok := c.Speedup(base); ok && d.Paired && c.Row != base {
			return "paired ×", "Paired ×: " + against + " " + Paired
		}
	}
	return "speed-up", "Speed-up: " + against
}

// BuildClock is [Clock] of a quantity that builds are judged by: see [judge.Report.BuildTime].
func BuildClock(name string) string {
	if name == metric.BuildCPU {
		return Clock(judge.Processor)
	}
	return Clock(judge.Wall)
}

// Clock is the clock that a speed goes by, to stand behind it: " by processor time".
func Clock(c judge.Clock) string {
	if c == judge.Processor {
		return " by processor time"
	}
	return " by the wall clock"
}
