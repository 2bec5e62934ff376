package pgvector

import (
	bits "encoding/binary"
	"fmt"
	"math"

	"annbench/indexes/vec"
)

// binary says, to the protocol, that all parameters or all results are in binary form.
var binary = []int16{1}

func appendUint32(b []byte, v uint32) []byte { return bits.BigEndian.AppendUint32(b, v) }

// wireSize is the length of a vector in pgvector's binary form: the number of dimensions in two bytes,
// two bytes of zero, and the components, all big-endian.
func wireSize(t Type, dim int) int {
	if t == Halfvec {
		return 4 + 2*dim
	}
	return 4 + 4*dim
}

// appendVector adds v in that form.
func appendVector(b []byte, t Type, v []float32) ([]byte, error) {
	b = append(b, byte(len(v)>>8), byte(len(v)), 0, 0)
	if t != Halfvec {
		for _, x := range v {
			b = bits.BigEndian.AppendUint32(b, math.Float32bits(x))
		}
		return b, nil
	}
	for i, x := range v {
		h := half(x)
		if h&0x7fff == halfInfinity {
			return b, fmt.Errorf("%v in dimension %d is beyond what type halfvec holds (65504): take type vector", x, i)
		}
		b = bits.BigEndian.AppendUint16(b, h)
	}
	return b, nil
}

// appendSet adds a set as get_bit reads one: row i is bit i%8, from the lowest, of byte i/8. There is a bit for each of so
// many rows at least, since get_bit refuses to look beyond the end.
func appendSet(b []byte, set *vec.Set, rows int) []byte {
	from := len(b)
	for _, word := range set.Words() {
		b = bits.LittleEndian.AppendUint64(b, word)
	}
	for len(b)-from < (rows+7)/8 {
		b = append(b, 0)
	}
	return b
}

const halfInfinity = 0x7c00

// half is the float16 nearest to x, of two that are equally near the even one; what is beyond its range
// is infinite. (IEEE 754, binary16: a sign, 5 bits of exponent, 10 of fraction.)
func half(x float32) uint16 {
	u := math.Float32bits(x)
	sign := uint16(u >> 16 & 0x8000)
	u &^= 1 << 31
	switch {
	case u >= 0x7f800000: // infinite, or none
		if u > 0x7f800000 {
			return sign | 0x7e00
		}
		return sign | halfInfinity
	case u >= 0x47800000: // 65536
		return sign | halfInfinity
	case u < 0x38800000: // 2^-14: a float16 of this size has fewer bits, all multiples of 2^-24
		return sign | uint16(math.RoundToEven(float64(math.Float32frombits(u))*(1<<24)))
	}
	// Drop 13 bits, to even; a carry into the exponent is right, up to infinity.
	u += 0xfff + u>>13&1
	return sign | uint16((u>>13)-(127-15)<<10)
}
