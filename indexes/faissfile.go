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
	"runtime"

	"github.com/DataIntelligenceCrew/go-faiss"

	"annbench/internal/atomicfile"
)

// A saved index is the file that Faiss writes, which Faiss alone can read too, and behind it what
// Faiss does not protect: a label in JSON, and a tail of fixed size.
//
//	Faiss's bytes | label | length of Faiss's bytes (8) | length of the label (4) | CRC-32C of both (4) | magic (8)
//
// Numbers are little-endian. Faiss believes what it reads: of 60 graphs that were cut or had one bit
// changed, it loaded 36 without a word, refused 15, and 9 ended the process or made it hang. So nothing
// is given to it before the checksum agrees. That holds against accidents of every kind, not against a
// file that was made to do harm.
const (
	faissMagic    = "annbfai1"
	faissTailSize = 8 + 4 + 4 + 8
	faissLabelMax = 1 << 16
)

// Save implements [Saver]: what stood at path is replaced as a whole, or stays.
func (x *faissIndex) Save(path string) (err error) {
	if x.index == nil {
		return errClosed(x.family)
	}
	if x.updated.ids != nil || x.updated.living != nil {
		return fmt.Errorf("saving %s: vectors were removed from it, and its file would not know which", x.family.Name)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("saving %s: %s: %w", x.family.Name, path, err)
		}
	}()
	text, err := json.Marshal(saved{Family: x.family.Name, Metric: x.metric, Rows: x.n, Dim: x.dim, Build: x.build})
	if err != nil {
		return err
	}
	f, err := atomicfile.Create(path)
	if err != nil {
		return bare(err)
	}
	defer f.Abort()
	if err := x.write(f.Name()); err != nil {
		return err
	}
	// The file is read again for its checksum: Faiss has written it through a handle of its own.
	sum := crc32.New(castagnoli)
	size, err := io.Copy(sum, f)
	if err != nil {
		return bare(err)
	}
	sum.Write(text) // of a hash: never fails
	tail := binary.LittleEndian.AppendUint64(text, uint64(size))
	tail = binary.LittleEndian.AppendUint32(tail, uint32(len(text)))
	tail = binary.LittleEndian.AppendUint32(tail, sum.Sum32())
	tail = append(tail, faissMagic...)
	if _, err := f.Write(tail); err != nil {
		return bare(err)
	}
	return bare(f.Commit())
}

func (x *faissIndex) write(name string) error {
	runtime.LockOSThread() // Faiss keeps its last error by thread
	defer runtime.UnlockOSThread()
	return faiss.WriteIndex(x.index, name)
}

// loadFaiss restores what Save wrote; see agrees for what in must have in common with the file. Build
// settings that in does not give are taken from the file.
func loadFaiss(path string, f *Family, in BuildInput) (_ Index, err error) {
	var index *faiss.IndexImpl
	defer func() {
		if err != nil {
			err = loadError(path, f, err)
			if index != nil {
				index.Delete()
			}
		}
	}()
	label, err := readFaissLabel(path)
	if err != nil {
		return nil, err
	}
	if label.Family != f.Name {
		return nil, fmt.Errorf("the file holds an index of family %s", label.Family)
	}
	if label.Build, err = f.Settings(f.Build, label.Build); err != nil {
		return nil, fmt.Errorf("the file's label: %w", err)
	}
	params, err := agrees(f, label, in)
	if err != nil {
		return nil, err
	}

	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	setFaissThreads(max(1, in.Threads), 1)
	if index, err = faiss.ReadIndex(path, 0); err != nil {
		return nil, err
	}
	x := newFaissIndex(f, in.Metric, params, index)
	x.n, x.dim = label.Rows, label.Dim
	if err := x.check(); err != nil {
		return nil, err
	}
	if err := x.set(faissOnly(f.Search, params)); err != nil {
		return nil, err
	}
	return x, nil
}

// errFaissDamaged is what a file that was changed is called.
var errFaissDamaged = errors.New("the file is damaged: its checksum does not agree; build and save the index again")

// readFaissLabel reads the file once, and returns its label if the whole file is as it was written.
func readFaissLabel(path string) (label saved, err error) {
	f, err := os.Open(path)
	if err != nil {
		return label, bare(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return label, bare(err)
	}
	if !info.Mode().IsRegular() {
		return label, errors.New("not a regular file")
	}
	foreign := errors.New("not an index of Faiss that annbench saved, or one that was cut short")
	rest := info.Size() - faissTailSize
	if rest < 0 {
		return label, foreign
	}
	var tail [faissTailSize]byte
	if _, err := f.ReadAt(tail[:], rest); err != nil {
		return label, bare(err)
	}
	if string(tail[16:]) != faissMagic {
		return label, foreign
	}
	size, length := binary.LittleEndian.Uint64(tail[:8]), binary.LittleEndian.Uint32(tail[8:12])
	if length > faissLabelMax || int64(length) > rest || size != uint64(rest)-uint64(length) {
		return label, errFaissDamaged
	}
	sum := crc32.New(castagnoli)
	if _, err := io.CopyN(sum, bufio.NewReaderSize(f, 1<<18), int64(size)); err != nil {
		return label, bare(err)
	}
	text := make([]byte, length)
	if _, err := f.ReadAt(text, int64(size)); err != nil {
		return label, bare(err)
	}
	sum.Write(text) // of a hash: never fails
	if sum.Sum32() != binary.LittleEndian.Uint32(tail[12:16]) {
		return label, errFaissDamaged
	}
	if err := json.Unmarshal(text, &label); err != nil {
		return label, fmt.Errorf("the file's label: %w", err)
	}
	return label, nil
}
