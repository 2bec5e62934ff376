// Package kept makes results complete: what serving them needs beside the indexes (vectors, pictures, a model) goes
// into the results folder by hard link, with a list of checksums. The folder can then be copied, or travel as one
// archive, and be served on another machine.
//
// It knows files alone. What they are, and where they come from, is package pipeline's business.
package kept

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"annbench/internal/atomicfile"
	"annbench/internal/seal"
)

// Folder is the name of the kept files in a results folder, and listFile that of their list in there.
const (
	Folder   = "kept"
	listFile = "kept.json"
)

// list is what listFile holds, sealed.
type list struct {
	// Files are the SHA-256 of all files of the folder but the list, by their slash-separated paths in it.
	Files map[string]string `json:"files"`
}

// Tree is a folder, or one file, and the slash-separated path that it gets in the kept folder.
type Tree struct{ From, As string }

// Sum says what was kept.
type Sum struct {
	Files  int
	Bytes  int64
	Copied int64 // of Bytes: those that could not be linked, being on another file system
}

// Keep puts trees into the results folder, in place of what was kept there before. Files are linked where the file
// system allows it and copied elsewhere. They appear all at once, when all of them are there.
func Keep(ctx context.Context, results string, trees []Tree) (sum Sum, err error) {
	to := filepath.Join(results, Folder)
	tmp, err := atomicfile.TempDir(to)
	if err != nil {
		return sum, err
	}
	defer os.RemoveAll(tmp)
	all := list{Files: map[string]string{}}
	for _, tree := range trees {
		err := filepath.WalkDir(tree.From, func(from string, entry fs.DirEntry, err error) error {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil || !entry.Type().IsRegular() {
				return err // links and pipes are no part of what annbench writes
			}
			below, err := filepath.Rel(tree.From, from)
			if err != nil {
				return err
			}
			name := path.Join(tree.As, filepath.ToSlash(below))
			n, copied, err := bring(from, filepath.Join(tmp, filepath.FromSlash(name)))
			if err != nil {
				return err
			}
			sum.Files++
			sum.Bytes += n
			if copied {
				sum.Copied += n
			}
			all.Files[name], err = seal.Sum(ctx, from)
			return err
		})
		if err != nil {
			return sum, fmt.Errorf("keeping %s: %w", tree.From, err)
		}
	}
	if err := seal.WriteJSON(filepath.Join(tmp, listFile), all); err != nil {
		return sum, err
	}
	if _, err := os.Lstat(to); err == nil {
		// Its own list says that it is ours to take away.
		if _, err := read(results); err != nil {
			return sum, fmt.Errorf("%s is there, and was not made by annbench (%w); move it away", to, err)
		}
		if err := os.RemoveAll(to); err != nil {
			return sum, err
		}
	}
	return sum, atomicfile.Publish(tmp, to)
}

// bring links from as to, or copies it.
func bring(from, to string) (size int64, copied bool, err error) {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return 0, false, err
	}
	info, err := os.Stat(from)
	if err != nil {
		return 0, false, err
	}
	if os.Link(from, to) == nil {
		return info.Size(), false, nil
	}
	in, err := os.Open(from)
	if err != nil {
		return 0, false, err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return 0, false, err
	}
	n, err := io.Copy(out, in)
	return n, true, errors.Join(err, out.Close())
}

func read(results string) (l list, err error) {
	name := filepath.Join(results, Folder, listFile)
	sealed, err := seal.ReadJSON(name, &l)
	if err == nil && !sealed {
		err = fmt.Errorf("%s has no checksum", name)
	}
	return l, err
}

// Find is the path of what was kept as that name in results, checked by its checksums. The error is [fs.ErrNotExist]
// where nothing was; it names the file that has changed.
func Find(ctx context.Context, results, name string) (string, error) {
	l, err := read(results)
	if err != nil {
		return "", err
	}
	wanted := map[string]string{}
	for file, sum := range l.Files {
		if !filepath.IsLocal(filepath.FromSlash(file)) {
			return "", fmt.Errorf("%s names %q, which is not in that folder", filepath.Join(results, Folder, listFile), file)
		}
		if file == name || strings.HasPrefix(file, name+"/") {
			wanted[file] = sum
		}
	}
	if len(wanted) == 0 {
		return "", fmt.Errorf("%s keeps no %s: %w", filepath.Join(results, Folder), name, fs.ErrNotExist)
	}
	if err := seal.Verify(ctx, filepath.Join(results, Folder), wanted); err != nil {
		return "", fmt.Errorf("%w; copy the results anew, or run `annbench pack` where they come from", err)
	}
	return filepath.Join(results, Folder, filepath.FromSlash(name)), nil
}

// sumsFile is the first file of an archive: the checksums of all others.
const sumsFile = "annbench-pack.json"

// Clicks is the folder of results that does not travel: it says who clicked what, and its key signs what is shown. Whoever
// had the key could invent clicks.
const Clicks = "clicks"

// Pack writes the regular files of the results folder into one archive (tar; vectors do not become smaller by
// compression), with their checksums at its beginning: all but [Clicks], and what begins with a dot, such as the leases of
// processes at work. Nothing is at out until all is written.
func Pack(ctx context.Context, results, out string) (err error) {
	all := list{Files: map[string]string{}}
	err = filepath.WalkDir(results, func(from string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		below, err := filepath.Rel(results, from)
		if err != nil {
			return err
		}
		if entry.IsDir() && (below == Clicks || below != "." && strings.HasPrefix(entry.Name(), ".")) {
			return fs.SkipDir
		}
		if !entry.Type().IsRegular() || strings.HasPrefix(entry.Name(), ".") {
			return nil
		}
		all.Files[filepath.ToSlash(below)], err = seal.Sum(ctx, from)
		return err
	})
	if err != nil {
		return err
	}
	tmp, err := atomicfile.TempDir(out)
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	if err := seal.WriteJSON(filepath.Join(tmp, sumsFile), all); err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(tmp, "archive"))
	if err != nil {
		return err
	}
	defer f.Close()
	w := tar.NewWriter(f)
	err = add(ctx, w, filepath.Join(tmp, sumsFile), sumsFile)
	for _, name := range slices.Sorted(maps.Keys(all.Files)) {
		if err == nil {
			err = add(ctx, w, filepath.Join(results, filepath.FromSlash(name)), name)
		}
	}
	if err := errors.Join(err, w.Close(), f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("writing %s: %w", out, err)
	}
	return atomicfile.Rename(f.Name(), out)
}

// add puts one file into the archive.
func add(ctx context.Context, w *tar.Writer, from, name string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: info.Size(), ModTime: info.ModTime(), Typeflag: tar.TypeReg}); err != nil {
		return err
	}
	_, err = io.Copy(w, &stoppable{ctx, in})
	return err
}

// stoppable is a reader that ends with its context.
type stoppable struct {
	ctx context.Context
	io.Reader
}

func (s *stoppable) Read(b []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.Reader.Read(b)
}

// maxSums is how long the list of an archive may be: a million files.
const maxSums = 256 << 20

// Unpack makes the results folder out of an archive that [Pack] wrote. It is an error if dir is there already, if a
// file is not what its checksum says, or if one is missing or too many; then nothing is at dir.
func Unpack(ctx context.Context, archive, dir string) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("unpacking %s: %w", archive, err)
		}
	}()
	if _, err := os.Lstat(dir); err == nil {
		return fmt.Errorf("%s is there already: name a new folder", dir)
	}
	in, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer in.Close()
	tmp, err := atomicfile.TempDir(dir)
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	r := tar.NewReader(&stoppable{ctx, in})
	first, err := r.Next()
	if err != nil || first.Name != sumsFile || first.Size > maxSums {
		return errors.Join(errors.New("not an archive of `annbench pack`"), err)
	}
	if err := write(r, filepath.Join(tmp, sumsFile)); err != nil {
		return err
	}
	var all list
	if sealed, err := seal.ReadJSON(filepath.Join(tmp, sumsFile), &all); err != nil {
		return err
	} else if !sealed {
		return fmt.Errorf("%s has no checksum", sumsFile)
	}
	if err := os.Remove(filepath.Join(tmp, sumsFile)); err != nil {
		return err
	}
	for got := map[string]bool{}; ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			if len(got) != len(all.Files) {
				return fmt.Errorf("the archive is cut: it has %d of %d files", len(got), len(all.Files))
			}
			break
		}
		if err != nil {
			return fmt.Errorf("the archive is damaged: %w", err)
		}
		if all.Files[h.Name] == "" || got[h.Name] || h.Typeflag != tar.TypeReg || !filepath.IsLocal(filepath.FromSlash(h.Name)) {
			return fmt.Errorf("it holds %q, which its list does not", h.Name)
		}
		got[h.Name] = true
		if err := write(r, filepath.Join(tmp, filepath.FromSlash(h.Name))); err != nil {
			return err
		}
	}
	if err := seal.Verify(ctx, tmp, all.Files); err != nil {
		return err
	}
	return atomicfile.Publish(tmp, dir)
}

func write(r io.Reader, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Close())
}
