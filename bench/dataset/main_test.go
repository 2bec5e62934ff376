package dataset

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"annbench/bench/dataset/collection"
	"annbench/indexes/vec"
)

// random gives rows vectors, and items with labels that a third of them lack.
func random(rows, dim int, seed uint64) ([]collection.Item, vec.Matrix) {
	rng := rand.New(rand.NewPCG(seed, 0))
	m := vec.NewMatrix(rows, dim)
	for i := range m.Data {
		m.Data[i] = float32(rng.NormFloat64())
	}
	items := make([]collection.Item, rows)
	for i := range items {
		items[i] = collection.Item{ID: fmt.Sprintf("b%06d#%d", i/3, i%3), Label: []string{"", "dress", "hat & cap"}[rng.IntN(3)]}
	}
	return items, m
}

func must[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// write commits a collection, and opens it.
func write(t testing.TB, dir string, items []collection.Item, m vec.Matrix) *collection.Collection {
	t.Helper()
	w := must[*collection.Writer](t)(collection.Create(dir, m.Dim))
	defer w.Abort()
	if err := w.Append(items, m, nil); err != nil {
		t.Fatal(err)
	}
	must[*collection.Meta](t)(w.Commit(nil))
	c := must[*collection.Collection](t)(collection.OpenFolder(dir))
	t.Cleanup(func() { c.Close() })
	return c
}
