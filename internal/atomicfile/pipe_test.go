//go:build unix

package atomicfile

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestReadJSONFromAPipe does not wait for a writer.
func TestReadJSONFromAPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "set.json")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	var v any
	if err := ReadJSON(path, &v); err == nil || !strings.Contains(err.Error(), path+" is a pipe, not a file") {
		t.Error(err)
	}
}
