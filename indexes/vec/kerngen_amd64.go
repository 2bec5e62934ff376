//go:build ignore

// This program writes kern_amd64.s and kern_amd64.go: the distance kernels for AVX2 and AVX-512, from
// one description, so that every shape of kernel sums a pair in the same order. Run it with go
// generate in this folder.
//
// The order: a pair's components are cut into vectors of
// as many lanes as a register has, the last one filled up with zeros; vector i is added to
// accumulator i mod 2; the two accumulators are added; the lanes are folded. Codes have exact sums, and
// need no order.
package main

import (
	"bytes"
	"fmt"
	"go/format"
	"log"
	"os"
	"strings"
)

type level struct {
	name string
	reg  string // register name: Y or Z
	size int    // bytes of a register
	// The tile of a tile kernel: two accumulators a pair, a register a query, one for the row.
	tileQueries, tileRows int
	// The tile of a sieve kernel: an accumulator a pair, a register a query, one for the row.
	sieveQueries, sieveRows int
}

var levels = []level{
	{"AVX2", "Y", 32, 2, 2, 2, 6},
	{"AVX512", "Z", 64, 4, 3, 4, 6},
}

type op string

const (
	dot    op = "dot"
	l2     op = "l2"
	scaled op = "scaled" // l2 to a row that is multiplied by a number of its own
)

var (
	asm    bytes.Buffer
	goFile bytes.Buffer
)

func emit(format string, args ...any)  { fmt.Fprintf(&asm, "\t"+format+"\n", args...) }
func label(format string, args ...any) { fmt.Fprintf(&asm, format+":\n", args...) }
func text(name string, bytes int) {
	fmt.Fprintf(&asm, "\nTEXT ·%s(SB), NOSPLIT, $0-%d\n", name, bytes)
}
func comment(line string) { fmt.Fprintf(&asm, "\n// %s", line) }
func declare(doc, signature string) {
	fmt.Fprintf(&goFile, "%s\n//go:noescape\nfunc %s\n\n", doc, signature)
}
func (l level) r(i int) string { return fmt.Sprintf("%s%d", l.reg, i) }
func (l level) zero(from, to int) {
	for i := from; i < to; i++ {
		l.zeroOne(i)
	}
}
func (l level) lanes() int { return l.size / 4 }

func (l level) zeroOne(i int) {
	if l.reg == "Z" {
		emit("VPXORD Z%d, Z%d, Z%d", i, i, i)
	} else {
		emit("VXORPS Y%d, Y%d, Y%d", i, i, i)
	}
}

// load reads a register from memory, the lanes of the mask only where masked; nothing beyond them is
// touched, so that no kernel reads past its slices.
func (l level) load(mem string, to int, masked bool) {
	switch {
	case !masked:
		emit("VMOVUPS %s, %s", mem, l.r(to))
	case l.reg == "Z":
		emit("VMOVUPS.Z %s, K1, Z%d", mem, to)
	default:
		emit("VMASKMOVPS %s, Y15, Y%d", mem, to)
	}
}

// mask makes the mask of the first CX lanes, 0 < CX < lanes, in K1 or Y15. It spoils AX and DX.
func (l level) mask() {
	if l.reg == "Z" {
		emit("MOVL $1, DX")
		emit("SHLL CX, DX")
		emit("DECL DX")
		emit("KMOVW DX, K1")
		return
	}
	emit("LEAQ ·tailMask<>(SB), DX")
	emit("SHLQ $2, CX")
	emit("SUBQ CX, DX")
	emit("VMOVUPS 32(DX), Y15")
}

// pair adds one vector of a pair to acc. t is free; row is spoilt by scaled.
func (l level) pair(o op, q, row, t, scale, acc int) {
	switch o {
	case dot:
		emit("VFMADD231PS %s, %s, %s", l.r(row), l.r(q), l.r(acc))
	case l2:
		emit("VSUBPS %s, %s, %s", l.r(row), l.r(q), l.r(t))
		emit("VFMADD231PS %s, %s, %s", l.r(t), l.r(t), l.r(acc))
	case scaled:
		emit("VMULPS %s, %s, %s", l.r(row), l.r(scale), l.r(t))
		emit("VSUBPS %s, %s, %s", l.r(t), l.r(q), l.r(t))
		emit("VFMADD231PS %s, %s, %s", l.r(t), l.r(t), l.r(acc))
	}
}

// fold4 adds up the lanes of the accumulator pairs (a[i], b[i]), all a[i] below 16, and leaves the
// four sums in X of a[0]. t is free and below 16.
func (l level) fold4(a, b [4]int, t int) {
	for i := range a {
		emit("VADDPS %s, %s, %s", l.r(b[i]), l.r(a[i]), l.r(a[i]))
		if l.reg == "Z" {
			// The upper half goes to the register of b, which is free from here on.
			emit("VEXTRACTF64X4 $1, Z%d, Y%d", a[i], b[i])
			emit("VADDPS Y%d, Y%d, Y%d", b[i], a[i], a[i])
		}
	}
	emit("VHADDPS Y%d, Y%d, Y%d", a[1], a[0], a[0])
	emit("VHADDPS Y%d, Y%d, Y%d", a[3], a[2], a[2])
	emit("VHADDPS Y%d, Y%d, Y%d", a[2], a[0], a[0])
	emit("VEXTRACTF128 $1, Y%d, X%d", a[0], t)
	emit("VADDPS X%d, X%d, X%d", t, a[0], a[0])
}

// loop writes the loop over the CX components of the vectors: step(offset in bytes, accumulator 0 or
// 1, masked) with the byte offset of the current two vectors in AX. It spoils AX, CX, DX.
func (l level) loop(name string, step func(offset, half int, masked bool)) {
	emit("XORQ AX, AX")
	emit("SUBQ $%d, CX", 2*l.lanes())
	emit("JLT %s_rest", name)
	label("%s_two", name)
	step(0, 0, false)
	step(l.size, 1, false)
	emit("ADDQ $%d, AX", 2*l.size)
	emit("SUBQ $%d, CX", 2*l.lanes())
	emit("JGE %s_two", name)
	label("%s_rest", name)
	emit("ADDQ $%d, CX", 2*l.lanes())
	emit("JEQ %s_sum", name)
	emit("SUBQ $%d, CX", l.lanes())
	emit("JLT %s_part0", name)
	step(0, 0, false)
	emit("TESTQ CX, CX")
	emit("JEQ %s_sum", name)
	l.mask()
	step(l.size, 1, true)
	emit("JMP %s_sum", name)
	label("%s_part0", name)
	emit("ADDQ $%d, CX", l.lanes())
	l.mask()
	step(0, 0, true)
	label("%s_sum", name)
}

// one writes func name(a, b *float32, n int) float32, or with a scale for b.
func (l level) one(o op) {
	name := string(o) + l.name
	args, bytes, ret := "a, b *float32, n int", 28, "ret+24(FP)"
	if o == scaled {
		args, bytes, ret = "a, b *float32, n int, scale float32", 36, "ret+32(FP)"
	}
	comment(fmt.Sprintf("func %s(%s) float32", name, args))
	text(name, bytes)
	declare("", fmt.Sprintf("%s(%s) float32", name, args))
	emit("MOVQ a+0(FP), SI")
	emit("MOVQ b+8(FP), DI")
	emit("MOVQ n+16(FP), CX")
	if o == scaled {
		emit("VBROADCASTSS scale+24(FP), %s", l.r(8))
	}
	l.zero(0, 2)
	l.loop(name, func(offset, half int, masked bool) {
		l.load(fmt.Sprintf("%d(SI)(AX*1)", offset), 2+half, masked)
		l.load(fmt.Sprintf("%d(DI)(AX*1)", offset), 4+half, masked)
		l.pair(o, 2+half, 4+half, 6+half, 8, half)
	})
	emit("VADDPS %s, %s, %s", l.r(1), l.r(0), l.r(0))
	if l.reg == "Z" {
		emit("VEXTRACTF64X4 $1, Z0, Y1")
		emit("VADDPS Y1, Y0, Y0")
	}
	emit("VHADDPS Y0, Y0, Y0")
	emit("VHADDPS Y0, Y0, Y0")
	emit("VEXTRACTF128 $1, Y0, X1")
	emit("VADDPS X1, X0, X0")
	emit("VMOVSS X0, %s", ret)
	emit("VZEROUPPER")
	emit("RET")
}

// stream writes
//
//	func name(q, base *float32, rows, dim int, out *float32)
//
// with scales *float32 after base where there are any: consecutive rows one by one, asking for memory
// two kilobytes ahead.
func (l level) stream(o op) {
	name := string(o) + "Stream" + l.name
	sig, at := "q, base *float32, rows, dim int, out *float32", 16
	if o == scaled {
		sig, at = "q, base, scales *float32, rows, dim int, out *float32", 24
	}
	comment(fmt.Sprintf("func %s(%s)", name, sig))
	text(name, at+24)
	declare("", fmt.Sprintf("%s(%s)", name, sig))
	emit("MOVQ q+0(FP), SI")
	emit("MOVQ base+8(FP), DI")
	if o == scaled {
		emit("MOVQ scales+16(FP), R10")
	}
	emit("MOVQ rows+%d(FP), R12", at)
	emit("MOVQ dim+%d(FP), BX", at+8)
	emit("MOVQ out+%d(FP), R13", at+16)
	label("%s_row", name)
	emit("MOVQ BX, CX")
	if o == scaled {
		emit("VBROADCASTSS (R10), %s", l.r(8))
		emit("ADDQ $4, R10")
	}
	l.zero(0, 2)
	l.loop(name, func(offset, half int, masked bool) {
		if !masked && (l.reg == "Z" || offset == 0) { // once for each line of the cache
			emit("PREFETCHT0 %d(DI)(AX*1)", offset+2048)
		}
		l.load(fmt.Sprintf("%d(SI)(AX*1)", offset), 2+half, masked)
		l.load(fmt.Sprintf("%d(DI)(AX*1)", offset), 4+half, masked)
		l.pair(o, 2+half, 4+half, 6+half, 8, half)
	})
	emit("VADDPS %s, %s, %s", l.r(1), l.r(0), l.r(0))
	if l.reg == "Z" {
		emit("VEXTRACTF64X4 $1, Z0, Y1")
		emit("VADDPS Y1, Y0, Y0")
	}
	emit("VHADDPS Y0, Y0, Y0")
	emit("VHADDPS Y0, Y0, Y0")
	emit("VEXTRACTF128 $1, Y0, X1")
	emit("VADDPS X1, X0, X0")
	emit("VMOVSS X0, (R13)")
	emit("ADDQ $4, R13")
	emit("LEAQ (DI)(BX*4), DI")
	emit("DECQ R12")
	emit("JNE %s_row", name)
	emit("VZEROUPPER")
	emit("RET")
}

// four writes the one-to-many kernel over groups of four rows: scattered ones by number, or
// consecutive ones.
//
//	func name(q, base *float32, ids *int32, groups, dim int, out *float32)
//	func name(q, base *float32, groups, dim int, out *float32)
//
// with scales *float32 after base where there are any: by row number for scattered rows, beside the
// rows for consecutive ones.
func (l level) four(o op, scattered bool) {
	name := string(o) + "Rows" + l.name
	if scattered {
		name = string(o) + "Scattered" + l.name
	}
	names := []string{"q", "base"}
	sig := "q, base *float32"
	if o == scaled {
		names = append(names, "scales")
		sig = "q, base, scales *float32"
	}
	if scattered {
		names = append(names, "ids")
		sig += ", ids *int32"
	}
	names = append(names, "groups", "dim", "out")
	sig += ", groups, dim int, out *float32"
	at := map[string]string{}
	for i, n := range names {
		at[n] = fmt.Sprintf("%s+%d(FP)", n, 8*i)
	}
	comment(fmt.Sprintf("func %s(%s)", name, sig))
	text(name, 8*len(names))
	declare("", fmt.Sprintf("%s(%s)", name, sig))
	emit("MOVQ %s, SI", at["q"])
	emit("MOVQ %s, R12", at["groups"])
	emit("MOVQ %s, R13", at["out"])
	if scattered {
		emit("MOVQ %s, DI", at["ids"])
	} else {
		emit("MOVQ %s, R8", at["base"])
		if o == scaled {
			emit("MOVQ %s, DI", at["scales"])
		}
	}
	label("%s_group", name)
	emit("MOVQ %s, CX", at["dim"])
	emit("LEAQ (CX*4), BX") // bytes of a row
	if scattered {
		if o == scaled {
			emit("MOVQ %s, DX", at["scales"])
		}
		for i := range 4 {
			emit("MOVLQSX %d(DI), R%d", 4*i, 8+i)
			if o == scaled {
				emit("VBROADCASTSS (DX)(R%d*4), %s", 8+i, l.r(l.scaleReg(i)))
			}
			emit("IMULQ BX, R%d", 8+i)
			emit("ADDQ %s, R%d", at["base"], 8+i)
		}
		// Where the next four rows begin: their first cache lines are asked for now, as the
		// hardware cannot guess them. The last group asks for its own again.
		emit("XORQ DX, DX")
		emit("CMPQ R12, $1")
		emit("SETHI DX")
		emit("SHLQ $4, DX")
		emit("ADDQ DX, DI")
		for i := range 4 {
			emit("MOVLQSX %d(DI), DX", 4*i)
			emit("IMULQ BX, DX")
			emit("ADDQ %s, DX", at["base"])
			// 512 bytes of each: less leaves the memory idle, more did not help. A prefetch never
			// faults, so a short row may be overshot.
			emit("CMPQ BX, $256")
			emit("JLE %s_short%d", name, i)
			for j := 4; j < 8; j++ {
				emit("PREFETCHT0 %d(DX)", 64*j)
			}
			label("%s_short%d", name, i)
			for j := range 4 {
				emit("PREFETCHT0 %d(DX)", 64*j)
			}
		}
	} else {
		for i := 1; i < 4; i++ {
			emit("LEAQ (R%d)(BX*1), R%d", 7+i, 8+i)
		}
		if o == scaled {
			for i := range 4 {
				emit("VBROADCASTSS %d(DI), %s", 4*i, l.r(l.scaleReg(i)))
			}
			emit("ADDQ $16, DI")
		}
	}
	l.zero(0, 8)
	l.loop(name, func(offset, half int, masked bool) {
		// Registers 0..7 accumulate (a pair's two are i and 4+i), 8 holds the query; scales are in
		// 11..14 and the mask in 15, so 9 and 10 are left for the row and the difference.
		l.load(fmt.Sprintf("%d(SI)(AX*1)", offset), 8, masked)
		for i := range 4 {
			l.load(fmt.Sprintf("%d(R%d)(AX*1)", offset, 8+i), 9, masked)
			l.pair(o, 8, 9, 10, l.scaleReg(i), i+4*half)
		}
	})
	l.fold4([4]int{0, 1, 2, 3}, [4]int{4, 5, 6, 7}, 8)
	emit("VMOVUPS X0, (R13)")
	emit("ADDQ $16, R13")
	if !scattered {
		emit("LEAQ (R11)(BX*1), R8")
	}
	emit("DECQ R12")
	emit("JNE %s_group", name)
	emit("VZEROUPPER")
	emit("RET")
}

func (l level) scaleReg(i int) int { return 11 + i }

// tile writes func dotTile(q, base *float32, groups, dim int, out *float32): groups × tileQueries
// consecutive queries against tileRows consecutive rows.
func (l level) tile() {
	const o = dot
	name := string(o) + "Tile" + l.name
	sig := "q, base *float32, groups, dim int, out *float32"
	comment(fmt.Sprintf("func %s(%s)", name, sig))
	text(name, 40)
	declare("", fmt.Sprintf("%s(%s)", name, sig))
	pairs := l.tileQueries * l.tileRows
	queryReg, rowReg := 2*pairs, 2*pairs+l.tileQueries
	emit("MOVQ q+0(FP), SI")
	emit("MOVQ base+8(FP), R8")
	emit("MOVQ groups+16(FP), R12")
	emit("MOVQ out+32(FP), R13")
	emit("MOVQ dim+24(FP), CX")
	emit("LEAQ (CX*4), BX")
	rows := []string{"R8", "R9", "R10"}[:l.tileRows]
	queries := []string{"SI", "DI", "R11", "R14"}[:l.tileQueries]
	for i := 1; i < len(rows); i++ {
		emit("LEAQ (%s)(BX*1), %s", rows[i-1], rows[i])
	}
	label("%s_group", name)
	emit("MOVQ dim+24(FP), CX")
	for i := 1; i < len(queries); i++ {
		emit("LEAQ (%s)(BX*1), %s", queries[i-1], queries[i])
	}
	l.zero(0, 2*pairs)
	l.loop(name, func(offset, half int, masked bool) {
		for i, p := range queries {
			l.load(fmt.Sprintf("%d(%s)(AX*1)", offset, p), queryReg+i, masked)
		}
		for r, p := range rows {
			l.load(fmt.Sprintf("%d(%s)(AX*1)", offset, p), rowReg, masked)
			for q := range queries {
				l.pair(o, queryReg+q, rowReg, 0, 0, r*len(queries)+q+half*pairs)
			}
		}
	})
	for p := 0; p < pairs; p += 4 {
		var a, b [4]int
		for i := range a {
			a[i], b[i] = p+i, pairs+p+i
		}
		t := 12 // below 16, and no sum that is still wanted: accumulators of 12 and above are b's of the first four
		l.fold4(a, b, t)
		emit("VMOVUPS X%d, %d(R13)", a[0], 4*p)
	}
	emit("ADDQ $%d, R13", 4*pairs)
	emit("LEAQ (%s)(BX*1), SI", queries[len(queries)-1])
	emit("DECQ R12")
	emit("JNE %s_group", name)
	emit("VZEROUPPER")
	emit("RET")
}

// sieve writes func name(q, base *float32, groups, dim int, out *float32): dot products of groups ×
// sieveQueries consecutive queries with sieveRows consecutive rows, in one accumulator a pair and so in
// an order of their own. That holds twice as many pairs in the registers, which is what it takes to
// keep the multipliers busy.
func (l level) sieve() {
	name := "dotSieve" + l.name
	sig := "q, base *float32, groups, dim int, out *float32"
	comment(fmt.Sprintf("func %s(%s)", name, sig))
	text(name, 40)
	declare("", fmt.Sprintf("%s(%s)", name, sig))
	pairs := l.sieveQueries * l.sieveRows
	queryReg, rowReg := pairs, pairs+l.sieveQueries
	emit("MOVQ q+0(FP), SI")
	emit("MOVQ base+8(FP), R8")
	emit("MOVQ groups+16(FP), R12")
	emit("MOVQ out+32(FP), R13")
	emit("MOVQ dim+24(FP), CX")
	emit("LEAQ (CX*4), BX")
	// Rows 0, 1, 2 begin at R8, R9, R10; rows 3, 4, 5 three rows' bytes (R15) further.
	emit("LEAQ (R8)(BX*1), R9")
	emit("LEAQ (R9)(BX*1), R10")
	emit("LEAQ (BX)(BX*2), R15")
	queries := []string{"SI", "DI", "R11", "R14"}[:l.sieveQueries]
	label("%s_group", name)
	emit("MOVQ dim+24(FP), CX")
	for i := 1; i < len(queries); i++ {
		emit("LEAQ (%s)(BX*1), %s", queries[i-1], queries[i])
	}
	l.zero(0, pairs)
	l.loop(name, func(offset, _ int, masked bool) {
		for i, p := range queries {
			l.load(fmt.Sprintf("%d(%s)(AX*1)", offset, p), queryReg+i, masked)
		}
		for r := range l.sieveRows {
			if r == 3 {
				emit("ADDQ R15, AX") // to the other rows and back
				for i := range 3 {
					emit("PREFETCHT0 %d(R%d)(AX*1)", offset+512, 8+i)
				}
			}
			l.load(fmt.Sprintf("%d(R%d)(AX*1)", offset, 8+r%3), rowReg, masked)
			for q := range queries {
				l.pair(dot, queryReg+q, rowReg, 0, 0, r*len(queries)+q)
			}
		}
		emit("SUBQ R15, AX")
	})
	for p := 0; p < pairs; p += 4 {
		// Sums of 16 registers and more are brought below as they are halved; 0..3 are free by then.
		for i := range 4 {
			switch {
			case l.reg == "Z":
				emit("VEXTRACTF64X4 $1, Z%d, Y28", p+i)
				emit("VADDPS Y28, Y%d, Y%d", p+i, i)
			case p > 0:
				emit("VMOVAPS Y%d, Y%d", p+i, i)
			}
		}
		emit("VHADDPS Y1, Y0, Y0")
		emit("VHADDPS Y3, Y2, Y2")
		emit("VHADDPS Y2, Y0, Y0")
		emit("VEXTRACTF128 $1, Y0, X1")
		emit("VADDPS X1, X0, X0")
		emit("VMOVUPS X0, %d(R13)", 4*p)
	}
	emit("ADDQ $%d, R13", 4*pairs)
	emit("LEAQ (%s)(BX*1), SI", queries[len(queries)-1])
	emit("DECQ R12")
	emit("JNE %s_group", name)
	emit("VZEROUPPER")
	emit("RET")
}

// The kernels over codes: q has signed bytes, rows unsigned ones, and sums are exact in int32. AVX-512
// multiplies four bytes at once with VNNI's VPDPBUSD; AVX2 widens to 16 bits first, because its
// VPMADDUBSW saturates.

// codeStep adds the product of 16 (AVX2) or 64 (AVX-512) bytes at mem to accumulator acc. The query's
// are in register q, widened for AVX2; t is free.
func (l level) codeStep(mem string, q, acc, t int) {
	if l.reg == "Z" {
		emit("VMOVDQU32 %s, Z%d", mem, t)
		emit("VPDPBUSD Z%d, Z%d, Z%d", q, t, acc)
		return
	}
	emit("VPMOVZXBW %s, Y%d", mem, t)
	emit("VPMADDWD Y%d, Y%d, Y%d", q, t, t)
	emit("VPADDD Y%d, Y%d, Y%d", t, acc, acc)
}

// codeQuery loads the query's bytes that codeStep wants.
func (l level) codeQuery(mem string, q int) {
	if l.reg == "Z" {
		emit("VMOVDQU32 %s, Z%d", mem, q)
	} else {
		emit("VPMOVSXBW %s, Y%d", mem, q)
	}
}

// codeBytes is how many bytes a codeStep takes.
func (l level) codeBytes() int {
	if l.reg == "Z" {
		return 64
	}
	return 16
}

// codesOne writes func dotCodes(q *int8, row *uint8, n int) int32, n a multiple of 16 and at least 16.
func (l level) codesOne() {
	name := "dotCodes" + l.name
	sig := "q *int8, row *uint8, n int"
	comment(fmt.Sprintf("func %s(%s) int32", name, sig))
	text(name, 28)
	declare("", fmt.Sprintf("%s(%s) int32", name, sig))
	emit("MOVQ q+0(FP), SI")
	emit("MOVQ row+8(FP), R8")
	emit("MOVQ n+16(FP), CX")
	l.codesLoop(name, 1)
	if l.reg == "Z" {
		emit("VEXTRACTI64X4 $1, Z0, Y1")
		emit("VPADDD Y1, Y0, Y0")
	}
	emit("VEXTRACTI128 $1, Y0, X1")
	emit("VPADDD X1, X0, X0")
	emit("VPHADDD X0, X0, X0")
	emit("VPHADDD X0, X0, X0")
	emit("VMOVD X0, AX")
	emit("MOVL AX, ret+24(FP)")
	emit("VZEROUPPER")
	emit("RET")
}

// codesLoop multiplies the CX bytes at SI with those at R8, R9, ... of so many rows, into accumulators
// 0, 1, ... It spoils AX, CX, DX.
func (l level) codesLoop(name string, rows int) {
	for i := range rows {
		emit("VPXOR Y%d, Y%d, Y%d", i, i, i)
	}
	emit("XORQ AX, AX")
	emit("SUBQ $%d, CX", l.codeBytes())
	emit("JLT %s_rest", name)
	label("%s_whole", name)
	l.codeQuery("(SI)(AX*1)", 8)
	for i := range rows {
		l.codeStep(fmt.Sprintf("(R%d)(AX*1)", 8+i), 8, i, 9+i)
	}
	emit("ADDQ $%d, AX", l.codeBytes())
	emit("SUBQ $%d, CX", l.codeBytes())
	emit("JGE %s_whole", name)
	label("%s_rest", name)
	if l.reg == "Z" {
		// 0, 16, 32 or 48 bytes are left: as many 32-bit lanes as a quarter of that.
		emit("ADDQ $64, CX")
		emit("JEQ %s_sum", name)
		emit("SHRQ $2, CX")
		emit("MOVL $1, DX")
		emit("SHLL CX, DX")
		emit("DECL DX")
		emit("KMOVW DX, K1")
		emit("VMOVDQU32.Z (SI)(AX*1), K1, Z8")
		for i := range rows {
			emit("VMOVDQU32.Z (R%d)(AX*1), K1, Z%d", 8+i, 9+i)
			emit("VPDPBUSD Z8, Z%d, Z%d", 9+i, i)
		}
		label("%s_sum", name)
	}
}

// codesScattered writes
//
//	func dotCodesScattered(q *int8, base *uint8, ids *int32, groups, n, stride int, out *int32)
//
// for groups of four rows; row i is the n bytes from base + ids[i]*stride.
func (l level) codesScattered() {
	name := "dotCodesScattered" + l.name
	sig := "q *int8, base *uint8, ids *int32, groups, n, stride int, out *int32"
	comment(fmt.Sprintf("func %s(%s)", name, sig))
	text(name, 56)
	declare("", fmt.Sprintf("%s(%s)", name, sig))
	emit("MOVQ q+0(FP), SI")
	emit("MOVQ ids+16(FP), DI")
	emit("MOVQ groups+24(FP), R12")
	emit("MOVQ stride+40(FP), BX")
	emit("MOVQ out+48(FP), R13")
	label("%s_group", name)
	for i := range 4 {
		emit("MOVLQSX %d(DI), R%d", 4*i, 8+i)
		emit("IMULQ BX, R%d", 8+i)
		emit("ADDQ base+8(FP), R%d", 8+i)
	}
	// The next four rows are asked for now, up to 512 bytes of each, as the hardware cannot guess
	// them. The last group asks for its own again.
	emit("XORQ DX, DX")
	emit("CMPQ R12, $1")
	emit("SETHI DX")
	emit("SHLQ $4, DX")
	emit("ADDQ DX, DI")
	for i := range 4 {
		emit("MOVLQSX %d(DI), DX", 4*i)
		emit("IMULQ BX, DX")
		emit("ADDQ base+8(FP), DX")
		emit("MOVQ n+32(FP), CX")
		emit("CMPQ CX, $512")
		emit("JLE %s_short%d", name, i)
		emit("MOVQ $512, CX")
		label("%s_short%d", name, i)
		label("%s_ask%d", name, i)
		emit("PREFETCHT0 (DX)")
		emit("ADDQ $64, DX")
		emit("SUBQ $64, CX")
		emit("JGT %s_ask%d", name, i)
	}
	emit("MOVQ n+32(FP), CX")
	l.codesLoop(name, 4)
	if l.reg == "Z" {
		for i := range 4 {
			emit("VEXTRACTI64X4 $1, Z%d, Y%d", i, 8+i)
			emit("VPADDD Y%d, Y%d, Y%d", 8+i, i, i)
		}
	}
	emit("VPHADDD Y1, Y0, Y0")
	emit("VPHADDD Y3, Y2, Y2")
	emit("VPHADDD Y2, Y0, Y0")
	emit("VEXTRACTI128 $1, Y0, X1")
	emit("VPADDD X1, X0, X0")
	emit("VMOVDQU X0, (R13)")
	emit("ADDQ $16, R13")
	emit("DECQ R12")
	emit("JNE %s_group", name)
	emit("VZEROUPPER")
	emit("RET")
}

// codesScan writes
//
//	func scanCodes(q *int8, blocks, next *uint32, n, quads int, factor, reach, offset float32, out *float32, masks *uint16)
//
// over blocks as [CodeBlocks] lays them out. Lane i is row i, so no sum is folded.
func (l level) codesScan() {
	name := "scanCodes" + l.name
	sig := "q *int8, blocks, next *uint32, n, quads int, factor, reach, offset float32, out *float32, masks *uint16"
	comment(fmt.Sprintf("func %s(%s)", name, sig))
	text(name, 72)
	declare("", fmt.Sprintf("%s(%s)", name, sig))
	emit("MOVQ q+0(FP), SI")
	emit("MOVQ blocks+8(FP), R8")
	emit("MOVQ next+16(FP), R9")
	emit("MOVQ n+24(FP), R12")
	emit("MOVQ quads+32(FP), BX")
	emit("VBROADCASTSS factor+40(FP), %s", l.r(15))
	emit("VBROADCASTSS reach+44(FP), %s", l.r(14))
	emit("VBROADCASTSS offset+48(FP), %s", l.r(13))
	emit("MOVQ out+56(FP), R13")
	emit("MOVQ masks+64(FP), DI")
	emit("SUBQ R8, R9") // next, relative to where this block is read
	label("%s_block", name)
	emit("MOVQ R8, R10") // the block's norms and errors
	emit("PREFETCHT0 (R8)(R9*1)")
	emit("PREFETCHT0 64(R8)(R9*1)")
	emit("PREFETCHT0 128(R8)(R9*1)")
	emit("ADDQ $192, R8")
	emit("XORQ AX, AX")
	// limit is what the value must not exceed: (reach + error)² + offset.
	limit := func(from, t int) {
		emit("VADDPS %d(R10), %s, %s", 64+from, l.r(14), l.r(t))
		emit("VFMADD213PS %s, %s, %s", l.r(13), l.r(t), l.r(t))
	}
	if l.reg == "Z" {
		emit("VPXORD Z0, Z0, Z0")
		emit("VPXORD Z1, Z1, Z1")
		label("%s_quad", name)
		for i := range 2 { // two chains of sums
			emit("PREFETCHT0 %d(R8)(R9*1)", 64*i)
			emit("VMOVDQU32 %d(R8), Z%d", 64*i, 2+i)
			emit("VPDPBUSD.BCST %d(SI)(AX*4), Z%d, Z%d", 4*i, 2+i, i)
		}
		emit("ADDQ $128, R8")
		emit("ADDQ $2, AX")
		emit("CMPQ AX, BX")
		emit("JLT %s_quad", name)
		emit("VPADDD Z1, Z0, Z0")
		emit("VCVTDQ2PS Z0, Z0")
		emit("VFMADD213PS (R10), Z15, Z0")
		emit("VMOVUPS Z0, (R13)")
		limit(0, 2)
		emit("VCMPPS $10, Z2, Z0, K1") // not greater, so that a NaN is kept
		emit("KMOVW K1, DX")
	} else {
		for i := range 4 {
			emit("VPXOR Y%d, Y%d, Y%d", i, i, i)
		}
		label("%s_quad", name)
		emit("PREFETCHT0 (R8)(R9*1)")
		emit("VPBROADCASTD (SI)(AX*4), X4")
		emit("VPMOVSXBW X4, Y4")
		for i := range 4 {
			l.codeStep(fmt.Sprintf("%d(R8)", 16*i), 4, i, 5+i)
		}
		emit("ADDQ $64, R8")
		emit("INCQ AX")
		emit("CMPQ AX, BX")
		emit("JLT %s_quad", name)
		for i := range 2 {
			// The sums of rows 0 1 4 5 | 2 3 6 7, brought into order.
			emit("VPHADDD Y%d, Y%d, Y%d", 2*i+1, 2*i, 2*i)
			emit("VPERMQ $0xd8, Y%d, Y%d", 2*i, 2*i)
			emit("VCVTDQ2PS Y%d, Y%d", 2*i, 2*i)
			emit("VFMADD213PS %d(R10), Y15, Y%d", 32*i, 2*i)
			emit("VMOVUPS Y%d, %d(R13)", 2*i, 32*i)
			limit(32*i, 4)
			emit("VCMPPS $10, Y4, Y%d, Y%d", 2*i, 5+i)
		}
		emit("VMOVMSKPS Y5, DX")
		emit("VMOVMSKPS Y6, CX")
		emit("SHLL $8, CX")
		emit("ORL CX, DX")
	}
	emit("MOVW DX, (DI)")
	emit("ADDQ $2, DI")
	emit("ADDQ $64, R13")
	emit("DECQ R12")
	emit("JNE %s_block", name)
	emit("VZEROUPPER")
	emit("RET")
}

// codesSieve writes
//
//	func sieveCodes(q *int8, blocks *uint32, errs *float32, n, quads int, factor, reach, offset float32, masks *uint16)
//
// over blocks as [CodeSieve] lays them out: what codesScan does, with one error a block, and masks alone.
// The memory two kilobytes ahead is asked for, as in stream.
func (l level) codesSieve() {
	name := "sieveCodes" + l.name
	sig := "q *int8, blocks *uint32, errs *float32, n, quads int, factor, reach, offset float32, masks *uint16"
	comment(fmt.Sprintf("func %s(%s)", name, sig))
	text(name, 64)
	declare("", fmt.Sprintf("%s(%s)", name, sig))
	emit("MOVQ q+0(FP), SI")
	emit("MOVQ blocks+8(FP), R8")
	emit("MOVQ errs+16(FP), R11")
	emit("MOVQ n+24(FP), R12")
	emit("MOVQ quads+32(FP), BX")
	emit("VBROADCASTSS factor+40(FP), %s", l.r(15))
	emit("VBROADCASTSS reach+44(FP), %s", l.r(14))
	emit("VBROADCASTSS offset+48(FP), %s", l.r(13))
	emit("MOVQ masks+56(FP), DI")
	label("%s_block", name)
	emit("MOVQ R8, R10") // the block's norms
	emit("PREFETCHT0 2048(R8)")
	emit("ADDQ $64, R8")
	emit("XORQ AX, AX")
	// The limit: (reach + error)² + offset.
	emit("VBROADCASTSS (R11), %s", l.r(12))
	emit("VADDPS %s, %s, %s", l.r(14), l.r(12), l.r(12))
	emit("VFMADD213PS %s, %s, %s", l.r(13), l.r(12), l.r(12))
	emit("ADDQ $4, R11")
	if l.reg == "Z" {
		emit("VPXORD Z0, Z0, Z0")
		emit("VPXORD Z1, Z1, Z1")
		label("%s_quad", name)
		for i := range 2 { // two chains of sums
			emit("PREFETCHT0 %d(R8)", 2048+64*i)
			emit("VMOVDQU32 %d(R8), Z%d", 64*i, 2+i)
			emit("VPDPBUSD.BCST %d(SI)(AX*4), Z%d, Z%d", 4*i, 2+i, i)
		}
		emit("ADDQ $128, R8")
		emit("ADDQ $2, AX")
		emit("CMPQ AX, BX")
		emit("JLT %s_quad", name)
		emit("VPADDD Z1, Z0, Z0")
		emit("VCVTDQ2PS Z0, Z0")
		emit("VFMADD213PS (R10), Z15, Z0")
		emit("VCMPPS $10, Z12, Z0, K1") // not greater, so that a NaN is kept
		emit("KMOVW K1, DX")
	} else {
		for i := range 4 {
			emit("VPXOR Y%d, Y%d, Y%d", i, i, i)
		}
		label("%s_quad", name)
		emit("PREFETCHT0 2048(R8)")
		emit("VPBROADCASTD (SI)(AX*4), X4")
		emit("VPMOVSXBW X4, Y4")
		for i := range 4 {
			l.codeStep(fmt.Sprintf("%d(R8)", 16*i), 4, i, 5+i)
		}
		emit("ADDQ $64, R8")
		emit("INCQ AX")
		emit("CMPQ AX, BX")
		emit("JLT %s_quad", name)
		for i := range 2 {
			// The sums of rows 0 1 4 5 | 2 3 6 7, brought into order.
			emit("VPHADDD Y%d, Y%d, Y%d", 2*i+1, 2*i, 2*i)
			emit("VPERMQ $0xd8, Y%d, Y%d", 2*i, 2*i)
			emit("VCVTDQ2PS Y%d, Y%d", 2*i, 2*i)
			emit("VFMADD213PS %d(R10), Y15, Y%d", 32*i, 2*i)
			emit("VCMPPS $10, Y12, Y%d, Y%d", 2*i, 5+i)
		}
		emit("VMOVMSKPS Y5, DX")
		emit("VMOVMSKPS Y6, CX")
		emit("SHLL $8, CX")
		emit("ORL CX, DX")
	}
	emit("MOVW DX, (DI)")
	emit("ADDQ $2, DI")
	emit("DECQ R12")
	emit("JNE %s_block", name)
	emit("VZEROUPPER")
	emit("RET")
}

func main() {
	log.SetFlags(0)
	const generated = "// Code generated by kerngen_amd64.go. DO NOT EDIT.\n\n"
	asm.WriteString(generated + "#include \"textflag.h\"\n\n")
	asm.WriteString("// Eight lanes on, eight lanes off: read from 4*n bytes before the middle, the first n are on.\n")
	for i := range 8 {
		fmt.Fprintf(&asm, "DATA ·tailMask<>+%d(SB)/4, $0xffffffff\n", 4*i)
	}
	for i := range 8 {
		fmt.Fprintf(&asm, "DATA ·tailMask<>+%d(SB)/4, $0\n", 32+4*i)
	}
	asm.WriteString("GLOBL ·tailMask<>(SB), RODATA|NOPTR, $64\n")
	goFile.WriteString(generated + "package vec\n\n")
	comments := "// What each of these does stands at the fields of pairKernels, scaledKernels and codeKernels.\n\n"
	goFile.WriteString(comments)
	for _, l := range levels {
		for _, o := range []op{dot, l2, scaled} {
			l.one(o)
			l.stream(o)
			l.four(o, true)
			l.four(o, false)
		}
		l.tile()
		l.sieve()
		fmt.Fprintf(&goFile, "const sieveQueries%s, sieveRows%s = %d, %d\n\n", l.name, l.name, l.sieveQueries, l.sieveRows)
		l.codesOne()
		l.codesScattered()
		l.codesScan()
		l.codesSieve()
		fmt.Fprintf(&goFile, "const tileQueries%s, tileRows%s = %d, %d\n\n", l.name, l.name, l.tileQueries, l.tileRows)
	}
	src, err := format.Source(bytes.TrimSpace(goFile.Bytes()))
	if err != nil {
		log.Fatal(err)
	}
	src = append(bytes.TrimSpace(bytes.ReplaceAll(src, []byte("\n\n\n"), []byte("\n\n"))), '\n')
	write("kern_amd64.go", src)
	write("kern_amd64.s", []byte(strings.TrimRight(asm.String(), "\n")+"\n"))
}

func write(path string, data []byte) {
	if err := os.WriteFile(path, data, 0o644); err != nil {
		log.Fatal(err)
	}
}
