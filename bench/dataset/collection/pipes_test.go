//go:build unix

package collection

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestPipesAndDevices refuses what is no file of bytes that stay, without waiting for a writer or an end.
func TestPipesAndDevices(t *testing.T) {
	dir := t.TempDir()
	vectors := filepath.Join(dir, "x.csv")
	if err := os.WriteFile(vectors, []byte("1.5,2\n3,4\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, ext := range []string{".npy", ".csv", ".parquet", ".h5", ".fbin"} {
		pipe, device := filepath.Join(dir, "pipe"+ext), filepath.Join(dir, "device"+ext)
		if err := syscall.Mkfifo(pipe, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("/dev/zero", device); err != nil {
			t.Fatal(err)
		}
		for _, src := range []Files{
			{Vectors: pipe},
			{Vectors: device},
			{Vectors: pipe, Labels: vectors},
			{Vectors: vectors, Labels: pipe},
			{Vectors: vectors, Labels: device},
			{Vectors: vectors, Queries: pipe},
			{Vectors: vectors, Queries: device},
		} {
			c, err := OpenFiles(t.Context(), src, t.TempDir(), nil)
			if err == nil {
				c.Close()
			}
			if err == nil || !strings.Contains(err.Error(), ", not a file: ") {
				t.Errorf("%+v: %v", src, err)
			}
		}
	}
}
