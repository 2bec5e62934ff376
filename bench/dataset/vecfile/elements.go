package vecfile

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
)

// element is the type of the values in a file. The zero value is none.
type element struct {
	class byte // 'f' float, 'i' signed, 'u' unsigned
	width int  // bytes
	big   bool // big endian
}

func (e element) String() string {
	name := map[byte]string{'f': "float", 'i': "int", 'u': "uint"}[e.class] + fmt.Sprint(8*e.width)
	if e.big {
		return "big-endian " + name
	}
	return name
}

// readable reports whether decode knows e.
func (e element) readable() bool {
	switch e.width {
	case 1:
		return e.class == 'i' || e.class == 'u'
	case 2, 4, 8:
		return e.class == 'f' || e.class == 'i' || e.class == 'u'
	}
	return false
}

// decode converts raw, which has len(dst) values, to float32. Integers beyond 2^24 are rounded to the
// nearest float32, as NumPy does. bad is the place of the first finite value that is too large for a
// float32, -1 for none.
func (e element) decode(dst []float32, raw []byte) (bad int) {
	var order binary.ByteOrder = binary.LittleEndian
	if e.big {
		order = binary.BigEndian
	}
	switch [2]byte{e.class, byte(e.width)} {
	case [2]byte{'u', 1}:
		for i := range dst {
			dst[i] = float32(raw[i])
		}
	case [2]byte{'i', 1}:
		for i := range dst {
			dst[i] = float32(int8(raw[i]))
		}
	case [2]byte{'u', 2}:
		for i := range dst {
			dst[i] = float32(order.Uint16(raw[2*i:]))
		}
	case [2]byte{'i', 2}:
		for i := range dst {
			dst[i] = float32(int16(order.Uint16(raw[2*i:])))
		}
	case [2]byte{'f', 2}:
		for i := range dst {
			dst[i] = fromHalf(order.Uint16(raw[2*i:]))
		}
	case [2]byte{'u', 4}:
		for i := range dst {
			dst[i] = float32(order.Uint32(raw[4*i:]))
		}
	case [2]byte{'i', 4}:
		for i := range dst {
			dst[i] = float32(int32(order.Uint32(raw[4*i:])))
		}
	case [2]byte{'f', 4}:
		if !e.big && littleEndian {
			copy(memory(dst), raw)
			break
		}
		for i := range dst {
			dst[i] = math.Float32frombits(order.Uint32(raw[4*i:]))
		}
	case [2]byte{'u', 8}:
		for i := range dst {
			dst[i] = float32(order.Uint64(raw[8*i:]))
		}
	case [2]byte{'i', 8}:
		for i := range dst {
			dst[i] = float32(int64(order.Uint64(raw[8*i:])))
		}
	case [2]byte{'f', 8}:
		for i := range dst {
			x := math.Float64frombits(order.Uint64(raw[8*i:]))
			if dst[i] = float32(x); math.IsInf(float64(dst[i]), 0) && !math.IsInf(x, 0) {
				return i
			}
		}
	default:
		panic("dataset: no element " + e.String())
	}
	return -1
}

// appendWhole appends the digits of the whole number that raw begins with.
func (e element) appendWhole(dst, raw []byte) []byte {
	v := e.bits(raw)
	if e.class != 'i' {
		return strconv.AppendUint(dst, v, 10)
	}
	shift := 64 - 8*e.width
	return strconv.AppendInt(dst, int64(v<<shift)>>shift, 10)
}

// bits are those of the value that raw begins with.
func (e element) bits(raw []byte) uint64 {
	var order binary.ByteOrder = binary.LittleEndian
	if e.big {
		order = binary.BigEndian
	}
	switch e.width {
	case 1:
		return uint64(raw[0])
	case 2:
		return uint64(order.Uint16(raw))
	case 4:
		return uint64(order.Uint32(raw))
	}
	return order.Uint64(raw)
}

// decodeInts converts raw to integers; ok is false where a value is no integer that an int32 holds.
func (e element) decodeInts(dst []int32, raw []byte) (bad int) {
	var order binary.ByteOrder = binary.LittleEndian
	if e.big {
		order = binary.BigEndian
	}
	for i := range dst {
		var v int64
		at := raw[i*e.width:]
		switch e.width {
		case 1:
			if v = int64(at[0]); e.class == 'i' {
				v = int64(int8(at[0]))
			}
		case 2:
			if v = int64(order.Uint16(at)); e.class == 'i' {
				v = int64(int16(v))
			}
		case 4:
			if v = int64(order.Uint32(at)); e.class == 'i' {
				v = int64(int32(v))
			}
		case 8:
			v = int64(order.Uint64(at))
		}
		if v != int64(int32(v)) {
			return i
		}
		dst[i] = int32(v)
	}
	return -1
}

// fromHalf is the float32 of an IEEE 754 half.
func fromHalf(h uint16) float32 {
	sign, exp, frac := uint32(h>>15)<<31, uint32(h>>10)&0x1f, uint32(h)&0x3ff
	switch exp {
	case 0:
		x := float32(frac) / (1 << 24) // exact: a subnormal half is a normal float32
		return math.Float32frombits(math.Float32bits(x) | sign)
	case 31:
		return math.Float32frombits(sign | 0xff<<23 | frac<<13)
	}
	return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
}
