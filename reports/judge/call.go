package judge

import (
	"cmp"
	"slices"

	"annbench/bench/metric"
)

// Call is what a verdict owes to the mere call of a library ([metric.CallFloor]), not to its search.
type Call struct {
	Kind CallKind
	// Match is the family that it is said of.
	Match Match
	// Floor is the call's time of a query and Time all of it, by the clock that decides; in seconds.
	Floor, Time float64
}

// CallKind is how a verdict rests on the call.
type CallKind int

// The kinds.
const (
	// CallNothing: the order is the same without it, and it is at most half of the answer's time.
	CallNothing CallKind = iota
	// CallTurns: without the call another family than the answer would need the least time: Match.
	CallTurns
	// CallMost: the call is more than half of the answer's time.
	CallMost
)

// floorOf is the time of the call of m's library by clock c; 0 of families that are part of annbench.
func floorOf(m Match, c Clock) float64 {
	name := metric.CallFloor
	if c == Processor {
		name = metric.CallFloorCPU
	}
	v, ok := m.Setting.Value(name)
	if !ok {
		return 0
	}
	return min(v.Median, 1/m.Value.Median) // measured apart, so it may come out a little longer than the whole
}

// call judges what v's answer owes to the call. A family turns the order only where its search alone takes less than
// half of the time of the answer's: the floor is the call with an index of a few vectors, and no exact measure.
func (v *Verdict) call() Call {
	best := v.Answer()
	if best == nil || best.Value.Median <= 0 {
		return Call{}
	}
	search := func(m Match) float64 { return 1/m.Value.Median - floorOf(m, v.Clock) }
	others := slices.DeleteFunc(slices.Clone(v.Fast[1:]), func(m Match) bool {
		return m.Value.Median <= 0 || floorOf(m, v.Clock) == 0 || search(m) >= search(*best)/2
	})
	if len(others) > 0 {
		m := slices.MinFunc(others, func(a, b Match) int { return cmp.Compare(search(a), search(b)) })
		return Call{Kind: CallTurns, Match: m, Floor: floorOf(m, v.Clock), Time: 1 / m.Value.Median}
	}
	if floor, all := floorOf(*best, v.Clock), 1/best.Value.Median; floor > all/2 {
		return Call{Kind: CallMost, Match: *best, Floor: floor, Time: all}
	}
	return Call{}
}
