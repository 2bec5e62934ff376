package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"annbench/embedder/catalog"
	"annbench/embedder/catalog/survey"
	"annbench/internal/console"
)

type catalogShowCmd struct {
	images
	Out     string `help:"Folder for the table, the plots and the sheet. Default: results/NAME.catalog." placeholder:"DIR" s3:"out"`
	Samples int    `help:"Pictures of each category on the contact sheet." default:"12"`
	Seed    uint64 `help:"Seed for choosing these pictures." default:"1"`
	Strict  bool   `help:"End with an error at the first row, box, board or image that is not as it should be."`
	JSON    bool   `help:"Print the table as JSON."`
}

// Help is printed below the flags.
func (catalogShowCmd) Help() string {
	return `Reads every image once. With --tsv alone it counts the boxes, without any image.

Examples:
  annbench catalog show photos
  annbench catalog show boards
  annbench catalog show --tsv raw_test.tsv
  annbench catalog show --tsv raw_test.tsv --images boards --strict`
}

func (c *catalogShowCmd) Run(ctx context.Context, s *surface) error {
	if c.Samples < 0 {
		return misuse(fmt.Errorf("--samples must be at least 0, not %d", c.Samples))
	}
	look, err := c.survey(ctx, s)
	if err != nil {
		return err
	}
	if c.Out == "" {
		name := filepath.Base(filepath.Clean(look.Name))
		c.Out = filepath.Join("results", strings.TrimSuffix(name, filepath.Ext(name))+".catalog")
	}
	files, err := look.Write(c.Out)
	if err != nil {
		return err
	}
	if c.JSON {
		return s.json(look.Table())
	}
	if err := look.Print(s.out); err != nil {
		return err
	}
	return s.lines(files...)
}

func (c *catalogShowCmd) survey(ctx context.Context, s *surface) (*survey.Survey, error) {
	if c.TSV != "" && c.Images == "" && c.Folder == "" {
		a, err := catalog.ReadAnnotations(c.TSV)
		if err != nil {
			return nil, misuse(err)
		}
		if c.Strict && len(a.Problems) > 0 {
			return nil, catalog.Strict(a.Problems)
		}
		return survey.OfAnnotations(a), nil
	}
	src, err := c.open(&surface{Console: console.Console{Quiet: true}}, c.Strict) // the problems are listed with the others, below
	if err != nil {
		return nil, err
	}
	samples := c.Samples
	if samples == 0 {
		samples = -1
	}
	look, err := survey.Take(ctx, src, survey.Options{Samples: samples, Seed: c.Seed, Progress: s.Counting("reading images")})
	s.clear()
	if err != nil {
		return nil, err
	}
	if c.Strict && len(look.Problems) > 0 {
		return nil, catalog.Strict(look.Problems)
	}
	return look, nil
}
