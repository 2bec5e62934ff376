package indexes

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"annbench/indexes/vec"
)

// testAmong searches among sets of every share: never an answer outside of the set, and of exact families those that
// a comparison with all vectors of the set gives.
func (c *conforming) testAmong(t *testing.T) {
	base := clustered(1500, 4)
	x := c.open(t, base, c.generous)
	f, ok := x.(Filterer)
	if !c.Filters {
		if _, updates := x.(Updater); ok && !updates {
			t.Error("it can search among a set, and the table does not say so")
		}
		t.Skip("it has no search among a set")
	}
	if !ok {
		t.Fatal("the table says that it can search among a set, and it cannot")
	}
	qs := queries(base)
	for _, share := range []float64{0, 0.001, 0.05, 0.6, 1} {
		hits, of := 0, 0
		rng := rand.New(rand.NewPCG(3, math.Float64bits(share)))
		among := vec.NewSet(base.Rows)
		for i := range base.Rows {
			if rng.Float64() < share {
				among.Add(int32(i))
			}
		}
		// An index that keeps sets is asked for some that it keeps and for some that it does not.
		if keeper, ok := x.(SetKeeper); ok && share > 0.001 {
			if err := keeper.KeepSets(t.Context(), []*vec.Set{among}); err != nil {
				t.Fatal(err)
			}
		}
		for i := range qs.Rows {
			q := qs.Row(i)
			nearest := nearestAmong(base, c.metric, q, base.Rows, slices.Collect(among.All()))
			for _, k := range []int{1, 10, 5000} {
				got, err := f.SearchAmong(nil, q, k, among)
				if err != nil {
					t.Fatal(err)
				}
				for _, n := range got {
					if !among.Has(n.ID) {
						t.Fatalf("share %v: %d is not in the set", share, n.ID)
					}
				}
				if k == 5000 && !c.Exact && len(got) <= among.Len() {
					continue
				}
				want := nearest[:min(k, len(nearest))]
				if len(got) > len(want) || c.Exact && len(got) != len(want) {
					t.Fatalf("share %v, k = %d: %d answers of %d", share, k, len(got), len(want))
				}
				if len(want) == 0 {
					continue
				}
				farthest := c.metric.Distance(q, base.Row(int(want[len(want)-1].ID)))
				of += len(want)
				for j, n := range got {
					if j > 0 && !got[j-1].Less(n) {
						t.Errorf("%v before %v", got[j-1], n)
					}
					if d := c.metric.Distance(q, base.Row(int(n.ID))); d <= farthest+1e-5*math.Abs(farthest) {
						hits++
					}
				}
			}
		}
		if c.Exact && hits != of {
			t.Errorf("share %v: exact search finds %d of %d", share, hits, of)
		}
		t.Logf("share %v: %d of %d", share, hits, of)
	}
	for _, k := range []int{0, -1} {
		if _, err := f.SearchAmong(nil, base.Row(0), k, vec.NewSet(base.Rows)); err == nil {
			t.Errorf("k = %d: no error", k)
		}
	}
	if _, err := f.SearchAmong(nil, base.Row(0)[1:], 1, vec.NewSet(base.Rows)); err == nil {
		t.Error("a query of too few dimensions: no error")
	}
	x.Close()
	if _, err := f.SearchAmong(nil, base.Row(0), 1, vec.NewSet(base.Rows)); err == nil {
		t.Error("searched among a set after Close")
	}
}

// nearestAmong compares q with each of the rows.
func nearestAmong(base vec.Matrix, metric vec.Metric, q []float32, k int, rows []int32) []vec.Neighbor {
	out := make([]vec.Neighbor, len(rows))
	for i, row := range rows {
		out[i] = vec.Neighbor{ID: row, Dist: metric.Rank(q, base.Row(int(row)))}
	}
	vec.SortNeighbors(out)
	return out[:min(k, len(out))]
}

// testUpdates adds and removes, and asks after every step: what was removed is never an answer, and exact families find
// what a comparison with all living vectors gives.
func (c *conforming) testUpdates(t *testing.T) {
	all := clustered(1200, 4)
	x := c.open(t, all.Slice(0, 600), c.params(600))
	u, ok := x.(Updater)
	if c.Updates == "" {
		if ok && c.Library != "faiss" {
			t.Error("it can change, and the table does not say so")
		}
		t.Skip("its indexes do not change")
	}
	if !ok {
		t.Fatal("the table says that it can change, and it cannot")
	}
	if c.brokenRemoval != "" {
		t.Skip(c.brokenRemoval)
	}
	living := vec.NewSet(all.Rows)
	for i := range int32(600) {
		living.Add(i)
	}
	qs := queries(all)
	look := func(step string) {
		t.Helper()
		hits, of := 0, 0
		for i := range qs.Rows {
			q := qs.Row(i)
			nearest := nearestAmong(all, c.metric, q, all.Rows, slices.Collect(living.All()))
			for _, k := range []int{1, 10, 2000} {
				got, err := x.Search(nil, q, k)
				if err != nil {
					t.Fatalf("%s: %v", step, err)
				}
				want := nearest[:min(k, len(nearest))]
				if len(got) > len(want) || c.Exact && len(got) != len(want) {
					t.Fatalf("%s, k = %d: %d answers of %d", step, k, len(got), len(want))
				}
				for j, n := range got {
					if !living.Has(n.ID) {
						t.Fatalf("%s: %d was answered, which was removed or not yet added", step, n.ID)
					}
					if j > 0 && !got[j-1].Less(n) {
						t.Errorf("%s: %v before %v", step, got[j-1], n)
					}
				}
				if k == 10 && len(want) == 10 {
					farthest := c.metric.Distance(q, all.Row(int(want[9].ID)))
					of += 10
					for _, n := range got {
						if d := c.metric.Distance(q, all.Row(int(n.ID))); d <= farthest+1e-5*math.Abs(farthest) {
							hits++
						}
					}
				}
			}
		}
		t.Logf("%s: %d of %d", step, hits, of)
		if c.Exact && hits != of {
			t.Errorf("%s: exact search finds %d of %d", step, hits, of)
		}
	}
	// Each vector that is removed is asked for by itself, before and after: that no answer has it says something only of an
	// index that would find it.
	finds := func(id int32) bool {
		t.Helper()
		got, err := x.Search(nil, all.Row(int(id)), 10)
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(got, func(n vec.Neighbor) bool { return n.ID == id })
	}
	remove := func(step string, ids ...int32) {
		t.Helper()
		found := 0
		for _, id := range ids {
			if finds(id) {
				found++
			}
		}
		if 2*found < len(ids) && c.metric != vec.InnerProduct { // by inner product another may be nearer than itself
			t.Errorf("%s: the index finds %d of the %d vectors that are to be removed", step, found, len(ids))
		}
		defer func() {
			for _, id := range ids {
				if finds(id) {
					t.Errorf("%s: %d was answered, which was removed", step, id)
				}
			}
		}()
		if err := u.Remove(ids); err != nil {
			t.Fatalf("%s: %v", step, err)
		}
		for _, id := range ids {
			living.Remove(id)
		}
		look(step)
	}
	add := func(step string, from, to int) {
		t.Helper()
		if err := u.Add(all.Slice(from, to)); err != nil {
			t.Fatalf("%s: %v", step, err)
		}
		for i := from; i < to; i++ {
			living.Add(int32(i))
		}
		look(step)
	}
	var odd []int32
	for i := int32(1); i < 600; i += 2 {
		odd = append(odd, i)
	}
	remove("one removed", 30)
	add("as many added", 600, 900)
	remove("every other of the first removed", odd...)
	remove("new ones removed", 600, 601, 899)
	add("added again", 900, 1200)
	for _, bad := range [][]int32{{30}, {-1}, {1200}, {2, 2}} {
		if err := u.Remove(bad); err == nil {
			t.Errorf("removing %v: no error", bad)
		}
	}
	if err := u.Add(vec.NewMatrix(1, testDim+1)); err == nil {
		t.Error("adding a vector of another dimension: no error")
	}
	nan := vec.NewMatrix(1, testDim)
	nan.Data[0] = float32(math.NaN())
	if err := u.Add(nan); err == nil {
		t.Error("adding a NaN: no error")
	}
	look("after refusals")
	x.Close()
	if u.Add(all.Slice(0, 1)) == nil || u.Remove([]int32{0}) == nil {
		t.Error("changed after Close")
	}
}
