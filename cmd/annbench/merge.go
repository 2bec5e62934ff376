package main

import (
	"context"
	"fmt"
	"path/filepath"

	"annbench/bench"
	"annbench/bench/pipeline"
)

type mergeCmd struct {
	Results []string `arg:"" help:"Results folders, of one data set; or the folders of embed --shard." s3:"results"`
	Out     string   `required:"" help:"Folder for the merged results. It may be one of them." placeholder:"DIR" s3:"work"`
	Mixed   bool     `help:"Merge results of different machines or versions too; their times do not compare, and the report shows them apart."`
	Partial bool     `help:"Leave out folders without results (yet), and list them. At least one must have results."`
}

// Help is printed below the flags.
func (mergeCmd) Help() string {
	return `Merging again changes nothing: a measurement found in two folders is taken once. If planned measurements
are missing, they are listed, and the exit code is 1.

Examples:
  annbench merge results/my/shards/* --out results/my
  annbench merge photos.vectors-*-of-8 --out photos.vectors`
}

func (c *mergeCmd) Run(ctx context.Context, s *surface) error {
	if vectors, err := pipeline.VectorsAmong(c.Results); err != nil {
		return misuse(err)
	} else if vectors {
		if err := s.pipeline(ctx).MergeVectors(ctx, c.Results, c.Out); err != nil {
			return err
		}
		fmt.Fprintln(s.out, c.Out)
		return nil
	}
	m, err := bench.Merge(ctx, c.Results, c.Out, bench.MergeConfig{Mixed: c.Mixed, Partial: c.Partial, Log: s.log})
	if err != nil {
		return err
	}
	if err := pipeline.BringOrigin(c.Results, c.Out); err != nil {
		return err
	}
	s.say("merged %d folders: %d records, %d of them found twice", m.Folders-len(m.Empty), m.Records, m.Twice)
	if err := report(s, filepath.Join(c.Out, "report"), c.Out); err != nil {
		return err
	}
	if !m.WriteMissing(s.err) {
		return nil
	}
	fmt.Fprintln(s.err, "annbench: not all that was planned has been measured; what was measured is merged. Run the shards again, which resumes them, and merge again")
	return errIncomplete
}
