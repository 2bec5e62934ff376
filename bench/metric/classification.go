package metric

import "fmt"

// Confusion counts answers of a classifier: Counts[t][g] pictures of category t were taken for
// category g. Make one with [NewConfusion].
type Confusion struct {
	Classes []string `json:"classes"`
	Counts  [][]int  `json:"counts"`
}

// NewConfusion returns a table without counts.
func NewConfusion(classes []string) *Confusion {
	c := &Confusion{Classes: classes, Counts: make([][]int, len(classes))}
	for i := range c.Counts {
		c.Counts[i] = make([]int, len(classes))
	}
	return c
}

// Add counts one picture of category truth that was taken for guess. Numbers out of range panic.
func (c *Confusion) Add(truth, guess int) { c.Counts[truth][guess]++ }

// Total is the number of pictures.
func (c *Confusion) Total() int {
	n := 0
	for _, row := range c.Counts {
		for _, v := range row {
			n += v
		}
	}
	return n
}

// Accuracy is the share of pictures that were taken for what they are, the trace over the total. ok
// is false where there are no pictures.
func (c *Confusion) Accuracy() (share float64, ok bool) {
	right, total := 0, c.Total()
	for i := range c.Counts {
		right += c.Counts[i][i]
	}
	return over(right, total)
}

// CategoryScore is how well one category is told from the others. With TP the pictures of the category that
// were taken for it, FP those of others that were, and FN those of it that were not:
//
//	precision = TP/(TP+FP)   recall = TP/(TP+FN)   F1 = 2·TP/(2·TP+FP+FN)
//
// F1 is the harmonic mean of the two (van Rijsbergen, 1979). A quotient with a denominator of 0 is
// missing, nil: the precision of a category that nothing was taken for, the recall of one that has
// no pictures.
type CategoryScore struct {
	Precision, Recall, F1 *float64
	Support               int // TP+FN: pictures of the category
}

// Score is that of category i, from its row and its column.
func (c *Confusion) Score(i int) CategoryScore {
	tp, support, taken := c.Counts[i][i], 0, 0
	for j := range c.Counts {
		support += c.Counts[i][j]
		taken += c.Counts[j][i]
	}
	s := CategoryScore{Support: support}
	for _, q := range []struct {
		to          **float64
		over, under int
	}{{&s.Precision, tp, taken}, {&s.Recall, tp, support}, {&s.F1, 2 * tp, taken + support}} {
		if v, ok := over(q.over, q.under); ok {
			*q.to = &v
		}
	}
	return s
}

// Worst is the category that pictures of category i are most often taken for, other than i itself,
// and how many; of equals the first. n is 0 where none was taken for another.
func (c *Confusion) Worst(i int) (guess, n int) {
	for j, v := range c.Counts[i] {
		if j != i && v > n {
			guess, n = j, v
		}
	}
	return guess, n
}

func over(a, b int) (float64, bool) {
	if b == 0 {
		return 0, false
	}
	return float64(a) / float64(b), true
}

// RankOf is the place of a category in the order of the logits, from 1: top-k accuracy is the share
// of pictures whose own category has a place of at most k (Russakovsky et al., ILSVRC, IJCV 2015).
// Of equal logits the lower column comes first, as it does in the answer itself. A label out of
// range panics.
func RankOf(logits []float32, label int) int {
	if label < 0 || label >= len(logits) {
		panic(fmt.Sprintf("metric: category %d of %d", label, len(logits)))
	}
	rank := 1
	for j, v := range logits {
		if v > logits[label] || v == logits[label] && j < label {
			rank++
		}
	}
	return rank
}
