package page

import (
	"slices"
	"strings"

	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/reports/judge"
	"annbench/reports/say"
)

// searchView is what a page says of the search whose answer the results are.
type searchView struct {
	Question string // limits and objective
	YAML     string // the answer
	Says     []string
	Tables   []tradeoffTable
}

// tradeoffTable is what more of a quantity buys.
type tradeoffTable struct {
	Title, Head string
	Rows        []tradeoffRow
}

type tradeoffRow struct {
	X, Seconds, Name string
	Knee             bool
}

// mostTradeoffs is how many points of a front a table shows; the knee is one of them.
const mostTradeoffs = 12

// search fills in the section of the search, where the first folder has the log of one that came to its end.
func (d *pageData) search() {
	s, err := record.ReadSearch(d.r.Sources[0].Dir)
	if err != nil {
		d.Notes = append(slices.Clone(d.Notes), "the log of the search was left out: "+judge.Portable(err.Error()))
	}
	if err != nil || s == nil || !s.Done {
		return
	}
	limits, objective := judge.Asked(s)
	pick := d.r.PickBy(d.r.Focus, limits, objective)
	v := &searchView{Question: say.Question(limits, objective)}
	yaml, rest := say.Pick(pick), ""
	if pick.Best != nil {
		yaml, rest, _ = strings.Cut(yaml, "\n\n")
	} else {
		yaml, rest = "", yaml
	}
	v.YAML = yaml
	for _, text := range []string{rest, say.Month(pick, objective), say.SearchStory(s)} {
		if text = strings.TrimSpace(text); text != "" {
			v.Says = append(v.Says, strings.Split(text, "\n")...)
		}
	}
	for _, f := range judge.Tradeoffs(s) {
		if len(f.Points) < 2 {
			continue
		}
		info, _ := metric.Lookup(f.Quantity)
		t := tradeoffTable{Title: say.MoreOf(f.Quantity), Head: info.Title}
		step := (len(f.Points) + mostTradeoffs - 1) / mostTradeoffs
		for i, p := range f.Points {
			_, bends := f.KneePoint()
			knee := bends && i == f.Knee
			if i%step == 0 || knee || i == len(f.Points)-1 {
				t.Rows = append(t.Rows, tradeoffRow{say.Format(info.Unit, p.X), say.Format(metric.Seconds, p.Seconds), say.Clean(p.Name), knee})
			}
		}
		v.Tables = append(v.Tables, t)
	}
	d.Search = v
}
