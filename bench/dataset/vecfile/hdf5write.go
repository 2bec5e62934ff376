package vecfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"annbench/internal/atomicfile"
)

// HDF5 is a file to be written: attributes of the root group, and data sets in it. It is in the oldest
// form of the format, which every library reads and goes on writing to. Own code, for the reasons that
// stand at the reader, and because the Go library cannot write attributes of the root group.
type HDF5 struct {
	Attributes []HDF5Attribute
	Datasets   []HDF5Dataset
}

// HDF5Attribute is a name and a string, an int64 or a float64.
type HDF5Attribute struct {
	Name  string
	Value any
}

// HDF5Dataset is an array of one or two dimensions: of []int32, []float32 or []float64. Row is how many
// values a row has; 0 for one dimension.
type HDF5Dataset struct {
	Name   string
	Values any
	Row    int
}

const (
	hdf5SymbolsK  = 4  // a list of names has room for twice as many
	hdf5BranchesK = 16 // a node of the index of names has room for twice as many
)

// WriteFile writes the file to path, whole or not at all; what is there already is replaced.
func (h *HDF5) WriteFile(path string) error {
	if len(h.Datasets) > 2*hdf5SymbolsK {
		return fmt.Errorf("writing %s: %d data sets, %d have room", path, len(h.Datasets), 2*hdf5SymbolsK)
	}
	b, err := h.encode()
	if err != nil {
		return err
	}
	return atomicfile.Write(path, b)
}

// hdf5Buffer is a file in memory, of parts that begin at multiples of eight.
type hdf5Buffer struct{ b []byte }

// add appends a part and returns its address.
func (w *hdf5Buffer) add(part []byte) uint64 {
	at := uint64(len(w.b))
	w.b = append(w.b, part...)
	for len(w.b)%8 != 0 {
		w.b = append(w.b, 0)
	}
	return at
}

func le(parts ...any) []byte {
	var b []byte
	for _, p := range parts {
		switch p := p.(type) {
		case string:
			b = append(b, p...)
		case []byte:
			b = append(b, p...)
		default:
			var err error
			if b, err = binary.Append(b, binary.LittleEndian, p); err != nil {
				panic(err) // fixed sizes always encode
			}
		}
	}
	return b
}

func padded(b []byte) []byte {
	return append(slices.Clone(b), make([]byte, (8-len(b)%8)%8)...)
}

func (h *HDF5) encode() ([]byte, error) {
	datasets := slices.Clone(h.Datasets)
	slices.SortFunc(datasets, func(a, b HDF5Dataset) int {
		switch {
		case a.Name < b.Name:
			return -1
		case a.Name > b.Name:
			return 1
		}
		return 0
	})
	w := &hdf5Buffer{make([]byte, 96)} // the superblock comes last
	// Names of the group, after the empty one.
	heap := make([]byte, 8)
	symbols := le("SNOD", uint8(1), uint8(0), uint16(len(datasets)))
	last := uint64(0)
	for _, d := range datasets {
		header, err := w.dataset(d)
		if err != nil {
			return nil, fmt.Errorf("data set %q: %w", d.Name, err)
		}
		last = uint64(len(heap))
		heap = append(heap, padded(append([]byte(d.Name), 0))...)
		symbols = append(symbols, le(last, header, uint32(0), uint32(0), make([]byte, 16))...)
	}
	symbols = append(symbols, make([]byte, 8+2*hdf5SymbolsK*40-len(symbols))...)
	list := w.add(symbols)
	names := w.add(heap)
	const noFreeSpace = uint64(1)
	heapAt := w.add(le("HEAP", uint32(0), uint64(len(heap)), noFreeSpace, names))
	tree := le("TREE", uint8(0), uint8(0), uint16(1), hdf5Undefined, hdf5Undefined, uint64(0), list, last)
	treeAt := w.add(append(tree, make([]byte, 24+2*hdf5BranchesK*8+(2*hdf5BranchesK+1)*8-len(tree))...))

	texts, err := w.texts(h.Attributes)
	if err != nil {
		return nil, err
	}
	messages := [][]byte{hdf5Body(0x11, le(treeAt, heapAt))}
	for _, a := range h.Attributes {
		messages = append(messages, hdf5Body(0x0C, attributeMessage(a, texts)))
	}
	root := w.add(hdf5Header(messages))
	copy(w.b, le(hdf5Magic, uint32(0), uint8(0), uint8(8), uint8(8), uint8(0), uint16(hdf5SymbolsK), uint16(hdf5BranchesK), uint32(0),
		uint64(0), hdf5Undefined, uint64(len(w.b)), hdf5Undefined,
		uint64(0), root, uint32(1), uint32(0), treeAt, heapAt))
	return w.b, nil
}

// hdf5Body is a message of an object header.
func hdf5Body(kind uint16, body []byte) []byte {
	body = padded(body)
	return le(kind, uint16(len(body)), uint32(0), body)
}

func hdf5Header(messages [][]byte) []byte {
	all := slices.Concat(messages...)
	return le(uint8(1), uint8(0), uint16(len(messages)), uint32(1), uint32(len(all)), uint32(0), all)
}

// The types that are written, as the messages describe them.
var (
	hdf5Float32 = le(uint8(0x11), []byte{0x20, 31, 0}, uint32(4), uint16(0), uint16(32), []byte{23, 8, 0, 23}, uint32(127))
	hdf5Float64 = le(uint8(0x11), []byte{0x20, 63, 0}, uint32(8), uint16(0), uint16(64), []byte{52, 11, 0, 52}, uint32(1023))
	hdf5Int32   = le(uint8(0x10), []byte{0x08, 0, 0}, uint32(4), uint16(0), uint16(32))
	hdf5Int64   = le(uint8(0x10), []byte{0x08, 0, 0}, uint32(8), uint16(0), uint16(64))
	// A text of variable length in UTF-8: what h5py reads as a str.
	hdf5Text = le(uint8(0x19), []byte{0x01, 0x01, 0}, uint32(16), uint8(0x13), []byte{0x10, 0, 0}, uint32(1))
)

// dataset adds the values and the header of a data set, and returns the address of the header.
func (w *hdf5Buffer) dataset(d HDF5Dataset) (uint64, error) {
	var kind, values []byte
	n := 0
	switch v := d.Values.(type) {
	case []int32:
		kind, values, n = hdf5Int32, FileBytes(v), len(v)
	case []float32:
		kind, values, n = hdf5Float32, FileBytes(v), len(v)
	case []float64:
		kind, values, n = hdf5Float64, FileBytes(v), len(v)
	default:
		return 0, fmt.Errorf("values of %T", d.Values)
	}
	space := le(uint8(1), uint8(1), uint16(0), uint32(0), uint64(n))
	if d.Row > 0 {
		if n%d.Row != 0 {
			return 0, fmt.Errorf("%d values in rows of %d", n, d.Row)
		}
		space = le(uint8(1), uint8(2), uint16(0), uint32(0), uint64(n/d.Row), uint64(d.Row))
	}
	if n == 0 {
		return 0, errors.New("it is empty")
	}
	at := w.add(values)
	return w.add(hdf5Header([][]byte{
		hdf5Body(0x01, space),
		hdf5Body(0x03, kind),
		hdf5Body(0x05, le(uint8(2), uint8(2), uint8(2), uint8(1), uint32(0))), // zeros fill what was never written
		hdf5Body(0x08, le(uint8(3), uint8(1), at, uint64(len(values)))),
	})), nil
}

// hdf5Texts are the places of the attributes' texts in a global heap.
type hdf5Texts struct {
	at    uint64
	index map[string]uint32
}

func (w *hdf5Buffer) texts(attributes []HDF5Attribute) (hdf5Texts, error) {
	t := hdf5Texts{index: map[string]uint32{}}
	var body []byte
	for _, a := range attributes {
		s, ok := a.Value.(string)
		switch a.Value.(type) {
		case string, int64, float64:
		default:
			return t, fmt.Errorf("attribute %q: a value of %T", a.Name, a.Value)
		}
		if !ok || t.index[s] != 0 {
			continue
		}
		index := uint32(len(t.index) + 1)
		t.index[s] = index
		body = append(body, le(uint16(index), uint16(1), uint32(0), uint64(len(s)), padded([]byte(s)))...)
	}
	if body == nil {
		return t, nil
	}
	// A global heap has at least 4096 bytes; what is free is its object 0, that its own header is part of.
	size := max(4096, 16+len(body)+16)
	free := size - 16 - len(body)
	body = append(body, le(uint16(0), uint16(0), uint32(0), uint64(free), make([]byte, free-16))...)
	t.at = w.add(le("GCOL", uint32(1), uint64(size), body))
	return t, nil
}

func attributeMessage(a HDF5Attribute, texts hdf5Texts) []byte {
	var kind, value []byte
	switch v := a.Value.(type) {
	case string:
		kind, value = hdf5Text, le(uint32(len(v)), texts.at, texts.index[v])
	case int64:
		kind, value = hdf5Int64, le(v)
	case float64:
		kind, value = hdf5Float64, le(math.Float64bits(v))
	}
	name := append([]byte(a.Name), 0)
	space := le(uint8(1), uint8(0), uint16(0), uint32(0)) // a single value
	return le(uint8(1), uint8(0), uint16(len(name)), uint16(len(kind)), uint16(len(space)), padded(name), padded(kind), padded(space), value)
}
