package page

import (
	"encoding/json"
	"fmt"
	"html/template"
	"math"
	"slices"
	"strconv"
	"strings"

	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/reports/judge"
	"annbench/reports/say"
)

// explored are the quantities that the page's large plot can have on an axis.
var explored = []string{metric.Recall, metric.MAP, metric.ItemHit, metric.ItemMRR, metric.NDCG, metric.QPS, metric.CPU, metric.Mean, metric.P99, metric.Build, metric.Resident, metric.Serialized, metric.PerVector}

// explorer is what the page's script draws the large plot from, where other axes or terms than those
// of the picture are asked for.
type explorer struct {
	Quantities []explorerQuantity `json:"q"`
	Views      []string           `json:"views"`    // terms under which latency was measured, those in focus first
	Families   []string           `json:"families"` // in the order of their classes
	Target     float64            `json:"target"`
	Cells      []explorerCell     `json:"cells"`
}

type explorerQuantity struct {
	Title string      `json:"title"`
	Unit  metric.Unit `json:"unit"`
	Lower bool        `json:"lower"`
	Doc   string      `json:"doc"`
}

type explorerCell struct {
	View    int          `json:"v"`
	Family  int          `json:"f"`
	Setting string       `json:"s"`
	ID      string       `json:"id"`
	Values  [][]*float64 `json:"x"` // median, and the ends of the interval where there is one; by Quantities
}

// Axis is an entry of the lists of axes.
type axisEntry struct {
	N        int
	Title    string
	X, Y     bool // chosen at first
	Selector string
}

func (d *pageData) explore() {
	e := explorer{Target: judge.Target, Families: d.Cells.Names, Cells: []explorerCell{}}
	explored := slices.DeleteFunc(slices.Clone(explored), func(name string) bool {
		by := name == metric.ItemHit || name == metric.ItemMRR || name == metric.NDCG // of some data only
		return by && !slices.ContainsFunc(d.r.Rows, func(row *judge.Row) bool { _, ok := row.Value(name); return ok })
	})
	first := metric.QPS
	if d.r.Clock(d.Focus()) == judge.Processor { // what the picture shows
		first = judge.Speed
		explored = slices.Insert(explored, slices.Index(explored, metric.QPS), first)
	}
	for i, name := range explored {
		info, _ := metric.Lookup(name)
		switch {
		case name == judge.Speed:
			info, _ = metric.Lookup(metric.QPS)
			info.Title, info.Doc = "queries a second"+say.Clock(judge.Processor), "one over the processor time of a query; of servers, by wall-clock time"
		case name == metric.QPS && first != name:
			info.Title = "wall QPS"
		}
		e.Quantities = append(e.Quantities, explorerQuantity{info.Title, info.Unit, info.Lower, info.Doc})
		d.Axes = append(d.Axes, axisEntry{N: i, Title: info.Title, X: name == metric.Recall, Y: name == first})
	}
	for _, t := range d.r.FocusFirst() {
		if t.Mode != record.Latency && t != d.Focus() {
			continue
		}
		view := len(e.Views)
		e.Views = append(e.Views, say.OrDash(say.Differing(d.r, t)))
		for _, f := range d.r.FamiliesOf(t) {
			for _, row := range f.Rows {
				if len(e.Cells) >= maxPageCells || row.Status() != record.OK {
					continue
				}
				c := explorerCell{View: view, Family: slices.Index(e.Families, f.Name), Setting: say.Settings(row.Cell), ID: row.Cell.ID()}
				for _, name := range explored {
					v, ok := row.Value(name)
					if !ok {
						c.Values = append(c.Values, nil)
						continue
					}
					digits := func(x float64) *float64 { x = say.Round(x, 6); return &x }
					one := []*float64{digits(v.Median)}
					if v.HasInterval {
						one = append(one, digits(v.Lo), digits(v.Hi))
					}
					c.Values = append(c.Values, one)
				}
				e.Cells = append(e.Cells, c)
			}
		}
	}
	b, err := json.Marshal(e) // escapes <, > and &, so that no string of the results ends the element
	if err != nil {
		panic(err) // strings and finite numbers always encode
	}
	d.Views = e.Views
	d.Explorer = template.HTML(`<script type="application/json" id="explorer">` + string(b) + `</script>`)
}

// confusionTable is how often queries of one category are answered by items of another, by the setting
// of the answer, in shares of all answers to the category.
type confusionTable struct {
	Family, Setting, ID string
	Labels              []string
	Rows                []confusionRow
	Worst               []string // the largest off the diagonal, in words
	Left                int
}

type confusionRow struct {
	Label string
	Cells []confusionCell
}

type confusionCell struct {
	Text, Heat, Title string
	Same              bool
}

func (d *pageData) confusion() {
	src := d.r.Source(d.Focus().Dataset)
	m := d.Decided.Answer()
	if src == nil || m == nil {
		return
	}
	var counts [][]int
	for _, rep := range m.Setting.Reps {
		if rep.Status == record.OK && len(rep.Confusion) == len(src.Dataset.Labels) && len(rep.Confusion) > 1 {
			counts = rep.Confusion
			break
		}
	}
	if counts == nil {
		return
	}
	t := &confusionTable{Family: m.Family.Name, Setting: say.Settings(m.Setting.Cell), ID: m.Setting.Cell.ID()}
	n := min(len(counts), maxConfusion)
	t.Left = len(counts) - n
	type wrong struct {
		share float64
		text  string
	}
	var wrongs []wrong
	for i := range counts[:n] {
		from := src.Dataset.Labels[i].Label
		t.Labels = append(t.Labels, from)
		total := 0
		for _, c := range counts[i] {
			total += c
		}
		row := confusionRow{Label: from}
		for j := range n {
			c := confusionCell{Same: i == j, Text: "", Heat: "0"}
			if total > 0 && j < len(counts[i]) {
				share := float64(counts[i][j]) / float64(total)
				to := src.Dataset.Labels[j].Label
				c.Title = fmt.Sprintf("%s: %s of the answers are %s (%s of %s)", from, say.Percent(share), to, say.Count(counts[i][j]), say.Count(total))
				c.Heat = strconv.FormatFloat(100*math.Sqrt(share), 'f', 0, 64)
				if share >= 0.005 {
					c.Text = fmt.Sprintf("%.0f", 100*share)
				}
				if i != j && share >= 0.05 {
					wrongs = append(wrongs, wrong{share, fmt.Sprintf("%s by %s (%s)", from, to, say.Percent(share))})
				}
			}
			row.Cells = append(row.Cells, c)
		}
		t.Rows = append(t.Rows, row)
	}
	slices.SortStableFunc(wrongs, func(a, b wrong) int {
		if a.share > b.share {
			return -1
		} else if a.share < b.share {
			return 1
		}
		return 0
	})
	for _, w := range wrongs[:min(3, len(wrongs))] {
		t.Worst = append(t.Worst, w.text)
	}
	d.Confusion = t
}

// maxConfusion is how many categories the table of confusion has.
const maxConfusion = 30

// stage is a part of the way from a photograph to its recommendations.
type stage struct {
	Name, Note    string
	Once, Each    string // for the whole collection; for one query
	OnceW, EachW  string // percent of the longest
	once, seconds float64
}

// pipeline is where the time goes, with the index of the answer.
func (d *pageData) pipeline() {
	src := d.r.Source(d.Focus().Dataset)
	if src == nil || src.Dataset.Embedding == nil || d.Decided.Answer() == nil {
		return
	}
	e := src.Dataset.Embedding
	if e.Images == 0 || e.Seconds <= 0 {
		return
	}
	images := float64(e.Images)
	var out []stage
	if e.Infer > 0 && e.Workers > 0 {
		decode := "decode"
		if e.JPEG != "" {
			decode += " (JPEG by " + e.JPEG + ")"
		}
		out = append(out,
			stage{Name: "decode and resize", Note: fmt.Sprintf("read, %s, crop, resize; %s side by side", decode, say.Plural(e.Workers, "worker", "workers")), once: (e.Decode + e.Prepare) / float64(e.Workers), seconds: (e.Decode + e.Prepare) / images},
			stage{Name: "embed", Note: fmt.Sprintf("%s on %s, in batches", e.Model, e.Device), once: e.Infer / float64(max(1, e.Runs)), seconds: e.Infer / images})
	} else {
		out = append(out, stage{Name: "decode and embed", Note: fmt.Sprintf("%s on %s, from file to vector", e.Model, e.Device), once: e.Seconds, seconds: e.Seconds / images})
	}
	row := d.Decided.Answer().Setting
	if v, ok := row.Value(metric.Build); ok {
		out = append(out, stage{Name: "build", Note: d.Decided.Answer().Family.Name + " " + say.Clean(row.Cell.Build), once: v.Median})
	}
	if v, ok := row.Value(metric.Load); ok {
		out = append(out, stage{Name: "load", Note: "the saved index, at every start", once: v.Median})
	}
	if v, ok := row.Value(metric.Mean); ok {
		out = append(out, stage{Name: "search", Note: strings.TrimSpace(say.Clean(row.Cell.Search) + " " + fmt.Sprintf("k = %d", row.Cell.K)), seconds: v.Median})
	}
	once, each := 0.0, 0.0
	for _, s := range out {
		once, each = max(once, s.once), max(each, s.seconds)
	}
	var search, all float64
	for i := range out {
		s := &out[i]
		s.Once, s.Each, s.OnceW, s.EachW = say.Missing, say.Missing, "0", "0"
		if s.once > 0 {
			s.Once, s.OnceW = say.Format(metric.Seconds, s.once), strconv.FormatFloat(100*s.once/once, 'f', 1, 64)
		}
		if s.seconds > 0 {
			s.Each, s.EachW = say.Format(metric.Seconds, s.seconds), strconv.FormatFloat(100*s.seconds/each, 'f', 1, 64)
		}
		all += s.seconds
		if s.Name == "search" {
			search = s.seconds
		}
	}
	d.Pipeline = out
	if search > 0 && all > search {
		d.PipelineSays = fmt.Sprintf("Of the time from a photograph to its recommendations, %s is the search of the index; the rest is decoding it and the model. Measured with all cores at the embedding; stages overlap, so that they add up to more than the %s that embedding the collection took.", shareOf(search/all), say.Format(metric.Seconds, e.Seconds))
	}
	if limit := embeddingLimit(e); limit != "" {
		d.PipelineSays = strings.TrimSpace(d.PipelineSays + " " + limit)
	}
}

// embeddingLimit says which stage of the embedding was the limit, and how long each worked and waited; empty
// where the record does not tell.
func embeddingLimit(e *record.Embedding) string {
	if e.Limit == "" || e.Workers == 0 || e.Seconds <= 0 {
		return ""
	}
	var limit string
	var rest []string
	for _, s := range []struct {
		key, name  string
		busy       float64
		goroutines int
	}{
		{"decode", "decoding and resizing", e.Decode + e.Prepare, e.Workers},
		{"model", "the model", e.Infer, max(1, e.Runs)},
		{"write", "writing the vectors", e.Write, 1},
	} {
		share := min(1, s.busy/(e.Seconds*float64(s.goroutines)))
		rate := "–"
		if s.busy > 0 {
			rate = say.Count(int(math.Round(float64((e.Images+len(e.Skipped))*s.goroutines) / s.busy)))
		}
		if s.key == e.Limit {
			limit = fmt.Sprintf("The limit of the embedding was %s, busy for %s of the time, at %s images a second.", s.name, say.Percent(share), rate)
		} else {
			rest = append(rest, fmt.Sprintf("%s was busy for %s of the time and could do %s a second", s.name, say.Percent(share), rate))
		}
	}
	return limit + " " + say.Sentence(strings.Join(rest, ", "))
}

// shareOf is x as [say.Percent] has it, and never 0.0 % of what is there.
func shareOf(x float64) string {
	if x < 0.001 {
		return "less than 0.1 %"
	}
	return say.Percent(x)
}

// hardBlock says how hard a data set is to search under one metric.
type hardBlock struct {
	Metric string
	Facts  []fact
}

func hardOf(ds record.Dataset) []hardBlock {
	var out []hardBlock
	for _, d := range ds.Difficulty {
		b := hardBlock{Metric: d.Metric}
		add := func(name, format string, args ...any) {
			b.Facts = append(b.Facts, fact{name, fmt.Sprintf(format, args...)})
		}
		between := func(deciles []float64) string {
			if len(deciles) != 11 {
				return ""
			}
			return fmt.Sprintf("; over queries %s to %s (first to last tenth)", say.Significant(deciles[1]), say.Significant(deciles[9]))
		}
		if d.LID > 0 {
			add("intrinsic dimension", "%s of %s%s: in how many directions neighbours lie around a query; higher is harder", say.Significant(d.LID), say.Count(ds.Dim), between(d.LIDDeciles))
		}
		if d.Contrast > 0 {
			add("relative contrast", "%s%s: how many times farther than the %d nearest the rest is; nearer to 1 is harder", say.Significant(d.Contrast), between(d.ContrastDeciles), d.HubnessK)
		}
		add("hubness", "skewness %s; the largest hub is among the %d nearest of %s, and %s of the base is among nobody's", say.Significant(d.Hubness), d.HubnessK, say.Plural(d.LargestHub, "query", "queries"), say.Percent(d.Orphans))
		if d.BadHubness != nil {
			add("neighbours of another category", "%s of the exact %d nearest", say.Percent(*d.BadHubness), d.HubnessK)
		}
		if d.Dims90 > 0 {
			add("principal axes", "%s hold half of the variance, %s hold 90 %%, %s hold 99 %%", say.Count(d.Dims50), say.Count(d.Dims90), say.Count(d.Dims99))
		}
		if d.Shift > 0 && len(d.ShiftNull) == 2 {
			word := "queries are like the base"
			if d.Shift < d.ShiftNull[0] || d.Shift > d.ShiftNull[1] {
				word = "queries are not quite like the base"
			}
			add("shift", "%s (chance leaves it in %s to %s): %s", say.Significant(d.Shift), say.Significant(d.ShiftNull[0]), say.Significant(d.ShiftNull[1]), word)
		}
		out = append(out, b)
	}
	return out
}
