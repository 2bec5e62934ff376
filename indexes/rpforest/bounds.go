package rpforest

import (
	"context"
	"math"
	"slices"
	"sync"

	"annbench/indexes/vec"
)

// bounds are what a forest is made of unless it is plain: a coarse sketch of every entry of
// every leaf, in the order of the leaves, and where that leaves out components, a fine one of every row.
type bounds struct {
	scale, most float64 // of the space, see there

	// A leaf is a run of blocks. A place's own word is its row, or none where it is left over.
	coarse *sketch
	blocks vec.CodeBlocks
	leaves []int64 // leaf i is the blocks leaves[i] to leaves[i+1]
	sizes  []int32 // by leaf, how many places hold a row

	levels []level // over the leaves, from below
	total  int64   // entries of all leaves

	fine    *sketch // nil where the coarse one is whole
	records []uint8 // by row: codes, norm, err

	// For exact search, else nil and empty: the shortest sketch, of the entry in each place, and by leaf
	// a distance beyond which no entry's coordinates lie from the centre's codes.
	front *sketch
	sieve vec.CodeSieve
	radii []float32
}

// none stands in places that hold no row.
const none = math.MaxUint32

// Coarse codes have 96 bytes. Fine ones would gain little below twice as many components; they leave
// nothing out up to 256, and above that take the
// five eighths that vary most: of ReLU-like vectors of 512 dimensions those leave 41 of 50,000 rows to
// be compared exactly, where 256 components leave 95, all 512 18, and the coarse codes alone 166 (64
// bytes of them: 300).
//
// Codes of the front have 32 bytes: of 50,000 ReLU-like vectors of 512 dimensions they leave 601, in 151 of
// 3,125 blocks; 24 leave 1,368 in 361, 16 6,111 in 1,145. With half the bits 32 coordinates leave 3,142. An
// error for each block in place of each row leaves 1 % more.
const (
	coarseDims = 96
	fineWhole  = 256
	frontDims  = 32
)

func fineComponents(dim int) int {
	if dim < 2*coarseDims {
		return 0
	}
	if dim <= fineWhole {
		return dim
	}
	return max(fineWhole, dim*5/8/16*16) - 1
}

// layOut makes the sketches of all rows, and trees over the coarse codes.
func layOut(ctx context.Context, base vec.Matrix, metric vec.Metric, o Options) (*bounds, error) {
	points := newSpace(base, metric)
	b := &bounds{scale: points.scale, most: points.most}
	dim := points.dim()
	sample := points.sample(o.Seed)
	mean := centre(sample)
	if dim <= coarseDims {
		b.coarse = newSketch(sample, mean, vec.Matrix{Dim: dim}, widest(sample, dim), false)
	} else {
		axes, err := principal(ctx, o.Threads, sample, coarseDims-1, o.Seed)
		if err != nil {
			return nil, err
		}
		b.coarse = newSketch(sample, mean, axes, nil, true)
		if n := fineComponents(dim); n > 0 {
			b.fine = newSketch(sample, mean, vec.Matrix{Dim: dim}, widest(sample, n), n < dim)
		}
	}
	if o.Exact {
		if dim <= frontDims {
			b.front = newSketch(sample, mean, vec.Matrix{Dim: dim}, widest(sample, dim), false)
		} else {
			axes, err := principal(ctx, o.Threads, sample, frontDims-1, o.Seed)
			if err != nil {
				return nil, err
			}
			b.front = newSketch(sample, mean, axes, nil, true)
		}
	}
	sample = vec.Matrix{} // so that the collector can have it

	rows, wide := base.Rows, b.coarse.dims
	codes, norms, errs := make([]uint8, rows*wide), make([]float32, rows), make([]float32, rows)
	if b.fine != nil {
		b.records = make([]uint8, rows*(b.fine.dims+recordTail))
	}
	var front frontCodes
	if b.front != nil {
		front = frontCodes{make([]uint8, rows*b.front.dims), make([]float32, rows), make([]float32, rows)}
	}
	// Buffers are used again: as garbage they would be most of what a build holds.
	type buffers struct{ points, along, y, z, f []float32 }
	n := b.coarse.axes.Rows
	most := n
	if b.front != nil {
		most = max(n, b.front.axes.Rows)
	}
	pool := sync.Pool{New: func() any {
		buf := &buffers{points: make([]float32, block*dim), along: make([]float32, block*most), y: make([]float32, wide)}
		if b.fine != nil {
			buf.z = make([]float32, b.fine.dims)
		}
		if b.front != nil {
			buf.f = make([]float32, b.front.dims)
		}
		return buf
	}}
	parts := (rows + block - 1) / block
	err := inParallel(ctx, o.Threads, parts, func(i int) {
		buf := pool.Get().(*buffers)
		defer pool.Put(buf)
		along, y, z := buf.along, buf.y, buf.z
		from, to := i*block, min(rows, (i+1)*block)
		part := points.points(buf.points, from, to)
		vec.DotMatrix(along, part, b.coarse.axes)
		for j := range part.Rows {
			id := from + j
			copy(y, along[j*n:(j+1)*n])
			slack := b.coarse.coordinates(y, part.Row(j))
			norms[id], errs[id] = b.coarse.encode(codes[id*wide:(id+1)*wide], y, slack)
			if b.fine != nil {
				slack := b.fine.coordinates(z, part.Row(j))
				record := b.record(id)
				norm, err := b.fine.encode(record, z, slack)
				putTail(record[b.fine.dims:], norm, err)
			}
		}
		if b.front == nil {
			return
		}
		m, wide := b.front.axes.Rows, b.front.dims
		vec.DotMatrix(along, part, b.front.axes)
		for j := range part.Rows {
			id := from + j
			copy(buf.f, along[j*m:(j+1)*m])
			slack := b.front.coordinates(buf.f, part.Row(j))
			front.norms[id], front.errs[id] = b.front.encode(front.codes[id*wide:(id+1)*wide], buf.f, slack)
		}
	})
	if err != nil {
		return nil, err
	}
	trees, err := carve(ctx, &space{base: vec.Matrix{Rows: rows, Dim: wide}, metric: vec.L2, scale: 1, codes: codes}, o)
	if err != nil {
		return nil, err
	}
	b.fill(trees, codes, norms, errs, front)
	return b, nil
}

// frontCodes are the front sketches of all rows, while a forest is built.
type frontCodes struct {
	codes       []uint8
	norms, errs []float32
}

// record is the fine sketch of row id.
func (b *bounds) record(id int) []uint8 {
	n := b.fine.dims + recordTail
	return b.records[id*n : (id+1)*n]
}

// fill puts the trees' leaves into blocks.
func (b *bounds) fill(trees []tree, codes []uint8, norms, errs []float32, front frontCodes) {
	wide := b.coarse.dims
	b.leaves, b.total = []int64{0}, int64(len(trees))*int64(len(norms))
	var depths []int32
	for _, t := range trees {
		for i := range t.leaves {
			n := len(t.leaf(i))
			b.sizes = append(b.sizes, int32(n))
			b.leaves = append(b.leaves, b.leaves[len(b.leaves)-1]+int64(inBlocks(n)))
		}
		depths = append(depths, t.depths...)
	}
	b.blocks = vec.NewCodeBlocks(int(b.leaves[len(b.sizes)]), wide)
	b.levels = newLevels(depths, b.sizes, wide)
	centres := newCentring(b)
	nothing := make([]uint8, wide)
	if b.front != nil {
		b.sieve = vec.NewCodeSieve(b.blocks.Len(), b.front.dims)
		b.radii = make([]float32, len(b.sizes))
	}
	sums := make([]int64, wide)
	leaf := 0
	for i := range trees {
		t := &trees[i]
		for l := range t.leaves {
			ids := t.leaf(l)
			slices.Sort(ids)
			clear(sums)
			place := int(b.leaves[leaf]) * vec.CodeBlock
			for _, id := range ids {
				code := codes[int(id)*wide:][:wide]
				b.blocks.Set(place, norms[id], errs[id], uint32(id), code)
				if b.front != nil {
					b.sieve.Set(place, front.norms[id], front.errs[id], front.codes[int(id)*b.front.dims:][:b.front.dims])
				}
				place++
				for c, v := range code {
					sums[c] += int64(v)
				}
			}
			for ; place%vec.CodeBlock != 0; place++ {
				b.blocks.Set(place, far, 0, none, nothing)
				if b.front != nil {
					b.sieve.Set(place, far, 0, front.codes[:b.front.dims])
				}
			}
			row := centres.leaf(leaf, sums, int64(len(ids)))
			if b.front != nil {
				b.radii[leaf] = b.radius(ids, codes, errs, row)
			}
			leaf++
		}
		*t = tree{} // so that the collector can have it
	}
}

// radius bounds how far from the centre, given by its codes, the rows' coordinates lie: a row's codes are a
// whole multiple of the step away, and the row no farther from its codes than its error.
func (b *bounds) radius(ids []int32, codes []uint8, errs []float32, centre []uint8) float32 {
	var most float64
	for _, id := range ids {
		squares := 0
		for j, c := range codes[int(id)*len(centre):][:len(centre)] {
			d := int(c) - int(centre[j])
			squares += d * d
		}
		most = max(most, math.Sqrt(float64(squares))*float64(b.coarse.step)+float64(errs[id]))
	}
	return roundUp(most * (1 + 16*unit))
}

// far is the norm of places that hold nothing: beyond any bound but +Inf.
var far = float32(math.Inf(1))

// inBlocks is how many blocks n places take.
func inBlocks(n int) int { return (n + vec.CodeBlock - 1) / vec.CodeBlock }

// radius returns T such that no point farther than T from the query's has a rank value, as a
// [vec.Ranker] computes it, of at most rank. length is the query's, under InnerProduct. The ranker's sums
// are off by γ as a sketch's are (see there); a rank value of no use gives +Inf.
//
//   - L2: rank is the squared distance in the base's own scale. Products may underflow, to an error of
//     half the smallest float32 each.
//   - Cosine: half the squared distance of the points themselves, unless one vector is zero: then the
//     points' distance is at most 1, and rank 1 is more than the half of that.
//   - InnerProduct: both points have length 1 and the product x·q/(most·length), up to 1e-5 for each
//     length that went into it. Where most·length is beyond a float32, so may parts of the product be,
//     and rank says nothing.
func (f *Forest) radius(rank float32, length float64) float64 {
	if !(math.Abs(float64(rank)) <= math.MaxFloat32) {
		return math.Inf(1)
	}
	r, g := float64(rank), gamma(f.base.Dim)
	underflow := float64(f.base.Dim) * 0x1p-148
	switch f.metric {
	case vec.L2:
		return math.Sqrt(r*(1+2*g)+underflow)*f.bounds.scale + 1e-15
	case vec.Cosine:
		return math.Sqrt(2*r*(1+2*g)) + 8*unit
	default:
		whole := f.bounds.most * length
		if !(whole > 0) || whole > math.MaxFloat32 {
			return math.Inf(1)
		}
		return math.Sqrt(max(0, 2+2*(r+underflow)/whole+3e-4+4*g))
	}
}
