package record

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"annbench/internal/atomicfile"
)

func TestMap(t *testing.T) {
	dir := t.TempDir()
	if m, err := OpenMap(dir); m != nil || err != nil {
		t.Fatalf("no file: %v, %v", m, err)
	}
	want := &Map{
		Digest: "d", Rows: 9, Metric: "l2", Seed: 3, ID: []string{"a", "b"}, Label: []int{0, -1}, Labels: []string{"hat"},
		Methods: []Projection{{Name: "PCA", Note: "n", X: []float64{1, 2}, Y: []float64{3, 4}, Kept: .5}},
	}
	if err := atomicfile.WriteJSON(filepath.Join(dir, MapFile), want); err != nil {
		t.Fatal(err)
	}
	if got, err := OpenMap(dir); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	for text, says := range map[string]string{
		`{"id": ["a"], "label": []}`:                                                          "0 labels of 1 points",
		`{"id": ["a"], "label": [1], "labels": ["hat"]}`:                                      "label 1 of 1",
		`{"id": ["a"], "label": [-1], "methods": [{"name": "PCA", "x": [1], "y": [1, 2]}]}`:   "PCA has 1 by 2",
		`{"id": ["a"], "label": [-1], "methods": [{"name": "PCA", "x": ["near"], "y": [1]}]}`: "map.json",
	} {
		if err := os.WriteFile(filepath.Join(dir, MapFile), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenMap(dir); err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), MapFile) {
			t.Errorf("%s: error %v, want one that says %q", text, err, says)
		}
	}
}
