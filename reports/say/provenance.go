package say

import (
	"fmt"
	"time"

	"annbench/reports/judge"
)

// Provenance says which run the figures of a page are of: its days, its commit, and the folder of its records,
// records, as the page links to it; empty where they are not kept.
func Provenance(r *judge.Report, records string) string {
	var first, last time.Time
	for _, row := range r.Rows {
		for _, rep := range row.Reps {
			if first.IsZero() || rep.Time.Before(first) {
				first = rep.Time
			}
			if rep.Time.After(last) {
				last = rep.Time
			}
		}
	}
	const day = "2 January 2006"
	s := "Measured on " + first.UTC().Format(day)
	if to := last.UTC().Format(day); to != first.UTC().Format(day) {
		s += " to " + to
	}
	if commit := r.Envs[0].Env.Commit; commit != "" {
		s += " at commit " + commit
	}
	if records == "" {
		return s + ". The records are not in the repository."
	}
	return s + fmt.Sprintf(". The records are in [%s](%s).", records, records)
}
