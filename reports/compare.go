package reports

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
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
)

// comparedValues are what two results are compared by.
var comparedValues = []string{metric.QPS, metric.P99, metric.Recall, metric.MAP, metric.Build, metric.Resident}

// Margin of [Compare] where none is given: as a factor, and a tenth of it as an amount of a ratio.
const DefaultMargin = 0.03

// Pairs are two results side by side.
type Pairs struct {
	A, B  string // names of the folders
	Notes []string
	Cells []Pair
	// OnlyA and OnlyB count the cells that only one of them has, or that ended well in only one.
	OnlyA, OnlyB []string
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

// Worst is how the pair is told in one word: worse where any quantity is, else better where any is.
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
// set is: of other data, speeds may still be compared, and a note says that it is other data.
//
// A value is better or worse only where the whole of the 95 % interval of its change lies beyond the
// margin, 0.03 for 3 %; of ratios, beyond a tenth of it as an amount. So a change that nobody would
// notice is none, however little the value scatters, and of many cells few are told apart by chance.
func Compare(a, b *Report, margin float64) *Pairs {
	p := &Pairs{A: nameOf(a), B: nameOf(b)}
	if x, y := digests(a), digests(b); !slices.Equal(x, y) {
		p.Notes = append(p.Notes, "the two are of different data: recall and mAP do not compare, and speeds only roughly")
	}
	for _, d := range environmentDiffers(a, b) {
		p.Notes = append(p.Notes, "environments differ, so differences may be the machines': "+d)
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
			p.OnlyA = append(p.OnlyA, cellName(row))
			continue
		}
		delete(rows, key(row.Cell))
		pair := Pair{ID: row.Cell.ID(), Cell: row.Cell}
		for _, name := range comparedValues {
			x, ok1 := row.Value(name)
			y, ok2 := other.Value(name)
			if ok1 && ok2 {
				pair.Changes = append(pair.Changes, change(name, x, y, margin))
			}
		}
		p.Cells = append(p.Cells, pair)
	}
	for _, row := range b.Rows {
		if rows[key(row.Cell)] == row {
			p.OnlyB = append(p.OnlyB, cellName(row))
		}
	}
	return p
}

func change(name string, a, b Value, margin float64) PairChange {
	info, _ := metric.Lookup(name)
	// The repetitions of two runs were not measured together: they are no pairs.
	d := metric.Compare(plain(b.observed), plain(a.observed), a.scale, false)
	c := PairChange{Name: name, A: a, B: b, Difference: d, Change: Same}
	lo, hi, by := d.Lo, d.Hi, margin/10
	if a.scale == metric.Logarithmic {
		lo, hi, by = d.Lo-1, d.Hi-1, margin
	}
	switch {
	case math.IsInf(hi, 0):
	case !d.OK && !d.Tied && (lo > by || hi < -by):
		c.Change = Unsure
	case lo > by && info.Lower, hi < -by/(1+by) && !info.Lower:
		c.Change = Worse
	case lo > by, hi < -by/(1+by): // as many times less as the other is more
		c.Change = Better
	}
	return c
}

func nameOf(r *Report) string {
	var names []string
	for _, s := range r.Sources {
		names = append(names, baseName(s.Dir))
	}
	return strings.Join(names, "+")
}

func digests(r *Report) []string {
	var out []string
	for _, t := range r.Terms {
		if !slices.Contains(out, t.Dataset) {
			out = append(out, t.Dataset)
		}
	}
	slices.Sort(out)
	return out
}

func cellName(row *Row) string {
	return strings.TrimSpace(clean(row.Cell.Family+" "+row.Cell.Settings())) + " (" + TermsOf(row.Cell).Describe() + ")"
}

// environmentDiffers names the facts in which the environments of the two differ.
func environmentDiffers(a, b *Report) []string {
	facts := func(r *Report) map[string]string {
		out := map[string]string{}
		add := func(name, v string) {
			if !strings.Contains(out[name], v) {
				out[name] = strings.TrimPrefix(out[name]+" and "+v, " and ")
			}
		}
		for _, e := range r.Envs {
			add("processor", e.Env.CPU)
			add("extensions", strings.Join(e.Env.Features, " "))
			add("cores", fmt.Sprint(e.Env.Cores))
			add("memory", format(metric.Bytes, float64(e.Env.Memory)))
			add("system", e.Env.OS)
			add("Go", e.Env.Go)
			for name, v := range e.Env.Libraries {
				add(name, v)
			}
		}
		return out
	}
	x, y := facts(a), facts(b)
	var names []string
	for name := range x {
		names = append(names, name)
	}
	for name := range y {
		if _, ok := x[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var out []string
	for _, name := range names {
		if x[name] != y[name] {
			out = append(out, clean(fmt.Sprintf("%s: %s against %s", name, orDash(x[name]), orDash(y[name]))))
		}
	}
	return out
}

// Worse reports whether any of the quantities called names, or any at all where none is named, is
// worse in the second results.
func (p *Pairs) Worse(names ...string) bool {
	return slices.ContainsFunc(p.Cells, func(c Pair) bool {
		return slices.ContainsFunc(c.Changes, func(ch PairChange) bool {
			return ch.Change == Worse && (len(names) == 0 || slices.Contains(names, ch.Name))
		})
	})
}

// WritePairs writes the comparison as a table.
func WritePairs(w io.Writer, p *Pairs, o TableOptions) error {
	var b bytes.Buffer
	t := tabler{o: o, w: &b}
	t.heading(1, fmt.Sprintf("%s → %s", p.A, p.B))
	for _, n := range p.Notes {
		t.note(n)
	}
	if len(p.Notes) > 0 {
		fmt.Fprintln(&b)
	}
	count := map[Change]int{}
	var last Terms
	var rows [][]string
	flush := func() error {
		if len(rows) == 0 {
			return nil
		}
		terms := last
		terms.Dataset = ""
		t.heading(2, terms.Describe())
		err := t.render([]string{"cell", "value", p.A, p.B, "B/A", "95 %", ""}, rows)
		rows = nil
		return err
	}
	for _, c := range p.Cells {
		if terms := TermsOf(c.Cell); terms != last {
			if err := flush(); err != nil {
				return err
			}
			last = terms
		}
		name := strings.TrimSpace(clean(c.Cell.Family + " " + c.Cell.Settings()))
		for _, ch := range c.Changes {
			info, _ := metric.Lookup(ch.Name)
			count[ch.Change]++
			by, in := factorText(ch.Difference.Difference), missing
			if ch.A.scale == metric.Linear {
				by = signed(ch.Difference.Difference)
			}
			if ch.Difference.OK && !math.IsInf(ch.Difference.Hi, 0) {
				in = factorText(ch.Difference.Lo) + " to " + factorText(ch.Difference.Hi)
				if ch.A.scale == metric.Linear {
					in = signed(ch.Difference.Lo) + " to " + signed(ch.Difference.Hi)
				}
			}
			word := word(ch)
			switch ch.Change {
			case Worse:
				word = t.paint(red, word)
			case Better:
				word = t.paint(green, word)
			default:
				word = t.paint(dim, word)
			}
			rows = append(rows, []string{name, info.Title, formatNamed(ch.Name, ch.A.Median), formatNamed(ch.Name, ch.B.Median), by, in, word})
			name = ""
		}
	}
	if err := flush(); err != nil {
		return err
	}
	t.paragraph(fmt.Sprintf("%s: %d better, %d worse, %d the same within noise, %d measured once.", plural(len(p.Cells), "cell", "cells"), count[Better], count[Worse], count[Same], count[Unsure]))
	for _, side := range []struct {
		name  string
		cells []string
	}{{p.A, p.OnlyA}, {p.B, p.OnlyB}} {
		if len(side.cells) > 0 {
			fmt.Fprintln(&b)
			t.paragraph(fmt.Sprintf("Only in %s: %s.", clean(side.name), and(side.cells)))
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

// word is the change in the quantity's own word.
func word(c PairChange) string {
	info, _ := metric.Lookup(c.Name)
	if c.Change != Better && c.Change != Worse {
		return string(c.Change)
	}
	switch info.Unit {
	case metric.Seconds, metric.PerSecond:
		if c.Change == Better {
			return "faster"
		}
		return "slower"
	case metric.Bytes:
		if c.Change == Better {
			return "smaller"
		}
		return "larger"
	}
	if c.Change == Better {
		return "higher"
	}
	return "lower"
}

// MarshalJSON is the comparison for programs.
func (p *Pairs) MarshalJSON() ([]byte, error) {
	type jsonChange struct {
		Value  string  `json:"value"`
		A      float64 `json:"a"`
		B      float64 `json:"b"`
		Differ float64 `json:"difference"` // a factor, or of ratios an amount
		Lo     float64 `json:"lo"`
		Hi     float64 `json:"hi"`
		Change Change  `json:"change"`
	}
	type jsonPair struct {
		Cell     record.Cell  `json:"cell"`
		Change   Change       `json:"change"`
		Compared []jsonChange `json:"compared"`
	}
	out := struct {
		A     string     `json:"a"`
		B     string     `json:"b"`
		Notes []string   `json:"notes,omitempty"`
		Cells []jsonPair `json:"cells"`
		OnlyA []string   `json:"only_a,omitempty"`
		OnlyB []string   `json:"only_b,omitempty"`
	}{A: p.A, B: p.B, Notes: p.Notes, OnlyA: p.OnlyA, OnlyB: p.OnlyB, Cells: []jsonPair{}}
	for _, c := range p.Cells {
		jp := jsonPair{Cell: c.Cell, Change: c.Worst()}
		for _, ch := range c.Changes {
			if math.IsInf(ch.Difference.Hi, 0) {
				ch.Difference.Hi = math.MaxFloat64 // JSON has no infinity
			}
			jp.Compared = append(jp.Compared, jsonChange{ch.Name, ch.A.Median, ch.B.Median, ch.Difference.Difference, ch.Difference.Lo, ch.Difference.Hi, ch.Change})
		}
		out.Cells = append(out.Cells, jp)
	}
	return json.Marshal(out)
}
