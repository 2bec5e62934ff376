package models

import (
	"embed"
	"fmt"
	"io/fs"
	"os"
	"slices"
)

// DefaultName is the name of the model that is used where none is named.
const DefaultName = "fashion-lite0"

// Shipped are the names of the models that are part of the program, the default first.
var Shipped = []string{DefaultName, "fashion-resnet18"}

// shipped are their cards, ONNX files, histories and lists of what they were trained on.
//
//go:embed fashion-*.json fashion-*.onnx fashion-*.history.csv fashion-*.seen
var shipped embed.FS

// Default opens the model that is used where none is named.
func Default() (*Card, error) { return openShipped(DefaultName) }

// IsShipped reports whether path names a model that is part of the program: one of [Shipped], and no file
// of that name is there.
func IsShipped(path string) bool {
	if !slices.Contains(Shipped, path) {
		return false
	}
	_, err := os.Stat(path)
	return err != nil
}

// openShipped opens a model that is part of the program, so that the program embeds wherever it is copied
// to; the card's Path is empty. The bytes are checked against the card, as those of a file are.
func openShipped(name string) (*Card, error) {
	text, err := shipped.ReadFile(name + ".json")
	if err != nil {
		return nil, err
	}
	card, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("reading the card of %s, which ships: %w", name, err)
	}
	onnx, err := shipped.ReadFile(card.File)
	if err != nil {
		return nil, err
	}
	if digest := digestBytes(onnx); digest != card.SHA256 {
		return nil, fmt.Errorf("opening %s, which ships: its SHA-256 is %s, its card says %s; the program was built from a damaged copy of its repository",
			name, digest, card.SHA256)
	}
	card.onnx, card.files = onnx, shipped
	return card, nil
}

// beside reads a file that lies beside the model. The error is [fs.ErrNotExist] where there is none, or where
// the card is one that was not opened.
func (c *Card) beside(name string) ([]byte, error) {
	if c.files == nil {
		return nil, fs.ErrNotExist
	}
	return fs.ReadFile(c.files, name)
}
