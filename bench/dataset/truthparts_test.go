package dataset

import (
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"annbench/indexes/vec"
)

// Truth made of parts is that of the whole: the same ids, ties in their order too, and the same distances
// to the bit, under every metric, for any number of parts, in whatever order they were made.
func TestTruthPartsMakeTheWhole(t *testing.T) {
	outer := t
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		metric := rapid.SampledFrom(vec.Metrics).Draw(t, "metric")
		dim := rapid.IntRange(1, 24).Draw(t, "dim")
		base := vec.NewMatrix(rapid.IntRange(2, 300).Draw(t, "rows"), dim)
		queries := vec.NewMatrix(rapid.IntRange(1, 10).Draw(t, "queries"), dim)
		levels := rapid.SampledFrom([]int{0, 2, 3}).Draw(t, "levels") // few values: many ties
		for _, m := range []vec.Matrix{base, queries} {
			for i := range m.Data {
				m.Data[i] = float32(rng.NormFloat64())
				if levels > 0 {
					m.Data[i] = float32(1 + rng.IntN(levels))
				}
			}
		}
		s := give(outer, base, queries)
		defer s.Close()
		k := rapid.IntRange(1, 60).Draw(t, "k")
		of := rapid.IntRange(1, min(9, base.Rows)).Draw(t, "parts")
		threads := rapid.IntRange(1, 3).Draw(t, "threads")

		whole, err := FindTruth(context.Background(), s, metric, k, threads, filepath.Join(s.Dir, "whole"), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer whole.Close()
		dir := filepath.Join(s.Dir, "parts")
		for _, i := range rng.Perm(of) {
			if _, err := FindTruthPart(context.Background(), s, metric, k, TruthPart{i + 1, of}, threads, dir, nil); err != nil {
				t.Fatal(err)
			}
		}
		searched := false
		merged, err := FindTruth(context.Background(), s, metric, k, threads, dir, func(int) { searched = true })
		if err != nil {
			t.Fatal(err)
		}
		defer merged.Close()
		if searched {
			t.Fatal("all parts were there, and the whole base was searched")
		}
		for q := range queries.Rows {
			if !slices.Equal(merged.IDs(q), whole.IDs(q)) || !slices.Equal(merged.Distances(q), whole.Distances(q)) {
				t.Fatalf("query %d of %d parts: %v %v, the whole has %v %v", q, of, merged.IDs(q), merged.Distances(q), whole.IDs(q), whole.Distances(q))
			}
		}
	})
}

// Queries that stand in the base are left out of their own neighbours in parts, too.
func TestTruthPartsLeaveOneOut(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	base := vec.NewMatrix(60, 5)
	for i := range base.Data {
		base.Data[i] = float32(rng.NormFloat64())
	}
	queries := vec.NewMatrix(20, 5)
	s := give(t, base, queries)
	s.LeaveOneOut = true
	for q := range queries.Rows {
		s.QueryRows[q] = int32(3 * q)
		copy(queries.Row(q), base.Row(3*q))
	}
	dir := s.Dir
	whole := must[*Truth](t)(FindTruth(t.Context(), s, vec.L2, 100, 1, filepath.Join(dir, "whole"), nil))
	defer whole.Close()
	for i := range 4 {
		if _, err := FindTruthPart(t.Context(), s, vec.L2, 100, TruthPart{i + 1, 4}, 1, "", nil); err != nil {
			t.Fatal(err)
		}
	}
	merged := must[*Truth](t)(FindTruth(t.Context(), s, vec.L2, 100, 1, "", func(int) { t.Error("searched") }))
	defer merged.Close()
	if merged.K != 59 {
		t.Errorf("%d neighbours, there are 59", merged.K)
	}
	for q := range s.Queries.Rows {
		if !slices.Equal(merged.IDs(q), whole.IDs(q)) || slices.Contains(merged.IDs(q), s.Self(q)) {
			t.Errorf("query %d: %v, want %v", q, merged.IDs(q), whole.IDs(q))
		}
	}
}

func TestTruthPartsTogether(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 2))
	base, queries := vec.NewMatrix(500, 8), vec.NewMatrix(20, 8)
	for _, m := range []vec.Matrix{base, queries} {
		for i := range m.Data {
			m.Data[i] = float32(rng.NormFloat64())
		}
	}
	s := give(t, base, queries)
	// Every part twice at once, as where a task is run again while the first still goes on.
	var wait sync.WaitGroup
	for i := range 6 {
		wait.Go(func() {
			if _, err := FindTruthPart(t.Context(), s, vec.Cosine, 10, TruthPart{i%3 + 1, 3}, 1, "", nil); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	for range 4 { // and the merge
		wait.Go(func() {
			truth, err := FindTruth(t.Context(), s, vec.Cosine, 10, 1, "", func(int) { t.Error("searched") })
			if err != nil {
				t.Error(err)
				return
			}
			truth.Close()
		})
	}
	wait.Wait()
	if left, _ := filepath.Glob(filepath.Join(s.Dir, ".*tmp*")); len(left) > 0 {
		t.Errorf("%v are left", left)
	}
}

func TestTruthPartsThatCannotBeUsed(t *testing.T) {
	base, queries := vec.NewMatrix(30, 2), vec.NewMatrix(2, 2)
	for i := range base.Data {
		base.Data[i] = float32(i)
	}
	s := give(t, base, queries)
	for _, part := range []TruthPart{{0, 2}, {3, 2}, {1, 0}, {1, 31}} {
		if _, err := FindTruthPart(t.Context(), s, vec.L2, 3, part, 1, "", nil); err == nil {
			t.Errorf("part %d of %d was found", part.Index, part.Of)
		}
	}
	searched := func(of int) bool {
		did := false
		dir := t.TempDir()
		for i := range of {
			if _, err := FindTruthPart(t.Context(), s, vec.L2, 3, TruthPart{i + 1, 3}, 1, dir, nil); err != nil {
				t.Fatal(err)
			}
		}
		must[*Truth](t)(FindTruth(t.Context(), s, vec.L2, 3, 1, dir, func(int) { did = true })).Close()
		return did
	}
	if !searched(2) || searched(3) {
		t.Error("two of three parts were taken for all, or three were not")
	}
	path := must[string](t)(FindTruthPart(t.Context(), s, vec.L2, 3, TruthPart{1, 1}, 1, "", nil))
	file := filepath.Join(path, partIDsFile)
	b := must[[]byte](t)(os.ReadFile(file))
	b[len(b)-4] ^= 1
	if err := os.WriteFile(file, b, 0o644); err != nil {
		t.Fatal(err)
	}
	for name, try := range map[string]func() error{
		"the part": func() error {
			_, err := FindTruthPart(t.Context(), s, vec.L2, 3, TruthPart{1, 1}, 1, "", nil)
			return err
		},
		"the whole": func() error {
			_, err := FindTruth(t.Context(), s, vec.L2, 3, 1, "", nil)
			return err
		},
	} {
		if err := try(); err == nil || !strings.Contains(err.Error(), "changed since") || !strings.Contains(err.Error(), path) || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s, damaged: %v", name, err)
		}
	}
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := FindTruthPart(stopped, s, vec.Cosine, 3, TruthPart{1, 2}, 1, "", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}
