//go:build cgo && linux

package embedder

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestTooFewAddresses: a limit of address space in which the Go runtime cannot start ends in a sentence, not in its trace.
func TestTooFewAddresses(t *testing.T) {
	for _, kib := range []string{"600000", "1500000"} {
		cmd := exec.Command("sh", "-c", "ulimit -v "+kib+`; exec "$0" -test.run '^$'`, os.Args[0])
		out, err := cmd.CombinedOutput()
		text := string(out)
		if err == nil || cmd.ProcessState.ExitCode() != 1 || !strings.HasPrefix(text, "annbench: the address space") || strings.Count(text, "\n") != 1 {
			t.Errorf("%s KiB: %v, %.300q", kib, err, text)
		}
	}
}
