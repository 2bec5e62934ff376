package bench

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestSweepErrorsNamePlaceAndFix(t *testing.T) {
	const head = "data: {rendered: {boards: 10}}\n"
	for _, tt := range []struct {
		name, text string
		line, col  int
		says       string
	}{
		{"unknown key", head + "repetition: 3\nfamilies: [{family: flat}]\n", 2, 1, `did you mean "repetitions"?`},
		{"unknown key within", "data:\n  rendered:\n    board: 10\nfamilies: [{family: flat}]\n", 3, 5, `did you mean "boards"?`},
		{"wrong type", head + "threads: many\nfamilies: [{family: flat}]\n", 2, 10, "many"},
		{"no family", head + "families:\n  - family: hsnw-faiss\n", 3, 13, `did you mean "hnsw-faiss"?`},
		{"no setting", head + "families:\n  - family: ivfpq-faiss\n    build:\n      nlst: 4\n", 5, 13, `did you mean "nlist"?`},
		{"setting of the other kind", head + "families:\n  - family: ivfpq-faiss\n    build:\n      nprobe: 4\n", 5, 15, "move it under search"},
		{"value out of range", head + "families:\n  - family: forest\n    build:\n      trees: [5, 0]\n", 5, 18, "trees must be between"},
		{"value of the wrong kind", head + "families:\n  - family: forest\n    build:\n      trees: many\n", 5, 14, "trees must be a"},
		{"k", head + "k: [10, 0]\nfamilies: [{family: flat}]\n", 2, 9, "k must be at least 1"},
		{"metric", head + "metric: manhattan\nfamilies: [{family: flat}]\n", 2, 9, "known are l2"},
		{"missing folder", "data:\n  images: not/there\nfamilies: [{family: flat}]\n", 2, 11, "there is no"},
		{"no data", "families: [{family: flat}]\n", 1, 1, "exactly one of"},
		{"two kinds of data", "data:\n  images: .\n  rendered: {boards: 1}\nfamilies: [{family: flat}]\n", 2, 3, "it has 2"},
		{"no families", head, 1, 1, "no families"},
		{"broken YAML", "data: {rendered: {boards: 10}\nfamilies: [\n", 0, 0, ""},
		{"empty", "", 1, 1, ""},
		{"batch", "data: {rendered: {boards: 10}, batch: 2000}\nfamilies: [{family: flat}]\n", 1, 39, "batch must be 1 to 1024, or auto"},
		{"precision", "data: {rendered: {boards: 10}, precision: int8}\nfamilies: [{family: flat}]\n", 1, 43, "known are fp32, tf32, fp16"},
		{"device of vectors", "data: {synthetic: {n: 10}, batch: auto}\nfamilies: [{family: flat}]\n", 1, 35, "batch belongs to images"},
		{"option of two values", "data: {rendered: {}, device_options: {cuda: {device_id: [0, 1]}}}\nfamilies: [{family: flat}]\n", 0, 0, "one value"},
		{"size", head + "memory: lots\nfamilies: [{family: flat}]\n", 2, 9, "4GiB"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x.yaml")
			if err := os.WriteFile(path, []byte(tt.text), 0o644); err != nil {
				t.Fatal(err)
			}
			_, err := ReadSweep(path)
			var at *FileError
			if !errors.As(err, &at) {
				t.Fatalf("error is %v, not about a place in the file", err)
			}
			if tt.line != 0 && (at.Line != tt.line || at.Column != tt.col) {
				t.Errorf("place is %d:%d, want %d:%d: %v", at.Line, at.Column, tt.line, tt.col, err)
			}
			if !strings.Contains(at.Reason, tt.says) {
				t.Errorf("reason is %q, want it to say %q", at.Reason, tt.says)
			}
			if !strings.HasPrefix(err.Error(), path+":") {
				t.Errorf("message does not begin with the file: %v", err)
			}
		})
	}
}

func TestSweepDefaultsAndSingleValues(t *testing.T) {
	s, err := ParseSweep("dir/mine.yaml", []byte("data: {rendered: {}}\nmemory: 2GiB\nfamilies:\n  - family: forest\n    build: {trees: 7}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if s.Name != "mine" || s.Repetitions != 3 || s.Timeout != 10*time.Minute || len(s.K) != 1 || s.K[0] != 10 || s.Metric[0] != "cosine" {
		t.Errorf("defaults: %+v", s)
	}
	if limit, err := s.memoryLimit(); err != nil || limit != 2<<30 {
		t.Errorf("memory limit is %d, %v", limit, err)
	}
	s2, err := ParseSweep("x.yaml", []byte("data: {rendered: {}, batch: 64, precision: fp16, device_options: {cuda: {device_id: 1, gpu_mem_limit: 4294967296, do_copy_in_default_stream: true, arena_extend_strategy: kSameAsRequested}}}\nfamilies: [{family: flat}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(s2.Data.Batch, s2.Data.Precision, s2.Data.DeviceOptions); got != "64fp16map[cuda:map[arena_extend_strategy:kSameAsRequested device_id:1 do_copy_in_default_stream:true gpu_mem_limit:4294967296]]" {
		t.Errorf("device: %s", got)
	}
	if s.Data.Rendered.Boards != 1000 || len(s.Families[0].Build["trees"]) != 1 {
		t.Errorf("values: %+v", s)
	}
}

func FuzzSweep(f *testing.F) {
	f.Add("data: {rendered: {boards: 10}}\nfamilies: [{family: flat}]\n")
	f.Add("data:\n  images: x\nk: [1, 2]\nfamilies:\n  - family: forest\n    build: {trees: [1, 2]}\n")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSweep("fuzz.yaml", []byte(text))
		if err != nil {
			return
		}
		if _, err := MakePlan(s, Shape{Digest: "d", Base: 100, Dim: 8}); err != nil {
			t.Errorf("a sweep that was accepted cannot be planned: %v", err)
		}
	})
}

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{"300MB": 300e6, "4GiB": 4 << 30, "12": 12, "1.5 KiB": 1536, "0": 0} {
		if got, err := ParseSize(text); err != nil || got != want {
			t.Errorf("ParseSize(%q) = %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "GiB", "-1MB", "4 gibs", "NaN", "1e30GB"} {
		if got, err := ParseSize(text); err == nil {
			t.Errorf("ParseSize(%q) = %d, want an error", text, got)
		}
	}
}

func TestReferenceNamesEveryKey(t *testing.T) {
	text, err := os.ReadFile("../configs/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range yamlKeys(reflect.TypeFor[Sweep]()) {
		if !strings.Contains(string(text), "`"+key+"`") {
			t.Errorf("configs/README.md does not mention `%s`", key)
		}
	}
}

func TestShippedConfigsAreRight(t *testing.T) {
	files, err := filepath.Glob("../configs/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("configs: %v, %v", files, err)
	}
	for _, f := range files {
		if _, err := ReadSweep(f); err != nil {
			t.Error(err)
		}
	}
}
