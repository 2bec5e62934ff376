// Package vec holds float32 vectors and the arithmetic that every index shares: metrics, distance
// kernels, and exact search.
//
// It knows nothing of indexes, data sets or benchmarks, and it has no cgo. Its neighbours are
// package rpforest, the first index built on it, and package dataset, which maps files into a
// [Matrix].
package vec

import "fmt"

// Matrix is Rows vectors of Dim components each, row after row in one slice:
// component j of vector i is Data[i*Dim+j], and len(Data) is Rows*Dim.
type Matrix struct {
	Data []float32
	Rows int
	Dim  int
}

// NewMatrix returns a zeroed matrix of rows × dim.
func NewMatrix(rows, dim int) Matrix {
	return Matrix{Data: make([]float32, rows*dim), Rows: rows, Dim: dim}
}

// Row returns vector i, sharing the memory of m; its capacity ends with the row.
func (m Matrix) Row(i int) []float32 {
	return m.Data[i*m.Dim : (i+1)*m.Dim : (i+1)*m.Dim]
}

// Slice returns the rows from <= i < to, sharing the memory of m.
func (m Matrix) Slice(from, to int) Matrix {
	return Matrix{Data: m.Data[from*m.Dim : to*m.Dim : to*m.Dim], Rows: to - from, Dim: m.Dim}
}

// Metric says what "near" means.
type Metric string

// The metrics. Each has a rank value, which kernels and indexes compute in float32 and by which
// answers are ordered (smaller is nearer), and a metric distance, which quality is judged by; see
// [Neighbor] and [Metric.Distance].
const (
	L2           Metric = "l2"     // Euclidean
	Cosine       Metric = "cosine" // angle; vectors of any length, a zero vector is at right angles to all
	InnerProduct Metric = "ip"     // largest dot product first
)

// Metrics lists every metric, in the order in which they are printed.
var Metrics = []Metric{L2, Cosine, InnerProduct}

// ParseMetric returns the metric that s names: its own name, or the word that the field's files use
// for it (euclidean, angular, dot).
func ParseMetric(s string) (Metric, error) {
	switch s {
	case "l2", "euclidean":
		return L2, nil
	case "cosine", "angular":
		return Cosine, nil
	case "ip", "dot", "inner-product":
		return InnerProduct, nil
	}
	return "", fmt.Errorf("unknown metric %q: known are l2 (euclidean), cosine (angular) and ip (dot)", s)
}

// Neighbor is one answer: the row number of a base vector, and its rank value to the query.
//
// Dist is the squared Euclidean distance under [L2], 1 - cos under [Cosine], and the negated dot
// product under [InnerProduct]. Smaller is nearer under each.
type Neighbor struct {
	ID   int32
	Dist float32
}

// Less orders answers: nearest first, equal distances by ID.
func (a Neighbor) Less(b Neighbor) bool {
	return a.Dist < b.Dist || a.Dist == b.Dist && a.ID < b.ID
}
