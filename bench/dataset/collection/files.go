package collection

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"annbench/bench/dataset/vecfile"
	"annbench/indexes/vec"
	"annbench/internal/filekind"
	"annbench/internal/words"
)

// Files names the files that a collection is read from.
type Files struct {
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
	Columns   vecfile.Columns
}

// readersVersion is part of the key of what was read: a change makes files be read again.
const readersVersion = 14

// OpenFiles opens the vectors that src names. What can be mapped is mapped as it stands. Everything
// else is read once, row by row, into a collection below cacheDir, which is found there the next time
// as long as the files stay as they are; [Meta] says what the file had beside vectors. Memory is a few
// megabytes and what the items take, whatever the size of the file (a chunked HDF5 file takes a row
// of its chunks).
//
// progress, where not nil, is called with how many rows were read, and of how many, 0 where unknown. The
// error names the file, and the byte, line or row.
func OpenFiles(ctx context.Context, src Files, cacheDir string, progress func(done, total int)) (*Collection, error) {
	plain := src.Queries == "" && src.Neighbors == "" && src.Columns == vecfile.Columns{}
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
		if src.Labels != "" || src.Neighbors != "" {
			if err := oneOrder(parts); err != nil {
				return nil, err
			}
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
	if !Complete(dir) {
		if err := importFiles(ctx, src, parts, dir, progress); err != nil {
			return nil, err
		}
		if again, err := identity(ctx, files, src); err != nil || again != key {
			return nil, errors.Join(fmt.Errorf("%s was changed while it was read", src.Vectors), err, os.RemoveAll(dir))
		}
	}
	c, err := OpenFolder(dir)
	if err != nil {
		return nil, err
	}
	c.Name = baseName(src.Vectors)
	return c, nil
}

// isNative reports whether Open maps what is at path.
func isNative(path string, info fs.FileInfo) bool {
	if info.IsDir() {
		return Complete(path)
	}
	return vecfile.Mappable(path)
}

// wholeBelow is up to which size files are known by their content, in bytes: reading as much takes
// less time than a person notices. Larger ones are known by name, size and time.
const wholeBelow = 16 << 20

// identity is a hash of all that decides what is read.
func identity(ctx context.Context, files []string, src Files) (string, error) {
	sum := sha256.New()
	fmt.Fprintf(sum, "annbench readers %d\ncolumns %q %q %q\nparts %t %t %t\n", readersVersion,
		src.Columns.Vectors, src.Columns.Labels, src.Columns.IDs, src.Labels != "", src.Queries != "", src.Neighbors != "")
	for _, path := range files {
		if err := filekind.Regular(path); err != nil {
			return "", err
		}
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

// folderPart is a file of vectors, all of one category.
type folderPart struct{ path, label string }

// folderParts lists the files of vectors below dir, in the order of their names, numbers in them by their value: CATEGORY/FILE,
// or the parts of one table, part-*.parquet.
func folderParts(dir string) ([]folderPart, error) {
	var parts, top []folderPart
	folders, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, folder := range folders {
		if strings.HasPrefix(folder.Name(), ".") {
			continue
		}
		if !folder.IsDir() {
			if vecfile.Named(folder.Name()) && folder.Type().IsRegular() {
				top = append(top, folderPart{filepath.Join(dir, folder.Name()), ""})
			}
			continue
		}
		files, err := os.ReadDir(filepath.Join(dir, folder.Name()))
		if err != nil {
			return nil, err
		}
		label := folder.Name()
		if key, value, ok := strings.Cut(label, "="); ok && key != "" { // as Hive and Spark name folders
			label = value
			if plain, err := url.PathUnescape(value); err == nil {
				label = plain
			}
			if value == "__HIVE_DEFAULT_PARTITION__" { // missing
				label = ""
			}
		}
		for _, file := range files {
			if vecfile.Named(file.Name()) && file.Type().IsRegular() && !strings.HasPrefix(file.Name(), ".") {
				parts = append(parts, folderPart{filepath.Join(dir, folder.Name(), file.Name()), label})
			}
		}
	}
	for _, files := range [][]folderPart{top, parts} {
		slices.SortStableFunc(files, func(a, b folderPart) int { return natural(a.path, b.path) })
	}
	switch {
	case len(top) > 0 && len(parts) > 0:
		return nil, fmt.Errorf("%s has files of vectors (%s) beside folders of them: is a folder a category? Move one of the two away, or name one file", dir, filepath.Base(top[0].path))
	case len(top) > 0:
		return top, samePart(dir, top)
	case len(parts) == 0:
		return nil, fmt.Errorf("%s is neither a complete collection (it has no %s) nor a folder of vectors, CATEGORY/FILE.npy or part-*.parquet", dir, metaFile)
	}
	return parts, nil
}

// oneOrder reports an error where parts have another order by their numbers than by their names, as part.2 and part.10: a
// file whose lines are about rows may have been written for either.
func oneOrder(parts []folderPart) error {
	if later, earlier := otherOrder(parts); later != "" {
		return fmt.Errorf("%s comes before %s by name and after it by number: rows of which order are labels or neighbours about? Give the numbers leading zeros, or make one file of the parts",
			later, filepath.Base(earlier))
	}
	return nil
}

// otherOrder names two parts that stand in another order by name than by number; empty where there are none.
func otherOrder(parts []folderPart) (later, earlier string) {
	for i, p := range parts[min(1, len(parts)):] {
		if parts[i].path > p.path {
			return p.path, parts[i].path
		}
	}
	return "", ""
}

// partName is the name of a part with that of its folder.
func partName(path string) string {
	return filepath.Join(filepath.Base(filepath.Dir(path)), filepath.Base(path))
}

// natural compares names, whole numbers in them by their value: part-2 is before part-10.
func natural(a, b string) int {
	digits := func(s string) int {
		n := 0
		for n < len(s) && '0' <= s[n] && s[n] <= '9' {
			n++
		}
		return n
	}
	x, y := a, b
	for x != "" && y != "" {
		m, n := digits(x), digits(y)
		if m > 0 && n > 0 {
			u, v := strings.TrimLeft(x[:m], "0"), strings.TrimLeft(y[:n], "0")
			if c := cmp.Or(cmp.Compare(len(u), len(v)), cmp.Compare(u, v)); c != 0 {
				return c
			}
			x, y = x[m:], y[n:]
			continue
		}
		if c := cmp.Compare(x[0], y[0]); c != 0 {
			return c
		}
		x, y = x[1:], y[1:]
	}
	return cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(a, b))
}

// samePart reports an error unless the files are parts of one table: of one format, and of one split.
func samePart(dir string, files []folderPart) error {
	stem := func(path string) string {
		name := strings.ToLower(filepath.Base(path))
		return strings.TrimRight(name[:len(name)-len(filepath.Ext(name))], "0123456789-_.of")
	}
	first := files[0].path
	for _, f := range files[1:] {
		if !strings.EqualFold(filepath.Ext(f.path), filepath.Ext(first)) || filepath.Ext(f.path) != ".parquet" && stem(f.path) != stem(first) || splitOf(f.path) != splitOf(first) {
			return fmt.Errorf("%s: are %s and %s parts of one table? Name one of them, or give the parts of one a folder", dir, filepath.Base(first), filepath.Base(f.path))
		}
	}
	return nil
}

// splitOf is the word of a name that says that a file is a part of the data: train, test.
func splitOf(path string) string {
	word := strings.ToLower(filepath.Base(path))
	if i := strings.IndexAny(word, "-_.0123456789"); i >= 0 {
		word = word[:i]
	}
	switch word {
	case "train", "test", "val", "valid", "validation", "dev", "queries", "query", "base":
		return word
	}
	return ""
}

// Copy appends all vectors of f to w, with row numbers as ids where f has none. name is what f is called in errors.
// progress, if not nil, gets the number of vectors that were copied, and of how many.
func Copy(ctx context.Context, w *Writer, f *vecfile.File, name string, progress func(done, total int)) error {
	im := &importer{w: w, ctx: ctx, progress: progress, total: f.Expected(), block: make([]float32, vecfile.BlockRows(f.Dim)*f.Dim)}
	return im.copy(f, name, "", "")
}

// Complete reports whether a complete collection is at dir.
func Complete(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, metaFile))
	return err == nil
}

// importer streams files into a collection.
type importer struct {
	w        *Writer
	ctx      context.Context
	progress func(done, total int)
	total    int
	block    []float32
	items    []Item
	labels   *vecfile.Labels // given, by row; nil for none
	labelled []string        // ids of the rows that labels are given to, if their table has such
	own      bool            // ids are of the file
	done     int
	bare     int  // rows without a label
	anyLabel bool // some rows have labels, or a file has a place for them
	unnamed  int  // rows without an id, where others have one
	nameless int  // the first of these
	replaced bool // labels of a file, by those that are given
	notes    notes

	// Ids of the files, by a hash of them, with their rows: an id should be of one row, and attributes and pages go by it.
	seed     maphash.Seed
	ids      map[uint64]int32
	repeated int    // rows whose id was there before
	again    string // the first such id, with its rows
}

// mostIDs bounds the ids that are compared, in memory that 4 million of them take: 100 MB.
const mostIDs = 4 << 20

// id looks whether the id of a row was there before.
func (im *importer) id(id string, row int) {
	if im.ids == nil {
		im.ids, im.seed = map[uint64]int32{}, maphash.MakeSeed()
	}
	key := maphash.String(im.seed, id)
	before, twice := im.ids[key]
	switch {
	case twice:
		if im.repeated++; im.repeated == 1 {
			im.again = fmt.Sprintf("%q, of rows %d and %d", id, before, row)
		}
	case len(im.ids) < mostIDs:
		im.ids[key] = int32(row)
	}
}

func importFiles(ctx context.Context, src Files, parts []folderPart, dir string, progress func(done, total int)) (err error) {
	im := &importer{ctx: ctx, progress: progress}
	if src.Labels != "" {
		if im.labels, err = vecfile.ReadLabels(src.Labels); err != nil {
			return err
		}
	}
	first := src.Vectors
	if len(parts) > 0 {
		first = parts[0].path
	}
	f, err := vecfile.Open(first, src.Columns)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	queries, near := f.Queries, f.Neighbors
	queriesPath, leftOut := first, ""
	if src.Queries != "" {
		if queries, err = openQueries(src.Queries, first, src.Columns); err != nil {
			return err
		}
		defer queries.Close()
		if err := sameDimensions(first, f.Dimensions, queries.Dimensions); err != nil {
			return fmt.Errorf("%s: %w", src.Queries, err)
		}
		queriesPath = src.Queries
		near = nil // of other queries
	}
	if src.Neighbors != "" {
		g, err := vecfile.OpenNeighbors(src.Neighbors)
		if err != nil {
			return err
		}
		defer g.Close()
		near = g.Neighbors
	}
	if len(parts) > 1 && src.Queries == "" { // what one part has is of that part
		if queries != nil {
			leftOut = fmt.Sprintf("%s: its queries are left out, as %d files are read; to search for them name the file as that of the queries", filepath.Base(first), len(parts))
		}
		queries = nil
		if src.Neighbors == "" {
			near = nil
		}
	}
	if near != nil && queries == nil {
		return fmt.Errorf("%s: neighbours, but no queries that they are of", src.Neighbors)
	}
	if im.w, err = Create(dir, f.Dim); err != nil {
		return err
	}
	defer im.w.Abort()
	im.block = make([]float32, vecfile.BlockRows(f.Dim)*f.Dim)
	im.total = f.Expected() + queries.Expected()
	label := ""
	if len(parts) > 0 {
		label = parts[0].label
	}
	if err := im.copy(f, first, "", label); err != nil {
		return err
	}
	im.notes.add(first, f.Notes) // after copy: what is read adds to them
	for _, p := range parts[min(1, len(parts)):] {
		if err := im.part(p, src.Columns, first, f); err != nil {
			return err
		}
	}
	base, mixed := im.done, im.own && im.unnamed > 0
	if queries != nil {
		if queries.Dim != f.Dim {
			return fmt.Errorf("%s: the queries have %d dimensions, the vectors %d", queriesPath, queries.Dim, f.Dim)
		}
		if err := im.copy(queries, queriesPath, "query-", ""); err != nil {
			return err
		}
	}
	given := &im.w.given
	given.Queries = im.done - base
	if l := im.labels; l != nil {
		if err := checkCount(src.Labels, l, base, im.done); err != nil {
			return err
		}
		if err := l.Of(len(im.labelled), func(row int) string { return im.labelled[row] }, im.own); err != nil {
			return fmt.Errorf("%s: %w", src.Labels, err)
		}
	}
	given.Metric, given.Word = f.Metric()
	given.Notes = im.notes.lines()
	if im.labels != nil {
		given.Notes = append(given.Notes, im.labels.Notes...)
	}
	if mixed {
		given.Notes = append(given.Notes, fmt.Sprintf("%s without an id, the first in row %d: row numbers are their ids", words.Count(im.unnamed, "vector"), im.nameless))
	}
	if im.replaced {
		given.Notes = append(given.Notes, fmt.Sprintf("labels of %s are replaced by those of %s", filepath.Base(src.Vectors), filepath.Base(src.Labels)))
	}
	if src.Queries != "" && f.Queries != nil {
		given.Notes = append(given.Notes, fmt.Sprintf("queries of %s are replaced by those of %s", filepath.Base(first), filepath.Base(src.Queries)))
	}
	if im.repeated > 0 {
		given.Notes = append(given.Notes, fmt.Sprintf("ids repeat: %s had been there before, the first %s; columns: {ids: ...} names another column", words.Count(im.repeated, "id"), im.again))
	}
	if im.anyLabel && im.bare > 0 {
		given.Notes = append(given.Notes, unlabelled(im.bare))
	}
	if later, earlier := otherOrder(parts); later != "" {
		given.Notes = append(given.Notes, fmt.Sprintf("%d files are read in the order of their numbers, not of their names: %s before %s", len(parts), partName(earlier), partName(later)))
	}
	if leftOut != "" {
		given.Notes = append(given.Notes, leftOut)
	}
	if queries != nil {
		var of notes
		of.add(queriesPath, queries.Notes)
		given.Notes = append(given.Notes, of.lines()...)
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

// openQueries opens a file of queries with the columns that are named for the vectors, where the same tool wrote
// both; if it has no such columns, with those of the usual names, and a note says so.
func openQueries(path, vectors string, columns vecfile.Columns) (*vecfile.File, error) {
	if !strings.EqualFold(filepath.Ext(path), filepath.Ext(vectors)) {
		columns = vecfile.Columns{}
	}
	f, err := vecfile.Open(path, columns)
	var missing *vecfile.MissingError
	if !errors.As(err, &missing) {
		return f, err
	}
	f, again := vecfile.Open(path, vecfile.Columns{})
	if again != nil {
		return nil, err
	}
	f.Notes = append(f.Notes, fmt.Sprintf("%v: its parts were found by their usual names, not by those that are named for the vectors", missing))
	return f, nil
}

// unlabelled is the note about so many vectors without a label among others that have one.
func unlabelled(n int) string {
	return fmt.Sprintf("%s without a label, and so without a category: as queries they have no mAP, as answers they are wrong", words.Count(n, "vector"))
}

// notes are those of files, what is said of several files once.
type notes []note

type note struct {
	text, file string
	more       int // files
}

func (n *notes) add(path string, texts []string) {
	for _, text := range texts {
		at := slices.IndexFunc(*n, func(o note) bool { return o.text == text })
		if at >= 0 {
			(*n)[at].more++
			continue
		}
		*n = append(*n, note{text: text, file: filepath.Base(path)})
	}
}

func (n notes) lines() (out []string) {
	for _, o := range n {
		more := ""
		if o.more > 0 {
			more = " and " + words.Count(o.more, "more file")
		}
		out = append(out, o.file+more+": "+o.text)
	}
	return out
}

// sameDimensions reports an error where a and b, the columns that are the dimensions of first and of another file, have other names or
// another order: dimensions are taken by their place. Names that count, as f0, f1, ... and q0, q1, ..., are of one order. Files whose
// dimensions have no names, or are not as many, are not compared.
func sameDimensions(first string, a, b []string) error {
	if len(a) != len(b) || counted(a) && counted(b) {
		return nil
	}
	for d, name := range b {
		if name != a[d] {
			return fmt.Errorf("dimension %d is column %q, and %q in %s: give the columns the same names in the same order; in Python: table = table[first.columns]", d, name, a[d], first)
		}
	}
	return nil
}

// counted reports whether names are one word with whole numbers that follow each other.
func counted(names []string) bool {
	word, from := "", 0
	for i, name := range names {
		stem := strings.TrimRight(name, "0123456789")
		n, err := strconv.Atoi(name[len(stem):])
		if i == 0 {
			word, from = stem, n
		}
		if err != nil || stem != word || n != from+i {
			return false
		}
	}
	return true
}

// part appends the vectors of a file that is a part of the same table as of, the file at first.
func (im *importer) part(p folderPart, columns vecfile.Columns, first string, of *vecfile.File) error {
	f, err := vecfile.Open(p.path, columns)
	if err != nil {
		return err
	}
	defer f.Close()
	if f.Dim != of.Dim {
		return fmt.Errorf("%s: vectors of %d dimensions, those of the files before have %d", p.path, f.Dim, of.Dim)
	}
	if err := sameDimensions(first, of.Dimensions, f.Dimensions); err != nil {
		return fmt.Errorf("%s: %w", p.path, err)
	}
	defer func() { im.notes.add(p.path, f.Notes) }()
	return im.copy(f, p.path, "", p.label)
}

// copy appends all vectors of f. Ids are the file's own, or row numbers with prefix before them.
func (im *importer) copy(f *vecfile.File, path, prefix, label string) error {
	for row := 0; ; {
		if err := im.ctx.Err(); err != nil {
			return err
		}
		n, err := f.Rows.Next(im.block)
		if errors.Is(err, io.EOF) {
			if row == 0 {
				return fmt.Errorf("%s has no vectors", path)
			}
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if given := &im.w.given; given.NotFinite == "" && f.NotFinite != "" {
			name := filepath.Base(path) // its folder may be another one when the cache gives what was read
			if label != "" {
				name = partName(path)
			}
			given.NotFinite = name + ": " + f.NotFinite
		}
		im.items = im.items[:0]
		for i := range n {
			item := Item{Label: label}
			at := im.done + i
			if f.ID != nil {
				if item.ID = f.ID(row + i); item.ID != "" {
					if !im.own && prefix == "" { // the rows before have their numbers
						for row := range min(at, mostIDs) {
							im.id(strconv.Itoa(row), row)
						}
					}
					im.own = true
					im.id(item.ID, at)
				}
			}
			if item.ID == "" {
				number := row + i
				if prefix == "" {
					number = at
				}
				item.ID = prefix + strconv.Itoa(number)
				if prefix == "" {
					if im.unnamed++; im.unnamed == 1 {
						im.nameless = at
					}
					if im.own {
						im.id(item.ID, at)
					}
				}
			}
			labelled := true
			switch {
			case im.labels != nil && at < len(im.labels.Labels):
				item.Label = im.labels.Labels[at]
				if im.labels.IDs != nil {
					im.labelled = append(im.labelled, item.ID)
				}
				im.replaced = im.replaced || f.Label != nil
			case f.Label != nil:
				item.Label = f.Label(row + i)
			default:
				labelled = false
			}
			im.anyLabel = im.anyLabel || labelled || item.Label != ""
			if item.Label == "" && (labelled || prefix == "") {
				im.bare++
			}
			for _, word := range []string{item.ID, item.Label} {
				if !utf8.ValidString(word) {
					return fmt.Errorf("%s: row %d: %.40q is no UTF-8, so its letters are not known: save the file as UTF-8", path, row+i, word)
				}
			}
			im.items = append(im.items, item)
		}
		m := vec.Matrix{Data: im.block[:n*f.Dim], Rows: n, Dim: f.Dim}
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
func (im *importer) neighbors(near *vecfile.Neighbors, base int, given *Meta) error {
	if near.Count != given.Queries {
		return fmt.Errorf("of %d queries, there are %d", near.Count, given.Queries)
	}
	w, err := vecfile.CreateArray[int32](filepath.Join(im.w.tmp, nearFile), near.K, nil)
	if err != nil {
		return err
	}
	block := make([]int32, vecfile.BlockRows(near.K)*near.K)
	for row := 0; ; {
		n, err := near.Rows.Ints(block)
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			for i, id := range block[:n*near.K] {
				if id < 0 || int(id) >= base {
					err = fmt.Errorf("query %d: neighbour %d is row %d, of %d", row+i/near.K, i%near.K, id, base)
					break
				}
			}
		}
		if err == nil {
			err = w.Write(block[:n*near.K])
		}
		if err != nil {
			w.Close()
			return err
		}
		row += n
	}
	given.Neighbors = near.K
	return w.Finish()
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
	a, err := vecfile.MapArray[int32](path, 2)
	if err != nil {
		return nil, err
	}
	out := make([][]int32, a.Shape[0])
	for i := range out {
		out[i] = slices.Clone(a.Data[i*a.Shape[1]:][:a.Shape[1]])
	}
	return out, a.Close()
}
