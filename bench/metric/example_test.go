package metric_test

import (
	"fmt"

	"annbench/bench/metric"
)

// Recall@3 of three answers: the second is as far as the third exact neighbour, so it counts although it may be
// another vector; the third is farther.
func ExampleRecallAt() {
	answers := []float64{0.10, 0.30, 0.45}
	third := 0.30 // distance of the third exact neighbour
	fmt.Printf("%.3f\n", metric.RecallAt(answers, third, 3))
	// Output: 0.667
}

// The first and the third of four answers have the query's category, and the base has three vectors of it:
// (1/1 + 2/3) / min(4, 3).
func ExampleAveragePrecision() {
	ap := metric.AveragePrecision([]bool{true, false, true, false}, 4, 3)
	fmt.Printf("%.3f\n", ap.MinKR)
	// Output: 0.556
}

// By nearest rank, a percentile is always one of the values.
func ExamplePercentile() {
	latencies := []float64{1, 2, 2, 3, 9} // ascending
	fmt.Println(metric.Percentile(latencies, 0.5), metric.Percentile(latencies, 0.99))
	// Output: 2 9
}
