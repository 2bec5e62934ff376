package indexes

import (
	"math"
	"slices"
)

// Scale says on which steps the values of a setting are worth trying. It is what a search for settings goes by; any
// value in range may be asked for.
type Scale string

// The scales. The zero value is [Logarithmic] of an Int or a Float, both of a Bool, all of a Word, and [Fixed] of a
// Text.
const (
	Linear      Scale = "linear"        // steps of a tenth of the range, at least 1
	Logarithmic Scale = "logarithmic"   // twice and half
	PowersOfTwo Scale = "powers of two" // the same, from a power of two
	Divisors    Scale = "divisors"      // numbers that divide the number of dimensions, about twice and half
	Fixed       Scale = "fixed"         // its default alone: it is of the machine, or hardly matters
)

// Scales lists them.
var Scales = []Scale{Linear, Logarithmic, PowersOfTwo, Divisors, Fixed}

// scale is p.Scale, or what its zero value means.
func (p *Param) scale() Scale {
	switch {
	case p.Scale != "":
		return p.Scale
	case p.Kind == Text:
		return Fixed
	}
	return Logarithmic
}

// Start is the value to begin with on n vectors of dim dimensions: the default, but of a setting that grows with
// the number of vectors the smallest power of two of at least 2·n^Grows (of cells of inverted lists, 2·√n), and of
// one that divides the dimensions the largest divisor of at most an eighth of them, where the default is not 0.
func (p *Param) Start(n, dim int) any {
	if p.Kind != Int {
		return p.Default
	}
	switch {
	case p.Grows > 0:
		v := 1
		for float64(v) < 2*math.Pow(float64(n), p.Grows) {
			v *= 2
		}
		return p.within(v)
	case p.Scale == Divisors && p.Default != 0:
		return p.within(Divisor(dim, max(1, dim/8)))
	}
	return p.Default
}

// within is v, or the end of the range that it is beyond.
func (p *Param) within(v int) int { return min(max(v, int(p.Min)), int(p.Max)) }

// Divisor is the largest number of at most most that divides dim.
func Divisor(dim, most int) int {
	m := min(max(1, most), dim)
	for dim%m != 0 {
		m--
	}
	return m
}

// Steps are the values next to v on the scale of p, the smaller one first: of a Bool the other one, of a Word all
// others. A value that is not in range is left out.
func (p *Param) Steps(v any, dim int) []any {
	var out []any
	add := func(x any) {
		if x, err := p.convert(x); err == nil && x != v && !slices.Contains(out, x) {
			out = append(out, x)
		}
	}
	scale := p.scale()
	if scale == Fixed {
		return nil
	}
	switch p.Kind {
	case Bool:
		add(v != true)
		return out
	case Word:
		for _, w := range p.Words {
			add(w)
		}
		return out
	}
	x, ok := number(v)
	if !ok {
		return nil
	}
	down, up := x/2, x*2
	switch {
	case scale == Linear:
		step := (p.Max - p.Min) / 10
		if p.Kind == Int {
			step = max(1, math.Round(step))
		}
		down, up = x-step, x+step
	case scale == Divisors && x == 0: // what 0 stands for is the family's own affair: about a quarter of the dimensions
		add(Divisor(dim, dim/8))
		add(Divisor(dim, dim/2))
		return out
	case scale == Divisors:
		down, up = float64(Divisor(dim, max(1, int(x)/2))), 0
		for m := int(2 * x); m <= dim && up == 0; m++ {
			if dim%m == 0 {
				up = float64(m)
			}
		}
	}
	if p.Kind == Int {
		down, up = math.Floor(down), math.Ceil(up)
	}
	if down < x && !(down == 0 && scale != Linear) { // 0 often has a meaning of its own
		add(down)
	}
	if up > x {
		add(up)
	}
	return out
}
