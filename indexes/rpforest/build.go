package rpforest

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"

	"annbench/indexes/vec"
)

// How a node is split, after Annoy (annoylib.h: two_means, _make_tree).
const (
	steps    = 200 // of 2-means
	attempts = 3   // to find a cut whose larger side has at most the share lopsided
	lopsided = 0.95
	hopeless = 0.99 // the share up to which the last attempt is taken; beyond it the halves are random
)

// tree is one tree while the forest is built; references and places are its own.
type tree struct {
	root     int32
	normals  []float32
	offsets  []float32
	extras   []float32
	children [][2]int32
	leaves   []int   // where each leaf begins in ids
	depths   []int32 // of a carved tree, of the cut where each leaf begins, the root's being 0; -1 for the first leaf
	ids      []int32
}

// leaf returns the ids of leaf i, as long as leaves are in the order of their places.
func (t *tree) leaf(i int) []int32 {
	to := len(t.ids)
	if i+1 < len(t.leaves) {
		to = t.leaves[i+1]
	}
	return t.ids[t.leaves[i]:to]
}

// grow builds the trees, each from a generator of its own, so that it does not matter which thread
// takes which.
func grow(ctx context.Context, s *space, o Options) ([]tree, error) {
	trees := make([]tree, o.Trees)
	growers := sync.Pool{New: func() any { return newGrower(ctx, s, o.LeafSize) }}
	err := inParallel(ctx, o.Threads, o.Trees, func(i int) {
		g := growers.Get().(*grower)
		defer growers.Put(g)
		g.rng = rand.New(rand.NewPCG(o.Seed, uint64(i)))
		trees[i] = g.tree()
	})
	return trees, err
}

// block rows are given to a kernel at once.
const block = 256

// carve cuts the points of s into leaves again and again, for each tree, without keeping the cuts: of
// the trees only leaves, their depths and ids are set. Every node has a generator of its own, so that any thread may
// take it.
func carve(ctx context.Context, s *space, o Options) ([]tree, error) {
	growers := sync.Pool{New: func() any { return newGrower(ctx, s, o.LeafSize) }}
	free := make(chan struct{}, o.Threads) // threads that are at work
	var wait sync.WaitGroup
	var mu sync.Mutex
	trees := make([]tree, o.Trees)
	// worthwhile is the size of a part that is given to another thread.
	const worthwhile = 2000
	type leaf struct {
		from  int
		depth int32
	}
	leaves := make([][]leaf, o.Trees)
	var node func(g *grower, tree int, depth int32, first leaf, to int)
	node = func(g *grower, tree int, depth int32, first leaf, to int) {
		t := &trees[tree]
		for ; to-first.from > o.LeafSize && ctx.Err() == nil; depth++ {
			g.rng = rand.New(rand.NewPCG(o.Seed^uint64(tree)<<40, uint64(first.from)<<32|uint64(to)))
			middle := first.from + g.split(t.ids[first.from:to])
			left, depth := first, depth+1
			first = leaf{middle, depth - 1}
			if middle-left.from >= worthwhile {
				select {
				case free <- struct{}{}:
					wait.Go(func() {
						g := growers.Get().(*grower)
						node(g, tree, depth, left, middle)
						growers.Put(g)
						<-free
					})
					continue
				default:
				}
			}
			node(g, tree, depth, left, middle)
		}
		mu.Lock()
		leaves[tree] = append(leaves[tree], first)
		mu.Unlock()
	}
	for i := range trees {
		t := &trees[i]
		t.ids = make([]int32, s.base.Rows)
		for j := range t.ids {
			t.ids[j] = int32(j)
		}
		free <- struct{}{}
		wait.Go(func() {
			g := growers.Get().(*grower)
			node(g, i, 0, leaf{0, -1}, len(t.ids))
			growers.Put(g)
			<-free
		})
	}
	wait.Wait()
	for i := range trees {
		slices.SortFunc(leaves[i], func(a, b leaf) int { return a.from - b.from })
		for _, l := range leaves[i] {
			trees[i].leaves = append(trees[i].leaves, l.from)
			trees[i].depths = append(trees[i].depths, l.depth)
		}
	}
	return trees, context.Cause(ctx)
}

// grower is what one thread builds trees with.
type grower struct {
	*space
	ctx      context.Context
	leafSize int
	rng      *rand.Rand
	t        tree

	p, q, x []float32 // points
	normal  []float32 // of dim() components
	offset  float32
	margins [block]float32
	right   []int32

	turned          []int8 // the normal, where points are codes
	dots            [block]int32
	nearer, farther []float32 // where points are codes, the distances from the cut, left and right of it
	places          []int
}

func newGrower(ctx context.Context, s *space, leafSize int) *grower {
	points := vec.NewMatrix(4, s.dim())
	g := &grower{
		space: s, ctx: ctx, leafSize: leafSize,
		p: points.Row(0), q: points.Row(1), x: points.Row(2), normal: points.Row(3),
		right:  make([]int32, 0, s.base.Rows),
		turned: make([]int8, len(s.codes)/max(1, s.base.Rows)),
	}
	if s.codes != nil {
		g.nearer, g.farther = make([]float32, s.base.Rows), make([]float32, s.base.Rows)
	}
	return g
}

// tree grows one tree.
func (g *grower) tree() tree {
	g.t = tree{ids: make([]int32, g.base.Rows)}
	for i := range g.t.ids {
		g.t.ids[i] = int32(i)
	}
	g.t.root = g.node(0, len(g.t.ids))
	return g.t
}

// node makes a node of ids[from:to] and all below it, and returns a reference. Leaves come in the
// order of their places.
func (g *grower) node(from, to int) int32 {
	if to-from <= g.leafSize || g.ctx.Err() != nil {
		g.t.leaves = append(g.t.leaves, from)
		return ^int32(len(g.t.leaves) - 1)
	}
	middle := from + g.split(g.t.ids[from:to])
	dim := g.base.Dim
	cut := int32(len(g.t.offsets))
	g.t.normals = append(g.t.normals, g.normal[:dim]...)
	g.t.offsets = append(g.t.offsets, g.offset)
	if g.metric == vec.InnerProduct {
		g.t.extras = append(g.t.extras, g.normal[dim])
	}
	g.t.children = append(g.t.children, [2]int32{})
	left := g.node(from, middle)
	right := g.node(middle, to)
	g.t.children[cut] = [2]int32{left, right}
	return cut
}

// split finds a cut, leaves it in g.normal and g.offset, and brings ids into the order of its sides.
// It returns how many stand on the left, neither none nor all. len(ids) must be at least 2.
func (g *grower) split(ids []int32) int {
	for attempt := range attempts {
		g.cut(ids)
		left := g.partition(ids)
		larger := max(left, len(ids)-left)
		enough := lopsided
		if attempt == attempts-1 {
			enough = hopeless
		}
		if larger < len(ids) && float64(larger) <= enough*float64(len(ids)) {
			return g.whole(ids, left)
		}
	}
	g.rng.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
	clear(g.normal)
	g.offset = 0
	if g.codes != nil {
		clear(g.nearer[:len(ids)])
		clear(g.farther[:len(ids)])
	}
	return g.whole(ids, len(ids)/2)
}

// cut runs 2-means over ids and puts the plane half-way between the means.
func (g *grower) cut(ids []int32) {
	clear(g.normal)
	clear(g.turned)
	g.offset = 0
	i := g.rng.IntN(len(ids))
	j := g.rng.IntN(len(ids) - 1)
	if j >= i {
		j++
	}
	if !g.point(g.p, ids[i]) || !g.point(g.q, ids[j]) {
		return // a zero vector has no direction: every margin is 0, and the sides are random
	}
	var (
		np, nq = 1, 1
		lp, lq = float32(1), float32(1) // the means' lengths, where they matter
	)
	for range steps {
		id := ids[g.rng.IntN(len(ids))]
		if !g.point(g.x, id) {
			continue
		}
		// Annoy weighs the distances by the sizes, which keeps the two balanced.
		var dp, dq float32
		if g.metric == vec.L2 {
			dp, dq = vec.SquaredL2(g.p, g.x), vec.SquaredL2(g.q, g.x)
		} else {
			dp, dq = angle(g.p, g.x, lp), angle(g.q, g.x, lq)
		}
		dp, dq = dp*float32(np), dq*float32(nq)
		switch {
		case dp < dq:
			average(g.p, g.x, np)
			np++
			if g.metric != vec.L2 {
				lp = float32(vec.Norm(g.p))
			}
		case dq < dp:
			average(g.q, g.x, nq)
			nq++
			if g.metric != vec.L2 {
				lq = float32(vec.Norm(g.q))
			}
		}
	}
	if g.metric != vec.L2 {
		shrink(g.p, lp)
		shrink(g.q, lq)
	}
	for i, p := range g.p {
		g.normal[i] = p - g.q[i]
	}
	length := vec.Norm(g.normal)
	if length == 0 {
		return
	}
	inverse := 1 / length
	for i, v := range g.normal {
		g.normal[i] = float32(float64(v) * inverse)
	}
	if g.metric == vec.L2 {
		var sum float64
		for i, v := range g.normal {
			sum += float64(v) * (float64(g.p[i]) + float64(g.q[i]))
		}
		g.offset = float32(-sum / 2 / g.scale)
	}
	if g.codes != nil {
		g.turn()
	}
}

// turn makes the cut one of codes: the normal in signed bytes, and the offset for sums over raised codes
// such that it still lies half-way between the means.
func (g *grower) turn() {
	scale := 127 / magnitude(g.normal)
	var sum, codes float64
	for i, v := range g.normal {
		q := nearestInt(v * scale)
		g.turned[i] = int8(q)
		sum += float64(q) * (float64(g.p[i]) + float64(g.q[i]))
		codes += float64(q)
	}
	g.offset = float32(-sum/2 - 128*codes)
}

// angle is 1 - cos of the angle between a mean of the given length and a point of length 1.
func angle(mean, x []float32, length float32) float32 {
	if length == 0 {
		return 1
	}
	return 1 - vec.Dot(mean, x)/length
}

// average moves the mean of n points to that of n+1, x being the new one.
func average(mean, x []float32, n int) {
	old, share := float32(n)/float32(n+1), 1/float32(n+1)
	x = x[:len(mean)]
	for i, m := range mean {
		mean[i] = m*old + x[i]*share
	}
}

func shrink(mean []float32, length float32) {
	if length == 0 {
		return
	}
	for i := range mean {
		mean[i] /= length
	}
}

// partition brings ids into the order left, right of the cut, and returns how many are left. A vector
// on the cut goes either way.
func (g *grower) partition(ids []int32) int {
	g.right = g.right[:0]
	left := 0
	dim := g.base.Dim
	for from := 0; from < len(ids); from += block {
		part := ids[from:min(from+block, len(ids))]
		margins := g.margins[:len(part)]
		if g.codes == nil {
			vec.DotScattered(margins, g.normal[:dim], g.base, part)
		} else {
			vec.DotCodesScattered(g.dots[:len(part)], g.turned, g.codes, dim, part)
			for i, dot := range g.dots[:len(part)] {
				margins[i] = float32(dot)
			}
		}
		for i, margin := range margins {
			id := part[i]
			margin += g.offset
			if g.metric == vec.InnerProduct {
				margin += g.normal[dim] * float32(g.extra[id])
			}
			if margin > 0 || !(margin < 0) && g.rng.Uint64()&1 == 1 { // NaN, beyond float32, is on the cut
				if g.codes != nil {
					g.farther[len(g.right)] = margin
				}
				g.right = append(g.right, id)
				continue
			}
			ids[left] = id
			if g.codes != nil {
				g.nearer[left] = -margin
			}
			left++
		}
	}
	copy(ids[left:], g.right)
	return left
}

// whole moves the cut, and with it those vectors that lie nearest to it, such that the left side fills whole blocks:
// then all leaves do but the last. partition has left the distances from the cut.
func (g *grower) whole(ids []int32, left int) int {
	if g.codes == nil || len(ids) <= vec.CodeBlock || g.leafSize < vec.CodeBlock {
		return left
	}
	want := (left + vec.CodeBlock/2) / vec.CodeBlock * vec.CodeBlock
	want = min(max(want, vec.CodeBlock), (len(ids)-1)/vec.CodeBlock*vec.CodeBlock)
	switch {
	case want > left:
		for i, at := range g.smallest(g.farther[:len(ids)-left], want-left) {
			ids[left+i], ids[left+at] = ids[left+at], ids[left+i]
		}
	case want < left:
		places := g.smallest(g.nearer[:left], left-want)
		for i := range places {
			at := places[len(places)-1-i]
			ids[left-1-i], ids[at] = ids[at], ids[left-1-i]
		}
	}
	return want
}

// smallest returns the places of the n smallest numbers, in rising order, until the next call; of equal ones the first.
// n is small.
func (g *grower) smallest(a []float32, n int) []int {
	places := g.places[:0]
	for i, x := range a {
		if len(places) == n {
			if !(x < a[places[n-1]]) {
				continue
			}
			places = places[:n-1]
		}
		j := len(places)
		places = append(places, i)
		for ; j > 0 && x < a[places[j-1]]; j-- {
			places[j] = places[j-1]
		}
		places[j] = i
	}
	slices.Sort(places)
	g.places = places
	return places
}
