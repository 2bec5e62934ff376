package vecfile

import (
	"errors"
	"fmt"
	"io"
	"os"

	"annbench/internal/filekind"
)

// input is a file that is read in parts.
type input struct {
	io.ReaderAt
	size int64
	path string // for messages of nested readers
}

func openInput(path string) (*input, error) {
	if err := filekind.Regular(path); err != nil {
		return nil, err
	}
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
	return fmt.Errorf("%s: the value is too large for a float32", rowPlace(row, dimension))
}
