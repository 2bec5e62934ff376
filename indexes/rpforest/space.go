package rpforest

import (
	"math"

	"annbench/indexes/vec"
)

// space is how a metric sees the base while trees grow: as points, of one component more than the base
// has under InnerProduct.
type space struct {
	base   vec.Matrix
	metric vec.Metric
	scale  float64   // under L2, a power of 2 that brings the greatest component into range
	most   float64   // under InnerProduct, the greatest length of all
	codes  []uint8   // where not nil, the points instead of base's: so many bytes a row, raised by 128
	extra  []float64 // under InnerProduct, the component more of each row
}

func newSpace(base vec.Matrix, metric vec.Metric) *space {
	s := &space{base: base, metric: metric, scale: 1}
	switch metric {
	case vec.L2:
		if greatest := magnitude(base.Data); greatest > 0 {
			// Ordinary vectors stay as they are: then the base itself serves as the points.
			if greatest < 1e-6 || greatest > 1e6 {
				_, exponent := math.Frexp(float64(greatest))
				s.scale = math.Ldexp(1, -exponent)
			}
		}
	case vec.InnerProduct:
		lengths := make([]float64, base.Rows)
		for i := range lengths {
			lengths[i] = vec.Norm(base.Row(i))
			s.most = max(s.most, lengths[i])
		}
		s.extra = make([]float64, base.Rows)
		for i, length := range lengths {
			// (most - length)(most + length) does not cancel as the difference of the squares does.
			s.extra[i] = math.Sqrt((s.most - length) * (s.most + length))
		}
	}
	return s
}

// magnitude is the greatest absolute value in a, or a NaN where there is one. Magnitudes are ordered as
// their bits are, and NaN is greater than all.
func magnitude(a []float32) float32 {
	const sign = 1 << 31
	var m [4]uint32
	for ; len(a) >= 4; a = a[4:] {
		m[0] = max(m[0], math.Float32bits(a[0])&^sign)
		m[1] = max(m[1], math.Float32bits(a[1])&^sign)
		m[2] = max(m[2], math.Float32bits(a[2])&^sign)
		m[3] = max(m[3], math.Float32bits(a[3])&^sign)
	}
	for _, x := range a {
		m[0] = max(m[0], math.Float32bits(x)&^sign)
	}
	return math.Float32frombits(max(m[0], m[1], m[2], m[3]))
}

// dim is the number of components of a point.
func (s *space) dim() int {
	if s.metric == vec.InnerProduct {
		return s.base.Dim + 1
	}
	return s.base.Dim
}

// point writes row id as a point: of length 1, unless the metric is L2. It reports false for a zero
// vector, which has no direction.
func (s *space) point(dst []float32, id int32) bool {
	if s.codes != nil {
		for i, c := range s.codes[int(id)*s.base.Dim:][:s.base.Dim] {
			dst[i] = float32(int32(c) - 128)
		}
		return true
	}
	row := s.base.Row(int(id))
	scale := s.scale
	switch s.metric {
	case vec.Cosine:
		length := vec.Norm(row)
		if length == 0 {
			return false
		}
		scale = 1 / length
	case vec.InnerProduct:
		if s.most == 0 {
			return false
		}
		scale = 1 / s.most
		dst[len(row)] = float32(s.extra[id] * scale)
	}
	stretch(dst, row, scale)
	return true
}

// points returns the points from <= i < to; the origin for a zero vector. It may write them to buf.
func (s *space) points(buf []float32, from, to int) vec.Matrix {
	if s.metric == vec.L2 && s.scale == 1 {
		return s.base.Slice(from, to)
	}
	m := vec.Matrix{Data: buf[:(to-from)*s.dim()], Rows: to - from, Dim: s.dim()}
	clear(m.Data)
	for i := range m.Rows {
		s.point(m.Row(i), int32(from+i))
	}
	return m
}

// queryPoint writes the point that q is compared with the others as, and returns its length, under
// InnerProduct: of length 1, unless the metric is L2 or q is zero.
func (f *Forest) queryPoint(dst, q []float32) (length float64) {
	scale := f.bounds.scale
	if f.metric != vec.L2 {
		length = vec.Norm(q)
		if length == 0 {
			clear(dst)
			return 0
		}
		scale = 1 / length
	}
	stretch(dst, q, scale)
	clear(dst[len(q):])
	return length
}

// stretch sets dst to q times scale. Where scale is a normal float32 the products are rounded once, as
// a [vec.Ranker] does under Cosine.
func stretch(dst, q []float32, scale float64) {
	if f := float32(scale); f >= 0x1p-126 && f <= math.MaxFloat32 {
		for i, x := range q {
			dst[i] = x * f
		}
		return
	}
	for i, x := range q {
		dst[i] = float32(float64(x) * scale)
	}
}
