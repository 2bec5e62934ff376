package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"annbench/bench/dataset/collection"
	"annbench/bench/dataset/vecfile"
	"annbench/bench/pipeline"
	"annbench/bench/sweepfile"
	"annbench/indexes/vec"
	"annbench/internal/words"
	"annbench/reports/draw"
	"annbench/reports/text"
)

// source are the flags that name vectors.
type source struct {
	File    string `arg:"" help:"Vectors: a file of any format that docs/reference/formats.md lists, or a folder." s3:"own"`
	Labels  string `help:"The category of each vector, a line each, or a .npy file." placeholder:"FILE" s3:"own"`
	Given   string `name:"queries-file" help:"A file of the vectors to search for." placeholder:"FILE" s3:"own"`
	Columns string `help:"Name of the column, data set or array with the vectors, if it is not one of the usual names." placeholder:"NAME"`
}

func (f *source) open(ctx context.Context, s *surface) (*collection.Collection, error) {
	return s.pipeline(ctx).Collection(ctx, &sweepfile.Data{
		Vectors: f.File, Labels: f.Labels, Queries: f.Given, Columns: vecfile.Columns{Vectors: f.Columns},
	})
}

type describeCmd struct {
	source
	Queries int        `help:"How many vectors to search for. Default: the queries of the file, or at most 1000 vectors that are held out." placeholder:"N"`
	Metric  vec.Metric `help:"l2, cosine or ip. Default: what the file says, or cosine."`
	Seed    uint64     `help:"Decides which vectors are held out." default:"1"`
	Out     string     `help:"Folder for the plots (PNG and SVG). Default: NAME.described." placeholder:"DIR" s3:"out"`
	NoPlots bool       `help:"Print only; draw no plots."`
	JSON    bool       `help:"JSON instead of a table."`
}

// Help is printed below the flags.
func (describeCmd) Help() string {
	return `First finds the exact neighbours, which takes a while for large files. They are kept for later runs.

Examples:
  annbench data describe glove-100-angular.hdf5
  annbench data describe embeddings.npy --labels labels.txt --metric l2`
}

func (c *describeCmd) Run(ctx context.Context, s *surface) error {
	all, err := c.open(ctx, s)
	if err != nil {
		return err
	}
	defer all.Close()
	d, err := s.pipeline(ctx).Describe(ctx, all, pipeline.DescribeConfig{Metric: c.Metric, Queries: c.Queries, Seed: c.Seed})
	if err != nil {
		return err
	}
	if c.JSON {
		if err := s.json(d); err != nil {
			return err
		}
	} else if err := printDescription(s.out, d); err != nil {
		return err
	}
	if c.NoPlots {
		return nil
	}
	if c.Out == "" {
		c.Out = strings.ReplaceAll(all.Name, string(filepath.Separator), "-") + ".described"
	}
	files, err := draw.Difficulty(c.Out, d.Difficulty, d.Dim)
	if err != nil {
		return err
	}
	if !c.JSON {
		for _, f := range files {
			if filepath.Ext(f) == ".png" {
				fmt.Fprintln(s.out, f)
			}
		}
	}
	return nil
}

func printDescription(w io.Writer, d *pipeline.Description) error {
	how := "held out"
	if d.Given {
		how = "given"
	}
	fmt.Fprintf(w, "%s: %s of %s, %s (%s), %s, metric %s\n", d.Name, words.Count(d.Base, "vector"), words.Count(d.Dim, "dimension"), words.Count(d.Queries, "query"), how, words.Count(d.Labels, "label"), d.Difficulty.Metric)
	if err := text.Difficulty(w, &d.Difficulty); err != nil {
		return err
	}
	for _, warning := range d.Warnings {
		fmt.Fprintf(w, "note: %s\n", warning)
	}
	return nil
}

type convertCmd struct {
	source
	Out string `arg:"" help:"File to write. Its extension sets the format: ${writable}." s3:"out"`
}

// Help is printed below the flags.
func (convertCmd) Help() string {
	return `Parquet keeps ids and labels; the other formats are vectors alone. The file's own queries
go to a second file, NAME-queries.EXT; its neighbours are left out.

Examples:
  annbench data convert glove-100-angular.hdf5 glove.fbin
  annbench data convert embeddings.npy embeddings.parquet --labels labels.txt`
}

func (c *convertCmd) Run(ctx context.Context, s *surface) error {
	ext := filepath.Ext(c.Out)
	if !slices.ContainsFunc(vecfile.Writable(), func(w string) bool { return strings.EqualFold(w, ext) }) {
		return misuse(fmt.Errorf("%s: the extension must be one of %s", c.Out, strings.Join(vecfile.Writable(), " ")))
	}
	if a, err := os.Stat(c.File); err == nil {
		if b, err := os.Stat(c.Out); err == nil && os.SameFile(a, b) {
			return misuse(errors.New("a file cannot be written over itself"))
		}
	}
	all, err := c.open(ctx, s)
	if err != nil {
		return err
	}
	defer all.Close()
	queries, err := all.WriteFiles(ctx, c.Out)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "%s: %d vectors of %d dimensions\n", c.Out, all.Vectors.Rows-all.Meta.Queries, all.Vectors.Dim)
	if queries != "" {
		fmt.Fprintf(s.out, "%s: %d queries\n", queries, all.Meta.Queries)
	}
	if place := all.NotFinite(0, all.Vectors.Rows); place != "" {
		fmt.Fprintf(s.out, "note: %s: kept as it is, but a run refuses it\n", place)
	}
	return nil
}
