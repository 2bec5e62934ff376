package indexes

import (
	"errors"
	"fmt"
	"math"

	"annbench/indexes/vec"
)

// ErrClosed is wrapped by the errors of an index that is used after Close.
var ErrClosed = errors.New("the index is closed")

func errClosed(f *Family) error { return fmt.Errorf("%s: %w", f.Name, ErrClosed) }

// askable reports what forbids to ask an index of family f and dim dimensions for the k nearest of q.
func askable(f *Family, dim int, q []float32, k int) error {
	if k < 1 {
		return fmt.Errorf("searching %s: k = %d: it must be at least 1", f.Name, k)
	}
	if len(q) != dim {
		return fmt.Errorf("searching %s: the query has %d dimensions, the index %d", f.Name, len(q), dim)
	}
	if i := vec.FirstNonFinite(q); i >= 0 {
		return fmt.Errorf("searching %s: the query holds %v in dimension %d", f.Name, q[i], i)
	}
	return nil
}

// addable reports what forbids to add vectors to an index of family f, of dim dimensions, that has given out so many IDs.
func addable(f *Family, dim int, given int64, more vec.Matrix) error {
	if more.Dim != dim {
		return fmt.Errorf("adding to %s: vectors of %d dimensions to those of %d", f.Name, more.Dim, dim)
	}
	if len(more.Data) != more.Rows*more.Dim {
		return fmt.Errorf("adding to %s: %d vectors of %d dimensions need %d values, there are %d", f.Name, more.Rows, more.Dim, more.Rows*more.Dim, len(more.Data))
	}
	if i := vec.FirstNonFinite(more.Data); i >= 0 {
		return fmt.Errorf("adding to %s: vector %d holds %v in dimension %d", f.Name, i/dim, more.Data[i], i%dim)
	}
	if given+int64(more.Rows) > math.MaxInt32 {
		return fmt.Errorf("adding to %s: %d vectors and %d more are more than can be numbered", f.Name, given, more.Rows)
	}
	return nil
}

func errNotThere(f *Family, id int32) error {
	return fmt.Errorf("removing from %s: there is no vector %d: it was not given out, or was removed before", f.Name, id)
}

func errTwice(f *Family, id int32) error {
	return fmt.Errorf("removing from %s: vector %d is given twice", f.Name, id)
}
