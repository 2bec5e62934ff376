package vecfile

import (
	"archive/zip"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
)

// TestOtherVectorsAreNoted: of a file with two arrays of vectors, the one that is not read is named, with how it is chosen.
func TestOtherVectorsAreNoted(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	type row struct {
		Vectors    []float32 `parquet:"vectors,list"`
		Embeddings []float32 `parquet:"embeddings,list"`
	}
	err := errors.Join(
		parquet.WriteFile(at("x.parquet"), []row{{[]float32{1, 2}, []float32{5, 6, 7}}, {[]float32{3, 4}, []float32{8, 9, 10}}}),
		(&HDF5{Datasets: []HDF5Dataset{{"vectors", []float32{1, 2, 3, 4}, 2}, {"embeddings", []float32{5, 6, 7, 8, 9, 10}, 3}}}).WriteFile(at("x.h5")),
		os.WriteFile(at("x.csv"), []byte("vectors,embeddings\n\"[1, 2]\",\"[5, 6, 7]\"\n\"[3, 4]\",\"[8, 9, 10]\"\n"), 0o644),
		WriteArray(at("vectors.npy"), []float32{1, 2, 3, 4}, 2),
		WriteArray(at("embeddings.npy"), []float32{5, 6, 7, 8, 9, 10}, 3),
		zipFiles(at("x.npz"), at("vectors.npy"), at("embeddings.npy")),
	)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"x.parquet", "x.h5", "x.csv", "x.npz"} {
		for vectors, c := range map[string]struct {
			dim   int
			other string
		}{"": {2, "embeddings"}, "embeddings": {3, "vectors"}} {
			f := must[*File](t)(Open(at(name), Columns{Vectors: vectors}))
			want := `"` + c.other + `" left out: another array of vectors; to take another, name one under columns`
			if f.Dim != c.dim || !slices.ContainsFunc(f.Notes, func(n string) bool { return strings.Contains(n, want) }) {
				t.Errorf("%s, columns %q: %d dimensions, notes %q", name, vectors, f.Dim, f.Notes)
			}
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// zipFiles writes an archive of the files at paths.
func zipFiles(archive string, paths ...string) error {
	f, err := os.Create(archive)
	if err != nil {
		return err
	}
	z := zip.NewWriter(f)
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		w, err := z.Create(filepath.Base(path))
		if err != nil {
			return err
		}
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	return errors.Join(z.Close(), f.Close())
}
