package fetch

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"annbench/internal/atomicfile"
)

// errWrong is an archive that is not what it should be.
var errWrong = errors.New("not the archive that it should be")

// maxUnpacked is the most bytes that an archive is unpacked to: a small file can ask for a full disk.
const maxUnpacked = 8 << 30

// in reports whether all folders are in dir.
func (t *Tree) in(dir string) bool {
	for _, name := range t.Folders {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || !info.IsDir() {
			return false
		}
	}
	return true
}

// sum lists the files below dir and returns their number and the hash of the list.
func (t *Tree) sum(ctx context.Context, dir string) (files int, sum string, err error) {
	var paths []string
	for _, name := range t.Folders {
		err := filepath.WalkDir(filepath.Join(dir, name), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			rel, err := filepath.Rel(dir, path)
			paths = append(paths, filepath.ToSlash(rel))
			return err
		})
		if err != nil {
			return 0, "", err
		}
	}
	slices.Sort(paths)
	h := sha256.New()
	for _, path := range paths {
		one, err := fileSum(ctx, filepath.Join(dir, filepath.FromSlash(path)))
		if err != nil {
			return 0, "", err
		}
		raw, err := hex.DecodeString(one)
		if err != nil {
			panic(err) // fileSum wrote it
		}
		h.Write([]byte(path))
		h.Write([]byte{0})
		h.Write(raw)
	}
	return len(paths), hex.EncodeToString(h.Sum(nil)), nil
}

func (t *Tree) check(ctx context.Context, s State, dir string) (State, error) {
	if !t.in(dir) {
		return s, nil
	}
	s.There = true
	files, sum, err := t.sum(ctx, dir)
	if err != nil {
		return s, err
	}
	s.SHA256 = sum
	if s.Wrong = t.wrong(files, sum); s.Wrong == "" {
		s.Verified = true
	} else {
		s.Wrong = dir + ": " + s.Wrong
	}
	return s, nil
}

func (t *Tree) wrong(files int, sum string) string {
	switch {
	case files != t.Files:
		return fmt.Sprintf("%d files in %s, there should be %d", files, strings.Join(t.Folders, ", "), t.Files)
	case sum != t.SHA256:
		return fmt.Sprintf("the SHA-256 of the files is %s, it should be %s (%s)", sum, t.SHA256, t.Source)
	}
	return ""
}

// unpack unpacks the archive beside its folders, checks what came out, and moves it there.
func (j *job) unpack(ctx context.Context, archive *os.File) error {
	tmp, err := os.MkdirTemp(j.dir, ".unpack-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	if _, err := archive.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if err := untar(ctx, archive, tmp, j.Tree.Folders); err != nil {
		return err
	}
	return j.publish(ctx, tmp)
}

// copyTree takes the folders of those who have them unpacked.
func (j *job) copyTree(ctx context.Context) error {
	tmp, err := os.MkdirTemp(j.dir, ".copy-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	for _, name := range j.Tree.Folders {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := os.CopyFS(filepath.Join(tmp, name), os.DirFS(filepath.Join(j.From, name))); err != nil {
			return err
		}
	}
	if err := j.publish(ctx, tmp); err != nil {
		return fmt.Errorf("%s: %w", j.From, err)
	}
	return errUnpacked
}

// publish checks the folders in tmp and moves them to their place.
func (j *job) publish(ctx context.Context, tmp string) error {
	if !j.Tree.in(tmp) {
		return fmt.Errorf("%w: it lacks one of the folders %s", errWrong, strings.Join(j.Tree.Folders, ", "))
	}
	files, sum, err := j.Tree.sum(ctx, tmp)
	if err != nil {
		return err
	}
	if wrong := j.Tree.wrong(files, sum); wrong != "" {
		return fmt.Errorf("%w: %s", errWrong, wrong)
	}
	for _, name := range j.Tree.Folders {
		to := filepath.Join(j.dir, name)
		if _, err := os.Lstat(to); err == nil {
			return fmt.Errorf("there is something at %s already: move it away, then fetch again", to)
		}
		if err := atomicfile.Rename(filepath.Join(tmp, name), to); err != nil {
			return err
		}
	}
	return nil
}

// untar writes the files of a .tar.gz that lie in the given folders below its first folder. Names that
// lead elsewhere, links and everything else but files are an error or left out.
func untar(ctx context.Context, r io.Reader, dir string, folders []string) error {
	z, err := gzip.NewReader(r)
	if err != nil {
		return fmt.Errorf("%w: %w", errWrong, err)
	}
	t := tar.NewReader(io.LimitReader(z, maxUnpacked))
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%w: %w", errWrong, err)
		}
		_, name, ok := strings.Cut(h.Name, "/")
		top, _, _ := strings.Cut(name, "/")
		if !ok || h.Typeflag != tar.TypeReg || !slices.Contains(folders, top) {
			continue
		}
		if !filepath.IsLocal(filepath.FromSlash(name)) {
			return fmt.Errorf("%w: it has a file %.100q", errWrong, h.Name)
		}
		if err := writeFile(filepath.Join(dir, filepath.FromSlash(name)), t); err != nil {
			return err
		}
	}
}

func writeFile(path string, r io.Reader) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	if _, err := io.Copy(f, r); err != nil {
		return errors.Join(fmt.Errorf("%w: %w", errWrong, err), f.Close())
	}
	return f.Close()
}
