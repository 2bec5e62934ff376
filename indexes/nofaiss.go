//go:build !faiss

package indexes

import (
	"context"
	"fmt"

	"annbench/indexes/vec"
)

// faissMissing is why this build lacks the families of Faiss; it is empty where it has them.
const faissMissing = "built without the tag faiss: `make build` sets it"

func faissLacks(string) string { return faissMissing }

// faissTakes asks Faiss, and nobody is there to ask.
func faissTakes(string, int, vec.Metric) error { return nil }

// FaissVersion is the version of the Faiss in this build and what it was compiled for
// ("1.7.3 AVX2"), or "" where there is none.
func FaissVersion() string { return "" }

// TrimHeap does nothing: without Faiss there is no C heap.
func TrimHeap() {}

func openFaiss(_ context.Context, f *Family, _ BuildInput) (Index, error) {
	return nil, fmt.Errorf("building %s: %w: %s", f.Name, ErrMissing, faissMissing)
}

func loadFaiss(path string, f *Family, _ BuildInput) (Index, error) {
	return nil, fmt.Errorf("loading %s: %s: %w: %s", f.Name, path, ErrMissing, faissMissing)
}

// DotsByBLAS needs the BLAS that comes with Faiss; see faiss.go. Its error wraps [ErrMissing].
func DotsByBLAS(_, _ vec.Matrix, _ []float32, _ int) error {
	return fmt.Errorf("%w: %s", ErrMissing, faissMissing)
}
