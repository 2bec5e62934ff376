package dataset

import (
	"slices"
	"testing"

	"annbench/bench/dataset/collection"
)

// TestHalvesAndSamples: both halves have one base, no query in common, and samples are parts of it.
func TestHalvesAndSamples(t *testing.T) {
	items, m := random(400, 8, 3)
	c := write(t, t.TempDir(), items, m)
	defer c.Close()
	givenItems, given := random(400, 8, 3)
	g := write(t, t.TempDir(), givenItems, given)
	defer g.Close()
	g.Meta.Queries = 100
	for name, c := range map[string]*collection.Collection{"held out": c, "given": g} {
		t.Run(name, func(t *testing.T) {
			cache := t.TempDir()
			one := split(t, c, SplitConfig{Queries: 30, Seed: 5, Half: 1}, cache)
			two := split(t, c, SplitConfig{Queries: 30, Seed: 5, Half: 2}, cache)
			rows := 340
			if c.Meta.Queries > 0 {
				rows = 300
			}
			if one.Base.Rows != rows || !slices.Equal(one.BaseRows, two.BaseRows) {
				t.Fatalf("bases of %d and %d vectors, want the same %d", one.Base.Rows, two.Base.Rows, rows)
			}
			if one.Queries.Rows != 30 || two.Queries.Rows != 30 || one.Digest == two.Digest {
				t.Fatalf("%d and %d queries, digests %s and %s", one.Queries.Rows, two.Queries.Rows, one.Digest, two.Digest)
			}
			for _, q := range one.QueryRows {
				if slices.Contains(two.QueryRows, q) || slices.Contains(one.BaseRows, q) {
					t.Errorf("row %d is a query of the first half, and more", q)
				}
			}
			if c.Meta.Queries == 0 {
				// The first half are the queries that are drawn where there are no halves.
				plain := split(t, c, SplitConfig{Queries: 30, Seed: 5}, cache)
				if !slices.Equal(plain.QueryRows, one.QueryRows) {
					t.Error("the first half are other queries than those drawn without halves")
				}
			}
			small := split(t, c, SplitConfig{Queries: 30, Seed: 5, Half: 1, Sample: 40}, cache)
			large := split(t, c, SplitConfig{Queries: 30, Seed: 5, Half: 1, Sample: 90}, cache)
			if small.Base.Rows != 40 || large.Base.Rows != 90 || !slices.Equal(small.QueryRows, one.QueryRows) {
				t.Fatalf("samples of %d and %d vectors", small.Base.Rows, large.Base.Rows)
			}
			for i, row := range small.BaseRows {
				if !slices.Contains(large.BaseRows, row) || !slices.Contains(one.BaseRows, row) {
					t.Errorf("row %d of the smaller sample is not in the larger one, or not in the base", row)
				}
				if !slices.Equal(small.Base.Row(i), c.Vectors.Row(int(row))) {
					t.Errorf("vector %d of the sample is not row %d", i, row)
				}
			}
		})
	}
	for _, bad := range []SplitConfig{{Queries: 250, Half: 1}, {Half: 2}, {Queries: 10, Sample: 500}, {Queries: 10, Sample: 5, LeaveOneOut: true}} {
		if _, err := Split(t.Context(), c, bad, t.TempDir()); err == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
}
