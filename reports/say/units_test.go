package say

import (
	"testing"

	"annbench/bench/metric"
)

func TestFormat(t *testing.T) {
	for _, c := range []struct {
		unit metric.Unit
		x    float64
		want string
	}{
		{metric.Seconds, 0, "0 s"},
		{metric.Seconds, 9.66e-5, "96.6 µs"},
		{metric.Seconds, 0.00099996, "1.00 ms"},
		{metric.Seconds, 1.234, "1.23 s"},
		{metric.Seconds, 90, "90.0 s"},
		{metric.Seconds, 171, "2.85 min"},
		{metric.Bytes, 1023, "1,020 B"},
		{metric.Bytes, 1 << 20, "1.00 MiB"},
		{metric.Bytes, 110e6, "105 MiB"},
		{metric.Bytes, 0, "0 B"},
		{metric.Ratio, 1, "1.000"},
		{metric.Ratio, 0.99996, "0.99996"},
		{metric.Ratio, 0.9999999, "0.99999"},
		{metric.Ratio, 0, "0.000"},
		{metric.PerSecond, 12345, "12,300"},
		{metric.PerSecond, 999.7, "1,000"},
		{metric.PerSecond, 203, "203"},
		{metric.Count, 9.96, "9.96"},
	} {
		if got := Format(c.unit, c.x); got != c.want {
			t.Errorf("%v in %s is %q, want %q", c.x, c.unit, got, c.want)
		}
	}
}
