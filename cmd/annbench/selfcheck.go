package main

import (
	"context"
	"errors"
	"os"

	"github.com/olekukonko/tablewriter"

	"annbench/bench"
)

type selfcheckCmd struct {
	Busy bool `help:"Load every core for 75 s, and check that settings are still told apart, and none from itself."`
}

// Help is printed below the flags.
func (selfcheckCmd) Help() string {
	return `Measures the harness instead of an index, on this machine: what it adds to a latency, what it
allocates while timing, the memory that it reads for an index of known size, the speed of exact
search, and how often its intervals hold the truth. Exit code 1 if one is out of bounds. Other running programs
disturb these checks, but --busy, which measures indexes while it loads the machine itself, only if
they leave it too little: then stop them, or raise its priority: sudo nice -n -10 annbench selfcheck --busy.
Where Linux groups programs by terminal (autogroup), nice counts within one terminal alone.`
}

func (c selfcheckCmd) Run(ctx context.Context, s *surface) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	found, err := bench.SelfCheck(ctx, []string{self, "worker"}, c.Busy)
	if err != nil {
		return err
	}
	t := tablewriter.NewTable(s.out)
	t.Header("check", "found", "must be", "")
	bad := false
	for _, f := range found {
		verdict := "ok"
		switch {
		case f.Note != "":
			f.Found, verdict = f.Note, "not checked"
		case !f.OK:
			verdict, bad = "OUT OF BOUNDS", true
		}
		if err := t.Append(f.What, f.Found, f.Bound, verdict); err != nil {
			return err
		}
	}
	if err := t.Render(); err != nil {
		return err
	}
	if bad {
		return errors.New("the harness is not within its bounds on this machine: on an idle machine, that is a defect; elsewhere try again when it is")
	}
	return nil
}
