package vec

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

//go:generate go run kerngen_amd64.go

// kernels are the distance kernels of one SIMD level. They take pointers and lengths, as assembly
// does; the functions around them check the lengths. Within a level the value of a pair depends on
// its components alone: every shape of kernel adds them up in the same order, so the same two
// vectors give the same bits wherever they stand.
type kernels struct {
	level   string
	dot, l2 pairKernels
	scaled  scaledKernels
	codes   codeKernels
	// A tile is the dot products of groups*tileQueries consecutive queries, groups >= 1, with tileRows
	// consecutive rows; that of row r and query j of group g goes to out[(g*tileRows+r)*tileQueries+j].
	tile                  oneToManyFunc
	tileQueries, tileRows int
	// sieve gives dot products like a tile's, but summed in another order, for tiles of its own.
	sieve                   oneToManyFunc
	sieveQueries, sieveRows int
}

// pairKernels are the shapes of one kernel. Rows come in groups of four, groups >= 1, dim >= 1.
type pairKernels struct {
	one func(a, b *float32, n int) float32
	// out gets 4*groups values.
	rows oneToManyFunc
	// The same for rows that are not counted in groups, one by one.
	stream func(q, base *float32, rows, dim int, out *float32)
	// Row i is at base[ids[i]*dim].
	scattered func(q, base *float32, ids *int32, groups, dim int, out *float32)
}

type oneToManyFunc = func(q, base *float32, groups, dim int, out *float32)

// scaledKernels give the squared Euclidean distance of a and b times a scale of b's own, each product
// and each difference rounded to float32, so that it is what l2 gives for a scaled copy of b.
type scaledKernels struct {
	one func(a, b *float32, n int, scale float32) float32
	// scales[i] belongs to row i of the rows, or of base.
	rows      func(q, base, scales *float32, groups, dim int, out *float32)
	stream    func(q, base, scales *float32, rows, dim int, out *float32)
	scattered func(q, base, scales *float32, ids *int32, groups, dim int, out *float32)
}

// codeKernels are over rows of unsigned bytes and queries of signed ones; sums are exact.
type codeKernels struct {
	// n is a multiple of 16, and at least 16.
	one func(q *int8, row *uint8, n int) int32
	// out gets 4*groups values; row i is the n bytes from base + ids[i]*stride.
	scattered func(q *int8, base *uint8, ids *int32, groups, n, stride int, out *int32)
	// What [CodeBlocks.Scan] does, for n >= 1 blocks; quads is a quarter of a row's bytes, even.
	scan func(q *int8, blocks, next *uint32, n, quads int, factor, reach, offset float32, out *float32, masks *uint16)
	// What [CodeSieve.Scan] does, for n >= 1 blocks.
	sieve func(q *int8, blocks *uint32, errs *float32, n, quads int, factor, reach, offset float32, masks *uint16)
}

// kern is the level in use, chosen once at the start.
var kern = choose(levels(), os.Getenv("ANNBENCH_SIMD"))

// choose takes the level called forced, or the best where it is empty. have is in rising order. A
// level that this machine cannot run, or that does not exist, would give numbers under a wrong name,
// so it panics: there is no caller yet to whom an error could go.
func choose(have []kernels, forced string) kernels {
	if forced == "" {
		return have[len(have)-1]
	}
	i := slices.IndexFunc(have, func(k kernels) bool { return k.level == forced })
	if i < 0 {
		names := make([]string, len(have))
		for i := range have {
			names[i] = have[i].level
		}
		panic(fmt.Sprintf("ANNBENCH_SIMD=%s: this machine has %s", forced, strings.Join(names, ", ")))
	}
	return have[i]
}

// Level names the SIMD instructions that the kernels of this process use: "avx512", "avx2" or "go"
// (portable Go). The environment variable ANNBENCH_SIMD forces one; the program stops with a message
// where the machine does not have it.
//
// A level has its own order of summation, so rank values differ between levels in their last bits.
// Within a level every function of this package gives the same bits for the same pair.
func Level() string { return kern.level }

// Dot is the dot product of a and b, which must be of one length.
func Dot(a, b []float32) float32 {
	if len(a) == 0 {
		return 0
	}
	b = b[:len(a)]
	return kern.dot.one(&a[0], &b[0], len(a))
}

// SquaredL2 is the squared Euclidean distance of a and b, which must be of one length, from their
// differences, so that near-duplicates keep their digits. It is +Inf beyond the range of a float32.
func SquaredL2(a, b []float32) float32 {
	if len(a) == 0 {
		return 0
	}
	b = b[:len(a)]
	return kern.l2.one(&a[0], &b[0], len(a))
}

// DotRows sets out[i] to the dot product of q and row i of rows, for every row; len(out) is the number
// of rows.
func DotRows(out, q []float32, rows Matrix) { kern.dot.overRows(out, q, rows) }

// SquaredL2Rows is [DotRows] for the squared Euclidean distance.
func SquaredL2Rows(out, q []float32, rows Matrix) { kern.l2.overRows(out, q, rows) }

// DotScattered sets out[i] to the dot product of q and row ids[i] of base; out and ids are of one
// length. It panics where an id is not a row of base.
func DotScattered(out, q []float32, base Matrix, ids []int32) {
	kern.dot.overScattered(out, q, base, ids)
}

// SquaredL2Scattered is [DotScattered] for the squared Euclidean distance.
func SquaredL2Scattered(out, q []float32, base Matrix, ids []int32) {
	kern.l2.overScattered(out, q, base, ids)
}

func (k *pairKernels) overRows(out, q []float32, rows Matrix) {
	out, q = out[:rows.Rows], q[:rows.Dim]
	if rows.Rows == 0 || rows.Dim == 0 {
		clear(out)
		return
	}
	_ = rows.Data[rows.Rows*rows.Dim-1]
	if rows.Dim > inFours {
		k.stream(&q[0], &rows.Data[0], rows.Rows, rows.Dim, &out[0])
		return
	}
	whole := rows.Rows &^ 3
	if whole > 0 {
		k.rows(&q[0], &rows.Data[0], whole/4, rows.Dim, &out[0])
	}
	for i := whole; i < rows.Rows; i++ {
		out[i] = k.one(&q[0], &rows.Row(i)[0], rows.Dim)
	}
}

func (k *pairKernels) overScattered(out, q []float32, base Matrix, ids []int32) {
	out, q = out[:len(ids)], q[:base.Dim]
	checkIDs(ids, base)
	if len(ids) == 0 || base.Dim == 0 {
		clear(out)
		return
	}
	whole := len(ids) &^ 3
	if whole > 0 {
		k.scattered(&q[0], &base.Data[0], &ids[0], whole/4, base.Dim, &out[0])
	}
	switch {
	case whole == len(ids):
	case whole > 0: // the last four again, for the sake of reading four at once
		last := len(ids) - 4
		k.scattered(&q[0], &base.Data[0], &ids[last], 1, base.Dim, &out[last])
	default:
		for i, id := range ids {
			out[i] = k.one(&q[0], &base.Row(int(id))[0], base.Dim)
		}
	}
}

// Consecutive rows of at most inFours components are taken four at a time, which saves their folding.
// Longer ones go one by one, because four streams side by side defeat the hardware's prefetching.
const inFours = 32

func (k *scaledKernels) overRows(out, q []float32, rows Matrix, scales []float32) {
	out, q, scales = out[:rows.Rows], q[:rows.Dim], scales[:rows.Rows]
	if rows.Rows == 0 {
		return
	}
	_ = rows.Data[rows.Rows*rows.Dim-1]
	if rows.Dim > inFours {
		k.stream(&q[0], &rows.Data[0], &scales[0], rows.Rows, rows.Dim, &out[0])
		return
	}
	whole := rows.Rows &^ 3
	if whole > 0 {
		k.rows(&q[0], &rows.Data[0], &scales[0], whole/4, rows.Dim, &out[0])
	}
	for i := whole; i < rows.Rows; i++ {
		out[i] = k.one(&q[0], &rows.Row(i)[0], rows.Dim, scales[i])
	}
}

func (k *scaledKernels) overScattered(out, q []float32, base Matrix, scales []float32, ids []int32) {
	out, q, scales = out[:len(ids)], q[:base.Dim], scales[:base.Rows]
	checkIDs(ids, base)
	whole := len(ids) &^ 3
	if whole > 0 {
		k.scattered(&q[0], &base.Data[0], &scales[0], &ids[0], whole/4, base.Dim, &out[0])
	}
	switch {
	case whole == len(ids):
	case whole > 0:
		last := len(ids) - 4
		k.scattered(&q[0], &base.Data[0], &scales[0], &ids[last], 1, base.Dim, &out[last])
	default:
		for i, id := range ids {
			out[i] = k.one(&q[0], &base.Row(int(id))[0], base.Dim, scales[id])
		}
	}
}

// checkIDs panics where an id is not a row of base, as the kernels would read beyond it.
func checkIDs(ids []int32, base Matrix) {
	_ = base.Data[:base.Rows*base.Dim]
	for _, id := range ids {
		if uint(id) >= uint(base.Rows) {
			panic(fmt.Sprintf("vec: id %d of %d rows", id, base.Rows))
		}
	}
}
