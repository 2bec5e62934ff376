package proctree

import (
	"os/exec"
	"runtime"
)

// Start starts cmd with [Attributes]. Its end is sent to ended, where it waits until somebody asks.
//
// The kernel ends such a process with the thread that started it, so a thread is kept until it has ended.
func Start(cmd *exec.Cmd) (ended <-chan error, err error) {
	cmd.SysProcAttr = Attributes()
	started, end := make(chan error), make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			end <- cmd.Wait()
		}
	}()
	return end, <-started
}
