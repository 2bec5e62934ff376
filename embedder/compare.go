package embedder

import (
	"context"
	"fmt"
	"runtime"

	"annbench/indexes/vec"
)

// NeighboursKept says what a change of the vectors does to search by cosine: the share of each row's k
// nearest others in was that are among its k nearest in is, averaged over the rows (recall@k, of is
// against was). Row i of both is the same picture. As everywhere in annbench, a neighbour in is counts
// when it is no farther in was than the k-th, by a billionth: ties are not held against it.
//
// It is an error if the two differ in shape, or have k rows or fewer.
func NeighboursKept(ctx context.Context, was, is vec.Matrix, k int) (float64, error) {
	if was.Rows != is.Rows || was.Dim != is.Dim || k < 1 || was.Rows <= k {
		return 0, fmt.Errorf("comparing the %d nearest among %d × %d and %d × %d vectors", k, was.Rows, was.Dim, is.Rows, is.Dim)
	}
	near := func(m vec.Matrix) ([]vec.Neighbor, error) {
		return vec.Exact(ctx, m, m, vec.Cosine, k+1, runtime.GOMAXPROCS(0), nil)
	}
	truth, err := near(was)
	if err != nil {
		return 0, err
	}
	found, err := near(is)
	if err != nil {
		return 0, err
	}
	kept := 0
	for i := range was.Rows {
		radius := 0.0 // of the k-th other
		n := 0
		for _, nb := range truth[i*(k+1) : (i+1)*(k+1)] {
			if int(nb.ID) != i && n < k {
				radius = vec.Cosine.Distance(was.Row(i), was.Row(int(nb.ID)))
				n++
			}
		}
		n = 0
		for _, nb := range found[i*(k+1) : (i+1)*(k+1)] {
			if int(nb.ID) == i || n == k {
				continue
			}
			n++
			if vec.Cosine.Distance(was.Row(i), was.Row(int(nb.ID))) <= radius+1e-9 {
				kept++
			}
		}
	}
	return float64(kept) / float64(was.Rows*k), nil
}
