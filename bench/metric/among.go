package metric

import (
	"fmt"
	"slices"

	"annbench/indexes/vec"
)

// AmongInput is what an index answered where only some vectors of the base may be answered: those that pass a filter, or
// those that live.
type AmongInput struct {
	Metric vec.Metric
	K      int // answers asked for; at least 1

	Base    vec.Matrix // answers are row numbers of it
	Queries vec.Matrix
	Answers [][]int32 // as in [ScoreInput]

	// Among[q] is who may be answered to query q, Counts[q] how many those are, the query itself left out.
	Among  func(q int) *vec.Set
	Counts []int32
	// Truth gives the exact neighbours of query q among them, nearest first, with their metric distances: min(K, Counts[q])
	// or more.
	Truth func(q int) (ids []int32, distances []float64)

	// Labels, BaseLabels, QueryLabels and Self are those of [ScoreInput].
	Labels      []string
	BaseLabels  []int32
	QueryLabels []int32
	Self        []int32
	// Forbidden says what an answer is that may not be given ("does not pass the filter", "was deleted").
	Forbidden string
}

// ScoreAmong judges the answers to all queries as [Score] does, where not all vectors may be answered: recall against
// exact search among those that may, its distribution, the ratio of distances, and mAP, whose relevant items are those of
// the query's category that may be answered.
//
// The k of a query is what there is: min(K, Counts[q]), and the share of queries with fewer than K is [Unfilled]. Queries
// for which nothing passes are left out of every mean, and counted in a warning; it is an error where that are all.
//
// It is an error if an answer may not be given, or if one is nearer than the exact neighbour of its rank by more than
// rounding explains.
func ScoreAmong(in AmongInput) (*Scores, error) {
	n := in.Queries.Rows
	if len(in.Answers) != n || len(in.Counts) != n {
		return nil, fmt.Errorf("%d queries, but %d answers and counts of %d", n, len(in.Answers), len(in.Counts))
	}
	var (
		recall, recallID, ratios []float64
		ap, apExact              []AP
		answers, unfilled, empty int
		passing                  float64
		outside, repeated        tally
		beyond                   tally
		relevant                 = in.relevantAmong()
		one                      = ScoreInput{ // what is judged as in Score
			Metric: in.Metric, Base: in.Base, Queries: in.Queries, TruthIDs: make([][]int32, n), TruthDistances: make([][]float64, n),
			Labels: in.Labels, BaseLabels: in.BaseLabels, QueryLabels: in.QueryLabels,
		}
		places    []int
		ids       []int32
		distances []float64
		rel       []bool
	)
	for q, given := range in.Answers {
		query, among := in.Queries.Row(q), in.Among(q)
		k := min(in.K, int(in.Counts[q]))
		passing += float64(in.Counts[q])
		if k < in.K {
			unfilled++
		}
		for _, id := range given {
			if id >= 0 && int(id) < in.Base.Rows && !among.Has(id) {
				return nil, fmt.Errorf("query %d was answered with vector %d, which %s", q, id, in.Forbidden)
			}
		}
		if len(given) > k {
			beyond.add(q, len(given)-k, 0)
			given = given[:k]
		}
		ids, distances, places, rel = ids[:0], distances[:0], places[:0], rel[:0]
		for _, id := range given {
			if id < 0 || int(id) >= in.Base.Rows {
				outside.add(q, 1, id)
				rel = append(rel, false)
				continue
			}
			if in.Self != nil && id == in.Self[q] || slices.Contains(ids, id) {
				repeated.add(q, 1, id)
				rel = append(rel, false)
				continue
			}
			ids, places = append(ids, id), append(places, len(rel))
			distances = append(distances, in.Metric.Distance(query, in.Base.Row(int(id))))
			rel = append(rel, one.isRelevant(q, id))
		}
		if k == 0 {
			empty++
			continue
		}
		answers += len(ids)
		truthIDs, truth := in.Truth(q)
		if len(truthIDs) < k || len(truth) < k {
			return nil, fmt.Errorf("query %d has %d exact neighbours (ids) and %d (distances), it takes %d", q, len(truthIDs), len(truth), k)
		}
		one.TruthIDs[q], one.TruthDistances[q] = truthIDs, truth
		recall = append(recall, float64(min(k, one.hits(q, ids, distances, truth[k-1])))/float64(k))
		recallID = append(recallID, RecallIDAt(ids, truthIDs, k))
		if err := one.checkTruth(q, ids, distances); err != nil {
			return nil, err
		}
		if relevant != nil {
			if total := relevant(q); total > 0 {
				one.creditTies(q, rel, places, ids, distances, total)
				ap = append(ap, AveragePrecision(rel, k, total))
				rel = rel[:0]
				for _, id := range truthIDs[:k] {
					rel = append(rel, one.isRelevant(q, id))
				}
				apExact = append(apExact, AveragePrecision(rel, k, total))
			}
		}
		if in.Metric != vec.InnerProduct {
			slices.Sort(distances)
			if ratio, ok := DistanceRatio(distances, truth[:k]); ok {
				ratios = append(ratios, ratio)
			}
		}
	}
	if len(recall) == 0 {
		return nil, fmt.Errorf("nothing may be answered to any of the %d queries", n)
	}
	p := Distribution(recall, 0.01, 0.05, 0.5)
	judged := float64(len(recall))
	out := &Scores{
		Values: map[string]float64{
			Recall: Average(recall), RecallID: Average(recallID),
			RecallP1: p[0], RecallP5: p[1], RecallP50: p[2],
			RecallZero: float64(zeros(recall)) / judged,
			Robust50:   Robustness(recall, 0.5), Robust80: Robustness(recall, 0.8),
			Robust90: Robustness(recall, 0.9), Robust100: Robustness(recall, 1),
			AnswerCount: float64(answers) / judged,
			Selectivity: passing / float64(n) / float64(in.Base.Rows), Unfilled: float64(unfilled) / float64(n),
		},
		Spread: map[string]float64{Recall: StandardError(recall), RecallID: StandardError(recallID)},
	}
	if len(ratios) > 0 {
		out.Values[DistRatio], out.Spread[DistRatio] = Average(ratios), StandardError(ratios)
	}
	if len(ap) > 0 {
		m, exact := averageAP(ap), averageAP(apExact)
		out.Values[MAP], out.Values[MAPList], out.Values[MAPR], out.Values[MAPExact] = m.MinKR, m.List, m.R, exact.MinKR
		own, loss := make([]float64, len(ap)), make([]float64, len(ap))
		for i := range ap {
			own[i], loss[i] = ap[i].MinKR, ap[i].MinKR-apExact[i].MinKR
		}
		out.Spread[MAP], out.Spread[MAPDelta] = StandardError(own), StandardError(loss)
		out.Values[MAPDelta] = Average(loss)
		out.Values[MAPDeltaLo], out.Values[MAPDeltaHi] = BootstrapMean(loss, 1)
	}
	out.Warnings = append(out.Warnings, outside.warn("ids outside the base")...)
	out.Warnings = append(out.Warnings, repeated.warn("ids that the query was given already")...)
	if beyond.answers > 0 {
		out.Warnings = append(out.Warnings, fmt.Sprintf("%d of %d queries were given more than the %d answers asked for; what is beyond does not count", beyond.queries, n, in.K))
	}
	if empty > 0 {
		out.Warnings = append(out.Warnings, fmt.Sprintf("nothing may be answered to %d of %d queries, which are left out", empty, n))
	}
	if short := unfilled - empty; short > 0 {
		out.Warnings = append(out.Warnings, fmt.Sprintf("fewer than %d vectors may be answered to %d of %d queries: recall is over those", in.K, short, n))
	}
	return out, nil
}

// relevantAmong counts, for a query, who may be answered and has its label; it is nil without labels.
func (in *AmongInput) relevantAmong() func(q int) int {
	if len(in.Labels) == 0 {
		return nil
	}
	var of *vec.Set // that counts are of
	counts := make([]int, len(in.Labels))
	return func(q int) int {
		label := in.QueryLabels[q]
		if label < 0 {
			return 0
		}
		if among := in.Among(q); among != of {
			of = among
			clear(counts)
			for id := range among.All() {
				if int(id) < len(in.BaseLabels) && in.BaseLabels[id] >= 0 {
					counts[in.BaseLabels[id]]++
				}
			}
		}
		n := counts[label]
		if in.Self != nil && of.Has(in.Self[q]) {
			n--
		}
		return max(0, n)
	}
}
