package record

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"annbench/internal/atomicfile"
	"annbench/internal/seal"
)

// PlanFile is where a run notes what it set out to measure, before it measures: so that of results one
// can tell whether something is missing.
const PlanFile = "plan.json"

// Planned is what one run, or one shard of it, set out to measure.
type Planned struct {
	Sweep       string `json:"sweep"` // its name
	Shard       int    `json:"shard"` // from 1
	Of          int    `json:"of"`    // shards; 1 is an undivided run
	Engine      string `json:"engine"`
	Repetitions int    `json:"repetitions"` // of each of the cells
	Cells       []Cell `json:"cells"`
	Skipped     []Cell `json:"skipped,omitempty"` // known beforehand not to be possible: one record each
	// Prune says that repetitions may be left out, of cells that the first one shows to be dominated.
	Prune bool `json:"prune,omitempty"`
}

// OpenPlans reads what the runs whose results are in dir set out to measure; nil where it is not known.
func OpenPlans(dir string) ([]Planned, error) {
	var sealed []json.RawMessage
	path := filepath.Join(dir, PlanFile)
	switch err := atomicfile.ReadJSON(path, &sealed); {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	}
	plans := make([]Planned, len(sealed))
	for i := range sealed {
		p := &plans[i]
		if _, err := seal.Decode(path, sealed[i], p); err != nil {
			return nil, fmt.Errorf("%w: delete the file, and `annbench run` writes it again", err)
		}
		if p.Of < 1 || p.Shard < 1 || p.Shard > p.Of || p.Repetitions < 1 {
			return nil, fmt.Errorf("%s: plan %d is of shard %d of %d, %d repetitions: delete the file, and `annbench run` writes it again", path, i, p.Shard, p.Of, p.Repetitions)
		}
	}
	return plans, nil
}

// WritePlans writes down in dir what runs set out to measure, each plan with its sum.
func WritePlans(dir string, plans []Planned) error {
	sealed := make([]json.RawMessage, len(plans))
	for i, p := range plans {
		var err error
		if sealed[i], err = seal.Encode(p); err != nil {
			return fmt.Errorf("writing %s: %w", filepath.Join(dir, PlanFile), err)
		}
	}
	return atomicfile.WriteJSON(filepath.Join(dir, PlanFile), sealed)
}

// Missing is what plans name that records do not hold.
type Missing struct {
	Shards []Planned // what is missing of each shard that has begun: its cells that lack a repetition
	Absent []int     // shards of which there is no plan: they have not begun
	Of     int       // shards, where Absent is not empty
}

// Any reports whether something is missing.
func (m *Missing) Any() bool { return len(m.Shards) > 0 || len(m.Absent) > 0 }

// Cells is how many cells lack a record in the shards that have begun.
func (m *Missing) Cells() int {
	n := 0
	for _, p := range m.Shards {
		n += len(p.Cells) + len(p.Skipped)
	}
	return n
}

// FindMissing compares plans with records. A record counts however it ended.
func FindMissing(plans []Planned, records []Record) Missing {
	have := map[string]bool{}
	for i := range records {
		have[records[i].Key()] = true
	}
	var m Missing
	shards := map[int][]int{} // those that have begun, by number of shards
	for _, p := range plans {
		shards[p.Of] = append(shards[p.Of], p.Shard)
		left := p
		left.Cells, left.Skipped = nil, nil
		repetitions := p.Repetitions
		if p.Prune {
			repetitions = 1
		}
		for _, c := range p.Cells {
			for rep := range repetitions {
				if !have[Key(c, rep, p.Engine)] {
					left.Cells = append(left.Cells, c)
					break
				}
			}
		}
		for _, c := range p.Skipped {
			if !have[Key(c, 0, p.Engine)] {
				left.Skipped = append(left.Skipped, c)
			}
		}
		if len(left.Cells)+len(left.Skipped) > 0 {
			m.Shards = append(m.Shards, left)
		}
	}
	// Where one division is whole, what another lacks is in it.
	for of, begun := range shards {
		if len(begun) == of {
			return m
		}
		if len(begun) > len(shards[m.Of]) || len(begun) == len(shards[m.Of]) && of < m.Of {
			m.Of = of
		}
	}
	for i := 1; i <= m.Of; i++ {
		if !slices.Contains(shards[m.Of], i) {
			m.Absent = append(m.Absent, i)
		}
	}
	return m
}

// JoinPlans adds to plans those of more that are of other shards.
func JoinPlans(plans, more []Planned) []Planned {
	for _, p := range more {
		if !slices.ContainsFunc(plans, func(q Planned) bool { return q.Shard == p.Shard && q.Of == p.Of }) {
			plans = append(plans, p)
		}
	}
	slices.SortStableFunc(plans, func(a, b Planned) int {
		if a.Of != b.Of {
			return a.Of - b.Of
		}
		return a.Shard - b.Shard
	})
	return plans
}
