package collection

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFolderOfParts reads a folder of part-*.parquet as one table.
func TestFolderOfParts(t *testing.T) {
	const dir = "../../../testdata/foreign/corpus/parts"
	c, err := OpenFiles(t.Context(), Files{Vectors: dir}, t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	want, err := Open(dir + ".want.npy")
	if err != nil {
		t.Fatal(err)
	}
	defer want.Close()
	if c.Vectors.Rows != want.Vectors.Rows || c.Vectors.Dim != want.Vectors.Dim {
		t.Fatalf("%d × %d, want %d × %d", c.Vectors.Rows, c.Vectors.Dim, want.Vectors.Rows, want.Vectors.Dim)
	}
	for i, x := range want.Vectors.Data {
		if c.Vectors.Data[i] != x {
			t.Fatalf("value %d is %v, want %v", i, c.Vectors.Data[i], x)
		}
	}
	if c.Items[23].Label != "bags" || c.Items[23].ID != "23" {
		t.Errorf("the last is %+v", c.Items[23])
	}
}

func TestFoldersThatAreNotOneTable(t *testing.T) {
	for name, files := range map[string][]string{
		"splits": {"train-00000-of-00001.parquet", "test-00000-of-00001.parquet"},
		"kinds":  {"a.csv", "b.npy"},
		"both":   {"a.csv", "hat/b.csv"},
		"other":  {"base.fvecs", "queries.fvecs"},
	} {
		dir := t.TempDir()
		for _, f := range files {
			path := filepath.Join(dir, f)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte("1,2\n3,4\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := OpenFiles(t.Context(), Files{Vectors: dir}, t.TempDir(), nil); err == nil || !strings.Contains(err.Error(), "one table?") && !strings.Contains(err.Error(), "beside folders") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
