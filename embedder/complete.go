package embedder

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"annbench/embedder/models"
	"annbench/indexes/vec"
)

// OpenCard reads the card of a model, and completes it from the model's graph. An empty path is the model
// that ships. side, where not 0, gives the model pictures of so many pixels a side instead of its own.
func OpenCard(path string, side int) (*models.Card, error) {
	card, err := models.Default()
	if path != "" {
		if card, err = models.Open(path); err == nil {
			card, err = CompleteCard(card, "")
		}
	}
	if err == nil && side != 0 {
		card, err = card.Resized(side, side)
	}
	return card, err
}

// CompleteCard returns card with all that it leaves out (see [models.Card.Missing]) as the graph of its
// model says it: the only input, its layout, type and size, and the only output of two axes. What the graph
// leaves open is an error that says which key to write. Library is as in [SessionOptions]. A card that
// leaves nothing out is returned as it is, and no library is opened.
func CompleteCard(card *models.Card, library string) (*models.Card, error) {
	if len(card.Missing()) == 0 {
		return card, nil
	}
	if _, err := openRuntime(library); err != nil {
		return nil, fmt.Errorf("opening model %s: %w", card.Name, err)
	}
	g, err := readGraph(card)
	if err == nil {
		card, err = complete(card, g)
	}
	if err != nil {
		return nil, fmt.Errorf("opening model %s: %w", card.Name, err)
	}
	return card, nil
}

func complete(given *models.Card, g graph) (*models.Card, error) {
	card := *given
	in := &card.Input
	input, err := theInput(in.Name, g.inputs)
	if err != nil {
		return given, err
	}
	in.Name = input.name
	if in.Layout == "" {
		first, last := input.dims[1] == 3, input.dims[3] == 3
		switch {
		case first && !last:
			in.Layout = "NCHW"
		case last && !first:
			in.Layout = "NHWC"
		default:
			return given, fmt.Errorf(`which axis of the input is that of the colours its graph does not tell: %s; write "layout" into the card: NCHW or NHWC`, input)
		}
	}
	if in.Type == "" {
		in.Type = input.kind
	}
	if in.Height == 0 {
		height, width := input.dims[1], input.dims[2]
		if in.Layout == "NCHW" {
			height, width = input.dims[2], input.dims[3]
		}
		if height < 1 || width < 1 {
			return given, fmt.Errorf(`the input takes any size: %s; write "height" and "width" into the card`, input)
		}
		in.Height, in.Width = int(height), int(width)
	}
	e := &card.Embedding
	if e.Output == "" {
		var found []port
		for _, out := range g.outputs {
			if len(out.dims) == 2 && out.kind == "float32" && (card.Logits == nil || out.name != card.Logits.Output) {
				found = append(found, out)
			}
		}
		if len(found) != 1 {
			return given, fmt.Errorf(`the model has %d outputs of float32 with two axes, of which one has to be the vectors: it has %s; name one as "embedding": {"output"} in the card`,
				len(found), list(g.outputs))
		}
		e.Output = found[0].name
	}
	for _, name := range []string{e.Output, logitsOf(&card)} {
		if name != "" && !slices.ContainsFunc(g.outputs, func(p port) bool { return p.name == name }) {
			return given, fmt.Errorf("the card names an output %q, which the graph lacks: it has %s", name, list(g.outputs))
		}
	}
	if e.Dim == 0 {
		for _, out := range g.outputs {
			if out.name == e.Output && len(out.dims) == 2 && out.dims[1] > 0 {
				e.Dim = int(out.dims[1])
			}
		}
		if e.Dim == 0 {
			return given, fmt.Errorf(`how many components a vector has the graph does not tell: %s; write "embedding": {"dim"} into the card`, list(g.outputs))
		}
	}
	if err := card.Check(); err != nil {
		return given, err
	}
	return &card, nil
}

// logitsOf is the name of the output of a classifier; empty for other models.
func logitsOf(card *models.Card) string {
	if card.Logits == nil {
		return ""
	}
	return card.Logits.Output
}

// theInput is the input of a name, or the only one, with four axes.
func theInput(name string, inputs []port) (port, error) {
	if name == "" && len(inputs) != 1 {
		return port{}, fmt.Errorf("the model has %d inputs; only those with one can be run: it has %s; export the part of it that takes the picture", len(inputs), list(inputs))
	}
	for _, in := range inputs {
		if in.name == name || name == "" {
			if len(in.dims) != 4 {
				return port{}, fmt.Errorf("the input has %d axes, where pictures have four: %s", len(in.dims), in)
			}
			return in, nil
		}
	}
	return port{}, fmt.Errorf("the card says that the model has an input %q; it has %s", name, list(inputs))
}

func list(ports []port) string {
	listed := make([]string, len(ports))
	for i, p := range ports {
		listed[i] = p.String()
	}
	return strings.Join(listed, "; ")
}

// normalize brings rows to length 1, where the card asks for it. A row of zeros has no direction, and stays:
// [checkVectors] reports it.
func (s *Session) normalize(m vec.Matrix) {
	if !s.card.Embedding.Normalize {
		return
	}
	for i := range m.Rows {
		row := m.Row(i)
		var square float64
		for _, v := range row {
			square += float64(v) * float64(v)
		}
		if length := math.Sqrt(square); length > 0 {
			for j, v := range row {
				row[j] = float32(float64(v) / length)
			}
		}
	}
}
