package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"annbench/bench"
	"annbench/reports"
)

// grow runs a sweep that names several numbers of vectors: each into a folder of its own, n10000 and so
// on below the results folder, smallest first, so that what is stopped has the most to show. Then it
// tells how build time, latency and memory grow.
func (c *runCmd) grow(ctx context.Context, s *surface, sweep *bench.Sweep, shard bench.Shard) error {
	sizes := slices.Sorted(slices.Values(sweep.Data.Synthetic.N))
	sizes = slices.Compact(sizes)
	var folders []string
	var failed error
	for _, n := range sizes {
		one := *sweep
		y := *sweep.Data.Synthetic
		y.N = bench.OneOrMany[int]{n}
		one.Data.Synthetic = &y
		folder := filepath.Join(c.Out, fmt.Sprintf("n%d", n))
		s.say("%d vectors", n)
		if err := measure(ctx, s, &one, folder, shard, c.Retry, c.KeepIndexes); errors.Is(err, errFailedCells) {
			failed = err
		} else if err != nil {
			return err
		}
		folders = append(folders, folder)
	}
	return errors.Join(growth(s, c.Out, folders), failed)
}

// growth prints and draws how everything grows over results folders of different sizes.
func growth(s *surface, dir string, folders []string) error {
	r, err := reports.Load(folders...)
	if err != nil {
		return err
	}
	g := reports.Growths(r)
	if err := reports.PrintGrowths(s.out, g); err != nil {
		return err
	}
	files, err := reports.WriteGrowths(filepath.Join(dir, "growth"), r, g)
	if err != nil {
		return err
	}
	for _, f := range files {
		fmt.Fprintln(s.out, f)
	}
	return nil
}
