package metric

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
)

// Attribute is what is known of the vectors beside their categories. Two values agree if they are equal; NaN is a
// missing value, which agrees with nothing.
type Attribute struct {
	Name   string
	Weight float64   // what it counts in a gain; above 0
	Base   []float64 // of each base vector
	Query  []float64 // of each query
}

// Relevance is by what answers are judged beside their categories; see [NewJudge].
type Relevance struct {
	// Item says which thing a vector is of; nil where that is not known.
	Item *Attribute
	// Graded are the attributes by which answers are right in part; none: not graded.
	Graded []Attribute
}

// Judge judges answers by a [Relevance]. It is made once for a data set, and may be used by many goroutines at once.
type Judge struct {
	Relevance
	items  []int       // of each query, the base vectors of the same thing, itself left out; nil without Item
	ideal  [][]float64 // of each query, DCG@1, @2, ... of the ideal order; nil where the query cannot be graded
	chance []float64   // of each graded attribute, the agreement of a base vector that is drawn at random
}

// NewJudge prepares r for answers of up to k. self[q] is the base vector that query q is, which is no answer; nil where
// queries do not stand in the base. It is an error if the parts do not fit together.
//
// The ideal order is that of the whole base: all of it by gain, highest first. Its DCG depends on the query's values
// alone, and the base is counted by its values, so this takes queries × kinds of base vectors, not × base vectors.
func NewJudge(r Relevance, self []int32, k int) (*Judge, error) {
	mustAsk(k)
	j := &Judge{Relevance: r}
	all := slices.Clone(r.Graded)
	if r.Item != nil {
		all = append(all, *r.Item)
	}
	for _, a := range all {
		if len(a.Base) != len(all[0].Base) || len(a.Query) != len(all[0].Query) || self != nil && len(self) != len(a.Query) {
			return nil, fmt.Errorf("attribute %q has values of %d base vectors and %d queries", a.Name, len(a.Base), len(a.Query))
		}
	}
	if r.Item != nil {
		count := map[float64]int{}
		for _, v := range r.Item.Base {
			if v == v {
				count[v]++
			}
		}
		j.items = make([]int, len(r.Item.Query))
		for q, v := range r.Item.Query {
			j.items[q] = count[v] // none for NaN, which no key is found by
			if self != nil && j.items[q] > 0 {
				j.items[q]--
			}
		}
	}
	if len(r.Graded) > 0 {
		j.grade(self, k)
	}
	return j, nil
}

// Reordered is j for the queries in another order: query i of it is query order[i] of j.
func (j *Judge) Reordered(order []int) *Judge {
	out := *j
	move := func(a Attribute) Attribute {
		values := make([]float64, len(order))
		for i, q := range order {
			values[i] = a.Query[q]
		}
		a.Query = values
		return a
	}
	if j.Item != nil {
		item := move(*j.Item)
		out.Item, out.items = &item, make([]int, len(order))
		for i, q := range order {
			out.items[i] = j.items[q]
		}
	}
	out.Graded = slices.Clone(j.Graded)
	for i := range out.Graded {
		out.Graded[i] = move(out.Graded[i])
	}
	if j.ideal != nil {
		out.ideal = make([][]float64, len(order))
		for i, q := range order {
			out.ideal[i] = j.ideal[q]
		}
	}
	return &out
}

// grade fills ideal and chance.
func (j *Judge) grade(self []int32, k int) {
	n := len(j.Graded)
	key := make([]byte, 8*n)
	at := func(values func(a *Attribute) float64) string {
		for i := range j.Graded {
			v := values(&j.Graded[i])
			if v != v {
				v = math.NaN() // one of the many
			}
			binary.LittleEndian.PutUint64(key[8*i:], math.Float64bits(v))
		}
		return string(key)
	}
	type kind struct {
		row, count int
	}
	var kinds []kind
	place := map[string]int{}
	for row := range j.Graded[0].Base {
		s := at(func(a *Attribute) float64 { return a.Base[row] })
		i, ok := place[s]
		if !ok {
			i = len(kinds)
			place[s] = i
			kinds = append(kinds, kind{row: row})
		}
		kinds[i].count++
	}
	known := map[string][]float64{}
	j.ideal = make([][]float64, len(j.Graded[0].Query))
	for q := range j.ideal {
		s := at(func(a *Attribute) float64 { return a.Query[q] })
		best, ok := known[s]
		if !ok {
			byGain := map[float64]int{}
			for _, kd := range kinds {
				if g, ok := j.Gain(q, int32(kd.row)); ok && g > 0 {
					byGain[g] += kd.count
				}
			}
			if self != nil && byGain[1] > 0 {
				byGain[1]-- // the query itself, which shares all
			}
			var gains []float64
			for g := range byGain {
				gains = append(gains, g)
			}
			slices.Sort(gains)
			slices.Reverse(gains)
			var order []float64
			for _, g := range gains {
				for range min(byGain[g], k-len(order)) {
					order = append(order, g)
				}
			}
			if len(order) > 0 {
				best = make([]float64, k)
				for i := range best {
					best[i] = DCG(order, i+1)
				}
			}
			known[s] = best
		}
		j.ideal[q] = best
	}
	j.chance = make([]float64, n)
	for i := range j.Graded {
		a := &j.Graded[i]
		count := map[float64]int{}
		for _, v := range a.Base {
			if v == v {
				count[v]++
			}
		}
		sum, judged := 0.0, 0
		for _, v := range a.Query {
			if v == v {
				sum += float64(count[v]) / float64(len(a.Base))
				judged++
			}
		}
		if judged > 0 {
			j.chance[i] = sum / float64(judged)
		}
	}
}

// Gain is what base vector id is worth as an answer to query q: the share of the weights whose attributes agree,
//
//	gain(q, x) = Σ_a w_a·[a(q) = a(x)] / Σ_a w_a
//
// over the attributes a that the query has. ok is false for a query that has none.
func (j *Judge) Gain(q int, id int32) (gain float64, ok bool) {
	var agree, all float64
	for i := range j.Graded {
		a := &j.Graded[i]
		v := a.Query[q]
		if v != v {
			continue
		}
		all += a.Weight
		if a.Base[id] == v {
			agree += a.Weight
		}
	}
	if all == 0 {
		return 0, false
	}
	return agree / all, true
}

// SameItem reports whether base vector id is of the same thing as query q.
func (j *Judge) SameItem(q int, id int32) bool {
	return j.Item != nil && j.Item.Base[id] == j.Item.Query[q]
}

// Items is how many base vectors are of the same thing as query q, itself left out.
func (j *Judge) Items(q int) int {
	if j.Item == nil {
		return 0
	}
	return j.items[q]
}

// CanGrade reports whether some base vector shares an attribute with query q.
func (j *Judge) CanGrade(q int) bool { return j.ideal[q] != nil }

// DCG is the discounted cumulative gain of the first k of a list (Järvelin, Kekäläinen, ACM TOIS 2002, with the discount
// from the second place on, and the logarithm to the base of 2):
//
//	DCG@k = Σ_{i<=k} gain_i / log2(i+1)
func DCG(gains []float64, k int) float64 {
	var sum float64
	for i, g := range gains[:min(k, len(gains))] {
		sum += g / math.Log2(float64(i+2))
	}
	return sum
}

// FoundItems is how a list of answers does by item.
type FoundItems struct {
	Hit    float64 // 1 if an answer is the same thing, else 0
	Recall float64 // share of the min(k, R) things that could be found, R of them being in the base
	RR     float64 // one over the place of the first; 0 where there is none
}

// ItemsFound judges a list by item: same[i-1] says whether the answer at place i is the same thing as the query, and
// total is how many of it the base has, at least as many as are in the list.
//
//	hit@k = 1 if any of the k is     recall@k = found / min(k, R)     RR = 1 / place of the first
//
// The means over queries are hit@k, the recall of items, and MRR (Voorhees, TREC-8, 1999). k < 1 or total < 1 panics.
func ItemsFound(same []bool, k, total int) FoundItems {
	mustAsk(k)
	if total < 1 {
		panic("metric: a query that nothing could be found for")
	}
	var f FoundItems
	found := 0
	for i, s := range same[:min(k, len(same))] {
		if !s {
			continue
		}
		if found == 0 {
			f.Hit, f.RR = 1, 1/float64(i+1)
		}
		found++
	}
	f.Recall = float64(found) / float64(min(k, total))
	return f
}

// credited gives the list of n answers to query q, ids at distances in the places that places says, -1 in the others, with
// ties resolved as exact search resolved them: an answer that ties with the exact neighbour of its rank, from both sides,
// is that neighbour. So an index that finds what exact search finds is judged as exact search is, whichever of several
// vectors at one distance it names. An answer whose own id has gone to another place takes one that is left.
func (in *ScoreInput) credited(q, n int, places []int, ids []int32, distances []float64) []int32 {
	out := make([]int32, n)
	for i := range out {
		out[i] = -1
	}
	taken := make(map[int32]bool, len(ids))
	for i, id := range ids {
		at := places[i]
		neighbor, exact := in.TruthIDs[q][at], in.TruthDistances[q][at]
		if in.ties(q, id, distances[i], exact) && in.ties(q, neighbor, exact, distances[i]) {
			out[at] = neighbor
			taken[neighbor] = true
		}
	}
	var without []int
	for i, id := range ids {
		switch at := places[i]; {
		case out[at] >= 0:
		case taken[id]:
			without = append(without, at)
		default:
			out[at] = id
			taken[id] = true
		}
	}
	for _, id := range ids {
		if len(without) > 0 && !taken[id] {
			out[without[0]] = id
			taken[id] = true
			without = without[1:]
		}
	}
	return out
}

// judged collects what a [Judge] says of the answers to one query after the other.
type judged struct {
	judge *Judge
	k     int

	queries               []int // that can be judged by item
	items, itemsExact     []FoundItems
	graded                []int // that can be graded
	ndcg, ndcgExact       []float64
	agree, agreeExact     [][]float64 // by attribute, of the queries that have it
	noItem, alone, noGain int
}

// add judges the answers to query q, as [credited] gives them, and beside them the exact neighbours.
func (s *judged) add(q int, answers, truth []int32) {
	j := s.judge
	if j == nil {
		return
	}
	if j.Item != nil {
		switch v := j.Item.Query[q]; {
		case v != v:
			s.noItem++
		case j.items[q] == 0:
			s.alone++
		default:
			s.queries = append(s.queries, q)
			s.items = append(s.items, ItemsFound(s.same(q, answers), s.k, j.items[q]))
			s.itemsExact = append(s.itemsExact, ItemsFound(s.same(q, truth), s.k, j.items[q]))
		}
	}
	if len(j.Graded) == 0 {
		return
	}
	if s.agree == nil {
		s.agree, s.agreeExact = make([][]float64, len(j.Graded)), make([][]float64, len(j.Graded))
	}
	for i := range j.Graded {
		a := &j.Graded[i]
		if v := a.Query[q]; v == v {
			s.agree[i] = append(s.agree[i], agreement(a, v, answers, s.k))
			s.agreeExact[i] = append(s.agreeExact[i], agreement(a, v, truth, s.k))
		}
	}
	if j.ideal[q] == nil {
		s.noGain++
		return
	}
	s.graded = append(s.graded, q)
	s.ndcg = append(s.ndcg, s.gain(q, answers))
	s.ndcgExact = append(s.ndcgExact, s.gain(q, truth))
}

func (s *judged) same(q int, answers []int32) []bool {
	same := make([]bool, len(answers))
	for i, id := range answers {
		same[i] = id >= 0 && s.judge.SameItem(q, id)
	}
	return same
}

// gain is the nDCG of answers.
func (s *judged) gain(q int, answers []int32) float64 {
	gains := make([]float64, len(answers))
	for i, id := range answers {
		if id >= 0 {
			gains[i], _ = s.judge.Gain(q, id)
		}
	}
	ideal := s.judge.ideal[q]
	return DCG(gains, s.k) / ideal[min(s.k, len(ideal))-1]
}

// agreement is the share of k answers that have the value v.
func agreement(a *Attribute, v float64, answers []int32, k int) float64 {
	n := 0
	for _, id := range answers[:min(k, len(answers))] {
		if id >= 0 && a.Base[id] == v {
			n++
		}
	}
	return float64(n) / float64(k)
}

// The values of [Scores.ByAttribute].
const (
	Agreement       = "agreement"       // mean share of the k answers that have the query's value
	AgreementExact  = "agreement_exact" // the same of the exact neighbours
	AgreementChance = "chance"          // the same of base vectors that are drawn at random
)

// into adds what was found to out.
func (s *judged) into(out *Scores, in *ScoreInput) {
	if s.judge == nil {
		return
	}
	n := in.Queries.Rows
	pick := func(from []FoundItems, f func(FoundItems) float64) []float64 {
		values := make([]float64, len(from))
		for i, x := range from {
			values[i] = f(x)
		}
		return values
	}
	if len(s.items) > 0 {
		for _, part := range []struct {
			name string
			of   func(FoundItems) float64
		}{
			{ItemHit, func(f FoundItems) float64 { return f.Hit }},
			{ItemRecall, func(f FoundItems) float64 { return f.Recall }},
			{ItemMRR, func(f FoundItems) float64 { return f.RR }},
		} {
			out.pair(part.name, pick(s.items, part.of), pick(s.itemsExact, part.of))
		}
		hits, exact := pick(s.items, func(f FoundItems) float64 { return f.Hit }), pick(s.itemsExact, func(f FoundItems) float64 { return f.Hit })
		out.byLabel(in, ItemHit, s.queries, hits, true)
		out.blame(in, ItemPrefix, s.queries, hits, exact, 1)
	}
	if len(s.ndcg) > 0 {
		out.pair(NDCG, s.ndcg, s.ndcgExact)
		out.byLabel(in, NDCG, s.graded, s.ndcg, true)
	}
	for i, values := range s.agree {
		if len(values) == 0 {
			continue
		}
		if out.ByAttribute == nil {
			out.ByAttribute = map[string]map[string]float64{Agreement: {}, AgreementExact: {}, AgreementChance: {}}
		}
		name := s.judge.Graded[i].Name
		out.ByAttribute[Agreement][name] = Average(values)
		out.ByAttribute[AgreementExact][name] = Average(s.agreeExact[i])
		out.ByAttribute[AgreementChance][name] = s.judge.chance[i]
	}
	for _, left := range []struct {
		n    int
		name string
		why  string
	}{
		{s.noItem, ItemHit, "of which nobody says what they show"},
		{s.alone, ItemHit, "the base has nothing of their item"},
		{s.noGain, NDCG, "no base vector shares an attribute with them"},
	} {
		if left.n > 0 {
			out.Warnings = append(out.Warnings, fmt.Sprintf("%s leaves out %d of %d queries: %s", left.name, left.n, n, left.why))
		}
	}
}

// pair adds the mean of own under name, that of exact, the loss and the ends of its interval, paired over queries.
func (s *Scores) pair(name string, own, exact []float64) {
	loss := make([]float64, len(own))
	for i := range own {
		loss[i] = own[i] - exact[i]
	}
	s.Values[name], s.Spread[name] = Average(own), StandardError(own)
	s.Values[name+ExactSuffix] = Average(exact)
	s.Values[name+DeltaSuffix], s.Spread[name+DeltaSuffix] = Average(loss), StandardError(loss)
	s.Values[name+DeltaSuffix+LoSuffix], s.Values[name+DeltaSuffix+HiSuffix] = BootstrapMean(loss, 1)
}

// byLabel adds the means of values, one for each of queries, by the category of the query, and the ends of their
// intervals where wanted.
func (s *Scores) byLabel(in *ScoreInput, name string, queries []int, values []float64, intervals bool) {
	if len(in.Labels) == 0 {
		return
	}
	by := make([][]float64, len(in.Labels))
	for i, q := range queries {
		if label := in.QueryLabels[q]; label >= 0 {
			by[label] = append(by[label], values[i])
		}
	}
	mean, lo, hi := map[string]float64{}, map[string]float64{}, map[string]float64{}
	for label, own := range by {
		if len(own) > 0 {
			mean[in.Labels[label]] = Average(own)
			if intervals {
				lo[in.Labels[label]], hi[in.Labels[label]] = BootstrapMean(own, 1)
			}
		}
	}
	s.ByLabel[name] = mean
	if intervals {
		s.ByLabel[name+LoSuffix], s.ByLabel[name+HiSuffix] = lo, hi
	}
}

// blame counts the queries with a wrong answer, which is a value below right, by whose fault it is: the embedding's
// where exact search answers wrongly too, and else the index's. Values under prefix have the shares, ByLabel the shares
// of each category.
func (s *Scores) blame(in *ScoreInput, prefix string, queries []int, own, exact []float64, right float64) {
	var embedding, index []float64
	for i := range queries {
		e, x := 0.0, 0.0
		switch {
		case own[i] >= right:
		case exact[i] < right:
			e = 1
		default:
			x = 1
		}
		embedding, index = append(embedding, e), append(index, x)
	}
	for _, part := range []struct {
		name   string
		values []float64
	}{{prefix + WrongEmbed, embedding}, {prefix + WrongIndex, index}} {
		s.Values[part.name], s.Spread[part.name] = Average(part.values), StandardError(part.values)
		s.byLabel(in, part.name, queries, part.values, false)
	}
}
