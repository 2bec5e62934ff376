//go:build unix

package mapfile

import (
	"os"
	"syscall"
)

// mapFile gives the file's bytes, and what gives them back.
func mapFile(file *os.File, size int64) (data []byte, unmap func() error, err error) {
	data, err = syscall.Mmap(int(file.Fd()), 0, int(size), syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return nil, nil, err
	}
	return data, func() error { return syscall.Munmap(data) }, nil
}
