package dataset

import (
	"cmp"
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"annbench/bench/dataset/collection"
	"annbench/bench/dataset/vecfile"
	"annbench/indexes/vec"
)

// TestGivenQueries divides a file of ann-benchmarks: its queries, neighbours and metric are those of the set.
func TestGivenQueries(t *testing.T) {
	_, base := random(300, 8, 1)
	_, test := random(20, 8, 2)
	var near []int32
	for q := range test.Rows {
		ids := make([]int32, base.Rows)
		for i := range ids {
			ids[i] = int32(i)
		}
		slices.SortFunc(ids, func(a, b int32) int {
			return cmp.Compare(vec.Cosine.Distance(test.Row(q), base.Row(int(a))), vec.Cosine.Distance(test.Row(q), base.Row(int(b))))
		})
		near = append(near, ids[:10]...)
	}
	path := filepath.Join(t.TempDir(), "x.hdf5")
	h := vecfile.HDF5{
		Attributes: []vecfile.HDF5Attribute{{Name: "distance", Value: "angular"}},
		Datasets:   []vecfile.HDF5Dataset{{Name: "train", Values: base.Data, Row: 8}, {Name: "test", Values: test.Data, Row: 8}, {Name: "neighbors", Values: near, Row: 10}},
	}
	if err := h.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	c := must[*collection.Collection](t)(collection.OpenFiles(t.Context(), collection.Files{Vectors: path}, t.TempDir(), nil))
	defer c.Close()
	if c.Meta.Queries != 20 || c.Meta.Metric != vec.Cosine || c.Meta.Neighbors != 10 || c.Name != "x" {
		t.Fatalf("%+v, name %q", c.Meta, c.Name)
	}
	given := must[[][]int32](t)(collection.ReadNeighbors(c.NeighborsFile()))
	s := split(t, c, SplitConfig{Seed: 1}, t.TempDir())
	if s.Base.Rows != 300 || s.Queries.Rows != 20 || !slices.Equal(s.Queries.Data, test.Data) {
		t.Fatalf("%d and %d vectors", s.Base.Rows, s.Queries.Rows)
	}
	truth := must[*Truth](t)(FindTruth(context.Background(), s, vec.Cosine, 10, 1, "", nil))
	defer truth.Close()
	for q := range 20 {
		if !slices.Equal(truth.IDs(q), given[q]) {
			t.Errorf("query %d: exact neighbours %v, the file says %v", q, truth.IDs(q), given[q])
		}
	}
	if warnings, err := CheckNeighbors(s, truth, given, 300); err != nil || warnings != nil {
		t.Errorf("true neighbours: %v %v", warnings, err)
	}
	wrong := must[*Truth](t)(FindTruth(context.Background(), s, vec.InnerProduct, 10, 1, "", nil))
	defer wrong.Close()
	if _, err := CheckNeighbors(s, wrong, given, 300); err == nil || !strings.Contains(err.Error(), "--allow neighbors") {
		t.Errorf("neighbours of another metric: %v", err)
	}
	if warnings, err := CheckNeighbors(s, wrong, given, 300, "neighbors"); err != nil || len(warnings) != 1 {
		t.Errorf("neighbours of another metric, allowed: %v %v", warnings, err)
	}
	some := split(t, c, SplitConfig{Seed: 1, Queries: 5}, t.TempDir())
	if some.Base.Rows != 300 || some.Queries.Rows != 5 {
		t.Errorf("%d and %d vectors", some.Base.Rows, some.Queries.Rows)
	}
	for i, row := range some.QueryRows {
		if row < 300 || !slices.Equal(some.Queries.Row(i), test.Row(int(row)-300)) {
			t.Errorf("query %d is row %d", i, row)
		}
	}
	if _, err := Split(context.Background(), c, SplitConfig{Queries: 21}, t.TempDir()); err == nil {
		t.Error("more queries than there are")
	}
}

func TestLeaveOneOut(t *testing.T) {
	items, m := random(60, 4, 1)
	c := write(t, filepath.Join(t.TempDir(), "c"), items, m)
	s := split(t, c, SplitConfig{Queries: 12, Seed: 3, LeaveOneOut: true}, t.TempDir())
	if s.Base.Rows != 60 || s.Queries.Rows != 12 {
		t.Fatalf("%d and %d vectors", s.Base.Rows, s.Queries.Rows)
	}
	truth := must[*Truth](t)(FindTruth(context.Background(), s, vec.L2, 59, 1, "", nil))
	defer truth.Close()
	for q := range 12 {
		self := s.Self(q)
		if !slices.Equal(s.Queries.Row(q), s.Base.Row(int(self))) {
			t.Errorf("query %d is not base vector %d", q, self)
		}
		ids := slices.Clone(truth.IDs(q))
		slices.Sort(ids)
		if len(ids) != 59 || slices.Contains(ids, self) || len(slices.Compact(ids)) != 59 {
			t.Errorf("query %d: neighbours %v, self %d", q, ids, self)
		}
	}
	held := split(t, c, SplitConfig{Queries: 12, Seed: 3}, t.TempDir())
	if held.Digest == s.Digest || !slices.Equal(held.QueryRows, s.QueryRows) {
		t.Error("leave-one-out must draw the same queries and have a digest of its own")
	}
}
