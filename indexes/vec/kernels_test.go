package vec

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// guarded returns a copy of a whose first element lies off elements into a larger array, with NaN
// around it: a kernel that reads beyond a, and uses what it read, gives NaN.
func guarded(a []float32, off int) []float32 {
	const pad = 40
	buf := make([]float32, off+pad+len(a)+pad)
	for i := range buf {
		buf[i] = float32(math.NaN())
	}
	return append(buf[off+pad:off+pad], a...)
}

func random(rng *rand.Rand, n int) []float32 {
	a := make([]float32, n)
	for i := range a {
		a[i] = float32(rng.NormFloat64())
	}
	return a
}

// near reports whether got is want up to the rounding of a sum of n float32 terms whose magnitudes add
// up to mass.
func near(got float32, want, mass float64, n int) bool {
	if math.IsInf(want, 0) || math.IsNaN(want) {
		return float64(got) == want || math.IsNaN(float64(got)) && math.IsNaN(want)
	}
	const eps = 1.0 / (1 << 24)
	tolerance := eps*mass*(2+float64(n)/8) + float64(n)*math.SmallestNonzeroFloat32
	return math.Abs(float64(got)-want) <= tolerance
}

func scaledFloat64(a, b []float32, scale float32) float64 {
	var sum float64
	for i, x := range a {
		d := float64(x - float32(scale*b[i]))
		sum += d * d
	}
	return sum
}

func absDot(a, b []float32) float64 {
	var sum float64
	for i, x := range a {
		sum += math.Abs(float64(x) * float64(b[i]))
	}
	return sum
}

// Every shape of every kernel of every level gives, within rounding, what a loop in float64 gives,
// for every length up to 1,100 at misaligned starts, and all shapes of a level give the same bits.
func TestKernelsAgainstFloat64(t *testing.T) {
	for _, k := range levels() {
		t.Run(k.level, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, 1))
			for dim := 1; dim <= 1100; dim++ {
				const rows = 12
				off := dim % 7
				groups := 2
				q := guarded(random(rng, dim*max(groups*k.tileQueries, k.sieveQueries)), off)
				base := guarded(random(rng, dim*rows), off+1)
				scales := random(rng, rows)
				ids := []int32{3, 0, 11, 3, 7, 1, 2, 10}

				// One to one, against the oracle.
				dots, l2s, scaleds := make([]float32, rows), make([]float32, rows), make([]float32, rows)
				for i := range rows {
					row := base[i*dim : (i+1)*dim]
					dots[i] = k.dot.one(&q[0], &row[0], dim)
					if want := dotFloat64(q[:dim], row); !near(dots[i], want, absDot(q[:dim], row), dim) {
						t.Fatalf("dim %d: dot %v, want %v", dim, dots[i], want)
					}
					l2s[i] = k.l2.one(&q[0], &row[0], dim)
					if want := squaredL2Float64(q[:dim], row); !near(l2s[i], want, want*4, dim) {
						t.Fatalf("dim %d: squared L2 %v, want %v", dim, l2s[i], want)
					}
					scaleds[i] = k.scaled.one(&q[0], &row[0], dim, scales[i])
					if want := scaledFloat64(q[:dim], row, scales[i]); !near(scaleds[i], want, want*4, dim) {
						t.Fatalf("dim %d: scaled %v, want %v", dim, scaleds[i], want)
					}
				}

				// The other shapes, against one to one.
				out := make([]float32, rows+1)
				out[rows] = 42
				check := func(name string, want func(i int) float32, n int) {
					t.Helper()
					for i := range n {
						if math.Float32bits(out[i]) != math.Float32bits(want(i)) {
							t.Fatalf("dim %d: %s gives %v in place %d, one to one %v", dim, name, out[i], i, want(i))
						}
					}
					if out[rows] != 42 {
						t.Fatalf("dim %d: %s writes beyond its answers", dim, name)
					}
				}
				k.dot.rows(&q[0], &base[0], rows/4, dim, &out[0])
				check("dot.rows", func(i int) float32 { return dots[i] }, rows)
				clear(out[:rows])
				k.dot.stream(&q[0], &base[0], rows-1, dim, &out[0])
				check("dot.stream", func(i int) float32 { return dots[i] }, rows-1)
				k.l2.rows(&q[0], &base[0], rows/4, dim, &out[0])
				check("l2.rows", func(i int) float32 { return l2s[i] }, rows)
				clear(out[:rows])
				k.l2.stream(&q[0], &base[0], rows-1, dim, &out[0])
				check("l2.stream", func(i int) float32 { return l2s[i] }, rows-1)
				k.scaled.rows(&q[0], &base[0], &scales[0], rows/4, dim, &out[0])
				check("scaled.rows", func(i int) float32 { return scaleds[i] }, rows)
				clear(out[:rows])
				k.scaled.stream(&q[0], &base[0], &scales[0], rows-1, dim, &out[0])
				check("scaled.stream", func(i int) float32 { return scaleds[i] }, rows-1)
				k.dot.scattered(&q[0], &base[0], &ids[0], 2, dim, &out[0])
				check("dot.scattered", func(i int) float32 { return dots[ids[i]] }, len(ids))
				k.l2.scattered(&q[0], &base[0], &ids[0], 2, dim, &out[0])
				check("l2.scattered", func(i int) float32 { return l2s[ids[i]] }, len(ids))
				k.scaled.scattered(&q[0], &base[0], &scales[0], &ids[0], 2, dim, &out[0])
				check("scaled.scattered", func(i int) float32 { return scaleds[ids[i]] }, len(ids))

				tile := make([]float32, groups*k.tileQueries*k.tileRows)
				k.tile(&q[0], &base[0], groups, dim, &tile[0])
				for g := range groups {
					for r := range k.tileRows {
						for j := range k.tileQueries {
							got := tile[(g*k.tileRows+r)*k.tileQueries+j]
							want := k.dot.one(&q[(g*k.tileQueries+j)*dim], &base[r*dim], dim)
							if math.Float32bits(got) != math.Float32bits(want) {
								t.Fatalf("dim %d: a tile has %v for query %d, row %d; one to one %v", dim, got, j, r, want)
							}
						}
					}
				}
				sieve := make([]float32, k.sieveQueries*k.sieveRows+1)
				sieve[len(sieve)-1] = 42
				k.sieve(&q[0], &base[0], 1, dim, &sieve[0])
				for r := range k.sieveRows {
					for j := range k.sieveQueries {
						a, b := q[j*dim:][:dim], base[r*dim:][:dim]
						if got, want := sieve[r*k.sieveQueries+j], dotFloat64(a, b); !near(got, want, absDot(a, b), dim) {
							t.Fatalf("dim %d: the sieve has %v for query %d, row %d; want %v", dim, got, j, r, want)
						}
					}
				}
				if sieve[len(sieve)-1] != 42 {
					t.Fatalf("dim %d: the sieve writes beyond its answers", dim)
				}
			}
		})
	}
}

// Values that are not ordinary numbers go through the kernels as IEEE 754 says, in every lane.
func TestKernelsSpecialValues(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	tiny := float32(math.SmallestNonzeroFloat32)
	for _, k := range levels() {
		t.Run(k.level, func(t *testing.T) {
			for _, dim := range []int{1, 7, 8, 15, 16, 17, 31, 32, 33, 70} {
				for lane := range dim {
					for _, x := range []float32{nan, inf, -inf, tiny, 1e-30, 3e38} {
						a, b := make([]float32, dim), make([]float32, dim)
						for i := range b {
							b[i] = 1
						}
						a[lane] = x
						want := float64(x)
						got := k.dot.one(&a[0], &b[0], dim)
						if float64(got) != want && !(math.IsNaN(want) && got != got) {
							t.Fatalf("dim %d lane %d: dot of %v and ones is %v", dim, lane, x, got)
						}
						got, want = k.l2.one(&a[0], &b[0], dim), squaredL2Float64(a, b)
						if want > math.MaxFloat32 {
							want = math.Inf(1)
						}
						if !near(got, want, want*4, dim) {
							t.Fatalf("dim %d lane %d: squared L2 of %v is %v, want %v", dim, lane, x, got, want)
						}
					}
				}
			}
		})
	}
}

// The exported functions, which cut the work into groups, at every number of rows.
func TestOneToMany(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	for _, dim := range []int{1, 5, 16, 100} {
		for rows := range 12 {
			base := Matrix{Data: random(rng, (rows+1)*dim), Rows: rows + 1, Dim: dim}
			q := random(rng, dim)
			out := make([]float32, rows)
			ids := make([]int32, rows)
			for i := range ids {
				ids[i] = int32(rng.IntN(rows + 1))
			}
			for name, f := range map[string]struct {
				rows      func(out, q []float32, rows Matrix)
				scattered func(out, q []float32, base Matrix, ids []int32)
				one       func(a, b []float32) float32
			}{
				"dot": {DotRows, DotScattered, Dot},
				"l2":  {SquaredL2Rows, SquaredL2Scattered, SquaredL2},
			} {
				f.rows(out, q, base.Slice(0, rows))
				for i := range out {
					if out[i] != f.one(q, base.Row(i)) {
						t.Fatalf("%s: row %d of %d, dim %d: %v", name, i, rows, dim, out[i])
					}
				}
				f.scattered(out, q, base, ids)
				for i := range out {
					if out[i] != f.one(q, base.Row(int(ids[i]))) {
						t.Fatalf("%s: scattered %d of %d, dim %d: %v", name, i, rows, dim, out[i])
					}
				}
			}
		}
	}
	for _, id := range []int32{-1, 3} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("id %d of 3 rows: no panic", id)
				}
			}()
			DotScattered(make([]float32, 1), make([]float32, 2), NewMatrix(3, 2), []int32{id})
		}()
	}
}

func TestChoose(t *testing.T) {
	have := []kernels{{level: "go"}, {level: "avx2"}}
	if got := choose(have, "").level; got != "avx2" {
		t.Errorf("unforced: %s", got)
	}
	if got := choose(have, "go").level; got != "go" {
		t.Errorf("forced go: %s", got)
	}
	defer func() {
		if got := fmt.Sprint(recover()); got != "ANNBENCH_SIMD=avx512: this machine has go, avx2" {
			t.Errorf("forced avx512: %s", got)
		}
	}()
	choose(have, "avx512")
}

func BenchmarkKernels(b *testing.B) {
	const dim, rows = 512, 4096
	rng := rand.New(rand.NewPCG(3, 3))
	base := Matrix{Data: random(rng, rows*dim), Rows: rows, Dim: dim}
	q, out, ids := random(rng, dim), make([]float32, rows), make([]int32, rows)
	for i := range ids {
		ids[i] = int32(rng.IntN(rows))
	}
	for _, k := range levels() {
		for name, tile := range map[string]struct {
			f             oneToManyFunc
			queries, rows int
		}{
			"tile":  {k.tile, k.tileQueries, k.tileRows},
			"sieve": {k.sieve, k.sieveQueries, k.sieveRows},
		} {
			b.Run(k.level+"/"+name, func(b *testing.B) {
				out := make([]float32, 64*tile.rows)
				for b.Loop() {
					tile.f(&base.Data[0], &base.Data[1000*dim], 64/tile.queries, dim, &out[0])
				}
				flop := 2 * float64(64/tile.queries*tile.queries*tile.rows*dim) * float64(b.N)
				b.ReportMetric(flop/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			})
		}
		for _, f := range []struct {
			name string
			pair pairKernels
		}{{"dot", k.dot}, {"l2", k.l2}} {
			report := func(b *testing.B, pairs int) {
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(pairs), "ns/pair")
			}
			b.Run(k.level+"/"+f.name+"/one", func(b *testing.B) {
				for b.Loop() {
					f.pair.one(&q[0], &base.Data[0], dim)
				}
				report(b, 1)
			})
			b.Run(k.level+"/"+f.name+"/rows-hot", func(b *testing.B) {
				for b.Loop() {
					f.pair.rows(&q[0], &base.Data[0], 4, dim, &out[0])
				}
				report(b, 16)
			})
			b.Run(k.level+"/"+f.name+"/rows", func(b *testing.B) {
				for b.Loop() {
					f.pair.rows(&q[0], &base.Data[0], rows/4, dim, &out[0])
				}
				report(b, rows)
			})
			b.Run(k.level+"/"+f.name+"/scattered", func(b *testing.B) {
				for b.Loop() {
					f.pair.scattered(&q[0], &base.Data[0], &ids[0], rows/4, dim, &out[0])
				}
				report(b, rows)
			})
		}
	}
}

// One query through 50,000 vectors of 512 dimensions, 100 MB.
func BenchmarkScan(b *testing.B) {
	const dim, rows = 512, 50000
	rng := rand.New(rand.NewPCG(8, 8))
	base := Matrix{Data: random(rng, rows*dim), Rows: rows, Dim: dim}
	q, out := random(rng, dim), make([]float32, rows)
	b.SetBytes(4 * rows * dim)
	for b.Loop() {
		SquaredL2Rows(out, q, base)
	}
}
