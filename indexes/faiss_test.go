//go:build faiss

package indexes

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/DataIntelligenceCrew/go-faiss"

	"annbench/indexes/vec"
)

// small are settings with which every family of Faiss fits 600 vectors of 16 dimensions, and has no
// warning to print.
var small = map[string]Params{
	"flat-faiss":    {},
	"ivfflat-faiss": {"nlist": 8, "nprobe": 8},
	"ivfpq-faiss":   {"nlist": 8, "m": 16, "nbits": 3, "nprobe": 8},
	"hnsw-faiss":    {"M": 16, "efConstruction": 100, "efSearch": 200},

	"ivfpqfs-faiss":   {"nlist": 8, "m": 16, "nprobe": 8, "k_factor": 8},
	"ivfsq-faiss":     {"nlist": 8, "nprobe": 8},
	"ivfrabitq-faiss": {"nlist": 8, "nprobe": 8, "k_factor": 20},
	"hnswsq-faiss":    {"M": 16, "efConstruction": 100, "efSearch": 200},
	"faiss":           {"factory": "IVF8,PQ16x4fsr,Refine(SQ8)", "nprobe": 8, "k_factor_rf": 8},
}

// estimating are the families, with the settings of small, whose distances are not those of the vectors.
var estimating = []string{"ivfpq-faiss", "ivfsq-faiss", "hnswsq-faiss", "faiss"}

// clusters draws vectors around a few centres; row 3 is zero, and row 5 is a copy of row 4.
func clusters(rows, dim int, seed uint64) vec.Matrix {
	rng := rand.New(rand.NewPCG(seed, 1))
	centres := vec.NewMatrix(8, dim)
	for i := range centres.Data {
		centres.Data[i] = float32(rng.NormFloat64())
	}
	m := vec.NewMatrix(rows, dim)
	for i := range rows {
		c := centres.Row(rng.IntN(centres.Rows))
		for j := range dim {
			m.Row(i)[j] = c[j] + float32(rng.NormFloat64())
		}
	}
	if rows > 5 {
		clear(m.Row(3))
		copy(m.Row(5), m.Row(4))
	}
	return m
}

// oracle is the rank value of every row of base to q, worked out in float64.
func oracle(m vec.Metric, base vec.Matrix, q []float32) []float64 {
	out := make([]float64, base.Rows)
	for i := range out {
		d := m.Distance(q, base.Row(i))
		switch m {
		case vec.L2:
			d *= d
		case vec.Cosine:
			d = d * d / 2
		}
		out[i] = d
	}
	return out
}

func openSmall(t *testing.T, f *Family, m vec.Metric, v vec.Matrix) Index {
	t.Helper()
	x, err := f.OpenChecked(context.Background(), BuildInput{Vectors: v, Metric: m, Params: small[f.Name]})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	})
	return x
}

func eachFaiss(t *testing.T, do func(t *testing.T, f *Family)) {
	for _, f := range faissFamilies() {
		t.Run(f.Name, func(t *testing.T) {
			if f.Missing != "" {
				t.Skip(f.Missing)
			}
			do(t, f)
		})
	}
}

// TestFaissRankValues checks values, and recall where every list is read, against the oracle. The
// base holds a zero vector and a pair of equal ones, and so do the queries.
func TestFaissRankValues(t *testing.T) {
	const k = 10
	base := clusters(600, 16, 1)
	queries := clusters(40, 16, 2)
	copy(queries.Row(0), base.Row(4))
	clear(queries.Row(1))
	eachFaiss(t, func(t *testing.T, f *Family) {
		for _, m := range f.Metrics {
			x := openSmall(t, f, m, base)
			batch, err := x.(BatchSearcher).SearchBatch(queries, k)
			if err != nil {
				t.Fatal(err)
			}
			hits := 0
			for i := range queries.Rows {
				truth := oracle(m, base, queries.Row(i))
				byRank := slices.Sorted(slices.Values(truth))
				// Rounding is relative to what is summed, not to what is left of it.
				scale := 1.0
				if m != vec.Cosine {
					q := vec.L2.Distance(queries.Row(i), make([]float32, 16))
					scale = 16 * (q*q + 100)
				}
				one, err := x.Search(nil, queries.Row(i), k)
				if err != nil {
					t.Fatal(err)
				}
				for name, got := range map[string][]vec.Neighbor{"Search": one, "SearchBatch": batch[i]} {
					if len(got) == 0 && strings.Contains(mustFactory(f.Name, 600, 16, mustSettings(t, f, small[f.Name])).text, "fs") && !slices.ContainsFunc(queries.Row(i), func(v float32) bool { return v != 0 }) {
						continue // the fast scan of 1.12 finds nothing for a zero query under ip and cosine
					}
					if len(got) != k {
						t.Fatalf("%s %s query %d: %d answers, not %d", m, name, i, len(got), k)
					}
					for j, n := range got {
						if j > 0 && !got[j-1].Less(n) {
							t.Errorf("%s %s query %d: answers out of order: %v", m, name, i, got)
						}
						if slices.Contains(estimating, f.Name) {
							continue
						}
						if math.Abs(float64(n.Dist)-truth[n.ID]) > 1e-6*scale {
							t.Errorf("%s %s query %d: vector %d at %v, not %v", m, name, i, n.ID, n.Dist, truth[n.ID])
						}
					}
				}
				for _, n := range one {
					if truth[n.ID] <= byRank[k-1]+1e-6*scale {
						hits++
					}
				}
			}
			recall := float64(hits) / float64(k*queries.Rows)
			floor := map[string]float64{"ivfpq-faiss": 0.5, "hnsw-faiss": 0.98, "hnswsq-faiss": 0.9, "ivfsq-faiss": 0.95, "ivfrabitq-faiss": 0.9, "ivfpqfs-faiss": 0.94, "faiss": 0.9}[f.Name]
			if floor == 0 {
				floor = 1
			}
			if recall < floor {
				t.Errorf("%s: recall %.3f is under %.2f", m, recall, floor)
			}
		}
	})
}

// TestFaissTies: a query that is one of two equal vectors has both first, the lower ID before the other.
func TestFaissTies(t *testing.T) {
	base := clusters(600, 16, 1)
	eachFaiss(t, func(t *testing.T, f *Family) {
		for _, m := range []vec.Metric{vec.L2, vec.Cosine} {
			got, err := openSmall(t, f, m, base).Search(nil, base.Row(5), 600)
			if err != nil {
				t.Fatal(err)
			}
			at := slices.IndexFunc(got, func(n vec.Neighbor) bool { return n.ID == 4 })
			if at < 0 || at+1 >= len(got) || got[at+1].ID != 5 || got[at].Dist != got[at+1].Dist {
				t.Errorf("%s: vectors 4 and 5 are equal, but not next to each other: %v", m, got[:8])
			}
			if !slices.Contains(estimating, f.Name) && at != 0 {
				t.Errorf("%s: the query's own vector is at place %d", m, at)
			}
		}
	})
}

// TestFaissRefuses asks what makes go-faiss panic, read past its slices or answer in silence.
func TestFaissRefuses(t *testing.T) {
	base := clusters(600, 16, 1)
	nan := make([]float32, 16)
	nan[7] = float32(math.NaN())
	inf := make([]float32, 16)
	inf[0] = float32(math.Inf(-1))
	eachFaiss(t, func(t *testing.T, f *Family) {
		x := openSmall(t, f, vec.L2, base)
		before := []vec.Neighbor{{ID: 77, Dist: 7}}
		for _, c := range []struct {
			q    []float32
			k    int
			want string
		}{
			{nil, 1, "0 dimensions"},
			{make([]float32, 15), 1, "15 dimensions"},
			{make([]float32, 17), 1, "17 dimensions"},
			{make([]float32, 16), 0, "at least 1"},
			{make([]float32, 16), -3, "at least 1"},
			{nan, 1, "NaN in dimension 7"},
			{inf, 1, "-Inf in dimension 0"},
		} {
			got, err := x.Search(before, c.q, c.k)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), f.Name) {
				t.Errorf("Search: %v, want %q", err, c.want)
			}
			if !slices.Equal(got, before) {
				t.Errorf("Search changed dst to %v", got)
			}
			if len(c.q) == 0 {
				continue
			}
			if _, err := x.(BatchSearcher).SearchBatch(vec.Matrix{Data: c.q, Rows: 1, Dim: len(c.q)}, c.k); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("SearchBatch: %v, want %q", err, c.want)
			}
		}
		if _, err := x.(BatchSearcher).SearchBatch(vec.Matrix{Data: make([]float32, 40), Rows: 3, Dim: 16}, 1); err == nil {
			t.Error("SearchBatch took ragged queries")
		}
		if got, err := x.(BatchSearcher).SearchBatch(vec.Matrix{Dim: 16}, 1); err != nil || len(got) != 0 {
			t.Errorf("SearchBatch of nothing: %v, %v", got, err)
		}
		if got, err := x.Search(before, base.Row(0), 5); err != nil || len(got) != 6 || got[0] != before[0] {
			t.Errorf("Search did not append: %v, %v", got, err)
		}
		// Unchecked input, as package bench gives it.
		for _, v := range []vec.Matrix{{}, {Rows: 1}, {Dim: 3}, {Data: make([]float32, 5), Rows: 2, Dim: 3}} {
			if _, err := f.Open(context.Background(), BuildInput{Vectors: v, Metric: vec.L2}); err == nil {
				t.Errorf("built from %d × %d", v.Rows, v.Dim)
			}
		}
		if _, err := f.Open(context.Background(), BuildInput{Vectors: base, Metric: "hamming", Params: small[f.Name]}); err == nil {
			t.Error("built under a metric that is not there")
		}
		if err := x.(Tuner).Tune(Params{"nonsense": 1}); err == nil {
			t.Error("tuned a setting that is not there")
		}
	})
}

// TestFaissOneVector builds from the fewest vectors and dimensions that there are.
func TestFaissOneVector(t *testing.T) {
	one := map[string]Params{
		"ivfflat-faiss": {"nlist": 1}, "ivfpq-faiss": {"nlist": 1, "m": 1, "nbits": 1}, "ivfpqfs-faiss": {"nlist": 1, "m": 1},
		"ivfsq-faiss": {"nlist": 1}, "ivfrabitq-faiss": {"nlist": 1}, "faiss": {"factory": "IVF1,SQ8,RFlat"},
	}
	eachFaiss(t, func(t *testing.T, f *Family) {
		for _, m := range f.Metrics {
			for rows := 1; rows <= 3; rows++ {
				v := vec.Matrix{Data: []float32{2, 3, -1}[:rows], Rows: rows, Dim: 1}
				x, err := f.OpenChecked(context.Background(), BuildInput{Vectors: v, Metric: m, Params: one[f.Name]})
				if f.Fits != nil && f.Fits(rows, 1, mustSettings(t, f, one[f.Name])) != nil {
					if err == nil {
						t.Errorf("%s: built from %d vectors, which do not fit", m, rows)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				got, err := x.Search(nil, []float32{2.1}, 10)
				if err != nil || len(got) != rows {
					t.Errorf("%s: %v, %v from %d vectors", m, got, err, rows)
				}
				x.Close()
			}
		}
	})
}

// TestFaissTooLarge: distances beyond a float32 are an error of the exact family, not fewer answers.
func TestFaissTooLarge(t *testing.T) {
	v := vec.NewMatrix(4, 2)
	for i := range v.Data {
		v.Data[i] = float32(i) * 1e30
	}
	f, err := Lookup("flat-faiss")
	if err != nil {
		t.Fatal(err)
	}
	x, err := f.OpenChecked(context.Background(), BuildInput{Vectors: v, Metric: vec.L2})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	if got, err := x.Search(nil, []float32{-3e30, 1}, 3); err == nil || len(got) != 0 || !strings.Contains(err.Error(), "too large") {
		t.Errorf("%v, %v", got, err)
	}
}

func TestFaissFits(t *testing.T) {
	pq, err := Lookup("ivfpq-faiss")
	if err != nil {
		t.Fatal(err)
	}
	ivf, err := Lookup("ivfflat-faiss")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		f      *Family
		n, dim int
		p      Params
		want   string
	}{
		{ivf, 600, 16, Params{"nlist": 600}, ""},
		{ivf, 600, 16, Params{"nlist": 601}, "nlist=601 needs at least 601 vectors to train on, there are 600: use nlist=600 or less"},
		{pq, 600, 16, Params{"nlist": 8, "m": 16, "nbits": 3}, ""},
		{pq, 600, 512, Params{"nlist": 8, "m": 48}, "m=48 does not divide the 512 dimensions: use m=32 or m=64"},
		{pq, 600, 16, Params{"nlist": 8, "m": 17}, "m=17 does not divide the 16 dimensions: use m=16"},
		{pq, 600, 13, Params{"nlist": 8, "m": 2}, "m=2 does not divide the 13 dimensions: use m=1 or m=13"},
		{pq, 200, 16, Params{"nlist": 8}, "nbits=8 needs at least 256 vectors to train on, there are 200: use nbits=7 or less"},
		{pq, 600, 16, Params{"nlist": 8, "train": 100}, "nbits=8 needs at least 256 vectors to train on, there are 100: use nbits=6 or less, or train=256 or more"},
		{pq, 600, 16, Params{"nlist": 300, "train": 299}, "nlist=300 needs at least 300 vectors to train on, there are 299: use nlist=299 or less, or train=300 or more"},
		{pq, 1, 16, Params{"nlist": 1, "nbits": 1}, "nbits=1 needs at least 2 vectors to train on, there are 1: there must be at least 2"},
	} {
		p, err := c.f.Settings(slices.Concat(c.f.Build, c.f.Search), c.p)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if err := c.f.Fits(c.n, c.dim, p); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s %v: %q\nwant %q", c.f.Name, c.p, got, c.want)
		}
		// What fits is what Faiss takes.
		if v := clusters(c.n, c.dim, 3); c.want == "" {
			x, err := c.f.OpenChecked(context.Background(), BuildInput{Vectors: v, Metric: vec.L2, Params: c.p})
			if err != nil {
				t.Fatal(err)
			}
			x.Close()
		}
	}
}

// TestFaissPhases checks the phases, that few training vectors are enough, and that a build that was
// called off does not begin.
func TestFaissPhases(t *testing.T) {
	base := clusters(600, 16, 1)
	eachFaiss(t, func(t *testing.T, f *Family) {
		var phases []string
		in := BuildInput{Vectors: base, Metric: vec.Cosine, Params: Params{}, Phase: func(p string) { phases = append(phases, p) }}
		for name, v := range small[f.Name] {
			in.Params[name] = v
		}
		want := "add"
		if strings.HasPrefix(f.Name, "ivf") || f.Name == "hnswsq-faiss" || f.Name == "faiss" {
			want = "train add"
		}
		if f.Name == "ivfpq-faiss" {
			in.Params["train"] = 400
		}
		x, err := f.OpenChecked(context.Background(), in)
		if err != nil {
			t.Fatal(err)
		}
		x.Close()
		if got := strings.Join(phases, " "); got != want {
			t.Errorf("phases %q, not %q", got, want)
		}
		ctx, cancel := context.WithCancel(context.Background())
		in.Phase = func(string) { cancel() }
		if _, err := f.OpenChecked(ctx, in); !errors.Is(err, context.Canceled) {
			t.Errorf("called off while building: %v", err)
		}
		if _, err := f.OpenChecked(ctx, in); !errors.Is(err, context.Canceled) {
			t.Errorf("called off before building: %v", err)
		}
	})
}

// TestFaissTune: search settings change the answers, and absent ones fall back to the defaults.
func TestFaissTune(t *testing.T) {
	base, queries := clusters(3000, 16, 1), clusters(100, 16, 2)
	for name, c := range map[string]struct{ build, low, high Params }{
		"ivfflat-faiss": {Params{"nlist": 64}, Params{"nprobe": 1}, Params{"nprobe": 1000}},
		"hnsw-faiss":    {Params{"M": 16}, Params{"efSearch": 1}, Params{"efSearch": 3000}},
	} {
		f, err := Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		x, err := f.OpenChecked(context.Background(), BuildInput{Vectors: base, Metric: vec.L2, Params: c.build})
		if err != nil {
			t.Fatal(err)
		}
		defer x.Close()
		ask := func() [][]vec.Neighbor {
			var out [][]vec.Neighbor
			for i := range queries.Rows {
				got, err := x.Search(nil, queries.Row(i), 1)
				if err != nil {
					t.Fatal(err)
				}
				out = append(out, got)
			}
			return out
		}
		right := func(answers [][]vec.Neighbor) (n int) {
			for i, a := range answers {
				truth := oracle(vec.L2, base, queries.Row(i))
				if len(a) == 1 && truth[a[0].ID] <= slices.Min(truth)*(1+1e-5) {
					n++
				}
			}
			return n
		}
		fresh := ask()
		if err := x.(Tuner).Tune(c.low); err != nil {
			t.Fatal(err)
		}
		low := right(ask())
		if err := x.(Tuner).Tune(c.high); err != nil {
			t.Fatal(err)
		}
		if high := right(ask()); high < 100 || low >= high {
			t.Errorf("%s: %d of 100 right with %v, %d with %v", name, low, c.low, high, c.high)
		}
		if err := x.(Tuner).Tune(nil); err != nil {
			t.Fatal(err)
		}
		if again := ask(); fmt.Sprint(again) != fmt.Sprint(fresh) {
			t.Errorf("%s: the defaults are not what the build began with", name)
		}
	}
}

// TestFaissFiles: a saved index answers as it did, also for Faiss alone; and no other file is taken.
func TestFaissFiles(t *testing.T) {
	base, queries := clusters(600, 16, 1), clusters(20, 16, 2)
	dir := t.TempDir()
	eachFaiss(t, func(t *testing.T, f *Family) {
		for _, m := range f.Metrics {
			x := openSmall(t, f, m, base)
			path := filepath.Join(dir, f.Name+"-"+string(m))
			if err := x.(Saver).Save(path); err != nil {
				t.Fatal(err)
			}
			y, err := f.Load(path, BuildInput{Metric: m, Params: small[f.Name]})
			if err != nil {
				t.Fatal(err)
			}
			for i := range queries.Rows {
				a, err := x.Search(nil, queries.Row(i), 10)
				if err != nil {
					t.Fatal(err)
				}
				b, err := y.Search(nil, queries.Row(i), 10)
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(a, b) {
					t.Fatalf("%s: %v after loading, %v before", m, b, a)
				}
			}
			again := path + "-again"
			if err := y.(Saver).Save(again); err != nil {
				t.Fatal(err)
			}
			y.Close()
			a, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			b, err := os.ReadFile(again)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(a, b) {
				t.Errorf("%s: saved again, the file differs", m)
			}
			alone, err := faiss.ReadIndex(path, 0)
			if err != nil {
				t.Fatalf("%s: Faiss alone: %v", m, err)
			}
			if alone.Ntotal() != 600 {
				t.Errorf("%s: Faiss alone reads %d vectors", m, alone.Ntotal())
			}
			alone.Delete()
		}

		path := filepath.Join(dir, f.Name+"-l2")
		for _, c := range []struct {
			name string
			in   BuildInput
			want string
		}{
			{"another metric", BuildInput{Metric: vec.Cosine}, "metric l2, not cosine"},
			{"another dimension", BuildInput{Metric: vec.L2, Vectors: vec.NewMatrix(600, 8)}, "600 vectors of 16 dimensions"},
			{"another size", BuildInput{Metric: vec.L2, Vectors: vec.NewMatrix(599, 16)}, "600 vectors of 16 dimensions"},
			{"no metric", BuildInput{}, "metric l2"},
			{"no such setting", BuildInput{Metric: vec.L2, Params: Params{"nonsense": 1}}, "nonsense"},
		} {
			if _, err := f.Load(path, c.in); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v, want %q", c.name, err, c.want)
			}
		}
		if f.Name == "hnsw-faiss" {
			if _, err := f.Load(path, BuildInput{Metric: vec.L2, Params: Params{"M": 17}}); err == nil || !strings.Contains(err.Error(), "M=16, not 17") {
				t.Errorf("another setting: %v", err)
			}
		}
		for _, other := range faissFamilies() {
			if other.Name == f.Name {
				continue
			}
			if _, err := other.Load(path, BuildInput{Metric: vec.L2}); err == nil || !strings.Contains(err.Error(), "family "+f.Name) {
				t.Errorf("loaded as %s: %v", other.Name, err)
			}
		}
		if err := openSmall(t, f, vec.L2, base).(Saver).Save(filepath.Join(dir, "no-such-folder", "x")); err == nil {
			t.Error("saved into a folder that is not there")
		}
	})
	left, err := filepath.Glob(filepath.Join(dir, ".*"))
	if err != nil || len(left) > 0 {
		t.Errorf("temporary files are left: %v, %v", left, err)
	}
}

// TestFaissDamagedFiles: a file that was cut, changed or made of something else is one error that
// names it. Given such files, Faiss itself asks for terabytes or reads outside of its arrays.
func TestFaissDamagedFiles(t *testing.T) {
	base := clusters(600, 16, 1)
	rng := rand.New(rand.NewPCG(9, 9))
	eachFaiss(t, func(t *testing.T, f *Family) {
		path := filepath.Join(t.TempDir(), "index")
		if err := openSmall(t, f, vec.L2, base).(Saver).Save(path); err != nil {
			t.Fatal(err)
		}
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		refused := func(name string, content []byte) {
			t.Helper()
			if err := os.WriteFile(path, content, 0o644); err != nil {
				t.Fatal(err)
			}
			x, err := f.Load(path, BuildInput{Metric: vec.L2, Params: small[f.Name]})
			if err == nil {
				x.Close()
				t.Fatalf("%s was loaded", name)
			}
			if strings.Count(err.Error(), path) != 1 || !strings.HasPrefix(err.Error(), "loading "+f.Name) {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, n := range []int{0, 1, 4, faissTailSize - 1, faissTailSize, 40, 100, len(whole) / 2, len(whole) - faissTailSize, len(whole) - 1} {
			refused(fmt.Sprintf("a file cut at %d of %d bytes", n, len(whole)), whole[:n])
		}
		refused("a longer file", append(slices.Clone(whole), 0))
		refused("a file of zeros", make([]byte, len(whole)))
		noise := make([]byte, 5000)
		for i := range noise {
			noise[i] = byte(rng.Uint32())
		}
		refused("noise", noise)
		refused("noise with the right tail", append(noise, whole[len(whole)-faissTailSize:]...))
		for range 200 {
			changed := slices.Clone(whole)
			at := rng.IntN(len(changed))
			changed[at] ^= 1 << rng.IntN(8)
			refused(fmt.Sprintf("a file with a bit changed in byte %d", at), changed)
		}
		for at := len(whole) - 300; at < len(whole); at++ { // label and tail, byte for byte
			changed := slices.Clone(whole)
			changed[at] ^= 0xff
			refused(fmt.Sprintf("a file with byte %d changed", at), changed)
		}
		missing := filepath.Join(t.TempDir(), "nothing")
		if _, err := f.Load(missing, BuildInput{Metric: vec.L2}); !errors.Is(err, os.ErrNotExist) || strings.Count(err.Error(), missing) != 1 {
			t.Errorf("a file that is not there: %v", err)
		}
		if _, err := f.Load(t.TempDir(), BuildInput{Metric: vec.L2}); err == nil {
			t.Error("a folder was loaded")
		}
		if err := os.WriteFile(path, whole, 0o644); err != nil {
			t.Fatal(err)
		}
		x, err := f.Load(path, BuildInput{Metric: vec.L2})
		if err != nil {
			t.Fatal("the whole file, settings left to it: ", err)
		}
		x.Close()
	})
}

// TestFaissManyAtOnce searches one index from many goroutines, some of which ask for nonsense.
func TestFaissManyAtOnce(t *testing.T) {
	base, queries := clusters(600, 16, 1), clusters(50, 16, 2)
	eachFaiss(t, func(t *testing.T, f *Family) {
		x := openSmall(t, f, vec.Cosine, base)
		want := make([][]vec.Neighbor, queries.Rows)
		for i := range want {
			var err error
			if want[i], err = x.Search(nil, queries.Row(i), 10); err != nil {
				t.Fatal(err)
			}
		}
		var all sync.WaitGroup
		for g := range 8 {
			all.Go(func() {
				var dst []vec.Neighbor
				for i := range 400 {
					q := (i*7 + g) % queries.Rows
					var err error
					dst, err = x.Search(dst[:0], queries.Row(q), 10)
					if err != nil || !slices.Equal(dst, want[q]) {
						t.Errorf("query %d: %v, %v; alone %v", q, dst, err, want[q])
						return
					}
					if i%50 == g {
						if _, err := x.Search(nil, queries.Row(q), 0); err == nil {
							t.Error("k = 0 was answered")
						}
						if _, err := x.(BatchSearcher).SearchBatch(queries, 10); err != nil {
							t.Error(err)
						}
					}
				}
			})
		}
		all.Wait()
	})
}

func TestFaissClose(t *testing.T) {
	base := clusters(600, 16, 1)
	eachFaiss(t, func(t *testing.T, f *Family) {
		x := openSmall(t, f, vec.L2, base)
		for range 2 {
			if err := x.Close(); err != nil {
				t.Error(err)
			}
		}
		if _, err := x.Search(nil, base.Row(0), 1); !errors.Is(err, ErrClosed) {
			t.Error("searched a closed index")
		}
		if _, err := x.(BatchSearcher).SearchBatch(base, 1); !errors.Is(err, ErrClosed) {
			t.Error("searched a closed index")
		}
		if err := x.(Saver).Save(filepath.Join(t.TempDir(), "x")); !errors.Is(err, ErrClosed) {
			t.Error("saved a closed index")
		}
		if err := x.(Tuner).Tune(nil); !errors.Is(err, ErrClosed) {
			t.Error("tuned a closed index")
		}
	})
}

// TestFaissBytes compares the analytic sizes with the files, which hold the same arrays without the
// tables that ivfpq and ivfpqfs compute anew.
func TestFaissBytes(t *testing.T) {
	base := clusters(4000, 32, 1)
	for name, p := range map[string]Params{
		"flat-faiss":    {},
		"ivfflat-faiss": {"nlist": 50},
		"ivfpq-faiss":   {"nlist": 50, "m": 8, "nbits": 7},
		"hnsw-faiss":    {"M": 8},

		"ivfpqfs-faiss":   {"nlist": 50, "m": 16},
		"ivfsq-faiss":     {"nlist": 50, "type": "6bit"},
		"ivfrabitq-faiss": {"nlist": 50, "pca": 16},
		"hnswsq-faiss":    {"M": 8, "type": "fp16"},
		"faiss":           {"factory": "OPQ8_16,IVF50_HNSW8,PQ8x4fs,Refine(SQfp16)"},
	} {
		f, err := Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		if f.Missing != "" {
			continue
		}
		p, err := f.Settings(slices.Concat(f.Build, f.Search), p)
		if err != nil {
			t.Fatal(err)
		}
		x, err := f.OpenChecked(context.Background(), BuildInput{Vectors: base, Metric: vec.L2, Params: p})
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "index")
		if err := x.(Saver).Save(path); err != nil {
			t.Fatal(err)
		}
		x.Close()
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		want := float64(f.Bytes(base.Rows, base.Dim, p)) // tables are not in the file
		if got := float64(info.Size()); math.Abs(got-want) > 0.02*want+1000 {
			t.Errorf("%s: the file has %.0f bytes, the formula says %.0f", name, got, want)
		}
	}
}

// residentBytes is the memory that the process holds.
func residentBytes(t *testing.T) int64 {
	t.Helper()
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skip("memory is read from /proc: ", err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(b))[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

// TestFaissFreesMemory opens, saves, loads, fails to load and closes, over and over: 80 rounds of two
// indexes of 1 MB and more (0.3 MB for ivfpq) would be seen.
func TestFaissFreesMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	const rounds = 80
	base := clusters(4000, 64, 1)
	params := map[string]Params{
		"ivfflat-faiss": {"nlist": 4},
		"ivfpq-faiss":   {"nlist": 64, "m": 16, "nbits": 6, "train": 2500},
		"hnsw-faiss":    {"M": 4, "efConstruction": 4},

		"ivfpqfs-faiss":   {"nlist": 8, "m": 16},
		"ivfsq-faiss":     {"nlist": 4},
		"ivfrabitq-faiss": {"nlist": 4},
		"hnswsq-faiss":    {"M": 4, "efConstruction": 4},
		"faiss":           {"factory": "IVF8,SQ8,RFlat"},
	}
	eachFaiss(t, func(t *testing.T, f *Family) {
		path := filepath.Join(t.TempDir(), "index")
		metric := vec.Cosine
		if f.Name == "ivfpq-faiss" {
			metric = vec.L2 // with its table
		}
		round := func() {
			in := BuildInput{Vectors: base, Metric: metric, Params: params[f.Name]}
			x, err := f.OpenChecked(context.Background(), in)
			if err != nil {
				t.Fatal(err)
			}
			if err := x.(Saver).Save(path); err != nil {
				t.Fatal(err)
			}
			y, err := f.Load(path, in)
			if err != nil {
				t.Fatal(err)
			}
			for _, z := range []Index{x, y} {
				if _, err := z.Search(nil, base.Row(0), 10); err != nil {
					t.Fatal(err)
				}
				if err := z.Close(); err != nil {
					t.Fatal(err)
				}
			}
		}
		for range 5 {
			round()
		}
		runtime.GC()
		before := residentBytes(t)
		for range rounds {
			round()
		}
		runtime.GC()
		grown := residentBytes(t) - before
		leak := int64(rounds) * 2 * f.Bytes(base.Rows, base.Dim, mustSettings(t, f, params[f.Name]))
		t.Logf("%.1f MB more after %d rounds; a leak would be %.1f MB", float64(grown)/1e6, rounds, float64(leak)/1e6)
		// Busy machines were seen to keep 5.5 MB; half of leak is what one of the two indexes of a round would leave.
		if grown > max(leak/4, min(7e6, leak*2/5)) {
			t.Errorf("the process has grown by %d bytes, where a leak of everything would be %d", grown, leak)
		}
	})
}

func mustSettings(t *testing.T, f *Family, p Params) Params {
	t.Helper()
	p, err := f.Settings(slices.Concat(f.Build, f.Search), p)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestFaissThreads: a build on one thread starts none, a build on nine starts eight.
func TestFaissThreads(t *testing.T) {
	tasks := func() int {
		list, err := os.ReadDir("/proc/self/task")
		if err != nil {
			t.Skip("threads are counted in /proc: ", err)
		}
		return len(list)
	}
	base := clusters(2000, 16, 1)
	f, err := Lookup("hnsw-faiss")
	if err != nil {
		t.Fatal(err)
	}
	// One operating-system thread for all of it, since each has an OpenMP pool of its own.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	build := func(threads int) int {
		before := tasks()
		x, err := f.OpenChecked(context.Background(), BuildInput{Vectors: base, Metric: vec.L2, Threads: threads})
		if err != nil {
			t.Fatal(err)
		}
		defer x.Close()
		return tasks() - before
	}
	// The Go runtime may start a thread of its own meanwhile.
	if n := build(1); n > 3 {
		t.Errorf("a build on one thread started %d", n)
	}
	if n := build(9); n < 6 {
		t.Errorf("a build on nine threads started %d", n)
	}
}

// TestFaissSeedsAreFixed: one thread, two builds, one index, whatever the seed. The family's docs say so.
func TestFaissSeedsAreFixed(t *testing.T) {
	base := clusters(600, 16, 1)
	eachFaiss(t, func(t *testing.T, f *Family) {
		if f.Random {
			t.Error("said to depend on the seed")
		}
		var files [][]byte
		for seed := range uint64(2) {
			x, err := f.OpenChecked(context.Background(), BuildInput{Vectors: base, Metric: vec.L2, Params: small[f.Name], Seed: seed})
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "index")
			if err := x.(Saver).Save(path); err != nil {
				t.Fatal(err)
			}
			x.Close()
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, b)
		}
		if !bytes.Equal(files[0], files[1]) {
			t.Error("two builds differ")
		}
	})
}

// factoryBuilds gives Faiss a description that [parseFactory] has taken: Faiss takes it too, or says why
// not; an index is built where it fits and is small, has the settings that are said of it, and searches.
func factoryBuilds(t *testing.T, x *factory) {
	f, err := Lookup("faiss")
	if err != nil {
		t.Fatal(err)
	}
	if f.Missing != "" || x.bytes(600, 16) > 20e6 || x.nlist > 600 {
		return
	}
	if build, _ := x.work(600, 600, 16); build > 2e8 {
		return
	}
	if slices.Contains(x.settings, "ht") && !strings.Contains(x.text, "np") {
		return // polysemous training takes minutes
	}
	for _, metric := range []vec.Metric{vec.L2, vec.InnerProduct} {
		ix, err := f.OpenChecked(context.Background(), BuildInput{Vectors: clusters(600, 16, 1), Metric: metric, Params: Params{"factory": x.text}, Threads: 1})
		if err != nil {
			if strings.Contains(err.Error(), "has no setting") {
				t.Error(err)
			}
			continue
		}
		q := clusters(1, 16, 2).Row(0)
		if got, err := ix.Search(nil, q, 10); err == nil && len(got) > 10 {
			t.Errorf("%q: %d answers", x.text, len(got))
		}
		ix.Close()
	}
}

func faissListed(t *testing.T, x *faissIndex) []string {
	t.Helper()
	list, err := x.listed()
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestFaissSettings: the settings that a description is said to have are those that Faiss lists.
func TestFaissSettings(t *testing.T) {
	f, err := Lookup("faiss")
	if err != nil {
		t.Fatal(err)
	}
	if f.Missing != "" {
		t.Skip(f.Missing)
	}
	for text, want := range map[string]string{
		"Flat": "", "HNSW16": "efSearch", "HNSW16,SQ8,RFlat": "efSearch k_factor_rf",
		"IVF8,Flat": "nprobe", "IVF8,PQ8np": "ht nprobe", "IVF8,PQ8x4fs,RFlat": "k_factor_rf nprobe",
		"PCA8,IVF8,SQ8,Refine(SQfp16)": "k_factor_rf nprobe", "IVF8,RaBitQ": "nprobe qb", "RaBitQ": "qb",
		"IVF8_HNSW8,Flat": "nprobe quantizer_efSearch", "IVF8(IVF4,Flat),Flat": "nprobe quantizer_nprobe", "PQ8np": "ht",
	} {
		x, err := f.OpenChecked(context.Background(), BuildInput{Vectors: clusters(600, 16, 1), Metric: vec.L2, Params: Params{"factory": text}})
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		own := slices.Clone(x.(*faissIndex).factory.settings)
		slices.Sort(own)
		if got := strings.Join(own, " "); got != want {
			t.Errorf("%s is said to have %q, not %q", text, got, want)
		}
		if got := strings.Join(faissListed(t, x.(*faissIndex)), " "); got != want {
			t.Errorf("%s: Faiss lists %q, not %q", text, got, want)
		}
		x.Close()
	}
}

// TestFaissReasons: what Faiss itself says reaches the user without the place in its sources.
func TestFaissReasons(t *testing.T) {
	err := faissTakes("IVF8,SQ9", 16, vec.L2)
	if err == nil || err.Error() != "the reason of Faiss: could not parse code description SQ9 in IVF8,SQ9" {
		t.Errorf("%v", err)
	}
}

// TestFaissRefusesTooLong: vectors whose squared distances overflow ended the process, in training or in a search.
func TestFaissRefusesTooLong(t *testing.T) {
	v := clusters(600, 16, 1)
	for j := range v.Dim {
		v.Row(7)[j] = 1e30
	}
	for _, name := range []string{"ivfflat-faiss", "ivfpq-faiss", "ivfpqfs-faiss", "ivfsq-faiss", "ivfrabitq-faiss", "hnsw-faiss"} {
		f, err := Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		if f.Missing != "" {
			continue
		}
		for _, m := range []vec.Metric{vec.L2, vec.InnerProduct} {
			p := Params{}
			if strings.HasPrefix(name, "ivf") {
				p["nlist"] = 8
			}
			_, err := f.OpenChecked(context.Background(), BuildInput{Vectors: v, Metric: m, Params: p})
			if err == nil || !strings.Contains(err.Error(), "vector 7 is 4e+30 long") {
				t.Errorf("%s under %s: %v", name, m, err)
			}
		}
	}
}

// TestFaissTakesByMetric: a description that Faiss has under one metric and not under another is refused before the build.
func TestFaissTakesByMetric(t *testing.T) {
	f, err := Lookup("faiss")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		factory string
		metric  vec.Metric
		refused bool
	}{
		{"LSH", vec.L2, false},
		{"LSH", vec.InnerProduct, true},
		{"LSH", vec.Cosine, true},
		{"RQ2x4fs", vec.L2, true},
		{"RQ2x4fs", vec.InnerProduct, false},
		{"RQ2x4fs_Nrq2x4", vec.L2, false},
	} {
		p, err := f.Settings(f.all(), Params{"factory": c.factory})
		if err != nil {
			t.Fatal(err)
		}
		if err := f.CheckFit(600, 16, c.metric, p); (err != nil) != c.refused {
			t.Errorf("%s under %s: %v", c.factory, c.metric, err)
		}
	}
}

func TestFaissVersion(t *testing.T) {
	v := FaissVersion()
	if !strings.Contains(v, "AVX") && !strings.Contains(v, "NEON") && !strings.Contains(v, "GENERIC") {
		t.Errorf("%q does not say what Faiss was compiled for", v)
	}
	t.Log(v)
}
