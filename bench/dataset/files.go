package dataset

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// replaceFile makes the file at path by write, which writes and syncs the file of the name that it is
// given, and then puts it in the place of what is there.
func replaceFile(path string, write func(tmp string) error) error {
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
	syncDir(filepath.Dir(path))
	return nil
}

// writeFile writes b to a file that must not be there yet, and waits until it is on the disk.
func writeFile(path string, b []byte) error {
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

func writeJSON(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return writeFile(path, append(b, '\n'))
}

func readJSON(path string, v any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// syncDir waits until the names in dir are on the disk, where the system can: what they name is
// synced by then, so a failure loses a name at most.
func syncDir(dir string) {
	if d, err := os.Open(dir); err == nil {
		d.Sync()
		d.Close()
	}
}

// tempDir makes a folder beside the one that dir will be, and the folders above.
func tempDir(dir string) (string, error) {
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

// publish gives the complete folder tmp the name dir. Where dir is there already, the error is
// fs.ErrExist, and both stay as they are.
func publish(tmp, dir string) error {
	syncDir(tmp)
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
	syncDir(filepath.Dir(dir))
	return nil
}

// lineWriter writes a text file in one pass.
type lineWriter struct {
	f *os.File
	*bufio.Writer
}

// createLines begins a file that must not be there yet.
func createLines(path string) (*lineWriter, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, err
	}
	return &lineWriter{f, bufio.NewWriterSize(f, 1<<18)}, nil
}

// finish waits until all is on the disk. The writer is closed then, also after an error.
func (w *lineWriter) finish() error {
	err := w.Flush()
	if err == nil {
		err = w.f.Sync()
	}
	return errors.Join(err, w.f.Close())
}
