package scale

import (
	"os"
	"syscall"
	"testing"
	"unsafe"
)

// beforeGuard returns n values that end where memory that must not be touched begins.
func beforeGuard[T int16 | int32 | uint8](t *testing.T, n int) []T {
	t.Helper()
	page, want := os.Getpagesize(), n*int(unsafe.Sizeof(*new(T)))
	size := (want + page - 1) / page * page
	mem, err := syscall.Mmap(-1, 0, size+page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Skipf("no memory map: %v", err)
	}
	t.Cleanup(func() { syscall.Munmap(mem) })
	if err := syscall.Mprotect(mem[size:], syscall.PROT_NONE); err != nil {
		t.Skipf("no protected page: %v", err)
	}
	return unsafe.Slice((*T)(unsafe.Pointer(&mem[size-want])), n)
}

// A kernel that reads or writes one element too many crashes here.
func TestKernelsStayInside(t *testing.T) {
	if !haveAVX2 {
		t.Skip("this processor has no AVX2")
	}
	for n := 1; n <= 50; n++ {
		const lines, stride, taps = 6, 64, 16
		down(beforeGuard[int16](t, n), beforeGuard[uint8](t, (lines-1)*stride+n), stride, beforeGuard[int16](t, lines))

		first := beforeGuard[int32](t, n)
		for i := range first {
			first[i] = int32(i)
		}
		across(beforeGuard[int32](t, n), beforeGuard[int16](t, n-1+taps), first, beforeGuard[int16](t, n*taps), taps)

		colours(beforeGuard[uint8](t, n), beforeGuard[uint8](t, n), beforeGuard[uint8](t, n),
			beforeGuard[int32](t, n), beforeGuard[int32](t, n), beforeGuard[int32](t, n))
	}
}
