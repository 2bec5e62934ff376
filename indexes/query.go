package indexes

import (
	"errors"
	"fmt"

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
