package sweepfile

import (
	"fmt"
	"path/filepath"
	"slices"

	"annbench/bench/churn"
	"annbench/internal/units"
	"annbench/internal/words"
)

// Each lists the runbooks that c means.
func (c *ChurnSweep) Each() []churn.Spec {
	if c.Runbook != "" {
		return []churn.Spec{{File: c.Runbook, Dataset: c.Dataset, Sum: c.sum}}
	}
	orders := []string(c.Order)
	if len(orders) == 0 {
		orders = []string{churn.Random}
	}
	share, _ := units.ParseShare(string(c.PerStep)) // checked
	var out []churn.Spec
	for _, o := range orders {
		out = append(out, churn.Spec{PerStep: share, Steps: c.steps(), Order: o})
	}
	return out
}

func (c *ChurnSweep) steps() int {
	if c.Steps == 0 {
		return 20
	}
	return c.Steps
}

// Rebuilds are after how many searches an index is built anew, as rivals of those that change, in a runbook of so many
// searches. By default it is built for each; and after every 5 or, in a runbook that ends before that, 2.
func (c *ChurnSweep) Rebuilds(searches int) []int {
	if c.Rebuild == nil {
		return slices.DeleteFunc([]int{1, seldom(searches)}, func(n int) bool { return n >= searches && n > 1 })
	}
	return slices.DeleteFunc(slices.Clone([]int(c.Rebuild)), func(n int) bool { return n == 0 })
}

func seldom(searches int) int {
	if searches > 5 {
		return 5
	}
	return 2
}

func (s *Sweep) checkChurn() error {
	for i := range s.Churn {
		c := &s.Churn[i]
		at := fmt.Sprintf("$.churn[%d]", i)
		if (c.Runbook != "") == (c.PerStep != "") {
			return s.errorf(at, "an entry of churn has either per_step, and a runbook is made, or runbook, the file of one")
		}
		if c.PerStep != "" {
			if x, err := units.ParseShare(string(c.PerStep)); err != nil || !(x > 0) {
				return s.errorf(at+".per_step", "per_step must be a share above 0%% and at most 100%%, like 5%%, not %q", string(c.PerStep))
			}
		}
		for _, key := range []struct {
			name  string
			given bool
		}{{"steps", c.Steps != 0}, {"order", len(c.Order) > 0}} {
			if key.given && c.Runbook != "" {
				return s.errorf(at+"."+key.name, "%s belongs to a runbook that is made (per_step)", key.name)
			}
		}
		if c.Steps < 0 || c.Steps == 0 && s.file.node(at+".steps") != nil {
			return s.errorf(at+".steps", "steps must be at least 1, not %d", c.Steps)
		}
		for j, o := range c.Order {
			if !slices.Contains(churn.Orders, o) {
				return s.errorf(s.listPath(at+".order", j), "no order %q%s", o, words.DidYouMean(o, churn.Orders))
			}
		}
		for j, n := range c.Rebuild {
			if n < 0 {
				return s.errorf(s.listPath(at+".rebuild", j), "rebuild must be at least 1, or 0 for none, not %d", n)
			}
		}
		if !(c.Rate >= 0 && c.Rate <= maxRate) {
			return s.errorf(at+".rate", "a rate must be above 0 and at most %v queries a second, not %v", maxRate, c.Rate)
		}
		if c.Runbook == "" {
			if c.Dataset != "" {
				return s.errorf(at+".dataset", "dataset belongs to runbook: it names the data set in the file")
			}
			continue
		}
		if c.Dataset == "" {
			return s.errorf(at, "runbook needs dataset: the name of the data set in the file")
		}
		if !filepath.IsAbs(c.Runbook) {
			c.Runbook = filepath.Join(filepath.Dir(s.file.path), c.Runbook)
		}
		var err error
		if c.sum, err = churn.SumOf(c.Runbook); err != nil {
			return s.errorf(at+".runbook", "runbook: there is no %s (paths are relative to the sweep file's folder)", c.Runbook)
		}
	}
	return nil
}
