package evaluate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"annbench/embedder/models"
	"annbench/reports/modelcard"
)

// describe is what the report card says of the model itself.
func describe(card *models.Card) (*modelcard.Card, error) {
	m := &modelcard.Card{Name: card.Name, Digest: card.SHA256, Doc: card.Doc, Licence: card.Licence}
	fact := func(name, format string, args ...any) {
		m.Facts = append(m.Facts, modelcard.Fact{Name: name, Value: fmt.Sprintf(format, args...)})
	}
	fact("input", "%d × %d pixels, %s", card.Input.Width, card.Input.Height, card.Input.Fit)
	fact("vectors", "%d dimensions", card.Embedding.Dim)
	for _, set := range card.Sets() {
		name := "categories"
		if set.Name != "" {
			name += " of " + set.Name
		}
		fact(name, "%d: %s", set.Classes, strings.Join(card.ClassesOf(set), ", "))
	}
	var how struct {
		Data    string  `json:"data"`
		Arch    string  `json:"arch"`
		Crops   int     `json:"crops"`
		Init    string  `json:"init"`
		Teacher string  `json:"teacher"`
		Epochs  int     `json:"epochs"`
		Chosen  float64 `json:"chosen_epoch"`
		Seed    *int    `json:"seed"`
		Seconds float64 `json:"seconds"`
		Device  string  `json:"device"`
		Torch   string  `json:"torch"`
	}
	if len(card.Training) > 0 && json.Unmarshal(card.Training, &how) == nil { // other recipes say other things
		for _, f := range []struct{ name, value string }{
			{"trained on", how.Data}, {"network", how.Arch}, {"started from", how.Init}, {"learned from", how.Teacher}, {"device", how.Device}, {"torch", how.Torch},
		} {
			if f.value != "" {
				fact(f.name, "%s", f.value)
			}
		}
		if how.Crops > 0 && how.Crops != card.Input.Height {
			fact("trained at", "%d × %d pixels", how.Crops, how.Crops)
		}
		if how.Epochs > 0 {
			fact("epochs", "%d, of which %.0f was exported", how.Epochs, how.Chosen)
		}
		if how.Seconds > 0 {
			fact("time to train", "%.0f min", how.Seconds/60)
		}
		if how.Seed != nil {
			fact("seed", "%d", *how.Seed)
		}
	}
	h, err := card.History()
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	if err != nil {
		return nil, err
	}
	t := &modelcard.Training{Epochs: h.Column("epoch"), TrainLoss: h.Column("train_loss"), ValLoss: h.Column("val_loss"), Chosen: how.Chosen}
	if len(card.LabelSets) == 0 {
		t.Accuracy = []modelcard.Series{{Name: "top-1", Values: h.Column("top1")}, {Name: "top-5", Values: h.Column("top5")}}
	}
	for _, set := range card.LabelSets {
		for _, k := range []string{"1", "5"} {
			if values := h.Column(set.Name + "_top" + k); values != nil {
				t.Accuracy = append(t.Accuracy, modelcard.Series{Name: set.Name + " top-" + k, Values: values})
			}
		}
	}
	m.Training = t
	return m, nil
}
