package page

import (
	_ "embed"
	"fmt"
	"html/template"
	"slices"

	"annbench/bench/metric"
	"annbench/reports/judge"
	"annbench/reports/say"
)

//go:embed relevance.html.tmpl
var relevanceHTML string

// relevanceView is what the kinds of relevance conclude, of data that allows more than the category.
type relevanceView struct {
	Says     string // by what answers are judged
	Targets  []string
	Kinds    []relevanceRow
	Costs    []string // what the settings of low recall cost, in words
	Pictures []template.HTML
	// Agree has the attributes that grade, with how far answers share them.
	Agree     []agreementRow
	AgreeOf   string // the setting of Agree
	AgreeCell string
}

type relevanceRow struct {
	Kind, Right, Quantity string
	Exact                 shown
	Steps                 []relevanceStep // one for each target
}

// relevanceStep is a setting near a recall.
type relevanceStep struct {
	Value, Loss, Title string
	Telling            bool // the loss is more than chance
}

type agreementRow struct{ Name, Weight, Chance, Answer, Exact string }

// relevanceOf is nil where answers are judged by category alone: then the section on categories says it all.
func relevanceOf(r *judge.Report, pictures []template.HTML) *relevanceView {
	kinds := r.Relevance(r.Focus)
	if !slices.ContainsFunc(kinds, func(k judge.Relevance) bool { return k.Kind != judge.ByCategory }) {
		return nil
	}
	v := &relevanceView{Pictures: pictures}
	src := r.Source(r.Focus.Dataset)
	if src != nil {
		v.Says = say.Judged(src.Dataset.Relevance)
	}
	for _, target := range judge.LossTargets {
		v.Targets = append(v.Targets, say.Ratio(target))
	}
	for _, k := range kinds {
		name, right := say.RelevanceKind(k.Kind)
		row := relevanceRow{
			Kind: name, Right: right, Quantity: say.RelevanceQuantity(k.Name, r.Focus.K),
			Exact: shown{Text: say.Ratio(k.Exact.Median), Key: sortKey(k.Exact.Median), Title: say.Measured(k.Name, k.Exact, "")},
		}
		for i, target := range judge.LossTargets {
			at := slices.IndexFunc(k.Steps, func(s judge.LossStep) bool { return s.Target == target })
			if at < 0 {
				row.Steps = append(row.Steps, relevanceStep{Value: say.Missing, Title: "no setting has a recall near " + v.Targets[i]})
				continue
			}
			s := k.Steps[at]
			where := s.Row.Cell.Family + " " + say.Settings(s.Row.Cell)
			row.Steps = append(row.Steps, relevanceStep{
				Value: say.Ratio(s.Value.Median), Loss: fmt.Sprintf("%s (%s to %s)", say.Signed(s.Loss), say.Signed(s.Lo), say.Signed(s.Hi)), Telling: s.Telling(),
				Title: fmt.Sprintf("%s, recall %s, cell %s", where, say.Ratio(s.Recall.Median), s.Row.Cell.ID()),
			})
		}
		v.Kinds = append(v.Kinds, row)
	}
	v.Costs = say.WhatRecallCosts(r, r.Focus)
	v.agreement(r)
	return v
}

// agreement is of the setting of the answer, or of the first that has any.
func (v *relevanceView) agreement(r *judge.Report) {
	of := func(row *judge.Row) map[string]map[string]float64 {
		for _, rep := range row.Reps {
			if rep.ByAttribute != nil {
				return rep.ByAttribute
			}
		}
		return nil
	}
	decided := r.Decide()
	var row *judge.Row // none where nothing meets the target
	if a := decided.Answer(); a != nil {
		row = a.Setting
	}
	if row == nil || of(row) == nil {
		at := slices.IndexFunc(r.Rows, func(row *judge.Row) bool { return judge.TermsOf(row.Cell) == r.Focus && of(row) != nil })
		if at < 0 {
			return
		}
		row = r.Rows[at]
	}
	src := r.Source(r.Focus.Dataset)
	if src == nil || src.Dataset.Relevance == nil {
		return
	}
	by := of(row)
	v.AgreeOf, v.AgreeCell = row.Cell.Family+" "+say.Settings(row.Cell), row.Cell.ID()
	for _, g := range src.Dataset.Relevance.Gains {
		value := func(kind string) string {
			if x, ok := by[kind][g.Attribute]; ok {
				return say.Ratio(x)
			}
			return say.Missing
		}
		v.Agree = append(v.Agree, agreementRow{
			Name: g.Attribute, Weight: say.Significant(g.Weight),
			Chance: value(metric.AgreementChance), Answer: value(metric.Agreement), Exact: value(metric.AgreementExact),
		})
	}
}
