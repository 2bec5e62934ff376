//go:build !linux

package bench

// processorTime is that of this process so far in seconds, all threads, user and system.
func processorTime() float64 { return cpuSeconds() }
