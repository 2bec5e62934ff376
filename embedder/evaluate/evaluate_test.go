package evaluate

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"math"
	"slices"
	"strings"
	"testing"

	"annbench/embedder"
	"annbench/embedder/catalog"
	"annbench/embedder/models"
	"annbench/internal/usage"
	"annbench/reports/modelcard"
)

// patches are plain squares, one a group.
type patches []catalog.Picture

func (p patches) Name() string                           { return "patches" }
func (p patches) Labels() []string                       { return []string{"blue", "green", "red"} }
func (p patches) Len() int                               { return len(p) }
func (p patches) Groups() int                            { return len(p) }
func (p patches) Items(g int) []catalog.Item             { return []catalog.Item{p[g].Item} }
func (p patches) Group(g int) []catalog.Picture          { return p[g : g+1] }
func (p patches) Digest(context.Context) (string, error) { return "", nil }

// patch is a picture of one colour that is labelled, rightly or not.
func patch(id, label string, c color.Color) catalog.Picture {
	img := image.NewRGBA(image.Rect(0, 0, 8, 8))
	for i := range 64 {
		img.Set(i%8, i/8, c)
	}
	return catalog.Picture{Item: catalog.Item{ID: id, Label: label}, Image: img}
}

// The model of the embedder's tests answers with the means of red, green and blue, so what it says of plain
// squares is known beforehand: of six, one is labelled wrongly, and one cannot be read.
func TestModel(t *testing.T) {
	if err := embedder.CanRun(); err != nil {
		t.Skip(err)
	}
	card, err := embedder.OpenCard("../testdata/tiny.json", 0)
	if err != nil {
		t.Fatal(err)
	}
	red, green, blue := color.RGBA{200, 10, 10, 255}, color.RGBA{10, 200, 10, 255}, color.RGBA{10, 10, 200, 255}
	src := patches{
		patch("r1", "red", red), patch("r2", "red", red), patch("g1", "green", green),
		patch("g2", "green", green), patch("b1", "blue", blue), patch("b2", "blue", red),
		{Item: catalog.Item{ID: "b3", Label: "blue"}, Err: fmt.Errorf("torn")},
	}
	out, err := Model(t.Context(), card, []Collection{{Name: "patches", Splits: []Split{{"patches, all", src}}}}, Config{
		Threshold: 0.7, K: []int{1}, Errors: 4, Thumbnails: 8, Session: embedder.SessionOptions{Devices: []embedder.Device{embedder.CPU}},
	})
	if err != nil {
		t.Fatal(err)
	}
	e := out.Evaluations[0]
	if e.Name != "patches, all" || e.Images != 6 || e.Skipped != 1 || e.Top1 != 5./6 || e.Top5 != 1 {
		t.Errorf("%q: %d images, %d skipped, top-1 %v, top-5 %v", e.Name, e.Images, e.Skipped, e.Top1, e.Top5)
	}
	// Blue: precision 1, recall 1/2, F1 2/3; red: precision 2/3, recall 1, F1 4/5.
	if len(e.Errors) != 1 || e.Errors[0].ID != "b2" || e.Errors[0].Guess != "red" || len(e.Errors[0].Thumbnail) == 0 {
		t.Errorf("errors of marked categories: %+v", e.Errors)
	}
	// The nearest of b2 is red; b1 is alone. Four of six find their own category first.
	s := out.Searches[0]
	if !slices.Equal(s.Labels, []string{"blue", "green", "red"}) || !slices.Equal(s.Queries, []int{2, 2, 2}) {
		t.Errorf("search: labels %v, queries %v", s.Labels, s.Queries)
	}
	for _, v := range s.Vectors {
		if v.ByLabel[0][0] != 0 || v.ByLabel[1][0] != 1 || math.Abs(v.MAP[0]-4./6) > 1e-12 {
			t.Errorf("%s: mAP@1 %v, by label %v", v.Name, v.MAP, v.ByLabel)
		}
	}
	var text strings.Builder
	if err := modelcard.Print(&text, out); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(text.String(), "patches, all: 6 images, top-1 0.8333, top-5 1.0000\n1 more could not be read\n") {
		t.Error(text.String())
	}
}

// A model that reads larger pictures than it was trained on says so.
func TestDescribeCrops(t *testing.T) {
	for _, test := range []struct {
		crops string
		want  []modelcard.Fact
	}{
		{`{"crops": 160}`, []modelcard.Fact{{Name: "trained at", Value: "160 × 160 pixels"}}},
		{`{"crops": 192}`, nil},
		{`{}`, nil},
	} {
		m, err := describe(&models.Card{Input: models.Input{Width: 192, Height: 192}, Training: []byte(test.crops)})
		if err != nil {
			t.Fatal(err)
		}
		got := slices.DeleteFunc(slices.Clone(m.Facts), func(f modelcard.Fact) bool { return f.Name != "trained at" })
		if !slices.Equal(got, test.want) {
			t.Errorf("crops %s: %v, want %v", test.crops, got, test.want)
		}
	}
}

func TestLabelSet(t *testing.T) {
	card := &models.Card{
		Name: "two", Logits: &models.Logits{Output: "logits"}, Classes: []string{"red", "blue", "green", "red"},
		LabelSets: []models.LabelSet{{Name: "few", First: 0, Classes: 2}, {Name: "more", First: 1, Classes: 3}},
	}
	col := Collection{Name: "patches", Splits: []Split{{"", patches{}}}}
	set, err := labelSet(card, "", col)
	if err != nil || set.Name != "more" {
		t.Errorf("the set with all categories: %q, %v", set.Name, err)
	}
	for name, want := range map[string]string{
		"few":  `few lacks "green" (it has red, blue)`,
		"none": `model two has no label set "none"; it has "few", "more"`,
	} {
		if _, err := labelSet(card, name, col); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("set %s: %v", name, err)
		}
	}
	card.Logits = nil
	if _, err := Model(t.Context(), card, []Collection{col}, Config{}); !usage.Is(err) {
		t.Errorf("a model that does not classify: %v", err)
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []Config{{Errors: -1}, {Threshold: math.NaN()}, {Threshold: 1.5}, {K: []int{0}}, {K: []int{5, 5}}, {K: []int{MaxK + 1}}} {
		if c.Check() == nil {
			t.Errorf("%+v passes", c)
		}
	}
	if err := (Config{Threshold: 1, K: []int{1, MaxK}}).Check(); err != nil {
		t.Error(err)
	}
}

func TestSurest(t *testing.T) {
	var kept []modelcard.Error
	for i, confidence := range []float64{.5, .9, .5, .7} {
		kept = surest(kept, 3, modelcard.Error{ID: fmt.Sprint(i), Confidence: confidence})
	}
	var ids []string
	for _, e := range kept {
		ids = append(ids, e.ID)
	}
	if !slices.Equal(ids, []string{"1", "3", "0"}) {
		t.Errorf("kept %v", ids)
	}
}

func TestSoftmax(t *testing.T) {
	// Large logits do not overflow: shares of e^0, e^-ln 2, e^-ln 4 are 4/7, 2/7, 1/7.
	logits := []float32{1000, 1000 - math.Ln2, 1000 - 2*math.Ln2}
	for i, want := range []float64{4. / 7, 2. / 7, 1. / 7} {
		if got := softmax(logits, i); math.Abs(got-want) > 1e-4 { // float32 near 1000
			t.Errorf("share %d is %v, not %v", i, got, want)
		}
	}
}
