package bench

import (
	"context"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"annbench/bench/dataset"
	"annbench/bench/record"
	"annbench/indexes/vec"
)

// describeSynthetic draws vectors, holds out queries, moves them by shift in every dimension, and
// describes the set.
func describeSynthetic(t *testing.T, y dataset.Synthetic, m vec.Metric, shift float32) record.Difficulty {
	t.Helper()
	c, err := dataset.OpenSynthetic(context.Background(), y, t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	dir, err := dataset.Split(context.Background(), c, dataset.SplitConfig{Queries: 300, Seed: 1}, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	set, err := dataset.OpenSet(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { set.Close() })
	if shift != 0 {
		moved := slices.Clone(set.Queries.Data)
		for i := range moved {
			moved[i] += shift
		}
		set.Queries.Data = moved
	}
	truth, err := dataset.FindTruth(context.Background(), set, m, 100, 1, filepath.Join(t.TempDir(), "truth"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { truth.Close() })
	return Describe(set, truth)
}

// TestDescribeKnowsTheDimension: one cluster of a known dimension has as many axes with variance, and a
// LID that grows with it, and stays below it: the estimate lies low where vectors are few.
func TestDescribeKnowsTheDimension(t *testing.T) {
	before := 0.0
	for _, lid := range []int{2, 5, 10} {
		d := describeSynthetic(t, dataset.Synthetic{N: 20_000, Dim: 24, LID: float64(lid), Clusters: 1, Seed: 7}, vec.L2, 0)
		if d.Dims99 != lid || len(d.VarianceShares) != 24 || math.Abs(d.VarianceShares[23]-1) > 1e-9 {
			t.Errorf("dimension %d: 99 %% of the variance in %d axes; shares %v", lid, d.Dims99, d.VarianceShares)
		}
		if d.LID < before+1 || d.LID > 1.1*float64(lid) || d.LID < 0.6*float64(lid) {
			t.Errorf("dimension %d: LID %v", lid, d.LID)
		}
		if !slices.IsSorted(d.LIDDeciles) || len(d.LIDDeciles) != 11 || d.Contrast <= 1 {
			t.Errorf("dimension %d: deciles %v, contrast %v", lid, d.LIDDeciles, d.Contrast)
		}
		before = d.LID
	}
}

// TestDescribeSeesAShift: held-out queries lie within what chance allows, moved ones do not.
func TestDescribeSeesAShift(t *testing.T) {
	y := dataset.Synthetic{N: 4000, Dim: 8, LID: 8, Clusters: 1, Seed: 3}
	if d := describeSynthetic(t, y, vec.L2, 0); d.Shift < d.ShiftNull[0]-0.02 || d.Shift > d.ShiftNull[1]+0.02 {
		t.Errorf("the same: %v, by chance %v", d.Shift, d.ShiftNull)
	}
	if d := describeSynthetic(t, y, vec.L2, 1.5); d.Shift < d.ShiftNull[1]+0.1 {
		t.Errorf("moved: %v, by chance %v", d.Shift, d.ShiftNull)
	}
}

func TestDescribeUnderOtherMetrics(t *testing.T) {
	y := dataset.Synthetic{N: 2000, Dim: 8, LID: 4, Clusters: 5, Seed: 3}
	if d := describeSynthetic(t, y, vec.InnerProduct, 0); d.LID != 0 || d.Contrast != 0 || d.Hubness == 0 || d.BadHubness == nil {
		t.Errorf("%+v: the inner product is no distance, and has hubs", d)
	}
	d := describeSynthetic(t, y, vec.Cosine, 0)
	if d.LID < 1 || d.LID > 8 || *d.BadHubness < 0 || *d.BadHubness > 1 || d.Orphans < 0 || d.Orphans > 1 {
		t.Errorf("%+v", d)
	}
}

// TestCosineDistanceIsTheChord: LID of 1 - cos would be half of what it is.
func TestCosineDistanceIsTheChord(t *testing.T) {
	if got, want := vec.Cosine.Distance([]float32{1, 0}, []float32{0, 2}), math.Sqrt2; math.Abs(got-want) > 1e-12 {
		t.Errorf("chord %v, want %v", got, want)
	}
}
