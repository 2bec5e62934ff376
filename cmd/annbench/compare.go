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
	Fail   []string    `help:"Values that must not get worse, by their names in records.csv (qps, recall, build, ...): if one does, the exit code is 1. all: every value that is shown; none: no value." default:"all" placeholder:"VALUE"`
	Margin units.Share `help:"Ignore changes smaller than this." default:"3%" placeholder:"SHARE"`
	Power  float64     `name:"power-limit" help:"Factor of speed that the comparison must be able to find. If noise hides it in more than 5 % of the cells and nothing got worse, the exit code is 3: cannot tell." default:"1.5" placeholder:"FACTOR"`
	Format string      `help:"One of ${enum}." enum:"table,markdown,json" default:"table"`
}

// Help is printed below the flags.
func (compareCmd) Help() string {
	return `Puts the cells of two results side by side, each value with the interval of its change and a verdict:
faster, slower, or the same within noise. Where environments differ, it says in what.
Where the machine was too busy for p99, it is shown and not judged. Exit code 1 where something got worse,
3 where the noise would hide that (--power-limit), where no value of --fail could be judged, or where all records
of one stand in the other, as those of a folder in its copy: for CI.

Examples:
  annbench compare results/before results/after
  annbench compare results/before results/after --fail qps,recall`
}

// errWorse and errCannotTell have been printed already.
var errWorse, errCannotTell = errors.New("something got worse"), errors.New("cannot tell")

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
	if !(c.Power > 1) {
		return misuse(errors.New("--power-limit must be a factor above 1: 1.5"))
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
	power := p.Power(c.Power)
	switch c.Format {
	case "json":
		if err := s.json(interchange.Pairs(p, power)); err != nil {
			return err
		}
	default:
		o := s.tableOptions()
		if c.Format == "markdown" {
			o.Format = text.Markdown
		}
		if err := text.Pairs(s.out, p, power, o); err != nil {
			return err
		}
	}
	if len(p.Cells) == 0 {
		return fmt.Errorf("%s and %s have no cell in common", c.A, c.B)
	}
	switch {
	case strings.Join(c.Fail, "") == "none":
	case p.Itself():
		return errCannotTell
	case p.Worse(names...):
		return errWorse
	case power.CannotTell(), p.Unjudged(names...):
		return errCannotTell
	}
	return nil
}
