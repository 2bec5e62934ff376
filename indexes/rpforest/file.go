package rpforest

import (
	"math"
	"slices"

	"annbench/indexes/mapfile"
	"annbench/indexes/vec"
)

// file is the form of a saved forest; see Forest.sections for what is in it.
var file = mapfile.Kind{Magic: "rpforst4", Noun: "a forest", Singular: "forest"}

type fileHeader struct {
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
	Fine     sketchHeader       // Dims 0: none
	Front    sketchHeader       // Dims 0: none
	Levels   [mostLevels]uint32 // nodes of each, from below; 0 beyond the last
}

type sketchHeader struct {
	Dims, Axes, Picks uint32
	Step, Rest        float32
	Skew              float64
}

// sections lists the arrays of a forest with header h, in the order of the file.
func (f *Forest) sections(h *fileHeader, scales *[]float32) []mapfile.Section {
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
	var list []mapfile.Section
	if h.Plain == 1 {
		extras := int64(0)
		if metric == vec.InnerProduct {
			extras = int64(h.Cuts)
		}
		list = append(list,
			mapfile.Array(&f.roots, int64(h.Trees), structure),
			mapfile.Array(&f.offsets, int64(h.Cuts), structure),
			mapfile.Array(&f.extras, extras, structure),
			mapfile.Array(&f.children, int64(h.Cuts), structure),
			mapfile.Array(&f.starts, int64(h.Leaves)+1, structure),
			mapfile.Array(&f.normals.Data, int64(h.Cuts)*dim, structure),
			mapfile.Array(&f.ids, int64(h.Rows*h.Trees), structure),
		)
	}
	if b := f.bounds; b != nil {
		sketch := func(s *sketch, h sketchHeader) {
			list = append(list,
				mapfile.Array(&s.mean, pointDim, structure),
				mapfile.Array(&s.axes.Data, int64(h.Axes)*pointDim, structure),
				mapfile.Array(&s.shift, int64(h.Axes), structure),
				mapfile.Array(&s.picks, int64(h.Picks), structure),
			)
		}
		words := int64(len(vec.NewCodeBlocks(1, b.coarse.dims).Words))
		sketch(b.coarse, h.Coarse)
		if b.fine != nil {
			sketch(b.fine, h.Fine)
			list = append(list, mapfile.Array(&b.records, int64(h.Rows)*int64(h.Fine.Dims+recordTail), content))
		}
		if b.front != nil {
			words := int64(len(vec.NewCodeSieve(1, b.front.dims).Words))
			sketch(b.front, h.Front)
			list = append(list,
				mapfile.Array(&b.radii, int64(h.Leaves), structure),
				mapfile.Array(&b.sieve.Errs, int64(h.Blocks), content),
				mapfile.Array(&b.sieve.Words, int64(h.Blocks)*words, content),
			)
		}
		list = append(list,
			mapfile.Array(&b.leaves, int64(h.Leaves)+1, structure),
			mapfile.Array(&b.sizes, int64(h.Leaves), structure),
			mapfile.Array(&b.blocks.Words, int64(h.Blocks)*words, content),
		)
		for i := range b.levels {
			l, n := &b.levels[i], int64(h.Levels[i])
			list = append(list,
				mapfile.Array(&l.starts, n+1, structure),
				mapfile.Array(&l.entries, n, structure),
				mapfile.Array(&l.centres.Words, n*words, structure),
			)
		}
	}
	return append(list,
		mapfile.Array(scales, rankScales, content),
		mapfile.Array(&f.base.Data, int64(h.Rows)*dim, content),
	)
}

// Save writes the forest, its vectors included, to path. What stood there is replaced as a whole, or
// stays.
func (f *Forest) Save(path string) error {
	h, scales := f.header(), f.ranker.Scales()
	return file.Save(path, h, f.sections(&h, &scales))
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
		for i := range b.levels {
			h.Levels[i] = uint32(b.levels[i].nodes())
		}
	}
	return h
}

func (s *sketch) header() sketchHeader {
	return sketchHeader{uint32(s.dims), uint32(s.axes.Rows), uint32(len(s.picks)), s.step, s.rest, s.skew}
}

// Load maps what Save wrote into memory, read-only, so that it takes milliseconds, and processes share
// one copy. Where the system has no mapping it reads the file.
//
// The header, the file's length and everything that leads a search are checked against their
// checksums: a file that is foreign, cut short or damaged there is an error that names it. Codes and
// vectors, the bulk of the file, are not read; damage to them gives wrong answers, and [Verify] finds
// it. The file must stay as it is until Close; to replace it by rename, as Save does, is safe.
func Load(path string) (*Forest, error) {
	var (
		h      fileHeader
		f      *Forest
		scales []float32
	)
	unmap, err := file.Load(path, &h, func() ([]mapfile.Section, bool) {
		if !h.possible() {
			return nil, false
		}
		f = h.empty()
		return f.sections(&h, &scales), true
	}, func() bool { return f.sound() })
	if err != nil {
		return nil, err
	}
	f.unmap = unmap
	f.ranker = vec.RestoreRanker(f.base, f.metric, scales)
	return f, nil
}

// Verify reads a saved forest whole and compares it with its checksums. It maps nothing.
func Verify(path string) error {
	var h fileHeader
	return file.Verify(path, &h, func() ([]mapfile.Section, bool) {
		if !h.possible() {
			return nil, false
		}
		var scales []float32
		return h.empty().sections(&h, &scales), true
	})
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
		return h.Trees < most/h.Rows && h.Blocks == 0 && h.Coarse == sketchHeader{} && h.Fine == sketchHeader{} && h.Front == sketchHeader{} && h.Levels == [mostLevels]uint32{}
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
	below, last := h.Leaves, false
	for _, n := range h.Levels {
		if uint64(n) > below || last && n > 0 {
			return false
		}
		below, last = uint64(n), n == 0
	}
	return h.Levels[0] > 0 && h.Coarse.Dims > 0 && (h.Front.Dims == 0 || h.Trees == 1)
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
	f.bounds = &bounds{scale: h.Scale, most: h.Most, coarse: sketchOf(h.Coarse), total: int64(h.Rows * h.Trees)}
	f.blocks.Dim = f.coarse.dims
	for _, n := range h.Levels {
		if n > 0 {
			f.levels = append(f.levels, level{centres: vec.CodeBlocks{Dim: f.coarse.dims}})
		}
	}
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
	sizes := b.sizes
	for i := range b.levels {
		l := &b.levels[i]
		if !l.sound(sizes) {
			return false
		}
		sizes = l.entries
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
