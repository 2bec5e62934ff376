package vecfile

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unsafe"
)

// The .npy format is described in numpy/lib/format.py: a magic, a version, the length of the header,
// the header, which is a Python dictionary of three keys, and the values.

const (
	npyMagic = "\x93NUMPY"
	// npyAlign is what the values of the files written here are aligned to, in bytes: a cache line,
	// and the widest SIMD register.
	npyAlign = 64
	// ArrayHead is how long the header of a file written here is, in all: room for any two counts.
	ArrayHead = 128
	// npyMaxHead is the longest header that is read. Version 1.0 has no longer ones; later versions
	// have them for structures of many fields, which are no vectors.
	npyMaxHead = 10 + math.MaxUint16
)

// Number is what arrays are made of here.
type Number interface{ float32 | float64 | int32 }

// descr is NumPy's word for T.
func descr[T Number]() string {
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
	switch {
	case len(d) > 2 && (d[1] == 'U' || d[1] == 'S'):
		return "texts"
	case strings.HasSuffix(d, "O"):
		return "Python objects"
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
func checkNPY[T Number](h npyHeader, dims int, size int64) (n int, err error) {
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

// openArray reads a .npy file of any numbers, in C or Fortran order.
func openArray(in *input, _ Columns) (*File, error) {
	r, h, err := npyRows(in)
	if err != nil {
		return nil, err
	}
	if len(h.shape) == 1 {
		return nil, placed(10, "%v", oneDimension(r.count))
	}
	f := plainFile(r, r)
	if h.fortran && r.dim > 1 && r.count > 1 {
		f.Rows, f.Integers = &columnRows{fixedRows: *r}, nil
	}
	return f, nil
}

// oneDimension is about an array of one dimension where vectors are needed.
func oneDimension(n int) error {
	return fmt.Errorf("an array of one dimension: is it one vector of %d values, or %d ids or labels? Vectors have two; in Python: array.reshape(1, -1)", n, n)
}

// npyRows lays out the values of a .npy file of one or two dimensions; one dimension is rows of one.
func npyRows(in *input) (*fixedRows, npyHeader, error) {
	head, err := in.bytes(0, min(in.size, npyMaxHead))
	if err != nil {
		return nil, npyHeader{}, err
	}
	h, err := parseNPY(head)
	if err != nil {
		return nil, h, err
	}
	elem, ok := npyElement(h.descr)
	if !ok {
		return nil, h, placed(10, "the values are %s, and numbers of 1 to 8 bytes are needed", descrName(h.descr))
	}
	r := &fixedRows{in: in, at: h.data, elem: elem, dim: 1}
	switch len(h.shape) {
	case 1:
		r.count = h.shape[0]
	case 2:
		r.count, r.dim = h.shape[0], h.shape[1]
	default:
		return nil, h, placed(10, "the array has %d dimensions (shape %v), vectors have 2", len(h.shape), h.shape)
	}
	return r, h, r.check(true)
}

// npyElement reads NumPy's words for numbers.
func npyElement(descr string) (element, bool) {
	if len(descr) != 3 {
		return element{}, false
	}
	e := element{class: descr[1], width: int(descr[2] - '0'), big: descr[0] == '>'}
	if e.class == 'b' && e.width == 1 {
		e.class = 'u' // a truth value
	}
	return e, e.readable() && (descr[0] == '<' || descr[0] == '>' || descr[0] == '|' && e.width == 1)
}

// columnRows are vectors of which the file has all values of dimension 0, then of dimension 1, and so
// on.
type columnRows struct {
	fixedRows
	column []float32
}

func (r *columnRows) Next(dst []float32) (int, error) {
	n := min(len(dst)/r.dim, r.count-r.done)
	if n == 0 {
		return 0, io.EOF
	}
	width := int64(r.elem.width)
	if cap(r.column) < n {
		r.column, r.raw = make([]float32, n), make([]byte, int64(n)*width)
	}
	column, raw := r.column[:n], r.raw[:int64(n)*width]
	for d := range r.dim {
		off := r.at + (int64(d)*int64(r.count)+int64(r.done))*width
		if m, err := r.in.ReadAt(raw, off); m < len(raw) {
			return 0, errors.Join(placed(off+int64(m), "the file ends here, within dimension %d", d), err)
		}
		if bad := r.elem.decode(column, raw); bad >= 0 {
			return 0, errTooLarge(r.done+bad, d)
		}
		r.compare(r.elem, column, raw)
		for i, x := range column {
			dst[i*r.dim+d] = x
		}
	}
	r.done += n
	return n, nil
}

func writeNPY(ctx context.Context, f *os.File, t Table) error {
	if _, err := f.Write(npyHeaderBytes[float32](t.Vectors.Rows, t.Vectors.Dim)); err != nil {
		return err
	}
	return writeValues(ctx, f, t)
}

// Mappable reports whether [MapMatrix] maps the file at path as it stands.
func Mappable(path string) bool {
	if !strings.EqualFold(filepath.Ext(path), ".npy") {
		return false
	}
	in, err := openInput(path)
	if err != nil {
		return false
	}
	defer in.Close()
	head, err := in.bytes(0, min(in.size, npyMaxHead))
	if err != nil {
		return false
	}
	h, err := parseNPY(head)
	return err == nil && h.descr == descr[float32]() && !h.fortran && len(h.shape) == 2
}
