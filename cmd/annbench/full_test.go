package main

import (
	"strings"
	"syscall"
	"testing"
)

// fullDisk takes nothing.
type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

// closedPipe is what `| head` leaves behind.
type closedPipe struct{}

func (closedPipe) Write([]byte) (int, error) { return 0, syscall.EPIPE }

// TestCaseO1: output that could not be written is exit code 1 with the reason.
func TestCaseO1(t *testing.T) {
	for _, args := range [][]string{{"families"}, {"families", "--json"}, {"schema"}} {
		var stderr strings.Builder
		code := run(args, fullDisk{}, &stderr)
		if code != exitFailed || !strings.Contains(stderr.String(), "no space left on device") {
			t.Errorf("%v to a full disk: exit code %d, %q", args, code, stderr.String())
		}
	}
	var stderr strings.Builder
	if code := run([]string{"families"}, closedPipe{}, &stderr); code != 0 {
		t.Errorf("families into a closed pipe: exit code %d, %q", code, stderr.String())
	}
}
