package page

import (
	"cmp"
	_ "embed"
	"slices"

	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/reports/judge"
	"annbench/reports/say"
)

//go:embed blame.html.tmpl
var blameHTML string

// blameView is which categories bring the answers down, and whether the index or the embedding is to blame, of one
// setting.
type blameView struct {
	Of, Cell string
	K        int
	All      blameRow
	Rows     []blameRow // the lowest mAP first
	Left     int
	Items    bool // by item, too
}

type blameRow struct {
	Label, MAP, Spread, Index, Embedding, ItemIndex, ItemEmbedding string
}

// blameOf is nil where the records do not say who is to blame, as those of older versions do not.
func blameOf(r *judge.Report) *blameView {
	decided := r.Decide()
	var row *judge.Row // none where nothing meets the target
	if a := decided.Answer(); a != nil {
		row = a.Setting
	}
	if row == nil || row.Exact { // exact search is never to blame: the setting that finds least of those that most would take
		row = approximate(r)
	}
	if row == nil {
		return nil
	}
	v := &blameView{Of: row.Cell.Family + " " + say.Settings(row.Cell), Cell: row.Cell.ID(), K: row.Cell.K}
	share := func(name string) string {
		if x, ok := row.Value(name); ok {
			return say.Percent(x.Median)
		}
		return say.Missing
	}
	if _, ok := row.Value(metric.WrongIndex); !ok {
		return nil
	}
	_, v.Items = row.Value(metric.ItemPrefix + metric.WrongIndex)
	whole, _ := row.Value(metric.MAP)
	v.All = blameRow{
		Label: "all", MAP: say.Ratio(whole.Median), Index: share(metric.WrongIndex), Embedding: share(metric.WrongEmbed),
		ItemIndex: share(metric.ItemPrefix + metric.WrongIndex), ItemEmbedding: share(metric.ItemPrefix + metric.WrongEmbed),
	}
	src := r.Source(row.Cell.Dataset)
	if src == nil {
		return nil
	}
	type category struct {
		blameRow
		ap float64
	}
	var all []category
	for _, l := range src.Dataset.Labels {
		ap, ok := row.ByLabel(metric.MAP, l.Label)
		if !ok {
			continue
		}
		of := func(name string) string {
			if x, ok := row.ByLabel(name, l.Label); ok {
				return say.Percent(x.Median)
			}
			return say.Missing
		}
		c := category{blameRow{
			Label: l.Label, MAP: say.Ratio(ap.Median), Index: of(metric.WrongIndex), Embedding: of(metric.WrongEmbed),
			ItemIndex: of(metric.ItemPrefix + metric.WrongIndex), ItemEmbedding: of(metric.ItemPrefix + metric.WrongEmbed),
		}, ap.Median}
		if ap.HasInterval {
			c.Spread = say.Ratio(ap.Lo) + " to " + say.Ratio(ap.Hi)
		}
		all = append(all, c)
	}
	slices.SortStableFunc(all, func(a, b category) int { return cmp.Compare(a.ap, b.ap) })
	for i, c := range all {
		if i == maxPageItems {
			v.Left = len(all) - i
			break
		}
		v.Rows = append(v.Rows, c.blameRow)
	}
	if len(v.Rows) == 0 {
		return nil
	}
	return v
}

// approximate is the approximate setting of lowest recall that is at least [judge.LossFrom]: there an index has most to
// answer for. Nil where there is none.
func approximate(r *judge.Report) (low *judge.Row) {
	least := 2.0
	for _, row := range r.Rows {
		v, ok := row.Value(metric.Recall)
		if ok && !row.Exact && judge.TermsOf(row.Cell) == r.Focus && row.Status() == record.OK && v.Median >= judge.LossFrom && v.Median < least {
			low, least = row, v.Median
		}
	}
	return low
}
