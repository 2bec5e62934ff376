package bench

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"annbench/bench/record"
	"annbench/internal/atomicfile"
)

func TestShardsMakeTheWhole(t *testing.T) {
	set := testSet(t, 300, 8, 20)
	sweep := testSweep(t, flatAndForest)
	whole := testRun(t, set, sweep)
	if _, err := whole.Do(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{}
	for _, r := range readRecords(t, whole.Out) {
		want[r.Key()] = true
	}

	var folders []string
	for i := range 2 {
		r := testRun(t, set, sweep)
		r.Shard = Shard{i + 1, 2}
		if _, err := r.Do(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, rec := range readRecords(t, r.Out) {
			if !want[rec.Key()] {
				t.Errorf("shard %v measured %v, which the whole does not have", r.Shard, rec.Cell)
			}
		}
		folders = append(folders, r.Out)
	}
	out := filepath.Join(t.TempDir(), "merged")
	m, err := Merge(t.Context(), folders, out, MergeConfig{})
	if err != nil || m.Records != len(want) || m.Twice != 0 {
		t.Fatalf("merged %+v, %v; want %d records", m, err, len(want))
	}
	results, err := record.Open(out)
	if err != nil || len(results.Records) != len(want) || results.Gallery == nil || len(results.Gallery.Queries) != 3 {
		t.Fatalf("the merged folder: %v", err)
	}
	before := read(t, filepath.Join(out, record.RecordsFile))

	// What a merge leaves that is killed within its work, the next one removes.
	litter := []string{filepath.Join(out, ".records.jsonl.tmp-ABCDEFGHIJKL"), filepath.Join(out, "answers", ".x-0.ids.npy.tmp-ABCDEFGHIJKL")}
	for _, tmp := range litter {
		if err := os.MkdirAll(tmp, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(tmp, "half"), []byte("half"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	defer func() {
		for _, tmp := range litter {
			if _, err := os.Stat(tmp); err == nil {
				t.Errorf("%s is left", tmp)
			}
		}
	}()

	// Again, alone, or with the merge itself among the folders: nothing changes.
	for _, again := range [][]string{folders, {folders[1], folders[0]}, {folders[0]}, append(folders, out)} {
		if _, err := Merge(t.Context(), again, out, MergeConfig{}); err != nil {
			t.Fatal(err)
		}
		if after := read(t, filepath.Join(out, record.RecordsFile)); after != before {
			t.Errorf("merging %v again changed the records", again)
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// folder writes a results folder of one record.
func folder(t *testing.T, digest string, change func(*record.Record)) string {
	t.Helper()
	dir := t.TempDir()
	r := record.Record{Cell: record.Cell{Dataset: digest, Family: "flat", K: 10, Mode: record.Latency}, Engine: Engine, Status: record.OK, Env: record.Env{CPU: "a", Cores: 2}}
	if change != nil {
		change(&r)
	}
	w, err := record.Append(filepath.Join(dir, record.RecordsFile))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := w.Write(&r); err != nil {
		t.Fatal(err)
	}
	if err := atomicfile.WriteJSON(filepath.Join(dir, record.DatasetFile), record.Dataset{Digest: digest}); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestMergeRefusesWhatDoesNotCompare(t *testing.T) {
	a := folder(t, "d", nil)
	out := filepath.Join(t.TempDir(), "out")
	if _, err := Merge(t.Context(), []string{a, folder(t, "e", nil)}, out, MergeConfig{Mixed: true}); err == nil || !strings.Contains(err.Error(), "same vectors") {
		t.Errorf("other data: %v", err)
	}
	other := folder(t, "d", func(r *record.Record) { r.Rep, r.Env.CPU = 1, "b" })
	if _, err := Merge(t.Context(), []string{a, other}, out, MergeConfig{}); err == nil || !strings.Contains(err.Error(), "CPU: a, and b") || !strings.Contains(err.Error(), "--mixed") {
		t.Errorf("another machine: %v", err)
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("a refused merge left a folder")
	}
	if m, err := Merge(t.Context(), []string{a, other}, out, MergeConfig{Mixed: true}); err != nil || m.Records != 2 {
		t.Errorf("mixed on purpose: %+v, %v", m, err)
	}
	if _, err := Merge(t.Context(), []string{a, t.TempDir()}, out, MergeConfig{}); err == nil || !strings.Contains(err.Error(), "holds no results") {
		t.Errorf("an empty folder: %v", err)
	}
}

func TestMergeKeepsTheMeasuredOne(t *testing.T) {
	failed := folder(t, "d", func(r *record.Record) { r.Status, r.Error = record.Failed, "crashed" })
	measured := folder(t, "d", func(r *record.Record) { r.Values = map[string]float64{"recall": 1} })
	for _, order := range [][]string{{failed, measured}, {measured, failed}} {
		out := filepath.Join(t.TempDir(), "out")
		m, err := Merge(t.Context(), order, out, MergeConfig{})
		if err != nil || m.Records != 1 || m.Twice != 1 {
			t.Fatalf("%+v, %v", m, err)
		}
		if r := readRecords(t, out); r[0].Status != record.OK {
			t.Errorf("kept the record that is %s", r[0].Status)
		}
	}
}

func TestParseShard(t *testing.T) {
	for of := 1; of < 5; of++ {
		for i := 1; i <= of; i++ {
			if s, err := ParseShard(fmt.Sprintf("%d/%d", i, of)); err != nil || s != (Shard{i, of}) {
				t.Errorf("%d/%d is read as %v, %v", i, of, s, err)
			}
		}
	}
	for _, bad := range []string{"", "1", "0/2", "3/2", "1/0", "-1/2", "1/2/3", "a/b", "1/2x"} {
		if s, err := ParseShard(bad); err == nil {
			t.Errorf("%q is read as %v", bad, s)
		}
	}
}

// TestMergeTellsWhatIsMissing has one shard of three that ended, one that was stopped, and one that never
// began.
func TestMergeTellsWhatIsMissing(t *testing.T) {
	set := testSet(t, 300, 8, 20)
	sweep := testSweep(t, flatAndForest)
	sweep.Answers = true
	parent := t.TempDir()
	shard := func(ctx context.Context, i int) *Run {
		r := testRun(t, set, sweep)
		r.Shard, r.Out, r.KeepIndexes = Shard{i, 3}, filepath.Join(parent, fmt.Sprint(i)), true
		_, _ = r.Do(ctx)
		return r
	}
	shard(t.Context(), 1)
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	second := shard(stopped, 2)
	folders := []string{filepath.Join(parent, "1"), filepath.Join(parent, "2"), filepath.Join(parent, "3")}
	out := filepath.Join(t.TempDir(), "out")
	if _, err := Merge(t.Context(), folders, out, MergeConfig{}); err == nil || !strings.Contains(err.Error(), "holds no results") {
		t.Errorf("a folder that is not there: %v", err)
	}
	m, err := Merge(t.Context(), folders, out, MergeConfig{Partial: true})
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Empty) != 1 || m.Empty[0] != folders[2] || len(m.Missing.Absent) != 1 || m.Missing.Absent[0] != 3 || m.Missing.Of != 3 {
		t.Errorf("empty %v, absent %v of %d", m.Empty, m.Missing.Absent, m.Missing.Of)
	}
	if len(m.Missing.Shards) != 1 || m.Missing.Shards[0].Shard != 2 || len(m.Missing.Shards[0].Cells) == 0 {
		t.Errorf("missing %+v", m.Missing.Shards)
	}

	second.Shard.Index = 2
	if _, err := second.Do(t.Context()); err != nil {
		t.Fatal(err)
	}
	shard(t.Context(), 3)
	for range 2 {
		if m, err = Merge(t.Context(), folders, out, MergeConfig{Partial: true}); err != nil || m.Missing.Any() || len(m.Empty) > 0 {
			t.Fatalf("of all: %+v, %v", m, err)
		}
	}
	for _, r := range readRecords(t, out) {
		if r.Status != record.OK {
			t.Errorf("%v is %s: %s", r.Cell, r.Status, r.Error)
		}
		ids, distances, seconds := record.AnswerFiles(r.Cell, r.Rep)
		for _, f := range []string{ids, distances, seconds, r.Cell.IndexFile()} {
			if _, err := os.Stat(filepath.Join(out, f)); err != nil {
				t.Errorf("not merged: %v", err)
			}
		}
	}
	// The merge knows what was planned by itself.
	if m, err = Merge(t.Context(), []string{out}, filepath.Join(t.TempDir(), "again"), MergeConfig{}); err != nil || m.Missing.Any() {
		t.Errorf("of the merge alone: %+v, %v", m, err)
	}
}
