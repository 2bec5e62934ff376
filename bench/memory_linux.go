package bench

import (
	"os"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"

	"annbench/indexes"
	"annbench/internal/proctree"
)

// ownMemory gives the bytes that this process holds for itself, after heaps were trimmed: its
// anonymous memory, and the pages that it maps of the file at path. ok is false where the system
// does not say.
func ownMemory(path string) (bytes int64, ok bool) {
	debug.FreeOSMemory()
	indexes.TrimHeap()
	self, err := procfs.Self()
	if err != nil {
		return 0, false
	}
	rollup, err := self.ProcSMapsRollup()
	if err != nil {
		return 0, false
	}
	mapped, ok := proctree.Mapped(os.Getpid(), path)
	return int64(rollup.Anonymous) + mapped, ok
}

// resetPeak makes peakMemory count from now, and returns the resident bytes that stand now.
func resetPeak() (resident int64, ok bool) {
	if !proctree.ResetPeak(os.Getpid()) {
		return 0, false
	}
	resident = proctree.Status(os.Getpid(), "VmRSS")
	return resident, resident > 0
}

// peakMemory gives the highest resident bytes of this process since resetPeak.
func peakMemory() (resident int64, ok bool) {
	resident = proctree.Status(os.Getpid(), "VmHWM")
	return resident, resident > 0
}

// totalMemory gives the bytes of memory of this machine, 0 where unknown.
func totalMemory() int64 {
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) != nil {
		return 0
	}
	return int64(info.Totalram) * int64(info.Unit)
}

// memoryKills counts the processes that the kernel has ended for want of memory, of this control group
// where the system counts by group, else of the machine.
func memoryKills() int64 {
	for _, path := range []string{"/sys/fs/cgroup/memory.events", "/proc/vmstat"} {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		if n, ok := killCount(string(text)); ok {
			return n
		}
	}
	return 0
}

// killCount finds the line "oom_kill N".
func killCount(text string) (int64, bool) {
	for line := range strings.Lines(text) {
		if count, ok := strings.CutPrefix(strings.TrimSpace(line), "oom_kill "); ok {
			n, err := strconv.ParseInt(count, 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}
