package boards

import (
	"math"
	"math/rand/v2"
)

// A board is the same on every machine, byte for byte. So what follows uses only operations whose
// result the language and IEEE 754 fix to the last bit: + - * /, math.Sqrt, math.Floor, and
// conversions. Sines and exponentials are computed here, since those of package math differ between
// architectures, and so does the tail of rand.NormFloat64.
//
// Subtle: a compiler may fuse x*y + z into one operation that rounds once (on arm64 it does; on
// amd64 from GOAMD64=v3 on), also across variables and inlined calls, but not across an explicit
// conversion. Hence the conversions in float64(x*y) + z all over this package; a linter that calls
// them redundant is wrong. TestNoFusedOperations looks into the machine code for one that was
// forgotten.

// sin is the sine of t turns, within 1e-6.
func sin(t float64) float64 {
	t -= math.Floor(t) // [0, 1)
	sign := 1.0
	if t >= .5 {
		t, sign = t-.5, -1
	}
	if t > .25 {
		t = .5 - t
	}
	x := t * (2 * math.Pi) // [0, pi/2]
	x2 := x * x
	// The Taylor series up to x^9 is off by at most 4e-6 here.
	p := 1 - float64(x2/72)
	p = 1 - float64(x2/42*p)
	p = 1 - float64(x2/20*p)
	p = 1 - float64(x2/6*p)
	return float64(sign * x * p)
}

// cos is the cosine of t turns.
func cos(t float64) float64 { return sin(float64(t) + .25) }

// exp is e^x for |x| < 16, within 1e-4 of itself: (1 + x/n)^n by squaring.
func exp(x float64) float64 {
	y := 1 + float64(x/(1<<20))
	for range 20 {
		y *= y
	}
	return y
}

func hypot(x, y float64) float64 { return math.Sqrt(float64(x*x) + float64(y*y)) }

// lerp is a where t is 0 and b where t is 1.
func lerp(a, b, t float64) float64 {
	a, b = float64(a), float64(b) // where it is inlined these may be products
	return a + float64((b-a)*t)
}

func clamp(x, lo, hi float64) float64 { return max(lo, min(hi, x)) }

// smooth rises from 0 at x <= a to 1 at x >= b.
func smooth(a, b, x float64) float64 {
	t := clamp((x-a)/(b-a), 0, 1)
	return float64(t * t * (3 - float64(2*t)))
}

// frac is x - floor(x).
func frac(x float64) float64 {
	x = float64(x) // where it is inlined this may be a product
	return x - math.Floor(x)
}

// dice are a generator with the draws that this package needs.
type dice struct{ *rand.Rand }

// Float64 is uniform in [0, 1).
func (d dice) Float64() float64 { return float64(d.Rand.Float64()) }

// between is uniform in [a, b).
func (d dice) between(a, b float64) float64 { return lerp(a, b, d.Float64()) }

// chance is true with probability p.
func (d dice) chance(p float64) bool { return d.Float64() < p }

// normal has mean 0, standard deviation 1 and no value beyond 6: the sum of twelve uniforms, less 6.
func (d dice) normal() float64 {
	s := -6.0
	for range 12 {
		s += d.Float64()
	}
	return s
}

// sign is -1 or 1.
func (d dice) sign() float64 {
	if d.IntN(2) == 0 {
		return -1
	}
	return 1
}

// weighted picks an index with probability in proportion to its weight.
func (d dice) weighted(weights ...int) int {
	total := 0
	for _, w := range weights {
		total += w
	}
	x := d.IntN(total)
	for i, w := range weights {
		if x -= w; x < 0 {
			return i
		}
	}
	panic("boards: weights without a sum")
}

// hash is a pseudo-random number in [0, 1) of a lattice point.
func hash(x, y int, seed uint32) float64 {
	h := uint32(x)*0x165667b1 + uint32(y)*0x27d4eb2f + seed*0x85ebca77
	h = (h ^ h>>15) * 0x2c1b3c6d
	h = (h ^ h>>12) * 0x297a2d39
	h ^= h >> 15
	return float64(float64(h>>8) / (1 << 24))
}

// noise is value noise in [0, 1): smooth, with features about 1 wide.
func noise(x, y float64, seed uint32) float64 {
	fx, fy := math.Floor(x), math.Floor(y)
	i, j := int(fx), int(fy)
	x -= fx
	y -= fy
	x = float64(x * x * (3 - float64(2*x)))
	y = float64(y * y * (3 - float64(2*y)))
	a, b := hash(i, j, seed), hash(i+1, j, seed)
	c, d := hash(i, j+1, seed), hash(i+1, j+1, seed)
	return lerp(lerp(a, b, x), lerp(c, d, x), y)
}

// cell is a point of cellular noise (Worley 1996): one feature point in each unit square.
type cell struct {
	near   float64 // distance to the nearest feature point
	dx, dy float64 // from it
	id     float64 // its number in [0, 1)
}

func cells(x, y float64, seed uint32) cell {
	fx, fy := math.Floor(x), math.Floor(y)
	i, j := int(fx), int(fy)
	best := cell{near: 9}
	var bi, bj int
	for dj := -1; dj <= 1; dj++ {
		for di := -1; di <= 1; di++ {
			dx := x - (float64(i+di) + hash(i+di, j+dj, seed))
			dy := y - (float64(j+dj) + hash(i+di, j+dj, seed+77))
			if d := float64(dx*dx) + float64(dy*dy); d < best.near {
				best.near, best.dx, best.dy = d, dx, dy
				bi, bj = i+di, j+dj
			}
		}
	}
	best.near = math.Sqrt(best.near)
	best.id = hash(bi, bj, seed+151)
	return best
}
