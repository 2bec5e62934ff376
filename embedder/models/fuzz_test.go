package models

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// ends has what does not end be a panic that names the input.
func ends(what string) func() {
	t := time.AfterFunc(5*time.Minute, func() { panic(what + " does not end") })
	return func() { t.Stop() }
}

// FuzzCard gives the reader of cards damaged ones, in JSON and in YAML.
func FuzzCard(f *testing.F) {
	for _, name := range []string{"../testdata/tiny.json", "../testdata/fixed.json", "../testdata/net.json"} {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text), false)
	}
	f.Add("file: m.onnx\ninput: {fit: cover, resample: bicubic-antialias, mean: [0.4, 0.4, 0.4], std: [0.2, 0.2, 0.2]}\n", true)
	f.Add("file: !!binary m\ninput: &a\n<<: *a\nclasses: [a, b]\n", true)
	f.Fuzz(func(t *testing.T, text string, yaml bool) {
		defer ends("a card")()
		ext := ".json"
		if yaml {
			ext = ".yaml"
		}
		path := filepath.Join(t.TempDir(), "card"+ext)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if card, err := Open(path); err == nil {
			t.Errorf("a card without a model opens: %v", card)
		}
	})
}

// FuzzONNX gives the parser of models damaged ones: it ends with a model or one error.
func FuzzONNX(f *testing.F) {
	for _, name := range []string{"../testdata/tiny.onnx", "../testdata/fixed.onnx", "../testdata/net.onnx"} {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		if len(data) < 1<<16 {
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		defer ends("a model")()
		out, err := Half(slices.Clone(data))
		if err == nil {
			if _, err := parsePB(out); err != nil {
				t.Errorf("what was written cannot be read: %v", err)
			}
		}
		card := &Card{Name: "x", File: "x.onnx", onnx: data}
		card.Input.Layout, card.Input.Type, card.Input.Fit, card.Input.Name, card.Input.Height, card.Input.Width = "NCHW", "float32", "cover", "input", 8, 8
		_, _ = card.Resized(16, 16)
	})
}
