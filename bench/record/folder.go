package record

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"annbench/internal/filekind"
	"annbench/internal/seal"
)

// The files of a results folder.
const (
	RecordsFile = "records.jsonl" // append-only, one [Record] a line
	DatasetFile = "dataset.json"
	GalleryFile = "gallery.json"
	MapFile     = "map.json"
	ThumbsDir   = "thumbs"
	IndexesDir  = "indexes" // saved indexes, where a run kept them: [Cell.IndexFile]
)

// Results is a results folder as it was read.
type Results struct {
	Dir     string
	Records []Record // in the order in which they were measured, those under a filter and of runbooks left out
	// Filtered are the records of cells with a filter, which compare with each other alone.
	Filtered []Record
	// Churned are the records of searches of runbooks, likewise.
	Churned []Record
	Dataset Dataset
	Gallery *Gallery // nil where the folder has none
	Map     *Map     // nil where the folder has none
	// Torn is the unfinished last line, which was left aside.
	Torn Torn
	// Missing is what the run set out to measure and did not; nothing where its plan is not known.
	Missing Missing
}

// Open reads the results folder at dir. It is an error if the folder has no records file or if a
// whole line is damaged; the error names file and line.
func Open(dir string) (*Results, error) {
	r := &Results{Dir: dir}
	var err error
	var torn int64
	path := filepath.Join(dir, RecordsFile)
	if r.Records, torn, err = Read(path); err == nil {
		r.Torn, err = LookAtTorn(path, torn)
	}
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s holds no results (no %s): make some with `annbench run`", dir, RecordsFile)
		}
		return nil, err
	}
	plans, err := OpenPlans(dir)
	if err != nil {
		return nil, err
	}
	r.Missing = FindMissing(plans, r.Records)
	r.Records = slices.DeleteFunc(r.Records, func(rec Record) bool {
		switch {
		case rec.Cell.Churn != "":
			r.Churned = append(r.Churned, rec)
		case rec.Cell.Filter != "":
			r.Filtered = append(r.Filtered, rec)
		default:
			return false
		}
		return true
	})
	if err := readSealed(filepath.Join(dir, DatasetFile), &r.Dataset); err != nil {
		return nil, err
	}
	var g Gallery
	switch err := readSealed(filepath.Join(dir, GalleryFile), &g); {
	case err == nil:
		r.Gallery = &g
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	if r.Map, err = OpenMap(dir); err != nil {
		return nil, err
	}
	return r, nil
}

// readSealed reads a file of a results folder that carries a sum of its own; those of older versions have none. It is made
// anew by every run.
func readSealed(path string, v any) error {
	_, err := seal.ReadJSON(path, v)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && seal.Damage(err) {
		return fmt.Errorf("%w; `annbench run` into this folder writes it again", err)
	}
	return err
}

// OpenMap reads the map in a results folder; it is nil where there is none.
func OpenMap(dir string) (*Map, error) {
	path := filepath.Join(dir, MapFile)
	m := &Map{}
	switch err := readSealed(path, m); {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	}
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// Read reads a records file. An unfinished last line, which lacks its newline, is left aside, and its length in bytes
// returned as torn. The error of a damaged line names file and line.
func Read(path string) (records []Record, torn int64, err error) {
	if err := filekind.Regular(path); err != nil {
		return nil, 0, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, 1<<20)
	for line := 1; ; line++ {
		b, err := in.ReadBytes('\n')
		if err != nil && err != io.EOF {
			return nil, 0, fmt.Errorf("reading %s: %w", path, err)
		}
		if err == io.EOF {
			return records, int64(len(b)), nil // complete lines end in a newline
		}
		if len(bytes.TrimSpace(b)) == 0 {
			continue
		}
		r, err := parseLine(b)
		if err != nil {
			return nil, 0, fmt.Errorf("%s:%d: %w; delete the line, and `annbench run` measures it again", path, line, err)
		}
		records = append(records, *r)
	}
}

// Torn is what stands behind the last whole record.
type Torn struct {
	Bytes int64
	Line  int // the line that they are, from 1
	// Zeros says that there are zero bytes among them, as a power cut leaves where a file had its length but not yet its
	// content: records that were measured are lost. Else a run was stopped while it wrote a record.
	Zeros bool
}

// LookAtTorn looks at the last bytes of the records file at path that [Read] left aside.
func LookAtTorn(path string, bytes int64) (t Torn, err error) {
	if bytes == 0 {
		return t, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return t, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return t, err
	}
	t = Torn{Bytes: bytes, Line: 1}
	in := bufio.NewReaderSize(f, 1<<20)
	for at := int64(0); at < info.Size(); at++ {
		switch b, err := in.ReadByte(); {
		case err != nil:
			return t, fmt.Errorf("reading %s: %w", path, err)
		case at < info.Size()-bytes && b == '\n':
			t.Line++
		case b == 0:
			t.Zeros = true
		}
	}
	return t, nil
}

// Writer appends records to a records file.
type Writer struct {
	f    *os.File
	path string
}

// Append opens the records file at path for appending, and creates it if it is missing. An
// unfinished last line is cut off first, so that the next record begins a line of its own; what was
// complete stays.
func Append(path string) (*Writer, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	w := &Writer{f: f, path: path}
	_, torn, err := Read(path)
	if err == nil {
		err = w.cut(torn)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return w, nil
}

func (w *Writer) cut(torn int64) error {
	end, err := w.f.Seek(0, io.SeekEnd)
	if err != nil || torn == 0 {
		return err
	}
	if err := w.f.Truncate(end - torn); err != nil {
		return err
	}
	_, err = w.f.Seek(end-torn, io.SeekStart)
	return err
}

// Write appends one record and waits until it is on the disk. Where it fails (a full disk, say) it
// takes back what it wrote of the record, so that the file stays whole; the records before stay.
func (w *Writer) Write(r *Record) error {
	b, err := AppendLine(nil, r)
	if err != nil {
		return fmt.Errorf("writing %s: %w", w.path, err)
	}
	end, err := w.f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if _, err = w.f.Write(b); err == nil {
		err = w.f.Sync()
	}
	if err != nil {
		// Best effort: should this fail too, the next run cuts the torn line.
		_ = w.f.Truncate(end)
		return err
	}
	return w.there()
}

// there reports an error unless the file that is written to is still the one at its path.
func (w *Writer) there() error {
	own, err := w.f.Stat()
	if err != nil {
		return err
	}
	if now, err := os.Stat(w.path); err != nil || !os.SameFile(own, now) {
		return fmt.Errorf("the results folder %s was moved or removed while it was written to: what was measured is in the folder that was moved; give that one with --out, and the same command measures the rest", filepath.Dir(w.path))
	}
	return nil
}

// Close closes the file.
func (w *Writer) Close() error { return w.f.Close() }
