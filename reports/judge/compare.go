package judge

import (
	"math"
	"slices"
	"strings"

	"annbench/bench/metric"
	"annbench/bench/record"
)

// Change says how a value of the second results differs from that of the first.
type Change string

// The changes. Which way is better is the quantity's.
const (
	Better Change = "better"
	Worse  Change = "worse"
	Same   Change = "same within noise"
	Unsure Change = "measured once"
	// Unseen is the same within noise, where the noise hides a difference of the limit of [Power].
	Unseen Change = "cannot tell"
	// Spoiled is what a machine that was too busy says more about than an index: see [ByMachine].
	Spoiled Change = "machine too busy"
)

// comparedValues are what two results are compared by.
var comparedValues = []string{Speed, metric.P99, metric.Recall, metric.MAP, metric.Build, metric.Resident}

// DefaultMargin is the margin of [Compare] if none is given: as a factor, and a tenth of it as an amount of a ratio.
const DefaultMargin = 0.03

// Pairs are two results side by side.
type Pairs struct {
	A, B  *Report
	Cells []Pair
	// OnlyA and OnlyB are the cells that only one of them has, or that ended well in only one.
	OnlyA, OnlyB []*Row
	// MAPByQuery says that changes of mAP are those of its loss against exact search on the same queries.
	MAPByQuery bool
	// Sharing are those of Cells, in A, of which records stand in both: less is compared than it seems.
	Sharing []*Row
	// Shared is how many records of Cells stand in both; OfA and OfB are how many each has of Cells.
	Shared, OfA, OfB int
	// BusyA and BusyB are the share on the processor of what was timed, where it is below [Busy], else 0; of several
	// terms the least. [ByMachine] says what is then [Spoiled].
	BusyA, BusyB float64
}

// Pair is a cell in both results.
type Pair struct {
	ID      string
	Cell    record.Cell // of A
	Changes []PairChange
}

// PairChange is one quantity of a cell in both.
type PairChange struct {
	Name       string
	A, B       Value
	Difference Difference // of B from A
	Change     Change
}

// Worst is the pair in one word: worse where any quantity is, else better where any is.
func (p Pair) Worst() Change {
	out := Same
	for _, c := range p.Changes {
		switch {
		case c.Change == Worse:
			return Worse
		case c.Change == Better, out == Same && c.Change == Unsure:
			out = c.Change
		}
	}
	return out
}

// Compare puts the cells that a and b share side by side. Cells are the same where all but the data
// set is: of other data, speeds and sizes are still compared, recall and mAP are not, and a note says what the
// data are.
//
// A value is better or worse only where the whole of the 95 % interval of its change lies beyond the
// margin, 0.03 for 3 %; of ratios, beyond a tenth of it as an amount. So a change that nobody would
// notice is none, however little the value scatters, and of many cells few differ by chance. What a machine
// that was too busy spoils is neither: see [Spoiled].
func Compare(a, b *Report, margin float64) *Pairs {
	p := &Pairs{A: a, B: b}
	busyA, leastA := a.busy()
	busyB, leastB := b.busy()
	p.BusyA, p.BusyB = leastA, leastB
	noise := map[string]scattered{}
	for _, name := range append([]string{metric.QPS, metric.CPU, metric.BuildCPU}, comparedValues...) {
		own, moments := scatterOf(name, a, b)
		noise[name] = scattered{own, moments[0], moments[1]}
	}
	key := func(c record.Cell) record.Cell { c.Dataset = ""; return c }
	rows := map[record.Cell]*Row{}
	for _, row := range b.Rows {
		if row.Status() == record.OK {
			rows[key(row.Cell)] = row
		}
	}
	for _, row := range a.Rows {
		if row.Status() != record.OK {
			continue
		}
		other := rows[key(row.Cell)]
		if other == nil {
			p.OnlyA = append(p.OnlyA, row)
			continue
		}
		delete(rows, key(row.Cell))
		p.share(row, other)
		busy := busyA[TermsOf(row.Cell)]+busyB[TermsOf(other.Cell)] > 0
		pair := Pair{ID: row.Cell.ID(), Cell: row.Cell}
		for _, name := range comparedValues {
			if name == Speed {
				name = metric.QPS
				if row.byProcessor() && other.byProcessor() {
					name = metric.CPU
				}
			}
			if name == metric.Build && row.buildTime() == other.buildTime() {
				name = row.buildTime()
			}
			x, ok1 := row.Value(name)
			y, ok2 := other.Value(name)
			if !ok1 || !ok2 || row.Cell.Dataset != other.Cell.Dataset && (name == metric.Recall || name == metric.MAP) {
				continue
			}
			from, to := x, y
			if name == metric.Recall {
				from, to = onSameQueries(x, y)
			}
			if name == metric.MAP {
				from, to, ok1 = lossOfBoth(row, other)
				if !ok1 {
					from, to = x, y
				} else {
					p.MAPByQuery = true
				}
			}
			n := noise[name]
			d := n.between(row.Cell, from, other.Cell, to)
			c := change(name, x, y, d, margin)
			if busy && ByMachine(name) {
				c.Change = Spoiled
			}
			pair.Changes = append(pair.Changes, c)
		}
		p.Cells = append(p.Cells, pair)
	}
	for _, row := range b.Rows {
		if rows[key(row.Cell)] == row {
			p.OnlyB = append(p.OnlyB, row)
		}
	}
	return p
}

// Itself reports whether all records that one has of the cells in both stand in the other, too: results were compared with
// themselves, with a copy or with a part of themselves.
func (p *Pairs) Itself() bool { return p.Shared > 0 && (p.Shared == p.OfA || p.Shared == p.OfB) }

// share counts the records of a cell, and those that stand in both.
func (p *Pairs) share(a, b *Row) {
	shared := 0
	for _, rec := range a.Reps {
		if slices.ContainsFunc(b.Reps, rec.Same) {
			shared++
		}
	}
	if shared > 0 {
		p.Sharing = append(p.Sharing, a)
	}
	p.Shared, p.OfA, p.OfB = p.Shared+shared, p.OfA+len(a.Reps), p.OfB+len(b.Reps)
}

// busy are the shares on the processor of the terms under which the machine was too busy; least is the least of them, or 0.
func (r *Report) busy() (shares map[Terms]float64, least float64) {
	shares = map[Terms]float64{}
	for _, t := range r.Terms {
		if share, ok := r.OnCPU(t); ok && share < Busy {
			shares[t] = share
			if least == 0 || share < least {
				least = share
			}
		}
	}
	return shares, least
}

// ByMachine reports whether the quantity called name says more about the machine than about an index where the machine
// was too busy: see [Busy].
func ByMachine(name string) bool {
	return slices.Contains([]string{metric.P99, metric.P999, metric.Mean, metric.QPS}, name)
}

// lossOfBoth are the losses of mAP against exact search, of both, where exact search has the same mAP in both: it then
// answered the same queries, and the difference of the losses is that of the values. What varies from query to
// query in mAP itself is in both, and has gone out of the losses, each of which is of one query.
func lossOfBoth(a, b *Row) (x, y Value, ok bool) {
	exactA, ok1 := a.Value(metric.MAPExact)
	exactB, ok2 := b.Value(metric.MAPExact)
	x, ok3 := a.Value(metric.MAPDelta)
	y, ok4 := b.Value(metric.MAPDelta)
	same := math.Abs(exactA.Median-exactB.Median) <= 1e-9 && exactA.Median > 0
	return x, y, ok1 && ok2 && ok3 && ok4 && same && x.N == exactA.N && y.N == exactB.N
}

// mostHidden is the factor beyond which a comparison is none: where the noise hides so much, its interval, which
// may span orders of magnitude, says nothing, and is left out.
const mostHidden = 10

// scattered is how the values of two results scatter: each setting's own, and what the repetitions did to all.
type scattered struct {
	own  metric.Prior
	a, b moments
}

// between says how w, of cell d of the second results, differs from v, of cell c of the first. The repetitions of two
// runs were not measured together: they are no pairs. But the queries of the same data are the same.
func (s scattered) between(c record.Cell, v Value, d record.Cell, w Value) Difference {
	x, y := s.a.of(c, v.observed), s.b.of(d, w.observed)
	if c.Dataset != d.Dataset {
		for i := range x {
			x[i].At = nil
		}
	}
	return metric.CompareWith(y, x, v.Scale, false, s.own)
}

// onSameQueries are two values of the same queries less what depends on which queries these are, where both have repetitions
// enough to scatter.
func onSameQueries(v, w Value) (Value, Value) {
	if min(v.N, w.N) < 2 {
		return v, w
	}
	for _, of := range []*Value{&v, &w} {
		of.observed = slices.Clone(of.observed)
		for i := range of.observed {
			of.observed[i].Spread = 0
		}
	}
	return v, w
}

// Once is the factor beyond which a difference has to lie if one of the two was measured once: what another process does to
// the same setting is not in its interval. Of the same settings in two processes on a busy machine, 1.2 % differed by more (the first
// repetitions of docs/results/records/busy).
const Once = 1.5

func change(name string, a, b Value, d Difference, margin float64) PairChange {
	info, _ := metric.Lookup(name)
	c := PairChange{Name: name, A: a, B: b, Difference: d, Change: Same}
	if a.Scale == metric.Logarithmic && d.OK && d.Tied && d.Detectable > mostHidden {
		c.Change = Unseen
		c.Difference.OK, c.Difference.Lo, c.Difference.Hi, c.Difference.Detectable = false, d.Difference, d.Difference, 0
		return c
	}
	once := a.Scale == metric.Logarithmic && d.OK && min(a.N, b.N) == 1
	if once {
		c.Difference.Detectable *= Once
	}
	lo, hi, by := d.Lo, d.Hi, margin/10
	if a.Scale == metric.Logarithmic {
		lo, hi, by = d.Lo-1, d.Hi-1, margin
	}
	switch {
	case math.IsInf(hi, 0):
	case !d.OK && !d.Tied && (lo > by || hi < -by):
		c.Change = Unsure
	case once && (lo > by || hi < -by/(1+by)) && d.Lo <= Once && d.Hi >= 1/Once:
		c.Change = Unsure
	case lo > by && info.Lower, hi < -by/(1+by) && !info.Lower:
		c.Change = Worse
	case lo > by, hi < -by/(1+by): // as many times less as the other is more
		c.Change = Better
	}
	return c
}

// NameOf is the names of the folders of one side.
func NameOf(r *Report) string {
	var names []string
	for _, s := range r.Sources {
		names = append(names, baseName(s.Dir))
	}
	return strings.Join(names, "+")
}

// OtherData reports whether the two are of different data.
func (p *Pairs) OtherData() bool {
	return !slices.Equal(slices.Sorted(slices.Values(p.A.Datasets())), slices.Sorted(slices.Values(p.B.Datasets())))
}

// byProcessor reports whether the row has a processor time that decides.
func (r *Row) byProcessor() bool {
	_, ok := r.Value(metric.CPU)
	return ok && r.clock == Processor && !remote(r.Reps[0])
}

// wallOf is the quantity by the clock on the wall in whose place that by the processor's stands.
var wallOf = map[string]string{metric.CPU: metric.QPS, metric.BuildCPU: metric.Build}

// Worse reports whether any of the quantities called names, or any at all where none is named, is
// worse in the second results. [metric.QPS] stands for [metric.CPU], too, and [metric.Build] for [metric.BuildCPU],
// where that decides.
func (p *Pairs) Worse(names ...string) bool {
	return slices.ContainsFunc(p.Cells, func(c Pair) bool {
		return slices.ContainsFunc(c.Changes, func(ch PairChange) bool {
			return ch.Change == Worse && (len(names) == 0 || slices.Contains(names, ch.Name) || slices.Contains(names, wallOf[ch.Name]))
		})
	})
}

// Unjudged reports whether of the quantities called names none could be judged, since the machine was too busy for them.
func (p *Pairs) Unjudged(names ...string) bool {
	spoiled := false
	for _, c := range p.Cells {
		for _, ch := range c.Changes {
			if !slices.Contains(names, ch.Name) && !slices.Contains(names, wallOf[ch.Name]) {
				continue
			}
			if ch.Change != Spoiled {
				return false
			}
			spoiled = true
		}
	}
	return spoiled
}

// MeasuredOnce reports whether times were compared of which one was measured once.
func (p *Pairs) MeasuredOnce() bool {
	return slices.ContainsFunc(p.Cells, func(c Pair) bool {
		return slices.ContainsFunc(c.Changes, func(ch PairChange) bool {
			return ch.A.Scale == metric.Logarithmic && ch.Difference.OK && min(ch.A.N, ch.B.N) == 1
		})
	})
}

// DefaultPower is the limit of [Pairs.Power] if none is given.
const DefaultPower = 1.5

// Power is what differences a comparison would have found.
type Power struct {
	Limit float64 // a factor of speed that should be found
	Rows  int     // cells whose speeds were compared
	// Blind are those of Rows in which a factor of Limit would not have been found in four of five runs, or whose
	// speed was measured too rarely for an interval, and which show no difference.
	Blind int
	// Median and Most are the factors that would have been found in the median row and in 95 % of the rows; 0
	// where no row has an interval. A row without one finds nothing: its factor is infinite.
	Median, Most float64
}

// blindShare is the share of rows that may be [Power.Blind] before the comparison as a whole cannot tell.
const blindShare = 0.05

// CannotTell reports whether the comparison says too little: "the same" then means nothing.
func (w Power) CannotTell() bool { return float64(w.Blind) > blindShare*float64(w.Rows) }

// Power says what factor of speed the comparison would have found, and marks as [Unseen] what is the same only
// because the noise hides a factor of limit.
func (p *Pairs) Power(limit float64) Power {
	w := Power{Limit: limit}
	var found []float64
	for i := range p.Cells {
		for j := range p.Cells[i].Changes {
			c := &p.Cells[i].Changes[j]
			if c.Name != metric.QPS && c.Name != metric.CPU {
				continue
			}
			w.Rows++
			by := math.Inf(1)
			if c.Difference.OK && c.Difference.Detectable > 0 {
				by = c.Difference.Detectable
			}
			found = append(found, by)
			if by > limit && (c.Change == Same || c.Change == Unseen) {
				w.Blind++
				c.Change = Unseen
			} else if c.Change == Unsure || c.Change == Spoiled {
				w.Blind++
			}
		}
	}
	if len(found) == 0 {
		return w
	}
	slices.Sort(found)
	w.Median = found[len(found)/2]
	w.Most = found[min(len(found)-1, int(math.Ceil(0.95*float64(len(found))))-1)]
	return w
}
