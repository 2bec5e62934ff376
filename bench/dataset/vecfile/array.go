package vecfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"unsafe"

	"annbench/indexes/vec"
	"annbench/internal/atomicfile"
	"annbench/internal/filekind"
)

// Array is the content of a .npy file. Data must not be written to.
type Array[T Number] struct {
	Data  []T
	Shape []int
	unmap func() error
}

func (a *Array[T]) Close() error {
	if a == nil || a.unmap == nil {
		return nil
	}
	unmap := a.unmap
	a.Data, a.unmap = nil, nil
	return unmap()
}

// littleEndian is whether memory has the byte order of the files.
var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// MapArray maps the .npy file at path, which must have dims dimensions of T. The error names the file
// and the byte where it is wrong.
func MapArray[T Number](path string, dims int) (*Array[T], error) {
	if err := filekind.Regular(path); err != nil {
		return nil, err
	}
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
	a := &Array[T]{Shape: h.shape}
	if n == 0 {
		return a, nil
	}
	b, unmap, err := mapFile(f, int(size))
	if err != nil {
		return nil, fmt.Errorf("mapping %s: %w", path, err)
	}
	if values := b[h.data:]; littleEndian && uintptr(unsafe.Pointer(&values[0]))%unsafe.Alignof(*new(T)) == 0 {
		a.Data, a.unmap = unsafe.Slice((*T)(unsafe.Pointer(&values[0])), n), unmap
		return a, nil
	}
	// Headers of other writers may leave the values at an odd address.
	a.Data = make([]T, n)
	if _, err := binary.Decode(b[h.data:], binary.LittleEndian, a.Data); err != nil {
		panic(err) // the sizes were checked
	}
	return a, unmap()
}

// Mapped is a matrix in a file. The matrix must not be written to, and ends with Close.
type Mapped struct {
	vec.Matrix
	array *Array[float32]
}

// MapMatrix maps the vectors of the .npy file at path, one a row. The file must hold float32, little
// endian, in two dimensions and C order, and nothing after them; versions 1 to 3 of the format are
// read. Nothing but the header is looked at: whether the values are finite is for [Set.Check].
//
// The error names the file and the byte where it is wrong. No claim of the header is believed that
// the size of the file does not bear out.
func MapMatrix(path string) (*Mapped, error) {
	a, err := MapArray[float32](path, 2)
	if err != nil {
		return nil, err
	}
	m := &Mapped{vec.Matrix{Data: a.Data, Rows: a.Shape[0], Dim: a.Shape[1]}, a}
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

// memory is the memory of values.
func memory[T Number](values []T) []byte {
	if len(values) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&values[0])), len(values)*int(unsafe.Sizeof(values[0])))
}

// FileBytes is values as they stand in a file: little endian.
func FileBytes[T Number](values []T) []byte {
	if littleEndian {
		return memory(values)
	}
	b, err := binary.Append(nil, binary.LittleEndian, values)
	if err != nil {
		panic(err) // numbers always encode
	}
	return b
}

// ArrayWriter writes a .npy file of rows, the number of which need not be known before the end.
type ArrayWriter[T Number] struct {
	f      *os.File
	row    int       // values a row; 0 for an array of one dimension
	values int       // written so far
	sum    hash.Hash // of the values, where not nil
}

// CreateArray begins a file that must not be there yet.
func CreateArray[T Number](path string, row int, sum hash.Hash) (*ArrayWriter[T], error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, err
	}
	w := &ArrayWriter[T]{f: f, row: row, sum: sum}
	if _, err := f.Write(npyHeaderBytes[T](0, row)); err != nil {
		f.Close()
		return nil, err
	}
	return w, nil
}

// ContinueArray is an ArrayWriter that goes on after the first rows rows of f, which [CreateArray] began. f must
// stand after them.
func ContinueArray[T Number](f *os.File, row, rows int, sum hash.Hash) (*ArrayWriter[T], error) {
	if _, err := f.WriteAt(npyHeaderBytes[T](0, row), 0); err != nil {
		return nil, err
	}
	return &ArrayWriter[T]{f: f, row: row, values: rows * max(row, 1), sum: sum}, nil
}

// Sync waits until what was written is on the disk.
func (w *ArrayWriter[T]) Sync() error { return w.f.Sync() }

// Close closes the file as it is.
func (w *ArrayWriter[T]) Close() error { return w.f.Close() }

// npyHeaderBytes is the header of an array of rows × row values, ArrayHead bytes long.
func npyHeaderBytes[T Number](rows, row int) []byte {
	shape := fmt.Sprintf("(%d,)", rows)
	if row > 0 {
		shape = fmt.Sprintf("(%d, %d)", rows, row)
	}
	dict := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': %s, }", descr[T](), shape)
	b := make([]byte, 0, ArrayHead)
	b = append(b, npyMagic+"\x01\x00"...)
	b = binary.LittleEndian.AppendUint16(b, ArrayHead-10)
	b = append(b, dict...)
	b = append(b, strings.Repeat(" ", ArrayHead-1-len(b))...)
	return append(b, '\n')
}

// Write appends values, which must make whole rows.
func (w *ArrayWriter[T]) Write(values []T) error {
	b := FileBytes(values)
	if w.sum != nil {
		w.sum.Write(b)
	}
	n, err := w.f.Write(b)
	w.values += n / int(unsafe.Sizeof(*new(T)))
	return err
}

// Finish puts the number of rows into the header and waits until all is on the disk. The writer is
// closed then, also after an error.
func (w *ArrayWriter[T]) Finish() error {
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

// writeArray writes values to a file that must not be there yet: rows of row values, or one dimension
// where row is 0.
func writeArray[T Number](path string, values []T, row int) error {
	w, err := CreateArray[T](path, row, nil)
	if err != nil {
		return err
	}
	if err := w.Write(values); err != nil {
		w.f.Close()
		return err
	}
	return w.Finish()
}

// WriteArray writes values to path as a .npy file: rows of row values, or one dimension where row is 0.
// It is written whole or not at all; a file that is there already is replaced.
func WriteArray[T Number](path string, values []T, row int) error {
	if row < 0 || row > 0 && len(values)%row != 0 {
		return fmt.Errorf("writing %s: %d values in rows of %d", path, len(values), row)
	}
	return atomicfile.Replace(path, func(tmp string) error { return writeArray(tmp, values, row) })
}

// ReadArray reads a .npy file of T in one or two dimensions; row is 0 for one.
func ReadArray[T Number](path string, dims int) (values []T, row int, err error) {
	a, err := MapArray[T](path, dims)
	if err != nil {
		return nil, 0, err
	}
	if dims > 1 {
		row = a.Shape[1]
	}
	return slices.Clone(a.Data), row, a.Close()
}
