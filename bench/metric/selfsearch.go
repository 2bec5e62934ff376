package metric

import (
	"fmt"

	"annbench/indexes/vec"
)

// SelfScores judge exact search of every vector of a collection among all the others.
type SelfScores struct {
	K   []int     // as asked for
	MAP []float64 // at each K: mean of [AveragePrecision].MinKR over the vectors that have a relevant other

	ByLabel [][]float64 // by label, then at each K; NaN-free: a label without queries has no row (nil)
	Queries []int       // by label: vectors that have a relevant other

	// LID is the local intrinsic dimensionality over LIDK neighbours; HasLID is false where no vector
	// has one. See [LID] and [MeanLID].
	LID    float64
	LIDK   int
	HasLID bool
}

// SelfSearch scores neighbors, the perRow nearest rows of every row of a collection among all of its
// rows, itself included, nearest first, as vec.Exact gives them. Each row's own number is taken out,
// or the last answer where copies of the row have crowded it out. labels says which rows are relevant
// to each other: those of one label, 0 <= label < classes.
//
// Every k is at least 1, and more than perRow-1 is an error. LID is taken over all answers but the
// row itself, from distance, which makes a metric distance of a rank value.
func SelfSearch(neighbors []vec.Neighbor, perRow int, labels []int32, classes int, ks []int, distance func(rank float32) float64) (*SelfScores, error) {
	if len(neighbors) != perRow*len(labels) {
		return nil, fmt.Errorf("scoring: %d answers for %d vectors of %d answers each", len(neighbors), len(labels), perRow)
	}
	for _, k := range ks {
		if k < 1 || k > perRow-1 {
			return nil, fmt.Errorf("scoring: k = %d with %d others searched", k, perRow-1)
		}
	}
	have := make([]int, classes)
	for _, l := range labels {
		have[l]++
	}
	s := &SelfScores{
		K: ks, MAP: make([]float64, len(ks)), ByLabel: make([][]float64, classes), Queries: make([]int, classes), LIDK: perRow - 1,
	}
	var (
		relevant  = make([]bool, 0, perRow)
		distances = make([]float64, 0, perRow)
		lids      []float64
		n         int
	)
	for row, label := range labels {
		relevant, distances = relevant[:0], distances[:0]
		for _, a := range neighbors[row*perRow : (row+1)*perRow] {
			if int(a.ID) != row && len(relevant) < perRow-1 {
				relevant = append(relevant, labels[a.ID] == label)
				distances = append(distances, distance(a.Dist))
			}
		}
		if v, ok := LID(distances); ok {
			lids = append(lids, v)
		}
		if have[label] < 2 {
			continue
		}
		if s.ByLabel[label] == nil {
			s.ByLabel[label] = make([]float64, len(ks))
		}
		for i, k := range ks {
			ap := AveragePrecision(relevant, k, have[label]-1).MinKR
			s.MAP[i] += ap
			s.ByLabel[label][i] += ap
		}
		s.Queries[label]++
		n++
	}
	for i := range ks {
		if n > 0 {
			s.MAP[i] /= float64(n)
		}
		for l, sums := range s.ByLabel {
			if sums != nil {
				sums[i] /= float64(s.Queries[l])
			}
		}
	}
	if len(lids) > 0 {
		s.LID, s.HasLID = MeanLID(lids), true
	}
	return s, nil
}
