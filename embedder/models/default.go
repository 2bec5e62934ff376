package models

import (
	_ "embed"
	"fmt"
)

// DefaultName is the name of the model that ships.
const DefaultName = "fashion-resnet18"

var (
	//go:embed fashion-resnet18.json
	defaultCard []byte

	//go:embed fashion-resnet18.onnx
	defaultONNX []byte
)

// Default opens the model that ships. It is part of the program, 22 MB of it, so that the program
// embeds wherever it is copied to; the card's Path is empty. The bytes are checked against the card,
// as those of a file are.
func Default() (*Card, error) {
	card, err := Parse(defaultCard)
	if err != nil {
		return nil, fmt.Errorf("reading the card of the model that ships: %w", err)
	}
	if digest := digestBytes(defaultONNX); digest != card.SHA256 {
		return nil, fmt.Errorf("opening the model that ships: its SHA-256 is %s, its card says %s; the program was built from a damaged copy of its repository",
			digest, card.SHA256)
	}
	card.onnx = defaultONNX
	return card, nil
}
