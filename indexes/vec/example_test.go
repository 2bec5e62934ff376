package vec_test

import (
	"context"
	"fmt"
	"log"

	"annbench/indexes/vec"
)

// The two nearest of four vectors to each of two queries, by cosine: half the squared distance of the
// vectors scaled to length 1, so length does not matter.
func Example() {
	base := vec.Matrix{Rows: 4, Dim: 2, Data: []float32{
		1, 0,
		0, 2,
		3, 3,
		-1, 0,
	}}
	queries := vec.Matrix{Rows: 2, Dim: 2, Data: []float32{
		5, 0,
		-1, 1,
	}}
	const k = 2
	found, err := vec.Exact(context.Background(), base, queries, vec.Cosine, k, 1, nil)
	if err != nil {
		log.Fatal(err)
	}
	for i := range queries.Rows {
		for _, n := range found[i*k : (i+1)*k] {
			fmt.Printf("query %d: vector %d, 1 - cos = %.3f\n", i, n.ID, n.Dist)
		}
	}
	// Output:
	// query 0: vector 0, 1 - cos = 0.000
	// query 0: vector 2, 1 - cos = 0.293
	// query 1: vector 1, 1 - cos = 0.293
	// query 1: vector 3, 1 - cos = 0.293
}
