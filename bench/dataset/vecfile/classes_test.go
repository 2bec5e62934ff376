package vecfile

import (
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

// hugging is what Hugging Face datasets puts beside a table of these features.
func hugging(features string) parquet.WriterOption {
	return parquet.KeyValueMetadata("huggingface", `{"info":{"features":`+features+`}}`)
}
