package main

import (
	"context"
	"fmt"
	"os"

	"annbench/bench"
)

type workerCmd struct{}

// Run does one order. Errors of the work are replies; what is left is an order or a pipe that did
// not come from annbench.
func (workerCmd) Run(ctx context.Context) error {
	if err := bench.Work(ctx, os.Stdin, os.NewFile(3, "replies")); err != nil {
		return misuse(fmt.Errorf("worker is started by annbench itself: %w", err))
	}
	return nil
}
