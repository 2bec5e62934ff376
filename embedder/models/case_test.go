package models

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCaseM1: what is given as a model and is none is named for what it is, with what to do about it.
func TestCaseM1(t *testing.T) {
	for name, c := range map[string]struct{ content, says string }{
		"lfs":   {"version https://git-lfs.github.com/spec/v1\noid sha256:aaaa\nsize 5000\n", "a Git LFS pointer, not the model: run `git lfs pull`"},
		"html":  {"<!DOCTYPE html>\n<html><body>Not found</body></html>\n", "an HTML page, not a model"},
		"zip":   {"PK\x03\x04\x00\x00", "a zip archive"},
		"zero":  {"", "is empty"},
		"words": {"hello, I am no model\n", "begins like a file of kind text"},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, name+".onnx")
		if err := os.WriteFile(path, []byte(c.content), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path); err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s without a card: %v, want %q", name, err, c.says)
		}
		card := filepath.Join(dir, name+".yaml")
		text := "file: " + name + ".onnx\ninput: {fit: cover, resample: bicubic-antialias, mean: [0.4, 0.4, 0.4], std: [0.2, 0.2, 0.2]}\n"
		if err := os.WriteFile(card, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		for _, given := range []string{path, card} {
			if _, err := Open(given); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s by %s: %v, want %q", name, filepath.Base(given), err, c.says)
			}
		}
	}
}

// TestMeanOf255: a mean of components in 0..255 would make every picture nearly black.
func TestMeanOf255(t *testing.T) {
	_, err := Parse([]byte(`{"name": "x", "file": "x.onnx", "input": {"fit": "cover", "resample": "bilinear-antialias", "type": "float32", "mean": [123.7, 116.3, 103.5], "std": [58.4, 57.1, 57.4]}}`))
	if err == nil || !strings.Contains(err.Error(), `divide "mean" and "std" by 255`) {
		t.Errorf("error %v", err)
	}
}
