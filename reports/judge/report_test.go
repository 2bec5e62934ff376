package judge

import (
	"slices"
	"strings"
	"testing"

	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/reports/internal/fixture"
)

func TestLoadGroups(t *testing.T) {
	r := fixture.Load(t, Load, fixture.Results(
		t,
		fixture.Cell("b", "ef=100", 0, .9, 10), fixture.Cell("b", "ef=20", 0, .8, 30), fixture.Cell("a", "", 0, .7, 40), fixture.Cell("flat", "", 0, 1, 5),
		fixture.Cell("b", "ef=20", 1, .8, 10), fixture.Cell("b", "ef=20", 2, .8, 20), fixture.Failed("b", "ef=20", 3, record.OOM, "too much"),
	))
	var got []string
	for _, row := range r.Rows {
		got = append(got, row.Cell.Family+" "+row.Cell.Search)
	}
	if want := []string{"flat ", "a ", "b ef=20", "b ef=100"}; !slices.Equal(got, want) {
		t.Fatalf("rows %q, want %q: exact first, then names, then numbers as numbers", got, want)
	}
	row := r.Rows[2]
	v, ok := row.Value(metric.QPS)
	if !ok || v.Median != 20 || !v.HasInterval || v.Lo >= 10 || v.Hi <= 30 || v.N != 3 { // three values scatter: their range is not 95 %
		t.Errorf("QPS of 30, 10, 20 is %+v", v)
	}
	if row.OK() != 3 || len(row.Reps) != 4 || row.Status() != record.OK {
		t.Errorf("%d ok of %d, status %s", row.OK(), len(row.Reps), row.Status())
	}
	if fails := row.Failures(); len(fails) != 1 || fails[0] != (Failure{Status: record.OOM, Error: "too much", N: 1}) {
		t.Errorf("failures %v", fails)
	}
	if _, ok := row.Value(metric.Build); ok {
		t.Error("a value that nobody measured is there")
	}
}

func TestLoadSeveralFolders(t *testing.T) {
	r := fixture.Load(t, Load, fixture.Results(t, fixture.Cell("a", "", 0, .9, 10)), fixture.Results(t, fixture.Cell("a", "", 0, .9, 30), fixture.Cell("c", "", 0, .9, 30)))
	if len(r.Rows) != 2 || r.Rows[0].OK() != 2 {
		t.Fatalf("%d rows, the first with %d repetitions", len(r.Rows), r.Rows[0].OK())
	}
}

// TestLoadCountsOnce: a record that stands in several of the folders counts once, and a note says how many do.
func TestLoadCountsOnce(t *testing.T) {
	one := fixture.Results(t, fixture.Cell("a", "", 0, .9, 10), fixture.Cell("a", "", 1, .9, 20), fixture.Failed("b", "", 0, record.OOM, "too much"))
	sharing := fixture.Results(t, fixture.Cell("a", "", 1, .9, 20), fixture.Cell("a", "", 2, .9, 30))
	reseeded := fixture.Cell("a", "", 0, .9, 10)
	reseeded.Seed++
	for _, c := range []struct {
		name           string
		dirs           []string
		reps, repeated int // of the first row; of all
	}{
		{"one folder", []string{one}, 2, 0},
		{"the same folder twice", []string{one, one}, 2, 3},
		{"three times", []string{one, one, one}, 2, 6},
		{"one repetition in both", []string{one, sharing}, 3, 1},
		{"another seed", []string{one, fixture.Results(t, reseeded)}, 3, 0},
		{"the same values in other repetitions", []string{one, fixture.Results(t, fixture.Cell("a", "", 5, .9, 10))}, 3, 0},
	} {
		r := fixture.Load(t, Load, c.dirs...)
		if len(r.Rows[0].Reps) != c.reps {
			t.Errorf("%s: %d repetitions, want %d", c.name, len(r.Rows[0].Reps), c.reps)
		}
		if noted := slices.Contains(r.Notes, Note{Code: Repeated, N: c.repeated}); noted != (c.repeated > 0) {
			t.Errorf("%s: notes %v, want %d records in several folders", c.name, r.Notes, c.repeated)
		}
	}
}

func TestLoadErrors(t *testing.T) {
	for _, dirs := range [][]string{nil, {t.TempDir()}, {fixture.Results(t)}} {
		if _, err := Load(dirs...); err == nil {
			t.Errorf("Load(%q) has no error", dirs)
		} else if !strings.HasPrefix(err.Error(), "reading results: ") {
			t.Errorf("error %q", err)
		}
	}
}

func TestChoose(t *testing.T) {
	for _, c := range []struct {
		name    string
		records []record.Record
		want    string
		reached bool
	}{
		{"the fastest that reaches", []record.Record{fixture.Cell("a", "1", 0, .94, 900), fixture.Cell("a", "2", 0, .95, 500), fixture.Cell("a", "3", 0, .99, 400)}, "2", true},
		{"equal speed, more recall", []record.Record{fixture.Cell("a", "1", 0, .96, 500), fixture.Cell("a", "2", 0, .97, 500)}, "2", true},
		{"all equal, the first", []record.Record{fixture.Cell("a", "1", 0, .96, 500), fixture.Cell("a", "2", 0, .96, 500)}, "1", true},
		{"none reaches, most recall", []record.Record{fixture.Cell("a", "1", 0, .5, 900), fixture.Cell("a", "2", 0, .8, 100), fixture.Cell("a", "3", 0, .7, 800)}, "2", false},
		{"none reaches, equal recall", []record.Record{fixture.Cell("a", "1", 0, .8, 100), fixture.Cell("a", "2", 0, .8, 200)}, "2", false},
		{"recall of zero is a value", []record.Record{fixture.Cell("a", "1", 0, 0, 100), fixture.Failed("a", "2", 0, record.Failed, "x")}, "1", false},
		{"nothing measured", []record.Record{fixture.Failed("a", "1", 0, record.Failed, "x")}, "", false},
	} {
		r := fixture.Load(t, Load, fixture.Results(t, c.records...))
		got := r.Choose(r.Focus)[0]
		search := ""
		if got.Row != nil {
			search = got.Row.Cell.Search
		}
		if search != c.want || got.Reached != c.reached {
			t.Errorf("%s: chose %q, reached %v", c.name, search, got.Reached)
		}
	}
}

// What disturbed timing travels with the numbers, and does not make two environments of one machine.
func TestDisturbedTiming(t *testing.T) {
	a, b := fixture.FixtureEnv(), fixture.FixtureEnv()
	a.Disturbed, b.Disturbed = []string{"a load of 3"}, []string{"a load of 4"}
	if envKey(a) != envKey(b) {
		t.Error("the load of a machine makes it another one")
	}
	cell := record.Cell{Dataset: "d", Metric: "l2", Family: "flat", K: 10, Threads: 1, Mode: record.Latency}
	r := &Report{Rows: []*Row{{Cell: cell, Reps: []*record.Record{{Cell: cell, Env: a}, {Cell: cell, Rep: 1, Env: b}}}}}
	r.environments()
	if len(r.Envs) != 1 || !slices.Equal(r.Envs[0].Disturbed, []string{"a load of 3", "a load of 4"}) {
		t.Errorf("environments: %+v", r.Envs)
	}
	if want := (Note{Code: Disturbed, Name: "a load of 3", N: 1}); !slices.Contains(r.Notes, want) {
		t.Errorf("notes: %+v", r.Notes)
	}
}
