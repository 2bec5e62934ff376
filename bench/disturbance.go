package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/procfs"
)

// idleLoad is how many cores other programs may keep busy on a machine that counts as idle: a desktop's own work is
// below it.
const idleLoad = 0.5

// looking is for how long the machine is watched before a run. The load average would not do: it has what this very
// program did in the minute before, such as embedding.
const looking = 500 * time.Millisecond

// disturbances lists what will disturb timing on this machine as it is now, each with the fix. It
// reads Linux's /proc and /sys; elsewhere, and where a file is not there, it finds nothing.
func disturbances(workers int) []string {
	var found []string
	if before, err := processorTimes(); err == nil {
		time.Sleep(looking)
		if after, err := processorTimes(); err == nil {
			if cores := busyCores(before, after, runtime.NumCPU()); cores > idleLoad {
				found = append(found, fmt.Sprintf("other programs are running: they keep %.1f of %d cores busy; close them, or look at the intervals", cores, runtime.NumCPU()))
			}
		}
	}
	if g := governor("/sys/devices/system/cpu"); g != "" && g != "performance" {
		found = append(found, fmt.Sprintf("the CPU's frequency governor is %q, which changes its speed while measuring; set it to performance", g))
	}
	cores := runtime.NumCPU()
	if workers > cores {
		found = append(found, fmt.Sprintf("%d threads search at once on %d cores: they take turns", workers, cores))
	}
	if cores < 2 {
		found = append(found, "there is one core: the measured process shares it with everything else on this machine")
	}
	if quota, ok := cpuQuota("/sys/fs/cgroup/cpu.max"); ok && quota < float64(cores) {
		found = append(found, fmt.Sprintf("a control group allows %.2f of %d cores: what goes over is held up for tenths of a second", quota, cores))
	}
	return found
}

// processorTimes are the seconds that all processors together have spent since the start, by kind.
func processorTimes() (procfs.CPUStat, error) {
	fs, err := procfs.NewFS(procfs.DefaultMountPoint)
	if err != nil {
		return procfs.CPUStat{}, err
	}
	stat, err := fs.Stat()
	return stat.CPUTotal, err
}

// busyCores is how many of so many cores were busy between two readings; 0 where no time went by.
func busyCores(before, after procfs.CPUStat, cores int) float64 {
	busy := func(s procfs.CPUStat) float64 { return s.User + s.Nice + s.System + s.IRQ + s.SoftIRQ + s.Steal }
	idle := func(s procfs.CPUStat) float64 { return s.Idle + s.Iowait }
	worked := busy(after) - busy(before)
	all := worked + idle(after) - idle(before)
	if !(all > 0) {
		return 0
	}
	return worked / all * float64(cores)
}

// governor is the frequency governor of the CPUs below dir, "" where there is none; of several, one
// that is not "performance".
func governor(dir string) string {
	files, _ := filepath.Glob(filepath.Join(dir, "cpu[0-9]*", "cpufreq", "scaling_governor"))
	name := ""
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		if name = strings.TrimSpace(string(text)); name != "performance" {
			return name
		}
	}
	return name
}

// cpuQuota reads a control group's cpu.max: how many cores it allows; ok is false where it sets no limit.
func cpuQuota(path string) (cores float64, ok bool) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	var quota, period float64
	if n, _ := fmt.Sscanf(string(text), "%f %f", &quota, &period); n != 2 || period <= 0 {
		return 0, false
	}
	return quota / period, true
}

// memoryQuota reads a control group's memory.max, in bytes; ok is false where it sets no limit.
func memoryQuota(path string) (limit int64, ok bool) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	limit, err = strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	return limit, err == nil && limit > 0
}
