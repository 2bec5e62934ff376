package collection

import (
	"path/filepath"
	"strings"
	"testing"

	"annbench/indexes/vec"
)

func folder(t *testing.T, name string, ids []string, dim int, thumbs bool) *Collection {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	w, err := Create(dir, dim)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	m := vec.NewMatrix(len(ids), dim)
	var items []Item
	var pictures [][]byte
	for i, id := range ids {
		for j := range dim {
			m.Row(i)[j] = float32(len(name)*100 + i*10 + j)
		}
		items = append(items, Item{ID: id, Label: name + "s"})
		pictures = append(pictures, []byte("picture of "+name+" "+id))
	}
	if !thumbs {
		pictures = nil
	}
	if err := w.Append(items, m, pictures); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(nil); err != nil {
		t.Fatal(err)
	}
	c, err := OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// TestJoin: vectors, labels and pictures of both sides are kept, ids stay unique, and the second time nothing is copied.
func TestJoin(t *testing.T) {
	base, queries := folder(t, "product", []string{"a", "b", "c"}, 2, true), folder(t, "scene", []string{"b", "d"}, 2, true)
	cache := t.TempDir()
	for range 2 {
		c, err := Join(t.Context(), base, queries, "", cache, nil)
		if err != nil {
			t.Fatal(err)
		}
		var ids, labels []string
		for _, item := range c.Items {
			ids, labels = append(ids, item.ID), append(labels, item.Label)
		}
		if got := strings.Join(ids, " "); got != "a b c queries/b queries/d" || strings.Join(labels, " ") != "products products products scenes scenes" {
			t.Errorf("items %q, %q", ids, labels)
		}
		if c.Meta.Queries != 2 || c.Vectors.Row(3)[1] != queries.Vectors.Row(0)[1] {
			t.Errorf("%d queries, row 3 is %v", c.Meta.Queries, c.Vectors.Row(3))
		}
		if b, ok, err := c.Thumb(4); err != nil || !ok || string(b) != "picture of scene d" {
			t.Errorf("picture of row 4: %q %v %v", b, ok, err)
		}
		c.Close()
	}
	if _, err := Join(t.Context(), base, folder(t, "other", []string{"x"}, 3, false), "", cache, nil); err == nil || !strings.Contains(err.Error(), "another model") {
		t.Errorf("other dimensions: %v", err)
	}
}
