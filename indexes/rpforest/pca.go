package rpforest

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"

	"annbench/indexes/vec"
)

// How the axes are found: subspace iteration on a sample (Halko, Martinsson and Tropp, Finding structure
// with randomness, SIAM Review 2011). Four rounds leave the variance that the axes hold within 1 % of
// what twenty find, on vectors like photographs' embeddings.
const (
	sampleRows = 2048
	rounds     = 4
)

// inParallel calls f for all i < n from so many goroutines, until all are done or ctx ends. f must not
// depend on the order of the calls, nor on the goroutine: then neither does the outcome.
func inParallel(ctx context.Context, threads, n int, f func(i int)) error {
	var next atomic.Int64
	var wait sync.WaitGroup
	for range min(max(1, threads), n) {
		wait.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n || ctx.Err() != nil {
					return
				}
				f(i)
			}
		})
	}
	wait.Wait()
	return context.Cause(ctx)
}

// sample returns at most sampleRows points, drawn at random where there are more rows.
func (s *space) sample(seed uint64) vec.Matrix {
	n := min(s.base.Rows, sampleRows)
	rng := rand.New(rand.NewPCG(seed, 1<<32))
	m := vec.NewMatrix(n, s.dim())
	for i := range n {
		id := i
		if n < s.base.Rows {
			id = rng.IntN(s.base.Rows)
		}
		s.point(m.Row(i), int32(id)) // a zero vector stays the origin
	}
	return m
}

// centre takes the mean off every row of m, and returns it.
func centre(m vec.Matrix) []float32 {
	sums := make([]float64, m.Dim)
	for i := range m.Rows {
		for j, x := range m.Row(i) {
			sums[j] += float64(x)
		}
	}
	mean := make([]float32, m.Dim)
	for j := range mean {
		mean[j] = float32(sums[j] / float64(m.Rows))
	}
	for i := range m.Rows {
		row := m.Row(i)
		for j := range row {
			row[j] -= mean[j]
		}
	}
	return mean
}

func transpose(m vec.Matrix) vec.Matrix {
	const side = 16 // of the squares that are turned at once, so that lines of the cache are used up
	t := vec.NewMatrix(m.Dim, m.Rows)
	for from := 0; from < m.Rows; from += side {
		for left := 0; left < m.Dim; left += side {
			for i := from; i < min(from+side, m.Rows); i++ {
				row := m.Row(i)
				for j := left; j < min(left+side, m.Dim); j++ {
					t.Data[j*m.Rows+i] = row[j]
				}
			}
		}
	}
	return t
}

// product returns the dot products of the rows of a and b. Every one is computed on its own, so the
// number of threads does not show.
func product(ctx context.Context, threads int, a, b vec.Matrix) (vec.Matrix, error) {
	const rows = 64
	out := vec.NewMatrix(a.Rows, b.Rows)
	err := inParallel(ctx, threads, (a.Rows+rows-1)/rows, func(i int) {
		part := a.Slice(i*rows, min(a.Rows, (i+1)*rows))
		vec.DotMatrix(out.Data[i*rows*b.Rows:], part, b)
	})
	return out, err
}

// principal returns n orthonormal rows that span the directions in which the rows of the centred
// sample vary most, turned at random among themselves: that evens out their variances, so that one
// step fits the codes of all. n must be less than the number of dimensions.
func principal(ctx context.Context, threads int, sample vec.Matrix, n int, seed uint64) (vec.Matrix, error) {
	rng := rand.New(rand.NewPCG(seed, 1<<33))
	axes := vec.NewMatrix(n, sample.Dim)
	orthonormalize(axes, rng)
	across := transpose(sample)
	for range rounds {
		along, err := product(ctx, threads, sample, axes)
		if err != nil {
			return axes, err
		}
		if axes, err = product(ctx, threads, transpose(along), across); err != nil {
			return axes, err
		}
		orthonormalize(axes, rng)
	}
	turn := vec.NewMatrix(n, n)
	orthonormalize(turn, rng)
	return product(ctx, threads, turn, transpose(axes))
}

// orthonormalize makes the rows of m orthonormal, by Gram and Schmidt's method done twice. A row that
// the ones before it span is replaced by a random one.
func orthonormalize(m vec.Matrix, rng *rand.Rand) {
	for i := range m.Rows {
		row := m.Row(i)
		for {
			before := vec.Norm(row)
			scaleBy(row, 1/before)
			for range 2 {
				for j := range i {
					subtract(row, m.Row(j), vec.Dot(row, m.Row(j)))
				}
			}
			// What is left of a unit vector after the others are taken off; below 1e-3 it is mostly
			// rounding errors. A NaN, from a row of zeros, is replaced as well.
			after := vec.Norm(row)
			if after > 1e-3 {
				scaleBy(row, 1/after)
				break
			}
			for j := range row {
				row[j] = float32(rng.NormFloat64())
			}
		}
	}
}

func scaleBy(a []float32, s float64) {
	for i, x := range a {
		a[i] = float32(float64(x) * s)
	}
}

// subtract takes s times b off a.
func subtract(a, b []float32, s float32) {
	b = b[:len(a)]
	for i, x := range a {
		a[i] = x - float32(s*b[i])
	}
}

// skew bounds how far, in operator norm, the rows of m are from rows that are exactly orthonormal: the
// nearest are (m·mᵀ)^(-1/2)·m, at a distance of max |1 - σ| over m's singular values σ, which is at most
// max |1 - σ²|, the operator norm of m·mᵀ - 1, which is at most its Frobenius norm.
func skew(m vec.Matrix) float64 {
	var sum float64
	for i := range m.Rows {
		for j := range i + 1 {
			var d float64
			b := m.Row(j)
			for l, x := range m.Row(i) {
				d += float64(x) * float64(b[l])
			}
			if i == j {
				sum += (d - 1) * (d - 1)
			} else {
				sum += 2 * d * d
			}
		}
	}
	return math.Sqrt(sum)
}

// widest returns the n components of the sample that vary most, in rising order.
func widest(sample vec.Matrix, n int) []int32 {
	sums := make([]float64, sample.Dim)
	for i := range sample.Rows {
		for j, x := range sample.Row(i) {
			sums[j] += float64(x) * float64(x)
		}
	}
	picks := make([]int32, sample.Dim)
	for j := range picks {
		picks[j] = int32(j)
	}
	slices.SortStableFunc(picks, func(a, b int32) int {
		switch {
		case sums[a] > sums[b]:
			return -1
		case sums[a] < sums[b]:
			return 1
		}
		return 0
	})
	picks = picks[:n]
	slices.Sort(picks)
	return picks
}
