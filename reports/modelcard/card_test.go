package modelcard

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"annbench/bench/metric"
)

const markup = `<script>alert("x")</script>'&"`

func modelCardFixture(t *testing.T) *Card {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, 60, 96))
	for i := range 60 {
		img.Set(i, i, color.White)
	}
	var photo bytes.Buffer
	if err := jpeg.Encode(&photo, img, nil); err != nil {
		t.Fatal(err)
	}
	confusion := metric.NewConfusion([]string{"hat", markup, "bag"})
	for _, a := range [][3]int{{0, 0, 9}, {0, 1, 1}, {1, 1, 2}, {1, 0, 6}} {
		for range a[2] {
			confusion.Add(a[0], a[1])
		}
	}
	lid := 8.25
	return &Card{
		Name: "m" + markup, Digest: strings.Repeat("ab", 32), Doc: markup, Licence: markup, Facts: []Fact{{markup, markup}},
		Training: &Training{
			Epochs: []float64{1, 2, 3}, TrainLoss: []float64{2, 1, 0.5}, ValLoss: []float64{1.5, 1, 0.75},
			Accuracy: []Series{{"top-1 " + markup, []float64{0.5, 0.75, 0.8}}, {"top-5", []float64{0.9, 1, 1}}}, Chosen: 3,
		},
		Evaluations: []Evaluation{{
			Name: "photographs, test " + markup, Images: 18, Skipped: 1, Top1: 11.0 / 18, Top5: 1, Threshold: 0.8, Confusion: *confusion,
			Errors: []Error{
				{ID: markup, Truth: markup, Guess: "hat", Confidence: 0.9, Thumbnail: photo.Bytes()},
				{ID: "b", Truth: markup, Guess: "hat", Confidence: 0.8, Thumbnail: []byte("no JPEG")},
			},
		}},
		Searches: []Search{{
			Name: markup, Images: 18, K: []int{5, 10}, Labels: []string{"hat", markup, "bag"}, Queries: []int{10, 8, 0},
			Vectors: []Vectors{{
				Name: markup, Dim: 512, Metric: "cosine", MAP: []float64{0.75, 0.5}, ByLabel: [][]float64{{1, 0.5}, {0.25, 0.125}, nil}, LID: &lid, LIDK: 17,
			}},
		}},
	}
}

func TestWriteModelCard(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "card")
	m := modelCardFixture(t)
	files, err := Write(dir, m)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range files {
		names = append(names, filepath.Base(f))
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte("<script")) {
			t.Errorf("%s: a string of the card is not escaped", f)
		}
		if filepath.Ext(f) == ".png" {
			if _, err := png.Decode(bytes.NewReader(b)); err != nil {
				t.Errorf("%s: %v", f, err)
			}
		}
	}
	// What markup is worth in a file's name: its letters.
	const set = "photographs-test-script-alert-x-script"
	want := []string{
		"index.html", "modelcard.json", "training.png", "training.svg", "categories-" + set + ".png", "categories-" + set + ".svg",
		"confusion-" + set + ".png", "confusion-" + set + ".svg", "errors-" + set + ".png",
	}
	if !reflect.DeepEqual(names, want) {
		t.Errorf("files %q\nwant  %q", names, want)
	}

	back, err := Read(dir)
	if err != nil || !reflect.DeepEqual(back, m) {
		t.Errorf("read back: %v\n%+v\n%+v", err, back, m)
	}
	section, err := Section(dir)
	if err != nil {
		t.Fatal(err)
	}
	// F1: 2·9/(15+10) = 0.72 of hats; 2·2/(3+8) = 0.3636 of the second. Both are below 0.8; bags have none.
	for _, want := range []string{
		`<section id="model"`, "2 categories below an F1 of 0.8", "0.7200", "0.3636", "hat (6)", "data:image/jpeg;base64,", "LID 8.2 over 17",
		"0.1250", `aria-label="Confusion matrix of photographs, test &lt;script&gt;`,
	} {
		if !strings.Contains(string(section), want) {
			t.Errorf("the section has no %q", want)
		}
	}
	if strings.Count(string(section), `class="mclow"`) != 2 {
		t.Error("not two rows are marked")
	}
	if strings.Contains(string(section), "<script") {
		t.Error("a string of the card is not escaped in the section")
	}
}

func TestModelCardAbsent(t *testing.T) {
	dir := t.TempDir()
	if s, err := Section(dir); s != "" || err != nil {
		t.Errorf("%q, %v", s, err)
	}
	if _, err := Read(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	for _, text := range []string{
		"{", `{"training": {"epochs": [1], "train_loss": []}}`,
		`{"evaluations": [{"confusion": {"classes": ["a"], "counts": [[1, 2]]}}]}`,
		`{"searches": [{"labels": ["a"], "queries": [1], "k": [5], "vectors": [{"map": [1], "by_label": [[1, 2]]}]}]}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, File), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := Section(dir); err == nil || !strings.Contains(err.Error(), File) {
			t.Errorf("%s: %v", text, err)
		}
	}
	// A card of nothing but a name can be drawn.
	if _, err := Write(filepath.Join(dir, "bare"), &Card{Name: "m", Training: &Training{}}); err != nil {
		t.Error(err)
	}
}
