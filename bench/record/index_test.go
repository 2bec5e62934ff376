package record

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestIndexOfAnotherDataSet: what was swapped or changed is named, with the way to make it again.
func TestIndexOfAnotherDataSet(t *testing.T) {
	dir := t.TempDir()
	d := Dataset{Digest: strings.Repeat("ab", 32), Base: 100, Dim: 8}
	other := Dataset{Digest: strings.Repeat("cd", 32), Base: 90, Dim: 8}
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	path := write("flat-1", "an index")
	if err := CheckIndex(t.Context(), path, d); err == nil || !strings.Contains(err.Error(), "does not say") {
		t.Errorf("without a label: %v", err)
	}
	write("flat-1.vectors", "its vectors")
	if err := LabelIndex(t.Context(), path, d); err != nil {
		t.Fatal(err)
	}
	if err := CheckIndex(t.Context(), path, d); err != nil {
		t.Error(err)
	}
	if err := CheckIndex(t.Context(), path, other); err == nil || !strings.Contains(err.Error(), "another data set: of 100 vectors") {
		t.Errorf("of another set: %v", err)
	}
	write("flat-1.vectors", "its vectorz")
	if err := CheckIndex(t.Context(), path, d); err == nil || !strings.Contains(err.Error(), path+".vectors has changed") || !strings.Contains(err.Error(), "delete "+path) {
		t.Errorf("a changed file beside it: %v", err)
	}
	if err := os.Remove(path + ".vectors"); err != nil {
		t.Fatal(err)
	}
	if err := CheckIndex(t.Context(), path, d); err == nil {
		t.Error("a missing file beside it is not missed")
	}
}
