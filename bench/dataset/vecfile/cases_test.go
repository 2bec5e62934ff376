package vecfile

import (
	"path/filepath"
	"strings"
	"testing"
)

// cases are small files that the field's own writers made, after public bug reports: testdata/foreign/README.md
// says what each must give.
const cases = "../../../testdata/foreign/cases"

// TestCasesOfText has the cases C1, C2, C5 and C6: 60 vectors of 12 dimensions, all the same.
func TestCasesOfText(t *testing.T) {
	want := must[*content](t)(readAll(filepath.Join(cases, "C6/csv_space.csv")))
	if want.Rows != 60 || want.Dim != 12 || want.Data[0] != -0.16419453918933868 {
		t.Fatalf("%d × %d, the first is %v", want.Rows, want.Dim, want.Data[0])
	}
	files, err := filepath.Glob(filepath.Join(cases, "C*/*.csv"))
	if err != nil || len(files) != 11 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, path := range files {
		name := filepath.Base(filepath.Dir(path)) + "/" + filepath.Base(path)
		t.Run(name, func(t *testing.T) {
			f := must[*File](t)(Open(path, Columns{}))
			defer f.Close()
			got := must[*content](t)(f.readAll())
			if got.Rows != want.Rows || got.Dim != want.Dim {
				t.Fatalf("%d × %d, want 60 × 12", got.Rows, got.Dim)
			}
			for i := range got.Data {
				if got.Data[i] != want.Data[i] {
					t.Fatalf("value %d is %v, want %v", i, got.Data[i], want.Data[i])
				}
			}
			first := map[string]string{
				"C1/csv_pandas_default.csv": "0", "C1/csv_pandas_named_index.csv": "0", "C5/csv_filename_first.csv": "0.jpg",
				"C5/csv_path_class.csv": "a/0.jpg", "C6/glove_csv.csv": "w0",
			}[name]
			if len(got.ids) > 0 != (first != "") || first != "" && got.ids[0] != first {
				t.Errorf("ids %.3q, want the first to be %q", got.ids, first)
			}
			label := ""
			if strings.HasPrefix(name, "C5/") && !strings.Contains(name, "filename") {
				label = "dress"
			}
			if len(got.labels) > 0 != (label != "") || label != "" && got.labels[0] != label {
				t.Errorf("labels %.3q, want the first to be %q", got.labels, label)
			}
			if notes := strings.Join(f.Notes, "\n"); name == "C5/csv_label_split.csv" && !strings.Contains(notes, `"split" left out`) {
				t.Errorf("notes %q do not name the column split", notes)
			}
		})
	}
}

// TestCasesOfOtherFormats has the cases P1, H1, H2 and H4.
func TestCasesOfOtherFormats(t *testing.T) {
	for _, c := range []struct {
		name string
		says string // of the error; empty if 300 × 12 with 6 labels are read
	}{
		{"P1/lz4_b_polars.parquet", "compressed with LZ4"},
		{"P1/lzv_normal_300_1.0_1.parquet", "compressed with LZ4"},
		{"P1/lzv_uint8ish_300_2.0_0.parquet", "compressed with LZ4"},
		{"H1/h5_bytes_labels.hdf5", ""},
		{"H1/h5_features.hdf5", ""},
		{"H1/npz_feat.npz", ""},
		{"H2/h5_latest.hdf5", "h5repack -l CONTI"},
		{"H2/h5_v110.hdf5", "h5repack -l CONTI"},
		{"H4/h5_1d.hdf5", "one dimension: is it one vector of 3600 values, or 3600 ids"},
		{"H4/npy_1d.npy", "one dimension: is it one vector"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := readAll(filepath.Join(cases, c.name))
			if c.says != "" {
				if err == nil || !strings.Contains(err.Error(), c.says) {
					t.Fatalf("%v, want %q", err, c.says)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			seen := map[string]bool{}
			for _, label := range got.labels {
				seen[label] = true
			}
			if got.Rows != 300 || got.Dim != 12 || len(got.labels) != 300 || len(seen) != 6 || !seen["dress"] {
				t.Errorf("%d × %d with labels %v", got.Rows, got.Dim, seen)
			}
		})
	}
	labels, err := ReadLabels(filepath.Join(cases, "H1/l_str.npy"))
	if err != nil || len(labels.Labels) != 300 || labels.Labels[0] != "dress" {
		t.Errorf("H1/l_str.npy: %+v, %v", labels, err)
	}
}
