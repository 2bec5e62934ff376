package judge

import (
	"fmt"
	"strings"

	"annbench/bench/record"
)

// TermsOf are the terms in focus, or the first on the same data set in latency mode with that k and that metric;
// 0 and "" are any. The error lists those that there are.
func (r *Report) TermsOf(k int, metric string) (Terms, error) {
	if k == 0 && metric == "" {
		return r.Focus, nil
	}
	var have []string
	for _, t := range r.Terms {
		if t.Mode != record.Latency {
			continue
		}
		if (k == 0 || t.K == k) && (metric == "" || t.Metric == metric) && t.Dataset == r.Focus.Dataset {
			return t, nil
		}
		have = append(have, fmt.Sprintf("k %d by %s", t.K, t.Metric))
	}
	return Terms{}, fmt.Errorf("the results have no such cells: there are %s", strings.Join(have, ", "))
}
