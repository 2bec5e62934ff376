package record

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestFindMissing(t *testing.T) {
	a, b := Cell{Family: "a"}, Cell{Family: "b"}
	rec := func(c Cell, rep int) Record { return Record{Cell: c, Rep: rep, Engine: "1"} }
	plan := func(shard, of int, cells ...Cell) Planned {
		return Planned{Shard: shard, Of: of, Engine: "1", Repetitions: 2, Cells: cells}
	}
	pruned := plan(1, 1, a, b)
	pruned.Prune = true
	skips := plan(1, 1, a)
	skips.Skipped = []Cell{b}
	for _, test := range []struct {
		name    string
		plans   []Planned
		records []Record
		cells   int // missing, all shards together
		absent  []int
	}{
		{"all", []Planned{plan(1, 2, a), plan(2, 2, b)}, []Record{rec(a, 0), rec(a, 1), rec(b, 0), rec(b, 1)}, 0, nil},
		{"a repetition", []Planned{plan(1, 2, a), plan(2, 2, b)}, []Record{rec(a, 0), rec(a, 1), rec(b, 1)}, 1, nil},
		{"a shard", []Planned{plan(1, 3, a), plan(3, 3, b)}, []Record{rec(a, 0), rec(a, 1)}, 1, []int{2}},
		{"pruned", []Planned{pruned}, []Record{rec(a, 0), rec(b, 0), rec(b, 1)}, 0, nil},
		{"pruned, and missing", []Planned{pruned}, []Record{rec(b, 0)}, 1, nil},
		{"skipped", []Planned{skips}, []Record{rec(a, 0), rec(a, 1)}, 1, nil},
		{"another engine", []Planned{plan(1, 1, a)}, []Record{{Cell: a, Engine: "0"}, {Cell: a, Rep: 1, Engine: "0"}}, 1, nil},
		{"one division is whole", []Planned{plan(1, 1, a), plan(2, 3, a)}, []Record{rec(a, 0), rec(a, 1)}, 0, nil},
		{"nothing known", nil, []Record{rec(a, 0)}, 0, nil},
	} {
		m := FindMissing(test.plans, test.records)
		cells := 0
		for _, s := range m.Shards {
			cells += len(s.Cells) + len(s.Skipped)
		}
		if cells != test.cells || !slices.Equal(m.Absent, test.absent) || m.Any() != (test.cells > 0 || len(test.absent) > 0) {
			t.Errorf("%s: %d cells and the shards %v are missing, it should be %d and %v", test.name, cells, m.Absent, test.cells, test.absent)
		}
	}
	joined := JoinPlans([]Planned{plan(2, 2, a)}, []Planned{plan(2, 2, b), plan(1, 2, b)})
	if len(joined) != 2 || joined[0].Shard != 1 || joined[1].Cells[0] != a {
		t.Errorf("joined: %+v", joined)
	}
}

// TestEditedPlan: a plan that was edited could hide cells that were not measured; one without a sum, of an older version, is read.
func TestEditedPlan(t *testing.T) {
	dir := t.TempDir()
	plan := Planned{Sweep: "s", Shard: 1, Of: 1, Engine: "e", Repetitions: 3, Cells: []Cell{{Family: "exact"}, {Family: "hnsw"}}}
	if err := WritePlans(dir, []Planned{plan}); err != nil {
		t.Fatal(err)
	}
	if got, err := OpenPlans(dir); err != nil || !reflect.DeepEqual(got, []Planned{plan}) {
		t.Fatalf("%+v, %v", got, err)
	}
	path := filepath.Join(dir, PlanFile)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	edited := strings.Replace(string(whole), `"repetitions": 3`, `"repetitions": 1`, 1)
	unsealed := regexp.MustCompile(`,\s*"sha256": "\w+"`).ReplaceAllString(edited, "")
	for text, want := range map[string]string{edited: PlanFile + " has changed since it was written", unsealed: ""} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := OpenPlans(dir)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%v, want %q\n%s", err, want, text)
		}
	}
}
