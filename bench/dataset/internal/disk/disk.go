// Package disk writes files and folders under package dataset so that each is whole or not there.
package disk

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Replace makes the file at path by write, which writes and syncs the file of the name that it is
// given, and then puts it in the place of what is there.
func Replace(path string, write func(tmp string) error) error {
	dir, err := os.MkdirTemp(filepath.Dir(path), "."+filepath.Base(path)+".tmp-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	tmp := filepath.Join(dir, filepath.Base(path))
	if err := write(tmp); err != nil {
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		return err
	}
	SyncDir(filepath.Dir(path))
	return nil
}

// Write writes b to a file that must not be there yet, and waits until it is on the disk.
func Write(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	if _, err := f.Write(b); err != nil {
		f.Close()
		return err
	}
	if err := f.Sync(); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

func WriteJSON(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return Write(path, append(b, '\n'))
}

func ReadJSON(path string, v any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// SyncDir waits until the names in dir are on the disk, where the system can: what they name is
// synced by then, so a failure loses a name at most.
func SyncDir(dir string) {
	if d, err := os.Open(dir); err == nil {
		d.Sync()
		d.Close()
	}
}

// TempDir makes a folder beside the one that dir will be, and the folders above.
func TempDir(dir string) (string, error) {
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return "", err
	}
	tmp, err := os.MkdirTemp(parent, "."+filepath.Base(dir)+".tmp-*")
	if err != nil {
		return "", err
	}
	return tmp, os.Chmod(tmp, 0o755)
}

// Publish gives the complete folder tmp the name dir. Where dir is there already, the error is
// fs.ErrExist, and both stay as they are.
func Publish(tmp, dir string) error {
	SyncDir(tmp)
	// Subtle: rename(2) replaces an empty folder, os.Rename refuses to; an empty one is nothing to
	// protect, and Remove takes no other.
	if err := os.Rename(tmp, dir); errors.Is(err, fs.ErrExist) {
		if os.Remove(dir) != nil {
			return err
		}
		if err := os.Rename(tmp, dir); err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	SyncDir(filepath.Dir(dir))
	return nil
}

// Lines writes a text file in one pass.
type Lines struct {
	*bufio.Writer
	f *os.File
}

// CreateLines begins a file that must not be there yet.
func CreateLines(path string) (*Lines, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, err
	}
	return NewLines(f), nil
}

// NewLines writes to f, from where it stands.
func NewLines(f *os.File) *Lines { return &Lines{bufio.NewWriterSize(f, 1<<18), f} }

// Sync waits until what was flushed is on the disk.
func (w *Lines) Sync() error { return w.f.Sync() }

// Close closes the file without flushing.
func (w *Lines) Close() error { return w.f.Close() }

// Finish waits until all is on the disk. The writer is closed then, also after an error.
func (w *Lines) Finish() error {
	err := w.Flush()
	if err == nil {
		err = w.f.Sync()
	}
	return errors.Join(err, w.f.Close())
}
