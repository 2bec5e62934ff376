// Package hnsw is a hierarchical navigable small-world graph for approximate nearest-neighbour search in Go, with SIMD
// assembly and no cgo.
//
// The algorithm is Malkov and Yashunin's (Efficient and robust approximate nearest neighbor search using hierarchical
// navigable small world graphs, TPAMI 2020), with their heuristic for choosing neighbours (algorithm 4): a candidate is
// linked only if it is nearer to the new vector than to any neighbour chosen before it, so that links point in different
// directions. What is different is the order of the work: the neighbours of a node that have not been seen are gathered
// and compared four at a time, while the memory of the next four is on its way.
//
// # Codes
//
// With [Options.Codes] a vector has a byte a component besides. The graph is built, and walked, by the distances of
// codes; the best of the walk are then compared exactly. Codes take a quarter of the memory's bandwidth, which is what
// bounds a walk.
//
// # Metrics
//
// Under [vec.Cosine] distances are those of the vectors scaled to length 1. Under [vec.InnerProduct] the graph is built
// over vectors of one component more, √(M² - |x|²), M the greatest length of all, where the greatest product is the
// smallest angle (Bachrach et al., Speeding up the Xbox recommender system using a Euclidean transformation for
// inner-product spaces, RecSys 2014); a walk by products in a graph by products, which is not a metric, would be cut off
// from short vectors. Vectors that are added later and are longer than M count as of length M there.
//
// # Changes
//
// [Index.Add] links new vectors as a build does. [Index.Delete] takes vectors out of the graph, and links each node that
// had a link to one of them anew, from its own neighbours and those of the deleted (as in FreshDiskANN: Singh et al., arXiv
// 2105.09613). IDs are row numbers in the order of adding, and are never given out again. The place of a deleted vector, its
// row in the arrays, is: the next that are added take the free places, lowest first, and an index that is added to and
// deleted from alike does not grow. From then on it keeps the ID of each place, and 4 bytes and an entry of a map a vector.
//
// # Threads
//
// Any number of goroutines may search at once, without locks. Add and Delete must not run while a search does. With one
// thread, a build depends on the seed alone; with more, the graph depends on which of them was first.
//
// The package knows nothing of benchmarks. Package indexes makes it a family; package vec has the kernels;
// docs/results/forest.md has figures.
package hnsw

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"annbench/indexes/vec"
)

// What zero means in [Options] and as a search's ef: hnswlib's defaults.
const (
	DefaultM              = 16
	DefaultEfConstruction = 200
	DefaultEf             = 64
)

// Options are what a build can choose.
type Options struct {
	M              int    // links that a vector begins with, and at most on upper layers; twice as many at most on the lowest; 0 is DefaultM
	EfConstruction int    // candidates for links; 0 is DefaultEfConstruction, and fewer than M means M
	Codes          bool   // build and walk by codes of a byte a component, and compare the best exactly
	Seed           uint64 // of the layers
	Threads        int    // that a build uses; 0 is 1
}

func (o Options) complete() Options {
	if o.M == 0 {
		o.M = DefaultM
	}
	if o.EfConstruction == 0 {
		o.EfConstruction = DefaultEfConstruction
	}
	o.EfConstruction = max(o.EfConstruction, o.M)
	o.Threads = max(1, o.Threads)
	return o
}

// Index is a graph over vectors.
type Index struct {
	options Options
	metric  vec.Metric
	base    vec.Matrix // by place, those that were deleted included
	owned   bool       // base's memory is the index's own, and may be written to
	ranker  *vec.Ranker
	codes   *codes    // nil where the graph is over the vectors themselves
	most    float64   // under InnerProduct, the greatest length at the build
	extra   []float32 // under InnerProduct, the component more of each vector

	// IDs, once a place was taken again: that of the vector at each place, -1 where it is free, and the places of the living
	// whose ID is another number than their place. Before, ids is nil, and IDs are places.
	ids    []int32
	places map[int32]int32
	given  int // IDs that were given out

	// The graph, by place. A list of links is a count, then so many places: 2M at most on layer 0, M above. Node i's list
	// for layer l > 0 is number firsts[i]+l-1 of upper.
	levels []uint8 // the node's highest layer, or gone
	links  []uint32
	firsts []uint32
	upper  []uint32
	entry  int32 // a node of the highest layer, or -1 where no vector is left
	living int

	unmap func() error // nil unless the arrays are a mapped file's
	pool  sync.Pool    // of *Searcher
}

// gone is the level of a vector that was deleted.
const gone = math.MaxUint8

// highest is the highest layer that a node may have. With M = 2, one node in a million has layer 20.
const highest = 30

// Options returns what the index was built with; zeros are replaced by what they mean.
func (x *Index) Options() Options { return x.options }

// Base returns the vectors by place, those that were deleted included. Places are IDs until vectors are added after others
// were deleted.
func (x *Index) Base() vec.Matrix { return x.base }

// Given is how many IDs were given out: the next vector that is added gets this one.
func (x *Index) Given() int { return x.given }

// Metric returns the metric that the index was built for.
func (x *Index) Metric() vec.Metric { return x.metric }

// Len is the number of vectors that a search can find: those that were not deleted.
func (x *Index) Len() int { return x.living }

func check(base vec.Matrix, metric vec.Metric, o Options) error {
	if _, err := vec.ParseMetric(string(metric)); err != nil {
		return err
	}
	if base.Rows < 1 || base.Dim < 1 {
		return fmt.Errorf("nothing to build from: %d vectors of %d dimensions", base.Rows, base.Dim)
	}
	if o.M < 0 || o.M == 1 || o.M > 1024 {
		return fmt.Errorf("with M = %d: it must be between 2 and 1024", o.M)
	}
	if o.EfConstruction < 0 {
		return fmt.Errorf("efConstruction = %d: it cannot be negative", o.EfConstruction)
	}
	return checkVectors(base)
}

func checkVectors(m vec.Matrix) error {
	if len(m.Data) != m.Rows*m.Dim {
		return fmt.Errorf("%d vectors of %d dimensions need %d values, there are %d", m.Rows, m.Dim, m.Rows*m.Dim, len(m.Data))
	}
	if i := vec.FirstNonFinite(m.Data); i >= 0 {
		return fmt.Errorf("vector %d holds %v in dimension %d", i/m.Dim, m.Data[i], i%m.Dim)
	}
	return nil
}

// Build makes an index over base, whose memory it goes on using and which must not change. It is an error if base is
// empty or not finite, or if an option is out of range; and the context's error if that ends first.
func Build(ctx context.Context, base vec.Matrix, metric vec.Metric, o Options) (*Index, error) {
	if err := check(base, metric, o); err != nil {
		return nil, fmt.Errorf("building a graph: %w", err)
	}
	x := &Index{options: o.complete(), metric: metric, entry: -1, base: vec.Matrix{Dim: base.Dim}}
	if metric == vec.InnerProduct {
		for i := range base.Rows {
			x.most = max(x.most, vec.Norm(base.Row(i)))
		}
	}
	if o.Codes {
		x.codes = newCodes(base, metric, x.most, o.Seed)
	}
	x.take(base)
	if err := x.insertAll(ctx, nil, 0); err != nil {
		return nil, fmt.Errorf("building a graph: %w", err)
	}
	return x, nil
}

// take puts the rows of more behind those that there are, and prepares them.
func (x *Index) take(more vec.Matrix) {
	if more.Rows == 0 {
		return
	}
	from := x.base.Rows
	if from == 0 {
		x.base = more
		x.base.Data = more.Data[:len(more.Data):len(more.Data)] // what lies behind it is not ours
		x.ranker = vec.NewRanker(more, x.metric)
	} else {
		x.base = vec.Matrix{Data: append(x.base.Data, more.Data...), Rows: from + more.Rows, Dim: x.base.Dim}
		x.owned = true
		scales := append(x.ranker.Scales(), vec.NewRanker(more, x.metric).Scales()...)
		x.ranker = vec.RestoreRanker(x.base, x.metric, scales)
	}
	if x.metric == vec.InnerProduct {
		for i := range more.Rows {
			x.extra = append(x.extra, x.component(more.Row(i)))
		}
	}
	if x.codes != nil {
		x.codes.add(more, x.metric, x.most)
	}
	first := uint32(len(x.upper) / x.width(1))
	for i := range more.Rows {
		level := drawLevel(x.options.Seed, from+i, x.options.M)
		x.levels = append(x.levels, uint8(level))
		x.firsts = append(x.firsts, first)
		first += uint32(level)
		if x.ids != nil {
			x.number(int32(from+i), int32(x.given+i), true)
		}
	}
	x.links = append(x.links, make([]uint32, more.Rows*x.width(0))...)
	x.upper = append(x.upper, make([]uint32, int(first)*x.width(1)-len(x.upper))...)
	x.living += more.Rows
	x.given += more.Rows
}

// component is what a vector has more than its components under InnerProduct.
func (x *Index) component(v []float32) float32 {
	length := min(vec.Norm(v), x.most)
	return float32(math.Sqrt((x.most - length) * (x.most + length)))
}

// free returns at most most places whose vectors were deleted, lowest first.
func (x *Index) free(most int) []int32 {
	most = min(most, x.base.Rows-x.living)
	if most == 0 {
		return nil
	}
	places := make([]int32, 0, most)
	for i, level := range x.levels {
		if level == gone {
			if places = append(places, int32(i)); len(places) == most {
				break
			}
		}
	}
	return places
}

// refill puts the rows of more at free places, and prepares them. A node gets the layer that its place had, for which there
// are lists: layers are drawn by place, whatever lies there.
func (x *Index) refill(places []int32, more vec.Matrix) {
	if len(places) == 0 {
		return
	}
	if !x.owned {
		x.base.Data, x.owned = clone(x.base.Data), true
	}
	if x.ids == nil {
		x.ids, x.places = make([]int32, x.base.Rows), map[int32]int32{}
		for i, level := range x.levels {
			x.ids[i] = int32(i)
			if level == gone {
				x.ids[i] = -1
			}
		}
	}
	scales, ofMore := x.ranker.Scales(), vec.NewRanker(more, x.metric).Scales()
	for i, place := range places {
		copy(x.base.Row(int(place)), more.Row(i))
		if len(ofMore) > 0 {
			scales[place] = ofMore[i]
		}
		if x.metric == vec.InnerProduct {
			x.extra[place] = x.component(more.Row(i))
		}
		if x.codes != nil {
			x.codes.set(int(place), more.Row(i), x.metric, x.most)
		}
		x.levels[place] = uint8(drawLevel(x.options.Seed, int(place), x.options.M))
		x.number(place, int32(x.given+i), false)
	}
	x.ranker = vec.RestoreRanker(x.base, x.metric, scales)
	x.living += len(places)
	x.given += len(places)
}

// number gives an ID to the vector at a place, which may be one behind all others.
func (x *Index) number(place, id int32, behind bool) {
	if behind {
		x.ids = append(x.ids, id)
	} else {
		x.ids[place] = id
	}
	if id != place {
		x.places[id] = place
	}
}

// id is that of the vector at a place.
func (x *Index) id(place int32) int32 {
	if x.ids == nil {
		return place
	}
	return x.ids[place]
}

// place is where the vector with an ID lies, if it is alive.
func (x *Index) place(id int32) (int32, bool) {
	switch {
	case id < 0:
		return 0, false
	case int(id) < len(x.levels) && x.levels[id] != gone && x.id(id) == id:
		return id, true
	case x.ids == nil:
		return 0, false
	}
	place, ok := x.places[id]
	return place, ok
}

// drawLevel is the layer of a place: l with probability M^-l, for l and above.
func drawLevel(seed uint64, place, m int) int {
	rng := rand.New(rand.NewPCG(seed, uint64(place)))
	return min(int(-math.Log(1-rng.Float64())/math.Log(float64(m))), highest)
}

// mostLinks is how many links a node may have on a layer.
func (x *Index) mostLinks(layer int) int {
	if layer == 0 {
		return 2 * x.options.M
	}
	return x.options.M
}

// width is how many words a list takes.
func (x *Index) width(layer int) int { return 1 + x.mostLinks(layer) }

// list is a node's list on a layer, with room for all its links.
func (x *Index) list(id int32, layer int) []uint32 {
	if layer == 0 {
		w := x.width(0)
		return x.links[int(id)*w : (int(id)+1)*w : (int(id)+1)*w]
	}
	w := x.width(1)
	at := (int(x.firsts[id]) + layer - 1) * w
	return x.upper[at : at+w : at+w]
}

// builder is what the threads of a build share.
type builder struct {
	x     *Index
	locks []sync.Mutex // by place; nil with one thread
	entry sync.RWMutex // of x.entry
}

func (b *builder) lock(id int32) {
	if b.locks != nil {
		b.locks[id].Lock()
	}
}

func (b *builder) unlock(id int32) {
	if b.locks != nil {
		b.locks[id].Unlock()
	}
}

// insertAll links the vectors at places, and then those from first on.
func (x *Index) insertAll(ctx context.Context, places []int32, first int) error {
	b := &builder{x: x}
	todo := len(places) + x.base.Rows - first
	threads := min(x.options.Threads, todo)
	if threads > 1 {
		b.locks = make([]sync.Mutex, x.base.Rows)
	}
	var next atomic.Int64
	var wait sync.WaitGroup
	for range threads {
		wait.Go(func() {
			s := x.NewSearcher()
			for {
				i := int(next.Add(1)) - 1
				if i >= todo || ctx.Err() != nil {
					return
				}
				place := int32(first + i - len(places))
				if i < len(places) {
					place = places[i]
				}
				b.insert(s, place)
			}
		})
	}
	wait.Wait()
	return context.Cause(ctx)
}

// insert links the vector at a place.
func (b *builder) insert(s *Searcher, id int32) {
	x := b.x
	level := int(x.levels[id])
	b.entry.RLock()
	entry := x.entry
	locked := entry < 0 || level > int(x.levels[entry])
	if locked { // the new node becomes the entry: nobody else begins meanwhile
		b.entry.RUnlock()
		b.entry.Lock()
		entry = x.entry
	}
	if entry >= 0 {
		s.ruler.atRow(id)
		b.link(s, id, entry, min(level, int(x.levels[entry])))
	}
	if locked {
		if x.entry < 0 || level > int(x.levels[x.entry]) {
			x.entry = id
		}
		b.entry.Unlock()
	} else {
		b.entry.RUnlock()
	}
}

// link finds neighbours for a node on the layers from level down, and links both ways. The ruler is at the node. Other nodes
// get links to it from the lowest layer up, and after its own: who comes to it on a layer, of another thread, can go on from
// it on that one and on those below.
func (b *builder) link(s *Searcher, id, entry int32, level int) {
	x := b.x
	s.begin()
	near := s.descend(b, entry, int(x.levels[entry]), level)
	for len(s.layers) <= level {
		s.layers = append(s.layers, nil)
	}
	for layer := level; layer >= 0; layer-- {
		s.begin()
		s.seen(id) // a node that is linked anew does not find itself
		s.walk(b, near, x.options.EfConstruction, layer)
		s.layers[layer] = s.layers[layer][:0]
		if len(s.near) == 0 {
			continue
		}
		near = s.near[0].id()
		s.choose(s.near, x.options.M, &s.layers[layer])
	}
	for layer, chosen := range s.layers[:level+1] {
		if len(chosen) > 0 {
			b.lock(id)
			put(x.list(id, layer), chosen)
			b.unlock(id)
		}
	}
	for layer, chosen := range s.layers[:level+1] {
		for _, c := range chosen {
			b.linkBack(s, c.id(), id, c.dist, layer)
		}
	}
}

func put(list []uint32, links []node) {
	list[0] = uint32(len(links))
	for i, n := range links {
		list[1+i] = uint32(n.id())
	}
}

// linkBack links a node to another one, at that distance. Where its list is full, the links are chosen anew.
func (b *builder) linkBack(s *Searcher, id, to int32, dist float32, layer int) {
	x := b.x
	b.lock(id)
	defer b.unlock(id)
	list := x.list(id, layer)
	n := int(list[0])
	for _, l := range list[1 : 1+n] {
		if l == uint32(to) {
			return
		}
	}
	if n < x.mostLinks(layer) {
		list[1+n] = uint32(to)
		list[0]++
		return
	}
	s.ids = s.ids[:0]
	for _, l := range list[1 : 1+n] {
		s.ids = append(s.ids, int32(l))
	}
	values := s.values[:n]
	s.back.atRow(id)
	s.back.to(values, s.ids)
	s.around = append(s.around[:0], newNode(dist, to))
	for i, v := range values {
		s.around = append(s.around, newNode(v, s.ids[i]))
	}
	sortNodes(s.around)
	put(list, s.choose(s.around, x.mostLinks(layer), &s.kept))
}

// choose picks at most most of the candidates, which are sorted, nearest first: those that are nearer to the node than to
// any that was picked before (algorithm 4, without keeping others). Of vectors equal to the node's it picks a quarter at
// most: they would not lead anywhere else.
func (s *Searcher) choose(candidates []node, most int, into *[]node) []node {
	picked, ids := (*into)[:0], s.picked[:0]
	equals := 0
	for i, c := range candidates {
		if len(picked) == most {
			break
		}
		c.seen = c.seen &^ expanded
		zero := c.dist <= s.x.equal()
		if zero && equals >= max(1, most/4) {
			continue
		}
		if i > 0 && !zero && s.closerToOne(c, ids) {
			continue
		}
		if zero {
			equals++
		}
		picked, ids = append(picked, c), append(ids, c.id())
	}
	*into, s.picked = picked, ids
	return picked
}

// equal is the distance of equal vectors, for rulers at rows.
func (x *Index) equal() float32 {
	if x.codes == nil && x.metric == vec.InnerProduct {
		return float32(-x.most * x.most * (1 - 1e-6))
	}
	return 0
}

// some are compared at once: the nearest are the likeliest to be nearer.
const some = 4

// closerToOne reports whether c is nearer to one of the rows than to the node that it is a candidate for.
func (s *Searcher) closerToOne(c node, ids []int32) bool {
	if len(ids) == 0 {
		return false
	}
	s.third.atRow(c.id())
	for len(ids) > 0 {
		n := min(some, len(ids))
		s.third.to(s.some[:n], ids[:n])
		for _, v := range s.some[:n] {
			if v < c.dist {
				return true
			}
		}
		ids = ids[n:]
	}
	return false
}

// Add adds the rows of more, which are copied; their IDs follow those that were given out, and they take the places of
// deleted vectors first. It is an error if they are of other dimensions or not finite: then none is added. It must not run while a search does.
func (x *Index) Add(more vec.Matrix) error {
	if more.Dim != x.base.Dim {
		return fmt.Errorf("adding to a graph: vectors of %d dimensions to those of %d", more.Dim, x.base.Dim)
	}
	if err := checkVectors(more); err != nil {
		return fmt.Errorf("adding to a graph: %w", err)
	}
	if int64(x.given)+int64(more.Rows) > math.MaxInt32 {
		return fmt.Errorf("adding to a graph: %d vectors and %d more are more than can be numbered", x.given, more.Rows)
	}
	if more.Rows == 0 {
		return nil
	}
	if err := x.own(); err != nil {
		return fmt.Errorf("adding to a graph: %w", err)
	}
	first, places := x.base.Rows, x.free(more.Rows)
	x.refill(places, vec.Matrix{Data: more.Data[:len(places)*more.Dim], Rows: len(places), Dim: more.Dim})
	x.take(vec.Matrix{Data: more.Data[len(places)*more.Dim:], Rows: more.Rows - len(places), Dim: more.Dim})
	return x.insertAll(context.Background(), places, first)
}

// Delete takes vectors out of the graph, and mends what linked to them. It passes over all links once, so deleting many at
// once is cheaper. It is an error if an ID was not given out, or was deleted before: then nothing is deleted. It must not
// run while a search does.
func (x *Index) Delete(ids ...int32) error {
	was := make(map[int32]int, len(ids)) // the level of each, by place
	for _, id := range ids {
		if id < 0 || int(id) >= x.given {
			return fmt.Errorf("deleting from a graph: there is no vector %d: it was given %d", id, x.given)
		}
		place, ok := x.place(id)
		if !ok {
			return fmt.Errorf("deleting from a graph: vector %d was deleted before", id)
		}
		if _, twice := was[place]; twice {
			return fmt.Errorf("deleting from a graph: vector %d is given twice", id)
		}
		was[place] = int(x.levels[place])
	}
	if len(ids) == 0 {
		return nil
	}
	if err := x.own(); err != nil {
		return fmt.Errorf("deleting from a graph: %w", err)
	}
	for place := range was {
		x.levels[place] = gone
		if x.ids != nil {
			delete(x.places, x.ids[place])
			x.ids[place] = -1
		}
	}
	x.living -= len(was)
	if x.levels[x.entry] == gone {
		x.entry = -1
		for i, level := range x.levels {
			if level != gone && (x.entry < 0 || level > x.levels[x.entry]) {
				x.entry = int32(i)
			}
		}
	}
	x.mend(was)
	for place, level := range was { // nothing links to them any more
		for layer := range level + 1 {
			x.list(place, layer)[0] = 0
		}
	}
	return nil
}

// mend gives new links to every node that has one to a deleted node: out of its own living neighbours and those of its
// deleted ones, and from the nodes chosen back to it.
func (x *Index) mend(was map[int32]int) {
	b := &builder{x: x}
	s := x.NewSearcher()
	for i, level := range x.levels {
		if level == gone {
			continue
		}
		id := int32(i)
		for layer := range int(level) + 1 {
			list := x.list(id, layer)
			broken := false
			for _, l := range list[1 : 1+list[0]] {
				broken = broken || x.levels[l] == gone
			}
			if !broken {
				continue
			}
			s.begin()
			s.seen(id)
			s.ids = s.ids[:0]
			var gather func(list []uint32, depth int)
			gather = func(list []uint32, depth int) {
				for _, l := range list[1 : 1+list[0]] {
					if s.seen(int32(l)) {
						continue
					}
					if x.levels[l] != gone {
						s.ids = append(s.ids, int32(l))
					} else if depth < 3 && was[int32(l)] >= layer { // where whole neighbourhoods were deleted, farther
						gather(x.list(int32(l), layer), depth+1)
					}
				}
			}
			gather(list, 0)
			s.around = s.around[:0]
			s.back.atRow(id)
			for from := 0; from < len(s.ids); from += len(s.values) {
				part := s.ids[from:min(from+len(s.values), len(s.ids))]
				s.back.to(s.values[:len(part)], part)
				for j, l := range part {
					s.around = append(s.around, newNode(s.values[j], l))
				}
			}
			sortNodes(s.around)
			chosen := s.choose(s.around, x.mostLinks(layer), &s.chosen)
			put(list, chosen)
			for _, c := range chosen {
				b.linkBack(s, c.id(), id, c.dist, layer)
			}
		}
	}
}

// own copies the arrays of a mapped file, so that they can be changed.
func (x *Index) own() error {
	if x.unmap == nil {
		return nil
	}
	unmap := x.unmap
	x.unmap = nil
	x.base.Data, x.owned = clone(x.base.Data), true
	x.ranker = vec.RestoreRanker(x.base, x.metric, clone(x.ranker.Scales()))
	x.extra, x.levels, x.ids = clone(x.extra), clone(x.levels), clone(x.ids)
	x.links, x.firsts, x.upper = clone(x.links), clone(x.firsts), clone(x.upper)
	if c := x.codes; c != nil {
		c.mean, c.rows, c.norms = clone(c.mean), clone(c.rows), clone(c.norms)
	}
	return unmap()
}

func clone[T any](s []T) []T { return append([]T(nil), s...) }

// Close gives back the memory of a loaded index: neither it nor what came from it may be used any more. An index that was
// built needs no Close.
func (x *Index) Close() error {
	unmap := x.unmap
	*x = Index{entry: -1}
	if unmap == nil {
		return nil
	}
	return unmap()
}

var errClosed = errors.New("the graph is closed")
