package bench

import (
	"cmp"
	"slices"

	"annbench/bench/metric"
)

// poolPerQuery is how many queries are drawn at random for each that the gallery shows. Their answers
// are kept by every record of the first repetition; those that are shown are picked among them. At ten
// answers a query and twelve queries shown, that is 5 kB a record.
const poolPerQuery = 10

// Reasons why a query is in the gallery.
const (
	whyRandom   = "drawn at random"
	whyRecall   = "worst recall"
	whyAP       = "worst average precision"
	whyHub      = "next to a hub"
	whyDisagree = "most disagreement"
)

// pool is what is known of the queries to pick from.
type pool struct {
	truth    [][]int32 // exact neighbours of each
	relevant [][]bool  // whether each exact neighbour has the query's category; nil without labels
	total    []int     // items of the base with the query's category
	hub      []int     // the most queries of all that share one of its neighbours
	cells    []poolCell
}

// poolCell is what one cell answered.
type poolCell struct {
	family  string
	exact   bool
	answers [][]int32
}

type picked struct {
	at  int // in the pool
	why string
}

// pick chooses n queries: a third at random, which is to say the first of the pool, and as many each,
// as far as n goes, of the worst recall, the worst average precision of exact search, those next to
// the biggest hubs, and those on which families disagree most. No query is picked twice.
func (p *pool) pick(n int) []picked {
	all := len(p.truth)
	n = min(n, all)
	var out []picked
	taken := map[int]bool{}
	take := func(want int, why string, score []float64) {
		order := make([]int, all)
		for i := range order {
			order[i] = i
		}
		if score != nil {
			slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(score[b], score[a]) })
		}
		for _, i := range order {
			if want == 0 || len(out) == n {
				return
			}
			if !taken[i] && (score == nil || score[i] > 0) {
				taken[i] = true
				out = append(out, picked{i, why})
				want--
			}
		}
	}
	random := (n + 2) / 3
	take(random, whyRandom, nil)
	each := max(1, (n-random)/4)
	take(each, whyRecall, p.missed())
	take(each, whyAP, p.unlike())
	take(each, whyHub, p.hubs())
	take(each, whyDisagree, p.disagreement())
	take(n-len(out), whyRandom, nil)
	return out
}

// missed is, for each query, the mean share of its exact neighbours that the cells missed, over the
// cells that miss less than half of all: of the others, every query is a bad one.
func (p *pool) missed() []float64 {
	out := make([]float64, len(p.truth))
	used := 0.0
	for _, c := range p.cells {
		if c.exact {
			continue
		}
		one := make([]float64, len(p.truth))
		for q, truth := range p.truth {
			if k := min(len(truth), len(c.answers[q])); k > 0 {
				one[q] = 1 - metric.RecallIDAt(c.answers[q], truth, k)
			}
		}
		if metric.Average(one) < 0.5 {
			used++
			for q, x := range one {
				out[q] += x
			}
		}
	}
	for q := range out {
		out[q] /= max(1, used)
	}
	return out
}

// unlike is what the average precision of exact search lacks to 1.
func (p *pool) unlike() []float64 {
	out := make([]float64, len(p.truth))
	for q := range p.relevant {
		if p.total[q] > 0 && len(p.relevant[q]) > 0 {
			out[q] = 1 - metric.AveragePrecision(p.relevant[q], len(p.relevant[q]), p.total[q]).MinKR
		}
	}
	return out
}

func (p *pool) hubs() []float64 {
	out := make([]float64, len(p.hub))
	for q, n := range p.hub {
		out[q] = float64(n)
	}
	return out
}

// disagreement is the mean share of answers that two families do not share, over pairs of families,
// each at the cell that finds most.
func (p *pool) disagreement() []float64 {
	best := map[string]*poolCell{}
	found := map[string]int{}
	var names []string
	for i := range p.cells {
		c := &p.cells[i]
		hits := 0
		for q, truth := range p.truth {
			hits += shared(c.answers[q], truth)
		}
		if old, ok := best[c.family]; !ok || old != nil && hits > found[c.family] {
			if !ok {
				names = append(names, c.family)
			}
			best[c.family], found[c.family] = c, hits
		}
	}
	out := make([]float64, len(p.truth))
	pairs := 0.0
	for i, a := range names {
		for _, b := range names[i+1:] {
			pairs++
			for q := range out {
				x, y := best[a].answers[q], best[b].answers[q]
				if n := max(len(x), len(y)); n > 0 {
					out[q] += 1 - float64(shared(x, y))/float64(n)
				}
			}
		}
	}
	for q := range out {
		out[q] /= max(1, pairs)
	}
	return out
}

// shared counts the ids that both lists have.
func shared(a, b []int32) (n int) {
	for i, id := range a {
		if slices.Contains(b, id) && !slices.Contains(a[:i], id) {
			n++
		}
	}
	return n
}
