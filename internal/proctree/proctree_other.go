//go:build !linux

package proctree

import "syscall"

// Attributes make a process the head of a process group.
func Attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// Tree and those that point here know nothing without /proc.
func Tree(int, string) []int { return nil }

// Held see [Tree].
func Held(int) int64 { return 0 }

// Status see [Tree].
func Status(int, string) int64 { return 0 }

// Mapped see [Tree].
func Mapped(int, string) (int64, bool) { return 0, false }

// Mappings see [Tree].
func Mappings(int) ([]Mapping, bool) { return nil, false }

// ForgetTouched see [Tree].
func ForgetTouched(int) bool { return false }

// Opens see [Tree].
func Opens(int, string) bool { return false }

// ResetPeak see [Tree].
func ResetPeak(int) bool { return false }

// End kills the process group of pid.
func End(pid int, _ string) { _ = syscall.Kill(-pid, syscall.SIGKILL) }

// Alive reports whether process id can be signalled.
func Alive(id int) bool { return syscall.Kill(id, 0) == nil }
