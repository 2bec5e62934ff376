package main

import (
	"context"
	"fmt"
	"path/filepath"

	"annbench/bench/project"
	"annbench/bench/sweepfile"
	"annbench/indexes/vec"
)

type catalogMapCmd struct {
	Vectors    string     `arg:"" help:"A folder that embed wrote, or a file of vectors; docs/reference/formats.md lists the formats." s3:"own"`
	Labels     string     `help:"Text file with the category of each vector, a line each." placeholder:"FILE" s3:"own"`
	Out        string     `help:"Folder for map.json, map.png and map.svg. Default: results/NAME.map." placeholder:"DIR" s3:"out"`
	Metric     vec.Metric `help:"What near means: cosine, l2 or ip." default:"cosine"`
	Points     int        `help:"Draw at most this many vectors: a random sample if there are more." default:"3000"`
	Seed       uint64     `help:"Seed of the sample and of t-SNE's first step." default:"1"`
	Perplexity float64    `help:"About how many neighbours t-SNE keeps together." default:"30"`
}

// Help is printed below the flags.
func (catalogMapCmd) Help() string {
	return `Draws vectors as points, coloured by category: by their two principal components, and by t-SNE, which
keeps neighbours together. "kept" is the share of every point's 10 nearest neighbours that are among its
10 nearest in the picture. In t-SNE the size of groups and the distance between them mean nothing.

Examples:
  annbench catalog map photos.vectors
  annbench catalog map vectors.npy --labels labels.txt --metric l2`
}

func (c *catalogMapCmd) Run(ctx context.Context, s *surface) error {
	if c.Points < 3 || !(c.Perplexity >= 1) {
		return misuse(fmt.Errorf("--points must be at least 3, and --perplexity at least 1"))
	}
	all, err := s.pipeline(ctx).Collection(ctx, &sweepfile.Data{Vectors: c.Vectors, Labels: c.Labels})
	if err != nil {
		return misuse(err)
	}
	defer all.Close()
	if c.Out == "" {
		c.Out = filepath.Join("results", all.Name+".map")
	}
	m, files, err := s.pipeline(ctx).DrawMap(ctx, all, project.Config{Metric: c.Metric, Points: c.Points, Seed: c.Seed, Perplexity: c.Perplexity}, c.Out)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "%s: %d of %d vectors, %d categories\n", all.Name, len(m.ID), m.Rows, len(m.Labels))
	for _, p := range m.Methods {
		fmt.Fprintf(s.out, "%-5s  %s, %.0f %% of the 10 nearest neighbours kept\n", p.Name, p.Note, 100*p.Kept)
	}
	return s.lines(files...)
}
