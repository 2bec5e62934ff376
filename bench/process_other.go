//go:build !linux

package bench

import "syscall"

// childAttributes make a worker the head of a process group.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
