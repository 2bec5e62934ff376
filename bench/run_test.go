package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"annbench/bench/dataset"
	"annbench/bench/dataset/vecfile"
	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/bench/sweepfile"
	"annbench/indexes/vec"
	"annbench/internal/proctree"
)

const flatAndForest = `
- family: flat
- family: forest
  build: {trees: [5, 20]}
  search: {search_k: [50, 2000]}
`

func TestRunMeasuresEveryCellOnceAndGoesOn(t *testing.T) {
	r := testRun(t, testSet(t, 600, 24, 50), testSweep(t, flatAndForest))
	sum, err := r.Do(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	records := readRecords(t, r.Out)
	const cells = (1 + 2*2) * 2 * 2 // settings × k × repetitions
	if sum.Measured[record.OK] != cells || len(records) != cells {
		t.Fatalf("measured %v, %d records; want %d", sum.Measured, len(records), cells)
	}
	seen := map[string]bool{}
	for _, rec := range records {
		if seen[rec.Key()] {
			t.Errorf("%v repetition %d is there twice", rec.Cell, rec.Rep)
		}
		seen[rec.Key()] = true
		for _, name := range []string{metric.Recall, metric.MAP, metric.Mean, metric.P99, metric.QPS, metric.Build, metric.Serialized, metric.Analytic, metric.Load} {
			v, ok := rec.Values[name]
			if !ok || math.IsNaN(v) || v <= 0 {
				t.Errorf("%v: %s is %v, %v", rec.Cell, name, v, ok)
			}
		}
		if rec.Exact && rec.Values[metric.Recall] != 1 {
			t.Errorf("%v: exact search has recall %v", rec.Cell, rec.Values[metric.Recall])
		}
		if v := rec.Values; v[metric.P50] > v[metric.P99] || v[metric.P99] > v[metric.P999] {
			t.Errorf("%v: percentiles fall: %v", rec.Cell, v)
		}
		if want := 3 * poolPerQuery; rec.Rep == 0 && len(rec.Answers) != want {
			t.Errorf("%v: answers to %d queries of the gallery, want %d", rec.Cell, len(rec.Answers), want)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(r.Out, ".work-*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	results, err := record.Open(r.Out)
	if err != nil {
		t.Fatal(err)
	}
	if results.Dataset.Base != 550 || results.Dataset.Queries != 50 || len(results.Dataset.Labels) != 10 {
		t.Errorf("data set is described as %+v", results.Dataset)
	}
	if g := results.Gallery; g == nil || len(g.Queries) != 3 || len(g.Why) != 3 || len(g.Answer) != 3 || len(g.Truth["l2"][0]) != 10 {
		t.Errorf("gallery is %+v", g)
	}

	sum, err = r.Do(t.Context())
	if err != nil || sum.Present != cells || len(sum.Measured) != 0 {
		t.Fatalf("a second run: %+v, %v; want everything there already", sum, err)
	}

	// What is missing, and only that, is measured: cut the last three records and half a line.
	path := filepath.Join(r.Out, record.RecordsFile)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(text), "\n")
	kept := strings.Join(lines[:cells-3], "") + lines[cells-3][:40]
	if err := os.WriteFile(path, []byte(kept), 0o644); err != nil {
		t.Fatal(err)
	}
	if sum, err = r.Do(t.Context()); err != nil {
		t.Fatal(err)
	}
	again := map[string]bool{}
	for _, rec := range readRecords(t, r.Out) {
		again[rec.Key()] = true
	}
	if len(again) != cells {
		t.Errorf("after the repair there are %d cells, want %d", len(again), cells)
	}
	// A setting's k are measured together: three lost records are at most two settings of two k, or three.
	if n := sum.Measured[record.OK]; n < 3 || n > 6 {
		t.Errorf("%d cells were measured again, for 3 that were lost", n)
	}
}

// TestFullDiskEndsTheRun: it says nothing of an index, so that no cell may fail for it.
func TestFullDiskEndsTheRun(t *testing.T) {
	set := testSet(t, 300, 8, 20)
	for _, do := range []task{doBuild, doSearch} {
		r := testRun(t, set, testSweep(t, "- family: flat\n- family: forest\n"))
		t.Setenv(faultVariable, `full@{"do":"`+string(do)+`","set":"`+set+`","metric":"l2","threads":1,"max_k":100,"family":"forest"`)
		_, err := r.Do(t.Context())
		if err == nil || !strings.Contains(err.Error(), r.Out) || !strings.Contains(err.Error(), "no space left on device") {
			t.Errorf("%s: error %v, want one that names the folder and the reason", do, err)
		}
		for _, rec := range readRecords(t, r.Out) {
			if rec.Status != record.OK {
				t.Errorf("%s: a record %s of %s: %s", do, rec.Status, rec.Cell.Family, rec.Error)
			}
		}
		t.Setenv(faultVariable, "")
		if sum, err := r.Do(t.Context()); err != nil || sum.Failed()+sum.Broken != 0 || len(readRecords(t, r.Out)) != 8 {
			t.Errorf("%s: once there is room: %+v, %v", do, sum, err)
		}
	}
}

// TestIsDiskError: a library in C has only words.
func TestIsDiskError(t *testing.T) {
	for _, err := range []error{
		&os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}, fmt.Errorf("saving: %w", syscall.EROFS), syscall.EDQUOT,
		errors.New("faiss: Error in write: fwrite failed: No space left on device"),
	} {
		if !isDiskError(err, true) {
			t.Errorf("%v is of the disk", err)
		}
	}
	for _, err := range []error{nil, syscall.EACCES, errors.New("no such file")} {
		if isDiskError(err, true) {
			t.Errorf("%v is not of the disk", err)
		}
	}
	if isDiskError(errors.New("engine: no space left on device"), false) {
		t.Error("the disk of an engine is not this run's")
	}
}

func TestFaultsAreRecordsAndTheSweepGoesOn(t *testing.T) {
	set := testSet(t, 300, 8, 20)
	for _, tt := range []struct {
		fault  string
		status record.Status
		says   string
		change func(*sweepfile.Sweep)
	}{
		{fault: "kill", status: record.Failed, says: "killed"},
		{fault: "segfault", status: record.Failed, says: "SIGSEGV"},
		{fault: "flood", status: record.Failed, says: "not a reply"},
		{fault: "silent", status: record.Failed, says: "without saying why"},
		{fault: "leave", status: record.Failed, says: "without saying why"},
		{fault: "garbage", status: record.Failed, says: "Segmentation fault"},
		{fault: "hang", status: record.Timeout, says: "not done after 30s", change: func(s *sweepfile.Sweep) { s.Timeout = 30 * time.Second }},
		{fault: "eat", status: record.OOM, says: "limit of 256 MiB", change: func(s *sweepfile.Sweep) { s.Memory = "256MiB" }},
	} {
		for _, do := range []task{doBuild, doSearch} {
			t.Run(tt.fault+" in "+string(do), func(t *testing.T) {
				s := testSweep(t, "- family: flat\n- family: forest\n")
				s.Repetitions = 1
				if tt.change != nil {
					tt.change(s)
				}
				r := testRun(t, set, s)
				// Both texts stand in the order of one process of the run alone.
				t.Setenv(faultVariable, tt.fault+`@{"do":"`+string(do)+`","set":"`+set+`","metric":"l2","threads":1,"max_k":100,"family":"forest"`)
				sum, err := r.Do(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if sum.Measured[record.OK] != 2 || sum.Measured[tt.status] != 2 || sum.Failed() != 2 {
					t.Errorf("cells by status: %v", sum.Measured)
				}
				for _, rec := range readRecords(t, r.Out) {
					switch {
					case rec.Cell.Family == "flat":
						if rec.Status != record.OK {
							t.Errorf("flat: %s: %s", rec.Status, rec.Error)
						}
					case rec.Status != tt.status || !strings.Contains(rec.Error, tt.says) || rec.Values != nil:
						t.Errorf("forest: %s, %q, %v", rec.Status, rec.Error, rec.Values)
					case tt.fault == "kill" && !strings.Contains(rec.Error, "about to go"):
						t.Errorf("the worker's last words are missing: %q", rec.Error)
					case tt.fault == "leave":
						_, word, _ := strings.Cut(rec.Error, "daemon ")
						if pid, err := strconv.Atoi(strings.TrimSpace(word)); err != nil || proctree.Alive(pid) {
							t.Errorf("what the worker started is still there: %q, %v", rec.Error, err)
						}
					}
				}

				// A failure is not tried again for ever, only when asked.
				t.Setenv(faultVariable, "")
				if sum, err = r.Do(t.Context()); err != nil || len(sum.Measured) != 0 || sum.Broken != 2 {
					t.Errorf("the next run measured %v, knows of %d failures, %v", sum.Measured, sum.Broken, err)
				}
				r.Retry = true
				if sum, err = r.Do(t.Context()); err != nil || sum.Measured[record.OK] != 2 {
					t.Errorf("with Retry: %v, %v", sum.Measured, err)
				}
			})
		}
	}
}

func TestCancelKeepsWhatWasMeasured(t *testing.T) {
	r := testRun(t, testSet(t, 300, 8, 20), testSweep(t, flatAndForest))
	ctx, cancel := context.WithCancel(t.Context())
	r.Progress = func(p Progress) {
		if p.Done >= 4 {
			cancel()
		}
	}
	if _, err := r.Do(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("error is %v", err)
	}
	before := len(readRecords(t, r.Out))
	if before < 4 {
		t.Fatalf("%d records after four cells", before)
	}
	r.Progress = nil
	sum, err := r.Do(t.Context())
	if err != nil || sum.Present == 0 || sum.Failed() != 0 {
		t.Fatalf("going on: %+v, %v", sum, err)
	}
}

func TestTwoRunsInOneFolder(t *testing.T) {
	set := testSet(t, 300, 8, 20)
	r := testRun(t, set, testSweep(t, "- family: flat\n"))
	if err := os.MkdirAll(r.Out, 0o755); err != nil {
		t.Fatal(err)
	}
	held, err := lock(t.Context(), r.Out, r.Log)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Do(t.Context()); err == nil || !strings.Contains(err.Error(), "another run is writing") {
		t.Errorf("a second run: %v", err)
	}
	held.Release()
	killed := filepath.Join(r.Out, scratchPrefix+"killed") // what a run that was killed has left
	if err := os.MkdirAll(killed, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Do(t.Context()); err != nil {
		t.Errorf("after the first has ended: %v", err)
	}
	if _, err := os.Stat(killed); err == nil {
		t.Error("the saved indexes of a run that was killed stay")
	}

	other := testRun(t, testSet(t, 200, 8, 20), r.Sweep)
	other.Out = r.Out
	if _, err := other.Do(t.Context()); err == nil || !strings.Contains(err.Error(), "another data set") {
		t.Errorf("other data in the same folder: %v", err)
	}
}

// An index that answers from a list, to see what the timed loop itself costs.
func TestTimedLoopAllocatesNothing(t *testing.T) {
	ix, queries := listIndex{}, testMatrix(64, 4)
	var b block
	allocs := func(passes int) float64 {
		return testing.AllocsPerRun(5, func() {
			if err := timeBlock(ix, queries, 0, passes*queries.Rows, 3, true, &b); err != nil {
				t.Fatal(err)
			}
		})
	}
	// Slices are made once a cell, whatever the number of passes.
	if one, many := allocs(1), allocs(50); many > one {
		t.Errorf("%v allocations in one pass over the queries, %v in fifty", one, many)
	}
}

func TestKillCount(t *testing.T) {
	if n, ok := killCount("low 0\nhigh 0\nmax 3\noom 2\noom_kill 2\noom_group_kill 0\n"); !ok || n != 2 {
		t.Errorf("%d, %v; want 2", n, ok)
	}
	if n, ok := killCount("pgfault 12\noom_kill 7\n"); !ok || n != 7 {
		t.Errorf("%d, %v; want 7", n, ok)
	}
	if _, ok := killCount("oom 1\n"); ok {
		t.Error("a file without the count has one")
	}
}

// Records of an older way of measuring stay, and are measured again.
func TestResultsOfAnOlderVersion(t *testing.T) {
	r := testRun(t, testSet(t, 300, 8, 20), testSweep(t, "- family: flat\n"))
	if _, err := r.Do(t.Context()); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(r.Out, record.RecordsFile)
	old := strings.ReplaceAll(read(t, path), `"engine":"`+Engine+`"`, `"engine":"0"`)
	old = regexp.MustCompile(`,"crc":"[0-9a-f]{8}"`).ReplaceAllString(old, "") // as in older versions
	if err := os.WriteFile(path, []byte(old), 0o644); err != nil {
		t.Fatal(err)
	}
	sum, err := r.Do(t.Context())
	if err != nil || sum.Measured[record.OK] != 4 || sum.Present != 0 {
		t.Fatalf("%+v, %v; want all four cells measured again", sum, err)
	}
	if now := read(t, path); !strings.HasPrefix(now, old) {
		t.Error("what the older version had measured is gone")
	}
}

// A line that is damaged in the middle of the file is named, and nothing is thrown away for it.
func TestDamagedRecords(t *testing.T) {
	r := testRun(t, testSet(t, 300, 8, 20), testSweep(t, "- family: flat\n"))
	if _, err := r.Do(t.Context()); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(r.Out, record.RecordsFile)
	lines := strings.SplitAfter(read(t, path), "\n")
	damaged := lines[0] + lines[1][:30] + "\n" + strings.Join(lines[2:], "")
	if err := os.WriteFile(path, []byte(damaged), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := r.Do(t.Context())
	if err == nil || !strings.Contains(err.Error(), path+":2:") || !strings.Contains(err.Error(), "delete the line") {
		t.Errorf("error %v, want one that names line 2 and the fix", err)
	}
	if read(t, path) != damaged {
		t.Error("the file was changed")
	}
	// The fix that the error names.
	if err := os.WriteFile(path, []byte(lines[0]+strings.Join(lines[2:], "")), 0o644); err != nil {
		t.Fatal(err)
	}
	if sum, err := r.Do(t.Context()); err != nil || len(readRecords(t, r.Out)) < 4 || sum.Measured[record.OK] == 0 {
		t.Errorf("after the fix: %+v, %v", sum, err)
	}
}

func TestMemoryDoubts(t *testing.T) {
	const mib = 1 << 20
	for _, tt := range []struct {
		resident, serialized, analytic float64
		says                           string
	}{
		{100 * mib, 100 * mib, 100 * mib, ""},
		{150 * mib, 60 * mib, 100 * mib, ""},
		{-1, 100 * mib, 100 * mib, "negative"},
		{5 * mib, 100 * mib, 100 * mib, "far below"},
		{300 * mib, 60 * mib, 100 * mib, "more than twice"},
		{mib / 2, 1000, 1000, ""}, // what a process gains by itself
	} {
		doubts := memoryDoubts(map[string]float64{metric.Resident: tt.resident, metric.Serialized: tt.serialized, metric.Analytic: tt.analytic})
		if (tt.says == "") != (len(doubts) == 0) || len(doubts) > 0 && !strings.Contains(doubts[0], tt.says) {
			t.Errorf("%+v: %q", tt, doubts)
		}
	}
	v := map[string]float64{metric.Resident: -16384}
	if d := memoryDoubts(v); len(d) != 1 || !strings.Contains(d[0], "negative, as -16.0 KiB") || len(v) > 0 {
		t.Errorf("%q, and %v is left", d, v)
	}
	if d := memoryDoubts(map[string]float64{metric.Serialized: 1}); d != nil {
		t.Errorf("without a resident memory: %q", d)
	}
}

// TestLeaveOneOut: queries stand in the base, exact search still has recall 1, and no query is among
// the answers that are kept of it.
func TestLeaveOneOut(t *testing.T) {
	c, err := dataset.OpenSynthetic(t.Context(), dataset.Synthetic{N: 400, Dim: 8, LID: 4, Clusters: 4, Seed: 1}, t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	dir, err := dataset.Split(t.Context(), c, dataset.SplitConfig{Queries: 50, Seed: 1, LeaveOneOut: true}, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	sweep := testSweep(t, flatAndForest)
	sweep.Answers = true
	r := testRun(t, dir, sweep)
	if _, err := r.Do(t.Context()); err != nil {
		t.Fatal(err)
	}
	set, err := dataset.OpenSet(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	for _, rec := range readRecords(t, r.Out) {
		if rec.Exact && (rec.Values[metric.Recall] != 1 || rec.Values[metric.MAP] != rec.Values[metric.MAPExact]) {
			t.Errorf("%v: %v", rec.Cell, rec.Values)
		}
		if v := rec.Values[metric.MAPExact]; v <= 0 || v > 1 {
			t.Errorf("%v: mAP of exact search is %v", rec.Cell, v)
		}
		if d := rec.ByDecile[metric.Recall]; len(d) != 10 || rec.Exact && d[9] != 1 {
			t.Errorf("%v: recall by decile %v", rec.Cell, d)
		}
		ids, distances, seconds := record.AnswerFiles(rec.Cell, rec.Rep)
		got, k, err := vecfile.ReadArray[int32](filepath.Join(r.Out, ids), 2)
		if err != nil || k != rec.Cell.K || len(got) != 50*k {
			t.Fatalf("%v: %d answers, %v", rec.Cell, len(got), err)
		}
		far, _, err := vecfile.ReadArray[float64](filepath.Join(r.Out, distances), 2)
		if err != nil {
			t.Fatal(err)
		}
		for i, id := range got {
			q := i / k
			if id == set.Self(q) {
				t.Fatalf("%v: query %d is its own answer", rec.Cell, q)
			}
			if id < 0 != math.IsNaN(far[i]) || id >= 0 && far[i] != vec.Metric(rec.Cell.Metric).Distance(set.Queries.Row(q), set.Base.Row(int(id))) {
				t.Fatalf("%v: query %d: answer %d at distance %v", rec.Cell, q, id, far[i])
			}
		}
		if times, _, err := vecfile.ReadArray[float64](filepath.Join(r.Out, seconds), 1); err != nil || len(times) != 50 {
			t.Errorf("%v: %d times, %v", rec.Cell, len(times), err)
		}
	}
	results, err := record.Open(r.Out)
	if err != nil || len(results.Dataset.Difficulty) != 1 || results.Dataset.Difficulty[0].LID <= 0 {
		t.Errorf("%v, %v", results.Dataset.Difficulty, err)
	}
}
