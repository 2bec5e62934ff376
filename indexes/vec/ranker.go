package vec

import "math"

// Ranker computes the rank values of queries to the rows of a base, under one metric. It holds the
// base's memory and, under [Cosine], one number a row. It is not changed by its use, so many
// goroutines may share it.
//
// Base and queries must be finite. The rank value of a pair is the same bits from Rows, Scattered and
// Exact. It is never NaN: where float32 arithmetic gives none (a zero vector under Cosine, products
// of both signs beyond its range), it comes from [Metric.Rank].
type Ranker struct {
	base   Matrix
	metric Metric
	// scales are, under Cosine, 1/|row|, or NaN where that is not a normal float32; a NaN makes the
	// kernels' value NaN, which sends the pair to Metric.Rank.
	scales []float32
}

// NewRanker prepares for base, of at least one dimension. Under [Cosine] it reads every row once.
func NewRanker(base Matrix, metric Metric) *Ranker {
	r := &Ranker{base: base, metric: metric}
	if metric == Cosine {
		r.scales = make([]float32, base.Rows)
		for i := range r.scales {
			r.scales[i] = scale(base.Row(i))
		}
	}
	return r
}

// scale is 1/|a| where that is a normal float32, else NaN.
func scale(a []float32) float32 {
	const smallestNormal = 0x1p-126
	s := 1 / Norm(a)
	if s >= smallestNormal && s <= math.MaxFloat32 {
		return float32(s)
	}
	return float32(math.NaN())
}

// RestoreRanker is [NewRanker] without the reading: scales are those of a Ranker made for the same base.
func RestoreRanker(base Matrix, metric Metric, scales []float32) *Ranker {
	return &Ranker{base: base, metric: metric, scales: scales}
}

// Scales are what a Ranker computed from its base, for [RestoreRanker]: under [Cosine] a number for each
// row, else none. They must not be changed.
func (r *Ranker) Scales() []float32 { return r.scales }

// Base is the matrix that r was made for.
func (r *Ranker) Base() Matrix { return r.base }

// Metric is the metric that r was made for.
func (r *Ranker) Metric() Metric { return r.metric }

// A Query is a query prepared for a [Ranker].
type Query struct {
	r    *Ranker
	q    []float32
	unit []float32 // under Cosine, q scaled to length 1; else q
	zero bool      // under Cosine, |q| = 0
}

// Query prepares q, whose length is the base's number of dimensions and whose memory is used until
// the last value is asked for. Under [Cosine] it also uses buf, of at least that length; nil is a new one.
func (r *Ranker) Query(q, buf []float32) Query {
	query := Query{r: r, q: q[:r.base.Dim:r.base.Dim], unit: q}
	if r.metric == Cosine {
		if buf == nil {
			buf = make([]float32, r.base.Dim)
		}
		query.unit = buf[:r.base.Dim]
		multiply(query.unit, query.q, scale(query.q))
		query.zero = Norm(query.q) == 0
	}
	return query
}

func multiply(dst, a []float32, s float32) {
	dst = dst[:len(a)]
	for i, x := range a {
		dst[i] = s * x
	}
}

// Rows sets out[i] to the rank value of row from+i, for i < len(out).
func (q *Query) Rows(out []float32, from int) {
	r := q.r
	rows := r.base.Slice(from, from+len(out))
	switch {
	case r.metric == L2:
		SquaredL2Rows(out, q.unit, rows)
		return
	case r.metric == InnerProduct:
		DotRows(out, q.unit, rows)
	case q.zero:
		fill(out, 1)
		return
	default:
		kern.scaled.overRows(out, q.unit, rows, r.scales[from:from+len(out)])
	}
	factor := r.factor()
	for i, v := range out {
		v *= factor
		if v != v {
			v = r.metric.Rank(q.q, rows.Row(i))
		}
		out[i] = v
	}
}

// row is the rank value of a row. It does not look at q.zero: a scale of zero makes a NaN.
func (q *Query) row(i int) float32 {
	r := q.r
	row := r.base.Row(i)
	var v float32
	switch r.metric {
	case L2:
		return kern.l2.one(&q.unit[0], &row[0], len(row))
	case InnerProduct:
		v = kern.dot.one(&q.unit[0], &row[0], len(row))
	default:
		v = kern.scaled.one(&q.unit[0], &row[0], len(row), r.scales[i])
	}
	v *= r.factor()
	if v != v {
		v = r.metric.Rank(q.q, row)
	}
	return v
}

// Scattered sets out[i] to the rank value of row ids[i]; out and ids are of one length.
func (q *Query) Scattered(out []float32, ids []int32) {
	r := q.r
	switch {
	case r.metric == L2:
		SquaredL2Scattered(out, q.unit, r.base, ids)
		return
	case r.metric == InnerProduct:
		DotScattered(out, q.unit, r.base, ids)
	case q.zero:
		fill(out, 1)
		return
	default:
		kern.scaled.overScattered(out, q.unit, r.base, r.scales, ids)
	}
	factor := r.factor()
	for i, v := range out {
		v *= factor
		if v != v {
			v = r.metric.Rank(q.q, r.base.Row(int(ids[i])))
		}
		out[i] = v
	}
}

// factor makes a kernel's value a rank value: 1 - cos is half the squared distance of the vectors
// scaled to length 1.
func (r *Ranker) factor() float32 {
	switch r.metric {
	case Cosine:
		return 0.5
	case InnerProduct:
		return -1
	}
	return 1
}

func fill(out []float32, v float32) {
	for i := range out {
		out[i] = v
	}
}
