package rpforest

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"

	"annbench/indexes/vec"
)

// A saved forest is one file, of little-endian numbers:
//
//	magic (8), which ends in the version
//	header: the fields of fileHeader in turn
//	vectors | roots | normals | offsets | extras | children | leaves | ids
//	CRC-32C of all before (4)
//
// The lengths of the arrays follow from the header.
const fileMagic = "rpforst1"

type fileHeader struct {
	Metric   uint32 // place in vec.Metrics
	LeafSize uint32
	Seed     uint64
	Rows     uint64
	Dim      uint64
	Trees    uint64
	Cuts     uint64
	Leaves   uint64
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// arrays lists what follows the header, in order: slices of float32, int32, [2]int32 and int64.
func (f *Forest) arrays() []any {
	return []any{f.base.Data, f.roots, f.normals.Data, f.offsets, f.extras, f.children, f.leaves, f.ids}
}

// Save writes the forest, its vectors included, to path. What stood there is replaced as a whole, or
// stays.
func (f *Forest) Save(path string) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("saving a forest: %s: %w", path, bare(err))
		}
	}()
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name()) // after the rename there is nothing left to remove
	defer file.Close()           // a second Close does no harm
	buffered := bufio.NewWriterSize(file, 1<<20)
	sum := crc32.New(castagnoli)
	w := io.MultiWriter(buffered, sum)
	if _, err := io.WriteString(w, fileMagic); err != nil {
		return err
	}
	if err := binary.Write(w, binary.LittleEndian, f.header()); err != nil {
		return err
	}
	buf := make([]byte, pieceBytes)
	for _, array := range f.arrays() {
		err := inPieces(array, func(piece any) error {
			n, err := binary.Encode(buf, binary.LittleEndian, piece)
			if err != nil {
				return err
			}
			_, err = w.Write(buf[:n])
			return err
		})
		if err != nil {
			return err
		}
	}
	if err := binary.Write(buffered, binary.LittleEndian, sum.Sum32()); err != nil {
		return err
	}
	if err := buffered.Flush(); err != nil {
		return err
	}
	if err := file.Chmod(0o644); err != nil { // CreateTemp's 0600 is for secrets
		return err
	}
	if err := file.Sync(); err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}

func (f *Forest) header() fileHeader {
	h := fileHeader{
		LeafSize: uint32(f.options.LeafSize),
		Seed:     f.options.Seed,
		Rows:     uint64(f.base.Rows),
		Dim:      uint64(f.base.Dim),
		Trees:    uint64(len(f.roots)),
		Cuts:     uint64(len(f.offsets)),
		Leaves:   uint64(len(f.leaves) - 1),
	}
	for i, m := range vec.Metrics {
		if m == f.metric {
			h.Metric = uint32(i)
		}
	}
	return h
}

var (
	errForeign = errors.New("not a forest that this version saved")
	errDamaged = errors.New("the file is damaged or cut short: build and save the forest again")
)

// Load reads what Save wrote. The error of a file that is cut short, damaged or not a forest names the
// file; nothing of it is believed before its checksum agrees, apart from its lengths, which must be
// those of the file.
func Load(path string) (_ *Forest, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("loading a forest: %s: %w", path, bare(err))
		}
	}()
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	buffered := bufio.NewReaderSize(file, 1<<20)
	sum := crc32.New(castagnoli)
	r := io.TeeReader(buffered, sum)
	magic := make([]byte, len(fileMagic))
	if _, err := io.ReadFull(r, magic); err != nil || string(magic) != fileMagic {
		return nil, errForeign
	}
	var h fileHeader
	if err := binary.Read(r, binary.LittleEndian, &h); err != nil {
		return nil, damaged(err)
	}
	if size, ok := h.fileSize(); !ok || size != info.Size() {
		return nil, errDamaged
	}
	f := h.empty()
	buf := make([]byte, pieceBytes)
	for _, array := range f.arrays() {
		err := inPieces(array, func(piece any) error {
			b := buf[:binary.Size(piece)]
			if _, err := io.ReadFull(r, b); err != nil {
				return damaged(err)
			}
			_, err := binary.Decode(b, binary.LittleEndian, piece)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	var want uint32
	if err := binary.Read(buffered, binary.LittleEndian, &want); err != nil {
		return nil, damaged(err)
	}
	if want != sum.Sum32() {
		return nil, errDamaged
	}
	if !f.sound() {
		return nil, errDamaged
	}
	f.ranker = vec.NewRanker(f.base, f.metric)
	return f, nil
}

// damaged is err, or errDamaged where the file ended.
func damaged(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errDamaged
	}
	return err
}

// fileSize is the size of the file that h begins. It reports false where the header cannot be one.
func (h *fileHeader) fileSize() (int64, bool) {
	const most = 1 << 31 // rows, dimensions, nodes: then no product of three below overflows
	if int(h.Metric) >= len(vec.Metrics) || h.LeafSize < 1 || h.Rows < 1 || h.Dim < 1 || h.Trees < 1 ||
		h.Rows >= most || h.Dim >= 1<<24 || h.Trees >= 1<<24 || h.Cuts >= most || h.Leaves >= most {
		return 0, false
	}
	rows, dim, trees, cuts, leaves := int64(h.Rows), int64(h.Dim), int64(h.Trees), int64(h.Cuts), int64(h.Leaves)
	perCut := 4*dim + 4 + 8
	if vec.Metrics[h.Metric] == vec.InnerProduct {
		perCut += 4
	}
	return int64(len(fileMagic)+binary.Size(h)) + 4*rows*dim + 4*trees + perCut*cuts + 8*(leaves+1) + 4*rows*trees + 4, true
}

// empty is a forest with arrays of the lengths that h says.
func (h *fileHeader) empty() *Forest {
	rows, dim, trees, cuts := int(h.Rows), int(h.Dim), int(h.Trees), int(h.Cuts)
	f := &Forest{
		options:  Options{Trees: trees, LeafSize: int(h.LeafSize), Seed: h.Seed},
		metric:   vec.Metrics[h.Metric],
		base:     vec.NewMatrix(rows, dim),
		roots:    make([]int32, trees),
		normals:  vec.NewMatrix(cuts, dim),
		offsets:  make([]float32, cuts),
		children: make([][2]int32, cuts),
		leaves:   make([]int64, h.Leaves+1),
		ids:      make([]int32, rows*trees),
	}
	if f.metric == vec.InnerProduct {
		f.extras = make([]float32, cuts)
	}
	return f
}

// sound reports whether a search of f ends and stays inside of its arrays: references lead to nodes that
// exist, and to greater numbers than those they come from; leaves lie in the ids, and ids in the rows.
func (f *Forest) sound() bool {
	cuts, leaves := len(f.offsets), len(f.leaves)-1
	known := func(ref int32, above int) bool {
		if ref < 0 {
			return int(^ref) < leaves
		}
		return int(ref) > above && int(ref) < cuts
	}
	for _, root := range f.roots {
		if !known(root, -1) {
			return false
		}
	}
	for i, c := range f.children {
		if !known(c[0], i) || !known(c[1], i) {
			return false
		}
	}
	if f.leaves[0] != 0 || f.leaves[leaves] != int64(len(f.ids)) {
		return false
	}
	for i := range leaves {
		if f.leaves[i] > f.leaves[i+1] {
			return false
		}
	}
	for _, id := range f.ids {
		if id < 0 || int(id) >= f.base.Rows {
			return false
		}
	}
	return vec.FirstNonFinite(f.base.Data) < 0
}

// pieceBytes of an array are encoded at once.
const pieceBytes = 1 << 18

// inPieces calls f with the parts of a slice, each of at most pieceBytes, until it fails.
func inPieces(array any, f func(piece any) error) error {
	switch a := array.(type) {
	case []float32:
		return cutUp(a, pieceBytes/4, f)
	case []int32:
		return cutUp(a, pieceBytes/4, f)
	case [][2]int32:
		return cutUp(a, pieceBytes/8, f)
	case []int64:
		return cutUp(a, pieceBytes/8, f)
	}
	panic(fmt.Sprintf("rpforest: an array of type %T", array))
}

func cutUp[T any](a []T, n int, f func(piece any) error) error {
	for len(a) > 0 {
		m := min(n, len(a))
		if err := f(a[:m]); err != nil {
			return err
		}
		a = a[m:]
	}
	return nil
}

// bare takes the operation and the file name off an error of package os: the caller names the file.
func bare(err error) error {
	var pathError *os.PathError
	if errors.As(err, &pathError) {
		return pathError.Err
	}
	var linkError *os.LinkError
	if errors.As(err, &linkError) {
		return linkError.Err
	}
	return err
}
