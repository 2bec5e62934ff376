package say

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"annbench/bench/metric"
	"annbench/reports/judge"
)

// PairNotes are the doubts about a comparison.
func PairNotes(p *judge.Pairs) []string {
	var out []string
	if p.OtherData() {
		a, b := dataOf(p.A, false), dataOf(p.B, false)
		if a == b {
			a, b = dataOf(p.A, true), dataOf(p.B, true)
		}
		out = append(out, fmt.Sprintf("the two are of different data: %s against %s; recall and mAP do not compare and are left out, and speeds and sizes compare only roughly", a, b))
	}
	if n := sharing(p); n != "" {
		out = append(out, n)
	}
	for _, side := range []struct {
		r    *judge.Report
		busy float64
	}{{p.A, p.BusyA}, {p.B, p.BusyB}} {
		if side.busy > 0 {
			out = append(out, judge.NameOf(side.r)+": "+strings.TrimSuffix(tooBusy(side.busy), ".")+"; here these are shown, and count as neither better nor worse")
		}
	}
	for _, r := range []*judge.Report{p.A, p.B} {
		for _, n := range r.Notes {
			if n.Code == judge.OtherVersion || n.Code == judge.ExactMisses || n.Code == judge.Unfinished {
				line := noteText(r, n)
				if n.Code != judge.Unfinished { // which names the folder itself
					line = judge.NameOf(r) + ": " + line
				}
				if !slices.Contains(out, line) { // both may have one name
					out = append(out, line)
				}
			}
		}
	}
	for _, d := range environmentDiffers(p.A, p.B) {
		out = append(out, "environments differ, so differences may be the machines': "+d)
	}
	return out
}

// sharing says which records stand in both, and what that means; it is empty where none does.
func sharing(p *judge.Pairs) string {
	switch {
	case p.Shared == 0:
		return ""
	case p.Shared == p.OfA && p.Shared == p.OfB:
		return "the two have the same records: nothing was measured twice, so that nothing is compared; name the folder of another run"
	case p.Itself():
		part, whole, n, of := judge.NameOf(p.A), judge.NameOf(p.B), p.OfA, p.OfB
		if p.Shared == p.OfB {
			part, whole, n, of = whole, part, of, n
		}
		return fmt.Sprintf("all %d records of %s are among the %d of %s: nothing was measured twice, so that nothing is compared; name the folder of another run", n, Clean(part), of, Clean(whole))
	}
	return fmt.Sprintf("%s in both, of %s: a measurement that is in both says nothing about a difference, and makes the two look more alike than they are", Plural(p.Shared, "record stands", "records stand"), CellsShort(p.Sharing))
}

// dataOf names the data of a report with their size and, where asked for, the beginning of their digest.
func dataOf(r *judge.Report, digest bool) string {
	var out []string
	for _, d := range r.Datasets() {
		s, in := r.DatasetName(d), []string(nil)
		if src := r.Source(d); src != nil {
			in = append(in, Plural(src.Dataset.Base, "vector", "vectors")+fmt.Sprintf(" of %d dimensions", src.Dataset.Dim), Plural(src.Dataset.Queries, "query", "queries"))
		}
		if digest {
			in = append(in, fmt.Sprintf("digest %.12s", d))
		}
		if len(in) > 0 {
			s += " (" + strings.Join(in, ", ") + ")"
		}
		out = append(out, s)
	}
	return Clean(And(out))
}

// mostNamed is how many cells a list names; of more it gives the families.
const mostNamed = 8

// CellsShort names cells as [CellsTogether] does where they are few, and else says how many each family has.
func CellsShort(rows []*judge.Row) string {
	if len(rows) <= mostNamed {
		return And(CellsTogether(rows))
	}
	var families []string
	n := map[string]int{}
	for _, row := range rows {
		if n[row.Cell.Family] == 0 {
			families = append(families, row.Cell.Family)
		}
		n[row.Cell.Family]++
	}
	for i, f := range families {
		families[i] = fmt.Sprintf("%d of %s", n[f], Clean(f))
	}
	return Plural(len(rows), "cell", "cells") + ", " + And(families)
}

// Cells names cells, each with its terms.
func Cells(rows []*judge.Row) []string {
	var out []string
	for _, row := range rows {
		out = append(out, Named(row.Cell)+" ("+Terms(judge.TermsOf(row.Cell))+")")
	}
	return out
}

// CellsTogether names cells, the terms once behind all that were measured under them.
func CellsTogether(rows []*judge.Row) []string {
	var out []string
	for i := 0; i < len(rows); {
		t := judge.TermsOf(rows[i].Cell)
		var same []string
		for ; i < len(rows) && judge.TermsOf(rows[i].Cell) == t; i++ {
			same = append(same, Named(rows[i].Cell))
		}
		out = append(out, And(same)+" ("+Terms(t)+")")
	}
	return out
}

// Unpaired says what the intervals of a comparison are.
func Unpaired(p *judge.Pairs) string {
	s := "The two runs were not measured in turn, so their intervals are unpaired, and wider than those within a report."
	if p.MAPByQuery {
		s += " That of mAP goes by query: by what each loses against exact search, which answered the same queries in both."
	}
	if p.MeasuredOnce() {
		s += fmt.Sprintf(" What was measured once counts as changed only beyond a factor of %s, by the whole interval: two processes with the same index differ by up to that, and one repetition cannot show it. With three, smaller changes count.", FactorText(judge.Once))
	}
	return s
}

// environmentDiffers names the facts in which the environments of the two differ.
func environmentDiffers(a, b *judge.Report) []string {
	facts := func(r *judge.Report) map[string]string {
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
			add("memory", Format(metric.Bytes, float64(e.Env.Memory)))
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
			out = append(out, Clean(fmt.Sprintf("%s: %s against %s", name, OrDash(x[name]), OrDash(y[name]))))
		}
	}
	return out
}

// ChangeWord is the change in the quantity's own word.
func ChangeWord(c judge.PairChange) string {
	info, _ := metric.Lookup(c.Name)
	if c.Change != judge.Better && c.Change != judge.Worse {
		return string(c.Change)
	}
	switch info.Unit {
	case metric.Seconds, metric.PerSecond:
		if c.Change == judge.Better {
			return "faster"
		}
		return "slower"
	case metric.Bytes:
		if c.Change == judge.Better {
			return "smaller"
		}
		return "larger"
	}
	if c.Change == judge.Better {
		return "higher"
	}
	return "lower"
}

// Power says what a comparison would have found.
func Power(w judge.Power) string {
	by := func(x float64) string {
		if math.IsInf(x, 0) || x > 1000 {
			return "nothing, however large"
		}
		return "a factor of " + FactorText(x)
	}
	if w.Rows == 0 {
		return ""
	}
	s := fmt.Sprintf("With this noise, the comparison would have found %s in speed in the median cell and %s in 95 %% of the cells.", by(w.Median), by(w.Most))
	if w.CannotTell() {
		s += fmt.Sprintf(" It cannot tell: in %d of %s a factor of %s would stay hidden. Measure more repetitions, or on a machine that does less.", w.Blind, Plural(w.Rows, "cell", "cells"), FactorText(w.Limit))
	}
	return s
}
