package say

import (
	"fmt"
	"math"
	"strings"

	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/reports/judge"
)

// RelevanceKind is how people call a kind of relevance, and when an answer is right by it.
func RelevanceKind(k judge.RelevanceKind) (name, right string) {
	switch k {
	case judge.ByItem:
		return "the same item", "an answer shows the same thing"
	case judge.ByGrade:
		return "alike", "answers share the query's attributes, those that weigh most first"
	}
	return "category", "an answer has the query's category"
}

// RelevanceQuantity is how people call the quantity that speaks for a kind of relevance.
func RelevanceQuantity(name string, k int) string {
	info, _ := metric.Lookup(name)
	return fmt.Sprintf("%s@%d", info.Title, k)
}

// Judged says by what answers are judged beside their categories; empty where nothing does.
func Judged(r *record.Relevance) string {
	if r == nil {
		return ""
	}
	var parts []string
	if r.Item != "" {
		parts = append(parts, fmt.Sprintf("The same item is told by the attribute %s: the base has %s, and one or more of %s.", r.Item, Plural(r.Items, "item", "items"), Plural(r.ItemQueries, "query", "queries")))
	}
	if len(r.Gains) > 0 {
		var names []string
		for _, g := range r.Gains {
			if g.Weight == 1 {
				names = append(names, g.Attribute)
			} else {
				names = append(names, fmt.Sprintf("%s (%s)", g.Attribute, Significant(g.Weight)))
			}
		}
		parts = append(parts, "Alike is graded by "+And(names)+".")
	}
	return strings.Join(parts, " ")
}

// Stops says at which recall a kind of relevance stops to grow.
func Stops(r judge.Relevance, k int) string {
	what := RelevanceQuantity(r.Name, k)
	switch {
	case math.IsInf(r.Saturation, 1):
		return fmt.Sprintf("%s still grows at the highest recall measured.", what)
	case r.Saturation == 0:
		return fmt.Sprintf("%s is that of exact search at every recall measured, as far as these queries can tell.", what)
	}
	return fmt.Sprintf("%s stops to grow at a recall of %s.", what, Ratio(r.Saturation))
}

// Costs says what a setting loses against exact search.
func Costs(r judge.Relevance, s judge.LossStep, k int) string {
	what := RelevanceQuantity(r.Name, k)
	if !s.Telling() {
		return fmt.Sprintf("nothing of %s that these queries can show (%s to %s)", what, Signed(s.Lo), Signed(s.Hi))
	}
	return fmt.Sprintf("%s of %s (%s to %s)", Signed(s.Loss), what, Signed(s.Lo), Signed(s.Hi))
}

// WhatRecallCosts says of a low recall and of a usual one what they cost by each kind of relevance that the data of terms t
// allows, and where each stops to grow: a sentence each. It is empty where answers are judged by category alone.
func WhatRecallCosts(r *judge.Report, t judge.Terms) (lines []string) {
	kinds := r.Relevance(t)
	if len(kinds) == 0 || len(kinds) == 1 && kinds[0].Kind == judge.ByCategory {
		return nil
	}
	for _, target := range []float64{0.5, 0.9} {
		var parts []string
		var row *judge.Row
		var recall float64
		for _, k := range kinds {
			for _, s := range k.Steps {
				if s.Target == target && (row == nil || s.Row == row) {
					row, recall = s.Row, s.Recall.Median
					parts = append(parts, Costs(k, s, t.K))
				}
			}
		}
		if row != nil {
			lines = append(lines, fmt.Sprintf("A recall of %s (%s) costs %s.", Ratio(recall), strings.TrimSpace(row.Cell.Family+" "+Settings(row.Cell)), And(parts)))
		}
	}
	for _, k := range kinds {
		lines = append(lines, Stops(k, t.K))
	}
	return lines
}
