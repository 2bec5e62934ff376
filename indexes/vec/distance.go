package vec

import (
	"fmt"
	"math"
)

// Distance is the metric distance between a and b, computed in float64, by which quality is judged:
//
//   - [L2]: the Euclidean distance.
//   - [Cosine]: the chord √(2 - 2cos) between the two vectors scaled to length 1, computed as the
//     length of their difference, so that near-duplicates keep all their digits where 2 - 2cos would
//     cancel them. A zero vector has cos = 0, hence distance √2, to every vector, another zero
//     vector and itself included.
//   - [InnerProduct]: the negated dot product; not a distance in the mathematical sense.
//
// a and b must be of one length.
func (m Metric) Distance(a, b []float32) float64 {
	switch m {
	case L2:
		return math.Sqrt(squaredL2Float64(a, b))
	case Cosine:
		return math.Sqrt(2 * oneMinusCos(a, b))
	case InnerProduct:
		return -dotFloat64(a, b)
	}
	panic(fmt.Sprintf("vec: no metric %q", m))
}

// oneMinusCos is 1 - cos as half the squared difference of the normalised vectors. A scale that is a
// little off (relative error e) changes the answer by a factor 1+e and by e²/2, so near-duplicates
// are safe; a float64 neither overflows nor vanishes for any finite float32 vector.
func oneMinusCos(a, b []float32) float64 {
	aa, bb := dotFloat64(a, a), dotFloat64(b, b)
	if aa == 0 || bb == 0 {
		return 1
	}
	s, t := 1/math.Sqrt(aa), 1/math.Sqrt(bb)
	b = b[:len(a)]
	var sum0, sum1 float64
	i := 0
	for ; i+2 <= len(a); i += 2 {
		d0 := float64(a[i])*s - float64(b[i])*t
		d1 := float64(a[i+1])*s - float64(b[i+1])*t
		sum0 += d0 * d0
		sum1 += d1 * d1
	}
	for ; i < len(a); i++ {
		d := float64(a[i])*s - float64(b[i])*t
		sum0 += d * d
	}
	return (sum0 + sum1) / 2
}

func squaredL2Float64(a, b []float32) float64 {
	b = b[:len(a)]
	var sum float64
	for i, x := range a {
		d := float64(x) - float64(b[i])
		sum += d * d
	}
	return sum
}

func dotFloat64(a, b []float32) float64 {
	b = b[:len(a)]
	var sum0, sum1 float64
	i := 0
	for ; i+2 <= len(a); i += 2 {
		sum0 += float64(a[i]) * float64(b[i])
		sum1 += float64(a[i+1]) * float64(b[i+1])
	}
	for ; i < len(a); i++ {
		sum0 += float64(a[i]) * float64(b[i])
	}
	return sum0 + sum1
}
