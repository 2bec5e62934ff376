package judge

import (
	"cmp"
	"slices"
)

// fastest are the matches that reach the target, those of highest value first; equal ones stay in
// order.
func Fastest(matches []Match) []Match {
	var out []Match
	for _, m := range matches {
		if m.Reached() && m.Value.Median > 0 {
			out = append(out, m)
		}
	}
	slices.SortStableFunc(out, func(a, b Match) int { return cmp.Compare(b.Value.Median, a.Value.Median) })
	return out
}

func Names(matches []Match) []string {
	var out []string
	for _, m := range matches {
		out = append(out, m.Family.Name)
	}
	return out
}

// fastestExactMatch is the exact family of highest value, or nil.
func FastestExactMatch(fast []Match) *Match {
	for i := range fast {
		if fast[i].Family.Exact {
			return &fast[i]
		}
	}
	return nil
}
