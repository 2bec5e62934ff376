package units

import (
	"math"
	"strings"
	"testing"
)

func TestParseWhole(t *testing.T) {
	for s, want := range map[string]int64{"0": 0, "16": 16, "-3": -3, "+3": 3, "1,000": 1000, "50k": 50000, " 7 ": 7, "9223372036854775807": math.MaxInt64} {
		if got, err := ParseWhole(s); err != nil || got != want {
			t.Errorf("%q: %d, %v", s, got, err)
		}
	}
	for s, want := range map[string]string{
		"016": "write 16", "-016": "write 16", "yes": "not a whole number", "1.5": "not a whole number", "\"16\"": "not a whole number",
		"0x10": "not a whole number", "1_000": "not a whole number", "": "not a whole number", "1,5": "not a whole number",
		"99999999999999999999": "too large", "NaN": "not a whole number",
	} {
		if got, err := ParseWhole(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %d, %v, want %q", s, got, err, want)
		}
	}
}

func TestParseSeed(t *testing.T) {
	if got, err := ParseSeed("18446744073709551615"); err != nil || got != math.MaxUint64 {
		t.Error(got, err)
	}
	for s, want := range map[string]string{"-1": "negative", "016": "write 16", "x": "not a whole number"} {
		if got, err := ParseSeed(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %d, %v, want %q", s, got, err, want)
		}
	}
}

func TestParseNumber(t *testing.T) {
	for s, want := range map[string]float64{"1.5": 1.5, "-2": -2, "1e3": 1000} {
		if got, err := ParseNumber(s); err != nil || got != want {
			t.Errorf("%q: %v, %v", s, got, err)
		}
	}
	for s, want := range map[string]string{"1,5": "write 1.5", "1,000": "or 1000 if it is thousands", "NaN": "like 1.5", "inf": "like 1.5", "": "like 1.5", "0x1p3": "like 1.5"} {
		if got, err := ParseNumber(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, %v, want %q", s, got, err, want)
		}
	}
}
