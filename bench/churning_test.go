package bench

import (
	"errors"
	"sync/atomic"
	"testing"

	"github.com/HdrHistogram/hdrhistogram-go"

	"annbench/bench/dataset"
	"annbench/indexes"
	"annbench/indexes/vec"
)

// quick answers at once with nothing, and after so many searches with an error.
type quick struct {
	indexes.Index
	searches, most int64
}

func (x *quick) Search(dst []vec.Neighbor, _ []float32, _ int) ([]vec.Neighbor, error) {
	if atomic.AddInt64(&x.searches, 1) > x.most {
		return dst, errors.New("searched without an end")
	}
	return dst, nil
}

func (x *quick) Add(vec.Matrix) error { return nil }

func (x *quick) Remove([]int32) error { return nil }

// Queries that arrive faster than they are answered end with the change: those that were due by then are answered, and
// none that came due while these were.
func TestArrivalsEndWithTheChange(t *testing.T) {
	index := &quick{most: 10_000_000}
	w := &worker{set: &dataset.Set{Queries: vec.NewMatrix(3, 2), Base: vec.NewMatrix(300, 2)}}
	w.Points = []Point{{K: 1}}
	w.Churning.Rate = 1e7
	f := &following{w: w, family: &indexes.Family{}, index: index, during: hdrhistogram.New(histogramLowest, histogramHighest, histogramDigits)}
	if err := f.applyWhileSearched(index, nil, make([]int32, 300), vec.NewMatrix(300, 2)); err != nil {
		t.Fatalf("after %d searches: %v", index.searches, err)
	}
	if len(f.rows) != 300 || f.updated != 300 {
		t.Errorf("%d rows, %d changes", len(f.rows), f.updated)
	}
}
