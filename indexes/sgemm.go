//go:build faiss

package indexes

/*
#cgo linux LDFLAGS: -ldl

#ifndef _GNU_SOURCE
#define _GNU_SOURCE // for RTLD_DEFAULT
#endif
#include <dlfcn.h>
#include <stddef.h>

typedef void (*sgemm)(const char *, const char *, const int *, const int *, const int *, const float *,
	const float *, const int *, const float *, const int *, const float *, float *, const int *);

// Row i of out gets the dot products of row i of queries with every row of base. BLAS comes with Faiss
// and not with this program, so it is looked up and not linked. 0: there is none.
static int annbench_dots(int queries, int rows, int dim, const float *q, const float *base, float *out) {
	const float one = 1, zero = 0;
	sgemm f = NULL;
	*(void **)&f = dlsym(RTLD_DEFAULT, "sgemm_");
	if (!f) return 0;
	f("T", "N", &rows, &queries, &dim, &one, base, &dim, q, &dim, &zero, out, &rows);
	return 1;
}
*/
import "C"

import (
	"errors"
	"runtime"

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
	if C.annbench_dots(C.int(queries.Rows), C.int(base.Rows), C.int(base.Dim), (*C.float)(&queries.Data[0]), (*C.float)(&base.Data[0]), (*C.float)(&out[0])) == 0 {
		return errors.New("the BLAS that came with Faiss has no sgemm")
	}
	return nil
}
