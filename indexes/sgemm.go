//go:build faiss

package indexes

import (
	"errors"
	"runtime"

	"annbench/indexes/faissshim"
	"annbench/indexes/vec"
)

// DotsByBLAS computes the dot product of every query with every vector of base by one matrix product
// (sgemm) of the BLAS that Faiss uses, on so many threads: row i of out, of len base.Rows, is for query
// i. It is no index: exact search is measured against it.
func DotsByBLAS(base, queries vec.Matrix, out []float32, threads int) error {
	if base.Rows < 1 || queries.Rows < 1 || base.Dim != queries.Dim || len(out) != base.Rows*queries.Rows {
		return errors.New("a matrix product of shapes that do not fit")
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	setFaissThreads(1, threads)
	if !faissshim.Dots(queries.Data, base.Data, base.Dim, out) {
		return errors.New("the BLAS that came with Faiss has no sgemm")
	}
	return nil
}
