package churn

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"annbench/bench/dataset"
	"annbench/indexes/vec"
)

func synthetic(t *testing.T, rows, queries int) *dataset.Set {
	t.Helper()
	c, err := dataset.OpenSynthetic(t.Context(), dataset.Synthetic{N: rows + queries, Dim: 8, LID: 5, Clusters: 4, Seed: 3}, t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	dir, err := dataset.Split(t.Context(), c, dataset.SplitConfig{Queries: queries, Seed: 1}, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	set, err := dataset.OpenSet(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { set.Close() })
	return set
}

// Made runbooks keep as many alive as there were, never insert a row twice, and delete in their order.
func TestMade(t *testing.T) {
	set := synthetic(t, 600, 10)
	for _, order := range Orders {
		s := Spec{PerStep: 0.1, Steps: 7, Order: order}
		steps, err := s.Book(set, 1)
		if err != nil {
			t.Fatal(err)
		}
		again, err := s.Book(set, 1)
		if err != nil || !slices.EqualFunc(steps, again, func(a, b Step) bool {
			return a.Op == b.Op && slices.Equal(a.Rows, b.Rows) && slices.Equal(a.Tags, b.Tags)
		}) {
			t.Errorf("%s: another runbook from the same seed", order)
		}
		state, searches := NewState(600), 0
		var inserted []int32
		for _, step := range steps {
			if order == Oldest && step.Op == Delete {
				if !slices.Equal(step.Tags, inserted[:len(step.Tags)]) {
					t.Errorf("step %d: not the oldest are deleted", step.Number)
				}
				inserted = inserted[len(step.Tags):]
			}
			inserted = append(inserted, step.Rows...)
			if _, _, err := state.Apply(step); err != nil {
				t.Fatal(err)
			}
			if step.Op == Search {
				searches++
				if n := state.Living.Len(); n != 352 { // 600 / 1.7
					t.Errorf("%s: %d live at step %d", order, n, step.Number)
				}
			}
		}
		if searches != 8 {
			t.Errorf("%s: %d searches", order, searches)
		}
	}
	if _, err := (Spec{PerStep: 0.001, Steps: 3, Order: Random}).Book(set, 1); err == nil {
		t.Error("a step of no vector: no error")
	}
}

const published = `random-xs:
  max_pts: 400
  1:
    operation: insert
    start: 0
    end: 400
  2:
    operation: search
  3:
    operation: "delete"
    start: 0
    end: 200
  4:
    operation: search
  5:
    operation: "insert"
    start: 0
    end: 100
  6:
    ids_end: 500
    ids_start: 400
    operation: replace
    tags_end: 300
    tags_start: 200
  7:
    end: 10
    operation: search
    start: 0
  gt_url: https://example.com/gt
other:
  max_pts: 5
  1:
    operation: search
`

func TestRead(t *testing.T) {
	set := synthetic(t, 600, 10)
	path := filepath.Join(t.TempDir(), "book.yaml")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(published)
	steps, err := Spec{File: path, Dataset: "random-xs"}.Book(set, 1)
	if err != nil {
		t.Fatal(err)
	}
	state := NewState(600)
	for _, s := range steps {
		if _, _, err := state.Apply(s); err != nil {
			t.Fatal(err)
		}
	}
	var want []int32
	for i := range int32(600) {
		if i < 100 || i >= 300 && i < 500 {
			want = append(want, i)
		}
	}
	if got := slices.Collect(state.Living.All()); len(steps) != 7 || !slices.Equal(got, want) {
		t.Errorf("after %d steps %d rows live: %v", len(steps), len(got), got)
	}
	for _, c := range []struct{ from, to, says string }{
		{"operation: insert", "operation: upsert", `no operation "upsert"`},
		{"start: 0\n    end: 400", "start: 0", "start and end"},
		{"end: 400", "end: 4000", "the base has 600"},
		{"end: 200", "end: 500", "nothing lives under the tag 400: insert it in a step before"},
		{"end: 100\n", "end: 100\n    tags_start: 5\n", "step 5: insert takes no tags_start: it has start and end"},
		{"operation: search", "operation: search\n    start: 3", "step 2: search takes no start: it has start and end, both or none"},
		{"tags_end: 300", "tags_end: 300\n    end: 7", "step 6: replace takes no end"},
		{"7:\n    end: 10\n    operation: search\n    start: 0", "7:\n    operation: insert\n    start: 250\n    end: 251", "row 250 is inserted under the tag 250, under which row 450 lives"},
		{"end: 200", "end: 2147483647", "the base has 600"},
		{"start: 0\n    end: 400", "start: 400\n    end: 0", "begins at 0 or later"},
		{"\n  6:", "\n  8:", "a step 8 and no step 6"},
		{"\n  7:", "\n  6b:", `a key "6b"`},
		{"max_pts: 400", "max_pts: 399", ": 400 vectors live after step 1, and max_pts is 399: correct"},
		{"max_pts: 400", "max_pts: many", "max_pts is how many vectors live at once, a whole number of 1 or more, not many"},
		{"max_pts: 400", "max_pts: 0", "a whole number of 1 or more, not 0"},
		{"max_pts", "maxpts", `a key "maxpts"`},
		{"end: 400", "end: 400.5", "end is a row number, a whole one, not 400.5"},
		{"start: 0", "start: many", "start is a row number, a whole one, not many"},
		{"start: 0", "strat: 0", `unknown key "strat"; did you mean "start"?`},
		{"operation: search", "operation: search\n  8: 5", "step 8: a step has keys and values"},
		{"tags_end: 300", "tags_end: 299", "99 tags are replaced by 100 rows"},
		{"start: 0\n    end: 100", "start: 150\n    end: 250", "lives already"},
		{"random-xs:", "random-xl:", `no data set "random-xs"; did you mean "random-xl"?`},
		{"operation: search", "operation: [", "not a runbook"},
	} {
		write(strings.Replace(published, c.from, c.to, 1))
		if _, err := (Spec{File: path, Dataset: "random-xs"}).Book(set, 1); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.to, err)
		}
	}
	write(published + strings.Repeat("# operation\n", maxSteps))
	if _, err := (Spec{File: path, Dataset: "random-xs"}).Book(set, 1); err == nil || !strings.Contains(err.Error(), "20000 are the most") {
		t.Errorf("too many steps: %v", err)
	}
	write(published)
	if _, err := (Spec{File: path, Dataset: "other"}).Book(set, 1); err == nil {
		t.Error("a search of nothing: no error")
	}
}

// The truth of each search is what a comparison with everything that lives gives.
func TestPrepare(t *testing.T) {
	set := synthetic(t, 300, 10)
	s := Spec{PerStep: 0.2, Steps: 3, Order: Random}
	const k = 5
	if err := Prepare(t.Context(), set, vec.L2, s, 1, k, 1, nil); err != nil {
		t.Fatal(err)
	}
	steps, err := s.Book(set, 1)
	if err != nil {
		t.Fatal(err)
	}
	state := NewState(300)
	for _, step := range steps {
		if _, _, err := state.Apply(step); err != nil {
			t.Fatal(err)
		}
		if step.Op != Search {
			continue
		}
		truth, err := Open(set, vec.L2, s, 1, k, step.Number)
		if err != nil {
			t.Fatal(err)
		}
		for q := range set.Queries.Rows {
			var all []float64
			for row := range state.Living.All() {
				all = append(all, vec.L2.Distance(set.Queries.Row(q), set.Base.Row(int(row))))
			}
			slices.Sort(all)
			if !slices.Equal(truth.Distances[q], all[:k]) {
				t.Errorf("step %d, query %d: %v, not %v", step.Number, q, truth.Distances[q], all[:k])
			}
			for _, id := range truth.IDs[q] {
				if !state.Living.Has(id) {
					t.Errorf("step %d: neighbour %d does not live", step.Number, id)
				}
			}
		}
	}
}

// Of the neighbours at a step, whatever file is damaged is named with what to delete, and one that is missing is made again.
func TestPreparedDamaged(t *testing.T) {
	set := synthetic(t, 300, 10)
	s := Spec{PerStep: 0.2, Steps: 1, Order: Random}
	const k, step = 5, 2
	if err := Prepare(t.Context(), set, vec.L2, s, 1, k, 1, nil); err != nil {
		t.Fatal(err)
	}
	want, err := Open(set, vec.L2, s, 1, k, step)
	if err != nil {
		t.Fatal(err)
	}
	ids, distances, about := truthNames(set, vec.L2, s, 1, k, step)
	for _, name := range []string{ids, distances, about} {
		path := filepath.Join(set.Dir, name)
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		flipped := slices.Clone(whole)
		flipped[len(flipped)-8] ^= 1
		if err := os.WriteFile(path, flipped, 0o644); err != nil {
			t.Fatal(err)
		}
		for what, err := range map[string]error{
			"Open": func() error { _, err := Open(set, vec.L2, s, 1, k, step); return err }(), "Prepare": Prepare(t.Context(), set, vec.L2, s, 1, k, 1, nil),
		} {
			if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "delete "+filepath.Join(set.Dir, about)) {
				t.Errorf("%s, a bit of %s is flipped: %v", what, name, err)
			}
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if err := Prepare(t.Context(), set, vec.L2, s, 1, k, 1, nil); err != nil {
			t.Errorf("without %s: %v", name, err)
		}
		if again, err := Open(set, vec.L2, s, 1, k, step); err != nil || !reflect.DeepEqual(again, want) {
			t.Errorf("without %s, other neighbours are made: %v", name, err)
		}
	}
}
