// Package churn says how a catalogue changes while it is searched: runbooks of inserts, deletes, replacements and
// searches, read in the form of big-ann-benchmarks' streaming track or made, and the exact neighbours among what lives at
// each search.
//
// It changes no index and measures nothing: package bench does.
package churn

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/goccy/go-yaml"

	"annbench/bench/dataset"
	"annbench/bench/dataset/vecfile"
	"annbench/indexes/vec"
	"annbench/internal/seal"
	"annbench/internal/words"
)

// The operations of a step.
const (
	Insert  = "insert"  // Rows, each under its own number as tag
	Delete  = "delete"  // what lives under Tags
	Replace = "replace" // what lives under Tags by Rows, one for one
	Search  = "search"
)

// Step is one operation.
type Step struct {
	Number     int // in the runbook, from 1
	Op         string
	Rows, Tags []int32 // rows of the base, and tags of what lives
}

// The orders in which a made runbook deletes.
const (
	Random    = "random"    // any that lives
	Oldest    = "oldest"    // what was inserted first
	Clustered = "clustered" // inserts and deletes go category by category, or where there are none along a random direction
)

// Orders lists them.
var Orders = []string{Random, Oldest, Clustered}

// Spec says which runbook. Specs are comparable, and [Spec.String] names one.
type Spec struct {
	// PerStep is the share of what lives that each of Steps steps replaces: as many are deleted, in this Order, as are
	// inserted. It begins with as much of the base as leaves enough to insert.
	PerStep float64 `json:"per_step,omitempty"`
	Steps   int     `json:"steps,omitempty"`
	Order   string  `json:"order,omitempty"`

	// File is a runbook in the form of big-ann-benchmarks' streaming track, and Dataset the data set in it; Sum is the
	// beginning of the file's SHA-256.
	File    string `json:"file,omitempty"`
	Dataset string `json:"dataset,omitempty"`
	Sum     string `json:"sum,omitempty"`
}

// String names the runbook, in one form.
func (s Spec) String() string {
	if s.File != "" {
		return fmt.Sprintf("%s %s %s", filepath.Base(s.File), s.Dataset, s.Sum)
	}
	return fmt.Sprintf("per_step=%s steps=%d order=%s", strconv.FormatFloat(s.PerStep, 'g', -1, 64), s.Steps, s.Order)
}

// SumOf is what [Spec.Sum] is of a file.
func SumOf(path string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:6]), nil
}

// Book gives the steps for a set: checked, so that every insert is of a row that does not live, and every delete and
// replacement of tags that do, and no more live than a file's max_pts says. What comes before the first search is there at
// the beginning.
func (s Spec) Book(set *dataset.Set, seed uint64) ([]Step, error) {
	var steps []Step
	var err error
	most := set.Base.Rows
	if s.File != "" {
		steps, most, err = read(s.File, s.Dataset, set.Base.Rows)
	} else {
		steps, err = s.make(set, seed)
	}
	if err != nil {
		return nil, err
	}
	state := NewState(set.Base.Rows)
	searches := 0
	for _, step := range steps {
		if step.Op == Search {
			searches++
			if state.Living.Len() == 0 {
				return nil, fmt.Errorf("runbook %s: step %d searches, and nothing lives", s, step.Number)
			}
		}
		if searches == 0 && step.Op != Insert {
			return nil, fmt.Errorf("runbook %s: step %d comes before the first search: only inserts may", s, step.Number)
		}
		if _, _, err := state.Apply(step); err != nil {
			return nil, fmt.Errorf("runbook %s: %w", s, err)
		}
		if n := state.Living.Len(); n > most {
			return nil, fmt.Errorf("runbook %s: %d vectors live after step %d, and max_pts is %d: correct max_pts or the steps", s, n, step.Number, most)
		}
	}
	if searches == 0 {
		return nil, fmt.Errorf("runbook %s: it never searches", s)
	}
	return steps, nil
}

// Searches are the numbers of the steps that search.
func Searches(steps []Step) []int {
	var out []int
	for _, step := range steps {
		if step.Op == Search {
			out = append(out, step.Number)
		}
	}
	return out
}

// State is what lives.
type State struct {
	Living *vec.Set        // rows of the base
	rows   map[int32]int32 // by tag
}

// NewState is that of a base of so many rows, before anything is inserted.
func NewState(rows int) *State {
	return &State{Living: vec.NewSet(rows), rows: map[int32]int32{}}
}

// Apply applies a step, and returns the rows that ceased to live, then those that began to.
func (s *State) Apply(step Step) (gone, come []int32, err error) {
	for _, tag := range step.Tags {
		row, ok := s.rows[tag]
		if !ok {
			return nil, nil, fmt.Errorf("step %d: nothing lives under the tag %d: insert it in a step before, or leave it out of this one", step.Number, tag)
		}
		gone = append(gone, row)
		delete(s.rows, tag)
		s.Living.Remove(row)
	}
	for i, row := range step.Rows {
		tag := row
		if step.Op == Replace {
			tag = step.Tags[i]
		}
		if other, ok := s.rows[tag]; ok && other != row {
			return nil, nil, fmt.Errorf("step %d: row %d is inserted under the tag %[2]d, under which row %d lives since it was replaced: delete %[2]d in a step before, or insert another row", step.Number, row, other)
		}
		if s.Living.Has(row) {
			return nil, nil, fmt.Errorf("step %d: row %d is inserted, and lives already: delete it in a step before, or insert another row", step.Number, row)
		}
		come = append(come, row)
		s.rows[tag] = row
		s.Living.Add(row)
	}
	return gone, come, nil
}

// entry is a step as big-ann-benchmarks writes it.
type entry struct {
	Operation string
	bounds    map[string]int64 // those that it has, by key
}

// boundKeys are the keys of bounds.
var boundKeys = []string{"start", "end", "tags_start", "tags_end", "ids_start", "ids_end"}

// entryOf is a step out of what its YAML holds.
func entryOf(raw any) (e entry, err error) {
	keys, ok := raw.(map[string]any)
	if !ok {
		return e, errors.New("a step has keys and values, like {operation: insert, start: 0, end: 500}")
	}
	e.bounds = map[string]int64{}
	known := append([]string{"operation"}, boundKeys...)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		value := keys[key]
		if key == "operation" {
			e.Operation = fmt.Sprint(value)
			continue
		}
		if !slices.Contains(known, key) {
			return e, fmt.Errorf("unknown key %q%s", key, words.DidYouMean(key, known))
		}
		switch v := value.(type) {
		case int64:
			e.bounds[key] = v
		case uint64:
			e.bounds[key] = int64(min(v, math.MaxInt64))
		default:
			return e, fmt.Errorf("%s is a row number, a whole one, not %v", key, value)
		}
	}
	return e, nil
}

// unused is the first bound of e that its operation does not use, empty where there is none or no such operation; takes says
// which it uses.
func (e entry) unused() (key, takes string) {
	var used []string
	switch e.Operation {
	case Insert, Delete:
		used, takes = []string{"start", "end"}, "it has start and end"
	case Replace:
		used, takes = []string{"tags_start", "tags_end", "ids_start", "ids_end"}, "it has tags_start, tags_end, ids_start and ids_end"
	case Search:
		takes = "it has start and end, both or none"
		if len(e.bounds) == 2 { // which queries big-ann-benchmarks' yfcc runbooks ask; here all are asked at each search
			used = []string{"start", "end"}
		}
	default:
		return "", ""
	}
	for _, key := range slices.Sorted(maps.Keys(e.bounds)) {
		if !slices.Contains(used, key) {
			return key, takes
		}
	}
	return "", takes
}

// maxSteps is how many steps the runbooks of a file may have together. Reading takes time by the square of them: a plan with
// 8,000 took 1.6 s, and one with 100,000 had not ended after a minute.
const maxSteps = 20_000

// mostOf is the value of a max_pts: how many vectors live at once, at most.
func mostOf(value any) (int, error) {
	n, ok := value.(uint64)
	if !ok || n == 0 {
		return 0, fmt.Errorf("max_pts is how many vectors live at once, a whole number of 1 or more, not %v", value)
	}
	return int(min(n, math.MaxInt)), nil
}

// read reads a runbook: a mapping by data set, in it one step under each of the keys 1, 2, 3, ...; max_pts, how many vectors
// live at once (most; without it, rows); and gt_url, which is not looked at, nor are a search's start and end. Ranges begin
// at their start and end before their end.
func read(path, name string, rows int) (steps []Step, most int, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, 0, err
	}
	if n := bytes.Count(text, []byte("operation")); n > maxSteps {
		return nil, 0, fmt.Errorf("%s: it has %d steps, and %d are the most that are read: leave out other data sets than %q, or take fewer and larger steps", path, n, maxSteps, name)
	}
	var all map[string]map[string]any
	if err := yaml.Unmarshal(text, &all); err != nil {
		return nil, 0, fmt.Errorf("%s: it is not a runbook in the form of big-ann-benchmarks: %s", path, yaml.FormatError(err, false, false))
	}
	book, ok := all[name]
	if !ok {
		var names []string
		for n := range all {
			names = append(names, n)
		}
		slices.Sort(names)
		return nil, 0, fmt.Errorf("%s: it has no data set %q%s", path, name, words.DidYouMean(name, names))
	}
	last := 0
	most = rows
	for key, value := range book {
		number, err := strconv.Atoi(key)
		switch {
		case key == "gt_url":
		case key == "max_pts":
			if most, err = mostOf(value); err != nil {
				return nil, 0, fmt.Errorf("%s: %s: %w", path, name, err)
			}
		case err != nil || number < 1 || strconv.Itoa(number) != key:
			return nil, 0, fmt.Errorf("%s: %s has a key %q: there are steps, 1, 2, 3 and so on, max_pts and gt_url", path, name, key)
		default:
			last = max(last, number)
		}
	}
	for number := 1; number <= last; number++ {
		raw, ok := book[strconv.Itoa(number)]
		if !ok {
			return nil, 0, fmt.Errorf("%s: %s has a step %d and no step %d: steps are numbered 1, 2, 3 and so on, without a gap", path, name, last, number)
		}
		fail := func(format string, args ...any) error {
			return fmt.Errorf("%s: %s, step %d: %s", path, name, number, fmt.Sprintf(format, args...))
		}
		e, err := entryOf(raw)
		if err != nil {
			return nil, 0, fail("%v", err)
		}
		// A tag is the row that was inserted under it, so tags end where the rows do.
		span := func(what, from, to string) ([]int32, error) {
			start, hasStart := e.bounds[from]
			end, hasEnd := e.bounds[to]
			switch {
			case !hasStart || !hasEnd:
				return nil, fail("%s needs where %s start and end: the keys %s and %s", e.Operation, what, from, to)
			case start < 0 || end <= start:
				return nil, fail("%s from %d to %d are none: a range begins at 0 or later, and ends behind where it begins", what, start, end)
			case end > int64(rows):
				return nil, fail("%s reach to %d, and the base has %d vectors: give all vectors of the runbook's data set, and the queries as a file (data: {queries: FILE})", what, end, rows)
			}
			out := make([]int32, end-start)
			for i := range out {
				out[i] = int32(start) + int32(i)
			}
			return out, nil
		}
		if unused, takes := e.unused(); unused != "" {
			return nil, 0, fail("%s takes no %s: %s", e.Operation, unused, takes)
		}
		step := Step{Number: number, Op: e.Operation}
		switch e.Operation {
		case Insert:
			step.Rows, err = span("rows", "start", "end")
		case Delete:
			step.Tags, err = span("rows", "start", "end")
		case Replace:
			if step.Tags, err = span("tags", "tags_start", "tags_end"); err == nil {
				step.Rows, err = span("ids", "ids_start", "ids_end")
			}
			if err == nil && len(step.Tags) != len(step.Rows) {
				err = fail("%d tags are replaced by %d rows", len(step.Tags), len(step.Rows))
			}
		case Search:
		default:
			err = fail("no operation %q: there are insert, delete, replace and search", e.Operation)
		}
		if err != nil {
			return nil, 0, err
		}
		steps = append(steps, step)
	}
	if len(steps) == 0 {
		return nil, 0, fmt.Errorf("%s: %s has no step 1", path, name)
	}
	return steps, most, nil
}

// make lays out a made runbook: a search, then Steps times a delete, an insert and a search.
func (s Spec) make(set *dataset.Set, seed uint64) ([]Step, error) {
	rows := set.Base.Rows
	begin := int(float64(rows) / (1 + s.PerStep*float64(s.Steps)))
	each := int(s.PerStep * float64(begin))
	if each < 1 || begin+each*s.Steps > rows || begin < 1 {
		return nil, fmt.Errorf("runbook %s: %d vectors are too few for it: it would begin with %d, of which a step replaces less than one; give more vectors, fewer steps or a larger per_step", s, rows, begin)
	}
	rng := rand.New(rand.NewPCG(seed, 0x636875726e))
	order := make([]int32, rows)
	for i, row := range rng.Perm(rows) {
		order[i] = int32(row)
	}
	if s.Order == Clustered {
		key := make([]float64, rows)
		if len(set.Labels) > 0 {
			for i, l := range set.BaseLabels {
				key[i] = float64(l)
			}
		} else {
			direction := make([]float32, set.Base.Dim)
			for i := range direction {
				direction[i] = float32(rng.NormFloat64())
			}
			for i := range key {
				key[i] = float64(vec.Dot(direction, set.Base.Row(i)))
			}
		}
		slices.SortStableFunc(order, func(a, b int32) int {
			switch {
			case key[a] < key[b]:
				return -1
			case key[a] > key[b]:
				return 1
			}
			return 0
		})
	}
	living := slices.Clone(order[:begin]) // oldest first
	steps := []Step{{Number: 1, Op: Insert, Rows: slices.Clone(living)}, {Number: 2, Op: Search}}
	for i := range s.Steps {
		gone := Step{Number: len(steps) + 1, Op: Delete}
		if s.Order == Random {
			for j := range each {
				at := j + rng.IntN(len(living)-j)
				living[j], living[at] = living[at], living[j]
			}
		}
		gone.Tags = slices.Clone(living[:each])
		come := Step{Number: len(steps) + 2, Op: Insert, Rows: slices.Clone(order[begin+i*each : begin+(i+1)*each])}
		living = append(living[each:], come.Rows...)
		steps = append(steps, gone, come, Step{Number: len(steps) + 3, Op: Search})
	}
	return steps, nil
}

// Truth is the exact neighbours among what lives, at one search.
type Truth struct {
	IDs       [][]int32
	Distances [][]float64
}

// truthNames are the files in the set's folder of the neighbours at one step: about has the SHA-256 of the others, and is
// written last.
func truthNames(set *dataset.Set, metric vec.Metric, s Spec, seed uint64, k, step int) (ids, distances, about string) {
	sum := sha256.Sum256(fmt.Appendf(nil, "annbench churn 1\n%s\n%s\n%s\n%d\n%d\n", set.Digest, metric, s, seed, k))
	stem := fmt.Sprintf("churn-%s-%d", hex.EncodeToString(sum[:8]), step)
	return stem + "-ids.npy", stem + "-distances.npy", stem + ".json"
}

// Prepare finds the k exact neighbours of every query among what lives at each search of the runbook, and leaves them in
// the set's folder; those that are there already are not looked for again. The search is that of [dataset.FindTruth]:
// float32 first, then float64. progress, where not nil, is called with the share that is done.
func Prepare(ctx context.Context, set *dataset.Set, metric vec.Metric, s Spec, seed uint64, k, threads int, progress func(share float64)) error {
	steps, err := s.Book(set, seed)
	if err != nil {
		return err
	}
	state := NewState(set.Base.Rows)
	for i, step := range steps {
		if progress != nil {
			progress(float64(i) / float64(len(steps)))
		}
		if _, _, err := state.Apply(step); err != nil {
			return err
		}
		if step.Op != Search {
			continue
		}
		if _, err := Open(set, metric, s, seed, k, step.Number); err == nil {
			continue
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		rows := slices.Collect(state.Living.All())
		base := vec.NewMatrix(len(rows), set.Base.Dim)
		for i, row := range rows {
			copy(base.Row(i), set.Base.Row(int(row)))
		}
		fetch := min(len(rows), k+max(k, 32)+1)
		found, err := vec.Exact(ctx, base, set.Queries, metric, fetch, threads, nil)
		if err != nil {
			return err
		}
		ids, distances := make([]int32, set.Queries.Rows*k), make([]float64, set.Queries.Rows*k)
		for q := range set.Queries.Rows {
			living := make([]int32, 0, fetch)
			for _, n := range found[q*fetch : (q+1)*fetch] {
				if row := rows[n.ID]; row != set.Self(q) {
					living = append(living, row)
				}
			}
			all := dataset.Ranked(set.Base, set.Queries.Row(q), metric, living)
			for i := range k {
				at := q*k + i
				ids[at], distances[at] = -1, -1
				if i < len(all) {
					ids[at], distances[at] = all[i].ID, all[i].Distance
				}
			}
		}
		idsFile, distancesFile, about := truthNames(set, metric, s, seed, k, step.Number)
		if err := errors.Join(
			vecfile.WriteArray(filepath.Join(set.Dir, distancesFile), distances, k),
			vecfile.WriteArray(filepath.Join(set.Dir, idsFile), ids, k),
		); err != nil {
			return err
		}
		sums, err := seal.Sums(ctx, set.Dir, idsFile, distancesFile)
		if err != nil {
			return err
		}
		if err := seal.WriteJSON(filepath.Join(set.Dir, about), truthMeta{sums}); err != nil {
			return err
		}
	}
	return nil
}

// truthMeta is what stands beside the neighbours at one step.
type truthMeta struct {
	Files map[string]string `json:"files"` // SHA-256
}

// Open reads what [Prepare] left for the search at a step: k neighbours of each query, or as many as there are. The error is
// [fs.ErrNotExist] where a file of it is not there; files that differ from their checksums are an error that says what to
// delete.
func Open(set *dataset.Set, metric vec.Metric, s Spec, seed uint64, k, step int) (*Truth, error) {
	idsFile, distancesFile, about := truthNames(set, metric, s, seed, k, step)
	idsPath, distancesPath, aboutPath := filepath.Join(set.Dir, idsFile), filepath.Join(set.Dir, distancesFile), filepath.Join(set.Dir, about)
	var meta truthMeta
	_, err := seal.ReadJSON(aboutPath, &meta)
	if err == nil {
		err = seal.Verify(context.Background(), set.Dir, meta.Files)
	}
	if err != nil {
		return nil, fmt.Errorf("the exact neighbours at step %d cannot be used: %w; delete %s, and `annbench run` makes them again", step, err, aboutPath)
	}
	ids, err := vecfile.MapArray[int32](idsPath, 2)
	if err != nil {
		return nil, err
	}
	defer ids.Close()
	distances, err := vecfile.MapArray[float64](distancesPath, 2)
	if err != nil {
		return nil, err
	}
	defer distances.Close()
	shape := []int{set.Queries.Rows, k}
	if !slices.Equal(ids.Shape, shape) || !slices.Equal(distances.Shape, shape) {
		return nil, fmt.Errorf("%s: it has another shape than %v: delete %s, and `annbench run` makes it again", idsPath, shape, aboutPath)
	}
	t := &Truth{}
	for q := range set.Queries.Rows {
		own := ids.Data[q*k : (q+1)*k]
		n := len(own)
		if at := slices.Index(own, -1); at >= 0 {
			n = at
		}
		t.IDs = append(t.IDs, slices.Clone(own[:n]))
		t.Distances = append(t.Distances, slices.Clone(distances.Data[q*k:q*k+n]))
	}
	return t, nil
}
