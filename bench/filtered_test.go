package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"annbench/bench/dataset"
	"annbench/bench/filter"
	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/indexes"
	"annbench/indexes/vec"
)

const underFilters = `
- family: flat
- family: hnsw
  search: {ef: [20, 100]}
- family: hnsw-coder
filters:
- where: label in ('class1', 'class2')
- {selectivity: [0.3, 0.01], correlation: [none, near, far], factor: 2}
`

// Every family is measured in the ways that it has, exact ones find all that passes, and nothing of it stands among the
// records of searches of all vectors.
func TestFilters(t *testing.T) {
	s := testSweep(t, strings.Replace(underFilters, "label in", "category in", 1))
	s.K, s.Repetitions = s.K[:1], 1
	r := testRun(t, testSet(t, 640, 16, 40), s)
	sum, err := r.Do(t.Context())
	if err != nil || sum.Failed() > 0 {
		t.Fatalf("%+v, %v", sum, err)
	}
	results, err := record.Open(r.Out)
	if err != nil {
		t.Fatal(err)
	}
	if len(results.Records) != 4 { // flat, hnsw twice, hnsw-coder
		t.Errorf("%d records of searches of all vectors", len(results.Records))
	}
	const filters = 1 + 2*3
	ways := map[[2]string]int{}
	for _, rec := range results.Filtered {
		c, v := rec.Cell, rec.Values
		ways[[2]string{c.Family, c.Way}]++
		if rec.Status != record.OK {
			t.Fatalf("%v: %s", c, rec.Error)
		}
		if (c.Way == filter.After) != (c.Factor > 0) || v[metric.Mean] <= 0 || v[metric.Selectivity] <= 0 {
			t.Errorf("%+v: %v", c, v)
		}
		if rec.Exact && c.Way != filter.After && v[metric.Recall] != 1 {
			t.Errorf("%v: exact search has recall %v", c, v[metric.Recall])
		}
		var share float64
		if n, _ := fmt.Sscanf(c.Filter, "selectivity=%g", &share); n == 1 && math.Abs(v[metric.Selectivity]-share) > 0.01 {
			t.Errorf("%v: %v pass", c, v[metric.Selectivity])
		}
		if len(rec.Answers) > 0 {
			t.Errorf("%v: answers for the gallery", c)
		}
	}
	for way, want := range map[[2]string]int{
		{"flat", filter.Inside}: filters, {"flat", filter.After}: 2*1 + 2*3, {"flat", filter.Before}: filters,
		{"hnsw", filter.Inside}: 2 * filters, {"hnsw", filter.After}: 2 * (2 + 2*3), {"hnsw", filter.Before}: 0,
		{"hnsw-coder", filter.Inside}: 0, {"hnsw-coder", filter.After}: 2 + 2*3,
	} {
		if ways[way] != want {
			t.Errorf("%v: %d cells, want %d", way, ways[way], want)
		}
	}
	if sum, err := r.Do(t.Context()); err != nil || len(sum.Measured) > 0 {
		t.Errorf("again: %+v, %v", sum, err)
	}
}

// What passes is compared once, however many families, builds and ways are named: on the first family of this process.
func TestBeforeIsMeasuredOnce(t *testing.T) {
	for name, families := range map[string]string{
		"by default": "- family: flat-pgvector\n- family: hnsw\n  build: {M: [8, 16]}\n- family: flat\nfilters:\n- where: category = 'class1'\n",
		"named":      "- family: hnsw\n  build: {M: [8, 16]}\n- family: flat\nfilters:\n- {where: category = 'class1', ways: [before, inside]}\n",
	} {
		s := testSweep(t, families)
		plan, err := MakePlan(s, Shape{Digest: "d", Base: 500, Dim: 16, Cores: 1, Find: func(string, string, int) (Server, error) {
			return Server{Address: "127.0.0.1:1"}, nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		before := map[string]int{}
		for _, j := range plan.Jobs {
			for _, c := range j.Cells("d") {
				if j.Rep == 0 && c.Way == filter.Before {
					before[c.Family+" "+c.Metric]++
				}
			}
		}
		want := map[string]int{}
		for _, m := range s.Metric {
			want["hnsw "+string(m)] = len(s.K)
		}
		if !maps.Equal(before, want) {
			t.Errorf("%s: %v, want %v", name, before, want)
		}
		for _, skip := range plan.Skipped {
			if skip.Cell.Way == filter.Before {
				t.Errorf("%s: skipped: %+v: %s", name, skip.Cell, skip.Reason)
			}
		}
	}
}

// A plan says under which filter and in which way a cell is measured, so that no two lines are the same.
func TestPreviewOfFilters(t *testing.T) {
	set := &dataset.Set{Digest: "d", Base: vec.NewMatrix(640, 16), Queries: vec.NewMatrix(40, 16)}
	s := testSweep(t, strings.Replace(underFilters, "label in", "category in", 1))
	plan, err := MakePlan(s, Shape{Digest: "d", Base: 640, Dim: 16, Cores: 1})
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := NewPreview(s, set, plan, Estimate{}, false).WriteText(&text); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for line := range strings.Lines(text.String()) {
		if strings.Contains(line, "latency") {
			if seen[line] {
				t.Errorf("twice: %s", line)
			}
			seen[line] = true
		}
	}
	for _, want := range []string{"selectivity=0.3 correlation=near, after, factor 2", "category in ('class1', 'class2'), inside", " none "} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
}

// A filter over what a data set lacks is an error before anything is measured.
func TestFilterOfAnotherSet(t *testing.T) {
	r := testRun(t, testSet(t, 300, 8, 20), testSweep(t, strings.Replace(underFilters, "label in", "catgory in", 1)))
	if _, err := r.Do(t.Context()); err == nil || !strings.Contains(err.Error(), `no attribute "catgory"; did you mean "category"?`) {
		t.Errorf("error is %v", err)
	}
}

// How many are asked for follows the share that passes.
func TestFetch(t *testing.T) {
	for _, c := range []struct {
		k             int
		factor        float64
		passing, want int
	}{{10, 1, 100, 100}, {10, 3, 100, 300}, {10, 1, 1, 1000}, {10, 1, 0, 1}, {3, 1.5, 1000, 5}} {
		if got := fetch(c.k, c.factor, 1000, c.passing); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
}

const underChurn = `
- family: flat
- family: hnsw
- family: forest
churn:
- {per_step: 10%, steps: 3, order: [random, clustered], rebuild: 2}
- {per_step: 20%, steps: 2, order: oldest, rebuild: 0, rate: 2000}
`

// Indexes that follow a runbook find what lives, and what was broken off begins anew.
func TestChurn(t *testing.T) {
	s := testSweep(t, underChurn)
	s.K, s.Repetitions = s.K[:1], 1
	r := testRun(t, testSet(t, 640, 16, 40), s)
	var log bytes.Buffer
	r.Log = slog.New(slog.NewTextHandler(&log, nil))
	ctx, cancel := context.WithCancel(t.Context())
	r.Progress = func(p Progress) {
		if strings.Contains(p.What, "order=random: searches of the runbook") && p.Done == 2 && p.Total == 4 { // of the first index, with steps to go
			cancel()
		}
	}
	if _, err := r.Do(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("error is %v", err)
	}
	// A quick index may have done all of it before it was stopped: what came later is taken out, as if it had been slower.
	stopped, err := record.Open(r.Out)
	if err != nil {
		t.Fatal(err)
	}
	var text []byte
	for _, rec := range append(stopped.Records, stopped.Churned...) {
		if rec.Cell.Step > 5 && strings.Contains(rec.Cell.Churn, "order=random") {
			continue
		}
		if text, err = record.AppendLine(text, &rec); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(r.Out, record.RecordsFile), text, 0o644); err != nil {
		t.Fatal(err)
	}
	r.Progress = nil
	sum, err := r.Do(t.Context())
	if err != nil || sum.Failed() > 0 {
		t.Fatalf("%+v, %v", sum, err)
	}
	if !strings.Contains(log.String(), "begins anew") {
		t.Errorf("nothing says that a runbook began anew: %s", log.String())
	}
	results, err := record.Open(r.Out)
	if err != nil {
		t.Fatal(err)
	}
	last := map[record.Cell]record.Record{}
	for _, rec := range results.Churned {
		last[rec.Cell] = rec
	}
	// Two runbooks of 4 searches, rebuilt by three families and changed by two; one of 3, changed by two.
	if want := 2*4*(3+2) + 3*2; len(last) != want || len(results.Records) != 3 {
		t.Errorf("%d cells of runbooks, want %d; %d others", len(last), want, len(results.Records))
	}
	for c, rec := range last {
		v := rec.Values
		if rec.Status != record.OK || v[metric.Living] <= 0 || v[metric.Mean] <= 0 {
			t.Fatalf("%+v: %s, %v", c, rec.Error, v)
		}
		if c.Rebuild == 0 && v[metric.Stale] != 0 || rec.Exact && v[metric.Stale] == 0 && v[metric.Recall] != 1 {
			t.Errorf("%v: stale %v, recall %v", c, v[metric.Stale], v[metric.Recall])
		}
		// A flat index cannot be saved once it has changed; the others can at every step.
		if v[metric.Serialized] <= 0 && (c.Rebuild > 0 || c.Family != "flat") {
			t.Errorf("%v: no size on disk", c)
		}
		if c.Rebuild == 0 && c.Step > 2 && v[metric.Updated] <= 0 {
			t.Errorf("%v: nothing was updated", c)
		}
	}
	if sum, err := r.Do(t.Context()); err != nil || len(sum.Measured) > 0 {
		t.Errorf("again: %+v, %v", sum, err)
	}
}

// A plan says that its estimate is without runbooks, where there are some.
func TestPreviewOfChurn(t *testing.T) {
	set := &dataset.Set{Digest: "d", Base: vec.NewMatrix(640, 16), Queries: vec.NewMatrix(40, 16)}
	for families, want := range map[string]bool{underChurn: true, "- family: flat": false} {
		var text bytes.Buffer
		if err := NewPreview(testSweep(t, families), set, &Plan{}, Estimate{}, false).WriteText(&text); err != nil {
			t.Fatal(err)
		}
		for _, says := range []string{"runbooks of churn are not in this estimate", "order=random: 4 searches, and built anew after every 2\n", "order=oldest: 3 searches, and never built anew\n"} {
			if got := strings.Contains(text.String(), says); got != want {
				t.Errorf("%s: %v, want %v, in\n%s", says, got, want, text.String())
			}
		}
	}
}

// Indexes are built anew as often as a runbook has room for; what was asked for and never happens is said.
func TestRebuildsFitTheRunbook(t *testing.T) {
	set := &dataset.Set{Digest: "d", Base: vec.NewMatrix(640, 16), Queries: vec.NewMatrix(40, 16)}
	for churns, says := range map[string]string{
		"per_step: 10%, steps: 1":               ": 2 searches, and built anew after every 1\n",
		"per_step: 10%, steps: 2":               ": 3 searches, and built anew after every 1 and 2\n",
		"per_step: 10%, steps: 4":               ": 5 searches, and built anew after every 1 and 2\n",
		"per_step: 10%, steps: 5":               ": 6 searches, and built anew after every 1 and 5\n",
		"per_step: 10%, steps: 2, rebuild: [3]": ": 3 searches, and built anew after every 3; every 3 is never, for want of searches\n",
	} {
		var text bytes.Buffer
		if err := NewPreview(testSweep(t, "- family: flat\nchurn: [{"+churns+"}]\n"), set, &Plan{}, Estimate{}, false).WriteText(&text); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(text.String(), says) {
			t.Errorf("%s: no %q in\n%s", churns, says, text.String())
		}
	}
}

// An index that answers with what was deleted fails.
func TestDeletedAnswerFails(t *testing.T) {
	base := vec.Matrix{Data: []float32{0, 1, 2}, Rows: 3, Dim: 1}
	living := vec.NewSet(3)
	living.Add(1)
	_, err := metric.ScoreAmong(metric.AmongInput{
		Metric: vec.L2, K: 1, Base: base, Queries: base.Slice(0, 1), Answers: [][]int32{{0}},
		Among: func(int) *vec.Set { return living }, Counts: []int32{1},
		Truth:     func(int) ([]int32, []float64) { return []int32{1}, []float64{1} },
		Forbidden: "was deleted, or not yet inserted",
	})
	if err == nil || !strings.Contains(err.Error(), "was deleted") {
		t.Errorf("error is %v", err)
	}
}

// An index that is asked after its rows were numbered anew answers with rows of the base.
func TestFollowingNumbersRows(t *testing.T) {
	flat, err := indexes.Lookup("flat")
	if err != nil {
		t.Fatal(err)
	}
	x, err := flat.OpenChecked(t.Context(), indexes.BuildInput{Vectors: vec.Matrix{Data: []float32{5, 6, 7}, Rows: 3, Dim: 1}, Metric: vec.L2})
	if err != nil {
		t.Fatal(err)
	}
	f := &following{family: flat, index: x, rows: []int32{50, 60, 70}, alive: vec.NewSet(3), dead: 1}
	f.alive.Add(1)
	f.alive.Add(2)
	got, err := f.Search(nil, []float32{5}, 2)
	if err != nil || len(got) != 2 || got[0].ID != 60 || got[1].ID != 70 {
		t.Errorf("%v, %v", got, err)
	}
}

// keeping is an index that keeps sets, and counts them.
type keeping struct {
	indexes.Index
	calls int
	kept  []*vec.Set
}

func (x *keeping) SearchAmong(dst []vec.Neighbor, _ []float32, _ int, _ *vec.Set) ([]vec.Neighbor, error) {
	return dst, nil
}

func (x *keeping) KeepSets(_ context.Context, sets []*vec.Set) error {
	x.calls++
	x.kept = append(x.kept, sets...)
	return nil
}

// An index that keeps sets gets those of all filters at once, each once: one for all queries, or one for each.
func TestSetsAreKeptOnce(t *testing.T) {
	set, err := dataset.OpenSet(testSet(t, 320, 8, 20))
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	all := []filter.Filter{{Selectivity: 0.3, Correlation: filter.None}, {Selectivity: 0.1, Correlation: filter.Near}, {Selectivity: 0.1, Correlation: filter.Far}}
	if err := filter.Prepare(t.Context(), set, vec.L2, all, 1, 5, 1, nil); err != nil {
		t.Fatal(err)
	}
	w := &worker{order: order{Metric: vec.L2, MaxK: 5, FilterSeed: 1}, set: set}
	for _, f := range all[:2] {
		w.Points = append(w.Points, Point{Among: Among{Filter: f, Way: filter.Inside}}, Point{Among: Among{Filter: f, Way: filter.After}})
	}
	defer w.closeFilters()
	x := &keeping{}
	look := func(f filter.Filter, calls, kept int) {
		t.Helper()
		if _, err := w.view(t.Context(), x, Point{Among: Among{Filter: f, Way: filter.Inside}}); err != nil {
			t.Fatal(err)
		}
		if x.calls != calls || len(x.kept) != kept {
			t.Errorf("%d sets kept in %d calls, want %d in %d", len(x.kept), x.calls, kept, calls)
		}
	}
	look(all[0], 1, 1+set.Queries.Rows)
	look(all[1], 1, 1+set.Queries.Rows)
	look(all[2], 2, 1+2*set.Queries.Rows) // a point that came later
	look(all[2], 2, 1+2*set.Queries.Rows)
}
