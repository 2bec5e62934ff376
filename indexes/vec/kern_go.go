package vec

import (
	"math"
	"unsafe"
)

// goKernels are the kernels in portable Go: eight sums a pair, which the processor can run side by
// side; the remainder of a vector goes to the first.
//
// The conversions float32(x*y) forbid the compiler to fuse the multiplication with the addition, as
// it does on arm64, so that this level gives the same bits on every machine.
func goKernels() kernels {
	return kernels{
		level: "go",
		dot: pairKernels{
			one: dotGo,
			rows: func(q, base *float32, groups, dim int, out *float32) {
				streamGo(dotGo, q, base, 4*groups, dim, out)
			},
			stream: func(q, base *float32, rows, dim int, out *float32) {
				streamGo(dotGo, q, base, rows, dim, out)
			},
			scattered: func(q, base *float32, ids *int32, groups, dim int, out *float32) {
				scatteredGo(dotGo, q, base, ids, groups, dim, out)
			},
		},
		l2: pairKernels{
			one: l2Go,
			rows: func(q, base *float32, groups, dim int, out *float32) {
				streamGo(l2Go, q, base, 4*groups, dim, out)
			},
			stream: func(q, base *float32, rows, dim int, out *float32) {
				streamGo(l2Go, q, base, rows, dim, out)
			},
			scattered: func(q, base *float32, ids *int32, groups, dim int, out *float32) {
				scatteredGo(l2Go, q, base, ids, groups, dim, out)
			},
		},
		scaled: scaledKernels{
			one: scaledGo,
			rows: func(q, base, scales *float32, groups, dim int, out *float32) {
				scaledStreamGo(q, base, scales, 4*groups, dim, out)
			},
			stream: scaledStreamGo,
			scattered: func(q, base, scales *float32, ids *int32, groups, dim int, out *float32) {
				o := unsafe.Slice(out, 4*groups)
				for i, id := range unsafe.Slice(ids, 4*groups) {
					row := (*float32)(unsafe.Add(unsafe.Pointer(base), 4*int(id)*dim))
					scale := (*float32)(unsafe.Add(unsafe.Pointer(scales), 4*int(id)))
					o[i] = scaledGo(q, row, dim, *scale)
				}
			},
		},
		codes:        codeKernels{dotCodesGo, dotCodesScatteredGo, scanCodesGo, sieveCodesGo},
		tile:         tileGo,
		tileQueries:  goTile,
		tileRows:     goTile,
		sieve:        tileGo,
		sieveQueries: goTile,
		sieveRows:    goTile,
	}
}

// goTile queries and rows make a tile of the portable kernels: few enough for the first-level cache.
const goTile = 4

func streamGo(one func(a, b *float32, n int) float32, q, base *float32, n, dim int, out *float32) {
	rows, o := unsafe.Slice(base, n*dim), unsafe.Slice(out, n)
	for i := range o {
		o[i] = one(q, &rows[i*dim], dim)
	}
}

func scaledStreamGo(q, base, scales *float32, n, dim int, out *float32) {
	rows, scale := unsafe.Slice(base, n*dim), unsafe.Slice(scales, n)
	for i, o := 0, unsafe.Slice(out, n); i < len(o); i++ {
		o[i] = scaledGo(q, &rows[i*dim], dim, scale[i])
	}
}

func scatteredGo(one func(a, b *float32, n int) float32, q, base *float32, ids *int32, groups, dim int, out *float32) {
	o := unsafe.Slice(out, 4*groups)
	for i, id := range unsafe.Slice(ids, 4*groups) {
		o[i] = one(q, (*float32)(unsafe.Add(unsafe.Pointer(base), 4*int(id)*dim)), dim)
	}
}

func tileGo(q, base *float32, groups, dim int, out *float32) {
	queries, rows := unsafe.Slice(q, groups*goTile*dim), unsafe.Slice(base, goTile*dim)
	o := unsafe.Slice(out, groups*goTile*goTile)
	for g := range groups {
		for r := range goTile {
			for j := range goTile {
				o[(g*goTile+r)*goTile+j] = dotGo(&queries[(g*goTile+j)*dim], &rows[r*dim], dim)
			}
		}
	}
}

func dotGo(pa, pb *float32, n int) float32 {
	a, b := unsafe.Slice(pa, n), unsafe.Slice(pb, n)
	var s0, s1, s2, s3, s4, s5, s6, s7 float32
	for len(a) >= 8 && len(b) >= 8 {
		x, y := (*[8]float32)(a), (*[8]float32)(b)
		s0 += float32(x[0] * y[0])
		s1 += float32(x[1] * y[1])
		s2 += float32(x[2] * y[2])
		s3 += float32(x[3] * y[3])
		s4 += float32(x[4] * y[4])
		s5 += float32(x[5] * y[5])
		s6 += float32(x[6] * y[6])
		s7 += float32(x[7] * y[7])
		a, b = a[8:], b[8:]
	}
	for i, x := range a {
		s0 += float32(x * b[i])
	}
	return (s0 + s1) + (s2 + s3) + ((s4 + s5) + (s6 + s7))
}

func l2Go(pa, pb *float32, n int) float32 {
	a, b := unsafe.Slice(pa, n), unsafe.Slice(pb, n)
	var s0, s1, s2, s3, s4, s5, s6, s7 float32
	for len(a) >= 8 && len(b) >= 8 {
		x, y := (*[8]float32)(a), (*[8]float32)(b)
		d0, d1, d2, d3 := x[0]-y[0], x[1]-y[1], x[2]-y[2], x[3]-y[3]
		d4, d5, d6, d7 := x[4]-y[4], x[5]-y[5], x[6]-y[6], x[7]-y[7]
		s0 += float32(d0 * d0)
		s1 += float32(d1 * d1)
		s2 += float32(d2 * d2)
		s3 += float32(d3 * d3)
		s4 += float32(d4 * d4)
		s5 += float32(d5 * d5)
		s6 += float32(d6 * d6)
		s7 += float32(d7 * d7)
		a, b = a[8:], b[8:]
	}
	for i, x := range a {
		d := x - b[i]
		s0 += float32(d * d)
	}
	return (s0 + s1) + (s2 + s3) + ((s4 + s5) + (s6 + s7))
}

func scaledGo(pa, pb *float32, n int, scale float32) float32 {
	a, b := unsafe.Slice(pa, n), unsafe.Slice(pb, n)
	var s0, s1, s2, s3, s4, s5, s6, s7 float32
	for len(a) >= 8 && len(b) >= 8 {
		x, y := (*[8]float32)(a), (*[8]float32)(b)
		d0, d1 := x[0]-float32(scale*y[0]), x[1]-float32(scale*y[1])
		d2, d3 := x[2]-float32(scale*y[2]), x[3]-float32(scale*y[3])
		d4, d5 := x[4]-float32(scale*y[4]), x[5]-float32(scale*y[5])
		d6, d7 := x[6]-float32(scale*y[6]), x[7]-float32(scale*y[7])
		s0 += float32(d0 * d0)
		s1 += float32(d1 * d1)
		s2 += float32(d2 * d2)
		s3 += float32(d3 * d3)
		s4 += float32(d4 * d4)
		s5 += float32(d5 * d5)
		s6 += float32(d6 * d6)
		s7 += float32(d7 * d7)
		a, b = a[8:], b[8:]
	}
	for i, x := range a {
		d := x - float32(scale*b[i])
		s0 += float32(d * d)
	}
	return (s0 + s1) + (s2 + s3) + ((s4 + s5) + (s6 + s7))
}

func dotCodesGo(pq *int8, prow *uint8, n int) int32 {
	q, row := unsafe.Slice(pq, n), unsafe.Slice(prow, n)
	var s0, s1, s2, s3 int32
	for len(q) >= 4 && len(row) >= 4 {
		x, y := (*[4]int8)(q), (*[4]uint8)(row)
		s0 += int32(x[0]) * int32(y[0])
		s1 += int32(x[1]) * int32(y[1])
		s2 += int32(x[2]) * int32(y[2])
		s3 += int32(x[3]) * int32(y[3])
		q, row = q[4:], row[4:]
	}
	return s0 + s1 + s2 + s3
}

func dotCodesScatteredGo(q *int8, base *uint8, ids *int32, groups, n, stride int, out *int32) {
	o := unsafe.Slice(out, 4*groups)
	for i, id := range unsafe.Slice(ids, 4*groups) {
		o[i] = dotCodesGo(q, (*uint8)(unsafe.Add(unsafe.Pointer(base), int(id)*stride)), n)
	}
}

func scanCodesGo(pq *int8, pblocks, _ *uint32, n, quads int, factor, reach, offset float32, pout *float32, pmasks *uint16) {
	q, blocks := unsafe.Slice(pq, 4*quads), unsafe.Slice(pblocks, n*CodeBlock*(3+quads))
	out, masks := unsafe.Slice(pout, CodeBlock*n), unsafe.Slice(pmasks, n)
	for b := range masks {
		norms, errs, codes := blocks[:CodeBlock], blocks[CodeBlock:2*CodeBlock], blocks[3*CodeBlock:]
		blocks = blocks[CodeBlock*(3+quads):]
		sums := sumCodesGo(q, codes)
		mask := uint16(0)
		for j, sum := range sums {
			v := math.Float32frombits(norms[j]) + float32(factor*float32(sum))
			out[b*CodeBlock+j] = v
			t := reach + math.Float32frombits(errs[j])
			if !(v > float32(t*t)+offset) {
				mask |= 1 << j
			}
		}
		masks[b] = mask
	}
}

func sieveCodesGo(pq *int8, pblocks *uint32, perrs *float32, n, quads int, factor, reach, offset float32, pmasks *uint16) {
	q, blocks := unsafe.Slice(pq, 4*quads), unsafe.Slice(pblocks, n*CodeBlock*(1+quads))
	errs, masks := unsafe.Slice(perrs, n), unsafe.Slice(pmasks, n)
	for b := range masks {
		norms, codes := blocks[:CodeBlock], blocks[CodeBlock:]
		blocks = blocks[CodeBlock*(1+quads):]
		sums := sumCodesGo(q, codes)
		t := reach + errs[b]
		limit := float32(t*t) + offset
		mask := uint16(0)
		for j, sum := range sums {
			if v := math.Float32frombits(norms[j]) + float32(factor*float32(sum)); !(v > limit) {
				mask |= 1 << j
			}
		}
		masks[b] = mask
	}
}

// sumCodesGo are the dot products of q with the rows of a block, whose bytes are interleaved in fours.
func sumCodesGo(q []int8, codes []uint32) (sums [CodeBlock]int32) {
	for i := 0; i < len(q); i += 4 {
		q0, q1, q2, q3 := int32(q[i]), int32(q[i+1]), int32(q[i+2]), int32(q[i+3])
		for j, c := range (*[CodeBlock]uint32)(codes) {
			sums[j] += q0*int32(c&255) + q1*int32(c>>8&255) + q2*int32(c>>16&255) + q3*int32(c>>24)
		}
		codes = codes[CodeBlock:]
	}
	return sums
}
