package judge

import (
	"cmp"
	"maps"
	"slices"

	"annbench/bench/metric"
	"annbench/bench/record"
)

// Churned is a runbook that indexes followed, under one set of terms.
type Churned struct {
	Terms   Terms
	Runbook string
	Steps   []int // of its searches, in order
	Lines   []ChurnLine
}

// ChurnLine is a family that followed a runbook, changed or built anew after so many searches, with the setting that speaks
// for it: the fastest of those whose mean recall over the steps is [Target] and more, or the one of highest mean recall.
type ChurnLine struct {
	Family  string
	Exact   bool
	Rebuild int         // 0 where the index was changed
	Cell    record.Cell // of the first search
	Rows    []*Row      // by place in Steps; nil where nothing was recorded
	Failed  []Failure   // ways in which searches ended without values
	Recall  []float64   // by place in Steps, those that ended well
	cost    float64     // mean time of a query
	mean    float64     // recall
}

// Churned gives the runbooks that indexes followed, by terms; nil where there are none.
func (r *Report) Churned() []Churned {
	type key struct {
		Terms   Terms
		Runbook string
	}
	rows, _ := gather(r.Sources, func(src *record.Results) []record.Record { return src.Churned })
	books := map[key][]*Row{}
	var keys []key
	for _, row := range rows {
		k := key{TermsOf(row.Cell), row.Cell.Churn}
		if books[k] == nil {
			keys = append(keys, k)
		}
		books[k] = append(books[k], row)
	}
	slices.SortStableFunc(keys, func(a, b key) int {
		return cmp.Or(r.compareTerms(a.Terms, b.Terms), cmp.Compare(a.Runbook, b.Runbook))
	})
	var out []Churned
	for _, k := range keys {
		out = append(out, churnedOf(k.Terms, k.Runbook, books[k]))
	}
	return out
}

func churnedOf(t Terms, runbook string, rows []*Row) Churned {
	c := Churned{Terms: t, Runbook: runbook}
	settings := map[record.Cell][]*Row{} // by cell without its step
	var order []record.Cell
	for _, row := range rows {
		row.settle()
		if !slices.Contains(c.Steps, row.Cell.Step) {
			c.Steps = append(c.Steps, row.Cell.Step)
		}
		one := row.Cell
		one.Step = 0
		if settings[one] == nil {
			order = append(order, one)
		}
		settings[one] = append(settings[one], row)
	}
	slices.Sort(c.Steps)
	for _, one := range order {
		l := ChurnLine{Family: one.Family, Rebuild: one.Rebuild, Cell: one, Rows: make([]*Row, len(c.Steps))}
		timed := 0
		for _, row := range settings[one] {
			at, _ := slices.BinarySearch(c.Steps, row.Cell.Step)
			l.Rows[at], l.Exact = row, row.Exact
			if row.OK() == 0 {
				for _, f := range row.Failures() {
					if !slices.ContainsFunc(l.Failed, func(g Failure) bool { return g.Error == f.Error }) {
						l.Failed = append(l.Failed, f)
					}
				}
				continue
			}
			if v, ok := row.Value(metric.Recall); ok {
				l.mean += v.Median
				l.Recall = append(l.Recall, v.Median)
			}
			v, ok := row.Value(metric.CPU)
			if !ok { // of a server's: its settings are compared with each other alone
				v, ok = row.Value(metric.Mean)
			}
			if ok {
				l.cost += v.Median
				timed++
			}
		}
		if n := len(l.Recall); n > 0 {
			l.mean /= float64(n)
		}
		if timed > 0 {
			l.cost /= float64(timed)
		}
		i := slices.IndexFunc(c.Lines, func(m ChurnLine) bool { return m.Family == l.Family && m.Rebuild == l.Rebuild })
		switch {
		case i < 0:
			c.Lines = append(c.Lines, l)
		case l.better(&c.Lines[i]):
			c.Lines[i] = l
		}
	}
	slices.SortStableFunc(c.Lines, func(a, b ChurnLine) int {
		exact := 0
		if a.Exact != b.Exact {
			exact = 1
			if a.Exact {
				exact = -1
			}
		}
		return cmp.Or(exact, cmp.Compare(a.Family, b.Family), cmp.Compare(a.Rebuild, b.Rebuild))
	})
	return c
}

func (l *ChurnLine) better(m *ChurnLine) bool {
	if a, b := len(l.Failed) == 0, len(m.Failed) == 0; a != b {
		return a
	}
	a, b := l.mean >= Target, m.mean >= Target
	if a != b {
		return a
	}
	if !a && l.mean != m.mean {
		return l.mean > m.mean
	}
	return l.cost < m.cost
}

// At is a quantity at the search at this place; ok is false where it was not measured.
func (l *ChurnLine) At(place int, name string) (float64, bool) {
	if l.Rows[place] == nil || l.Rows[place].OK() == 0 {
		return 0, false
	}
	v, ok := l.Rows[place].Value(name)
	return v.Median, ok
}

// Ends are a quantity at the first search and at the last that have it.
func (l *ChurnLine) Ends(name string) (first, last float64, ok bool) {
	for at := range l.Rows {
		if v, has := l.At(at, name); has {
			if !ok {
				first = v
			}
			last, ok = v, true
		}
	}
	return first, last, ok
}

// memoryTells is the least growth of memory, in bytes, that one measurement tells from its own noise. Indexes that were built
// anew, whose memory cannot grow, read 0.2 MiB more at the last search of 220 vectors than at the first, and most of them up to
// 2 MiB more of 25,000 vectors of 512 dimensions: allocators keep some of what scoring and earlier builds took.
const memoryTells = 4 << 20

// Grows gives memory or the size on disk at the first search and at the last; ok is true where it grew by more than a quarter
// beyond what the number of living vectors did, and memory by more than a measurement's noise.
func (l *ChurnLine) Grows(name string) (first, last float64, ok bool) {
	first, last, known := l.Ends(name)
	before, after, counted := l.Ends(metric.Living)
	if !known || !counted || first <= 0 {
		return first, last, false
	}
	expected := first * max(1, after/before)
	least := expected / 4
	if name == metric.Resident {
		least = max(least, memoryTells)
	}
	return first, last, last-expected > least
}

// AtLast reports whether the last search that was measured has a quantity.
func (l *ChurnLine) AtLast(name string) bool {
	for at := len(l.Rows) - 1; at >= 0; at-- {
		if _, measured := l.At(at, metric.Recall); measured {
			_, has := l.At(at, name)
			return has
		}
	}
	return false
}

// Worst is the highest value of a quantity over the searches, or with least the lowest.
func (l *ChurnLine) Worst(name string, least bool) (worst float64, ok bool) {
	for at := range l.Rows {
		if v, has := l.At(at, name); has && (!ok || least && v < worst || !least && v > worst) {
			worst, ok = v, true
		}
	}
	return worst, ok
}

// updateCost is the quantity that says what changes and builds cost: processor time, or wall time where that is not known, as
// of a server elsewhere.
func (l *ChurnLine) updateCost() string {
	if _, ok := l.At(0, metric.UpdateCPU); ok {
		return metric.UpdateCPU
	}
	return metric.UpdateWall
}

// Walled says that updates and builds are in wall time, since the processor time is not known.
func (l *ChurnLine) Walled() bool {
	_, known := l.At(0, metric.UpdateWall)
	return known && l.updateCost() == metric.UpdateWall
}

// UpdateEach is the processor time of an update, a vector that was added or removed: the median over the searches, the
// first left out; ok is false of an index that was built anew. It is wall time where [ChurnLine.Walled].
func (l *ChurnLine) UpdateEach() (seconds float64, ok bool) {
	if l.Rebuild > 0 {
		return 0, false
	}
	var each []float64
	for at := range l.Rows[min(1, len(l.Rows)):] {
		cpu, ok := l.At(at+1, l.updateCost())
		n, counted := l.At(at+1, metric.Updated)
		if ok && counted && n > 0 {
			each = append(each, cpu/n)
		}
	}
	if len(each) == 0 {
		return 0, false
	}
	return metric.Median(each), true
}

// BuildCPU is the processor time of building anew: that of the first search, which is in every line. It is wall time where
// [ChurnLine.Walled].
func (l *ChurnLine) BuildCPU() (float64, bool) { return l.At(0, l.updateCost()) }

// Pays is up to which share of the vectors may change before building the same index anew is cheaper than changing it.
func (l *ChurnLine) Pays() (share float64, ok bool) {
	each, changes := l.UpdateEach()
	build, built := l.BuildCPU()
	living, known := l.At(0, metric.Living)
	if !changes || !built || !known || each <= 0 || living <= 0 {
		return 0, false
	}
	return build / each / living, true
}

// CheapestBuild is the family whose builds take the least processor time, the median of those of its lines that were built
// anew, and that time; ok is false where no family that reaches [Target] at the first search has it. Wall time does not count.
func (c *Churned) CheapestBuild() (family string, seconds float64, ok bool) {
	builds := map[string][]float64{}
	for i := range c.Lines {
		l := &c.Lines[i]
		first, _ := l.At(0, metric.Recall)
		if build, built := l.BuildCPU(); built && first >= Target && l.Rebuild > 0 && !l.Walled() {
			builds[l.Family] = append(builds[l.Family], build)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(builds)) {
		if m := metric.Median(builds[name]); !ok || m < seconds {
			family, seconds, ok = name, m, true
		}
	}
	return family, seconds, ok
}

// Stalest is after how many searches the indexes were built anew that lacked the largest share of what lives at some search,
// and that share, which is the runbook's and the same for all families; 0 where none lacked any.
func (c *Churned) Stalest() (every int, share float64) {
	for i := range c.Lines {
		if stale, ok := c.Lines[i].Worst(metric.Stale, false); ok && stale > share {
			every, share = c.Lines[i].Rebuild, stale
		}
	}
	return every, share
}

// Asked says that queries arrived while an index changed.
func (c *Churned) Asked() bool {
	return slices.ContainsFunc(c.Lines, func(l ChurnLine) bool {
		_, ok := l.Worst(metric.DuringP99, false)
		return ok
	})
}
