// Command findings writes docs/results/findings.md from the results of configs/fashion-50k.yaml: the fashion
// recommender's comparison as it was, the same on equal terms, and each of its claims with what was
// measured and whether it holds.
//
//	go run ./scripts/findings -records records/fashion-50k results/fashion-50k > docs/results/findings.md
package main

import (
	"bytes"
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"

	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/reports/judge"
	wording "annbench/reports/say"
	"annbench/reports/text"
)

func main() {
	records := flag.String("records", "", "folder below docs/results that has the records, for the page to link to")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: findings [-records FOLDER] RESULTS > docs/results/findings.md")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(os.Stdout, flag.Arg(0), *records); err != nil {
		fmt.Fprintf(os.Stderr, "findings: %v\n", err)
		os.Exit(1)
	}
}

// asItWas are the write-up's own settings, by what it called them: those that a cell must have. What
// they leave out has its default.
var asItWas = []struct {
	called, family string
	settings       []string
}{
	{"Flat", "flat-faiss", nil},
	{"IVF-PQ", "ivfpq-faiss", []string{"nlist=8", "m=8", "nprobe=2"}},
	{"Annoy", "forest", []string{"trees=50", "bounds=false", "search_k=0"}},
	{"HNSW", "hnsw-coder", []string{"M=2", "fetch=0"}},
}

type findings struct {
	r       *judge.Report
	records string // where they are kept, from the page; empty where they are not
	ds      record.Dataset
	rows    map[string]*judge.Row // as it was, at the larger k
	small   map[string]*judge.Row // at the smaller
	large   judge.Terms
	less    judge.Terms
}

func run(w io.Writer, dir, records string) error {
	r, err := judge.Load(dir)
	if err != nil {
		return err
	}
	f := &findings{r: r, records: records, ds: r.Sources[0].Dataset, large: r.Focus, rows: map[string]*judge.Row{}, small: map[string]*judge.Row{}}
	for _, t := range r.Terms {
		if t.Mode == record.Latency && t.K < f.large.K {
			f.less = t
		}
	}
	for _, s := range asItWas {
		for _, row := range r.Rows {
			c := row.Cell
			if c.Family != s.family || !has(c, s.settings) || row.Status() != record.OK {
				continue
			}
			switch judge.TermsOf(c) {
			case f.large:
				f.rows[s.called] = row
			case f.less:
				f.small[s.called] = row
			}
		}
		if f.rows[s.called] == nil {
			return fmt.Errorf("%s holds no measured cell of %s at k = %d: is it of configs/fashion-50k.yaml?", dir, strings.Join(append([]string{s.family}, s.settings...), " "), f.large.K)
		}
	}
	if len(f.small) == 0 {
		return errors.New("the results have one k only; configs/fashion-50k.yaml has two")
	}
	var b bytes.Buffer
	f.write(&b)
	_, err = w.Write(b.Bytes())
	return err
}

// has reports whether a cell has all of some settings. Where a setting follows k, the record holds
// what it came to.
func has(c record.Cell, settings []string) bool {
	own := strings.Fields(c.Settings())
	for _, want := range settings {
		effective := want
		switch want {
		case "search_k=0":
			effective = fmt.Sprintf("search_k=%d", c.K*50)
		case "fetch=0":
			effective = fmt.Sprintf("fetch=%d", c.K)
		}
		if !slices.Contains(own, want) && !slices.Contains(own, effective) {
			return false
		}
	}
	return true
}

func (f *findings) write(b *bytes.Buffer) {
	say := func(format string, args ...any) { fmt.Fprintf(b, format+"\n\n", args...) }
	reps, env := 0, f.r.Envs[0].Env
	for _, row := range f.r.Rows {
		reps = max(reps, row.OK())
	}
	say("# Findings: the fashion recommender's comparison, measured again")
	say("A write-up of a fashion recommender compared four indexes over 50,000 embeddings of 512 dimensions. This page repeats its experiment as published, then on equal terms, and checks each of its claims.")
	say("Data: %s, %s base vectors and %s queries of %d dimensions, all with cosine distance, so that every family is asked for the same neighbours. Machine: %s, %d cores; every index is built and searched with one thread. Every cell was measured %d times, each time with its own build; brackets hold 95 %% intervals.",
		f.ds.Name, wording.Count(f.ds.Base), wording.Count(f.ds.Queries), f.ds.Dim, env.CPU, env.Cores, reps)
	say("%s", wording.Provenance(f.r, f.records))
	say("<!-- not run: measures for half an hour -->\n```sh\nbin/annbench families install annoy nmslib-hnsw\nbin/annbench run configs/fashion-50k.yaml\ngo run ./scripts/findings results/fashion-50k > docs/results/findings.md\n```")

	v := wording.Verdict(f.r, f.r.Decide())
	say("**%s %s** `%s`%s. %s", v.Question, v.Family, v.Setting, optional(", tied with %s", v.Tied), strings.Join(v.Why, " "))

	say("## The claims, and what was measured")
	fmt.Fprintln(b, "| the write-up says | measured | the claim |")
	fmt.Fprintln(b, "|:--|:--|:--|")
	for _, c := range f.claims() {
		fmt.Fprintf(b, "| %s | %s | **%s** |\n", c.claim, c.measured, c.holds)
	}
	say("")
	say("The write-up compares indexes that find nearly all neighbours with indexes that find few of them. Speeds at different recalls say little about which index to use. The tables on equal terms do.")

	say("## As published")
	f.asWas(b, f.large, f.rows)
	f.asWas(b, f.less, f.small)

	f.ownLibraries(b)

	say("## On equal terms")
	say("Every family with many settings, compared at points where one quantity is the same for all.")
	for _, t := range []judge.Terms{f.large, f.less} {
		for i, e := range wording.Equals(f.r, t) {
			if i > 0 && t != f.large {
				continue
			}
			e.Title += fmt.Sprintf(", k = %d", t.K)
			if err := text.Equal(b, e, text.Options{Format: text.Markdown}); err != nil {
				panic(err) // a buffer takes everything
			}
		}
	}

	say("## Precision by category")
	f.categories(b)

	say("## The page")
	say("![The answer, the runner-up, what other limits cost](../pictures/report.png)")
	say("![Recall against speed, and families at equal recall](../pictures/equal.png)")
	say("![What is recommended: queries, answers of each family, right, wrong and missed](../pictures/gallery.png)")
	b.Truncate(len(bytes.TrimRight(b.Bytes(), "\n")) + 1)
}

func (f *findings) asWas(b *bytes.Buffer, t judge.Terms, rows map[string]*judge.Row) {
	fmt.Fprintf(b, "k = %d:\n\n", t.K)
	fmt.Fprintf(b, "| | index | setting | build, ms | search, ms | memory, MB | recall@%d | mAP@%d |\n|:--|:--|:--|--:|--:|--:|--:|--:|\n", t.K, t.K)
	for _, s := range asItWas {
		row := rows[s.called]
		if row == nil {
			continue
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s | %s | %s |\n", s.called, row.Cell.Family, orDash(row.Cell.Settings()),
			scaled(row, metric.Build, 1e3, 1), scaled(row, metric.Mean, 1e3, 3), scaled(row, metric.Resident, 1e-6, 1), scaled(row, metric.Recall, 1, 3), scaled(row, metric.MAP, 1, 3))
	}
	fmt.Fprintln(b)
}

// ownLibraries shows the libraries that the write-up itself used, at its settings, where they were installed.
func (f *findings) ownLibraries(b *bytes.Buffer) {
	var rows []*judge.Row
	for _, row := range f.r.Rows {
		c := row.Cell
		own := c.Family == "annoy" && has(c, []string{"trees=50"}) || c.Family == "nmslib-hnsw" && has(c, []string{"M=2"})
		if own && judge.TermsOf(c) == f.large && row.Status() == record.OK {
			rows = append(rows, row)
		}
	}
	if len(rows) == 0 {
		return
	}
	fmt.Fprintf(b, "## With the write-up's own libraries\n\nANNOY with 50 trees and NMSLIB's HNSW with M = 2, called from Python as it called them, k = %d. The call floor is the same call on an index of a few vectors, and part of the search.\n\n", f.large.K)
	fmt.Fprintf(b, "| library | setting | build, ms | search, ms | call floor, ms | memory, MB | recall@%d | mAP@%d |\n|:--|:--|--:|--:|--:|--:|--:|--:|\n", f.large.K, f.large.K)
	for _, row := range rows {
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s | %s | %s |\n", row.Cell.Family, orDash(row.Cell.Settings()),
			scaled(row, metric.Build, 1e3, 1), scaled(row, metric.Mean, 1e3, 3), scaled(row, metric.CallFloor, 1e3, 3), scaled(row, metric.Resident, 1e-6, 1), scaled(row, metric.Recall, 1, 3), scaled(row, metric.MAP, 1, 3))
	}
	fmt.Fprintln(b)
}

// claim is one of the write-up's, with what was measured.
type claim struct{ claim, measured, holds string }

const (
	holds   = "holds"
	inPart  = "holds in part"
	doesNot = "does not hold"
	noise   = "cannot be told"
)

func (f *findings) claims() []claim {
	return []claim{
		f.extreme("Flat builds fastest", "Flat", metric.Build, 1, 1e3, "ms"),
		f.extreme("Flat searches second slowest", "Flat", metric.Mean, -2, 1e3, "ms"),
		f.searchOrder(),
		f.buildRatio(),
		f.extreme("Flat takes the most memory", "Flat", metric.Resident, -1, 1e-6, "MB"),
		f.memory(),
		f.highestMAP(),
		f.byCategory(),
		f.advice(),
		f.next(),
	}
}

// ranked are the write-up's four by a quantity, the best first.
func (f *findings) ranked(name string) []string {
	info, _ := metric.Lookup(name)
	var out []string
	for _, s := range asItWas {
		if _, ok := f.rows[s.called].Value(name); ok {
			out = append(out, s.called)
		}
	}
	slices.SortStableFunc(out, func(a, b string) int {
		x, _ := f.rows[a].Value(name)
		y, _ := f.rows[b].Value(name)
		if info.Lower {
			return cmp.Compare(x.Median, y.Median)
		}
		return cmp.Compare(y.Median, x.Median)
	})
	return out
}

// extreme checks that one of the four stands at a place by a quantity: 1 is the best, -1 the worst. Of
// memory and times less is better.
func (f *findings) extreme(text, called, name string, place int, scale float64, unit string) claim {
	order := f.ranked(name)
	at := place - 1
	if place < 0 {
		at = len(order) + place
	}
	var parts []string
	for _, c := range order {
		v, _ := f.rows[c].Value(name)
		parts = append(parts, strings.TrimSpace(fmt.Sprintf("%s %s %s", c, number(v.Median*scale, 3), unit)))
	}
	c := claim{text, strings.Join(parts, ", "), doesNot}
	got := slices.Index(order, called)
	if got == at {
		c.holds = holds
	}
	own, _ := f.rows[called].Value(name)
	for _, beside := range []int{got - 1, got + 1} { // those that would change places with it
		if beside >= 0 && beside < len(order) && (beside == at || got == at) {
			other, _ := f.rows[order[beside]].Value(name)
			if d := own.Against(other); d.Tied && d.OK {
				c.holds = noise
				c.measured += fmt.Sprintf("; %s and %s differ by no more than the noise", called, order[beside])
			}
		}
	}
	return c
}

// highestMAP compares by the difference that each index makes to exact search on the same queries.
func (f *findings) highestMAP() claim {
	c := claim{"Flat has the highest mAP", "", holds}
	var parts []string
	for _, called := range f.ranked(metric.MAP) {
		row := f.rows[called]
		v, _ := row.Value(metric.MAP)
		text := called + " " + number(v.Median, 3)
		d, ok1 := row.Value(metric.MAPDelta)
		lo, ok2 := row.Value(metric.MAPDeltaLo)
		hi, ok3 := row.Value(metric.MAPDeltaHi)
		if called != "Flat" && ok1 && ok2 && ok3 {
			text += fmt.Sprintf(" (%s less, %s to %s)", number(-d.Median, 3), number(-hi.Median, 3), number(-lo.Median, 3))
			switch {
			case lo.Median > 0:
				c.holds = doesNot
			case hi.Median >= 0 && c.holds == holds:
				c.holds = noise
			}
		}
		parts = append(parts, text)
	}
	c.measured = strings.Join(parts, ", ")
	return c
}

func (f *findings) searchOrder() claim {
	order := f.ranked(metric.Mean)
	h, _ := f.rows["HNSW"].Value(metric.Mean)
	a, _ := f.rows["Annoy"].Value(metric.Mean)
	c := claim{"HNSW searches fastest, Annoy close behind", "fastest first: " + strings.Join(order, ", "), doesNot}
	rh, _ := f.rows["HNSW"].Value(metric.Recall)
	ra, _ := f.rows["Annoy"].Value(metric.Recall)
	c.measured += fmt.Sprintf("; Annoy takes %s the time of HNSW, but at recall %s against %s", times(a.Against(h)), number(ra.Median, 3), number(rh.Median, 3))
	if order[0] == "HNSW" {
		c.holds = inPart
		if order[1] == "Annoy" && a.Median < 2*h.Median {
			c.holds = holds
		}
	}
	if m := f.match("hnsw-faiss"); m != nil {
		c.measured += fmt.Sprintf(". A working HNSW (Faiss) at recall %.2f: %s", judge.Target, f.place("hnsw-faiss"))
	}
	return c
}

func (f *findings) buildRatio() claim {
	h, _ := f.rows["HNSW"].Value(metric.Build)
	a, _ := f.rows["Annoy"].Value(metric.Build)
	d := h.Against(a)
	c := claim{"HNSW takes 2.5 times Annoy's time to build", times(d), doesNot}
	if d.Lo <= 2.5 && 2.5 <= d.Hi || math.Abs(d.Difference-2.5) < 0.25 {
		c.holds = holds
	}
	if x, y := f.settingOf("hnsw-faiss"), f.settingOf("forest"); x != nil && y != nil {
		hb, _ := x.Value(metric.Build)
		ab, _ := y.Value(metric.Build)
		c.measured += fmt.Sprintf("; of the settings to use at recall %.2f, %s (hnsw-faiss against forest)", judge.Target, times(hb.Against(ab)))
	}
	return c
}

func (f *findings) memory() claim {
	raw := float64(f.ds.Base) * float64(f.ds.Dim) * 4 / 1e6
	h, _ := f.rows["HNSW"].Value(metric.Resident)
	a, _ := f.rows["Annoy"].Value(metric.Resident)
	c := claim{"Annoy takes 84.25 MB, HNSW 4.95 MB", fmt.Sprintf("Annoy %s MB, HNSW %s MB; the vectors alone, which both need to answer, are %s MB", number(a.Median/1e6, 3), number(h.Median/1e6, 3), number(raw, 3)), doesNot}
	near := func(x, y float64) bool { return math.Abs(x/1e6/y-1) < 0.1 }
	if near(a.Median, 84.25) && near(h.Median, 4.95) {
		c.holds = holds
	}
	return c
}

func (f *findings) byCategory() claim {
	row := f.rows["Flat"]
	lo, hi := math.Inf(1), math.Inf(-1)
	var worst, best string
	apart := false
	var low judge.Value
	for _, l := range f.ds.Labels {
		v, ok := row.ByLabel(metric.MAP, l.Label)
		if !ok {
			continue
		}
		if v.Median < lo {
			lo, worst, low = v.Median, l.Label, v
		}
		if v.Median > hi {
			hi, best = v.Median, l.Label
		}
	}
	if v, ok := row.ByLabel(metric.MAP, best); ok {
		apart = v.HasInterval && low.HasInterval && low.Hi < v.Lo
	}
	c := claim{"mAP differs by category", fmt.Sprintf("with exact search from %s (%s) to %s (%s)", number(lo, 3), worst, number(hi, 3), best), noise}
	if apart {
		c.holds = holds
	}
	return c
}

func (f *findings) advice() claim {
	c := claim{"Take HNSW or IVF-PQ", "", inPart}
	h, p := f.place("hnsw-faiss"), f.place("ivfpq-faiss")
	c.measured = fmt.Sprintf("at recall %.2f, hnsw-faiss %s; ivfpq-faiss %s", judge.Target, h, p)
	first, firstP := f.isFirst("hnsw-faiss"), f.isFirst("ivfpq-faiss")
	switch {
	case first && firstP:
		c.holds = holds
	case !first && !firstP:
		c.holds = doesNot
	}
	if row := f.settingOf("ivfpq-faiss"); row != nil {
		v, _ := row.Value(metric.Resident)
		c.measured += fmt.Sprintf(", in %s MB", number(v.Median/1e6, 3))
	}
	return c
}

func (f *findings) next() claim {
	c := claim{"Try IVF-Flat next", fmt.Sprintf("at recall %.2f, %s", judge.Target, f.place("ivfflat-faiss")), "worth trying"}
	if row := f.settingOf("ivfflat-faiss"); row != nil {
		b, _ := row.Value(metric.Build)
		m, _ := row.Value(metric.Resident)
		c.measured += fmt.Sprintf("; it builds in %s s and takes %s MB", number(b.Median, 3), number(m.Median/1e6, 3))
	}
	return c
}

func (f *findings) match(family string) *judge.Match {
	for _, m := range f.r.Match(f.large, judge.Target, metric.QPS) {
		if m.Family.Name == family && m.Reach != judge.Lost {
			return &m
		}
	}
	return nil
}

func (f *findings) settingOf(family string) *judge.Row {
	if m := f.match(family); m != nil {
		return m.Setting
	}
	return nil
}

func (f *findings) fastest() *judge.Match {
	var best *judge.Match
	for _, m := range f.r.Match(f.large, judge.Target, metric.QPS) {
		if m.Reached() && (best == nil || m.Value.Median > best.Value.Median) {
			best = &m
		}
	}
	return best
}

func (f *findings) isFirst(family string) bool {
	m, best := f.match(family), f.fastest()
	return m != nil && m.Reached() && (m.Family.Name == best.Family.Name || best.Value.Against(m.Value).Tied)
}

// place is where a family stands at the target.
func (f *findings) place(family string) string {
	m, best := f.match(family), f.fastest()
	switch {
	case m == nil:
		return "was not measured"
	case !m.Reached():
		return fmt.Sprintf("reaches recall %s at most", number(m.Recall, 3))
	case m.Family.Name == best.Family.Name:
		return fmt.Sprintf("is the fastest: %s ms a query", number(1e3/m.Value.Median, 3))
	}
	d := best.Value.Against(m.Value)
	if d.Tied && d.OK {
		return fmt.Sprintf("takes %s ms a query, tied with %s", number(1e3/m.Value.Median, 3), best.Family.Name)
	}
	return fmt.Sprintf("takes %s ms a query, %s the time of %s", number(1e3/m.Value.Median, 3), times(d), best.Family.Name)
}

func (f *findings) categories(b *bytes.Buffer) {
	choices := f.r.Choose(f.large)
	fmt.Fprintf(b, "mAP@%d at the fastest setting of each family of recall %.2f or, below, the highest there is.\n\n", f.large.K, judge.Target)
	head, rule := "| category | queries |", "|:--|--:|"
	for _, c := range choices {
		head += " " + c.Family.Name + " |"
		rule += "--:|"
	}
	fmt.Fprintf(b, "%s\n%s\n", head, rule)
	for _, l := range f.ds.Labels {
		line := fmt.Sprintf("| %s | %d |", l.Label, l.Queries)
		for _, c := range choices {
			s := "–"
			if c.Row != nil {
				if v, ok := c.Row.ByLabel(metric.MAP, l.Label); ok {
					s = number(v.Median, 3)
				}
			}
			line += " " + s + " |"
		}
		fmt.Fprintln(b, line)
	}
	fmt.Fprintln(b)
}

// times writes a factor with its interval.
func times(d judge.Difference) string {
	s := number(d.Difference, 3) + " times"
	if d.OK && d.Lo > 0 && !math.IsInf(d.Hi, 0) {
		s += fmt.Sprintf(" (%s to %s)", number(d.Lo, 3), number(d.Hi, 3))
	}
	return s
}

// scaled writes a value of a row with its interval, in a fixed unit.
func scaled(row *judge.Row, name string, by float64, digits int) string {
	v, ok := row.Value(name)
	if !ok {
		return "–"
	}
	s := fmt.Sprintf("%.*f", digits, v.Median*by)
	if v.HasInterval && v.Hi > v.Lo {
		s += fmt.Sprintf(" (%.*f–%.*f)", digits, v.Lo*by, digits, v.Hi*by)
	}
	return s
}

// number writes x with so many significant digits, a share with as many decimals.
func number(x float64, digits int) string {
	if x == 0 {
		return "0"
	}
	decimals := max(0, digits-1-int(math.Floor(math.Log10(math.Abs(x)))))
	if math.Abs(x) < 1 {
		decimals = min(decimals, digits+1)
	}
	return fmt.Sprintf("%.*f", decimals, x)
}

func optional(format, s string) string {
	if s == "" {
		return ""
	}
	return fmt.Sprintf(format, s)
}

func orDash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}
