package say

import (
	"testing"

	"annbench/bench/metric"
	"annbench/reports/judge"
)

// Below 1 a factor has two significant digits, and a ratio as many as set it apart from its limit.
func TestSmallDifferences(t *testing.T) {
	for x, want := range map[float64]string{21.4: "21×", 1.44: "1.4×", .96: "1.0×", .58: "0.58×", .5: "0.50×", .052: "0.052×", .00134: "0.0013×", 0: "0.0×"} {
		if got := times(x, 1); got != want {
			t.Errorf("%v times is %q, want %q", x, got, want)
		}
	}
	for _, c := range []struct {
		x, limit float64
		want     string
	}{{.95, .95, "0.950"}, {.9499999, .95, "0.9499999"}, {.94951, .95, "0.9495"}, {.9494, .95, "0.949"}, {.96, .95, "0.960"}, {.9500001, .95, "0.9500001"}} {
		if got := ratioApart(c.x, c.limit); got != c.want {
			t.Errorf("%v beside %v is %q, want %q", c.x, c.limit, got, c.want)
		}
	}
	m := judge.Margin{Limit: judge.Limit{Name: metric.Recall, Bound: .95}, Value: judge.Value{Median: .9499999}, Worst: .9499999, OK: true, Room: .9499999 - .95}
	if got, want := Margin(m), "recall 0.9499999; the limit is 0.95, 0.0000001 short"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

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
