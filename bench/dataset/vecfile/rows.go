package vecfile

import (
	"errors"
	"fmt"
	"io"
	"math"
)

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
	loss
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

// ahead gives the bytes of at most n rows, of at least one; they are read again until skip.
func (r *fixedRows) ahead(n int) (raw []byte, rows int, err error) {
	if n = min(n, r.count-r.done); n == 0 {
		return nil, 0, io.EOF
	}
	raw, err = r.read(n)
	return raw, n, err
}

func (r *fixedRows) skip(rows int) { r.done += rows }

func (r *fixedRows) Next(dst []float32) (int, error) {
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
		r.compare(r.elem, dst[:n*r.dim], raw)
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
			r.compare(r.elem, dst[i*r.dim:(i+1)*r.dim], row[4:])
		}
	}
	r.done += n
	return n, nil
}

// ints is next for row numbers.
func (r *fixedRows) Ints(dst []int32) (int, error) {
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

// plainFile is a file of vectors, all of them laid out by r, that are read by all.
func plainFile(r *fixedRows, all interface {
	Rows
	Integers
},
) *File {
	f := &File{Dim: r.dim, Count: r.count, Rows: all}
	if r.elem.class != 'f' {
		f.Integers = all
	}
	return f
}
