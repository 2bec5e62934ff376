package bench

import (
	"os"
	"strings"
	"testing"

	"annbench/indexes/vec"
)

// What the self-check finds of speed depends on the machine; what it finds of allocations, memory and
// intervals must hold on any.
func TestSelfCheck(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	found, err := SelfCheck(t.Context(), []string{self, "worker"}, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"allocations", "resident memory of flat", "intervals"} {
		checked := false
		for _, f := range found {
			if !strings.Contains(f.What, want) {
				continue
			}
			checked = true
			if f.Note != "" {
				t.Logf("%s: not checked: %s", f.What, f.Note)
			} else if !f.OK {
				t.Errorf("%s: %s, must be %s", f.What, f.Found, f.Bound)
			}
		}
		if !checked {
			t.Errorf("there is no check of %s", want)
		}
	}
}

// The check of allocations must see one.
func TestAllocationsAreSeen(t *testing.T) {
	queries := randomMatrix(1000, 16, 1)
	one, err := allocationsOf(wasteful{}, queries, 1)
	if err != nil {
		t.Fatal(err)
	}
	many, err := allocationsOf(wasteful{}, queries, 10)
	if err != nil {
		t.Fatal(err)
	}
	if each := (many - one) / float64(9*queries.Rows); each < 1 {
		t.Errorf("an index that allocates in every search counts as %v", each)
	}
}

// wasteful allocates in every search.
type wasteful struct{ nothing }

var wasted []byte

func (wasteful) Search(dst []vec.Neighbor, _ []float32, _ int) ([]vec.Neighbor, error) {
	wasted = make([]byte, 64)
	return dst, nil
}
