package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

// idleLoad is how many runnable threads a machine may have, by the average of the last minute, and
// still count as idle: a desktop's own work is below it.
const idleLoad = 0.5

// disturbances lists what will disturb timing on this machine as it is now, each with the fix. It
// reads Linux's /proc and /sys; elsewhere, and where a file is not there, it finds nothing.
func disturbances(workers int) []string {
	var found []string
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		if load, ok := busyness(string(text)); ok && load > idleLoad {
			found = append(found, fmt.Sprintf("other programs are running: the load of the last minute is %.2f; close them, or look at the intervals", load))
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

// busyness is the first number of /proc/loadavg.
func busyness(text string) (float64, bool) {
	first, _, _ := strings.Cut(text, " ")
	load, err := strconv.ParseFloat(first, 64)
	return load, err == nil
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
