//go:build faiss

package faissshim

/*
#cgo LDFLAGS: -lfaiss_c -lfaiss
#cgo linux LDFLAGS: -ldl

#ifndef _GNU_SOURCE
#define _GNU_SOURCE // for RTLD_DEFAULT
#endif
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>

const char *annbench_faiss_version(void);
const char *annbench_faiss_options(void);
int annbench_faiss_shim(void);
char *annbench_faiss_settings(void *index, char **names);
char *annbench_faiss_set(void *index, const char *name, double value);
char *annbench_faiss_train(void *index, int64_t n, const float *x);
char *annbench_faiss_search_among(void *index, const float *q, int64_t k, const uint8_t *bits, size_t bytes, float *distances, int64_t *labels);
char *annbench_faiss_remove(void *index, const uint8_t *bits, size_t bytes, int64_t *removed);

// OpenMP and OpenBLAS come with Faiss and not with this program, so their functions are looked up and not
// linked: a Faiss with another runtime or another BLAS still works, on the threads that it chooses.
typedef void (*sgemm)(const char *, const char *, const int *, const int *, const int *, const float *,
	const float *, const int *, const float *, const int *, const float *, float *, const int *);

static void (*annbench_omp)(int);
static void (*annbench_blas)(int);

static void annbench_find_setters(void) {
	*(void **)&annbench_omp = dlsym(RTLD_DEFAULT, "omp_set_num_threads");
	*(void **)&annbench_blas = dlsym(RTLD_DEFAULT, "openblas_set_num_threads");
}

static void annbench_threads(int omp, int blas) {
	if (annbench_omp) annbench_omp(omp);
	if (blas > 0 && annbench_blas) annbench_blas(blas);
}

// glibc keeps freed memory; malloc_trim gives it back. Other C libraries may not have it.
static void annbench_trim(void) {
	int (*trim)(size_t) = NULL;
	*(void **)&trim = dlsym(RTLD_DEFAULT, "malloc_trim");
	if (trim) trim(0);
}

// Row i of out gets the dot products of row i of queries with every row of base.
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
	"strings"
	"sync"
	"unsafe"
)

// TrimHeap gives memory that C libraries have freed back to the system, so that what is left is in use.
func TrimHeap() { C.annbench_trim() }

// Version is Faiss's ("1.12.0"), or "" where it was installed without its C++ headers, the only place where it stands.
func Version() string { return C.GoString(C.annbench_faiss_version()) }

// Options is what Faiss says that it was compiled for ("OPTIMIZE AVX2").
func Options() string { return C.GoString(C.annbench_faiss_options()) }

// Full reports whether Faiss is 1.11 or later, with its C++ headers: [Settings], [Set], [Train], [SearchAmong] and [Remove] do
// nothing otherwise.
func Full() bool { return C.annbench_faiss_shim() != 0 }

var findSetters = sync.OnceFunc(func() { C.annbench_find_setters() })

// SetThreads sets how many threads OpenMP uses for what the calling operating-system thread does next, and how many
// OpenBLAS uses in the whole process; blas = 0 leaves BLAS alone.
func SetThreads(omp, blas int) {
	findSetters()
	C.annbench_threads(C.int(omp), C.int(blas))
}

// Floats are n values outside Go's heap, and what frees them; nil where there is no memory for them.
func Floats(n int) (data []float32, free func()) {
	p := C.malloc(C.size_t(n) * 4)
	if p == nil {
		return nil, nil
	}
	return unsafe.Slice((*float32)(p), n), func() { C.free(p) }
}

// thrown is what Faiss threw, as the shim hands it over; it frees message.
func thrown(message *C.char) error {
	if message == nil {
		return nil
	}
	defer C.free(unsafe.Pointer(message))
	return errors.New(C.GoString(message))
}

// Settings are the search settings that an index (a pointer of the C API) has, as Faiss lists them.
func Settings(index unsafe.Pointer) ([]string, error) {
	var names *C.char
	if err := thrown(C.annbench_faiss_settings(index, &names)); err != nil {
		return nil, err
	}
	defer C.free(unsafe.Pointer(names))
	return strings.Fields(C.GoString(names)), nil
}

// Set sets a search setting. The caller has checked that value is one that Faiss's types hold.
func Set(index unsafe.Pointer, name string, value float64) error {
	text := C.CString(name)
	defer C.free(unsafe.Pointer(text))
	return thrown(C.annbench_faiss_set(index, text, C.double(value)))
}

// Train trains an index on vectors of dim values each, one at least, without the lines that Faiss writes to standard
// error where they are fewer than 39 a centroid.
func Train(index unsafe.Pointer, vectors []float32, dim int) error {
	return thrown(C.annbench_faiss_train(index, C.int64_t(len(vectors)/dim), (*C.float)(&vectors[0])))
}

// SearchAmong asks for the len(labels) nearest of q among the IDs whose bits are set in among, bit i % 64 of word i / 64,
// and writes their distances and IDs; an ID of -1 is none. distances is as long as labels, and neither is empty.
func SearchAmong(index unsafe.Pointer, q []float32, among []uint64, distances []float32, labels []int64) error {
	return thrown(C.annbench_faiss_search_among(index, (*C.float)(&q[0]), C.int64_t(len(labels)),
		(*C.uint8_t)(unsafe.Pointer(&among[0])), C.size_t(8*len(among)), (*C.float)(&distances[0]), (*C.int64_t)(&labels[0])))
}

// Remove takes the vectors whose bits are set in gone out of an index, and says how many there were.
func Remove(index unsafe.Pointer, gone []uint64) (removed int, err error) {
	var n C.int64_t
	err = thrown(C.annbench_faiss_remove(index, (*C.uint8_t)(unsafe.Pointer(&gone[0])), C.size_t(8*len(gone)), &n))
	return int(n), err
}

// Dots computes the dot products of all queries with all vectors of base, of dim values each, by sgemm of the BLAS that
// came with Faiss: row i of out is for query i. It reports false where that BLAS has none.
func Dots(queries, base []float32, dim int, out []float32) bool {
	return C.annbench_dots(C.int(len(queries)/dim), C.int(len(base)/dim), C.int(dim),
		(*C.float)(&queries[0]), (*C.float)(&base[0]), (*C.float)(&out[0])) != 0
}
