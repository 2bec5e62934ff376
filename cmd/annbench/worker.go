package main

import (
	"context"
	"errors"
	"os"

	"annbench/bench"
)

type workerCmd struct{}

func (workerCmd) Run(ctx context.Context) error {
	out := os.NewFile(3, "replies")
	if _, err := out.Stat(); err != nil {
		return misuse{errors.New("worker is started by annbench itself, with an order on standard input and file descriptor 3 for replies")}
	}
	return bench.Work(ctx, os.Stdin, out)
}
