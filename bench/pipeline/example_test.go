package pipeline_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"annbench/bench/metric"
	"annbench/bench/pipeline"
	"annbench/bench/record"
	"annbench/bench/sweepfile"
)

// A sweep over synthetic vectors, from a program. Its main, or the TestMain of its tests, begins with
// pipeline.Work().
func Example() {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)

	sweep, err := sweepfile.Parse("example.yaml", []byte(`
name: example
data: {synthetic: {n: 500, dim: 16}}
queries: 50
k: 10
repetitions: 1
measure: 1ms
families:
  - family: flat
  - family: forest
    search: {search_k: [10, 200]}
`))
	if err != nil {
		panic(err)
	}
	p := pipeline.Pipeline{Cache: filepath.Join(dir, "cache")}
	out := filepath.Join(dir, "results")
	sum, err := p.Run(context.Background(), pipeline.RunConfig{Sweep: sweep, Out: out})
	if err != nil {
		panic(err)
	}
	fmt.Println(sum.Measured[record.OK], "cells measured,", sum.Failed(), "failed")

	results, err := record.Open(out)
	if err != nil {
		panic(err)
	}
	for _, r := range results.Records {
		if r.Cell.Family == "flat" {
			fmt.Println("recall of exact search:", r.Values[metric.Recall])
		}
	}
	// Output:
	// 3 cells measured, 0 failed
	// recall of exact search: 1
}
