package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/olekukonko/tablewriter"

	"annbench/bench/dataset/collection"
	"annbench/bench/dataset/vecfile"
	"annbench/bench/pipeline"
	"annbench/bench/sweepfile"
	"annbench/indexes/vec"
	"annbench/reports/draw"
)

// source are the flags that name vectors.
type source struct {
	File    string `arg:"" help:"Vectors: a file of any format that docs/reference/formats.md lists, or a folder." s3:"own"`
	Labels  string `help:"The category of each vector, a line each, or a .npy file." placeholder:"FILE" s3:"own"`
	Given   string `name:"queries-file" help:"A file of the vectors to search for." placeholder:"FILE" s3:"own"`
	Columns string `help:"The column, data set or array of the vectors, where the usual names do not find it." placeholder:"NAME"`
}

func (f *source) open(ctx context.Context, s *surface) (*collection.Collection, error) {
	return s.pipeline(ctx).Collection(ctx, &sweepfile.Data{
		Vectors: f.File, Labels: f.Labels, Queries: f.Given, Columns: vecfile.Columns{Vectors: f.Columns},
	})
}

type describeCmd struct {
	source
	Queries int    `help:"How many vectors to search for. Default: those that are given, or at most 1000 that are held out." placeholder:"N"`
	Metric  string `help:"l2, cosine or ip. Default: what the file says, or cosine."`
	Seed    uint64 `help:"Decides which vectors are held out." default:"1"`
	Out     string `help:"Folder for the plots (PNG and SVG). Default: NAME.described." placeholder:"DIR" s3:"out"`
	NoPlots bool   `help:"Print, and draw nothing."`
	JSON    bool   `help:"JSON instead of a table."`
}

// Help is printed below the flags.
func (describeCmd) Help() string {
	return `Searches exactly first, which takes a while for large files, and is kept for later runs.

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
	describe := pipeline.DescribeConfig{Queries: c.Queries, Seed: c.Seed}
	if c.Metric != "" {
		if describe.Metric, err = vec.ParseMetric(c.Metric); err != nil {
			return misuse(fmt.Errorf("--metric: %w", err))
		}
	}
	d, err := s.pipeline(ctx).Describe(ctx, all, describe)
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
	h := &d.Difficulty
	how := "held out"
	if d.Given {
		how = "given"
	}
	fmt.Fprintf(w, "%s: %d vectors of %d dimensions, %d queries (%s), %d labels, metric %s\n", d.Name, d.Base, d.Dim, d.Queries, how, d.Labels, h.Metric)
	t := tablewriter.NewTable(w)
	t.Header("", "value", "easiest", "median", "hardest", "meaning")
	quantiles := func(q []float64, low, high int) (string, string, string) {
		if len(q) == 0 {
			return "", "", ""
		}
		return number(q[low]), number(q[5]), number(q[high])
	}
	var rows [][]string
	if h.LID > 0 {
		a, b, c := quantiles(h.LIDDeciles, 0, 10)
		rows = append(rows, []string{"LID", number(h.LID), a, b, c, fmt.Sprintf("dimensions that count around a query, from %d neighbours", h.Neighbors)})
	}
	if h.Contrast > 0 {
		a, b, c := quantiles(h.ContrastDeciles, 10, 0)
		rows = append(rows, []string{"relative contrast", number(h.Contrast), a, b, c, fmt.Sprintf("mean distance over that of neighbour %d; 1 is hardest", h.HubnessK)})
	}
	rows = append(
		rows,
		[]string{"hubness", number(h.Hubness), "", "", "", fmt.Sprintf("skewness of being among %d nearest; the largest hub is %d times", h.HubnessK, h.LargestHub)},
		[]string{"orphans", percent(h.Orphans), "", "", "", "vectors that are a neighbour of no query"},
	)
	if h.BadHubness != nil {
		rows = append(rows, []string{"bad hubness", percent(*h.BadHubness), "", "", "", "neighbours of another category than the query's"})
	}
	if h.Shift > 0 {
		verdict := "queries are like the base"
		if h.Shift < h.ShiftNull[0] || h.Shift > h.ShiftNull[1] {
			verdict = "queries are not like the base"
		}
		rows = append(rows, []string{"shift", number(h.Shift), number(h.ShiftNull[0]), "1", number(h.ShiftNull[1]), verdict + ": distance from its middle; beside it, what chance allows"})
	}
	if h.Dims99 > 0 {
		rows = append(rows, []string{"axes of variance", fmt.Sprint(h.Dims90), fmt.Sprint(h.Dims50), fmt.Sprint(h.Dims90), fmt.Sprint(h.Dims99), "principal axes that hold 50, 90 and 99 % of the variance"})
	}
	for _, r := range rows {
		if err := t.Append(r); err != nil {
			return err
		}
	}
	if err := t.Render(); err != nil {
		return err
	}
	for _, warning := range d.Warnings {
		fmt.Fprintf(w, "note: %s\n", warning)
	}
	return nil
}

func number(x float64) string { return fmt.Sprintf("%.3g", x) }

func percent(x float64) string { return fmt.Sprintf("%.1f %%", 100*x) }

type convertCmd struct {
	source
	Out string `arg:"" help:"File to write: its extension says how, one of ${writable}." s3:"out"`
}

// Help is printed below the flags.
func (convertCmd) Help() string {
	return `Parquet keeps ids and labels; the other formats are vectors alone. Queries that the file gives go
to a second file, NAME-queries.EXT, with the neighbours left out.

Examples:
  annbench data convert glove-100-angular.hdf5 glove.fbin
  annbench data convert embeddings.npy embeddings.parquet --labels labels.txt`
}

func (c *convertCmd) Run(ctx context.Context, s *surface) error {
	ext := filepath.Ext(c.Out)
	known := false
	for _, w := range vecfile.Writable() {
		known = known || strings.EqualFold(w, ext)
	}
	if !known {
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
	base, queries := all.Parts()
	if err := base.WriteFile(ctx, c.Out); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "%s: %d vectors of %d dimensions\n", c.Out, base.Vectors.Rows, base.Vectors.Dim)
	if queries != nil {
		path := strings.TrimSuffix(c.Out, ext) + "-queries" + ext
		if err := queries.WriteFile(ctx, path); err != nil {
			return err
		}
		fmt.Fprintf(s.out, "%s: %d queries\n", path, queries.Vectors.Rows)
	}
	return nil
}
