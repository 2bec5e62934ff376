package rpforest_test

import (
	"context"
	"fmt"
	"log"
	"math"

	"annbench/indexes/rpforest"
	"annbench/indexes/vec"
)

// A thousand points on a circle, and the three nearest to a point outside of it.
func Example() {
	points := vec.NewMatrix(1000, 2)
	for i := range points.Rows {
		angle := 2 * math.Pi * float64(i) / float64(points.Rows)
		p := points.Row(i)
		p[0], p[1] = float32(math.Cos(angle)), float32(math.Sin(angle))
	}
	forest, err := rpforest.Build(context.Background(), points, vec.L2, rpforest.Options{
		Trees:    4,
		LeafSize: 16,
		Seed:     1,
	})
	if err != nil {
		log.Fatal(err)
	}
	searcher := forest.NewSearcher() // one for each goroutine
	answers, err := searcher.Search(nil, []float32{0.02, 2}, 3, 200)
	if err != nil {
		log.Fatal(err)
	}
	for _, a := range answers {
		p := points.Row(int(a.ID))
		fmt.Printf("point %d at (%.3f, %.3f), distance %.3f\n", a.ID, p[0], p[1], math.Sqrt(float64(a.Dist)))
	}
	// Output:
	// point 248 at (0.013, 1.000), distance 1.000
	// point 249 at (0.006, 1.000), distance 1.000
	// point 247 at (0.019, 1.000), distance 1.000
}
