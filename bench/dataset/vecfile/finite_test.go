package vecfile

import (
	"archive/zip"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"annbench/indexes/vec"
)

// TestNotFinite names a NaN or an infinity in each format by its place: file, row or line, column.
func TestNotFinite(t *testing.T) {
	dir := t.TempDir()
	nan, inf := float32(math.NaN()), float32(math.Inf(-1))
	const rows, dim = 9, 3
	good := make([]float32, rows*dim)
	for i := range good {
		good[i] = float32(i)
	}
	bad := slices.Clone(good)
	bad[8*dim+1], bad[8*dim+2] = nan, inf // the second block of readAll
	matrix := func(values []float32) vec.Matrix { return vec.Matrix{Data: values, Rows: rows, Dim: dim} }
	text := func(row int) string { return string(rune('a' + row)) }
	file := func(name, content string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"a.npy", "a.fvecs", "a.fbin", "a.parquet"} {
		if err := Write(t.Context(), filepath.Join(dir, name), Table{matrix(bad), text, text}); err != nil {
			t.Fatal(err)
		}
	}
	h := &HDF5{Datasets: []HDF5Dataset{{"train", bad, dim}}}
	if err := h.WriteFile(filepath.Join(dir, "a.hdf5")); err != nil {
		t.Fatal(err)
	}
	h = &HDF5{Datasets: []HDF5Dataset{{"train", good, dim}, {"test", bad, dim}}}
	if err := h.WriteFile(filepath.Join(dir, "queries.hdf5")); err != nil {
		t.Fatal(err)
	}
	archive, err := os.Create(filepath.Join(dir, "a.npz"))
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(archive)
	w, err := z.Create("embeddings.npy")
	if err == nil {
		_, err = w.Write(must[[]byte](t)(os.ReadFile(filepath.Join(dir, "a.npy"))))
	}
	if err != nil || z.Close() != nil || archive.Close() != nil {
		t.Fatal(err)
	}
	type wide struct{ D0, D1 float64 }
	if err := parquet.WriteFile(filepath.Join(dir, "wide.parquet"), []wide{{1, 2}, {3, math.Inf(1)}}); err != nil {
		t.Fatal(err)
	}
	file("named.csv", "# made by hand\nid,f0,f1\na,1,2\nb,3,nan\nc,-inf,4\n")
	file("plain.txt", "1 2\n3 4\n\n5 -Inf\n")
	file("lists.csv", "id,vector\na,\"[1, 2]\"\nb,\"[3, NaN]\"\n")
	halves := func(order, shape, values string) string {
		return fmt.Sprintf("\x93NUMPY\x01\x00\x76\x00%-117s\n%s", "{'descr': '<f2', 'fortran_order': "+order+", 'shape': "+shape+", }", values)
	}
	file("half.npy", halves("False", "(2, 1)", "\x00\x3c\x00\x7c"))
	file("fortran.npy", halves("True", "(2, 2)", "\x00\x3c\x00\x3c\x00\x3c\x00\x7e"))

	for name, want := range map[string]string{
		"a.npy": "row 8, dimension 1, is NaN", "a.fvecs": "row 8, dimension 1, is NaN", "a.fbin": "row 8, dimension 1, is NaN",
		"a.parquet": `column "vector", row 8, dimension 1, is NaN`, "a.npz": "embeddings.npy, row 8, dimension 1, is NaN",
		"a.hdf5": `data set "train", row 8, dimension 1, is NaN`, "queries.hdf5": `data set "test", row 8, dimension 1, is NaN`,
		"wide.parquet": `row 1, column "D1", dimension 1, is +Inf`, "named.csv": "line 4, column f1, dimension 1, is NaN",
		"plain.txt": "line 4, column 2, dimension 1, is -Inf", "lists.csv": "line 3, column vector, dimension 1, is NaN",
		"half.npy": "row 1, dimension 0, is +Inf", "fortran.npy": "row 1, dimension 1, is NaN",
	} {
		f, err := Open(filepath.Join(dir, name), Columns{})
		if err == nil {
			_, err = f.readAll()
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := f.NotFinite
		if f.Queries != nil {
			got += f.Queries.NotFinite
		}
		if got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
		f.Close()
	}
}

// TestNearestFirst: an error that lists columns begins with those that were probably meant.
func TestNearestFirst(t *testing.T) {
	have := []string{"id", "name", "class_label", "vector", "Lable", "price"}
	err := (&MissingError{Asked: "label", Have: have}).Error()
	if want := `it has no "label"; it has "Lable", "class_label", "id", "name", "vector", "price"`; err != want {
		t.Errorf("%s, want %s", err, want)
	}
	if !slices.Equal(have[:2], []string{"id", "name"}) {
		t.Errorf("the list was changed: %q", have)
	}
	many := make([]string, 3000)
	for i := range many {
		many[i] = "f" + strings.Repeat("0", i%7)
	}
	many[2999] = "embedding"
	if err := (&MissingError{Asked: "embeddings", Have: many}).Error(); !strings.Contains(err, `it has "embedding", "f"`) {
		t.Error(err)
	}
}
