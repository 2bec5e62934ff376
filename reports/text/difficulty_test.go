package text

import (
	"strings"
	"testing"

	"annbench/bench/record"
)

// What was measured has its line with its own numbers, what was not has none, and the hard end of each measure
// stands under "hardest": of LID the greatest tenth, of contrast the least.
func TestDifficulty(t *testing.T) {
	deciles := []float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}
	bad := .25
	print := func(h record.Difficulty) string {
		var b strings.Builder
		if err := Difficulty(&b, &h); err != nil {
			t.Fatal(err)
		}
		var lines []string
		for line := range strings.Lines(b.String()) {
			lines = append(lines, strings.Join(strings.Fields(strings.ReplaceAll(line, "│", " ")), " "))
		}
		return strings.Join(lines, "\n")
	}
	got := print(record.Difficulty{
		Neighbors: 100, LID: 12.34, LIDDeciles: deciles, Contrast: 1.5, ContrastDeciles: deciles, HubnessK: 10, Hubness: 2, Orphans: .125,
		LargestHub: 40, BadHubness: &bad, Shift: 1.2, ShiftNull: []float64{.9, 1.1}, Dims50: 3, Dims90: 8, Dims99: 13,
	})
	for _, want := range []string{
		"LID 12.3 1 6 11 dimensions that count around a query, from 100 neighbours",
		"relative contrast 1.5 11 6 1 mean distance over that of neighbour 10",
		"hubness 2 skewness of being among 10 nearest; the largest hub is 40 times",
		"orphans 12.5 %",
		"bad hubness 25.0 %",
		"shift 1.2 0.9 1 1.1 queries are not like the base",
		"axes of variance 8 3 8 13",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	got = print(record.Difficulty{HubnessK: 10})
	for _, not := range []string{"LID", "contrast", "bad", "shift", "axes"} {
		if strings.Contains(got, not) {
			t.Errorf("%q was not measured:\n%s", not, got)
		}
	}
}
