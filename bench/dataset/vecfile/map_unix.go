//go:build unix

package vecfile

import (
	"os"

	"golang.org/x/sys/unix"
)

// mapFile maps the first size bytes of f, size > 0, for reading. unmap ends that.
func mapFile(f *os.File, size int) (b []byte, unmap func() error, err error) {
	b, err = unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, nil, err
	}
	return b, func() error { return unix.Munmap(b) }, nil
}
