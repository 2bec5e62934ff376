package indexes

import (
	"reflect"
	"strings"
	"testing"
)

func TestSteps(t *testing.T) {
	number := func(scale Scale, low, high float64) Param {
		return Param{Name: "x", Kind: Int, Default: 1, Min: low, Max: high, Scale: scale}
	}
	for _, tt := range []struct {
		p    Param
		v    any
		dim  int
		want []any
	}{
		{number(Logarithmic, 1, 100), 16, 0, []any{8, 32}},
		{number("", 1, 100), 60, 0, []any{30}},
		{number(Logarithmic, 0, 100), 1, 0, []any{2}}, // 0 may mean something else
		{number(Linear, 1, 8), 4, 0, []any{3, 5}},
		{number(Linear, 0, 100), 50, 0, []any{40, 60}},
		{number(PowersOfTwo, 1, 512), 512, 0, []any{256}},
		{number(Divisors, 1, 4096), 64, 512, []any{32, 128}},
		{number(Divisors, 1, 4096), 12, 100, []any{5, 25}},
		{number(Divisors, 1, 4096), 96, 96, []any{48}},
		{number(Divisors, 0, 4096), 0, 512, []any{64, 256}}, // beside what 0 stands for
		{number(Fixed, 1, 100), 16, 0, nil},
		{Param{Name: "x", Kind: Bool, Default: true}, true, 0, []any{false}},
		{Param{Name: "x", Kind: Word, Default: "b", Words: []string{"a", "b", "c"}}, "b", 0, []any{"a", "c"}},
		{Param{Name: "x", Kind: Text, Default: "b"}, "b", 0, nil},
		{Param{Name: "x", Kind: Float, Default: 0.5, Min: 0.1, Max: 0.9}, 0.5, 0, []any{0.25}},
	} {
		if got := tt.p.Steps(tt.v, tt.dim); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s %s: steps from %v are %v, want %v", tt.p.Kind, tt.p.Scale, tt.v, got, tt.want)
		}
	}
}

// TestStartsFit: every family can be built with the values to begin with, or says why not, and its steps are values
// that it takes.
func TestStartsFit(t *testing.T) {
	for _, f := range Families() {
		for _, shape := range []struct{ n, dim int }{{50_000, 512}, {5_000, 96}, {1_000_000, 128}} {
			p := Params{}
			for _, params := range [][]Param{f.Build, f.Search} {
				for i := range params {
					s := &params[i]
					p[s.Name] = s.Start(shape.n, shape.dim)
					for _, v := range s.Steps(p[s.Name], shape.dim) {
						if _, err := s.convert(v); err != nil {
							t.Errorf("%s: %v", f.Name, err)
						}
					}
				}
			}
			if f.Fits != nil && f.Missing == "" {
				err := f.Fits(shape.n, shape.dim, p)
				if f.Name == "faiss" && shape.dim%64 != 0 { // the parts of a description are somebody's choice
					if err == nil || !strings.Contains(err.Error(), "do not divide the 96 dimensions") {
						t.Errorf("%s on %d dimensions: error %v", f.Name, shape.dim, err)
					}
					continue
				}
				if err != nil {
					t.Errorf("%s on %d vectors of %d dimensions: %v", f.Name, shape.n, shape.dim, err)
				}
			}
		}
	}
	nlist := Param{Name: "nlist", Kind: Int, Default: 256, Min: 1, Max: 1 << 24, Grows: 0.5}
	for n, want := range map[int]int{100: 32, 4096: 128, 50_000: 512, 1_000_000: 2048} {
		if got := nlist.Start(n, 8); got != want {
			t.Errorf("%d cells to begin with on %d vectors, want %d", got, n, want)
		}
	}
}
