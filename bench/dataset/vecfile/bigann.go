package vecfile

import (
	"context"
	"encoding/binary"
	"os"
)

// openBin reads the forms of big-ann-benchmarks: two uint32, the number of vectors and of dimensions,
// and the values.
func openBin(elem element) func(*input, Columns) (*File, error) {
	return func(in *input, _ Columns) (*File, error) {
		r, err := binRows(in, elem)
		if err != nil {
			return nil, err
		}
		if err := r.check(true); err != nil {
			return nil, err
		}
		return plainFile(r, r), nil
	}
}

func binRows(in *input, elem element) (*fixedRows, error) {
	head, err := in.bytes(0, 8)
	if err != nil {
		return nil, err
	}
	return &fixedRows{in: in, at: 8, count: int(uint32(le32(head))), dim: int(uint32(le32(head[4:]))), elem: elem}, nil
}

func writeBin(ctx context.Context, f *os.File, t Table) error {
	head := binary.LittleEndian.AppendUint32(nil, uint32(t.Vectors.Rows))
	if _, err := f.Write(binary.LittleEndian.AppendUint32(head, uint32(t.Vectors.Dim))); err != nil {
		return err
	}
	return writeValues(ctx, f, t)
}
