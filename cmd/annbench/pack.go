package main

import (
	"context"
	"fmt"

	"annbench/bench/kept"
	"annbench/bench/pipeline"
	"annbench/bench/record"
	"annbench/internal/words"
)

type packCmd struct {
	Results string `arg:"" help:"Results folder of a run, on the machine that ran it." s3:"whole"`
	Out     string `help:"Write one archive of it all here." placeholder:"FILE" s3:"out"`
}

// Help is printed below the flags.
func (packCmd) Help() string {
	return `Puts what "annbench serve" needs into the results folder: the vectors, the small pictures, and the model where
it is a file. They are linked from the cache, so that on the same disk they take no room. Copy the folder, or the
archive, to the machine that is to serve it. Indexes and vectors are compared with their checksums first.

Examples:
  annbench pack results/default
  annbench pack results/default --out default.tar`
}

func (c *packCmd) Run(ctx context.Context, s *surface) error {
	results, err := record.Open(c.Results)
	if err != nil {
		return misuse(err)
	}
	origin, err := pipeline.ReadOrigin(c.Results)
	if err != nil {
		return err
	}
	if origin, err = originHere(ctx, s, origin); err != nil {
		s.say("note: %v", err)
	}
	sum, err := s.pipeline(ctx).Keep(ctx, results, origin)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "%s keeps %d files, %s\n", c.Results, sum.Files, words.Size(sum.Bytes))
	if c.Out == "" {
		return nil
	}
	if err := kept.Pack(ctx, c.Results, c.Out); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "%s: annbench unpack %s DIR\n", c.Out, c.Out)
	return nil
}

type unpackCmd struct {
	Archive string `arg:"" help:"What annbench pack wrote." s3:"in"`
	Dir     string `arg:"" help:"The results folder to make; it must not be there yet." s3:"out"`
}

// Help is printed below the flags.
func (unpackCmd) Help() string {
	return `Makes a results folder from an archive of "annbench pack --out". Every file is compared with its checksum
before the folder appears.

Example:
  annbench unpack default.tar results/default`
}

func (c *unpackCmd) Run(ctx context.Context, s *surface) error {
	if err := kept.Unpack(ctx, c.Archive, c.Dir); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "%s: annbench serve %s\n", c.Dir, c.Dir)
	return nil
}
