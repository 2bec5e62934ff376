package bench

import (
	"errors"
	"fmt"
	"io/fs"
	"runtime/debug"

	"annbench/bench/transform"
	"annbench/indexes/vec"
	"annbench/internal/atomicfile"
)

// smaller are the vectors of a worker whose order has a transform. Truth and scores stay with those of the set.
type smaller struct{ base, queries vec.Matrix }

// base are the vectors that are indexed: of a worker that searches, none.
func (w *worker) base() vec.Matrix {
	if w.Transform != "" {
		return w.small.base
	}
	return w.set.Base
}

// queries are those that indexes are asked.
func (w *worker) queries() vec.Matrix {
	if w.Transform != "" {
		return w.small.queries
	}
	return w.set.Queries
}

// shrink applies the transform, and learns it where nobody has yet. It is done before anything is timed, and the
// memory that it took is given back before anybody looks at the memory of an index.
func (w *worker) shrink() error {
	t, err := transform.Parse(w.Transform)
	if err != nil {
		return err
	}
	var fitted *transform.Fitted
	switch err := atomicfile.ReadJSON(w.Fit, &fitted); {
	case errors.Is(err, fs.ErrNotExist):
		if fitted, err = t.Fit(w.set.Base, w.Metric); err != nil {
			return err
		}
		if err := atomicfile.WriteJSON(w.Fit, fitted); err != nil {
			return err
		}
	case err != nil:
		return err
	case fitted == nil || fitted.Word != w.Transform || fitted.Metric != w.Metric:
		return fmt.Errorf("%s is not what the transform %s has learnt", w.Fit, w.Transform)
	}
	if w.small.queries, err = fitted.Apply(w.set.Queries); err != nil {
		return err
	}
	if w.Do == doBuild {
		if w.small.base, err = fitted.Apply(w.set.Base); err != nil {
			return err
		}
	}
	debug.FreeOSMemory()
	return nil
}
