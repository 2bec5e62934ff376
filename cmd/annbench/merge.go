package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"annbench/bench"
	"annbench/bench/pipeline"
)

type mergeCmd struct {
	Results []string `arg:"" help:"Results folders, of one data set; or the folders of embed --shard." s3:"results"`
	Out     string   `required:"" help:"Folder for what they hold together; it may be one of them." placeholder:"DIR" s3:"work"`
	Mixed   bool     `help:"Merge results of different machines or versions too; their times do not compare, and the report shows them apart."`
	Partial bool     `help:"Leave out folders that hold no results (yet), and say which; one at least must hold some."`
}

// Help is printed below the flags.
func (mergeCmd) Help() string {
	return `Merging again changes nothing: a measurement that stands in two folders is taken once. Where the runs
set out to measure more than there is, what is missing is told, and the exit code is 1.

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
	if err := report(s, filepath.Join(c.Out, "report"), s.tableOptions(), c.Out); err != nil {
		return err
	}
	if len(m.Empty) == 0 && !m.Missing.Any() {
		return nil
	}
	tellMissing(s, m)
	return errIncomplete
}

// shownMissing is how many missing cells of a shard are named.
const shownMissing = 3

func tellMissing(s *surface, m bench.Merged) {
	for _, dir := range m.Empty {
		fmt.Fprintf(s.err, "missing: %s holds no results\n", dir)
	}
	if len(m.Missing.Absent) > 0 {
		var names []string
		for _, i := range m.Missing.Absent {
			names = append(names, strconv.Itoa(i))
		}
		fmt.Fprintf(s.err, "missing: shards that have not begun, of %d: %s\n", m.Missing.Of, strings.Join(names, ", "))
	}
	for _, p := range m.Missing.Shards {
		cells := slices.Concat(p.Cells, p.Skipped)
		what := "the run"
		if p.Of > 1 {
			what = fmt.Sprintf("shard %d of %d", p.Shard, p.Of)
		}
		fmt.Fprintf(s.err, "missing: %s lacks %d cells or repetitions of them:\n", what, len(cells))
		for _, c := range cells[:min(shownMissing, len(cells))] {
			fmt.Fprintf(s.err, "  %s %s, k = %d, %s\n", c.Family, c.Settings(), c.K, modeOf(c))
		}
		if more := len(cells) - shownMissing; more > 0 {
			fmt.Fprintf(s.err, "  and %d more\n", more)
		}
	}
	fmt.Fprintf(s.err, "annbench: not all that was planned has been measured; what there is has been merged. Run the shards again, which goes on where they were, and merge again\n")
}
