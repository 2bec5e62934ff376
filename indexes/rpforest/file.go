package rpforest

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"os"
	"slices"
	"unsafe"

	"annbench/indexes/vec"
	"annbench/internal/atomicfile"
)

// A saved forest is one file, of little-endian numbers:
//
//	fileHeader, which begins with a magic that ends in the version
//	sections, each from a multiple of sectionAlign bytes on; see Forest.sections
//
// The sections' lengths follow from the header. Three CRC-32C stand in the header: of the header before
// it; of the sections that lead a search (structure); and of the others (content): codes and vectors.
const (
	fileMagic    = "rpforst3"
	sectionAlign = 64
)

type fileHeader struct {
	Magic    [8]byte
	Metric   uint32 // place in vec.Metrics
	Plain    uint32 // 1: no bounds
	LeafSize uint64
	Seed     uint64
	Rows     uint64
	Dim      uint64
	Trees    uint64
	Cuts     uint64
	Leaves   uint64
	Blocks   uint64
	Scale    float64
	Most     float64
	Coarse   sketchHeader
	Fine     sketchHeader // Dims 0: none
	Front    sketchHeader // Dims 0: none

	Structure uint32
	Content   uint32
	Header    uint32
}

type sketchHeader struct {
	Dims, Axes, Picks uint32
	Step, Rest        float32
	Skew              float64
}

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	headerSize = binary.Size(fileHeader{})
)

// section is one array of a forest in its file.
type section struct {
	size      int64 // bytes
	structure bool  // it leads a search, or else is content
	bytes     func() []byte
	attach    func(b []byte)
}

func array[T any](s *[]T, n int64, structure bool) section {
	return section{
		size:      n * int64(unsafe.Sizeof(*new(T))),
		structure: structure,
		bytes: func() []byte {
			return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(*s))), len(*s)*int(unsafe.Sizeof(*new(T))))
		},
		attach: func(b []byte) {
			*s = unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), n)
		},
	}
}

// sections lists the arrays of a forest with header h, in the order of the file.
func (f *Forest) sections(h *fileHeader, scales *[]float32) []section {
	dim, pointDim := int64(h.Dim), int64(h.Dim)
	metric := vec.Metrics[h.Metric]
	if metric == vec.InnerProduct {
		pointDim++
	}
	rankScales := int64(0)
	if metric == vec.Cosine {
		rankScales = int64(h.Rows)
	}
	const structure, content = true, false
	var list []section
	if h.Plain == 1 {
		extras := int64(0)
		if metric == vec.InnerProduct {
			extras = int64(h.Cuts)
		}
		list = append(list,
			array(&f.roots, int64(h.Trees), structure),
			array(&f.offsets, int64(h.Cuts), structure),
			array(&f.extras, extras, structure),
			array(&f.children, int64(h.Cuts), structure),
			array(&f.starts, int64(h.Leaves)+1, structure),
			array(&f.normals.Data, int64(h.Cuts)*dim, structure),
			array(&f.ids, int64(h.Rows*h.Trees), structure),
		)
	}
	if b := f.bounds; b != nil {
		sketch := func(s *sketch, h sketchHeader) {
			list = append(list,
				array(&s.mean, pointDim, structure),
				array(&s.axes.Data, int64(h.Axes)*pointDim, structure),
				array(&s.shift, int64(h.Axes), structure),
				array(&s.picks, int64(h.Picks), structure),
			)
		}
		centres := (int64(h.Leaves) + vec.CodeBlock - 1) / vec.CodeBlock
		words := int64(len(vec.NewCodeBlocks(1, b.coarse.dims).Words))
		sketch(b.coarse, h.Coarse)
		if b.fine != nil {
			sketch(b.fine, h.Fine)
			list = append(list, array(&b.records, int64(h.Rows)*int64(h.Fine.Dims+recordTail), content))
		}
		if b.front != nil {
			words := int64(len(vec.NewCodeSieve(1, b.front.dims).Words))
			sketch(b.front, h.Front)
			list = append(list,
				array(&b.radii, int64(h.Leaves), structure),
				array(&b.sieve.Errs, int64(h.Blocks), content),
				array(&b.sieve.Words, int64(h.Blocks)*words, content),
			)
		}
		list = append(list,
			array(&b.leaves, int64(h.Leaves)+1, structure),
			array(&b.sizes, int64(h.Leaves), structure),
			array(&b.centres.Words, centres*words, structure),
			array(&b.blocks.Words, int64(h.Blocks)*words, content),
		)
	}
	return append(list,
		array(scales, rankScales, content),
		array(&f.base.Data, int64(h.Rows)*dim, content),
	)
}

// Save writes the forest, its vectors included, to path. What stood there is replaced as a whole, or
// stays.
func (f *Forest) Save(path string) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("saving a forest: %s: %w", path, bare(err))
		}
	}()
	if err := checkOrder(); err != nil {
		return err
	}
	file, err := atomicfile.Create(path)
	if err != nil {
		return err
	}
	defer file.Abort()
	h := f.header()
	scales := f.ranker.Scales()
	w := bufio.NewWriterSize(file, 1<<20)
	if _, err := w.Write(make([]byte, headerSize)); err != nil {
		return err
	}
	at := int64(headerSize)
	for _, s := range f.sections(&h, &scales) {
		gap := aligned(at) - at
		if _, err := w.Write(make([]byte, gap)); err != nil {
			return err
		}
		data := s.bytes()
		if int64(len(data)) != s.size {
			panic("rpforest: a section of another length than its header says")
		}
		h.add(s, data)
		if _, err := w.Write(data); err != nil {
			return err
		}
		at += gap + s.size
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if _, err := file.WriteAt(h.encode(), 0); err != nil {
		return err
	}
	return file.Commit()
}

func aligned(at int64) int64 { return (at + sectionAlign - 1) / sectionAlign * sectionAlign }

// add takes a section's bytes into its checksum.
func (h *fileHeader) add(s section, data []byte) {
	sum := &h.Content
	if s.structure {
		sum = &h.Structure
	}
	*sum = crc32.Update(*sum, castagnoli, data)
}

// encode returns h as it stands in the file, its own checksum included.
func (h *fileHeader) encode() []byte {
	b, err := binary.Append(nil, binary.LittleEndian, h)
	if err != nil {
		panic(err) // a struct of numbers
	}
	sum := crc32.Checksum(b[:len(b)-4], castagnoli)
	return binary.LittleEndian.AppendUint32(b[:len(b)-4], sum)
}

func (f *Forest) header() fileHeader {
	h := fileHeader{
		LeafSize: uint64(f.options.LeafSize),
		Seed:     f.options.Seed,
		Rows:     uint64(f.base.Rows),
		Dim:      uint64(f.base.Dim),
		Trees:    uint64(f.options.Trees),
		Cuts:     uint64(len(f.offsets)),
		Leaves:   uint64(len(f.starts) - 1),
		Plain:    1,
	}
	copy(h.Magic[:], fileMagic)
	for i, m := range vec.Metrics {
		if m == f.metric {
			h.Metric = uint32(i)
		}
	}
	if b := f.bounds; b != nil {
		h.Plain = 0
		h.Leaves = uint64(len(b.sizes))
		h.Blocks = uint64(b.blocks.Len())
		h.Scale, h.Most = b.scale, b.most
		h.Coarse = b.coarse.header()
		if b.fine != nil {
			h.Fine = b.fine.header()
		}
		if b.front != nil {
			h.Front = b.front.header()
		}
	}
	return h
}

func (s *sketch) header() sketchHeader {
	return sketchHeader{uint32(s.dims), uint32(s.axes.Rows), uint32(len(s.picks)), s.step, s.rest, s.skew}
}

var (
	errForeign = errors.New("not a forest that this version saved")
	errDamaged = errors.New("the file is damaged or cut short: build and save the forest again")
)

// checkOrder refuses machines whose numbers are not as in the file, which is mapped as it is.
func checkOrder() error {
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		return errors.New("forests are saved for little-endian machines only")
	}
	return nil
}

// Load maps what Save wrote into memory, read-only, so that it takes milliseconds, and processes share
// one copy. Where the system has no mapping it reads the file.
//
// The header, the file's length and everything that leads a search are checked against their
// checksums: a file that is foreign, cut short or damaged there is an error that names it. Codes and
// vectors, the bulk of the file, are not read; damage to them gives wrong answers, and [Verify] finds
// it. The file must stay as it is until Close; to replace it by rename, as Save does, is safe.
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
	h, size, err := readHeader(file)
	if err != nil {
		return nil, err
	}
	data, unmap, err := mapFile(file, size)
	if err != nil {
		return nil, err
	}
	f := h.empty()
	f.unmap = unmap
	var scales []float32
	structure := uint32(0)
	at := int64(headerSize)
	for _, s := range f.sections(h, &scales) {
		at = aligned(at)
		if s.size > 0 {
			part := data[at : at+s.size : at+s.size]
			if s.structure {
				structure = crc32.Update(structure, castagnoli, part)
			}
			s.attach(part)
		}
		at += s.size
	}
	f.ranker = vec.RestoreRanker(f.base, f.metric, scales)
	if structure != h.Structure || !f.sound() {
		return nil, errors.Join(errDamaged, f.Close())
	}
	return f, nil
}

// Verify reads a saved forest whole and compares it with its checksums. It maps nothing.
func Verify(path string) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("verifying a forest: %s: %w", path, bare(err))
		}
	}()
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	h, _, err := readHeader(file)
	if err != nil {
		return err
	}
	sums := fileHeader{}
	var scales []float32
	at := int64(headerSize)
	buf := make([]byte, 1<<20)
	for _, s := range h.empty().sections(h, &scales) {
		at = aligned(at)
		for end := at + s.size; at < end; {
			part := buf[:min(int64(len(buf)), end-at)]
			if _, err := file.ReadAt(part, at); err != nil {
				return damaged(err)
			}
			sums.add(s, part)
			at += int64(len(part))
		}
	}
	if sums.Structure != h.Structure || sums.Content != h.Content {
		return errDamaged
	}
	return nil
}

// readHeader reads and checks the header of a file, and the file's length.
func readHeader(file *os.File) (*fileHeader, int64, error) {
	if err := checkOrder(); err != nil {
		return nil, 0, err
	}
	info, err := file.Stat()
	if err != nil {
		return nil, 0, err
	}
	b := make([]byte, headerSize)
	if n, err := file.ReadAt(b, 0); err != nil {
		if n >= len(fileMagic) && string(b[:len(fileMagic)]) == fileMagic {
			return nil, 0, damaged(err)
		}
		if errors.Is(err, io.EOF) {
			return nil, 0, errForeign
		}
		return nil, 0, err
	}
	h := new(fileHeader)
	if _, err := binary.Decode(b, binary.LittleEndian, h); err != nil {
		return nil, 0, err
	}
	if string(h.Magic[:]) != fileMagic {
		return nil, 0, errForeign
	}
	if crc32.Checksum(b[:len(b)-4], castagnoli) != h.Header || !h.possible() {
		return nil, 0, errDamaged
	}
	size := int64(headerSize)
	for _, s := range h.empty().sections(h, new([]float32)) {
		size = aligned(size) + s.size
	}
	if size != info.Size() {
		return nil, 0, errDamaged
	}
	return h, size, nil
}

// damaged is err, or errDamaged where the file ended.
func damaged(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errDamaged
	}
	return err
}

// possible reports whether h can be a forest's, and its sizes are small enough to be multiplied.
func (h *fileHeader) possible() bool {
	const most = 1 << 31
	if int(h.Metric) >= len(vec.Metrics) || h.Plain > 1 || h.LeafSize < 1 || h.LeafSize >= most ||
		h.Rows < 1 || h.Dim < 1 || h.Trees < 1 || h.Leaves < 1 ||
		h.Rows >= most || h.Dim >= 1<<24 || h.Trees >= 1<<24 || h.Cuts >= most || h.Leaves >= most || h.Blocks >= most {
		return false
	}
	if h.Plain == 1 {
		return h.Trees < most/h.Rows && h.Blocks == 0 && h.Coarse == sketchHeader{} && h.Fine == sketchHeader{} && h.Front == sketchHeader{}
	}
	dim := uint32(h.Dim)
	if vec.Metrics[h.Metric] == vec.InnerProduct {
		dim++
	}
	for _, s := range []sketchHeader{h.Coarse, h.Fine, h.Front} {
		if s.Dims%16 != 0 || s.Axes > dim || s.Picks > dim || s.Axes > s.Dims || s.Picks > s.Dims || s.Dims > dim+16 ||
			!(s.Step >= 0) || math.IsInf(float64(s.Step), 0) {
			return false
		}
	}
	return h.Coarse.Dims > 0 && (h.Front.Dims == 0 || h.Trees == 1)
}

// empty is a forest as h says, without its arrays.
func (h *fileHeader) empty() *Forest {
	dim := int(h.Dim)
	f := &Forest{
		options: Options{Trees: int(h.Trees), LeafSize: int(h.LeafSize), Seed: h.Seed, Plain: h.Plain == 1, Exact: h.Front.Dims > 0},
		metric:  vec.Metrics[h.Metric],
		base:    vec.Matrix{Rows: int(h.Rows), Dim: dim},
	}
	f.normals = vec.Matrix{Rows: int(h.Cuts), Dim: dim}
	if h.Plain == 1 {
		return f
	}
	if f.metric == vec.InnerProduct {
		dim++
	}
	sketchOf := func(h sketchHeader) *sketch {
		return &sketch{
			dims: int(h.Dims), step: h.Step, rest: h.Rest, skew: h.Skew,
			axes: vec.Matrix{Rows: int(h.Axes), Dim: dim},
		}
	}
	f.bounds = &bounds{scale: h.Scale, most: h.Most, coarse: sketchOf(h.Coarse)}
	f.blocks.Dim, f.centres.Dim = f.coarse.dims, f.coarse.dims
	if h.Fine.Dims > 0 {
		f.fine = sketchOf(h.Fine)
	}
	if h.Front.Dims > 0 {
		f.front = sketchOf(h.Front)
		f.sieve.Dim = f.front.dims
	}
	return f
}

// sound reports whether a search of f ends and stays inside of its arrays: references lead to nodes that
// exist, and to greater numbers than those they come from; leaves lie in the ids or blocks, and ids in
// the rows. (The rows in blocks are looked at when they are used.)
func (f *Forest) sound() bool {
	if f.bounds != nil {
		return f.bounds.sound()
	}
	cuts, leaves := len(f.offsets), len(f.starts)-1
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
	for _, id := range f.ids {
		if id < 0 || int(id) >= f.base.Rows {
			return false
		}
	}
	return rising(f.starts, len(f.ids))
}

// rising reports whether starts rise, or stay, from 0 to end.
func rising(starts []int64, end int) bool {
	return starts[0] == 0 && starts[len(starts)-1] == int64(end) && slices.IsSorted(starts)
}

func (b *bounds) sound() bool {
	if !rising(b.leaves, b.blocks.Len()) {
		return false
	}
	for i, n := range b.sizes {
		if n < 1 || int64(inBlocks(int(n))) != b.leaves[i+1]-b.leaves[i] {
			return false
		}
	}
	for _, s := range []*sketch{b.coarse, b.fine, b.front} {
		if s == nil {
			continue
		}
		if s.used() > s.dims {
			return false
		}
		for _, i := range s.picks {
			if i < 0 || int(i) >= len(s.mean) {
				return false
			}
		}
	}
	return true
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
