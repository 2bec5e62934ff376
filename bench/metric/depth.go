package metric

import "math"

// depths is mean average precision by how many of the answers are looked at.
type depths struct {
	sums    []float64
	queries int
}

// add takes the answers to one query: see [AveragePrecision], whose AP@j by MinKR this is for every j up to k.
func (d *depths) add(relevant []bool, k, total int) {
	if d.sums == nil {
		d.sums = make([]float64, k)
	}
	d.queries++
	hits, sum := 0, 0.0
	for i := range k {
		if i < len(relevant) && relevant[i] {
			hits++
			sum += float64(hits) / float64(i+1)
		}
		d.sums[i] += sum / float64(min(i+1, total))
	}
}

// means are mAP@1 to mAP@k, to a millionth; nil where no query was judged.
func (d *depths) means() []float64 {
	if d.queries == 0 {
		return nil
	}
	out := make([]float64, len(d.sums))
	for i, sum := range d.sums {
		out[i] = math.Round(sum/float64(d.queries)*1e6) / 1e6
	}
	return out
}
