package vecfile

import (
	"archive/zip"
	"errors"
	"math"
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

// TestLabelsOfObjectsAndLines: the field of JSON objects is the label, and lines that are no labels are an error or noted.
func TestLabelsOfObjectsAndLines(t *testing.T) {
	for _, c := range []struct {
		name, text  string
		labels, ids []string
		want        string // in the error, or the notes
	}{
		{"items.jsonl", "{\"id\":\"a\",\"label\":\"hat\"}\n{\"id\":\"b\"}\n{\"id\":\"c\",\"label\":7}\n", []string{"hat", "", "7"}, []string{"a", "b", "c"}, ""},
		{"x.ndjson", "{\"category\":\"hat\"}\n", []string{"hat"}, nil, ""},
		{"x.jsonl", "{\"kind\":\"hat\"}\n", nil, nil, `no object has a field "label"`},
		{"x.jsonl", "{\"label\":[1]}\n", nil, nil, "x.jsonl:1: label is a text or a number"},
		{"x.jsonl", "hat\n", nil, nil, "x.jsonl:1: not an object"},
		{"x.txt", "{\"label\":\"hat\"}\n", nil, nil, "name the file .jsonl"},
		{"x.json", "[\"hat\"]\n", nil, nil, "one a line"},
		{"x.txt", "0\that\n1\tshoe\n", []string{"0\that", "1\tshoe"}, nil, "name it .tsv"},
		{"x.txt", "hat\nshoe\twide\n", []string{"hat", "shoe\twide"}, nil, ""},
	} {
		path := filepath.Join(t.TempDir(), c.name)
		if err := os.WriteFile(path, []byte(c.text), 0o644); err != nil {
			t.Fatal(err)
		}
		got, err := ReadLabels(path)
		if c.labels == nil {
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s, %q: %v, want %q", c.name, c.text, err, c.want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s, %q: %v", c.name, c.text, err)
			continue
		}
		notes := strings.Join(got.Notes, "\n")
		if !slices.Equal(got.Labels, c.labels) || !slices.Equal(got.IDs, c.ids) || !strings.Contains(notes, c.want) || (c.want == "") != (notes == "") {
			t.Errorf("%s, %q: %+v, want the note %q", c.name, c.text, got, c.want)
		}
	}
}

// TestWholeNumbersBesideFractionsAreNoted: a first column that may be ids is named.
func TestWholeNumbersBesideFractionsAreNoted(t *testing.T) {
	for text, want := range map[string]bool{
		"17,1.5,2.5\n4,3.5,4.5\n9,5.5,6.5\n":       true,
		"0.0,1.5,2.5\n1.0,3.5,4.5\n2.0,5.5,6.5\n":  true,
		"17,1.5,2.5\n17,3.5,4.5\n9,5.5,6.5\n":      false,
		"17,1,2\n4,3,4\n9,5,6\n":                   false,
		"1.25,1.5,2.5\n4,3.5,4.5\n9,5.5,6.5\n":     false,
		"f0,f1,f2\n17,1.5,2.5\n4,3.5,4.5\n9,5,6\n": false,
	} {
		path := filepath.Join(t.TempDir(), "x.csv")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		f := must[*File](t)(Open(path, Columns{}))
		if notes := strings.Join(f.Notes, "\n"); strings.Contains(notes, "column 1 has whole numbers that are all different") != want {
			t.Errorf("%q: notes %q", text, notes)
		}
		f.Close()
	}
}

// TestNaNLabelsAreNone: in a column of floats NaN stands for a missing value.
func TestNaNLabelsAreNone(t *testing.T) {
	type row struct {
		Vector []float32 `parquet:"vector,list"`
		Label  float64   `parquet:"label"`
	}
	path := filepath.Join(t.TempDir(), "x.parquet")
	if err := parquet.WriteFile(path, []row{{[]float32{1, 2}, 3}, {[]float32{3, 4}, math.NaN()}}); err != nil {
		t.Fatal(err)
	}
	if got := must[*content](t)(readAll(path)); !slices.Equal(got.labels, []string{"3", ""}) {
		t.Errorf("labels %q", got.labels)
	}
}

// TestDistanceThatIsNoText: such an attribute does not say the metric, and is noted.
func TestDistanceThatIsNoText(t *testing.T) {
	for value, want := range map[any]bool{"euclidean": false, int64(2): true, 1.5: true} {
		path := filepath.Join(t.TempDir(), "x.h5")
		h := &HDF5{Attributes: []HDF5Attribute{{"distance", value}}, Datasets: []HDF5Dataset{{"train", []float32{1, 2, 3, 4}, 2}}}
		if err := h.WriteFile(path); err != nil {
			t.Fatal(err)
		}
		f := must[*File](t)(Open(path, Columns{}))
		if notes := strings.Join(f.Notes, "\n"); strings.Contains(notes, `"distance" is no single text`) != want {
			t.Errorf("%v: notes %q", value, notes)
		}
		f.Close()
	}
	if !several([]byte{2, 1, 0, 1, 3, 0, 0, 0, 0, 0, 0, 0}) || several([]byte{2, 1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0}) || several([]byte{2, 0, 0, 0}) {
		t.Error("spaces of 3, 1 and a single value")
	}
}

// TestWhatFloat32DoesNotHoldIsNoted: values that become 0 and whole numbers that are rounded are counted.
func TestWhatFloat32DoesNotHoldIsNoted(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	type row struct {
		Vector []float64 `parquet:"vector,list"`
	}
	type whole struct {
		Vector []int64 `parquet:"vector,list"`
	}
	small := []float64{1e-60, 0, 2, 1e-50}
	err := errors.Join(
		WriteArray(at("small.npy"), small, 2),
		os.WriteFile(at("small.csv"), []byte("1e-60,0.0e5\n2.5,-1E-50\n"), 0o644),
		parquet.WriteFile(at("small.parquet"), []row{{small[:2]}, {small[2:]}}),
		(&HDF5{Datasets: []HDF5Dataset{{"train", small, 2}}}).WriteFile(at("small.h5")),
		WriteArray(at("large.npy"), []int32{1<<24 + 1, 1 << 30, -1<<24 - 1, 5}, 2),
		parquet.WriteFile(at("large.parquet"), []whole{{[]int64{1<<40 + 1, 1 << 40}}, {[]int64{-1<<24 - 1, 5}}}),
		WriteArray(at("exact.npy"), []float64{0, 1e-30}, 2),
	)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"small.npy": "2 values nearer to 0", "small.csv": "2 values nearer to 0", "small.parquet": "2 values nearer to 0", "small.h5": "2 values nearer to 0",
		"large.npy": "2 whole numbers above 2^24", "large.parquet": "2 whole numbers above 2^24", "exact.npy": "",
	} {
		f := must[*File](t)(Open(at(name), Columns{}))
		must[*content](t)(f.readAll())
		if notes := strings.Join(f.Notes, "\n"); !strings.Contains(notes, want) || (want == "") != (notes == "") {
			t.Errorf("%s: notes %q, want %q", name, notes, want)
		}
		f.Close()
	}
}
