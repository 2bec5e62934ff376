package dataset

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"math/rand/v2"
	"path/filepath"

	"annbench/bench/dataset/collection"
	"annbench/bench/dataset/vecfile"
	"annbench/indexes/vec"
)

// Synthetic says what vectors to draw: clusters, each a Gaussian in a subspace of its own, of which
// the dimension is the intrinsic one.
type Synthetic struct {
	N        int
	Dim      int
	LID      float64 // intrinsic dimension, 1 to Dim; with a fraction, clusters of the two nearest are mixed
	Clusters int
	Seed     uint64
}

// Check says what cannot be drawn.
func (y Synthetic) Check() error {
	switch {
	case y.N < 2 || y.N > math.MaxInt32:
		return fmt.Errorf("n must be at least 2, not %d", y.N)
	case y.Dim < 1 || y.Dim > 1<<16:
		return fmt.Errorf("dim must be 1 to %d, not %d", 1<<16, y.Dim)
	case !(y.LID >= 1 && y.LID <= float64(y.Dim)):
		return fmt.Errorf("lid must be 1 to dim (%d), not %v", y.Dim, y.LID)
	case y.Clusters < 1 || y.Clusters > 1<<16:
		return fmt.Errorf("clusters must be 1 to %d, not %d", 1<<16, y.Clusters)
	}
	return nil
}

func (y Synthetic) name() string {
	return fmt.Sprintf("synthetic-%d-%d-lid%g-clusters%d-seed%d", y.N, y.Dim, y.LID, y.Clusters, y.Seed)
}

// syntheticVersion changes when the same seed gives other vectors.
const syntheticVersion = 1

// spread is how far apart the centres of clusters are, in standard deviations of a cluster along one
// axis: neighbours of a vector are of its own cluster, and clusters still touch, as categories do.
const spread = 3

// syntheticRows draws the vectors.
type syntheticRows struct {
	y       Synthetic
	rng     *rand.Rand
	centres vec.Matrix
	axes    []vec.Matrix // of each cluster: its subspace, orthonormal, one axis a row
	labels  []int32
}

func newSyntheticRows(y Synthetic) *syntheticRows {
	// The second word keeps the clusters apart from the vectors.
	rng := rand.New(rand.NewPCG(y.Seed, 0x636c7573746572))
	s := &syntheticRows{
		y: y, rng: rand.New(rand.NewPCG(y.Seed, 0x766563746f72)), centres: vec.NewMatrix(y.Clusters, y.Dim),
	}
	low := int(y.LID)
	// A centre is as far from the others as two vectors of one cluster, times spread.
	scale := spread * math.Sqrt(y.LID/float64(y.Dim))
	for c := range y.Clusters {
		for i := range s.centres.Row(c) {
			s.centres.Row(c)[i] = float32(scale * rng.NormFloat64())
		}
		n := low
		// Of every run of clusters, the share of the fraction is one dimension larger.
		if frac := y.LID - float64(low); math.Floor(float64(c+1)*frac) > math.Floor(float64(c)*frac) {
			n = low + 1
		}
		s.axes = append(s.axes, subspace(rng, n, y.Dim))
	}
	return s
}

// subspace draws n orthonormal axes: Gaussian vectors, orthogonalised by the modified Gram-Schmidt
// process.
func subspace(rng *rand.Rand, n, dim int) vec.Matrix {
	m := vec.NewMatrix(n, dim)
	rows := make([][]float64, n)
	for i := range rows {
		row := make([]float64, dim)
		for {
			for j := range row {
				row[j] = rng.NormFloat64()
			}
			for _, other := range rows[:i] {
				dot := 0.0
				for j := range row {
					dot += row[j] * other[j]
				}
				for j := range row {
					row[j] -= dot * other[j]
				}
			}
			norm := 0.0
			for _, x := range row {
				norm += x * x
			}
			if norm = math.Sqrt(norm); norm > 1e-6 {
				for j := range row {
					row[j] /= norm
				}
				break
			}
		}
		rows[i] = row
		for j, x := range row {
			m.Row(i)[j] = float32(x)
		}
	}
	return m
}

func (s *syntheticRows) Next(dst []float32) (int, error) {
	dim := s.y.Dim
	n := min(len(dst)/dim, s.y.N-len(s.labels))
	if n == 0 {
		return 0, io.EOF
	}
	for i := range n {
		c := s.rng.IntN(s.y.Clusters)
		s.labels = append(s.labels, int32(c))
		row := dst[i*dim : (i+1)*dim]
		copy(row, s.centres.Row(c))
		axes := s.axes[c]
		for a := range axes.Rows {
			z := float32(s.rng.NormFloat64())
			for j, x := range axes.Row(a) {
				row[j] += z * x
			}
		}
	}
	return n, nil
}

// OpenSynthetic draws the vectors of y into a collection below cacheDir, or finds them there. The
// label of a vector is its cluster. The same y gives the same vectors, and the first vectors of a
// larger N are those of a smaller one.
func OpenSynthetic(ctx context.Context, y Synthetic, cacheDir string, progress func(done, total int)) (*collection.Collection, error) {
	if err := y.Check(); err != nil {
		return nil, err
	}
	dir := filepath.Join(cacheDir, fmt.Sprintf("%s-v%d", y.name(), syntheticVersion))
	if !collection.Complete(dir) {
		if err := drawSynthetic(ctx, y, dir, progress); err != nil {
			return nil, err
		}
	}
	c, err := collection.OpenFolder(dir)
	if err != nil {
		return nil, err
	}
	c.Name = fmt.Sprintf("synthetic, %d × %d, lid %g", y.N, y.Dim, y.LID)
	return c, nil
}

func drawSynthetic(ctx context.Context, y Synthetic, dir string, progress func(done, total int)) error {
	w, err := collection.Create(dir, y.Dim)
	if err != nil {
		return err
	}
	defer w.Abort()
	rows := newSyntheticRows(y)
	names := make([]string, y.Clusters)
	for c := range names {
		names[c] = fmt.Sprintf("cluster %d", c)
	}
	f := &vecfile.File{Dim: y.Dim, Count: y.N, Rows: rows, Label: func(row int) string { return names[rows.labels[row]] }}
	if err := collection.Copy(ctx, w, f, "synthetic vectors", progress); err != nil {
		return err
	}
	if _, err := w.Commit(json.RawMessage(nil)); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}
