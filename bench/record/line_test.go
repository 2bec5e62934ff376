package record

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func goodRecord() *Record {
	return &Record{
		Cell:   Cell{Dataset: "d1", Metric: "l2", Family: "flat", K: 10, Threads: 1, Mode: Latency},
		Status: OK, Engine: "1", Values: map[string]float64{"recall": 0.5, "map_delta": -0.1, "latency_mean": 1e-5, "resident": -4096},
	}
}

// TestImpossibleRecords: each is named with file and line, and the fix; none is dropped or believed.
func TestImpossibleRecords(t *testing.T) {
	const good = `{"cell":{"dataset":"d1","metric":"l2","family":"flat","k":10,"threads":1,"mode":"latency"},"rep":0,"seed":1,"engine":"1","time":"2026-01-01T00:00:00Z","status":"ok","values":{"recall":0.5},"env":{}}`
	for name, c := range map[string]struct{ line, says string }{
		"nothing":           {"{}", "names no family"},
		"null":              {"null", "names no family"},
		"a list":            {"[]", "not a record"},
		"another status":    {strings.Replace(good, `"ok"`, `"great"`, 1), `status "great"`},
		"recall 7":          {strings.Replace(good, "0.5", "7", 1), "recall is 7"},
		"recall below zero": {strings.Replace(good, "0.5", "-0.5", 1), "recall is -0.5"},
		"recall as text":    {strings.Replace(good, "0.5", `"high"`, 1), "cannot be a string"},
		"negative time":     {strings.Replace(good, `"recall":0.5`, `"latency_mean":-1`, 1), "latency_mean is -1"},
		"k of 0":            {strings.Replace(good, `"k":10`, `"k":0`, 1), "k is 0"},
		"negative rep":      {strings.Replace(good, `"rep":0`, `"rep":-1`, 1), "repetition -1"},
		"half a record":     {good[:len(good)/2], "not JSON"},
	} {
		path := filepath.Join(t.TempDir(), RecordsFile)
		if err := os.WriteFile(path, []byte(good+"\n"+c.line+"\n"+good+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		records, _, err := Read(path)
		if err == nil || !strings.Contains(err.Error(), path+":2: ") || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "delete the line") {
			t.Errorf("%s: %d records, error %v; want one with %q", name, len(records), err, c.says)
		}
	}
	path := filepath.Join(t.TempDir(), RecordsFile)
	if err := os.WriteFile(path, []byte(good+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if records, _, err := Read(path); err != nil || len(records) != 1 {
		t.Errorf("a line of an older version: %d records, %v", len(records), err)
	}
}

// TestEveryFlippedBitOfALineShows: a line whose bits were flipped is an error, or the same record still.
func TestEveryFlippedBitOfALineShows(t *testing.T) {
	b, err := AppendLine(nil, goodRecord())
	if err != nil {
		t.Fatal(err)
	}
	for i := range len(b) - 1 { // the newline apart
		for bit := range 8 {
			damaged := append([]byte(nil), b...)
			damaged[i] ^= 1 << bit
			r, err := parseLine(damaged)
			// In the checksum's own field, a flipped bit may make it a field that nobody knows.
			if err == nil && (i < len(b)-1-sumLength || fmt.Sprint(r.Values) != fmt.Sprint(goodRecord().Values)) {
				t.Errorf("byte %d, bit %d: %s is read as %+v", i, bit, damaged, r)
			}
		}
	}
}

// TestNoImpossibleRecordIsWritten: what no measurement can have found is our own mistake.
func TestNoImpossibleRecordIsWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), RecordsFile)
	w, err := Append(path)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	bad := goodRecord()
	bad.Values["recall"] = 7
	if err := w.Write(bad); err == nil || !strings.Contains(err.Error(), "recall is 7") {
		t.Errorf("error %v", err)
	}
	if err := w.Write(goodRecord()); err != nil {
		t.Error(err)
	}
	if records, torn, err := Read(path); err != nil || torn != 0 || len(records) != 1 {
		t.Errorf("%d records, %d torn, %v", len(records), torn, err)
	}
}
