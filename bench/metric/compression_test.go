package metric

import "testing"

func TestBytesPerVector(t *testing.T) {
	for _, c := range []struct {
		values map[string]float64
		n      int
		want   float64
		ok     bool
	}{
		{map[string]float64{Analytic: 2000, Serialized: 9000}, 10, 200, true}, // the formula first
		{map[string]float64{Serialized: 9000}, 10, 900, true},                 // of a library that another wrote
		{map[string]float64{Analytic: 0, Serialized: 90}, 10, 9, true},        // a formula that knows nothing
		{map[string]float64{Resident: 9000}, 10, 0, false},
		{map[string]float64{Analytic: 2000}, 0, 0, false},
	} {
		if got, ok := BytesPerVector(c.values, c.n); got != c.want || ok != c.ok {
			t.Errorf("BytesPerVector(%v, %d) = %v, %v; want %v, %v", c.values, c.n, got, ok, c.want, c.ok)
		}
	}
}
