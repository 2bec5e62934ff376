package say

import (
	"strings"
	"testing"

	"annbench/bench/record"
	"annbench/reports/judge"
)

func TestShareOnTheProcessor(t *testing.T) {
	for share, want := range map[float64]string{
		0.5: "too busy for p99", 0.7974: "for 79.7 % of the time only (less than 80 %)", 0.85: "on the processor for 85 % of the time.", 0.998: "on the processor all of the time", 1.05: "kept 1.05 processors busy on average",
	} {
		v := judge.Verdict{Terms: judge.Terms{Mode: record.Latency}, Clock: judge.Processor, OnCPU: share, TooBusy: share < judge.Busy}
		if s := clockOf(&judge.Report{}, v); !strings.Contains(s, want) || strings.Contains(s, "105 %") {
			t.Errorf("%v: %q does not say %q", share, s, want)
		}
	}
}
