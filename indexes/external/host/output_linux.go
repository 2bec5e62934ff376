package host

import (
	"os"

	"golang.org/x/sys/unix"
)

// takeOutput keeps standard output for the protocol, and gives standard error to whoever prints to it.
func takeOutput() (*os.File, error) {
	fd, err := unix.FcntlInt(1, unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, err
	}
	if err := unix.Dup3(2, 1, 0); err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), "protocol"), nil
}
