package vecfile

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const corpus = "../../../testdata/foreign/corpus"

// TestForeignFiles reads a file of each writer of the field against the array beside it. testdata/foreign/make.py
// wrote both.
func TestForeignFiles(t *testing.T) {
	files, err := os.ReadDir(corpus)
	if err != nil || len(files) < 60 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	labels := []string{"dress", "shoes", "bags"}
	for _, file := range files {
		name := file.Name()
		if file.IsDir() || strings.HasSuffix(name, ".want.npy") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(corpus, name)
			columns := Columns{}
			if name == "group.h5" {
				columns = Columns{Vectors: "split/a/embeddings", Labels: "split/a/labels"}
			}
			f, err := Open(path, columns)
			if strings.HasPrefix(name, "refused-") {
				if err == nil {
					_, err = f.readAll()
					f.Close()
				}
				if err == nil || strings.Contains(err.Error(), "\n") || len(err.Error()) > 300 {
					t.Fatalf("%v, want one line that says why it is not read", err)
				}
				t.Log(err)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			got := must[*content](t)(f.readAll())
			want := must[*Mapped](t)(MapMatrix(path + ".want.npy"))
			defer want.Close()
			if got.Rows != want.Rows || got.Dim != want.Dim {
				t.Fatalf("%d × %d, want %d × %d", got.Rows, got.Dim, want.Rows, want.Dim)
			}
			for i := range want.Data {
				if got.Data[i] != want.Data[i] {
					t.Fatalf("row %d, dimension %d: %v, want %v", i/want.Dim, i%want.Dim, got.Data[i], want.Data[i])
				}
			}
			if left := strings.Join(f.Notes, "\n"); (name == "unnamed.npz") != strings.Contains(left, `"arr_1" left out`) {
				t.Errorf("notes %q", f.Notes)
			}
			if got.labels != nil && (len(got.labels) != 24 || !slices.Equal(got.labels[:3], labels)) {
				t.Errorf("labels %q", got.labels)
			}
			labelled := slices.Contains([]string{"labelled.npz", "bytes.npz", "old.h5", "contiguous-latest.h5", "strings.h5", "packed-strings.h5", "group.h5", "enum.h5", "pandas-label.csv", "pandas.parquet", "huggingface.parquet"}, name) ||
				strings.HasPrefix(name, "arrow-") || strings.HasPrefix(name, "polars-")
			if labelled != (got.labels != nil) {
				t.Errorf("labels %q", got.labels)
			}
			if slices.Contains([]string{"labelled.npz", "strings.h5", "pandas.parquet", "glove.6d.txt", "word2vec.vec"}, name) && (len(got.ids) != 24 || got.ids[23] != "item-23") {
				t.Errorf("ids %q", got.ids)
			}
		})
	}
}
