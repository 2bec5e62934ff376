package main

import (
	"context"
	"path/filepath"

	"annbench/bench/pipeline"
	"annbench/bench/sweepfile"
	"annbench/configs"
)

type quickstartCmd struct {
	Images string `help:"Folder of labelled images, IMAGES/CATEGORY/x.jpg or .png. Default: drawn garments, which are searched, and scenes with them, which are searched for." placeholder:"DIR" s3:"own"`
	Out    string `help:"Results folder. Default: results/default, or results/ and the name of the images' folder." placeholder:"DIR" s3:"work"`

	KeepIndexes bool `help:"Keep the saved indexes in the results folder, for annbench serve."`
}

// Help is printed below the flags.
func (quickstartCmd) Help() string {
	return `Runs configs/default.yaml, which is part of the program, on the images.

Examples:
  annbench quickstart
  annbench quickstart --images photos`
}

func (c *quickstartCmd) Run(ctx context.Context, s *surface) error {
	sweep, err := sweepfile.Parse("configs/default.yaml", configs.Default)
	if err != nil {
		return err
	}
	if c.Images != "" {
		sweep.Data = sweepfile.Data{Images: c.Images}
		sweep.Name = filepath.Base(filepath.Clean(c.Images))
	}
	if c.Out == "" {
		c.Out = filepath.Join("results", sweep.Name)
	}
	return measure(ctx, s, pipeline.RunConfig{Sweep: sweep, Out: c.Out, KeepIndexes: c.KeepIndexes})
}
