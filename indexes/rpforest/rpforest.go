// Package rpforest is a forest of random-projection trees for approximate nearest-neighbour search in Go,
// without cgo.
//
// A tree cuts the vectors in two again and again, until no more than LeafSize are left together
// (random projection trees: Dasgupta and Freund, Random projection trees and low dimensional
// manifolds, STOC 2008). Where they cut at random directions, Spotify's Annoy (Bernhardsson,
// https://github.com/spotify/annoy) runs a few steps of 2-means on the vectors of a node and cuts
// half-way between the two means: the same vectors give other cuts in other trees, because the steps
// are random, and every cut goes between clusters. So does this package.
//
// # With bounds
//
// A forest has, unless it is plain, codes of a byte a coordinate: 96 coordinates along the principal
// components of the vectors, the last of which is the length of what the others leave out. The
// distance of two codes, less an error that is known, is never greater than the distance of the vectors;
// the proof, down to the rounding, stands at the type sketch. Three things follow from that:
//
//   - Trees are cut in the space of the codes, at a fraction of the cost.
//   - A search visits the leaves whose centres are nearest to the query, until they hold searchK entries. It
//     finds them by way of a hierarchy over the centres: subtrees of at most sixteen leaves have a centre too,
//     subtrees of at most sixteen of those, and so on; of each level it looks into the nearest only, so that
//     choosing costs what is visited, not the number of leaves. The order of Annoy's queue, by the margin at the cuts, finds less
//     for the same number of entries: of 50,000 vectors of 512 dimensions, 1,000 entries of one tree
//     hold 0.80 of the true neighbours by margin and 0.91 by centre.
//   - The codes of a leaf lie together, and are compared with the query's in one go. What is beyond the
//     bound of the k-th nearest so far is never looked at again. From 192 dimensions on, the others
//     have a second code, with more of the vector; and only what that leaves is compared exactly: 75
//     vectors in place of 1,000. No candidate is lost on the way.
//
// With bounds, one tree is as good as several.
//
// # Exact search
//
// The same bounds, asked for everything, are exact search: [Searcher.Exact], which package exact is the
// door to. A forest with [Options.Exact] keeps a third code of 32 bytes, shorter than the others, and the
// radius of each leaf; see there.
//
// # Plain
//
// A plain forest is Annoy's algorithm over flat arrays. Cuts are made in the vectors' own space, and a
// search walks all trees at once. One priority queue holds the nodes to be visited; a node counts
// for as much as the smallest margin by which the query stands on its side of the cuts above it, so
// that first each tree is followed down to the query's own leaf, and then the cuts that the query
// nearly fell on the other side of are crossed, in any tree. When the leaves that were visited hold
// searchK entries, the search stops, and the distances to the vectors seen are computed exactly.
//
// # Metrics
//
// Under [vec.Cosine] the vectors are scaled to length 1, and plain cuts go through the origin.
// Under [vec.InnerProduct] they get one component more, √(M² - |x|²), M the greatest length of all, and
// queries a zero there: then the greatest dot product is the smallest angle (Bachrach et al., Speeding
// up the Xbox recommender system using a Euclidean transformation for inner-product spaces, RecSys
// 2014), as in Annoy's dot metric. The component is not stored with the vectors, and the distances of
// answers do not see it.
//
// # Limits
//
// A forest is built once: vectors cannot be added to it, as in Annoy. The package knows nothing of
// benchmarks. Package indexes makes it a family; package vec has the kernels; docs/results/forest.md has
// figures.
package rpforest

import (
	"context"
	"errors"
	"fmt"

	"annbench/indexes/vec"
)

// What zero means in [Options], and as a search's searchK. Chosen on vectors like embeddings, k = 10: with
// bounds a second tree answers a tenth slower at recall 0.95 and 0.99 and doubles the codes; leaves of
// 64 to 128 are equally fast at recall 0.95 for 100,000 × 128 and 1,000,000 × 128. For exact search, where every leaf
// is ranked, they are of 128. Plain, 20 trees are faster than 10 and 50 at recall 0.95, and leaves of 64 take
// twice the memory for a few per cent.
const (
	DefaultTrees         = 1
	DefaultLeafSize      = 96
	DefaultExactLeafSize = 128
	DefaultPlainTrees    = 20
	DefaultPlainLeafSize = 128
	DefaultSearchK       = 100 // times k
)

// Options are what a build can choose.
type Options struct {
	Trees    int    // more trees find more, and cost memory, build time and, with bounds, speed; 0 is DefaultTrees, or DefaultPlainTrees
	LeafSize int    // the most vectors that are not split again; 0 is DefaultLeafSize, DefaultPlainLeafSize or DefaultExactLeafSize
	Plain    bool   // Annoy's algorithm: cuts in the vectors' own space, and every distance computed
	Exact    bool   // keep what [Searcher.Exact] needs; not of a plain forest, nor of several trees
	Seed     uint64 // of every random choice: the same seed gives the same forest, whatever Threads
	Threads  int    // threads that the build uses; 0 is 1
}

// complete replaces zeros by what they mean.
func (o Options) complete() Options {
	if o.Trees == 0 {
		o.Trees = DefaultTrees
		if o.Plain {
			o.Trees = DefaultPlainTrees
		}
	}
	if o.LeafSize == 0 {
		switch {
		case o.Plain:
			o.LeafSize = DefaultPlainLeafSize
		case o.Exact:
			o.LeafSize = DefaultExactLeafSize
		default:
			o.LeafSize = DefaultLeafSize
		}
	}
	o.Threads = max(1, o.Threads)
	return o
}

// Forest is a built forest. It does not change, so any number of Searchers may use it at once.
type Forest struct {
	options Options
	base    vec.Matrix
	metric  vec.Metric
	ranker  *vec.Ranker

	unmap func() error // nil where the forest was built

	plain   // empty where there are bounds
	*bounds // nil where the forest is plain
}

// plain are the trees of a plain forest.
//
// All trees share their arrays. A reference to a node is the number of a cut, or ^number of a leaf.
type plain struct {
	roots    []int32    // a reference for each tree
	normals  vec.Matrix // row i is the unit normal of cut i, or zero where the halves are random
	offsets  []float32  // the margin of x at cut i is normal·x + offset
	extras   []float32  // under InnerProduct, the normal's component along the one that vectors were given
	children [][2]int32 // references: margin < 0, margin > 0
	starts   []int64    // leaf i holds ids[starts[i]:starts[i+1]]
	ids      []int32    // row numbers of base, a permutation for each tree
}

// Options returns what the forest was built with; zeros are replaced by what they mean.
func (f *Forest) Options() Options { return f.options }

// Base returns the vectors that the forest was built from.
func (f *Forest) Base() vec.Matrix { return f.base }

// Metric returns the metric that the forest was built for.
func (f *Forest) Metric() vec.Metric { return f.metric }

// EstimateBytes is about what Bytes would give for rows vectors of dim dimensions, had every cut halved
// its vectors: trees of l levels, the fewest after which no more than LeafSize are together.
//
//   - Plain: 4 bytes a vector and tree; in each tree 2^l - 1 cuts of dim numbers and three more, of 4
//     bytes each, and 2^l leaves of 8.
//   - With bounds, the codes of an entry have c bytes, one for each of dim components, in sixteens, but
//     no more than 96, and 12 beside them; entries come in sixteens, of a leaf, or of the tree where leaves
//     have sixteen and more. Leaves have 12 bytes more. Their centres are such entries too, sixteen for a
//     node of the hierarchy, which has 8 bytes more and some eleven leaves; and a tenth as many nodes lie
//     above those. Above 96 dimensions
//     there are 96 axes; and from 192 dimensions on, each vector has longer codes: a byte for each of
//     dim components, in sixteens, or from 256 on for five eighths, and 8 bytes.
//   - For exact search, an entry has 32 bytes more, or as many as components in sixteens, and 4; a block
//     of sixteen entries 4, a leaf 4; and above 32 dimensions there are 32 axes.
func EstimateBytes(rows, dim int, o Options) int64 {
	o = o.complete()
	n, d, trees, leaves := int64(rows), int64(dim), int64(o.Trees), int64(1)
	for (n+leaves-1)/leaves > int64(o.LeafSize) {
		leaves *= 2
	}
	if o.Plain {
		return trees * (4*n + (leaves-1)*(4*d+12) + 8*leaves)
	}
	blocks := func(n int64) int64 { return (n + vec.CodeBlock - 1) / vec.CodeBlock }
	c := min(16*blocks(d), coarseDims)
	entries := leaves * blocks((n+leaves-1)/leaves)
	if o.LeafSize >= vec.CodeBlock {
		entries = blocks(n)
	}
	nodes := max(trees, trees*leaves/10)
	total := nodes*(vec.CodeBlock*(c+12)+8) + trees*(entries*vec.CodeBlock*(c+12)+12*leaves)
	if d > coarseDims {
		total += 4 * coarseDims * d
	}
	if fine := int64(fineComponents(dim)); fine > 0 {
		total += n * (16*blocks(fine) + recordTail)
	}
	if o.Exact {
		front := min(16*blocks(d), frontDims)
		total += entries*(vec.CodeBlock*(front+4)+4) + 4*leaves
		if d > frontDims {
			total += 4 * frontDims * d
		}
	}
	return total
}

// Ranker returns what the forest computes the rank values of its vectors with.
func (f *Forest) Ranker() *vec.Ranker { return f.ranker }

// Bytes is the size of the forest in memory, without the vectors.
func (f *Forest) Bytes() int64 {
	h := f.header()
	scales := f.ranker.Scales()
	total := -4 * int64(len(f.base.Data))
	for _, s := range f.sections(&h, &scales) {
		total += s.Size
	}
	return total
}

// Close gives back the memory of a loaded forest: neither it nor what came from it may be used any
// more. A forest that was built needs no Close.
func (f *Forest) Close() error {
	unmap := f.unmap
	*f = Forest{}
	if unmap == nil {
		return nil
	}
	return unmap()
}

// check reports what keeps a forest from being built.
func check(base vec.Matrix, metric vec.Metric, o Options) error {
	if _, err := vec.ParseMetric(string(metric)); err != nil {
		return err
	}
	if base.Rows < 1 || base.Dim < 1 {
		return fmt.Errorf("nothing to build from: %d vectors of %d dimensions", base.Rows, base.Dim)
	}
	if len(base.Data) != base.Rows*base.Dim {
		return fmt.Errorf("%d vectors of %d dimensions need %d values, there are %d", base.Rows, base.Dim, base.Rows*base.Dim, len(base.Data))
	}
	if o.Exact && (o.Plain || o.Trees > 1) {
		return errors.New("exact search needs a forest with bounds, of one tree")
	}
	if o.Trees < 0 || o.LeafSize < 0 {
		return fmt.Errorf("%d trees with leaves of %d: neither can be negative", o.Trees, o.LeafSize)
	}
	if i := vec.FirstNonFinite(base.Data); i >= 0 {
		return fmt.Errorf("vector %d holds %v in dimension %d", i/base.Dim, base.Data[i], i%base.Dim)
	}
	return nil
}

// Build builds a forest over base, whose memory it goes on using and which must not change. It is an
// error if base is empty or not finite, or if an option is negative; and the context's error if that
// ends first.
func Build(ctx context.Context, base vec.Matrix, metric vec.Metric, o Options) (*Forest, error) {
	if err := check(base, metric, o); err != nil {
		return nil, fmt.Errorf("building a forest: %w", err)
	}
	o = o.complete()
	f := &Forest{options: o, base: base, metric: metric}
	if o.Plain {
		trees, err := grow(ctx, newSpace(base, metric), o)
		if err != nil {
			return nil, fmt.Errorf("building a forest: %w", err)
		}
		f.join(trees)
	} else {
		b, err := layOut(ctx, base, metric, o)
		if err != nil {
			return nil, fmt.Errorf("building a forest: %w", err)
		}
		f.bounds = b
	}
	f.ranker = vec.NewRanker(base, metric)
	return f, nil
}

// defaultSearchK is what a search_k of 0 means.
func (f *Forest) defaultSearchK(k int) int {
	if f.bounds == nil {
		return k * len(f.roots)
	}
	return k * DefaultSearchK
}

// join puts the trees' arrays one behind the other.
func (f *Forest) join(trees []tree) {
	var cuts, leaves, ids int
	for i := range trees {
		cuts += len(trees[i].offsets)
		leaves += len(trees[i].leaves)
		ids += len(trees[i].ids)
	}
	f.normals = vec.Matrix{Data: make([]float32, 0, cuts*f.base.Dim), Rows: cuts, Dim: f.base.Dim}
	f.offsets = make([]float32, 0, cuts)
	f.children = make([][2]int32, 0, cuts)
	f.starts = make([]int64, 0, leaves+1)
	f.ids = make([]int32, 0, ids)
	if f.metric == vec.InnerProduct {
		f.extras = make([]float32, 0, cuts)
	}
	for i := range trees {
		t := &trees[i]
		cut, leaf := int32(len(f.offsets)), int32(len(f.starts))
		move := func(ref int32) int32 {
			if ref < 0 {
				return ref - leaf // ^(number + leaf)
			}
			return ref + cut
		}
		f.roots = append(f.roots, move(t.root))
		for _, c := range t.children {
			f.children = append(f.children, [2]int32{move(c[0]), move(c[1])})
		}
		for _, from := range t.leaves {
			f.starts = append(f.starts, int64(len(f.ids)+from))
		}
		f.normals.Data = append(f.normals.Data, t.normals...)
		f.offsets = append(f.offsets, t.offsets...)
		f.extras = append(f.extras, t.extras...)
		f.ids = append(f.ids, t.ids...)
		*t = tree{} // so that the collector can have it
	}
	f.starts = append(f.starts, int64(len(f.ids)))
}
