package vecfile

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/parquet-go/parquet-go"
)

// TestClassNames: the numbers of a column of classes, as Hugging Face datasets writes them, are read by their names, also where the
// column is a field of a struct, or lies beside the struct that has the vectors.
func TestClassNames(t *testing.T) {
	type item struct {
		Vector []float32 `parquet:"vector,list"`
		Label  int64     `parquet:"label"`
	}
	type within struct {
		Item item `parquet:"item"`
	}
	type beside struct {
		Item struct {
			Vector []float32 `parquet:"vector,list"`
		} `parquet:"item"`
		Label int64 `parquet:"label"`
	}
	type dotted struct {
		Vector []float32 `parquet:"vector,list"`
		Label  int64     `parquet:"a.label"`
	}
	const class = `"label":{"names":["hat","shoe"],"_type":"ClassLabel"}`
	vector := []float32{1, 2}
	var besides [3]beside
	for i, label := range []int64{1, 0, -1} {
		besides[i].Item.Vector, besides[i].Label = vector, label
	}
	for name, write := range map[string]func(path string) error{
		"within": func(path string) error {
			return parquet.WriteFile(path, []within{{item{vector, 1}}, {item{vector, 0}}, {item{vector, -1}}}, hugging(`{"item":{"vector":{"_type":"List"},`+class+`}}`))
		},
		"beside": func(path string) error {
			return parquet.WriteFile(path, besides[:], hugging(`{"item":{"vector":{"_type":"List"}},`+class+`}`))
		},
		"dotted": func(path string) error {
			return parquet.WriteFile(path, []dotted{{vector, 1}, {vector, 0}, {vector, -1}}, hugging(`{"a.label":{"names":["hat","shoe"]}}`))
		},
	} {
		path := filepath.Join(t.TempDir(), "x.parquet")
		if err := write(path); err != nil {
			t.Fatal(err)
		}
		got, err := readAll(path)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if want := []string{"shoe", "hat", ""}; !slices.Equal(got.labels, want) {
			t.Errorf("%s: labels %q, want %q", name, got.labels, want)
		}
	}
}

// TestClassesAsAttributes: attributes that are classes are their names too.
func TestClassesAsAttributes(t *testing.T) {
	type row struct {
		ID     string `parquet:"id"`
		Colour int64  `parquet:"colour"`
	}
	features := hugging(`{"id":{"dtype":"string","_type":"Value"},"colour":{"names":["red","blue"],"_type":"ClassLabel"}}`)
	path := filepath.Join(t.TempDir(), "x.parquet")
	if err := parquet.WriteFile(path, []row{{"a", 1}, {"b", 0}, {"c", -1}}, features); err != nil {
		t.Fatal(err)
	}
	columns, _, err := ReadParquetColumns(path)
	if err != nil {
		t.Fatal(err)
	}
	if c := columns[1]; c.Kind != "text" || !slices.Equal(c.Texts, []string{"blue", "red", ""}) {
		t.Errorf("%+v", c)
	}
	if err := parquet.WriteFile(path, []row{{"a", 2}}, features); err != nil {
		t.Fatal(err)
	}
	if _, _, err := ReadParquetColumns(path); err == nil {
		t.Error("class 2 of 2 was read")
	}
}

// TestTruthValuesAsLabels: truth values have one spelling in all formats that have such.
func TestTruthValuesAsLabels(t *testing.T) {
	type row struct {
		Vector []float32 `parquet:"vector,list"`
		Label  bool      `parquet:"label"`
	}
	want := []string{"true", "false", "true"}
	path := filepath.Join(t.TempDir(), "x.parquet")
	vector := []float32{1, 2}
	if err := parquet.WriteFile(path, []row{{vector, true}, {vector, false}, {vector, true}}); err != nil {
		t.Fatal(err)
	}
	if got, err := readAll(path); err != nil || !slices.Equal(got.labels, want) {
		t.Errorf("Parquet: %+v, %v", got, err)
	}
	array := filepath.Join(t.TempDir(), "x.npy")
	if err := os.WriteFile(array, npy("{'descr': '|b1', 'fortran_order': False, 'shape': (3,), }", 64, 1, 0, 1), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := ReadLabels(array); err != nil || !slices.Equal(got.Labels, want) {
		t.Errorf("NumPy: %+v, %v", got, err)
	}
	// The type that h5py gives to truth values: int8 with two names.
	m := hdf5Message{kind: 3, body: []byte("\x38\x02\x00\x00\x01\x00\x00\x00" + "\x10\x08\x00\x00\x01\x00\x00\x00\x00\x00\x08\x00" + "FALSE\x00TRUE\x00" + "\x00\x01")}
	elem := must[element](t)(hdf5Element(m))
	if names, err := elem.enumeration(m); err != nil || !maps.Equal(names, map[int64]string{0: "false", 1: "true"}) {
		t.Errorf("HDF5: %v, %v", names, err)
	}
}

// hugging is what Hugging Face datasets puts beside a table of these features.
func hugging(features string) parquet.WriterOption {
	return parquet.KeyValueMetadata("huggingface", `{"info":{"features":`+features+`}}`)
}
