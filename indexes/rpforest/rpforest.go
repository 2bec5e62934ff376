// Package rpforest is a forest of random-projection trees for approximate nearest-neighbour search: the
// algorithm of Spotify's Annoy (Bernhardsson, https://github.com/spotify/annoy), over flat arrays, in
// Go.
//
// A tree cuts the space in two again and again, until no more than LeafSize vectors are left together
// (random projection trees: Dasgupta and Freund, Random projection trees and low dimensional
// manifolds, STOC 2008). Where they cut at random directions, Annoy runs a few steps of 2-means on the
// vectors of a node and cuts half-way between the two means: the same vectors give other cuts in
// other trees, because the steps are random, and every cut goes between clusters.
//
// A search walks all trees at once. One priority queue holds the nodes to be visited; a node counts
// for as much as the smallest margin by which the query stands on its side of the cuts above it, so
// that first each tree is followed down to the query's own leaf, and then the cuts that the query
// nearly fell on the other side of are crossed, in any tree. When the leaves that were visited hold
// searchK entries, the search stops, and the distances to the vectors seen are computed exactly.
//
// Under [vec.Cosine] the vectors are scaled to length 1 for the means, and cuts go through the origin.
// Under [vec.InnerProduct] they get one component more, √(M² - |x|²), M the greatest length of all, and
// queries a zero there: then the greatest dot product is the smallest angle (Bachrach et al., Speeding
// up the Xbox recommender system using a Euclidean transformation for inner-product spaces, RecSys
// 2014), as in Annoy's dot metric. The component is not stored with the vectors, and the distances of
// answers do not see it.
//
// The package knows nothing of benchmarks, and no cgo. Package indexes makes it a family; package vec
// has the kernels.
package rpforest

import (
	"context"
	"fmt"

	"annbench/indexes/vec"
)

// What zero means in [Options], chosen on 50,000 vectors of 512 dimensions under L2, k = 10: at recall
// 0.95, 20 trees with leaves of 128 answer 7,600 queries a second of CPU time, build in 2.5 s and take
// 27 MB. Leaves of 64 take 1.8 times the memory and 1.6 times the build and leaves of 256 take less of
// both, and neither is faster; 50 trees are about 1.3 times as fast at recall 0.99, for 2.5 times both.
const (
	DefaultTrees    = 20
	DefaultLeafSize = 128
)

// Options are what a build can choose.
type Options struct {
	Trees    int    // more trees find more, and cost memory and build time; 0 is DefaultTrees
	LeafSize int    // the most vectors that are not split again; 0 is DefaultLeafSize
	Seed     uint64 // of every random choice: the same seed gives the same forest, whatever Threads
	Threads  int    // trees that are built at once; 0 is 1
}

// Forest is a built forest. It does not change, so any number of Searchers may use it at once.
//
// All trees share their arrays. A reference to a node is the number of a cut, or ^number of a leaf.
type Forest struct {
	options Options
	base    vec.Matrix
	metric  vec.Metric
	ranker  *vec.Ranker

	roots    []int32    // a reference for each tree
	normals  vec.Matrix // row i is the unit normal of cut i, or zero where the halves are random
	offsets  []float32  // the margin of x at cut i is normal·x + offset
	extras   []float32  // under InnerProduct, the normal's component along the one that vectors were given
	children [][2]int32 // references: margin < 0, margin > 0
	leaves   []int64    // leaf i holds ids[leaves[i]:leaves[i+1]]
	ids      []int32    // row numbers of base, a permutation for each tree
}

// Options returns what the forest was built with; zeros are replaced by what they mean.
func (f *Forest) Options() Options { return f.options }

// Base returns the vectors that the forest was built from.
func (f *Forest) Base() vec.Matrix { return f.base }

// Metric returns the metric that the forest was built for.
func (f *Forest) Metric() vec.Metric { return f.metric }

// Bytes is the size of the trees in memory, without the vectors.
func (f *Forest) Bytes() int64 {
	return 4 * int64(len(f.roots)+len(f.normals.Data)+len(f.offsets)+len(f.extras)+2*len(f.children)+2*len(f.leaves)+len(f.ids))
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
	if o.Trees == 0 {
		o.Trees = DefaultTrees
	}
	if o.LeafSize == 0 {
		o.LeafSize = DefaultLeafSize
	}
	o.Threads = max(1, o.Threads)
	trees, err := grow(ctx, base, metric, o)
	if err != nil {
		return nil, fmt.Errorf("building a forest: %w", err)
	}
	f := &Forest{options: o, base: base, metric: metric, ranker: vec.NewRanker(base, metric)}
	f.join(trees)
	return f, nil
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
	f.leaves = make([]int64, 0, leaves+1)
	f.ids = make([]int32, 0, ids)
	if f.metric == vec.InnerProduct {
		f.extras = make([]float32, 0, cuts)
	}
	for i := range trees {
		t := &trees[i]
		cut, leaf := int32(len(f.offsets)), int32(len(f.leaves))
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
			f.leaves = append(f.leaves, int64(len(f.ids)+from))
		}
		f.normals.Data = append(f.normals.Data, t.normals...)
		f.offsets = append(f.offsets, t.offsets...)
		f.extras = append(f.extras, t.extras...)
		f.ids = append(f.ids, t.ids...)
		*t = tree{} // so that the collector can have it
	}
	f.leaves = append(f.leaves, int64(len(f.ids)))
}
