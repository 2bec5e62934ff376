package main

import (
	"fmt"
	"strconv"
	"strings"
)

// Quantities as people write them on a command line. Each is nil where the flag was not given.

// seconds reads "2ms", "1.5 s", "1 min", "300us", "2h".
type seconds float64

// bytesOf reads "300MiB", "300 MB", "0.3 gb", "1200000".
type bytesOf float64

// share reads "0.95", "95%", "95 %".
type share float64

// perSecond reads "10000", "10,000", "10k", "2.5k/s".
type perSecond float64

type unitSize struct {
	unit string // in lower case
	size float64
}

var (
	timeUnits = []unitSize{
		{"ns", 1e-9},
		{"us", 1e-6},
		{"µs", 1e-6},
		{"μs", 1e-6},
		{"ms", 1e-3},
		{"s", 1},
		{"sec", 1},
		{"second", 1},
		{"seconds", 1},
		{"m", 60},
		{"min", 60},
		{"minute", 60},
		{"minutes", 60},
		{"h", 3600},
		{"hour", 3600},
		{"hours", 3600},
	}
	byteUnits = []unitSize{
		{"", 1},
		{"b", 1},
		{"k", 1e3},
		{"kb", 1e3},
		{"kib", 1 << 10},
		{"m", 1e6},
		{"mb", 1e6},
		{"mib", 1 << 20},
		{"g", 1e9},
		{"gb", 1e9},
		{"gib", 1 << 30},
		{"t", 1e12},
		{"tb", 1e12},
		{"tib", 1 << 40},
	}
	shareUnits = []unitSize{{"", 1}, {"%", 0.01}}
	rateUnits  = []unitSize{{"", 1}, {"/s", 1}, {"qps", 1}, {"k", 1e3}, {"k/s", 1e3}, {"m", 1e6}, {"m/s", 1e6}}
)

// parseQuantity reads a number, with commas or without, and its unit.
func parseQuantity(s, what, example string, units []unitSize) (float64, error) {
	text := strings.ReplaceAll(strings.TrimSpace(s), ",", "")
	end := strings.IndexFunc(text, func(c rune) bool { return !strings.ContainsRune("0123456789.+-", c) })
	if end < 0 {
		end = len(text)
	}
	x, err := strconv.ParseFloat(text[:end], 64)
	unit := strings.ToLower(strings.TrimSpace(text[end:]))
	if err == nil && x >= 0 {
		for _, u := range units {
			if u.unit == unit {
				return x * u.size, nil
			}
		}
	}
	return 0, fmt.Errorf("%q is not %s: write it like %s", s, what, example)
}

func (q *seconds) UnmarshalText(b []byte) (err error) {
	*(*float64)(q), err = parseQuantity(string(b), "a time", "2ms or 1 min", timeUnits)
	return err
}

func (q *bytesOf) UnmarshalText(b []byte) (err error) {
	*(*float64)(q), err = parseQuantity(string(b), "a size", "300MB or 1.5 GiB", byteUnits)
	return err
}

func (q *share) UnmarshalText(b []byte) (err error) {
	*(*float64)(q), err = parseQuantity(string(b), "a share", "0.95 or 95%", shareUnits)
	if err == nil && *q > 1 {
		err = fmt.Errorf("%q is more than all: write a share like 0.95 or 95%%", b)
	}
	return err
}

func (q *perSecond) UnmarshalText(b []byte) (err error) {
	*(*float64)(q), err = parseQuantity(string(b), "a rate", "10000 or 10k", rateUnits)
	return err
}
