package vec

import (
	"encoding/binary"
	"fmt"
	"math"
)

// CodeBlock rows are scanned together; see [CodeBlocks].
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
	if groups == 0 {
		for i, id := range ids {
			out[i] = DotCodes(q, base[int(id)*stride:][:len(q)])
		}
		return
	}
	kern.codes.scattered(&q[0], &base[0], &ids[0], groups, len(q), stride, &out[0])
	if last := len(ids) - 4; len(ids)%4 != 0 { // the last four again
		kern.codes.scattered(&q[0], &base[0], &ids[last], 1, len(q), stride, &out[last])
	}
}

// CodeBlocks are rows of Dim bytes, Dim a multiple of 8, in blocks of [CodeBlock]. Each block is so many
// words in one run of memory: the rows' norms, their errors (both as the bits of a float32), a word for
// the owner's use, and their bytes, interleaved in fours so that no sum has to be folded: bytes 0 to 3
// of row 0, of row 1, ... of row 15, then bytes 4 to 7 of row 0, and so on, the first in a word's lowest
// bits.
type CodeBlocks struct {
	Words []uint32
	Dim   int
}

// NewCodeBlocks returns n blocks of zeros.
func NewCodeBlocks(n, dim int) CodeBlocks {
	return CodeBlocks{Words: make([]uint32, n*codeBlockWords(dim)), Dim: dim}
}

func codeBlockWords(dim int) int { return CodeBlock * (3 + dim/4) }

// Len is the number of blocks.
func (b CodeBlocks) Len() int { return len(b.Words) / codeBlockWords(b.Dim) }

// at is where the first word of a place lies.
func (b CodeBlocks) at(place int) int {
	return place/CodeBlock*codeBlockWords(b.Dim) + place%CodeBlock
}

// Set fills a place: block place/CodeBlock, row place%CodeBlock.
func (b CodeBlocks) Set(place int, norm, err float32, own uint32, codes []uint8) {
	words := b.Words[b.at(place):]
	words[0], words[CodeBlock], words[2*CodeBlock] = math.Float32bits(norm), math.Float32bits(err), own
	codes = codes[:b.Dim]
	for i := 0; i < b.Dim; i += 4 {
		words[(3+i/4)*CodeBlock] = binary.LittleEndian.Uint32(codes[i:])
	}
}

// Err is the error of a place.
func (b CodeBlocks) Err(place int) float32 {
	return math.Float32frombits(b.Words[b.at(place)+CodeBlock])
}

// Own is the owner's word of a place.
func (b CodeBlocks) Own(place int) uint32 { return b.Words[b.at(place)+2*CodeBlock] }

// Scan compares the signed bytes q with the rows of the blocks from <= i < to. The dot product s of q
// and a row makes
//
//	v = norm + factor·s
//
// and bit i of a block's mask is set unless v of row i is greater than (reach + error)² + offset. With
// norms of |row|² and a factor of -2, v is the squared distance less |q|². out gets v of each row, masks
// a mask for each block. The memory from block next on, as much as is scanned, is asked for meanwhile;
// a next that does not exist does no harm.
func (b CodeBlocks) Scan(out []float32, masks []uint16, q []int8, from, to, next int, factor, reach, offset float32) {
	if from >= to {
		return
	}
	if len(q) != b.Dim || b.Dim == 0 || b.Dim%8 != 0 {
		panic(fmt.Sprintf("vec: a query of %d bytes, codes of %d", len(q), b.Dim))
	}
	size := codeBlockWords(b.Dim)
	words := b.Words[from*size : to*size]
	_, _ = out[(to-from)*CodeBlock-1], masks[to-from-1]
	if next < 0 || next >= b.Len() {
		next = from
	}
	kern.codes.scan(&q[0], &words[0], &b.Words[next*size], to-from, b.Dim/4, factor, reach, offset, &out[0], &masks[0])
}

// CodeSieve are rows of Dim bytes, Dim a multiple of 8, in blocks of [CodeBlock] as [CodeBlocks] has
// them, but with nothing beside the bytes but the rows' norms, and one error for each block: a scan of
// it is bound by memory, so it has as little as will do.
type CodeSieve struct {
	Words []uint32  // of each block: the norms, then the bytes, interleaved in fours
	Errs  []float32 // of each block, the greatest error of its rows
	Dim   int
}

// NewCodeSieve returns n blocks of zeros.
func NewCodeSieve(n, dim int) CodeSieve {
	return CodeSieve{Words: make([]uint32, n*codeSieveWords(dim)), Errs: make([]float32, n), Dim: dim}
}

func codeSieveWords(dim int) int { return CodeBlock * (1 + dim/4) }

// Len is the number of blocks.
func (s CodeSieve) Len() int { return len(s.Errs) }

// Set fills a place: block place/CodeBlock, row place%CodeBlock. err raises the block's error where it is
// greater.
func (s CodeSieve) Set(place int, norm, err float32, codes []uint8) {
	block := place / CodeBlock
	words := s.Words[block*codeSieveWords(s.Dim)+place%CodeBlock:]
	words[0] = math.Float32bits(norm)
	s.Errs[block] = max(s.Errs[block], err)
	codes = codes[:s.Dim]
	for i := 0; i < s.Dim; i += 4 {
		words[(1+i/4)*CodeBlock] = binary.LittleEndian.Uint32(codes[i:])
	}
}

// Scan sets a mask for each of the blocks from <= i < to. Bit j is set unless norm + factor·s of row j, s
// the dot product of the signed bytes q and the row, is greater than (reach + error)² + offset.
func (s CodeSieve) Scan(masks []uint16, q []int8, from, to int, factor, reach, offset float32) {
	if from >= to {
		return
	}
	if len(q) != s.Dim || s.Dim == 0 || s.Dim%8 != 0 {
		panic(fmt.Sprintf("vec: a query of %d bytes, codes of %d", len(q), s.Dim))
	}
	size := codeSieveWords(s.Dim)
	words, errs := s.Words[from*size:to*size], s.Errs[from:to]
	_ = masks[to-from-1]
	kern.codes.sieve(&q[0], &words[0], &errs[0], to-from, s.Dim/4, factor, reach, offset, &masks[0])
}
