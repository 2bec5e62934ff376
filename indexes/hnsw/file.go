package hnsw

import (
	"math"

	"annbench/indexes/mapfile"
	"annbench/indexes/vec"
)

// file is the form of a saved graph; see sections for what is in it.
var file = mapfile.Kind{Magic: "hnswgrf1", Noun: "a graph", Singular: "graph"}

type header struct {
	Metric         uint32 // place in vec.Metrics
	Codes          uint32 // components of a point, in sixteens; 0: none
	M              uint64
	EfConstruction uint64
	Seed           uint64
	Rows           uint64
	Dim            uint64
	Upper          uint64 // lists above layer 0
	Entry          int64
	Living         uint64
	Most           float64
	Scale          float64
	Step           float32
	Given          uint32 // IDs that were given out, where the file has the ID of each place; 0: IDs are places
}

func (x *Index) header() header {
	h := header{
		M: uint64(x.options.M), EfConstruction: uint64(x.options.EfConstruction), Seed: x.options.Seed,
		Rows: uint64(x.base.Rows), Dim: uint64(x.base.Dim), Upper: uint64(len(x.upper) / x.width(1)),
		Entry: int64(x.entry), Living: uint64(x.living), Most: x.most,
	}
	for i, m := range vec.Metrics {
		if m == x.metric {
			h.Metric = uint32(i)
		}
	}
	if x.ids != nil {
		h.Given = uint32(x.given)
	}
	if c := x.codes; c != nil {
		h.Codes, h.Scale, h.Step = uint32(c.dims), c.scale, c.step
	}
	return h
}

// possible reports whether h can be a graph's, and its sizes are small enough to be multiplied.
func (h *header) possible() bool {
	const most = 1 << 31
	return int(h.Metric) < len(vec.Metrics) && h.M >= 2 && h.M <= 1024 && h.EfConstruction < most &&
		h.Rows >= 1 && h.Rows < most && h.Dim >= 1 && h.Dim < 1<<24 && h.Upper < most && h.Living <= h.Rows &&
		h.Entry >= -1 && h.Entry < int64(h.Rows) && (h.Entry < 0) == (h.Living == 0) &&
		(h.Given == 0 || uint64(h.Given) >= h.Rows && h.Given < most) &&
		h.Codes%16 == 0 && (h.Codes == 0 || uint64(h.Codes) >= uint64(h.pointDim()) && uint64(h.Codes) < uint64(h.pointDim())+16)
}

// pointDim is the number of components of a point, where there are codes.
func (h *header) pointDim() int {
	if vec.Metrics[h.Metric] == vec.InnerProduct {
		return int(h.Dim) + 1
	}
	return int(h.Dim)
}

// empty is a graph as h says, without its arrays.
func (h *header) empty() *Index {
	x := &Index{
		options: Options{M: int(h.M), EfConstruction: int(h.EfConstruction), Codes: h.Codes > 0, Seed: h.Seed, Threads: 1},
		metric:  vec.Metrics[h.Metric],
		base:    vec.Matrix{Rows: int(h.Rows), Dim: int(h.Dim)},
		most:    h.Most, entry: int32(h.Entry), living: int(h.Living),
		given: int(max(h.Rows, uint64(h.Given))),
	}
	if h.Codes > 0 {
		x.codes = &codes{dims: int(h.Codes), scale: h.Scale, step: h.Step}
	}
	return x
}

// sections lists the arrays of a graph with header h, in the order of the file. The links of layer 0 are content, though
// they lead a search: they are most of the graph, and a search looks at each before it follows it.
func (x *Index) sections(h *header, scales *[]float32) []mapfile.Section {
	const structure, content = true, false
	rows := int64(h.Rows)
	count := func(is bool) int64 {
		if is {
			return rows
		}
		return 0
	}
	list := []mapfile.Section{
		mapfile.Array(&x.levels, rows, structure),
		mapfile.Array(&x.firsts, rows, structure),
		mapfile.Array(&x.upper, int64(h.Upper)*int64(x.width(1)), structure),
		mapfile.Array(&x.links, rows*int64(x.width(0)), content),
		mapfile.Array(&x.ids, count(h.Given > 0), structure),
		mapfile.Array(&x.extra, count(x.metric == vec.InnerProduct), content),
	}
	if c := x.codes; c != nil {
		list = append(list,
			mapfile.Array(&c.mean, int64(h.pointDim()), structure),
			mapfile.Array(&c.norms, rows, content),
			mapfile.Array(&c.rows, rows*int64(c.dims), content),
		)
	}
	return append(list,
		mapfile.Array(scales, count(x.metric == vec.Cosine), content),
		mapfile.Array(&x.base.Data, rows*int64(h.Dim), content),
	)
}

// sound reports whether a search stays inside of the arrays: every node's lists are there, and IDs were given out, each
// once. (Links are looked at when they are followed.)
func (x *Index) sound() bool {
	lists, living := uint64(len(x.upper)/x.width(1)), 0
	if x.ids != nil {
		seen := make(map[int32]bool, x.living)
		for i, id := range x.ids {
			if x.levels[i] == gone && id == -1 {
				continue
			}
			if x.levels[i] == gone || id < 0 || int(id) >= x.given || seen[id] {
				return false
			}
			seen[id] = true
		}
	}
	for i, level := range x.levels {
		if level == gone {
			continue
		}
		living++
		if level > highest || uint64(x.firsts[i])+uint64(level) > lists {
			return false
		}
	}
	for i := 0; i < len(x.upper); i += x.width(1) {
		list := x.upper[i : i+x.width(1)]
		if int(list[0]) >= len(list) {
			return false
		}
	}
	return living == x.living && (x.entry < 0 || x.levels[x.entry] != gone)
}

// Save writes the index, its vectors included, to path. What stood there is replaced as a whole, or stays.
func (x *Index) Save(path string) error {
	if x.ranker == nil {
		return errClosed
	}
	h, scales := x.header(), x.ranker.Scales()
	return file.Save(path, h, x.sections(&h, &scales))
}

// Load maps what Save wrote into memory, read-only; see [mapfile.Kind.Load]. A file that is foreign, cut short, or damaged
// where it leads a search is an error that names it; damage to the links of the lowest layer, to codes and to vectors gives
// wrong answers, and [Verify] finds it. Add and Delete on a loaded index first copy it into memory.
func Load(path string) (*Index, error) {
	var (
		h      header
		x      *Index
		scales []float32
	)
	unmap, err := file.Load(path, &h, func() ([]mapfile.Section, bool) {
		if !h.possible() {
			return nil, false
		}
		x = h.empty()
		return x.sections(&h, &scales), true
	}, func() bool { return x.sound() })
	if err != nil {
		return nil, err
	}
	x.unmap = unmap
	if h.Given == 0 {
		x.ids = nil // not an array of none
	} else {
		x.places = map[int32]int32{}
		for place, id := range x.ids {
			if id >= 0 && int(id) != place {
				x.places[id] = int32(place)
			}
		}
	}
	x.ranker = vec.RestoreRanker(x.base, x.metric, scales)
	return x, nil
}

// Verify reads a saved graph whole and compares it with its checksums. It maps nothing.
func Verify(path string) error {
	var h header
	return file.Verify(path, &h, func() ([]mapfile.Section, bool) {
		if !h.possible() {
			return nil, false
		}
		var scales []float32
		return h.empty().sections(&h, &scales), true
	})
}

// Bytes is the size of the index in memory, without the vectors.
func (x *Index) Bytes() int64 {
	h, scales := x.header(), x.ranker.Scales()
	total := -4 * int64(len(x.base.Data))
	for _, s := range x.sections(&h, &scales) {
		total += s.Size
	}
	return total
}

// EstimateBytes is about what [Index.Bytes] gives for rows vectors of dim dimensions: 5 bytes a vector, and lists of
// 2M+1 links of 4 bytes each on the lowest layer, and of M+1 on 1/(M-1) layers above, on average; with codes, a byte a
// component, in sixteens, and 4.
func EstimateBytes(rows, dim int, o Options) int64 {
	o = o.complete()
	n, m := float64(rows), float64(o.M)
	total := n * (5 + 4*(2*m+1) + 4*(m+1)/(m-1))
	if o.Codes {
		total += n*float64((dim+15)/16*16+4) + 4*float64(dim)
	}
	return int64(math.Round(total))
}
