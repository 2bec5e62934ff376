package catalog

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"
)

// Folder is a collection of image files, one folder a category. Open it with [OpenFolder].
type Folder struct {
	dir     string
	files   []folderFile // sorted by ID
	labels  []string
	ignored int
}

type folderFile struct {
	Item
	path string // as the system knows it
}

// OpenFolder lists the images of dir, which lie in DIR/CATEGORY/x.jpg, .jpeg, .png or .webp, in
// whatever case, at any depth below their category. It lists and does not read them: a file that holds no
// image shows when its group is decoded.
//
// Items are sorted by ID, byte by byte. The ID is the path below dir with slashes; in it (and in a
// label) backslashes, bytes that are no UTF-8 and unprintable characters are written as Go escapes.
//
// Names that begin with a dot are left out. Symbolic links are followed, to files and to folders,
// in dir or elsewhere; a folder that was already visited in the same category is not visited again,
// so that links in a circle end. What is named as an image and leads nowhere, or is a folder with no image
// in it, is an item that cannot be read. All other files are counted by [Folder.Ignored].
//
// It is an error when dir is missing, is no folder, cannot be listed in full, or has no image in any
// category. One category alone is allowed.
func OpenFolder(dir string) (*Folder, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("opening image folder: %w", err)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("opening image folder: %s is not a folder", dir)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("opening image folder: %w", err)
	}

	f := &Folder{dir: dir}
	loose := 0 // images outside of any category
	for _, e := range entries {
		name := e.Name()
		if hidden(name) {
			continue
		}
		path := filepath.Join(dir, name)
		info, err := os.Stat(path) // follows links
		switch {
		case err != nil && e.Type()&fs.ModeSymlink != 0:
			f.ignored++ // a link to nowhere
		case err != nil:
			return nil, fmt.Errorf("opening image folder: %w", err)
		case !info.IsDir():
			f.ignored++
			if imageName(name) {
				loose++
			}
		default:
			before := len(f.files)
			if err := f.walk(path, name, printable(name), info, new([]fs.FileInfo)); err != nil {
				return nil, fmt.Errorf("opening image folder: %w", err)
			}
			if len(f.files) > before {
				f.labels = append(f.labels, printable(name))
			}
		}
	}
	if len(f.files) == 0 {
		found := ""
		if loose > 0 {
			found = fmt.Sprintf(" (%d images lie in it without a category)", loose)
		}
		return nil, fmt.Errorf("opening image folder: %s has no category folders with images%s: put images in %s",
			dir, found, filepath.Join(dir, "CATEGORY", "x.jpg"))
	}
	slices.Sort(f.labels)
	slices.SortFunc(f.files, func(a, b folderFile) int { return strings.Compare(a.ID, b.ID) })
	return f, nil
}

// walk adds the images below path, whose name below the collection's folder is rel.
func (f *Folder) walk(path, rel, label string, info fs.FileInfo, visited *[]fs.FileInfo) error {
	// Linear, but only folders are in the list, and a category has few.
	if slices.ContainsFunc(*visited, func(v fs.FileInfo) bool { return os.SameFile(v, info) }) {
		f.ignored++
		return nil
	}
	*visited = append(*visited, info)
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := e.Name()
		if hidden(name) {
			continue
		}
		path, rel := filepath.Join(path, name), rel+"/"+name
		mode := e.Type()
		var info fs.FileInfo
		if mode&fs.ModeSymlink != 0 || mode.IsDir() {
			info, err = os.Stat(path)
			switch {
			case err != nil && mode&fs.ModeSymlink != 0 && imageName(name):
				mode = 0 // its picture has the error
			case err != nil && mode&fs.ModeSymlink != 0:
				f.ignored++ // a link to nowhere
				continue
			case err != nil:
				return err
			default:
				mode = info.Mode().Type()
			}
		}
		switch {
		case mode.IsDir():
			before := len(f.files) + f.ignored
			if err := f.walk(path, rel, label, info, visited); err != nil {
				return err
			}
			if imageName(name) && len(f.files)+f.ignored == before {
				f.files = append(f.files, folderFile{Item{ID: printable(rel), Label: label}, path})
			}
		case mode.IsRegular() && imageName(name):
			f.files = append(f.files, folderFile{Item{ID: printable(rel), Label: label}, path})
		default:
			f.ignored++
		}
	}
	return nil
}

// Name is the last element of the folder's path.
func (f *Folder) Name() string { return filepath.Base(filepath.Clean(f.dir)) }

// Labels are the names of the folders that hold at least one image.
func (f *Folder) Labels() []string { return slices.Clone(f.labels) }

// Len is the number of image files.
func (f *Folder) Len() int { return len(f.files) }

// Groups is Len: each file is decoded by itself.
func (f *Folder) Groups() int { return len(f.files) }

// Items returns the one item of group g.
func (f *Folder) Items(g int) []Item { return []Item{f.files[g].Item} }

// Ignored counts what was found and not taken: files that are not named as images, files outside of
// any category, links to nowhere that are not named as images, folders reached a second time. Hidden names are not counted.
func (f *Folder) Ignored() int { return f.ignored }

// Group decodes the one image of group g. A file that is missing by now, broken, of another format,
// or larger than 100 megapixels has an Err that names its path.
func (f *Folder) Group(g int) []Picture {
	file := f.files[g]
	img, err := decodeFile(file.path)
	return []Picture{{Item: file.Item, Image: img, Err: err}}
}

// folderDigest opens what is hashed. Its number grows with any change in how a file becomes pixels.
const folderDigest = "annbench catalog folder 4\n"

// Digest hashes the ID, label and content of every file, in order. It reads all files, as many at a
// time as there are processors, which takes about as long as the disk needs for them. A file that
// cannot be read counts as unreadable and is no error, as in Group.
func (f *Folder) Digest(ctx context.Context) (string, error) {
	paths := make([]string, len(f.files))
	for i, file := range f.files {
		paths[i] = file.path
	}
	sums, err := fileSums(ctx, paths)
	if err != nil {
		return "", fmt.Errorf("hashing %s: %w", f.dir, err)
	}

	h := sha256.New()
	io.WriteString(h, folderDigest)
	for i, file := range f.files {
		hashString(h, file.ID)
		hashString(h, file.Label)
		hashString(h, string(sums[i]))
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// fileSums are the sums of files, as many at a time as there are processors. The error is that of ctx.
func fileSums(ctx context.Context, paths []string) ([][]byte, error) {
	sums := make([][]byte, len(paths))
	var (
		next atomic.Int64
		wg   sync.WaitGroup
	)
	for range min(runtime.GOMAXPROCS(0), len(paths)) {
		wg.Go(func() {
			buf := make([]byte, 256<<10)
			for {
				i := int(next.Add(1)) - 1
				if i >= len(paths) || ctx.Err() != nil {
					return
				}
				sums[i] = fileSum(paths[i], buf)
			}
		})
	}
	wg.Wait()
	return sums, ctx.Err()
}

// fileSum is the SHA-256 of a file's content, or nothing when it cannot be read.
func fileSum(path string, buf []byte) []byte {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	h := sha256.New()
	for {
		n, err := f.Read(buf)
		h.Write(buf[:n])
		if errors.Is(err, io.EOF) {
			return h.Sum(nil)
		}
		if err != nil {
			return nil
		}
	}
}

// hashString writes s after its length, so that no two lists of strings are the same bytes.
func hashString(w io.Writer, s string) {
	var n [8]byte
	binary.LittleEndian.PutUint64(n[:], uint64(len(s)))
	w.Write(n[:])
	io.WriteString(w, s)
}

func hidden(name string) bool { return strings.HasPrefix(name, ".") }

// imageExtensions are the ends of the names of image files, those that count first coming first.
var imageExtensions = [...]string{".jpg", ".jpeg", ".png", ".webp"}

// imageRank is the place of a file's extension among those of images, -1 for none of them.
func imageRank(name string) int {
	return slices.Index(imageExtensions[:], strings.ToLower(filepath.Ext(name)))
}

func imageName(name string) bool { return imageRank(name) >= 0 }

// printable returns s with its backslashes, unprintable characters and bytes that are no UTF-8
// escaped as in a Go string; different strings stay different.
func printable(s string) string {
	plain := !strings.ContainsRune(s, '\\') && utf8.ValidString(s)
	for _, r := range s {
		plain = plain && strconv.IsPrint(r)
	}
	if plain {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case r == '"':
			b.WriteByte('"')
		default:
			q := strconv.Quote(s[:n])
			b.WriteString(q[1 : len(q)-1])
		}
		s = s[n:]
	}
	return b.String()
}
