// Package models describes the ONNX models that annbench embeds images with: a [Card] says what a
// model takes and gives, and which bytes it is.
//
// It reads cards and checks digests. It does not run models, which is the business of package
// embedder, and downloads nothing. The model that ships, and the recipe that trained it, lie in
// this folder.
package models

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Card describes one ONNX model. In a file it is JSON; an unknown key is an error, except inside
// "training" and "accuracy", which hold whatever the recipe wrote.
type Card struct {
	Name string `json:"name"`

	// File is the model's path below the folder of its card, with slashes.
	File string `json:"file"`

	// SHA256 of the ONNX file, as 64 lower-case hexadecimal digits. [Open] compares it with the
	// file. Weights that the model keeps in files of their own are not covered.
	SHA256 string `json:"sha256"`

	Doc     string `json:"doc"`
	Licence string `json:"licence"`

	Input     Input     `json:"input"`
	Embedding Embedding `json:"embedding"`
	Logits    *Logits   `json:"logits,omitempty"` // nil: the model does not classify

	// Classes names the columns of the logits, in order.
	Classes []string `json:"classes,omitempty"`

	// LabelSets are the parts of Classes that the model tells apart: it answers a picture within
	// one of them. They follow each other and cover Classes; none at all means that Classes are one.
	LabelSets []LabelSet `json:"label_sets,omitempty"`

	Training json.RawMessage `json:"training,omitempty"` // how it was trained
	Accuracy json.RawMessage `json:"accuracy,omitempty"` // how well it classifies

	// Path is the absolute path of the ONNX file; empty for a model that is part of the program.
	Path string `json:"-"`

	onnx []byte // the model itself, where Path is empty
}

// Input is the picture that a model takes: one tensor, a batch of which is its only input.
type Input struct {
	Name   string `json:"name"`
	Layout string `json:"layout"` // one of Layouts: order of the axes; N is the batch
	Type   string `json:"type"`   // one of Types: of a component
	Height int    `json:"height"` // pixels
	Width  int    `json:"width"`  // pixels

	Channels string `json:"channels"` // one of ChannelOrders
	Fit      string `json:"fit"`      // one of Fits: how a picture of another shape becomes Height × Width
	Resample string `json:"resample"` // one of Resamples

	// Mean and Std, of red, green and blue in this order, belong to float32 inputs alone. With v
	// the component in 0..255, the model is given (v/255 - Mean) / Std; without them, v/255.
	// A uint8 input is v itself.
	Mean []float32 `json:"mean,omitempty"`
	Std  []float32 `json:"std,omitempty"`
}

// What the words of an [Input] may be.
var (
	Layouts       = []string{"NHWC", "NCHW"}
	Types         = []string{"uint8", "float32"}
	ChannelOrders = []string{"RGB", "BGR"}

	// Fits: "stretch" scales width and height each by its own factor. "cover" keeps the proportions
	// and cuts what is too much off both sides. "contain" keeps the proportions and the entire
	// picture, centred on white.
	Fits = []string{"stretch", "cover", "contain"}

	// Resamples: the triangle filter, or the cubic with a = -1/2 (Catmull-Rom), each widened by the
	// factor of reduction, so that shrinking does not alias. Pillow calls them BILINEAR and BICUBIC.
	Resamples = []string{"bilinear-antialias", "bicubic-antialias"}
)

// Embedding is the output that holds the vectors: float32 [batch, Dim].
type Embedding struct {
	Output     string `json:"output"`
	Dim        int    `json:"dim"`
	Normalized bool   `json:"normalized"` // every vector has length 1
}

// Logits is the output that holds the classification: float32 [batch, classes].
type Logits struct {
	Output string `json:"output"`
}

// LabelSet is a part of the classes: columns First to First+Classes-1 of the logits. A model that
// learned from several collections has one for each, because what one calls shirt another calls top.
type LabelSet struct {
	Name    string `json:"name"`
	First   int    `json:"first"`
	Classes int    `json:"classes"`
}

// maxSide bounds a model's input, in pixels: four times what any embedder in use takes, and small
// enough that a slip in a card does not ask for all memory.
const maxSide = 4096

// Open reads the card of a model and checks the model's bytes against it. The path is that of the
// card (.json), or of an ONNX file with its card beside it (x.onnx, x.json).
func Open(path string) (*Card, error) {
	cardPath := path
	if ext := filepath.Ext(path); ext != ".json" {
		if _, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("opening model: %w", err)
		}
		if ext != ".onnx" {
			return nil, fmt.Errorf("opening model %s: want a card (.json) or an ONNX file (.onnx)", path)
		}
		cardPath = strings.TrimSuffix(path, ext) + ".json"
		if _, err := os.Stat(cardPath); errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("opening model %s: its card %s is missing; write one with %s", path, cardPath, wanted)
		}
	}
	text, err := os.ReadFile(cardPath)
	if err != nil {
		return nil, fmt.Errorf("opening model: %w", err)
	}
	card, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("reading model card %s: %w", cardPath, err)
	}

	onnxPath, err := filepath.Abs(filepath.Join(filepath.Dir(cardPath), filepath.FromSlash(card.File)))
	if err != nil {
		return nil, fmt.Errorf("opening model %s: %w", cardPath, err)
	}
	if cardPath != path {
		if same, err := sameFile(path, onnxPath); err != nil || !same {
			return nil, fmt.Errorf("opening model %s: the card beside it, %s, is that of %s", path, cardPath, card.File)
		}
	}
	digest, err := digestFile(onnxPath)
	if err != nil {
		return nil, fmt.Errorf("opening model %s: %w", cardPath, err)
	}
	if digest != card.SHA256 {
		return nil, fmt.Errorf("opening model %s: its SHA-256 is %s, its card %s says %s; "+
			"fetch the file again, or correct the card if the change was meant", onnxPath, digest, cardPath, card.SHA256)
	}
	card.Path = onnxPath
	return card, nil
}

// wanted tells who has a model and no card what to write.
const wanted = `"name", "file", "sha256" (of the ONNX file), ` +
	`"input" {"name", "layout", "type", "height", "width", "channels", "fit", "resample", and for float32 "mean" and "std"}, ` +
	`"embedding" {"output", "dim", "normalized"}; optional: "doc", "licence", "logits" {"output"}, "classes"`

// Parse reads a card and checks everything in it that can be checked without its model.
func Parse(text []byte) (*Card, error) {
	var card Card
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&card); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			line := 1 + bytes.Count(text[:min(syntax.Offset, int64(len(text)))], []byte("\n"))
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		if field, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
			return nil, fmt.Errorf("unknown key %s; a card has %s", field, wanted)
		}
		return nil, err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, errors.New("there is more after the card's closing brace")
	}
	if err := card.check(); err != nil {
		return nil, err
	}
	return &card, nil
}

func (c *Card) check() error {
	in := &c.Input
	switch {
	case c.Name == "":
		return errors.New(`"name" is missing`)
	case c.File == "":
		return errors.New(`"file" is missing: the ONNX file, relative to the card`)
	case !filepath.IsLocal(filepath.FromSlash(c.File)):
		return fmt.Errorf(`"file": %q leaves the folder of the card`, c.File)
	case !isDigest(c.SHA256):
		return fmt.Errorf(`"sha256": %q is not a SHA-256 in 64 lower-case hexadecimal digits`, c.SHA256)
	case in.Name == "":
		return errors.New(`"input": "name" is missing`)
	case in.Height < 1 || in.Height > maxSide || in.Width < 1 || in.Width > maxSide:
		return fmt.Errorf(`"input": "height" × "width" of %d × %d; each is 1 to %d pixels`, in.Height, in.Width, maxSide)
	case c.Embedding.Output == "":
		return errors.New(`"embedding": "output" is missing: the name of the model's output`)
	case c.Embedding.Dim < 1:
		return fmt.Errorf(`"embedding": "dim" is %d; it is the number of components of a vector`, c.Embedding.Dim)
	}
	for _, word := range []struct {
		key, value string
		known      []string
	}{
		{"layout", in.Layout, Layouts},
		{"type", in.Type, Types},
		{"channels", in.Channels, ChannelOrders},
		{"fit", in.Fit, Fits},
		{"resample", in.Resample, Resamples},
	} {
		if !slices.Contains(word.known, word.value) {
			return fmt.Errorf(`"input": %q is %q; known are %s`, word.key, word.value, strings.Join(word.known, ", "))
		}
	}
	if err := in.checkScale(); err != nil {
		return fmt.Errorf(`"input": %w`, err)
	}
	if c.Logits != nil {
		switch {
		case c.Logits.Output == "":
			return errors.New(`"logits": "output" is missing: the name of the model's output`)
		case c.Logits.Output == c.Embedding.Output:
			return fmt.Errorf(`"logits" and "embedding" are both output %q`, c.Logits.Output)
		case len(c.Classes) == 0:
			return errors.New(`"classes" are missing: the names of the columns of the logits`)
		}
	}
	return c.checkClasses()
}

func (c *Card) checkClasses() error {
	next, names := 0, make(map[string]bool, len(c.LabelSets))
	for _, set := range c.LabelSets {
		if set.Name == "" || names[set.Name] {
			return fmt.Errorf(`"label_sets": the name %q is empty or stands there twice`, set.Name)
		}
		if names[set.Name] = true; set.First != next || set.Classes < 1 || set.Classes > len(c.Classes)-next {
			return fmt.Errorf(`"label_sets": %q has %d classes from %d; sets follow each other from 0 and cover the %d classes`,
				set.Name, set.Classes, set.First, len(c.Classes))
		}
		next += set.Classes
	}
	if len(c.LabelSets) > 0 && next != len(c.Classes) {
		return fmt.Errorf(`"label_sets" cover %d of %d classes`, next, len(c.Classes))
	}
	for _, set := range c.Sets() {
		seen := make(map[string]bool, set.Classes)
		for i, class := range c.Classes[set.First : set.First+set.Classes] {
			if class == "" || seen[class] {
				return fmt.Errorf(`"classes": %q at position %d is empty or stands there twice`, class, set.First+i)
			}
			seen[class] = true
		}
	}
	return nil
}

// Sets are the label sets, or all classes as the only one, without a name. A card without classes
// has none. The caller owns the slice.
func (c *Card) Sets() []LabelSet {
	switch {
	case len(c.LabelSets) > 0:
		return slices.Clone(c.LabelSets)
	case len(c.Classes) > 0:
		return []LabelSet{{Classes: len(c.Classes)}}
	}
	return nil
}

// ClassesOf names the columns of a set of the card, in order. The caller owns the slice.
func (c *Card) ClassesOf(s LabelSet) []string {
	return slices.Clone(c.Classes[s.First : s.First+s.Classes])
}

func (in *Input) checkScale() error {
	if in.Type == "uint8" && (in.Mean != nil || in.Std != nil) {
		return errors.New(`"mean" and "std" belong to float32 inputs; a uint8 input is normalised inside the model`)
	}
	for _, scale := range []struct {
		key    string
		values []float32
	}{{"mean", in.Mean}, {"std", in.Std}} {
		if scale.values != nil && len(scale.values) != 3 {
			return fmt.Errorf("%q has %d values; it has three, of red, green and blue", scale.key, len(scale.values))
		}
		for _, v := range scale.values {
			if f := float64(v); math.IsNaN(f) || math.IsInf(f, 0) || (scale.key == "std" && v <= 0) {
				return fmt.Errorf("%q holds %v", scale.key, v)
			}
		}
	}
	return nil
}

// Components is the number of values of one picture in the input tensor.
func (in *Input) Components() int { return in.Height * in.Width * 3 }

// ONNX returns the bytes of the model. They must not be changed.
func (c *Card) ONNX() ([]byte, error) {
	if c.Path == "" {
		if c.onnx == nil {
			return nil, fmt.Errorf("model %s: the card was not opened, so there is no file to read", c.Name)
		}
		return c.onnx, nil
	}
	return os.ReadFile(c.Path)
}

// FromBytes is a model that is part of a program: its card and its ONNX file, which are checked against
// each other. The card's Path is empty.
func FromBytes(text, onnx []byte) (*Card, error) {
	card, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("reading a model's card: %w", err)
	}
	if digest := digestBytes(onnx); digest != card.SHA256 {
		return nil, fmt.Errorf("opening model %s: its SHA-256 is %s, its card says %s", card.Name, digest, card.SHA256)
	}
	card.onnx = onnx
	return card, nil
}

func digestFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func digestBytes(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func sameFile(a, b string) (bool, error) {
	infoA, err := os.Stat(a)
	if err != nil {
		return false, err
	}
	infoB, err := os.Stat(b)
	if err != nil {
		return false, err
	}
	return os.SameFile(infoA, infoB), nil
}

func isDigest(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == sha256.Size && s == strings.ToLower(s)
}
