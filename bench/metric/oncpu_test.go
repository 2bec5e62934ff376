package metric

import "testing"

// TestShareOnCPU: a record that took ten times as long counts ten times as much.
func TestShareOnCPU(t *testing.T) {
	short := map[string]float64{OnCPU: 1, Samples: 100, Mean: .01} // 1 s
	long := map[string]float64{OnCPU: .45, Samples: 10, Mean: 1}   // 10 s, 4.5 of them on the processor
	server := map[string]float64{Samples: 1000, Mean: 1}
	if got, ok := ShareOnCPU([]map[string]float64{short, long, server}); !ok || got != .5 {
		t.Errorf("%v, %v; want 5.5 s of 11 s", got, ok)
	}
	if got, ok := ShareOnCPU([]map[string]float64{server, {OnCPU: .9}}); ok {
		t.Errorf("%v of records that do not say how long they took", got)
	}
}
