//go:build !unix

package vecfile

import (
	"io"
	"os"
)

// mapFile reads the first size bytes of f: here nothing is mapped.
func mapFile(f *os.File, size int) (b []byte, unmap func() error, err error) {
	b = make([]byte, size)
	if _, err := io.ReadFull(io.NewSectionReader(f, 0, int64(size)), b); err != nil {
		return nil, nil, err
	}
	return b, func() error { return nil }, nil
}
