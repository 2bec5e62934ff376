package vec

import "math"

// FirstNonFinite returns the index of the first NaN or infinity in a, or -1 where all are finite.
func FirstNonFinite(a []float32) int {
	// Without its sign bit, a float32 whose exponent is all ones (NaN or infinity) is at least
	// 0x7f800000, and adding 0x00800000 carries it into the sign bit. So the sign bits of a block,
	// or-ed together, tell whether to look at it one by one.
	const block = 16
	i := 0
	for ; i+block <= len(a); i += block {
		b := a[i : i+block : i+block]
		var w, x, y, z uint32
		for j := 0; j < block; j += 4 {
			w |= math.Float32bits(b[j])&0x7fffffff + 0x00800000
			x |= math.Float32bits(b[j+1])&0x7fffffff + 0x00800000
			y |= math.Float32bits(b[j+2])&0x7fffffff + 0x00800000
			z |= math.Float32bits(b[j+3])&0x7fffffff + 0x00800000
		}
		if int32(w|x|y|z) < 0 {
			break
		}
	}
	for ; i < len(a); i++ {
		if math.Float32bits(a[i])&0x7f800000 == 0x7f800000 {
			return i
		}
	}
	return -1
}
