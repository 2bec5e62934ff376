//go:build cgo && linux

package embedder

/*
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

// The Go runtime reserves address space before any of Go runs, and where there is too little (ulimit -v) it ends in a trace of its
// own. What the C library calls first comes before that.
__attribute__((constructor)) static void annbench_addresses(void) {
	struct rlimit limit;
	if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= (rlim_t)2 << 30)
		return; // bench.CheckAddressSpace looks at larger limits
	fprintf(stderr, "annbench: the address space of this process is limited to %llu MiB (ulimit -v), which is not enough to start in; annbench maps files and needs at least 4096 MiB: raise the limit, and bound memory by `memory:` in the sweep file instead\n",
		(unsigned long long)(limit.rlim_cur >> 20));
	_exit(1);
}
*/
import "C"

var _ C.int // so that the C above is linked
