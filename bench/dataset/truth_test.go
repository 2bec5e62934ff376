package dataset

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"annbench/bench/dataset/vecfile"
	"annbench/indexes/vec"
)

// brute finds neighbours by sorting all distances.
func brute(s *Set, metric vec.Metric, q, k int) (ids []int32, distances []float64) {
	all := make([]Near, s.Base.Rows)
	for i := range all {
		all[i] = Near{int32(i), metric.Distance(s.Queries.Row(q), s.Base.Row(i))}
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].Distance < all[j].Distance })
	for _, n := range all[:k] {
		ids, distances = append(ids, n.ID), append(distances, n.Distance)
	}
	return ids, distances
}

func TestTruthAgainstBruteForce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		metric := rapid.SampledFrom(vec.Metrics).Draw(t, "metric")
		// Under cosine, one dimension has two directions: more ties than are looked at.
		dim := rapid.IntRange(2, 40).Draw(t, "dim")
		s := &Set{
			Base:    vec.NewMatrix(rapid.IntRange(1, 200).Draw(t, "rows"), dim),
			Queries: vec.NewMatrix(rapid.IntRange(1, 10).Draw(t, "queries"), dim),
		}
		ties := metric != vec.Cosine && rapid.Bool().Draw(t, "ties")
		for _, m := range []vec.Matrix{s.Base, s.Queries} {
			for i := range m.Data {
				m.Data[i] = float32(rng.NormFloat64())
				if ties {
					m.Data[i] = float32(rng.IntN(3)) // squares and sums are exact: so are ties
				}
			}
		}
		k := min(s.Base.Rows, rapid.IntRange(1, 30).Draw(t, "k"))
		ids, distances, err := searchTruth(context.Background(), s, metric, k, rapid.IntRange(0, 3).Draw(t, "threads"), nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		for q := range s.Queries.Rows {
			from, to := q*k, (q+1)*k
			wantIDs, want := brute(s, metric, q, k)
			if !slices.Equal(ids[from:to], wantIDs) || !slices.Equal(distances[from:to], want) {
				t.Fatalf("query %d: %v %v, want %v %v", q, ids[from:to], distances[from:to], wantIDs, want)
			}
		}
	})
}

// Neighbours whose distances float32 cannot hold apart come in the order of float64.
func TestTruthIsFinerThanFloat32(t *testing.T) {
	const rows = 30
	base := vec.NewMatrix(rows, 2)
	for i := range rows {
		// (10000, i/2000) to the origin: the squares differ by 2.25e-4 at most, and float32 steps by 8
		// at 1e8. The nearest stand last.
		copy(base.Row(i), []float32{10000, float32(rows-i) / 2000})
	}
	s := give(t, base, vec.NewMatrix(1, 2))
	truth := must[*Truth](t)(FindTruth(context.Background(), s, vec.L2, 4, 1, "", nil))
	defer truth.Close()
	if want := []int32{29, 28, 27, 26}; !slices.Equal(truth.IDs(0), want) {
		t.Errorf("%v at %v, want %v", truth.IDs(0), truth.Distances(0), want)
	}
}

func TestTruthIsKept(t *testing.T) {
	_, base := random(100, 4, 1)
	_, queries := random(10, 4, 2)
	s := give(t, base, queries)
	calls := 0
	find := func(metric vec.Metric, k int, dir string) *Truth {
		t.Helper()
		last := 0
		truth := must[*Truth](t)(FindTruth(context.Background(), s, metric, k, 2, dir, func(done int) {
			if done <= last || done > 10 {
				t.Errorf("progress %d after %d", done, last)
			}
			last = done
			calls++
		}))
		if last != 0 && last != 10 {
			t.Errorf("progress ended at %d", last)
		}
		t.Cleanup(func() { truth.Close() })
		return truth
	}
	searched := func(want bool, what string) {
		t.Helper()
		if (calls > 0) != want {
			t.Errorf("%s: searched %v, want %v", what, calls > 0, want)
		}
		calls = 0
	}
	first := find(vec.L2, 10, "")
	searched(true, "nothing there")
	find(vec.L2, 10, "")
	searched(false, "the same again")
	few := find(vec.L2, 3, "")
	searched(false, "a smaller k")
	if few.K != 3 || !slices.Equal(few.IDs(7), first.IDs(7)[:3]) || !slices.Equal(few.Distances(9), first.Distances(9)[:3]) {
		t.Errorf("k 3: %v, out of %v", few.IDs(7), first.IDs(7))
	}
	ids, distances := few.All()
	if len(ids) != 10 || !slices.Equal(ids[9], few.IDs(9)) || !slices.Equal(distances[9], few.Distances(9)) || cap(ids[0]) != 3 {
		t.Errorf("All differs from its parts")
	}
	find(vec.L2, 11, "")
	searched(true, "a larger k")
	find(vec.Cosine, 3, "")
	searched(true, "another metric")
	if all := find(vec.L2, 1000, ""); all.K != 100 {
		t.Errorf("k of a base of 100 is %d", all.K)
	}
	searched(true, "all of the base")
	find(vec.L2, 5000, "")
	searched(false, "still all of the base")
	find(vec.L2, 3, filepath.Join(t.TempDir(), "not", "there"))
	searched(true, "another folder")
	names := must[[]string](t)(filepath.Glob(filepath.Join(s.Dir, "*")))
	for i := range names {
		names[i] = filepath.Base(names[i])
	}
	if want := []string{"truth-cosine-3", "truth-l2-10", "truth-l2-100", "truth-l2-11"}; !slices.Equal(names, want) {
		t.Errorf("files %v, want %v", names, want)
	}
}

func TestTruthRefuses(t *testing.T) {
	_, base := random(100, 4, 1)
	_, queries := random(10, 4, 2)
	s := give(t, base, queries)
	if _, err := FindTruth(context.Background(), s, vec.L2, 0, 1, "", nil); err == nil {
		t.Error("k 0")
	}
	if _, err := FindTruth(context.Background(), s, "hamming", 1, 1, "", nil); err == nil {
		t.Error("no such metric")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := FindTruth(ctx, s, vec.L2, 5, 1, "", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if entries := must[[]os.DirEntry](t)(os.ReadDir(s.Dir)); len(entries) > 0 {
		t.Errorf("%v left behind", entries)
	}
	for name, c := range map[string]struct {
		damage func(dir string)
		reason string
	}{
		"of another set": {func(dir string) {
			b, _ := os.ReadFile(filepath.Join(dir, truthFile))
			os.WriteFile(filepath.Join(dir, truthFile), []byte(strings.Replace(string(b), "given", "other", 1)), 0o644)
		}, "of another set"},
		"without truth.json": {func(dir string) { os.Remove(filepath.Join(dir, truthFile)) }, truthFile},
		"an id changed": {func(dir string) {
			b, _ := os.ReadFile(filepath.Join(dir, truthIDsFile))
			b[vecfile.ArrayHead+8] ^= 1
			os.WriteFile(filepath.Join(dir, truthIDsFile), b, 0o644)
		}, "has changed"},
		"distances cut": {func(dir string) { os.Truncate(filepath.Join(dir, truthDistancesFile), 200) }, truthDistancesFile},
		"another shape": {func(dir string) {
			os.Remove(filepath.Join(dir, truthIDsFile))
			vecfile.WriteArray(filepath.Join(dir, truthIDsFile), make([]int32, 40), 4)
		}, "has shape [10 4]"},
		"another version": {func(dir string) {
			os.WriteFile(filepath.Join(dir, truthFile), []byte(`{"version": 7}`), 0o644)
		}, "version 7"},
		"fewer queries": {func(dir string) {
			b, _ := os.ReadFile(filepath.Join(dir, truthFile))
			os.WriteFile(filepath.Join(dir, truthFile), []byte(strings.Replace(string(b), `"queries": 10`, `"queries": 9`, 1)), 0o644)
		}, "5 neighbours of 9 queries"},
	} {
		s := give(t, base, queries)
		must[*Truth](t)(FindTruth(context.Background(), s, vec.L2, 5, 1, "", nil)).Close()
		c.damage(filepath.Join(s.Dir, "truth-l2-5"))
		truth, err := FindTruth(context.Background(), s, vec.L2, 5, 1, "", nil)
		if err == nil {
			truth.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.reason) || !strings.Contains(err.Error(), "delete the folder (rm -r ") {
			t.Errorf("%s: error %v, want %q", name, err, c.reason)
		}
	}
}
