//go:build !linux

package host

import (
	"os"
	"syscall"
)

// takeOutput keeps standard output for the protocol, and gives standard error to whoever prints to it.
func takeOutput() (*os.File, error) {
	fd, err := syscall.Dup(1)
	if err != nil {
		return nil, err
	}
	if err := syscall.Dup2(2, 1); err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), "protocol"), nil
}
