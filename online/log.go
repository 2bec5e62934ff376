package online

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"annbench/internal/atomicfile"
)

// The kinds of lines of a log.
const (
	KindExperiment = "experiment" // what is compared, from here on
	KindImpression = "impression" // a list was shown
	KindEvent      = "event"      // somebody did something with an item of one
)

// What people do with an item.
const (
	Click  = "click"  // opened it
	More   = "more"   // asked for more like it
	Basket = "basket" // put it into the basket: the conversion
)

// The modes of an experiment.
const (
	Interleaved = "interleave" // every list is a mixture of both
	Split       = "split"      // every session sees one of them
)

// Arm is one of the two that are compared, with what was measured of it offline.
type Arm struct {
	Name     string             `json:"name"` // such as "forest search_k=1000"
	Index    string             `json:"index,omitempty"`
	Measured map[string]float64 `json:"measured,omitempty"` // quantities of package metric: recall, map, latency_p50, ...
}

// Line is a line of the log. It holds no address and nothing about the browser.
type Line struct {
	Kind string    `json:"line"`
	At   time.Time `json:"at"`

	// Of an experiment.
	Experiment string `json:"experiment,omitempty"` // its name; impressions have it too
	Mode       string `json:"mode,omitempty"`
	Arms       []Arm  `json:"arms,omitempty"` // two

	// Of impressions and events.
	ID      string `json:"id,omitempty"`
	Session string `json:"session,omitempty"`

	// Of an impression.
	Items    []int  `json:"items,omitempty"`
	Teams    string `json:"teams,omitempty"` // of the items, where the list is interleaved
	Arm      int    `json:"arm,omitempty"`   // 1 or 2, where it is not
	Category string `json:"category,omitempty"`

	// Of an event.
	What string `json:"what,omitempty"`
	Rank int    `json:"rank,omitempty"` // of the item in the list, from 1
}

const (
	logFile  = "events.jsonl"
	keyFile  = "key"
	rotateAt = 64 << 20
	// group is how long lines wait for their sync, together; a crash of the machine or kill -9 loses no more.
	group = 200 * time.Millisecond
	// mostWaiting is how much may wait for a disk that hangs.
	mostWaiting = 8 << 20
)

// Log is a folder of lines that is written to. Its methods may be called by many goroutines at once.
type Log struct {
	Key Key

	dir     string
	mu      sync.Mutex
	file    *os.File
	size    int64
	waiting bytes.Buffer
	begins  []byte // the last line of an experiment: every file begins with it, so that old ones may be deleted
	failed  error
	closed  bool
	wake    chan struct{}
	ended   chan struct{}
}

// OpenLog opens the log in dir, or begins one. A line that was not written to its end, by a crash, is cut off. One
// process at a time may write to a log; the caller sees to that.
func OpenLog(dir string) (*Log, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	l := &Log{dir: dir, wake: make(chan struct{}, 1), ended: make(chan struct{})}
	key, err := os.ReadFile(filepath.Join(dir, keyFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		l.Key = NewKey()
		if err := writeKey(filepath.Join(dir, keyFile), l.Key); err != nil {
			return nil, err
		}
	case err != nil:
		return nil, err
	case len(key) != 32:
		return nil, fmt.Errorf("%s has %d bytes, not 32: put it back, or move it away and lose the clicks on lists that are open", filepath.Join(dir, keyFile), len(key))
	default:
		l.Key = key
	}
	if err := l.open(); err != nil {
		return nil, err
	}
	go l.write()
	return l, nil
}

func writeKey(path string, key Key) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(key)
	return errors.Join(err, f.Sync(), f.Close(), atomicfile.SyncDir(filepath.Dir(path)))
}

// open opens the current file at the end of its last whole line.
func (l *Log) open() error {
	f, err := os.OpenFile(filepath.Join(l.dir, logFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	size, err := wholeLines(f)
	if err == nil {
		err = f.Truncate(size)
	}
	if err == nil {
		_, err = f.Seek(size, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return fmt.Errorf("%s: %w", f.Name(), err)
	}
	l.file, l.size = f, size
	return nil
}

// wholeLines is where the last whole line of f ends.
func wholeLines(f *os.File) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	b := make([]byte, 64<<10)
	for end := info.Size(); end > 0; {
		n := min(int64(len(b)), end)
		if _, err := f.ReadAt(b[:n], end-n); err != nil {
			return 0, err
		}
		if i := bytes.LastIndexByte(b[:n], '\n'); i >= 0 {
			return end - n + int64(i) + 1, nil
		}
		end -= n
	}
	return 0, nil
}

// Append has a line written, with the next group. The error is that of an earlier group, or that too many wait.
func (l *Log) Append(line Line) error {
	b, err := json.Marshal(line)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		return fmt.Errorf("%s: %w", l.dir, os.ErrClosed)
	case l.failed != nil:
		return l.failed
	case l.waiting.Len()+len(b) > mostWaiting:
		return fmt.Errorf("%s: the disk does not keep up", l.dir)
	}
	b = append(b, '\n')
	if line.Kind == KindExperiment {
		l.begins = b
	}
	l.waiting.Write(b)
	select {
	case l.wake <- struct{}{}:
	default:
	}
	return nil
}

// write writes and syncs one group after the other, until the log is closed.
func (l *Log) write() {
	defer close(l.ended)
	for range l.wake {
		time.Sleep(group)
		l.flush()
	}
	l.flush()
}

func (l *Log) flush() {
	l.mu.Lock()
	b := bytes.Clone(l.waiting.Bytes())
	l.waiting.Reset()
	failed := l.failed
	l.mu.Unlock()
	if len(b) == 0 || failed != nil {
		return
	}
	_, err := l.file.Write(b)
	if err == nil {
		err = l.file.Sync()
	}
	l.size += int64(len(b))
	if err == nil && l.size >= rotateAt {
		err = l.rotate()
	}
	if err != nil {
		l.mu.Lock()
		l.failed = fmt.Errorf("writing %s: %w", filepath.Join(l.dir, logFile), err)
		l.mu.Unlock()
	}
}

// rotate gives the file its final name and begins the next.
func (l *Log) rotate() error {
	if err := l.file.Close(); err != nil {
		return err
	}
	name, err := closedName(l.dir, time.Now())
	if err != nil {
		return err
	}
	if err := atomicfile.Rename(filepath.Join(l.dir, logFile), filepath.Join(l.dir, name)); err != nil {
		return err
	}
	if err := l.open(); err != nil {
		return err
	}
	l.mu.Lock()
	first := l.begins
	l.mu.Unlock()
	n, err := l.file.Write(first)
	l.size += int64(n)
	return err
}

const closedForm = "events-20060102T150405.000000000.jsonl"

// closedName is the name of a file that is closed at that time. Subtle: files are read in the order of their names, so that
// where a clock was set back a name has the time of the last one, and a moment more; nor is a file written over.
func closedName(dir string, at time.Time) (string, error) {
	names, err := closedFiles(dir)
	if err != nil {
		return "", err
	}
	at = at.UTC()
	if len(names) > 0 {
		last, err := time.Parse(closedForm, filepath.Base(names[len(names)-1]))
		if err == nil && !at.After(last) {
			at = last.Add(time.Nanosecond)
		}
	}
	return at.Format(closedForm), nil
}

// closedFiles are the paths of the files that are full, the oldest first.
func closedFiles(dir string) ([]string, error) {
	names, err := filepath.Glob(filepath.Join(dir, "events-*.jsonl"))
	slices.Sort(names)
	return names, err
}

// Close writes what waits. What is appended later is an error.
func (l *Log) Close() error {
	l.mu.Lock()
	l.closed = true
	close(l.wake)
	l.mu.Unlock()
	<-l.ended
	return errors.Join(l.failed, l.file.Close())
}

// Folder is where a server keeps its log in the folder of its results.
const Folder = "clicks"

// ReadLog gives each line of the log in dir, or in its [Folder] where dir has none, to yield, the oldest first, until it
// returns an error. A last line that is not whole is left out; any other that cannot be read is an error with its place.
func ReadLog(dir string, yield func(Line) error) error {
	names, err := closedFiles(dir)
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(dir, logFile)); err == nil {
		names = append(names, filepath.Join(dir, logFile))
	}
	if len(names) == 0 {
		if sub := filepath.Join(dir, Folder); filepath.Base(dir) != Folder {
			if info, err := os.Stat(sub); err == nil && info.IsDir() {
				return ReadLog(sub, yield)
			}
		}
		return fmt.Errorf("%s holds no log of clicks: annbench serve with --interleave or --split writes one into the folder %s of its results, or into --clicks DIR", dir, Folder)
	}
	for _, name := range names {
		if err := readFile(name, yield); err != nil {
			return err
		}
	}
	return nil
}

func readFile(name string, yield func(Line) error) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 1<<16)
	for n := 1; ; n++ {
		b, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil // what is left was not written to its end
		} else if err != nil {
			return err
		}
		var line Line
		d := json.NewDecoder(bytes.NewReader(b))
		d.DisallowUnknownFields()
		if err := d.Decode(&line); err != nil {
			return fmt.Errorf("%s:%d: %s; take the line out, or take the file from a copy", name, n, strings.TrimPrefix(err.Error(), "json: "))
		}
		if err := yield(line); err != nil {
			return fmt.Errorf("%s:%d: %w", name, n, err)
		}
	}
}
