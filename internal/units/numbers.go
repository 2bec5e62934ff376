package units

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

var beginsWithZero = regexp.MustCompile(`^[-+]?0[0-9]+$`)

// ParseWhole reads a whole number, exact to 64 bits: 50000, -1, 50k, 1,000. A number that begins with 0 may be meant as
// octal or not, and is an error.
func ParseWhole(s string) (int64, error) {
	s = strings.TrimSpace(s)
	if beginsWithZero.MatchString(s) {
		return 0, fmt.Errorf("%s begins with 0, which may be an octal number: write %s", s, strings.TrimLeft(s, "+-0"))
	}
	n, err := strconv.ParseInt(s, 10, 64)
	switch {
	case err == nil:
		return n, nil
	case errors.Is(err, strconv.ErrRange):
		return 0, fmt.Errorf("%s is too large", s)
	}
	if n, err = ParseCount(s); err != nil {
		return 0, fmt.Errorf("%q is not a whole number: write it like 50000 or 50k", s)
	}
	return n, nil
}

// ParseSeed is ParseWhole for numbers from 0 to 2^64 - 1, as the seeds of random numbers are.
func ParseSeed(s string) (uint64, error) {
	if n, err := strconv.ParseUint(s, 10, 64); err == nil && !beginsWithZero.MatchString(s) {
		return n, nil
	}
	n, err := ParseWhole(s)
	if err == nil && n < 0 {
		err = fmt.Errorf("%s is negative", s)
	}
	return uint64(n), err
}

// ParseNumber reads a finite number with a decimal point.
func ParseNumber(s string) (float64, error) {
	x, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil || math.IsNaN(x) || math.IsInf(x, 0) || strings.ContainsAny(s, "xX_") {
		if point := strings.Replace(s, ",", ".", 1); point != s {
			if _, err := strconv.ParseFloat(point, 64); err == nil {
				return 0, fmt.Errorf("%q is not a number: write %s, or %s if it is thousands", s, point, strings.ReplaceAll(s, ",", ""))
			}
		}
		return 0, fmt.Errorf("%q is not a number: write it like 1.5", s)
	}
	return x, nil
}
