package hnsw

import (
	"math"
	"math/rand/v2"
	"slices"

	"annbench/indexes/vec"
)

// codes are vectors as whole multiples c of a step from the mean, -128 <= c <= 127, in a byte a component. What is coded
// is a point: the vector itself, scaled into range, under L2; of length 1 under Cosine; and with a component more under
// InnerProduct, see the package's doc. Distances of codes are squared Euclidean ones, in units of the step.
type codes struct {
	dims  int // components of a point, in sixteens; those beyond the last are zero
	scale float64
	step  float32
	mean  []float32
	rows  []uint8   // dims bytes a row, raised by 128
	norms []float32 // |c|² of each row
}

// The mean and the step are those of so many vectors at most. One component of so many is cut off: then the others have a
// finer step.
const (
	sampleRows = 4096
	cutOff     = 5000
)

func newCodes(base vec.Matrix, metric vec.Metric, most float64, seed uint64) *codes {
	dim := base.Dim
	if metric == vec.InnerProduct {
		dim++
	}
	c := &codes{dims: (dim + 15) / 16 * 16, scale: 1, step: 1, mean: make([]float32, dim)}
	if metric == vec.L2 {
		var greatest float64
		for _, v := range base.Data {
			greatest = max(greatest, math.Abs(float64(v)))
		}
		if greatest > 0 && (greatest < 1e-6 || greatest > 1e6) {
			_, exponent := math.Frexp(greatest)
			c.scale = math.Ldexp(1, -exponent)
		}
	}
	sample := vec.NewMatrix(min(base.Rows, sampleRows), dim)
	rng := rand.New(rand.NewPCG(seed, 1<<34))
	sums := make([]float64, dim)
	for i := range sample.Rows {
		row := i
		if base.Rows > sampleRows {
			row = rng.IntN(base.Rows)
		}
		c.point(sample.Row(i), base.Row(row), metric, most, true)
		for j, v := range sample.Row(i) {
			sums[j] += float64(v)
		}
	}
	for j := range c.mean {
		c.mean[j] = float32(sums[j] / float64(sample.Rows))
	}
	magnitudes := make([]float32, 0, 1<<16)
	skip := max(1, len(sample.Data)/(1<<16))
	for i := 0; i < len(sample.Data); i += skip {
		d := sample.Data[i] - c.mean[i%dim]
		magnitudes = append(magnitudes, max(d, -d))
	}
	slices.Sort(magnitudes)
	if m := magnitudes[len(magnitudes)-1-len(magnitudes)/cutOff]; m > 0 {
		c.step = max(m/127, 1e-15)
	}
	return c
}

// point writes a vector as a point. Of a query, whole is false: it has no component more.
func (c *codes) point(dst, v []float32, metric vec.Metric, most float64, whole bool) {
	scale := c.scale
	switch metric {
	case vec.Cosine:
		scale = 0
		if length := vec.Norm(v); length > 0 {
			scale = 1 / length
		}
	case vec.InnerProduct:
		length := vec.Norm(v)
		dst[len(v)] = 0
		scale = 0
		switch {
		case whole && most > 0:
			scale = 1 / most
			length = min(length, most)
			dst[len(v)] = float32(math.Sqrt((most-length)*(most+length)) / most)
		case !whole && length > 0:
			scale = 1 / length
		}
	}
	for i, x := range v {
		dst[i] = float32(float64(x) * scale)
	}
}

// add codes the rows of more, behind those that there are.
func (c *codes) add(more vec.Matrix, metric vec.Metric, most float64) {
	point := make([]float32, len(c.mean))
	at := len(c.norms)
	c.rows = append(c.rows, make([]uint8, more.Rows*c.dims)...)
	c.norms = append(c.norms, make([]float32, more.Rows)...)
	for i := range more.Rows {
		c.code(at+i, more.Row(i), point, metric, most)
	}
}

// set codes a vector in the place of another.
func (c *codes) set(place int, v []float32, metric vec.Metric, most float64) {
	c.code(place, v, make([]float32, len(c.mean)), metric, most)
}

// code sets the code of a place to that of v. point is memory for it.
func (c *codes) code(place int, v, point []float32, metric vec.Metric, most float64) {
	c.point(point, v, metric, most, true)
	inverse := 1 / c.step
	row := c.rows[place*c.dims:][:c.dims]
	squares := int32(0)
	for j := range row {
		var n int32
		if j < len(point) {
			n = nearest((point[j] - c.mean[j]) * inverse)
		}
		squares += n * n
		row[j] = uint8(n + 128)
	}
	norm := float32(squares)
	if metric == vec.Cosine && vec.Norm(v) == 0 {
		// At right angles to all: the squared distance to a point of length 1 is 2, not 1.
		norm += 1 / (c.step * c.step)
	}
	c.norms[place] = norm
}

// nearest is the whole number nearest to v, of -128 to 127. A NaN gives one of them.
func nearest(v float32) int32 {
	return int32(min(max(v, -128), 127)+65536.5) - 65536
}

// A ruler measures the distances of one point to many, in terms that are comparable between rulers of one kind: of rows,
// while a graph is built; and of a query.
type ruler struct {
	x     *Index
	query vec.Query
	unit  []float32
	extra float32 // under InnerProduct, of a row

	// By codes: norm + square + factor·(dot - raised) is |x|² + |q|² - 2x·q.
	q              []int8
	point          []float32
	factor, square float32
	raised         int32 // what the dot product has too much, as bytes of rows are raised by 128
	dots           []int32
}

func newRuler(x *Index) ruler {
	r := ruler{x: x}
	if x.codes != nil {
		r.q, r.point = make([]int8, x.codes.dims), make([]float32, len(x.codes.mean))
		r.dots = make([]int32, max(2*x.options.M+1, 64))
	} else {
		r.unit = make([]float32, x.base.Dim)
	}
	return r
}

// atRow puts the ruler at a row.
func (r *ruler) atRow(id int32) {
	x := r.x
	c := x.codes
	if c == nil {
		r.query = x.ranker.Query(x.base.Row(int(id)), r.unit)
		if x.metric == vec.InnerProduct {
			r.extra = x.extra[id]
		}
		return
	}
	row := c.rows[int(id)*c.dims:][:c.dims]
	q := r.q[:len(row)]
	sum := int32(0)
	for j, v := range row {
		q[j] = int8(v ^ 128) // v - 128
		sum += int32(q[j])
	}
	r.factor, r.square, r.raised = -2, c.norms[id], 128*sum
}

// atQuery puts the ruler at a query.
func (r *ruler) atQuery(query vec.Query, q []float32) {
	x := r.x
	c := x.codes
	if c == nil {
		r.query, r.extra = query, 0
		return
	}
	c.point(r.point, q, x.metric, x.most, false)
	var most, squares float32
	for j, v := range r.point {
		v -= c.mean[j]
		r.point[j] = v
		most = max(most, v, -v)
	}
	t := max(most/127, 1e-15)
	if !(t < 1e15) {
		t = 1e15
	}
	inverse := 1 / t
	sum := int32(0)
	clear(r.q)
	for j, v := range r.point {
		v := nearest(v * inverse)
		r.q[j] = int8(v)
		sum += v
		squares += float32(v * v)
	}
	ratio := t / c.step
	r.factor, r.square, r.raised = -2*ratio, ratio*ratio*squares, 128*sum
	if r.square > math.MaxFloat32 { // a query that far off: the order is the same without it
		r.square = 0
	}
}

// to sets out to the distances to rows.
func (r *ruler) to(out []float32, ids []int32) {
	x := r.x
	c := x.codes
	if c == nil {
		r.query.Scattered(out, ids)
		if r.extra != 0 {
			for i, id := range ids {
				out[i] -= r.extra * x.extra[id]
			}
		}
		return
	}
	dots := r.dots[:len(ids)]
	vec.DotCodesScattered(dots, r.q, c.rows, c.dims, ids)
	for i, id := range ids {
		out[i] = c.norms[id] + (r.square + r.factor*float32(dots[i]-r.raised))
	}
}
