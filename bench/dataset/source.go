package dataset

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"annbench/indexes/vec"
)

// Source names the files that a collection is read from.
type Source struct {
	// Vectors is a file of one of [Formats], a collection folder, or a folder CATEGORY/FILE of files
	// of vectors.
	Vectors string
	// Labels is a file with the category of each vector: text, a line each, or a .npy file of integers.
	// Empty is those that the vectors come with, if any.
	Labels string
	// Queries is a file of the vectors to search for. Empty is those that the vectors come with, if
	// any.
	Queries string
	// Neighbors is a file with the exact neighbours of the queries, as row numbers of the vectors: .ivecs,
	// .ibin or .npy.
	Neighbors string
	Columns   Columns
}

// readersVersion is part of the key of what was read: a change makes files be read again.
const readersVersion = 1

// OpenSource opens the vectors that src names. What can be mapped is mapped as it stands. Everything
// else is read once, row by row, into a collection below cacheDir, which is found there the next time
// as long as the files stay as they are; [Meta] says what the file had beside vectors. Memory is a few
// megabytes and what the items take, whatever the size of the file (a chunked HDF5 file takes a row
// of its chunks).
//
// progress, where not nil, is told how many rows were read, and of how many, 0 where unknown. The
// error names the file, and the byte, line or row.
func OpenSource(ctx context.Context, src Source, cacheDir string, progress func(done, total int)) (*Collection, error) {
	plain := src.Queries == "" && src.Neighbors == "" && src.Columns == Columns{}
	info, err := os.Stat(src.Vectors)
	if err != nil {
		return Open(src.Vectors) // words the error
	}
	if plain && isNative(src.Vectors, info) {
		return OpenVectors(src.Vectors, src.Labels)
	}
	files := []string{src.Vectors}
	var parts []folderPart
	if info.IsDir() {
		if parts, err = folderParts(src.Vectors); err != nil {
			return nil, err
		}
		files = nil
		for _, p := range parts {
			files = append(files, p.path)
		}
	}
	for _, path := range []string{src.Labels, src.Queries, src.Neighbors} {
		if path != "" {
			files = append(files, path)
		}
	}
	if err := os.MkdirAll(cacheDir, 0o755); err != nil {
		return nil, err
	}
	key, err := identity(ctx, files, src)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(cacheDir, "vectors-"+key[:24])
	if _, err := os.Stat(filepath.Join(dir, metaFile)); err != nil {
		if err := importSource(ctx, src, parts, dir, progress); err != nil {
			return nil, err
		}
		if again, err := identity(ctx, files, src); err != nil || again != key {
			return nil, errors.Join(fmt.Errorf("%s was changed while it was read", src.Vectors), err, os.RemoveAll(dir))
		}
	}
	c, err := OpenCollection(dir)
	if err != nil {
		return nil, err
	}
	c.Name = baseName(src.Vectors)
	return c, nil
}

// isNative reports whether Open maps what is at path.
func isNative(path string, info fs.FileInfo) bool {
	if info.IsDir() {
		_, err := os.Stat(filepath.Join(path, metaFile))
		return err == nil
	}
	in, err := openInput(path)
	if err != nil {
		return false
	}
	defer in.Close()
	head, err := in.bytes(0, min(in.size, npyMaxHead))
	if err != nil {
		return false
	}
	h, err := parseNPY(head)
	return err == nil && h.descr == "<f4" && !h.fortran && len(h.shape) == 2 && strings.EqualFold(filepath.Ext(path), ".npy")
}

// wholeBelow is up to which size files are known by their content, in bytes: reading as much takes
// less time than a person notices. Larger ones are known by name, size and time.
const wholeBelow = 16 << 20

// identity is a hash of all that decides what is read.
func identity(ctx context.Context, files []string, src Source) (string, error) {
	sum := sha256.New()
	fmt.Fprintf(sum, "annbench readers %d\ncolumns %q %q %q\nparts %t %t %t\n", readersVersion,
		src.Columns.Vectors, src.Columns.Labels, src.Columns.IDs, src.Labels != "", src.Queries != "", src.Neighbors != "")
	for _, path := range files {
		info, err := os.Stat(path)
		if err != nil {
			return "", err
		}
		// The name says the format, and its folder may be the label.
		fmt.Fprintf(sum, "%q\n", filepath.Join(filepath.Base(filepath.Dir(path)), filepath.Base(path)))
		if info.Size() <= wholeBelow {
			b, err := os.ReadFile(path)
			if err != nil {
				return "", err
			}
			fmt.Fprintf(sum, "%x\n", sha256.Sum256(b))
			continue
		}
		for {
			key, settled, err := stamp([]string{path})
			if err != nil {
				return "", err
			}
			if settled {
				fmt.Fprintln(sum, key)
				break
			}
			// Subtle: a file written a moment ago may be written again without a new time.
			select {
			case <-ctx.Done():
				return "", ctx.Err()
			case <-time.After(100 * time.Millisecond):
			}
		}
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// openForeign opens a file in the form that it begins with, or that its extension says.
func openForeign(path string, columns Columns) (f *foreign, err error) {
	in, err := openInput(path)
	if err != nil {
		return nil, err
	}
	f, err = readForeign(in, columns)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), in.Close())
	}
	f.closers = append([]func() error{in.Close}, f.closers...)
	return f, nil
}

func readForeign(in *input, columns Columns) (*foreign, error) {
	format, err := formatOf(in)
	if err != nil {
		return nil, err
	}
	return format.open(in, columns)
}

func formatOf(in *input) (*Format, error) {
	head, err := in.bytes(0, min(in.size, 8))
	if err != nil {
		return nil, err
	}
	for i := range Formats {
		if Formats[i].begins(head) {
			return &Formats[i], nil
		}
	}
	ext := strings.ToLower(filepath.Ext(in.path))
	var all []string
	for i := range Formats {
		if slices.Contains(Formats[i].Exts, ext) {
			return &Formats[i], nil
		}
		all = append(all, Formats[i].Exts...)
	}
	return nil, fmt.Errorf("vectors do not come in files of this kind (extension %q); known are %s", ext, strings.Join(all, " "))
}

// folderPart is a file of vectors, all of one category.
type folderPart struct{ path, label string }

// folderParts lists CATEGORY/FILE below dir, in the order of the names.
func folderParts(dir string) ([]folderPart, error) {
	var parts []folderPart
	folders, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, folder := range folders {
		if !folder.IsDir() || strings.HasPrefix(folder.Name(), ".") {
			continue
		}
		files, err := os.ReadDir(filepath.Join(dir, folder.Name()))
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			ext := strings.ToLower(filepath.Ext(file.Name()))
			known := slices.ContainsFunc(Formats, func(f Format) bool { return slices.Contains(f.Exts, ext) })
			if known && file.Type().IsRegular() && !strings.HasPrefix(file.Name(), ".") {
				parts = append(parts, folderPart{filepath.Join(dir, folder.Name(), file.Name()), folder.Name()})
			}
		}
	}
	if len(parts) == 0 {
		return nil, fmt.Errorf("%s is neither a complete collection (it has no %s) nor a folder of vectors, CATEGORY/FILE.npy", dir, metaFile)
	}
	return parts, nil
}

// importer streams files into a collection.
type importer struct {
	w        *Writer
	ctx      context.Context
	progress func(done, total int)
	total    int
	block    []float32
	items    []Item
	labels   []string // given, by row; nil for none
	done     int
}

func importSource(ctx context.Context, src Source, parts []folderPart, dir string, progress func(done, total int)) (err error) {
	im := &importer{ctx: ctx, progress: progress}
	if src.Labels != "" {
		if im.labels, err = readLabelFile(src.Labels); err != nil {
			return err
		}
	}
	first := src.Vectors
	if len(parts) > 0 {
		first = parts[0].path
	}
	f, err := openForeign(first, src.Columns)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	queries, near := f.queries, f.neighbors
	queriesPath := first
	if src.Queries != "" {
		if queries, err = openForeign(src.Queries, Columns{}); err != nil {
			return err
		}
		defer queries.Close()
		queriesPath = src.Queries
		near = nil // of other queries
	}
	if src.Neighbors != "" {
		g, err := openNeighbors(src.Neighbors)
		if err != nil {
			return err
		}
		defer g.Close()
		near = g.neighbors
	}
	if len(parts) > 1 {
		queries, near = nil, nil
	}
	if near != nil && queries == nil {
		return fmt.Errorf("%s: neighbours, but no queries that they are of", src.Neighbors)
	}
	if im.w, err = Create(dir, f.dim); err != nil {
		return err
	}
	defer im.w.Abort()
	im.block = make([]float32, max(1, blockValues/f.dim)*f.dim)
	im.total = expected(f) + expected(queries)
	label := ""
	if len(parts) > 0 {
		label = parts[0].label
	}
	if err := im.copy(f, first, "", label); err != nil {
		return err
	}
	for _, p := range parts[min(1, len(parts)):] {
		if err := im.part(p, src.Columns, f.dim); err != nil {
			return err
		}
	}
	base := im.done
	if queries != nil {
		if queries.dim != f.dim {
			return fmt.Errorf("%s: the queries have %d dimensions, the vectors %d", queriesPath, queries.dim, f.dim)
		}
		if err := im.copy(queries, queriesPath, "query-", ""); err != nil {
			return err
		}
	}
	given := &im.w.given
	given.Queries = im.done - base
	if im.labels != nil && len(im.labels) != base && len(im.labels) != im.done {
		return fmt.Errorf("%s has %d labels, there are %d vectors: it takes one each, an empty line for none", src.Labels, len(im.labels), base)
	}
	if f.word != "" {
		if given.Metric = metricWords[strings.ToLower(f.word)]; given.Metric == "" {
			given.Word = f.word
		}
	}
	if near != nil {
		if err := im.neighbors(near, base, given); err != nil {
			return fmt.Errorf("%s: neighbours: %w", first, err)
		}
	}
	if _, err := im.w.Commit(json.RawMessage(nil)); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// blockValues is how many values are read at once: 4 MiB.
const blockValues = 1 << 20

func expected(f *foreign) int {
	switch {
	case f == nil:
		return 0
	case f.count >= 0:
		return f.count
	case f.expect != nil:
		return f.expect()
	}
	return 0
}

func (im *importer) part(p folderPart, columns Columns, dim int) error {
	f, err := openForeign(p.path, columns)
	if err != nil {
		return err
	}
	defer f.Close()
	if f.dim != dim {
		return fmt.Errorf("%s: vectors of %d dimensions, those of the files before have %d", p.path, f.dim, dim)
	}
	return im.copy(f, p.path, "", p.label)
}

// copy appends all vectors of f. Ids are the file's own, or row numbers with prefix before them.
func (im *importer) copy(f *foreign, path, prefix, label string) error {
	for row := 0; ; {
		if err := im.ctx.Err(); err != nil {
			return err
		}
		n, err := f.rows.next(im.block)
		if errors.Is(err, io.EOF) {
			if row == 0 {
				return fmt.Errorf("%s has no vectors", path)
			}
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		im.items = im.items[:0]
		for i := range n {
			item := Item{Label: label}
			if f.id != nil {
				item.ID = f.id(row + i)
			}
			if item.ID == "" {
				number := row + i
				if prefix == "" {
					number = im.done + i
				}
				item.ID = prefix + strconv.Itoa(number)
			}
			switch at := im.done + i; {
			case im.labels != nil && at < len(im.labels):
				item.Label = im.labels[at]
			case im.labels == nil && f.label != nil:
				item.Label = f.label(row + i)
			}
			im.items = append(im.items, item)
		}
		m := vec.Matrix{Data: im.block[:n*f.dim], Rows: n, Dim: f.dim}
		if err := im.w.Append(im.items, m, nil); err != nil {
			return err
		}
		row += n
		im.done += n
		if im.progress != nil {
			im.progress(im.done, max(im.total, im.done))
		}
	}
}

// neighbors copies the neighbours of the queries, and checks that they are rows of the base.
func (im *importer) neighbors(near *foreignNeighbors, base int, given *Meta) error {
	if near.count != given.Queries {
		return fmt.Errorf("of %d queries, there are %d", near.count, given.Queries)
	}
	w, err := createNPY[int32](filepath.Join(im.w.tmp, nearFile), near.k, nil)
	if err != nil {
		return err
	}
	block := make([]int32, max(1, blockValues/near.k)*near.k)
	for row := 0; ; {
		n, err := near.rows.ints(block)
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			for i, id := range block[:n*near.k] {
				if id < 0 || int(id) >= base {
					err = fmt.Errorf("query %d: neighbour %d is row %d, of %d", row+i/near.k, i%near.k, id, base)
					break
				}
			}
		}
		if err == nil {
			err = w.write(block[:n*near.k])
		}
		if err != nil {
			w.f.Close()
			return err
		}
		row += n
	}
	given.Neighbors = near.k
	return w.finish()
}

// openNeighbors opens a file of row numbers.
func openNeighbors(path string) (*foreign, error) {
	if strings.EqualFold(filepath.Ext(path), ".ibin") {
		in, err := openInput(path)
		if err != nil {
			return nil, err
		}
		r, err := binRows(in, element{class: 'i', width: 4})
		if err == nil {
			// Ground truth of big-ann-benchmarks has the distances after the ids.
			err = r.check(in.size != 8+8*int64(r.count)*int64(r.dim))
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", path, err), in.Close())
		}
		return &foreign{neighbors: &foreignNeighbors{r.count, r.dim, r}, closers: []func() error{in.Close}}, nil
	}
	f, err := openForeign(path, Columns{})
	if err != nil {
		return nil, err
	}
	if f.integers == nil {
		return nil, errors.Join(fmt.Errorf("%s: neighbours are row numbers, in .ivecs, .ibin or .npy (C order)", path), f.Close())
	}
	f.neighbors = &foreignNeighbors{f.count, f.dim, f.integers}
	return f, nil
}

// readLabelFile reads the labels in a text file, one a line, or in a .npy file of integers.
func readLabelFile(path string) ([]string, error) {
	if strings.EqualFold(filepath.Ext(path), ".npy") {
		in, err := openInput(path)
		if err != nil {
			return nil, err
		}
		defer in.Close()
		labels, err := intLabels(in, -1)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return labels, nil
	}
	var labels []string
	interned := map[string]string{}
	err := eachLine(path, func(_ int, b []byte) error {
		labels = append(labels, intern(interned, strings.TrimSpace(string(b))))
		return nil
	})
	return labels, err
}

// NeighborsFile is the file with the neighbours that came with the queries, for [ReadNeighbors]; empty
// where none did.
func (c *Collection) NeighborsFile() string {
	if c.Meta.Neighbors == 0 {
		return ""
	}
	return filepath.Join(c.dir, nearFile)
}

// ReadNeighbors reads a [Collection.NeighborsFile]: ids for each query of the collection.
func ReadNeighbors(path string) ([][]int32, error) {
	a, err := mapNPY[int32](path, 2)
	if err != nil {
		return nil, err
	}
	out := make([][]int32, a.shape[0])
	for i := range out {
		out[i] = slices.Clone(a.data[i*a.shape[1]:][:a.shape[1]])
	}
	return out, a.Close()
}
