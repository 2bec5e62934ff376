//go:build !unix

package mapfile

import (
	"io"
	"os"
	"unsafe"
)

// mapFile gives the file's bytes, aligned for numbers of any size, and what gives them back.
func mapFile(file *os.File, size int64) (data []byte, unmap func() error, err error) {
	words := make([]uint64, (size+7)/8)
	data = unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), size)
	if _, err := io.ReadFull(io.NewSectionReader(file, 0, size), data); err != nil {
		return nil, nil, err
	}
	return data, func() error { return nil }, nil
}
