package project

import (
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"annbench/indexes/vec"
)

const (
	spareColumns = 8    // beyond those asked for: the subspace converges as fast as what follows it falls off
	mostSweeps   = 300  // of the iteration, where eigenvalues lie close together
	pcaTolerance = 1e-7 // change of an eigenvalue in a sweep, relative to the largest
)

// PCA returns the coordinates of the rows of x along the first k principal components, a matrix of
// x.Rows × k, and the share of the variance that each explains. Components beyond the rank of x are 0.
// Each points where its largest loading is positive, so that the same x always gives the same picture.
//
// The eigenvectors of the covariance come by subspace iteration (Halko, Martinsson and Tropp, SIAM
// Review 2011, with power iterations until the eigenvalues stand): full decompositions take 15 seconds
// at 1024 dimensions. Where there are fewer rows than dimensions the same is done on the matrix of
// inner products of the rows.
func PCA(x vec.Matrix, k int) (points *mat.Dense, share []float64) {
	points, share = mat.NewDense(x.Rows, k, nil), make([]float64, k)
	centred := centre(x)
	var s mat.SymDense
	dual := x.Rows < x.Dim
	if dual {
		s.SymOuterK(1, centred)
	} else {
		s.SymOuterK(1, centred.T())
	}
	total := mat.Trace(&s)
	if !(total > 0) {
		return points, share
	}
	rank := min(k, s.SymmetricDim())
	values, vectors := leading(&s, rank)
	var axes mat.Dense // Dim × rank, not of length 1 in the dual
	if dual {
		axes.Mul(centred.T(), vectors)
	} else {
		axes.CloneFrom(vectors)
	}
	var along mat.Dense
	along.Mul(centred, &axes)
	for c := range rank {
		if !(values[c] > total*1e-12) {
			continue
		}
		share[c] = values[c] / total
		length, largest := 0.0, 0.0
		for r := range x.Dim {
			v := axes.At(r, c)
			length += v * v
			if math.Abs(v) > math.Abs(largest) {
				largest = v
			}
		}
		scale := math.Copysign(1/math.Sqrt(length), largest)
		for r := range x.Rows {
			points.Set(r, c, along.At(r, c)*scale)
		}
	}
	return points, share
}

// centre is x less the mean of its rows.
func centre(x vec.Matrix) *mat.Dense {
	mean := make([]float64, x.Dim)
	for i := range x.Rows {
		for j, v := range x.Row(i) {
			mean[j] += float64(v) / float64(x.Rows)
		}
	}
	out := mat.NewDense(x.Rows, x.Dim, nil)
	for i := range x.Rows {
		row := out.RawRowView(i)
		for j, v := range x.Row(i) {
			row[j] = float64(v) - mean[j]
		}
	}
	return out
}

// leading are the k largest eigenvalues of a positive semidefinite matrix, falling, with their
// eigenvectors as columns.
func leading(s *mat.SymDense, k int) ([]float64, *mat.Dense) {
	n := s.SymmetricDim()
	columns := min(n, k+spareColumns)
	r := rand.New(rand.NewPCG(1, 0x706361)) // where it begins decides nothing but the number of sweeps
	q := mat.NewDense(n, columns, nil)
	for i := range n {
		for j := range columns {
			q.Set(i, j, r.NormFloat64())
		}
	}
	orthonormal(q)
	values := make([]float64, columns)
	var product, small, turned mat.Dense
	for range mostSweeps {
		product.Mul(s, q)
		small.Mul(q.T(), &product)
		var eigen mat.EigenSym
		if !eigen.Factorize(symmetric(&small), true) {
			break // of a finite matrix this does not happen; what there is is orthonormal
		}
		rising := eigen.Values(nil)
		var vectors mat.Dense
		eigen.VectorsTo(&vectors)
		falling := mat.NewDense(columns, columns, nil)
		moved := 0.0
		for c := range columns {
			if c < k {
				moved = max(moved, math.Abs(rising[columns-1-c]-values[c]))
			}
			values[c] = rising[columns-1-c]
			for i := range columns {
				falling.Set(i, c, vectors.At(i, columns-1-c))
			}
		}
		turned.Mul(q, falling)
		if moved <= pcaTolerance*values[0] {
			break
		}
		product.Mul(s, &turned)
		q.Copy(&product)
		orthonormal(q)
	}
	return values[:k], mat.DenseCopyOf(turned.Slice(0, n, 0, k))
}

func symmetric(a *mat.Dense) *mat.SymDense {
	n, _ := a.Dims()
	out := mat.NewSymDense(n, nil)
	for i := range n {
		for j := i; j < n; j++ {
			out.SetSym(i, j, (a.At(i, j)+a.At(j, i))/2)
		}
	}
	return out
}

// orthonormal makes the columns of q orthonormal, by modified Gram-Schmidt done twice (Giraud et al.,
// 2005: twice is enough). A column that depends on those before it becomes 0. gonum's QR would form all
// of the square factor.
func orthonormal(q *mat.Dense) {
	rows, columns := q.Dims()
	t := mat.DenseCopyOf(q.T()) // columns as rows of memory
	for c := range columns {
		v := t.RawRowView(c)
		before := floats.Norm(v, 2)
		for range 2 {
			for d := range c {
				floats.AddScaled(v, -floats.Dot(v, t.RawRowView(d)), t.RawRowView(d))
			}
		}
		if norm := floats.Norm(v, 2); norm > 1e-13*before && norm > 0 {
			floats.Scale(1/norm, v)
		} else {
			clear(v)
		}
	}
	for c := range columns {
		for r := range rows {
			q.Set(r, c, t.At(c, r))
		}
	}
}
