package dataset

import (
	"cmp"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"annbench/bench/dataset/vecfile"
	"annbench/bench/metric"
	"annbench/indexes/vec"
)

// TestCaseS1 has vectors whose distances float32 cannot tell apart: dim1 are numbers, all of one direction
// under cosine, and the squares of small are beyond float32. The checks say so, and exact search in float32
// scores 1 all the same, as what it cannot tell apart ties. What scores less than that is a warning of the
// report: see the test of the same name there.
func TestCaseS1(t *testing.T) {
	for _, c := range []struct {
		file    string
		refused string // by the checks, unless duplicates and queries are allowed
		warned  string
		metrics []vec.Metric
	}{
		{"dim1.npy", "239 of 240 base vectors point the same way as another", "", []vec.Metric{vec.Cosine, vec.L2}},
		{"small.npy", "", "the values of 240 of 240 base vectors are so small", []vec.Metric{vec.Cosine, vec.L2}},
	} {
		m, err := vecfile.MapMatrix(filepath.Join("../../testdata/foreign/cases/S1", c.file))
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		all := vec.Matrix{Data: m.Data, Rows: m.Rows, Dim: m.Dim}
		s := give(t, all.Slice(0, 240), all.Slice(240, 300))
		for _, by := range c.metrics {
			refused := c.refused
			if by == vec.L2 {
				refused = ""
			}
			if _, err := s.Check(by); (err == nil) != (refused == "") || err != nil && !strings.Contains(err.Error(), refused) {
				t.Errorf("%s under %s: %v, want %q", c.file, by, err, refused)
			}
			warnings, err := s.Check(by, "duplicates", "queries")
			if err != nil || c.warned != "" && !strings.Contains(strings.Join(warnings, "\n"), c.warned) {
				t.Errorf("%s under %s: %q, %v; want %q", c.file, by, warnings, err, c.warned)
			}
			ids, distances, err := searchTruth(t.Context(), s, by, 10, 1, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			in := metric.ScoreInput{Metric: by, K: 10, Base: s.Base, Queries: s.Queries, Labels: []string{"a", "b"}}
			for i := range s.Base.Rows {
				in.BaseLabels = append(in.BaseLabels, int32(i%2))
			}
			for q := range s.Queries.Rows {
				in.QueryLabels = append(in.QueryLabels, int32(q%2))
				in.TruthIDs = append(in.TruthIDs, ids[q*10:q*10+10])
				in.TruthDistances = append(in.TruthDistances, distances[q*10:q*10+10])
				in.Answers = append(in.Answers, plainSearch(s.Base, s.Queries.Row(q), by, 10))
			}
			scores, err := metric.Score(in)
			if err != nil {
				t.Fatal(err)
			}
			if v := scores.Values; v[metric.Recall] != 1 || v[metric.MAPDelta] != 0 {
				t.Errorf("%s under %s: exact search in float32 has recall %v and ΔmAP %v", c.file, by, v[metric.Recall], v[metric.MAPDelta])
			}
			if err := scores.CheckExact(); err != nil {
				t.Error(err)
			}
		}
	}
}

// plainSearch is exact search as libraries do it: in float32, under cosine by the product of vectors that were
// scaled to length 1.
func plainSearch(base vec.Matrix, q []float32, by vec.Metric, k int) []int32 {
	unit := func(a []float32) []float32 {
		out := make([]float32, len(a))
		for i, x := range a {
			out[i] = float32(float64(x) / norm(a))
		}
		return out
	}
	ids, far := make([]int32, base.Rows), make([]float32, base.Rows)
	for i := range ids {
		ids[i] = int32(i)
		a, b := q, base.Row(i)
		if by == vec.Cosine {
			a, b = unit(a), unit(b)
		}
		for j := range a {
			if by == vec.Cosine {
				far[i] -= a[j] * b[j]
			} else {
				far[i] += (a[j] - b[j]) * (a[j] - b[j])
			}
		}
	}
	slices.SortStableFunc(ids, func(x, y int32) int { return cmp.Compare(far[x], far[y]) })
	return ids[:k]
}

// TestDirections: under cosine, scaled copies are copies.
func TestDirections(t *testing.T) {
	_, base := random(400, 64, 1)
	for i := range 100 {
		for j, x := range base.Row(i) {
			base.Row(300 + i)[j] = x * 3.3
		}
	}
	d := newDuplicates(base, vec.Cosine)
	if d.copies < 95 || d.copies > 100 {
		t.Errorf("%d copies, want 100, and some that a border of cells keeps apart", d.copies)
	}
	if d := newDuplicates(base, vec.L2); d.copies != 0 {
		t.Errorf("%d copies under L2", d.copies)
	}
	// 500 directions within one cell, and exact copies of them.
	dense := vec.NewMatrix(1000, 2)
	for i := range 500 {
		for _, at := range []int{i, i + 500} {
			copy(dense.Row(at), []float32{1, float32(i) * 1e-7})
		}
	}
	if d := newDuplicates(dense, vec.Cosine); d.copies < 500 {
		t.Errorf("%d copies, want all that are exact", d.copies)
	}
}
