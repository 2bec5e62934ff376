package record

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"annbench/internal/seal"
)

func some(rep int) Record {
	return Record{
		Cell: Cell{Dataset: "d", Metric: "l2", Family: "flat", K: 10, Threads: 1, Mode: Latency},
		Rep:  rep, Seed: 7, Engine: "e", Time: time.Unix(1, 0).UTC(), Status: OK,
		Values: map[string]float64{"recall": 0.5}, Spread: map[string]float64{"recall": 0.01},
		ByLabel: map[string]map[string]float64{"map": {"<script>": 1}}, Confusion: [][]int{{1, 2}, {3, 4}},
		Answers: [][]int32{{1, 2}, {}},
	}
}

func write(t *testing.T, path string, records ...Record) {
	t.Helper()
	w, err := Append(path)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for i := range records {
		if err := w.Write(&records[i]); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRecordsComeBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), RecordsFile)
	want := []Record{some(0), some(1)}
	write(t, path, want[0])
	write(t, path, want[1])
	got, torn, err := Read(path)
	if err != nil || torn != 0 || !reflect.DeepEqual(got, want) {
		t.Errorf("read %+v, %d torn, %v; want %+v", got, torn, err, want)
	}
}

// However a file is cut off, what was complete is read, and the next record begins a line of its own.
func TestTornFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), RecordsFile)
	write(t, path, some(0), some(1))
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	first := bytes.IndexByte(whole, '\n') + 1
	for cut := 0; cut <= len(whole); cut++ {
		if err := os.WriteFile(path, whole[:cut], 0o644); err != nil {
			t.Fatal(err)
		}
		complete := bytes.Count(whole[:cut], []byte{'\n'})
		got, torn, err := Read(path)
		if err != nil || len(got) != complete || int(torn) != cut-complete*first {
			t.Fatalf("cut at %d: %d records, %d bytes torn, %v; want %d records", cut, len(got), torn, err, complete)
		}
		write(t, path, some(2))
		if got, torn, err = Read(path); err != nil || torn != 0 || len(got) != complete+1 || got[complete].Rep != 2 {
			t.Fatalf("cut at %d, then written to: %d records, %d torn, %v", cut, len(got), torn, err)
		}
	}
}

// A last line that has its newline is finished: what is wrong with it is damage.
func TestDamagedLastLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), RecordsFile)
	write(t, path, some(0), some(1))
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	whole[len(whole)-2] = 'x' // the last brace
	if err := os.WriteFile(path, whole, 0o644); err != nil {
		t.Fatal(err)
	}
	if got, torn, err := Read(path); err == nil || !strings.Contains(err.Error(), path+":2: ") || !strings.Contains(err.Error(), "delete the line") {
		t.Errorf("%d records, %d torn, %v", len(got), torn, err)
	}
	if _, err := Append(path); err == nil {
		t.Error("a damaged line is appended to")
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, whole) {
		t.Errorf("the file has changed (%v)", err)
	}
}

func TestKeysTellRepetitionsApart(t *testing.T) {
	a, b := some(0), some(1)
	if a.Key() == b.Key() {
		t.Error("two repetitions have one key")
	}
	b = a
	b.Engine = "f"
	if a.Key() == b.Key() {
		t.Error("two engines have one key")
	}
	b = a
	b.Cell.Workers = 2
	if a.Key() == b.Key() || a.Cell.ID() == b.Cell.ID() {
		t.Error("two numbers of threads have one key")
	}
	b = a
	b.Values = nil
	if a.Key() != b.Key() {
		t.Error("the key depends on what was measured")
	}
}

// Any file is read or is an error that names it and the line; reading never panics, and appending to
// what can be read keeps what was read.
func FuzzRead(f *testing.F) {
	path := filepath.Join(f.TempDir(), RecordsFile)
	w, err := Append(path)
	if err != nil {
		f.Fatal(err)
	}
	r := some(0)
	if err := w.Write(&r); err != nil {
		f.Fatal(err)
	}
	w.Close()
	line, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(line)
	f.Add(append(line, line[:20]...))
	f.Add([]byte("{}\n{\n{}\n"))
	f.Add([]byte("\n\n[]\n"))
	f.Add([]byte(`{"cell":{"k":1e99}}` + "\n\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		path := filepath.Join(t.TempDir(), RecordsFile)
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
		before, torn, err := Read(path)
		if err != nil {
			if !strings.Contains(err.Error(), path+":") {
				t.Fatalf("the error does not name the place: %v", err)
			}
			return
		}
		if torn < 0 || torn > int64(len(text)) {
			t.Fatalf("%d of %d bytes are torn", torn, len(text))
		}
		for i := range before {
			_ = before[i].Key()
		}
		w, err := Append(path)
		if err != nil {
			t.Fatalf("it can be read, but not appended to: %v", err)
		}
		defer w.Close()
		r := some(3)
		if err := w.Write(&r); err != nil {
			t.Fatal(err)
		}
		after, torn, err := Read(path)
		if err != nil || torn != 0 || len(after) != len(before)+1 {
			t.Fatalf("%d records became %d, %d torn, %v", len(before), len(after), torn, err)
		}
	})
}

// TestMovedFolder: a results folder that is moved or removed during a run is an error that says so, and has the record.
func TestMovedFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "r")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	w, err := Append(filepath.Join(dir, RecordsFile))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	r := &Record{Cell: Cell{Family: "flat", Dataset: "d", K: 1}, Status: OK, Engine: HarnessVersion}
	if err := w.Write(r); err != nil {
		t.Fatal(err)
	}
	moved := dir + "-moved"
	if err := os.Rename(dir, moved); err != nil {
		t.Fatal(err)
	}
	if err := w.Write(r); err == nil || !strings.Contains(err.Error(), "was moved or removed while it was written to") {
		t.Errorf("%v", err)
	}
	if records, torn, err := Read(filepath.Join(moved, RecordsFile)); err != nil || len(records) != 2 || torn != 0 {
		t.Errorf("%d records, %d bytes torn, %v", len(records), torn, err)
	}
}

// Zeros, which a power cut leaves, and half a record, which a killed run leaves, are reported differently.
func TestTornByAPowerCut(t *testing.T) {
	path := filepath.Join(t.TempDir(), RecordsFile)
	write(t, path, some(0), some(1))
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	first := bytes.IndexByte(whole, '\n') + 1
	for _, c := range []struct {
		name    string
		content []byte
		want    Torn
	}{
		{"whole", whole, Torn{}},
		{"all zeros", make([]byte, len(whole)), Torn{Bytes: int64(len(whole)), Line: 1, Zeros: true}},
		{"the second is zeros", append(bytes.Clone(whole[:first]), make([]byte, 100)...), Torn{Bytes: 100, Line: 2, Zeros: true}},
		{"half of the second is zeros", append(bytes.Clone(whole[:first+20]), make([]byte, 100)...), Torn{Bytes: 120, Line: 2, Zeros: true}},
		{"half of the second", whole[:first+20], Torn{Bytes: 20, Line: 2}},
	} {
		if err := os.WriteFile(path, c.content, 0o644); err != nil {
			t.Fatal(err)
		}
		_, torn, err := Read(path)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got, err := LookAtTorn(path, torn); err != nil || got != c.want {
			t.Errorf("%s: %+v, %v; want %+v", c.name, got, err, c.want)
		}
	}
}

// What a results folder says of its data set is not believed once it has changed.
func TestChangedDataset(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, RecordsFile), some(0))
	path := filepath.Join(dir, DatasetFile)
	if err := seal.WriteJSON(path, Dataset{Name: "x", Digest: "d", Base: 400, Queries: 10, Dim: 8}); err != nil {
		t.Fatal(err)
	}
	if r, err := Open(dir); err != nil || r.Dataset.Base != 400 {
		t.Fatalf("%+v, %v", r, err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, bytes.Replace(b, []byte("400"), []byte("401"), 1), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), DatasetFile+" has changed since it was written") || !strings.Contains(err.Error(), "annbench run") {
		t.Errorf("%v", err)
	}
	// Of an older version, without a sum.
	if err := os.WriteFile(path, []byte(`{"name": "x", "digest": "d", "base": 401, "queries": 10, "dim": 8}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if r, err := Open(dir); err != nil || r.Dataset.Base != 401 {
		t.Errorf("%+v, %v", r, err)
	}
}
