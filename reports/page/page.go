// Package page makes the report's HTML page: one file that fetches nothing.
//
// The values come from package judge, the words from package say, the pictures from package draw. The
// page knows nothing of models: a caller puts in the section of package modelcard.
package page

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/reports/draw"
	"annbench/reports/judge"
	"annbench/reports/say"
)

// Limits of the page. What lies beyond them is counted on the page and stands in records.csv.
const (
	maxPageCells = 2000
	maxPageItems = 60 // categories, failures of the embedding, entries of the model's card
)

var (
	//go:embed page.html.tmpl
	pageHTML string
	//go:embed page.css
	Style string
	//go:embed page.js
	pageJS string
)

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"count":  func(n int) string { return say.Count(n) },
	"plural": say.Plural,
	"inc":    func(n int) int { return n + 1 },
}).Parse(pageHTML + relevanceHTML + blameHTML))

// File is the name of a page in its folder.
const File = "index.html"

// Options are what a page takes from packages beside this one.
type Options struct {
	// Model gives the report card of the model in a results folder as a section of the page, empty where
	// the folder has none. Nil: no page shows one.
	Model func(dir string) (template.HTML, error)
}

// Make is the report as one HTML file that fetches nothing: style, script, pictures and photographs
// are in it, and its Content-Security-Policy allows no more than these. Every string of the results
// is escaped for the place where it stands. The file is made for paper, phones and keyboards, too, and
// loses only sorting, filtering and hovering where scripts are off.
func Make(r *judge.Report, o Options) ([]byte, error) {
	d := newPage(r, o)
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, d); err != nil {
		return nil, fmt.Errorf("making the page: %w", err)
	}
	return b.Bytes(), nil
}

type pageData struct {
	r       *judge.Report
	classes map[string]string
	kinds   map[string]*judge.Row // one of each family
	hue     func(family string) draw.Hue
	// dataPictures go with the data set in focus.
	dataPictures []template.HTML

	Title, Subtitle string
	Policy          string
	Style           template.CSS
	Script          template.JS
	Notes           []string
	Search          *searchView // where the results are the answer of a search
	Decided         judge.Verdict
	Verdict         say.Answer
	AnswerClass     string
	Class           func(family string) string
	Rule            string
	K               int
	FocusName       string

	Axes        []axisEntry
	Views       []string
	Explorer    template.HTML
	Glance      template.HTML // the speeds at the target
	Model       template.HTML // the model's report card
	Equals      []equalView
	Compression *say.Compression
	Compressed  []template.HTML // its pictures
	Small       *say.Transforms
	SmallPlots  []template.HTML
	Latency     []template.HTML
	Depths      []template.HTML // precision by the number of answers shown
	Filters     []filterBlock   // searches under filters
	Churn       []churnBlock    // runbooks that indexes followed
	Relevance   *relevanceView
	Blame       *blameView
	Loss        template.HTML
	LossNote    string
	// Saturation says from which recall on mAP no longer moves.
	Saturation   string
	Confusion    *confusionTable
	Pipeline     []stage
	PipelineSays string

	Legend      []legendEntry
	Approaches  []string      // of the families, where there are several
	Points      template.HTML // recall against QPS
	PointNote   string
	Bars        []template.HTML
	BarsMissing []string
	Families    []familyLine
	Speedup     string // heads its column in Families
	SpeedupSays string
	Labels      *labelTable
	LabelsWhy   string
	Gallery     gallery
	Cells       cellTable
	Failures    []lost
	Warnings    []lost
	Data        []dataBlock
	Envs        []envBlock
	Terms       []metric.Info
	Glossary    []say.Entry
}

// equalView is a [say.Equal] with the classes of its families.
type equalView struct {
	*say.Equal
	ID string
}

type legendEntry struct {
	Name, Library, Class, ID string
	From                     string // " from Python"
	Exact                    bool
	Mark                     template.HTML
}

type familyLine struct {
	Name, Library, Class, Setting, Status, Note string
	From, Approach                              string // " from Python"; graph
	ID                                          string // of the cell
	Values                                      []shown
	Speedup                                     string
}

// shown is a value as it is read, with what stands behind it: the number to sort by and a text that
// explains it.
type shown struct {
	Text, Key, Title string
}

func show(row *judge.Row, name string) shown {
	v, ok := row.Value(name)
	if !ok {
		return shown{Text: say.Missing, Title: "not measured"}
	}
	if of, ok := strings.CutSuffix(name, metric.DeltaSuffix); ok {
		title := "of " + say.Plural(v.N, "repetition", "repetitions")
		lo, ok1 := row.Value(of + metric.DeltaSuffix + metric.LoSuffix)
		hi, ok2 := row.Value(of + metric.DeltaSuffix + metric.HiSuffix)
		if ok1 && ok2 {
			title = fmt.Sprintf("95 %% interval %s to %s, paired over queries", say.Signed(lo.Median), say.Signed(hi.Median))
		}
		return shown{say.Signed(v.Median), sortKey(v.Median), title}
	}
	return shown{say.Quantity(name, v.Median), sortKey(v.Median), say.Measured(name, v, "")}
}

func sortKey(x float64) string {
	if math.Abs(x) >= 1e6 {
		return strconv.FormatFloat(x, 'f', 0, 64)
	}
	return strconv.FormatFloat(x, 'g', 6, 64)
}

type labelTable struct {
	Says     string
	Families []familyLine
	Rows     []labelRow
	Left     int
}

type labelRow struct {
	Label   string
	Queries string
	Low     bool // below the threshold
	Cells   []labelCell
}

type labelCell struct {
	shown
	Heat   string // 0 to 100
	Spread string // half of the interval
}

type cellTable struct {
	Several bool // terms
	Mixed   bool // environments
	Columns []say.Column
	Rows    []cellRow
	Left    int
	Names   []string // families, for the filter
}

type cellRow struct {
	Family, Class, Setting, Terms, ID, Status, N, On string
	From, Approach                                   string
	Values                                           []shown
	Chosen                                           bool
}

type lost struct{ Where, What string }

type dataBlock struct {
	Name      string
	Map       *mapBlock
	Hard      []hardBlock
	Pictures  []template.HTML // such as recall by difficulty
	Facts     []fact
	Labels    []labelBar
	LabelLeft int
	Warnings  []string
	Embedding []fact
	Refusals  []string
	Skipped   []record.Failure
	SkipLeft  int
	Card      []fact
	CardLeft  int
}

type fact struct{ Name, Value string }

type labelBar struct {
	Label         string
	Base, Queries string
	Percent       string
}

type envBlock struct {
	Name    string // where there are several
	Records string
	Facts   []fact
}

func newPage(r *judge.Report, o Options) *pageData {
	d := &pageData{r: r, classes: map[string]string{}, kinds: map[string]*judge.Row{}, hue: draw.HuesOf(r), K: r.Focus.K, Notes: say.Notes(r)}
	d.Class = d.class
	for _, row := range r.Rows {
		if _, ok := d.classes[row.Cell.Family]; !ok {
			d.classes[row.Cell.Family] = fmt.Sprintf("f%d", len(d.classes))
			d.Cells.Names = append(d.Cells.Names, row.Cell.Family)
			d.kinds[row.Cell.Family] = row
		}
	}
	d.classes[judge.Scan] = fmt.Sprintf("f%d", len(d.classes))
	d.Approaches = approaches(d.kinds)
	choices := r.Choose(r.Focus)
	d.Title = say.Title(r)
	d.FocusName = say.DatasetTerms(r, r.Focus)
	d.Subtitle = d.FocusName
	if src := r.Source(r.Focus.Dataset); src != nil {
		d.Subtitle = fmt.Sprintf("%s of %d dimensions, %s; %s", say.Plural(src.Dataset.Base, "vector", "vectors"), src.Dataset.Dim, say.Plural(src.Dataset.Queries, "query", "queries"), d.FocusName)
	}
	d.Rule = say.Sentence(say.ChoiceRule(d.K))
	d.Decided = r.Decide()
	d.Verdict = say.Verdict(r, d.Decided)
	d.AnswerClass = d.classes[d.Verdict.Family]
	d.pictures()
	d.explore()
	for i, e := range say.Equals(r, r.Focus) {
		d.Equals = append(d.Equals, equalView{e, fmt.Sprintf("equal%d", i)})
	}
	d.Compression = say.CompressionOf(r.Compression(r.Focus))
	d.Small = say.TransformsOf(r.Transforms(r.Focus))
	d.confusion()
	d.pipeline()
	d.families(choices)
	d.labels()
	d.Gallery = makeGallery(r, choices, d.class)
	d.filters()
	d.churn()
	d.cells(choices)
	for _, src := range r.Sources {
		d.data(src)
		if d.Model == "" && o.Model != nil {
			section, err := o.Model(src.Dir)
			if err != nil {
				d.Notes = append(slices.Clone(d.Notes), "the model's card was left out: "+judge.Portable(err.Error()))
			}
			d.Model = section
		}
	}
	d.environments()
	d.search()
	for _, info := range metric.Table {
		if slices.ContainsFunc(r.Rows, func(row *judge.Row) bool { _, ok := row.Value(info.Name); return ok }) {
			d.Terms = append(d.Terms, info)
		}
	}
	d.Glossary = say.Glossary(r)
	d.style()
	return d
}

func (d *pageData) class(family string) string { return d.classes[family] }

// approaches are those of the families, in the order of their names, where there are several.
func approaches(kinds map[string]*judge.Row) []string {
	var out []string
	for _, row := range kinds {
		if row.Approach != "" && !slices.Contains(out, row.Approach) {
			out = append(out, row.Approach)
		}
	}
	if len(out) < 2 {
		return nil
	}
	slices.Sort(out)
	return out
}

// style adds to the style sheet what depends on the results: the colours of the families and the
// switches of the legend.
func (d *pageData) style() {
	var light, dark, classes strings.Builder
	colour := func(i int, name string) {
		h := d.hue(name)
		fmt.Fprintf(&light, "--f%d:%s;", i, h.Light)
		fmt.Fprintf(&dark, "--f%d:%s;", i, h.Dark)
		fmt.Fprintf(&classes, ".f%d{--c:var(--f%d)}", i, i)
	}
	for i, name := range d.Cells.Names {
		colour(i, name)
		fmt.Fprintf(&classes, "body:has(#t%d:not(:checked)) :is(.points,.plot) .of.f%d{display:none}\n", i, i)
		if j := slices.Index(d.Approaches, d.kinds[name].Approach); j >= 0 {
			fmt.Fprintf(&classes, "body:has(#a%d:not(:checked)) :is(:is(.points,.plot) .of.f%d,.legend .f%d,tr.f%d){display:none}\n", j, i, i, i)
		}
	}
	colour(len(d.Cells.Names), judge.Scan)
	for i, c := range mapColours {
		fmt.Fprintf(&light, "--k%d:%s;", i, draw.Hex(c.light))
		fmt.Fprintf(&dark, "--k%d:%s;", i, draw.Hex(c.dark))
		fmt.Fprintf(&classes, ".k%d{--c:var(--k%d)}\n", i, i)
	}
	css := strings.NewReplacer("/*light*/", light.String(), "/*dark*/", dark.String()).Replace(Style) + classes.String()
	d.Style = template.CSS(css)
	d.Script = template.JS(pageJS)
	sum := sha256.Sum256([]byte(pageJS))
	d.Policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'"
}

// pictures puts every picture of package draw's table into its section.
func (d *pageData) pictures() {
	var relevance []template.HTML
	for _, p := range draw.PagePictures(d.r) {
		if p.Figure == nil {
			if p.Place == draw.Families {
				d.BarsMissing = append(d.BarsMissing, p.Title)
			}
			continue
		}
		html := template.HTML(p.HTML(d.class, d.hue))
		switch p.Place {
		case draw.Answer:
			d.Glance = html
		case draw.Tradeoff:
			d.Points, d.PointNote = html, p.Note
			d.legend(p.Families)
		case draw.Families:
			d.Bars = append(d.Bars, html)
		case draw.Compression:
			d.Compressed = append(d.Compressed, html)
		case draw.Transforms:
			d.SmallPlots = append(d.SmallPlots, html)
		case draw.Load:
			d.Latency = append(d.Latency, html)
		case draw.Relevance:
			relevance = append(relevance, html)
		case draw.Cost:
			d.Loss, d.LossNote = html, p.Note
		case draw.Depth:
			d.Depths = append(d.Depths, html)
		case draw.Data:
			d.dataPictures = append(d.dataPictures, html)
		}
	}
	d.Relevance = relevanceOf(d.r, relevance)
	d.Blame = blameOf(d.r)
	if recall, ok := d.r.Saturation(d.Focus()); ok {
		d.Saturation = say.Saturation(recall)
	}
}

// legend has the switches of the families in the plot of points.
func (d *pageData) legend(families []string) {
	for _, name := range families {
		s := &draw.PageSurface{Class: d.class, Hue: d.hue}
		s.Point(8, 8, 5, s.Mark(name), draw.Of(name), false)
		id := "t" + strings.TrimPrefix(d.class(name), "f")
		d.Legend = append(d.Legend, legendEntry{Name: name, From: say.From(d.kinds[name].Caller), Class: d.class(name), ID: id, Mark: template.HTML(`<svg viewBox="0 0 16 16" aria-hidden="true">` + s.B.String() + `</svg>`)})
	}
}

// Focus is the terms that the page is about.
func (d *pageData) Focus() judge.Terms { return d.r.Focus }

// ValueOf is a value of a row, or none of a row that is not there.
func (d *pageData) ValueOf(row *judge.Row, name string) shown {
	if row == nil {
		return shown{Text: say.Missing, Title: "not measured"}
	}
	return show(row, name)
}

// FamilyColumns heads the table of families.
func (d *pageData) FamilyColumns() []say.Column {
	return say.Columns(d.r, say.WithCPU(d.r, say.FamilyColumns, false))
}

func (d *pageData) families(choices []judge.Choice) {
	base := judge.FastestExact(choices)
	d.Speedup, d.SpeedupSays = say.SpeedupTitle(choices, base)
	d.SpeedupSays = strings.TrimSpace(d.SpeedupSays + " " + say.Halves(choices))
	for _, c := range choices {
		line := familyLine{Name: c.Family.Name, From: say.From(c.Family.Caller), Approach: c.Family.Approach, Library: c.Family.Library, Class: d.class(c.Family.Name)}
		if c.Row == nil {
			line.Status = "not measured"
			if fails := c.Family.Rows[0].Failures(); len(fails) > 0 {
				line.Status += ": " + say.Clean(say.Failure(fails[0]))
			}
			d.Families = append(d.Families, line)
			continue
		}
		line.Setting, line.ID = say.Settings(c.Row.Cell), c.Row.Cell.ID()
		for _, col := range d.FamilyColumns() {
			line.Values = append(line.Values, show(c.Row, col.Name))
		}
		if !c.Reached {
			line.Note = "at most"
		}
		line.Speedup = say.Speedup(c, base)
		d.Families = append(d.Families, line)
	}
}

// labels is mAP by category, the lowest first.
func (d *pageData) labels() {
	c := d.r.Categories(d.Focus())
	if len(c.Rows) == 0 {
		d.LabelsWhy = "The results hold no values by category: the data set has no labels, so nobody can say which answers were right."
		return
	}
	t := &labelTable{Says: say.Categories(c)}
	for _, one := range c.Choices {
		t.Families = append(t.Families, familyLine{Name: one.Family.Name, Class: d.class(one.Family.Name), Setting: say.Settings(one.Row.Cell), ID: one.Row.Cell.ID()})
	}
	rows := c.Rows
	if len(rows) > maxPageItems {
		t.Left = len(rows) - maxPageItems
		rows = rows[:maxPageItems]
	}
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, row := range rows {
		for _, v := range row.Values {
			if v.N > 0 {
				lo, hi = min(lo, v.Median), max(hi, v.Median)
			}
		}
	}
	for _, category := range rows {
		row := labelRow{Label: category.Label, Queries: say.Missing, Low: category.Low}
		if category.Queries > 0 {
			row.Queries = say.Count(category.Queries)
		}
		for i, v := range category.Values {
			if v.N == 0 {
				row.Cells = append(row.Cells, labelCell{shown: shown{Text: say.Missing, Title: "not measured"}, Heat: "0"})
				continue
			}
			heat := 100.0
			if hi > lo {
				heat = 100 * (v.Median - lo) / (hi - lo)
			}
			cell := labelCell{
				shown: shown{say.Ratio(v.Median), sortKey(v.Median), fmt.Sprintf("%s, %s: mAP@%d %s", c.Choices[i].Family.Name, category.Label, d.K, say.Measured(metric.MAP, v, ""))},
				Heat:  strconv.FormatFloat(heat, 'f', 0, 64),
			}
			if half := say.Half(v); half != "" {
				cell.Spread = "±" + half
			}
			row.Cells = append(row.Cells, cell)
		}
		t.Rows = append(t.Rows, row)
	}
	d.Labels = t
}

func (d *pageData) cells(choices []judge.Choice) {
	t := &d.Cells
	t.Several, t.Mixed = len(d.r.Terms) > 1, len(d.r.Envs) > 1
	t.Columns = say.Columns(d.r, say.WithCPU(d.r, say.TableColumns, false))
	for _, terms := range d.r.FocusFirst() {
		name := say.Differing(d.r, terms)
		for _, f := range d.r.FamiliesOf(terms) {
			for _, row := range f.Rows {
				where := strings.TrimSpace(f.Name + " " + say.Settings(row.Cell))
				if t.Several {
					where += " (" + name + ")"
				}
				for _, fail := range row.Failures() {
					d.Failures = append(d.Failures, lost{where, say.Failure(fail)})
				}
				for _, n := range say.RowNotes(row) {
					d.Warnings = append(d.Warnings, lost{where, n})
				}
				if len(t.Rows) >= maxPageCells {
					t.Left++
					continue
				}
				line := cellRow{Family: f.Name, From: say.From(f.Caller), Approach: f.Approach, Class: d.class(f.Name), Setting: say.Settings(row.Cell), Terms: name, ID: row.Cell.ID(), N: say.Repetitions(row), On: row.On}
				line.Chosen = slices.ContainsFunc(choices, func(c judge.Choice) bool { return c.Row == row })
				if s := row.Status(); s != record.OK {
					line.Status = string(s)
				} else {
					for _, col := range t.Columns {
						line.Values = append(line.Values, show(row, col.Name))
					}
				}
				t.Rows = append(t.Rows, line)
			}
		}
	}
	d.Warnings = gather(d.Warnings)
	d.Failures = gather(d.Failures)
}

// gather puts together those that say the same, and names the first of them and how many more.
func gather(all []lost) []lost {
	var out []lost
	n := map[string]int{}
	for _, l := range all {
		if n[l.What]++; n[l.What] == 1 {
			out = append(out, l)
		}
	}
	for i := range out {
		if more := n[out[i].What] - 1; more > 0 {
			out[i].Where += " and " + say.Plural(more, "cell more", "cells more")
		}
	}
	return out
}

func (d *pageData) data(src *record.Results) {
	ds := src.Dataset
	if slices.ContainsFunc(d.Data, func(b dataBlock) bool { return b.Name == ds.Name }) && d.r.Source(ds.Digest) != src {
		return // the same data set out of another folder
	}
	b := dataBlock{Name: ds.Name, Warnings: ds.Warnings, Map: mapOf(src.Map), Hard: hardOf(ds)}
	if src == d.r.Source(d.Focus().Dataset) {
		b.Pictures = d.dataPictures
	}
	b.Facts = []fact{
		{"vectors searched", say.Count(ds.Base)},
		{"queries", say.Count(ds.Queries)},
		{"dimensions", say.Count(ds.Dim)},
		{"digest", ds.Digest},
	}
	most := 1
	for _, l := range ds.Labels {
		most = max(most, l.Base)
	}
	if len(ds.Labels) > 0 {
		b.Facts = append(b.Facts, fact{"categories", say.Count(len(ds.Labels))})
	}
	for i, l := range ds.Labels {
		if i == maxPageItems {
			b.LabelLeft = len(ds.Labels) - i
			break
		}
		b.Labels = append(b.Labels, labelBar{l.Label, say.Count(l.Base), say.Count(l.Queries), strconv.FormatFloat(100*float64(l.Base)/float64(most), 'f', 1, 64)})
	}
	if e := ds.Embedding; e != nil {
		b.Embedding = []fact{{"model", e.Model}, {"model digest", e.ModelDigest}, {"images from", e.Source}, {"device", e.Device}, {"images", say.Count(e.Images)}}
		if e.Seconds > 0 {
			b.Embedding = append(b.Embedding,
				fact{"time", say.Format(metric.Seconds, e.Seconds)},
				fact{"speed", say.Significant(float64(e.Images)/e.Seconds) + " images a second, from file to vector"})
		}
		b.Embedding = append(b.Embedding, fact{"images skipped", say.Count(len(e.Skipped))})
		b.Refusals = e.Refusals
		b.Skipped = e.Skipped
		if len(b.Skipped) > maxPageItems {
			b.SkipLeft = len(b.Skipped) - maxPageItems
			b.Skipped = b.Skipped[:maxPageItems]
		}
		b.Card = cardFacts(e.Card)
		if len(b.Card) > maxPageItems {
			b.CardLeft = len(b.Card) - maxPageItems
			b.Card = b.Card[:maxPageItems]
		}
	}
	d.Data = append(d.Data, b)
}

// cardFacts is a model's card, whatever its shape, as names and values in the card's own order: names
// of objects within objects are joined by dots, and arrays of plain values become one line. A card
// that is not JSON gives what could be read of it.
func cardFacts(card json.RawMessage) []fact {
	var out []fact
	dec := json.NewDecoder(bytes.NewReader(card))
	dec.UseNumber()
	// read takes the next value and appends what it holds; a plain value is returned instead.
	var read func(name string) (plain string, ok bool, err error)
	read = func(name string) (string, bool, error) {
		tok, err := dec.Token()
		if err != nil {
			return "", false, err
		}
		switch tok {
		case json.Delim('{'):
			for dec.More() {
				key, err := dec.Token()
				if err != nil {
					return "", false, err
				}
				inner := strings.TrimPrefix(name+"."+fmt.Sprint(key), ".")
				plain, ok, err := read(inner)
				if err != nil {
					return "", false, err
				}
				if ok {
					out = append(out, fact{inner, plain})
				}
			}
			_, err = dec.Token()
			return "", false, err
		case json.Delim('['):
			var words []string
			for i := 0; dec.More(); i++ {
				plain, ok, err := read(fmt.Sprintf("%s[%d]", name, i))
				if err != nil {
					return "", false, err
				}
				if ok {
					words = append(words, plain)
				}
			}
			_, err = dec.Token()
			return strings.Join(words, ", "), len(words) > 0, err
		}
		if tok == nil {
			return say.Missing, true, nil
		}
		return fmt.Sprint(tok), true, nil
	}
	if _, _, err := read(""); err != nil && err != io.EOF {
		out = append(out, fact{"card", "cannot be read to its end: " + err.Error()})
	}
	return out
}

func (d *pageData) environments() {
	for _, e := range d.r.Envs {
		b := envBlock{Records: say.Plural(e.Records, "record", "records")}
		if len(d.r.Envs) > 1 {
			b.Name = e.Name
		}
		add := func(name, value string) {
			if value != "" {
				b.Facts = append(b.Facts, fact{name, value})
			}
		}
		add("processor", e.Env.CPU)
		add("extensions", strings.Join(e.Env.Features, " "))
		if e.Env.Cores > 0 {
			add("logical cores", say.Count(e.Env.Cores))
		}
		if e.Env.Memory > 0 {
			add("memory", say.Format(metric.Bytes, float64(e.Env.Memory)))
		}
		add("system", e.Env.OS)
		add("Go", e.Env.Go)
		add("commit", e.Env.Commit)
		add("engine version", strings.Join(e.Engines, ", "))
		var names []string
		for name := range e.Env.Libraries {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			add(name, e.Env.Libraries[name])
		}
		for _, disturbance := range e.Disturbed {
			add("disturbed", disturbance)
		}
		d.Envs = append(d.Envs, b)
	}
}
