package dataset

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"
	"math/bits"
	"os"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"annbench/indexes/vec"
)

// The .npy format is described in numpy/lib/format.py: a magic, a version, the length of the header,
// the header, which is a Python dictionary of three keys, and the values.

const (
	npyMagic = "\x93NUMPY"
	// npyAlign is what the values of the files written here are aligned to, in bytes: a cache line,
	// and the widest SIMD register.
	npyAlign = 64
	// npyHead is how long the header of a file written here is, in all: room for any two counts.
	npyHead = 128
	// npyMaxHead is the longest header that is read. Version 1.0 has no longer ones; later versions
	// have them for structures of many fields, which are no vectors.
	npyMaxHead = 10 + math.MaxUint16
)

// number is what arrays are made of here.
type number interface{ float32 | float64 | int32 }

// descr is NumPy's word for T.
func descr[T number]() string {
	switch any(*new(T)).(type) {
	case float32:
		return "<f4"
	case float64:
		return "<f8"
	}
	return "<i4"
}

var descrNames = map[string]string{
	"<f2": "float16", "<f4": "float32", "<f8": "float64", "|u1": "uint8", "|i1": "int8",
	"<i4": "int32", "<i8": "int64", "<u4": "uint32", "<u8": "uint64", ">f4": "big-endian float32",
	">f8": "big-endian float64",
}

func descrName(d string) string {
	if name, ok := descrNames[d]; ok {
		return name
	}
	return fmt.Sprintf("%q", d)
}

// npyHeader is what a header says.
type npyHeader struct {
	descr   string
	fortran bool
	shape   []int
	data    int64 // where the values begin, in bytes from the start of the file
}

// npyError is what is wrong with a .npy file, and at which byte.
type npyError struct {
	at     int
	reason string
}

func (e *npyError) Error() string { return fmt.Sprintf("byte %d: %s", e.at, e.reason) }

func npyErrorf(at int, format string, args ...any) error {
	return &npyError{at, fmt.Sprintf(format, args...)}
}

// parseNPY reads the header of a .npy file of which head holds the first bytes: all of them, or at
// least npyMaxHead.
func parseNPY(head []byte) (npyHeader, error) {
	var h npyHeader
	if len(head) < len(npyMagic) || string(head[:len(npyMagic)]) != npyMagic {
		return h, npyErrorf(0, "not a .npy file: it does not begin with \\x93NUMPY")
	}
	if len(head) < 10 {
		return h, npyErrorf(len(head), "the file ends within its header")
	}
	start, length := 10, uint64(binary.LittleEndian.Uint16(head[8:]))
	switch head[6] {
	case 1:
	case 2, 3:
		if len(head) < 12 {
			return h, npyErrorf(len(head), "the file ends within its header")
		}
		start, length = 12, uint64(binary.LittleEndian.Uint32(head[8:]))
	default:
		return h, npyErrorf(6, "version %d.%d of the format; known are 1, 2 and 3", head[6], head[7])
	}
	if length > uint64(npyMaxHead-start) {
		return h, npyErrorf(8, "a header of %d bytes: no array of numbers has one that long", length)
	}
	if length > uint64(len(head)-start) {
		return h, npyErrorf(len(head), "the file ends within its header, which should have %d bytes", length)
	}
	h.data = int64(start) + int64(length)
	p := npyParser{b: head[:h.data], at: start}
	err := p.dict(&h)
	return h, err
}

// npyParser reads the few forms of Python literals that a header of plain numbers has.
type npyParser struct {
	b  []byte
	at int
}

func (p *npyParser) dict(h *npyHeader) error {
	if err := p.expect('{'); err != nil {
		return err
	}
	seen := make(map[string]bool, 3)
	for !p.accept('}') {
		p.space()
		start := p.at
		key, err := p.str()
		if err != nil {
			return err
		}
		if seen[key] {
			return npyErrorf(start, "the header has the key %q twice", key)
		}
		seen[key] = true
		if err := p.expect(':'); err != nil {
			return err
		}
		p.space()
		switch key {
		case "descr":
			if p.at < len(p.b) && p.b[p.at] == '[' {
				return npyErrorf(p.at, "rows are structures of several fields: an array of plain numbers is needed")
			}
			h.descr, err = p.str()
		case "fortran_order":
			h.fortran, err = p.boolean()
		case "shape":
			h.shape, err = p.shape()
		default:
			return npyErrorf(start, "the header has a key %q; known are descr, fortran_order and shape", key)
		}
		if err != nil {
			return err
		}
		if !p.accept(',') {
			if err := p.expect('}'); err != nil {
				return err
			}
			break
		}
	}
	if len(seen) != 3 {
		return npyErrorf(p.at, "the header lacks one of descr, fortran_order and shape")
	}
	p.space()
	if p.at != len(p.b) {
		return npyErrorf(p.at, "the header goes on after its last brace")
	}
	return nil
}

func (p *npyParser) space() {
	for p.at < len(p.b) && (p.b[p.at] == ' ' || p.b[p.at] == '\n' || p.b[p.at] == '\t' || p.b[p.at] == '\r') {
		p.at++
	}
}

func (p *npyParser) accept(c byte) bool {
	p.space()
	if p.at < len(p.b) && p.b[p.at] == c {
		p.at++
		return true
	}
	return false
}

func (p *npyParser) expect(c byte) error {
	if !p.accept(c) {
		return npyErrorf(p.at, "the header is damaged: %q should stand here", c)
	}
	return nil
}

func (p *npyParser) str() (string, error) {
	p.space()
	if p.at >= len(p.b) || p.b[p.at] != '\'' && p.b[p.at] != '"' {
		return "", npyErrorf(p.at, "the header is damaged: a quoted word should stand here")
	}
	quote, start := p.b[p.at], p.at+1
	for end := start; end < len(p.b) && p.b[end] != '\n'; end++ {
		if p.b[end] == quote {
			p.at = end + 1
			return string(p.b[start:end]), nil
		}
	}
	return "", npyErrorf(p.at, "the header is damaged: a quoted word does not end")
}

func (p *npyParser) boolean() (bool, error) {
	p.space()
	rest := string(p.b[p.at:min(len(p.b), p.at+5)])
	if strings.HasPrefix(rest, "True") {
		p.at += 4
		return true, nil
	}
	if rest == "False" {
		p.at += 5
		return false, nil
	}
	return false, npyErrorf(p.at, "the header is damaged: True or False should stand here")
}

func (p *npyParser) shape() ([]int, error) {
	if err := p.expect('('); err != nil {
		return nil, err
	}
	var shape []int
	for !p.accept(')') {
		p.space()
		start := p.at
		for p.at < len(p.b) && p.b[p.at] >= '0' && p.b[p.at] <= '9' {
			p.at++
		}
		n, err := strconv.Atoi(string(p.b[start:p.at]))
		if err != nil {
			return nil, npyErrorf(start, "the header is damaged: a count should stand here that a file can hold")
		}
		if p.at < len(p.b) && p.b[p.at] == 'L' { // long integers of Python 2
			p.at++
		}
		shape = append(shape, n)
		if !p.accept(',') {
			if err := p.expect(')'); err != nil {
				return nil, err
			}
			break
		}
	}
	return shape, nil
}

// checkNPY reports why an array with header h cannot be read as dims dimensions of T from a file of
// size bytes, and otherwise returns how many values it has. By then they are known to be there: the
// file has exactly the bytes that they take.
func checkNPY[T number](h npyHeader, dims int, size int64) (n int, err error) {
	if want := descr[T](); h.descr != want {
		fix := ""
		if want == "<f4" {
			fix = "; in Python: numpy.save(path, array.astype('<f4'))"
		}
		return 0, npyErrorf(10, "the values are %s, they must be %s%s", descrName(h.descr), descrName(want), fix)
	}
	if len(h.shape) != dims {
		return 0, npyErrorf(10, "the array has %d dimensions (shape %v), it must have %d", len(h.shape), h.shape, dims)
	}
	if h.fortran && dims > 1 {
		return 0, npyErrorf(10, "the values stand column by column (Fortran order), they must stand row by row; in Python: numpy.save(path, numpy.ascontiguousarray(array))")
	}
	width := uint64(unsafe.Sizeof(*new(T)))
	need, over := width, uint64(0)
	for _, side := range h.shape {
		if over, need = bits.Mul64(need, uint64(side)); over != 0 || need > math.MaxInt64 {
			return 0, npyErrorf(10, "the shape %v has more values than any file", h.shape)
		}
	}
	have := uint64(size - h.data)
	switch {
	case need > have:
		return 0, npyErrorf(int(size), "the file ends too early: its header speaks of shape %v, which takes %d bytes, and there are %d", h.shape, need, have)
	case need < have:
		return 0, npyErrorf(int(h.data)+int(need), "the file goes on for %d bytes after the last value: its header speaks of shape %v", have-need, h.shape)
	}
	if need > math.MaxInt {
		return 0, npyErrorf(10, "the shape %v is too large for this machine", h.shape)
	}
	return int(need / width), nil
}

// array is the content of a .npy file. data must not be written to.
type array[T number] struct {
	data  []T
	shape []int
	unmap func() error
}

func (a *array[T]) Close() error {
	if a == nil || a.unmap == nil {
		return nil
	}
	unmap := a.unmap
	a.data, a.unmap = nil, nil
	return unmap()
}

// littleEndian is whether memory has the byte order of the files.
var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// mapNPY maps the .npy file at path, which must have dims dimensions of T. The error names the file
// and the byte where it is wrong.
func mapNPY[T number](path string, dims int) (*array[T], error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() // a mapping outlives it
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a file", path)
	}
	size := info.Size()
	head := make([]byte, min(size, npyMaxHead))
	if _, err := f.ReadAt(head, 0); err != nil && err != io.EOF {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	h, err := parseNPY(head)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	n, err := checkNPY[T](h, dims, size)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	a := &array[T]{shape: h.shape}
	if n == 0 {
		return a, nil
	}
	b, unmap, err := mapFile(f, int(size))
	if err != nil {
		return nil, fmt.Errorf("mapping %s: %w", path, err)
	}
	if values := b[h.data:]; littleEndian && uintptr(unsafe.Pointer(&values[0]))%unsafe.Alignof(*new(T)) == 0 {
		a.data, a.unmap = unsafe.Slice((*T)(unsafe.Pointer(&values[0])), n), unmap
		return a, nil
	}
	// Headers of other writers may leave the values at an odd address.
	a.data = make([]T, n)
	if _, err := binary.Decode(b[h.data:], binary.LittleEndian, a.data); err != nil {
		panic(err) // the sizes were checked
	}
	return a, unmap()
}

// Mapped is a matrix in a file. The matrix must not be written to, and ends with Close.
type Mapped struct {
	vec.Matrix
	array *array[float32]
}

// MapMatrix maps the vectors of the .npy file at path, one a row. The file must hold float32, little
// endian, in two dimensions and C order, and nothing after them; versions 1 to 3 of the format are
// read. Nothing but the header is looked at: whether the values are finite is for [Set.Check].
//
// The error names the file and the byte where it is wrong. No claim of the header is believed that
// the size of the file does not bear out.
func MapMatrix(path string) (*Mapped, error) {
	a, err := mapNPY[float32](path, 2)
	if err != nil {
		return nil, err
	}
	m := &Mapped{vec.Matrix{Data: a.data, Rows: a.shape[0], Dim: a.shape[1]}, a}
	if m.Dim == 0 {
		return nil, fmt.Errorf("%s: vectors of 0 dimensions", path)
	}
	if m.Rows > math.MaxInt32 {
		err := fmt.Errorf("%s: %d vectors are more than the %d that can be numbered", path, m.Rows, math.MaxInt32)
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

// Close unmaps the file. A second call does nothing.
func (m *Mapped) Close() error {
	if m == nil {
		return nil
	}
	m.Data = nil
	return m.array.Close()
}

// asBytes is the memory of values.
func asBytes[T number](values []T) []byte {
	if len(values) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&values[0])), len(values)*int(unsafe.Sizeof(values[0])))
}

// fileBytes is values as they stand in a file: little endian.
func fileBytes[T number](values []T) []byte {
	if littleEndian {
		return asBytes(values)
	}
	b, err := binary.Append(nil, binary.LittleEndian, values)
	if err != nil {
		panic(err) // numbers always encode
	}
	return b
}

// npyWriter writes a .npy file of rows, the number of which need not be known before the end.
type npyWriter[T number] struct {
	f      *os.File
	row    int       // values a row; 0 for an array of one dimension
	values int       // written so far
	sum    hash.Hash // of the values, where not nil
}

// createNPY begins a file that must not be there yet.
func createNPY[T number](path string, row int, sum hash.Hash) (*npyWriter[T], error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, err
	}
	w := &npyWriter[T]{f: f, row: row, sum: sum}
	if _, err := f.Write(npyHeaderBytes[T](0, row)); err != nil {
		f.Close()
		return nil, err
	}
	return w, nil
}

// npyHeaderBytes is the header of an array of rows × row values, npyHead bytes long.
func npyHeaderBytes[T number](rows, row int) []byte {
	shape := fmt.Sprintf("(%d,)", rows)
	if row > 0 {
		shape = fmt.Sprintf("(%d, %d)", rows, row)
	}
	dict := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': %s, }", descr[T](), shape)
	b := make([]byte, 0, npyHead)
	b = append(b, npyMagic+"\x01\x00"...)
	b = binary.LittleEndian.AppendUint16(b, npyHead-10)
	b = append(b, dict...)
	b = append(b, strings.Repeat(" ", npyHead-1-len(b))...)
	return append(b, '\n')
}

// write appends values, which must make whole rows.
func (w *npyWriter[T]) write(values []T) error {
	b := fileBytes(values)
	if w.sum != nil {
		w.sum.Write(b)
	}
	n, err := w.f.Write(b)
	w.values += n / int(unsafe.Sizeof(*new(T)))
	return err
}

// finish puts the number of rows into the header and waits until all is on the disk. The writer is
// closed then, also after an error.
func (w *npyWriter[T]) finish() error {
	rows := w.values / max(w.row, 1)
	if _, err := w.f.WriteAt(npyHeaderBytes[T](rows, w.row), 0); err != nil {
		w.f.Close()
		return err
	}
	if err := w.f.Sync(); err != nil {
		w.f.Close()
		return err
	}
	return w.f.Close()
}

// writeNPY writes values to a file that must not be there yet: rows of row values, or one dimension
// where row is 0.
func writeNPY[T number](path string, values []T, row int) error {
	w, err := createNPY[T](path, row, nil)
	if err != nil {
		return err
	}
	if err := w.write(values); err != nil {
		w.f.Close()
		return err
	}
	return w.finish()
}

// WriteMatrix writes m to path as a .npy file that [MapMatrix] and NumPy read, whole or not at all;
// a file that is there already is replaced.
func WriteMatrix(path string, m vec.Matrix) error {
	if m.Dim < 1 || len(m.Data) != m.Rows*m.Dim {
		return fmt.Errorf("writing %s: %d vectors of %d dimensions in %d values", path, m.Rows, m.Dim, len(m.Data))
	}
	return replaceFile(path, func(tmp string) error { return writeNPY(tmp, m.Data, m.Dim) })
}

// WriteArray writes values to path as a .npy file: rows of row values, or one dimension where row is 0.
// It is written whole or not at all; a file that is there already is replaced.
func WriteArray[T int32 | float32 | float64](path string, values []T, row int) error {
	return replaceFile(path, func(tmp string) error { return writeNPY(tmp, values, row) })
}

// ReadArray reads a .npy file of T in one or two dimensions; row is 0 for one.
func ReadArray[T int32 | float32 | float64](path string, dims int) (values []T, row int, err error) {
	a, err := mapNPY[T](path, dims)
	if err != nil {
		return nil, 0, err
	}
	if dims > 1 {
		row = a.shape[1]
	}
	return slices.Clone(a.data), row, a.Close()
}
