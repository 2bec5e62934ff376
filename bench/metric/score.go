package metric

import (
	"fmt"
	"math"
	"slices"

	"annbench/indexes/vec"
)

// ScoreInput is what an index answered, and what it is judged by.
type ScoreInput struct {
	Metric vec.Metric
	K      int // answers asked for; at least 1

	Base    vec.Matrix // answers are row numbers of it
	Queries vec.Matrix

	// Answers[q] are the ids that query q was given, in the order in which it was given them. They
	// may be few, repeated or wrong: that is what is judged here.
	Answers [][]int32

	// TruthIDs[q] are the exact neighbours of query q, nearest first, and TruthDistances[q] their
	// metric distances by [vec.Metric.Distance]: of each, at least min(K, Base.Rows).
	TruthIDs       [][]int32
	TruthDistances [][]float64

	// Labels are the categories, and BaseLabels[i] and QueryLabels[q] the one that a vector has, as
	// an index of Labels, -1 for none. Without Labels there is no mAP, and the others may be nil.
	Labels      []string
	BaseLabels  []int32
	QueryLabels []int32

	// Self[q] is the base vector that query q is, which is never its own answer; nil where queries do
	// not stand in the base.
	Self []int32
	// Difficulty[q] is how hard query q is; nil where that is not known.
	Difficulty []float64
	// Judge judges answers beside their categories, for at least min(K, Base.Rows) answers; nil judges by category alone.
	Judge *Judge
}

// neighbors is how many neighbours a query can have.
func (in *ScoreInput) neighbors() int {
	if in.Self != nil {
		return in.Base.Rows - 1
	}
	return in.Base.Rows
}

// Scores are what [Score] found, by names of the table. No value is NaN or infinite: what is not
// defined is absent.
type Scores struct {
	Values map[string]float64
	// Spread is the standard error of a value over the queries: how far it would move, had others
	// been drawn from where these came from.
	Spread map[string]float64
	// ByLabel holds values by the category of the query: recall, mAP with the ends of its interval
	// ([ByLabelMAPLo], [ByLabelMAPHi]) and the number of queries that mAP is of ([ByLabelQueries]).
	// Categories without a value are absent.
	ByLabel map[string]map[string]float64
	// ByAttribute holds the agreement of answers with their queries by attribute: see [Agreement]. Nil where answers
	// are not graded.
	ByAttribute map[string]map[string]float64
	// Confusion[a][b] counts the answers of category b to queries of category a, by places in
	// ScoreInput.Labels; nil without labels, and beyond [MaxConfusion] of them.
	Confusion [][]int
	// ByDecile holds recall by the difficulty of the query; see [Deciles]. Nil where that is not known.
	ByDecile map[string][]float64
	// ByK holds mAP of the first 1, 2, ... k of the answers; nil without labels.
	ByK map[string][]float64
	// Disorder says of how many queries the answers were not nearest first, beyond rounding; empty where of none. An
	// index that compares codes cannot help that, so it is no warning here.
	Disorder string
	Warnings []string
}

// The values of [Scores.ByLabel] that are not in the table.
const (
	ByLabelMAPLo   = "map_lo"  // lower end of the 95 % interval of the category's mAP: see [BootstrapMean]
	ByLabelMAPHi   = "map_hi"  // upper end
	ByLabelQueries = "queries" // queries of the category that mAP is the mean of
)

// MaxConfusion is the highest number of labels for which the confusion of categories is kept: above,
// nobody can read it, and a record would be mostly that.
const MaxConfusion = 40

// Score judges the answers to all queries: the mean of [RecallAt], its distribution and
// [Robustness], [RecallIDAt], [DistanceRatio] (not under the inner product), [AveragePrecision] by
// its three denominators and of the exact neighbours, the difference of the two with an interval,
// and the mean number of answers.
//
// Distances are computed here, from the ids, by [vec.Metric.Distance]: what the index says of its
// own answers does not count. Distances that float32 cannot tell apart are ties. Recall counts them; and in
// mAP, an answer that ties with the exact neighbour of its rank counts as that neighbour, so that exact
// search loses nothing by the order in which it happens to show equals. k is min(in.K, in.Base.Rows): where the base has no more vectors,
// nobody can answer more.
//
// An id outside the base, an id that the same query was given before, and every answer after the
// k-th do not count, and are warnings with their numbers. The first two keep their places as
// misses: leaving a place out would move what stands below it up. A query of which the base has no
// relevant item, or which has no label, is left out of mAP, and a query without a ratio out of the
// ratio; both are warnings as soon as only some are.
//
// It is an error if the parts of in do not fit together, and if an answer is nearer than the exact
// neighbour of its rank by more than rounding explains: then the truth belongs to other data, or to
// another metric, and no value would mean anything.
func Score(in ScoreInput) (*Scores, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	var (
		n     = in.Queries.Rows
		k     = min(in.K, in.neighbors())
		count = in.relevant()

		recall   = make([]float64, n)
		recallID = make([]float64, n)
		answers  int
		ratios   []float64
		ap       []AP // of the queries that are judged by label, in order
		apExact  []AP
		labelled []int // which queries those are
		byK      depths

		ids       = make([]int32, 0, k) // the answers to one query that count
		beside    = judged{judge: in.Judge, k: k}
		distances = make([]float64, 0, k)
		places    = make([]int, 0, k) // of these answers in the list
		rel       = make([]bool, 0, k)
		seen      = make([]int32, in.Base.Rows) // seen[id] = q+1: query q had it already
		outside   tally
		repeated  tally
		beyond    tally
		disorder  tally
		unlabeled int
		alone     int
		confusion = in.newConfusion()
	)
	for q, given := range in.Answers {
		query := in.Queries.Row(q)
		if len(given) > k {
			beyond.add(q, len(given)-k, 0)
			given = given[:k]
		}
		ids, distances, places, rel = ids[:0], distances[:0], places[:0], rel[:0]
		for _, id := range given {
			switch {
			case id < 0 || int(id) >= in.Base.Rows:
				outside.add(q, 1, id)
				rel = append(rel, false)
				continue
			case in.Self != nil && id == in.Self[q], seen[id] == int32(q)+1:
				repeated.add(q, 1, id)
				rel = append(rel, false)
				continue
			}
			seen[id] = int32(q) + 1
			ids, places = append(ids, id), append(places, len(rel))
			distances = append(distances, in.Metric.Distance(query, in.Base.Row(int(id))))
			rel = append(rel, in.isRelevant(q, id))
			if confusion != nil && in.QueryLabels[q] >= 0 && in.BaseLabels[id] >= 0 {
				confusion[in.QueryLabels[q]][in.BaseLabels[id]]++
			}
		}
		answers += len(ids)
		truth := in.TruthDistances[q][:k]
		recall[q] = float64(in.hits(q, ids, distances, truth[k-1])) / float64(k)
		recallID[q] = RecallIDAt(ids, in.TruthIDs[q], k)
		if err := in.checkTruth(q, ids, distances); err != nil {
			return nil, err
		}
		for i := 1; i < len(ids); i++ {
			if in.Metric.Nearer(distances[i], distances[i-1], query, in.Base.Row(int(ids[i])), Tolerance) {
				disorder.add(q, 1, ids[i])
				break
			}
		}
		if in.Judge != nil {
			beside.add(q, in.credited(q, len(rel), places, ids, distances), in.TruthIDs[q][:k])
		}
		switch {
		case len(in.Labels) == 0:
		case in.QueryLabels[q] < 0:
			unlabeled++
		case in.relevantTo(q, count) == 0:
			alone++
		default:
			total := in.relevantTo(q, count)
			labelled = append(labelled, q)
			in.creditTies(q, rel, places, ids, distances, total)
			ap = append(ap, AveragePrecision(rel, k, total))
			byK.add(rel, k, total)
			rel = rel[:0]
			for _, id := range in.TruthIDs[q][:k] {
				rel = append(rel, in.isRelevant(q, id))
			}
			apExact = append(apExact, AveragePrecision(rel, k, total))
		}
		if in.Metric != vec.InnerProduct {
			slices.Sort(distances) // an index may have them in the order of its own, rougher distances
			if ratio, ok := DistanceRatio(distances, truth); ok {
				ratios = append(ratios, ratio)
			}
		}
	}

	p := Distribution(recall, 0.01, 0.05, 0.5)
	out := &Scores{
		Values: map[string]float64{
			Recall: Average(recall), RecallID: Average(recallID),
			RecallP1: p[0], RecallP5: p[1], RecallP50: p[2],
			RecallZero: float64(zeros(recall)) / float64(n),
			Robust50:   Robustness(recall, 0.5), Robust80: Robustness(recall, 0.8),
			Robust90: Robustness(recall, 0.9), Robust100: Robustness(recall, 1),
			AnswerCount: float64(answers) / float64(n),
		},
		Spread:    map[string]float64{},
		ByLabel:   in.byLabel(recall, labelled, ap),
		Confusion: confusion,
	}
	if in.Difficulty != nil {
		if deciles := Deciles(in.Difficulty, recall); deciles != nil {
			out.ByDecile = map[string][]float64{Recall: deciles}
		}
	}
	out.Spread[Recall] = StandardError(recall)
	out.Spread[RecallID] = StandardError(recallID)
	if len(ratios) > 0 {
		out.Values[DistRatio], out.Spread[DistRatio] = Average(ratios), StandardError(ratios)
	}
	if len(ap) > 0 {
		out.ByK = map[string][]float64{MAP: byK.means()}
		m, exact := averageAP(ap), averageAP(apExact)
		out.Values[MAP], out.Values[MAPList], out.Values[MAPR], out.Values[MAPExact] = m.MinKR, m.List, m.R, exact.MinKR
		own, loss := make([]float64, len(ap)), make([]float64, len(ap))
		for i := range ap {
			own[i], loss[i] = ap[i].MinKR, ap[i].MinKR-apExact[i].MinKR
		}
		out.Spread[MAP], out.Spread[MAPDelta] = StandardError(own), StandardError(loss)
		out.Values[MAPDelta] = Average(loss)
		out.Values[MAPDeltaLo], out.Values[MAPDeltaHi] = BootstrapMean(loss, 1)
		exactly := make([]float64, len(ap))
		for i := range ap {
			exactly[i] = apExact[i].MinKR
		}
		out.blame(&in, "", labelled, own, exactly, 0.5)
	}
	beside.into(out, &in)

	if disorder.queries > 0 {
		out.Disorder = fmt.Sprintf("the answers to %d of %d queries are not nearest first: query %d, id %d is the first that follows a farther one; what counts by rank, like %s, and what shows answers take them as they came", disorder.queries, n, disorder.query, disorder.id, MAP)
	}
	var warnings []string
	warnings = append(warnings, outside.warn("ids outside the base")...)
	warnings = append(warnings, repeated.warn("ids that the query was given already")...)
	if beyond.answers > 0 {
		warnings = append(warnings, fmt.Sprintf("%d of %d queries were given more than the %d answers asked for; what is beyond does not count", beyond.queries, n, k))
	}
	if left := n - len(ratios); left > 0 && in.Metric != vec.InnerProduct {
		warnings = append(warnings, fmt.Sprintf("%s leaves out %d of %d queries: fewer than %d answers, or an answer where an exact neighbour is at distance 0", DistRatio, left, n, k))
	}
	if unlabeled > 0 {
		warnings = append(warnings, fmt.Sprintf("%s leaves out %d of %d queries, which have no label", MAP, unlabeled, n))
	}
	if alone > 0 {
		warnings = append(warnings, fmt.Sprintf("%s leaves out %d of %d queries: the base has nothing of their category", MAP, alone, n))
	}
	out.Warnings = append(warnings, out.Warnings...)
	return out, nil
}

func (in *ScoreInput) newConfusion() [][]int {
	n := len(in.Labels)
	if n == 0 || n > MaxConfusion {
		return nil
	}
	counts := make([][]int, n)
	for i := range counts {
		counts[i] = make([]int, n)
	}
	return counts
}

// check reports what does not fit together.
func (in *ScoreInput) check() error {
	n, k := in.Queries.Rows, min(in.K, in.neighbors())
	switch {
	case !slices.Contains(vec.Metrics, in.Metric):
		return fmt.Errorf("no metric %q", in.Metric)
	case in.K < 1:
		return fmt.Errorf("k is %d, it must be at least 1", in.K)
	case n == 0 || in.Base.Rows == 0:
		return fmt.Errorf("%d queries and %d base vectors: there must be one of each", n, in.Base.Rows)
	case in.Queries.Dim != in.Base.Dim:
		return fmt.Errorf("queries of %d dimensions, a base of %d", in.Queries.Dim, in.Base.Dim)
	case len(in.Answers) != n || len(in.TruthIDs) != n || len(in.TruthDistances) != n:
		return fmt.Errorf("%d queries, but %d answers and exact neighbours of %d (ids) and %d (distances)", n, len(in.Answers), len(in.TruthIDs), len(in.TruthDistances))
	case in.Self != nil && len(in.Self) != n || in.Difficulty != nil && len(in.Difficulty) != n:
		return fmt.Errorf("%d queries, but %d are in the base and %d have a difficulty", n, len(in.Self), len(in.Difficulty))
	case len(in.Labels) > 0 && (len(in.BaseLabels) != in.Base.Rows || len(in.QueryLabels) != n):
		return fmt.Errorf("labels of %d base vectors and %d queries, where there are %d and %d", len(in.BaseLabels), len(in.QueryLabels), in.Base.Rows, n)
	}
	for q := range n {
		if len(in.TruthIDs[q]) < k || len(in.TruthDistances[q]) < k {
			return fmt.Errorf("query %d has %d exact neighbours (ids) and %d (distances), it takes %d", q, len(in.TruthIDs[q]), len(in.TruthDistances[q]), k)
		}
		for _, id := range in.TruthIDs[q][:k] {
			if id < 0 || int(id) >= in.Base.Rows {
				return fmt.Errorf("query %d has %d as an exact neighbour, of %d base vectors", q, id, in.Base.Rows)
			}
		}
		for i, d := range in.TruthDistances[q][:k] {
			if math.IsNaN(d) || math.IsInf(d, 0) {
				return fmt.Errorf("query %d has an exact neighbour at distance %v", q, d)
			}
			if i > 0 && d < in.TruthDistances[q][i-1] {
				return fmt.Errorf("query %d has exact neighbours that are not in the order of their distances", q)
			}
		}
	}
	for _, labels := range [][]int32{in.BaseLabels, in.QueryLabels} {
		for i, label := range labels {
			if label < -1 || int(label) >= len(in.Labels) {
				return fmt.Errorf("vector %d has label %d, of %d labels", i, label, len(in.Labels))
			}
		}
	}
	return nil
}

// checkTruth reports the first answer of query q that is nearer than the exact neighbour of its
// rank. Neighbours are found in float32 before their distances are computed in float64, so the
// order of two that are nearly as far is open; how nearly follows from the lengths of the vectors:
// what is compared is the squared distance under L2 and cosine, and the dot product.
func (in *ScoreInput) checkTruth(q int, ids []int32, distances []float64) error {
	truth := in.TruthDistances[q]
	order := make([]int, len(ids))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		switch {
		case distances[a] < distances[b]:
			return -1
		case distances[a] > distances[b]:
			return 1
		}
		return int(ids[a]) - int(ids[b])
	})
	for rank, i := range order {
		near, exact := distances[i], truth[rank]
		if math.IsNaN(near) || math.IsInf(near, 0) {
			return fmt.Errorf("query %d and base vector %d are at distance %v: vectors must be finite", q, ids[i], near)
		}
		if in.Metric.Nearer(near, exact, in.Queries.Row(q), in.Base.Row(int(ids[i])), Tolerance) {
			return fmt.Errorf("query %d: answer %d is at distance %v, the exact neighbour of that rank (%d) at %v: these neighbours are not those of this data and metric", q, ids[i], near, rank+1, exact)
		}
	}
	return nil
}

func squaredNorm(a []float32) float64 {
	var sum float64
	for _, x := range a {
		sum += float64(x) * float64(x)
	}
	return sum
}

func (in *ScoreInput) isRelevant(q int, id int32) bool {
	return len(in.Labels) > 0 && in.QueryLabels[q] >= 0 && in.BaseLabels[id] == in.QueryLabels[q]
}

// relevantTo is how many items of the base have the label of query q, itself left out.
func (in *ScoreInput) relevantTo(q int, count []int) int {
	n := count[in.QueryLabels[q]]
	if in.Self != nil {
		n--
	}
	return n
}

// relevant counts the items of the base by label.
func (in *ScoreInput) relevant() []int {
	count := make([]int, len(in.Labels))
	for _, label := range in.BaseLabels {
		if label >= 0 {
			count[label]++
		}
	}
	return count
}

// byLabel averages recall and, over the judged queries, mAP by the query's category.
func (in *ScoreInput) byLabel(recall []float64, judged []int, ap []AP) map[string]map[string]float64 {
	if len(in.Labels) == 0 {
		return nil
	}
	r, m := make([][]float64, len(in.Labels)), make([][]float64, len(in.Labels))
	for q, v := range recall {
		if label := in.QueryLabels[q]; label >= 0 {
			r[label] = append(r[label], v)
		}
	}
	for i, q := range judged {
		label := in.QueryLabels[q]
		m[label] = append(m[label], ap[i].MinKR)
	}
	out := map[string]map[string]float64{Recall: {}, MAP: {}, ByLabelMAPLo: {}, ByLabelMAPHi: {}, ByLabelQueries: {}}
	for label, name := range in.Labels {
		if len(r[label]) > 0 {
			out[Recall][name] = Average(r[label])
		}
		if len(m[label]) > 0 {
			out[MAP][name] = Average(m[label])
			out[ByLabelMAPLo][name], out[ByLabelMAPHi][name] = BootstrapMean(m[label], 1)
			out[ByLabelQueries][name] = float64(len(m[label]))
		}
	}
	return out
}

func averageAP(all []AP) (mean AP) {
	for _, ap := range all {
		mean.MinKR += ap.MinKR
		mean.List += ap.List
		mean.R += ap.R
	}
	n := float64(len(all))
	return AP{MinKR: mean.MinKR / n, List: mean.List / n, R: mean.R / n}
}

func zeros(values []float64) (n int) {
	for _, v := range values {
		if v == 0 {
			n++
		}
	}
	return n
}

// tally counts answers that do not count, and keeps the first for the warning.
type tally struct {
	answers, queries int
	query, last      int
	id               int32
}

func (t *tally) add(q, answers int, id int32) {
	if t.answers == 0 {
		t.query, t.id, t.last = q, id, -1
	}
	if t.last != q {
		t.queries++
		t.last = q
	}
	t.answers += answers
}

func (t *tally) warn(what string) []string {
	if t.answers == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%d answers to %d queries are %s, and do not count: query %d, id %d is the first", t.answers, t.queries, what, t.query, t.id)}
}
