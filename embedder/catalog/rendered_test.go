package catalog

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"

	"annbench/embedder/catalog/boards"
)

var _ Source = (*Rendered)(nil)

func rendered(t testing.TB, c Config) *Rendered {
	t.Helper()
	r, err := RenderedBoards(c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func groupSum(t testing.TB, r *Rendered, g int) string {
	t.Helper()
	h := sha256.New()
	for _, p := range r.Group(g) {
		if p.Err != nil {
			t.Error(p.Err)
			return ""
		}
		hashPicture(h, p)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Boards do not depend on the order in which they are drawn, nor on how many there are.
func TestRenderedOrderDoesNotMatter(t *testing.T) {
	const n = 12
	r := rendered(t, Config{Boards: n, Seed: 3})
	var one [n]string
	for g := range n {
		one[g] = groupSum(t, r, g)
	}
	if slices.Contains(one[1:], one[0]) {
		t.Error("two boards are alike")
	}
	more := rendered(t, Config{Boards: 1000, Seed: 3})
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range n {
				g := (i*5 + w) % n
				if got := groupSum(t, more, g); got != one[g] {
					t.Errorf("board %d differs when drawn beside others", g)
				}
			}
		})
	}
	wg.Wait()
	if other := rendered(t, Config{Boards: n, Seed: 4}); groupSum(t, other, 0) == one[0] {
		t.Error("another seed, the same board")
	}
}

func TestRenderedItems(t *testing.T) {
	r := rendered(t, Config{Boards: 300, Seed: 9})
	if r.Len() != 1500 || r.Groups() != 300 || len(r.Labels()) != 13 || !slices.IsSorted(r.Labels()) {
		t.Errorf("len %d, groups %d, labels %q", r.Len(), r.Groups(), r.Labels())
	}
	if got := r.Items(17)[3].ID; got != "b000017#3" {
		t.Errorf("ID %q", got)
	}
	seen := map[string]bool{}
	for g := range r.Groups() {
		labels := map[string]bool{}
		for _, it := range r.Items(g) {
			if seen[it.ID] {
				t.Errorf("%s occurs twice", it.ID)
			}
			seen[it.ID], labels[it.Label] = true, true
			if _, ok := slices.BinarySearch(r.Labels(), it.Label); !ok {
				t.Errorf("%s: unknown label %q", it.ID, it.Label)
			}
		}
		if len(labels) != boards.Pieces {
			t.Errorf("board %d has %d different labels", g, len(labels))
		}
	}
	for g := range 5 {
		for i, p := range r.Group(g) {
			if p.Item != r.Items(g)[i] || p.Err != nil {
				t.Errorf("group %d, item %d: %+v", g, i, p)
			}
		}
	}
}

// What is written as a file and read back is the same pictures.
func TestRenderedFile(t *testing.T) {
	r := rendered(t, Config{Boards: 2, Seed: 5})
	file, boxes, err := r.File(1)
	if err != nil {
		t.Fatal(err)
	}
	img, err := decode(file)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range crops(r.Items(1), boxes, img, nil) {
		a, b := sha256.New(), sha256.New()
		hashPicture(a, p)
		hashPicture(b, r.Group(1)[i])
		if p.Err != nil || !bytes.Equal(a.Sum(nil), b.Sum(nil)) {
			t.Errorf("item %d differs: %v", i, p.Err)
		}
	}
}

func TestRenderedBoardsErrors(t *testing.T) {
	for _, c := range []Config{
		{},
		{Boards: -1},
		{Boards: 1, Quality: 96},
		{Boards: 1, Quality: -3},
		{Boards: 1, Drawing: boards.Config{Warp: 7}},
		{Boards: 1, Drawing: boards.Config{Overlap: math.NaN()}},
	} {
		if _, err := RenderedBoards(c); err == nil {
			t.Errorf("%+v: no error", c)
		}
	}
}

func TestRenderedDigest(t *testing.T) {
	seen := map[string]string{}
	for _, c := range []Config{
		{Boards: 4, Seed: 1},
		{Boards: 5, Seed: 1},
		{Boards: 4, Seed: 2},
		{Boards: 4, Seed: 1, Quality: 61},
		{Boards: 4, Seed: 1, Drawing: boards.Config{Jitter: -1}},
	} {
		d, err := rendered(t, c).Digest(t.Context())
		if err != nil || len(d) != 64 {
			t.Fatalf("%q, %v", d, err)
		}
		if was, ok := seen[d]; ok {
			t.Errorf("%+v has the digest of %s", c, was)
		}
		seen[d] = fmt.Sprintf("%+v", c)
	}
	same := Config{Boards: 4, Seed: 1, Quality: 60, Drawing: boards.Config{}.WithDefaults()}
	if d, _ := rendered(t, same).Digest(t.Context()); seen[d] == "" {
		t.Error("defaults that are written out change the digest")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := rendered(t, same).Digest(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v of a cancelled digest", err)
	}
}

// BenchmarkRendered draws, encodes, decodes and crops boards, on one core.
func BenchmarkRendered(b *testing.B) {
	r := rendered(b, Config{Boards: 1 << 20, Seed: 1})
	g, items := 0, 0
	b.ReportAllocs()
	for b.Loop() {
		items += len(r.Group(g))
		g++
	}
	b.ReportMetric(float64(items)/b.Elapsed().Seconds(), "items/s")
}
