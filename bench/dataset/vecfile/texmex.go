package vecfile

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
)

// openVecs reads the TEXMEX forms: every vector has an int32 number of dimensions before it.
func openVecs(elem element) func(*input, Columns) (*File, error) {
	return func(in *input, _ Columns) (*File, error) {
		if in.size == 0 {
			return nil, errors.New("the file is empty")
		}
		head, err := in.bytes(0, 4)
		if err != nil {
			return nil, err
		}
		if !headsAgree(in, elem, binary.LittleEndian) && headsAgree(in, elem, binary.BigEndian) {
			advice := ""
			if elem.width == 4 {
				advice = "; in Python: numpy.fromfile(path, '>i4').astype('<i4').tofile(new)"
			}
			return nil, placed(0, "its numbers are big-endian (the first vector has %d dimensions so), and the format's are little-endian%s", binary.BigEndian.Uint32(head), advice)
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
		return plainFile(r, r), nil
	}
}

// headsAgree reports whether the first vectors, read in an order of bytes, say the same number of dimensions, and the file has room
// for them.
func headsAgree(in *input, elem element, order binary.ByteOrder) bool {
	head, err := in.bytes(0, 4)
	if err != nil {
		return false
	}
	dim := order.Uint32(head)
	stride := 4 + int64(dim)*int64(elem.width)
	if dim < 1 || stride > in.size {
		return false
	}
	if in.size < stride+4 {
		return in.size == stride
	}
	next, err := in.bytes(stride, 4)
	return err == nil && order.Uint32(next) == dim
}

func writeVecs(ctx context.Context, f *os.File, t Table) error {
	var b []byte
	return t.blocks(ctx, func(from, to int) error {
		b = b[:0]
		for row := from; row < to; row++ {
			b = binary.LittleEndian.AppendUint32(b, uint32(t.Vectors.Dim))
			b = append(b, FileBytes(t.Vectors.Row(row))...)
		}
		_, err := f.Write(b)
		return err
	})
}
