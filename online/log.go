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
	// again is how long a group waits that could not be written, such as to a full disk.
	again = time.Second
	// mostWaiting is how much may wait for a disk that hangs.
	mostWaiting = 8 << 20
)

// Log is a folder of lines that is written to. Its methods may be called by many goroutines at once.
type Log struct {
	Key Key

	dir  string
	turn sync.Mutex // held by who writes, that is for file, size and kept
	file file
	size int64  // of the lines of file that are synced
	kept []byte // what was to follow them and could not be written; it is tried again

	mu      sync.Mutex // held for what follows
	waiting bytes.Buffer
	begins  []byte // the last line of an experiment: every file begins with it, so that old ones may be deleted
	failed  error  // why kept is kept; no lines are taken meanwhile
	closed  bool
	wake    chan struct{}
	ended   chan struct{}
}

// file is what [os.File] is used for here.
type file interface {
	io.WriterAt
	Sync() error
	Close() error
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

// Append has a line written, with the next group. The error is that too many wait, or that an earlier group cannot be
// written: nothing is taken until it is, which is tried every second.
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
	for {
		var retry <-chan time.Time
		if l.failure() != nil {
			retry = time.After(again)
		}
		select {
		case _, open := <-l.wake:
			if !open {
				l.flush()
				return
			}
			time.Sleep(group)
		case <-retry:
		}
		l.flush()
	}
}

func (l *Log) failure() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failed
}

// flush writes what waits. What cannot be written is kept.
func (l *Log) flush() {
	l.turn.Lock()
	defer l.turn.Unlock()
	l.mu.Lock()
	l.kept = append(l.kept, l.waiting.Bytes()...)
	l.waiting.Reset()
	l.mu.Unlock()
	err := l.writeKept()
	if err == nil && l.size >= rotateAt {
		if err = l.rotate(); err == nil {
			err = l.writeKept()
		}
	}
	if err != nil {
		err = fmt.Errorf("writing %s: %w", filepath.Join(l.dir, logFile), err)
	}
	l.mu.Lock()
	l.failed = err
	l.mu.Unlock()
}

// writeKept writes behind what is synced. Subtle: a write that failed may have left half a line there. The next one begins
// at the same place with the same bytes, so that nothing stands twice or in halves.
func (l *Log) writeKept() error {
	if len(l.kept) == 0 {
		return nil
	}
	if _, err := l.file.WriteAt(l.kept, l.size); err != nil {
		return err
	}
	if err := l.file.Sync(); err != nil {
		return err
	}
	l.size += int64(len(l.kept))
	l.kept = l.kept[:0]
	return nil
}

// rotate gives the file its final name and begins the next. It may be called again where it fails.
func (l *Log) rotate() error {
	name, err := closedName(l.dir, time.Now())
	if err != nil {
		return err
	}
	err = atomicfile.Rename(filepath.Join(l.dir, logFile), filepath.Join(l.dir, name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // it got its name the last time
		return err
	}
	full := l.file
	if err := l.open(); err != nil {
		return err
	}
	l.mu.Lock()
	l.kept = append(l.kept, l.begins...)
	l.mu.Unlock()
	return full.Close()
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
	err := l.failed
	if n := bytes.Count(l.kept, []byte{'\n'}); n > 0 {
		err = fmt.Errorf("%d lines are lost: %w", n, err)
	}
	return errors.Join(err, l.file.Close())
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
