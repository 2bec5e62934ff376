package say

import (
	"testing"

	"annbench/reports/judge"
)

func TestCallInWords(t *testing.T) {
	match := judge.Match{Family: judge.FamilyRows{Name: "voyager"}, Setting: &judge.Row{Caller: "Python"}}
	for kind, want := range map[judge.CallKind]string{
		judge.CallNothing: "",
		judge.CallMost:    "More than half of the answer's time may be the call and not its search: the call of voyager from Python takes 12.0 µs on an index of a few vectors, of 15.0 µs a query here.",
		judge.CallUnclear: "What the mere call costs could not be told from the search: the call of voyager from Python takes 12.0 µs on an index of a few vectors, of 15.0 µs a query here.",
		judge.CallTurns:   "The answer rests on what the mere call costs: the call of voyager from Python takes 12.0 µs on an index of a few vectors, of 15.0 µs a query here, and without that it would be the fastest.",
	} {
		if got := callOf(judge.Call{Kind: kind, Match: match, Floor: 12e-6, Time: 15e-6}); got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
}
