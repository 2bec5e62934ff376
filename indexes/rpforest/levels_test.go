package rpforest

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"annbench/indexes/vec"

	"pgregory.net/rapid"
)

// mustBeWhole checks what holds of every hierarchy: each item is in one node, a level has at most a quarter of the items
// below it and one node a tree, and a centre's codes are the mean of its entries' codes.
func (b *bounds) mustBeWhole(t testing.TB, trees int) {
	t.Helper()
	items := len(b.sizes)
	leaves := make([][2]int, items) // of each item, the first and the end
	for i := range leaves {
		leaves[i] = [2]int{i, i + 1}
	}
	sizes := b.sizes
	for i := range b.levels {
		l := &b.levels[i]
		if !l.sound(sizes) {
			t.Fatalf("level %d is not sound", i)
		}
		if n := l.nodes(); n > items/4+trees {
			t.Fatalf("level %d: %d nodes over %d items", i, n, items)
		}
		above := make([][2]int, l.nodes())
		for node := range above {
			from, to := int(l.starts[node]), int(l.starts[node+1])
			above[node] = [2]int{leaves[from][0], leaves[to-1][1]}
			for place := range fan {
				if from+place < to {
					b.mustBeMean(t, l.centres, node*fan+place, leaves[from+place])
				} else if l.centres.Words[node*len(l.centres.Words)/l.nodes()+place] != 0x7f800000 {
					t.Fatalf("level %d: an empty place of node %d is not far away", i, node)
				}
			}
		}
		items, leaves, sizes = l.nodes(), above, l.entries
	}
}

// mustBeMean checks that a place's codes are the mean codes of the leaves' entries, rounded.
func (b *bounds) mustBeMean(t testing.TB, centres vec.CodeBlocks, place int, leaves [2]int) {
	t.Helper()
	code := func(blocks vec.CodeBlocks, place, dim int) float64 {
		words := len(blocks.Words) / blocks.Len()
		word := blocks.Words[place/vec.CodeBlock*words+(3+dim/4)*vec.CodeBlock+place%vec.CodeBlock]
		return float64(word >> (8 * (dim % 4)) & 0xff)
	}
	for _, dim := range []int{0, b.coarse.dims / 2, b.coarse.dims - 1} {
		sum, n := 0.0, 0.0
		for p := int(b.leaves[leaves[0]]) * vec.CodeBlock; p < int(b.leaves[leaves[1]])*vec.CodeBlock; p++ {
			if b.blocks.Own(p) != none {
				sum += code(b.blocks, p, dim)
				n++
			}
		}
		if got, want := code(centres, place, dim), sum/n; got < want-0.51 || got > want+0.51 {
			t.Fatalf("leaves %v: a centre's code is %v, the mean of its entries' %v", leaves, got, want)
		}
	}
}

// Every item is in one run; runs are no longer than a node can be, and few.
func TestGather(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 3000).Draw(t, "items")
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		skew := rapid.SampledFrom([]float64{0, 0.01, 0.3, 0.5}).Draw(t, "skew")
		depths := make([]int32, n)
		depths[0] = -1
		var cut func(from, to int, depth int32)
		cut = func(from, to int, depth int32) {
			for to-from > 1 {
				at := from + 1
				if skew > 0 {
					at = min(max(from+int(skew*float64(to-from)), from+1), to-1)
				} else if rng.IntN(2) == 0 {
					at = from + 1 + rng.IntN(to-from-1)
				}
				depths[at] = depth
				depth++
				cut(from, at, depth)
				from = at
			}
		}
		cut(0, n, 0)
		starts := gather([]int32{7}, depths, 100)
		if starts[0] != 7 || starts[1] != 100 {
			t.Fatalf("%v", starts)
		}
		starts = append(starts[1:], int32(100+n))
		if len(starts)-1 > n/4+1 {
			t.Fatalf("%d runs of %d items", len(starts)-1, n)
		}
		for i := range len(starts) - 1 {
			if size := starts[i+1] - starts[i]; size < 1 || size > fan {
				t.Fatalf("run %d has %d items", i, size)
			}
		}
	})
}

func TestLightest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 300).Draw(t, "keys")
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		ranks := rapid.SampledFrom([]int{1, 5, 1000}).Draw(t, "ranks")
		keys, sizes := make([]key, n), make([]int32, n)
		total := 0
		for i := range keys {
			keys[i] = newKey(float32(rng.IntN(ranks)-ranks/2), int32(i))
			sizes[i] = int32(1 + rng.IntN(50))
			total += int(sizes[i])
		}
		entries := rapid.IntRange(1, total+10).Draw(t, "entries")
		sorted := slices.Clone(keys)
		slices.Sort(sorted)
		want, held := 0, 0
		for want < n && held < entries {
			held += int(sizes[sorted[want].item()])
			want++
		}
		got := keys[:lightest(keys, sizes, entries)]
		slices.Sort(got)
		if !slices.Equal(got, sorted[:want]) {
			t.Fatalf("%d of %d keys for %d entries, want %d", len(got), n, entries, want)
		}
	})
}

// Keys are in the order of ranks, then of items.
func TestKey(t *testing.T) {
	ranks := []float32{float32(-1e30), -1, -1e-40, 0, 1e-40, 0.5, 3, 1e30, far}
	var before key
	for _, rank := range ranks {
		for _, item := range []int32{0, 7, 1<<31 - 1} {
			k := newKey(rank, item)
			if k <= before || k.item() != item {
				t.Errorf("%v, %d: %x after %x", rank, item, k, before)
			}
			before = k
		}
	}
}

// flatOrder is the order of all leaves by the ranks of their centres, until they hold so many entries.
func (s *bounded) flatOrder(b *bounds, entries int) []key {
	var keys []key
	l := &b.levels[0]
	values, masks := make([]float32, fan), make([]uint16, 1)
	for node := range l.nodes() {
		l.centres.Scan(values, masks, s.coarse.q, node, node+1, -1, s.coarse.factor, 0, far)
		for leaf := l.starts[node]; leaf < l.starts[node+1]; leaf++ {
			keys = append(keys, newKey(values[leaf-l.starts[node]], leaf))
		}
	}
	slices.Sort(keys)
	for i, k := range keys {
		if entries -= int(b.sizes[k.item()]); entries <= 0 {
			return keys[:i+1]
		}
	}
	return keys
}

// The leaves chosen are those of the order of all leaves, as far as the hierarchy sees: nearly all of them where it has
// several levels, all of them where it has one or everything is asked for.
func TestChoose(t *testing.T) {
	base, queries := clustered(20000, 24, 1), clustered(100, 24, 2)
	for _, leaf := range []int{16, 400} {
		f := build(t, base, vec.L2, Options{LeafSize: leaf, Seed: 1, Threads: 2})
		if (leaf == 16) != (len(f.levels) > 1) {
			t.Fatalf("leaves of %d: %d levels", leaf, len(f.levels))
		}
		s := newBounded(f)
		for _, entries := range []int{1, 200, 1000, 20000} {
			same, all := 0, 0
			for i := range queries.Rows {
				s.aimAt(f, queries.Row(i))
				want := s.flatOrder(f.bounds, entries)
				s.choose(f.bounds, entries)
				held := 0
				for j, k := range s.nearest {
					if held >= entries || j > 0 && k <= s.nearest[j-1] {
						t.Fatalf("leaves of %d: more than needed, or out of order: %v", leaf, s.nearest)
					}
					held += int(f.sizes[k.item()])
					if _, has := slices.BinarySearch(want, k); has {
						same++
					}
				}
				if held < entries {
					t.Fatalf("leaves of %d: %d entries of %d", leaf, held, entries)
				}
				all += len(want)
			}
			share := float64(same) / float64(all)
			t.Logf("leaves of %d, %d entries: %.3f as in the order of all", leaf, entries, share)
			if share < 0.9 || share < 1 && (leaf == 400 || entries == 20000) {
				t.Errorf("leaves of %d, %d entries: %v as in the order of all", leaf, entries, share)
			}
		}
	}
}

// Many trees, of one leaf each, have a hierarchy as well.
func TestManySmallTrees(t *testing.T) {
	base := clustered(40, 8, 1)
	s := build(t, base, vec.L2, Options{Trees: 300, LeafSize: 64, Seed: 1}).NewSearcher()
	want := build(t, base, vec.L2, Options{Trees: 1, LeafSize: 64, Seed: 1}).NewSearcher()
	for i := range base.Rows {
		got, err1 := s.Search(nil, base.Row(i), 5, 300*base.Rows)
		one, err2 := want.Search(nil, base.Row(i), 5, base.Rows)
		if err1 != nil || err2 != nil || !slices.Equal(got, one) {
			t.Fatalf("%v, %v, want %v, %v", got, err1, one, err2)
		}
	}
}

// Leaves of sixteen and more fill whole blocks, but for the last of each tree.
func TestLeavesFillBlocks(t *testing.T) {
	for _, base := range []vec.Matrix{clustered(3001, 20, 1), vec.NewMatrix(500, 3)} {
		f := build(t, base, vec.L2, Options{Trees: 2, LeafSize: 50, Seed: 1})
		partial := 0
		for _, n := range f.sizes {
			if n%vec.CodeBlock != 0 {
				partial++
			}
		}
		if partial > 2 {
			t.Errorf("%d of %d leaves have a block that is not full", partial, len(f.sizes))
		}
	}
}

// A file in the form of another version is refused by that name.
func TestLoadNamesTheForm(t *testing.T) {
	path := filepath.Join(t.TempDir(), "forest")
	if err := build(t, clustered(50, 4, 1), vec.L2, Options{}).Save(path); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[7] = '3'
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = Load(path)
	for _, err := range []error{err, Verify(path)} {
		if err == nil || !strings.Contains(err.Error(), `a forest in form '3', of another version; this one reads form '4': build and save the forest again`) {
			t.Errorf("%v", err)
		}
	}
}
