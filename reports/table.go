package reports

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"

	"annbench/bench/metric"
	"annbench/bench/record"
)

// Format is a way to write a table.
type Format int

// The formats.
const (
	Terminal Format = iota // columns of plain text, 120 wide unless settings are very long
	Markdown               // GitHub's tables
)

// TableOptions say how [Table] writes. The zero value is plain text without colour.
type TableOptions struct {
	Format Format
	Color  bool // Terminal only: ANSI colours
}

// column is one value of a table of cells.
type column struct {
	name  string // in package metric's table
	title string
}

// tableColumns are the values of every table of cells. Depth k stands in the heading, not in titles.
var tableColumns = []column{
	{metric.Recall, "recall"},
	{metric.MAP, "mAP"},
	{metric.Mean, "mean"},
	{metric.P50, "p50"},
	{metric.P99, "p99"},
	{metric.QPS, "QPS"},
	{metric.Build, "build"},
	{metric.Resident, "resident"},
	{metric.Serialized, "serialized"},
}

// Table writes every cell, below it the comparison of families by [Choice] and on equal terms, first
// under r.Focus, then under the others; and the verdict.
func Table(w io.Writer, r *Report, o TableOptions) error {
	var b bytes.Buffer
	t := tabler{r: r, o: o, w: &b}
	t.heading(1, "annbench: "+r.title())
	for _, n := range r.Notes {
		t.note(n)
	}
	if len(r.Notes) > 0 {
		fmt.Fprintln(t.w)
	}
	// A document begins with the answer; on a terminal the end is what stays in sight.
	if o.Format == Markdown {
		t.verdict()
	}
	for _, terms := range r.focusFirst() {
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
	v := t.r.Verdict()
	answer := strings.TrimSpace(v.Answer + " " + v.Setting)
	if v.Tied != "" {
		answer += ", tied with " + v.Tied
	}
	t.heading(2, v.Question+" "+answer)
	for _, list := range [][]string{v.Why, v.Sure} {
		for _, s := range list {
			t.item(clean(s))
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
		t.item(clean(s) + ".")
	}
	fmt.Fprintln(t.w)
}

// title names the data sets, each once.
func (r *Report) title() string {
	var names []string
	seen := map[string]bool{}
	for _, t := range r.Terms {
		if !seen[t.Dataset] {
			seen[t.Dataset] = true
			names = append(names, r.DatasetName(t.Dataset))
		}
	}
	return strings.Join(names, ", ")
}

func (r *Report) focusFirst() []Terms {
	out := []Terms{r.Focus}
	for _, t := range r.Terms {
		if t != r.Focus {
			out = append(out, t)
		}
	}
	return out
}

// describeTerms is terms with the data set in front where there are several.
func (r *Report) describeTerms(t Terms) string {
	for _, other := range r.Terms {
		if other.Dataset != t.Dataset {
			return r.DatasetName(t.Dataset) + ", " + t.Describe()
		}
	}
	return t.Describe()
}

// differing is the part of terms that sets them apart from the others: "k = 10" where only k differs.
func (r *Report) differing(t Terms) string {
	var parts []string
	add := func(part string, differs func(Terms) bool) {
		if slices.ContainsFunc(r.Terms, differs) {
			parts = append(parts, part)
		}
	}
	add(r.DatasetName(t.Dataset), func(o Terms) bool { return o.Dataset != t.Dataset })
	add(t.Metric, func(o Terms) bool { return o.Metric != t.Metric })
	add(fmt.Sprintf("k = %d", t.K), func(o Terms) bool { return o.K != t.K })
	add(plural(t.Threads, "thread", "threads"), func(o Terms) bool { return o.Threads != t.Threads })
	add(t.asked(), func(o Terms) bool { return o.Mode != t.Mode || o.Workers != t.Workers || o.Rate != t.Rate })
	return strings.Join(parts, ", ")
}

type tabler struct {
	r *Report
	o TableOptions
	w *bytes.Buffer
}

func (t *tabler) terms(terms Terms) error {
	families := t.r.FamiliesOf(terms)
	choices := t.r.Choose(terms)
	sub := t.r.describeTerms(terms)
	if src := t.r.Source(terms.Dataset); src != nil {
		sub += fmt.Sprintf("; %s × %d, %s", plural(src.Dataset.Base, "vector", "vectors"), src.Dataset.Dim, plural(src.Dataset.Queries, "query", "queries"))
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
	t.failures(families)

	t.heading(3, "By family")
	t.paragraph(sentence(choiceRule(terms.K)) + " Speed-up is against the fastest exact family, for settings that reach that recall.")
	if err := t.choices(choices); err != nil {
		return err
	}
	for _, e := range t.r.Equals(terms) {
		if terms.Mode != record.Latency {
			break
		}
		if err := t.equal(e); err != nil {
			return err
		}
	}
	fmt.Fprintln(t.w)
	return nil
}

func (t *tabler) equal(e *Equal) error {
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
		line := []string{t.paint(bold, clean(l.Family))}
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
func (t *tabler) terminalCells(families []FamilyRows) error {
	head := []string{"setting"}
	for _, c := range tableColumns {
		head = append(head, c.title)
		if c.name == metric.QPS {
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
			name += t.paint(dim, " ("+clean(f.Library)+")")
		}
		if f.Exact {
			name += t.paint(dim, ", exact")
		}
		rows = append(rows, append([]string{name}, make([]string, len(head)-1)...))
		familyLine := len(rows) - 1
		build := "\x00" // no settings are equal to this
		for _, row := range f.Rows {
			values := t.values(row)
			b, s := clean(row.Cell.Build), clean(row.Cell.Search)
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
func (t *tabler) values(row *Row) []string {
	out := t.numbers(row)
	if len(t.r.Envs) > 1 {
		out = append(out, row.On)
	}
	return out
}

// numbers are a row's cells from recall to n; of a cell without values, only its status.
func (t *tabler) numbers(row *Row) []string {
	if row.Status() != record.OK {
		out := make([]string, len(tableColumns)+2)
		out[0] = t.paint(red, string(row.Status()))
		out[len(out)-1] = nOf(row)
		return out
	}
	var out []string
	for _, c := range tableColumns {
		v, ok := row.Value(c.name)
		if !ok {
			out = append(out, missing)
			if c.name == metric.QPS {
				out = append(out, missing)
			}
			continue
		}
		out = append(out, formatNamed(c.name, v.Median))
		if c.name == metric.QPS {
			out = append(out, spread(v))
		}
	}
	return append(out, nOf(row))
}

// nOf is the number of repetitions that a row rests on, of how many were tried where some were lost.
func nOf(row *Row) string {
	if ok, all := row.OK(), len(row.Reps); ok != all {
		return fmt.Sprintf("%d/%d", ok, all)
	}
	return fmt.Sprint(row.OK())
}

func (t *tabler) markdownCells(families []FamilyRows) error {
	head := []string{"family", "settings"}
	for _, c := range tableColumns {
		head = append(head, c.title)
		if c.name == metric.QPS {
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
			rows = append(rows, append([]string{clean(f.Name), orDash(clean(row.Cell.Settings()))}, t.values(row)...))
		}
	}
	return t.render(head, rows)
}

func (t *tabler) failures(families []FamilyRows) {
	any := false
	for _, f := range families {
		for _, row := range f.Rows {
			for _, fail := range row.Failures() {
				if !any {
					t.heading(3, "Not measured")
					any = true
				}
				t.item(strings.TrimSpace(clean(f.Name+" "+row.Cell.Settings())) + ": " + clean(fail.String()))
			}
		}
	}
	noted := false
	for _, f := range families {
		for _, row := range f.Rows {
			for _, n := range row.Notes {
				if !noted {
					if any {
						fmt.Fprintln(t.w)
					}
					t.heading(3, "Warnings")
					noted = true
				}
				t.item(strings.TrimSpace(clean(f.Name+" "+row.Cell.Settings())) + ": " + clean(n))
			}
		}
	}
	if any || noted {
		fmt.Fprintln(t.w)
	}
}

func (t *tabler) choices(choices []Choice) error {
	columns := []column{
		{metric.Recall, "recall"},
		{metric.MAP, "mAP"},
		{metric.Mean, "search time"},
		{metric.QPS, "QPS"},
		{metric.Build, "build"},
		{metric.Resident, "resident"},
	}
	head := []string{"family", "setting"}
	for _, c := range columns {
		head = append(head, c.title)
	}
	head = append(head, "speed-up")
	base := fastestExact(choices)
	var rows [][]string
	for _, c := range choices {
		line := []string{t.paint(bold, clean(c.Family.Name))}
		if c.Row == nil {
			line = append(line, t.paint(red, "not measured"))
			rows = append(rows, append(line, make([]string, len(columns)+1)...))
			continue
		}
		setting := orDash(clean(c.Row.Cell.Settings()))
		line = append(line, setting)
		for _, col := range columns {
			s := missing
			if v, ok := c.Row.Value(col.name); ok {
				s = formatNamed(col.name, v.Median)
				if col.name == metric.Recall && !c.Reached {
					s = "max " + s
				}
			}
			line = append(line, s)
		}
		rows = append(rows, append(line, speedup(c, base)))
	}
	return t.render(head, rows)
}

// speedup is how many times the queries a second of base the choice has: absent where there is no
// base, and where the choice does not reach the recall, because a speed at another recall compares
// with nothing.
func speedup(c Choice, base *Row) string {
	if base == nil || !c.Reached {
		return missing
	}
	a, aok := c.Row.Value(metric.QPS)
	b, bok := base.Value(metric.QPS)
	if !aok || !bok || b.Median <= 0 {
		return missing
	}
	return times(a.Median, b.Median)
}

// fastestExact is the exact family's row of highest QPS, or nil.
func fastestExact(choices []Choice) *Row {
	var best *Row
	var qps float64
	for _, c := range choices {
		if c.Row == nil || !c.Family.Exact {
			continue
		}
		if v, ok := c.Row.Value(metric.QPS); ok && (best == nil || v.Median > qps) {
			best, qps = c.Row, v.Median
		}
	}
	return best
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
		for _, row := range rows {
			for i := range row {
				row[i] = markdownText(row[i])
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
	s = clean(s)
	if t.o.Format == Markdown {
		fmt.Fprintf(t.w, "%s %s\n\n", strings.Repeat("#", level), markdownText(s))
		return
	}
	fmt.Fprintln(t.w, t.paint(bold, s))
	if level < 3 {
		fmt.Fprintln(t.w)
	}
}

func (t *tabler) paragraph(s string) {
	if t.o.Format == Markdown {
		fmt.Fprintf(t.w, "%s\n\n", markdownText(s))
		return
	}
	for _, line := range wrap(s, 118) {
		fmt.Fprintln(t.w, t.paint(dim, line))
	}
}

func (t *tabler) note(s string) { t.item("note: " + clean(s)) }

func (t *tabler) item(s string) {
	if t.o.Format == Markdown {
		fmt.Fprintf(t.w, "- %s\n", markdownText(s))
		return
	}
	for i, line := range wrap(s, 114) {
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

// clean makes a string from data fit for one line of a terminal: control characters and those that
// turn the direction of writing, which could steer it, become spaces.
func clean(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(c rune) bool {
		return c == ' ' || unicode.IsControl(c) || unicode.Is(unicode.Bidi_Control, c)
	}), " ")
}

// portable leaves of every absolute path in a message its last part: folders are of the machine that
// measured, and a report is for others. Addresses of the web and relative names stay.
func portable(s string) string { return absolutePath.ReplaceAllString(s, "$1…/$2") }

// The first group is what stands before a path, the second its last part. The parts of
// a path hold no spaces here, as messages do not quote reliably.
var absolutePath = regexp.MustCompile(`(^|[\s"'(\[=,;])(?:[A-Za-z]:\\(?:[^\s\\"':;,()]+\\)*|/(?:[^\s/"':;,()]+/)*)([^\s/\\"':;,()]+)`)

// markdownText escapes what Markdown or HTML would take for markup.
func markdownText(s string) string {
	return markdownEscaper.Replace(s)
}

var markdownEscaper = strings.NewReplacer(
	`\`, `\\`, "|", `\|`, "<", "&lt;", ">", "&gt;", "&", "&amp;", "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`,
)

func orDash(s string) string {
	if s == "" {
		return missing
	}
	return s
}

// sentence makes s begin with a capital and end with a full stop.
func sentence(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:] + "."
}

// wrap breaks s between words into lines of at most width runes where its words allow it.
func wrap(s string, width int) []string {
	var lines []string
	var line []rune
	for word := range strings.FieldsSeq(s) {
		w := []rune(word)
		if len(line) > 0 && len(line)+1+len(w) > width {
			lines = append(lines, string(line))
			line = line[:0]
		}
		if len(line) > 0 {
			line = append(line, ' ')
		}
		line = append(line, w...)
	}
	if len(line) > 0 {
		lines = append(lines, string(line))
	}
	return lines
}

// WriteEqual writes one comparison on equal terms.
func WriteEqual(w io.Writer, e *Equal, o TableOptions) error {
	var b bytes.Buffer
	t := tabler{o: o, w: &b}
	if err := t.equal(e); err != nil {
		return err
	}
	_, err := w.Write(b.Bytes())
	return err
}
