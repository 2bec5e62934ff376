// Package units reads sizes, times, shares, rates and counts as people write them, the same in a
// sweep file, a flag and a request: "4gb", "300 MiB", "2ms", "1m30s", "95%", "10k". Its types
// unmarshal from text, so they serve as fields for YAML, JSON and flags alike.
//
// A size or a time without a unit is an error that offers the fix, since 300 may be anything; zero
// alone needs none. Case does not matter. Units of 1000 are k, M, G, T and kB, MB, GB, TB; units of
// 1024 are KiB, MiB, GiB, TiB; there are no bits. Printing is package reports/say's.
package units

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"annbench/internal/words"
)

// A unit is a word after a number, in lower case for matching, and its size in the base unit.
type unit struct {
	name string // as it is written: what an error offers
	size float64
}

// A kind is one sort of quantity. An empty unit means that a bare number is fine.
type kind struct {
	noun    string                                // "a size"
	example string                                // "300MB or 4GiB"
	offer   func(number string, x float64) string // what to write in place of a bare number; nil if it needs no unit
	units   []unit
}

var (
	sizes = kind{"a size", "300MB or 4GiB", offerBytes, []unit{
		{"B", 1},
		{"byte", 1},
		{"bytes", 1},
		{"k", 1e3},
		{"kB", 1e3},
		{"KiB", 1 << 10},
		{"M", 1e6},
		{"MB", 1e6},
		{"MiB", 1 << 20},
		{"G", 1e9},
		{"GB", 1e9},
		{"GiB", 1 << 30},
		{"T", 1e12},
		{"TB", 1e12},
		{"TiB", 1 << 40},
	}}
	times = kind{"a time", "2ms or 1m30s", offerTime, []unit{
		{"ns", 1e-9},
		{"us", 1e-6},
		{"µs", 1e-6}, // micro sign
		{"μs", 1e-6}, // Greek mu
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
	}}
	shares = kind{"a share", "0.95 or 95%", nil, []unit{{"", 1}, {"%", 0.01}}}
	rates  = kind{"a rate", "10000 or 10k", nil, []unit{
		{"", 1},
		{"/s", 1},
		{"qps", 1},
		{"k", 1e3},
		{"k/s", 1e3},
		{"M", 1e6},
		{"M/s", 1e6},
	}}
	counts = kind{"a count", "50000 or 50k", nil, []unit{{"", 1}, {"k", 1e3}, {"M", 1e6}, {"G", 1e9}}}
)

// A number has commas only between groups of three digits, so that "1,5" is refused rather than read as 15.
var quantity = regexp.MustCompile(`^(-?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)?(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)[ \t]*([^0-9.,]*)$`)

// parse returns the quantity in the base unit: finite and not negative.
func (k *kind) parse(s string) (float64, error) {
	part := quantity.FindStringSubmatch(strings.TrimSpace(s))
	if part == nil || part[1] == "" {
		return 0, k.refuse(s)
	}
	x, err := strconv.ParseFloat(strings.ReplaceAll(part[1], ",", ""), 64)
	if err != nil {
		return 0, k.refuse(s)
	}
	if x < 0 {
		return 0, fmt.Errorf("%q is negative: write %s like %s", s, k.noun, k.example)
	}
	known := make([]string, 0, len(k.units))
	for _, u := range k.units {
		if strings.EqualFold(u.name, part[2]) {
			if u.size < 1 {
				return x / math.Round(1/u.size), nil // 95% is 0.95 to the last bit, 95 * 0.01 is not
			}
			if x *= u.size; math.IsInf(x, 0) {
				return 0, k.refuse(s)
			}
			return x, nil
		}
		known = append(known, u.name)
	}
	switch {
	case part[2] != "":
		if near := words.Nearest(part[2], known); near != "" {
			return 0, fmt.Errorf("%q has no known unit; did you mean %s%s?", s, part[1], near)
		}
		return 0, k.refuse(s)
	case x == 0:
		return 0, nil
	}
	return 0, fmt.Errorf("%s what? write %s", part[1], k.offer(part[1], x))
}

// offerBytes offers a size to a bare number: below a million it is one of a few that people have MiB in mind with; else
// bytes, in the largest unit that is exact.
func offerBytes(number string, x float64) string {
	if x < 1e6 {
		return number + "MiB"
	}
	for _, u := range []unit{{"TiB", 1 << 40}, {"TB", 1e12}, {"GiB", 1 << 30}, {"GB", 1e9}, {"MiB", 1 << 20}, {"MB", 1e6}} {
		if text := strconv.FormatFloat(x/u.size, 'f', -1, 64); x >= u.size && len(text) <= 5 {
			return text + u.name
		}
	}
	return strconv.FormatFloat(x, 'f', -1, 64) + "B"
}

// vectorSizes are sizes of one vector, which a bare number means in bytes.
var vectorSizes = kind{sizes.noun, "256B or 1KiB", func(number string, _ float64) string { return number + "B" }, sizes.units}

// offerTime offers seconds first: limits are written in them.
func offerTime(number string, _ float64) string { return number + "s or " + number + "ms" }

func (k *kind) refuse(s string) error {
	return fmt.Errorf("%q is not %s: write it like %s", s, k.noun, k.example)
}

// whole returns x as an integer; x must be one, but for rounding.
func (k *kind) whole(s string, x float64) (int64, error) {
	n := math.Round(x)
	if math.Abs(x-n) > 1e-6*max(1, x) || n >= 1<<62 {
		return 0, k.refuse(s)
	}
	return int64(n), nil
}

// ParseBytes reads a size in bytes: a number with a unit, rounded to whole bytes.
func ParseBytes(s string) (int64, error) {
	x, err := sizes.parse(s)
	if err != nil {
		return 0, err
	}
	return sizes.whole(s, math.Round(x))
}

// ParseVectorBytes is [ParseBytes] of one vector: its errors offer bytes.
func ParseVectorBytes(s string) (int64, error) {
	x, err := vectorSizes.parse(s)
	if err != nil {
		return 0, err
	}
	return vectorSizes.whole(s, math.Round(x))
}

// ParseSeconds reads a time in seconds: a number with a unit, or several of them in Go's way ("1m30s").
func ParseSeconds(s string) (float64, error) {
	x, err := times.parse(s)
	if err == nil {
		return x, nil
	}
	if d, goErr := time.ParseDuration(strings.TrimSpace(s)); goErr == nil && d >= 0 {
		return d.Seconds(), nil
	}
	return 0, err
}

// ParseDuration reads a time as [ParseSeconds] does, to the nanosecond; the longest is 292 years.
func ParseDuration(s string) (time.Duration, error) {
	x, err := ParseSeconds(s)
	if err != nil {
		return 0, err
	}
	ns := math.Round(x * 1e9)
	if ns >= math.MaxInt64 {
		return 0, times.refuse(s)
	}
	return time.Duration(ns), nil
}

// ParseShare reads a share in [0, 1]: "0.95" or "95%".
func ParseShare(s string) (float64, error) {
	x, err := shares.parse(s)
	if err == nil && x > 1 {
		return 0, fmt.Errorf("%q is more than all: write a share like %s", s, shares.example)
	}
	return x, err
}

// ParseRate reads how many a second: "10000", "10k", "2.5k/s".
func ParseRate(s string) (float64, error) { return rates.parse(s) }

// ParseCount reads how many: "50000", "50,000", "50k", "1.5M", "1e6".
func ParseCount(s string) (int64, error) {
	x, err := counts.parse(s)
	if err != nil {
		return 0, err
	}
	return counts.whole(s, x)
}

// Bytes is a size as [ParseBytes] reads it.
type Bytes int64

// VectorBytes is a size of one vector as [ParseVectorBytes] reads it.
type VectorBytes int64

// Seconds is a time as [ParseSeconds] reads it.
type Seconds float64

// Duration is a time as [ParseDuration] reads it.
type Duration time.Duration

// Share is a share as [ParseShare] reads it.
type Share float64

// PerSecond is a rate as [ParseRate] reads it.
type PerSecond float64

// Count is a number of things as [ParseCount] reads it.
type Count int64

// UnmarshalText implements [encoding.TextUnmarshaler].
func (q *Bytes) UnmarshalText(b []byte) error { return set(q, b, ParseBytes) }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (q *VectorBytes) UnmarshalText(b []byte) error { return set(q, b, ParseVectorBytes) }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (q *Seconds) UnmarshalText(b []byte) error { return set(q, b, ParseSeconds) }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (q *Duration) UnmarshalText(b []byte) error { return set(q, b, ParseDuration) }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (q *Share) UnmarshalText(b []byte) error { return set(q, b, ParseShare) }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (q *PerSecond) UnmarshalText(b []byte) error { return set(q, b, ParseRate) }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (q *Count) UnmarshalText(b []byte) error { return set(q, b, ParseCount) }

// set leaves q alone after an error.
func set[Q, X ~int64 | ~float64](q *Q, b []byte, parse func(string) (X, error)) error {
	x, err := parse(string(b))
	if err == nil {
		*q = Q(x)
	}
	return err
}
