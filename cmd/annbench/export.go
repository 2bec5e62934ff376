package main

import (
	"errors"
	"fmt"

	"annbench/bench/record"
	"annbench/reports/interchange"
)

type exportCmd struct {
	Results []string `arg:"" help:"Results folders, of sweeps with answers: true." s3:"whole"`
	Out     string   `help:"The folder results of an ann-benchmarks checkout, or any other folder." required:"" placeholder:"DIR" s3:"out"`
	Dataset string   `help:"What ann-benchmarks calls the data set. Default: its name." placeholder:"NAME"`
}

// Help is printed below the flags.
func (exportCmd) Help() string {
	return `Writes DIR/DATASET/K/FAMILY/SETTINGS.hdf5 with neighbours, distances, times and attributes, as
ann-benchmarks keeps its own runs, so that its plot.py and data_export.py read them. Of several
repetitions, the one with the median time is written. Cells without kept answers are left out; answers: true
in the sweep keeps them, and so does run --data.

Examples:
  annbench export results/glove-100-angular --out ann-benchmarks/results`
}

func (c *exportCmd) Run(s *surface) error {
	written, without := 0, 0
	for _, dir := range c.Results {
		r, err := record.Open(dir)
		if err != nil {
			return err
		}
		w, n, err := interchange.WriteAnnBenchmarks(r, c.Out, c.Dataset)
		if err != nil {
			return err
		}
		written, without = written+w, without+n
	}
	if without > 0 {
		s.say("%d cells are left out: their answers were not kept (answers: true keeps them)", without)
	}
	if written == 0 {
		return errors.New("nothing to export: no cell has its answers kept; measure with answers: true in the sweep file")
	}
	fmt.Fprintf(s.out, "%d files in %s\n", written, c.Out)
	return nil
}
