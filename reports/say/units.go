package say

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"annbench/bench/metric"
	"annbench/internal/words"
	"annbench/reports/judge"
)

// Short leaves out of "10.0 ms" the zeros that say nothing of a chosen amount.
func Short(s string) string {
	number, unit, _ := strings.Cut(s+" ", " ")
	if strings.Contains(number, ".") {
		number = strings.TrimRight(strings.TrimRight(number, "0"), ".")
	}
	return strings.TrimSpace(number + " " + unit)
}

func trimmed(x float64) string {
	s := strconv.FormatFloat(x, 'f', -1, 64)
	if len(s) == 3 { // 0.8
		s += "0"
	}
	return s
}

// Measured is a value with its interval and the number of repetitions, in words. noun follows the
// number: " queries a second".
func Measured(name string, v judge.Value, noun string) string {
	s := Quantity(name, v.Median) + noun
	switch {
	case !v.HasInterval:
		if v.N == 1 {
			return s + " (measured once)"
		}
		return fmt.Sprintf("%s (median of %d, too few for an interval)", s, v.N)
	}
	return fmt.Sprintf("%s (95 %% interval %s, %s)", s, between(name, v), Plural(v.N, "repetition", "repetitions"))
}

// Commas3 puts commas into the whole part of a decimal number.
func Commas3(s string) string {
	whole, frac, ok := strings.Cut(s, ".")
	if !ok {
		return words.Commas(s)
	}
	return words.Commas(whole) + "." + frac
}

// Missing stands where nothing was measured.
const Missing = "–"

// Format writes x, counted in base units, for people: three significant digits with the unit that
// keeps them short. A ratio has three decimals; one below 1 is never rounded up to 1.
func Format(u metric.Unit, x float64) string {
	switch u {
	case metric.Seconds:
		return scaled(x, TimeSteps)
	case metric.Bytes:
		return scaled(x, ByteSteps)
	case metric.Ratio:
		return Ratio(x)
	case metric.PerSecond:
		return Significant(x)
	}
	return Significant(x)
}

// Quantity writes a value of package metric's table, counted in base units, for people: three
// significant digits, in the unit that keeps them short.
func Quantity(name string, x float64) string {
	info, _ := metric.Lookup(name)
	return Format(info.Unit, x)
}

// Step is a unit, and how many base units it has.
type Step struct {
	Size float64
	Unit string
}

var (
	TimeSteps = []Step{{3600, "h"}, {60, "min"}, {1, "s"}, {1e-3, "ms"}, {1e-6, "µs"}, {1e-9, "ns"}}
	ByteSteps = []Step{{1 << 40, "TiB"}, {1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}, {1, "B"}}
)

// scaled writes x in the largest unit of which there is at least one. Minutes and hours begin at two
// of them: 90 s is easier than 1.5 min.
func scaled(x float64, steps []Step) string {
	s := ScaleOf(x, steps)
	return Significant(x/s.Size) + " " + s.Unit
}

// ScaleOf is the unit that keeps x short.
func ScaleOf(x float64, steps []Step) Step {
	a := math.Abs(x)
	if a == 0 {
		for _, s := range steps {
			if s.Size == 1 {
				return s
			}
		}
	}
	for _, s := range steps {
		least := s.Size
		if s.Unit == "min" || s.Unit == "h" {
			least *= 2
		}
		// What rounds up to the next unit is written in it: 999.96 µs is 1.00 ms.
		if a >= least*0.9995 {
			return s
		}
	}
	return steps[len(steps)-1]
}

// Significant writes x with three significant digits, and whole numbers above with commas.
func Significant(x float64) string {
	a := math.Abs(x)
	switch {
	case a == 0:
		return "0"
	case a >= 1e15: // nothing measured is; more digits than a number holds
		return strconv.FormatFloat(x, 'g', 3, 64)
	case a >= 999.5:
		digits := math.Pow(10, math.Floor(math.Log10(a))-2)
		return words.Commas(strconv.FormatFloat(math.Round(x/digits)*digits, 'f', 0, 64))
	case a >= 99.95:
		return strconv.FormatFloat(x, 'f', 0, 64)
	case a >= 9.995:
		return strconv.FormatFloat(x, 'f', 1, 64)
	case a >= 0.9995:
		return strconv.FormatFloat(x, 'f', 2, 64)
	}
	return strconv.FormatFloat(x, 'g', 3, 64)
}

// Ratio writes a ratio with three decimals; one below 1 is never rounded up to 1, but for the rounding of a sum of
// float64: older records have 0.9999999999999999 as the mean of ones.
func Ratio(x float64) string {
	s := strconv.FormatFloat(x, 'f', 3, 64)
	if x < 1-1e-12 && s == "1.000" {
		return strconv.FormatFloat(math.Floor(x*1e5)/1e5, 'f', 5, 64)
	}
	return s
}

// ratioApart is [Ratio], with as many more decimals as it takes to tell x from y.
func ratioApart(x, y float64) string {
	s := Ratio(x)
	for digits := 4; x != y && Short(s) == Short(Ratio(y)) && digits <= 17; digits++ {
		s = strconv.FormatFloat(x, 'f', digits, 64)
	}
	return s
}

// Count writes a whole number with commas.
func Count[T ~int | ~int64](n T) string { return words.Commas(strconv.FormatInt(int64(n), 10)) }

// times writes how many times a is b: "21×", "1.4×"; below 1 with two significant digits: "0.052×".
func times(a, b float64) string {
	x := a / b
	if x >= 9.95 {
		return words.Commas(strconv.FormatFloat(x, 'f', 0, 64)) + "×"
	}
	digits := 1
	if x > 0 && x < 0.95 {
		digits = int(math.Ceil(-math.Log10(x))) + 1
	}
	return strconv.FormatFloat(x, 'f', digits, 64) + "×"
}

// CellsLegend explains tables of cells: their clock, and what [Spread] writes.
const CellsLegend = "Times and rates that name no clock are by the wall clock. ± is how far the farther end of the 95 % interval lies from the median, in percent or, as ×÷1.8, as a factor; the other end may be nearer."

// Spread writes the half width of v's interval in percent of its median: "±3%"; of a quantity that differs by
// factors, from 25 % on, the factor by which it is at most more or less: "×÷1.8". It is an en dash where there is
// no interval.
func Spread(v judge.Value) string {
	if !v.HasInterval || v.Median == 0 {
		return Missing
	}
	p := 100 * max(v.Hi-v.Median, v.Median-v.Lo) / math.Abs(v.Median)
	if p >= 25 && v.Scale == metric.Logarithmic && v.Lo > 0 {
		return "×÷" + FactorText(max(v.Hi/v.Median, v.Median/v.Lo))
	}
	if p < 9.5 && p >= 0.05 {
		return "±" + strconv.FormatFloat(p, 'f', 1, 64) + "%"
	}
	return "±" + strconv.FormatFloat(p, 'f', 0, 64) + "%"
}

// between writes v's interval in the units of name: "4.1–4.4 ms".
func between(name string, v judge.Value) string {
	info, _ := metric.Lookup(name)
	return formatRange(info.Unit, v.Lo, v.Hi)
}

func formatRange(u metric.Unit, lo, hi float64) string {
	var steps []Step
	switch u {
	case metric.Seconds:
		steps = TimeSteps
	case metric.Bytes:
		steps = ByteSteps
	default:
		return Format(u, lo) + "–" + Format(u, hi)
	}
	s := ScaleOf(hi, steps)
	return Significant(lo/s.Size) + "–" + Significant(hi/s.Size) + " " + s.Unit
}

// Round keeps the digits of x that a table could show.
func Round(x float64, digits int) float64 {
	if x == 0 || math.IsInf(x, 0) {
		return x
	}
	f := math.Pow(10, float64(digits)-1-math.Floor(math.Log10(math.Abs(x))))
	if math.IsInf(f, 0) || f == 0 {
		return x
	}
	return math.Round(x*f) / f
}

// Paired explains what [factor] calls paired; it stands once wherever such a ratio does.
const Paired = "Paired ratios compare two settings measurement by measurement, as they took turns, in every second round, since the others chose the settings: they are surer than the quotient of the two speeds, and need not equal it."

// factor writes by what a and b differ: "1.34 times (1.28 to 1.41)", or "(paired, 1.28 to 1.41)".
func factor(d judge.Difference) string {
	var in []string
	if d.Paired {
		in = append(in, "paired")
	}
	if d.OK && d.Lo > 0 && !math.IsInf(d.Hi, 0) {
		in = append(in, FactorText(d.Lo)+" to "+FactorText(d.Hi))
	}
	s := FactorText(d.Difference) + " times"
	if len(in) > 0 {
		s += " (" + strings.Join(in, ", ") + ")"
	}
	return s
}

// FactorText writes a factor with at most three digits below 1,000.
func FactorText(x float64) string {
	switch {
	case x >= 999.5 || x == 0:
		return Significant(x)
	case x >= 99.5:
		return fmt.Sprintf("%.0f", x)
	case x >= 9.95:
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.2f", x)
}

// Signed writes a difference of ratios with its sign.
func Signed(x float64) string {
	s := fmt.Sprintf("%+.4f", x)
	if math.Abs(x) < 0.00005 {
		s = "0"
	}
	return strings.Replace(s, "-", "−", 1)
}

// Percent writes a share: "4.2 %", "12 %".
func Percent(x float64) string {
	p := 100 * x
	if p < 9.95 {
		return fmt.Sprintf("%.1f %%", p)
	}
	return fmt.Sprintf("%.0f %%", p)
}
