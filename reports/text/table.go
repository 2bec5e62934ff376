// Package text writes reports as tables for a terminal or in Markdown.
//
// The values come from package judge, the words from package say. Formats for programs are in package
// interchange.
package text

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"

	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/reports/judge"
	"annbench/reports/say"
)

// Format is a way to write a table.
type Format int

// The formats.
const (
	Terminal Format = iota // columns of plain text, 120 wide unless settings are very long
	Markdown               // GitHub's tables
)

// Options say how [Table] writes. The zero value is plain text without colour.
type Options struct {
	Format Format
	Color  bool // Terminal only: ANSI colours
}

// Table writes every cell, below it the comparison of families by [judge.Choice] and on equal terms, first
// under r.Focus, then under the others; and the verdict.
func Table(w io.Writer, r *judge.Report, o Options) error {
	var b bytes.Buffer
	t := tabler{r: r, o: o, w: &b}
	t.heading(1, "annbench: "+say.Title(r))
	notes := say.Notes(r)
	for _, n := range notes {
		t.note(n)
	}
	if len(notes) > 0 {
		fmt.Fprintln(t.w)
	}
	// A document begins with the answer; on a terminal the end is what stays in sight.
	if o.Format == Markdown {
		t.verdict()
	}
	for _, terms := range r.FocusFirst() {
		if err := t.terms(terms); err != nil {
			return err
		}
	}
	if o.Format == Terminal {
		t.verdict()
	}
	_, err := w.Write(b.Bytes())
	return err
}

func (t *tabler) verdict() {
	v := say.Verdict(t.r, t.r.Decide())
	answer := strings.TrimSpace(v.Family + " " + v.Setting)
	if v.Lead != "" {
		answer = v.Lead + ": " + answer
	}
	if v.Tied != "" {
		answer += ", tied with " + v.Tied
	}
	t.heading(2, v.Question+" "+answer)
	for _, list := range [][]string{v.Why, v.Sure} {
		for _, s := range list {
			t.item(say.Clean(s))
		}
	}
	for _, w := range v.Wishes {
		s := fmt.Sprintf("If %s: %s", w.If, strings.TrimSpace(w.Family+" "+w.Setting))
		if w.Family == "" {
			s = "If " + w.If
		}
		for _, part := range []string{w.Gain, w.Cost} {
			if part != "" {
				s += "; " + part
			}
		}
		t.item(say.Clean(s) + ".")
	}
	if v.Rule != "" {
		t.item(v.Rule)
	}
	fmt.Fprintln(t.w)
}

type tabler struct {
	r *judge.Report
	o Options
	w *bytes.Buffer
}

// columns are those of the table of cells.
func (t *tabler) columns() []say.Column {
	return say.Columns(t.r, say.WithCPU(t.r, say.TableColumns, t.o.Format == Terminal))
}

func (t *tabler) terms(terms judge.Terms) error {
	families := t.r.FamiliesOf(terms)
	choices := t.r.Choose(terms)
	sub := say.DatasetTerms(t.r, terms)
	if src := t.r.Source(terms.Dataset); src != nil {
		sub += fmt.Sprintf("; %s × %d, %s", say.Plural(src.Dataset.Base, "vector", "vectors"), src.Dataset.Dim, say.Plural(src.Dataset.Queries, "query", "queries"))
	}
	t.heading(2, sub)
	var err error
	if t.o.Format == Markdown {
		err = t.markdownCells(families)
	} else {
		err = t.terminalCells(families)
	}
	if err != nil {
		return err
	}
	t.paragraph(say.CellsLegend)
	t.failures(families)

	t.heading(3, "By family")
	_, speedup := say.SpeedupTitle(choices, judge.FastestExact(choices))
	t.paragraph(strings.TrimSpace(say.Sentence(say.ChoiceRule(terms.K)) + " " + speedup + " " + say.Halves(choices)))
	if err := t.choices(choices); err != nil {
		return err
	}
	if lines := say.WhatRecallCosts(t.r, terms); len(lines) > 0 && terms.Mode == record.Latency {
		t.heading(3, "What recall buys")
		for _, line := range lines {
			t.item(line)
		}
		fmt.Fprintln(t.w)
	}
	for _, e := range say.Equals(t.r, terms) {
		if terms.Mode != record.Latency {
			break
		}
		if err := t.equal(e); err != nil {
			return err
		}
	}
	if err := t.compression(say.CompressionOf(t.r.Compression(terms))); err != nil {
		return err
	}
	if terms == t.r.Focus {
		if err := t.transforms(say.TransformsOf(t.r.Transforms(terms))); err != nil {
			return err
		}
	}
	fmt.Fprintln(t.w)
	return nil
}

func (t *tabler) transforms(s *say.Transforms) error {
	if s == nil {
		return nil
	}
	t.heading(3, s.Title)
	t.paragraph(s.Answer)
	t.paragraph(s.Says)
	head := []string{"vectors", "dimensions", "bytes"}
	for _, c := range s.Columns {
		head = append(head, c.Title)
	}
	head = append(head, "fastest at the target", "its time")
	var rows [][]string
	for _, l := range s.Lines {
		line := []string{l.Name, l.Dim, l.Bytes}
		if l.Smallest {
			line[2] = t.strong(l.Bytes)
		}
		for _, c := range s.Columns {
			text := say.Missing
			if l.Row != nil {
				if v, ok := l.Row.Value(c.Name); ok {
					text = say.Quantity(c.Name, v.Median)
					if c.Name == metric.MAPDelta {
						text = say.Signed(v.Median)
					}
				}
			}
			line = append(line, text)
		}
		rows = append(rows, append(line, l.Fastest, l.Time))
	}
	return t.render(head, rows)
}

func (t *tabler) equal(e *say.Equal) error {
	t.heading(3, e.Title)
	t.paragraph(e.Says)
	head := []string{"family"}
	for _, h := range e.Heads {
		s := h.Title
		if h.Small != "" && t.o.Format == Markdown {
			s += " (" + h.Small + ")"
		}
		head = append(head, s)
	}
	var rows [][]string
	for _, l := range e.Lines {
		line := []string{t.paint(bold, say.Clean(l.Family))}
		for _, c := range l.Cells {
			s := strings.TrimSpace(c.Text + "  " + c.Small)
			switch {
			case c.Out:
				s = t.paint(dim, s)
			case c.Best:
				s = t.strong(s)
			}
			line = append(line, s)
		}
		rows = append(rows, line)
	}
	return t.render(head, rows)
}

func (t *tabler) compression(c *say.Compression) error {
	if c == nil {
		return nil
	}
	t.heading(3, c.Title)
	t.paragraph(c.Says)
	if c.Within != "" {
		t.paragraph(c.Within)
	}
	head := append([]string{"family", "setting", "a vector", "it holds"}, c.Heads...)
	var rows [][]string
	for _, l := range c.Lines {
		line := []string{t.paint(bold, say.Clean(l.Family)), l.Setting, l.Bytes, l.Vectors}
		for _, cell := range l.Cells {
			line = append(line, strings.TrimSpace(cell.Recall+"  "+cell.MAP))
		}
		rows = append(rows, line)
	}
	return t.render(head, rows)
}

// strong marks the best of a column, with colours or without.
func (t *tabler) strong(s string) string {
	if t.o.Format == Markdown {
		return strongMark + s
	}
	return t.paint(bold, "*"+s)
}

// strongMark goes before text that Markdown shows bold; it survives escaping.
const strongMark = "\x01"

// terminalCells nests build settings below the family and search settings below those, so that the
// first column stays narrow.
func (t *tabler) terminalCells(families []judge.FamilyRows) error {
	head := []string{"setting"}
	for _, c := range t.columns() {
		head = append(head, c.Title)
		if c.Name == metric.QPS {
			head = append(head, "±")
		}
	}
	head = append(head, "n")
	if len(t.r.Envs) > 1 {
		head = append(head, "on")
	}
	var rows [][]string
	for _, f := range families {
		name := t.paint(bold, f.Name)
		if f.Library != "" && f.Library != f.Name {
			name += t.paint(dim, " ("+say.Clean(f.Library)+")")
		}
		if f.Exact {
			name += t.paint(dim, ", exact")
		}
		rows = append(rows, append([]string{name}, make([]string, len(head)-1)...))
		familyLine := len(rows) - 1
		build := "\x00" // no settings are equal to this
		for _, row := range f.Rows {
			values := t.values(row)
			b, s := say.Clean(row.Cell.Build), say.Clean(row.Cell.Search)
			switch {
			case b == "" && s == "":
				copy(rows[familyLine][1:], values)
				continue
			case s == "":
				rows = append(rows, append([]string{"  " + b}, values...))
				build = row.Cell.Build
				continue
			case row.Cell.Build != build && b != "":
				build = row.Cell.Build
				rows = append(rows, append([]string{"  " + b}, make([]string, len(head)-1)...))
			}
			indent := "    "
			if b == "" {
				indent = "  "
			}
			rows = append(rows, append([]string{indent + s}, values...))
		}
	}
	return t.render(head, rows)
}

// values are a row's cells from recall to n, and where it was measured if not all were in one
// environment.
func (t *tabler) values(row *judge.Row) []string {
	out := t.numbers(row)
	if len(t.r.Envs) > 1 {
		out = append(out, row.On)
	}
	return out
}

// numbers are a row's cells from recall to n; of a cell without values, only its status.
func (t *tabler) numbers(row *judge.Row) []string {
	if row.Status() != record.OK {
		out := make([]string, len(t.columns())+2)
		out[0] = t.paint(red, string(row.Status()))
		out[len(out)-1] = say.Repetitions(row)
		return out
	}
	var out []string
	for _, c := range t.columns() {
		v, ok := row.Value(c.Name)
		if !ok {
			out = append(out, say.Missing)
			if c.Name == metric.QPS {
				out = append(out, say.Missing)
			}
			continue
		}
		out = append(out, say.Quantity(c.Name, v.Median))
		if c.Name == metric.QPS {
			out = append(out, say.Spread(v))
		}
	}
	return append(out, say.Repetitions(row))
}

func (t *tabler) markdownCells(families []judge.FamilyRows) error {
	head := []string{"family", "settings"}
	for _, c := range t.columns() {
		head = append(head, c.Title)
		if c.Name == metric.QPS {
			head = append(head, "±")
		}
	}
	head = append(head, "n")
	if len(t.r.Envs) > 1 {
		head = append(head, "on")
	}
	var rows [][]string
	for _, f := range families {
		for _, row := range f.Rows {
			rows = append(rows, append([]string{say.Clean(f.Name) + say.From(f.Caller), say.OrDash(say.Settings(row.Cell))}, t.values(row)...))
		}
	}
	return t.render(head, rows)
}

func (t *tabler) failures(families []judge.FamilyRows) {
	any := false
	for _, f := range families {
		for _, row := range f.Rows {
			for _, fail := range row.Failures() {
				if !any {
					t.heading(3, "Not measured")
					any = true
				}
				t.item(say.Named(row.Cell) + ": " + say.Clean(say.Failure(fail)))
			}
		}
	}
	type doubt struct {
		first string // where it was
		more  int    // at how many cells beside
	}
	var order []string
	doubts := map[string]*doubt{}
	for _, f := range families {
		for _, row := range f.Rows {
			for _, n := range say.RowNotes(row) {
				if d := doubts[n]; d != nil {
					d.more++
					continue
				}
				order, doubts[n] = append(order, n), &doubt{first: say.Named(row.Cell)}
			}
		}
	}
	noted := len(order) > 0
	if noted {
		if any {
			fmt.Fprintln(t.w)
		}
		t.heading(3, "Warnings")
	}
	for _, n := range order {
		where := doubts[n].first
		if more := doubts[n].more; more > 0 {
			where += " and " + say.Plural(more, "cell more", "cells more")
		}
		t.item(where + ": " + say.Clean(n))
	}
	if any || noted {
		fmt.Fprintln(t.w)
	}
}

func (t *tabler) choices(choices []judge.Choice) error {
	columns := say.Columns(t.r, say.WithCPU(t.r, say.ChoiceColumns, t.o.Format == Terminal))
	head := []string{"family", "setting"}
	for _, c := range columns {
		head = append(head, c.Title)
	}
	base := judge.FastestExact(choices)
	title, _ := say.SpeedupTitle(choices, base)
	head = append(head, title)
	var rows [][]string
	for _, c := range choices {
		line := []string{t.paint(bold, say.Clean(c.Family.Name)) + say.From(c.Family.Caller)}
		if c.Row == nil {
			line = append(line, t.paint(red, "not measured"))
			rows = append(rows, append(line, make([]string, len(columns)+1)...))
			continue
		}
		setting := say.OrDash(say.Settings(c.Row.Cell))
		line = append(line, setting)
		for _, col := range columns {
			s := say.Missing
			if v, ok := c.Row.Value(col.Name); ok {
				s = say.Quantity(col.Name, v.Median)
				if col.Name == metric.Recall && !c.Reached {
					s = "max " + s
				}
			}
			line = append(line, s)
		}
		rows = append(rows, append(line, say.Speedup(c, base)))
	}
	return t.render(head, rows)
}

func (t *tabler) render(head []string, rows [][]string) error {
	align := make([]tw.Align, len(head))
	for i := range align {
		align[i] = tw.AlignRight
		if i == 0 || head[i] == "settings" || head[i] == "setting" || head[i] == "value" || head[i] == "" {
			align[i] = tw.AlignLeft
		}
	}
	cell := tw.CellConfig{
		Formatting: tw.CellFormatting{AutoWrap: tw.WrapNone, AutoFormat: tw.Off},
		Alignment:  tw.CellAlignment{PerColumn: align},
	}
	cfg := tablewriter.Config{Header: cell, Row: cell, Behavior: tw.Behavior{TrimSpace: tw.Off}}
	var out bytes.Buffer
	var render tw.Renderer
	if t.o.Format == Markdown {
		for i := range head {
			head[i] = MarkdownText(head[i])
		}
		for _, row := range rows {
			for i := range row {
				row[i] = MarkdownText(row[i])
				if plain, ok := strings.CutPrefix(row[i], strongMark); ok {
					row[i] = "**" + plain + "**"
				}
			}
		}
		render = renderer.NewMarkdown()
	} else {
		gaps := make([]tw.Padding, len(head)) // between columns, none after the last
		for i := range gaps {
			gaps[i] = tw.Padding{Right: "  ", Overwrite: true}
		}
		gaps[len(head)-1].Right = ""
		cfg.Header.Padding.PerColumn, cfg.Row.Padding.PerColumn = gaps, gaps
		render = renderer.NewBlueprint(tw.Rendition{
			Borders: tw.Border{Left: tw.Off, Right: tw.Off, Top: tw.Off, Bottom: tw.Off},
			Symbols: tw.NewSymbols(tw.StyleLight),
			Settings: tw.Settings{
				Separators: tw.Separators{BetweenColumns: tw.Off, BetweenRows: tw.Off, ShowHeader: tw.On},
				Lines:      tw.Lines{ShowHeaderLine: tw.On, ShowTop: tw.Off, ShowBottom: tw.Off, ShowFooterLine: tw.Off},
			},
		})
	}
	table := tablewriter.NewTable(&out, tablewriter.WithConfig(cfg), tablewriter.WithRenderer(render))
	table.Header(head)
	if err := table.Bulk(rows); err != nil {
		return fmt.Errorf("writing table: %w", err)
	}
	if err := table.Render(); err != nil {
		return fmt.Errorf("writing table: %w", err)
	}
	for line := range strings.Lines(out.String()) {
		fmt.Fprintln(t.w, strings.TrimRight(line, " \n"))
	}
	fmt.Fprintln(t.w)
	return nil
}

func (t *tabler) heading(level int, s string) {
	s = say.Clean(s)
	if t.o.Format == Markdown {
		fmt.Fprintf(t.w, "%s %s\n\n", strings.Repeat("#", level), MarkdownText(s))
		return
	}
	fmt.Fprintln(t.w, t.paint(bold, s))
	if level < 3 {
		fmt.Fprintln(t.w)
	}
}

func (t *tabler) paragraph(s string) {
	if t.o.Format == Markdown {
		fmt.Fprintf(t.w, "%s\n\n", MarkdownText(s))
		return
	}
	for _, line := range say.Wrap(s, 118) {
		fmt.Fprintln(t.w, t.paint(dim, line))
	}
}

func (t *tabler) note(s string) { t.item("note: " + say.Clean(s)) }

func (t *tabler) item(s string) {
	if t.o.Format == Markdown {
		fmt.Fprintf(t.w, "- %s\n", MarkdownText(s))
		return
	}
	for i, line := range say.Wrap(s, 114) {
		lead := "  "
		if i > 0 {
			lead = "    "
		}
		fmt.Fprintln(t.w, lead+line)
	}
}

// ANSI attributes.
const (
	bold  = "1"
	dim   = "2"
	red   = "31"
	green = "32"
)

func (t *tabler) paint(code, s string) string {
	if !t.o.Color || t.o.Format != Terminal || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

// MarkdownText escapes what Markdown or HTML would take for markup.
func MarkdownText(s string) string {
	return markdownEscaper.Replace(s)
}

var markdownEscaper = strings.NewReplacer(
	`\`, `\\`, "|", `\|`, "<", "&lt;", ">", "&gt;", "&", "&amp;", "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`,
)

// Equal writes one comparison on equal terms.
func Equal(w io.Writer, e *say.Equal, o Options) error {
	return section(w, o, func(t *tabler) error { return t.equal(e) })
}

// Transforms writes how small the embedding may be.
func Transforms(w io.Writer, s *say.Transforms, o Options) error {
	return section(w, o, func(t *tabler) error { return t.transforms(s) })
}

// section writes a part of a table by itself: all of it, or nothing where there is an error.
func section(w io.Writer, o Options, write func(*tabler) error) error {
	var b bytes.Buffer
	if err := write(&tabler{o: o, w: &b}); err != nil {
		return err
	}
	_, err := w.Write(b.Bytes())
	return err
}
