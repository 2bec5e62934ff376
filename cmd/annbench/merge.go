package main

import (
	"os"
	"path/filepath"

	"annbench/bench"
	"annbench/reports"
)

type mergeCmd struct {
	Results []string `arg:"" help:"Results folders, of one data set."`
	Out     string   `required:"" help:"Folder for what they hold together; it may be one of them." placeholder:"DIR"`
	Mixed   bool     `help:"Merge results of different machines or versions too; their times do not compare."`
}

// Help is printed below the flags.
func (mergeCmd) Help() string {
	return `Merging again changes nothing: a measurement that stands in two folders is taken once.

Examples:
  annbench merge results/my/shard-* --out results/my`
}

func (c *mergeCmd) Run(s *surface) error {
	m, err := bench.Merge(c.Results, c.Out, c.Mixed)
	if err != nil {
		return err
	}
	s.say("merged %d folders: %d records, %d of them found twice", m.Folders, m.Records, m.Twice)
	o := reports.TableOptions{Color: isTerminal(s.out) && os.Getenv("NO_COLOR") == ""}
	return report(s, filepath.Join(c.Out, "report"), o, c.Out)
}
