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

	"annbench/internal/filekind"
)

// Folder is a collection of image files, one folder a category. Open it with [OpenFolder].
type Folder struct {
	dir      string
	files    []folderFile // sorted by ID
	labels   []string
	ignored  int
	problems []Problem

	categories []fs.FileInfo // folders that are categories, with their labels in called
	called     []string
}

type folderFile struct {
	Item
	path string // as the system knows it
}

// OpenFolder lists the images of dir, which lie in DIR/CATEGORY/x.jpg, .jpeg, .png or .webp, in
// whatever case, at any depth below their category. It lists and does not read them: a file that holds no
// image shows when its group is decoded. Only of a file of another name it looks at the first bytes: a JPEG,
// PNG or WebP is an image whatever its name, and what else is there is a problem, see [Folder.Problems].
//
// Where dir has the splits of a collection (train, valid, test, ...) above the categories, taking them for
// categories would be wrong without a sign: that is an error, which offers one split, or dir + "/*", the
// last element being an asterisk. With that, categories are the folders of the second level, and items of one
// category come from all folders of the first.
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
	dir, second := splitLevel(dir)
	entries, err := listFolder(dir)
	if err != nil {
		return nil, err
	}
	f := &Folder{dir: dir}
	if !second {
		if err := refuseSplits(dir, entries); err != nil {
			return nil, err
		}
	}
	loose := 0 // images outside of any category
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		info, err := os.Stat(path) // follows links
		switch {
		case err != nil && e.Type()&fs.ModeSymlink != 0:
			f.nowhere(path, e.Name())
		case err != nil:
			return nil, fmt.Errorf("opening image folder: %w", err)
		case !info.IsDir():
			loose += f.stray(path, e.Name())
		case second:
			inner, err := listFolder(path)
			if err != nil {
				return nil, err
			}
			for _, category := range inner {
				path, rel := filepath.Join(path, category.Name()), e.Name()+"/"+category.Name()
				info, err := os.Stat(path)
				switch {
				case err != nil && category.Type()&fs.ModeSymlink != 0:
					f.nowhere(path, rel)
				case err != nil:
					return nil, fmt.Errorf("opening image folder: %w", err)
				case !info.IsDir():
					loose += f.stray(path, rel)
				default:
					if err := f.category(path, rel, category.Name(), info); err != nil {
						return nil, err
					}
				}
			}
		default:
			if err := f.category(path, e.Name(), e.Name(), info); err != nil {
				return nil, err
			}
		}
	}
	if len(f.files) == 0 {
		found := ""
		switch {
		case loose > 0:
			found = fmt.Sprintf(" (%d images lie in it without a category)", loose)
		case len(f.problems) > 0:
			found = fmt.Sprintf(" (%s)", f.problems[len(f.problems)-1])
		}
		return nil, fmt.Errorf("opening image folder: %s has no category folders with images%s: put images in %s",
			dir, found, filepath.Join(dir, "CATEGORY", "x.jpg"))
	}
	slices.Sort(f.labels)
	f.labels = slices.Compact(f.labels)
	f.problems = append(f.problems, alikeProblems(f.labels, func(label string) string { return filepath.Join(dir, label) })...)
	slices.SortFunc(f.files, func(a, b folderFile) int { return strings.Compare(a.ID, b.ID) })
	return f, nil
}

// everySplit is the last element of a path that asks for the categories of the second level.
const everySplit = "*"

func splitLevel(dir string) (folder string, second bool) {
	if filepath.Base(dir) == everySplit {
		if _, err := os.Lstat(dir); err != nil { // a folder may be called so
			return filepath.Dir(dir), true
		}
	}
	return dir, false
}

// listFolder lists what is in dir, names that begin with a dot apart.
func listFolder(dir string) ([]fs.DirEntry, error) {
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
	return slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return hidden(e.Name()) }), nil
}

// splitNames are what collections call the parts that a model is trained and tested on.
var splitNames = []string{"train", "training", "valid", "validation", "val", "dev", "test", "testing", "eval", "holdout"}

// refuseSplits is an error where two folders or more in dir have the name of a split, and share the name of
// a folder in them.
func refuseSplits(dir string, entries []fs.DirEntry) error {
	var splits []string
	count := map[string]int{}
	for _, e := range entries {
		if !slices.Contains(splitNames, strings.ToLower(e.Name())) {
			continue
		}
		inner, err := os.ReadDir(filepath.Join(dir, e.Name()))
		if err != nil {
			continue // a file, or what the walk will name
		}
		splits = append(splits, e.Name())
		for _, c := range inner {
			if !hidden(c.Name()) && (c.IsDir() || c.Type()&fs.ModeSymlink != 0) {
				count[c.Name()]++
			}
		}
	}
	var shared []string
	for name, n := range count {
		if n > 1 {
			shared = append(shared, name)
		}
	}
	if len(splits) < 2 || len(shared) == 0 {
		return nil
	}
	slices.Sort(shared)
	return fmt.Errorf("opening image folder: %s has the splits %s, not categories: below them are %s. Name one split (%s), or all of them with '%s'",
		dir, strings.Join(splits, ", "), fewOf(shared), filepath.Join(dir, splits[0]), filepath.Join(dir, everySplit))
}

// fewOf names the first of a list.
func fewOf(names []string) string {
	const most = 4
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

// category adds the images of a category's folder.
func (f *Folder) category(path, rel, name string, info fs.FileInfo) error {
	files, problems := len(f.files), len(f.problems)
	var visited []fs.FileInfo
	for _, above := range []string{f.dir, filepath.Dir(path)} { // a link to them would bring in the other categories
		if info, err := os.Stat(above); err == nil {
			visited = append(visited, info)
		}
	}
	if err := f.walk(path, rel, printable(name), info, &visited); err != nil {
		return fmt.Errorf("opening image folder: %w", err)
	}
	switch {
	case len(f.files) > files:
		f.labels = append(f.labels, printable(name))
		f.sameFolder(path, printable(name), info)
	case len(f.problems) > problems:
		f.problems = append(f.problems, Problem{
			Kind: EmptyCategory, Where: path, Labels: []string{printable(name)},
			Reason: fmt.Sprintf("none of its %d files is a JPEG, PNG or WebP: the category %s is missing", len(f.problems)-problems, printable(name)),
		})
	default:
		f.problems = append(f.problems, Problem{
			Kind: EmptyCategory, Where: path, Labels: []string{printable(name)},
			Reason: fmt.Sprintf("the folder has no files: the category %s is missing", printable(name)),
		})
	}
	return nil
}

// sameFolder notes a category whose folder is that of another, by a link.
func (f *Folder) sameFolder(path, label string, info fs.FileInfo) {
	for i, other := range f.categories {
		if f.called[i] != label && os.SameFile(other, info) {
			f.problems = append(f.problems, Problem{
				Kind: AlikeCategory, Where: path, Labels: []string{f.called[i], label},
				Reason: fmt.Sprintf("%q and %q are one folder, by a link: its images count in both", f.called[i], label),
			})
			return
		}
	}
	f.categories, f.called = append(f.categories, info), append(f.called, label)
}

// nowhere notes a link that leads nowhere.
func (f *Folder) nowhere(path, name string) {
	f.ignored++
	f.problems = append(f.problems, Problem{Kind: StrayFile, Where: path, Reason: "the link leads nowhere", ID: printable(name)})
}

// stray notes a file that lies beside the categories, and is 1 where it is an image.
func (f *Folder) stray(path, name string) (images int) {
	f.ignored++
	p := Problem{Kind: StrayFile, Where: path, ID: printable(name)}
	switch kind := filekind.OfFile(path); {
	case readable(kind) || ImageName(name):
		p.Reason, p.Items = "an image in no category: put it into a folder", 1
		images = 1
	case picture(kind):
		p.Kind, p.Items = OtherPicture, 1
		p.Reason = advice(kind) + ", and put it into a folder"
	default:
		p.Reason = advice(kind)
	}
	f.problems = append(f.problems, p)
	return images
}

// other takes a file in a category that is not named as an image: as an image where it is one, and else as a
// problem.
func (f *Folder) other(path, rel, label string) {
	kind := filekind.OfFile(path)
	if readable(kind) {
		f.files = append(f.files, folderFile{Item{ID: printable(rel), Label: label}, path})
		return
	}
	f.ignored++
	p := Problem{Kind: StrayFile, Where: path, Reason: advice(kind), ID: printable(rel)}
	if picture(kind) {
		p.Kind, p.Items = OtherPicture, 1
	}
	f.problems = append(f.problems, p)
}

// walk adds the images below path, whose name below the collection's folder is rel.
func (f *Folder) walk(path, rel, label string, info fs.FileInfo, visited *[]fs.FileInfo) error {
	// Linear, but only folders are in the list, and a category has few.
	if slices.ContainsFunc(*visited, func(v fs.FileInfo) bool { return os.SameFile(v, info) }) {
		f.ignored++
		f.problems = append(f.problems, Problem{Kind: StrayFile, Where: path, Reason: "the link leads to a folder that is read already", ID: printable(rel)})
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
			case err != nil && mode&fs.ModeSymlink != 0 && ImageName(name):
				mode = 0 // its picture has the error
			case err != nil && mode&fs.ModeSymlink != 0:
				f.nowhere(path, rel)
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
			if ImageName(name) && len(f.files)+f.ignored == before {
				f.files = append(f.files, folderFile{Item{ID: printable(rel), Label: label}, path})
			}
		case mode.IsRegular() && ImageName(name):
			f.files = append(f.files, folderFile{Item{ID: printable(rel), Label: label}, path})
		case mode.IsRegular():
			f.other(path, rel, label)
		default:
			f.ignored++
			f.problems = append(f.problems, Problem{Kind: StrayFile, Where: path, Reason: "it is a pipe, a socket or a device", ID: printable(rel)})
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

// Problems are the files and categories that are not as they should be: pictures of other kinds, stray
// files, categories without an image, categories that people take for one. What is named as an image and is
// none is no problem here: its group has the error.
func (f *Folder) Problems() []Problem { return slices.Clone(f.problems) }

// Ignored counts what was found and not taken: files that are no images, files outside of
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
	sums, err := f.FileSums(ctx)
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

// FileSums is a [Filed]'s: a file is an item.
func (f *Folder) FileSums(ctx context.Context) ([][]byte, error) {
	paths := make([]string, len(f.files))
	for i, file := range f.files {
		paths[i] = file.path
	}
	return fileSums(ctx, paths)
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

// ImageName reports whether a file is one of an image, by the end of its name.
func ImageName(name string) bool { return imageRank(name) >= 0 }

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
