package collection

import (
	"archive/zip"
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"time"

	"annbench/bench/dataset/vecfile"
	"annbench/internal/atomicfile"
)

// journalFile tells, in a collection that is being written by [Resume], up to where it is whole.
const journalFile = "journal.jsonl"

// ErrBusy is the error of [Resume] while another process writes the same collection.
var ErrBusy = errors.New("another process is writing it")

// syncEvery bounds how much of the work is lost when the machine, and not the process alone, dies.
const syncEvery = 2 * time.Second

// journalHead is the journal's first line: what it is a journal of.
type journalHead struct {
	Version int    `json:"version"`
	Key     string `json:"key"`
	Dim     int    `json:"dim"`
}

const journalVersion = 1

// mark is a line of the journal: the sizes of the files when all that is below them was whole, and what
// was said of it. A line is believed if what the files have gained since the line before has its sums.
type mark struct {
	Rows   int             `json:"rows"`
	Items  int64           `json:"items"`  // bytes
	Thumbs int64           `json:"thumbs"` // bytes
	Sum    string          `json:"sum"`
	Note   json.RawMessage `json:"note,omitempty"`
}

// journal is the part of a [Writer] that makes it resume where it was stopped.
type journal struct {
	f                      *os.File // locked while it is open
	size                   int64
	vectors, items, thumbs hash.Hash32 // of what was written since the last mark
	notes                  []json.RawMessage
	marks                  int
	synced                 time.Time
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (j *journal) sum(note json.RawMessage) string {
	s := fmt.Sprintf("%08x%08x%08x%08x", j.vectors.Sum32(), j.items.Sum32(), j.thumbs.Sum32(), crc32.Checksum(note, castagnoli))
	j.vectors.Reset()
	j.items.Reset()
	j.thumbs.Reset()
	return s
}

// both is a hash that another one listens to.
type both struct {
	hash.Hash
	other hash.Hash32
}

func (b both) Write(p []byte) (int, error) {
	b.other.Write(p)
	return b.Hash.Write(p)
}

// appender is where a zip goes: nowhere, as long as f is nil, while what the file holds already is written to
// its writer again.
type appender struct {
	f   *os.File
	n   int64
	sum hash.Hash32
}

func (a *appender) Write(p []byte) (int, error) {
	a.n += int64(len(p))
	if a.f == nil {
		return len(p), nil
	}
	a.sum.Write(p)
	return a.f.Write(p)
}

// Resume is [Create] for work that may be stopped at any time, by a signal or by a power cut: the folder
// ".NAME.part" beside dir keeps all up to the last [Writer.Mark], and the next Resume with the same key
// resumes from there. The key names what is being written; what was begun with another one is dropped, and
// replaced says so. [Writer.Rows] and [Writer.Notes] tell what is there.
//
// What is not whole is cut: rows after the last mark, a torn line, and, after a power cut, marks whose
// data did not reach the disk, which their checksums show. The folder is locked, where the file system
// has locks: the error is [ErrBusy] while another process writes it.
func Resume(dir string, dim int, key string) (w *Writer, replaced bool, err error) {
	if dim < 1 {
		return nil, false, fmt.Errorf("creating %s: vectors of %d dimensions", dir, dim)
	}
	dir = filepath.Clean(dir)
	part := PartDir(dir)
	for {
		if err := os.MkdirAll(part, 0o755); err != nil {
			return nil, false, fmt.Errorf("creating %s: %w", dir, err)
		}
		f, err := os.OpenFile(filepath.Join(part, journalFile), os.O_RDWR|os.O_CREATE, 0o644)
		if errors.Is(err, fs.ErrNotExist) {
			continue // the folder has just got its name
		}
		if err == nil {
			err = lock(f)
		}
		if err != nil {
			f.Close()
			return nil, false, fmt.Errorf("creating %s: %w", dir, err)
		}
		// The process that had the lock may have given the folder its name meanwhile.
		if mine, err := f.Stat(); err == nil {
			if now, err := os.Stat(f.Name()); err == nil && os.SameFile(mine, now) {
				w = &Writer{dir: dir, tmp: part, dim: dim, journal: &journal{f: f}}
				break
			}
		}
		f.Close()
	}
	if err = free(dir); err == nil {
		replaced, err = w.resume(key)
	}
	if err != nil {
		if info, err := w.journal.f.Stat(); err != nil || info.Size() > 0 {
			w.journal.marks = 1 // whatever is there stays
		}
		w.Abort()
		return nil, false, fmt.Errorf("creating %s: %w", dir, err)
	}
	return w, replaced, nil
}

// PartDir is where [Resume] keeps the part of dir that is written.
func PartDir(dir string) string {
	dir = filepath.Clean(dir)
	return filepath.Join(filepath.Dir(dir), "."+filepath.Base(dir)+".part")
}

// Rows is how many rows the collection has so far.
func (w *Writer) Rows() int { return w.rows }

// Notes are those of all marks so far, of calls before this one too.
func (w *Writer) Notes() []json.RawMessage { return w.journal.notes }

// Mark says that the rows so far belong together, and keeps a note with them, which must be JSON or nil:
// a later [Resume] goes on after the last mark.
func (w *Writer) Mark(note json.RawMessage) error {
	if w.err != nil {
		return w.err
	}
	if err := w.mark(note); err != nil {
		w.err = fmt.Errorf("writing %s: %w", w.dir, err)
	}
	return w.err
}

func (w *Writer) mark(note json.RawMessage) error {
	j := w.journal
	if w.tmp == "" {
		return errors.New("the writer has ended")
	}
	// Data first: a line of the journal is true when it is there.
	if err := w.items.Flush(); err != nil {
		return err
	}
	if note != nil { // as the line will have it, so that its sum is the same
		var err error
		if note, err = json.Marshal(note); err != nil {
			return err
		}
	}
	m := mark{Rows: w.rows, Items: w.itemBytes, Note: note}
	if w.zip != nil {
		if err := w.zip.Flush(); err != nil {
			return err
		}
		m.Thumbs = w.zipped.n
	}
	m.Sum = j.sum(note)
	line, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if err := j.write(line); err != nil {
		return err
	}
	j.notes = append(j.notes, note)
	j.marks++
	if time.Since(j.synced) < syncEvery {
		return nil
	}
	j.synced = time.Now()
	err = errors.Join(w.vectors.Sync(), w.items.Sync())
	if w.thumbs != nil {
		err = errors.Join(err, w.thumbs.Sync())
	}
	return errors.Join(err, j.f.Sync())
}

func (j *journal) write(line []byte) error {
	n, err := j.f.WriteAt(append(line, '\n'), j.size)
	j.size += int64(n)
	return err
}

// resume reads what was begun with key, cuts it to what is whole, and makes w go on there.
func (w *Writer) resume(key string) (replaced bool, err error) {
	whole, other, err := w.replay(key)
	if err != nil {
		return false, err
	}
	if !whole {
		*w = Writer{dir: w.dir, tmp: w.tmp, dim: w.dim, journal: &journal{f: w.journal.f}}
		w.listen()
	}
	j := w.journal
	j.synced = time.Now()
	_ = os.Remove(filepath.Join(w.tmp, metaFile))

	// reopen opens a file, cut to size, to be written on.
	reopen := func(name string, size int64) (*os.File, error) {
		f, err := os.OpenFile(filepath.Join(w.tmp, name), os.O_RDWR|os.O_CREATE, 0o644)
		if err != nil {
			return nil, err
		}
		if err = f.Truncate(size); err == nil {
			_, err = f.Seek(size, io.SeekStart)
		}
		if err != nil {
			f.Close()
			return nil, err
		}
		return f, nil
	}
	f, err := reopen(vectorsFile, vecfile.ArrayHead+4*int64(w.rows)*int64(w.dim))
	if err != nil {
		return false, err
	}
	if w.vectors, err = vecfile.ContinueArray[float32](f, w.dim, w.rows, w.digester.vectors); err != nil {
		return false, errors.Join(err, f.Close())
	}
	if f, err = reopen(itemsFile, w.itemBytes); err != nil {
		return false, err
	}
	w.items = newItemWriter(f)
	if w.zip != nil {
		if w.thumbs, err = reopen(thumbsFile, w.zipped.n); err != nil {
			return false, err
		}
		w.zipped.f = w.thumbs
	} else if err := os.Remove(filepath.Join(w.tmp, thumbsFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	if err := j.f.Truncate(j.size); err != nil {
		return false, err
	}
	if j.size == 0 {
		head, err := json.Marshal(journalHead{journalVersion, key, w.dim})
		if err != nil {
			return false, err
		}
		if err := j.write(head); err != nil {
			return false, err
		}
	}
	return other, atomicfile.SyncDir(w.tmp)
}

// listen sets up the sums of what is written.
func (w *Writer) listen() {
	j := w.journal
	j.vectors, j.items, j.thumbs = crc32.New(castagnoli), crc32.New(castagnoli), crc32.New(castagnoli)
	d := newDigester()
	w.digester = digester{both{d.vectors, j.vectors}, both{d.items, j.items}}
}

// replay tells the digests, and the writer of the zip, what the files hold up to the last mark that is
// true. whole is false where there is nothing to go on with; other, where that is because it was begun
// with another key. The error is that of reading.
func (w *Writer) replay(key string) (whole, other bool, err error) {
	j := w.journal
	w.listen()
	in := bufio.NewReader(j.f)
	line, err := in.ReadBytes('\n')
	if err != nil { // no line, or a torn one
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return false, false, err
	}
	var head journalHead
	if json.Unmarshal(line, &head) != nil {
		return false, false, nil
	}
	if head != (journalHead{journalVersion, key, w.dim}) {
		_, err := in.Peek(1)
		return false, err == nil, nil // true where there is something that is dropped
	}
	j.size = int64(len(line))

	var files [3]*os.File // nil where there is none, of size 0
	var sizes [3]int64
	defer func() {
		for _, f := range files {
			if f != nil {
				f.Close()
			}
		}
	}()
	for i, name := range []string{vectorsFile, itemsFile, thumbsFile} {
		files[i], err = os.Open(filepath.Join(w.tmp, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return false, false, err
		}
		info, err := files[i].Stat()
		if err != nil {
			return false, false, err
		}
		sizes[i] = info.Size()
	}

	var last mark
	var v, i, t []byte
	// part reads what a file gained between two marks.
	part := func(f *os.File, buf []byte, from, to int64) ([]byte, error) {
		if from == to {
			return buf[:0], nil
		}
		if int64(cap(buf)) < to-from {
			buf = make([]byte, to-from)
		}
		buf = buf[:to-from]
		_, err := f.ReadAt(buf, from)
		return buf, err
	}
	row := 4 * int64(w.dim)
	for {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return true, false, nil
		}
		if err != nil {
			return false, false, err
		}
		var m mark
		if json.Unmarshal(line, &m) != nil ||
			m.Rows < last.Rows || m.Items < last.Items || m.Thumbs < last.Thumbs || m.Rows > math.MaxInt32 ||
			vecfile.ArrayHead+int64(m.Rows)*row > sizes[0] && m.Rows > 0 || m.Items > sizes[1] || m.Thumbs > sizes[2] {
			return true, false, nil
		}
		v, err = part(files[0], v, vecfile.ArrayHead+int64(last.Rows)*row, vecfile.ArrayHead+int64(m.Rows)*row)
		if err == nil {
			i, err = part(files[1], i, last.Items, m.Items)
		}
		if err == nil {
			t, err = part(files[2], t, last.Thumbs, m.Thumbs)
		}
		if err != nil {
			return false, false, err
		}
		sum := fmt.Sprintf("%08x%08x%08x%08x", crc32.Checksum(v, castagnoli), crc32.Checksum(i, castagnoli), crc32.Checksum(t, castagnoli), crc32.Checksum(m.Note, castagnoli))
		if sum != m.Sum {
			return true, false, nil
		}
		if !w.rezip(t, m.Thumbs) {
			return false, false, nil
		}
		w.digester.vectors.Write(v)
		w.digester.items.Write(i)
		j.sum(nil) // what was listened to is marked
		w.rows, w.itemBytes = m.Rows, m.Items
		j.size += int64(len(line))
		j.marks++
		j.notes = append(j.notes, m.Note)
		last = m
	}
}

// rezip tells the writer of the zip the entries that b, a part of its file up to the place end, holds: they
// are in the table at the file's end then. It reports whether that writer would write the same.
func (w *Writer) rezip(b []byte, end int64) bool {
	if len(b) == 0 {
		return true
	}
	w.beginZip()
	// The fields of a local header: APPNOTE.TXT of PKWARE, 4.3.7.
	const header = 30
	for len(b) > 0 {
		if len(b) < header || !bytes.HasPrefix(b, []byte("PK\x03\x04")) {
			return false
		}
		size, name := int64(binary.LittleEndian.Uint32(b[18:])), int(binary.LittleEndian.Uint16(b[26:]))
		body := header + name + int(binary.LittleEndian.Uint16(b[28:]))
		if int64(body)+size > int64(len(b)) {
			return false
		}
		if w.zipEntry(string(b[header:header+name]), b[body:int64(body)+size]) != nil {
			return false
		}
		b = b[int64(body)+size:]
	}
	return w.zip.Flush() == nil && w.zipped.n == end
}

func (w *Writer) beginZip() {
	if w.zip != nil {
		return
	}
	sum := hash.Hash32(crc32.New(castagnoli))
	if w.journal != nil {
		sum = w.journal.thumbs
	}
	w.zipped = &appender{f: w.thumbs, sum: sum}
	w.zip = zip.NewWriter(w.zipped)
}
