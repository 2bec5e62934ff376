package text

import (
	"bytes"
	"fmt"
	"io"
	"math"

	"annbench/bench/metric"
	"annbench/reports/judge"
	"annbench/reports/say"
)

// Pairs writes the comparison as a table, with what it would have found.
func Pairs(w io.Writer, p *judge.Pairs, power judge.Power, o Options) error {
	var b bytes.Buffer
	t := tabler{o: o, w: &b}
	nameA, nameB := judge.NameOf(p.A), judge.NameOf(p.B)
	t.heading(1, fmt.Sprintf("%s → %s", nameA, nameB))
	notes := say.PairNotes(p)
	for _, n := range notes {
		t.note(n)
	}
	if len(notes) > 0 {
		fmt.Fprintln(&b)
	}
	count := map[judge.Change]int{}
	var last judge.Terms
	var rows [][]string
	flush := func() error {
		if len(rows) == 0 {
			return nil
		}
		terms := last
		terms.Dataset = ""
		t.heading(2, say.Terms(terms))
		err := t.render([]string{"cell", "value", nameA, nameB, "B/A", "95 %", ""}, rows)
		rows = nil
		return err
	}
	for _, c := range p.Cells {
		if terms := judge.TermsOf(c.Cell); terms != last {
			if err := flush(); err != nil {
				return err
			}
			last = terms
		}
		name := say.Named(c.Cell)
		for _, ch := range c.Changes {
			info, _ := metric.Lookup(ch.Name)
			count[ch.Change]++
			by, in := say.FactorText(ch.Difference.Difference), say.Missing
			if ch.A.Scale == metric.Linear {
				by = say.Signed(ch.Difference.Difference)
			}
			if ch.Difference.OK && !math.IsInf(ch.Difference.Hi, 0) {
				in = say.FactorText(ch.Difference.Lo) + " to " + say.FactorText(ch.Difference.Hi)
				if ch.A.Scale == metric.Linear {
					in = say.Signed(ch.Difference.Lo) + " to " + say.Signed(ch.Difference.Hi)
				}
			}
			word := say.ChangeWord(ch)
			switch ch.Change {
			case judge.Worse:
				word = t.paint(red, word)
			case judge.Better:
				word = t.paint(green, word)
			default:
				word = t.paint(dim, word)
			}
			rows = append(rows, []string{name, info.Title, say.Quantity(ch.Name, ch.A.Median), say.Quantity(ch.Name, ch.B.Median), by, in, word})
			name = ""
		}
	}
	if err := flush(); err != nil {
		return err
	}
	compared := 0
	for _, n := range count {
		compared += n
	}
	spoiled := ""
	if n := count[judge.Spoiled]; n > 0 {
		spoiled = fmt.Sprintf(", %d not judged since the machine was too busy", n)
	}
	t.paragraph(fmt.Sprintf("%s in both, with %s: %d better, %d worse, %d the same within noise, %d measured once, %d hidden by noise%s.", say.Plural(len(p.Cells), "cell", "cells"), say.Plural(compared, "value", "values"), count[judge.Better], count[judge.Worse], count[judge.Same], count[judge.Unsure], count[judge.Unseen], spoiled))
	if len(p.Cells) > 0 {
		t.paragraph(say.Unpaired(p))
	}
	if s := say.Power(power); s != "" {
		t.paragraph(s)
	}
	for _, side := range []struct {
		name  string
		cells []*judge.Row
	}{{nameA, p.OnlyA}, {nameB, p.OnlyB}} {
		if len(side.cells) > 0 {
			fmt.Fprintln(&b)
			t.paragraph(fmt.Sprintf("Only in %s: %s.", say.Clean(side.name), say.CellsShort(side.cells)))
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}
