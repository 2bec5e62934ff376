// Package atomicfile writes files and folders whole or not at all: under a temporary name beside the
// final one, synced, renamed, and the folder that holds the name synced, too. A reader never sees half
// of one, and what was written before a power cut is there after it, as far as the file system keeps
// its word.
//
// Temporary names begin with a dot and contain ".tmp-"; a process that is killed leaves them behind, and [Tidy]
// removes them.
// A symbolic link at the final name is replaced, not followed. Files get the permissions 0666 less
// the umask. It refuses to append: an append-only file belongs to its writer. (The module renameio
// does not sync the folder and has no folders, so it is not used.)
package atomicfile

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"syscall"
	"time"

	"annbench/internal/filekind"
	"annbench/internal/plaintext"
)

// A File is written under a temporary name until [File.Commit] gives it its own.
type File struct {
	*os.File
	path string
	done bool
}

// Create begins a file that replaces the one at path, if there is one. The usual form is
//
//	f, err := atomicfile.Create(path)
//	if err != nil { ... }
//	defer f.Abort()
//	... write to f ...
//	return f.Commit()
func Create(path string) (*File, error) {
	f, err := os.OpenFile(temporary(path), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return nil, err
	}
	return &File{File: f, path: path}, nil
}

// Commit syncs the file, closes it, gives it its name and syncs the folder. After an error at or
// before the renaming, what was at the name before is still there and the temporary file is gone.
func (f *File) Commit() error {
	if f.done {
		return fmt.Errorf("%s: %w", f.path, fs.ErrClosed)
	}
	f.done = true
	err := f.File.Sync()
	if err = errors.Join(err, f.File.Close()); err == nil {
		err = os.Rename(f.Name(), f.path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return SyncDir(filepath.Dir(f.path))
}

// Abort closes the file and removes it. After Commit, or a second time, it does nothing.
func (f *File) Abort() {
	if f.done {
		return
	}
	f.done = true
	f.File.Close()
	os.Remove(f.Name())
}

// Write makes b the contents of the file at path.
func Write(path string, b []byte) error {
	f, err := Create(path)
	if err != nil {
		return err
	}
	defer f.Abort()
	if _, err := f.Write(b); err != nil {
		return err
	}
	return f.Commit()
}

// WriteJSON makes v, as indented JSON with a newline at its end, the contents of the file at path.
func WriteJSON(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return Write(path, append(b, '\n'))
}

// ReadJSON reads what [WriteJSON] wrote. Its errors name the file.
func ReadJSON(path string, v any) error {
	if err := filekind.Regular(path); err != nil {
		return err
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if b, err = plaintext.Strip(b); err == nil {
		err = plaintext.JSONError(b, json.Unmarshal(b, v))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// Replace is for writers that want a name and not an open file: write makes the file called tmp, in a
// folder of its own beside path, and Replace syncs it and gives it the name path. Whatever else write
// leaves in that folder is removed.
func Replace(path string, write func(tmp string) error) error {
	dir := temporary(path)
	if err := os.Mkdir(dir, 0o777); err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	tmp := filepath.Join(dir, filepath.Base(path))
	if err := write(tmp); err != nil {
		return err
	}
	if err := syncFile(tmp); err != nil {
		return err
	}
	return Rename(tmp, path)
}

// TempDir makes an empty folder beside the one that dir will be, and the folders above, for
// [Publish]. The caller removes it after an error.
func TempDir(dir string) (string, error) {
	if err := os.MkdirAll(filepath.Dir(dir), 0o777); err != nil {
		return "", err
	}
	tmp := temporary(dir)
	return tmp, os.Mkdir(tmp, 0o777)
}

// Publish gives the complete folder tmp the name dir; the files in it are synced by whoever wrote
// them. If dir is there already and is not empty, the error is [fs.ErrExist], and both stay as they
// are.
func Publish(tmp, dir string) error {
	if err := SyncDir(tmp); err != nil {
		return err
	}
	// Subtle: rename(2) replaces an empty folder, os.Rename refuses to; an empty one is nothing to
	// protect, and Remove takes no other.
	err := Rename(tmp, dir)
	if errors.Is(err, fs.ErrExist) && os.Remove(dir) == nil {
		err = Rename(tmp, dir)
	}
	return err
}

// Rename renames a file or folder that is synced already, and syncs the folder of the new name.
func Rename(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(to))
}

// SyncDir waits until the names in dir are on the disk. File systems that cannot sync a folder make
// it a success.
func SyncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // folders cannot be opened for it
	}
	err := syncFile(dir)
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		return nil
	}
	return err
}

func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

const (
	mark       = ".tmp-"
	randomPart = 12 // letters and digits after the mark
)

func temporary(path string) string {
	return filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+mark+rand.Text()[:randomPart])
}

var temporaryName = regexp.MustCompile(`^\..+` + regexp.QuoteMeta(mark) + `[A-Z2-7]{12}$`)

// Tidy removes what killed processes left in dir under names of this package, where nobody has written to it for so
// long as age. Folders below dir stay as they are. Nothing else is touched, and a dir that is not there is
// tidy. Who alone writes to dir may give an age of 0; others wait longer than writing one file takes.
func Tidy(dir string, age time.Duration) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		info, statErr := e.Info()
		if !temporaryName.MatchString(e.Name()) || statErr != nil || time.Since(info.ModTime()) < age {
			continue
		}
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
	}
	return err
}
