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

// Nearer reports whether near, the distance of base from query by [Metric.Distance], is below far by more than
// rounding explains, where both were found in float32 and tolerance is relative. How much that is follows from the
// lengths of the vectors: what is compared is the squared distance under L2 and cosine, and the dot product.
func (m Metric) Nearer(near, far float64, query, base []float32, tolerance float64) bool {
	if near >= far-math.Abs(far)*tolerance {
		return false
	}
	var gap, scale float64
	switch m {
	case L2:
		gap, scale = far*far-near*near, dotFloat64(query, query)+dotFloat64(base, base)
	case Cosine:
		gap, scale = far*far-near*near, 2
	default:
		gap, scale = far-near, math.Sqrt(dotFloat64(query, query)*dotFloat64(base, base))
	}
	return gap > scale*tolerance
}

// Rank is the rank value of b as an answer to query a; see [Neighbor]. It is what a [Ranker] gives, up
// to rounding. a and b must be of one length.
func (m Metric) Rank(a, b []float32) float32 {
	switch m {
	case L2:
		return SquaredL2(a, b)
	case Cosine:
		s, t := Norm(a), Norm(b)
		if s == 0 || t == 0 {
			return 1
		}
		return float32(halfSquaredChord(a, b, 1/s, 1/t))
	case InnerProduct:
		v := -Dot(a, b)
		if v != v { // products beyond the range of a float32, of both signs
			return float32(-dotFloat64(a, b))
		}
		return v
	}
	panic(fmt.Sprintf("vec: no metric %q", m))
}

// Norm is the Euclidean length of a, with a relative error of at most 1e-5, whatever the magnitudes.
func Norm(a []float32) float64 {
	s := Dot(a, a)
	if s > 1e-30 && s < 1e38 {
		return math.Sqrt(float64(s))
	}
	return math.Sqrt(dotFloat64(a, a)) // squares beyond the range of a float32
}

func oneMinusCos(a, b []float32) float64 {
	aa, bb := dotFloat64(a, a), dotFloat64(b, b)
	if aa == 0 || bb == 0 {
		return 1
	}
	return halfSquaredChord(a, b, 1/math.Sqrt(aa), 1/math.Sqrt(bb))
}

// halfSquaredChord is 1 - cos as half the squared difference of the vectors, scaled to length 1 by s
// and t. Scales with a relative error of e change the answer by a factor of about 1+e and by e²/2 at
// most, so near-duplicates are safe.
func halfSquaredChord(a, b []float32, s, t float64) float64 {
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
