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
