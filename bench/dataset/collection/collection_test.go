package collection

import (
	"archive/zip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"annbench/bench/dataset/vecfile"
	"annbench/indexes/vec"
)

// random gives rows vectors, and items with labels that a third of them lack.
func random(rows, dim int, seed uint64) ([]Item, vec.Matrix) {
	rng := rand.New(rand.NewPCG(seed, 0))
	m := vec.NewMatrix(rows, dim)
	for i := range m.Data {
		m.Data[i] = float32(rng.NormFloat64())
	}
	items := make([]Item, rows)
	for i := range items {
		items[i] = Item{fmt.Sprintf("b%06d#%d", i/3, i%3), []string{"", "dress", "hat & cap"}[rng.IntN(3)]}
	}
	return items, m
}

func must[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// write commits a collection in blocks of a few rows, and opens it; row i has the picture "jpeg i" if
// i is even.
func write(t testing.TB, dir string, items []Item, m vec.Matrix) *Collection {
	t.Helper()
	w := must[*Writer](t)(Create(dir, m.Dim))
	defer w.Abort()
	for from := 0; from < m.Rows; from += 7 {
		to := min(from+7, m.Rows)
		thumbs := make([][]byte, to-from)
		for i := range thumbs {
			if (from+i)%2 == 0 {
				thumbs[i] = fmt.Appendf(nil, "jpeg %d", from+i)
			}
		}
		if err := w.Append(items[from:to], m.Slice(from, to), thumbs); err != nil {
			t.Fatal(err)
		}
	}
	must[*Meta](t)(w.Commit(json.RawMessage(`{"model":"none"}`)))
	c := must[*Collection](t)(OpenFolder(dir))
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func TestCollectionRoundTrip(t *testing.T) {
	parent := t.TempDir()
	items, m := random(100, 5, 1)
	c := write(t, filepath.Join(parent, "new", "boards.set"), items, m)
	if c.Name != "boards" || !slices.Equal(c.Items, items) || !slices.Equal(c.Vectors.Data, m.Data) {
		t.Errorf("%s differs from what was written", c.Name)
	}
	if c.Meta.Rows != 100 || c.Meta.Dim != 5 || c.Meta.Thumbs != 50 || len(c.Meta.Digest) != 64 {
		t.Errorf("meta %+v", c.Meta)
	}
	var embedding struct{ Model string }
	if err := json.Unmarshal(c.Meta.Embedding, &embedding); err != nil || embedding.Model != "none" {
		t.Errorf("embedding %s (%v)", c.Meta.Embedding, err)
	}
	for _, row := range []int{98, 0, 51, 99, 2} {
		b, ok, err := c.Thumb(row)
		if err != nil || ok != (row%2 == 0) || ok && string(b) != fmt.Sprintf("jpeg %d", row) {
			t.Errorf("picture of row %d: %q %v %v", row, b, ok, err)
		}
	}
	if err := c.Verify(context.Background()); err != nil {
		t.Error(err)
	}
	if entries := must[[]os.DirEntry](t)(os.ReadDir(filepath.Join(parent, "new"))); len(entries) != 1 {
		t.Errorf("%v left behind", entries)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

func TestDigestNamesTheContent(t *testing.T) {
	items, m := random(20, 3, 1)
	digest := write(t, filepath.Join(t.TempDir(), "a"), items, m).Meta.Digest
	if again := write(t, filepath.Join(t.TempDir(), "b"), items, m).Meta.Digest; again != digest {
		t.Errorf("the same content has digests %s and %s", digest, again)
	}
	seen := map[string]string{digest: "the original"}
	for name, change := range map[string]func() (items []Item, m vec.Matrix){
		"a component": func() ([]Item, vec.Matrix) {
			m := vec.Matrix{Data: slices.Clone(m.Data), Rows: m.Rows, Dim: m.Dim}
			m.Data[59] += 1e-6
			return items, m
		},
		"a label": func() ([]Item, vec.Matrix) {
			items := slices.Clone(items)
			items[3].Label += "s"
			return items, m
		},
		"an id":        func() ([]Item, vec.Matrix) { items := slices.Clone(items); items[3].ID = "x"; return items, m },
		"the last row": func() ([]Item, vec.Matrix) { return items[:19], m.Slice(0, 19) },
	} {
		items, m := change()
		got := write(t, filepath.Join(t.TempDir(), "c"), items, m).Meta.Digest
		if other, ok := seen[got]; ok {
			t.Errorf("%s changed, and the digest is that of %s", name, other)
		}
		seen[got] = name
	}
}

func TestCreateRefusesWhatIsThere(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "c")
	items, m := random(3, 2, 1)
	early := must[*Writer](t)(Create(dir, 2)) // before the other commits
	defer early.Abort()
	if err := os.Mkdir(dir, 0o755); err != nil { // an empty folder is nothing
		t.Fatal(err)
	}
	write(t, dir, items, m)
	if _, err := Create(dir, 2); err == nil || !strings.Contains(err.Error(), "something already") {
		t.Errorf("Create over a collection: %v", err)
	}
	if err := early.Append(items, m, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := early.Commit(nil); err == nil {
		t.Error("Commit over a collection")
	}
	early.Abort()
	if entries := must[[]os.DirEntry](t)(os.ReadDir(filepath.Dir(dir))); len(entries) != 1 {
		t.Errorf("%v left behind", entries)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(file, 2); err == nil {
		t.Error("Create over a file")
	}
	if _, err := Create(filepath.Join(t.TempDir(), "x"), 0); err == nil {
		t.Error("Create of no dimensions")
	}
}

func TestWriterRefuses(t *testing.T) {
	items, m := random(3, 2, 1)
	for name, c := range map[string]struct {
		do     func(w *Writer) error
		reason string
	}{
		"fewer items":       {func(w *Writer) error { return w.Append(items[:2], m, nil) }, "2 items with 3 vectors"},
		"fewer pictures":    {func(w *Writer) error { return w.Append(items, m, make([][]byte, 1)) }, "1 pictures"},
		"another dimension": {func(w *Writer) error { return w.Append(items, vec.NewMatrix(3, 3), nil) }, "3 dimensions"},
		"a short matrix": {func(w *Writer) error {
			return w.Append(items, vec.Matrix{Data: make([]float32, 5), Rows: 3, Dim: 2}, nil)
		}, "in 5 values"},
		"no rows":        {func(w *Writer) error { _, err := w.Commit(nil); return err }, "no rows"},
		"a bad embeding": {func(w *Writer) error { w.Append(items, m, nil); _, err := w.Commit([]byte("{")); return err }, "not JSON"},
		"after Abort":    {func(w *Writer) error { w.Abort(); return w.Append(items, m, nil) }, "has ended"},
		"after Commit":   {func(w *Writer) error { w.Append(items, m, nil); w.Commit(nil); _, err := w.Commit(nil); return err }, "has ended"},
		"errors are final": {func(w *Writer) error {
			w.Append(items[:1], m, nil)
			w.Append(items, m, nil)
			_, err := w.Commit(nil)
			return err
		}, "1 items with 3 vectors"},
	} {
		dir := filepath.Join(t.TempDir(), "c")
		w := must[*Writer](t)(Create(dir, 2))
		if err := c.do(w); err == nil || !strings.Contains(err.Error(), c.reason) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: error %v, want %q", name, err, c.reason)
		}
		w.Abort()
		if entries := must[[]os.DirEntry](t)(os.ReadDir(filepath.Dir(dir))); name != "after Commit" && len(entries) > 0 {
			t.Errorf("%s: %v left behind", name, entries)
		}
	}
}

func TestOpenCollectionRefusesDamage(t *testing.T) {
	items, m := random(10, 2, 1)
	for name, c := range map[string]struct {
		damage func(t *testing.T, dir string)
		reason string
	}{
		"no meta.json": {func(t *testing.T, dir string) { os.Remove(filepath.Join(dir, metaFile)) }, "not a complete collection"},
		"torn meta.json": {func(t *testing.T, dir string) {
			os.WriteFile(filepath.Join(dir, metaFile), []byte(`{"version": 1,`), 0o644)
		}, metaFile},
		"another version": {func(t *testing.T, dir string) {
			os.WriteFile(filepath.Join(dir, metaFile), []byte(`{"version": 2}`), 0o644)
		}, "version 2"},
		"no digest": {func(t *testing.T, dir string) {
			os.WriteFile(filepath.Join(dir, metaFile), []byte(`{"version": 1, "rows": 10, "dim": 2}`), 0o644)
		}, "digest is damaged"},
		"vectors cut": {func(t *testing.T, dir string) { os.Truncate(filepath.Join(dir, vectorsFile), 200) }, "ends too early"},
		"other vectors": {func(t *testing.T, dir string) {
			must[int](t)(0, vecfile.WriteArray(filepath.Join(dir, vectorsFile), m.Slice(0, 9).Data, m.Dim))
		}, "has 9 vectors of 2 dimensions"},
		"no items":    {func(t *testing.T, dir string) { os.Remove(filepath.Join(dir, itemsFile)) }, itemsFile},
		"empty items": {func(t *testing.T, dir string) { os.Truncate(filepath.Join(dir, itemsFile), 0) }, "too few for 10 items"},
		"an item cut off": {func(t *testing.T, dir string) {
			b := must[[]byte](t)(os.ReadFile(filepath.Join(dir, itemsFile)))
			os.WriteFile(filepath.Join(dir, itemsFile), b[:len(b)-4], 0o644)
		}, itemsFile + ":10: not an item"},
		"an item too few": {func(t *testing.T, dir string) {
			b := must[[]byte](t)(os.ReadFile(filepath.Join(dir, itemsFile)))
			os.WriteFile(filepath.Join(dir, itemsFile), b[strings.IndexByte(string(b), '\n')+1:], 0o644)
		}, "has 9 items, there are 10 vectors"},
		"an item too many": {func(t *testing.T, dir string) {
			b := must[[]byte](t)(os.ReadFile(filepath.Join(dir, itemsFile)))
			os.WriteFile(filepath.Join(dir, itemsFile), append(b, "{\"id\":\"x\"}\n"...), 0o644)
		}, ":11: more lines than the 10 vectors"},
		"a line without end": {func(t *testing.T, dir string) {
			os.WriteFile(filepath.Join(dir, itemsFile), make([]byte, 2*vecfile.MaxLine), 0o644)
		}, itemsFile + ":1: "},
	} {
		dir := filepath.Join(t.TempDir(), "c")
		write(t, dir, items, m).Close()
		c.damage(t, dir)
		got, err := OpenFolder(dir)
		if err == nil {
			got.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.reason) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: error %v, want %q", name, err, c.reason)
		}
	}
}

func TestVerifySeesWhatOpenDoesNot(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "c")
	items, m := random(10, 2, 1)
	write(t, dir, items, m).Close()
	m.Data[3]++
	must[int](t)(0, vecfile.WriteArray(filepath.Join(dir, vectorsFile), m.Data, m.Dim))
	c := must[*Collection](t)(OpenFolder(dir))
	defer c.Close()
	if err := c.Verify(context.Background()); err == nil || !strings.Contains(err.Error(), "has changed") {
		t.Errorf("Verify: %v", err)
	}
}

func TestThumbRefusesForeignZips(t *testing.T) {
	items, m := random(10, 2, 1)
	for name, entry := range map[string]struct {
		name   string
		method uint16
		reason string
	}{
		"another name":     {"../0.jpg", zip.Store, "not the picture of a row"},
		"a row too many":   {"10.jpg", zip.Store, "not the picture of a row"},
		"a name of zeroes": {"00.jpg", zip.Store, "not the picture of a row"},
		"compressed":       {"0.jpg", zip.Deflate, "is compressed"},
	} {
		dir := filepath.Join(t.TempDir(), "c")
		c := write(t, dir, items, m)
		f := must[*os.File](t)(os.Create(filepath.Join(dir, thumbsFile)))
		z := zip.NewWriter(f)
		out, err := z.CreateHeader(&zip.FileHeader{Name: entry.name, Method: entry.method})
		if err != nil {
			t.Fatal(err)
		}
		out.Write(make([]byte, 1000))
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		f.Close()
		if _, _, err := c.Thumb(0); err == nil || !strings.Contains(err.Error(), entry.reason) {
			t.Errorf("%s: error %v, want %q", name, err, entry.reason)
		}
	}
	dir := filepath.Join(t.TempDir(), "c")
	c := write(t, dir, items, m)
	os.Truncate(filepath.Join(dir, thumbsFile), 100)
	if _, _, err := c.Thumb(0); err == nil {
		t.Error("a picture out of half a zip")
	}
}

func TestOpenVectors(t *testing.T) {
	dir := t.TempDir()
	_, m := random(4, 2, 1)
	path, labels := filepath.Join(dir, "v.npy"), filepath.Join(dir, "labels.txt")
	must[int](t)(0, vecfile.WriteArray(path, m.Data, m.Dim))
	c := must[*Collection](t)(OpenVectors(path, ""))
	defer c.Close()
	plain := must[string](t)(c.Digest(context.Background()))
	if c.Name != "v" || !slices.Equal(c.Items, []Item{{"0", ""}, {"1", ""}, {"2", ""}, {"3", ""}}) || len(plain) != 64 {
		t.Errorf("%+v", c)
	}
	if _, ok, err := c.Thumb(0); ok || err != nil {
		t.Errorf("a picture: %v %v", ok, err)
	}
	for text, want := range map[string][]string{
		"hat\ndress\n\nhat\n":         {"hat", "dress", "", "hat"},
		"hat\r\ndress\r\n  \r\n hat ": {"hat", "dress", "", "hat"},
	} {
		os.WriteFile(labels, []byte(text), 0o644)
		l := must[*Collection](t)(OpenVectors(path, labels))
		for i, item := range l.Items {
			if item.Label != want[i] {
				t.Errorf("%q gives row %d the label %q", text, i, item.Label)
			}
		}
		if digest := must[string](t)(l.Digest(context.Background())); digest == plain {
			t.Error("the digest does not depend on the labels")
		}
		l.Close()
	}
	for text, reason := range map[string]string{
		"hat\n":              "has 1 labels, there are 4 vectors",
		"1\n2\n3\n4\n5\n6":   "has 6 labels",
		"1\n2\n3\n4\n\n":     "has 5 labels",
		"":                   "has 0 labels",
		"a\nb\nc\n" + "\x00": "",
	} {
		os.WriteFile(labels, []byte(text), 0o644)
		l, err := OpenVectors(path, labels)
		if reason == "" {
			if err != nil {
				t.Error(err)
			}
			l.Close()
			continue
		}
		if err == nil || !strings.Contains(err.Error(), reason) || !strings.Contains(err.Error(), labels) {
			t.Errorf("%q: error %v, want %q", text, err, reason)
		}
	}
	if _, err := OpenVectors(path, filepath.Join(dir, "none.txt")); err == nil {
		t.Error("labels that are not there")
	}
	folder := filepath.Join(dir, "c")
	items, m := random(4, 2, 1)
	items[2].Label = "shoes"
	write(t, folder, items, m)
	os.WriteFile(labels, []byte("1\n2\n3\n4\n"), 0o644)
	if _, err := OpenVectors(folder, labels); err == nil || !strings.Contains(err.Error(), "labels already") {
		t.Errorf("labels twice: %v", err)
	}
}

func TestOpenKnowsItsFormats(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"v.fvecs", "v"} {
		os.WriteFile(filepath.Join(dir, name), nil, 0o644)
		if _, err := Open(filepath.Join(dir, name)); err == nil || !strings.Contains(err.Error(), "a collection folder and a NumPy file of float32 (.npy)") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Open(filepath.Join(dir, "none.npy")); err == nil || !strings.Contains(err.Error(), "there is no such file") {
		t.Errorf("missing: %v", err)
	}
	items, m := random(4, 2, 1)
	write(t, filepath.Join(dir, "c"), items, m)
	must[int](t)(0, vecfile.WriteArray(filepath.Join(dir, "V.NPY"), m.Data, m.Dim))
	for _, name := range []string{"c", "V.NPY"} {
		c := must[*Collection](t)(Open(filepath.Join(dir, name)))
		if c.Vectors.Rows != 4 {
			t.Errorf("%s has %d rows", name, c.Vectors.Rows)
		}
		c.Close()
	}
}

// Whatever becomes of a file of a collection, the error says which folder to delete, in a word of the shell.
func TestDamageSaysWhatToDelete(t *testing.T) {
	kinds := map[string]func(path string, whole []byte) error{
		"first bit": func(path string, b []byte) error { b[0] ^= 1; return os.WriteFile(path, b, 0o644) },
		"cut":       func(path string, b []byte) error { return os.WriteFile(path, b[:len(b)*2/3], 0o644) },
		"empty":     func(path string, _ []byte) error { return os.WriteFile(path, nil, 0o644) },
		"zeros":     func(path string, b []byte) error { clear(b); return os.WriteFile(path, b, 0o644) },
		"gone":      func(path string, _ []byte) error { return os.Remove(path) },
		"a folder":  func(path string, _ []byte) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o755)) },
	}
	for _, name := range []string{metaFile, itemsFile, vectorsFile} {
		for kind, damage := range kinds {
			dir := filepath.Join(t.TempDir(), "a collection")
			w, err := Create(dir, 2)
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Append([]Item{{ID: "a"}, {ID: "b"}}, vec.Matrix{Data: []float32{1, 2, 3, 4}, Rows: 2, Dim: 2}, nil); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Commit(nil); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, name)
			whole, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := damage(path, whole); err != nil {
				t.Fatal(err)
			}
			want := "rm -r '" + dir + "'"
			c, err := OpenFolder(dir)
			if err == nil {
				t.Errorf("%s, %s: opened", name, kind)
				c.Close()
			} else if !strings.Contains(err.Error(), want) {
				t.Errorf("%s, %s: %v does not say %s", name, kind, err, want)
			}
			if _, err := Create(dir, 2); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s, %s: creating it again: %v does not say %s", name, kind, err, want)
			}
		}
	}
}
