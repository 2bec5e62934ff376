package say

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/reports/judge"
)

// Search says, below the answer, how it was found, and what more would buy.
func Search(s *record.Search) string {
	story := SearchStory(s)
	for _, l := range MoreWouldBuy(s) {
		story += l + "\n"
	}
	return story
}

// SearchStory says how an answer was found: what took part, who lost its turn, what was left untried, and whether there
// were enough queries.
func SearchStory(s *record.Search) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	builds, full, tries := 0, 0, 0
	families := map[string]bool{}
	for _, t := range s.Tries {
		if t.Failed == "" {
			builds++
			tries += len(t.Steps)
			families[t.Family] = true
			if t.Rows == s.Rows {
				full++
			}
		}
	}
	line("Found among %s of %s, of which %d on all %d vectors, by %s of search settings in %s; measured anew on fresh queries and builds.",
		Plural(builds, "build", "builds"), Plural(len(families), "family", "families"), full, s.Rows, Plural(tries, "try", "tries"),
		time.Duration(s.Spent*float64(time.Second)).Round(time.Second))
	for _, f := range failuresOf(s) {
		line("Lost its turn: %s: %s", Clean(f.Family), firstLineOf(f.Failed))
	}
	if n := len(s.Untried); n > 0 {
		const shown = 3
		names := slices.Clone(s.Untried[:min(n, shown)])
		if n > shown {
			names = append(names, fmt.Sprintf("%d more", n-shown))
		}
		line("Left untried for want of time: %s. The same command tries them.", And(names))
	}
	if s.Enough > 0 {
		info, _ := metric.Lookup(s.Quality)
		line("%d queries say little about %s %v: chance is more than half of the way from there to 1. About %d would do (--queries).", s.Queries, info.Title, s.Bound, s.Enough)
	}
	return b.String()
}

// Question is what was asked for: "The fastest setting with recall ≥ 0.95 and resident ≤ 300 MiB".
func Question(limits []judge.Limit, o judge.Objective) string {
	what := "The fastest setting"
	switch o.Name {
	case "", judge.Speed:
	case judge.Cost:
		p := o.Prices
		what = fmt.Sprintf("The setting that costs least a month (a core %v, a GiB %v %s, at %v queries a second)", p.Core, p.GiB, Clean(p.Currency), p.QPS)
	default:
		info, _ := metric.Lookup(o.Name)
		what = "The setting of highest " + info.Title
		if info.Lower {
			what = "The setting of least " + info.Title
		}
	}
	var wanted []string
	for _, l := range limits {
		wanted = append(wanted, Limit(l))
	}
	if len(wanted) == 0 {
		return what
	}
	return what + " with " + And(wanted)
}

func firstLineOf(text string) string {
	text, _, _ = strings.Cut(text, "\n")
	return Clean(text)
}

// failuresOf are the families that lost their turn, each with the reason, once.
func failuresOf(s *record.Search) (out []*record.Try) {
	for _, t := range s.Tries {
		if t.Failed != "" && !slices.ContainsFunc(out, func(o *record.Try) bool { return o.Family == t.Family && o.Failed == t.Failed }) {
			out = append(out, t)
		}
	}
	return out
}

// MoreWouldBuy says what more recall, memory or build time would buy in speed: the knees of the fronts over the tries
// on all vectors, a sentence each.
func MoreWouldBuy(s *record.Search) (lines []string) {
	for _, f := range judge.Tradeoffs(s) {
		knee, ok := f.KneePoint()
		if !ok || len(f.Points) < 3 {
			continue
		}
		info, _ := metric.Lookup(f.Quantity)
		lines = append(lines, fmt.Sprintf("%s: %s", MoreOf(f.Quantity), strings.Join(frontWords(f, info), "; ")+
			fmt.Sprintf(". Beyond %s (%s) each step buys less.", Format(info.Unit, knee.X), Clean(knee.Name))))
	}
	return lines
}

// Month is what the answer and the runners-up cost a month, where the objective is the cost; else "".
func Month(p judge.Pick, o judge.Objective) string {
	if o.Name != judge.Cost || p.Best == nil {
		return ""
	}
	var b strings.Builder
	for _, c := range append([]judge.Candidate{*p.Best}, p.Others...) {
		memory, ok := c.Row.Value(metric.Resident)
		if !ok || c.Speed.Median <= 0 {
			continue
		}
		fmt.Fprintf(&b, "A month of %s costs %s.\n", candidateName(c), strings.TrimSpace(Significant(judge.Month(o.Prices, 1/c.Speed.Median, memory.Median))+" "+Clean(o.Prices.Currency)))
	}
	return b.String()
}

// MoreOf heads what more of a quantity would buy.
func MoreOf(quantity string) string {
	switch quantity {
	case metric.Resident:
		return "What more memory would buy"
	case metric.Build:
		return "What more time to build would buy"
	}
	info, _ := metric.Lookup(quantity)
	return "What more " + info.Title + " would cost"
}

// frontWords are the ends and the knee of a front.
func frontWords(f judge.Tradeoff, info metric.Info) (out []string) {
	at := []int{0, f.Knee, len(f.Points) - 1}
	for _, i := range slices.Compact(at) {
		p := f.Points[i]
		out = append(out, fmt.Sprintf("%s at %s", Format(metric.Seconds, p.Seconds), Format(info.Unit, p.X)))
	}
	return out
}

// SearchProgress is what a search does, with the best so far.
func SearchProgress(what string, rows int, best *record.Try) string {
	line := fmt.Sprintf("%s on %d vectors", Clean(what), rows)
	if best == nil {
		return line + "; nothing yet"
	}
	if !best.Reached {
		return line + fmt.Sprintf("; nearest so far %s", tryName(best))
	}
	return line + fmt.Sprintf("; best so far %s, about %s a query", tryName(best), Format(metric.Seconds, best.Score))
}

func tryName(t *record.Try) string {
	return Clean(strings.TrimSpace(t.Family + " " + t.Arm + " " + t.Search))
}

// SearchSoFar is the best so far of a search that was stopped, as YAML, with what it is worth; nothing where best is nil.
// keeps says that it keeps all limits, as far as they are known before the final measurement.
func SearchSoFar(s *record.Search, best *record.Try, keeps bool) string {
	if best == nil {
		return ""
	}
	var b strings.Builder
	b.WriteString(settingYAML(best.Family, best.Arm, best.Search))
	on := "all vectors"
	if best.Rows < s.Rows {
		on = fmt.Sprintf("a sample of %d of the %d vectors", best.Rows, s.Rows)
	}
	limits := ""
	if !keeps {
		limits = " It does not keep all limits."
	}
	fmt.Fprintf(&b, "\nThe best so far, found on %s and not measured anew: about %s a query.%s The search was stopped; the same command resumes it.\n", on, Format(metric.Seconds, best.Score), limits)
	return b.String()
}
