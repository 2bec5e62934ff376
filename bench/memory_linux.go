package bench

import (
	"bufio"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"

	"annbench/indexes"
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
	mapped, err := mappedPages(path)
	if err != nil {
		return 0, false
	}
	return int64(rollup.Anonymous) + mapped, true
}

// mappedPages sums the resident pages of the mappings of the file at path.
func mappedPages(path string) (bytes int64, err error) {
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		return 0, err
	}
	defer f.Close()
	inside := false
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := lines.Text()
		field, rest, _ := strings.Cut(line, ":")
		if strings.Contains(field, "-") { // a mapping's first line: addresses ... path
			inside = strings.HasSuffix(line, " "+path)
			continue
		}
		if inside && field == "Rss" {
			kb, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(rest, "kB")), 10, 64)
			if err != nil {
				return 0, fmt.Errorf("reading /proc/self/smaps: %w", err)
			}
			bytes += kb << 10
		}
	}
	return bytes, nil
}

// resetPeak makes peakMemory count from now, and returns the resident bytes that stand now.
func resetPeak() (resident int64, ok bool) {
	if os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) != nil {
		return 0, false
	}
	status, ok := status(os.Getpid())
	return int64(status.VmRSS), ok
}

// peakMemory gives the highest resident bytes of this process since resetPeak.
func peakMemory() (resident int64, ok bool) {
	status, ok := status(os.Getpid())
	return int64(status.VmHWM), ok
}

func status(pid int) (procfs.ProcStatus, bool) {
	proc, err := procfs.NewProc(pid)
	if err != nil {
		return procfs.ProcStatus{}, false
	}
	status, err := proc.NewStatus()
	return status, err == nil
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
