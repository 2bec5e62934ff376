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
	// CallUnclear: what was measured as the call of Match takes no less than all of its query, so it holds a search, too.
	CallUnclear
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
	return v.Median
}

// call judges what v's answer owes to the call. A family turns the order only where its search alone takes less than
// half of the time of the answer's: the floor is the call with an index of a few vectors, and no exact measure.
func (v *Verdict) call() Call {
	best := v.Answer()
	if best == nil || best.Value.Median <= 0 {
		return Call{}
	}
	all := func(m Match) float64 { return 1 / m.Value.Median }
	search := func(m Match) float64 { return all(m) - floorOf(m, v.Clock) }
	said := func(kind CallKind, m Match) Call {
		return Call{Kind: kind, Match: m, Floor: floorOf(m, v.Clock), Time: all(m)}
	}
	called := slices.DeleteFunc(slices.Clone(v.Fast), func(m Match) bool { return m.Value.Median <= 0 || floorOf(m, v.Clock) == 0 })
	turns := slices.DeleteFunc(slices.Clone(called), func(m Match) bool { return search(m) <= 0 || search(m) >= search(*best)/2 })
	if len(turns) > 0 {
		return said(CallTurns, slices.MinFunc(turns, func(a, b Match) int { return cmp.Compare(search(a), search(b)) }))
	}
	if floor := floorOf(*best, v.Clock); floor > all(*best)/2 && floor < all(*best) {
		return said(CallMost, *best)
	}
	if i := slices.IndexFunc(called, func(m Match) bool { return search(m) <= 0 }); i >= 0 {
		return said(CallUnclear, called[i])
	}
	return Call{}
}
