package models

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// An ONNX file is one protobuf message. What is changed here are a few fields of it, and everything else
// passes through as it is: generated code for all of ONNX would be a hundred times as long. Numbers of
// fields and of types are those of onnx.proto, which are never reused.

const (
	modelGraph     = 7
	modelFunctions = 25

	graphNode        = 1
	graphInitializer = 5
	graphInput       = 11
	graphOutput      = 12
	graphValueInfo   = 13

	nodeInput     = 1
	nodeOutput    = 2
	nodeName      = 3
	nodeOp        = 4
	nodeAttribute = 5

	attributeName   = 1
	attributeInt    = 3
	attributeTensor = 5
	attributeGraph  = 6
	attributeGraphs = 11
	attributeType   = 20

	tensorType     = 2
	tensorFloats   = 4
	tensorName     = 8
	tensorRaw      = 9
	tensorExternal = 13

	infoName = 1
	infoType = 2

	typeTensor  = 1
	elementType = 1
	shape       = 2
	shapeDim    = 1
	dimValue    = 1

	float32Type = 1
	float16Type = 10
)

// pbField is a field of a protobuf message.
type pbField struct {
	number protowire.Number
	wire   protowire.Type
	bytes  []byte // of strings, messages and packed lists
	value  uint64 // of numbers
}

// pbMessage is a protobuf message, field by field, in order.
type pbMessage []pbField

func parsePB(data []byte) (pbMessage, error) {
	var m pbMessage
	for len(data) > 0 {
		number, wire, n := protowire.ConsumeTag(data)
		if n < 0 {
			return nil, protowire.ParseError(n)
		}
		data = data[n:]
		f := pbField{number: number, wire: wire}
		switch wire {
		case protowire.BytesType:
			f.bytes, n = protowire.ConsumeBytes(data)
		case protowire.VarintType:
			f.value, n = protowire.ConsumeVarint(data)
		case protowire.Fixed32Type:
			var v uint32
			v, n = protowire.ConsumeFixed32(data)
			f.value = uint64(v)
		case protowire.Fixed64Type:
			f.value, n = protowire.ConsumeFixed64(data)
		default:
			return nil, fmt.Errorf("field %d has the wire type %d, which ONNX does not use", number, wire)
		}
		if n < 0 {
			return nil, protowire.ParseError(n)
		}
		data = data[n:]
		m = append(m, f)
	}
	return m, nil
}

func (m pbMessage) marshal() []byte {
	size := 0
	for _, f := range m {
		size += len(f.bytes) + 16
	}
	out := make([]byte, 0, size)
	for _, f := range m {
		out = protowire.AppendTag(out, f.number, f.wire)
		switch f.wire {
		case protowire.BytesType:
			out = protowire.AppendBytes(out, f.bytes)
		case protowire.VarintType:
			out = protowire.AppendVarint(out, f.value)
		case protowire.Fixed32Type:
			out = protowire.AppendFixed32(out, uint32(f.value))
		case protowire.Fixed64Type:
			out = protowire.AppendFixed64(out, f.value)
		}
	}
	return out
}

// find is the first field of the number; nil where there is none.
func (m pbMessage) find(number protowire.Number) *pbField {
	for i := range m {
		if m[i].number == number {
			return &m[i]
		}
	}
	return nil
}

func (m pbMessage) text(number protowire.Number) string {
	if f := m.find(number); f != nil {
		return string(f.bytes)
	}
	return ""
}

func (m pbMessage) number(number protowire.Number) int64 {
	if f := m.find(number); f != nil {
		return int64(f.value)
	}
	return 0
}

func bytesField(number protowire.Number, b []byte) pbField {
	return pbField{number: number, wire: protowire.BytesType, bytes: b}
}

func numberField(number protowire.Number, v int64) pbField {
	return pbField{number: number, wire: protowire.VarintType, value: uint64(v)}
}

// editGraph parses a model and gives its graph to edit.
func editGraph(onnx []byte, edit func(graph pbMessage) (pbMessage, error)) ([]byte, error) {
	model, err := parsePB(onnx)
	if err != nil {
		return nil, fmt.Errorf("this is not an ONNX model: %w", err)
	}
	if model.find(modelFunctions) != nil {
		return nil, errors.New("the model has functions of its own, which are not converted")
	}
	at := model.find(modelGraph)
	if at == nil {
		return nil, errors.New("this is not an ONNX model: it has no graph")
	}
	graph, err := parsePB(at.bytes)
	if err != nil {
		return nil, fmt.Errorf("reading the graph of the ONNX model: %w", err)
	}
	if graph, err = edit(graph); err != nil {
		return nil, err
	}
	at.bytes = graph.marshal()
	return model.marshal(), nil
}

// path edits the message that lies at a path of fields below m.
func (m pbMessage) path(edit func(pbMessage) (pbMessage, error), numbers ...protowire.Number) error {
	if len(numbers) == 0 {
		panic("models: a path of no fields")
	}
	at := m.find(numbers[0])
	if at == nil || at.wire != protowire.BytesType {
		return fmt.Errorf("the message has no field %d", numbers[0])
	}
	below, err := parsePB(at.bytes)
	if err != nil {
		return err
	}
	if len(numbers) > 1 {
		err = below.path(edit, numbers[1:]...)
	} else {
		below, err = edit(below)
	}
	if err != nil {
		return err
	}
	at.bytes = below.marshal()
	return nil
}

// Resized is the card of the same model with an input of height × width pixels, for models whose graph
// works at any size but names one, as a convolutional network with a mean over its last feature map does.
// Whether a graph does shows when it is run. The model is changed in memory, not in its file; its
// weights have to be in the one file.
func (c *Card) Resized(height, width int) (*Card, error) {
	out := *c
	out.Input.Height, out.Input.Width = height, width
	if err := out.check(); err != nil {
		return nil, fmt.Errorf("resizing model %s: %w", c.Name, err)
	}
	if height == c.Input.Height && width == c.Input.Width {
		return c, nil
	}
	data, err := c.ONNX()
	if err != nil {
		return nil, fmt.Errorf("resizing model %s: %w", c.Name, err)
	}
	axes := [2]int{1, 2} // of height and width
	if c.Input.Layout == "NCHW" {
		axes = [2]int{2, 3}
	}
	resize := func(dims pbMessage) (pbMessage, error) {
		if len(dims) != 4 {
			return nil, fmt.Errorf("its input has %d axes, not 4", len(dims))
		}
		for i, size := range []int{height, width} {
			dims[axes[i]].bytes = pbMessage{numberField(dimValue, int64(size))}.marshal()
		}
		return dims, nil
	}
	data, err = editGraph(data, func(graph pbMessage) (pbMessage, error) {
		for i, f := range graph {
			if f.number != graphInput {
				continue
			}
			info, err := parsePB(f.bytes)
			if err != nil {
				return nil, err
			}
			if info.text(infoName) != c.Input.Name {
				continue
			}
			if err := info.path(resize, infoType, typeTensor, shape); err != nil {
				return nil, err
			}
			graph[i].bytes = info.marshal()
		}
		// Sizes that were worked out for the former input would contradict what the runtime works out.
		return slices.DeleteFunc(graph, func(f pbField) bool { return f.number == graphValueInfo }), nil
	})
	if err != nil {
		return nil, fmt.Errorf("resizing model %s: %w", c.Name, err)
	}
	out.Name = fmt.Sprintf("%s at %d × %d", c.Name, height, width)
	out.Path, out.onnx, out.SHA256 = "", data, digestBytes(data)
	return &out, nil
}

// exact lists the operators that keep some of their inputs or outputs in float32 when the rest of a model
// is float16, because ONNX (opset 17) gives them no other type, by their positions.
var exact = map[string]struct{ inputs, outputs []int }{
	"DequantizeLinear": {inputs: []int{1}, outputs: []int{0}},
	"QuantizeLinear":   {inputs: []int{0, 1}},
	"Resize":           {inputs: []int{2}},
	"Upsample":         {inputs: []int{1}},
}

// Half returns the model with its weights and arithmetic in float16, IEEE 754 half precision; its inputs
// and outputs keep their types. Weights are rounded to the nearest, ties to even. Errors: weights beyond
// the range of float16, weights in files of their own, operators with graphs inside (If, Loop). That
// the runtime has every operator in float16 shows when the model is opened.
func Half(onnx []byte) ([]byte, error) {
	out, err := editGraph(onnx, func(graph pbMessage) (pbMessage, error) {
		h := halving{float: map[string]bool{}, renamed: map[string]string{}, cast: map[string]bool{}}
		return h.graph(graph)
	})
	if err != nil {
		return nil, fmt.Errorf("converting the model to fp16: %w", err)
	}
	return out, nil
}

// halving is one call of Half.
type halving struct {
	float   map[string]bool   // tensors that stay float32
	renamed map[string]string // outputs of the graph, by the names that their float16 values go by inside
	cast    map[string]bool   // tensors that a Cast was made of already, by the name of the cast
	nodes   []pbField         // of the new graph, in order
}

const (
	halfSuffix  = "/annbench_half"
	floatSuffix = "/annbench_float"
)

func (h *halving) graph(graph pbMessage) (pbMessage, error) {
	// What stays float32: inputs of the graph, and what some operators take and give.
	for _, f := range graph {
		switch f.number {
		case graphNode:
			node, err := parsePB(f.bytes)
			if err != nil {
				return nil, err
			}
			rule := exact[node.text(nodeOp)]
			inputs, outputs := texts(node, nodeInput), texts(node, nodeOutput)
			for _, i := range rule.outputs {
				if i < len(outputs) {
					h.float[outputs[i]] = true
				}
			}
			for _, i := range rule.inputs {
				if i < len(inputs) && h.given(graph, inputs[i]) {
					h.float[inputs[i]] = true
				}
			}
		case graphInput:
			info, element, err := tensorInfo(f.bytes)
			if err != nil {
				return nil, err
			}
			if element == float32Type {
				h.float[info] = true
			}
		}
	}
	var closing []pbField
	for _, f := range graph {
		if f.number != graphOutput {
			continue
		}
		name, element, err := tensorInfo(f.bytes)
		if err != nil {
			return nil, err
		}
		if element == float32Type && !h.float[name] {
			h.renamed[name] = name + halfSuffix
			closing = append(closing, castNode(name+halfSuffix, name, float32Type))
		}
	}
	for i, f := range graph {
		var err error
		switch f.number {
		case graphInitializer:
			var t pbMessage
			if t, err = parsePB(f.bytes); err == nil && !h.float[t.text(tensorName)] {
				graph[i].bytes, err = halfTensor(t)
			}
		case graphNode:
			err = h.node(f.bytes)
		}
		if err != nil {
			return nil, err
		}
	}
	var out pbMessage
	out = append(append(out, h.nodes...), closing...)
	for _, f := range graph {
		if f.number != graphNode && f.number != graphValueInfo { // the latter would tell the former types
			out = append(out, f)
		}
	}
	return out, nil
}

// given reports whether a tensor is a constant of the graph.
func (h *halving) given(graph pbMessage, name string) bool {
	for _, f := range graph {
		switch f.number {
		case graphInitializer:
			if t, err := parsePB(f.bytes); err == nil && t.text(tensorName) == name {
				return true
			}
		case graphNode:
			if n, err := parsePB(f.bytes); err == nil && n.text(nodeOp) == "Constant" && slices.Contains(texts(n, nodeOutput), name) {
				return true
			}
		}
	}
	return false
}

// node adds a node to the new graph, and before it the casts that it wants.
func (h *halving) node(data []byte) error {
	node, err := parsePB(data)
	if err != nil {
		return err
	}
	op := node.text(nodeOp)
	rule := exact[op]
	input, output := 0, 0
	for i, f := range node {
		switch f.number {
		case nodeInput:
			name := string(f.bytes)
			wantsFloat := slices.Contains(rule.inputs, input)
			input++
			if inside := h.renamed[name]; inside != "" {
				name = inside
			}
			switch {
			case name == "":
			case h.float[name] && !wantsFloat:
				name = h.casted(name, name+halfSuffix, float16Type)
			case !h.float[name] && wantsFloat:
				name = h.casted(name, name+floatSuffix, float32Type)
			}
			node[i].bytes = []byte(name)
		case nodeOutput:
			output++
			if inside := h.renamed[string(f.bytes)]; inside != "" {
				node[i].bytes = []byte(inside)
			}
		case nodeAttribute:
			a, err := parsePB(f.bytes)
			if err != nil {
				return err
			}
			switch {
			case a.find(attributeGraph) != nil || a.find(attributeGraphs) != nil:
				return fmt.Errorf("operator %s has a graph inside, which is not converted", op)
			case op == "Cast" && a.text(attributeName) == "to" && a.number(attributeInt) == float32Type:
				a.find(attributeInt).value = float16Type
			case op == "Constant" && h.float[firstOf(texts(node, nodeOutput))]:
			case a.find(attributeTensor) != nil:
				err := a.path(func(t pbMessage) (pbMessage, error) {
					half, err := halfTensor(t)
					if err != nil {
						return nil, err
					}
					return parsePB(half)
				}, attributeTensor)
				if err != nil {
					return err
				}
			case op == "Constant" && (a.text(attributeName) == "value_float" || a.text(attributeName) == "value_floats"):
				return fmt.Errorf("operator Constant has a %s, which is not converted", a.text(attributeName))
			}
			node[i].bytes = a.marshal()
		}
	}
	h.nodes = append(h.nodes, bytesField(graphNode, node.marshal()))
	return nil
}

func (h *halving) casted(from, to string, element int64) string {
	if !h.cast[to] {
		h.cast[to] = true
		h.nodes = append(h.nodes, castNode(from, to, element))
	}
	return to
}

func castNode(from, to string, element int64) pbField {
	const ofInt = 2 // AttributeProto.INT
	attribute := pbMessage{bytesField(attributeName, []byte("to")), numberField(attributeInt, element), numberField(attributeType, ofInt)}
	return bytesField(graphNode, pbMessage{
		bytesField(nodeInput, []byte(from)), bytesField(nodeOutput, []byte(to)),
		bytesField(nodeName, []byte(to)), bytesField(nodeOp, []byte("Cast")), bytesField(nodeAttribute, attribute.marshal()),
	}.marshal())
}

// texts are those of a repeated field.
func texts(m pbMessage, number protowire.Number) []string {
	var out []string
	for _, f := range m {
		if f.number == number {
			out = append(out, string(f.bytes))
		}
	}
	return out
}

func firstOf(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return names[0]
}

// tensorInfo reads the name and the type of components of an input or output; 0 is no tensor.
func tensorInfo(data []byte) (name string, element int64, err error) {
	info, err := parsePB(data)
	if err != nil {
		return "", 0, err
	}
	name = info.text(infoName)
	for _, number := range []protowire.Number{infoType, typeTensor} {
		at := info.find(number)
		if at == nil {
			return name, 0, nil
		}
		if info, err = parsePB(at.bytes); err != nil {
			return "", 0, err
		}
	}
	return name, info.number(elementType), nil
}

// halfTensor is a tensor with float32 components made float16, or as it is if it has others.
func halfTensor(t pbMessage) ([]byte, error) {
	if t.number(tensorType) != float32Type {
		return t.marshal(), nil
	}
	name := t.text(tensorName)
	if t.find(tensorExternal) != nil {
		return nil, fmt.Errorf("weights %q lie in a file of their own", name)
	}
	var raw, out []byte
	var rest pbMessage
	for _, f := range t {
		switch {
		case f.number == tensorRaw:
			raw = f.bytes
		case f.number == tensorFloats && f.wire == protowire.BytesType:
			raw = append(raw, f.bytes...) // packed: the same little-endian components
		case f.number == tensorFloats:
			raw = binary.LittleEndian.AppendUint32(raw, uint32(f.value))
		case f.number == tensorType:
			rest = append(rest, numberField(tensorType, float16Type))
		default:
			rest = append(rest, f)
		}
	}
	if len(raw)%4 != 0 {
		return nil, fmt.Errorf("weights %q are cut short", name)
	}
	out = make([]byte, 0, len(raw)/2)
	for ; len(raw) > 0; raw = raw[4:] {
		v := math.Float32frombits(binary.LittleEndian.Uint32(raw))
		half := toHalf(v)
		if half&0x7fff == halfInfinity && !math.IsInf(float64(v), 0) {
			return nil, fmt.Errorf("weights %q hold %v, beyond the range of float16", name, v)
		}
		out = binary.LittleEndian.AppendUint16(out, half)
	}
	return append(rest, bytesField(tensorRaw, out)).marshal(), nil
}

const halfInfinity = 0x7c00

// toHalf rounds to float16: to the nearest, ties to even (IEEE 754).
func toHalf(v float32) uint16 {
	b := math.Float32bits(v)
	sign := uint16(b >> 16 & 0x8000)
	exponent, mantissa := int(b>>23&0xff)-127+15, b&0x7fffff
	switch {
	case b>>23&0xff == 0xff && mantissa != 0:
		return sign | halfInfinity | 0x200 // NaN
	case exponent >= 31:
		return sign | halfInfinity
	case exponent < -10:
		return sign
	}
	shift := uint(13)
	if exponent <= 0 { // subnormal
		mantissa |= 1 << 23
		shift += uint(1 - exponent)
		exponent = 0
	}
	half := uint32(exponent)<<10 + mantissa>>shift
	rest, middle := mantissa&(1<<shift-1), uint32(1)<<(shift-1)
	if rest > middle || rest == middle && half&1 == 1 {
		half++ // may carry into the exponent, as it should
	}
	return sign | uint16(half)
}
