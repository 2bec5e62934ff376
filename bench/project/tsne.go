package project

import (
	"context"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"

	"gonum.org/v1/gonum/mat"
)

const (
	defaultPerplexity = 30.0
	defaultIterations = 750 // the picture of 3,000 points stands still from about 500 on

	exaggeration  = 12.0 // of the attraction, in the first iterations (van der Maaten 2014)
	exaggerated   = 250
	startMomentum = .5
	momentum      = .8
	leastGain     = .01
	startSpread   = 1e-4 // standard deviation of the first coordinate at the start
	theta         = .5   // how coarse far groups are seen: sizes over distances below it are one point
)

// perplexity is the configured one, or what so few points allow.
func (c Config) perplexity(points int) float64 {
	p := c.Perplexity
	if p <= 0 {
		p = defaultPerplexity
	}
	return max(1, min(p, float64(points-1)/3))
}

// layout puts points onto a plane so that near ones stay near: t-distributed stochastic neighbour embedding (van der
// Maaten and Hinton, JMLR 2008) with the Barnes-Hut approximation (van der Maaten, JMLR 2014), begun from start, the
// principal components, and with a learning rate in proportion to the number of points (Kobak and Berens, Nature
// Communications 2019; Belkina et al., 2019). Of near, the Euclidean neighbours, three times perplexity are used. The
// outcome is near.n × 2, centred; the same on one machine for the same input, whatever the number of processors. Sizes
// of groups and distances between them mean nothing.
//
// No library is used: the Go ones draw from a global source of chance, compare all pairs, or are not available as a
// module.
func layout(ctx context.Context, near *lists, start *mat.Dense, perplexity float64, c Config) (*mat.Dense, error) {
	iterations := c.Iterations
	if iterations <= 0 {
		iterations = defaultIterations
	}
	n := near.n
	t := &tsne{
		n: n, p: affinities(near, perplexity), workers: runtime.GOMAXPROCS(0),
		y: make([]point, n), force: make([]point, n), away: make([]point, n), z: make([]float64, n),
		step: make([]point, n), gain: slices.Repeat([]point{{1, 1}}, n),
	}
	spread := 0.0
	for i := range n {
		spread += start.At(i, 0) * start.At(i, 0) / float64(n)
	}
	scale := startSpread / max(math.Sqrt(spread), 1e-300)
	r := rand.New(rand.NewPCG(c.Seed, 0x74736e65))
	for i := range n {
		// A hundredth of chance parts what the components put on one spot.
		t.y[i] = point{
			start.At(i, 0)*scale + startSpread/100*r.NormFloat64(),
			start.At(i, 1)*scale + startSpread/100*r.NormFloat64(),
		}
	}
	rate := max(float64(n)/exaggeration/4, 50)
	for i := range iterations {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if i < min(exaggerated, iterations/3) {
			t.move(rate, startMomentum, exaggeration)
		} else {
			t.move(rate, momentum, 1)
		}
		if c.Progress != nil {
			c.Progress(i+1, iterations)
		}
	}
	out := mat.NewDense(n, 2, nil)
	for i, p := range t.y {
		out.Set(i, 0, p.x)
		out.Set(i, 1, p.y)
	}
	return out, nil
}

type point struct{ x, y float64 }

// tsne is the state of the iteration.
type tsne struct {
	n       int
	workers int
	p       graph
	y       []point
	tree    quadtree

	force, away []point   // attraction, and repulsion before it is divided by the sum of z
	z           []float64 // each point's part of the normalisation
	step, gain  []point
}

// graph is a symmetric matrix by rows.
type graph struct {
	from []int32 // of row i: from[i] to from[i+1]
	to   []int32
	p    []float64 // all of them add up to 1
}

// affinities are the probabilities that points are neighbours: Gaussian around each, as wide as gives
// the perplexity, made symmetric.
func affinities(near *lists, perplexity float64) graph {
	n, k := near.n, min(near.k, max(1, int(3*perplexity)))
	forward := make([]float64, n*k)
	for i := range n {
		_, d2 := near.row(i)
		gaussian(forward[i*k:(i+1)*k], d2[:k], math.Log(min(perplexity, float64(k))))
	}
	type edge struct {
		to int32
		p  float64
	}
	rows := make([][]edge, n)
	for i := range n {
		id, _ := near.row(i)
		for j, to := range id[:k] {
			p := forward[i*k+j] / float64(2*n)
			rows[i] = append(rows[i], edge{to, p})
			rows[to] = append(rows[to], edge{int32(i), p})
		}
	}
	g := graph{from: make([]int32, 1, n+1)}
	for _, row := range rows {
		slices.SortStableFunc(row, func(a, b edge) int { return int(a.to - b.to) })
		for j, e := range row {
			if j > 0 && row[j-1].to == e.to {
				g.p[len(g.p)-1] += e.p
				continue
			}
			g.to, g.p = append(g.to, e.to), append(g.p, e.p)
		}
		g.from = append(g.from, int32(len(g.to)))
	}
	return g
}

// gaussian fills p with exp(-beta d2), scaled to the sum 1, with beta chosen by bisection so that the
// entropy is as wanted.
func gaussian(p, d2 []float64, entropy float64) {
	mean := 0.0
	for _, d := range d2 {
		mean += (d - d2[0]) / float64(len(d2))
	}
	if !(mean > 0) { // all at one distance: no beta tells them apart
		for i := range p {
			p[i] = 1 / float64(len(p))
		}
		return
	}
	lo, hi, beta := 0.0, math.Inf(1), 1/mean
	for range 100 {
		sum, weighted := 0.0, 0.0
		for i, d := range d2 {
			p[i] = math.Exp(-beta * (d - d2[0])) // the nearest has 1: nothing underflows
			sum += p[i]
			weighted += p[i] * (d - d2[0])
		}
		h := math.Log(sum) + beta*weighted/sum
		for i := range p {
			p[i] /= sum
		}
		switch {
		case math.Abs(h-entropy) < 1e-6:
			return
		case h > entropy:
			lo = beta
			if math.IsInf(hi, 1) {
				beta *= 2
			} else {
				beta = (lo + hi) / 2
			}
		default:
			hi = beta
			beta = (lo + hi) / 2
		}
	}
}

// move does one step of gradient descent with momentum and gains.
func (t *tsne) move(rate, momentum, exaggeration float64) {
	t.forces(theta)
	sum := 0.0
	for _, z := range t.z { // in order, so that the number of workers does not show
		sum += z
	}
	var mean point
	for i := range t.n {
		// The gradient is 4 (attraction - repulsion).
		gx := 4 * (exaggeration*t.force[i].x - t.away[i].x/sum)
		gy := 4 * (exaggeration*t.force[i].y - t.away[i].y/sum)
		g, s := &t.gain[i], &t.step[i]
		g.x, g.y = gained(g.x, gx, s.x), gained(g.y, gy, s.y)
		s.x = momentum*s.x - rate*g.x*gx
		s.y = momentum*s.y - rate*g.y*gy
		t.y[i].x += s.x
		t.y[i].y += s.y
		mean.x += t.y[i].x / float64(t.n)
		mean.y += t.y[i].y / float64(t.n)
	}
	for i := range t.y {
		t.y[i].x -= mean.x
		t.y[i].y -= mean.y
	}
}

// gained is the gain after a step: more while the direction stays, less once it turns.
func gained(gain, gradient, step float64) float64 {
	if (gradient > 0) != (step > 0) {
		return gain + .2
	}
	return max(leastGain, gain*.8)
}

// forces computes attraction, repulsion and normalisation of every point.
func (t *tsne) forces(theta float64) {
	t.tree.build(t.y)
	var wait sync.WaitGroup
	chunk := (t.n + t.workers - 1) / t.workers
	for from := 0; from < t.n; from += chunk {
		wait.Go(func() {
			for i := from; i < min(from+chunk, t.n); i++ {
				t.away[i], t.z[i] = t.tree.repulsion(t.y[i], theta)
				var f point
				for e := t.p.from[i]; e < t.p.from[i+1]; e++ {
					o := t.y[t.p.to[e]]
					dx, dy := t.y[i].x-o.x, t.y[i].y-o.y
					w := t.p.p[e] / (1 + dx*dx + dy*dy)
					f.x += w * dx
					f.y += w * dy
				}
				t.force[i] = f
			}
		})
	}
	wait.Wait()
}

// quadtree groups points by squares within squares.
type quadtree struct {
	nodes []node
}

type node struct {
	sum    point   // of the points in it; their mean is what is seen from afar
	centre point   // of the square
	half   float64 // of its side
	count  int32
	child  [4]int32 // 0 is none; the root is nobody's child
	leaf   bool
}

// maxDepth ends the division where points lie on one spot, or closer than float64 can part.
const maxDepth = 48

func (q *quadtree) build(points []point) {
	lo, hi := point{math.Inf(1), math.Inf(1)}, point{math.Inf(-1), math.Inf(-1)}
	for _, p := range points {
		lo = point{min(lo.x, p.x), min(lo.y, p.y)}
		hi = point{max(hi.x, p.x), max(hi.y, p.y)}
	}
	q.nodes = append(q.nodes[:0], node{
		centre: point{(lo.x + hi.x) / 2, (lo.y + hi.y) / 2},
		half:   max(hi.x-lo.x, hi.y-lo.y)/2*(1+1e-9) + 1e-300, leaf: true,
	})
	for _, p := range points {
		q.insert(p)
	}
}

func (q *quadtree) insert(p point) {
	at := int32(0)
	for depth := 0; ; depth++ {
		n := &q.nodes[at]
		if n.leaf && n.count > 0 && depth < maxDepth {
			// What is in the leaf, all on one spot, moves a square down.
			old := point{n.sum.x / float64(n.count), n.sum.y / float64(n.count)}
			if old != p {
				count := n.count
				n.leaf = false
				c := q.down(at, old)
				q.nodes[c].count, q.nodes[c].sum = count, point{old.x * float64(count), old.y * float64(count)}
				n = &q.nodes[at] // down may have moved it
			}
		}
		n.count++
		n.sum.x += p.x
		n.sum.y += p.y
		if n.leaf {
			return
		}
		at = q.down(at, p)
	}
}

// down is the child of a node that a point belongs in; it is made if it is not there.
func (q *quadtree) down(at int32, p point) int32 {
	n := &q.nodes[at]
	k := 0
	centre, half := n.centre, n.half/2
	if p.x > centre.x {
		k = 1
		centre.x += half
	} else {
		centre.x -= half
	}
	if p.y > centre.y {
		k += 2
		centre.y += half
	} else {
		centre.y -= half
	}
	if n.child[k] == 0 {
		n.child[k] = int32(len(q.nodes))
		q.nodes = append(q.nodes, node{centre: centre, half: half, leaf: true})
	}
	return q.nodes[at].child[k]
}

// repulsion is what all others push p by, times the normalisation, and p's part of that: the sums of
// w² (p - o) and of w over the others o, with w = 1 / (1 + |p - o|²).
func (q *quadtree) repulsion(p point, theta float64) (away point, z float64) {
	var stack [4*maxDepth + 4]int32
	depth := 1 // the root
	for depth > 0 {
		depth--
		n := &q.nodes[stack[depth]]
		count := float64(n.count)
		dx, dy := p.x-n.sum.x/count, p.y-n.sum.y/count
		d2 := dx*dx + dy*dy
		if n.leaf || 4*n.half*n.half < theta*theta*d2 {
			w := 1 / (1 + d2)
			z += count * w
			away.x += count * w * w * dx
			away.y += count * w * w * dy
			continue
		}
		for _, c := range n.child {
			if c != 0 {
				stack[depth] = c
				depth++
			}
		}
	}
	return away, z - 1 // p itself was among them, at distance 0
}
