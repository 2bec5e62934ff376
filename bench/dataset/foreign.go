package dataset

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"annbench/indexes/vec"
)

// Columns name the parts of a file that has several: columns of a table, data sets of an HDF5 file,
// arrays of a .npz file. Empty is what docs/formats.md says the format's readers look for.
type Columns struct {
	Vectors string `yaml:"vectors"`
	Labels  string `yaml:"labels"`
	IDs     string `yaml:"ids"`
}

// rows gives the vectors of a file, in order.
type rows interface {
	// next fills dst with as many whole vectors as fit, at least one, and returns how many it put
	// there; at the end, 0 and io.EOF. dst has room for at least one.
	next(dst []float32) (int, error)
}

// foreign is a file in the form of another tool, opened. Nothing of the vectors has been read yet.
type foreign struct {
	dim   int
	count int // vectors, -1 where only the end tells
	rows  rows
	// expect estimates count where it is not known; nil where nothing can be said.
	expect func() int
	// integers reads the same values as integers; nil where they are others, or cannot be read so.
	integers integers

	// Of the row that was read last or of those before; nil where the file has none.
	label, id func(row int) string

	queries   *foreign // where the file has some of its own
	neighbors *foreignNeighbors
	word      string // the file's word for its metric; empty where it has none

	closers []func() error
}

func (f *foreign) Close() error {
	var errs []error
	for i := len(f.closers) - 1; i >= 0; i-- {
		errs = append(errs, f.closers[i]())
	}
	f.closers = nil
	return errors.Join(errs...)
}

// foreignNeighbors are the exact neighbours that somebody else found: ids of k for each query.
type foreignNeighbors struct {
	count, k int
	rows     integers
}

// integers is [rows] for integers.
type integers interface {
	ints(dst []int32) (int, error)
}

// plainForeign is a file of vectors, all of them laid out by r, that are read by all.
func plainForeign(r *fixedRows, all interface {
	rows
	integers
},
) *foreign {
	f := &foreign{dim: r.dim, count: r.count, rows: all}
	if r.elem.class != 'f' {
		f.integers = all
	}
	return f
}

// input is a file that is read in parts.
type input struct {
	io.ReaderAt
	size int64
	path string // for messages of nested readers
}

func openInput(path string) (*input, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a file", path)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return &input{f, info.Size(), path}, nil
}

func (in *input) Close() error {
	if c, ok := in.ReaderAt.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// bytes reads n bytes at off. No more is allocated than the file has.
func (in *input) bytes(off, n int64) ([]byte, error) {
	if off < 0 || n < 0 || off > in.size || n > in.size-off {
		return nil, placed(min(max(off, 0), in.size), "%d bytes should stand here; the file has %d in all", n, in.size)
	}
	b := make([]byte, n)
	if _, err := in.ReadAt(b, off); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	} else if err != nil && n > 0 {
		if _, again := in.ReadAt(b[n-1:], off+n-1); again != nil && !errors.Is(again, io.EOF) {
			return nil, again
		}
	}
	return b, nil
}

// placed is what is wrong, and at which byte.
func placed(at int64, format string, args ...any) error {
	return npyErrorf(int(at), format, args...)
}

// errTooLarge is about a value that float32 does not hold.
func errTooLarge(row, dimension int) error {
	return fmt.Errorf("row %d, dimension %d: the value is too large for a float32", row, dimension)
}

// fixedRows are vectors that stand in a file one after the other.
type fixedRows struct {
	in    *input
	at    int64 // of the first
	count int
	dim   int
	elem  element
	// headed says that every vector has its number of dimensions before it, as an int32.
	headed bool

	done int
	raw  []byte
}

// stride is how many bytes a row takes.
func (r *fixedRows) stride() int64 {
	n := int64(r.dim) * int64(r.elem.width)
	if r.headed {
		n += 4
	}
	return n
}

// check reports whether the file has what r says, and nothing is too large to be counted.
func (r *fixedRows) check(exact bool) error {
	switch {
	case !r.elem.readable():
		return placed(r.at, "values of %v are not read", r.elem)
	case r.count < 1:
		return placed(r.at, "the file says that it has %d vectors", r.count)
	case r.dim < 1:
		return placed(r.at, "vectors of %d dimensions", r.dim)
	case r.count > math.MaxInt32:
		return placed(r.at, "%d vectors are more than the %d that can be numbered", r.count, math.MaxInt32)
	case int64(r.dim) > (1<<40)/int64(r.elem.width):
		return placed(r.at, "vectors of %d dimensions", r.dim)
	}
	have := r.in.size - r.at
	if have < 0 || int64(r.count) > have/r.stride() {
		return placed(r.in.size, "the file ends too early: %d vectors of %d dimensions (%v) take %d bytes from byte %d on, and there are %d",
			r.count, r.dim, r.elem, int64(r.count)*r.stride(), r.at, max(0, have))
	}
	if need := int64(r.count) * r.stride(); exact && need != have {
		return placed(r.at+need, "the file goes on for %d bytes after the last of %d vectors of %d dimensions (%v)", have-need, r.count, r.dim, r.elem)
	}
	return nil
}

func (r *fixedRows) read(n int) ([]byte, error) {
	stride := r.stride()
	if need := int64(n) * stride; int64(cap(r.raw)) < need {
		r.raw = make([]byte, need)
	}
	r.raw = r.raw[:int64(n)*stride]
	off := r.at + int64(r.done)*stride
	if m, err := r.in.ReadAt(r.raw, off); m < len(r.raw) {
		if err == nil || errors.Is(err, io.EOF) {
			return nil, placed(off+int64(m), "the file ends here, within row %d", r.done+m/int(stride))
		}
		return nil, err
	}
	return r.raw, nil
}

func (r *fixedRows) next(dst []float32) (int, error) {
	n := min(len(dst)/r.dim, r.count-r.done)
	if n == 0 {
		return 0, io.EOF
	}
	raw, err := r.read(n)
	if err != nil {
		return 0, err
	}
	if !r.headed {
		if bad := r.elem.decode(dst[:n*r.dim], raw); bad >= 0 {
			return 0, errTooLarge(r.done+bad/r.dim, bad%r.dim)
		}
	} else {
		stride := int(r.stride())
		for i := range n {
			row := raw[i*stride : (i+1)*stride]
			if dim := le32(row); dim != r.dim {
				return 0, placed(r.at+int64(r.done+i)*int64(stride), "row %d says it has %d dimensions, the rows before have %d", r.done+i, dim, r.dim)
			}
			if bad := r.elem.decode(dst[i*r.dim:(i+1)*r.dim], row[4:]); bad >= 0 {
				return 0, errTooLarge(r.done+i, bad)
			}
		}
	}
	r.done += n
	return n, nil
}

// ints is next for row numbers.
func (r *fixedRows) ints(dst []int32) (int, error) {
	n := min(len(dst)/r.dim, r.count-r.done)
	if n == 0 {
		return 0, io.EOF
	}
	raw, err := r.read(n)
	if err != nil {
		return 0, err
	}
	head := 0
	if r.headed {
		head = 4
	}
	stride := int(r.stride())
	for i := range n {
		row := raw[i*stride : (i+1)*stride]
		if r.headed && le32(row) != r.dim {
			return 0, placed(r.at+int64(r.done+i)*int64(stride), "row %d says it has %d values, the rows before have %d", r.done+i, le32(row), r.dim)
		}
		if bad := r.elem.decodeInts(dst[i*r.dim:(i+1)*r.dim], row[head:]); bad >= 0 {
			return 0, fmt.Errorf("row %d, value %d: not a row number", r.done+i, bad)
		}
	}
	r.done += n
	return n, nil
}

func le32(b []byte) int {
	return int(int32(uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24))
}

// openVecs reads the TEXMEX forms: every vector has an int32 number of dimensions before it.
func openVecs(elem element) func(*input, Columns) (*foreign, error) {
	return func(in *input, _ Columns) (*foreign, error) {
		if in.size == 0 {
			return nil, errors.New("the file is empty")
		}
		head, err := in.bytes(0, 4)
		if err != nil {
			return nil, err
		}
		r := &fixedRows{in: in, dim: le32(head), elem: elem, headed: true}
		if r.dim < 1 || int64(r.dim) > (in.size-4)/int64(elem.width) {
			return nil, placed(0, "the first vector says it has %d dimensions, in a file of %d bytes: not a file of this kind (%v)", r.dim, in.size, elem)
		}
		r.count = int(in.size / r.stride())
		if in.size%r.stride() != 0 {
			return nil, placed(in.size-in.size%r.stride(), "the file ends within row %d: rows of %d dimensions take %d bytes", r.count, r.dim, r.stride())
		}
		if err := r.check(true); err != nil {
			return nil, err
		}
		return plainForeign(r, r), nil
	}
}

// openBin reads the forms of big-ann-benchmarks: two uint32, the number of vectors and of dimensions,
// and the values.
func openBin(elem element) func(*input, Columns) (*foreign, error) {
	return func(in *input, _ Columns) (*foreign, error) {
		r, err := binRows(in, elem)
		if err != nil {
			return nil, err
		}
		if err := r.check(true); err != nil {
			return nil, err
		}
		return plainForeign(r, r), nil
	}
}

func binRows(in *input, elem element) (*fixedRows, error) {
	head, err := in.bytes(0, 8)
	if err != nil {
		return nil, err
	}
	return &fixedRows{in: in, at: 8, count: int(uint32(le32(head))), dim: int(uint32(le32(head[4:]))), elem: elem}, nil
}

// openArray reads a .npy file of any numbers, in C or Fortran order.
func openArray(in *input, _ Columns) (*foreign, error) {
	r, h, err := npyRows(in)
	if err != nil {
		return nil, err
	}
	f := plainForeign(r, r)
	if h.fortran && r.dim > 1 && r.count > 1 {
		f.rows, f.integers = &columnRows{fixedRows: *r}, nil
	}
	return f, nil
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
		return nil, h, placed(10, "the values are %s; numbers of 1 to 8 bytes are read", descrName(h.descr))
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

func (r *columnRows) next(dst []float32) (int, error) {
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
		for i, x := range column {
			dst[i*r.dim+d] = x
		}
	}
	r.done += n
	return n, nil
}

// Format is a form in which vectors come.
type Format struct {
	Name string
	// Exts are the extensions of such files, in lower case with the dot; none for a folder.
	Exts []string
	// magic is how such files begin; empty where anything may stand there, and the extension decides.
	magic string
	open  func(in *input, columns Columns) (*foreign, error)
}

// Formats lists what [Open] and [OpenSource] read, besides folders. A file that begins as one of them
// does is one of them, whatever its name.
var Formats = []Format{
	{"HDF5, as ann-benchmarks has it", []string{".hdf5", ".h5"}, hdf5Magic, openHDF5},
	{"NumPy", []string{".npy"}, npyMagic, openArray},
	{"NumPy, several arrays", []string{".npz"}, "PK\x03\x04", openArchive},
	{"Parquet", []string{".parquet"}, "PAR1", openParquet},
	{"TEXMEX, float32", []string{".fvecs"}, "", openVecs(element{class: 'f', width: 4})},
	{"TEXMEX, uint8", []string{".bvecs"}, "", openVecs(element{class: 'u', width: 1})},
	{"TEXMEX, int32", []string{".ivecs"}, "", openVecs(element{class: 'i', width: 4})},
	{"big-ann-benchmarks, float32", []string{".fbin"}, "", openBin(element{class: 'f', width: 4})},
	{"big-ann-benchmarks, uint8", []string{".u8bin"}, "", openBin(element{class: 'u', width: 1})},
	{"big-ann-benchmarks, int8", []string{".i8bin"}, "", openBin(element{class: 'i', width: 1})},
	{"big-ann-benchmarks, int32", []string{".ibin"}, "", openBin(element{class: 'i', width: 4})},
	{"comma- or tab-separated text", []string{".csv", ".tsv"}, "", openCSV},
}

// metricWords are the words of other tools for metrics.
var metricWords = map[string]vec.Metric{
	"angular": vec.Cosine, "cosine": vec.Cosine, "normalized": vec.Cosine,
	"euclidean": vec.L2, "l2": vec.L2,
	"dot": vec.InnerProduct, "ip": vec.InnerProduct, "inner product": vec.InnerProduct, "innerproduct": vec.InnerProduct,
}

// begins reports whether head is the beginning of a file of the format.
func (f *Format) begins(head []byte) bool {
	return f.magic != "" && bytes.HasPrefix(head, []byte(f.magic))
}
