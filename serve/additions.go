package serve

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"annbench/internal/atomicfile"
)

// Addition is an item that was added while its results were served.
type Addition struct {
	ID         string         `json:"id"`
	Category   string         `json:"category,omitempty"`
	Attributes map[string]any `json:"attributes,omitempty"` // texts, numbers and truth values, by column
	Vector     []float32      `json:"vector"`
}

// Additions is the file of items that were added to results: a line for each request that added some, with its CRC-32C before
// it, below a line that says what they were added to. A line is on the disk before the request is answered.
type Additions struct {
	path string

	mu     sync.Mutex
	file   *os.File
	size   int64 // of what is whole
	torn   int64 // bytes of a last line without its end that were cut off when the file was opened
	failed error
}

// additionsHead is the first line.
type additionsHead struct {
	Format  string `json:"format"`
	Dataset string `json:"dataset"` // digest of the set
	Dim     int    `json:"dim"`
}

type additionsLine struct {
	At    time.Time  `json:"at"`
	Items []Addition `json:"items"`
}

const (
	additionsFile   = "items.log"
	additionsFormat = "annbench items 1"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// HasAdditions reports whether items were added in the folder dir.
func HasAdditions(dir string) bool {
	text, err := os.ReadFile(filepath.Join(dir, additionsFile))
	return err == nil && bytes.Count(text, []byte("\n")) > 1 // the head, and a line for each request
}

// OpenAdditions opens the file of what was added to l in the folder dir, or begins it. A last line that was not written to
// its end, by a crash, is cut off: its request was not answered; [New] warns of it. Any other damage is an error with its
// line. One process at a time may have the file open; the caller sees to that.
func OpenAdditions(dir string, l *Library) (*Additions, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	a := &Additions{path: filepath.Join(dir, additionsFile)}
	want := additionsHead{additionsFormat, l.set.Digest, l.set.Base.Dim}
	if _, err := os.Stat(a.path); errors.Is(err, fs.ErrNotExist) {
		head, err := json.Marshal(want)
		if err != nil {
			return nil, err
		}
		if err := atomicfile.Write(a.path, sealed(head)); err != nil {
			return nil, err
		}
	} else if err != nil {
		return nil, err
	}
	var err error
	if a.file, err = os.OpenFile(a.path, os.O_RDWR, 0o600); err != nil {
		return nil, err
	}
	_, err = a.read(want, func([]Addition) error { return nil })
	if err == nil {
		err = a.cut()
	}
	if err == nil {
		err = a.file.Sync()
	}
	if err != nil {
		return nil, errors.Join(err, a.file.Close())
	}
	return a, nil
}

// cut cuts off what stands behind the last whole line, and notes how much that is.
func (a *Additions) cut() error {
	info, err := a.file.Stat()
	if err != nil {
		return err
	}
	a.torn = info.Size() - a.size
	return a.file.Truncate(a.size)
}

// sealed is a line of the file: the checksum of text, text, and the end of the line.
func sealed(text []byte) []byte {
	return fmt.Appendf(nil, "%08x %s\n", crc32.Checksum(text, castagnoli), text)
}

// read gives the items of each line to yield, and notes where the last whole line ends.
func (a *Additions) read(want additionsHead, yield func([]Addition) error) (items int, err error) {
	r := bufio.NewReaderSize(io.NewSectionReader(a.file, 0, 1<<62), 1<<20)
	at := int64(0)
	for n := 1; ; n++ {
		b, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			if n == 1 {
				return 0, fmt.Errorf("%s:1: the file is empty or cut short: take it from a copy, or move it away and lose the items that were added", a.path)
			}
			a.size = at // what follows was not written to its end
			return items, nil
		} else if err != nil {
			return items, err
		}
		var line additionsLine
		var head additionsHead
		sum, text, ok := bytes.Cut(b[:len(b)-1], []byte(" "))
		given, wrong := strconv.ParseUint(string(sum), 16, 32)
		ok = ok && wrong == nil && uint32(given) == crc32.Checksum(text, castagnoli)
		if n == 1 {
			ok = ok && json.Unmarshal(text, &head) == nil
		} else {
			ok = ok && json.Unmarshal(text, &line) == nil
		}
		switch {
		case !ok:
			return items, fmt.Errorf("%s:%d: the line is damaged, at byte %d: take the file from a copy, or take the line out and lose its items", a.path, n, at)
		case n == 1 && head != want:
			return items, fmt.Errorf("%s:1: it is of %q, data set %.12s of %d dimensions, not %q, %.12s of %d: the items were added to other results; move the file away",
				a.path, head.Format, head.Dataset, head.Dim, want.Format, want.Dataset, want.Dim)
		}
		if err := yield(line.Items); err != nil {
			return items, fmt.Errorf("%s:%d: %w; take the line out, and its items are lost", a.path, n, err)
		}
		items += len(line.Items)
		at += int64(len(b))
	}
}

// All reads what was added to l, a request at a time in their order, until yield returns an error. It gives the number
// of items.
func (a *Additions) All(l *Library, yield func([]Addition) error) (items int, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.read(additionsHead{additionsFormat, l.set.Digest, l.set.Base.Dim}, yield)
}

// append writes the items of one request. They are on the disk when it returns; on an error none of them is in the file.
func (a *Additions) append(items []Addition) error {
	text, err := json.Marshal(additionsLine{time.Now().UTC(), items})
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.failed != nil {
		return a.failed
	}
	b := sealed(text)
	_, err = a.file.WriteAt(b, a.size)
	if err == nil {
		err = a.file.Sync()
	}
	if err != nil {
		// Subtle: after a sync that failed, nobody knows what is on the disk. Nothing more is taken until the file is opened
		// anew, and read.
		a.failed = fmt.Errorf("writing %s: %w", a.path, err)
		return errors.Join(a.failed, a.file.Truncate(a.size))
	}
	a.size += int64(len(b))
	return nil
}

// Close closes the file.
func (a *Additions) Close() error { return a.file.Close() }
