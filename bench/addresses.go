package bench

import (
	"fmt"
	"syscall"
)

// CheckAddressSpace refuses a process whose address space is too small to measure in (ulimit -v).
func CheckAddressSpace() error {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_AS, &limit) != nil {
		return nil
	}
	return enoughAddresses(uint64(limit.Cur))
}

// leastAddresses is how much address space a process must be allowed, in bytes. The Go runtime and OpenBLAS
// reserve about 1.5 GB before they use any; a limit below that ends in the runtime's own words. Files are
// mapped on top.
const leastAddresses = 4 << 30

// enoughAddresses says what is wrong with a limit of address space (ulimit -v), in bytes.
func enoughAddresses(limit uint64) error {
	if limit >= leastAddresses {
		return nil
	}
	return fmt.Errorf("the address space of this process is limited to %d MiB (ulimit -v); annbench maps files and needs at least %d MiB: raise the limit, and bound memory by `memory:` in the sweep file instead", limit>>20, uint64(leastAddresses)>>20)
}
