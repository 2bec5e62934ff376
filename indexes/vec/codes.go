package vec

import "fmt"

// CodeBlock rows are scanned together by [ScanCodes].
const CodeBlock = 16

// DotCodes is the dot product of the signed bytes q and the unsigned bytes row, which must be of one
// length, of at most 65,536.
func DotCodes(q []int8, row []uint8) int32 {
	row = row[:len(q)]
	whole := len(q) &^ 15
	var sum int32
	if whole > 0 {
		sum = kern.codes.one(&q[0], &row[0], whole)
	}
	for i := whole; i < len(q); i++ {
		sum += int32(q[i]) * int32(row[i])
	}
	return sum
}

// DotCodesScattered sets out[i] to [DotCodes] of q and the len(q) bytes of base from ids[i]*stride on;
// out and ids are of one length. It panics where such a row does not lie in base.
func DotCodesScattered(out []int32, q []int8, base []uint8, stride int, ids []int32) {
	out = out[:len(ids)]
	rows := 0
	if len(base) >= len(q) && stride > 0 {
		rows = (len(base)-len(q))/stride + 1
	}
	for _, id := range ids {
		if uint(id) >= uint(rows) {
			panic(fmt.Sprintf("vec: id %d of %d rows", id, rows))
		}
	}
	groups := len(ids) / 4
	if len(q) == 0 || len(q)%16 != 0 {
		groups = 0
	}
	if groups > 0 {
		kern.codes.scattered(&q[0], &base[0], &ids[0], groups, len(q), stride, &out[0])
	}
	for i := 4 * groups; i < len(ids); i++ {
		out[i] = DotCodes(q, base[int(ids[i])*stride:][:len(q)])
	}
}

// ScanCodes compares q with len(bounds) blocks of [CodeBlock] rows each. The dot product s of q and row
// i of block b makes
//
//	out[b*CodeBlock+i] = norms[b*CodeBlock+i] + factor*s
//
// and bit i of masks[b] is set unless that is greater than bounds[b]. With norms of |row|² and a factor
// of -2 these are squared distances less |q|².
//
// A block's bytes are interleaved in fours, so that no sum has to be folded: bytes 0 to 3 of row 0, of
// row 1, ... of row 15, then bytes 4 to 7 of row 0, and so on (see [InterleaveCodes]). len(q) is a
// multiple of 8.
func ScanCodes(out []float32, masks []uint16, q []int8, codes []uint8, norms, bounds []float32, factor float32) {
	blocks := len(bounds)
	if blocks == 0 {
		return
	}
	if len(q) == 0 || len(q)%8 != 0 {
		panic(fmt.Sprintf("vec: codes of %d bytes", len(q)))
	}
	_, _ = codes[blocks*CodeBlock*len(q)-1], norms[blocks*CodeBlock-1]
	_, _ = out[blocks*CodeBlock-1], masks[blocks-1]
	kern.codes.scan(&q[0], &codes[0], &norms[0], &bounds[0], blocks, len(q)/4, factor, &out[0], &masks[0])
}

// InterleaveCodes puts a row's bytes, a multiple of 4, into place i of a block of [ScanCodes].
func InterleaveCodes(block []uint8, i int, row []uint8) {
	for j := 0; j < len(row); j += 4 {
		copy(block[j*CodeBlock+4*i:][:4], row[j:j+4])
	}
}
