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

// TestForeignTexts reads labels and ids of each type that the field's writers have, and vectors beside numbers that are no
// dimension. testdata/foreign/make.py wrote the files.
func TestForeignTexts(t *testing.T) {
	const texts = "../../../testdata/foreign/texts"
	want := must[*Mapped](t)(MapMatrix(filepath.Join(texts, "want.npy")))
	defer want.Close()
	for _, c := range []struct {
		name        string
		labels, ids []string // the first of them
	}{
		{"negative-8.parquet", []string{"-1", "0", "1"}, []string{"-3", "-2", "-1", "0"}},
		{"negative-32.parquet", []string{"-1", "0", "1"}, []string{"-3", "-2", "-1", "0"}},
		{"dates.parquet", []string{"1969-12-31", "1970-01-01"}, []string{"1969-12-31T23:59:59.005000Z", "1969-12-31T23:59:59.005001Z"}},
		{"decimals.parquet", []string{"-1.05", "0.05", "1.05"}, []string{"-1.05", "0.05", "1.05"}},
		{"uuids.parquet", []string{"true", "false"}, []string{"deadbeef-0000-0000-0000-000000000000", "deadbeef-0000-0000-0000-000000000001"}},
		{"write.table.txt", []string{"new dress", "new shoes"}, []string{"1", "2"}},
		{"no-break-space.vec", nil, []string{"new\u00a0york-0", "new\u00a0york-1"}},
		{"index-without-header.csv", nil, []string{"0", "1", "2"}},
		{"spectra.csv", nil, nil},
		{"int64.npz", nil, []string{"-5", "999999999999995"}},
		{"int64.h5", nil, []string{"-5", "999999999999995"}},
		{"uint64.npz", nil, []string{"9223372036854775808", "9223372036854775809"}},
		{"uint64.h5", nil, []string{"9223372036854775808", "9223372036854775809"}},
		{"big-endian.npz", nil, []string{"-5", "-4"}},
		{"big-endian.h5", nil, []string{"-5", "-4"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := must[*File](t)(Open(filepath.Join(texts, c.name), Columns{}))
			defer f.Close()
			got := must[*content](t)(f.readAll())
			if got.Rows != want.Rows || got.Dim != want.Dim || !slices.Equal(got.Data, want.Data) {
				t.Errorf("%d × %d, the first %v, want %d × %d, %v", got.Rows, got.Dim, got.Data[:3], want.Rows, want.Dim, want.Data[:3])
			}
			for _, part := range []struct {
				what      string
				got, want []string
			}{{"labels", got.labels, c.labels}, {"ids", got.ids, c.ids}} {
				if part.want == nil && len(part.got) > 0 || part.want != nil && (len(part.got) != 24 || !slices.Equal(part.got[:len(part.want)], part.want)) {
					t.Errorf("%s %q, want %q first", part.what, part.got, part.want)
				}
			}
			notes := strings.Join(f.Notes, "\n")
			for name, note := range map[string]string{"index-without-header.csv": "row numbers", "spectra.csv": `"sample" left out`} {
				if strings.Contains(notes, note) != (name == c.name) {
					t.Errorf("notes %q", notes)
				}
			}
		})
	}
	for name, word := range map[string]string{
		"refused-half-labels.parquet": "halves", "refused-objects.npz": "array.astype(str)", "refused-first-word.csv": `line 1, column 1: "A1" is not a number`,
	} {
		f, err := Open(filepath.Join(texts, name), Columns{})
		if err == nil {
			_, err = f.readAll()
			f.Close()
		}
		if err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%s: %v, want %q in it", name, err, word)
		}
	}
}

// TestAttributesBelowZero reads the numbers of a table of attributes that are below zero, in each width.
func TestAttributesBelowZero(t *testing.T) {
	for _, name := range []string{"negative-8.parquet", "negative-32.parquet"} {
		columns, _, err := ReadParquetColumns(filepath.Join("../../../testdata/foreign/texts", name))
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(columns, func(c TextColumn) bool { return c.Name == "id" })
		if i < 0 || !slices.Equal(columns[i].Texts[:4], []string{"-3", "-2", "-1", "0"}) {
			t.Errorf("%s: %+v", name, columns)
		}
	}
}
