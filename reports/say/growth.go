package say

import "annbench/bench/metric"

// GrowthTitle heads the table and the picture of one of them.
func GrowthTitle(name string) string {
	return map[string]string{
		metric.Build: "Build time by number of vectors", metric.Mean: "Time of a query by number of vectors", metric.Resident: "Memory by number of vectors",
	}[name]
}
