package lease

import (
	"errors"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestKilledProcess takes over, at once, from a process that was killed and whose parent has not asked for its status yet:
// its number is still there.
func TestKilledProcess(t *testing.T) {
	cmd := exec.Command("sleep", "600")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Wait() }()
	dead := Lease{path: filepath.Join(t.TempDir(), ".lease"), own: self()}
	dead.own.PID, dead.own.Start = cmd.Process.Pid, started(cmd.Process.Pid)
	if dead.own.Boot == "" || dead.own.Start == "" {
		_ = cmd.Process.Kill()
		t.Skip("this system does not name its boots, or not when a process began")
	}
	if err := dead.create(); err != nil {
		t.Fatal(err)
	}
	if _, err := Take(t.Context(), dead.path, nil); !errors.Is(err, ErrHeld) {
		t.Errorf("while it lives: %v", err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	var info unix.Siginfo
	if err := unix.Waitid(unix.P_PID, cmd.Process.Pid, &info, unix.WEXITED|unix.WNOWAIT, nil); err != nil { // it stays as it is
		t.Fatal(err)
	}
	l, err := Take(t.Context(), dead.path, func(string) { t.Error("it waits for a process that is seen to be dead") })
	if err != nil {
		t.Fatal(err)
	}
	l.Release()
}
