package say

import (
	"fmt"
	"strconv"

	"annbench/reports/judge"
)

// LowMark stands before what is below a threshold, wherever there is no colour to say so.
const LowMark = "▾"

// Categories says how to read mAP by category.
func Categories(c *judge.Categories) string {
	s := fmt.Sprintf("mAP@%d of the queries of each category, the lowest first, with half of its 95 %% interval where the category has at least %d queries: %s.", c.Terms.K, judge.FewQueries, ChoiceRule(c.Terms.K))
	if n := c.Low(); n > 0 {
		return s + fmt.Sprintf(" %s: below %s by the median over the families (%s of %d).", LowMark, trimmed(c.Least), Plural(n, "category", "categories"), len(c.Rows))
	}
	return s + fmt.Sprintf(" None is below %s, by the median over the families.", trimmed(c.Least))
}

// Half is half of the width of the interval of a share, ".03"; empty where there is none.
func Half(v judge.Value) string {
	if !v.HasInterval {
		return ""
	}
	s := strconv.FormatFloat((v.Hi-v.Lo)/2, 'f', 2, 64)
	if s[0] == '0' {
		s = s[1:]
	}
	return s
}
