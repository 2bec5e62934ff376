//go:build !linux

package external

import "syscall"

// Without /proc there are no sizes, and only the program's own group is ended.

func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

func held(int, string) int64 { return 0 }

func status(int, string) int64 { return 0 }

func mapped(int, string) int64 { return 0 }

func resetPeak(int) bool { return false }

func end(pid int, _ string) { _ = syscall.Kill(-pid, syscall.SIGKILL) }
