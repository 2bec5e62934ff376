package bench

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"annbench/bench/metric"
	"annbench/indexes"
	"annbench/indexes/external"
	"annbench/indexes/vec"
)

// externalHost is a program of its own, which keeps the clocks; see package external.
type externalHost struct {
	family  *indexes.Family
	points  []Point
	base    vec.Matrix
	queries vec.Matrix
	in      indexes.BuildInput
	known   map[int]floor // by k
	asked   indexes.Block // the last one

	blocks       int // timed until now, with the sums of what they took by the program's clock, and were waited for
	wall, waited time.Duration
}

// floor is what a search of next to nothing costs.
type floor struct {
	wall, cpu float64 // seconds
	doubt     string  // why it is not known
}

// timedIndex is what Open and Load of a family that is a program return.
type timedIndex interface {
	indexes.Index
	indexes.Timed
	indexes.Weighed
}

func (h *externalHost) timed(ix indexes.Index) (timedIndex, error) {
	x, ok := ix.(timedIndex)
	if !ok {
		return nil, fmt.Errorf("%s: an index of a family with a Folder must be Timed and Weighed; %T is not", h.family.Name, ix)
	}
	return x, nil
}

func (h *externalHost) build(ctx context.Context, in indexes.BuildInput, values map[string]float64) (indexes.Index, error) {
	ix, err := timedOpen(ctx, h.family, in, values)
	if err != nil {
		return nil, err
	}
	x, err := h.timed(ix)
	if err != nil {
		ix.Close()
		return nil, err
	}
	wall, cpu, peak := x.Cost()
	values[metric.Build], values[metric.BuildCPU] = wall.Seconds(), cpu.Seconds()
	if peak > 0 {
		values[metric.PeakBuild] = float64(peak)
	}
	return ix, nil
}

func (h *externalHost) saved(ix indexes.Index, path string, r *reply) error {
	size, err := external.Size(path)
	if err != nil {
		return err
	}
	r.Values[metric.Serialized] = float64(size)
	return h.says(ix, r)
}

func (h *externalHost) says(ix indexes.Index, r *reply) error {
	x, err := h.timed(ix)
	if err != nil {
		return err
	}
	r.Version, r.Runtime = x.Library()
	r.Warnings = append(r.Warnings, x.Warnings()...)
	return nil
}

// load restores the index, or builds it where it cannot be saved.
func (h *externalHost) load(ctx context.Context, path string, in indexes.BuildInput, warm func(indexes.Index) error, r *reply) (ix indexes.Index, err error) {
	h.in = in
	if h.family.Unsaved {
		if ix, err = h.build(ctx, in, r.Values); err != nil {
			return nil, err
		}
		r.Warnings = append(r.Warnings, "the index cannot be saved, so it was searched in the process that built it, and its resident memory includes what the build left behind")
		err = warm(ix)
	} else {
		ix, err = timedLoad(h.family, path, in, warm, r)
	}
	if err != nil {
		if ix != nil {
			ix.Close()
		}
		return nil, err
	}
	if err := h.says(ix, r); err != nil {
		ix.Close()
		return nil, err
	}
	x, _ := h.timed(ix)
	if !h.family.Unsaved {
		wall, _, _ := x.Cost()
		r.Values[metric.Load] = wall.Seconds()
	}
	if held, doubts, ok := x.Held(); ok {
		r.Warnings = append(r.Warnings, doubts...)
		if doubt := weighed(h.family, held, h.family.VectorBytes(h.base.Rows, h.base.Dim, in.Params), r.Values); doubt != "" {
			r.Warnings = append(r.Warnings, doubt)
		}
	}
	for _, p := range h.points {
		if _, ok := h.known[p.K]; ok {
			continue
		}
		f, err := onFewest(ctx, h.base.Rows, func(rows int) (floor, error) { return h.floor(ctx, rows, p.K) })
		if err != nil {
			f.doubt = fmt.Sprintf("what the mere call costs is not known: an index of %d vectors failed: %s", min(floorRows[len(floorRows)-1], h.base.Rows), external.FirstLine(err))
			r.Warnings = append(r.Warnings, f.doubt)
		}
		h.known[p.K] = f
	}
	return ix, nil
}

// weighed adds to values what an index of f holds, and the vectors as they were given, which are vectors bytes of
// that; or it says why neither is known. A folder of ann-benchmarks or VIBE does not say whether it keeps codes, so its
// vectors are no figure, and less than them is one only if it is more than a process gains and loses by itself.
func weighed(f *indexes.Family, held, vectors int64, values map[string]float64) (doubt string) {
	const own = 4 << 20 // what a process of Python may have kept free before the build
	switch {
	case f.Belongs != nil && held < min(vectors, own):
		return tooLittle("its program", held, vectors) + ", less than tells codes from memory that it had free before"
	case f.Belongs != nil:
		values[metric.Resident] = float64(held)
	case held < vectors:
		return tooLittle("its program", held, vectors) + "; if it keeps codes in place of them, family.yaml must say so by `codes`"
	default:
		values[metric.Resident], values[metric.Vectors] = float64(held), float64(vectors)
	}
	return ""
}

// floorRows are the sizes of the index on which the call is measured, in the order in which they are tried. On one
// vector the search is next to nothing; some libraries refuse so few, or fewer than k.
var floorRows = [...]int{1, 2, 16, 256}

const (
	floorQueries = 256 // at most
	floorPasses  = 5
)

// onFewest measures the call on as few of all vectors as the library takes. If it takes none, the error is the last one.
func onFewest(ctx context.Context, all int, measure func(rows int) (floor, error)) (f floor, err error) {
	for i, rows := range floorRows {
		if i > 0 && (ctx.Err() != nil || floorRows[i-1] >= all) {
			break
		}
		if f, err = measure(min(rows, all)); err == nil {
			break
		}
	}
	return f, err
}

// floor measures the call on an index of so many rows, in a process of its own, with the default
// settings but for those that the family names for this. It is the median over passes.
func (h *externalHost) floor(ctx context.Context, rows, k int) (floor, error) {
	in := h.in
	in.Vectors, in.Source = h.base.Slice(0, rows), indexes.Source{}
	in.Params = maps.Clone(h.family.Floor)
	if h.family.Belongs != nil { // its settings go together
		in.Params = h.in.Params
	}
	in.Phase = nil
	ix, err := h.family.OpenChecked(ctx, in)
	if err != nil {
		return floor{}, err
	}
	defer ix.Close()
	x, err := h.timed(ix)
	if err != nil {
		return floor{}, err
	}
	var b indexes.Block
	var wall []time.Duration
	var cpu []float64
	queries := min(floorQueries, h.queries.Rows)
	for pass := range 1 + floorPasses {
		if err := x.SearchTimed(&b, h.queries, 0, queries, k, false); err != nil {
			return floor{}, err
		}
		if pass > 0 { // the first one warms up
			wall = append(wall, b.Times...)
			cpu = append(cpu, b.CPU.Seconds()/float64(queries))
		}
	}
	slices.Sort(wall)
	return floor{wall: wall[len(wall)/2].Seconds(), cpu: metric.Median(cpu)}, nil
}

func (h *externalHost) before(_ indexes.Index, k int, _ time.Duration, values map[string]float64) error {
	f, ok := h.known[k]
	if !ok { // a set whose queries are left out asks for one more
		f, ok = h.known[k-1]
	}
	if ok && f.doubt == "" {
		values[metric.CallFloor], values[metric.CallFloorCPU] = f.wall, f.cpu
	}
	return nil
}

// block has the program keep the clocks. What goes beyond the last query is a second call.
func (h *externalHost) block(ix indexes.Index, queries vec.Matrix, first, count, k int, b *block) error {
	x, err := h.timed(ix)
	if err != nil {
		return err
	}
	b.times, b.wall, b.cpu = b.times[:0], 0, 0
	for count > 0 {
		now := min(count, queries.Rows-first)
		if err := x.SearchTimed(&h.asked, queries, first, now, k, false); err != nil {
			return err
		}
		for _, t := range h.asked.Times {
			b.times = append(b.times, t.Seconds())
		}
		h.blocks, h.wall, h.waited = h.blocks+1, h.wall+h.asked.Wall, h.waited+h.asked.Waited
		b.wall += h.asked.Wall.Seconds()
		b.cpu += h.asked.CPU.Seconds()
		first, count = 0, count-now
	}
	return nil
}

// after says so where the clock ran for little of what was waited for, or else the mere call is most of what was timed.
func (h *externalHost) after(_ context.Context, _ indexes.Index, found map[string]float64) (string, error) {
	if doubt := external.Unclocked(h.blocks, h.wall, h.waited); doubt != "" {
		return doubt, nil
	}
	if floor, p50 := found[metric.CallFloor], found[metric.P50]; p50 > 0 && floor > p50/2 {
		from := ""
		if h.family.Caller != "" {
			from = " from " + h.family.Caller
		}
		if floor >= p50 {
			return fmt.Sprintf("what the call of the library%s costs could not be told from the search: a query of an index of a few vectors took no less time", from), nil
		}
		return fmt.Sprintf("more than half of the time of a query is the call of the library%s, and not the search: compare it with the call floor", from), nil
	}
	return "", nil
}

// timedAnswers is answerAll of an index that keeps its own clock.
func timedAnswers(ix indexes.Timed, queries vec.Matrix, k int) (*answers, time.Duration, error) {
	var b indexes.Block
	if err := ix.SearchTimed(&b, queries, 0, queries.Rows, k, false); err != nil {
		return nil, 0, err
	}
	return fromBlock(&b, queries.Rows, k), b.Wall, nil
}

func fromBlock(b *indexes.Block, queries, k int) *answers {
	got := newAnswers(queries, k)
	for q := range queries {
		got.counts[q] = int32(copy(got.ids[q*k:(q+1)*k], b.Of(q)))
	}
	return got
}

// timedBatches is batches of an index that keeps its own clock.
func timedBatches(ix indexes.Timed, queries vec.Matrix, k int, lasting time.Duration) (*answers, float64, error) {
	var b indexes.Block
	if err := ix.SearchTimed(&b, queries, 0, queries.Rows, k, true); err != nil {
		return nil, 0, err
	}
	got := fromBlock(&b, queries.Rows, k)
	var wall time.Duration
	done := 0
	for wall < lasting {
		if err := ix.SearchTimed(&b, queries, 0, queries.Rows, k, true); err != nil {
			return nil, 0, err
		}
		wall += b.Wall
		done += queries.Rows
	}
	return got, float64(done) / wall.Seconds(), nil
}
