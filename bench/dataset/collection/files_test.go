package collection

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"annbench/bench/dataset/vecfile"
	"annbench/indexes/vec"
)

func openFiles(t testing.TB, src Files) *Collection {
	t.Helper()
	c := must[*Collection](t)(OpenFiles(context.Background(), src, t.TempDir(), nil))
	t.Cleanup(func() { c.Close() })
	return c
}

func TestQueriesLabelsAndNeighborsInFilesOfTheirOwn(t *testing.T) {
	dir := t.TempDir()
	_, base := random(50, 3, 1)
	_, queries := random(4, 3, 2)
	at := func(name string) string { return filepath.Join(dir, name) }
	for name, m := range map[string]vec.Matrix{"base.npy": base, "queries.npy": queries} {
		if err := vecfile.WriteArray(at(name), m.Data, m.Dim); err != nil {
			t.Fatal(err)
		}
	}
	var near bytes.Buffer
	for q := range 4 {
		binary.Write(&near, binary.LittleEndian, []int32{2, int32(q), int32(q + 10)})
	}
	labels := strings.Repeat("hat\nshoe\n", 25)
	for name, b := range map[string][]byte{"near.ivecs": near.Bytes(), "labels.txt": []byte(labels)} {
		if err := os.WriteFile(at(name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	c := openFiles(t, Files{Vectors: at("base.npy"), Queries: at("queries.npy"), Labels: at("labels.txt"), Neighbors: at("near.ivecs")})
	if c.Vectors.Rows != 54 || c.Meta.Queries != 4 || c.Items[1].Label != "shoe" || c.Items[50].Label != "" || c.Items[50].ID != "query-0" {
		t.Fatalf("%+v, %+v", c.Meta, c.Items[50])
	}
	if !slices.Equal(c.Vectors.Data, slices.Concat(base.Data, queries.Data)) {
		t.Error("other vectors")
	}
	given, err := ReadNeighbors(c.NeighborsFile())
	if err != nil || !slices.Equal(given[3], []int32{3, 13}) {
		t.Errorf("%v, %v", given, err)
	}
	if err := os.WriteFile(at("labels.txt"), []byte("hat\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenFiles(context.Background(), Files{Vectors: at("base.npy"), Queries: at("queries.npy"), Labels: at("labels.txt")}, t.TempDir(), nil); err == nil || !strings.Contains(err.Error(), "1 labels") {
		t.Errorf("a label for 50 vectors: %v", err)
	}
}

func TestFoldersOfVectorsAreLabels(t *testing.T) {
	dir := t.TempDir()
	_, m := random(6, 3, 1)
	for i, name := range []string{"hat/a.npy", "hat/b.npy", "shoe/c.npy"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := vecfile.WriteArray(path, m.Slice(2*i, 2*i+2).Data, m.Dim); err != nil {
			t.Fatal(err)
		}
	}
	c := openFiles(t, Files{Vectors: dir})
	var labels []string
	for _, item := range c.Items {
		labels = append(labels, item.Label)
	}
	if !slices.Equal(c.Vectors.Data, m.Data) || !slices.Equal(labels, []string{"hat", "hat", "hat", "hat", "shoe", "shoe"}) {
		t.Errorf("%v", labels)
	}
}

func TestWrittenFilesReadBack(t *testing.T) {
	items, m := random(257, 6, 5)
	c := write(t, filepath.Join(t.TempDir(), "c"), items, m)
	dir := t.TempDir()
	for _, ext := range vecfile.Writable() {
		path := filepath.Join(dir, "out"+ext)
		if err := c.WriteFile(context.Background(), path); err != nil {
			t.Fatal(err)
		}
		got := openFiles(t, Files{Vectors: path})
		if got.Vectors.Dim != 6 || !slices.Equal(got.Vectors.Data, m.Data) {
			t.Errorf("%s: %d × %d, other vectors", ext, got.Vectors.Rows, got.Vectors.Dim)
		}
		if ext == ".parquet" && !slices.Equal(got.Items, items) {
			t.Errorf("%s: other items: %+v, want %+v", ext, got.Items[:3], items[:3])
		}
	}
	if err := c.WriteFile(context.Background(), filepath.Join(dir, "x.csv")); err == nil || !strings.Contains(err.Error(), ".npy .parquet") {
		t.Errorf("csv: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); left != nil {
		t.Errorf("left behind: %v", left)
	}
}

// TestQueriesByOtherNames: a file of queries is read by the columns that are named for the vectors; where it has
// none of these names, a note says that others were taken.
func TestQueriesByOtherNames(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	base := file("base.csv", "mine,kind\n\"[1, 2]\",dress\n\"[3, 4]\",shoes\n")
	for _, c := range []struct{ name, text, label, note string }{
		{"same.csv", "mine,kind\n\"[5, 6]\",bags\n", "bags", ""},
		{"other.csv", "vector,label\n\"[5, 6]\",bags\n", "bags", `other.csv: it has no "kind"; it has "vector", "label": its parts were found by their usual names`},
	} {
		src := Files{Vectors: base, Queries: file(c.name, c.text), Columns: vecfile.Columns{Vectors: "mine", Labels: "kind"}}
		col, err := OpenFiles(t.Context(), src, t.TempDir(), nil)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		notes := strings.Join(col.Meta.Notes, "\n")
		if col.Items[2].Label != c.label || col.Vectors.Row(2)[0] != 5 || (c.note == "") != (notes == "") || !strings.Contains(notes, c.note) {
			t.Errorf("%s: item %+v, vector %v, notes %q; want the note %q", c.name, col.Items[2], col.Vectors.Row(2), notes, c.note)
		}
		col.Close()
	}
}

// TestLettersThatAreNotKnown: labels in another encoding than UTF-8 are refused, not changed.
func TestLettersThatAreNotKnown(t *testing.T) {
	dir := t.TempDir()
	vectors, labels := filepath.Join(dir, "v.csv"), filepath.Join(dir, "labels.txt")
	for path, text := range map[string]string{vectors: "a,b,label\n1,2,Kost\xfcm\n3,4,Hose\n", labels: "Kost\xfcm\nHose\n"} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, src := range []Files{{Vectors: vectors}, {Vectors: vectors, Labels: labels}} {
		_, err := OpenFiles(t.Context(), src, t.TempDir(), nil)
		if err == nil || !strings.Contains(err.Error(), `"Kost\xfcm" is no UTF-8`) {
			t.Errorf("%+v: %v", src, err)
		}
	}
}

// Ids that repeat are noted, those of base and queries together.
func TestRepeatedIDs(t *testing.T) {
	for _, c := range []struct{ base, queries, want string }{
		{"id,a,b\nx,1.5,2\ny,3,4.5\nx,5.5,6\n", "", `1 id had been there before, the first "x", of rows 0 and 2`},
		{"id,a,b\nx,1.5,2\ny,3,4.5\n", "id,a,b\nz,1.5,2\ny,3,4.5\n", `1 id had been there before, the first "y", of rows 1 and 3`},
		{"id,a,b\nx,1.5,2\ny,3,4.5\n", "id,a,b\nz,1.5,2\nw,3,4.5\n", ""},
		{"a,b\n1.5,2\n1.5,2\n", "a,b\n1.5,2\n1.5,2\n", ""},
	} {
		notes := notesOf(t, c.base, c.queries, "")
		if c.want != "" && !strings.Contains(notes, c.want) || c.want == "" && strings.Contains(notes, "ids repeat") {
			t.Errorf("%q and %q: notes %q", c.base, c.queries, notes)
		}
	}
}

// TestMissingLabels: vectors without a label among others that have one are counted in a note.
func TestMissingLabels(t *testing.T) {
	for _, c := range []struct{ base, labels, want string }{
		{"label,a,b\nhat,1.5,2\n,3,4.5\n,5.5,6\n", "", "2 vectors without a label"},
		{"label,a,b\nhat,1.5,2\nshoe,3,4.5\n", "", ""},
		{"a,b\n1.5,2\n3,4.5\n", "", ""},
		{"a,b\n1.5,2\n3,4.5\n5.5,6\n", "hat\n\nshoe\n", "1 vector without a label"},
	} {
		notes := notesOf(t, c.base, "", c.labels)
		if c.want != "" && !strings.Contains(notes, c.want) || c.want == "" && strings.Contains(notes, "without a label") {
			t.Errorf("%q and %q: notes %q", c.base, c.labels, notes)
		}
	}
}

// notesOf reads vectors, and queries and labels where there are any, from files of these texts: the notes about them.
func notesOf(t *testing.T, vectors, queries, labels string) string {
	t.Helper()
	dir := t.TempDir()
	file := func(name, text string) string {
		if text == "" {
			return ""
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	got, err := OpenFiles(t.Context(), Files{Vectors: file("base.csv", vectors), Queries: file("queries.csv", queries), Labels: file("labels.txt", labels)}, t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Close()
	return strings.Join(got.Meta.Notes, "\n")
}

// TestLabelsWithHeading: a line too many in a file of labels may be a heading, and the error shows it. A usual heading is an error
// also where it takes the place of a label.
func TestLabelsWithHeading(t *testing.T) {
	dir := t.TempDir()
	table, array := filepath.Join(dir, "x.csv"), filepath.Join(dir, "x.npy")
	if err := errors.Join(os.WriteFile(table, []byte("1,2\n3,5\n"), 0o644), vecfile.WriteArray(array, []float32{1, 2, 3, 5}, 2)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, labels, want string }{
		{"kind.txt", "kind\nhat\nshoe\n", `3 labels, there are 2 vectors: it takes one each, an empty line for none; if its first line, "kind", is a heading`},
		{"short.txt", "Category\nhat\n", `its first line, "Category", is a heading, which leaves 1 label for 2 vectors`},
		{"short.csv", "label\nhat\n", "1 labels, there are 2 vectors"},
		{"twice.txt", "y\ny\n", ""},
		{"names.csv", "label\ny\nn\n", ""},
	} {
		labels := filepath.Join(dir, c.name)
		if err := os.WriteFile(labels, []byte(c.labels), 0o644); err != nil {
			t.Fatal(err)
		}
		for _, vectors := range []string{table, array} {
			got, err := OpenFiles(t.Context(), Files{Vectors: vectors, Labels: labels}, t.TempDir(), nil)
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("%s of %s: %v, want %q", c.name, vectors, err, c.want)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s of %s: %v", c.name, vectors, err)
				continue
			}
			got.Close()
		}
	}
}

// TestMissingIDs: rows without an id among others that have one get their numbers, which are counted, and compared with the ids.
func TestMissingIDs(t *testing.T) {
	notes := notesOf(t, "id,a,b\n1,1.5,2\n,3,4.5\n,5,6.5\n", "", "")
	for _, want := range []string{"2 vectors without an id, the first in row 1", `1 id had been there before, the first "1", of rows 0 and 1`} {
		if !strings.Contains(notes, want) {
			t.Errorf("notes %q, want %q", notes, want)
		}
	}
	if notes := notesOf(t, "a,b\n1.5,2\n3,4.5\n", "id,a,b\nx,1.5,2\n", ""); strings.Contains(notes, "without an id") {
		t.Errorf("a base without ids: notes %q", notes)
	}
}

// TestPartsThatLackWhatOthersHave: parts without the ids or labels of others, and what parts leave out, are noted.
func TestPartsThatLackWhatOthersHave(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"part-0.csv": "f0,f1,price\n1,2,9\n3,4,9\n",
		"part-1.csv": "id,label,f0,f1,price\n0,hat,1,2,9\ny,shoe,3,4.5,9\n",
		"part-2.csv": "id,label,f0,f1,cost\na,hat,1,2,9\nb,shoe,3,4.5,9\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	notes := strings.Join(openFiles(t, Files{Vectors: dir}).Meta.Notes, "\n")
	for _, want := range []string{
		"2 vectors without an id, the first in row 0", `the first "0", of rows 0 and 2`, "2 vectors without a label",
		`part-0.csv and 1 more file: column "price" left out`, `part-2.csv: column "cost" left out`,
	} {
		if !strings.Contains(notes, want) {
			t.Errorf("notes %q, want %q", notes, want)
		}
	}
}

// TestReplacedParts: labels and queries of a file that others replace are noted.
func TestReplacedParts(t *testing.T) {
	notes := notesOf(t, "label,a,b\nhat,1.5,2\nshoe,3,4.5\n", "", "bag\nbag\n")
	if want := "labels of base.csv are replaced by those of labels.txt"; !strings.Contains(notes, want) {
		t.Errorf("notes %q, want %q", notes, want)
	}
	dir := t.TempDir()
	base, queries := filepath.Join(dir, "x.h5"), filepath.Join(dir, "q.csv")
	h := &vecfile.HDF5{Datasets: []vecfile.HDF5Dataset{{Name: "train", Values: []float32{1, 2, 3, 4}, Row: 2}, {Name: "test", Values: []float32{1, 2}, Row: 2}}}
	if err := errors.Join(h.WriteFile(base), os.WriteFile(queries, []byte("1,2.5\n5,6.5\n"), 0o644)); err != nil {
		t.Fatal(err)
	}
	c := openFiles(t, Files{Vectors: base, Queries: queries})
	if notes := strings.Join(c.Meta.Notes, "\n"); !strings.Contains(notes, "queries of x.h5 are replaced by those of q.csv") || c.Meta.Queries != 2 {
		t.Errorf("%d queries, notes %q", c.Meta.Queries, notes)
	}
}

// TestEmptyLabelsBesideArrays: a .npy that is mapped as it stands has the note about missing labels, too.
func TestEmptyLabelsBesideArrays(t *testing.T) {
	dir := t.TempDir()
	vectors, labels := filepath.Join(dir, "x.npy"), filepath.Join(dir, "labels.txt")
	_, m := random(3, 2, 1)
	if err := vecfile.WriteArray(vectors, m.Data, m.Dim); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(labels, []byte("hat\n\nshoe\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	c := openFiles(t, Files{Vectors: vectors, Labels: labels})
	if notes := strings.Join(c.Meta.Notes, "\n"); !strings.Contains(notes, "1 vector without a label") {
		t.Errorf("notes %q", notes)
	}
}

// TestArrayWithoutRows: an array of no vectors is an error, as other files without vectors are.
func TestArrayWithoutRows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.npy")
	if err := vecfile.WriteArray(path, []float32{}, 6); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenFiles(t.Context(), Files{Vectors: path}, t.TempDir(), nil); err == nil || !strings.Contains(err.Error(), "x.npy has no vectors") {
		t.Error(err)
	}
}
