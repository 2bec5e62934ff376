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

	"github.com/goccy/go-yaml"

	"annbench/internal/filekind"
	"annbench/internal/plaintext"
)

// Card describes one ONNX model. In a file it is JSON or YAML; an unknown key is an error, except inside
// "training" and "accuracy", which hold whatever the recipe wrote. What the model's graph says by itself may
// be left out: see [Card.Missing].
type Card struct {
	Name string `json:"name"`

	// File is the model's path below the folder of its card, with slashes.
	File string `json:"file"`

	// SHA256 of the ONNX file, as 64 lower-case hexadecimal digits. [Open] compares it with the
	// file. Weights that the model keeps in files of their own are not covered. A card that leaves it
	// out is given that of the file.
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

	// SeenFile is a list of the files that the model was trained on, in the folder of the card: see
	// [Card.Seen]. Search among these pictures flatters the model.
	SeenFile string `json:"seen,omitempty"`

	// Path is the absolute path of the ONNX file; empty for a model that is part of the program.
	Path string `json:"-"`

	onnx  []byte // the model itself, where Path is empty
	files fs.FS  // the folder of the card; nil for a card that was not opened
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

	// Crop is the part of each side that Fit "cover" keeps, from the middle; 0 means all of it. Models that
	// were trained on pictures scaled to 256 and cropped to 224 have 0.875.
	Crop float64 `json:"crop,omitempty"`

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

	// Normalize has annbench bring every vector to length 1, for a model that does not do so itself.
	Normalize bool `json:"normalize,omitempty"`
}

// UnitLength reports whether vectors come with length 1, by the model or by annbench.
func (e Embedding) UnitLength() bool { return e.Normalized || e.Normalize }

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

// cardTypes are the kinds of files that a card may be.
var cardTypes = []string{".json", ".yaml", ".yml"}

// Open reads the card of a model and checks the model's bytes against it. The path is that of the
// card (.json, .yaml), or of an ONNX file with its card beside it (x.onnx, x.json), or the name of a
// model that ships: see [IsShipped].
func Open(path string) (*Card, error) {
	if IsShipped(path) {
		return openShipped(path)
	}
	cardPath := path
	if ext := filepath.Ext(path); !slices.Contains(cardTypes, ext) {
		if _, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("opening model: %w; the models that ship are %s", err, strings.Join(Shipped, " and "))
		}
		if ext != ".onnx" {
			return nil, fmt.Errorf("opening model %s: want a card (.json, .yaml) or an ONNX file (.onnx)", path)
		}
		if err := isModel(path); err != nil {
			return nil, fmt.Errorf("opening model: %w", err)
		}
		stem := strings.TrimSuffix(path, ext)
		at := slices.IndexFunc(cardTypes, func(t string) bool {
			_, err := os.Stat(stem + t)
			return err == nil
		})
		if at < 0 {
			return nil, fmt.Errorf("opening model %s: its card %s (or .yaml) is missing; write one with %s", path, stem+".json", wanted)
		}
		cardPath = stem + cardTypes[at]
	}
	text, err := os.ReadFile(cardPath)
	if err != nil {
		return nil, fmt.Errorf("opening model: %w", err)
	}
	if text, err = plaintext.Strip(text); err != nil {
		return nil, fmt.Errorf("reading model card %s: %w", cardPath, err)
	}
	if filepath.Ext(cardPath) != ".json" {
		if text, err = fromYAML(text); err != nil {
			return nil, fmt.Errorf("reading model card %s: %w", cardPath, err)
		}
	}
	card, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("reading model card %s: %w", cardPath, err)
	}
	if card.Name == "" {
		card.Name = strings.TrimSuffix(filepath.Base(filepath.FromSlash(card.File)), ".onnx")
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
	if err := isModel(onnxPath); err != nil {
		return nil, fmt.Errorf("opening model %s: %w", cardPath, err)
	}
	digest, err := digestFile(onnxPath)
	if err != nil {
		return nil, fmt.Errorf("opening model %s: %w", cardPath, err)
	}
	if card.SHA256 == "" {
		card.SHA256 = digest
	}
	if digest != card.SHA256 {
		return nil, fmt.Errorf("opening model %s: its SHA-256 is %s, its card %s says %s; "+
			"fetch the file again, or correct the card if the change was meant", onnxPath, digest, cardPath, card.SHA256)
	}
	card.Path, card.files = onnxPath, os.DirFS(filepath.Dir(cardPath))
	return card, nil
}

// isModel says what a file is that cannot be an ONNX model, and what to do about it. What is one, or damaged in
// another way, shows when the runtime reads it.
func isModel(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Size() == 0 {
		return fmt.Errorf("%s is empty: fetch the model again", path)
	}
	switch kind := filekind.OfFile(path); kind {
	case "":
		return nil
	case "Git LFS pointer":
		return fmt.Errorf("%s is a Git LFS pointer, not the model: run `git lfs pull` where it came from", path)
	case "HTML":
		return fmt.Errorf("%s is an HTML page, not a model: open it to see what the download was answered, and fetch the file itself", path)
	case "zip":
		return fmt.Errorf("%s is a zip archive (perhaps a PyTorch checkpoint), not an ONNX model: unpack it, or export the model to ONNX", path)
	default:
		return fmt.Errorf("%s is not an ONNX model: it begins like a file of kind %s", path, kind)
	}
}

// wanted says to somebody who has a model and no card what to write.
const wanted = `"file", "input" {"fit", "resample", and for float32 "mean" and "std"}; ` +
	`where the model's graph does not tell: "input" {"name", "layout", "type", "height", "width"}, "embedding" {"output", "dim"}; ` +
	`optional: "name", "sha256" (of the ONNX file), "doc", "licence", "input" {"channels", "crop"}, ` +
	`"embedding" {"normalized", "normalize"}, "logits" {"output"}, "classes", "seen" (a list of the files trained on)`

// fromYAML makes JSON of YAML, which is a superset of it. The YAML library panics on some damaged files.
func fromYAML(text []byte) (json []byte, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = errors.New("this is not YAML that can be read")
		}
	}()
	json, err = yaml.YAMLToJSON(text)
	var at yaml.Error // its text is several lines
	if errors.As(err, &at) {
		reason, _, _ := strings.Cut(at.GetMessage(), "\n")
		err = errors.New(reason)
		if t := at.GetToken(); t != nil {
			err = fmt.Errorf("line %d, column %d: %s", t.Position.Line, t.Position.Column, reason)
		}
	}
	return json, err
}

// Parse reads a card and checks everything in it that can be checked without its model.
func Parse(text []byte) (*Card, error) {
	var card Card
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&card); err != nil {
		if field, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
			return nil, fmt.Errorf("unknown key %s; a card has %s", field, wanted)
		}
		return nil, plaintext.JSONError(text, err)
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
	if in.Channels == "" {
		in.Channels = "RGB"
	}
	switch {
	case c.File == "":
		return errors.New(`"file" is missing: the ONNX file, relative to the card`)
	case !filepath.IsLocal(filepath.FromSlash(c.File)):
		return fmt.Errorf(`"file": %q leaves the folder of the card`, c.File)
	case c.SeenFile != "" && !fs.ValidPath(c.SeenFile):
		return fmt.Errorf(`"seen": %q leaves the folder of the card`, c.SeenFile)
	case c.SHA256 != "" && !isDigest(c.SHA256):
		return fmt.Errorf(`"sha256": %q is not a SHA-256 in 64 lower-case hexadecimal digits`, c.SHA256)
	case (in.Height != 0 || in.Width != 0) && (in.Height < 1 || in.Height > maxSide || in.Width < 1 || in.Width > maxSide):
		return fmt.Errorf(`"input": "height" × "width" of %d × %d; each is 1 to %d pixels`, in.Height, in.Width, maxSide)
	case c.Embedding.Dim < 0:
		return fmt.Errorf(`"embedding": "dim" is %d; it is the number of components of a vector`, c.Embedding.Dim)
	case c.Embedding.Normalized && c.Embedding.Normalize:
		return errors.New(`"embedding": with "normalized", the model's vectors have length 1 already; "normalize" would bring them to it`)
	case len(in.Mean) > 0 && slices.Max(in.Mean) > 1:
		return fmt.Errorf(`"input": "mean" is %v, of components in 0..255: here they are in 0..1, so divide "mean" and "std" by 255`, in.Mean)
	case in.Crop != 0 && !(in.Crop > 0 && in.Crop <= 1):
		return fmt.Errorf(`"input": "crop" is %v; it is the part of each side that is kept, more than 0 and at most 1`, in.Crop)
	case in.Crop != 0 && in.Crop != 1 && in.Fit != "cover":
		return fmt.Errorf(`"input": "crop" belongs to the fit "cover", not to %q`, in.Fit)
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
		if word.value == "" && (word.key == "layout" || word.key == "type") {
			continue // the graph may tell
		}
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

// Missing lists what the card leaves to the model's graph, by its keys; package embedder fills it in.
func (c *Card) Missing() []string {
	var keys []string
	for _, k := range []struct {
		key     string
		missing bool
	}{
		{`"input": "name"`, c.Input.Name == ""},
		{`"input": "layout"`, c.Input.Layout == ""},
		{`"input": "type"`, c.Input.Type == ""},
		{`"input": "height" and "width"`, c.Input.Height == 0},
		{`"embedding": "output"`, c.Embedding.Output == ""},
		{`"embedding": "dim"`, c.Embedding.Dim == 0},
	} {
		if k.missing {
			keys = append(keys, k.key)
		}
	}
	return keys
}

// Check checks what a card says, as [Parse] does, after something was filled in.
func (c *Card) Check() error { return c.check() }

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
