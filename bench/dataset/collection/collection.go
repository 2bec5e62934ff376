package collection

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"annbench/bench/dataset/attributes"
	"annbench/bench/dataset/vecfile"
	"annbench/indexes/vec"
	"annbench/internal/atomicfile"
	"annbench/internal/plaintext"
	"annbench/internal/seal"
	"annbench/internal/words"
)

// The files of a collection folder.
const (
	vectorsFile = "vectors.npy"   // float32, one vector a row
	itemsFile   = "items.jsonl"   // one Item a line, line i for row i
	nearFile    = "neighbors.npy" // int32, what the file that was read says are the exact neighbours; absent if it says nothing
	thumbsFile  = "thumbs.zip"    // row i is "i.jpg", not compressed again; absent if there are none
	metaFile    = "meta.json"     // Meta; written last
)

// metaVersion is the version of the folder's form.
const metaVersion = 1

// Item is what a vector stands for.
type Item struct {
	ID    string `json:"id"`              // unique in its collection
	Label string `json:"label,omitempty"` // the category; empty for none
}

// Meta describes a collection.
type Meta struct {
	Version int `json:"version"`
	Rows    int `json:"rows"`
	Dim     int `json:"dim"`
	Thumbs  int `json:"thumbs"` // rows that have a picture
	// Digest is the SHA-256, in 64 hexadecimal digits, of vectors and items: two collections with one
	// digest hold the same vectors with the same ids and labels in the same order. Pictures and
	// Embedding are no part of it.
	Digest string `json:"digest"`
	// Embedding says how the vectors were made, in the words of whoever made them; nil where they
	// were given.
	Embedding json.RawMessage `json:"embedding,omitempty"`
	// Queries is how many rows, the last ones, were given as queries.
	Queries int `json:"queries,omitempty"`
	// Metric is what the file that was read says "near" means; empty where it says nothing.
	Metric vec.Metric `json:"metric,omitempty"`
	// Word is what the file says of its metric, in its own words, where it is none of annbench's.
	Word string `json:"word,omitempty"`
	// Neighbors is how many neighbours the file gives for each query; 0 where it gives none.
	Neighbors int `json:"neighbors,omitempty"`
	// Notes are what the file's reader guessed or left out, a line each.
	Notes []string `json:"notes,omitempty"`
	// NotFinite names the first NaN or infinity of the files that were read, with its file; empty where there is none.
	NotFinite string `json:"not_finite,omitempty"`
}

// Collection is vectors, and what each stands for. Its methods may be called by many goroutines at
// once; nothing of it may be used after Close.
type Collection struct {
	Name    string     // for people: the last element of the path, without its extension
	Vectors vec.Matrix // mapped: read it, never write to it
	Items   []Item     // Items[i] for row i; ids are row numbers where the form has none
	Meta    Meta       // Digest is empty where none is stored: see [Collection.Digest]
	// Attributes are what is known of the rows beside their categories; nil where nothing is. They are no part of the
	// digest, and whoever opened them sets them.
	Attributes *attributes.Table

	mapped *vecfile.Mapped
	files  []string // whose content makes the digest

	digest   sync.Mutex
	computed string // by Digest; empty before

	dir    string
	thumbs sync.Mutex
	zip    *zip.ReadCloser
	places []int32 // places[row] is 1 + the place in the zip of row's picture, 0 for none
}

// OpenFolder opens a folder that a [Writer] committed. Sizes and counts are checked against each
// other; that the content is still what the digest was made of is for [Collection.Verify]. The error of a folder that is
// damaged says how it is made again.
func OpenFolder(dir string) (*Collection, error) {
	if !Complete(dir) && !isBroken(dir) {
		return nil, fmt.Errorf("%s is not a complete collection: it has no %s; make one with `annbench embed`", dir, metaFile)
	}
	c, err := openFolder(dir)
	if err != nil && seal.Damage(err) {
		err = fmt.Errorf("%w; %s", err, again(dir))
	}
	return c, err
}

// isBroken reports whether dir has what a [Writer] leaves, without the file that it writes last: somebody removed it.
func isBroken(dir string) bool {
	for _, name := range []string{vectorsFile, itemsFile} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err != nil {
			return false
		}
	}
	_, err := os.Lstat(filepath.Join(dir, journalFile))
	return err != nil
}

// again says how to make a collection anew.
func again(dir string) string {
	return fmt.Sprintf("delete the folder (rm -r %s), and what made it (`annbench embed`, `annbench run`) makes it again", words.Shell(dir))
}

func openFolder(dir string) (*Collection, error) {
	c := &Collection{Name: baseName(dir), dir: dir}
	if _, err := seal.ReadJSON(filepath.Join(dir, metaFile), &c.Meta); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s is not a complete collection: it has vectors and items, but no %s", dir, metaFile)
		}
		return nil, err
	}
	if c.Meta.Version != metaVersion {
		return nil, fmt.Errorf("%s: version %d of a collection, this annbench reads %d", filepath.Join(dir, metaFile), c.Meta.Version, metaVersion)
	}
	if len(c.Meta.Digest) != 2*sha256.Size {
		return nil, fmt.Errorf("%s: the digest is damaged", filepath.Join(dir, metaFile))
	}
	if err := c.mapVectors(filepath.Join(dir, vectorsFile)); err != nil {
		return nil, err
	}
	if c.Vectors.Rows != c.Meta.Rows || c.Vectors.Dim != c.Meta.Dim {
		err := fmt.Errorf("%s: %s has %d vectors of %d dimensions, %s says %d of %d", dir, vectorsFile, c.Vectors.Rows, c.Vectors.Dim, metaFile, c.Meta.Rows, c.Meta.Dim)
		return nil, errors.Join(err, c.Close())
	}
	var err error
	if c.Items, err = ReadItems(filepath.Join(dir, itemsFile), c.Meta.Rows); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	if q := c.Meta.Queries; q < 0 || q >= c.Meta.Rows && q > 0 || c.Meta.Neighbors < 0 {
		err := fmt.Errorf("%s: %d queries among %d vectors", filepath.Join(dir, metaFile), q, c.Meta.Rows)
		return nil, errors.Join(err, c.Close())
	}
	c.files = append(c.files, filepath.Join(dir, itemsFile))
	return c, nil
}

// openNPY opens a file of vectors and nothing else.
func openNPY(path string) (*Collection, error) {
	c := &Collection{Name: baseName(path)}
	if err := c.mapVectors(path); err != nil {
		return nil, err
	}
	if c.Vectors.Rows == 0 {
		return nil, errors.Join(fmt.Errorf("%s has no vectors", path), c.Close())
	}
	c.Meta = Meta{Version: metaVersion, Rows: c.Vectors.Rows, Dim: c.Vectors.Dim}
	c.Items = make([]Item, c.Vectors.Rows)
	for i := range c.Items {
		c.Items[i].ID = strconv.Itoa(i)
	}
	return c, nil
}

func (c *Collection) mapVectors(path string) (err error) {
	if c.mapped, err = vecfile.MapMatrix(path); err != nil {
		return err
	}
	c.Vectors = c.mapped.Matrix
	c.files = append(c.files, path)
	return nil
}

func baseName(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	name := filepath.Base(path)
	if short := strings.TrimSuffix(name, filepath.Ext(name)); short != "" {
		return short
	}
	return name
}

// readLabels gives the items the categories in the text file at path.
func (c *Collection) readLabels(path string) error {
	for i, item := range c.Items {
		if item.Label != "" {
			return fmt.Errorf("%s: the vectors have labels already: row %d is %q", path, i, item.Label)
		}
	}
	all, err := vecfile.ReadLabels(path)
	if err != nil {
		return err
	}
	labels := all.Labels
	if err := checkCount(path, all, len(c.Items), len(c.Items)); err != nil {
		return err
	}
	own := false
	for i := range c.Items {
		own = own || c.Items[i].ID != strconv.Itoa(i)
	}
	if err := all.Of(len(c.Items), func(row int) string { return c.Items[row].ID }, own); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	c.Meta.Notes = append(c.Meta.Notes, all.Notes...)
	bare := 0
	for i, label := range labels {
		c.Items[i].Label = label
		if label == "" {
			bare++
		}
	}
	if bare > 0 {
		c.Meta.Notes = append(c.Meta.Notes, unlabelled(bare))
	}
	c.files = append(c.files, path)
	c.Meta.Digest = "" // of the vectors alone
	return nil
}

// checkCount returns an error unless the file at path has one label for each of so many vectors, or for each of them and of the
// queries, all together, and none of them is a heading.
func checkCount(path string, l *vecfile.Labels, vectors, all int) error {
	n := len(l.Labels)
	fits := n == vectors || n == all
	switch {
	case fits && l.Heading != "":
		return fmt.Errorf("%s: its first line, %q, is a heading, which leaves %s for %s: remove it and add the label that is missing; if it is a label, write a .csv with the heading label above it", path, l.Heading, words.Count(n-1, "label"), words.Count(vectors, "vector"))
	case fits:
		return nil
	case strings.EqualFold(filepath.Ext(path), ".npy"):
		return fmt.Errorf("%s has %d labels, there are %d vectors", path, n, vectors)
	}
	header := ""
	if n == vectors+1 {
		header = fmt.Sprintf("; if its first line, %q, is a heading, remove it", l.Labels[0])
	}
	return fmt.Errorf("%s has %d labels, there are %d vectors: it takes one each, an empty line for none%s", path, n, vectors, header)
}

// ReadItems reads a file of items, one a line, at path, which must have rows lines.
func ReadItems(path string, rows int) ([]Item, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size()/int64(len(`{"id":""}`)) < int64(rows) {
		return nil, fmt.Errorf("%s has %d bytes: too few for %d items", path, info.Size(), rows)
	}
	items := make([]Item, 0, rows)
	labels := make(map[string]string)
	err = vecfile.EachLine(path, func(_ int, b []byte) error {
		if len(items) == rows {
			return fmt.Errorf("more lines than the %d vectors", rows)
		}
		var item Item
		if err := json.Unmarshal(b, &item); err != nil {
			return fmt.Errorf("not an item: %w", plaintext.JSONError(b, err))
		}
		if known, ok := labels[item.Label]; ok {
			item.Label = known // so that a label is in memory once
		} else {
			labels[item.Label] = item.Label
		}
		items = append(items, item)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(items) != rows {
		return nil, fmt.Errorf("%s has %d items, there are %d vectors", path, len(items), rows)
	}
	return items, nil
}

// appendItem appends to b the line of item that [ReadItems] reads.
func appendItem(b []byte, item Item) []byte {
	line, err := json.Marshal(item)
	if err != nil {
		panic(err) // strings always encode
	}
	return append(append(b, line...), '\n')
}

// ItemWriter writes a file that [ReadItems] reads.
type ItemWriter struct {
	f    *os.File
	buf  *bufio.Writer
	line []byte
}

// CreateItems begins a file that must not be there yet.
func CreateItems(path string) (*ItemWriter, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, err
	}
	return newItemWriter(f), nil
}

// newItemWriter writes to f, from where it stands.
func newItemWriter(f *os.File) *ItemWriter {
	return &ItemWriter{f: f, buf: bufio.NewWriterSize(f, 1<<18)}
}

// Append writes item, and returns its line, which is good until the next call.
func (w *ItemWriter) Append(item Item) (line []byte, err error) {
	w.line = appendItem(w.line[:0], item)
	_, err = w.buf.Write(w.line)
	return w.line, err
}

// Flush hands what was written to the system.
func (w *ItemWriter) Flush() error { return w.buf.Flush() }

// Sync waits until what was flushed is on the disk.
func (w *ItemWriter) Sync() error { return w.f.Sync() }

// Close closes the file without flushing.
func (w *ItemWriter) Close() error { return w.f.Close() }

// Finish waits until all is on the disk. The writer is closed then, also after an error.
func (w *ItemWriter) Finish() error {
	err := w.Flush()
	if err == nil {
		err = w.Sync()
	}
	return errors.Join(err, w.Close())
}

// digester makes the digest of a collection from its vectors and items, as they come.
type digester struct {
	vectors, items hash.Hash
}

func newDigester() digester { return digester{sha256.New(), sha256.New()} }

func (d digester) digest(rows, dim int) string {
	sum := sha256.New()
	fmt.Fprintf(sum, "annbench collection 1\n%d rows\n%d dimensions\n%x\n%x\n", rows, dim, d.vectors.Sum(nil), d.items.Sum(nil))
	return hex.EncodeToString(sum.Sum(nil))
}

// Digest identifies vectors and items, as [Meta] says. For a folder it is known; for other forms it
// is computed from the content, once, which takes about a second for a gigabyte. The error is that of
// ctx.
func (c *Collection) Digest(ctx context.Context) (string, error) {
	if c.Meta.Digest != "" {
		return c.Meta.Digest, nil
	}
	c.digest.Lock()
	defer c.digest.Unlock()
	if c.computed != "" {
		return c.computed, nil
	}
	digest, err := c.computeDigest(ctx)
	c.computed = digest
	return digest, err
}

// Verify computes the digest from the content, and compares it with the one that was stored; where none was,
// as of a file of vectors, there is nothing to compare. It takes a second for half a gigabyte.
func (c *Collection) Verify(ctx context.Context) error {
	if c.Meta.Digest == "" {
		return nil
	}
	digest, err := c.computeDigest(ctx)
	if err != nil {
		return err
	}
	if digest != c.Meta.Digest {
		is, was := seal.Differing(digest, c.Meta.Digest)
		return fmt.Errorf("%s or %s has changed since it was written: their digest is %s..., not %s...; %s",
			filepath.Join(c.dir, vectorsFile), itemsFile, is, was, again(c.dir))
	}
	return nil
}

func (c *Collection) computeDigest(ctx context.Context) (string, error) {
	d := newDigester()
	const block = 1 << 20
	for data := c.Vectors.Data; len(data) > 0; {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		n := min(block, len(data))
		d.vectors.Write(vecfile.FileBytes(data[:n]))
		data = data[n:]
	}
	var line []byte
	for i, item := range c.Items {
		if i%(1<<16) == 0 && ctx.Err() != nil {
			return "", ctx.Err()
		}
		line = appendItem(line[:0], item)
		d.items.Write(line)
	}
	return d.digest(c.Vectors.Rows, c.Vectors.Dim), nil
}

// NotFinite names a NaN or an infinity among the rows from to to-1, and its value: by the file that was read, else by the file
// that is mapped. It is empty if all are finite.
func (c *Collection) NotFinite(from, to int) string {
	i := vec.FirstNonFinite(c.Vectors.Slice(from, to).Data)
	if i < 0 {
		return ""
	}
	if c.Meta.NotFinite != "" {
		return c.Meta.NotFinite
	}
	row, d := from+i/c.Vectors.Dim, i%c.Vectors.Dim
	item := ""
	if id := c.Items[row].ID; id != strconv.Itoa(row) {
		item = fmt.Sprintf(" (%.80q)", id)
	}
	return fmt.Sprintf("%s: row %d%s, dimension %d, is %v", c.files[0], row, item, d, c.Vectors.Row(row)[d])
}

// Thumb returns the picture of a row as a JPEG file; ok is false where it has none. A row out of
// range panics.
func (c *Collection) Thumb(row int) (jpeg []byte, ok bool, err error) {
	if row < 0 || row >= c.Vectors.Rows {
		panic(fmt.Sprintf("dataset: row %d of %d", row, c.Vectors.Rows))
	}
	if c.Meta.Thumbs == 0 {
		return nil, false, nil
	}
	path := filepath.Join(c.dir, thumbsFile)
	c.thumbs.Lock()
	defer c.thumbs.Unlock()
	if c.zip == nil {
		if err := c.openThumbs(path); err != nil {
			return nil, false, err
		}
	}
	if c.places[row] == 0 {
		return nil, false, nil
	}
	f := c.zip.File[c.places[row]-1]
	// Written without compression, so no entry can be larger than the file it is in.
	if f.Method != zip.Store || f.UncompressedSize64 > math.MaxInt32 {
		return nil, false, fmt.Errorf("%s: %s is compressed or too large: annbench did not write it", path, f.Name)
	}
	r, err := f.Open()
	if err != nil {
		return nil, false, fmt.Errorf("%s: %s: %w", path, f.Name, err)
	}
	defer r.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(r); err != nil {
		return nil, false, fmt.Errorf("%s: %s: %w", path, f.Name, err)
	}
	return b.Bytes(), true, nil
}

func (c *Collection) openThumbs(path string) error {
	z, err := zip.OpenReader(path)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	places := make([]int32, c.Vectors.Rows)
	for i, f := range z.File {
		row, err := strconv.Atoi(strings.TrimSuffix(f.Name, ".jpg"))
		if err != nil || row < 0 || row >= len(places) || f.Name != thumbName(row) {
			return errors.Join(fmt.Errorf("%s: %q is not the picture of a row", path, f.Name), z.Close())
		}
		places[row] = int32(i) + 1
	}
	c.zip, c.places = z, places
	return nil
}

func thumbName(row int) string { return strconv.Itoa(row) + ".jpg" }

// Close unmaps the vectors and closes the files. A second call does nothing.
func (c *Collection) Close() error {
	c.Vectors.Data = nil
	err := c.mapped.Close()
	c.thumbs.Lock()
	defer c.thumbs.Unlock()
	if c.zip != nil {
		err = errors.Join(err, c.zip.Close())
		c.zip = nil
	}
	return err
}

// Writer writes a collection folder, row after row. It is for one goroutine.
type Writer struct {
	dir, tmp string // tmp is empty once the folder is published or dropped
	dim      int
	rows     int
	count    int // thumbs
	// itemBytes is how long the items file is.
	itemBytes int64
	digester  digester
	vectors   *vecfile.ArrayWriter[float32]
	items     *ItemWriter
	thumbs    *os.File // nil before the first
	zip       *zip.Writer
	zipped    *appender // what zip writes to
	journal   *journal  // of a collection that can be resumed; nil for others
	err       error     // the first, after which nothing is written any more
	given     Meta      // what was read beside the vectors; see [OpenFiles]
}

// Create begins a collection at dir, of vectors of dim dimensions. What is written lies in a folder
// of a temporary name beside dir (".NAME.tmp-...") until Commit. It is an error if there is something
// at dir already, other than an empty folder: a collection may have cost hours, so it is never
// replaced.
func Create(dir string, dim int) (*Writer, error) {
	if dim < 1 {
		return nil, fmt.Errorf("creating %s: vectors of %d dimensions", dir, dim)
	}
	dir = filepath.Clean(dir)
	if err := free(dir); err != nil {
		return nil, fmt.Errorf("creating %s: %w", dir, err)
	}
	tmp, err := atomicfile.TempDir(dir)
	if err != nil {
		return nil, fmt.Errorf("creating %s: %w", dir, err)
	}
	w := &Writer{dir: dir, tmp: tmp, dim: dim, digester: newDigester()}
	if w.vectors, err = vecfile.CreateArray[float32](filepath.Join(tmp, vectorsFile), dim, w.digester.vectors); err == nil {
		w.items, err = CreateItems(filepath.Join(tmp, itemsFile))
	}
	if err != nil {
		w.Abort()
		return nil, fmt.Errorf("creating %s: %w", dir, err)
	}
	return w, nil
}

// free says that nothing is at dir, or an empty folder.
func free(dir string) error {
	switch entries, err := os.ReadDir(dir); {
	case err == nil && (Complete(dir) || isBroken(dir)):
		c, err := OpenFolder(dir)
		if err != nil {
			return err
		}
		return errors.Join(fmt.Errorf("there is something already, a complete collection of %d vectors; move it away, or choose another name", c.Meta.Rows), c.Close())
	case err != nil && !seal.Damage(err):
		return err // the system's, not the folder's
	case err == nil && len(entries) > 0, err != nil && !errors.Is(err, fs.ErrNotExist):
		return errors.New("there is something already; move it away, or choose another name")
	}
	return nil
}

// Append adds rows: items[i] with vector i of vectors and, where thumbs is not nil, the JPEG file
// thumbs[i]; an empty one is none. An error is final: what can still be done is Abort.
func (w *Writer) Append(items []Item, vectors vec.Matrix, thumbs [][]byte) error {
	if w.err != nil {
		return w.err
	}
	if err := w.append(items, vectors, thumbs); err != nil {
		w.err = fmt.Errorf("writing %s: %w", w.dir, err)
	}
	return w.err
}

func (w *Writer) append(items []Item, vectors vec.Matrix, thumbs [][]byte) error {
	switch {
	case w.tmp == "":
		return errors.New("the writer has ended")
	case vectors.Rows != len(items) || thumbs != nil && len(thumbs) != len(items):
		return fmt.Errorf("%d items with %d vectors and %d pictures", len(items), vectors.Rows, len(thumbs))
	case len(items) > 0 && vectors.Dim != w.dim || len(vectors.Data) != vectors.Rows*vectors.Dim:
		return fmt.Errorf("%d vectors of %d dimensions in %d values, they should have %d dimensions", vectors.Rows, vectors.Dim, len(vectors.Data), w.dim)
	case w.rows+len(items) > math.MaxInt32:
		return fmt.Errorf("more vectors than the %d that can be numbered", math.MaxInt32)
	}
	if err := w.vectors.Write(vectors.Data); err != nil {
		return err
	}
	for i, item := range items {
		line, err := w.items.Append(item)
		if err != nil {
			return err
		}
		w.digester.items.Write(line)
		w.itemBytes += int64(len(line))
		if thumbs != nil && len(thumbs[i]) > 0 {
			if err := w.thumb(w.rows+i, thumbs[i]); err != nil {
				return err
			}
		}
	}
	w.rows += len(items)
	return nil
}

func (w *Writer) thumb(row int, jpeg []byte) (err error) {
	if w.zip == nil {
		if w.thumbs, err = os.OpenFile(filepath.Join(w.tmp, thumbsFile), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644); err != nil {
			return err
		}
		w.beginZip()
	}
	return w.zipEntry(thumbName(row), jpeg)
}

func (w *Writer) zipEntry(name string, jpeg []byte) error {
	size := uint64(len(jpeg))
	out, err := w.zip.CreateRaw(&zip.FileHeader{
		Name: name, Method: zip.Store, CRC32: crc32.ChecksumIEEE(jpeg),
		CompressedSize64: size, UncompressedSize64: size,
	})
	if err != nil {
		return err
	}
	_, err = out.Write(jpeg)
	w.count++
	return err
}

// Note adds to the notes of the collection, [Meta.Notes], those that it does not have yet.
func (w *Writer) Note(notes ...string) {
	for _, n := range notes {
		if !slices.Contains(w.given.Notes, n) {
			w.given.Notes = append(w.given.Notes, n)
		}
	}
}

// Commit ends the collection and gives it its name. embedding goes into [Meta] as it is; it must be
// JSON, or nil. It is an error if there are no rows, or if another process has taken the name in the
// meantime; the error is final, and Abort is still to be called.
func (w *Writer) Commit(embedding json.RawMessage) (*Meta, error) {
	if w.err != nil {
		return nil, w.err
	}
	meta, err := w.commit(embedding)
	if err != nil {
		w.err = fmt.Errorf("writing %s: %w", w.dir, err)
		return nil, w.err
	}
	return meta, nil
}

func (w *Writer) commit(embedding json.RawMessage) (*Meta, error) {
	switch {
	case w.tmp == "":
		return nil, errors.New("the writer has ended")
	case w.rows == 0:
		return nil, errors.New("it has no rows")
	case embedding != nil && !json.Valid(embedding):
		return nil, errors.New("the description of the embedding is not JSON")
	}
	if err := w.finish(); err != nil {
		return nil, err
	}
	meta := &Meta{
		Version: metaVersion, Rows: w.rows, Dim: w.dim, Thumbs: w.count,
		Digest: w.digester.digest(w.rows, w.dim), Embedding: embedding,
		Queries: w.given.Queries, Metric: w.given.Metric, Word: w.given.Word, Neighbors: w.given.Neighbors, Notes: w.given.Notes, NotFinite: w.given.NotFinite,
	}
	if err := seal.WriteJSON(filepath.Join(w.tmp, metaFile), meta); err != nil {
		return nil, err
	}
	if err := atomicfile.Publish(w.tmp, w.dir); err != nil {
		if w.journal != nil && errors.Is(err, fs.ErrExist) {
			w.journal.marks = 0 // another has written the same: this one is not needed
		}
		return nil, err
	}
	w.tmp = ""
	if w.journal != nil {
		// After the folder has its name: until then, the journal is what can be resumed.
		_ = os.Remove(filepath.Join(w.dir, journalFile))
		_ = w.journal.f.Close()
	}
	return meta, nil
}

// finish closes the files, synced.
func (w *Writer) finish() error {
	var err error
	if w.vectors != nil {
		err = w.vectors.Finish()
	}
	if w.items != nil {
		err = errors.Join(err, w.items.Finish())
	}
	if w.zip != nil {
		err = errors.Join(err, w.zip.Close(), w.thumbs.Sync())
	}
	if w.thumbs != nil {
		err = errors.Join(err, w.thumbs.Close())
	}
	w.vectors, w.items, w.zip, w.thumbs = nil, nil, nil, nil
	return err
}

// Abort drops what was written; with [Resume], what was written since the last [Writer.Mark]. After
// Commit has succeeded it does nothing, so it can be deferred.
func (w *Writer) Abort() {
	if w.tmp == "" {
		return
	}
	if w.vectors != nil {
		w.vectors.Close()
	}
	if w.items != nil {
		w.items.Close()
	}
	if w.thumbs != nil {
		w.thumbs.Close()
	}
	if w.journal == nil || w.journal.marks == 0 {
		os.RemoveAll(w.tmp)
	}
	if w.journal != nil {
		w.journal.f.Close() // and with it ends the lock
	}
	w.tmp = ""
}
