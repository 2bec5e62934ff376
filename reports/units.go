package reports

import (
	"math"
	"strconv"
	"strings"

	"annbench/bench/metric"
)

// missing stands where nothing was measured.
const missing = "–"

// format writes x, counted in base units, for people: three significant digits with the unit that
// keeps them short. A ratio has three decimals; one below 1 is never rounded up to 1.
func format(u metric.Unit, x float64) string {
	switch u {
	case metric.Seconds:
		return scaled(x, timeSteps)
	case metric.Bytes:
		return scaled(x, byteSteps)
	case metric.Ratio:
		return ratio(x)
	case metric.PerSecond:
		return significant(x)
	}
	return significant(x)
}

// Readable writes a value of package metric's table, counted in base units, for people: three significant
// digits, in the unit that keeps them short.
func Readable(name string, x float64) string { return formatNamed(name, x) }

// formatNamed writes a value of package metric's table.
func formatNamed(name string, x float64) string {
	info, _ := metric.Lookup(name)
	return format(info.Unit, x)
}

type step struct {
	size float64
	unit string
}

var (
	timeSteps = []step{{3600, "h"}, {60, "min"}, {1, "s"}, {1e-3, "ms"}, {1e-6, "µs"}, {1e-9, "ns"}}
	byteSteps = []step{{1 << 40, "TiB"}, {1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}, {1, "B"}}
)

// scaled writes x in the largest unit of which there is at least one. Minutes and hours begin at two
// of them: 90 s is easier than 1.5 min.
func scaled(x float64, steps []step) string {
	s := scaleOf(x, steps)
	return significant(x/s.size) + " " + s.unit
}

func scaleOf(x float64, steps []step) step {
	a := math.Abs(x)
	if a == 0 {
		for _, s := range steps {
			if s.size == 1 {
				return s
			}
		}
	}
	for _, s := range steps {
		least := s.size
		if s.unit == "min" || s.unit == "h" {
			least *= 2
		}
		// What rounds up to the next unit is written in it: 999.96 µs is 1.00 ms.
		if a >= least*0.9995 {
			return s
		}
	}
	return steps[len(steps)-1]
}

// significant writes x with three significant digits, and whole numbers above with commas.
func significant(x float64) string {
	a := math.Abs(x)
	switch {
	case a == 0:
		return "0"
	case a >= 999.5:
		digits := math.Pow(10, math.Floor(math.Log10(a))-2)
		return commas(strconv.FormatFloat(math.Round(x/digits)*digits, 'f', 0, 64))
	case a >= 99.95:
		return strconv.FormatFloat(x, 'f', 0, 64)
	case a >= 9.995:
		return strconv.FormatFloat(x, 'f', 1, 64)
	case a >= 0.9995:
		return strconv.FormatFloat(x, 'f', 2, 64)
	}
	return strconv.FormatFloat(x, 'g', 3, 64)
}

func ratio(x float64) string {
	s := strconv.FormatFloat(x, 'f', 3, 64)
	if x < 1 && s == "1.000" {
		return strconv.FormatFloat(math.Floor(x*1e5)/1e5, 'f', 5, 64)
	}
	return s
}

// count writes a whole number with commas.
func count[T ~int | ~int64](n T) string { return commas(strconv.FormatInt(int64(n), 10)) }

func commas(s string) string {
	sign := ""
	if strings.HasPrefix(s, "-") {
		sign, s = "-", s[1:]
	}
	var b strings.Builder
	for i, c := range s {
		if i > 0 && (len(s)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(c)
	}
	return sign + b.String()
}

// times writes how many times a is b: "21×", "1.4×".
func times(a, b float64) string {
	x := a / b
	if x >= 9.95 {
		return commas(strconv.FormatFloat(x, 'f', 0, 64)) + "×"
	}
	return strconv.FormatFloat(x, 'f', 1, 64) + "×"
}

// spread writes the half width of v's interval in percent of its median: "±3%". It is an en dash
// where there is no interval.
func spread(v Value) string {
	if !v.HasInterval || v.Median == 0 {
		return missing
	}
	p := 100 * max(v.Hi-v.Median, v.Median-v.Lo) / math.Abs(v.Median)
	if p < 9.5 && p >= 0.05 {
		return "±" + strconv.FormatFloat(p, 'f', 1, 64) + "%"
	}
	return "±" + strconv.FormatFloat(p, 'f', 0, 64) + "%"
}

// between writes v's interval in the units of name: "4.1–4.4 ms".
func between(name string, v Value) string {
	info, _ := metric.Lookup(name)
	return formatRange(info.Unit, v.Lo, v.Hi)
}

func formatRange(u metric.Unit, lo, hi float64) string {
	var steps []step
	switch u {
	case metric.Seconds:
		steps = timeSteps
	case metric.Bytes:
		steps = byteSteps
	default:
		return format(u, lo) + "–" + format(u, hi)
	}
	s := scaleOf(hi, steps)
	return significant(lo/s.size) + "–" + significant(hi/s.size) + " " + s.unit
}
