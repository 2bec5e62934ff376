package collection

import (
	"os"
	"path/filepath"
	"slices"
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

// TestDimensionsByName: columns that are the dimensions have the same names in the same order in all parts and in a file of queries;
// names that count are alike, and a file without names goes with any.
func TestDimensionsByName(t *testing.T) {
	for _, c := range []struct{ name, first, second, want string }{
		{"the same", "a,b,c", "a,b,c", ""},
		{"two swapped", "a,b,c,d", "a,c,b,d", `dimension 1 is column "c", and "b" in `},
		{"others", "a,b,c", "a,x,c", `dimension 1 is column "x", and "b" in `},
		{"counted", "f0,f1,f2", "q1,q2,q3", ""},
		{"counted down", "f0,f1,f2", "f2,f1,f0", `dimension 0 is column "f2", and "f0" in `},
		{"a label between", "a,label,b", "a,b,label", ""},
		{"no names", "a,b,c", "7.5,8,9.5", ""},
	} {
		dir, other := t.TempDir(), t.TempDir()
		for path, head := range map[string]string{
			filepath.Join(dir, "part-0.csv"): c.first, filepath.Join(dir, "part-1.csv"): c.second,
			filepath.Join(other, "part-0.csv"): c.first, filepath.Join(other, "queries.csv"): c.second,
		} {
			width := strings.Count(head, ",")
			text := head + "\n1.5" + strings.Repeat(",2.25", width) + "\n-0.5" + strings.Repeat(",0.125", width) + "\n"
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		for _, src := range []Files{{Vectors: dir}, {Vectors: filepath.Join(other, "part-0.csv"), Queries: filepath.Join(other, "queries.csv")}} {
			col, err := OpenFiles(t.Context(), src, t.TempDir(), nil)
			if err == nil {
				col.Close()
			}
			if (c.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v, want %q", c.name, err, c.want)
			}
		}
	}
}

// TestPartsInTwoOrders names parts whose order is one by name and another by number, where a file is about their rows.
func TestPartsInTwoOrders(t *testing.T) {
	dir := t.TempDir()
	labels := filepath.Join(t.TempDir(), "labels.txt")
	write := func(path, text string) {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(labels, "a\nb\nc\nd\n")
	write(filepath.Join(dir, "part.2.csv"), "1.5,2\n3,4\n")
	write(filepath.Join(dir, "part.10.csv"), "5.5,6\n7,8\n")
	_, err := OpenFiles(t.Context(), Files{Vectors: dir, Labels: labels}, t.TempDir(), nil)
	if err == nil || !strings.Contains(err.Error(), "part.10.csv comes before part.2.csv") {
		t.Errorf("with labels: %v", err)
	}
	c, err := OpenFiles(t.Context(), Files{Vectors: dir}, t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.Vectors.Row(0)[0] != 1.5 || c.Vectors.Row(2)[0] != 5.5 {
		t.Errorf("part 10 before part 2: %v", c.Vectors.Data)
	}
	if notes := strings.Join(c.Meta.Notes, "\n"); !strings.Contains(notes, "in the order of their numbers") || !strings.Contains(notes, "part.2.csv before") {
		t.Errorf("notes %q", c.Meta.Notes)
	}
	c.Close()
	if err := os.Rename(filepath.Join(dir, "part.2.csv"), filepath.Join(dir, "part.02.csv")); err != nil {
		t.Fatal(err)
	}
	if c, err = OpenFiles(t.Context(), Files{Vectors: dir, Labels: labels}, t.TempDir(), nil); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if c.Vectors.Row(0)[0] != 1.5 || c.Items[3].Label != "d" {
		t.Errorf("the first is %v, the last %+v", c.Vectors.Row(0), c.Items[3])
	}
}

func TestNaturalOrder(t *testing.T) {
	want := []string{"a", "a-1-of-12.npy", "a-2-of-12.npy", "a-010-of-12.npy", "a-11-of-12.npy", "b/2.npy", "b/10.npy", "b01", "b1", "b2", "b20000000000000000000001", "c"}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, natural)
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestFoldersOfSpark: labels in the names of folders are decoded, and a missing one is none.
func TestFoldersOfSpark(t *testing.T) {
	dir := t.TempDir()
	for _, folder := range []string{"label=a%20b", "label=100%", "label=__HIVE_DEFAULT_PARTITION__"} {
		if err := os.MkdirAll(filepath.Join(dir, folder), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, folder, "data_0.csv"), []byte("x,z\n1,2\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	parts, err := folderParts(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range parts {
		got = append(got, p.label)
	}
	slices.Sort(got)
	if want := []string{"", "100%", "a b"}; !slices.Equal(got, want) {
		t.Errorf("labels %q, want %q", got, want)
	}
}
