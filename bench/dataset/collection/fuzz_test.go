package collection

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// FuzzResume damages one file of a half-written collection: it resumes from what is whole, and can be
// finished, or is refused by one error.
func FuzzResume(f *testing.F) {
	items, m := random(12, 3, 7)
	dir := filepath.Join(f.TempDir(), "c")
	begin := func(t testing.TB) {
		w, _, err := Resume(dir, 3, "key")
		if err != nil {
			t.Fatal(err)
		}
		if w.Rows() == 0 {
			appendRows(t, w, items, m, 0, 3, 2)
		}
		w.Abort()
	}
	begin(f)
	part := PartDir(dir)
	entries, err := os.ReadDir(part)
	if err != nil {
		f.Fatal(err)
	}
	var names []string
	content := map[string][]byte{}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(part, e.Name()))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(len(names)), b)
		names = append(names, e.Name())
		content[e.Name()] = b
	}
	if len(names) < 3 {
		f.Fatalf("files %q", names)
	}
	f.Fuzz(func(t *testing.T, which uint8, b []byte) {
		defer time.AfterFunc(5*time.Minute, func() { panic("resuming does not end") }).Stop()
		for name, whole := range content {
			if name == names[int(which)%len(names)] {
				whole = b
			}
			if err := os.WriteFile(filepath.Join(part, name), whole, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		w, _, err := Resume(dir, 3, "key")
		if err != nil {
			return
		}
		rows := w.Rows()
		if rows%2 != 0 || rows > 6 {
			t.Errorf("%d rows, marked were 2, 4 and 6", rows)
		}
		appendRows(t, w, items, m, rows/2, 6, 2)
		w.Abort()
		got, err := os.ReadFile(filepath.Join(part, vectorsFile))
		if err != nil {
			t.Fatal(err)
		}
		if rows > 0 && which%uint8(len(names)) != uint8(slices.Index(names, vectorsFile)) && len(got) == 0 {
			t.Error("no vectors")
		}
	})
}
