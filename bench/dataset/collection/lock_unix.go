//go:build unix

package collection

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// lock takes the lock of f, which ends with the file's being closed, or with the process. A file system
// without locks has none to take.
func lock(f *os.File) error {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	switch {
	case errors.Is(err, unix.EWOULDBLOCK):
		return ErrBusy
	case errors.Is(err, unix.ENOLCK), errors.Is(err, unix.ENOTSUP), errors.Is(err, unix.ENOSYS):
		return nil
	}
	return err
}
