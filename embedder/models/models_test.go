package models

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// card is one that passes, of a model whose bytes are "\x08model".
func card() string {
	sum := sha256.Sum256([]byte("\x08model"))
	return fmt.Sprintf(`{
  "name": "m", "file": "m.onnx", "sha256": "%s", "doc": "d", "licence": "CC0",
  "input": {"name": "images", "layout": "NCHW", "type": "float32", "height": 4, "width": 6,
    "channels": "BGR", "fit": "cover", "resample": "bicubic-antialias", "mean": [0.5, 0.4, 0.3], "std": [1, 2, 3]},
  "embedding": {"output": "v", "dim": 3, "normalized": true},
  "logits": {"output": "l"}, "classes": ["hat", "shoe"],
  "training": {"anything": {"goes": [1, 2]}}, "accuracy": {"test": {"top1": 0.5}}
}`, hex.EncodeToString(sum[:]))
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	json, onnx := write(t, dir, "m.json", card()), write(t, dir, "m.onnx", "\x08model")
	for _, path := range []string{json, onnx} {
		c, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if c.Path != onnx || c.Name != "m" || c.Embedding.Dim != 3 || !c.Embedding.Normalized || c.Logits.Output != "l" ||
			c.Input.Components() != 72 || c.Input.Mean[2] != 0.3 || len(c.Classes) != 2 {
			t.Errorf("%s: %+v", path, c)
		}
		if data, err := c.ONNX(); err != nil || string(data) != "\x08model" {
			t.Errorf("%s: bytes %q, %v", path, data, err)
		}
	}

	t.Chdir(dir)
	c, err := Open("m.json")
	if err != nil {
		t.Fatal(err)
	}
	if !filepath.IsAbs(c.Path) {
		t.Errorf("path %s is not absolute", c.Path)
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "m.json", card())
	write(t, dir, "changed.onnx", "\x08other")
	write(t, dir, "changed.json", strings.Replace(card(), "m.onnx", "changed.onnx", 1))
	write(t, dir, "alone.onnx", "\x08model")
	write(t, dir, "text.txt", "\x08model")
	write(t, dir, "other.onnx", "\x08model")
	write(t, dir, "other.json", card())
	write(t, dir, "broken.json", "{\n\"name\": \"x\",\n?")
	for _, test := range []struct{ file, want string }{
		{"none.json", "no such file"},
		{"none.onnx", "no such file"},
		{"m.json", "m.onnx: no such file"},
		{"changed.json", "its SHA-256 is e755363c358cfa3552b929af84a15d538bc302ab97b61026ac8da691f1a5deb6"},
		{"alone.onnx", `its card ` + filepath.Join(dir, "alone.json") + ` (or .yaml) is missing; write one with "file", "input" {"fit", "resample"`},
		{"text.txt", "want a card (.json, .yaml) or an ONNX file (.onnx)"},
		{"other.onnx", "is that of m.onnx"},
		{"broken.json", "broken.json: line 3: "},
	} {
		_, err := Open(filepath.Join(dir, test.file))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v; want %q", test.file, err, test.want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for _, test := range []struct{ from, to, want string }{
		{`"doc": "d"`, `"dok": "d"`, `unknown key "dok"`},
		{`"normalized": true`, `"normalised": true`, `unknown key "normalised"`},
		{`"m.onnx"`, `""`, `"file" is missing`},
		{`"m.onnx"`, `"../m.onnx"`, "leaves the folder"},
		{`"m.onnx"`, `"/m.onnx"`, "leaves the folder"},
		{`"sha256": "`, `"sha256": "0`, "not a SHA-256"},
		{`"NCHW"`, `"CHWN"`, `"layout" is "CHWN"; known are NHWC, NCHW`},
		{`"float32"`, `"float16"`, `"type" is "float16"`},
		{`"float32"`, `"uint8"`, "belong to float32"},
		{`"BGR"`, `"GRAY"`, `"channels" is "GRAY"`},
		{`"cover"`, `"crop"`, `"fit" is "crop"`},
		{`"bicubic-antialias"`, `"nearest"`, `"resample" is "nearest"`},
		{`"height": 4`, `"height": 0`, "0 × 6"},
		{`"height": 4`, `"height": 5000`, "1 to 4096 pixels"},
		{`[0.5, 0.4, 0.3]`, `[0.5]`, `"mean" has 1 values`},
		{`[1, 2, 3]`, `[1, 0, 3]`, `"std" holds 0`},
		{`"dim": 3`, `"dim": -3`, `"dim" is -3`},
		{`"normalized": true`, `"normalized": true, "normalize": true`, "have length 1 already"},
		{`"cover"`, `"cover", "crop": 1.5`, `"crop" is 1.5`},
		{`"cover"`, `"stretch", "crop": 0.875`, `"crop" belongs to the fit "cover"`},
		{`"output": "l"`, `"output": ""`, `"logits": "output" is missing`},
		{`"output": "l"`, `"output": "v"`, "are both output"},
		{`["hat", "shoe"]`, `[]`, `"classes" are missing`},
		{`["hat", "shoe"]`, `["hat", "hat"]`, "stands there twice"},
		{`["hat", "shoe"]`, `["hat", "shoe"], "label_sets": [{"name": "a", "first": 1, "classes": 1}]`, `"a" has 1 classes from 1`},
		{`["hat", "shoe"]`, `["hat", "shoe"], "label_sets": [{"name": "a", "first": 0, "classes": 3}]`, `"a" has 3 classes from 0`},
		{`["hat", "shoe"]`, `["hat", "shoe"], "label_sets": [{"name": "a", "first": 0, "classes": 1}]`, "cover 1 of 2"},
		{`["hat", "shoe"]`, `["hat", "shoe"], "label_sets": [{"name": "a", "first": 0, "classes": 0}]`, `"a" has 0 classes`},
		{
			`["hat", "shoe"]`, `["hat", "shoe"], "label_sets": [{"name": "a", "first": 0, "classes": 1}, {"name": "a", "first": 1, "classes": 1}]`,
			`name "a" is empty or stands there twice`,
		},
		{`["hat", "shoe"]`, `["hat", "hat", "shoe"], "label_sets": [{"name": "a", "first": 0, "classes": 2}, {"name": "b", "first": 2, "classes": 1}]`, "stands there twice"},
		{`"top1": 0.5}}` + "\n}", `"top1": 0.5}}` + "\n} {}", "more after the card"},
		{`"dim": 3`, `"dim": "3"`, "dim"},
	} {
		text := strings.Replace(card(), test.from, test.to, 1)
		if text == card() {
			t.Fatalf("%q is not in the card", test.from)
		}
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s for %s: %v; want %q", test.to, test.from, err, test.want)
		}
	}
}

// A card may be YAML, and leave to the graph what it says.
func TestOpenYAML(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "clip.onnx", "\x08model")
	path := write(t, dir, "clip.yaml", `# a comment
file: clip.onnx
input: {fit: cover, resample: bicubic-antialias, crop: 0.875, mean: [0.5, 0.4, 0.3], std: [1, 2, 3]}
embedding: {normalize: true}
`)
	for _, path := range []string{path, filepath.Join(dir, "clip.onnx")} {
		c, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if c.Name != "clip" || c.SHA256 != digestBytes([]byte("\x08model")) || c.Input.Channels != "RGB" || c.Input.Crop != .875 || c.Input.Mean[1] != .4 || !c.Embedding.UnitLength() {
			t.Errorf("%+v", c)
		}
		if got := strings.Join(c.Missing(), ", "); got != `"input": "name", "input": "layout", "input": "type", "input": "height" and "width", "embedding": "output", "embedding": "dim"` {
			t.Errorf("missing: %s", got)
		}
	}
	for text, want := range map[string]string{
		"file: clip.onnx\ninput: {fit: cover, resampel: x}":                               `bad.yaml: unknown key "resampel"`,
		"file: clip.onnx\ninput: {fit: cover":                                             "bad.yaml: ",
		"file: clip.onnx\ninput: {fit: cover, resample: bilinear-antialias, height: 224}": "224 × 0",
	} {
		if _, err := Open(write(t, dir, "bad.yaml", text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want %q", text, err, want)
		}
	}
}

// Rounding to float16, by the values of IEEE 754's binary16.
func TestToHalf(t *testing.T) {
	for v, want := range map[float32]uint16{
		0: 0, 1: 0x3c00, -2: 0xc000, 65504: 0x7bff, 65519: 0x7bff, 65520: 0x7c00, 1e9: 0x7c00,
		0x1p-14: 0x0400, 0x1p-24: 1, 0x1p-25: 0, 0x1.8p-25: 1, 0x1p-26: 0,
		1 + 0x1p-11: 0x3c00, 1 + 0x3p-11: 0x3c02, 1 + 0x1.8p-11: 0x3c01, // ties go to even
		2 - 0x1p-12: 0x4000, // carries into the exponent
		1.0 / 3:     0x3555,
	} {
		if got := toHalf(v); got != want {
			t.Errorf("%v: %#04x, want %#04x", v, got, want)
		}
	}
	if got := toHalf(float32(math.NaN())); got&0x7c00 != 0x7c00 || got&0x3ff == 0 {
		t.Errorf("NaN: %#04x", got)
	}
}

func TestConvertErrors(t *testing.T) {
	tensor := func(v float32) []byte {
		raw := binary.LittleEndian.AppendUint32(nil, math.Float32bits(v))
		return pbMessage{numberField(tensorType, float32Type), bytesField(tensorName, []byte("w")), bytesField(tensorRaw, raw)}.marshal()
	}
	model := func(fields ...pbField) []byte {
		return pbMessage{bytesField(modelGraph, pbMessage(fields).marshal())}.marshal()
	}
	for want, onnx := range map[string][]byte{
		"not an ONNX model":      []byte("no protobuf"),
		"it has no graph":        pbMessage{numberField(1, 8)}.marshal(),
		"hold 100000, beyond":    model(bytesField(graphInitializer, tensor(100000))),
		"a graph inside":         model(bytesField(graphNode, pbMessage{bytesField(nodeOp, []byte("If")), bytesField(nodeAttribute, pbMessage{bytesField(attributeGraph, nil)}.marshal())}.marshal())),
		"in a file of their own": model(bytesField(graphInitializer, append(tensor(1), pbMessage{bytesField(tensorExternal, nil)}.marshal()...))),
	} {
		if _, err := Half(onnx); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q", err, want)
		}
	}
	// What is parsed and written again is the same, field by field.
	data, err := os.ReadFile("../testdata/net.onnx")
	if err != nil {
		t.Fatal(err)
	}
	m, err := parsePB(data)
	if err != nil || !bytes.Equal(m.marshal(), data) {
		t.Errorf("a model does not survive: %v", err)
	}
}

// Two collections may use one word.
func TestLabelSets(t *testing.T) {
	c, err := Parse([]byte(card()))
	if err != nil {
		t.Fatal(err)
	}
	if sets := c.Sets(); len(sets) != 1 || sets[0] != (LabelSet{Classes: 2}) {
		t.Errorf("sets %+v", sets)
	}
	text := strings.Replace(card(), `["hat", "shoe"]`,
		`["hat", "shoe", "hat"], "label_sets": [{"name": "a", "first": 0, "classes": 2}, {"name": "b", "first": 2, "classes": 1}]`, 1)
	if c, err = Parse([]byte(text)); err != nil {
		t.Fatal(err)
	}
	sets := c.Sets()
	if len(sets) != 2 || sets[1].Name != "b" || !slices.Equal(c.ClassesOf(sets[0]), []string{"hat", "shoe"}) || !slices.Equal(c.ClassesOf(sets[1]), []string{"hat"}) {
		t.Errorf("sets %+v", sets)
	}
}

func TestDefault(t *testing.T) {
	t.Chdir(t.TempDir()) // it needs no files
	c, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	if c.Name != DefaultName || c.Path != "" || c.Input.Type != "uint8" || c.Logits == nil {
		t.Errorf("%+v", c)
	}
	data, err := c.ONNX()
	if err != nil {
		t.Fatal(err)
	}
	if digestBytes(data) != c.SHA256 {
		t.Error("the model's bytes are not those of its card")
	}
}
