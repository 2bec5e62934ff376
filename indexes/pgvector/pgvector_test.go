package pgvector

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"math"
	mathrand "math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"annbench/indexes/vec"
)

func randomText() string { return rand.Text()[:10] }

func gaussian(rows, dim int, seed uint64) vec.Matrix {
	rng := mathrand.New(mathrand.NewPCG(1, seed))
	m := vec.NewMatrix(rows, dim)
	for i := range m.Data {
		m.Data[i] = float32(rng.NormFloat64())
	}
	return m
}

var kinds = []struct {
	kind    Kind
	options []Option
}{
	{None, nil},
	{HNSW, []Option{{"m", 16}, {"ef_construction", 64}}},
	{IVFFlat, []Option{{"lists", 10}}},
}

// A table answers as exact search does, where all of it is searched.
func TestSearch(t *testing.T) {
	const rows, dim, k = 500, 24, 10
	base, queries := gaussian(rows, dim, 1), gaussian(20, dim, 2)
	each(t, func(t *testing.T, s *Server) {
		for _, metric := range vec.Metrics {
			for _, kind := range kinds {
				for _, typ := range []Type{Vector, Halfvec} {
					t.Run(string(metric)+"/"+string(kind.kind)+"/"+string(typ), func(t *testing.T) {
						table := Table{Name: newTable(t, s), Rows: rows, Dim: dim, Metric: metric, Type: typ, Storage: Plain, Kind: kind.kind, Options: kind.options}
						if err := s.Build(t.Context(), &table, base, func(string) {}); err != nil {
							t.Fatal(err)
						}
						x, err := s.NewSearcher(t.Context(), table, Settings{Ef: 400, Probes: 10}, 2, 5*time.Minute)
						if err != nil {
							t.Fatal(err)
						}
						defer x.Close()
						stored := base
						if typ == Halfvec {
							stored = vec.NewMatrix(rows, dim)
							for i, v := range base.Data {
								stored.Data[i] = unhalf(half(v))
							}
						}
						missed := 0
						for i := range queries.Rows {
							q := queries.Row(i)
							if typ == Halfvec {
								q = make([]float32, dim)
								for j, v := range queries.Row(i) {
									q[j] = unhalf(half(v))
								}
							}
							got, err := x.Search(nil, queries.Row(i), k)
							if err != nil {
								t.Fatal(err)
							}
							want, err := vec.Exact(t.Context(), stored, vec.Matrix{Data: q, Rows: 1, Dim: dim}, metric, k, 1, nil)
							if err != nil {
								t.Fatal(err)
							}
							if len(got) != k {
								t.Fatalf("%d answers", len(got))
							}
							for j := range got {
								if got[j].ID != want[j].ID {
									missed++
									continue
								}
								if d := math.Abs(float64(got[j].Dist - want[j].Dist)); d > 2e-5*(1+math.Abs(float64(want[j].Dist))) {
									t.Errorf("ID %d: rank value %v, should be %v", got[j].ID, got[j].Dist, want[j].Dist)
								}
							}
						}
						if missed > 0 && kind.kind != HNSW || missed > 4 {
							t.Errorf("%d of %d answers are not those of exact search", missed, k*queries.Rows)
						}
						if err := x.Wire(k); err != nil {
							t.Error(err)
						}
						sizes, err := s.Sizes(t.Context(), &table)
						if err != nil {
							t.Fatal(err)
						}
						if sizes.Heap+sizes.Toast+sizes.Index+sizes.Key != sizes.Total || sizes.Heap < int64(rows*wireSize(typ, dim)) || (sizes.Index > 0) != (kind.kind != None) {
							t.Errorf("sizes %+v", sizes)
						}
					})
				}
			}
		}
	})
}

// Under a condition a scan is exact. An index that continues finds as many as pass; one that does not has only what passes
// of its candidates.
func TestSearchAmong(t *testing.T) {
	const rows, dim, k = 1500, 8, 10
	base, queries := gaussian(rows, dim, 1), gaussian(10, dim, 2)
	each(t, func(t *testing.T, s *Server) {
		for _, kind := range kinds {
			t.Run(string(kind.kind), func(t *testing.T) {
				table := Table{Name: newTable(t, s), Rows: rows, Dim: dim, Metric: vec.L2, Type: Vector, Storage: Plain, Kind: kind.kind, Options: kind.options}
				if err := s.Build(t.Context(), &table, base, func(string) {}); err != nil {
					t.Fatal(err)
				}
				x, err := s.NewSearcher(t.Context(), table, Settings{Ef: 40, Probes: 1}, 1, 5*time.Minute)
				if err != nil {
					t.Fatal(err)
				}
				defer x.Close()
				for _, every := range []int{1, 7, 100, 300, rows + 1} {
					among := vec.NewSet(rows - 700) // a set without room for all rows
					for i := 5; i < rows-700; i += every {
						among.Add(int32(i))
					}
					if every > rows {
						among.Clear()
					}
					found, hits, of := map[string]int{}, map[string]int{}, 0
					for i := range queries.Rows {
						var want []vec.Neighbor
						for id := range among.All() {
							want = append(want, vec.Neighbor{ID: id, Dist: vec.L2.Rank(queries.Row(i), base.Row(int(id)))})
						}
						vec.SortNeighbors(want)
						want = want[:min(k, len(want))]
						of += len(want)
						for _, iterative := range []string{"off", "relaxed_order", "strict_order"} {
							if kind.kind == None && iterative != "off" || kind.kind == IVFFlat && iterative == "strict_order" ||
								iterative != "off" && s.Supports(false, true) != nil {
								continue
							}
							if err := x.Tune(Settings{Ef: 40, Probes: 1, Iterative: iterative}); err != nil {
								t.Fatal(err)
							}
							got, err := x.SearchAmong(nil, queries.Row(i), k, among)
							if err != nil {
								t.Fatal(err)
							}
							found[iterative] += len(got)
							for _, n := range got {
								if !among.Has(n.ID) {
									t.Fatalf("%d was answered, which does not pass", n.ID)
								}
								if slices.ContainsFunc(want, func(w vec.Neighbor) bool { return w.ID == n.ID }) {
									hits[iterative]++
								}
							}
						}
					}
					t.Logf("%d pass: %v answers and %v hits of %d", among.Len(), found, hits, of)
					if kind.kind == None && hits["off"] != of {
						t.Errorf("%d pass: a scan finds %d of %d", among.Len(), hits["off"], of)
					}
					for iterative, n := range found {
						if n > of || kind.kind == HNSW && iterative != "off" && n < of*6/10 { // a few may stand outside of the graph
							t.Errorf("%d pass, %s: %d answers, and %d are right", among.Len(), iterative, n, of)
						}
					}
					if kind.kind == HNSW && every == 100 && found["off"] >= of {
						t.Errorf("%d pass: 40 candidates have all %d answers", among.Len(), of)
					}
				}
			})
		}
	})
}

// What is added is found, what is removed is not, a change that fails leaves everything as it was, and VACUUM makes the room
// of deleted rows free.
func TestChanges(t *testing.T) {
	const dim = 8
	all := gaussian(900, dim, 1)
	each(t, func(t *testing.T, s *Server) {
		for _, kind := range kinds {
			t.Run(string(kind.kind), func(t *testing.T) {
				table := Table{Name: newTable(t, s), Rows: 600, Dim: dim, Metric: vec.Cosine, Type: Vector, Storage: Plain, Kind: kind.kind, Options: kind.options, Vacuum: ByUpdate}
				if err := s.Build(t.Context(), &table, all.Slice(0, 600), func(string) {}); err != nil {
					t.Fatal(err)
				}
				x, err := s.NewSearcher(t.Context(), table, Settings{Ef: 100, Probes: 10}, 2, 5*time.Minute)
				if err != nil {
					t.Fatal(err)
				}
				defer x.Close()
				nearest := func(row int) int32 {
					t.Helper()
					got, err := x.Search(nil, all.Row(row), 1)
					if err != nil || len(got) != 1 {
						t.Fatalf("%v, %v", got, err)
					}
					return got[0].ID
				}
				if err := x.Add(t.Context(), all.Slice(600, 900)); err != nil {
					t.Fatal(err)
				}
				if got := nearest(755); got != 755 {
					t.Errorf("the nearest of vector 755, which was added, is %d", got)
				}
				if err := x.Remove(t.Context(), []int32{5, 900}); err == nil || !strings.Contains(err.Error(), "1 of the 2 rows") {
					t.Errorf("removing what is not there: %v", err)
				}
				if got := nearest(5); got != 5 {
					t.Errorf("the nearest of vector 5 is %d after a removal that failed", got)
				}
				bad := vec.NewMatrix(2, dim)
				bad.Data[dim] = float32(math.NaN())
				if err := x.Add(t.Context(), bad); err == nil {
					t.Error("a NaN was added")
				}
				gone := make([]int32, 400)
				for i := range gone {
					gone[i] = int32(2 * i)
				}
				before, err := s.Sizes(t.Context(), &table)
				if err != nil {
					t.Fatal(err)
				}
				if err := x.Remove(t.Context(), gone); err != nil {
					t.Fatal(err)
				}
				if got := nearest(754); got == 754 {
					t.Error("754 was answered, which was removed")
				}
				if err := x.Vacuum(t.Context()); err != nil {
					t.Fatal(err)
				}
				// As many go where they were.
				if err := x.Add(t.Context(), all.Slice(0, 400)); err != nil {
					t.Fatal(err)
				}
				if got := nearest(120); got != 900+120 {
					t.Errorf("the nearest of vector 120, which was added again, is %d", got)
				}
				after, err := s.Sizes(t.Context(), &table)
				if err != nil {
					t.Fatal(err)
				}
				if after.Heap > before.Heap+2*8192 {
					t.Errorf("the table grew from %d to %d bytes", before.Heap, after.Heap)
				}
				// A vector of length 0 has no angle, and is a right answer of a scan.
				if err := x.Add(t.Context(), vec.NewMatrix(1, dim)); err != nil {
					t.Fatal(err)
				}
				if got, err := x.Search(nil, all.Row(1), 2000); err != nil || kind.kind == None && (len(got) != 901 || !slices.ContainsFunc(got, func(n vec.Neighbor) bool { return n.ID == 1300 && n.Dist == 1 })) {
					t.Errorf("%d answers, %v", len(got), err)
				}
			})
		}
	})
}

// The bits of a set are numbered as get_bit numbers those of a bytea.
func TestSetForm(t *testing.T) {
	set := vec.NewSet(70)
	for _, id := range []int32{0, 9, 64, 69} {
		set.Add(id)
	}
	for rows, want := range map[int]string{
		1:   "01020000000000002100000000000000",
		129: "0102000000000000210000000000000000",
	} {
		if got := hex.EncodeToString(appendSet([]byte{7}, set, rows)[1:]); got != want {
			t.Errorf("%d rows: %s, want %s", rows, got, want)
		}
	}
}

func unhalf(h uint16) float32 {
	sign, e, f := float64(1-2*int(h>>15)), int(h>>10&31), float64(h&1023)
	if e == 0 {
		return float32(sign * f * math.Pow(2, -24))
	}
	if e == 31 {
		if f > 0 {
			return float32(math.NaN())
		}
		return float32(sign * math.Inf(1))
	}
	return float32(sign * (1024 + f) * math.Pow(2, float64(e-25)))
}

// Every float16 is found again, and every float32 gives the nearest of the two around it.
func TestHalf(t *testing.T) {
	for h := range 1 << 16 {
		x := unhalf(uint16(h))
		if x != x {
			if got := half(x); got&0x7c00 != 0x7c00 || got&0x3ff == 0 {
				t.Errorf("NaN became %#x", got)
			}
			continue
		}
		if got := half(x); got != uint16(h) {
			t.Fatalf("%#x is %v, which became %#x", h, x, got)
		}
		if h&0x7fff >= 0x7bff {
			continue
		}
		// Half-way to the next: to the even one; a little off it: to the nearer.
		next := unhalf(uint16(h + 1))
		middle := (x + next) / 2
		even := uint16(h + h&1)
		for _, c := range []struct {
			x    float32
			want uint16
		}{
			{middle, even},
			{math.Nextafter32(middle, x), uint16(h)},
			{math.Nextafter32(middle, next), uint16(h + 1)},
		} {
			if got := half(c.x); got != c.want {
				t.Fatalf("%v, between %#x and %#x, became %#x, want %#x", c.x, h, h+1, got, c.want)
			}
		}
	}
	for x, want := range map[float32]uint16{65519: 0x7bff, 65520: 0x7c00, 1e30: 0x7c00, -1e30: 0xfc00, 1e-30: 0, -1e-30: 0x8000} {
		if got := half(x); got != want {
			t.Errorf("%v became %#x, want %#x", x, got, want)
		}
	}
}

// The binary forms, byte by byte, as PostgreSQL's documentation of COPY and pgvector's vector_recv have
// them.
func TestBinaryForms(t *testing.T) {
	m := vec.Matrix{Data: []float32{1, -2, 0.5, 65504}, Rows: 2, Dim: 2}
	for kind, want := range map[Type]string{
		Vector: "5047434f50590aff0d0a00" + "00000000" + "00000000" +
			"0002" + "00000004" + "00000000" + "0000000c" + "0002" + "0000" + "3f800000" + "c0000000" +
			"0002" + "00000004" + "00000001" + "0000000c" + "0002" + "0000" + "3f000000" + "477fe000" +
			"ffff",
		Halfvec: "5047434f50590aff0d0a00" + "00000000" + "00000000" +
			"0002" + "00000004" + "00000000" + "00000008" + "0002" + "0000" + "3c00" + "c000" +
			"0002" + "00000004" + "00000001" + "00000008" + "0002" + "0000" + "3800" + "7bff" +
			"ffff",
	} {
		for _, room := range []int{1, 7, 4096} {
			var got bytes.Buffer
			if _, err := io.CopyBuffer(struct{ io.Writer }{&got}, &copyReader{vectors: m, kind: kind}, make([]byte, room)); err != nil {
				t.Fatal(err)
			}
			if text := hex.EncodeToString(got.Bytes()); text != want {
				t.Errorf("%s, %d bytes at a time:\n%s, want\n%s", kind, room, text, want)
			}
		}
	}
	m.Data[3] = 70000
	if _, err := io.Copy(io.Discard, &copyReader{vectors: m, kind: Halfvec}); err == nil || !strings.Contains(err.Error(), "vector 1: 70000 in dimension 1") {
		t.Errorf("a value beyond a halfvec: %v", err)
	}
}

func TestAddress(t *testing.T) {
	for address, says := range map[string]string{
		"postgres://u@h:5432/d":            "",
		"host=h port=5432 user=u dbname=d": "",
		"":                                 "no address",
		"localhost:5432":                   "",
		"[::1]:5432/d":                     "",
		"localhost:port/d":                 "the address",
		"postgres://u:secret@h/d":          "PGPASSWORD",
		"host=h password=secret":           "PGPASSWORD",
		"postgres://h/d?user=u&password=s": "PGPASSWORD",
		"postgres://h:port/d":              "the address",
		"postgres://h/d?sslmode=perhaps":   "the address",
	} {
		_, err := ParseAddress(address)
		if (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %q", address, err, says)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: the error tells the password: %v", address, err)
		}
	}
}

func TestVersion(t *testing.T) {
	for text, want := range map[string]string{"18.4": "18.4", "18beta2": "18", "0.8.5": "0.8.5", "15.18 (Debian 15.18-0)": "15.18", "": ""} {
		if got := parseVersion(text).String(); got != want {
			t.Errorf("%q is version %q, want %q", text, got, want)
		}
	}
	if !parseVersion("0.4.4").less(oldestVector) || parseVersion("0.10.0").less(iterativeSince) || parseVersion("13").less(oldestPostgres) {
		t.Error("versions are in the wrong order")
	}
}

// Many search at once, each with its own answers.
func TestConcurrent(t *testing.T) {
	base := gaussian(800, 16, 5)
	each(t, func(t *testing.T, s *Server) {
		table := Table{Name: newTable(t, s), Rows: base.Rows, Dim: base.Dim, Metric: vec.L2, Type: Vector, Storage: Plain, Kind: None}
		if err := s.Build(t.Context(), &table, base, func(string) {}); err != nil {
			t.Fatal(err)
		}
		x, err := s.NewSearcher(t.Context(), table, Settings{}, 2, 5*time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		defer x.Close()
		var all sync.WaitGroup
		for w := range 5 {
			all.Go(func() {
				for i := range 40 {
					q := (i*7 + w*100) % base.Rows
					got, err := x.Search(nil, base.Row(q), 1+i%3)
					if err != nil {
						t.Error(err)
						return
					}
					if got[0].ID != int32(q) || len(got) != 1+i%3 {
						t.Errorf("query %d: %v", q, got)
					}
				}
			})
		}
		all.Wait()
		x.Close()
		if _, err := x.Search(nil, base.Row(0), 1); !errors.Is(err, ErrClosed) {
			t.Errorf("closed: %v", err)
		}
	})
}

// A search for more than ef_search asks for as many candidates; a scan in an index's place is an error.
func TestPlan(t *testing.T) {
	base := gaussian(400, 16, 5)
	each(t, func(t *testing.T, s *Server) {
		table := Table{Name: newTable(t, s), Rows: base.Rows, Dim: base.Dim, Metric: vec.L2, Type: Vector, Storage: Plain, Kind: HNSW, Options: kinds[1].options}
		if err := s.Build(t.Context(), &table, base, func(string) {}); err != nil {
			t.Fatal(err)
		}
		x, err := s.NewSearcher(t.Context(), table, Settings{Ef: 5}, 1, 5*time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		defer x.Close()
		for _, k := range []int{3, 5, 60, 1000} {
			got, err := x.Search(nil, base.Row(1), k)
			if err != nil {
				t.Fatal(err)
			}
			if len(got) < min(k, base.Rows)*9/10 {
				t.Errorf("%d answers for k = %d", len(got), k)
			}
		}
		other := table
		other.Metric = vec.Cosine // the index is for another operator
		y, err := s.NewSearcher(t.Context(), other, Settings{Ef: 40}, 1, 5*time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		defer y.Close()
		if _, err := y.Search(nil, base.Row(1), 3); err == nil || !strings.Contains(err.Error(), "does not search the index") || !strings.Contains(err.Error(), "Seq Scan") {
			t.Errorf("a plan without the index: %v", err)
		}
		t.Log(err)
		other = table
		other.Rows = 399
		if _, err := s.NewSearcher(t.Context(), other, Settings{Ef: 40}, 1, time.Second); err == nil || !strings.Contains(err.Error(), "holds 400 vectors with ids from 0 to 399, not 399") {
			t.Errorf("another count: %v", err)
		}
		other.Name = "annbench_nosuch"
		if _, err := s.NewSearcher(t.Context(), other, Settings{Ef: 40}, 1, time.Second); err == nil || !strings.Contains(err.Error(), "has no table annbench_nosuch") {
			t.Errorf("no table: %v", err)
		}
	})
}

// Vectors of length 0 are at right angles to all, also to each other.
func TestZeros(t *testing.T) {
	base := vec.Matrix{Data: []float32{0, 0, 1, 0, -1, 0, 0, 1}, Rows: 4, Dim: 2}
	each(t, func(t *testing.T, s *Server) {
		table := Table{Name: newTable(t, s), Rows: 4, Dim: 2, Metric: vec.Cosine, Type: Vector, Storage: Plain, Kind: None}
		if err := s.Build(t.Context(), &table, base, func(string) {}); err != nil {
			t.Fatal(err)
		}
		x, err := s.NewSearcher(t.Context(), table, Settings{}, 1, 5*time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		defer x.Close()
		for q, want := range map[[2]float32][]vec.Neighbor{
			{1, 0}: {{ID: 1, Dist: 0}, {ID: 0, Dist: 1}, {ID: 3, Dist: 1}},
			{0, 0}: {{ID: 0, Dist: 1}, {ID: 1, Dist: 1}, {ID: 2, Dist: 1}},
		} {
			got, err := x.Search(nil, q[:], 3)
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("%v: %v, %v, want %v", q, got, err, want)
			}
		}
	})
}

// Bytes is what the server says, within a few per cent.
func TestBytes(t *testing.T) {
	each(t, func(t *testing.T, s *Server) {
		for _, c := range []struct {
			rows, dim, m, lists int
			typ                 Type
			kind                Kind
		}{
			{5000, 16, 16, 0, Vector, HNSW},
			{3000, 100, 8, 0, Vector, HNSW},
			{1000, 512, 16, 0, Vector, HNSW},
			{1000, 512, 16, 0, Halfvec, HNSW},
			{500, 1000, 32, 0, Vector, HNSW},
			{1500, 128, 4, 0, Halfvec, HNSW},
			{5000, 16, 0, 20, Vector, IVFFlat},
			{2000, 512, 0, 20, Vector, IVFFlat},
			{2000, 512, 0, 20, Halfvec, IVFFlat},
		} {
			if s.oneSession && c.rows*c.dim > 200_000 {
				continue // minutes
			}
			options := []Option{{"m", c.m}, {"ef_construction", max(8, 2*c.m)}}
			if c.kind == IVFFlat {
				options = []Option{{"lists", c.lists}}
			}
			table := Table{Name: newTable(t, s), Rows: c.rows, Dim: c.dim, Metric: vec.L2, Type: c.typ, Storage: Plain, Kind: c.kind, Options: options}
			if err := s.Build(t.Context(), &table, gaussian(c.rows, c.dim, 1), func(string) {}); err != nil {
				t.Fatal(err)
			}
			sizes, err := s.Sizes(t.Context(), &table)
			if err != nil {
				t.Fatal(err)
			}
			heap, index := Bytes(c.kind, c.typ, c.rows, c.dim, c.m, c.lists)
			t.Logf("%+v: table %.3f, index %.3f", c, float64(heap)/float64(sizes.Heap), float64(index)/float64(sizes.Index))
			for what, f := range map[string]float64{"table": float64(heap) / float64(sizes.Heap), "index": float64(index) / float64(sizes.Index)} {
				if f < 0.9 || f > 1.1 {
					t.Errorf("%+v: the %s is %.2f of what the server says", c, what, f)
				}
			}
		}
	})
}
