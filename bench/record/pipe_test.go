//go:build unix

package record

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestReadFromAPipe does not wait for a writer.
func TestReadFromAPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "records.jsonl")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Read(path); err == nil || !strings.Contains(err.Error(), path+" is a pipe, not a file") {
		t.Error(err)
	}
}
