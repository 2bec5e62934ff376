package bench

import (
	"strings"
	"testing"
)

// TestAddressSpace: a limit that is too low ends in a sentence.
func TestAddressSpace(t *testing.T) {
	if err := enoughAddresses(^uint64(0)); err != nil { // unlimited
		t.Error(err)
	}
	if err := enoughAddresses(leastAddresses); err != nil {
		t.Error(err)
	}
	if err := enoughAddresses(1 << 30); err == nil || !strings.Contains(err.Error(), "limited to 1024 MiB (ulimit -v)") || strings.Contains(err.Error(), "\n") {
		t.Errorf("error %v", err)
	}
}
