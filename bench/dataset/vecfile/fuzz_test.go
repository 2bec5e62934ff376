package vecfile

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// FuzzLabels gives the reader of labels damaged files: it ends, with labels or one error.
func FuzzLabels(f *testing.F) {
	exts := []string{".txt", ".csv", ".tsv", ".npy"}
	add := func(kind uint8, path string) {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(kind, b)
	}
	add(3, filepath.Join(cases, "H1/l_str.npy"))
	add(1, filepath.Join(cases, "C5/csv_label_first.csv"))
	add(1, filepath.Join(corpus, "pandas-label.csv"))
	f.Add(uint8(0), []byte("\xef\xbb\xbfdress\nshoes\r\n\nbags"))
	f.Add(uint8(1), []byte(",label\n0,dress\n1,\"sh\"\"oes\"\n"))
	f.Add(uint8(2), []byte("id\tcategory\na\tdress\nb\tshoes\n"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, kind uint8, b []byte) {
		defer time.AfterFunc(5*time.Minute, func() { panic("a reader of labels does not end") }).Stop()
		path := filepath.Join(dir, "labels"+exts[int(kind)%len(exts)])
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		labels, err := ReadLabels(path)
		if err == nil && labels.IDs != nil && labels.Of(len(labels.IDs), func(row int) string { return labels.IDs[row] }, true) != nil {
			t.Error("labels are not in the order of their own ids")
		}
		if err == nil && len(labels.Labels) > len(b)+1 {
			t.Errorf("%d labels from %d bytes", len(labels.Labels), len(b))
		}
	})
}
