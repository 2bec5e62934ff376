package embedder

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"

	"annbench/embedder/catalog"
	"annbench/embedder/models"
)

func TestTrainedOn(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a/1.jpg", "a/2.jpg", "b/3.jpg", "b/4.jpg"} {
		path := filepath.Join(dir, "pictures", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("\xff\xd8\xff"+name), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	src, err := catalog.OpenFolder(filepath.Join(dir, "pictures"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("testdata/tiny.json")
	if err != nil {
		t.Fatal(err)
	}
	onnx, err := os.ReadFile("testdata/tiny.onnx")
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"tiny.json": append([]byte(`{"seen": "tiny.seen",`), text[1:]...), "tiny.onnx": onnx} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	var lines []byte
	for _, name := range []string{"a/1.jpg", "b/3.jpg", "elsewhere"} {
		sum := sha256.Sum256([]byte("\xff\xd8\xff" + name))
		lines = append(hex.AppendEncode(lines, sum[:8]), '\n')
	}
	if err := os.WriteFile(filepath.Join(dir, "tiny.seen"), lines, 0o666); err != nil {
		t.Fatal(err)
	}
	card, err := models.Open(filepath.Join(dir, "tiny.json"))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := models.Open("testdata/tiny.json")
	if err != nil {
		t.Fatal(err)
	}
	drawn, err := catalog.RenderedBoards(catalog.Config{Boards: 1, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what       string
		card       *models.Card
		src        catalog.Source
		first, end int
		want       int
	}{
		{"all", card, src, 0, 4, 2},
		{"from the second", card, src, 1, 4, 1},
		{"the second", card, src, 1, 2, 0},
		{"a card that names no list", plain, src, 0, 4, 0},
		{"no files", card, drawn, 0, drawn.Len(), 0},
	} {
		n, err := TrainedOn(t.Context(), c.card, c.src, c.first, c.end)
		if err != nil || n != c.want {
			t.Errorf("%s: %d, %v; want %d", c.what, n, err, c.want)
		}
	}
}
