package pipeline

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"annbench/bench/sweepfile"
)

// A category of which nothing could be read is named.
func TestLostCategories(t *testing.T) {
	if got := lost([]string{"bags", "dress", "hat"}, []string{"dress"}); got != `2 categories missing, as none of the pictures could be read: "bags" and "hat"` {
		t.Error(got)
	}
	if got := lost([]string{"dress"}, []string{"dress"}); got != "" {
		t.Error(got)
	}
}

// The note of where pictures are is taken as it was written, or named; without a sum it is one of an older version.
func TestEditedOrigin(t *testing.T) {
	dir := t.TempDir()
	if o, err := ReadOrigin(dir); err != nil || o != (Origin{}) {
		t.Errorf("none: %+v, %v", o, err)
	}
	if err := keepOrigin(&sweepfile.Data{Images: "/photos"}, dir); err != nil {
		t.Fatal(err)
	}
	if o, err := ReadOrigin(dir); err != nil || o.Images != "/photos" {
		t.Errorf("%+v, %v", o, err)
	}
	path := filepath.Join(dir, originFile)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, bytes.Replace(b, []byte("/photos"), []byte("/other"), 1), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadOrigin(dir); err == nil || !strings.Contains(err.Error(), path+" has changed") {
		t.Error(err)
	}
	if err := os.WriteFile(path, []byte(`{"images": "/other"}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if o, err := ReadOrigin(dir); err != nil || o.Images != "/other" {
		t.Errorf("%+v, %v", o, err)
	}
}
