package vecfile

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
)

const corpus = "../../../testdata/foreign/corpus"

// A first column without a name is not taken for a dimension, and a note says so.
func TestColumnWithoutANameIsTold(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pandas.csv")
	if err := os.WriteFile(path, []byte(",a,b\n0,.5,.25\n1,.75,.5\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path, Columns{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if f.Dim != 2 || !strings.Contains(strings.Join(f.Notes, " "), "column 1, which has no name, is the id") {
		t.Errorf("%d dimensions, notes %q", f.Dim, f.Notes)
	}
}

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
			labelled := slices.Contains([]string{"labelled.npz", "bytes.npz", "old.h5", "contiguous-latest.h5", "strings.h5", "packed-strings.h5", "group.h5", "enum.h5", "pandas-label.csv", "pandas.parquet", "huggingface.parquet", "user-block.h5"}, name) ||
				strings.HasPrefix(name, "fastparquet-") ||
				strings.HasPrefix(name, "arrow-") || strings.HasPrefix(name, "polars-")
			if labelled != (got.labels != nil) {
				t.Errorf("labels %q", got.labels)
			}
			if slices.Contains([]string{"labelled.npz", "strings.h5", "pandas.parquet", "glove.6d.txt", "word2vec.vec", "r.csv", "fastparquet-gzip.parquet", "fastparquet-uncompressed.parquet"}, name) && (len(got.ids) != 24 || got.ids[23] != "item-23") {
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
		{"booleans.parquet", truthValues(), nil},
		{"missing-booleans.parquet", truthValues(1, 2, 15), nil},
		{"struct-booleans.parquet", truthValues(1, 2, 5, 15), nil},
		{"write.table.txt", []string{"new dress", "new shoes"}, []string{"1", "2"}},
		{"no-break-space.vec", nil, []string{"new\u00a0york-0", "new\u00a0york-1"}},
		{"index-without-header.csv", nil, []string{"0", "1", "2"}},
		{"spectra.csv", nil, nil},
		{"int64.npz", nil, []string{"-5", "999999999999995"}},
		{"int64.h5", nil, []string{"-5", "999999999999995"}},
		{"spaces.h5", []string{"dress", "shoes ", "bags"}, nil},
		{"space-padded.h5", []string{"dress", "shoes", "bags"}, nil},
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

// truthValues are those that make.py wrote in runs, without those of the rows that are missing.
func truthValues(missing ...int) []string {
	out := make([]string, 24)
	for i := range out {
		if !slices.Contains(missing, i) {
			out[i] = strconv.FormatBool(i < 10 || i%3 == 0)
		}
	}
	return out
}

// TestAttributesInRuns reads truth values of a table of attributes that are written in runs.
func TestAttributesInRuns(t *testing.T) {
	for name, want := range map[string][]string{"booleans.parquet": truthValues(), "missing-booleans.parquet": truthValues(1, 2, 15)} {
		columns, _, err := ReadParquetColumns(filepath.Join("../../../testdata/foreign/texts", name))
		if err != nil {
			t.Fatal(err)
		}
		if len(columns) != 1 || columns[0].Kind != "boolean" || !slices.Equal(columns[0].Texts, want) {
			t.Errorf("%s: %+v, want %q", name, columns, want)
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

// TestRefusedInTheWordsOfTheFile: what is refused is refused for what it is, with the way to write it.
func TestRefusedInTheWordsOfTheFile(t *testing.T) {
	for name, words := range map[string][]string{
		"refused-external.h5":      {"external storage", "h5py.File"},
		"refused-virtual.h5":       {"virtual", "h5py.File"},
		"refused-links.h5":         {`"vectors" is a link to "/a/b"`, "a/b", "columns"},
		"refused-utf32.h5":         {"UTF-32", "string_dtype"},
		"refused-decimals.parquet": {"d0", "decimals", "astype('float32')"},
		"refused-json.parquet":     {`"vector" has texts`, "json.loads"},
		"refused-bytes.parquet":    {`"vector" has bytes`, "frombuffer"},
		"refused-nested.parquet":   {`"vector" has lists of lists`, "concatenate"},
		"refused-map.parquet":      {`"vector" has maps`, "sorted(m)"},
	} {
		_, err := Open(filepath.Join(corpus, name), Columns{})
		for _, word := range words {
			if err == nil || !strings.Contains(err.Error(), word) {
				t.Errorf("%s: %v does not say %s", name, err, word)
			}
		}
	}
	// The data set that a link leads to is read where it is named.
	f, err := Open(filepath.Join(corpus, "refused-links.h5"), Columns{Vectors: "a/b"})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if notes := strings.Join(f.Notes, "\n"); !strings.Contains(notes, `"vectors" is a link`) {
		t.Errorf("notes %q", f.Notes)
	}
}

// TestTextsWithBytesBehindThem reads texts whose pages go on behind their last value, with missing ones among them, without
// the library, which prints warnings to standard error.
func TestTextsWithBytesBehindThem(t *testing.T) {
	for _, name := range []string{"fastparquet-gzip.parquet", "fastparquet-uncompressed.parquet", "pandas.parquet", "polars-zstd.parquet", "arrow-snappy-2.parquet"} {
		in, err := openInput(filepath.Join(corpus, name))
		if err != nil {
			t.Fatal(err)
		}
		file, err := openTable(in)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range file.Schema().Columns() {
			leaf, _ := file.Schema().Lookup(path...)
			if path[0] != "label" {
				continue
			}
			var got []string
			sound := &parquetPages{in: in}
			for group := range file.RowGroups() {
				m := &file.Metadata().RowGroups[group].Columns[leaf.ColumnIndex].MetaData
				plain, err := sound.check(m, leaf)
				if err != nil || !plain {
					t.Fatalf("%s: group %d: plain is %t, %v", name, group, plain, err)
				}
				if err := sound.texts(m, leaf, func(v parquet.Value) error {
					got = append(got, parquetText(v, false))
					return nil
				}); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
			}
			if len(got) != 24 {
				t.Fatalf("%s: %d texts", name, len(got))
			}
			for i, s := range got {
				want := []string{"dress", "shoes", "bags"}[i%3]
				if i == 4 && strings.HasPrefix(name, "fastparquet") {
					want = ""
				}
				if s != want {
					t.Errorf("%s: row %d is %q, want %q", name, i, s, want)
				}
			}
		}
		in.Close()
	}
}

// TestUnpacked: numbers in runs and bit by bit, by the examples of Apache Parquet's "Encodings".
func TestUnpacked(t *testing.T) {
	for _, c := range []struct {
		name  string
		data  []byte
		width int
		want  []uint32 // nil for an error
	}{
		{"0 to 7 in 3 bits", []byte{3, 0x88, 0xC6, 0xFA}, 3, []uint32{0, 1, 2, 3, 4, 5, 6, 7}},
		{"five times 300", []byte{10, 0x2C, 0x01}, 9, []uint32{300, 300, 300, 300, 300}},
		{"two ones, then bits", []byte{4, 1, 3, 0x05}, 1, []uint32{1, 1, 1, 0, 1}},
		{"a group that is not used up", []byte{3, 0xFF}, 1, []uint32{1, 1, 1}},
		{"cut short", []byte{3}, 1, nil},
		{"nothing", nil, 1, nil},
	} {
		n := len(c.want)
		if c.want == nil {
			n = 4
		}
		got, ok := unpacked(c.data, c.width, n)
		if ok != (c.want != nil) || ok && !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, %t", c.name, got, ok)
		}
	}
}

// One byte that has changed among the values is an error that names the file, and the chunk or the file of the archive.
func TestChecksumsOfValues(t *testing.T) {
	for name, want := range map[string]string{
		"fletcher.h5":  "chunk of row 0, column 0: damaged: its Fletcher-32 checksum is ",
		"labelled.npz": "features.npy: damaged: its CRC-32 is not that in the archive",
	} {
		whole := must[[]byte](t)(os.ReadFile(filepath.Join(corpus, name)))
		values := must[[]byte](t)(os.ReadFile(filepath.Join(corpus, name+".want.npy")))
		at := bytes.Index(whole, values[128:144])
		if at < 0 {
			t.Fatalf("%s does not hold the values as they are", name)
		}
		whole[at+1] ^= 4
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, whole, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := readAll(path); err == nil || !strings.Contains(err.Error(), path+": ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
