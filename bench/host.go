package bench

import (
	"context"
	"fmt"
	"os"
	"time"

	"annbench/bench/metric"
	"annbench/indexes"
	"annbench/indexes/vec"
)

// A host is where an index is while it is measured: in the worker's own process ([localHost]), or in a
// server ([remoteHost]). It knows what the index costs there, and whose clock times its searches; all
// else, the settings, the queries, the modes and the scores, is the worker's and the same for all. An
// index in another program is one more host: its build, its memory and its clock are that program's.
type host interface {
	// build builds an index and adds to values what that took, and what it held at most.
	build(ctx context.Context, in indexes.BuildInput, values map[string]float64) (indexes.Index, error)
	// saved adds to r what is known of ix once it is saved at path.
	saved(ix indexes.Index, path string, r *reply) error
	// load restores what was saved at path, calls warm on it, which asks it all queries, and adds to r
	// how long the loading took and what the index then takes up.
	load(ctx context.Context, path string, in indexes.BuildInput, warm func(indexes.Index) error, r *reply) (indexes.Index, error)
	// before measures, before ix is searched for k, what a call costs beside the search, into values.
	before(ix indexes.Index, k int, atLeast time.Duration, values map[string]float64) error
	// block times one search after another, of count queries from first on; see [timeBlock].
	block(ix indexes.Index, queries vec.Matrix, first, count, k int, b *block) error
	// after says, once the searches are over and found what it did, why the figures are in doubt, or "". Its error is that they
	// are worth nothing.
	after(ctx context.Context, ix indexes.Index, found map[string]float64) (doubt string, err error)
}

// hostOf is the host of the indexes of f.
func (w *worker) hostOf(f *indexes.Family) host {
	if f.Remote != nil {
		return &remoteHost{family: f, server: w.Server, rest: w.Before, vectors: 4 * int64(len(w.set.Base.Data))}
	}
	if f.Folder != "" {
		return &externalHost{family: f, points: w.Points, base: w.set.Base, queries: w.set.Queries, known: map[int]floor{}}
	}
	return &localHost{family: f, rows: w.set.Base.Rows, dim: w.queries().Dim}
}

// timedOpen builds, and adds to values the wall time, the processor time of this process, and the time
// of each phase.
func timedOpen(ctx context.Context, f *indexes.Family, in indexes.BuildInput, values map[string]float64) (indexes.Index, error) {
	phases := phaseClock{values: values}
	in.Phase = phases.begin
	cpu := cpuSeconds()
	start := time.Now()
	ix, err := f.Open(ctx, in)
	took := time.Since(start)
	phases.end()
	if err != nil {
		return nil, fmt.Errorf("building: %w", err)
	}
	values[metric.Build] = took.Seconds()
	values[metric.BuildCPU] = cpuSeconds() - cpu
	return ix, nil
}

// timedLoad loads, adds the wall time to r, and then calls warm.
func timedLoad(f *indexes.Family, path string, in indexes.BuildInput, warm func(indexes.Index) error, r *reply) (indexes.Index, error) {
	start := time.Now()
	ix, err := f.Load(path, in)
	took := time.Since(start)
	if err != nil {
		return nil, fmt.Errorf("loading: %w", err)
	}
	r.Values[metric.Load] = took.Seconds()
	if err := warm(ix); err != nil {
		ix.Close()
		return nil, err
	}
	return ix, nil
}

// localHost is this process.
type localHost struct {
	family    *indexes.Family
	rows, dim int // of the base
}

func (h *localHost) build(ctx context.Context, in indexes.BuildInput, values map[string]float64) (indexes.Index, error) {
	before, known := resetPeak()
	ix, err := timedOpen(ctx, h.family, in, values)
	if err != nil {
		return nil, err
	}
	if peak, ok := peakMemory(); ok && known {
		values[metric.PeakBuild] = float64(max(0, peak-before))
	}
	return ix, nil
}

func (h *localHost) saved(_ indexes.Index, path string, r *reply) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	r.Values[metric.Serialized] = float64(info.Size())
	return nil
}

func (h *localHost) load(_ context.Context, path string, in indexes.BuildInput, warm func(indexes.Index) error, r *reply) (indexes.Index, error) {
	before, known := ownMemory(path)
	ix, err := timedLoad(h.family, path, in, warm, r)
	if err != nil {
		return nil, err
	}
	if after, ok := ownMemory(path); ok && known {
		r.Values[metric.Resident] = float64(after - before)
		r.Values[metric.Vectors] = float64(h.family.VectorBytes(h.rows, h.dim, in.Params))
	}
	return ix, nil
}

func (h *localHost) block(ix indexes.Index, queries vec.Matrix, first, count, k int, b *block) error {
	return timeBlock(ix, queries, first, count, k, true, b)
}

func (h *localHost) before(indexes.Index, int, time.Duration, map[string]float64) error { return nil }

func (h *localHost) after(context.Context, indexes.Index, map[string]float64) (string, error) {
	return "", nil
}

// remoteHost is an engine. What this process holds is nothing to judge it by.
type remoteHost struct {
	family *indexes.Family
	server Server
	rest   int64 // bytes that the engine's processes held before the build; 0 if not known
	// vectors are the bytes of the vectors. An engine whose processes grew by less has given back other
	// memory meanwhile, or holds the index where it is not seen: its growth does not measure the index.
	vectors int64
}

// tooLittle says why the memory of an index is not known.
func tooLittle(what string, grown, vectors int64) string {
	unit, name := float64(1<<20), "MiB"
	if vectors < 1<<20 {
		unit, name = 1<<10, "KiB"
	}
	return fmt.Sprintf("its memory is not known: %s grew by %.1f %s for %.1f %s of vectors", what, float64(grown)/unit, name, float64(vectors)/unit, name)
}

func (h *remoteHost) build(ctx context.Context, in indexes.BuildInput, values map[string]float64) (indexes.Index, error) {
	engine := h.server.Processes
	calm, known := atRest(ctx, engine)
	peakKnown := known && resetPeaks(engine)
	h.rest = calm.anonymous
	ix, err := timedOpen(ctx, h.family, in, values)
	if err != nil {
		return nil, err
	}
	if now, ok := holding(engine); ok && known {
		values[metric.BuildCPU] += now.cpu - calm.cpu
		if peakKnown {
			values[metric.PeakBuild] = float64(max(0, now.peak-calm.rss))
		}
	} else {
		delete(values, metric.BuildCPU)
	}
	return ix, nil
}

func (h *remoteHost) saved(ix indexes.Index, _ string, r *reply) error {
	x, err := h.remote(ix)
	if err != nil {
		return err
	}
	r.Server, r.Before, r.Warnings = h.says(x), h.rest, x.Warnings()
	return nil
}

func (h *remoteHost) load(ctx context.Context, path string, in indexes.BuildInput, warm func(indexes.Index) error, r *reply) (indexes.Index, error) {
	ix, err := timedLoad(h.family, path, in, warm, r)
	if err != nil {
		return nil, err
	}
	x, err := h.remote(ix)
	if err != nil {
		ix.Close()
		return nil, err
	}
	r.Server = h.says(x)
	if now, ok := settle(ctx, x, h.server.Processes); ok && h.rest > 0 {
		if grown := now.anonymous - h.rest; grown < h.vectors {
			r.Warnings = append(r.Warnings, tooLittle("the engine's processes", grown, h.vectors))
		} else {
			r.Values[metric.Resident] = float64(grown)
		}
		r.Server += fmt.Sprintf("; memory: anonymous memory of %d processes", len(h.server.Processes))
	} else {
		r.Server += "; its processes are not on this machine or not known, so its memory is not"
	}
	if from := footprint(ctx, x, r.Values); from != "" {
		r.Server += "; disk: " + from
	}
	return ix, nil
}

// block has no processor time: that of this process is the way to the engine.
func (h *remoteHost) block(ix indexes.Index, queries vec.Matrix, first, count, k int, b *block) error {
	return timeBlock(ix, queries, first, count, k, false, b)
}

// before times the way to the engine and back.
func (h *remoteHost) before(ix indexes.Index, k int, atLeast time.Duration, values map[string]float64) error {
	x, err := h.remote(ix)
	if err != nil {
		return err
	}
	return wire(x, k, atLeast, values)
}

func (h *remoteHost) after(ctx context.Context, ix indexes.Index, _ map[string]float64) (string, error) {
	x, err := h.remote(ix)
	if err != nil {
		return "", err
	}
	return x.Check(ctx)
}

func (h *remoteHost) remote(ix indexes.Index) (indexes.RemoteIndex, error) {
	x, ok := ix.(indexes.RemoteIndex)
	if !ok {
		return nil, fmt.Errorf("%s: an index of a family with a Remote must be a RemoteIndex; %T is not", h.family.Name, ix)
	}
	return x, nil
}

// says says which engine holds x, for people.
func (h *remoteHost) says(x indexes.RemoteIndex) string {
	return x.Server() + " at " + h.server.Address
}
