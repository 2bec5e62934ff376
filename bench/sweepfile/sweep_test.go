package sweepfile

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
		{"a number that YAML takes for a text", head + "families: [{family: hnsw, search: {ef: [16, 1e1]}}]\n", 2, 45, `1e1 is a text in YAML: write 10`},
		{"a transform that YAML takes for a mapping", "data: {synthetic: {n: 500, dim: 16}, transform: [none, pca:8]}\nfamilies: [{family: flat}]\n", 1, 56, `write "pca:8" in quotes`},
		{"unknown key within", "data:\n  rendered:\n    board: 10\nfamilies: [{family: flat}]\n", 3, 5, `did you mean "boards"?`},
		{"unknown key unlike any", "data:\n  file: x.npy\nfamilies: [{family: flat}]\n", 2, 3, "known here are images, "},
		{"wrong type", head + "threads: many\nfamilies: [{family: flat}]\n", 2, 10, "many"},
		{"no family", head + "families:\n  - family: hsnw-faiss\n", 3, 13, `did you mean "hnsw-faiss"?`},
		{"no setting", head + "families:\n  - family: ivfpq-faiss\n    build:\n      nlst: 4\n", 5, 13, `did you mean "nlist"?`},
		{"setting of the other kind", head + "families:\n  - family: ivfpq-faiss\n    build:\n      nprobe: 4\n", 5, 15, "move it under search"},
		{"value out of range", head + "families:\n  - family: forest\n    build:\n      trees: [5, 0]\n", 5, 18, "trees must be between"},
		{"value of the wrong kind", head + "families:\n  - family: forest\n    build:\n      trees: many\n", 5, 14, "trees must be a"},
		{"k", head + "k: [10, 0]\nfamilies: [{family: flat}]\n", 2, 9, "k must be at least 1"},
		{"repetitions", head + "repetitions: 100000000\nfamilies: [{family: flat}]\n", 2, 14, "repetitions must be between 1 and 10000"},
		{"escape in the name", head + "name: \"\\e[31mx\"\nfamilies: [{family: flat}]\n", 2, 7, "control character"},
		{"two lines as the name", head + "name: \"a\\nb\"\nfamilies: [{family: flat}]\n", 2, 7, "control character"},
		{"metric", head + "metric: manhattan\nfamilies: [{family: flat}]\n", 2, 9, "known are l2"},
		{"missing folder", "data:\n  images: not/there\nfamilies: [{family: flat}]\n", 2, 11, "there is no"},
		{"no data", "families: [{family: flat}]\n", 1, 1, "exactly one of"},
		{"two kinds of data", "data:\n  images: .\n  rendered: {boards: 1}\nfamilies: [{family: flat}]\n", 2, 3, "it has 2"},
		{"no families", head, 1, 1, "no families"},
		{"broken YAML", "data: {rendered: {boards: 10}\nfamilies: [\n", 0, 0, ""},
		{"a key too far left for its item", head + "families:\n  - family: flat\n   search: {}\n", 4, 4, "begins at column 4, and what belongs together begins at one column, here 1, 3 or 5"},
		{"a key too far right", head + "families:\n  - family: forest\n    build: {}\n      search: {}\n", 5, 7, `farther to the right than "build: {}" above it`},
		{"a key too far right on the second line", "name: x\n data:\n  rendered: {boards: 10}\nfamilies: [{family: flat}]\n", 2, 2, `farther to the right than "name: x" above it`},
		{"an item too far right", head + "families:\n# all\n- family: flat\n\n - family: exact\n", 6, 2, "here 1 or 3"},
		{"a tab", "data:\n\trendered: {boards: 10}\nfamilies: [{family: flat}]\n", 2, 1, "a tab"},
		{"a brace", head + "families:\n- {family: flat\nk: 10\n", 4, 1, "a comma or } is missing before this"},
		{"empty", "", 1, 1, ""},
		{"batch", "data: {rendered: {boards: 10}, batch: 2000}\nfamilies: [{family: flat}]\n", 1, 39, "batch must be 1 to 1024, or auto"},
		{"precision", "data: {rendered: {boards: 10}, precision: int8}\nfamilies: [{family: flat}]\n", 1, 43, "known are fp32, tf32, fp16"},
		{"device of vectors", "data: {synthetic: {n: 10}, batch: auto}\nfamilies: [{family: flat}]\n", 1, 35, "batch belongs to images"},
		{"option of two values", "data: {rendered: {}, device_options: {cuda: {device_id: [0, 1]}}}\nfamilies: [{family: flat}]\n", 0, 0, "one value"},
		{"size without a unit", head + "memory: 300\nfamilies: [{family: flat}]\n", 2, 9, "write 300MiB"},
		{"time without a unit", head + "measure: 300\nfamilies: [{family: flat}]\n", 2, 10, "or 300ms"},
		{"no time", head + "timeout: soon\nfamilies: [{family: flat}]\n", 2, 10, "timeout: \"soon\" is not a time"},
		{"negative time", head + "duration: -1s\nfamilies: [{family: flat}]\n", 2, 11, "duration: \"-1s\" is"},
		{"factor without after", head + "families: [{family: flat}]\nfilters: [{selectivity: 0.5, ways: inside, factor: 2}]\n", 3, 52, "factor belongs to the way after"},
		{"per_step beyond all", head + "families: [{family: flat}]\nchurn: [{per_step: 101%}]\n", 3, 20, "above 0% and at most 100%"},
		{"no steps", head + "families: [{family: flat}]\nchurn: [{per_step: 5%, steps: 0}]\n", 3, 31, "steps must be at least 1"},
		{"one filter in two ways", head + "families: [{family: flat}]\nfilters:\n  - where: s = 1\n  - where: s=1\n", 5, 12, "s=1 means the same as s = 1"},
		{"size", head + "memory: lots\nfamilies: [{family: flat}]\n", 2, 9, "4GiB"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x.yaml")
			if err := os.WriteFile(path, []byte(tt.text), 0o644); err != nil {
				t.Fatal(err)
			}
			_, err := Read(path)
			var at *Error
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
	s, err := Parse("dir/mine.yaml", []byte("data: {rendered: {}}\nmemory: 2GiB\nfamilies:\n  - family: forest\n    build: {trees: 7}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if s.Name != "mine" || s.Repetitions != 3 || s.Timeout != 10*time.Minute || len(s.K) != 1 || s.K[0] != 10 || s.Metric[0] != "cosine" {
		t.Errorf("defaults: %+v", s)
	}
	if limit, err := s.MemoryLimit(); err != nil || limit != 2<<30 {
		t.Errorf("memory limit is %d, %v", limit, err)
	}
	for text, want := range map[string]int64{"4gb": 4e9, "300 MiB": 300 << 20, "0": 0} {
		s, err := Parse("x.yaml", []byte("data: {rendered: {}}\nmemory: "+text+"\ntimeout: 2 min\nfamilies: [{family: flat}]\n"))
		if err != nil {
			t.Fatal(err)
		}
		if limit, err := s.MemoryLimit(); err != nil || limit != want || s.Timeout != 2*time.Minute {
			t.Errorf("memory %s is %d, %v; timeout %v", text, limit, err, s.Timeout)
		}
	}
	s2, err := Parse("x.yaml", []byte("data: {rendered: {}, batch: 64, precision: fp16, device_options: {cuda: {device_id: 1, gpu_mem_limit: 4294967296, do_copy_in_default_stream: true, arena_extend_strategy: kSameAsRequested}}}\nfamilies: [{family: flat}]\n"))
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

func TestReferenceNamesEveryKey(t *testing.T) {
	text, err := os.ReadFile("../../docs/reference/sweep-files.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range yamlKeys(reflect.TypeFor[Sweep]()) {
		if !strings.Contains(string(text), "`"+key+"`") {
			t.Errorf("docs/reference/sweep-files.md does not mention `%s`", key)
		}
	}
}

func TestShippedConfigsAreRight(t *testing.T) {
	files, err := filepath.Glob("../../configs/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("configs: %v, %v", files, err)
	}
	for _, f := range files {
		if _, err := Read(f); err != nil {
			t.Error(err)
		}
	}
}
