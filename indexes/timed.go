package indexes

import (
	"time"

	"annbench/indexes/vec"
)

// Timed is an Index in a process of its own that searches in blocks and keeps the clocks there, so that
// the way to that process and back is no part of what is measured.
type Timed interface {
	// SearchTimed searches for the k nearest of the rows first to first+count-1 of queries, one after
	// another, on one thread, and puts into b what came of it; b's slices are used again. With batch they
	// are one call, and b has no Times.
	SearchTimed(b *Block, queries vec.Matrix, first, count, k int, batch bool) error
}

// Block is what a block of searches gave.
type Block struct {
	K     int
	IDs   []int32         // K for each query, nearest first; -1 where it found fewer
	Times []time.Duration // of each search, by the wall clock; empty for a batch
	Wall  time.Duration   // of the whole block
	CPU   time.Duration   // processor time of the searching process, all its threads, over the block
	// Waited is how long the answers were waited for.
	Waited time.Duration
	// Repeated and Extra are how many ids came twice for a query, or beyond the k-th, and were left out.
	Repeated, Extra int
}

// Of gives the ids of query i of the block, those that were found.
func (b *Block) Of(i int) []int32 {
	ids := b.IDs[i*b.K : (i+1)*b.K]
	for j, id := range ids {
		if id < 0 {
			return ids[:j]
		}
	}
	return ids
}

// Weighed is an Index in a process of its own, which is weighed there.
type Weighed interface {
	// Held is what the index takes up in its process and those that it started, in bytes, after that gave back what
	// it does not need: the growth of the anonymous memory since there was no index, shared memory, and of what is
	// mapped of the file of the vectors and of the index's own files all that searches since the build or the
	// loading touched any page of. doubts are why it may be more or less. ok is false where the system does not say.
	Held() (bytes int64, doubts []string, ok bool)
	// Cost is what building, or loading, the index cost by the clocks of its process, and how much more
	// resident memory that process held at most while it did; the latter is 0 where the system does not
	// say.
	Cost() (wall, cpu time.Duration, peak int64)
	// Library says which version of the library it is, and what calls it ("Python 3.11.7, numpy 2.2.6");
	// each may be empty.
	Library() (version, runtime string)
	// Warnings are doubts of its process about its own numbers.
	Warnings() []string
}

// Source says where vectors are in a file, so that another process can map them: float32, little-endian,
// row after row. The zero value is nowhere.
type Source struct {
	File   string
	Offset int64 // bytes before the first number
}
