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

// TestCaseR1: choose over the results of two data sets names no setting.
func TestCaseR1(t *testing.T) {
	const r1 = "../../testdata/foreign/cases/R1/"
	var stdout, stderr strings.Builder
	code := run([]string{"choose", r1 + "a", r1 + "b", "--min-recall", "0.5"}, &stdout, &stderr)
	if code != exitMisuse || stdout.String() != "" || !strings.Contains(stderr.String(), "2 data sets (fb_ok, h5_i8)") {
		t.Errorf("exit code %d, %q, %q", code, stdout.String(), stderr.String())
	}
}
