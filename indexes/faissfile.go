//go:build faiss

package indexes

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"github.com/DataIntelligenceCrew/go-faiss"

	"annbench/indexes/vec"
)

// A saved index is the file that Faiss writes, which Faiss alone can read too, and behind it what
// Faiss does not protect: a label in JSON, and a tail of fixed size.
//
//	Faiss's bytes | label | length of Faiss's bytes (8) | length of the label (4) | CRC-32C of both (4) | magic (8)
//
// Numbers are little-endian. Faiss believes the sizes that it reads: a damaged one makes it ask for up
// to 4 TB, or index outside of an array. So nothing is given to it before the checksum agrees. That
// holds against accidents of every kind, not against a file that was made to do harm.
const (
	faissMagic    = "annbfai1"
	faissTailSize = 8 + 4 + 4 + 8
	faissLabelMax = 1 << 16
)

// faissLabel says what a saved index is.
type faissLabel struct {
	Family string         `json:"family"`
	Metric vec.Metric     `json:"metric"`
	Rows   int            `json:"rows"`
	Dim    int            `json:"dim"`
	Build  map[string]int `json:"build"`
	Faiss  string         `json:"faiss"` // version that wrote it
}

var faissCRC = crc32.MakeTable(crc32.Castagnoli)

// Save implements [Saver]: what stood at path is replaced as a whole, or stays.
func (x *faissIndex) Save(path string) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("saving %s: %w", x.family.Name, err)
		}
	}()
	if x.c == nil {
		return errFaissClosed
	}
	label := faissLabel{
		Family: x.family.Name, Metric: x.metric, Rows: x.n, Dim: x.dim,
		Build: make(map[string]int, len(x.build)), Faiss: FaissVersion(),
	}
	for name := range x.build {
		label.Build[name] = x.build.Int(name)
	}
	text, err := json.Marshal(label)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // after the rename there is nothing left to remove
	defer f.Close()           // a second Close does no harm
	if err := x.write(f.Name()); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	// The file is read again for its checksum: Faiss has written it through a handle of its own.
	sum := crc32.New(faissCRC)
	size, err := io.Copy(sum, f)
	if err != nil {
		return err
	}
	sum.Write(text)
	tail := binary.LittleEndian.AppendUint64(text, uint64(size))
	tail = binary.LittleEndian.AppendUint32(tail, uint32(len(text)))
	tail = binary.LittleEndian.AppendUint32(tail, sum.Sum32())
	tail = append(tail, faissMagic...)
	if _, err := f.Write(tail); err != nil {
		return err
	}
	if err := f.Chmod(0o644); err != nil { // CreateTemp's 0600 is for secrets
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func (x *faissIndex) write(name string) error {
	runtime.LockOSThread() // Faiss keeps its last error by thread
	defer runtime.UnlockOSThread()
	return faiss.WriteIndex(x.index, name)
}

// loadFaiss restores what Save wrote. Build settings that in.Params gives must be those of the file;
// absent ones are taken from it. Where in.Vectors is not empty, its shape must be the file's.
func loadFaiss(path string, f *Family, in BuildInput) (_ Index, err error) {
	var index *faiss.IndexImpl
	defer func() {
		if err != nil {
			err = fmt.Errorf("loading %s: %s: %w", f.Name, path, err)
			if index != nil {
				index.Delete()
			}
		}
	}()
	if !f.Supports(in.Metric) {
		return nil, fmt.Errorf("metric %q is not supported: it has %v", in.Metric, f.Metrics)
	}
	build, err := f.Settings(f.Build, faissOnly(f.Build, in.Params))
	if err != nil {
		return nil, err
	}
	rest := make(Params, len(in.Params))
	for name, v := range in.Params {
		if !faissHas(f.Build, name) {
			rest[name] = v
		}
	}
	search, err := f.Settings(f.Search, rest)
	if err != nil {
		return nil, err
	}
	label, err := readFaissLabel(path)
	if err != nil {
		return nil, err
	}
	if label.Family != f.Name {
		return nil, fmt.Errorf("the file holds an index of family %s", label.Family)
	}
	if label.Metric != in.Metric {
		return nil, fmt.Errorf("the file's index is for metric %s, not %s", label.Metric, in.Metric)
	}
	if v := in.Vectors; v.Dim != 0 && v.Dim != label.Dim || v.Rows != 0 && v.Rows != label.Rows {
		return nil, fmt.Errorf("the file's index is of %d vectors of %d dimensions, not of %d of %d", label.Rows, label.Dim, v.Rows, v.Dim)
	}
	for _, p := range f.Build {
		have, ok := label.Build[p.Name]
		if !ok {
			return nil, fmt.Errorf("the file does not say its setting %s", p.Name)
		}
		if _, given := in.Params[p.Name]; given && build.Int(p.Name) != have {
			return nil, fmt.Errorf("the file's index was built with %s=%d, not %d", p.Name, have, build.Int(p.Name))
		}
		build[p.Name] = have
	}

	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	setFaissThreads(in.Threads)
	if index, err = faiss.ReadIndex(path, 0); err != nil {
		return nil, err
	}
	x, err := newFaissIndex(f, in.Metric, build, index)
	if err != nil {
		return nil, err
	}
	x.n, x.dim = label.Rows, label.Dim
	if err := x.check(); err != nil {
		return nil, err
	}
	if err := x.set(search); err != nil {
		return nil, err
	}
	return x, nil
}

// errFaissDamaged is what a file that was cut or changed is called.
var errFaissDamaged = errors.New("the file is damaged: its checksum does not agree; build and save the index again")

// readFaissLabel reads the file once, and returns its label if the whole file is as it was written.
func readFaissLabel(path string) (faissLabel, error) {
	var label faissLabel
	f, err := os.Open(path)
	if err != nil {
		return label, faissBare(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return label, faissBare(err)
	}
	if !info.Mode().IsRegular() {
		return label, errors.New("not a regular file")
	}
	foreign := errors.New("not an index that annbench saved, or one that was cut short")
	if info.Size() < faissTailSize {
		return label, foreign
	}
	var tail [faissTailSize]byte
	if _, err := f.ReadAt(tail[:], info.Size()-faissTailSize); err != nil {
		return label, faissBare(err)
	}
	if string(tail[16:]) != faissMagic {
		return label, foreign
	}
	size, length := binary.LittleEndian.Uint64(tail[:8]), binary.LittleEndian.Uint32(tail[8:12])
	if length > faissLabelMax || size != uint64(info.Size()-faissTailSize)-uint64(length) {
		return label, errFaissDamaged
	}
	sum := crc32.New(faissCRC)
	if _, err := io.CopyN(sum, bufio.NewReaderSize(f, 1<<18), int64(size)); err != nil {
		return label, faissBare(err)
	}
	text := make([]byte, length)
	if _, err := f.ReadAt(text, int64(size)); err != nil {
		return label, faissBare(err)
	}
	sum.Write(text)
	if sum.Sum32() != binary.LittleEndian.Uint32(tail[12:16]) {
		return label, errFaissDamaged
	}
	if err := json.Unmarshal(text, &label); err != nil {
		return label, fmt.Errorf("reading the file's label: %w", err)
	}
	return label, nil
}

// faissBare is err without the path that package os puts in front: the caller names the file.
func faissBare(err error) error {
	if e, ok := errors.AsType[*os.PathError](err); ok {
		return fmt.Errorf("%s: %w", e.Op, e.Err)
	}
	return err
}
