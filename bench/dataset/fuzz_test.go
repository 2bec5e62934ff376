package dataset

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"annbench/bench/dataset/collection"
	"annbench/indexes/vec"
)

// FuzzSet damages one file of a set's folder: it opens, or is refused by one error; whatever opens can be
// used, and one that differs from what was written is noticed.
func FuzzSet(f *testing.F) {
	dir := seedSet(f)
	files := append(slices.Clone(setFiles), setFile)
	content := map[string][]byte{}
	for i, name := range files {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			f.Fatal(err)
		}
		content[name] = b
		f.Add(uint8(i), b)
	}
	f.Fuzz(func(t *testing.T, which uint8, b []byte) {
		defer time.AfterFunc(5*time.Minute, func() { panic("a set does not end") }).Stop()
		changed := files[int(which)%len(files)]
		if slices.Equal(b, content[changed]) {
			return
		}
		if err := os.WriteFile(filepath.Join(dir, changed), b, 0o600); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := os.WriteFile(filepath.Join(dir, changed), content[changed], 0o600); err != nil {
				t.Fatal(err)
			}
		}()
		s, err := OpenSet(dir)
		if err != nil {
			return
		}
		defer s.Close()
		_, _ = s.Check(vec.Cosine)
		if err := s.Verify(t.Context()); err == nil && changed != setFile {
			t.Errorf("%s was changed, and nothing says so", changed)
		}
	})
}

// seedSet writes a small set with labels.
func seedSet(f *testing.F) string {
	dir := f.TempDir()
	w, err := collection.Create(filepath.Join(dir, "collection"), 3)
	if err != nil {
		f.Fatal(err)
	}
	m := vec.NewMatrix(12, 3)
	var items []collection.Item
	for i := range m.Rows {
		for j := range m.Dim {
			m.Row(i)[j] = float32(math.Sin(float64(3*i + j + 1)))
		}
		items = append(items, collection.Item{ID: string(rune('a' + i)), Label: []string{"dress", "shoes"}[i%2]})
	}
	if err := w.Append(items, m, nil); err != nil {
		f.Fatal(err)
	}
	if _, err := w.Commit(nil); err != nil {
		f.Fatal(err)
	}
	c, err := collection.OpenFolder(filepath.Join(dir, "collection"))
	if err != nil {
		f.Fatal(err)
	}
	defer c.Close()
	set, err := Split(f.Context(), c, SplitConfig{Queries: 4, Seed: 1}, dir)
	if err != nil {
		f.Fatal(err)
	}
	return set
}

// FuzzTruth damages one file of the exact neighbours: they are refused, or are what they were.
func FuzzTruth(f *testing.F) {
	dir := seedSet(f)
	s, err := OpenSet(dir)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { s.Close() })
	first, err := FindTruth(f.Context(), s, vec.Cosine, 3, 1, "", nil)
	if err != nil {
		f.Fatal(err)
	}
	var want []int32
	for q := range s.Queries.Rows {
		want = append(want, first.IDs(q)...)
	}
	if err := first.Close(); err != nil {
		f.Fatal(err)
	}
	path := truthPath(dir, vec.Cosine, 3)
	files := []string{truthIDsFile, truthDistancesFile, truthFile}
	var content [][]byte
	for i, name := range files {
		b, err := os.ReadFile(filepath.Join(path, name))
		if err != nil {
			f.Fatal(err)
		}
		content = append(content, b)
		f.Add(uint8(i), b)
	}
	f.Fuzz(func(t *testing.T, which uint8, b []byte) {
		defer time.AfterFunc(5*time.Minute, func() { panic("a truth does not end") }).Stop()
		at := int(which) % len(files)
		if err := os.WriteFile(filepath.Join(path, files[at]), b, 0o600); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := os.WriteFile(filepath.Join(path, files[at]), content[at], 0o600); err != nil {
				t.Fatal(err)
			}
		}()
		truth, err := openTruth(path, s, vec.Cosine, 3)
		if err != nil {
			return
		}
		defer truth.Close()
		var got []int32
		for q := range s.Queries.Rows {
			got = append(got, truth.IDs(q)...)
		}
		if !slices.Equal(got, want) {
			t.Errorf("other neighbours from a changed %s", files[at])
		}
	})
}
