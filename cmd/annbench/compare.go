package main

import (
	"errors"
	"fmt"
	"strings"

	"annbench/bench/metric"
	"annbench/internal/units"
	"annbench/reports/interchange"
	"annbench/reports/judge"
	"annbench/reports/text"
)

type compareCmd struct {
	A      string      `arg:"" help:"Results folder to compare with." s3:"results"`
	B      string      `arg:"" help:"Results folder that is compared." s3:"results"`
	Fail   []string    `help:"Values whose getting worse is exit code 1, by their names in records.csv (qps, recall, build, ...); all: any of those shown, none: never." default:"all" placeholder:"VALUE"`
	Margin units.Share `help:"Changes smaller than this are none, whatever the noise." default:"3%" placeholder:"SHARE"`
	Format string      `help:"One of ${enum}." enum:"table,markdown,json" default:"table"`
}

// Help is printed below the flags.
func (compareCmd) Help() string {
	return `Puts the cells of two results side by side, each value with the interval of its change and a verdict:
faster, slower, or the same within noise. Where environments differ, it says in what.
Exit code 1 where something got worse: for CI.

Examples:
  annbench compare results/before results/after
  annbench compare results/before results/after --fail qps,recall`
}

// errWorse has been told already.
var errWorse = errors.New("something got worse")

func (c *compareCmd) Run(s *surface) error {
	names := c.Fail
	if len(names) == 1 && (names[0] == "all" || names[0] == "none") {
		names = nil
	}
	for _, n := range names {
		if _, ok := metric.Lookup(n); !ok {
			return misuse(fmt.Errorf("--fail: there is no value %q", n))
		}
	}
	a, err := judge.Load(c.A)
	if err != nil {
		return err
	}
	b, err := judge.Load(c.B)
	if err != nil {
		return err
	}
	p := judge.Compare(a, b, float64(c.Margin))
	switch c.Format {
	case "json":
		if err := s.json(interchange.Pairs(p)); err != nil {
			return err
		}
	default:
		o := s.tableOptions()
		if c.Format == "markdown" {
			o.Format = text.Markdown
		}
		if err := text.Pairs(s.out, p, o); err != nil {
			return err
		}
	}
	if len(p.Cells) == 0 {
		return fmt.Errorf("%s and %s have no cell in common", c.A, c.B)
	}
	if strings.Join(c.Fail, "") != "none" && p.Worse(names...) {
		return errWorse
	}
	return nil
}
