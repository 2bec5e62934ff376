package rpforest

import (
	"encoding/binary"
	"math"
	"slices"

	"annbench/indexes/vec"
)

// A sketch maps points to codes of a byte a coordinate, such that the distance of two codes, less an
// error that is known for each, is never greater than the distance of the points.
//
// # The map
//
// Let P be a matrix with orthonormal rows and μ a point. The map
//
//	F(x) = (P(x-μ), |x-μ - PᵀP(x-μ)|)
//
// gives a point's coordinates along the rows and, as one coordinate more, the length of what they leave
// out. It never increases a distance: the parts of x-z along the rows and across them are at right
// angles, so
//
//	|x-z|² = |P(x-z)|² + |(x-z) - PᵀP(x-z)|² >= |P(x-z)|² + (r(x)-r(z))² = |F(x)-F(z)|²
//
// where r is the last coordinate, by the triangle inequality. (Lower bounds from an orthonormal
// transform: Agrawal, Faloutsos and Swami, Efficient similarity search in sequence databases, FODO
// 1993; with the residual's length: Cha, Zhu, Petkovic and Chung, An efficient indexing scheme for
// colour-spatial descriptors, 2002; codes with a bounded error in a cascade: Weber, Schek and Blott,
// VA-file, VLDB 1998.) Rows that are unit vectors pick components; then P needs no arithmetic.
//
// # The codes
//
// A coordinate y is kept as the nearest whole multiple c of the step s, -128 <= c <= 127, in one byte.
// Let y(x) be F(x) as it was computed, and e(x) = |y(x) - s·c(x)| + slack(x), where slack bounds |y(x) -
// F(x)|. The query z has codes c(z) of its own step t and an error e(z) likewise. By the triangle
// inequality
//
//	|x-z| >= |F(x)-F(z)| >= |s·c(x) - t·c(z)| - e(x) - e(z)
//
// so a point x cannot be nearer than T if |s·c(x) - t·c(z)| > T + e(x) + e(z). The left side squared is
// s²|c(x)|² + t²|c(z)|² - 2st·c(x)·c(z), with a dot product of whole numbers.
//
// # The rounding
//
// With u = 2⁻²⁴, a dot product or squared distance of n float32 components, summed in 8 chains or more,
// has an error of at most γ = (n/8+16)·u times the sum of the magnitudes: n/8 additions in a chain,
// and 16 for the product, the difference, the square and the folding, and for terms of u². From that
// [sketch.slack] sums up, with X = |x|, M = |μ|, C = |x-μ| and p rows:
//
//   - Each of p coordinates Px - Pμ: γX + γM for the products, and u(X+M) for each of two roundings;
//     for all of them √p as much. A picked component only has the rounding of the difference, u·C for
//     all of them.
//   - P's rows are orthonormal up to rounding only. F is the map of the nearest rows that are exactly
//     so; they are within [skew] of P, hence within skew·C in the image. So far: e.
//   - r² = C² - |P(x-μ)|², where the first is off by γC² and the second by 2Ce + e² and γC²; together
//     at most δ = 3γC² + 3Ce, as e < C. Then |r̃-r| is at most √δ, and at most δ/r̃.
type sketch struct {
	dims  int        // coordinates, a multiple of 16; those beyond the ones in use are zero
	step  float32    // s
	rest  float32    // what is taken off r, so that its codes are small too; NaN where nothing is left out
	skew  float64    // see above; 0 for picked components
	mean  []float32  // μ
	axes  vec.Matrix // P, unless components are picked
	shift []float32  // Pμ
	picks []int32    // the components that are picked, in rising order
}

// unit is the largest relative error of rounding to a float32.
const unit = 0x1p-24

// gamma is γ above.
func gamma(n int) float64 { return float64(n/8+16) * unit }

// whole reports whether the coordinates leave nothing out.
func (s *sketch) whole() bool { return s.rest != s.rest }

// used is the number of coordinates in use.
func (s *sketch) used() int {
	n := max(s.axes.Rows, len(s.picks))
	if !s.whole() {
		n++
	}
	return n
}

// coordinates sets y, of dims, to F(x), and returns the slack. Along the axes, y holds the products
// P·x already.
func (s *sketch) coordinates(y, x []float32) (slack float64) {
	n := max(s.axes.Rows, len(s.picks))
	for j, i := range s.picks {
		y[j] = x[i] - s.mean[i]
	}
	for j, shift := range s.shift {
		y[j] -= shift
	}
	clear(y[n:])
	square := float64(vec.SquaredL2(x, s.mean))
	c := math.Sqrt(square) * (1 + gamma(len(x)))
	e := unit * c
	if s.axes.Rows > 0 {
		e = math.Sqrt(float64(n))*(gamma(len(x))+2*unit)*(vec.Norm(x)+vec.Norm(s.mean))*1.0001 + s.skew*c
	}
	if s.whole() {
		return e
	}
	delta := 3*gamma(len(x))*c*c + 3*c*e
	r := math.Sqrt(max(0, square-float64(vec.Dot(y[:n], y[:n]))))
	y[n] = float32(r - float64(s.rest))
	off := math.Sqrt(delta)
	if r > off {
		off = delta / r
	}
	return e + off + unit*(r+float64(s.rest))
}

// encode writes the codes of the coordinates y, raised by 128, and returns s²|c|² and an upper bound
// of e(x).
func (s *sketch) encode(codes []uint8, y []float32, slack float64) (norm, err float32) {
	inverse := 1 / s.step
	var off [2]float32
	var squares int32
	codes = codes[:len(y)]
	for j, v := range y {
		c := min(max(nearestInt(v*inverse), -128), 127)
		codes[j] = uint8(c + 128)
		squares += c * c
		d := v - float32(c)*s.step
		off[j&1] += d * d
	}
	// The differences are rounded to u|y|, and c·s too; the sum of squares as above, in two chains.
	length := vec.Norm(y)
	e := math.Sqrt(float64(off[0])+float64(off[1]))*(1+float64(len(y)+4)*unit) + 4*unit*length + slack
	return s.step * s.step * float32(squares), roundUp(e * (1 + 16*unit))
}

// nearestInt is the whole number nearest to x, if its magnitude is below 2¹⁵; half up. Beyond that it
// is any number.
func nearestInt(x float32) int32 {
	return int32(x+65536.5) - 65536 // conversion cuts positive numbers off
}

// roundUp is the smallest float32 that is not less than x.
func roundUp(x float64) float32 {
	f := float32(x)
	if float64(f) < x {
		f = math.Nextafter32(f, float32(math.Inf(1)))
	}
	return f
}

// aim is a query, as a sketch sees it: with v = norm(x) + factor·Σ codes(x)·q, the squared distance of
// the codes is v + offset, up to blur.
type aim struct {
	q      []int8
	factor float32
	offset float64
	blur   float64
	err    float64 // e(z); +Inf where nothing can be said
}

// query sets a to the query of coordinates y.
func (s *sketch) query(a *aim, y []float32, slack float64) {
	most := magnitude(y)
	a.q = a.q[:len(y)]
	if !(most < 1e15) || !(slack < 1e15) { // too far away, or not a number: squares would overflow
		clear(a.q)
		a.factor, a.offset, a.blur, a.err = 0, 0, 0, math.Inf(1)
		return
	}
	t := most / 127
	if t < 1e-15 {
		t = 1e-15 // all codes are 0, and the error is the coordinates' length
	}
	inverse := 1 / t
	var off [2]float32
	var sum, squares, magnitudes int32
	q := a.q[:len(y)]
	for j, v := range y {
		c := nearestInt(v * inverse) // at most 127
		q[j] = int8(c)
		sum += c
		squares += c * c
		magnitudes += max(c, -c)
		d := v - float32(c)*t
		off[j&1] += d * d
	}
	a.err = math.Sqrt(float64(off[0])+float64(off[1]))*(1+float64(len(y)+4)*unit) + 4*unit*vec.Norm(y) + slack
	st := float64(s.step) * float64(t)
	a.factor = float32(-2 * st)
	a.offset = float64(t)*float64(t)*float64(squares) + 256*st*float64(sum)
	// v is rounded three times at most: the factor, the product and the sum; and norm(x) twice before
	// that. 128² is the greatest square of a code.
	greatest := float64(s.step) * float64(s.step) * 128 * 128 * float64(len(y))
	a.blur = 4 * unit * (greatest + 2*st*255*float64(magnitudes))
}

// limit returns reach and offset such that v > (reach + e(x))² + offset, in float32 arithmetic, only if
// the point is farther than t: with reach = t + e(z), the square less the aim's offset, blur added. The
// arithmetic's errors are at most 4u of the square and of the offset; the square is raised by 8u and
// more, as encode raises e(x), too, by 2⁻²⁰.
func (a *aim) limit(t float64) (reach, offset float32) {
	return roundUp((t + a.err) * (1 + 16*unit)), roundUp(a.blur - a.offset + 16*unit*math.Abs(a.offset))
}

// nearest returns a lower bound of the distance to a point of value v and error err.
func (a *aim) nearest(v float32, err float64) float64 {
	square := float64(v) + a.offset - a.blur
	return math.Sqrt(max(0, square)) - err - a.err
}

// newSketch makes a sketch over the centred sample's space. It has axes, or picks where axes is empty;
// rest says that it has a last coordinate for what those leave out. The step is such that nearly all
// coordinates of the sample have codes.
func newSketch(sample vec.Matrix, mean []float32, axes vec.Matrix, picks []int32, rest bool) *sketch {
	s := &sketch{mean: mean, axes: axes, picks: picks, rest: float32(math.NaN()), step: 1}
	if rest {
		s.rest = 0
	}
	s.dims = (s.used() + 15) / 16 * 16
	if axes.Rows > 0 {
		s.skew = skew(axes)
		s.shift = make([]float32, axes.Rows)
		for j := range s.shift {
			var sum float64
			for i, x := range axes.Row(j) {
				sum += float64(x) * float64(mean[i])
			}
			s.shift[j] = float32(sum)
		}
	}
	// A few coordinates of a few points.
	const points, most = 1024, 1 << 15
	point, y := make([]float32, sample.Dim), make([]float32, s.dims)
	var magnitudes []float32
	var rests []float32
	skip := max(1, s.used()*min(points, sample.Rows)/most)
	for i := range min(points, sample.Rows) {
		for j, x := range sample.Row(i) {
			point[j] = x + mean[j]
		}
		vec.DotRows(y[:axes.Rows], point, axes)
		s.coordinates(y, point)
		n := s.used()
		if rest {
			n--
			rests = append(rests, y[n])
		}
		for j := i % skip; j < n; j += skip {
			magnitudes = append(magnitudes, max(y[j], -y[j]))
		}
	}
	if rest {
		slices.Sort(rests)
		s.rest = rests[len(rests)/2]
		for _, r := range rests {
			magnitudes = append(magnitudes, max(r-s.rest, s.rest-r))
		}
	}
	slices.Sort(magnitudes)
	// One coordinate of 5,000 is cut off, at the cost of a great error of its vector; the others have a
	// finer step.
	if m := magnitudes[len(magnitudes)-1-len(magnitudes)/5000]; m > 0 {
		s.step = max(m/127, 1e-15)
	}
	return s
}

// A record of the fine sketch, by row: the codes, then norm and err.
const recordTail = 8

func putTail(record []uint8, norm, err float32) {
	binary.LittleEndian.PutUint32(record, math.Float32bits(norm))
	binary.LittleEndian.PutUint32(record[4:], math.Float32bits(err))
}

func tail(record []uint8) (norm, err float32) {
	return math.Float32frombits(binary.LittleEndian.Uint32(record)), math.Float32frombits(binary.LittleEndian.Uint32(record[4:]))
}
