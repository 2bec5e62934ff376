package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"annbench/bench/record"
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
	m, err := Merge(folders, out, false)
	if err != nil || m.Records != len(want) || m.Twice != 0 {
		t.Fatalf("merged %+v, %v; want %d records", m, err, len(want))
	}
	results, err := record.Open(out)
	if err != nil || len(results.Records) != len(want) || results.Gallery == nil || len(results.Gallery.Queries) != 3 {
		t.Fatalf("the merged folder: %v", err)
	}
	before := read(t, filepath.Join(out, record.RecordsFile))

	// Again, alone, or with the merge itself among the folders: nothing changes.
	for _, again := range [][]string{folders, {folders[1], folders[0]}, {folders[0]}, append(folders, out)} {
		if _, err := Merge(again, out, false); err != nil {
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
	if err := record.WriteJSON(filepath.Join(dir, record.DatasetFile), record.Dataset{Digest: digest}); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestMergeRefusesWhatDoesNotCompare(t *testing.T) {
	a := folder(t, "d", nil)
	out := filepath.Join(t.TempDir(), "out")
	if _, err := Merge([]string{a, folder(t, "e", nil)}, out, true); err == nil || !strings.Contains(err.Error(), "same vectors") {
		t.Errorf("other data: %v", err)
	}
	other := folder(t, "d", func(r *record.Record) { r.Rep, r.Env.CPU = 1, "b" })
	if _, err := Merge([]string{a, other}, out, false); err == nil || !strings.Contains(err.Error(), "CPU: a, and b") || !strings.Contains(err.Error(), "--mixed") {
		t.Errorf("another machine: %v", err)
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("a refused merge left a folder")
	}
	if m, err := Merge([]string{a, other}, out, true); err != nil || m.Records != 2 {
		t.Errorf("mixed on purpose: %+v, %v", m, err)
	}
	if _, err := Merge([]string{a, t.TempDir()}, out, false); err == nil || !strings.Contains(err.Error(), "holds no results") {
		t.Errorf("an empty folder: %v", err)
	}
}

func TestMergeKeepsTheMeasuredOne(t *testing.T) {
	failed := folder(t, "d", func(r *record.Record) { r.Status, r.Error = record.Failed, "crashed" })
	measured := folder(t, "d", func(r *record.Record) { r.Values = map[string]float64{"recall": 1} })
	for _, order := range [][]string{{failed, measured}, {measured, failed}} {
		out := filepath.Join(t.TempDir(), "out")
		m, err := Merge(order, out, false)
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
