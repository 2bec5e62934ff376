package reports

import (
	"bytes"
	"encoding/json"
	"html"
	"strings"
	"testing"

	"annbench/bench/metric"
	"annbench/reports/interchange"
	"annbench/reports/internal/fixture"
	"annbench/reports/judge"
	"annbench/reports/page"
	"annbench/reports/say"
	"annbench/reports/text"
)

// Of 200 random sets of records page, table, choose and JSON name the same setting and the same speed.
func TestOneAnswer(t *testing.T) {
	answered, halves := 0, 0
	for seed := range uint64(200) {
		r := fixture.Load(t, judge.Load, fixture.Results(t, fixture.Random(seed)...))
		v := r.Decide()
		words := say.Verdict(r, v)
		p := r.Pick(r.Focus, []judge.Limit{{Name: metric.Recall, Bound: judge.Target}})
		if (p.Best != nil) != (v.Outcome == judge.Answered) {
			t.Fatalf("seed %d: choose finds %v, the verdict %v", seed, p.Best != nil, v.Outcome)
		}

		var table bytes.Buffer
		if err := text.Table(&table, r, text.Options{Format: text.Markdown}); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := interchange.JSON(&out, r); err != nil {
			t.Fatal(err)
		}
		var exported struct {
			Verdict struct{ Answer, Setting string }
		}
		if err := json.Unmarshal(out.Bytes(), &exported); err != nil {
			t.Fatal(err)
		}
		if exported.Verdict.Answer != words.Family || exported.Verdict.Setting != words.Setting {
			t.Fatalf("seed %d: JSON says %+v, the verdict %s %s", seed, exported.Verdict, words.Family, words.Setting)
		}
		if p.Best == nil {
			continue
		}
		answered++
		cell := p.Best.Row.Cell
		speed := say.Measured(metric.QPS, p.Best.Speed, " queries a second"+say.Clock(p.Best.Row.Clock()))
		if words.Family != cell.Family || words.Setting != cell.Settings() || v.Answer().Setting != p.Best.Row {
			t.Errorf("seed %d: the verdict names %s %s, choose %s %s", seed, words.Family, words.Setting, cell.Family, cell.Settings())
		}
		if !strings.Contains(say.Pick(p), speed) || !strings.Contains(table.String(), text.MarkdownText(speed)) {
			t.Errorf("seed %d: not everywhere is it %q:\n%s\n%s", seed, speed, say.Pick(p), strings.Join(words.Why, "\n"))
		}
		// What serve opens first of the family is the answer.
		for _, c := range v.Choices {
			if served := judge.Served(c, 3); c.Family.Name == cell.Family && (len(served) == 0 || served[0] != p.Best.Row) || len(served) > 3 {
				t.Errorf("seed %d: serve opens %d settings of %s, the answer not first", seed, len(served), c.Family.Name)
			}
		}
		// The row that stands for the family in the tables is the answer's, and the speed-up is the headline's.
		for _, c := range v.Choices {
			if c.Family.Name == cell.Family && c.Row != p.Best.Row {
				t.Errorf("seed %d: the tables show %s %s", seed, c.Row.Cell.Family, c.Row.Cell.Settings())
			}
		}
		// A setting that reads faster than the one that stands for its family is named beside it.
		if h := say.Halves(v.Choices); h != "" {
			halves++
			if !strings.Contains(table.String(), text.MarkdownText(h)) {
				t.Errorf("seed %d: the table does not say %q", seed, h)
			}
		}
		for _, w := range v.Wishes {
			if w.Kind != judge.OtherRecall {
				continue
			}
			other := r.Pick(r.Focus, []judge.Limit{{Name: metric.Recall, Bound: w.Target}})
			if (other.Best != nil) != (w.Take != nil) || other.Best != nil && other.Best.Row != w.Take.Setting {
				t.Errorf("seed %d: recall %v is another setting in the verdict than in choose", seed, w.Target)
			}
		}
		for i, w := range words.Wishes {
			one := v.Wishes[i]
			if one.Take != nil && strings.Contains(w.Cost, "within the noise") && (one.Take.Setting == v.Answer().Setting || min(one.Take.Value.N, v.Answer().Value.N) < 2) {
				t.Errorf("seed %d: %q is said of a setting against itself, or of one measurement", seed, w.Cost)
			}
		}
		if seed%10 == 0 || say.Halves(v.Choices) != "" { // a page takes long
			made, err := page.Make(r, page.Options{})
			if err != nil {
				t.Fatal(err)
			}
			plain := html.UnescapeString(string(made))
			if !strings.Contains(plain, say.Halves(v.Choices)) {
				t.Errorf("seed %d: the page does not say %q", seed, say.Halves(v.Choices))
			}
			if !strings.Contains(plain, speed) || !strings.Contains(plain, "<strong>"+cell.Family+"</strong>") {
				t.Errorf("seed %d: the page does not name %s with %q", seed, cell.Family, speed)
			}
		}
	}
	if answered < 100 || halves == 0 {
		t.Errorf("only %d of 200 have an answer, and in %d another setting reads faster: the test shows little", answered, halves)
	}
}

// TestFiltersPassing: the page says of each filter how many vectors pass, and for how many queries those are too few, in the
// words of the table for a terminal.
func TestFiltersPassing(t *testing.T) {
	under := fixture.Cell("hnsw", "ef=10", 0, 0.9, 100)
	under.Cell.Filter, under.Cell.Way = "selectivity=0.01 correlation=near", "inside"
	under.Values = map[string]float64{metric.Recall: 0.9, metric.Mean: 1e-3, metric.Selectivity: 1. / 120, metric.Unfilled: 1}
	r := fixture.Load(t, judge.Load, fixture.Results(t, fixture.Cell("flat", "", 0, 1, 100), under))
	const says = "0.8333 % of the vectors pass; fewer than 10 for 100 % of the queries"
	p, err := page.Make(r, page.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(p), "<li>1 %, near the query: "+says+"</li>") {
		t.Error("the page does not say " + says)
	}
	var b strings.Builder
	if err := text.Filters(&b, r, text.Options{}); err != nil || !strings.Contains(b.String(), says) {
		t.Errorf("the table says %s %v", b.String(), err)
	}
}
