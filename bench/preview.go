package bench

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/olekukonko/tablewriter"

	"annbench/bench/churn"
	"annbench/bench/dataset"
	"annbench/bench/record"
	"annbench/bench/sweepfile"
	"annbench/bench/transform"
)

// Preview is a plan with its estimate, as people and programs read it.
type Preview struct {
	Name        string        `json:"name"`
	Dataset     string        `json:"dataset,omitempty"` // its digest; none of images that are not embedded yet
	Base        int           `json:"base"`
	Queries     int           `json:"queries"`
	Dim         int           `json:"dim"`
	Repetitions int           `json:"repetitions"`
	Builds      int           `json:"builds"` // all repetitions
	Cells       []record.Cell `json:"cells"`  // of one repetition
	Skipped     []LeftOut     `json:"skipped,omitempty"`
	Seconds     float64       `json:"seconds"`         // estimated, of all repetitions
	Memory      int64         `json:"memory"`          // estimated, of the largest worker process, in bytes
	Drawn       bool          `json:"drawn,omitempty"` // the estimate is by drawn vectors, in place of images that are not embedded yet

	Churn bool `json:"churn,omitempty"` // indexes follow runbooks, too, whose steps are not in Cells and in the estimate

	Runbooks []PlannedRunbook `json:"runbooks,omitempty"`

	estimate Estimate
	same     []Same
}

// PlannedRunbook is a runbook that indexes follow.
type PlannedRunbook struct {
	Name     string `json:"name"`
	Searches int    `json:"searches"`
	Rebuild  []int  `json:"rebuild,omitempty"` // after how many searches indexes are built anew, as rivals of those that change
}

// plannedRunbooks lists the runbooks of a sweep; those that the set cannot follow are left out, since [CheckAsked] names them.
func plannedRunbooks(s *sweepfile.Sweep, set *dataset.Set) []PlannedRunbook {
	var out []PlannedRunbook
	for _, cs := range s.Churn {
		for _, spec := range cs.Each() {
			if steps, err := spec.Book(set, s.Seed); err == nil {
				n := len(churn.Searches(steps))
				out = append(out, PlannedRunbook{Name: spec.String(), Searches: n, Rebuild: cs.Rebuilds(n)})
			}
		}
	}
	return out
}

// String says how often the runbook searches, and how often indexes are built anew in it.
func (r PlannedRunbook) String() string {
	text := fmt.Sprintf("runbook %s: %d searches, and ", r.Name, r.Searches)
	if r.Searches == 1 {
		text = fmt.Sprintf("runbook %s: 1 search, and ", r.Name)
	}
	if len(r.Rebuild) == 0 {
		return text + "never built anew"
	}
	var every []string
	for _, n := range r.Rebuild {
		every = append(every, strconv.Itoa(n))
	}
	text += "built anew after every " + strings.Join(every, " and ")
	if n := slices.Max(r.Rebuild); n >= r.Searches && n > 1 {
		text += fmt.Sprintf("; every %d is never, for want of searches", n)
	}
	return text
}

// LeftOut is a cell that is not measured.
type LeftOut struct {
	Cell   record.Cell `json:"cell"`
	Reason string      `json:"reason"`
}

// NewPreview puts together what plan measures of sweep on set, whose vectors may be drawn ones.
func NewPreview(sweep *sweepfile.Sweep, set *dataset.Set, plan *Plan, e Estimate, drawn bool) *Preview {
	p := &Preview{
		Name: sweep.Name, Dataset: set.Digest, Base: set.Base.Rows, Queries: set.Queries.Rows, Dim: set.Base.Dim,
		Repetitions: sweep.Repetitions, Builds: len(plan.Jobs),
		Seconds: e.Wall.Seconds(), Memory: e.Memory, Drawn: drawn, Churn: len(sweep.Churn) > 0, Runbooks: plannedRunbooks(sweep, set), estimate: e, same: plan.Same,
	}
	for i := range plan.Jobs {
		if plan.Jobs[i].Rep == 0 {
			p.Cells = append(p.Cells, plan.Jobs[i].Cells(set.Digest)...)
		}
	}
	for _, s := range plan.Skipped {
		p.Skipped = append(p.Skipped, LeftOut{s.Cell, s.Reason})
	}
	return p
}

// WriteText writes the preview as a table with notes.
func (p *Preview) WriteText(w io.Writer) error {
	fmt.Fprintf(w, "%s: %d base vectors of %d dimensions, %d queries\n", p.Name, p.Base, p.Dim, p.Queries)
	t := tablewriter.NewTable(w)
	smaller := slices.ContainsFunc(p.Cells, func(c record.Cell) bool { return c.Transform != "" })
	head := []any{"family", "metric", "build", "search", "k", "mode"}
	if smaller {
		head = append(head, "vectors")
	}
	filtered := slices.ContainsFunc(p.Cells, func(c record.Cell) bool { return c.Filter != "" })
	if filtered {
		head = append(head, "filter")
	}
	t.Header(head...)
	for _, c := range p.Cells {
		line := []any{c.Family, c.Metric, c.Build, c.Search, c.K, c.Asked()}
		if smaller {
			line = append(line, cmp.Or(c.Transform, transform.None))
		}
		if filtered {
			line = append(line, cmp.Or(c.Under(), "none"))
		}
		if err := t.Append(line...); err != nil {
			return err
		}
	}
	if err := t.Render(); err != nil {
		return err
	}
	for _, skip := range p.Skipped {
		what := strings.TrimSpace(skip.Cell.Family + " " + skip.Cell.Settings())
		if under := skip.Cell.Under(); under != "" {
			what += " under " + under
		}
		fmt.Fprintf(w, "skipped: %s: %s\n", what, skip.Reason)
	}
	for _, same := range p.same {
		fmt.Fprintf(w, "the same: %s %s with k = %d is measured as %s\n", same.Family.Name, same.Asked, same.K, same.Means)
	}
	e := p.estimate
	for _, name := range slices.Sorted(maps.Keys(e.Unknown)) {
		fmt.Fprintf(w, "not in the estimate: %s: %s\n", name, e.Unknown[name])
	}
	fmt.Fprintf(w, "%d cells × %d repetitions, %d builds\n", len(p.Cells), p.Repetitions, p.Builds)
	by := ""
	if p.Drawn {
		by = "drawn "
	}
	_, err := fmt.Fprintf(w, "about %v, and up to %d MiB in a worker process (%s), by a calibration on %d %svectors; good to a factor of two or three\n",
		e.Wall.Round(time.Second), e.Memory>>20, e.Largest, min(CalibrationRows, p.Base), by)
	if err == nil && len(e.Rough) > 0 {
		_, err = fmt.Fprintf(w, "rough for %s: what building with other numbers, such as M, costs in a program of its own is not known, so all count as the first\n", strings.Join(e.Rough, ", "))
	}
	for _, r := range p.Runbooks {
		fmt.Fprintln(w, r)
	}
	if err == nil && p.Churn {
		_, err = fmt.Fprintln(w, "the runbooks of churn are not in this estimate, and come on top: every family changes, is built anew and searches at every step")
	}
	if err == nil && p.Drawn {
		_, err = fmt.Fprintln(w, "the images are not embedded yet, which comes on top; those that cannot be read are counted")
	}
	return err
}

// shownMissing is how many missing cells of a shard are named.
const shownMissing = 3

// WriteMissing writes what the merged runs set out to measure and did not; it writes nothing, and returns false,
// where nothing is missing.
func (m *Merged) WriteMissing(w io.Writer) bool {
	if len(m.Empty) == 0 && !m.Missing.Any() {
		return false
	}
	for _, dir := range m.Empty {
		fmt.Fprintf(w, "missing: %s holds no results\n", dir)
	}
	if len(m.Missing.Absent) > 0 {
		var names []string
		for _, i := range m.Missing.Absent {
			names = append(names, strconv.Itoa(i))
		}
		fmt.Fprintf(w, "missing: shards that have not begun, of %d: %s\n", m.Missing.Of, strings.Join(names, ", "))
	}
	for _, p := range m.Missing.Shards {
		cells := slices.Concat(p.Cells, p.Skipped)
		what := "the run"
		if p.Of > 1 {
			what = fmt.Sprintf("shard %d of %d", p.Shard, p.Of)
		}
		fmt.Fprintf(w, "missing: %s lacks %d cells or repetitions of them:\n", what, len(cells))
		for _, c := range cells[:min(shownMissing, len(cells))] {
			under := c.Under()
			if under != "" {
				under = ", under " + under
			}
			fmt.Fprintf(w, "  %s %s, k = %d, %s%s\n", c.Family, c.Settings(), c.K, c.Asked(), under)
		}
		if more := len(cells) - shownMissing; more > 0 {
			fmt.Fprintf(w, "  and %d more\n", more)
		}
	}
	return true
}
