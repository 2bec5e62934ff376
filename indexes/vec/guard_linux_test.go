package vec

import (
	"os"
	"syscall"
	"testing"
	"unsafe"
)

// beforeGuard returns n floats that end where memory that must not be touched begins.
func beforeGuard(t *testing.T, n int) []float32 {
	t.Helper()
	page := os.Getpagesize()
	bytes := (4*n + page - 1) / page * page
	mem, err := syscall.Mmap(-1, 0, bytes+page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Skipf("no memory map: %v", err)
	}
	t.Cleanup(func() { syscall.Munmap(mem) })
	if err := syscall.Mprotect(mem[bytes:], syscall.PROT_NONE); err != nil {
		t.Skipf("no protected page: %v", err)
	}
	return unsafe.Slice((*float32)(unsafe.Pointer(&mem[bytes-4*n])), n)
}

// beforeGuardBytes is beforeGuard for bytes.
func beforeGuardBytes[T int8 | uint8](t *testing.T, n int) []T {
	t.Helper()
	floats := beforeGuard(t, (n+3)/4)
	return unsafe.Slice((*T)(unsafe.Pointer(&floats[0])), 4*len(floats))[4*len(floats)-n:]
}

// The same for the kernels over codes.
func TestCodeKernelsStayInside(t *testing.T) {
	withLevels(t, func(t *testing.T) {
		for n := 16; n <= 208; n += 16 {
			const rows = 8
			q, base := beforeGuardBytes[int8](t, n), beforeGuardBytes[uint8](t, rows*n)
			out := unsafe.Slice((*int32)(unsafe.Pointer(&beforeGuard(t, rows)[0])), rows)
			ids := unsafe.Slice((*int32)(unsafe.Pointer(&beforeGuard(t, rows)[0])), rows)
			for i := range ids {
				ids[i] = rows - 1
			}
			kern.codes.one(&q[0], &base[(rows-1)*n], n)
			kern.codes.scattered(&q[0], &base[0], &ids[0], rows/4, n, n, &out[0])
		}
		for n := 8; n <= 72; n += 8 {
			for blocks := 1; blocks <= 3; blocks++ {
				rows := blocks * CodeBlock
				masks := unsafe.Slice((*uint16)(unsafe.Pointer(&beforeGuardBytes[uint8](t, 2*blocks)[0])), blocks)
				words := beforeGuard(t, blocks*codeBlockWords(n))
				b := CodeBlocks{unsafe.Slice((*uint32)(unsafe.Pointer(&words[0])), len(words)), n}
				b.Scan(beforeGuard(t, rows), masks, beforeGuardBytes[int8](t, n), 0, blocks, blocks-1, 2, 1, 1)
				words = beforeGuard(t, blocks*codeSieveWords(n))
				sieve := CodeSieve{unsafe.Slice((*uint32)(unsafe.Pointer(&words[0])), len(words)), beforeGuard(t, blocks), n}
				sieve.Scan(masks, beforeGuardBytes[int8](t, n), 0, blocks, 2, 1, 1)
			}
		}
	})
}

// A kernel that reads or writes one element too many crashes here.
func TestKernelsStayInside(t *testing.T) {
	withLevels(t, func(t *testing.T) {
		for dim := 1; dim <= 70; dim++ {
			const rows = 12
			groups := 1
			queries := beforeGuard(t, groups*kern.tileQueries*dim)
			base := beforeGuard(t, rows*dim)
			scales := beforeGuard(t, rows)
			out := beforeGuard(t, rows)
			ids := unsafe.Slice((*int32)(unsafe.Pointer(&beforeGuard(t, 8)[0])), 8)
			for i := range ids {
				ids[i] = rows - 1
			}
			q := queries[len(queries)-dim:]
			lastRow := base[len(base)-dim:]
			for _, k := range []pairKernels{kern.dot, kern.l2} {
				k.one(&q[0], &lastRow[0], dim)
				k.rows(&q[0], &base[0], rows/4, dim, &out[0])
				k.stream(&q[0], &base[0], rows, dim, &out[0])
				k.scattered(&q[0], &base[0], &ids[0], 2, dim, &out[rows-8])
			}
			tile := beforeGuard(t, groups*kern.tileQueries*kern.tileRows)
			kern.tile(&queries[0], &base[len(base)-kern.tileRows*dim], groups, dim, &tile[0])
			sieve := beforeGuard(t, kern.sieveQueries*kern.sieveRows)
			kern.sieve(&beforeGuard(t, kern.sieveQueries*dim)[0], &base[len(base)-kern.sieveRows*dim], 1, dim, &sieve[0])
			kern.scaled.one(&q[0], &lastRow[0], dim, 2)
			kern.scaled.rows(&q[0], &base[0], &scales[0], rows/4, dim, &out[0])
			kern.scaled.stream(&q[0], &base[0], &scales[0], rows, dim, &out[0])
			kern.scaled.scattered(&q[0], &base[0], &scales[0], &ids[0], 2, dim, &out[rows-8])
			FirstNonFinite(base)
		}
	})
}
