package vec

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func randomCodes(rng *rand.Rand, q []int8, rows []uint8) {
	extremes := [...]int{-128, 127, 0, 255}
	for i := range q {
		q[i] = int8(rng.IntN(256))
		if rng.IntN(8) == 0 {
			q[i] = int8(extremes[rng.IntN(2)])
		}
	}
	for i := range rows {
		rows[i] = uint8(rng.IntN(256))
		if rng.IntN(8) == 0 {
			rows[i] = uint8(extremes[2+rng.IntN(2)])
		}
	}
}

func dotCodesPlain(q []int8, row []uint8) int32 {
	var sum int32
	for i, x := range q {
		sum += int32(x) * int32(row[i])
	}
	return sum
}

// Dot products of bytes are exact, at every length and start.
func TestDotCodes(t *testing.T) {
	withLevels(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(11, 1))
		const rows, gap = 9, 5
		for n := range 1101 {
			stride := max(1, n+gap*(n%2))
			q, base := make([]int8, n+1)[1:], make([]uint8, rows*stride+3)[3:]
			randomCodes(rng, q, base)
			if n%100 == 99 { // the largest sums
				for i := range q {
					q[i] = -128
				}
				for i := range base {
					base[i] = 255
				}
			}
			ids := make([]int32, rng.IntN(12))
			for i := range ids {
				ids[i] = int32(rng.IntN(rows))
			}
			out := make([]int32, len(ids))
			DotCodesScattered(out, q, base, stride, ids)
			for i, id := range ids {
				row := base[int(id)*stride:][:n]
				want := dotCodesPlain(q, row)
				if got := DotCodes(q, row); got != want {
					t.Fatalf("%d bytes: %d, want %d", n, got, want)
				}
				if out[i] != want {
					t.Fatalf("%d bytes, scattered %d of %d: %d, want %d", n, i, len(ids), out[i], want)
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
				DotCodesScattered(make([]int32, 1), make([]int8, 16), make([]uint8, 3*16), 16, []int32{id})
			}()
		}
	})
}

// checkScan compares Scan with a plain loop.
func checkScan(t *testing.T, rng *rand.Rand, n, dim int, factor float32) {
	t.Helper()
	rows := n * CodeBlock
	q, plain := make([]int8, dim), make([]uint8, rows*dim)
	randomCodes(rng, q, plain)
	blocks := NewCodeBlocks(n, dim)
	norms, errs := random(rng, rows), random(rng, rows)
	for i := range rows {
		norms[i] *= 1e6
		blocks.Set(i, norms[i], errs[i], uint32(i), plain[i*dim:(i+1)*dim])
	}
	for i := range rows {
		if blocks.Own(i) != uint32(i) || blocks.Err(i) != errs[i] {
			t.Fatalf("place %d holds %d and %v", i, blocks.Own(i), blocks.Err(i))
		}
	}
	out, masks := make([]float32, rows+1), make([]uint16, n+1)
	out[rows], masks[n] = 42, 42
	reach, offset := float32(rng.ExpFloat64()*1e3), float32(rng.NormFloat64()*1e6)
	switch rng.IntN(10) {
	case 0:
		reach = float32(math.Inf(1))
	case 1:
		reach = float32(math.NaN())
	}
	blocks.Scan(out, masks, q, 0, n, rng.IntN(n+2)-1, factor, reach, offset)
	for i := range rows {
		product := float64(factor) * float64(dotCodesPlain(q, plain[i*dim:(i+1)*dim]))
		want := float64(norms[i]) + product
		slack := (math.Abs(float64(norms[i])) + math.Abs(product)) * 0x1p-22
		if math.Abs(float64(out[i])-want) > slack {
			t.Fatalf("%d blocks of %d bytes: row %d: %v, want %v", n, dim, i, out[i], want)
		}
		limit := (float64(reach)+float64(errs[i]))*(float64(reach)+float64(errs[i])) + float64(offset)
		slack = (math.Abs(limit) + 2*math.Abs(float64(offset))) * 0x1p-21
		kept := masks[i/CodeBlock]>>(i%CodeBlock)&1 == 1
		if float64(out[i]) < limit-slack && !kept || float64(out[i]) > limit+slack && kept || limit != limit && !kept {
			t.Fatalf("%d blocks of %d bytes: row %d: %v, limit %v, kept %v", n, dim, i, out[i], limit, kept)
		}
	}
	if out[rows] != 42 || masks[n] != 42 {
		t.Fatalf("%d blocks of %d bytes: written beyond the end", n, dim)
	}
}

func TestScanCodes(t *testing.T) {
	withLevels(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(12, 1))
		for n := 8; n <= 136; n += 8 {
			for blocks := 1; blocks < 6; blocks++ {
				checkScan(t, rng, blocks, n, -0.01)
				checkScan(t, rng, blocks, n, 3)
			}
		}
	})
}

// checkSieve compares CodeSieve.Scan with a plain loop.
func checkSieve(t *testing.T, rng *rand.Rand, n, dim int, factor float32) {
	t.Helper()
	rows := n * CodeBlock
	q, plain := make([]int8, dim), make([]uint8, rows*dim)
	randomCodes(rng, q, plain)
	blocks := NewCodeSieve(n, dim)
	norms, errs := random(rng, rows), random(rng, rows)
	greatest := make([]float32, n)
	for i := range rows {
		norms[i] *= 1e6
		blocks.Set(i, norms[i], errs[i], plain[i*dim:(i+1)*dim])
		greatest[i/CodeBlock] = max(greatest[i/CodeBlock], errs[i])
	}
	masks := make([]uint16, n+1)
	masks[n] = 42
	reach, offset := float32(rng.ExpFloat64()*1e3), float32(rng.NormFloat64()*1e6)
	switch rng.IntN(10) {
	case 0:
		reach = float32(math.Inf(1))
	case 1:
		reach = float32(math.NaN())
	}
	from := rng.IntN(n)
	blocks.Scan(masks, q, from, n, factor, reach, offset)
	for i := from * CodeBlock; i < rows; i++ {
		product := float64(factor) * float64(dotCodesPlain(q, plain[i*dim:(i+1)*dim]))
		v, r := float64(norms[i])+product, float64(reach)+float64(greatest[i/CodeBlock])
		limit := r*r + float64(offset)
		slack := (math.Abs(float64(norms[i]))+math.Abs(product))*0x1p-22 + (math.Abs(limit)+2*math.Abs(float64(offset)))*0x1p-21
		kept := masks[i/CodeBlock-from]>>(i%CodeBlock)&1 == 1
		if v < limit-slack && !kept || v > limit+slack && kept || limit != limit && !kept {
			t.Fatalf("%d blocks of %d bytes: row %d: %v, limit %v, kept %v", n, dim, i, v, limit, kept)
		}
	}
	if masks[n] != 42 {
		t.Fatalf("%d blocks of %d bytes: written beyond the end", n, dim)
	}
}

func TestSieveCodes(t *testing.T) {
	withLevels(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(15, 1))
		for n := 8; n <= 136; n += 8 {
			for blocks := 1; blocks < 6; blocks++ {
				checkSieve(t, rng, blocks, n, -0.01)
				checkSieve(t, rng, blocks, n, 3)
			}
		}
	})
}

func TestDotMatrix(t *testing.T) {
	withLevels(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(13, 1))
		for _, shape := range [][3]int{{0, 3, 4}, {3, 0, 4}, {3, 2, 0}, {1, 1, 1}, {7, 5, 3}, {64, 64, 33}, {301, 13, 512}, {3, 70, 2000}} {
			a := Matrix{Data: random(rng, shape[0]*shape[2]), Rows: shape[0], Dim: shape[2]}
			b := Matrix{Data: random(rng, shape[1]*shape[2]), Rows: shape[1], Dim: shape[2]}
			out := make([]float32, a.Rows*b.Rows)
			DotMatrix(out, a, b)
			for i := range a.Rows {
				for j := range b.Rows {
					if want := Dot(a.Row(i), b.Row(j)); out[i*b.Rows+j] != want {
						t.Fatalf("%v: row %d and %d: %v, want %v", shape, i, j, out[i*b.Rows+j], want)
					}
				}
			}
		}
	})
}

func FuzzDotCodes(f *testing.F) {
	f.Add([]byte("some bytes to multiply with each other, forty and more"), uint8(3))
	f.Fuzz(func(t *testing.T, data []byte, rows uint8) {
		n := len(data) / (int(rows) + 1)
		q := make([]int8, n)
		for i := range q {
			q[i] = int8(data[i])
		}
		base := slices.Clone(data[n:])
		ids, out := make([]int32, rows), make([]int32, rows)
		for i := range ids {
			ids[i] = int32(int(rows) - 1 - i)
		}
		if n == 0 {
			return
		}
		withLevels(t, func(t *testing.T) {
			DotCodesScattered(out, q, base, n, ids)
			for i, id := range ids {
				if want := dotCodesPlain(q, base[int(id)*n:][:n]); out[i] != want {
					t.Fatalf("%d bytes, row %d: %d, want %d", n, id, out[i], want)
				}
			}
		})
	})
}

func FuzzScanCodes(f *testing.F) {
	f.Add(uint64(1), uint8(2), uint8(8), float32(-2))
	f.Fuzz(func(t *testing.T, seed uint64, blocks, eights uint8, factor float32) {
		if !(math.Abs(float64(factor)) < 1e20) {
			return
		}
		withLevels(t, func(t *testing.T) {
			checkScan(t, rand.New(rand.NewPCG(seed, 1)), 1+int(blocks%8), 8+8*int(eights%16), factor)
		})
	})
}

// Codes of 64 bytes in blocks, of 32 in a sieve, and rows of 320 bytes at random places of 16 MB.
func BenchmarkCodes(b *testing.B) {
	const n, short, blocks, long, rows = 64, 32, 100, 320, 50000
	rng := rand.New(rand.NewPCG(14, 1))
	q, codes, base := make([]int8, long), NewCodeBlocks(blocks, n), make([]uint8, rows*long)
	randomCodes(rng, q, base)
	sieve := NewCodeSieve(blocks, short)
	out, masks := make([]float32, blocks*CodeBlock), make([]uint16, blocks)
	ids, dots := make([]int32, 4096), make([]int32, 4096)
	for i := range ids {
		ids[i] = int32(rng.IntN(rows))
	}
	saved := kern
	defer func() { kern = saved }()
	for _, k := range levels() {
		kern = k
		report := func(b *testing.B, rows int) {
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(rows), "ns/row")
		}
		b.Run(fmt.Sprintf("%s/scan", k.level), func(b *testing.B) {
			for b.Loop() {
				codes.Scan(out, masks, q[:n], 0, blocks, 0, -2, 1, 1)
			}
			report(b, len(out))
		})
		b.Run(fmt.Sprintf("%s/sieve", k.level), func(b *testing.B) {
			for b.Loop() {
				sieve.Scan(masks, q[:short], 0, blocks, -2, 1, 1)
			}
			report(b, len(out))
		})
		b.Run(fmt.Sprintf("%s/scattered", k.level), func(b *testing.B) {
			for b.Loop() {
				DotCodesScattered(dots, q, base, long, ids)
			}
			report(b, len(ids))
		})
	}
}
