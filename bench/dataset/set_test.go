package dataset

import (
	"context"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"annbench/bench/dataset/collection"
	"annbench/bench/dataset/vecfile"
	"annbench/indexes/vec"
	"annbench/internal/atomicfile"
)

func split(t testing.TB, c *collection.Collection, cfg SplitConfig, cache string) *Set {
	t.Helper()
	dir := must[string](t)(Split(context.Background(), c, cfg, cache))
	s := must[*Set](t)(OpenSet(dir))
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestSplitDividesTheCollection(t *testing.T) {
	items, m := random(500, 4, 1)
	c := write(t, filepath.Join(t.TempDir(), "c"), items, m)
	s := split(t, c, SplitConfig{Queries: 60, Seed: 3}, filepath.Join(t.TempDir(), "cache", "deep"))
	if s.Base.Rows != 440 || s.Queries.Rows != 60 || s.Base.Dim != 4 || len(s.Digest) != 64 {
		t.Fatalf("%d and %d vectors, digest %q", s.Base.Rows, s.Queries.Rows, s.Digest)
	}
	seen := make([]int, 500)
	counts := map[string]int{}
	baseItems, queryItems := must[[]collection.Item](t)(s.BaseItems()), must[[]collection.Item](t)(s.QueryItems())
	for _, half := range []struct {
		m            vec.Matrix
		rows, labels []int32
		items        []collection.Item
	}{{s.Base, s.BaseRows, s.BaseLabels, baseItems}, {s.Queries, s.QueryRows, s.QueryLabels, queryItems}} {
		if !slices.IsSorted(half.rows) {
			t.Error("rows are not in the order of the collection")
		}
		for i, row := range half.rows {
			seen[row]++
			if !slices.Equal(half.m.Row(i), m.Row(int(row))) || half.items[i] != items[row] {
				t.Fatalf("vector %d is not row %d of the collection", i, row)
			}
			label := ""
			if half.labels[i] >= 0 {
				label = s.Labels[half.labels[i]]
			}
			if label != items[row].Label {
				t.Fatalf("row %d has label %q, want %q", row, label, items[row].Label)
			}
		}
	}
	for row, n := range seen {
		if n != 1 {
			t.Fatalf("row %d stands %d times in base and queries", row, n)
		}
	}
	if !slices.Equal(s.Labels, []string{"dress", "hat & cap"}) {
		t.Errorf("labels %q", s.Labels)
	}
	for _, item := range baseItems {
		counts[item.Label]++
	}
	for q, item := range queryItems {
		want := counts[item.Label]
		if item.Label == "" {
			want = 0
		}
		if got := s.Relevant(q); got != want {
			t.Errorf("%d relevant items for %q, want %d", got, item.Label, want)
		}
	}
	base, queries := s.LabelCounts()
	if base[0] != counts["dress"] || base[1] != counts["hat & cap"] || queries[0]+queries[1] >= 60 {
		t.Errorf("counts %v %v, of the base %v", base, queries, counts)
	}
}

func TestSplitIsDecidedByContentCountAndSeed(t *testing.T) {
	items, m := random(200, 4, 1)
	c := write(t, filepath.Join(t.TempDir(), "c"), items, m)
	a := split(t, c, SplitConfig{Queries: 20, Seed: 3}, t.TempDir())
	b := split(t, c, SplitConfig{Queries: 20, Seed: 3}, t.TempDir())
	if a.Digest != b.Digest || !slices.Equal(a.QueryRows, b.QueryRows) {
		t.Error("the same split differs")
	}
	seen := map[string]bool{a.Digest: true}
	cache := t.TempDir()
	for _, cfg := range []SplitConfig{{Queries: 20, Seed: 4}, {Queries: 21, Seed: 3}, {}} {
		s := split(t, c, cfg, cache)
		if seen[s.Digest] || slices.Equal(s.QueryRows, a.QueryRows) {
			t.Errorf("%+v is another's split", cfg)
		}
		seen[s.Digest] = true
	}
	// More queries with one seed are a larger set of the same: the smallest draws.
	more := split(t, c, SplitConfig{Queries: 30, Seed: 3}, cache)
	for _, row := range a.QueryRows {
		if !slices.Contains(more.QueryRows, row) {
			t.Errorf("row %d is a query of 20, but not of 30", row)
		}
	}
}

// What digests mean must not change from version to version, or results would be mixed up. These come
// from the definitions, worked out in another language.
func TestDigestsAndDrawsAreFixed(t *testing.T) {
	var queries []int
	for row, query := range held(20, 5, 3) {
		if query {
			queries = append(queries, row)
		}
	}
	if want := []int{0, 2, 12, 15, 17}; !slices.Equal(queries, want) {
		t.Errorf("queries %v, want %v", queries, want)
	}
	c := write(t, filepath.Join(t.TempDir(), "c"), []collection.Item{{ID: "a", Label: "hat"}, {ID: "b"}}, vec.Matrix{Data: []float32{1, 2, 3, 4}, Rows: 2, Dim: 2})
	if want := "1926f4c20be759f50b4bb9d3f991d5f6a0c3454970027a85dd849e3868f76e50"; c.Meta.Digest != want {
		t.Errorf("the collection's digest is %s, want %s", c.Meta.Digest, want)
	}
	s := split(t, c, SplitConfig{Queries: 1, Seed: 3}, t.TempDir())
	if want := "e26fd272036398cfc9575991964f89181b49301261ed5411213ab5c09b0bb013"; s.Digest != want {
		t.Errorf("the set's digest is %s, want %s", s.Digest, want)
	}
}

// Every row is a query equally often.
func TestSplitIsUniform(t *testing.T) {
	const rows, queries, seeds = 50, 10, 4000
	counts := make([]float64, rows)
	for seed := range uint64(seeds) {
		n := 0
		for row, query := range held(rows, queries, seed) {
			if query {
				counts[row]++
				n++
			}
		}
		if n != queries {
			t.Fatalf("%d queries, want %d", n, queries)
		}
	}
	// χ² of 49 degrees of freedom, and 0.8 of that because the draws are without replacement.
	const expected = seeds * queries / rows
	chi := 0.0
	for _, n := range counts {
		chi += (n - expected) * (n - expected) / expected
	}
	if chi > 85*0.8 { // its 99.9th percentile is 85.4
		t.Errorf("χ² is %v: %v", chi, counts)
	}
}

func TestSplitDefaults(t *testing.T) {
	cache := t.TempDir()
	for rows, want := range map[int]int{2: 1, 4: 1, 10: 2, 100: 20, 6000: 1000} {
		items, m := random(rows, 1, 1)
		c := write(t, filepath.Join(t.TempDir(), "c"), items, m)
		if s := split(t, c, SplitConfig{}, cache); s.Queries.Rows != want || s.Base.Rows != rows-want {
			t.Errorf("of %d rows, %d are queries, want %d", rows, s.Queries.Rows, want)
		}
	}
}

func TestSplitRefuses(t *testing.T) {
	items, m := random(10, 2, 1)
	c := write(t, filepath.Join(t.TempDir(), "c"), items, m)
	for _, n := range []int{-1, 10, 11, math.MaxInt} {
		if _, err := Split(context.Background(), c, SplitConfig{Queries: n}, t.TempDir()); err == nil || !strings.Contains(err.Error(), "1 to 9 can") {
			t.Errorf("%d queries of 10: %v", n, err)
		}
	}
	one := write(t, filepath.Join(t.TempDir(), "c"), items[:1], m.Slice(0, 1))
	if _, err := Split(context.Background(), one, SplitConfig{}, t.TempDir()); err == nil {
		t.Error("one row was divided")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	cache := t.TempDir()
	if _, err := Split(ctx, c, SplitConfig{}, cache); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if entries := must[[]os.DirEntry](t)(os.ReadDir(cache)); len(entries) > 0 {
		t.Errorf("%v left behind", entries)
	}
}

func TestSplitUsesWhatIsThere(t *testing.T) {
	items, m := random(50, 2, 1)
	c := write(t, filepath.Join(t.TempDir(), "c"), items, m)
	cache := t.TempDir()
	first := must[string](t)(Split(context.Background(), c, SplitConfig{}, cache))
	before := must[fs.FileInfo](t)(os.Stat(filepath.Join(first, baseFile)))
	second := must[string](t)(Split(context.Background(), c, SplitConfig{}, cache))
	after := must[fs.FileInfo](t)(os.Stat(filepath.Join(second, baseFile)))
	if first != second || !os.SameFile(before, after) {
		t.Error("the set was written again")
	}
	// What is there but not complete is not touched, and not used.
	os.Remove(filepath.Join(first, setFile))
	if _, err := Split(context.Background(), c, SplitConfig{}, cache); err == nil || !strings.Contains(err.Error(), "not a complete set; delete the folder (rm -r ") {
		t.Errorf("over an incomplete set: %v", err)
	}
	os.WriteFile(filepath.Join(first, setFile), []byte("{}"), 0o644)
	if _, err := Split(context.Background(), c, SplitConfig{}, cache); err == nil {
		t.Error("over a foreign set.json")
	}
}

func TestSplitAtOnce(t *testing.T) {
	items, m := random(2000, 16, 1)
	c := write(t, filepath.Join(t.TempDir(), "c"), items, m)
	cache := t.TempDir()
	var wait sync.WaitGroup
	dirs := make([]string, 8)
	for i := range dirs {
		wait.Go(func() {
			dir, err := Split(context.Background(), c, SplitConfig{Queries: 100}, cache)
			if err != nil {
				t.Error(err)
				return
			}
			s, err := OpenSet(dir)
			if err != nil {
				t.Error(err)
				return
			}
			dirs[i] = dir
			truth, err := FindTruth(context.Background(), s, vec.L2, 5, 1, "", nil)
			if err != nil {
				t.Error(err)
			}
			truth.Close()
			s.Close()
		})
	}
	wait.Wait()
	if len(slices.Compact(dirs)) != 1 {
		t.Errorf("%v", dirs)
	}
	if entries := must[[]os.DirEntry](t)(os.ReadDir(cache)); len(entries) != 1 {
		t.Errorf("%v left behind", entries)
	}
}

func TestOpenSetRefusesDamage(t *testing.T) {
	items, m := random(50, 2, 1)
	for name, c := range map[string]struct {
		damage func(dir string)
		reason string
	}{
		"no set.json":    {func(dir string) { os.Remove(filepath.Join(dir, setFile)) }, "not a complete set"},
		"base cut":       {func(dir string) { os.Truncate(filepath.Join(dir, baseFile), 140) }, baseFile},
		"other queries":  {func(dir string) { vecfile.WriteArray(filepath.Join(dir, queriesFile), m.Slice(0, 9).Data, m.Dim) }, "has 9 vectors"},
		"labels missing": {func(dir string) { os.Remove(filepath.Join(dir, baseLabelsFile)) }, baseLabelsFile},
		"fewer labels": {func(dir string) {
			os.Remove(filepath.Join(dir, queryLabelsFile))
			vecfile.WriteArray(filepath.Join(dir, queryLabelsFile), make([]int32, 9), 0)
		}, "has 9 values"},
		"labels without a name": {func(dir string) {
			os.Remove(filepath.Join(dir, queryLabelsFile))
			vecfile.WriteArray(filepath.Join(dir, queryLabelsFile), []int32{0, 0, 0, 0, 2, 0, 0, 0, 0, 0}, 0)
		}, "value 4 is 2, of 2"},
		"another seed": {func(dir string) {
			b, _ := os.ReadFile(filepath.Join(dir, setFile))
			os.WriteFile(filepath.Join(dir, setFile), []byte(strings.Replace(string(b), `"seed": 0`, `"seed": 1`, 1)), 0o644)
		}, setFile + " has changed since it was written"},
		"no checksums": {func(dir string) {
			var m map[string]any
			must[int](t)(0, atomicfile.ReadJSON(filepath.Join(dir, setFile), &m))
			delete(m, "sha256")
			must[int](t)(0, atomicfile.WriteJSON(filepath.Join(dir, setFile), m))
		}, "no checksums"},
	} {
		col := write(t, filepath.Join(t.TempDir(), "c"), items, m)
		dir := must[string](t)(Split(context.Background(), col, SplitConfig{}, t.TempDir()))
		c.damage(dir)
		s, err := OpenSet(dir)
		if err == nil {
			s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.reason) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: error %v, want %q", name, err, c.reason)
		}
	}
}

// TestFaultsAtRest: what a file can turn into and still be read, rows that were swapped, labels that were
// changed, flipped bits, is an error that names the file and how to make it again.
func TestFaultsAtRest(t *testing.T) {
	items, m := random(50, 2, 1)
	change := func(name string, how func(b []byte)) func(dir string) {
		return func(dir string) {
			path := filepath.Join(dir, name)
			b := must[[]byte](t)(os.ReadFile(path))
			before := slices.Clone(b)
			how(b)
			if slices.Equal(b, before) {
				t.Fatalf("%s: nothing was changed", name)
			}
			must[int](t)(0, os.WriteFile(path, b, 0o644))
		}
	}
	swap := func(size int) func(b []byte) { // the last two rows of size bytes
		return func(b []byte) {
			last, first := b[len(b)-size:], b[len(b)-2*size:len(b)-size]
			for i := range last {
				last[i], first[i] = first[i], last[i]
			}
		}
	}
	flip := func(b []byte) { b[len(b)-1] ^= 0x40 }
	for name, c := range map[string]struct {
		damage func(dir string)
		file   string
	}{
		"base rows swapped":     {change(baseFile, swap(4*m.Dim)), baseFile},
		"a bit of the base":     {change(baseFile, flip), baseFile},
		"query rows swapped":    {change(queriesFile, swap(4*m.Dim)), queriesFile},
		"a label changed":       {change(baseLabelsFile, func(b []byte) { b[len(b)-4] ^= 1 }), baseLabelsFile},
		"a query's label":       {change(queryLabelsFile, func(b []byte) { b[len(b)-4] ^= 1 }), queryLabelsFile},
		"row numbers swapped":   {change(baseRowsFile, swap(4)), baseRowsFile},
		"an item renamed":       {change(baseItemsFile, func(b []byte) { copy(b, strings.Replace(string(b), "1", "7", 1)) }), baseItemsFile},
		"a query's row changed": {change(queryRowsFile, swap(4)), queryRowsFile},
	} {
		col := write(t, filepath.Join(t.TempDir(), "c"), items, m)
		dir := must[string](t)(Split(context.Background(), col, SplitConfig{}, t.TempDir()))
		s := must[*Set](t)(OpenSet(dir))
		if err := s.Verify(t.Context()); err != nil {
			t.Errorf("%s: undamaged: %v", name, err)
		}
		s.Close()
		c.damage(dir)
		s, err := OpenSet(dir)
		if err == nil {
			err = s.Verify(t.Context())
			s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), filepath.Join(dir, c.file)) || !strings.Contains(err.Error(), "makes it again") {
			t.Errorf("%s: error %v, want one that names %s and the way to make it again", name, err, c.file)
		}
	}

	// The collection is looked at as well, before anything is made of it.
	for _, file := range []string{"vectors.npy", "items.jsonl"} {
		dir, cache := filepath.Join(t.TempDir(), "c"), t.TempDir()
		col := write(t, dir, items, m)
		must[string](t)(Split(context.Background(), col, SplitConfig{}, cache))
		if file == "vectors.npy" {
			change(file, flip)(dir)
		} else {
			change(file, func(b []byte) { copy(b, strings.Replace(string(b), "1", "7", 1)) })(dir)
		}
		col = must[*collection.Collection](t)(collection.OpenFolder(dir))
		if _, err := Split(context.Background(), col, SplitConfig{}, cache); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("%s of the collection: error %v", file, err)
		}
		col.Close()
	}
}

// The digest of a plain file is remembered, and forgotten when the file changes.
func TestSplitRemembersDigests(t *testing.T) {
	dir, cache := t.TempDir(), t.TempDir()
	path, labels := filepath.Join(dir, "v.npy"), filepath.Join(dir, "l.txt")
	_, m := random(20, 2, 1)
	must[int](t)(0, vecfile.WriteArray(path, m.Data, m.Dim))
	os.WriteFile(labels, []byte(strings.Repeat("a\n", 20)), 0o644)
	remembered := func() []string { return must[[]string](t)(filepath.Glob(filepath.Join(cache, "digest-*"))) }
	digest := func() string {
		c := must[*collection.Collection](t)(collection.OpenVectors(path, labels))
		defer c.Close()
		return split(t, c, SplitConfig{}, cache).Digest
	}
	first := digest()
	if got := remembered(); len(got) != 0 {
		t.Errorf("a file that was just written is remembered: %v", got)
	}
	past := time.Now().Add(-time.Hour)
	os.Chtimes(path, past, past)
	os.Chtimes(labels, past, past)
	if digest() != first || len(remembered()) != 1 {
		t.Errorf("not remembered: %v", remembered())
	}
	// What is remembered is used: a digest of our own making makes another set.
	file := remembered()[0]
	right := must[[]byte](t)(os.ReadFile(file))
	os.WriteFile(file, []byte(strings.Repeat("0", 64)+"\n"), 0o644)
	if digest() == first {
		t.Error("the file was read again")
	}
	os.WriteFile(file, right[:10], 0o644) // damaged
	if digest() != first {
		t.Error("a damaged digest was used")
	}
	m.Data[0]++
	must[int](t)(0, vecfile.WriteArray(path, m.Data, m.Dim))
	if digest() == first {
		t.Error("the file has changed, the digest has not")
	}
	second := digest()
	os.WriteFile(labels, []byte(strings.Repeat("b\n", 20)), 0o644)
	if digest() == second {
		t.Error("the labels have changed, the digest has not")
	}
}

// give makes a set of these vectors without a split.
func give(t testing.TB, base, queries vec.Matrix) *Set {
	rows := func(from, n int) []int32 {
		out := make([]int32, n)
		for i := range out {
			out[i] = int32(from + i)
		}
		return out
	}
	return &Set{
		Dir: t.TempDir(), Digest: "given", Base: base, Queries: queries,
		BaseRows: rows(0, base.Rows), QueryRows: rows(base.Rows, queries.Rows),
	}
}

func TestCheck(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(-1))
	m := func(dim int, data ...float32) vec.Matrix {
		return vec.Matrix{Data: data, Rows: len(data) / dim, Dim: dim}
	}
	for _, c := range []struct {
		name          string
		base, queries vec.Matrix
		metric        vec.Metric
		warnings      []string
		reason        string
	}{
		{name: "clean", base: m(2, 1, 2, 2, 1), queries: m(2, 3, 3), metric: vec.Cosine},
		{name: "NaN in the base", base: m(2, 1, 2, 3, nan), queries: m(2, 3, 3), metric: vec.L2, reason: "base vector 1 (row 1 of the collection) holds NaN in dimension 1"},
		{name: "infinite query", base: m(2, 1, 2, 2, 1), queries: m(2, 1, 1, inf, 0), metric: vec.L2, reason: "query 1 (row 3 of the collection) holds -Inf in dimension 0"},
		{name: "zero under cosine", base: m(2, 1, 2, 0, 0, 2, 1), queries: m(2, float32(math.Copysign(0, -1)), 0, 1, 1), metric: vec.Cosine, warnings: []string{
			"1 of 3 base vectors are zero, base vector 1 (row 1 of the collection) first: under cosine they are equally far from everything",
			"1 of 2 queries are zero, query 0 (row 3 of the collection) first: under cosine they are equally far from everything",
		}},
		{name: "zero under L2", base: m(2, 1, 2, 0, 0), queries: m(2, 1, 1), metric: vec.L2},
		{name: "copies", base: m(1, 5, 1, 5, 2, 5, 1, 3), queries: m(1, 5, 9, 2, 5), metric: vec.L2, warnings: []string{
			"3 of 7 base vectors are exact copies of another: 2 groups, the largest of 3",
			"3 of 4 queries also stand in the base, as exact copies",
		}},
		{name: "one copy", base: m(1, 5, 5), queries: m(1, 4), metric: vec.InnerProduct, warnings: []string{
			"1 of 2 base vectors are exact copies of another: 1 group, the largest of 2",
		}},
	} {
		warnings, err := give(t, c.base, c.queries).Check(c.metric, allGates()...)
		if !slices.Equal(warnings, c.warnings) {
			t.Errorf("%s: warnings %q, want %q", c.name, warnings, c.warnings)
		}
		if (err == nil) != (c.reason == "") || err != nil && !strings.Contains(err.Error(), c.reason) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.reason)
		}
	}
}

func allGates() []string {
	var names []string
	for _, g := range Gates {
		names = append(names, g.Name)
	}
	return names
}

// TestGates: what is beyond a gate's limit ends a run, unless it is allowed by its name, and then it is
// the same words as a warning.
func TestGates(t *testing.T) {
	_, clean := random(40, 6, 1)
	_, queries := random(20, 6, 2)
	change := func(f func(base, queries vec.Matrix)) (vec.Matrix, vec.Matrix) {
		b, q := clean, queries
		b.Data, q.Data = slices.Clone(b.Data), slices.Clone(q.Data)
		f(b, q)
		return b, q
	}
	for _, c := range []struct {
		gate, words string
		below       bool // of the limit: a warning without being allowed
		f           func(base, queries vec.Matrix)
	}{
		{"zeros", "1 of 40 base vectors are zero, base vector 7 (row 7 of the collection) first", false, func(b, _ vec.Matrix) { clear(b.Row(7)) }},
		{"duplicates", "5 of 40 base vectors point the same way as another, which is all that cosine sees: 1 group, the largest of 6", false, func(b, _ vec.Matrix) {
			for i := range 5 {
				copy(b.Row(10+i), b.Row(0))
			}
		}},
		{"duplicates", "4 of 40", true, func(b, _ vec.Matrix) {
			for i := range 4 {
				copy(b.Row(10+i), b.Row(0))
			}
		}},
		{"queries", "3 of 20 queries also stand in the base", false, func(b, q vec.Matrix) { copy(q.Data[:18], b.Data) }},
		{"queries", "2 of 20 queries also stand in the base", true, func(b, q vec.Matrix) { copy(q.Data[:12], b.Data) }},
		{"constant", "4 of 6 dimensions are nearly constant", false, func(b, _ vec.Matrix) {
			for i := range b.Rows {
				for j := range 4 {
					b.Row(i)[j] = 1 + 1e-5*float32(i%2)
				}
			}
		}},
		{"constant", "3 of 6 dimensions are nearly constant", true, func(b, _ vec.Matrix) {
			for i := range b.Rows {
				clear(b.Row(i)[:3])
			}
		}},
	} {
		base, q := change(c.f)
		s := give(t, base, q)
		warnings, err := s.Check(vec.Cosine)
		if c.below {
			if err != nil || len(warnings) != 1 || !strings.Contains(warnings[0], c.words) {
				t.Errorf("%s below its limit: %q, %v", c.gate, warnings, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.words) || !strings.Contains(err.Error(), "--allow "+c.gate) {
			t.Errorf("%s: %q, %v, want %q", c.gate, warnings, err, c.words)
		}
		if warnings, err = s.Check(vec.Cosine, c.gate); err != nil || len(warnings) != 1 || !strings.Contains(warnings[0], c.words) {
			t.Errorf("%s, allowed: %q, %v", c.gate, warnings, err)
		}
		for _, other := range Gates {
			if other.Name != c.gate {
				if _, err := s.Check(vec.Cosine, other.Name); err == nil {
					t.Errorf("%s passes when %s is allowed", c.gate, other.Name)
				}
			}
		}
	}
	if err := CheckGate("zeroes"); err == nil || !strings.Contains(err.Error(), "zeros, duplicates, queries, constant, neighbors") {
		t.Error(err)
	}
}

// Rows whose hashes are the same are told apart by their bytes.
func TestDuplicatesDoNotTrustHashes(t *testing.T) {
	m := vec.Matrix{Data: []float32{1, 2, 3, 2, 1}, Rows: 5, Dim: 1}
	d := newDuplicates(m, vec.L2)
	// As if all three groups had one hash.
	for i := range d.list {
		d.list[i].next = int32(i) - 1
	}
	last := int32(len(d.list) - 1)
	for value, want := range map[float32]int32{1: 0, 2: 1, 3: 2, 4: -1} {
		if got := d.find(last, []float32{value}); got != want {
			t.Errorf("%v is found in group %d, want %d", value, got, want)
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	_, base := random(50000, 512, 1)
	_, queries := random(1000, 512, 2)
	s := give(b, base, queries)
	for b.Loop() {
		if _, err := s.Check(vec.Cosine); err != nil {
			b.Fatal(err)
		}
	}
}
