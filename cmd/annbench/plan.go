package main

import (
	"context"

	"annbench/bench"
	"annbench/bench/sweepfile"
)

type planCmd struct {
	Sweep string `arg:"" help:"Sweep file (YAML)." s3:"no: the paths in a sweep file are relative to its folder, so copy it to this machine; the paths in it may be s3://"`
	JSON  bool   `help:"One JSON object instead of a table."`
}

// Help is printed below the flags.
func (planCmd) Help() string {
	return `Images need not be embedded for it: their number is known, and the model's card says how many dimensions
their vectors will have. The estimate is then made on drawn vectors.

Examples:
  annbench plan configs/default.yaml`
}

func (c *planCmd) Run(ctx context.Context, s *surface) error {
	sweep, err := sweepfile.Read(c.Sweep)
	if err != nil {
		return misuse(err)
	}
	p := s.pipeline(ctx)
	data, drawn, err := p.Foresee(ctx, sweep)
	if err != nil {
		return err
	}
	defer data.Close()
	if !drawn {
		if err := bench.CheckAsked(sweep, data.Set); err != nil {
			return err
		}
	}
	plan, err := p.Plan(sweep, data, 0)
	if err != nil {
		return err
	}
	estimate, err := bench.EstimatePlan(ctx, sweep, data.Set, plan)
	if err != nil {
		return err
	}
	return s.show(c.JSON, bench.NewPreview(sweep, data.Set, plan, estimate, drawn))
}
